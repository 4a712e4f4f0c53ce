/*
 * One pass over a ReplicaSchedulingPreference: gather, decide, write the federated object when its shares differ; then what it is
 * reported by (scheduling_report.c). See scheduling_internal.h.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "controllers/scheduling_internal.h"
#include "fed/names.h"

#define GATE_POLL_MS 250u
#define CONFLICT_RETRY_MS 50u
#define TEXT_MAX ((size_t)4096)

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
    free(p->patch);
    free(p->patch_path);
    free(p->message);
    free(p->doubts);
    free(p->key);
    free(p);
}

void sched_pass_end(struct sched_pass *p)
{
    struct workqueue *q = p->owner->queue;
    _cleanup_free_ char *key = mem_strdup(p->key);
    sched_pass_free(p);
    workqueue_done(q, str_of(key));
}

void sched_pass_retry(struct sched_pass *p, const struct error *err)
{
    if (error_http(err) == 409)
        workqueue_add_after(p->owner->queue, str_of(p->key), CONFLICT_RETRY_MS);
    else
        workqueue_add_backoff(p->owner->queue, str_of(p->key));
}

/* --- writing the federated object --- */

static void conclude(struct sched_pass *p)
{
    if (p->schedule->recheck_s > 0)
        workqueue_add_after(p->owner->queue, str_of(p->key), (uint64_t)p->schedule->recheck_s * 1000 + 100);
    _cleanup_buf_ struct buf message = BUF_INIT(TEXT_MAX);
    const char *reason = fed_schedule_conclusion(&p->input, p->schedule, &message);
    sched_finish(p, reason, buf_take(&message, NULL));
}

static void on_written(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct sched_pass *p = arg;
    _cleanup_json_ yyjson_doc *doc = NULL;
    bool again = err && (err->code == -ENOENT || error_http(err) == 409);
    p->call = NULL;
    if (err) {
        if (!again)
            log_warning("ReplicaSchedulingPreference \"%s\": cannot write its %s: %s", p->key,
                        p->preference->target_kind, error_msg(err));
        p->not_written = true;
        sched_pass_retry(p, err);
        if (again)
            sched_pass_end(p);
        else
            sched_finish(p, "WriteFailed",
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

static void send_shares(struct sched_pass *p)
{
    struct kube_request req = { .method = "PATCH",
                                .path = str_of(p->patch_path),
                                .body = str_of(p->patch),
                                .content_type = "application/json-patch+json" };
    p->call = kube_call(p->owner->config.env->host, &req, on_written, p);
}

/* What a loss or a lack of room is remembered by goes first: an end in between must not make this the only state there ever was. */
static void write_shares(struct sched_pass *p)
{
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ char *pointer = sched_replicas_pointer(p);
    int r = fed_schedule_patch(&body, yyjson_doc_get_root(p->target_doc), str_of(pointer), &p->input, p->schedule,
                               &err);
    if (r < 0) {
        p->not_written = true;
        sched_finish(
            p, "InvalidTarget",
            mem_printf("spec.overrides of the %s cannot be used: %s", p->preference->target_kind, error_msg(err)));
        return;
    }
    sched_promise(p);
    if (r == 0) {
        conclude(p);
        return;
    }
    p->patch = buf_take(&body, NULL);
    p->patch_path = sync_object_path(p->sync, str_of(p->key));
    if (p->schedule->memory_first || sched_record(p->owner, str_of(p->key))->unsaid)
        sched_remember(p, send_shares);
    else
        send_shares(p);
}

/* --- deciding --- */

static void doubt(struct sched_pass *p)
{
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
    fed_schedule_doubts(&p->input, yyjson_doc_get_root(p->target_doc), &text);
    p->doubts_reason = text.n ? "Unfulfillable" : "Valid";
    p->doubts = buf_take(&text, NULL);
}

static void log_shares(const struct sched_pass *p)
{
    _cleanup_buf_ struct buf why = BUF_INIT(TEXT_MAX);
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
    if (p->schedule->outcome == FED_SCHEDULED)
        write_shares(p);
    else
        conclude(p);
}

static void again_soon(struct sched_pass *p)
{
    workqueue_add_after(p->owner->queue, str_of(p->key), GATE_POLL_MS);
    sched_pass_end(p);
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
        sched_unpromise(p->owner, str_of(p->key));
        sched_finish(
            p, "TypeNotEnabled",
            mem_printf("spec.targetKind: no enabled type with replicas has the federated kind \"%.128s\"", kind));
        return false;
    }
    if (!sync_is_open(p->sync) || !clusters_synced(s->config.env->clusters)) {
        sched_pass_end(p); /* it tells when it is */
        return false;
    }
    const struct kube_object *o = sync_object(p->sync, str_of(p->key));
    if (!o || o->deleting || json_parse(kube_object_body(o), &p->target_doc, NULL) < 0) {
        sched_unpromise(p->owner, str_of(p->key));
        sched_finish(p, "TargetNotFound", mem_printf("spec.targetKind: there is no %s \"%s\"", kind, p->key));
        return false;
    }
    return true;
}

static void run(struct sched_pass *p)
{
    _cleanup_error_ struct error *err = NULL;
    if (json_parse(kube_object_body(p->object), &p->doc, &err) < 0) {
        sched_pass_end(p);
        return;
    }
    if (fed_preference_decode(yyjson_doc_get_root(p->doc), &p->preference, &err) < 0) {
        p->doubts_reason = "InvalidSpec";
        p->doubts = mem_strdup(error_msg(err));
        sched_unpromise(p->owner, str_of(p->key));
        sched_finish(p, "InvalidSpec", mem_strdup(error_msg(err)));
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
