/*
 * See events.h. Three steps per event: the correlator (aggregate many similar ones, count identical ones, drop what one object
 * says too often), the queue, the writer. The correlator remembers at most MAX_KEYS keys; when there are more, it forgets all:
 * then an event is written anew instead of counted, nothing worse.
 */
#include "kube/events.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/map.h"
#include "base/rtime.h"
#include "json/json.h"

#define MAX_QUEUE 1000u
#define MAX_KEYS 4096u
#define MAX_WRITERS 4u
#define MAX_TRIES 12u
#define RETRY_MS 10000u
#define AGGREGATE_AFTER 10u
#define AGGREGATE_GAP_S 600
#define BUCKET_BURST 25.0
#define BUCKET_REFILL_S 300.0
#define MAX_MESSAGE 1024u

struct aggregate { /* of one (source, object, type, reason) */
    unsigned distinct;
    int64_t last_s;
};
struct known {  /* one event object on the server */
    char *name; /* NULL until it was written */
    unsigned count;
    int64_t first_s;
};
struct bucket {
    double tokens;
    int64_t last_s;
};

struct queued {
    struct event_recorder *recorder;
    struct list link;
    char *component, *api_version, *kind, *ns, *name, *uid, *rv, *type, *reason, *message;
    char *event_name;
    unsigned count, tries;
    int64_t first_s, last_s;
    bool patch;
    struct kube_call *call;
    struct loop_timer retry;
};

struct event_recorder {
    struct kube_client *client;
    struct map aggregates, known, buckets;
    struct list queue, writing;
    unsigned n_queue, n_writing;
    struct loop_task write_task;
};

struct event_recorder *event_recorder_new(struct kube_client *c)
{
    struct event_recorder *r = mem_zalloc(sizeof(*r));
    r->client = c;
    list_init(&r->queue);
    list_init(&r->writing);
    return r;
}

static void known_free(void *p)
{
    struct known *k = p;
    free(k->name);
    free(k);
}

static void queued_free(struct queued *q)
{
    loop_timer_stop(&q->retry);
    if (q->call)
        kube_call_cancel(q->call);
    list_del(&q->link);
    char *const all[] = { q->component, q->api_version, q->kind,   q->ns,      q->name,      q->uid,
                          q->rv,        q->type,        q->reason, q->message, q->event_name };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        free(all[i]);
    free(q);
}

void event_recorder_free(struct event_recorder *r)
{
    if (!r)
        return;
    struct list *const heads[] = { &r->queue, &r->writing };
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
        while (heads[i]->next != heads[i])
            queued_free(list_entry(heads[i]->next, struct queued, link));
    loop_task_cancel(&r->write_task);
    map_done_values(&r->aggregates, free);
    map_done_values(&r->known, known_free);
    map_done_values(&r->buckets, free);
    free(r);
}

size_t event_recorder_pending(const struct event_recorder *r)
{
    return r->n_queue + r->n_writing;
}

/* --- correlation --- */

static void bound(struct map *m, void (*free_value)(void *))
{
    if (map_count(m) >= MAX_KEYS)
        map_done_values(m, free_value);
}

static bool spam(struct event_recorder *r, struct str key, int64_t now)
{
    bound(&r->buckets, free);
    struct bucket *b = map_get(&r->buckets, key);
    if (!b) {
        b = mem_zalloc(sizeof(*b));
        *b = (struct bucket){ BUCKET_BURST, now };
        map_put(&r->buckets, key, b);
    }
    b->tokens = MIN(BUCKET_BURST, b->tokens + (double)(now - b->last_s) / BUCKET_REFILL_S);
    b->last_s = now;
    if (b->tokens < 1)
        return true;
    b->tokens -= 1;
    return false;
}

/* true: so many different messages of this kind that they become one event. */
static bool aggregated(struct event_recorder *r, struct str group_key, bool is_new, int64_t now)
{
    bound(&r->aggregates, free);
    struct aggregate *a = map_get(&r->aggregates, group_key);
    if (!a) {
        a = mem_zalloc(sizeof(*a));
        map_put(&r->aggregates, group_key, a);
    }
    if (now - a->last_s > AGGREGATE_GAP_S)
        a->distinct = 0;
    a->last_s = now;
    a->distinct += is_new;
    return a->distinct >= AGGREGATE_AFTER;
}

/* --- writing --- */

static void write_more(void *arg);

static void write_later(struct event_recorder *r)
{
    loop_defer(kube_client_loop(r->client), &r->write_task, write_more, r);
}

static void put_reference(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct queued *q)
{
    yyjson_mut_val *obj = json_mut_ensure_obj(doc, root, "involvedObject");
    json_mut_set_str(doc, obj, "apiVersion", str_of(q->api_version));
    json_mut_set_str(doc, obj, "kind", str_of(q->kind));
    json_mut_set_str(doc, obj, "name", str_of(q->name));
    if (q->ns[0])
        json_mut_set_str(doc, obj, "namespace", str_of(q->ns));
    json_mut_set_str(doc, obj, "uid", str_of(q->uid));
    json_mut_set_str(doc, obj, "resourceVersion", str_of(q->rv));
}

static void make_body(struct buf *out, const struct queued *q)
{
    char first[21], last[21];
    time_rfc3339(q->first_s, first);
    time_rfc3339(q->last_s, last);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    if (!q->patch) {
        json_mut_set_str(doc, root, "apiVersion", STR("v1"));
        json_mut_set_str(doc, root, "kind", STR("Event"));
        yyjson_mut_val *metadata = json_mut_ensure_obj(doc, root, "metadata");
        json_mut_set_str(doc, metadata, "name", str_of(q->event_name));
        json_mut_set_str(doc, metadata, "namespace", q->ns[0] ? str_of(q->ns) : STR("default"));
        put_reference(doc, root, q);
        json_mut_set_str(doc, root, "type", str_of(q->type));
        json_mut_set_str(doc, root, "reason", str_of(q->reason));
        json_mut_set_str(doc, json_mut_ensure_obj(doc, root, "source"), "component", str_of(q->component));
        json_mut_set_str(doc, root, "firstTimestamp", str_of(first));
    }
    json_mut_set_str(doc, root, "message", str_of(q->message));
    json_mut_set_i64(doc, root, "count", q->count);
    json_mut_set_str(doc, root, "lastTimestamp", str_of(last));
    json_mut_write(out, root);
}

static void finish(struct queued *q)
{
    struct event_recorder *r = q->recorder;
    r->n_writing--;
    queued_free(q);
    write_later(r);
}

static void send_event(struct queued *q);

static void on_retry(void *arg)
{
    send_event(arg);
}

static void on_written(void *arg, const struct kube_response *resp, const struct error *err)
{
    (void)resp;
    struct queued *q = arg;
    q->call = NULL;
    if (err && err->code == -ENOENT && q->patch) { /* it has expired: write it anew */
        q->patch = false;
        send_event(q);
        return;
    }
    /* A refusal is final (a terminating namespace, missing rights); what may pass is tried again. */
    bool may_pass = err && (err->code == -EIO || err->code == -EAGAIN || error_http(err) == 0) &&
                    err->code != -ECANCELED;
    if (may_pass && ++q->tries < MAX_TRIES) {
        uint64_t ms = q->tries == 1 ? rand_below(RETRY_MS) : RETRY_MS;
        loop_timer_start(kube_client_loop(q->recorder->client), &q->retry, ms, on_retry, q);
        return;
    }
    if (err)
        log_verbose(2, "event \"%s\" on %s %s/%s is not stored: %s", q->reason, q->kind, q->ns, q->name,
                    error_msg(err));
    finish(q);
}

static void send_event(struct queued *q)
{
    static const struct kube_resource events = { STR(""), STR("v1"), STR("events"), true };
    _cleanup_buf_ struct buf body = BUF_INIT(1 << 20);
    make_body(&body, q);
    _cleanup_free_ char *path = kube_path(&events, q->ns[0] ? str_of(q->ns) : STR("default"),
                                          q->patch ? str_of(q->event_name) : STR_NULL, STR_NULL);
    struct kube_request req = { .method = q->patch ? "PATCH" : "POST",
                                .path = str_of(path),
                                .body = buf_str(&body),
                                .content_type = q->patch ? "application/merge-patch+json" : NULL,
                                .priority = KUBE_PRIO_BACKGROUND };
    q->call = kube_call(q->recorder->client, &req, on_written, q);
}

/* The first that may be written now: the writes of one event follow each other, so that a count does not overtake its event. */
static struct queued *next_write(struct event_recorder *r)
{
    list_for_each(it, &r->queue) {
        struct queued *q = list_entry(it, struct queued, link);
        bool busy = false;
        list_for_each(w, &r->writing)
            busy |= strcmp(list_entry(w, struct queued, link)->event_name, q->event_name) == 0;
        if (!busy)
            return q;
    }
    return NULL;
}

static void write_more(void *arg)
{
    struct event_recorder *r = arg;
    struct queued *q;
    while (r->n_writing < MAX_WRITERS && (q = next_write(r))) {
        list_del(&q->link);
        list_add_tail(&r->writing, &q->link);
        r->n_queue--;
        r->n_writing++;
        send_event(q);
    }
}

/* --- recording --- */

static char *new_event_name(struct str object)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    unsigned long long ns = (unsigned long long)ts.tv_sec * 1000000000ULL + (unsigned long long)ts.tv_nsec;
    return mem_printf("%" PRIstr ".%llx", STRARG(object), ns);
}

static struct known *count_event(struct event_recorder *r, struct str key, struct str object, int64_t now,
                                 bool *ret_new)
{
    bound(&r->known, known_free);
    struct known *k = map_get(&r->known, key);
    *ret_new = k == NULL;
    if (!k) {
        k = mem_zalloc(sizeof(*k));
        k->name = new_event_name(object);
        k->first_s = now;
        map_put(&r->known, key, k);
    }
    k->count++;
    return k;
}

void event_record(struct event_recorder *r, const char *component, const struct event_object *on, const char *type,
                  const char *reason, struct str message)
{
    if (r->n_queue >= MAX_QUEUE)
        return;
    int64_t now = time_wall_s();
    _cleanup_free_ char *source = mem_printf("%s\n%" PRIstr "\n%" PRIstr "/%" PRIstr "\n%" PRIstr, component,
                                             STRARG(on->kind), STRARG(on->ns), STRARG(on->name), STRARG(on->uid));
    _cleanup_free_ char *group = mem_printf("%s\n%s\n%s", source, type, reason);
    struct str text = message;
    text.n = MIN(text.n, (size_t)MAX_MESSAGE);
    _cleanup_free_ char *exact = mem_printf("%s\n%" PRIstr, group, STRARG(text));
    bool many = aggregated(r, str_of(group), !map_has(&r->known, str_of(exact)), now);
    if (spam(r, str_of(source), now))
        return;
    bool is_new;
    struct known *k = count_event(r, str_of(many ? group : exact), on->name, now, &is_new);
    struct queued *q = mem_zalloc(sizeof(*q));
    *q = (struct queued){
        .recorder = r,
        .component = mem_strdup(component),
        .api_version = str_dup(on->api_version),
        .kind = str_dup(on->kind),
        .ns = str_dup(on->ns),
        .name = str_dup(on->name),
        .uid = str_dup(on->uid),
        .rv = str_dup(on->resource_version),
        .type = mem_strdup(type),
        .reason = mem_strdup(reason),
        .event_name = mem_strdup(k->name),
        .message = mem_printf("%s%" PRIstr, many ? "(combined from similar events): " : "", STRARG(text)),
        .count = k->count,
        .first_s = k->first_s,
        .last_s = now,
        .patch = !is_new,
    };
    list_add_tail(&r->queue, &q->link);
    r->n_queue++;
    write_later(r);
}
