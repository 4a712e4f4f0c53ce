/*
 * The plan for a federated object that is not being deleted (controllers.md 5.4 to 5.10), and adoption. One `struct sync`
 * lives during one call; what all clusters share (template, overrides, the text of a create) is made once, on demand.
 */
#include "fed/plan_internal.h"

#include <stdlib.h>

#include "fed/retain.h"
#include "fed/template.h"

struct sync {
    const struct fed_plan_input *in;
    struct fed_plan *plan; /* NULL during adoption */
    bool prepared;
    yyjson_doc *base; /* fed_template_build, frozen; NULL when the template is broken */
    struct error *base_error;
    struct fed_overrides *overrides; /* NULL when they are broken */
    struct error *overrides_error;
    struct fed_template_notes notes;
    struct fed_body *create; /* for clusters without overrides; or NULL */
};

/* What became of building the object for one cluster. */
struct built {
    yyjson_mut_doc *doc;
    const char *status; /* of a failure */
};

static void sync_done(struct sync *s)
{
    yyjson_doc_free(s->base);
    error_free(s->base_error);
    fed_overrides_free(s->overrides);
    error_free(s->overrides_error);
    fed_body_unref(s->create);
}

static void prepare(struct sync *s)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = NULL;

    if (s->prepared)
        return;
    s->prepared = true;
    if (fed_template_build(s->in->type, s->in->object, &doc, &s->notes, &s->base_error) == 0)
        s->base = json_freeze(doc);
    fed_overrides_parse(s->in->object, &s->overrides, &s->overrides_error);
}

/* --- building --- */

/* The member object that an update starts from. */
struct live {
    yyjson_val *projection;
    struct str uid, resource_version;
    int64_t generation;
    bool autoscaled;
    struct str same_but_scaled;
};

static struct fed_retain_input retain_input(const struct sync *s, const struct live *live)
{
    return (struct fed_retain_input){
        .type = s->in->type,
        .fed_object = s->in->object,
        .live = live->projection,
        .resource_version = live->resource_version,
        .host_namespace = plan_is_host_namespace(s->in, live->uid),
        .autoscaled = live->autoscaled,
        .behavior = s->in->behavior,
    };
}

static int retain(const struct sync *s, const struct live *live, yyjson_mut_doc *doc, struct error **err)
{
    struct fed_retain_input in = retain_input(s, live);

    return fed_retain(&in, doc, err);
}

/* An autoscaler owns the replica count, whatever an override says. */
static int keep_autoscaled(const struct sync *s, const struct live *live, yyjson_mut_doc *doc, struct error **err)
{
    struct fed_retain_input in = retain_input(s, live);

    return fed_retain_replicas(&in, doc, err);
}

/* The desired object of one cluster; live is NULL for a create. -EINVAL: ret->status names the step. */
static int build(struct sync *s, struct str cluster, const struct live *live, struct built *ret, struct error **err)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = NULL;
    int r;

    prepare(s);
    if (!s->base) {
        ret->status = FED_STATUS_COMPUTE_RESOURCE_FAILED;
        return error_set(err, -EINVAL, "%s", error_msg(s->base_error));
    }
    doc = json_mut_doc_of(yyjson_doc_get_root(s->base));
    ret->status = FED_STATUS_FIELD_RETENTION_FAILED;
    if (live) {
        r = retain(s, live, doc, err);
        if (r < 0)
            return r;
    }
    ret->status = FED_STATUS_APPLY_OVERRIDES_FAILED;
    if (!s->overrides)
        return error_set(err, -EINVAL, "%s", error_msg(s->overrides_error));
    r = fed_overrides_apply(s->overrides, cluster, doc, err);
    if (r == 0 && live && live->autoscaled)
        r = keep_autoscaled(s, live, doc, err);
    if (r == 0)
        r = fed_set_managed(doc, err);
    if (r < 0)
        return r;
    ret->status = FED_STATUS_OK;
    ret->doc = TAKE_PTR(doc);
    return 0;
}

static void record_failure(struct sync *s, size_t i, const char *status, const char *verb, const char *reason,
                           const char *error)
{
    plan_fail(s->plan, i, status, error);
    plan_event(s->plan, "Warning", reason, "Failed to %s %s \"%" PRIstr "\" in cluster \"%" PRIstr "\": %s", verb,
               s->in->type->target.kind, STRARG(plan_target_name(s->in)), STRARG(s->in->clusters[i].name), error);
}

/* --- create --- */

static void plan_create(struct sync *s, size_t i)
{
    struct str cluster = s->in->clusters[i].name;
    _cleanup_error_ struct error *err = NULL;
    struct built built = { 0 };
    bool shared;

    prepare(s);
    shared = s->overrides && !fed_overrides_has(s->overrides, cluster);
    if (shared && s->create) {
        plan_add_op(s->plan, FED_OP_CREATE, i, fed_body_ref(s->create));
        return;
    }
    if (build(s, cluster, NULL, &built, &err) < 0) {
        record_failure(s, i, built.status, "create", "CreateInClusterFailed", error_msg(err));
        return;
    }
    struct fed_body *body = body_of(yyjson_mut_doc_get_root(built.doc));

    yyjson_mut_doc_free(built.doc);
    if (shared)
        s->create = fed_body_ref(body);
    plan_add_op(s->plan, FED_OP_CREATE, i, body);
}

/* --- update --- */

/* Labels of the live object are those of the template and the managed label: without building anything. */
static bool has_template_labels(const struct sync *s, yyjson_val *projection)
{
    yyjson_val *wanted = json_path(yyjson_doc_get_root(s->base), "metadata.labels");
    yyjson_val *present = json_path(projection, "metadata.labels"), *key, *value;
    size_t n_wanted = yyjson_obj_size(wanted), i, n;

    if (wanted && !yyjson_is_null(wanted) && !yyjson_is_obj(wanted))
        return false;
    if (json_get(wanted, FED_MANAGED_LABEL))
        n_wanted--;
    if (!fed_object_is_managed(projection) || yyjson_obj_size(present) != n_wanted + 1)
        return false;
    if (yyjson_obj_size(wanted) == 0)
        return true;
    yyjson_obj_foreach(wanted, i, n, key, value)
    {
        if (!str_eqc(json_str(key), FED_MANAGED_LABEL) && !json_equal(value, json_getn(present, json_str(key))))
            return false;
    }
    return true;
}

static bool has_own_owners(const struct sync *s)
{
    return json_path(yyjson_doc_get_root(s->base), "metadata.ownerReferences") != NULL;
}

/* Of an object that was built: what the member keeps is in it already, unless an override says otherwise. */
static bool same_replicas(const struct fed_plan_input *in, yyjson_val *desired, const struct live *live)
{
    yyjson_val *wanted = json_path(desired, member_replicas_path(in->type)),
               *present = json_path(live->projection, "spec.replicas");

    return !wanted || !present || json_equal(wanted, present);
}

/* retainReplicas is not part of the recorded hashes: when it is switched off, the replica count may differ although the
 * version is the one that was written. */
static bool has_replicas(const struct fed_plan_input *in, yyjson_val *desired, const struct live *live)
{
    return json_path_bool(in->object, "spec.retainReplicas", false) || live->autoscaled ||
           same_replicas(in, desired, live);
}

/* What was written last is still there, as far as can be seen without building the object: everything but labels and
 * replicas is either covered by the version or kept from the live object. Namespaces get labels from elsewhere: they are
 * looked at closely. */
static bool is_plainly_unchanged(struct sync *s, struct str cluster, const struct live *live, bool same_version)
{
    if (!same_version)
        return false;
    if (live->generation == 0)
        return true; /* "rv:": the very same object */
    prepare(s);
    if (!s->base || !s->overrides || fed_type_is_namespace(s->in->type) || has_own_owners(s) ||
        fed_overrides_touch_metadata(s->overrides, cluster))
        return false;
    if (!fed_overrides_has(s->overrides, cluster) || !json_path(live->projection, "spec.replicas"))
        return has_template_labels(s, live->projection) && has_replicas(s->in, yyjson_doc_get_root(s->base), live);
    return false;
}

/* What was written last is still there but for the replica count, which has_replicas looks at: as far as an absent one in
 * the template means the member's. */
static bool is_only_scaled(const struct fed_plan_input *in, const struct live *live, struct str recorded)
{
    bool theirs = plan_behavior(in)->retain_bound_fields || live->autoscaled ||
                  json_path_bool(in->object, "spec.retainReplicas", false);

    return theirs && recorded.n && live->same_but_scaled.n && str_eq(live->same_but_scaled, recorded);
}

enum verdict { VERDICT_UNCHANGED, VERDICT_UPDATE, VERDICT_FAILED };

/* VERDICT_UPDATE sets *ret_body (owned), VERDICT_FAILED *ret_status and *err. */
static enum verdict judge_update(struct sync *s, struct str cluster, const struct live *live, struct str recorded,
                                 struct fed_body **ret_body, const char **ret_status, struct error **err)
{
    _cleanup_free_ char *version = fed_version_of(live->generation, live->resource_version);
    bool same_version = str_eqc(recorded, version) || is_only_scaled(s->in, live, recorded), unchanged;
    _cleanup_json_ yyjson_doc *frozen = NULL;
    struct built built = { 0 };

    if (is_plainly_unchanged(s, cluster, live, same_version))
        return VERDICT_UNCHANGED;
    if (build(s, cluster, live, &built, err) < 0) {
        *ret_status = built.status;
        return VERDICT_FAILED;
    }
    frozen = json_freeze(built.doc);
    if (same_version)
        unchanged = member_metadata_equal(yyjson_doc_get_root(frozen), live->projection) &&
                    same_replicas(s->in, yyjson_doc_get_root(frozen), live);
    else
        unchanged = member_is_as_desired(s->in->type, yyjson_doc_get_root(frozen), live->projection);
    if (!unchanged)
        *ret_body = body_of(yyjson_mut_doc_get_root(built.doc));
    yyjson_mut_doc_free(built.doc);
    return unchanged ? VERDICT_UNCHANGED : VERDICT_UPDATE;
}

static struct live live_of(const struct fed_member_obj *obj)
{
    return (struct live){ obj->root,       obj->uid,        obj->resource_version,
                          obj->generation, obj->autoscaled, obj->same_but_scaled };
}

static void plan_update(struct sync *s, size_t i)
{
    const struct fed_cluster_view *c = &s->in->clusters[i];
    struct live live = live_of(c->obj);
    _cleanup_error_ struct error *err = NULL;
    struct fed_body *body = NULL;
    const char *status = NULL;

    switch (judge_update(s, c->name, &live, plan_recorded(s->plan, s->in, c->name), &body, &status, &err)) {
    case VERDICT_UPDATE: plan_add_op(s->plan, FED_OP_UPDATE, i, body); break;
    case VERDICT_FAILED: record_failure(s, i, status, "update", "UpdateInClusterFailed", error_msg(err)); break;
    case VERDICT_UNCHANGED: {
        _cleanup_free_ char *version = fed_version_of(live.generation, live.resource_version);

        plan_remember_version(s->plan, i, str_of(version));
        s->plan->clusters[i].status = FED_STATUS_OK;
        break;
    }
    }
}

/* --- one cluster --- */

/* The status already says so: an event per pass would only repeat it. */
static bool is_known_as(yyjson_val *fed_object, struct str cluster, const char *status)
{
    yyjson_val *list = json_path(fed_object, "status.clusters"), *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item)
    {
        if (str_eq(json_path_str(item, "name"), cluster))
            return str_eqc(json_path_str(item, "status"), status);
    }
    return false;
}

/* What the status says of a cluster stays while its cache is being filled, as far as it can still be true: a cluster that comes
 * back must not cost two writes per object. */
static const char *status_while_filling(yyjson_val *fed_object, struct str cluster)
{
    int64_t observed = json_path_i64(fed_object, "status.observedGeneration", 0);

    if (is_known_as(fed_object, cluster, FED_STATUS_OK) &&
        observed == json_path_i64(fed_object, "metadata.generation", 0))
        return FED_STATUS_OK;
    if (is_known_as(fed_object, cluster, FED_STATUS_CLUSTER_NOT_READY))
        return FED_STATUS_CLUSTER_NOT_READY;
    return FED_STATUS_CACHED_RETRIEVAL_FAILED;
}

static void plan_unreachable(struct sync *s, size_t i)
{
    const struct fed_cluster_view *c = &s->in->clusters[i];
    _cleanup_free_ char *error = c->ready ? str_dup(c->store_error) : mem_strdup("the cluster is not ready");
    const char *status = c->ready ? c->store_status : FED_STATUS_CLUSTER_NOT_READY;

    if (!status)
        status = FED_STATUS_CACHED_RETRIEVAL_FAILED;
    if (c->ready && c->store_filling) {
        status = status_while_filling(s->in->object, c->name);
        s->plan->clusters[i].untold = strcmp(status, FED_STATUS_CACHED_RETRIEVAL_FAILED) == 0 &&
                                      (c->untold || !is_known_as(s->in->object, c->name, status));
        plan_fail(s->plan, i, status, error);
        return;
    }
    plan_fail(s->plan, i, status, error);
    if (is_known_as(s->in->object, c->name, status) &&
        !(c->untold && strcmp(status, FED_STATUS_CACHED_RETRIEVAL_FAILED) == 0))
        return;
    if (!c->ready)
        plan_event(s->plan, "Warning", FED_STATUS_CLUSTER_NOT_READY, "Cluster not ready: %" PRIstr, STRARG(c->name));
    else if (strcmp(status, FED_STATUS_CLIENT_RETRIEVAL_FAILED) == 0)
        plan_event(s->plan, "Warning", FED_STATUS_CLIENT_RETRIEVAL_FAILED,
                   "Failed to retrieve a client for cluster \"%" PRIstr "\": %s", STRARG(c->name), error);
    else
        plan_event(s->plan, "Warning", FED_STATUS_CACHED_RETRIEVAL_FAILED,
                   "Failed to retrieve cached cluster object: cluster \"%" PRIstr "\": %s", STRARG(c->name), error);
}

static void plan_selected(struct sync *s, size_t i)
{
    const struct fed_cluster_view *c = &s->in->clusters[i];
    const struct fed_member_obj *obj = c->obj;

    plan_remember_version(s->plan, i, plan_recorded(s->plan, s->in, c->name));
    if (!c->ready || !c->store_ready) {
        plan_unreachable(s, i);
        return;
    }
    if (!obj) {
        plan_create(s, i);
        return;
    }
    if (s->in->raw_status)
        s->plan->clusters[i].remote = json_get(obj->root, "status");
    if (obj->deleting && plan_is_host_namespace(s->in, obj->uid))
        s->plan->clusters[i].status = FED_STATUS_OK;
    else if (obj->deleting) /* it cannot be kept; its end leads to a new one */
        s->plan->clusters[i].status = FED_STATUS_WAITING_FOR_REMOVAL;
    else if (fed_object_opted_out(obj->root))
        record_failure(s, i, FED_STATUS_MANAGED_LABEL_FALSE, "update", "UpdateInClusterFailed",
                       "Unable to manage the object which has label " FED_MANAGED_LABEL ": " FED_MANAGED_FALSE);
    else
        plan_update(s, i);
}

/* The delete options are for the end of the federated object, unless switched on for this, too. */
static void plan_unwanted(struct sync *s, size_t i)
{
    _cleanup_json_ yyjson_doc *options = NULL;
    _cleanup_error_ struct error *err = NULL;

    if (plan_behavior(s->in)->delete_options_on_placement && fed_delete_options(s->in->object, &options, &err) < 0)
        record_failure(s, i, FED_STATUS_DELETION_FAILED, "delete", "DeleteInClusterFailed", error_msg(err));
    else
        plan_remove(s->plan, s->in, i, yyjson_doc_get_root(options));
}

static void plan_unselected(struct sync *s, size_t i)
{
    const struct fed_cluster_view *c = &s->in->clusters[i];

    if (!c->ready || !c->store_ready || !c->obj || !fed_object_is_managed(c->obj->root))
        return;
    if (s->in->raw_status)
        s->plan->clusters[i].remote = json_get(c->obj->root, "status");
    if (c->obj->deleting)
        s->plan->clusters[i].status = FED_STATUS_WAITING_FOR_REMOVAL;
    else
        plan_unwanted(s, i);
}

/* --- the whole --- */

static void note_dropped(struct sync *s)
{
    static const char message[] =
        "metadata.%s cannot be set via template to avoid conflicting with controllers in member "
        "clusters. Consider using an override to add or remove elements from this collection.";
    bool writes = !fed_versions_match(s->in->versions, str_of(s->plan->template_hash), str_of(s->plan->overrides_hash));

    for (size_t i = 0; i < s->plan->n_ops; i++)
        writes |= s->plan->ops[i].kind == FED_OP_CREATE || s->plan->ops[i].kind == FED_OP_UPDATE;
    if (!writes)
        return;
    if (s->notes.annotations_dropped)
        plan_event(s->plan, "Warning", "AnnotationsNotSupported", message, "annotations");
    if (s->notes.finalizers_dropped)
        plan_event(s->plan, "Warning", "FinalizersNotSupported", message, "finalizers");
}

/* Nothing is done and nothing forgotten. */
static void placement_failed(struct sync *s, const char *why)
{
    s->plan->reason = FED_REASON_COMPUTE_PLACEMENT_FAILED;
    plan_event(s->plan, "Warning", FED_REASON_COMPUTE_PLACEMENT_FAILED, "Failed to compute placement: %s", why);
    for (size_t i = 0; i < s->in->n_clusters; i++) {
        plan_remember_version(s->plan, i, plan_recorded(s->plan, s->in, s->in->clusters[i].name));
        s->plan->clusters[i].selected = s->plan->clusters[i].recorded_version != NULL;
    }
}

void fed_plan_sync(const struct fed_plan_input *in, struct fed_plan **ret_plan)
{
    _cleanup_free_ bool *selected = mem_array(in->n_clusters + 1, sizeof(*selected));
    _cleanup_(sync_done) struct sync s = { .in = in, .plan = plan_new(in) };
    _cleanup_error_ struct error *err = NULL;
    bool not_federated = false;

    if (plan_place(in, selected, &not_federated, &err) < 0) {
        placement_failed(&s, error_msg(err));
        *ret_plan = s.plan;
        return;
    }
    if (not_federated)
        s.plan->reason = FED_REASON_NAMESPACE_NOT_FEDERATED;
    for (size_t i = 0; i < in->n_clusters; i++) {
        s.plan->clusters[i].selected = selected[i];
        if (selected[i])
            plan_selected(&s, i);
        else
            plan_unselected(&s, i);
    }
    note_dropped(&s);
    *ret_plan = s.plan;
}

/* --- adoption --- */

static void adoption_failed(struct fed_adoption *a, const char *status, const char *error)
{
    a->status = status;
    a->error = mem_strdup(error);
}

static void adopt_live(struct sync *s, const struct fed_plan *plan, size_t cluster, const struct live *live,
                       struct fed_adoption *ret)
{
    struct str name = s->in->clusters[cluster].name;
    _cleanup_error_ struct error *err = NULL;
    struct fed_body *body = NULL;
    const char *status = NULL;

    switch (judge_update(s, name, live, plan_recorded(plan, s->in, name), &body, &status, &err)) {
    case VERDICT_FAILED: adoption_failed(ret, status, error_msg(err)); break;
    case VERDICT_UNCHANGED:
        ret->status = FED_STATUS_OK;
        ret->version = fed_version_of(live->generation, live->resource_version);
        break;
    case VERDICT_UPDATE:
        ret->op = mem_zalloc(sizeof(*ret->op));
        *ret->op = (struct fed_op){ FED_OP_UPDATE, cluster, body };
        break;
    }
}

void fed_plan_adopt(const struct fed_plan *plan, const struct fed_plan_input *in, size_t cluster, yyjson_val *live,
                    struct fed_adoption *ret)
{
    _cleanup_(sync_done) struct sync s = { .in = in };
    _cleanup_json_mut_ yyjson_mut_doc *reduced = json_mut_doc_new();
    _cleanup_json_ yyjson_doc *projection = NULL;
    struct live from = { .uid = json_path_str(live, "metadata.uid"),
                         .resource_version = json_path_str(live, "metadata.resourceVersion"),
                         .generation = json_path_i64(live, "metadata.generation", 0) };

    *ret = (struct fed_adoption){ 0 };
    fed_member_project(in->type, in->raw_status, live, reduced);
    projection = json_freeze(reduced);
    from.projection = yyjson_doc_get_root(projection);
    if (!in->adopt && !plan_is_host_namespace(in, from.uid))
        adoption_failed(ret, FED_STATUS_ALREADY_EXISTS, "Resource pre-exist in cluster");
    else if (fed_object_opted_out(live))
        adoption_failed(ret, FED_STATUS_MANAGED_LABEL_FALSE,
                        "Unable to manage the object which has label " FED_MANAGED_LABEL ": " FED_MANAGED_FALSE);
    else if (json_path_str(live, "metadata.deletionTimestamp").n)
        adoption_failed(ret, FED_STATUS_CREATION_FAILED, "the existing object is being deleted");
    else
        adopt_live(&s, plan, cluster, &from, ret);
}

void fed_adoption_done(struct fed_adoption *a)
{
    if (a->op)
        fed_body_unref(a->op->body);
    free(a->op);
    free(a->error);
    free(a->version);
    *a = (struct fed_adoption){ 0 };
}
