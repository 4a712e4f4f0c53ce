/* See types.h. */
#include "cli/types.h"

#include <stdlib.h>

#include "base/log.h"

void types_done(struct types *t)
{
    if (t->read)
        kube_discovery_done(&t->found);
    *t = (struct types){ 0 };
}

int types_read(struct remote *host, struct types *t, struct error **err)
{
    if (t->read)
        return 0;
    cli_progress(host->cli, "Reading what types the %s serves", host->where);
    _cleanup_error_ struct error *e = NULL;
    int r = kube_discovery_fetch(host->client, &t->found, &e);
    if (r < 0 && host->cli->interrupted)
        return error_set(err, -ECANCELED, "interrupted");
    if (r < 0) {
        if (e)
            remote_explain(host, "read what types there are", &e);
        return error_move(err, &e, "%s", "");
    }
    t->read = true;
    if (host->cli->interrupted)
        return error_set(err, -ECANCELED, "interrupted");
    return 0;
}

/* A version that is not served: says what there is instead. */
static void hint_other_version(struct remote *host, struct types *t, struct str key, struct str version)
{
    const struct kube_api_resource *r = NULL;
    if (str_empty(version) || !t->read || kube_discovery_find(&t->found, key, STR_NULL, &r, NULL) < 0)
        return;
    _cleanup_free_ char *shown = types_shown(str_of(r->plural), str_of(r->group), str_of(r->version));
    cli_hint(host->cli, "The host cluster does not serve it in version \"%" PRIstr "\"; there is %s.", STRARG(version),
             shown);
}

int types_find(struct remote *host, struct types *t, struct str key, struct str version,
               const struct kube_api_resource **ret, struct error **err)
{
    int r = types_read(host, t, err);
    if (r == 0)
        r = kube_discovery_find(&t->found, key, version, ret, err);
    if (r == -ENOENT || r == -EINVAL)
        hint_other_version(host, t, key, version);
    if (r == 0 && t->found.partial_error)
        cli_warning(host->cli, "Not all API groups could be read: %s", t->found.partial_error);
    return r;
}

static bool equals_lower(const char *name, const char *lower)
{
    _cleanup_free_ char *n = str_lower(str_of(name));
    return n && n[0] && strcmp(n, lower) == 0;
}

bool types_match(const struct kube_api_resource *r, struct str key)
{
    _cleanup_free_ char *lower = str_lower(key);
    _cleanup_free_ char *qualified = mem_printf("%s.%s", r->plural, r->group);
    if (strcmp(r->plural, lower) == 0 || strcmp(qualified, lower) == 0 || equals_lower(r->kind, lower) ||
        (r->singular && r->singular[0] && strcmp(r->singular, lower) == 0))
        return true;
    for (char **s = r->short_names; s && *s; s++)
        if (equals_lower(*s, lower))
            return true;
    return false;
}

int types_get_config(struct remote *host, struct str name, yyjson_doc **ret_doc, struct fed_type_config **ret,
                     struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct fed_type_config *config = NULL;
    int r = remote_get(host, &res_type_configs, str_of(host->cli->common.ns), name, &doc, err);
    if (r < 0)
        return r;
    r = fed_type_config_decode(yyjson_doc_get_root(doc), &config, err);
    if (r < 0)
        return error_wrap(err, "FederatedTypeConfig \"%s/%" PRIstr "\" is invalid", host->cli->common.ns, STRARG(name));
    *ret = config;
    if (ret_doc)
        *ret_doc = TAKE_PTR(doc);
    return 0;
}

char *types_shown(struct str plural, struct str group, struct str version)
{
    if (str_empty(group))
        return mem_printf("%" PRIstr "/%" PRIstr, STRARG(plural), STRARG(version));
    return mem_printf("%" PRIstr ".%" PRIstr "/%" PRIstr, STRARG(plural), STRARG(group), STRARG(version));
}

char *qualified_name(struct str ns, struct str name)
{
    if (str_empty(ns))
        return str_dup(name);
    return mem_printf("%" PRIstr "/%" PRIstr, STRARG(ns), STRARG(name));
}
