/*
 * See lease.h. One attempt is GET, then POST or PUT; attempts follow each other on a timer: until the lock is taken every
 * retry period to 2.2 times of it, then every retry period, with renew_deadline as the limit. The record of another holder
 * counts from the moment that this process saw it change, on the local clock (controllers.md 1.4).
 */
#include "kube/lease.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "json/json.h"

#define LEADER_ANNOTATION "control-plane.alpha.kubernetes.io/leader"
/* Longest duration of another's record that is respected. */
#define MAX_DURATION_S 600
#define RELEASE_TIMEOUT_MS 5000u
#define RELEASES_MAX 3u /* tries; a conflict is followed by another one at once */

struct lease {
    struct lease_config config;
    char *resource_name, *ns, *name, *identity;
    char *uid, *version; /* of the lock object as last written; may be NULL */
    struct kube_resource resource;
    bool is_lease; /* coordination.k8s.io, not an annotation */
    bool holder;
    struct kube_call *call;
    struct loop_timer timer, deadline;
    uint64_t observed_ms, sent_ms; /* sent_ms: of the write that is under way */
    uint64_t release_ends_ms;
    unsigned releases; /* tries */
    char *observed;    /* the raw record as last seen */
    char *last_leader;
    char *acquire_time;
    int64_t transitions;
    void (*released)(void *arg);
    void *released_arg;
    bool stopping;
};

static void attempt(void *arg);

static struct loop *lease_loop(const struct lease *l)
{
    return kube_client_loop(l->config.client);
}

static void lease_free(struct lease *l)
{
    loop_timer_stop(&l->timer);
    loop_timer_stop(&l->deadline);
    if (l->call)
        kube_call_cancel(l->call);
    free(l->resource_name);
    free(l->ns);
    free(l->name);
    free(l->identity);
    free(l->uid);
    free(l->version);
    free(l->observed);
    free(l->last_leader);
    free(l->acquire_time);
    free(l);
}

/* --- records --- */

struct record {
    char *holder;
    int64_t duration_s, transitions;
    char *acquire_time;
};

static void record_done(struct record *r)
{
    free(r->holder);
    free(r->acquire_time);
}

/* The raw record (for change detection) and its parts; an object without record gives an empty holder. */
static char *read_record(const struct lease *l, yyjson_val *object, struct record *ret)
{
    *ret = (struct record){ 0 };
    _cleanup_json_ yyjson_doc *inner = NULL;
    yyjson_val *root;
    struct buf raw = BUF_INIT(1 << 20);
    const char *transitions = l->is_lease ? "leaseTransitions" : "leaderTransitions";
    if (l->is_lease) {
        root = json_get(object, "spec");
        if (root)
            json_write(&raw, root);
    } else {
        struct str text = json_str(json_get(json_path(object, "metadata.annotations"), LEADER_ANNOTATION));
        buf_adds(&raw, text);
        root = text.n && json_parse(text, &inner, NULL) == 0 ? yyjson_doc_get_root(inner) : NULL;
    }
    ret->holder = str_dup(json_str(json_get(root, "holderIdentity")));
    ret->acquire_time = str_dup(json_str(json_get(root, "acquireTime")));
    ret->duration_s = json_path_i64(root, "leaseDurationSeconds", 0);
    ret->transitions = json_path_i64(root, transitions, 0);
    return buf_take(&raw, NULL);
}

static void fill_record(const struct lease *l, yyjson_mut_doc *doc, yyjson_mut_val *to, bool release)
{
    char now[21];
    time_rfc3339(time_wall_s(), now);
    _cleanup_free_ char *micro = mem_printf("%.19s.000000Z", now);
    const char *renew = l->is_lease ? micro : now;
    const char *acquire = l->acquire_time && l->acquire_time[0] ? l->acquire_time : renew;
    json_mut_set_str(doc, to, "holderIdentity", release ? STR("") : str_of(l->identity));
    json_mut_set_i64(doc, to, "leaseDurationSeconds",
                     release ? 1 : MAX(l->config.lease_duration_ms / 1000, (int64_t)1));
    json_mut_set_str(doc, to, "acquireTime", str_of(acquire));
    json_mut_set_str(doc, to, "renewTime", str_of(renew));
    json_mut_set_i64(doc, to, l->is_lease ? "leaseTransitions" : "leaderTransitions", l->transitions);
}

static void put_record(const struct lease *l, yyjson_mut_doc *doc, bool release)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    if (l->is_lease) {
        fill_record(l, doc, json_mut_ensure_obj(doc, root, "spec"), release);
        return;
    }
    _cleanup_json_mut_ yyjson_mut_doc *record = json_mut_doc_new();
    fill_record(l, record, yyjson_mut_doc_get_root(record), release);
    _cleanup_buf_ struct buf text = BUF_INIT(1 << 16);
    json_mut_write(&text, yyjson_mut_doc_get_root(record));
    yyjson_mut_val *annotations = json_mut_ensure_obj(doc, json_mut_ensure_obj(doc, root, "metadata"), "annotations");
    if (annotations)
        json_mut_set_str(doc, annotations, LEADER_ANNOTATION, buf_str(&text));
}

/* --- outcome of an attempt --- */

static void schedule(struct lease *l)
{
    uint64_t retry = (uint64_t)l->config.retry_period_ms;
    uint64_t ms = l->holder ? retry : retry + rand_below(retry * 12 / 10 + 1);
    loop_timer_start(lease_loop(l), &l->timer, ms, attempt, l);
}

static void new_leader(struct lease *l, const char *holder)
{
    if (l->last_leader && strcmp(l->last_leader, holder) == 0)
        return;
    free(l->last_leader);
    l->last_leader = mem_strdup(holder);
    if (l->config.on_new_leader)
        l->config.on_new_leader(l->config.arg, str_of(holder));
}

static const char *lock_kind(const struct lease *l)
{
    return l->is_lease ? "Lease" : strcmp(l->resource_name, "endpoints") == 0 ? "Endpoints" : "ConfigMap";
}

static void remember_object(struct lease *l, const struct kube_response *resp)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (json_parse(resp->body, &doc, NULL) < 0)
        return;
    free(l->uid);
    free(l->version);
    l->uid = str_dup(json_path_str(yyjson_doc_get_root(doc), "metadata.uid"));
    l->version = str_dup(json_path_str(yyjson_doc_get_root(doc), "metadata.resourceVersion"));
}

static void tell(const struct lease *l, const char *what)
{
    if (!l->config.events)
        return;
    _cleanup_free_ char *message = mem_printf("%s %s", l->identity, what);
    event_record(l->config.events, l->config.component,
                 &(struct event_object){ .api_version = l->is_lease ? STR("coordination.k8s.io/v1") : STR("v1"),
                                         .kind = str_of(lock_kind(l)),
                                         .ns = str_of(l->ns),
                                         .name = str_of(l->name),
                                         .uid = str_of(l->uid),
                                         .resource_version = str_of(l->version) },
                 "Normal", "LeaderElection", str_of(message));
}

static void lost(void *arg)
{
    struct lease *l = arg;
    loop_timer_stop(&l->timer);
    loop_timer_stop(&l->deadline);
    if (l->call)
        kube_call_cancel(TAKE_PTR(l->call));
    l->holder = false;
    tell(l, "stopped leading");
    l->config.on_stopped(l->config.arg);
}

/* Leadership ends renew_deadline after the last success, whatever is under way then, and before anybody can have taken it:
 * others saw that write at the earliest when it was sent. */
static void start_deadline(struct lease *l)
{
    uint64_t now = time_mono_ms(), latest = l->sent_ms + (uint64_t)l->config.lease_duration_ms;
    uint64_t ms = MIN((uint64_t)l->config.renew_deadline_ms, latest > now ? latest - now : 0);
    loop_timer_start(lease_loop(l), &l->deadline, ms, lost, l);
}

static void won(struct lease *l)
{
    bool was_holder = l->holder;
    l->holder = true;
    schedule(l);
    start_deadline(l);
    if (was_holder)
        return;
    new_leader(l, l->identity);
    tell(l, "became leader");
    l->config.on_started(l->config.arg);
}

static void on_written(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct lease *l = arg;
    l->call = NULL;
    if (l->stopping)
        return;
    if (!err) {
        if (!l->holder)
            remember_object(l, resp);
        won(l);
        return;
    }
    log_warning("leader election: cannot write the lock %s/%s: %s", l->ns, l->name, error_msg(err));
    schedule(l);
}

static void send_object(struct lease *l, const char *method, yyjson_mut_doc *doc, uint64_t timeout_ms, kube_done_fn *fn)
{
    bool create = strcmp(method, "POST") == 0;
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    json_mut_write(&body, yyjson_mut_doc_get_root(doc));
    l->sent_ms = time_mono_ms();
    _cleanup_free_ char *path = kube_path(&l->resource, str_of(l->ns), create ? STR_NULL : str_of(l->name), STR_NULL);
    struct kube_request req = { .method = method,
                                .path = str_of(path),
                                .body = buf_str(&body),
                                .timeout_ms = timeout_ms,
                                .priority = KUBE_PRIO_HIGH };
    l->call = kube_call(l->config.client, &req, fn, l);
}

static void create(struct lease *l)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    json_mut_set_str(doc, root, "apiVersion", l->is_lease ? STR("coordination.k8s.io/v1") : STR("v1"));
    json_mut_set_str(doc, root, "kind", str_of(lock_kind(l)));
    yyjson_mut_val *metadata = json_mut_ensure_obj(doc, root, "metadata");
    json_mut_set_str(doc, metadata, "name", str_of(l->name));
    json_mut_set_str(doc, metadata, "namespace", str_of(l->ns));
    put_record(l, doc, false);
    send_object(l, "POST", doc, (uint64_t)l->config.renew_deadline_ms, on_written);
}

static bool held_by_other(struct lease *l, const struct record *r, char *raw)
{
    if (!l->observed || strcmp(l->observed, raw) != 0) {
        free(l->observed);
        l->observed = raw;
        l->observed_ms = time_mono_ms();
    } else {
        free(raw);
    }
    if (r->holder[0] == '\0' || strcmp(r->holder, l->identity) == 0)
        return false;
    /* The holder's own settings may be longer than ours. Bounded: others write the record. */
    int64_t theirs = MIN(MAX(r->duration_s, (int64_t)0), (int64_t)MAX_DURATION_S) * 1000;
    return time_mono_ms() - l->observed_ms < (uint64_t)MAX(l->config.lease_duration_ms, theirs);
}

static void consider(struct lease *l, yyjson_val *object)
{
    struct record r;
    char *raw = read_record(l, object, &r);
    bool busy = held_by_other(l, &r, raw);
    if (busy) {
        new_leader(l, r.holder);
        record_done(&r);
        if (l->holder) { /* somebody took it from us */
            lost(l);
            return;
        }
        schedule(l);
        return;
    }
    bool mine = strcmp(r.holder, l->identity) == 0;
    int64_t transitions = r.transitions < 0 || r.transitions >= INT32_MAX ? 0 : r.transitions; /* others write it */
    l->transitions = mine ? transitions : transitions + 1;
    free(l->acquire_time);
    l->acquire_time = mine ? mem_strdup(r.acquire_time) : NULL;
    record_done(&r);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(object);
    put_record(l, doc, false);
    send_object(l, "PUT", doc, (uint64_t)l->config.renew_deadline_ms, on_written);
}

static void on_read(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct lease *l = arg;
    l->call = NULL;
    if (l->stopping)
        return;
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    if (err && err->code == -ENOENT) {
        create(l);
    } else if (err || json_parse(resp->body, &doc, &e) < 0) {
        log_warning("leader election: cannot read the lock %s/%s: %s", l->ns, l->name, error_msg(err ? err : e));
        schedule(l);
    } else {
        consider(l, yyjson_doc_get_root(doc));
    }
}

static void attempt(void *arg)
{
    struct lease *l = arg;
    _cleanup_free_ char *path = kube_path(&l->resource, str_of(l->ns), str_of(l->name), STR_NULL);
    struct kube_request req = { .method = "GET",
                                .path = str_of(path),
                                .timeout_ms = (uint64_t)l->config.renew_deadline_ms,
                                .priority = KUBE_PRIO_HIGH };
    l->call = kube_call(l->config.client, &req, on_read, l);
}

/* --- life --- */

struct lease *lease_start(const struct lease_config *config)
{
    struct lease *l = mem_zalloc(sizeof(*l));
    l->config = *config;
    l->resource_name = mem_strdup(config->resource);
    l->ns = mem_strdup(config->ns);
    l->name = mem_strdup(config->name);
    l->identity = mem_strdup(config->identity);
    l->is_lease = strcmp(config->resource, "leases") == 0;
    l->resource = (struct kube_resource){ l->is_lease ? STR("coordination.k8s.io") : STR(""), STR("v1"),
                                          str_of(l->resource_name), true };
    attempt(l);
    return l;
}

static void finish_stop(struct lease *l)
{
    void (*released)(void *) = l->released;
    void *arg = l->released_arg;
    lease_free(l);
    if (released)
        released(arg);
}

static void read_for_release(struct lease *l);

static uint64_t release_time_left(const struct lease *l)
{
    uint64_t now = time_mono_ms();
    return l->release_ends_ms > now ? l->release_ends_ms - now : 0;
}

static void on_released(void *arg, const struct kube_response *resp, const struct error *err)
{
    (void)resp;
    struct lease *l = arg;
    l->call = NULL;
    /* Our own renewal, cancelled when it was under way, may have arrived between the two. */
    if (err && err->code == -ESTALE && l->releases < RELEASES_MAX && release_time_left(l) > 0) {
        read_for_release(l);
        return;
    }
    if (err)
        log_warning("leader election: cannot release the lock: %s", error_msg(err));
    finish_stop(l);
}

static void on_read_for_release(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct lease *l = arg;
    l->call = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct record r = { 0 };
    bool mine = false;
    if (!err && json_parse(resp->body, &doc, NULL) == 0) {
        free(read_record(l, yyjson_doc_get_root(doc), &r));
        mine = r.holder && strcmp(r.holder, l->identity) == 0;
    }
    record_done(&r);
    if (!mine) {
        finish_stop(l);
        return;
    }
    _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(yyjson_doc_get_root(doc));
    put_record(l, copy, true);
    l->releases++;
    send_object(l, "PUT", copy, MAX(release_time_left(l), (uint64_t)1), on_released);
}

static void read_for_release(struct lease *l)
{
    _cleanup_free_ char *path = kube_path(&l->resource, str_of(l->ns), str_of(l->name), STR_NULL);
    struct kube_request req = { .method = "GET",
                                .path = str_of(path),
                                .timeout_ms = MAX(release_time_left(l), (uint64_t)1),
                                .priority = KUBE_PRIO_HIGH,
                                .no_retry = true };
    l->call = kube_call(l->config.client, &req, on_read_for_release, l);
}

void lease_stop(struct lease *l, void (*done)(void *arg), void *arg)
{
    l->released = done;
    l->released_arg = arg;
    l->stopping = true;
    l->release_ends_ms = time_mono_ms() + RELEASE_TIMEOUT_MS;
    loop_timer_stop(&l->timer);
    loop_timer_stop(&l->deadline);
    if (l->call)
        kube_call_cancel(TAKE_PTR(l->call));
    if (!l->holder || !done) {
        finish_stop(l);
        return;
    }
    tell(l, "stopped leading");
    read_for_release(l);
}
