/* What is known about every cluster, for one preference: from the caches, without I/O. See scheduling_internal.h. */
#include <stdlib.h>

#include "base/rtime.h"
#include "controllers/scheduling_internal.h"
#include "fed/schedule_target.h"

/* Caches of a member that have not answered by then do not hold a preference any longer. */
#define PATIENCE_MS 5000u

/* --- selection --- */

static void select_clusters(struct sched_pass *p)
{
    const struct sync_env *env = p->owner->config.env;
    size_t n = p->snapshot->n;
    struct fed_placement_cluster *clusters = mem_array(n, sizeof(*clusters));
    bool *selected = mem_array(n, sizeof(*selected));
    _cleanup_json_ yyjson_doc *ns = NULL;
    const struct kube_object *fed = namespaces_federated(env->namespaces, kube_object_ns(p->object));
    if (fed)
        (void)json_parse(kube_object_body(fed), &ns, NULL);
    for (size_t i = 0; i < n; i++) {
        const struct cluster_entry *e = &p->snapshot->v[i];
        clusters[i].name = str_of(e->name);
        clusters[i].labels = e->labels_doc ? yyjson_doc_get_root(e->labels_doc) : NULL;
    }
    fed_schedule_select(&(struct fed_placement_input){ .object = yyjson_doc_get_root(p->target_doc),
                                                       .namespace_scoped = env->namespace_scoped,
                                                       .fed_namespace = yyjson_doc_get_root(ns),
                                                       .clusters = clusters,
                                                       .n_clusters = n },
                        env->behavior.whole_namespace_placement, selected);
    for (size_t i = 0; i < n; i++)
        p->clusters[i].selected = selected[i];
    free(clusters);
    free(selected);
}

/* --- workloads --- */

char *sched_replicas_pointer(const struct sched_pass *p)
{
    return fed_schedule_pointer(sync_type(p->sync));
}

static void remember_labels(struct sched_record *r, yyjson_val *labels)
{
    if (!labels || (r->labels && json_equal(labels, yyjson_doc_get_root(r->labels))))
        return;
    _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(labels);
    yyjson_doc_free(r->labels);
    r->labels = json_freeze(copy);
}

static void observe_target(struct sched_pass *p, struct fed_schedule_cluster *c, int64_t now)
{
    struct scheduling *s = p->owner;
    struct sched_record *r = sched_record(s, str_of(p->key));
    const struct kube_object *o = sync_target(p->sync, c->name, str_of(p->key));
    _cleanup_json_ yyjson_doc *doc = NULL;
    c->observed = sync_sees(p->sync, c->name);
    if (o && json_parse(kube_object_body(o), &doc, NULL) == 0) {
        yyjson_val *root = yyjson_doc_get_root(doc), *labels = json_path(root, "schedule.labels");
        c->has_object = true;
        c->replicas = fed_replicas(json_path_i64(root, "spec.replicas", 0));
        c->ready_replicas = fed_replicas(json_path_i64(root, "schedule.ready", 0));
        remember_labels(r, labels);
    }
    c->has_pods = r->labels && workloads_know_pods(s->workloads, c->name);
    if (c->has_pods)
        workloads_count(s->workloads, c->name, kube_object_ns(p->object), yyjson_doc_get_root(r->labels), now,
                        &c->pods);
}

/* --- room --- */

static struct fed_demand *demand_in(const struct sched_pass *p, const struct fed_overrides *overrides,
                                    struct fed_room *room, struct str cluster)
{
    return fed_schedule_demand(room, yyjson_doc_get_root(p->target_doc), overrides, cluster);
}

static void observe_room(struct sched_pass *p)
{
    _cleanup_(fed_overrides_freep) struct fed_overrides *overrides = NULL;
    (void)fed_overrides_parse(yyjson_doc_get_root(p->target_doc), &overrides, NULL);
    for (size_t i = 0; i < p->input.n; i++) {
        struct fed_schedule_cluster *c = &p->clusters[i];
        struct fed_room *room = workloads_room(p->owner->workloads, c->name);
        if (!room || !c->has_pods) {
            /* Without a workload there are no pods of it. */
            c->has_pods |= room && !c->has_object;
            if (!room || c->has_object)
                continue;
        }
        struct fed_demand *demand = demand_in(p, overrides, room, c->name);
        c->has_room = true;
        c->room = fed_room_fits(room, str_of(p->key), demand);
        fed_demand_free(demand);
    }
}

void sched_promise(struct sched_pass *p)
{
    _cleanup_(fed_overrides_freep) struct fed_overrides *overrides = NULL;
    (void)fed_overrides_parse(yyjson_doc_get_root(p->target_doc), &overrides, NULL);
    for (size_t i = 0; i < p->input.n; i++) {
        const struct fed_schedule_cluster *c = &p->clusters[i];
        const struct fed_schedule_share *share = &p->schedule->shares[i];
        struct fed_room *room = workloads_room(p->owner->workloads, c->name);
        if (!room)
            continue;
        struct fed_demand *demand = demand_in(p, overrides, room, c->name);
        int64_t missing = share->placed ? share->replicas - (c->has_pods ? c->pods.bound : 0) : 0;
        fed_room_promise(room, str_of(p->key), demand, MAX(missing, (int64_t)0));
        fed_demand_free(demand);
    }
}

void sched_unpromise(struct scheduling *s, struct str key)
{
    struct cluster *c;
    for (size_t i = 0; (c = clusters_next(s->config.env->clusters, &i));) {
        struct fed_room *room = workloads_room(s->workloads, str_of(c->name));
        if (room)
            fed_room_promise(room, key, NULL, 0);
    }
}

/* --- all of it --- */

bool sched_waits(struct sched_pass *p, bool starting)
{
    struct sched_record *r = sched_record(p->owner, str_of(p->key));
    if (!starting) {
        r->waiting_ms = 0;
        return false;
    }
    if (!r->waiting_ms)
        r->waiting_ms = time_mono_ms();
    return time_mono_ms() - r->waiting_ms < PATIENCE_MS;
}

static bool members_are_starting(const struct sched_pass *p)
{
    for (size_t i = 0; i < p->snapshot->n; i++) {
        const struct cluster_entry *e = &p->snapshot->v[i];
        if (e->ready && workloads_are_starting(p->owner->workloads, str_of(e->name)))
            return true;
    }
    return !sync_is_settled(p->sync);
}

static void fill(struct sched_pass *p, size_t i, int64_t now)
{
    const struct cluster_entry *e = &p->snapshot->v[i];
    struct fed_schedule_cluster *c = &p->clusters[i];
    c->name = str_of(e->name);
    c->ready = e->ready;
    c->since_s = e->since > 0 ? MAX(now - e->since, (int64_t)0) : INT32_MAX;
    c->selected = true;
    c->is_host = workloads_is_host(p->owner->workloads, c->name);
    observe_target(p, c, now);
}

bool sched_gather(struct sched_pass *p)
{
    struct scheduling *s = p->owner;
    int64_t now = time_wall_s();
    _cleanup_free_ char *pointer = sched_replicas_pointer(p);
    p->snapshot = clusters_snapshot(s->config.env->clusters);
    if (sched_waits(p, members_are_starting(p)))
        return false;
    p->clusters = mem_array(p->snapshot->n, sizeof(*p->clusters));
    for (size_t i = 0; i < p->snapshot->n; i++)
        fill(p, i, now);
    fed_schedule_previous(yyjson_doc_get_root(p->target_doc), str_of(pointer), p->clusters, p->snapshot->n);
    fed_schedule_recall(sched_remembered(p), now, p->clusters, p->snapshot->n);
    p->input = (struct fed_schedule_input){
        .preference = p->preference,
        .key = str_of(p->key),
        .clusters = p->clusters,
        .n = p->snapshot->n,
        .lost_after_s = (int64_t)(s->config.lost_after_ms + 999) / 1000,
        .return_after_s = (int64_t)(s->config.return_after_ms + 999) / 1000,
        .ready_runs_only = !s->config.env->behavior.starting_pods_count,
    };
    if (p->preference->intersect)
        select_clusters(p);
    if (p->preference->strategy == FED_BY_FREE_RESOURCES)
        observe_room(p);
    return true;
}

void sched_gather_done(struct sched_pass *p)
{
    free(p->clusters);
    free(p->schedule);
    cluster_snapshot_unref(p->snapshot);
    yyjson_doc_free(p->target_doc);
}
