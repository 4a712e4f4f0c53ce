/*
 * See removals.h. One `struct shelf` per cluster with its entries; a change marks the shelf dirty, and a write sends all dirty
 * shelves in one merge PATCH (POST when there is no ConfigMap yet). Who waits joins `waiting`, moves to `sent` with the write
 * that carries what was put before, and is told when that write is over.
 */
#include "controllers/removals.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"

/* An API server takes a ConfigMap of 1 MiB. */
#define SIZE_LIMIT ((size_t)900 << 10)
#define LOAD_RETRY_MS 2000u
#define LOAD_RETRY_MAX_MS 30000u /* with jitter up to twice that */
#define STORE_RETRY_MS 5000u
#define PURGE_RETRY_MS 1000u

struct shelf {
    char *cluster;
    struct map entries; /* by "<type>\n<key>": struct fed_removal */
    bool dirty;
    size_t size; /* of its text on the HOST */
};

struct removals {
    struct removals_config config;
    struct clusters_listener listener;
    struct map shelves; /* by cluster */
    bool loaded, exists;
    unsigned reads;       /* how often it was read */
    struct error *unread; /* why it could not be read; NULL: it was, or has not been tried */
    struct backoff backoff;
    struct kube_call *call;
    struct loop_timer timer, purge_timer, refuse_timer;
    struct list waiting, sent; /* of removals_waiter */
};

static const struct kube_resource configmaps = { STR(""), STR("v1"), STR("configmaps"), true };

static struct loop *removals_loop(const struct removals *r)
{
    return kube_client_loop(r->config.host);
}

/* --- shelves --- */

static char *entry_id(struct str type, struct str key)
{
    return mem_printf("%" PRIstr "\n%" PRIstr, STRARG(type), STRARG(key));
}

static struct shelf *shelf_of(struct removals *r, struct str cluster)
{
    struct shelf *s = map_get(&r->shelves, cluster);

    if (!s) {
        s = mem_zalloc(sizeof(*s));
        s->cluster = str_dup(cluster);
        map_put(&r->shelves, cluster, s);
    }
    return s;
}

static void free_entry(void *entry)
{
    fed_removal_free(entry);
}

static void shelf_clear(struct shelf *s)
{
    map_done_values(&s->entries, free_entry);
    s->entries = MAP_INIT;
}

static void shelf_free(struct shelf *s)
{
    shelf_clear(s);
    free(s->cluster);
    free(s);
}

static void shelf_put(struct shelf *s, struct fed_removal *entry)
{
    _cleanup_free_ char *id = entry_id(str_of(entry->type), str_of(entry->key));

    fed_removal_free(map_put(&s->entries, str_of(id), entry));
}

/* An entry that was read: what was put meanwhile is newer. */
static void shelf_add(struct shelf *s, struct fed_removal *entry)
{
    _cleanup_free_ char *id = entry_id(str_of(entry->type), str_of(entry->key));

    if (map_has(&s->entries, str_of(id)))
        fed_removal_free(entry);
    else
        map_put(&s->entries, str_of(id), entry);
}

/* Text of the shelf as it is stored; false when it is empty. */
static bool shelf_text(const struct shelf *s, struct buf *out)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *array = yyjson_mut_arr(doc);
    size_t n;
    _cleanup_free_ struct map_entry *sorted = map_sorted(&s->entries, &n);

    for (size_t i = 0; i < n; i++)
        fed_removal_encode(sorted[i].val, doc, array);
    if (n)
        json_mut_write(out, array);
    return n > 0;
}

/* --- loading --- */

static void load(void *arg);
static void kick(struct removals *r, uint64_t ms);

/* Drops the entries of a shelf that are for another registration than this one (NULL: there is none). */
static void purge_shelf(struct removals *r, struct shelf *s, const struct cluster *c)
{
    struct map_entry e;

    for (size_t i = 0; map_next(&s->entries, &i, &e);) {
        struct fed_removal *entry = e.val;

        if (c && str_eqc(kube_object_uid(c->object), entry->cluster_uid))
            continue;
        log_info("Cluster %s: the removal of \"%s\", which was put off, is forgotten with its registration", s->cluster,
                 entry->key);
        map_remove(&s->entries, e.key);
        fed_removal_free(entry);
        s->dirty = true;
    }
    if (s->dirty)
        kick(r, 0);
}

/* Clusters that went while nobody ran: once, as soon as it is known which there are. */
static void purge(void *arg)
{
    struct removals *r = arg;
    struct map_entry e;

    if (!clusters_synced(r->config.clusters)) {
        loop_timer_start(removals_loop(r), &r->purge_timer, PURGE_RETRY_MS, purge, r);
        return;
    }
    for (size_t i = 0; map_next(&r->shelves, &i, &e);)
        purge_shelf(r, e.val, clusters_find(r->config.clusters, e.key));
}

static void load_shelf(struct removals *r, struct str cluster, struct str text)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *err = NULL;
    struct shelf *s = shelf_of(r, cluster);
    yyjson_val *item;
    size_t i, n;

    s->size = text.n;
    if (json_parse(text, &doc, &err) < 0) {
        log_warning("ConfigMap " FED_REMOVALS_CONFIGMAP ", cluster \"%" PRIstr "\": %s", STRARG(cluster),
                    error_msg(err));
        return;
    }
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, item)
    {
        struct fed_removal *entry;

        if (fed_removal_decode(item, &entry, NULL) == 0)
            shelf_add(s, entry);
    }
    if (map_count(&s->entries))
        log_info("Cluster %" PRIstr ": %zu removals were put off", STRARG(cluster), map_count(&s->entries));
}

static void tell(struct list *waiters, const struct error *err)
{
    struct list *node;

    while ((node = list_pop(waiters))) {
        struct removals_waiter *w = list_entry(node, struct removals_waiter, link);

        w->fn(w->arg, err);
    }
}

static void loaded(struct removals *r)
{
    r->loaded = true;
    r->reads++;
    error_free(TAKE_PTR(r->unread));
    backoff_reset(&r->backoff);
    r->config.on_loaded(r->config.arg);
    purge(r);
    kick(r, 0);
}

static void not_loaded(struct removals *r, const struct error *err)
{
    log_warning("Cannot read ConfigMap \"%s/" FED_REMOVALS_CONFIGMAP
                "\": %s. Until it is read, which is tried again, what is in "
                "members without federated object stays as it is, and no removal is put off%s",
                r->config.system_namespace, error_msg(err),
                err->code == -EACCES ? ". The control plane needs the right to get and patch it" : "");
    error_free(r->unread);
    r->unread = error_copy(err);
    loop_timer_start(removals_loop(r), &r->timer, backoff_next(&r->backoff), load, r);
    tell(&r->waiting, r->unread);
}

static void on_read(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct removals *r = arg;
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *malformed = NULL;
    yyjson_val *key, *value;
    size_t i, n;

    r->call = NULL;
    if (!err && json_parse(resp->body, &doc, &malformed) < 0)
        err = malformed;
    if (err && err->code != -ENOENT) {
        not_loaded(r, err);
        return;
    }
    r->exists = !err;
    yyjson_obj_foreach(json_get(yyjson_doc_get_root(doc), "data"), i, n, key, value)
        load_shelf(r, json_str(key), json_str(value));
    loaded(r);
}

static void load(void *arg)
{
    struct removals *r = arg;
    _cleanup_free_ char *path = kube_path(&configmaps, str_of(r->config.system_namespace), STR(FED_REMOVALS_CONFIGMAP),
                                          STR_NULL);
    struct kube_request req = { .method = "GET", .path = str_of(path) };

    r->call = kube_call(r->config.host, &req, on_read, r);
}

/* --- storing --- */

static void store(void *arg);

static void kick(struct removals *r, uint64_t ms)
{
    if (r->loaded && !r->call && (ms == 0 || !loop_timer_active(&r->timer)))
        loop_timer_start(removals_loop(r), &r->timer, ms, store, r);
}

static bool any_dirty(const struct removals *r)
{
    struct map_entry e;

    for (size_t i = 0; map_next(&r->shelves, &i, &e);)
        if (((struct shelf *)e.val)->dirty)
            return true;
    return false;
}

/* Somebody else made the ConfigMap since it was not there: what it holds must not be lost. Who waits for the write waits for the next. */
static void read_again(struct removals *r)
{
    struct list *node;

    while ((node = list_pop(&r->sent)))
        list_add_tail(&r->waiting, node);
    r->loaded = false;
    load(r);
}

static void on_stored(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct removals *r = arg;
    struct map_entry e;

    (void)resp;
    r->call = NULL;
    for (size_t i = 0; err && map_next(&r->shelves, &i, &e);)
        ((struct shelf *)e.val)->dirty = true;
    if (err && err->code == -EEXIST && !r->exists) {
        read_again(r);
        return;
    }
    if (err)
        log_warning("Cannot store ConfigMap " FED_REMOVALS_CONFIGMAP ": %s", error_msg(err));
    r->exists = !err || (r->exists && err->code != -ENOENT);
    tell(&r->sent, err);
    if (!list_empty(&r->waiting))
        kick(r, 0);
    else if (any_dirty(r))
        kick(r, err ? STORE_RETRY_MS : 0);
}

/* The dirty shelves as `data` of the ConfigMap. -EFBIG when the whole would be too large. */
static int fill_data(struct removals *r, yyjson_mut_doc *doc, yyjson_mut_val *data, struct error **err)
{
    struct map_entry e;
    size_t total = 0;

    for (size_t i = 0; map_next(&r->shelves, &i, &e);) {
        struct shelf *s = e.val;
        _cleanup_buf_ struct buf text = BUF_INIT(SIZE_LIMIT * 2);

        if (!s->dirty) {
            total += s->size;
            continue;
        }
        if (shelf_text(s, &text))
            json_mut_set_str(doc, data, s->cluster, buf_str(&text));
        else if (r->exists)
            json_mut_set(doc, data, s->cluster, yyjson_mut_null(doc));
        s->size = text.n;
        total += buf_failed(&text) ? SIZE_LIMIT + 1 : text.n;
    }
    if (total > SIZE_LIMIT)
        return error_set(err, -EFBIG, "ConfigMap " FED_REMOVALS_CONFIGMAP " is full: no more removals can be put off");
    return 0;
}

static void send(struct removals *r, yyjson_mut_doc *doc)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_free_ char *path = kube_path(&configmaps, str_of(r->config.system_namespace),
                                          r->exists ? STR(FED_REMOVALS_CONFIGMAP) : STR_NULL, STR_NULL);
    struct kube_request req = { .method = r->exists ? "PATCH" : "POST",
                                .path = str_of(path),
                                .content_type = r->exists ? "application/merge-patch+json" : NULL };
    struct map_entry e;

    if (!r->exists) {
        json_mut_set_str(doc, root, "apiVersion", STR("v1"));
        json_mut_set_str(doc, root, "kind", STR("ConfigMap"));
        json_mut_set_str(doc, json_mut_ensure_obj(doc, root, "metadata"), "name", STR(FED_REMOVALS_CONFIGMAP));
    }
    json_mut_write(&body, root);
    req.body = buf_str(&body);
    for (size_t i = 0; map_next(&r->shelves, &i, &e);)
        ((struct shelf *)e.val)->dirty = false;
    r->call = kube_call(r->config.host, &req, on_stored, r);
}

static void store(void *arg)
{
    struct removals *r = arg;
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    _cleanup_error_ struct error *err = NULL;
    struct list *node;

    while ((node = list_pop(&r->waiting)))
        list_add_tail(&r->sent, node);
    if (!any_dirty(r)) {
        tell(&r->sent, NULL);
    } else if (fill_data(r, doc, json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "data"), &err) < 0) {
        log_warning("%s", error_msg(err));
        tell(&r->sent, err);
    } else {
        send(r, doc);
    }
}

/* --- entries --- */

static void forget_cluster(struct removals *r, struct str cluster)
{
    struct shelf *s = map_get(&r->shelves, cluster);

    if (!s || map_count(&s->entries) == 0)
        return;
    log_info("Cluster %s: %zu removals that were put off are forgotten with it", s->cluster, map_count(&s->entries));
    shelf_clear(s);
    s->dirty = true;
    kick(r, 0);
}

static void on_cluster(void *arg, struct cluster *c, enum cluster_event event)
{
    if (event == CLUSTER_REMOVED)
        forget_cluster(arg, str_of(c->name));
}

const struct fed_removal *removals_find(const struct removals *r, struct str cluster, struct str type, struct str key)
{
    struct shelf *s = map_count(&r->shelves) ? map_get(&r->shelves, cluster) : NULL;
    const struct cluster *c = s && map_count(&s->entries) ? clusters_find(r->config.clusters, cluster) : NULL;
    const struct fed_removal *found;

    if (!c)
        return NULL;
    _cleanup_free_ char *id = entry_id(type, key);

    found = map_get(&s->entries, str_of(id));
    return found && str_eqc(kube_object_uid(c->object), found->cluster_uid) ? found : NULL;
}

size_t removals_count(const struct removals *r, struct str cluster)
{
    const struct shelf *s = map_get(&r->shelves, cluster);

    return s ? map_count(&s->entries) : 0;
}

static void each_of_shelf(const struct shelf *s, struct str type, void (*fn)(void *arg, struct str key), void *arg)
{
    struct map_entry e;

    for (size_t i = 0; map_next(&s->entries, &i, &e);) {
        const struct fed_removal *entry = e.val;

        if (str_eqc(type, entry->type))
            fn(arg, str_of(entry->key));
    }
}

void removals_each(const struct removals *r, struct str cluster, struct str type, void (*fn)(void *arg, struct str key),
                   void *arg)
{
    struct map_entry e;

    for (size_t i = 0; map_next(&r->shelves, &i, &e);)
        if (!cluster.p || str_eq(e.key, cluster))
            each_of_shelf(e.val, type, fn, arg);
}

void removals_put(struct removals *r, struct str cluster, struct fed_removal *entry)
{
    struct shelf *s = shelf_of(r, cluster);

    shelf_put(s, entry);
    s->dirty = true;
    kick(r, 0);
}

static void drop(struct removals *r, struct shelf *s, struct str id)
{
    struct fed_removal *entry = map_remove(&s->entries, id);

    if (!entry)
        return;
    fed_removal_free(entry);
    s->dirty = true;
    kick(r, 0);
}

void removals_drop(struct removals *r, struct str cluster, struct str type, struct str key)
{
    struct shelf *s = map_count(&r->shelves) ? map_get(&r->shelves, cluster) : NULL;

    if (!s || map_count(&s->entries) == 0)
        return;
    _cleanup_free_ char *id = entry_id(type, key);

    drop(r, s, str_of(id));
}

void removals_drop_key(struct removals *r, struct str type, struct str key)
{
    struct map_entry e;

    for (size_t i = 0; map_next(&r->shelves, &i, &e);)
        removals_drop(r, e.key, type, key);
}

/* --- waiting --- */

static void refuse(void *arg)
{
    struct removals *r = arg;

    if (!r->loaded && r->unread)
        tell(&r->waiting, r->unread);
}

void removals_store(struct removals *r, struct removals_waiter *w)
{
    list_add_tail(&r->waiting, &w->link);
    if (r->unread && !r->call) /* nothing is under way that would tell */
        loop_timer_start(removals_loop(r), &r->refuse_timer, 0, refuse, r);
    kick(r, 0);
}

void removals_unwait(struct removals_waiter *w)
{
    if (w->link.next)
        list_del(&w->link);
}

/* --- life --- */

struct removals *removals_start(const struct removals_config *config)
{
    struct removals *r = mem_zalloc(sizeof(*r));

    r->config = *config;
    r->backoff = (struct backoff){ .initial_ms = config->retry_ms ? config->retry_ms : LOAD_RETRY_MS,
                                   .max_ms = LOAD_RETRY_MAX_MS };
    list_init(&r->waiting);
    list_init(&r->sent);
    r->listener = (struct clusters_listener){ .fn = on_cluster, .arg = r };
    clusters_listen(config->clusters, &r->listener);
    load(r);
    return r;
}

void removals_free(struct removals *r)
{
    struct map_entry e;

    if (!r)
        return;
    clusters_unlisten(&r->listener);
    loop_timer_stop(&r->timer);
    loop_timer_stop(&r->purge_timer);
    loop_timer_stop(&r->refuse_timer);
    if (r->call)
        kube_call_cancel(r->call);
    for (size_t i = 0; map_next(&r->shelves, &i, &e);)
        shelf_free(e.val);
    map_done(&r->shelves);
    error_free(r->unread);
    free(r);
}

bool removals_loaded(const struct removals *r)
{
    return r->loaded;
}

unsigned removals_reads(const struct removals *r)
{
    return r->reads;
}

bool removals_answered(const struct removals *r)
{
    return r->loaded || r->unread;
}
