/*
 * The executor: carries out the operations of a plan against all members at once, asynchronously. Every request has a
 * deadline; a pass waits at most SOFT_DEADLINE_MS for the slowest member. A flight is registered in sync->flights from its
 * start to its end, so that a (cluster, key) pair never has two operations at once.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "controllers/sync_internal.h"
#include "fed/names.h"

struct flight {
    struct sync *sync;
    struct pass *pass; /* NULL: nobody waits any longer */
    char *key, *cluster;
    char *uid;    /* of the member object as it was planned on, or NULL */
    size_t index; /* of the cluster in the pass */
    enum fed_op_kind kind;
    struct fed_body *body; /* as it was sent */
    struct kube_call *call;
    uint64_t began_ns;
};

static const struct verb {
    const char *doing, *infinitive, *reason, *failed, *timed_out;
} verbs[] = {
    [FED_OP_CREATE] = { "Creating", "create", "CreateInCluster", FED_STATUS_CREATION_FAILED,
                        FED_STATUS_CREATION_TIMED_OUT },
    [FED_OP_UPDATE] = { "Updating", "update", "UpdateInCluster", FED_STATUS_UPDATE_FAILED,
                        FED_STATUS_UPDATE_TIMED_OUT },
    [FED_OP_DELETE] = { "Deleting", "delete", "DeleteInCluster", FED_STATUS_DELETION_FAILED,
                        FED_STATUS_DELETION_TIMED_OUT },
    [FED_OP_UNLABEL] = { "Removing managed label from", "remove managed label from", "RemoveManagedLabelFromInCluster",
                         FED_STATUS_LABEL_REMOVAL_FAILED, FED_STATUS_LABEL_REMOVAL_TIMED_OUT },
};

static char *flight_id(struct str cluster, struct str key)
{
    return mem_printf("%" PRIstr "\n%" PRIstr, STRARG(cluster), STRARG(key));
}

const char *apply_in_flight(const struct sync *s, struct str cluster, struct str key)
{
    if (map_count(&s->flights) == 0)
        return NULL;
    _cleanup_free_ char *id = flight_id(cluster, key);
    const struct flight *f = map_get(&s->flights, str_of(id));
    return f ? verbs[f->kind].timed_out : NULL;
}

static void flight_free(struct flight *f)
{
    _cleanup_free_ char *id = flight_id(str_of(f->cluster), str_of(f->key));
    map_remove(&f->sync->flights, str_of(id));
    if (f->call)
        kube_call_cancel(f->call);
    free(f->key);
    free(f->cluster);
    free(f->uid);
    fed_body_unref(f->body);
    free(f);
}

/* --- events --- */

static void record(const struct flight *f, const char *type, const char *suffix, const char *text)
{
    const struct verb *v = &verbs[f->kind];
    _cleanup_free_ char *target = sync_member_key(f->sync, str_of(f->key));
    _cleanup_free_ char *reason = mem_printf("%s%s", v->reason, suffix);
    _cleanup_free_ char *message = text ? mem_printf("Failed to %s %s \"%s\" in cluster \"%s\": %s", v->infinitive,
                                                     f->sync->type->target.kind, target, f->cluster, text)
                                        : mem_printf("%s %s \"%s\" in cluster \"%s\"", v->doing,
                                                     f->sync->type->target.kind, target, f->cluster);
    if (text)
        log_warning("%s", message);
    else
        log_verbose(2, "%s", message);
    if (!f->pass->deletion)
        pass_event(f->pass, type, reason, str_of(message));
}

/* --- ends --- */

static void set_error(struct pass_result *r, const char *status, const char *text)
{
    r->status = status;
    free(r->error);
    r->error = text ? mem_strdup(text) : NULL;
}

static void flight_end(struct flight *f)
{
    struct sync *s = f->sync;
    struct pass *p = f->pass;
    size_t index = f->index;
    _cleanup_free_ char *key = TAKE_PTR(f->key);
    f->key = mem_strdup(key);
    flight_free(f);
    service_status_enqueue(s->service_status, str_of(key)); /* caches learn answers silently */
    if (!p) {
        sync_enqueue(s, str_of(key));
        return;
    }
    p->results[index].waiting = false;
    if (--p->running == 0) {
        loop_timer_stop(&p->soft);
        p->applied(p);
    }
}

static void flight_fail(struct flight *f, const char *status, const char *text)
{
    if (f->pass) {
        set_error(&f->pass->results[f->index], status, text);
        record(f, "Warning", "Failed", text);
    }
    flight_end(f);
}

/* Caches learn own writes silently, and their watch events are silent then; but scheduling goes by what is there. */
static struct kube_object *learn(const struct flight *f, const struct sync_member *m, yyjson_val *live)
{
    struct kube_object *cached = kube_informer_learn_new(m->informer, live);
    if (cached)
        sync_tell_watcher(f->sync, str_of(f->key));
    return cached;
}

static void forget(const struct flight *f, const struct sync_member *m)
{
    _cleanup_free_ char *member_key = sync_member_key(f->sync, str_of(f->key));
    kube_informer_forget(m->informer, str_of(member_key), str_of(f->uid));
    sync_settle(f->sync, m, str_of(f->key), NULL, NULL);
    sync_tell_watcher(f->sync, str_of(f->key));
}

/* It succeeded. Updates are measured too. */
static void measure(const struct flight *f)
{
    static const enum measured_action actions[] = {
        [FED_OP_CREATE] = MEASURED_CREATE, [FED_OP_UPDATE] = MEASURED_UPDATE, [FED_OP_DELETE] = MEASURED_DELETE
    };

    histogram_observe(&f->sync->env->measures->operations[actions[f->kind]], time_mono_ns() - f->began_ns);
}

/* The server's answer to a create or update: the new state of the member object. */
static void flight_wrote(struct flight *f, yyjson_val *live)
{
    struct sync *s = f->sync;
    struct sync_member *m = sync_member_find(s, str_of(f->cluster));
    _cleanup_free_ char *version = fed_object_version(live);
    measure(f);
    if (m) {
        struct str rv = json_path_str(live, "metadata.resourceVersion");
        sync_settle(s, m, str_of(f->key), f->kind == FED_OP_UPDATE ? f->body : NULL, live);
        struct kube_object *cached = learn(f, m, live);
        if (!cached || !str_eq(kube_object_rv(cached), rv))
            sync_enqueue(s, str_of(f->key)); /* somebody else has written since */
    }
    if (f->pass) {
        struct pass_result *r = &f->pass->results[f->index];
        r->status = FED_STATUS_OK;
        free(r->version);
        r->version = TAKE_PTR(version);
        r->wrote = f->kind == FED_OP_UPDATE;
        yyjson_val *status = json_get(live, "status");
        if (status && f->pass->input.raw_status) {
            _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(status);
            yyjson_doc_free(r->remote);
            r->remote = json_freeze(copy);
        }
    }
    flight_end(f);
}

/* The watch has reported the end of the object that was to be deleted. */
static bool saw_it_go(const struct flight *f, const struct sync_member *m)
{
    if (!m || kube_informer_state(m->informer) != KUBE_INFORMER_SYNCED)
        return false;
    _cleanup_free_ char *member_key = sync_member_key(f->sync, str_of(f->key));
    const struct kube_object *cached = kube_informer_get(m->informer, str_of(member_key));
    return !cached || !str_eqc(kube_object_uid(cached), f->uid);
}

/* A Status answer says that the object is gone; the object itself means that it is terminating, or, of some kinds, that this was
 * its last state: then its end may have been seen before the answer came. */
static void flight_deleted(struct flight *f, yyjson_val *answer)
{
    struct sync_member *m = sync_member_find(f->sync, str_of(f->cluster));
    bool object = answer && !str_eqc(json_path_str(answer, "kind"), "Status") && json_get(answer, "metadata");
    bool terminating = object && !saw_it_go(f, m);
    measure(f);
    if (m && terminating)
        kube_informer_learn(m->informer, answer); /* tells by itself what matters: see there */
    if (m && !terminating)
        forget(f, m);
    if (f->pass) {
        f->pass->results[f->index].status = terminating ? FED_STATUS_WAITING_FOR_REMOVAL : NULL;
        f->pass->results[f->index].confirmed = !object;
    }
    flight_end(f);
}

static void flight_unlabelled(struct flight *f)
{
    const struct sync_member *m = sync_member_find(f->sync, str_of(f->cluster));
    if (m)
        forget(f, m);
    if (f->pass)
        f->pass->results[f->index].status = NULL;
    flight_end(f);
}

/* --- requests --- */

static void flight_send(struct flight *f, const struct fed_op *op);

static struct kube_client *flight_client(const struct flight *f)
{
    struct cluster *c = clusters_find(f->sync->env->clusters, str_of(f->cluster));
    return c ? c->client : NULL;
}

static bool already_exists(const struct flight *f, const struct error *err)
{
    if (f->kind != FED_OP_CREATE)
        return false;
    /* a namespace whose creation timed out in the server may exist. */
    return error_is_reason(err, "AlreadyExists") || (f->sync->is_namespace && error_is_reason(err, "ServerTimeout"));
}

/* What goes on with an object that exists is an update, also where it fails at once (5.10): unless it must not be touched. */
static void begin_update(struct flight *f, const char *status)
{
    if (status && (strcmp(status, FED_STATUS_ALREADY_EXISTS) == 0 || strcmp(status, FED_STATUS_CREATION_FAILED) == 0))
        return;
    record(f, "Warning", "Failed", "An update will be attempted instead of a creation due to an existing resource");
    f->kind = FED_OP_UPDATE;
}

static void on_live(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct flight *f = arg;
    f->call = NULL;
    _cleanup_error_ struct error *e = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (err || json_parse(resp->body, &doc, &e) < 0) {
        _cleanup_free_ char *text = mem_printf("failed to retrieve object potentially requiring adoption: %s",
                                               error_msg(err ? err : e));
        flight_fail(f, FED_STATUS_RETRIEVAL_FAILED, text);
        return;
    }
    if (!f->pass) {
        flight_end(f);
        return;
    }
    struct fed_adoption adoption;
    fed_plan_adopt(f->pass->plan, &f->pass->input, f->index, yyjson_doc_get_root(doc), &adoption);
    struct pass_result *r = &f->pass->results[f->index];
    if (adoption.op) {
        begin_update(f, FED_STATUS_OK);
        record(f, "Normal", "", NULL);
        flight_send(f, adoption.op);
    } else if (adoption.error || (adoption.status && adoption.status[0])) {
        begin_update(f, adoption.status);
        flight_fail(f, adoption.status, adoption.error ? adoption.error : "Resource pre-exist in cluster");
    } else {
        /* As it is wanted, label included: the cache has not seen it yet. */
        const struct sync_member *m = sync_member_find(f->sync, str_of(f->cluster));
        if (m)
            learn(f, m, yyjson_doc_get_root(doc));
        r->status = FED_STATUS_OK;
        free(r->version);
        r->version = mem_strdup(adoption.version);
        flight_end(f);
    }
    fed_adoption_done(&adoption);
}

static void look_at_existing(struct flight *f)
{
    struct kube_client *client = flight_client(f);
    if (!client) {
        flight_fail(f, FED_STATUS_CLIENT_RETRIEVAL_FAILED, "the connection to the cluster is gone");
        return;
    }
    _cleanup_free_ char *path = sync_target_path(f->sync, str_of(f->key), false);
    struct kube_request req = { .method = "GET", .path = str_of(path), .timeout_ms = MEMBER_TIMEOUT_MS };
    f->call = kube_call(client, &req, on_live, f);
}

/* What may be shown of an error. An API server quotes parts of an object that it cannot read, and of a Secret nothing may
 * get into logs and events. Owned. */
static char *presentable(const struct flight *f, const struct error *err)
{
    const struct fed_api_resource *target = &f->sync->type->target;
    bool secret = !target->group[0] && strcmp(target->kind, "Secret") == 0;
    if (!secret || !error_http(err))
        return mem_strdup(error_msg(err));
    return mem_printf("the API server answered %d %s (its words are not shown, since they may quote the Secret)",
                      error_http(err), err->reason ? err->reason : "");
}

static void on_failed(struct flight *f, const struct error *err)
{
    const struct verb *v = &verbs[f->kind];
    if (already_exists(f, err)) {
        look_at_existing(f);
    } else if (err->code == -ENOENT && f->kind == FED_OP_DELETE) {
        flight_deleted(f, NULL);
    } else if (err->code == -ENOENT && f->kind == FED_OP_UNLABEL) {
        flight_unlabelled(f);
    } else if (err->code == -ECANCELED) {
        flight_fail(f, FED_STATUS_CLIENT_RETRIEVAL_FAILED, "the connection to the cluster is gone");
    } else {
        _cleanup_free_ char *text = presentable(f, err);
        if (f->pass && f->kind == FED_OP_UPDATE)
            f->pass->results[f->index].conflict = error_http(err) == 409;
        flight_fail(f, err->code == -ETIMEDOUT ? v->timed_out : v->failed, text);
    }
}

static void on_done(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct flight *f = arg;
    f->call = NULL;
    if (err) {
        on_failed(f, err);
        return;
    }
    _cleanup_error_ struct error *e = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (json_parse(resp->body, &doc, &e) < 0) {
        flight_fail(f, verbs[f->kind].failed, error_msg(e));
        return;
    }
    yyjson_val *answer = yyjson_doc_get_root(doc);
    if (f->kind == FED_OP_DELETE)
        flight_deleted(f, answer);
    else if (f->kind == FED_OP_UNLABEL)
        flight_unlabelled(f);
    else
        flight_wrote(f, answer);
}

static void flight_send(struct flight *f, const struct fed_op *op)
{
    static const struct {
        const char *method, *type;
    } how[] = {
        [FED_OP_CREATE] = { "POST", NULL },
        [FED_OP_UPDATE] = { "PUT", NULL },
        [FED_OP_DELETE] = { "DELETE", NULL },
        [FED_OP_UNLABEL] = { "PATCH", "application/merge-patch+json" },
    };
    struct kube_client *client = flight_client(f);
    if (!client) {
        flight_fail(f, FED_STATUS_CLIENT_RETRIEVAL_FAILED, "there is no connection to the cluster");
        return;
    }
    _cleanup_free_ char *path = sync_target_path(f->sync, str_of(f->key), op->kind == FED_OP_CREATE);
    struct kube_request req = {
        .method = how[op->kind].method,
        .content_type = how[op->kind].type,
        .path = str_of(path),
        .body = op->body ? fed_body_str(op->body) : STR_NULL,
        .timeout_ms = MEMBER_TIMEOUT_MS,
    };
    fed_body_unref(f->body);
    f->body = op->body ? fed_body_ref(op->body) : NULL;
    f->call = kube_call(client, &req, on_done, f);
}

/* --- starting and letting go --- */

static void on_soft_deadline(void *arg)
{
    struct pass *p = arg;
    _cleanup_free_ char *message = mem_printf("Failed to finish %u operations in %us", p->running,
                                              SOFT_DEADLINE_MS / 1000);
    if (!p->deletion)
        pass_event(p, "Warning", "OperationTimeoutError", str_of(message));
    apply_release(p);
    p->applied(p);
}

void apply_start(struct pass *p)
{
    struct sync *s = p->sync;
    p->running = 1; /* held by this function, so that nothing ends before all have started */
    for (size_t i = 0; i < p->plan->n_ops; i++) {
        const struct fed_op *op = &p->plan->ops[i];
        if (p->results[op->cluster].blocked)
            continue;
        struct flight *f = mem_zalloc(sizeof(*f));
        f->sync = s;
        f->pass = p;
        f->key = mem_strdup(p->key);
        f->cluster = mem_strdup(p->clusters->v[op->cluster].name);
        f->index = op->cluster;
        f->kind = op->kind;
        f->began_ns = time_mono_ns();
        if (p->views[op->cluster].obj)
            f->uid = str_dup(p->views[op->cluster].obj->uid);
        _cleanup_free_ char *id = flight_id(str_of(f->cluster), str_of(f->key));
        map_put(&s->flights, str_of(id), f);
        p->results[op->cluster].waiting = true;
        p->running++;
        record(f, "Normal", "", NULL);
        flight_send(f, op);
    }
    if (--p->running == 0)
        p->applied(p);
    else
        loop_timer_start(kube_client_loop(s->env->host), &p->soft, SOFT_DEADLINE_MS, on_soft_deadline, p);
}

void apply_release(struct pass *p)
{
    loop_timer_stop(&p->soft);
    struct map_entry e;
    for (size_t i = 0; p->running > 0 && map_next(&p->sync->flights, &i, &e);) {
        struct flight *f = e.val;
        if (f->pass != p)
            continue;
        f->pass = NULL;
        p->running--;
        set_error(&p->results[f->index], verbs[f->kind].timed_out, "no answer yet");
    }
}

void sync_each_operation(const struct sync *s, void (*fn)(void *arg, const char *cluster, bool sent), void *arg)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&s->flights, &i, &e);) {
        const struct flight *f = e.val;
        fn(arg, f->cluster, f->call && kube_call_is_sent(f->call));
    }
}

void apply_cancel_all(struct sync *s)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&s->flights, &i, &e);) {
        struct flight *f = e.val;
        if (f->pass)
            f->pass->running--;
        flight_free(f);
    }
}
