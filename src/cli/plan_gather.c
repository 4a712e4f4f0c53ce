/*
 * What the planner has to know about one federated object: its FederatedNamespace, the versions on record, and the object in each
 * ready member. All members are asked at the same time.
 */
#include <stdlib.h>

#include "cli/plan.h"
#include "fed/names.h"

static const struct kube_resource res_autoscalers = { STR("autoscaling"), STR("v1"), STR("horizontalpodautoscalers"),
                                                      true };

/* --- host --- */

static int read_namespace(struct world *w, struct plan_object *p, struct error **err)
{
    if (fed_type_is_namespace(p->type) || str_empty(p->ns))
        return 0;
    return world_federated_namespace(w, p->ns, &p->namespace_doc, err);
}

static int read_host_namespace(struct world *w, struct plan_object *p, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    if (!fed_type_is_namespace(p->type))
        return 0;
    if (remote_get(w->host, &res_namespaces, STR_NULL, p->name, &doc, &e) < 0)
        return is_not_found(e) ? 0 : error_move(err, &e, "%s", "");
    p->host_namespace_uid = str_dup(json_path_str(yyjson_doc_get_root(doc), "metadata.uid"));
    return 0;
}

/* A record that another kind of the same name left behind does not count. */
static bool is_record_of(const struct plan_object *p, yyjson_val *record)
{
    yyjson_val *owner = yyjson_arr_get_first(json_path(record, "metadata.ownerReferences"));
    struct str group, version;
    return !owner ||
           (str_cut(json_path_str(owner, "apiVersion"), '/', &group, &version) &&
            str_eqc(group, p->type->federated.group) && str_eqc(json_path_str(owner, "kind"), p->type->federated.kind));
}

static int read_versions(struct world *w, struct plan_object *p, struct error **err)
{
    bool namespaced = fed_version_is_namespaced(p->type);
    struct kube_resource res = { STR(FED_CORE_GROUP), STR(FED_CORE_ALPHA_VERSION),
                                 namespaced ? STR(FED_VERSION_PLURAL) : STR(FED_CLUSTER_VERSION_PLURAL), namespaced };
    _cleanup_free_ char *name = fed_version_name(p->type, p->name);
    _cleanup_error_ struct error *e = NULL;
    if (remote_get(w->host, &res, namespaced ? p->ns : STR_NULL, str_of(name), &p->versions_doc, &e) < 0)
        return is_not_found(e) || error_http(e) == 422 ? 0 : error_move(err, &e, "%s", "");
    yyjson_val *root = yyjson_doc_get_root(p->versions_doc);
    if (is_record_of(p, root))
        p->versions = fed_versions_decode(json_get(root, "status"));
    return 0;
}

/* --- members --- */

static struct kube_resource target_of(const struct plan_object *p)
{
    const struct fed_api_resource *t = &p->type->target;
    return (struct kube_resource){ str_of(t->group), str_of(t->version), str_of(t->plural), t->namespaced };
}

static bool wants_autoscalers(const struct world *w, const struct plan_object *p)
{
    return w->behavior.yield_to_autoscalers && p->type->target.namespaced &&
           (fed_type_is_scalable(p->type) || p->type->replicas_path);
}

static bool scales_target(const struct plan_object *p, yyjson_val *autoscaler)
{
    yyjson_val *ref = json_path(autoscaler, "spec.scaleTargetRef");
    struct str group, version;
    if (!str_cut(json_path_str(ref, "apiVersion"), '/', &group, &version))
        group = STR("");
    return str_eqc(group, p->type->target.group) && str_eqc(json_path_str(ref, "kind"), p->type->target.kind) &&
           str_eq(json_path_str(ref, "name"), p->name);
}

static void take_autoscalers(const struct plan_object *p, const struct remote_batch *b, struct plan_live *live)
{
    yyjson_val *item;
    size_t i, n;
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(b->answer), "items"), i, n, item)
    {
        live->autoscaled |= scales_target(p, item);
    }
}

static void take_object(const struct world *w, const struct plan_object *p, struct remote_batch *b,
                        struct plan_live *live)
{
    if (b->error) {
        live->error = mem_strdup(error_msg(b->error));
        return;
    }
    live->known = true;
    live->list = TAKE_PTR(b->answer);
    live->object = yyjson_arr_get_first(json_get(yyjson_doc_get_root(live->list), "items"));
    if (!live->object)
        return;
    yyjson_mut_doc *out = json_mut_doc_new();
    fed_member_project(p->type, w->config->raw_status_collection, live->object, out);
    live->projection = json_freeze(out);
    yyjson_mut_doc_free(out);
    live->obj = (struct fed_member_obj){
        .uid = json_path_str(live->object, "metadata.uid"),
        .resource_version = json_path_str(live->object, "metadata.resourceVersion"),
        .generation = json_path_i64(live->object, "metadata.generation", 0),
        .deleting = json_path(live->object, "metadata.deletionTimestamp") != NULL,
        .root = yyjson_doc_get_root(live->projection),
    };
}

static int read_members(struct world *w, struct plan_object *p, struct plan_live *live, struct error **err)
{
    struct kube_resource target = target_of(p);
    struct str ns = target.namespaced ? p->ns : STR_NULL;
    _cleanup_free_ char *selector = field_selector("metadata.name", p->name);
    _cleanup_buf_ struct buf query = BUF_INIT(1 << 16);
    buf_addz(&query, "fieldSelector=");
    buf_add_urlencoded(&query, str_of(selector));
    bool autoscalers = wants_autoscalers(w, p);
    struct remote_batch *batch = mem_array(2 * w->n_clusters, sizeof(*batch));
    _cleanup_free_ size_t *cluster = mem_array(2 * w->n_clusters, sizeof(*cluster));
    size_t n = 0;
    for (size_t i = 0; i < w->n_clusters; i++) {
        struct remote *to = w->clusters[i].member;
        if (!to)
            continue;
        cluster[n] = i;
        batch[n++] = (struct remote_batch){
            .to = to, .req = { .method = "GET", .resource = &target, .ns = ns, .query = buf_str(&query) }
        };
        if (!autoscalers)
            continue;
        cluster[n] = i;
        batch[n++] = (struct remote_batch){ .to = to,
                                            .req = { .method = "GET", .resource = &res_autoscalers, .ns = ns } };
    }
    int r = remote_do_all(w->cli, batch, n, err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (batch[i].req.resource == &target)
            take_object(w, p, &batch[i], &live[cluster[i]]);
        else
            take_autoscalers(p, &batch[i], &live[cluster[i]]);
    }
    remote_batch_done(batch, n);
    return r;
}

int plan_gather(struct world *w, struct plan_object *p, struct plan_live **ret, struct error **err)
{
    int r = read_namespace(w, p, err);
    if (r == 0)
        r = read_host_namespace(w, p, err);
    if (r == 0)
        r = read_versions(w, p, err);
    if (r == 0)
        r = world_find_replicas_path(w, world_named(w, str_of(p->type->name)), err);
    if (r < 0)
        return r;
    struct plan_live *live = mem_array(w->n_clusters, sizeof(*live));
    r = read_members(w, p, live, err);
    if (r < 0) {
        plan_live_free(live, w->n_clusters);
        return r;
    }
    for (size_t i = 0; i < w->n_clusters; i++)
        live[i].obj.autoscaled = live[i].autoscaled;
    *ret = live;
    return 0;
}

void plan_live_free(struct plan_live *v, size_t n)
{
    for (size_t i = 0; v && i < n; i++) {
        yyjson_doc_free(v[i].list);
        yyjson_doc_free(v[i].projection);
        free(v[i].error);
    }
    free(v);
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
