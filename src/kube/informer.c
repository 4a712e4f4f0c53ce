/*
 * See informer.h. Two phases follow each other: `list_start` (pages, item by item through json/split) and `watch_start` (from
 * the version of the list, or of the last event). Each list gives its objects a new mark; what keeps the old mark when the list
 * is complete has vanished. Callbacks may stop the informer: everything after a callback checks `gone` first, and the memory
 * goes in a deferred task.
 */
#include "kube/informer.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "json/split.h"
#include "kube/object.h"
#include "kube/watch.h"

#define DEFAULT_PAGE 500u
#define MAX_ITEM ((size_t)32 << 20)
#define BACKOFF_INITIAL_MS 800u
#define BACKOFF_MAX_MS 30000u
#define LIST_TIMEOUT_MS 120000u
#define LIST_IDLE_MS 30000u
/* A watch that ends sooner than this without an event is not resumed at once. */
#define SHORT_WATCH_MS 1000u
#define GOING_MAX 1024u
/* Refusals in a row after which a complete cache is doubted: a server that starts refuses for a moment, too. */
#define REFUSALS_MAX 3u
/* Others are told of a restore once in this time: there are aggregated APIs whose versions mean nothing. */
#define SUMMON_PAUSE_MS 600000u

struct kube_informer {
    struct kube_informer_config config;
    struct loop *loop;
    char *path, *label_selector, *field_selector;
    enum kube_informer_state state;
    struct error *error;
    struct set objects;
    struct map forgotten; /* uids of objects that an own DELETE removed, until their event comes */
    struct map going[2];  /* uids of the last objects that were deleted, with versions */
    uint32_t mark;        /* of the last list, failed ones included: must not come round while objects bear it */
    char *version;        /* to resume from */
    char *continue_token;
    bool from_newest; /* the next list must not come from the server's cache */
    uint64_t highest; /* version seen in lists, events and answers to own writes; 0: none */
    uint64_t before;  /* the same, when the list under way began */
    bool older;       /* the list under way, of what is stored, shows an object as it was before it was cached */
    bool restored;    /* the storage went back in time: the next complete list is taken as it is */
    bool summoned;    /* by another one that noticed this: the list under way has no need to tell */
    struct list link; /* of the client's informers */
    struct loop_task summon_task;
    uint64_t summoned_ms; /* when it told the others last; 0: never */
    struct kube_call *call;
    struct json_split *split;
    struct watch_decoder watch;
    uint64_t watch_started_ms;
    struct kube_reflector_tally *tally;
    struct kube_cache cache;                   /* what of this informer is in the client's */
    uint64_t list_ms, list_items, watch_items; /* when the list began; of the list and the watch under way */
    bool watch_had_events, watch_expired, in_watch, expired_before;
    unsigned refusals;
    struct loop_timer timer;
    struct backoff backoff;
    struct loop_task free_task;
    bool gone;
};

static void list_start(struct kube_informer *i);
static void watch_start(struct kube_informer *i);

static struct str object_key(const void *elem)
{
    return kube_object_key(elem);
}

static void set_string(char **to, struct str s)
{
    free(*to);
    *to = s.n ? str_dup(s) : NULL;
}

static void set_state(struct kube_informer *i, enum kube_informer_state state, const struct error *err)
{
    bool changed = state != i->state || (err != NULL) != (i->error != NULL);
    error_free(i->error);
    i->error = err ? error_copy(err) : NULL;
    i->state = state;
    if (changed && i->config.on_state)
        i->config.on_state(i->config.arg, state, i->error);
}

/* --- the cache --- */

static void note_version(struct kube_informer *i, struct str rv)
{
    uint64_t version;

    if (str_to_u64(rv, &version) == 0)
        i->highest = MAX(i->highest, version);
}

/* < 0, 0, > 0; resourceVersions that are no integers count as "newer" when they differ. */
static int compare_versions(struct str a, struct str b)
{
    int order;

    if (str_eq(a, b))
        return 0;
    return kube_rv_compare(a, b, &order) == 0 ? order : 1;
}

static size_t object_size(const struct kube_object *o)
{
    return sizeof(*o) + o->key_len + o->uid_len + o->rv_len + o->body_len;
}

static void changed(struct kube_informer *i, struct kube_object *old, struct kube_object *now)
{
    if (i->config.on_change)
        i->config.on_change(i->config.arg, old, now);
}

/* Keeps account of one object that goes (old), comes (now), or is replaced. */
static void count_object(struct kube_informer *i, const struct kube_object *old, const struct kube_object *now)
{
    struct kube_cache *all = kube_client_cache(i->config.client);
    size_t came = now ? object_size(now) : 0, went = old ? object_size(old) : 0;

    i->cache.objects += (now != NULL) - (size_t)(old != NULL);
    i->cache.bytes += came - went;
    all->objects += (now != NULL) - (size_t)(old != NULL);
    all->bytes += came - went;
}

static bool is_same(const struct kube_object *a, const struct kube_object *b)
{
    return str_eq(kube_object_rv(a), kube_object_rv(b)) && a->hash == b->hash && a->generation == b->generation &&
           a->deleting == b->deleting;
}

/* Does `o` bring nothing that is newer than what is cached? After a restore versions do not compare with those before it, and the
 * same one may be another state; what this list or a write during it brought is of the new time already. */
static bool is_known(struct kube_informer *i, const struct kube_object *old, const struct kube_object *o)
{
    bool before = old && old->mark != i->mark;
    int order;

    if (!old || !str_eq(kube_object_uid(old), kube_object_uid(o)))
        return false;
    if (i->restored && before)
        return is_same(old, o);
    order = compare_versions(kube_object_rv(o), kube_object_rv(old));
    i->older |= i->from_newest && before && order < 0;
    return order <= 0;
}

/* Takes over the reference to `o`. */
static void store(struct kube_informer *i, struct kube_object *o)
{
    struct kube_object *old = set_get(&i->objects, kube_object_key(o));
    o->mark = i->mark;
    if (map_has(&i->forgotten, kube_object_uid(o))) {
        kube_object_unref(o);
        return;
    }
    if (is_known(i, old, o)) {
        old->mark = i->mark;
        kube_object_unref(o);
        return;
    }
    set_put(&i->objects, o);
    count_object(i, old, o);
    kube_object_ref(o);
    changed(i, old, o);
    kube_object_unref(old);
    kube_object_unref(o);
}

static void drop(struct kube_informer *i, struct kube_object *old)
{
    set_remove(&i->objects, kube_object_key(old));
    count_object(i, old, NULL);
    changed(i, old, NULL);
    kube_object_unref(old);
}

static void drop_vanished(struct kube_informer *i)
{
    void *elem;
    for (size_t at = 0; !i->gone && set_next(&i->objects, &at, &elem);) {
        struct kube_object *o = elem;
        if (o->mark != i->mark)
            drop(i, o);
    }
}

/* Remembers the last deletions that the watch reported and their versions, in two generations. */
static void remember_going(struct kube_informer *i, struct str uid, struct str rv)
{
    uint64_t version;

    if (str_to_u64(rv, &version) < 0)
        version = UINT64_MAX;
    if (map_count(&i->going[0]) >= GOING_MAX) {
        map_done(&i->going[1]);
        i->going[1] = i->going[0];
        i->going[0] = MAP_INIT;
    }
    map_put(&i->going[0], uid, (void *)(uintptr_t)version);
}

/* Was the object seen to go after it had this version? Something that only went out of a selector's sight may come back,
 * with a later one. */
static bool was_seen_going(const struct kube_informer *i, struct str uid, struct str rv)
{
    const struct map *m = map_has(&i->going[0], uid) ? &i->going[0] : &i->going[1];
    uint64_t version;

    if (!map_has(m, uid))
        return false;
    return str_to_u64(rv, &version) < 0 || version <= (uint64_t)(uintptr_t)map_get(m, uid);
}

static void tell_last(struct kube_informer *i, yyjson_val *live)
{
    _cleanup_(kube_object_unrefp) struct kube_object *last = NULL;

    if (i->config.on_deleted && kube_object_new(live, i->config.project, i->config.arg, &last, NULL) == 0)
        i->config.on_deleted(i->config.arg, last);
}

static void deleted(struct kube_informer *i, yyjson_val *live)
{
    struct str ns = json_path_str(live, "metadata.namespace"), name = json_path_str(live, "metadata.name");
    struct str uid = json_path_str(live, "metadata.uid"), rv = json_path_str(live, "metadata.resourceVersion");
    map_remove(&i->forgotten, uid);
    remember_going(i, uid, rv);
    _cleanup_free_ char *key = ns.n ? mem_printf("%" PRIstr "/%" PRIstr, STRARG(ns), STRARG(name)) : str_dup(name);
    struct kube_object *old = set_get(&i->objects, str_of(key));
    if (!old || !str_eq(kube_object_uid(old), uid) || compare_versions(rv, kube_object_rv(old)) < 0)
        return; /* what is cached is newer: a successor, or labelled again by us */
    tell_last(i, live);
    if (!i->gone)
        drop(i, old);
}

/* --- trying again --- */

static void on_timer(void *arg)
{
    struct kube_informer *i = arg;
    if (i->version && i->state == KUBE_INFORMER_SYNCED)
        watch_start(i);
    else
        list_start(i);
}

static void retry(struct kube_informer *i)
{
    loop_timer_start(i->loop, &i->timer, backoff_next(&i->backoff), on_timer, i);
}

static void relist(struct kube_informer *i, bool newest)
{
    set_string(&i->version, STR_NULL);
    set_string(&i->continue_token, STR_NULL);
    i->from_newest |= newest;
}

/* --- list --- */

static void read_version(struct kube_informer *i, struct str rv)
{
    set_string(&i->version, rv);
    (void)str_to_u64(rv, &i->tally->version);
    note_version(i, rv);
}

static int on_item(void *arg, struct str json)
{
    struct kube_informer *i = arg;
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *err = NULL;
    struct kube_object *o = NULL;
    if (json_parse(json, &doc, &err) < 0 ||
        kube_object_new(yyjson_doc_get_root(doc), i->config.project, i->config.arg, &o, &err) < 0) {
        log_warning("%s: an item of the list is skipped: %s", i->path, error_msg(err));
        return 0;
    }
    i->list_items++;
    store(i, o);
    return i->gone ? -ECANCELED : 0;
}

static int on_member(void *arg, struct str name, struct str json)
{
    struct kube_informer *i = arg;
    if (!str_eqc(name, "metadata"))
        return 0;
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = json_parse(json, &doc, NULL);
    if (r < 0)
        return r;
    yyjson_val *root = yyjson_doc_get_root(doc);
    read_version(i, json_str(json_get(root, "resourceVersion")));
    set_string(&i->continue_token, json_str(json_get(root, "continue")));
    return 0;
}

static bool is_refusal(const struct error *err)
{
    int status = error_http(err);

    return status == 401 || status == 403 || status == 404;
}

static bool is_doubtful(struct kube_informer *i, const struct error *err)
{
    i->refusals = is_refusal(err) ? i->refusals + 1 : 0;
    return i->config.may_vanish && i->refusals >= REFUSALS_MAX;
}

static void list_failed(struct kube_informer *i, const struct error *err)
{
    bool had_token = i->continue_token != NULL;
    bool expired = error_http(err) == 410 || error_http(err) == 504 || error_is_reason(err, "Expired");
    relist(i, expired || had_token);
    if (i->state == KUBE_INFORMER_SYNCED && !is_doubtful(i, err))
        log_warning("%s: cannot list: %s", i->path, error_msg(err));
    else
        set_state(i, err->code == -ENOENT ? KUBE_INFORMER_MISSING : KUBE_INFORMER_FAILING, err);
    if (!i->gone)
        retry(i);
}

static void count_list(struct kube_informer *i)
{
    i->tally->lists_done++;
    i->tally->list_ns += (loop_now(i->loop) - i->list_ms) * NSEC_PER_MS;
    i->tally->list_items += i->list_items;
}

/* A list of what is stored is of an earlier version than was seen before it began, or shows an object so: somebody restored the
 * storage from a backup. Of the server's cache the same would only say that this server is behind others. */
static bool went_back(const struct kube_informer *i)
{
    uint64_t version;

    if (!i->from_newest || i->restored)
        return false;
    return i->older || (str_to_u64(str_of(i->version), &version) == 0 && version < i->before);
}

static struct kube_informer *next_to_summon(struct kube_informer *by)
{
    list_for_each(it, kube_client_informers(by->config.client)) {
        struct kube_informer *i = list_entry(it, struct kube_informer, link);
        if (i != by && !i->restored && !i->summoned)
            return i;
    }
    return NULL;
}

/* It is the storage that went back, hence all that was read from it. A watch that is resumed from a version of the future shows nothing
 * of that, and what one cache says must not be judged by what another one has still from that future. */
static void summon_others(void *arg)
{
    struct kube_informer *i = arg, *other;

    while (!i->gone && (other = next_to_summon(i))) {
        other->summoned = true;
        kube_informer_renew(other);
    }
}

/* Once more, and taken as it is: what was cached hid the older states from the list that showed it. */
static void list_restored(struct kube_informer *i)
{
    log_info(
        "%s: the storage of the API server went back in time (its version is %s, seen was %llu), as after a restore "
        "from a backup: its objects are taken as they are now",
        i->path, i->version ? i->version : "unknown", (unsigned long long)i->before);
    i->restored = true;
    if (!i->summoned && (!i->summoned_ms || loop_now(i->loop) - i->summoned_ms >= SUMMON_PAUSE_MS)) {
        i->summoned_ms = loop_now(i->loop);
        loop_defer(i->loop, &i->summon_task, summon_others, i);
    }
    map_done(&i->forgotten);
    map_done(&i->going[0]);
    map_done(&i->going[1]);
    list_start(i);
}

static void list_complete(struct kube_informer *i)
{
    count_list(i);
    if (went_back(i)) {
        list_restored(i);
        return;
    }
    drop_vanished(i);
    if (i->gone)
        return;
    map_done(&i->forgotten);
    if (i->restored)
        (void)str_to_u64(str_of(i->version), &i->highest);
    i->from_newest = i->restored = i->summoned = false;
    i->refusals = 0;
    backoff_reset(&i->backoff);
    if (i->state == KUBE_INFORMER_SYNCED && i->config.on_relisted)
        i->config.on_relisted(i->config.arg);
    set_state(i, KUBE_INFORMER_SYNCED, NULL);
    if (!i->gone)
        watch_start(i);
}

static bool list_data(void *arg, struct str bytes)
{
    struct kube_informer *i = arg;
    _cleanup_error_ struct error *err = NULL;
    if (json_split_feed(i->split, bytes, &err) == 0)
        return true;
    if (!i->gone)
        log_warning("%s: malformed list: %s", i->path, err ? error_msg(err) : "unexpected metadata");
    return false;
}

static void list_page(struct kube_informer *i);

static void list_done(void *arg, const struct kube_response *resp, const struct error *err)
{
    (void)resp;
    struct kube_informer *i = arg;
    i->call = NULL;
    _cleanup_error_ struct error *e = NULL;
    if (!err && json_split_end(i->split, &e) < 0)
        err = e;
    json_split_free(TAKE_PTR(i->split));
    if (i->gone)
        return;
    if (err)
        list_failed(i, err);
    else if (i->continue_token)
        list_page(i);
    else
        list_complete(i);
}

static void add_selectors(const struct kube_informer *i, struct buf *query)
{
    if (i->label_selector) {
        buf_addz(query, "&labelSelector=");
        buf_add_urlencoded(query, str_of(i->label_selector));
    }
    if (i->field_selector) {
        buf_addz(query, "&fieldSelector=");
        buf_add_urlencoded(query, str_of(i->field_selector));
    }
}

static void list_page(struct kube_informer *i)
{
    static const struct json_split_handler handler = { on_item, on_member };
    static const struct kube_stream_handlers stream = { list_data, list_done };
    _cleanup_buf_ struct buf query = BUF_INIT((size_t)64 << 10);
    buf_printf(&query, "limit=%u", i->config.page ? i->config.page : DEFAULT_PAGE);
    if (i->continue_token) {
        buf_addz(&query, "&continue=");
        buf_add_urlencoded(&query, str_of(i->continue_token));
    } else if (!i->from_newest) {
        buf_addz(&query, "&resourceVersion=0");
    }
    add_selectors(i, &query);
    i->split = json_split_new(&handler, i, MAX_ITEM);
    struct kube_request req = {
        .method = "GET", .path = str_of(i->path), .query = buf_str(&query), .timeout_ms = LIST_TIMEOUT_MS
    };
    i->call = kube_stream(i->config.client, &req, LIST_IDLE_MS, &stream, i);
}

static void list_start(struct kube_informer *i)
{
    i->mark++;
    i->before = i->highest;
    i->older = false;
    i->tally->lists++;
    i->list_ms = loop_now(i->loop);
    i->list_items = 0;
    relist(i, false);
    list_page(i);
}

/* --- watch --- */

static void watch_error(struct kube_informer *i, yyjson_val *status)
{
    int64_t code = json_path_i64(status, "code", 0);
    i->watch_expired = code == 410 || str_eqc(json_path_str(status, "reason"), "Expired");
    if (!i->watch_expired)
        log_verbose(1, "%s: the watch reports: %.*s", i->path, STRARG(json_path_str(status, "message")));
}

static int on_event(void *arg, enum watch_type type, yyjson_val *object)
{
    struct kube_informer *i = arg;
    struct kube_object *o = NULL;
    struct str rv;

    if (type == WATCH_ERROR) {
        watch_error(i, object);
        return -ECANCELED;
    }
    i->watch_had_events = true;
    i->watch_items++;
    rv = json_path_str(object, "metadata.resourceVersion");
    if (rv.n)
        read_version(i, rv);
    if (type == WATCH_DELETED)
        deleted(i, object);
    else if (type != WATCH_BOOKMARK && kube_object_new(object, i->config.project, i->config.arg, &o, NULL) == 0)
        store(i, o);
    return i->gone ? -ECANCELED : 0;
}

static bool watch_data(void *arg, struct str bytes)
{
    struct kube_informer *i = arg;
    _cleanup_error_ struct error *err = NULL;
    int r = watch_feed(&i->watch, bytes, on_event, i, &err);

    if (r < 0 && r != -ECANCELED) {
        log_warning("%s: %s", i->path, error_msg(err));
        i->watch_expired = true; /* resumed, it would begin with the same event: a list skips what cannot be read */
    }
    return r == 0;
}

static void count_watch(struct kube_informer *i, bool lived)
{
    i->tally->short_watches += !lived;
    i->tally->watches_done++;
    i->tally->watch_ns += (loop_now(i->loop) - i->watch_started_ms) * NSEC_PER_MS;
    i->tally->watch_items += i->watch_items;
}

static void watch_ended(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct kube_informer *i = arg;
    bool lived;

    (void)resp;
    i->call = NULL;
    i->in_watch = false;
    watch_done(&i->watch);
    if (i->gone)
        return;
    lived = loop_now(i->loop) - i->watch_started_ms >= SHORT_WATCH_MS || i->watch_had_events;
    count_watch(i, lived);
    if (i->watch_expired || error_http(err) == 410 || is_refusal(err)) {
        relist(i, true);
        /* A server that refuses every watch of what it just listed must not be asked in a circle. */
        if (lived || !i->expired_before)
            list_start(i);
        else
            retry(i);
        i->expired_before = !lived;
        return;
    }
    i->expired_before = false;
    if (lived)
        backoff_reset(&i->backoff);
    if (lived && !(err && error_http(err)))
        loop_timer_start(i->loop, &i->timer, err ? 100 : 0, on_timer, i);
    else
        retry(i);
}

static void watch_start(struct kube_informer *i)
{
    static const struct kube_stream_handlers stream = { watch_data, watch_ended };
    uint64_t seconds = 300 + rand_below(300);
    _cleanup_buf_ struct buf query = BUF_INIT((size_t)64 << 10);
    buf_printf(&query,
               "watch=true&allowWatchBookmarks=true&timeoutSeconds=%llu&resourceVersion=", (unsigned long long)seconds);
    buf_add_urlencoded(&query, str_of(i->version));
    add_selectors(i, &query);
    watch_done(&i->watch);
    watch_init(&i->watch, 0);
    i->watch_started_ms = loop_now(i->loop);
    i->watch_had_events = i->watch_expired = false;
    i->watch_items = 0;
    i->tally->watches++;
    i->in_watch = true;
    struct kube_request req = {
        .method = "GET", .path = str_of(i->path), .query = buf_str(&query), .timeout_ms = (seconds + 60) * 1000
    };
    i->call = kube_stream(i->config.client, &req, 0, &stream, i);
}

/* --- life --- */

struct kube_informer *kube_informer_start(const struct kube_informer_config *config)
{
    struct kube_informer *i = mem_zalloc(sizeof(*i));
    i->config = *config;
    i->loop = kube_client_loop(config->client);
    i->path = mem_strdup(config->path);
    i->label_selector = mem_strdup(config->label_selector);
    i->field_selector = mem_strdup(config->field_selector);
    i->state = KUBE_INFORMER_LISTING;
    i->from_newest = config->newest;
    i->objects = SET_INIT(object_key);
    i->tally = kube_tally_reflector(kube_client_tally(config->client), str_of(config->path));
    i->backoff = (struct backoff){ .initial_ms = BACKOFF_INITIAL_MS, .max_ms = BACKOFF_MAX_MS };
    list_add_tail(kube_client_informers(config->client), &i->link);
    list_start(i);
    return i;
}

static void free_now(void *arg)
{
    struct kube_informer *i = arg;
    json_split_free(i->split);
    watch_done(&i->watch);
    void *o;
    for (size_t at = 0; set_next(&i->objects, &at, &o);)
        kube_object_unref(o);
    set_done(&i->objects);
    map_done(&i->forgotten);
    map_done(&i->going[0]);
    map_done(&i->going[1]);
    error_free(i->error);
    free(i->path);
    free(i->label_selector);
    free(i->field_selector);
    free(i->version);
    free(i->continue_token);
    free(i);
}

/* The memory goes later, maybe after the client. */
static void uncount_objects(const struct kube_informer *i)
{
    struct kube_cache *all = kube_client_cache(i->config.client);

    all->objects -= i->cache.objects;
    all->bytes -= i->cache.bytes;
}

void kube_informer_stop(struct kube_informer *i)
{
    if (!i)
        return;
    i->gone = true;
    list_del(&i->link);
    i->config.on_change = NULL;
    i->config.on_deleted = NULL;
    i->config.on_state = NULL;
    i->config.on_relisted = NULL;
    loop_timer_stop(&i->timer);
    if (i->call)
        kube_call_cancel(i->call);
    i->call = NULL;
    uncount_objects(i);
    loop_defer(i->loop, &i->free_task, free_now, i);
}

void kube_informer_renew(struct kube_informer *i)
{
    loop_timer_stop(&i->timer);
    if (i->call)
        kube_call_cancel(TAKE_PTR(i->call));
    json_split_free(TAKE_PTR(i->split));
    if (i->in_watch)
        count_watch(i, true);
    i->in_watch = false;
    watch_done(&i->watch);
    backoff_reset(&i->backoff);
    i->from_newest = true;
    set_state(i, KUBE_INFORMER_LISTING, NULL);
    if (!i->gone)
        list_start(i);
}

enum kube_informer_state kube_informer_state(const struct kube_informer *i)
{
    return i->state;
}

const struct error *kube_informer_error(const struct kube_informer *i)
{
    return i->error;
}

void kube_informer_kick(struct kube_informer *i)
{
    if (!loop_timer_active(&i->timer))
        return;
    backoff_reset(&i->backoff);
    loop_timer_start(i->loop, &i->timer, 0, on_timer, i);
}

struct kube_object *kube_informer_get(const struct kube_informer *i, struct str key)
{
    return set_get(&i->objects, key);
}

size_t kube_informer_count(const struct kube_informer *i)
{
    return set_count(&i->objects);
}

bool kube_informer_next(const struct kube_informer *i, size_t *iter, struct kube_object **ret)
{
    void *elem;
    if (!set_next(&i->objects, iter, &elem))
        return false;
    *ret = elem;
    return true;
}

static struct kube_object *learn(struct kube_informer *i, yyjson_val *live, bool may_be_new)
{
    struct kube_object *o = NULL, *old;
    int newer = 1;

    if (kube_object_new(live, i->config.project, i->config.arg, &o, NULL) < 0)
        return NULL;
    note_version(i, kube_object_rv(o));
    old = set_get(&i->objects, kube_object_key(o));
    if (old && str_eq(kube_object_uid(old), kube_object_uid(o)))
        newer = compare_versions(kube_object_rv(o), kube_object_rv(old));
    else if (!may_be_new || was_seen_going(i, kube_object_uid(o), kube_object_rv(o)))
        newer = -1;
    if (newer <= 0) {
        kube_object_unref(o);
        return newer == 0 ? old : NULL;
    }
    o->mark = i->mark;
    set_put(&i->objects, o);
    count_object(i, old, o);
    /* Nothing that the write itself did: its watch event, now silent, would have told. */
    if (old && !may_be_new && (old->deleting != o->deleting || old->generation != o->generation))
        changed(i, old, o);
    kube_object_unref(old);
    return o;
}

struct kube_object *kube_informer_learn(struct kube_informer *i, yyjson_val *live)
{
    return learn(i, live, false);
}

struct kube_object *kube_informer_learn_new(struct kube_informer *i, yyjson_val *live)
{
    return learn(i, live, true);
}

void kube_informer_forget(struct kube_informer *i, struct str key, struct str uid)
{
    struct kube_object *old = set_get(&i->objects, key);
    if (!old || (uid.n && !str_eq(uid, kube_object_uid(old))))
        return;
    /* Events of its past may still come; they must not bring it back. */
    if (i->in_watch)
        map_put(&i->forgotten, kube_object_uid(old), i);
    set_remove(&i->objects, key);
    count_object(i, old, NULL);
    kube_object_unref(old);
}
