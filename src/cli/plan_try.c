/*
 * The plan itself, and what each operation would come to: every request is made with dryRun=All, so that the member validates,
 * defaults and admits it as it would, and stores nothing.
 */
#include <stdlib.h>

#include "cli/plan.h"
#include "fed/names.h"

#define DRY_RUN "dryRun=All&fieldManager=" KUBE_FIELD_MANAGER

/* --- planning --- */

static void fill_views(const struct world *w, const struct plan_live *live, struct fed_cluster_view *views,
                       struct fed_member_obj *objects)
{
    for (size_t i = 0; i < w->n_clusters; i++) {
        const struct world_cluster *c = &w->clusters[i];
        yyjson_val *kfc = yyjson_doc_get_root(c->kfc);
        views[i] = (struct fed_cluster_view){ .name = str_of(c->name),
                                              .labels = json_path(kfc, "metadata.labels"),
                                              .ready = c->ready,
                                              .unready_since = c->ready ? 0 : fed_cluster_since(kfc) };
        if (!c->member) {
            views[i].store_status = FED_STATUS_CLIENT_RETRIEVAL_FAILED;
            views[i].store_error = c->problem ? str_of(c->problem) : STR("the cluster is not ready");
        } else if (!live[i].known) {
            views[i].store_status = FED_STATUS_CACHED_RETRIEVAL_FAILED;
            views[i].store_error = str_of(live[i].error);
        } else {
            views[i].store_ready = true;
        }
        /* The controller's caches hold labelled objects only. */
        if (live[i].object && fed_object_is_managed(live[i].object)) {
            objects[i] = live[i].obj;
            views[i].obj = &objects[i];
        }
    }
}

/* Why the controller would leave the object alone (controllers.md 5.3), or NULL. */
static const char *why_ignored(const struct world *w, const struct plan_object *p)
{
    if (!p->type->propagation_enabled)
        return "the propagation of this type is disabled in its FederatedTypeConfig";
    if (w->config->namespaced && !p->type->target.namespaced)
        return "a control plane of scope Namespaced does not propagate cluster-scoped types";
    if (w->config->namespaced && !str_eqc(p->ns, w->cli->common.ns))
        return "a control plane of scope Namespaced looks only at its own namespace";
    if (!fed_type_is_namespace(p->type))
        return NULL;
    if (fed_namespace_is_protected(p->name, str_of(w->cli->common.ns)))
        return "this namespace is never federated";
    if (!str_eq(p->ns, p->name))
        return "the name of a federated namespace must match the name of its containing namespace";
    if (!w->config->namespaced && !p->host_namespace_uid)
        return "the namespace does not exist in the host cluster";
    return NULL;
}

/* --- trying --- */

/* One operation on its way. */
struct attempt {
    size_t cluster;
    const struct fed_op *op;
    struct fed_adoption adoption; /* its op, when a create met an existing object */
    bool adopting;
    yyjson_doc *body;
    yyjson_mut_doc *request;
};

struct tries {
    struct world *w;
    struct plan_object *p;
    struct plan_live *live;
    const struct fed_plan_input *in;
    const struct fed_plan *plan;
    struct attempt *v;
};

static void set_result(struct plan_result *r, enum plan_action action, const char *status, const char *message)
{
    r->action = action;
    free(r->status);
    free(r->message);
    r->status = mem_strdup(status ? status : "");
    r->message = mem_strdup(message);
}

static void swap(struct attempt *a, struct attempt *b)
{
    struct attempt t = *a;
    *a = *b;
    *b = t;
}

/* Adoption (5.10) of the object that is there. false: nothing is left to try. */
static bool resolve(struct tries *t, struct attempt *a)
{
    struct plan_result *r = &t->p->results[a->cluster];
    fed_plan_adopt(t->plan, t->in, a->cluster, t->live[a->cluster].object, &a->adoption);
    a->adopting = true;
    a->op = a->adoption.op;
    if (a->op)
        return true;
    bool failed = a->adoption.error || (a->adoption.status && a->adoption.status[0]);
    set_result(r, failed ? PLAN_PROBLEM : PLAN_UNCHANGED, a->adoption.status,
               failed && !a->adoption.error ? "the object exists and resources are not adopted" : a->adoption.error);
    return false;
}

static void keep_before(struct tries *t, size_t cluster, yyjson_val *after)
{
    struct plan_live *live = &t->live[cluster];
    struct plan_result *r = &t->p->results[cluster];
    if (live->object)
        r->before = plan_presentable(t->p->type, live->object, after, false);
    if (after)
        r->after = plan_presentable(t->p->type, after, live->object, true);
}

static enum plan_action action_of(const struct attempt *a)
{
    switch (a->op->kind) {
    case FED_OP_CREATE: return PLAN_CREATE;
    case FED_OP_UPDATE: return a->adopting ? PLAN_ADOPT : PLAN_UPDATE;
    case FED_OP_DELETE: return PLAN_DELETE;
    case FED_OP_UNLABEL: return PLAN_UNLABEL;
    }
    return PLAN_PROBLEM;
}

static const char *failure_of(const struct attempt *a)
{
    switch (a->op->kind) {
    case FED_OP_CREATE: return FED_STATUS_CREATION_FAILED;
    case FED_OP_UPDATE: return FED_STATUS_UPDATE_FAILED;
    case FED_OP_DELETE: return FED_STATUS_DELETION_FAILED;
    case FED_OP_UNLABEL: return FED_STATUS_LABEL_REMOVAL_FAILED;
    }
    return FED_STATUS_UPDATE_FAILED;
}

static void take_answer(struct tries *t, struct attempt *a, yyjson_val *answer, const char *remark)
{
    struct plan_result *r = &t->p->results[a->cluster];
    enum plan_action action = action_of(a);
    keep_before(t, a->cluster, action == PLAN_DELETE ? NULL : answer);
    if (r->before && r->after && json_equal(yyjson_doc_get_root(r->before), yyjson_doc_get_root(r->after)))
        set_result(r, PLAN_UNCHANGED, "", remark);
    else
        set_result(r, action, "", remark);
}

/* The namespace that does not exist there yet, or an admission webhook that cannot be asked: what is sent is what there is. */
static const char *excuse(const struct tries *t, const struct attempt *a, const struct error *e)
{
    if (a->op->kind == FED_OP_CREATE && error_http(e) == 404 && t->p->type->target.namespaced &&
        str_contains(str_of(error_msg(e)), STR("namespaces ")))
        return "its namespace does not exist there yet";
    if (str_contains(str_of(error_msg(e)), STR("dry run")))
        return "an admission webhook there takes no dry run: defaults of the server are not shown";
    return NULL;
}

static bool is_secret(const struct plan_object *p)
{
    return !p->type->target.group[0] && strcmp(p->type->target.kind, "Secret") == 0;
}

static void take_failure(struct tries *t, struct attempt *a, const struct error *e)
{
    struct plan_result *r = &t->p->results[a->cluster];
    const char *excused = excuse(t, a, e);
    bool removal = a->op->kind == FED_OP_DELETE || a->op->kind == FED_OP_UNLABEL;
    if (excused && !removal) {
        take_answer(t, a, yyjson_doc_get_root(a->body), excused);
    } else if (removal && (excused || error_http(e) == 404)) {
        take_answer(t, a, NULL, excused);
    } else if (is_secret(t->p) && error_http(e)) {
        _cleanup_free_ char *text = mem_printf("the API server would answer %d %s (its words may quote the Secret)",
                                               error_http(e), e->reason ? e->reason : "");
        set_result(r, PLAN_PROBLEM, failure_of(a), text);
    } else {
        set_result(r, PLAN_PROBLEM, failure_of(a), error_msg(e));
    }
}

static void attempt_reset(struct attempt *a)
{
    yyjson_doc_free(a->body);
    yyjson_mut_doc_free(a->request);
    a->body = NULL;
    a->request = NULL;
}

static void fill_request(struct tries *t, struct attempt *a, const struct kube_resource *target, struct remote_batch *b)
{
    static const char *const methods[] = {
        [FED_OP_CREATE] = "POST", [FED_OP_UPDATE] = "PUT", [FED_OP_DELETE] = "DELETE", [FED_OP_UNLABEL] = "PATCH"
    };
    attempt_reset(a);
    json_parse(fed_body_str(a->op->body), &a->body, NULL);
    a->request = json_mut_doc_of(yyjson_doc_get_root(a->body));
    yyjson_mut_val *root = yyjson_mut_doc_get_root(a->request);
    if (a->op->kind == FED_OP_DELETE) { /* of a body the server takes the options from there */
        yyjson_mut_val *all = yyjson_mut_arr(a->request);
        yyjson_mut_arr_append(all, json_mut_new_str(a->request, STR("All")));
        json_mut_set(a->request, root, "dryRun", all);
    }
    *b = (struct remote_batch){
        .to = t->w->clusters[a->cluster].member,
        .req = { .method = methods[a->op->kind],
                 .resource = target,
                 .ns = target->namespaced ? t->p->ns : STR_NULL,
                 .name = a->op->kind == FED_OP_CREATE ? STR_NULL : t->p->name,
                 .query = a->op->kind == FED_OP_DELETE ? STR("dryRun=All") : STR(DRY_RUN),
                 .content_type = a->op->kind == FED_OP_UNLABEL ? "application/merge-patch+json" : NULL,
                 .body = root },
    };
}

/* A create that met an existing object, and goes on as its adoption. */
static bool must_adopt(const struct tries *t, const struct attempt *a, const struct error *e)
{
    return a->op->kind == FED_OP_CREATE && t->live[a->cluster].object && e && error_is_reason(e, "AlreadyExists");
}

/* Tries the first n; *ret_n of them are to be tried once more, as adoptions, and stand in front then. */
static int try_round(struct tries *t, size_t n, size_t *ret_n, struct error **err)
{
    const struct fed_api_resource *f = &t->p->type->target;
    struct kube_resource target = { str_of(f->group), str_of(f->version), str_of(f->plural), f->namespaced };
    struct remote_batch *batch = mem_array(n, sizeof(*batch));
    for (size_t i = 0; i < n; i++)
        fill_request(t, &t->v[i], &target, &batch[i]);
    int r = remote_do_all(t->w->cli, batch, n, err);
    *ret_n = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct attempt *a = &t->v[i];
        if (must_adopt(t, a, batch[i].error)) {
            if (resolve(t, a))
                swap(&t->v[(*ret_n)++], a);
        } else if (batch[i].error) {
            take_failure(t, a, batch[i].error);
        } else {
            take_answer(t, a, yyjson_doc_get_root(batch[i].answer), NULL);
        }
    }
    remote_batch_done(batch, n);
    return r;
}

/* What needs no request. */
static void take_known(struct tries *t)
{
    for (size_t i = 0; i < t->w->n_clusters; i++) {
        const struct fed_plan_cluster *c = &t->plan->clusters[i];
        struct plan_result *r = &t->p->results[i];
        if (!c->status && c->blocks)
            set_result(r, PLAN_PROBLEM, FED_STATUS_CLUSTER_NOT_READY,
                       "it may hold the object: the deletion waits for it");
        else if (!c->status)
            set_result(r, PLAN_NONE, "", NULL);
        else if (strcmp(c->status, FED_STATUS_OK) == 0)
            set_result(r, PLAN_UNCHANGED, "", NULL);
        else
            set_result(r, PLAN_PROBLEM, c->status, c->error);
    }
}

static int carry_out(struct tries *t, struct error **err)
{
    size_t n = t->plan->n_ops, again = 0;
    t->v = mem_array(n, sizeof(*t->v));
    take_known(t);
    for (size_t i = 0; i < n; i++)
        t->v[i] = (struct attempt){ .cluster = t->plan->ops[i].cluster, .op = &t->plan->ops[i] };
    int r = try_round(t, n, &again, err);
    if (r == 0 && again)
        r = try_round(t, again, &again, err);
    for (size_t i = 0; i < n; i++) {
        if (t->v[i].adopting)
            fed_adoption_done(&t->v[i].adoption);
        attempt_reset(&t->v[i]);
    }
    free(t->v);
    return r;
}

int plan_try(struct world *w, struct plan_object *p, struct plan_live *live, bool deletion, struct error **err)
{
    const char *ignored = why_ignored(w, p);
    if (ignored) {
        p->message = mem_strdup(ignored);
        return 0;
    }
    _cleanup_free_ struct fed_cluster_view *views = mem_array(w->n_clusters, sizeof(*views));
    _cleanup_free_ struct fed_member_obj *objects = mem_array(w->n_clusters, sizeof(*objects));
    _cleanup_free_ char *key = qualified_name(p->ns, p->name);
    fill_views(w, live, views, objects);
    yyjson_val *object = yyjson_doc_get_root(p->doc);
    struct fed_plan_input in = {
        .type = p->type,
        .namespace_scoped = w->config->namespaced,
        .key = str_of(key),
        .object = object,
        .fed_namespace = yyjson_doc_get_root(p->namespace_doc),
        .host_namespace_uid = str_of(p->host_namespace_uid),
        .clusters = views,
        .n_clusters = w->n_clusters,
        .versions = p->versions,
        .adopt = w->config->adopt_resources,
        .raw_status = w->config->raw_status_collection && p->type->status_collection,
        .behavior = &w->behavior,
    };
    struct fed_plan *plan = NULL;
    if (deletion && fed_wants_orphaning(object))
        fed_plan_orphan(&in, &plan);
    else if (deletion)
        fed_plan_delete(&in, &plan);
    else
        fed_plan_sync(&in, &plan);
    p->reason = mem_strdup(plan->reason ? plan->reason : "");
    p->n_results = w->n_clusters;
    p->results = mem_array(w->n_clusters, sizeof(*p->results));
    struct tries t = { .w = w, .p = p, .live = live, .in = &in, .plan = plan };
    int r = carry_out(&t, err);
    fed_plan_free(plan);
    return r;
}
