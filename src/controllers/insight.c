/* See insight.h. */
#include "controllers/insight.h"

#include <malloc.h>

#include "controllers/manager_internal.h"
#include "controllers/sync_internal.h"
#include "json/json.h"

#define LIST_MAX 1000u    /* entries of one list that are shown */
#define ANSWER_MAX 10000u /* and of all lists of one answer */
#define TEXT_MAX ((size_t)1024)

/* One answer that is being written. */
struct view {
    const struct manager *m; /* or NULL */
    yyjson_mut_doc *doc;
    yyjson_mut_val *root;
    size_t left; /* entries that may be added */
};

/* A list of it, which counts also what it has no place for. */
struct shown {
    struct view *view;
    yyjson_mut_val *list;
    size_t n;
};

static struct shown list_begin(struct view *v, yyjson_mut_val *obj, const char *key)
{
    struct shown l = { .view = v, .list = yyjson_mut_arr(v->doc) };

    json_mut_set(v->doc, obj, key, l.list);
    return l;
}

/* A new entry; NULL: counted only. */
static yyjson_mut_val *list_add(struct shown *l)
{
    yyjson_mut_val *o;

    l->n++;
    if (l->n > LIST_MAX || l->view->left == 0)
        return NULL;
    l->view->left--;
    o = yyjson_mut_obj(l->view->doc);
    yyjson_mut_arr_append(l->list, o);
    return o;
}

/* Cut, in the middle of a character perhaps: what is no UTF-8 becomes U+FFFD in json_mut_set_str. */
static void put_text(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, const char *text)
{
    json_mut_set_str(doc, obj, key, str_n(text, strnlen(text, TEXT_MAX)));
}

static void put_number(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, uint64_t n)
{
    json_mut_set_i64(doc, obj, key, (int64_t)MIN(n, (uint64_t)INT64_MAX));
}

/* --- clusters --- */

static void put_client(yyjson_mut_doc *doc, yyjson_mut_val *o, struct kube_client *client)
{
    struct kube_client_stats s;
    const struct kube_cache *cache = kube_client_cache(client);
    yyjson_mut_val *requests = json_mut_ensure_obj(doc, o, "requests");

    kube_client_get_stats(client, &s);
    json_mut_set_str(doc, o, "server", str_of(kube_client_server(client)));
    put_number(doc, requests, "sent", s.requests);
    put_number(doc, requests, "inFlight", s.in_flight);
    put_number(doc, requests, "waiting", s.waiting);
    put_number(doc, requests, "limit", s.limit);
    put_number(doc, requests, "failed", s.by_code[0] + s.by_code[5]);
    put_number(doc, o, "cachedObjects", cache->objects);
    put_number(doc, o, "cachedBytes", cache->bytes);
}

static const char *cache_state(const struct sync_member *m)
{
    static const char *const names[] = { [KUBE_INFORMER_LISTING] = "listing",
                                         [KUBE_INFORMER_SYNCED] = "synced",
                                         [KUBE_INFORMER_MISSING] = "missing",
                                         [KUBE_INFORMER_FAILING] = "failing" };

    return m ? names[kube_informer_state(m->informer)] : "not started";
}

static void put_caches(struct view *v, yyjson_mut_val *o, const struct cluster *c)
{
    struct shown caches = list_begin(v, o, "caches");
    const struct sync *s;

    for (size_t i = 0; v->m->types && (s = type_configs_next(v->m->types, &i));) {
        const struct sync_member *member = sync_member_find(s, str_of(c->name));
        const struct error *err = member ? kube_informer_error(member->informer) : NULL;
        yyjson_mut_val *cache = list_add(&caches);

        if (!cache)
            continue;
        json_mut_set_str(v->doc, cache, "type", str_of(s->type->name));
        json_mut_set_str(v->doc, cache, "state", str_of(cache_state(member)));
        if (member)
            put_number(v->doc, cache, "objects", kube_informer_count(member->informer));
        if (err)
            put_text(v->doc, cache, "error", error_msg(err));
    }
    put_number(v->doc, o, "cacheCount", caches.n);
}

static void put_clusters(struct view *v)
{
    struct shown clusters;
    struct cluster *c;

    if (!v->m)
        return;
    put_client(v->doc, json_mut_ensure_obj(v->doc, v->root, "host"), v->m->env.host);
    clusters = list_begin(v, v->root, "clusters");
    for (size_t i = 0; (c = clusters_next(v->m->env.clusters, &i));) {
        yyjson_mut_val *o = list_add(&clusters);

        if (!o)
            continue;
        json_mut_set_str(v->doc, o, "name", str_of(c->name));
        json_mut_set_bool(v->doc, o, "ready", c->ready);
        json_mut_set_bool(v->doc, o, "connected", c->client != NULL);
        if (c->problem)
            put_text(v->doc, o, "problem", c->problem);
        if (c->client) {
            put_client(v->doc, o, c->client);
            put_caches(v, o, c);
        }
    }
    put_number(v->doc, v->root, "clusterCount", clusters.n);
}

/* --- queues --- */

static void put_queue(void *arg, const char *name, const struct workqueue *q)
{
    struct shown *queues = arg;
    struct view *v = queues->view;
    yyjson_mut_val *o = list_add(queues), *one;
    _cleanup_free_ char *lower = str_lower(str_of(name)); /* as the metrics name it */
    struct workqueue_item item;
    struct shown items;

    if (!o)
        return;
    json_mut_set_str(v->doc, o, "name", str_of(lower));
    items = list_begin(v, o, "items");
    for (size_t i = 0; workqueue_next(q, &i, &item);) {
        if (!(one = list_add(&items)))
            continue;
        json_mut_set_str(v->doc, one, "key", item.key);
        json_mut_set_str(v->doc, one, "state", str_of(item.state));
        if (item.due_ms)
            put_number(v->doc, one, "dueInMs", item.due_ms);
        if (item.backoff_ms)
            put_number(v->doc, one, "backoffMs", item.backoff_ms);
    }
    put_number(v->doc, o, "keys", items.n);
}

static void put_operation(void *arg, const char *cluster, bool sent)
{
    struct shown *operations = arg;
    yyjson_mut_val *o = list_add(operations);

    if (!o)
        return;
    json_mut_set_str(operations->view->doc, o, "cluster", str_of(cluster));
    json_mut_set_str(operations->view->doc, o, "state", sent ? STR("in flight") : STR("waiting"));
}

static void put_queues(struct view *v)
{
    struct shown queues = list_begin(v, v->root, "queues");
    struct shown operations = list_begin(v, v->root, "memberOperations");
    const struct manager *m = v->m;
    const struct sync *s;

    if (m && m->types)
        put_queue(&queues, "federatedtypeconfig", type_configs_queue(m->types));
    if (m && m->types && m->scheduling)
        put_queue(&queues, "replicaschedulingpreference", scheduling_queue(m->scheduling));
    for (size_t i = 0; m && m->types && (s = type_configs_next(m->types, &i));) {
        sync_each_queue(s, put_queue, &queues);
        sync_each_operation(s, put_operation, &operations);
    }
    put_number(v->doc, v->root, "queueCount", queues.n);
    put_number(v->doc, v->root, "memberOperationCount", operations.n);
}

/* --- memory --- */

static void put_rooms(struct view *v)
{
    struct shown rooms = list_begin(v, v->root, "allocatedSinceStart");

    for (size_t i = 0; i < MEM_ROOMS; i++) {
        yyjson_mut_val *o = list_add(&rooms);

        json_mut_set_str(v->doc, o, "room", str_of(mem_room_names[i]));
        put_number(v->doc, o, "calls", mem_counts[i].calls);
        put_number(v->doc, o, "bytes", mem_counts[i].bytes);
    }
}

static void put_cache(struct shown *caches, const char *cluster, struct kube_client *client)
{
    yyjson_mut_doc *doc = caches->view->doc;
    yyjson_mut_val *o = list_add(caches);
    const struct kube_cache *cache = kube_client_cache(client);

    if (!o)
        return;
    json_mut_set_str(doc, o, "cluster", str_of(cluster));
    put_number(doc, o, "objects", cache->objects);
    put_number(doc, o, "bytes", cache->bytes);
}

static void put_memory(struct view *v)
{
    struct mallinfo2 heap = mallinfo2();
    yyjson_mut_val *o = json_mut_ensure_obj(v->doc, v->root, "heap");
    struct shown caches = list_begin(v, v->root, "caches");
    struct cluster *c;

    put_number(v->doc, o, "inUseBytes", heap.uordblks + heap.hblkhd);
    put_number(v->doc, o, "freeBytes", heap.fordblks);
    put_number(v->doc, o, "fromSystemBytes", heap.arena + heap.hblkhd);
    put_rooms(v);
    if (v->m)
        put_cache(&caches, "", v->m->env.host);
    for (size_t i = 0; v->m && (c = clusters_next(v->m->env.clusters, &i));)
        if (c->client)
            put_cache(&caches, c->name, c->client);
    put_number(v->doc, v->root, "cacheCount", caches.n);
}

static void put_index(struct view *v)
{
    json_mut_set_bool(v->doc, v->root, "leads", v->m && manager_leads(v->m));
    json_mut_set_str(v->doc, v->root, "/debug/clusters", STR("connections, requests and caches of each cluster"));
    json_mut_set_str(v->doc, v->root, "/debug/queues", STR("what waits, is worked on, or is to be tried again"));
    json_mut_set_str(v->doc, v->root, "/debug/memory",
                     STR("heap, caches, and what each folder of the source has allocated"));
}

bool manager_insight(const struct manager *m, struct str path, struct buf *out)
{
    static const struct {
        const char *path;
        void (*put)(struct view *v);
    } views[] = { { "/debug", put_index },
                  { "/debug/", put_index },
                  { "/debug/clusters", put_clusters },
                  { "/debug/queues", put_queues },
                  { "/debug/memory", put_memory } };

    for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
        if (!str_eqc(path, views[i].path))
            continue;
        _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
        views[i].put(&(struct view){ .m = m, .doc = doc, .root = yyjson_mut_doc_get_root(doc), .left = ANSWER_MAX });
        json_mut_write(out, yyjson_mut_doc_get_root(doc));
        buf_addc(out, '\n');
        return true;
    }
    return false;
}
