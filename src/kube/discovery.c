/*
 * See discovery.h. /api/v1 first, then the groups of /apis in the server's order, each with all its versions; a group that
 * cannot be read is tried once more and then noted.
 */
#include "kube/discovery.h"

#include <stdlib.h>

#include "json/json.h"

#define DISCOVERY_TIMEOUT_MS 32000u

static char **string_list(yyjson_val *arr)
{
    char **list = mem_array(yyjson_arr_size(arr) + 1, sizeof(*list));
    size_t n = 0;
    yyjson_arr_iter it = yyjson_arr_iter_with(arr);
    yyjson_val *item;
    while ((item = yyjson_arr_iter_next(&it)))
        if (yyjson_is_str(item))
            list[n++] = str_dup(json_str(item));
    return list;
}

static void list_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

void kube_discovery_done(struct kube_discovery *d)
{
    for (size_t i = 0; i < d->n; i++) {
        struct kube_api_resource *r = &d->v[i];
        free(r->group);
        free(r->version);
        free(r->plural);
        free(r->singular);
        free(r->kind);
        list_free(r->short_names);
        list_free(r->verbs);
    }
    free(d->v);
    free(d->partial_error);
    *d = (struct kube_discovery){ 0 };
}

/* --- fetching --- */

static int get(struct kube_client *c, const char *path, yyjson_doc **ret, struct error **err)
{
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    struct kube_request req = { .method = "GET", .path = str_of(path), .timeout_ms = DISCOVERY_TIMEOUT_MS };
    int r = kube_do(c, &req, &body, NULL, err);
    return r < 0 ? r : json_parse(buf_str(&body), ret, err);
}

static void add_resource(struct kube_discovery *d, size_t *cap, struct str group, struct str version, bool preferred,
                         yyjson_val *item)
{
    struct str plural = json_str(json_get(item, "name")), kind = json_str(json_get(item, "kind"));
    if (plural.n == 0 || kind.n == 0 || str_contains(plural, STR("/")))
        return;
    MEM_GROW(d->v, *cap, d->n);
    d->v[d->n++] = (struct kube_api_resource){
        .group = str_dup(group),
        .version = str_dup(version),
        .plural = str_dup(plural),
        .kind = str_dup(kind),
        .singular = str_dup(json_str(json_get(item, "singularName"))),
        .short_names = string_list(json_get(item, "shortNames")),
        .verbs = string_list(json_get(item, "verbs")),
        .namespaced = yyjson_is_true(json_get(item, "namespaced")),
        .preferred = preferred,
    };
}

static void note_failure(struct kube_discovery *d, const char *path, const struct error *err)
{
    char *old = d->partial_error;
    d->partial_error = old ? mem_printf("%s; %s: %s", old, path, error_msg(err))
                           : mem_printf("%s: %s", path, error_msg(err));
    free(old);
}

static int fetch_version(struct kube_client *c, struct kube_discovery *d, size_t *cap, struct str group,
                         struct str version, bool preferred)
{
    _cleanup_free_ char *path = group.n ? mem_printf("/apis/%" PRIstr "/%" PRIstr, STRARG(group), STRARG(version))
                                        : mem_printf("/api/%" PRIstr, STRARG(version));
    _cleanup_error_ struct error *err = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = get(c, path, &doc, &err);
    if (r < 0 && r != -ECANCELED && r != -EACCES)
        r = get(c, path, &doc, &err);
    if (r < 0) {
        note_failure(d, path, err);
        return r == -ECANCELED ? r : 0;
    }
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(yyjson_doc_get_root(doc), "resources"));
    yyjson_val *item;
    while ((item = yyjson_arr_iter_next(&it)))
        add_resource(d, cap, group, version, preferred, item);
    return 0;
}

static int fetch_groups(struct kube_client *c, struct kube_discovery *d, size_t *cap, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = get(c, "/apis", &doc, err);
    yyjson_arr_iter groups = yyjson_arr_iter_with(r < 0 ? NULL : json_get(yyjson_doc_get_root(doc), "groups"));
    yyjson_val *group;
    while (r == 0 && (group = yyjson_arr_iter_next(&groups))) {
        struct str name = json_str(json_get(group, "name")),
                   preferred = json_path_str(group, "preferredVersion.version");
        yyjson_arr_iter versions = yyjson_arr_iter_with(json_get(group, "versions"));
        yyjson_val *v;
        while (r == 0 && (v = yyjson_arr_iter_next(&versions))) {
            struct str version = json_str(json_get(v, "version"));
            if (name.n && version.n)
                r = fetch_version(c, d, cap, name, version, str_eq(version, preferred));
        }
    }
    return r;
}

int kube_discovery_fetch(struct kube_client *c, struct kube_discovery *ret, struct error **err)
{
    struct kube_discovery d = { 0 };
    size_t cap = 0;
    int r = fetch_version(c, &d, &cap, STR(""), STR("v1"), true);
    if (r == 0)
        r = fetch_groups(c, &d, &cap, err);
    else
        error_set(err, r, "interrupted");
    if (r < 0) {
        kube_discovery_done(&d);
        return r;
    }
    *ret = d;
    return 0;
}

/* --- finding --- */

static bool matches(const struct kube_api_resource *r, struct str key)
{
    if (str_eqc(key, r->plural) || (r->singular[0] && str_eqc(key, r->singular)) || str_ieq(key, str_of(r->kind)))
        return true;
    for (size_t i = 0; r->short_names[i]; i++)
        if (str_ieq(key, str_of(r->short_names[i])))
            return true;
    struct str head, tail, version, group;
    if (!str_cut(key, '.', &head, &tail))
        return false;
    bool name = str_eqc(head, r->plural) || (r->singular[0] && str_eqc(head, r->singular)) ||
                str_ieq(head, str_of(r->kind));
    if (!name)
        return false;
    if (str_eqc(tail, r->group))
        return true;
    return str_cut(tail, '.', &version, &group) && str_eqc(version, r->version) && str_eqc(group, r->group);
}

/* A resource of one group is found under several versions: the wanted one, else the preferred, else the first listed. */
static bool better(const struct kube_api_resource *a, const struct kube_api_resource *than)
{
    return a->preferred && !than->preferred;
}

struct candidate_list {
    const struct kube_api_resource *v[64];
    size_t n;
};

static void add_candidate(struct candidate_list *l, const struct kube_api_resource *r)
{
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->v[i]->group, r->group) != 0 || strcmp(l->v[i]->plural, r->plural) != 0)
            continue;
        if (better(r, l->v[i]))
            l->v[i] = r;
        return;
    }
    if (l->n < ARRAY_SIZE(l->v))
        l->v[l->n++] = r;
}

static char *qualified(const struct kube_api_resource *r)
{
    return r->group[0] ? mem_printf("%s.%s", r->plural, r->group) : mem_strdup(r->plural);
}

static int not_found(const struct kube_discovery *d, struct str key, struct error **err)
{
    if (d->partial_error)
        return error_set(err, -ENOENT,
                         "[unable to retrieve the complete list of server APIs: %s, Unable to find api resource "
                         "named \"%" PRIstr "\".]",
                         d->partial_error, STRARG(key));
    return error_set(err, -ENOENT, "Unable to find api resource named \"%" PRIstr "\".", STRARG(key));
}

static int ambiguous(const struct candidate_list *l, struct str key, struct error **err)
{
    _cleanup_buf_ struct buf names = BUF_INIT(1 << 16);
    for (size_t i = 0; i < l->n; i++) {
        _cleanup_free_ char *name = qualified(l->v[i]);
        buf_printf(&names, "%s%s", i ? ", " : "", name);
    }
    return error_set(err, -EINVAL,
                     "Multiple resources are matched by \"%" PRIstr "\": %s. A group-qualified plural name must be "
                     "provided.",
                     STRARG(key), names.p);
}

int kube_discovery_find(const struct kube_discovery *d, struct str key, struct str version,
                        const struct kube_api_resource **ret, struct error **err)
{
    if (key.n == 0)
        return error_set(err, -EINVAL, "NAME is required");
    _cleanup_free_ char *lower = str_lower(key);
    struct candidate_list found = { 0 };
    for (size_t i = 0; i < d->n; i++) {
        const struct kube_api_resource *r = &d->v[i];
        if ((version.n == 0 || str_eqc(version, r->version)) && matches(r, str_of(lower)))
            add_candidate(&found, r);
    }
    if (found.n == 0)
        return not_found(d, key, err);
    if (found.n > 1 && found.v[0]->group[0])
        return ambiguous(&found, key, err);
    *ret = found.v[0]; /* the core group comes first and wins at once */
    return 0;
}
