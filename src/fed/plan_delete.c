/*
 * Planning removals: objects whose federated object is being deleted, or gone, or no longer placed there (controllers.md
 * 5.11). Only objects that carry the managed label are touched, and a DELETE names the uid that was seen.
 */
#include "fed/plan_internal.h"

#include <stdlib.h>

#include "base/rtime.h"

/* Kubernetes orphans the pods of a Job by default, which nobody who deletes a federated Job wants. */
static bool wants_background(const struct fed_plan_input *in)
{
    const struct fed_api_resource *target = &in->type->target;

    return plan_behavior(in)->jobs_in_background && strcmp(target->group, "batch") == 0 &&
           strcmp(target->kind, "Job") == 0;
}

/* `options` holds only what is honoured; the preconditions of a user win over the uid of the cache. */
static struct fed_body *delete_body(const struct fed_plan_input *in, struct str uid, yyjson_val *options)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(options);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *preconditions;

    json_mut_set_str(doc, root, "apiVersion", STR("v1"));
    json_mut_set_str(doc, root, "kind", STR("DeleteOptions"));
    if (!json_mut_get(root, "propagationPolicy") && wants_background(in))
        json_mut_set_str(doc, root, "propagationPolicy", STR("Background"));
    preconditions = json_mut_ensure_obj(doc, root, "preconditions");
    if (uid.n && !json_mut_get(preconditions, "uid"))
        json_mut_set_str(doc, preconditions, "uid", uid);
    if (yyjson_mut_obj_size(preconditions) == 0)
        json_mut_remove(root, STR("preconditions"));
    return body_of(root);
}

void plan_remove(struct fed_plan *p, const struct fed_plan_input *in, size_t cluster, yyjson_val *options)
{
    const struct fed_member_obj *obj = in->clusters[cluster].obj;

    if (plan_is_host_namespace(in, obj->uid))
        plan_add_op(p, FED_OP_UNLABEL, cluster, body_unlabel());
    else
        plan_add_op(p, FED_OP_DELETE, cluster, delete_body(in, obj->uid, options));
}

/* --- delete options --- */

static int check_options(yyjson_val *options, struct error **err)
{
    yyjson_val *grace = json_get(options, "gracePeriodSeconds"), *policy = json_get(options, "propagationPolicy");
    yyjson_val *preconditions = json_get(options, "preconditions");
    int64_t seconds;

    if (!yyjson_is_obj(options))
        return error_set(err, -EINVAL, "it must be a JSON object");
    if (json_i64(grace, &seconds) == -EINVAL)
        return error_set(err, -EINVAL, "gracePeriodSeconds must be an integer");
    if (policy && !yyjson_is_null(policy) && !yyjson_is_str(policy))
        return error_set(err, -EINVAL, "propagationPolicy must be a string");
    if (preconditions && !yyjson_is_null(preconditions) && !yyjson_is_obj(preconditions))
        return error_set(err, -EINVAL, "preconditions must be an object");
    return 0;
}

int fed_delete_options(yyjson_val *fed_object, yyjson_doc **ret, struct error **err)
{
    static const char *const honoured[] = { "gracePeriodSeconds", "propagationPolicy", "preconditions" };
    yyjson_val *annotation = json_get(json_path(fed_object, "metadata.annotations"), FED_DELETE_OPTIONS_ANNOTATION);
    _cleanup_json_ yyjson_doc *parsed = NULL;
    _cleanup_json_mut_ yyjson_mut_doc *kept = json_mut_doc_new();
    int r;

    if (!yyjson_is_str(annotation)) {
        *ret = NULL;
        return 0;
    }
    r = json_parse(json_str(annotation), &parsed, err);
    if (r == 0)
        r = check_options(yyjson_doc_get_root(parsed), err);
    if (r < 0) {
        error_wrap(err, "annotation " FED_DELETE_OPTIONS_ANNOTATION);
        return r;
    }
    for (size_t i = 0; i < ARRAY_SIZE(honoured); i++) {
        yyjson_val *v = json_get(yyjson_doc_get_root(parsed), honoured[i]);

        if (v && !yyjson_is_null(v))
            json_mut_set(kept, yyjson_mut_doc_get_root(kept), honoured[i], json_mut_copy(kept, v));
    }
    *ret = json_freeze(kept);
    return 0;
}

/* --- deletion --- */

/* The object's own status says that this cluster had it. */
static bool status_lists(yyjson_val *fed_object, struct str cluster)
{
    yyjson_val *list = json_path(fed_object, "status.clusters"), *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item) if (str_eq(json_path_str(item, "name"), cluster)) return true;
    return false;
}

static bool is_labelled(const struct fed_member_obj *obj)
{
    return obj && fed_object_is_managed(obj->root);
}

/* The cluster may hold the object though its cache does not say so. */
static bool may_hold(const struct fed_plan_input *in, size_t i, bool selected)
{
    return selected || is_labelled(in->clusters[i].obj) || fed_versions_get(in->versions, in->clusters[i].name).n ||
           status_lists(in->object, in->clusters[i].name);
}

struct deletion {
    const struct fed_plan_input *in;
    struct fed_plan *plan;
    yyjson_val *options;       /* or NULL */
    const char *options_error; /* or NULL */
    int64_t deleted_at;        /* seconds since the epoch */
    int64_t patience_s;        /* or FED_WAIT_FOR_EVER */
};

/* After which time members may be left behind: the object's annotation, else the controller's setting. */
static int64_t patience_of(struct deletion *d)
{
    yyjson_val *annotation = json_get(json_path(d->in->object, "metadata.annotations"),
                                      FED_ORPHAN_UNREACHABLE_ANNOTATION);
    _cleanup_error_ struct error *err = NULL;
    int64_t s;

    if (!annotation)
        return plan_behavior(d->in)->orphan_unreachable_after_s;
    if (fed_orphan_after_parse(json_str(annotation), &s, &err) == 0)
        return s;
    plan_event(d->plan, "Warning", "InvalidOrphanUnreachableAfter",
               "annotation " FED_ORPHAN_UNREACHABLE_ANNOTATION ": %s (want \"never\" or a duration such as \"10m\")",
               error_msg(err));
    return FED_WAIT_FOR_EVER;
}

/* An unknown time of loss counts as the deletion's. */
static int64_t leave_at(const struct deletion *d, size_t i)
{
    const struct fed_cluster_view *c = &d->in->clusters[i];
    int64_t since = MAX(c->ready ? d->deleted_at : MAX(d->deleted_at, c->unready_since), (int64_t)0);

    return d->patience_s >= FED_WAIT_FOR_EVER - since ? FED_WAIT_FOR_EVER : since + d->patience_s;
}

static void delete_in_ready(struct deletion *d, size_t i)
{
    const struct fed_cluster_view *c = &d->in->clusters[i];
    bool host;

    if (!is_labelled(c->obj))
        return;
    host = plan_is_host_namespace(d->in, c->obj->uid);
    if (c->obj->deleting)
        d->plan->clusters[i].status = host ? NULL : FED_STATUS_WAITING_FOR_REMOVAL;
    else if (d->options_error && !host)
        plan_fail(d->plan, i, FED_STATUS_DELETION_FAILED, d->options_error);
    else
        plan_remove(d->plan, d->in, i, d->options);
}

void fed_plan_delete(const struct fed_plan_input *in, struct fed_plan **ret_plan)
{
    _cleanup_free_ bool *selected = mem_array(in->n_clusters + 1, sizeof(*selected));
    _cleanup_json_ yyjson_doc *options = NULL;
    _cleanup_error_ struct error *err = NULL;
    struct deletion d = { .in = in, .plan = plan_new(in) };
    bool not_federated, all = plan_behavior(in)->delete_unselected_clusters;

    /* A placement that cannot be computed selects nothing: what is there counts all the same, and without the switch, too. */
    if (plan_place(in, selected, &not_federated, NULL) < 0)
        all = true;
    d.patience_s = patience_of(&d);
    if (time_parse_rfc3339(json_path_str(in->object, "metadata.deletionTimestamp"), &d.deleted_at) < 0)
        d.patience_s = FED_WAIT_FOR_EVER;
    if (fed_delete_options(in->object, &options, &err) < 0) {
        d.options_error = err->msg;
        plan_event(d.plan, "Warning", "InvalidDeleteOptions", "%s", err->msg);
    }
    d.options = yyjson_doc_get_root(options);
    for (size_t i = 0; i < in->n_clusters; i++) {
        const struct fed_cluster_view *c = &in->clusters[i];
        struct fed_plan_cluster *result = &d.plan->clusters[i];

        result->selected = selected[i];
        result->leave_at = leave_at(&d, i);
        if (!c->ready) {
            result->blocks = all ? may_hold(in, i, selected[i]) : selected[i];
            result->status = result->blocks ? FED_STATUS_CLUSTER_NOT_READY : NULL;
        } else if (!c->store_ready) {
            result->selected = all ? may_hold(in, i, selected[i]) : selected[i];
        } else if (selected[i] || all) {
            delete_in_ready(&d, i);
        }
    }
    *ret_plan = d.plan;
}

/* --- orphaning --- */

/* The removal of this very object was put off when its cluster was lost. */
static bool is_put_off(const struct fed_plan_input *in, size_t i)
{
    const struct fed_cluster_view *c = &in->clusters[i];

    return !in->object && c->removal && (!c->removal->uid[0] || str_eqc(c->obj->uid, c->removal->uid));
}

static void plan_put_off(struct fed_plan *p, const struct fed_plan_input *in, size_t i)
{
    const struct fed_removal *removal = in->clusters[i].removal;

    if (in->clusters[i].obj->deleting)
        p->clusters[i].status = FED_STATUS_WAITING_FOR_REMOVAL;
    else
        plan_remove(p, in, i, yyjson_doc_get_root(removal->options));
}

void fed_plan_orphan(const struct fed_plan_input *in, struct fed_plan **ret_plan)
{
    _cleanup_free_ bool *selected = mem_array(in->n_clusters + 1, sizeof(*selected));
    struct fed_plan *p = plan_new(in);
    struct fed_body *body = body_unlabel();
    bool not_federated;

    if (in->object)
        (void)plan_place(in, selected, &not_federated, NULL);
    for (size_t i = 0; i < in->n_clusters; i++) {
        const struct fed_cluster_view *c = &in->clusters[i];

        p->clusters[i].selected = selected[i];
        if (!c->ready)
            p->clusters[i].blocks = selected[i] || is_labelled(c->obj);
        else if (c->store_ready && is_labelled(c->obj) && is_put_off(in, i))
            plan_put_off(p, in, i);
        else if (c->store_ready && is_labelled(c->obj) && !c->obj->deleting)
            plan_add_op(p, FED_OP_UNLABEL, i, fed_body_ref(body));
    }
    fed_body_unref(body);
    *ret_plan = p;
}
