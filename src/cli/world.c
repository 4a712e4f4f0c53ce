/* See world.h. */
#include "cli/world.h"

#include <stdlib.h>

#include "fed/names.h"

static int read_config(struct world *w, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    const char *ns = w->cli->common.ns;
    int r = remote_get(w->host, &res_kubefed_configs, str_of(ns), STR(FED_CONFIG_NAME), &doc, &e);
    if (r < 0 && is_not_found(e))
        return error_set_http(
            err, e->code, 404, STR("NotFound"),
            "A KubeFedConfig named \"kubefed\" was not found in namespace \"%s\". Is a KubeFed control plane "
            "running in this namespace?",
            ns);
    if (r < 0)
        return error_move(err, &e, "Error retrieving KubeFedConfig \"%s/kubefed\": ", ns);
    return fed_config_decode(yyjson_doc_get_root(doc), &w->config, err);
}

static int add_cluster(void *arg, yyjson_val *kfc)
{
    struct world *w = arg;
    _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(kfc);
    _cleanup_error_ struct error *e = NULL;
    w->clusters = mem_realloc(w->clusters, (w->n_clusters + 1) * sizeof(*w->clusters));
    struct world_cluster *c = &w->clusters[w->n_clusters++];
    *c = (struct world_cluster){ .name = str_dup(json_path_str(kfc, "metadata.name")),
                                 .kfc = json_freeze(copy),
                                 .ready = fed_cluster_is_ready(kfc) };
    if (!c->ready)
        return 0;
    int r = member_open(w->host, kfc, &c->member, &e);
    if (r == -ECANCELED)
        return r;
    if (r < 0)
        c->problem = mem_strdup(error_msg(e));
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct world_cluster *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int add_type(void *arg, yyjson_val *ftc)
{
    struct world *w = arg;
    struct fed_type_config *c = NULL;
    if (fed_type_config_decode(ftc, &c, NULL) < 0)
        return 0;
    w->types = mem_realloc(w->types, (w->n_types + 1) * sizeof(struct fed_type_config *));
    w->types[w->n_types++] = c;
    return 0;
}

int world_read(struct remote *host, struct world *ret, struct error **err)
{
    struct str ns = str_of(host->cli->common.ns);
    struct fed_behavior behavior = ret->behavior;
    *ret = (struct world){ .cli = host->cli, .host = host, .behavior = behavior };
    cli_progress(host->cli, "Reading the control plane from the %s", host->where);
    int r = read_config(ret, err);
    if (r == 0)
        r = remote_list(host, &res_type_configs, ns, 500, add_type, ret, err);
    if (r == 0)
        r = remote_list(host, &res_kubefed_clusters, ns, 500, add_cluster, ret, err);
    if (r == -ECANCELED && err && !*err)
        error_set(err, r, "interrupted");
    if (r == 0 && ret->n_clusters)
        qsort(ret->clusters, ret->n_clusters, sizeof(*ret->clusters), by_name);
    return r;
}

static void free_doc(void *doc)
{
    yyjson_doc_free(doc);
}

void world_done(struct world *w)
{
    for (size_t i = 0; i < w->n_clusters; i++) {
        remote_free(w->clusters[i].member);
        yyjson_doc_free(w->clusters[i].kfc);
        free(w->clusters[i].name);
        free(w->clusters[i].problem);
    }
    free(w->clusters);
    for (size_t i = 0; i < w->n_types; i++)
        fed_type_config_free(w->types[i]);
    free(w->types);
    fed_config_free(w->config);
    map_done_values(&w->namespaces, free_doc);
    *w = (struct world){ 0 };
}

struct fed_type_config *world_type(const struct world *w, yyjson_val *object)
{
    struct str api = json_path_str(object, "apiVersion"), kind = json_path_str(object, "kind"), group, version;
    if (!str_cut(api, '/', &group, &version))
        return NULL;
    for (size_t i = 0; i < w->n_types; i++)
        if (str_eqc(kind, w->types[i]->federated.kind) && str_eqc(group, w->types[i]->federated.group))
            return w->types[i];
    return NULL;
}

struct fed_type_config *world_named(const struct world *w, struct str name)
{
    for (size_t i = 0; i < w->n_types; i++)
        if (str_eqc(name, w->types[i]->name))
            return w->types[i];
    return NULL;
}

/* --- further questions --- */

int world_federated_namespace(const struct world *w, struct str ns, yyjson_doc **ret, struct error **err)
{
    const struct fed_type_config *type = world_named(w, STR(FED_NAMESPACES_FTC));
    _cleanup_error_ struct error *e = NULL;
    *ret = NULL;
    if (!type)
        return 0;
    yyjson_doc *planned = map_get(&w->namespaces, ns);
    if (planned) {
        _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(yyjson_doc_get_root(planned));
        *ret = json_freeze(copy);
        return 0;
    }
    const struct fed_api_resource *f = &type->federated;
    struct kube_resource res = { str_of(f->group), str_of(f->version), str_of(f->plural), true };
    if (remote_get(w->host, &res, ns, ns, ret, &e) < 0 && !is_not_found(e))
        return error_move(err, &e, "%s", "");
    return 0;
}

int world_find_replicas_path(const struct world *w, struct fed_type_config *type, struct error **err)
{
    _cleanup_free_ char *name = mem_printf("%s.%s", type->target.plural, type->target.group);
    if (!fed_type_is_custom(type) || type->replicas_path)
        return 0;
    for (size_t i = 0; i < w->n_clusters && !type->replicas_path; i++) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        _cleanup_error_ struct error *e = NULL;
        if (!w->clusters[i].member)
            continue;
        int r = remote_get(w->clusters[i].member, &res_crds, STR_NULL, str_of(name), &doc, &e);
        if (r == -ECANCELED)
            return error_move(err, &e, "%s", "");
        if (r == 0)
            type->replicas_path = fed_type_replicas_path(type, yyjson_doc_get_root(doc));
        if (type->replicas_path)
            type->status_replicas_path = fed_type_status_replicas_path(type, yyjson_doc_get_root(doc));
    }
    return 0;
}
