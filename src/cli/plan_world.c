/* The control plane as plan needs it: settings, clusters with a connection each, federated types. */
#include <stdlib.h>

#include "cli/plan.h"
#include "fed/names.h"

static int read_config(struct plan_world *w, struct error **err)
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
    struct plan_world *w = arg;
    _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(kfc);
    _cleanup_error_ struct error *e = NULL;
    w->clusters = mem_realloc(w->clusters, (w->n_clusters + 1) * sizeof(*w->clusters));
    struct plan_cluster *c = &w->clusters[w->n_clusters++];
    *c = (struct plan_cluster){ .name = str_dup(json_path_str(kfc, "metadata.name")),
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
    const struct plan_cluster *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int add_type(void *arg, yyjson_val *ftc)
{
    struct plan_world *w = arg;
    struct fed_type_config *c = NULL;
    if (fed_type_config_decode(ftc, &c, NULL) < 0)
        return 0;
    w->types = mem_realloc(w->types, (w->n_types + 1) * sizeof(struct fed_type_config *));
    w->types[w->n_types++] = c;
    return 0;
}

int plan_world_read(struct remote *host, struct plan_world *ret, struct error **err)
{
    struct str ns = str_of(host->cli->common.ns);
    struct fed_behavior behavior = ret->behavior;
    *ret = (struct plan_world){ .cli = host->cli, .host = host, .behavior = behavior };
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

void plan_world_done(struct plan_world *w)
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
    *w = (struct plan_world){ 0 };
}

struct fed_type_config *plan_world_type(const struct plan_world *w, yyjson_val *object)
{
    struct str api = json_path_str(object, "apiVersion"), kind = json_path_str(object, "kind"), group, version;
    if (!str_cut(api, '/', &group, &version))
        return NULL;
    for (size_t i = 0; i < w->n_types; i++)
        if (str_eqc(kind, w->types[i]->federated.kind) && str_eqc(group, w->types[i]->federated.group))
            return w->types[i];
    return NULL;
}

struct fed_type_config *plan_world_named(const struct plan_world *w, struct str name)
{
    for (size_t i = 0; i < w->n_types; i++)
        if (str_eqc(name, w->types[i]->name))
            return w->types[i];
    return NULL;
}

void plan_object_done(struct plan_object *p)
{
    for (size_t i = 0; p->results && i < p->n_results; i++) {
        free(p->results[i].status);
        free(p->results[i].message);
        yyjson_doc_free(p->results[i].before);
        yyjson_doc_free(p->results[i].after);
    }
    free(p->results);
    free(p->reason);
    free(p->message);
    free(p->host_namespace_uid);
    fed_versions_free(p->versions);
    yyjson_doc_free(p->versions_doc);
    yyjson_doc_free(p->namespace_doc);
    yyjson_doc_free(p->doc);
    *p = (struct plan_object){ 0 };
}
