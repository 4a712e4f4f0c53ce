/*
 * See workloads.h. One `struct watched` per ready cluster: an informer of pods whose objects are small projections, groups of pods
 * with the same namespace and labels, an informer of nodes, and the room that follows from both. Changes of groups are told in
 * batches: a rollout changes a group many times within a moment.
 */
#include "controllers/workloads.h"

#include <stdlib.h>

#include "base/exposition.h"
#include "base/log.h"
#include "fed/names.h"

#define TELL_MS 50u
#define IDENTITY_TIMEOUT_MS 10000u
#define IDENTITY_RETRY_MS 5000u

/* A namespace in which there are pods, or were a moment ago. */
struct pods_namespace {
    struct str name;
    struct map groups; /* by labels as JSON: struct group */
    bool dirty;        /* some group is */
};

struct group {
    struct pods_namespace *ns;
    yyjson_doc *labels; /* NULL: none */
    struct fed_pod_group pods;
    bool dirty;
};

struct watched {
    struct workloads *owner;
    char *cluster;
    struct kube_informer *pods, *nodes; /* nodes: NULL while nobody holds them */
    struct fed_room *room;
    struct map namespaces; /* struct pods_namespace */
    struct kube_call *identity;
    bool was_asked; /* whether it is the host: there was an answer, or none came */
    bool is_known;  /* there was an answer that says it */
    bool is_host;
    bool dirty;      /* much may be different */
    bool room_dirty; /* the nodes, or what is used on them */
};

struct workloads {
    struct workloads_config config;
    char *ns; /* or NULL */
    struct clusters_listener clusters_listener;
    struct list listeners;
    unsigned holds, node_holds;
    struct map watched; /* by cluster */
    struct loop_timer tell, identities;
};

static const struct kube_resource pods_resource = { STR(""), STR("v1"), STR("pods"), true };
static const struct kube_resource nodes_resource = { STR(""), STR("v1"), STR("nodes"), false };
static const struct kube_resource clusters_resource = { STR(FED_CORE_GROUP), STR(FED_CORE_VERSION),
                                                        STR(FED_CLUSTER_PLURAL), true };

static struct loop *loop_of(const struct workloads *w)
{
    return kube_client_loop(w->config.host);
}

/* --- telling --- */

static void tell(const struct watched *w, struct str ns, yyjson_val *labels)
{
    list_for_each(it, &w->owner->listeners) {
        struct workloads_listener *l = list_entry(it, struct workloads_listener, link);
        if (l->fn)
            l->fn(l->arg, str_of(w->cluster), ns, labels);
    }
}

static void group_free(void *p)
{
    struct group *g = p;
    yyjson_doc_free(g->labels);
    fed_pod_group_done(&g->pods);
    free(g);
}

static void namespace_free(void *p)
{
    struct pods_namespace *ns = p;
    map_done_values(&ns->groups, group_free);
    free((char *)ns->name.p);
    free(ns);
}

/* Groups without pods are forgotten after they were told. */
static void tell_groups(const struct watched *w, struct pods_namespace *ns)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&ns->groups, &i, &e);) {
        struct group *g = e.val;
        if (g->dirty && !w->dirty)
            tell(w, ns->name, yyjson_doc_get_root(g->labels));
        g->dirty = false;
        if (g->pods.total > 0)
            continue;
        map_remove(&ns->groups, e.key);
        group_free(g);
    }
}

static void tell_room(const struct workloads *w, const char *cluster)
{
    list_for_each(it, &w->listeners) {
        struct workloads_listener *l = list_entry(it, struct workloads_listener, link);
        if (l->room)
            l->room(l->arg, str_of(cluster));
    }
}

static void tell_changes(struct watched *w)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&w->namespaces, &i, &e);) {
        struct pods_namespace *ns = e.val;
        if (!ns->dirty)
            continue;
        ns->dirty = false;
        tell_groups(w, ns);
        if (map_count(&ns->groups) > 0)
            continue;
        map_remove(&w->namespaces, e.key);
        namespace_free(ns);
    }
    if (w->dirty)
        tell(w, STR_NULL, NULL);
    if (w->nodes && (w->dirty || w->room_dirty))
        tell_room(w->owner, w->cluster);
    w->dirty = w->room_dirty = false;
}

static void on_tell(void *arg)
{
    struct workloads *w = arg;
    struct map_entry e;
    for (size_t i = 0; map_next(&w->watched, &i, &e);)
        tell_changes(e.val);
}

static void tell_soon(struct watched *w)
{
    struct workloads *owner = w->owner;
    if (!loop_timer_active(&owner->tell))
        loop_timer_start(loop_of(owner), &owner->tell, TELL_MS, on_tell, owner);
}

/* --- pods --- */

static struct pods_namespace *namespace_of(struct watched *w, struct str name)
{
    struct pods_namespace *ns = map_get(&w->namespaces, name);
    if (ns)
        return ns;
    ns = mem_zalloc(sizeof(*ns));
    ns->name = str_n(str_dup(name), name.n);
    map_put(&w->namespaces, name, ns);
    return ns;
}

static struct group *group_of(struct watched *w, struct str name, yyjson_val *labels)
{
    _cleanup_buf_ struct buf key = BUF_INIT(BUF_MAX_DEFAULT);
    struct pods_namespace *ns = namespace_of(w, name);
    if (labels)
        json_write(&key, labels);
    struct group *g = map_get(&ns->groups, buf_str(&key));
    if (g)
        return g;
    g = mem_zalloc(sizeof(*g));
    g->ns = ns;
    if (labels)
        (void)json_parse(buf_str(&key), &g->labels, NULL);
    map_put(&ns->groups, buf_str(&key), g);
    return g;
}

static void project_pod(void *arg, yyjson_val *live, yyjson_mut_doc *out)
{
    const struct watched *w = arg;
    fed_pod_project(live, w->owner->config.ready_pods_only, out);
    if (json_path_str(live, "spec.nodeName").n)
        fed_pod_project_request(json_get(live, "spec"), out);
}

/* A pod of the cache, decoded. Zeroed it is none. */
struct seen_pod {
    yyjson_doc *doc;
    yyjson_val *root;
    struct fed_pod pod; /* borrows from doc */
};

static void seen_pod_done(struct seen_pod *seen)
{
    yyjson_doc_free(seen->doc);
}

static void see_pod(const struct kube_object *o, struct seen_pod *ret)
{
    if (!o || json_parse(kube_object_body(o), &ret->doc, NULL) < 0)
        return;
    ret->root = yyjson_doc_get_root(ret->doc);
    fed_pod_read(ret->root, &ret->pod);
}

static void use_room(struct watched *w, const struct seen_pod *seen, int sign)
{
    struct fed_amounts request;
    if (!seen->pod.node.n)
        return;
    fed_room_read_request(w->room, seen->root, &request);
    fed_room_use(w->room, seen->pod.node, &request, sign);
    w->room_dirty = true;
}

static void count_pod(struct watched *w, struct str ns, const struct seen_pod *seen, int sign)
{
    if (!seen->root)
        return;
    struct group *g = group_of(w, ns, json_get(seen->root, "labels"));
    if (sign > 0)
        fed_pod_group_add(&g->pods, &seen->pod);
    else
        fed_pod_group_remove(&g->pods, &seen->pod);
    g->dirty = g->ns->dirty = true;
    use_room(w, seen, sign);
}

/* The same pods ask for more that is counted now. */
static void count_use_anew(struct watched *w)
{
    struct kube_object *o;
    fed_room_forget_use(w->room);
    for (size_t i = 0; kube_informer_next(w->pods, &i, &o);) {
        struct seen_pod seen = { 0 };
        if (kube_object_ns(o).n)
            see_pod(o, &seen);
        use_room(w, &seen, 1);
        seen_pod_done(&seen);
    }
}

static void tell_bound(const struct watched *w, struct str ns, const struct seen_pod *seen)
{
    list_for_each(it, &w->owner->listeners) {
        struct workloads_listener *l = list_entry(it, struct workloads_listener, link);
        if (l->bound)
            l->bound(l->arg, str_of(w->cluster), ns, json_get(seen->root, "labels"), seen->pod.node);
    }
}

static void on_pod(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct watched *w = arg;
    struct seen_pod before = { 0 }, seen = { 0 };
    struct str ns = kube_object_ns(kube_object_either(now, old));
    /* A pod without namespace is none: only a server that is no API server has it. */
    if (ns.n == 0 || (old && now && old->hash == now->hash))
        return;
    see_pod(old, &before);
    see_pod(now, &seen);
    count_pod(w, ns, &seen, 1);
    count_pod(w, ns, &before, -1);
    if (w->nodes && seen.pod.node.n && !before.pod.node.n)
        tell_bound(w, ns, &seen);
    tell_soon(w);
    seen_pod_done(&before);
    seen_pod_done(&seen);
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    struct watched *w = arg;
    if (err)
        log_verbose(1, "Cluster %s: its pods or nodes cannot be listed: %s", w->cluster, error_msg(err));
    if (state == KUBE_INFORMER_LISTING)
        return;
    w->dirty = true;
    tell_soon(w);
}

/* --- nodes --- */

static void project_node(void *arg, yyjson_val *live, yyjson_mut_doc *out)
{
    (void)arg;
    fed_node_project(live, out);
}

static void on_node(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct watched *w = arg;
    _cleanup_json_ yyjson_doc *doc = NULL;
    bool is_new = false; /* a resource */
    if (old && now && old->hash == now->hash)
        return;
    if (!now && old)
        fed_room_remove_node(w->room, kube_object_name(old));
    else if (now && json_parse(kube_object_body(now), &doc, NULL) == 0)
        is_new = fed_room_set_node(w->room, kube_object_name(now), yyjson_doc_get_root(doc));
    if (is_new)
        count_use_anew(w);
    w->room_dirty = true;
    tell_soon(w);
}

/* --- which cluster is the host --- */

static void ask_identity(struct watched *w);

static void on_identities(void *arg)
{
    struct workloads *w = arg;
    struct map_entry e;
    for (size_t i = 0; map_next(&w->watched, &i, &e);)
        ask_identity(e.val);
}

/* An answer that says nothing, such as that of a proxy, is as good as none. */
static bool read_identity(const struct watched *w, struct str answer, bool *ret_is_host)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    const struct cluster *c = clusters_find(w->owner->config.clusters, str_of(w->cluster));
    if (!c || json_parse(answer, &doc, NULL) < 0)
        return false;
    struct str uid = json_path_str(yyjson_doc_get_root(doc), "metadata.uid");
    *ret_is_host = uid.n && str_eq(uid, kube_object_uid(c->object));
    return uid.n > 0;
}

static void on_identity(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct watched *w = arg;
    bool first = !w->was_asked;
    w->identity = NULL;
    w->was_asked = true;
    if (err)
        w->is_known = error_http(err) == 403 || error_http(err) == 404;
    else
        w->is_known = read_identity(w, resp->body, &w->is_host);
    if (!w->is_known && !loop_timer_active(&w->owner->identities))
        loop_timer_start(loop_of(w->owner), &w->owner->identities, IDENTITY_RETRY_MS, on_identities, w->owner);
    if (!first && !w->is_host)
        return;
    w->dirty = true; /* somebody may have waited for it */
    tell_soon(w);
}

static void ask_identity(struct watched *w)
{
    const struct cluster *c = clusters_find(w->owner->config.clusters, str_of(w->cluster));
    if (w->is_known || w->identity || !c || !c->client)
        return;
    _cleanup_free_ char *path = kube_path(&clusters_resource, str_of(w->owner->config.system_namespace),
                                          str_of(w->cluster), STR_NULL);
    struct kube_request req = { .method = "GET", .path = str_of(path), .timeout_ms = IDENTITY_TIMEOUT_MS };
    w->identity = kube_call(c->client, &req, on_identity, w);
}

/* --- members --- */

static struct kube_informer *watch(struct watched *w, struct kube_client *client, const struct kube_resource *resource)
{
    bool nodes = resource == &nodes_resource;
    struct str ns = nodes ? STR_NULL : str_of(w->owner->ns);
    _cleanup_free_ char *path = kube_path(resource, ns, STR_NULL, STR_NULL);
    return kube_informer_start(&(struct kube_informer_config){
        .client = client,
        .path = path,
        .field_selector = nodes ? NULL : FED_PODS_FIELD_SELECTOR,
        .may_vanish = true,
        .project = nodes ? project_node : project_pod,
        .on_change = nodes ? on_node : on_pod,
        .on_state = on_state,
        .arg = w,
    });
}

static void watch_nodes(struct watched *w, struct kube_client *client)
{
    if (w->owner->node_holds > 0 && !w->nodes && !w->owner->ns)
        w->nodes = watch(w, client, &nodes_resource);
}

static void watch_cluster(struct workloads *owner, struct cluster *c)
{
    if (owner->holds == 0 || !c->client || !c->ready)
        return;
    struct watched *w = map_get(&owner->watched, str_of(c->name));
    if (!w) {
        w = mem_zalloc(sizeof(*w));
        w->owner = owner;
        w->cluster = mem_strdup(c->name);
        w->room = fed_room_new();
        map_put(&owner->watched, str_of(w->cluster), w);
        w->pods = watch(w, c->client, &pods_resource);
    }
    ask_identity(w);
    watch_nodes(w, c->client);
}

static void unwatch(struct workloads *owner, struct str cluster)
{
    struct watched *w = map_remove(&owner->watched, cluster);
    if (!w)
        return;
    if (w->identity)
        kube_call_cancel(w->identity);
    kube_informer_stop(w->pods);
    kube_informer_stop(w->nodes);
    map_done_values(&w->namespaces, namespace_free);
    fed_room_free(w->room);
    free(w->cluster);
    free(w);
}

static void on_cluster(void *arg, struct cluster *c, enum cluster_event event)
{
    struct workloads *w = arg;
    const struct watched *known = map_get(&w->watched, str_of(c->name));
    if (event == CLUSTER_DISCONNECTED) {
        unwatch(w, str_of(c->name));
    } else if (event == CLUSTER_CONNECTED || event == CLUSTER_READY) {
        if (known)
            kube_informer_kick(known->pods);
        if (known && known->nodes)
            kube_informer_kick(known->nodes);
        watch_cluster(w, c);
    }
}

static void watch_all(struct workloads *w)
{
    struct cluster *c;
    for (size_t i = 0; (c = clusters_next(w->config.clusters, &i));)
        watch_cluster(w, c);
}

void workloads_hold(struct workloads *w)
{
    if (w->holds++ == 0)
        watch_all(w);
}

void workloads_release(struct workloads *w)
{
    struct map_entry e;
    if (--w->holds > 0)
        return;
    for (size_t i = 0; map_next(&w->watched, &i, &e);)
        unwatch(w, e.key);
}

void workloads_hold_nodes(struct workloads *w)
{
    if (w->node_holds++ == 0)
        watch_all(w);
}

void workloads_release_nodes(struct workloads *w)
{
    struct map_entry e;
    if (--w->node_holds > 0)
        return;
    for (size_t i = 0; map_next(&w->watched, &i, &e);) {
        struct watched *watched = e.val;
        struct kube_object *o;
        for (size_t k = 0; watched->nodes && kube_informer_next(watched->nodes, &k, &o);)
            fed_room_remove_node(watched->room, kube_object_name(o));
        kube_informer_stop(watched->nodes);
        watched->nodes = NULL;
    }
    struct cluster *c;
    for (size_t i = 0; (c = clusters_next(w->config.clusters, &i));)
        tell_room(w, c->name);
}

bool workloads_nodes_are_held(const struct workloads *w)
{
    return w->node_holds > 0;
}

/* --- questions --- */

static bool is_synced(const struct kube_informer *i)
{
    return i && kube_informer_state(i) == KUBE_INFORMER_SYNCED;
}

bool workloads_know_pods(const struct workloads *w, struct str cluster)
{
    const struct watched *watched = map_get(&w->watched, cluster);
    return watched && is_synced(watched->pods);
}

bool workloads_are_starting(const struct workloads *w, struct str cluster)
{
    const struct watched *watched = map_get(&w->watched, cluster);
    return watched && (!watched->was_asked || kube_informer_state(watched->pods) == KUBE_INFORMER_LISTING ||
                       (watched->nodes && kube_informer_state(watched->nodes) == KUBE_INFORMER_LISTING));
}

static bool has_all(yyjson_val *labels, yyjson_val *wanted)
{
    yyjson_val *key, *value;
    size_t i, n;
    yyjson_obj_foreach(wanted, i, n, key, value)
    {
        if (!json_equal(json_getn(labels, json_str(key)), value))
            return false;
    }
    return true;
}

void workloads_count(const struct workloads *w, struct str cluster, struct str ns, yyjson_val *labels, int64_t now,
                     struct fed_pod_counts *ret)
{
    const struct watched *watched = map_get(&w->watched, cluster);
    const struct pods_namespace *in = watched ? map_get(&watched->namespaces, ns) : NULL;
    struct map_entry e;
    *ret = (struct fed_pod_counts){ 0 };
    for (size_t i = 0; in && labels && map_next(&in->groups, &i, &e);) {
        const struct group *g = e.val;
        if (has_all(g->labels ? yyjson_doc_get_root(g->labels) : NULL, labels))
            fed_pod_group_count(&g->pods, now, ret);
    }
}

struct fed_room *workloads_room(const struct workloads *w, struct str cluster)
{
    const struct watched *watched = map_get(&w->watched, cluster);
    return watched && is_synced(watched->pods) && is_synced(watched->nodes) ? watched->room : NULL;
}

struct fed_room *workloads_any_room(const struct workloads *w, struct str cluster)
{
    const struct watched *watched = map_get(&w->watched, cluster);
    return watched ? watched->room : NULL;
}

bool workloads_is_host(const struct workloads *w, struct str cluster)
{
    const struct watched *watched = map_get(&w->watched, cluster);
    return watched && watched->is_host;
}

void workloads_metrics(const struct workloads *w, struct buf *out)
{
    static const char name[] = "kubefed_member_pods";
    struct map_entry e;
    metric_head(out, name, "gauge", "Pods of members that are known for the scheduling of replicas.");
    for (size_t i = 0; w && map_next(&w->watched, &i, &e);) {
        const struct watched *watched = e.val;
        _cleanup_free_ char *labels = metric_labels("cluster", watched->cluster);
        metric_count(out, name, labels, kube_informer_count(watched->pods));
    }
}

/* --- life --- */

void workloads_listen(struct workloads *w, struct workloads_listener *l)
{
    list_add_tail(&w->listeners, &l->link);
}

void workloads_unlisten(struct workloads_listener *l)
{
    list_del(&l->link);
}

struct workloads *workloads_new(const struct workloads_config *config)
{
    struct workloads *w = mem_zalloc(sizeof(*w));
    w->config = *config;
    w->ns = config->limited_to.n ? str_dup(config->limited_to) : NULL;
    list_init(&w->listeners);
    w->clusters_listener = (struct clusters_listener){ .fn = on_cluster, .arg = w };
    clusters_listen(config->clusters, &w->clusters_listener);
    return w;
}

void workloads_free(struct workloads *w)
{
    struct map_entry e;
    if (!w)
        return;
    clusters_unlisten(&w->clusters_listener);
    loop_timer_stop(&w->tell);
    loop_timer_stop(&w->identities);
    for (size_t i = 0; map_next(&w->watched, &i, &e);)
        unwatch(w, e.key);
    map_done(&w->watched);
    free(w->ns);
    free(w);
}
