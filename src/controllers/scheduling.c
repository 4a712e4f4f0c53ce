/* Life cycle and triggers of scheduling; see scheduling.h and scheduling_internal.h. */
#include "controllers/scheduling.h"

#include <stdlib.h>

#include "base/exposition.h"
#include "base/log.h"
#include "base/rtime.h"
#include "controllers/scheduling_internal.h"
#include "fed/names.h"

#define CONCURRENT 32u
/* Clusters come and go together, and so do the types at the start. */
#define FAN_OUT_MS 50u
/* What goes by room is looked at no more often because of other pods, and for a tenth of the time at most. */
#define ROOM_MS 1000u
#define ROOM_SOON_MS 10u
#define ROOM_REST 10u
#define ROOM_REST_MAX_MS 60000u

static const struct kube_resource resource = { STR(FED_SCHEDULING_GROUP), STR(FED_SCHEDULING_VERSION),
                                               STR(FED_PREFERENCE_PLURAL), true };

/* --- records --- */

static struct str namespace_of(struct str key)
{
    struct str ns, name;
    str_cut(key, '/', &ns, &name);
    return ns;
}

static void link_record(struct scheduling *s, struct sched_record *r)
{
    struct str ns = namespace_of(str_of(r->key));
    struct list *head = map_get(&s->namespaces, ns);
    if (!head) {
        head = mem_zalloc(sizeof(*head));
        list_init(head);
        map_put(&s->namespaces, ns, head);
    }
    list_add_tail(head, &r->link);
}

static void unlink_record(struct scheduling *s, struct sched_record *r)
{
    struct list *head = map_get(&s->namespaces, namespace_of(str_of(r->key)));
    list_del(&r->link);
    if (head && list_empty(head))
        free(map_remove(&s->namespaces, namespace_of(str_of(r->key))));
}

static void record_free(void *p)
{
    struct sched_record *r = p;
    sched_labels_done(&r->labels);
    yyjson_doc_free(r->unsaid);
    free(r->sent_rv);
    free(r->key);
    free(r);
}

struct sched_record *sched_record(struct scheduling *s, struct str key)
{
    struct sched_record *r = map_get(&s->records, key);
    if (r)
        return r;
    r = mem_zalloc(sizeof(*r));
    r->key = str_dup(key);
    map_put(&s->records, key, r);
    link_record(s, r);
    return r;
}

static void forget(struct scheduling *s, struct str key)
{
    struct sched_record *r = map_remove(&s->records, key);
    if (!r)
        return;
    sched_unpromise(s, key);
    if (r->by_room)
        workloads_release_nodes(s->workloads);
    unlink_record(s, r);
    record_free(r);
}

/* Members are watched only while there is something to schedule. */
static void hold(struct scheduling *s, bool wanted)
{
    if (wanted == s->holds)
        return;
    s->holds = wanted;
    if (wanted)
        workloads_hold(s->workloads);
    else
        workloads_release(s->workloads);
}

/* Before the first pass: who holds nodes is known as soon as the preferences are. */
static void hold_nodes(struct scheduling *s, const struct kube_object *o)
{
    struct sched_record *r = sched_record(s, kube_object_key(o));
    _cleanup_json_ yyjson_doc *doc = NULL;
    bool by_room = json_parse(kube_object_body(o), &doc, NULL) == 0 &&
                   fed_preference_is_by_room(yyjson_doc_get_root(doc));
    if (by_room == r->by_room)
        return;
    r->by_room = by_room;
    if (by_room)
        workloads_hold_nodes(s->workloads);
    else
        workloads_release_nodes(s->workloads);
}

/* --- queueing --- */

void sched_enqueue(struct scheduling *s, struct str key)
{
    if (s->leads)
        workqueue_add(s->queue, key);
}

static void fan_out(void *arg)
{
    struct scheduling *s = arg;
    struct kube_object *o;
    for (size_t i = 0; kube_informer_next(s->preferences, &i, &o);)
        sched_enqueue(s, kube_object_key(o));
}

void sched_enqueue_all(struct scheduling *s)
{
    if (!loop_timer_active(&s->fan_out))
        loop_timer_start(kube_client_loop(s->config.env->host), &s->fan_out, FAN_OUT_MS, fan_out, s);
}

/* --- triggers --- */

static bool is_own_status(struct scheduling *s, const struct kube_object *o)
{
    const struct sched_record *r = sched_record(s, kube_object_key(o));
    return r->sent_rv && str_eqc(kube_object_rv(o), r->sent_rv);
}

static void on_preference(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct scheduling *s = arg;
    struct str key = kube_object_key(kube_object_either(now, old));
    bool other = old && now && !str_eq(kube_object_uid(old), kube_object_uid(now));
    if (!now || other)
        forget(s, key);
    if (now)
        hold_nodes(s, now);
    hold(s, kube_informer_count(s->preferences) > 0);
    if (old && now && !other && old->generation == now->generation && is_own_status(s, now))
        return;
    sched_enqueue(s, key);
}

static void lead(struct scheduling *s)
{
    s->leads = true;
    s->rooms_new = true; /* what the one before us promised is in what it wrote */
    resources_lead(s->resources);
    sched_enqueue_all(s);
}

/* Which preferences there are is known: none, when they may not be listed. */
static bool is_answer(enum kube_informer_state state, const struct error *err)
{
    return state == KUBE_INFORMER_SYNCED || state == KUBE_INFORMER_MISSING || error_http(err) == 403;
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    struct scheduling *s = arg;
    if (state == KUBE_INFORMER_SYNCED)
        resources_settle(s->resources);
    if (s->promoted && !s->leads && is_answer(state, err))
        lead(s);
    if (err)
        log_warning("Failed to list ReplicaSchedulingPreferences: %s", error_msg(err));
}

static void on_type(void *arg, struct sync *sync, struct str key)
{
    struct scheduling *s = arg;
    (void)sync;
    if (key.n == 0) {
        s->rooms_new = true; /* promises of its preferences were not known before it was open */
        sched_enqueue_all(s);
    } else if (kube_informer_get(s->preferences, key)) {
        sched_enqueue(s, key);
    }
}

static void on_cluster(void *arg, struct cluster *c, enum cluster_event event)
{
    (void)c;
    if (event != CLUSTER_DISCONNECTED)
        sched_enqueue_all(arg);
}

static void on_pods(void *arg, struct str cluster, struct str ns, yyjson_val *labels)
{
    struct scheduling *s = arg;
    struct list *head = map_get(&s->namespaces, ns);
    (void)cluster;
    if (ns.n == 0) {
        s->rooms_new = true;
        sched_enqueue_all(s);
    }
    if (!head)
        return;
    list_for_each(it, head) {
        const struct sched_record *r = list_entry(it, struct sched_record, link);
        if (sched_labels_match(&r->labels, labels))
            sched_enqueue(s, str_of(r->key));
    }
}

/* The pod uses what was promised for it: until the next pass it would count twice, and take room from others. */
static void on_bound(void *arg, struct str cluster, struct str ns, yyjson_val *labels, struct str node)
{
    struct scheduling *s = arg;
    struct fed_room *room = workloads_room(s->workloads, cluster);
    struct list *head = map_get(&s->namespaces, ns);
    if (!room || !head)
        return;
    list_for_each(it, head) {
        const struct sched_record *r = list_entry(it, struct sched_record, link);
        if (!r->labels.more && sched_labels_match(&r->labels, labels))
            fed_room_fulfil(room, str_of(r->key), node);
    }
}

static void on_room_timer(void *arg);

static void wait_for_room(struct scheduling *s, uint64_t ms)
{
    loop_timer_start(kube_client_loop(s->config.env->host), &s->room, ms, on_room_timer, s);
}

static void enqueue_by_room(struct scheduling *s)
{
    struct map_entry e;
    s->room_changed = false;
    s->room_since_ms = time_mono_ms();
    s->room_spent_ns = 0;
    for (size_t i = 0; map_next(&s->records, &i, &e);)
        if (((const struct sched_record *)e.val)->by_room)
            sched_enqueue(s, e.key);
    wait_for_room(s, ROOM_MS);
}

/* Looking at many nodes for many preferences takes time; what else is to be done does not wait for that. */
static void on_room_timer(void *arg)
{
    struct scheduling *s = arg;
    uint64_t rest = s->room_spent_ns / 1000000 * ROOM_REST, passed = time_mono_ms() - s->room_since_ms;
    if (passed < rest)
        wait_for_room(s, MIN(rest - passed, (uint64_t)ROOM_REST_MAX_MS));
    else if (s->room_changed)
        enqueue_by_room(s);
}

/* Pods come and go all the time in a busy member, and each may make room. */
void sched_room_changed(struct scheduling *s)
{
    s->room_changed = true;
    if (!loop_timer_active(&s->room))
        wait_for_room(s, ROOM_SOON_MS);
}

static void on_room(void *arg, struct str cluster)
{
    (void)cluster;
    sched_room_changed(arg);
}

static void on_namespace(void *arg, struct str ns, enum namespace_event event)
{
    struct scheduling *s = arg;
    struct list *head = map_get(&s->namespaces, ns);
    if (event != NAMESPACE_PLACEMENT || !head)
        return;
    list_for_each(it, head) {
        const struct sched_record *r = list_entry(it, struct sched_record, link);
        if (r->intersects)
            sched_enqueue(s, str_of(r->key));
    }
}

static void on_namespaces_synced(void *arg)
{
    sched_enqueue_all(arg);
}

/* --- life --- */

struct sync_watcher *scheduling_watcher(struct scheduling *s)
{
    return &s->watcher;
}

void scheduling_set_types(struct scheduling *s, const struct type_configs *types)
{
    s->types = types;
}

static void listen(struct scheduling *s)
{
    const struct sync_env *env = s->config.env;
    s->workloads_listener = (struct workloads_listener){ .fn = on_pods, .room = on_room, .bound = on_bound, .arg = s };
    workloads_listen(s->workloads, &s->workloads_listener);
    s->clusters_listener = (struct clusters_listener){ .fn = on_cluster, .arg = s };
    clusters_listen(env->clusters, &s->clusters_listener);
    s->namespaces_listener = (struct namespaces_listener){ .fn = on_namespace,
                                                           .on_synced = on_namespaces_synced,
                                                           .arg = s };
    namespaces_listen(env->namespaces, &s->namespaces_listener);
}

struct scheduling *scheduling_start(const struct scheduling_config *config)
{
    const struct sync_env *env = config->env;
    struct str limited = env->namespace_scoped ? str_of(env->system_namespace) : STR_NULL;
    struct scheduling *s = mem_zalloc(sizeof(*s));
    s->config = *config;
    s->watcher = (struct sync_watcher){ .fn = on_type, .arg = s };
    s->workloads = workloads_new(&(struct workloads_config){ .host = env->host,
                                                             .clusters = env->clusters,
                                                             .system_namespace = env->system_namespace,
                                                             .limited_to = limited,
                                                             .ready_pods_only = env->behavior.ready_pods_only });
    s->resources = resources_start(env->host, env->clusters, s->workloads, env->system_namespace);
    if (env->behavior.collect_resources) {
        workloads_hold(s->workloads);
        workloads_hold_nodes(s->workloads);
    }
    s->queue = workqueue_new(&(struct workqueue_config){ .loop = kube_client_loop(env->host),
                                                         .max_active = CONCURRENT,
                                                         .process = sched_process,
                                                         .arg = s,
                                                         .reconcile = &env->measures->controllers[MEASURED_PREFERENCES],
                                                         .controller = measured_controllers[MEASURED_PREFERENCES] });
    listen(s);
    _cleanup_free_ char *path = kube_path(&resource, limited, STR_NULL, STR_NULL);
    s->preferences = kube_informer_start(&(struct kube_informer_config){
        .client = env->host, .path = path, .on_change = on_preference, .on_state = on_state, .arg = s });
    return s;
}

void scheduling_lead(struct scheduling *s)
{
    log_info("Starting scheduling manager");
    log_info("Starting replicaschedulingpreferences controller");
    s->promoted = true;
    kube_informer_renew(s->preferences);
}

void scheduling_free(struct scheduling *s)
{
    struct map_entry e;
    if (!s)
        return;
    loop_timer_stop(&s->fan_out);
    loop_timer_stop(&s->room);
    workloads_unlisten(&s->workloads_listener);
    clusters_unlisten(&s->clusters_listener);
    namespaces_unlisten(&s->namespaces_listener);
    for (size_t i = 0; map_next(&s->passes, &i, &e);)
        sched_pass_free(e.val);
    kube_informer_stop(s->preferences);
    workqueue_free(s->queue);
    resources_free(s->resources);
    workloads_free(s->workloads);
    map_done(&s->passes);
    map_done_values(&s->records, record_free);
    map_done_values(&s->namespaces, free);
    free(s);
}

const struct workqueue *scheduling_queue(const struct scheduling *s)
{
    return s->queue;
}

void scheduling_metrics(const struct scheduling *s, struct buf *out)
{
    static const char preferences[] = "kubefed_scheduling_preferences", writes[] = "kubefed_scheduling_writes_total";

    metric_head(out, preferences, "gauge", "ReplicaSchedulingPreferences, those waiting for a pass, and those in one.");
    if (s) {
        metric_count(out, preferences, "state=\"all\"", kube_informer_count(s->preferences));
        metric_count(out, preferences, "state=\"queued\"", workqueue_depth(s->queue));
        metric_count(out, preferences, "state=\"active\"", map_count(&s->passes));
    }
    metric_head(out, writes, "counter", "Federated objects that were given other shares.");
    if (s)
        metric_count(out, writes, NULL, s->written);
    workloads_metrics(s ? s->workloads : NULL, out);
}
