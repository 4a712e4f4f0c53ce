/*
 * federate namespace --contents: which types and objects inside a namespace are federated with it (api-and-cli.md 3.7).
 * Left out: what nobody wrote by hand, federated objects of every group, KubeFed's own bookkeeping. Order:
 * by group, type and name. Only "not found" and "method not allowed" count as "nothing there".
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "cli/federate.h"
#include "fed/names.h"

struct contents {
    struct federate *f;
    struct str ns;
    struct map federated; /* "plural.group" of every federated type that an FTC names */
    const struct kube_api_resource *resource;
    yyjson_mut_doc **found; /* objects of `resource` */
    size_t n, cap;
};

static int note_federated(void *arg, yyjson_val *ftc)
{
    struct contents *c = arg;
    yyjson_val *type = json_path(ftc, "spec.federatedType");
    struct str plural = json_path_str(type, "pluralName"), group = json_path_str(type, "group");
    _cleanup_free_ char *name = mem_printf("%" PRIstr ".%" PRIstr, STRARG(plural), STRARG(group));
    map_put(&c->federated, str_of(name), c);
    return 0;
}

static bool has_verb(const struct kube_api_resource *r, const char *verb)
{
    for (char **v = r->verbs; v && *v; v++)
        if (strcmp(*v, verb) == 0)
            return true;
    return false;
}

static bool skipped_by_user(const struct contents *c, const struct kube_api_resource *r)
{
    const struct flag_list *l = &c->f->options->skip;
    for (size_t i = 0; i < l->n; i++)
        if ((r->group[0] && strcmp(l->v[i], r->group) == 0) || types_match(r, str_of(l->v[i])))
            return true;
    return false;
}

static bool is_wanted(const struct contents *c, const struct kube_api_resource *r)
{
    static const char *const never[] = { "endpoints", "events", "events.events.k8s.io" };
    static const char *const never_groups[] = { "extensions", FED_CORE_GROUP, FED_SCHEDULING_GROUP };
    _cleanup_free_ char *name = mem_printf("%s%s%s", r->plural, r->group[0] ? "." : "", r->group);
    if (!r->namespaced || !has_verb(r, "list") || !has_verb(r, "create") || map_has(&c->federated, str_of(name)))
        return false;
    if (strcmp(r->group, FED_TYPES_GROUP) == 0 && str_has_prefix(str_of(r->kind), STR("Federated")))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        if (strcmp(never[i], name) == 0)
            return false;
    for (size_t i = 0; i < ARRAY_SIZE(never_groups); i++)
        if (strcmp(never_groups[i], r->group) == 0)
            return false;
    return !skipped_by_user(c, r);
}

static int by_group_and_name(const void *a, const void *b)
{
    const struct kube_api_resource *x = *(const struct kube_api_resource *const *)a;
    const struct kube_api_resource *y = *(const struct kube_api_resource *const *)b;
    int r = strcmp(x->group, y->group);
    if (r == 0)
        r = strcmp(x->plural, y->plural);
    if (r == 0) /* the preferred version first, otherwise the order of the server */
        r = x->preferred != y->preferred ? (x->preferred ? -1 : 1) : (x < y ? -1 : x > y);
    return r;
}

/* One version per type: the preferred one when it has the type, else the first listed. *ret is an owned array. */
static const struct kube_api_resource **pick_types(const struct contents *c, size_t *ret_n)
{
    const struct kube_discovery *d = &c->f->types.found;
    const struct kube_api_resource **v = mem_array(d->n + 1, sizeof(*v));
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < d->n; i++)
        if (is_wanted(c, &d->v[i]))
            v[n++] = &d->v[i];
    qsort(v, n, sizeof(*v), by_group_and_name);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(v[kept - 1]->group, v[i]->group) != 0 || strcmp(v[kept - 1]->plural, v[i]->plural) != 0)
            v[kept++] = v[i];
    *ret_n = kept;
    return v;
}

static bool is_owned(yyjson_val *object)
{
    yyjson_val *owner;
    size_t i, n;
    yyjson_arr_foreach(json_path(object, "metadata.ownerReferences"), i, n, owner)
    {
        if (json_path_bool(owner, "controller", false))
            return true;
    }
    return false;
}

/* Made by Kubernetes itself in every namespace, or for a ServiceAccount. */
static bool is_automatic(const struct kube_api_resource *r, yyjson_val *object)
{
    struct str name = json_path_str(object, "metadata.name");
    if (r->group[0])
        return false;
    if (strcmp(r->kind, "Secret") == 0)
        return str_eqc(json_path_str(object, "type"), "kubernetes.io/service-account-token");
    return (strcmp(r->kind, "ServiceAccount") == 0 && str_eqc(name, "default")) ||
           (strcmp(r->kind, "ConfigMap") == 0 && str_eqc(name, "kube-root-ca.crt"));
}

static int note_object(void *arg, yyjson_val *item)
{
    struct contents *c = arg;
    struct str name = json_path_str(item, "metadata.name");
    if (is_owned(item) || is_automatic(c->resource, item))
        return 0;
    if (!str_is_dns1123_subdomain(name)) {
        cli_warning(c->f->cli, "Skipping %s \"%" PRIstr "/%" PRIstr "\": its name cannot be that of a federated object",
                    c->resource->kind, STRARG(c->ns), STRARG(name));
        return 0;
    }
    MEM_GROW(c->found, c->cap, c->n);
    c->found[c->n++] = json_mut_doc_of(item);
    return 0;
}

static void drop_found(struct contents *c)
{
    for (size_t i = 0; i < c->n; i++)
        yyjson_mut_doc_free(c->found[i]);
    c->n = 0;
}

/* Items of a list lack apiVersion and kind only in the document; the conversion drops both anyway. */
static int add_found(struct contents *c, struct error **err)
{
    struct federated_type *type = NULL;
    int r = c->n ? federate_type(c->f, c->resource, &type, err) : 0;
    for (size_t i = 0; r == 0 && i < c->n; i++) {
        _cleanup_json_ yyjson_doc *object = json_freeze(c->found[i]);
        r = federate_add(c->f, type, yyjson_doc_get_root(object), err);
    }
    return r;
}

static int read_type(struct contents *c, const struct kube_api_resource *r, struct error **err)
{
    struct kube_resource res = res_of(r);
    _cleanup_error_ struct error *e = NULL;
    c->resource = r;
    int k = remote_list(c->f->host, &res, c->ns, 500, note_object, c, &e);
    if (k < 0 && (is_not_found(e) || error_http(e) == 405))
        k = 0;
    else if (k < 0)
        k = error_move(err, &e, "Error listing %s in namespace \"%" PRIstr "\": ", r->plural, STRARG(c->ns));
    if (k == 0)
        k = add_found(c, err);
    drop_found(c);
    return k;
}

int federate_contents(struct federate *f, struct str ns, struct error **err)
{
    struct contents c = { .f = f, .ns = ns, .federated = MAP_INIT };
    _cleanup_error_ struct error *e = NULL;
    size_t n = 0;
    int r = remote_list(f->host, &res_type_configs, str_of(f->cli->common.ns), 500, note_federated, &c, &e);
    if (r < 0 && !(is_not_found(e) && f->options->output[0])) {
        map_done(&c.federated);
        return error_move(err, &e, "Error getting FederatedTypeConfig list: ");
    }
    const struct kube_api_resource **v = pick_types(&c, &n);
    r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        cli_progress(f->cli, "Reading %s in namespace \"%" PRIstr "\"", v[i]->plural, STRARG(ns));
        r = read_type(&c, v[i], err);
    }
    free(v);
    free(c.found);
    map_done(&c.federated);
    return r;
}
