/* Life cycle and triggers of a sync controller; see sync.h and sync_internal.h. */
#include "controllers/sync.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "controllers/sync_internal.h"
#include "fed/names.h"
#include "fed/service_status.h"

/* A member cache that has not answered by then does not hold the others any longer. */
#define GATE_PATIENCE_MS 5000u
#define GATE_POLL_MS 250u

static struct loop *sync_loop(const struct sync *s)
{
    return kube_client_loop(s->env->host);
}

/* --- queueing --- */

void sync_enqueue(struct sync *s, struct str key)
{
    if (s->open && s->propagates)
        workqueue_add(s->queue, key);
}

void sync_enqueue_soon(struct sync *s, struct str key, uint64_t ms)
{
    if (s->open && s->propagates)
        workqueue_add_after(s->queue, key, ms);
}

void sync_enqueue_all(struct sync *s)
{
    struct kube_object *o;
    for (size_t i = 0; kube_informer_next(s->objects, &i, &o);)
        sync_enqueue(s, kube_object_key(o));
}

static void enqueue_member_objects(struct sync *s, const struct sync_member *m)
{
    struct kube_object *o;
    for (size_t i = 0; kube_informer_next(m->informer, &i, &o);) {
        _cleanup_free_ char *key = sync_fed_key(s, kube_object_key(o));
        sync_enqueue(s, str_of(key));
    }
}

static void enqueue_all_member_objects(struct sync *s)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&s->members, &i, &e);) {
        const struct sync_member *m = e.val;
        if (m->informer)
            enqueue_member_objects(s, m);
    }
    sync_enqueue_removals(s, STR_NULL);
}

/* --- what a change of a cluster touches: only that is looked at again (P-11, P-12) --- */

static bool has_selector(const struct kube_object *o)
{
    return o && str_contains(kube_object_body(o), STR("\"clusterSelector\""));
}

/* Its placement or its status names the cluster, which a cheap look at the text tells, or its selector may match it. */
static bool concerns(const struct kube_object *o, struct str quoted_name)
{
    return str_contains(kube_object_body(o), quoted_name) || has_selector(o);
}

void sync_enqueue_cluster(struct sync *s, struct str cluster)
{
    _cleanup_free_ char *quoted = mem_printf("\"%" PRIstr "\"", STRARG(cluster));
    const struct sync_member *m = sync_member_find(s, cluster);
    struct kube_object *o;
    if (!s->open)
        return;
    for (size_t i = 0; kube_informer_next(s->objects, &i, &o);)
        if (concerns(o, str_of(quoted)))
            sync_enqueue(s, kube_object_key(o));
    if (m)
        enqueue_member_objects(s, m); /* what is there, placed or not */
    sync_enqueue_removals(s, cluster);
}

static void enqueue_selecting(struct sync *s, struct str cluster)
{
    _cleanup_free_ char *quoted = mem_printf("\"%" PRIstr "\"", STRARG(cluster));
    struct kube_object *o;
    for (size_t i = 0; kube_informer_next(s->objects, &i, &o);) {
        bool by_namespace = s->target.namespaced && str_contains(kube_object_body(o), str_of(quoted)) &&
                            has_selector(namespaces_federated(s->env->namespaces, kube_object_ns(o)));
        if (by_namespace || has_selector(o))
            sync_enqueue(s, kube_object_key(o));
    }
}

static bool in_namespace(struct str key, struct str ns)
{
    return key.n > ns.n && key.p[ns.n] == '/' && memcmp(key.p, ns.p, ns.n) == 0;
}

static void enqueue_namespace(struct sync *s, struct str ns)
{
    struct kube_object *o;
    for (size_t i = 0; kube_informer_next(s->objects, &i, &o);)
        if (str_eq(kube_object_ns(o), ns))
            sync_enqueue(s, kube_object_key(o));
}

static void enqueue_failing(struct sync *s, struct str ns)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&s->failing, &i, &e);)
        if (in_namespace(e.key, ns))
            sync_enqueue(s, e.key);
}

/* --- the gate: planning on half-known state would create what exists and delete what is wanted --- */

static bool caches_ready(const struct sync *s)
{
    if (kube_informer_state(s->objects) != KUBE_INFORMER_SYNCED || !clusters_synced(s->env->clusters) ||
        !version_store_loaded(s->env->versions) || !removals_answered(s->env->removals))
        return false;
    if ((s->is_namespace || s->target.namespaced) && !namespaces_synced(s->env->namespaces))
        return false;
    bool patient = time_mono_ms() - s->started_ms < GATE_PATIENCE_MS;
    return sync_members_settled(s) || !patient;
}

static void try_open(void *arg)
{
    struct sync *s = arg;
    if (s->open || !s->leads)
        return;
    if (!caches_ready(s)) {
        loop_timer_start(sync_loop(s), &s->gate_timer, GATE_POLL_MS, try_open, s);
        return;
    }
    loop_timer_stop(&s->gate_timer);
    s->open = true;
    s->removals_read = removals_reads(s->env->removals);
    log_info("Started sync controller for \"%s\" (%zu objects)", s->type->federated.kind,
             kube_informer_count(s->objects));
    sync_enqueue_all(s);
    enqueue_all_member_objects(s);
    service_status_enqueue_all(s->service_status);
    sync_tell_watcher(s, STR_NULL);
}

/*
 * The removals may have been read just now: those of members that are there are due, what waited for them is looked at, and those
 * whose object is there again are forgotten, of members that cannot be reached as well.
 */
static void follow_removals(struct sync *s)
{
    unsigned reads = removals_reads(s->env->removals);
    if (s->removals_read != reads)
        enqueue_all_member_objects(s);
    s->removals_read = reads;
}

void sync_poke(struct sync *s)
{
    try_open(s);
    if (s->open && removals_loaded(s->env->removals))
        follow_removals(s);
}

void sync_renew(struct sync *s)
{
    kube_informer_renew(s->objects);
    service_status_renew(s->service_status);
}

void sync_lead(struct sync *s)
{
    if (s->leads)
        return;
    s->leads = true;
    s->started_ms = time_mono_ms(); /* members that are late have their time from now on */
    try_open(s);
}

/* --- triggers --- */

static bool has_finalizer(const struct kube_object *o)
{
    return str_contains(kube_object_body(o), STR("\"" FED_SYNC_FINALIZER "\""));
}

static bool same_specification(const struct kube_object *old, const struct kube_object *now)
{
    return old->generation == now->generation && old->deleting == now->deleting &&
           str_eq(kube_object_uid(old), kube_object_uid(now)) && !kube_object_went_back(old, now);
}

static void on_object(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct sync *s = arg;
    service_status_enqueue(s->service_status, kube_object_key(kube_object_either(now, old)));
    if (old && now && same_specification(old, now) && has_finalizer(now))
        return; /* status or metadata only (P-08) */
    sync_measure_change(s, kube_object_key(kube_object_either(now, old)), now);
    sync_tell_watcher(s, kube_object_key(kube_object_either(now, old)));
    sync_enqueue(s, kube_object_key(kube_object_either(now, old)));
}

/* Only what was seen as it happened counts: of what a renewed list does not have any more, states were skipped in between, as the one
 * without its finalizer. */
static void on_deleted(void *arg, struct kube_object *last)
{
    struct sync *s = arg;
    if (!s->open || !sync_vanished(last))
        return;
    kube_object_unref(map_remove(&s->vanished, kube_object_key(last)));
    map_put(&s->vanished, kube_object_key(last), kube_object_ref(last));
}

static void on_objects_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    struct sync *s = arg;
    if (state == KUBE_INFORMER_SYNCED)
        try_open(s);
    else if (err)
        log_warning("Failed to list %s: %s", s->type->federated.kind, error_msg(err));
}

static void on_unavailable(void *arg)
{
    struct sync *s = arg;
    struct map_entry e;
    for (size_t i = 0; map_next(&s->unavailable, &i, &e);) {
        sync_enqueue_cluster(s, e.key);
        map_remove(&s->unavailable, e.key);
    }
}

static void on_cluster(void *arg, struct cluster *c, enum cluster_event event)
{
    struct sync *s = arg;
    service_status_enqueue_all(s->service_status);
    switch (event) {
    case CLUSTER_CONNECTED:
        if (c->ready)
            sync_member_connect(s, c);
        break;
    case CLUSTER_DISCONNECTED: sync_member_disconnect(s, str_of(c->name)); break;
    case CLUSTER_READY: {
        struct sync_member *m = sync_member_find(s, str_of(c->name));
        if (m)
            kube_informer_kick(m->informer);
        else if (c->client)
            sync_member_connect(s, c);
        if (sync_member_is_starting(s, str_of(c->name)))
            break; /* its first list brings everything back */
        sync_enqueue_cluster(s, str_of(c->name));
        break;
    }
    case CLUSTER_UNREADY:
        map_put(&s->unavailable, str_of(c->name), s);
        if (!loop_timer_active(&s->unavailable_timer))
            loop_timer_start(sync_loop(s), &s->unavailable_timer, s->env->unavailable_delay_ms, on_unavailable, s);
        break;
    case CLUSTER_ADDED:
    case CLUSTER_REMOVED: sync_enqueue_cluster(s, str_of(c->name)); break;
    case CLUSTER_RELABELLED: enqueue_selecting(s, str_of(c->name)); break;
    }
}

static void on_namespace(void *arg, struct str ns, enum namespace_event event)
{
    struct sync *s = arg;
    if (s->is_namespace) {
        if (event != NAMESPACE_HOST)
            return;
        _cleanup_free_ char *key = mem_printf("%" PRIstr "/%" PRIstr, STRARG(ns), STRARG(ns));
        if (kube_informer_get(s->objects, str_of(key)))
            sync_enqueue(s, str_of(key));
    } else if (s->target.namespaced && event == NAMESPACE_PLACEMENT) {
        enqueue_namespace(s, ns);
    } else if (s->target.namespaced && event == NAMESPACE_STATUS) {
        enqueue_failing(s, ns);
    }
}

/* --- life cycle --- */

static struct kube_resource resource_of(const struct fed_api_resource *r)
{
    return (struct kube_resource){ str_of(r->group), str_of(r->version), str_of(r->plural), r->namespaced };
}

static void start_objects(struct sync *s)
{
    struct str ns = s->env->namespace_scoped ? str_of(s->env->system_namespace) : STR_NULL;
    _cleanup_free_ char *path = kube_path(&s->federated, s->federated.namespaced ? ns : STR_NULL, STR_NULL, STR_NULL);
    s->objects = kube_informer_start(&(struct kube_informer_config){ .client = s->env->host,
                                                                     .path = path,
                                                                     .newest = s->env->leading,
                                                                     .on_change = on_object,
                                                                     .on_deleted = on_deleted,
                                                                     .on_state = on_objects_state,
                                                                     .arg = s });
}

struct sync *sync_start(const struct sync_env *env, const struct fed_type_config *type)
{
    struct sync *s = mem_zalloc(sizeof(*s));
    s->env = env;
    s->type = fed_type_config_copy(type);
    s->federated = resource_of(&s->type->federated);
    s->target = resource_of(&s->type->target);
    s->is_namespace = fed_type_is_namespace(s->type);
    s->propagates = type->propagation_enabled;
    s->started_ms = time_mono_ms();
    s->propagation = measures_propagation(env->measures, type->federated.kind);
    _cleanup_free_ char *lower = str_lower(str_of(s->type->federated.kind));
    s->removals_of = fed_type_config_name(str_of(s->type->target.plural), str_of(s->type->target.group));
    s->component = mem_printf("%s-controller", lower);
    s->owner = mem_printf("%s/%s", s->type->federated.group, s->type->federated.kind);
    log_info("Starting sync controller for \"%s\"", s->type->federated.kind);
    s->queue = workqueue_new(&(struct workqueue_config){
        .loop = sync_loop(s), .max_active = env->max_passes, .process = sync_process, .arg = s });
    s->clusters_listener = (struct clusters_listener){ .fn = on_cluster, .arg = s };
    clusters_listen(env->clusters, &s->clusters_listener);
    s->namespaces_listener = (struct namespaces_listener){ .fn = on_namespace, .on_synced = try_open, .arg = s };
    namespaces_listen(env->namespaces, &s->namespaces_listener);
    if (fed_type_collects_service_status(s->type, env->raw_status))
        s->service_status = service_status_start(s);
    start_objects(s);
    sync_scale_start(s);
    sync_members_start(s);
    loop_timer_start(sync_loop(s), &s->gate_timer, GATE_POLL_MS, try_open, s);
    return s;
}

void sync_count(const struct sync *s, struct sync_counts *ret)
{
    struct workqueue_stats stats;
    workqueue_get_stats(s->queue, &stats);
    *ret = (struct sync_counts){ .objects = kube_informer_count(s->objects),
                                 .queued = workqueue_depth(s->queue),
                                 .active = workqueue_active(s->queue),
                                 .failing = map_count(&s->failing),
                                 .retrying = stats.retrying };
}

void sync_stop(struct sync *s)
{
    if (!s)
        return;
    s->open = false;
    clusters_unlisten(&s->clusters_listener);
    namespaces_unlisten(&s->namespaces_listener);
    loop_timer_stop(&s->gate_timer);
    loop_timer_stop(&s->unavailable_timer);
    apply_cancel_all(s);
    struct map_entry e;
    for (size_t i = 0; map_next(&s->passes, &i, &e);)
        pass_end(e.val, PASS_DONE);
    service_status_stop(s->service_status);
    sync_members_stop(s);
    sync_scale_stop(s);
    kube_informer_stop(s->objects);
    workqueue_free(s->queue);
    map_done(&s->passes);
    map_done(&s->flights);
    map_done(&s->failing);
    map_done(&s->untold);
    map_done(&s->changes);
    map_done(&s->unavailable);
    for (size_t i = 0; map_next(&s->vanished, &i, &e);)
        kube_object_unref(e.val);
    map_done(&s->vanished);
    sync_fights_stop(s);
    map_done(&s->members);
    fed_type_config_free(s->type);
    free(s->component);
    free(s->removals_of);
    free(s->owner);
    free(s);
}
