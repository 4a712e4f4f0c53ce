/*
 * One pass over a ReplicaSchedulingPreference: gather, decide, write the federated object when its shares differ, then the status of
 * the preference when that differs. See scheduling_internal.h.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "controllers/scheduling_internal.h"
#include "fed/names.h"
#include "json/patch.h"

#define GATE_POLL_MS 250u
#define CONFLICT_RETRY_MS 50u
#define COMPONENT "replicaschedulingpreference-controller"
#define DOUBTS_MAX ((size_t)4096)

/* --- life of a pass --- */

void sched_pass_free(struct sched_pass *p)
{
    if (p->call)
        kube_call_cancel(p->call);
    map_remove(&p->owner->passes, str_of(p->key));
    sched_gather_done(p);
    fed_preference_free(p->preference);
    yyjson_doc_free(p->doc);
    yyjson_doc_free(p->status);
    kube_object_unref(p->object);
    free(p->message);
    free(p->doubts);
    free(p->key);
    free(p);
}

static void end(struct sched_pass *p)
{
    struct workqueue *q = p->owner->queue;
    _cleanup_free_ char *key = mem_strdup(p->key);
    sched_pass_free(p);
    workqueue_done(q, str_of(key));
}

static void retry(struct sched_pass *p, const struct error *err)
{
    if (error_http(err) == 409)
        workqueue_add_after(p->owner->queue, str_of(p->key), CONFLICT_RETRY_MS);
    else
        workqueue_add_backoff(p->owner->queue, str_of(p->key));
}

/* --- events --- */

/* That all is well is no news. */
static bool shows(yyjson_val *rsp, const char *type, const char *reason, const char *message)
{
    yyjson_val *c;
    size_t i, n;
    yyjson_arr_foreach(json_path(rsp, "status.conditions"), i, n, c)
    {
        if (str_eqc(json_path_str(c, "type"), type))
            return str_eqc(json_path_str(c, "reason"), reason) &&
                   (!message || str_eqc(json_path_str(c, "message"), message));
    }
    return strcmp(type, reason) == 0;
}

static void event(const struct sched_pass *p, const char *type, const char *reason, const char *message)
{
    struct event_object on = {
        .api_version = STR(FED_SCHEDULING_GROUP "/" FED_SCHEDULING_VERSION),
        .kind = STR(FED_PREFERENCE_KIND),
        .ns = kube_object_ns(p->object),
        .name = kube_object_name(p->object),
        .uid = kube_object_uid(p->object),
        .resource_version = kube_object_rv(p->object),
    };
    event_record(p->owner->config.env->events, COMPONENT, &on, type, reason, str_of(message));
}

/* What the status does not show yet is told once, also when an old CRD keeps no status. */
static void tell(struct sched_pass *p)
{
    struct sched_record *r = sched_record(p->owner, str_of(p->key));
    yyjson_val *rsp = yyjson_doc_get_root(p->doc);
    bool well = strcmp(p->reason, "Scheduled") == 0;
    _cleanup_free_ char *all = mem_printf("%s\n%s\n%s\n%s", p->reason, well ? "" : p->message, p->doubts_reason,
                                          p->doubts);
    uint64_t hash = str_hash(str_of(all));
    if (hash == r->told)
        return;
    r->told = hash;
    if (!shows(rsp, "Scheduled", p->reason, well ? NULL : p->message))
        event(p, well ? "Normal" : "Warning", p->reason, p->message);
    if (strcmp(p->doubts_reason, "Valid") != 0 && strcmp(p->doubts_reason, p->reason) != 0 &&
        !shows(rsp, "Valid", p->doubts_reason, p->doubts))
        event(p, "Warning", p->doubts_reason, p->doubts);
}

/* --- status --- */

yyjson_val *sched_remembered(const struct sched_pass *p)
{
    const struct sched_record *r = sched_record(p->owner, str_of(p->key));
    return yyjson_doc_get_root(r->unsaid ? r->unsaid : p->doc);
}

static void set_unsaid(struct sched_record *r, yyjson_doc *status)
{
    yyjson_doc_free(r->unsaid);
    r->unsaid = status;
}

static void on_said(struct sched_pass *p, struct sched_record *r, yyjson_val *live)
{
    struct scheduling *s = p->owner;
    kube_informer_learn(s->preferences, live);
    r->sent = p->status_hash;
    free(r->sent_rv);
    r->sent_rv = str_dup(json_path_str(live, "metadata.resourceVersion"));
    set_unsaid(r, NULL);
    r->refused = 0;
    s->no_status = false;
}

/* Limits, and the shares before a loss, are kept in memory then. */
static void on_unsaid(struct sched_pass *p, struct sched_record *r)
{
    set_unsaid(r, TAKE_PTR(p->status));
    r->refused = p->object->generation;
    if (!p->owner->no_status)
        log_warning(
            "ReplicaSchedulingPreferences cannot show a status: their CRD is an old one, apply the present one");
    p->owner->no_status = true;
}

static void on_status(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct sched_pass *p = arg;
    struct scheduling *s = p->owner;
    struct sched_record *r = sched_record(s, str_of(p->key));
    _cleanup_json_ yyjson_doc *doc = NULL;
    p->call = NULL;
    if (!err && json_parse(resp->body, &doc, NULL) == 0) {
        on_said(p, r, yyjson_doc_get_root(doc));
    } else if (err && err->code == -ENOENT && kube_informer_get(s->preferences, str_of(p->key))) {
        on_unsaid(p, r);
    } else if (err && err->code != -ENOENT) {
        log_warning("ReplicaSchedulingPreference \"%s\": cannot write its status: %s", p->key, error_msg(err));
        retry(p, err);
    }
    end(p);
}

/* {"status": ...} after the merge patch. Owned. */
static yyjson_doc *merged_status(yyjson_val *base, struct str patch)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    _cleanup_json_ yyjson_doc *parsed = NULL;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    if (json_get(base, "status"))
        json_mut_set(doc, root, "status", json_mut_copy(doc, json_get(base, "status")));
    if (json_parse(patch, &parsed, NULL) == 0)
        json_merge_apply(doc, root, yyjson_doc_get_root(parsed));
    return json_freeze(doc);
}

static void report(struct sched_pass *p)
{
    struct scheduling *s = p->owner;
    struct sched_record *r = sched_record(s, str_of(p->key));
    static const struct kube_resource resource = { STR(FED_SCHEDULING_GROUP), STR(FED_SCHEDULING_VERSION),
                                                   STR(FED_PREFERENCE_PLURAL), true };
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    bool scheduled = p->schedule && p->schedule->outcome == FED_SCHEDULED;
    struct fed_schedule_report report = {
        .generation = p->object->generation,
        .now = time_wall_s(),
        .reason = p->reason,
        .message = str_of(p->message),
        .doubts_reason = p->doubts_reason,
        .doubts = str_of(p->doubts),
        .input = scheduled ? &p->input : NULL,
        .schedule = scheduled ? p->schedule : NULL,
    };
    tell(p);
    bool differs = fed_schedule_status_patch(&body, sched_remembered(p), &report);
    p->status_hash = str_hash(buf_str(&body));
    /* A server that drops what it was sent is not sent it again. */
    bool sent = p->status_hash == r->sent && r->sent_rv && str_eqc(kube_object_rv(p->object), r->sent_rv);
    if (!differs || sent) {
        end(p);
        return;
    }
    p->status = merged_status(sched_remembered(p), buf_str(&body));
    if (r->unsaid && r->refused == p->object->generation) {
        set_unsaid(r, TAKE_PTR(p->status));
        end(p);
        return;
    }
    _cleanup_free_ char *path = kube_path(&resource, kube_object_ns(p->object), kube_object_name(p->object),
                                          STR("status"));
    struct kube_request req = {
        .method = "PATCH", .path = str_of(path), .body = buf_str(&body), .content_type = "application/merge-patch+json"
    };
    p->call = kube_call(s->config.env->host, &req, on_status, p);
}

static void finish(struct sched_pass *p, const char *reason, char *message)
{
    p->reason = reason;
    free(p->message);
    p->message = message;
    if (!p->doubts_reason)
        p->doubts_reason = "Valid";
    if (!p->doubts)
        p->doubts = mem_strdup("");
    report(p);
}

/* --- writing the federated object --- */

static void conclude(struct sched_pass *p)
{
    _cleanup_buf_ struct buf message = BUF_INIT(DOUBTS_MAX);
    const char *reason = fed_schedule_conclusion(&p->input, p->schedule, &message);
    finish(p, reason, buf_take(&message, NULL));
}

static void on_written(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct sched_pass *p = arg;
    _cleanup_json_ yyjson_doc *doc = NULL;
    p->call = NULL;
    if (err) {
        if (err->code != -ENOENT && error_http(err) != 409)
            log_warning("ReplicaSchedulingPreference \"%s\": cannot write its %s: %s", p->key,
                        p->preference->target_kind, error_msg(err));
        retry(p, err);
        if (error_http(err) == 409 || err->code == -ENOENT)
            end(p);
        else
            finish(p, "WriteFailed",
                   mem_printf("the %s cannot be written: %s", p->preference->target_kind, error_msg(err)));
        return;
    }
    p->owner->written++;
    p->sync = type_configs_schedulable(p->owner->types, str_of(p->preference->target_kind));
    if (p->sync && json_parse(resp->body, &doc, NULL) == 0)
        sync_learn_object(p->sync, yyjson_doc_get_root(doc));
    workqueue_forget(p->owner->queue, str_of(p->key));
    conclude(p);
}

static void write_shares(struct sched_pass *p)
{
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ char *pointer = sched_replicas_pointer(p);
    int r = fed_schedule_patch(&body, yyjson_doc_get_root(p->target_doc), str_of(pointer), &p->input, p->schedule,
                               &err);
    if (r < 0) {
        finish(p, "InvalidTarget",
               mem_printf("spec.overrides of the %s cannot be used: %s", p->preference->target_kind, error_msg(err)));
        return;
    }
    sched_promise(p);
    if (p->schedule->recheck_s > 0)
        workqueue_add_after(p->owner->queue, str_of(p->key), (uint64_t)p->schedule->recheck_s * 1000 + 100);
    if (r == 0) {
        conclude(p);
        return;
    }
    _cleanup_free_ char *path = sync_object_path(p->sync, str_of(p->key));
    struct kube_request req = {
        .method = "PATCH", .path = str_of(path), .body = buf_str(&body), .content_type = "application/json-patch+json"
    };
    p->call = kube_call(p->owner->config.env->host, &req, on_written, p);
}

/* --- deciding --- */

static void doubt(struct sched_pass *p)
{
    _cleanup_buf_ struct buf text = BUF_INIT(DOUBTS_MAX);
    fed_schedule_doubts(&p->input, yyjson_doc_get_root(p->target_doc), &text);
    p->doubts_reason = text.n ? "Unfulfillable" : "Valid";
    p->doubts = buf_take(&text, NULL);
}

static void log_shares(const struct sched_pass *p)
{
    _cleanup_buf_ struct buf why = BUF_INIT(DOUBTS_MAX);
    for (size_t i = 0; log_v(2) && i < p->schedule->n; i++) {
        buf_reset(&why);
        fed_schedule_why(&p->input, p->schedule, i, &why);
        log_verbose(2, "ReplicaSchedulingPreference \"%s\": %" PRIstr " gets %lld: %s", p->key,
                    STRARG(p->clusters[i].name), (long long)p->schedule->shares[i].replicas, why.p);
    }
}

static void decide(struct sched_pass *p)
{
    p->schedule = fed_schedule_make(&p->input);
    log_shares(p);
    doubt(p);
    if (p->schedule->recheck_s > 0)
        workqueue_add_after(p->owner->queue, str_of(p->key), (uint64_t)p->schedule->recheck_s * 1000 + 100);
    if (p->schedule->outcome == FED_SCHEDULED)
        write_shares(p);
    else
        conclude(p);
}

static void again_soon(struct sched_pass *p)
{
    workqueue_add_after(p->owner->queue, str_of(p->key), GATE_POLL_MS);
    end(p);
}

static bool find_target(struct sched_pass *p)
{
    const struct scheduling *s = p->owner;
    const char *kind = p->preference->target_kind;
    p->sync = type_configs_schedulable(s->types, str_of(kind));
    if (!p->sync && sched_waits(p, type_configs_are_starting(s->types, str_of(kind)))) {
        again_soon(p);
        return false;
    }
    if (!p->sync) {
        finish(p, "TypeNotEnabled",
               mem_printf("spec.targetKind: no enabled type with replicas has the federated kind \"%.128s\"", kind));
        return false;
    }
    if (!sync_is_open(p->sync) || !clusters_synced(s->config.env->clusters)) {
        end(p); /* it tells when it is */
        return false;
    }
    const struct kube_object *o = sync_object(p->sync, str_of(p->key));
    if (!o || o->deleting || json_parse(kube_object_body(o), &p->target_doc, NULL) < 0) {
        finish(p, "TargetNotFound", mem_printf("spec.targetKind: there is no %s \"%s\"", kind, p->key));
        return false;
    }
    return true;
}

static void run(struct sched_pass *p)
{
    _cleanup_error_ struct error *err = NULL;
    if (json_parse(kube_object_body(p->object), &p->doc, &err) < 0) {
        end(p);
        return;
    }
    if (fed_preference_decode(yyjson_doc_get_root(p->doc), &p->preference, &err) < 0) {
        p->doubts_reason = "InvalidSpec";
        p->doubts = mem_strdup(error_msg(err));
        finish(p, "InvalidSpec", mem_strdup(error_msg(err)));
        return;
    }
    sched_record(p->owner, str_of(p->key))->intersects = p->preference->intersect;
    if (!find_target(p))
        return;
    if (sched_gather(p))
        decide(p);
    else
        again_soon(p);
}

void sched_process(void *arg, struct str key)
{
    struct scheduling *s = arg;
    struct kube_object *o = kube_informer_get(s->preferences, key);
    if (!o || o->deleting || !s->types) {
        workqueue_done(s->queue, key);
        return;
    }
    struct sched_pass *p = mem_zalloc(sizeof(*p));
    p->owner = s;
    p->key = str_dup(key);
    p->object = kube_object_ref(o);
    map_put(&s->passes, key, p);
    run(p);
}
