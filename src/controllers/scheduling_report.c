/*
 * What a pass says: events of the preference, and its status, which is also what is remembered until the next pass. See
 * scheduling_internal.h.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "controllers/scheduling_internal.h"
#include "fed/names.h"
#include "json/patch.h"

#define COMPONENT "replicaschedulingpreference-controller"

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

/* --- what is remembered --- */

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

/* An old CRD does not keep the status of this specification. */
static bool is_refused(const struct sched_pass *p)
{
    const struct sched_record *r = sched_record(p->owner, str_of(p->key));
    return r->unsaid && r->refused == p->object->generation;
}

static void on_refused(struct sched_pass *p)
{
    struct sched_record *r = sched_record(p->owner, str_of(p->key));
    set_unsaid(r, TAKE_PTR(p->status));
    r->refused = p->object->generation;
    if (!p->owner->no_status)
        log_warning(
            "ReplicaSchedulingPreferences cannot show a status: their CRD is an old one, apply the present one");
    p->owner->no_status = true;
}

static void on_said(struct sched_pass *p, yyjson_doc *answer)
{
    struct sched_record *r = sched_record(p->owner, str_of(p->key));
    yyjson_val *live = yyjson_doc_get_root(answer);
    kube_informer_learn(p->owner->preferences, live);
    r->sent = p->status_hash;
    free(r->sent_rv);
    r->sent_rv = str_dup(json_path_str(live, "metadata.resourceVersion"));
    if (p->says_all)
        set_unsaid(r, NULL);
    r->refused = 0;
    p->owner->no_status = false;
    yyjson_doc_free(p->doc);
    p->doc = answer;
}

/* The preference may be gone, or another one, by the time of the answer. */
static bool is_there(const struct sched_pass *p)
{
    const struct kube_object *o = kube_informer_get(p->owner->preferences, str_of(p->key));
    return o && !o->deleting && str_eq(kube_object_uid(o), kube_object_uid(p->object));
}

/* Returns whether what was to be said is known now, on the server or here. What was not written may have been all the same, and
 * counts until it is. */
static bool take_answer(struct sched_pass *p, const struct kube_response *resp, const struct error *err)
{
    yyjson_doc *doc = NULL;
    p->call = NULL;
    if (!is_there(p))
        return false;
    if (!err && json_parse(resp->body, &doc, NULL) == 0 &&
        (json_path(yyjson_doc_get_root(doc), "status.clusters") ||
         json_path(yyjson_doc_get_root(doc), "status.conditions"))) {
        on_said(p, doc);
        return true;
    }
    yyjson_doc_free(doc);
    if (!err || err->code == -ENOENT) {
        on_refused(p);
        return true;
    }
    log_warning("ReplicaSchedulingPreference \"%s\": cannot write its status: %s", p->key, error_msg(err));
    set_unsaid(sched_record(p->owner, str_of(p->key)), TAKE_PTR(p->status));
    sched_pass_retry(p, err);
    return false;
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

static void send_status(struct sched_pass *p, struct str body, kube_done_fn *done)
{
    static const struct kube_resource resource = { STR(FED_SCHEDULING_GROUP), STR(FED_SCHEDULING_VERSION),
                                                   STR(FED_PREFERENCE_PLURAL), true };
    _cleanup_free_ char *path = kube_path(&resource, kube_object_ns(p->object), kube_object_name(p->object),
                                          STR("status"));
    struct kube_request req = {
        .method = "PATCH", .path = str_of(path), .body = body, .content_type = "application/merge-patch+json"
    };
    p->call = kube_call(p->owner->config.env->host, &req, done, p);
}

/* Builds the patch, and what the status is with it. false: there is nothing to say, or nobody to hear it. */
static bool prepare(struct sched_pass *p, const struct fed_schedule_report *report, struct buf *body)
{
    struct sched_record *r = sched_record(p->owner, str_of(p->key));
    yyjson_val *shown = is_refused(p) ? sched_remembered(p) : yyjson_doc_get_root(p->doc);
    p->says_all = report->schedule != NULL;
    if (!fed_schedule_status_patch(body, shown, report)) {
        if (!is_refused(p) && p->says_all)
            set_unsaid(r, NULL);
        return false;
    }
    yyjson_doc_free(p->status);
    p->status = merged_status(report->schedule ? shown : sched_remembered(p), buf_str(body));
    if (is_refused(p)) {
        set_unsaid(r, TAKE_PTR(p->status));
        return false;
    }
    p->status_hash = str_hash(buf_str(body));
    /* A server that drops what it was sent is not sent it again. */
    return p->status_hash != r->sent || !r->sent_rv || !str_eqc(kube_object_rv(p->object), r->sent_rv);
}

/* --- before the shares are written --- */

static void on_remembered(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct sched_pass *p = arg;
    if (take_answer(p, resp, err))
        p->then(p);
    else
        sched_pass_end(p);
}

void sched_remember(struct sched_pass *p, void (*then)(struct sched_pass *p))
{
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    struct fed_schedule_report report = { .memory_only = true,
                                          .now = time_wall_s(),
                                          .memory = sched_remembered(p),
                                          .input = &p->input,
                                          .schedule = p->schedule };
    p->then = then;
    if (prepare(p, &report, &body))
        send_status(p, buf_str(&body), on_remembered);
    else
        then(p);
}

/* --- the end --- */

static void on_status(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct sched_pass *p = arg;
    (void)take_answer(p, resp, err);
    sched_pass_end(p);
}

void sched_finish(struct sched_pass *p, const char *reason, char *message)
{
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    bool placed = p->schedule && p->schedule->outcome == FED_SCHEDULED && !p->not_written;
    p->reason = reason;
    free(p->message);
    p->message = message;
    p->doubts_reason = p->doubts_reason ? p->doubts_reason : "Valid";
    p->doubts = p->doubts ? p->doubts : mem_strdup("");
    if (!is_there(p)) {
        sched_pass_end(p);
        return;
    }
    tell(p);
    struct fed_schedule_report report = {
        .generation = p->object->generation,
        .now = time_wall_s(),
        .reason = p->reason,
        .message = str_of(p->message),
        .doubts_reason = p->doubts_reason,
        .doubts = str_of(p->doubts),
        .memory = sched_remembered(p),
        .input = placed ? &p->input : NULL,
        .schedule = placed ? p->schedule : NULL,
    };
    if (prepare(p, &report, &body))
        send_status(p, buf_str(&body), on_status);
    else
        sched_pass_end(p);
}
