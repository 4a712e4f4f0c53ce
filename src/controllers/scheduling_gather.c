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

void sched_labels_done(struct sched_labels *l)
{
    for (size_t i = 0; i < l->n; i++)
        yyjson_doc_free(l->v[i]);
    *l = (struct sched_labels){ 0 };
}

static void add_labels(struct sched_labels *l, yyjson_val *labels)
{
    if (yyjson_obj_size(labels) == 0)
        return;
    for (size_t i = 0; i < l->n; i++)
        if (json_equal(labels, yyjson_doc_get_root(l->v[i])))
            return;
    l->more |= l->n == SCHED_LABELS_MAX;
    if (l->more)
        return;
    _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(labels);
    l->v[l->n++] = json_freeze(copy);
}

static bool has_labels(yyjson_val *labels, yyjson_val *wanted)
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

bool sched_labels_match(const struct sched_labels *l, yyjson_val *pod_labels)
{
    for (size_t i = 0; i < l->n; i++)
        if (has_labels(pod_labels, yyjson_doc_get_root(l->v[i])))
            return true;
    return l->more;
}

/* Its pods are those that the object there selects; as long as there is none, those that the template does. */
static void observe_target(struct sched_pass *p, struct fed_schedule_cluster *c, int64_t now)
{
    struct scheduling *s = p->owner;
    struct sched_record *r = sched_record(s, str_of(p->key));
    const struct kube_object *o = sync_target(p->sync, c->name, str_of(p->key));
    yyjson_val *labels = fed_schedule_labels(yyjson_doc_get_root(p->target_doc));
    _cleanup_json_ yyjson_doc *doc = NULL;
    c->observed = sync_sees(p->sync, c->name);
    if (o && json_parse(kube_object_body(o), &doc, NULL) == 0) {
        yyjson_val *root = yyjson_doc_get_root(doc), *its = json_path(root, "schedule.labels");
        c->has_object = true;
        c->replicas = fed_replicas(json_path_i64(root, "spec.replicas", 0));
        c->ready_replicas = fed_replicas(json_path_i64(root, "schedule.ready", 0));
        labels = yyjson_obj_size(its) ? its : labels;
    }
    add_labels(&r->labels, labels);
    c->has_pods = labels && workloads_know_pods(s->workloads, c->name);
    if (c->has_pods)
        workloads_count(s->workloads, c->name, kube_object_ns(p->object), labels, now, &c->pods);
}

/* --- room --- */

static void observe_room(struct sched_pass *p)
{
    _cleanup_(fed_overrides_freep) struct fed_overrides *overrides = NULL;
    yyjson_val *object = yyjson_doc_get_root(p->target_doc);
    uint64_t began = time_mono_ns();
    (void)fed_overrides_parse(object, &overrides, NULL);
    for (size_t i = 0; i < p->input.n; i++) {
        struct fed_schedule_cluster *c = &p->clusters[i];
        struct fed_room *room = workloads_room(p->owner->workloads, c->name);
        if (!room)
            continue;
        if (!c->has_pods)
            fed_schedule_count_by_object(c);
        struct fed_demand *demand = fed_schedule_demand(room, object, overrides, c->name);
        c->has_room = demand != NULL;
        if (demand)
            c->room = fed_room_fits(room, str_of(p->key), demand);
        fed_demand_free(demand);
    }
    p->owner->room_spent_ns += time_mono_ns() - began;
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
    c->labels = yyjson_doc_get_root(e->labels_doc);
    c->ready = e->ready;
    c->since_s = e->since > 0 ? MAX(now - e->since, (int64_t)0) : INT32_MAX;
    c->selected = true;
    c->is_host = workloads_is_host(p->owner->workloads, c->name);
    observe_target(p, c, now);
}

void sched_gather_clusters(struct sched_pass *p)
{
    int64_t now = time_wall_s();
    _cleanup_free_ char *pointer = sched_replicas_pointer(p);
    if (!p->snapshot)
        p->snapshot = clusters_snapshot(p->owner->config.env->clusters);
    p->clusters = mem_array(p->snapshot->n, sizeof(*p->clusters));
    sched_labels_done(&sched_record(p->owner, str_of(p->key))->labels);
    for (size_t i = 0; i < p->snapshot->n; i++)
        fill(p, i, now);
    fed_schedule_previous(yyjson_doc_get_root(p->target_doc), str_of(pointer), p->clusters, p->snapshot->n);
    fed_schedule_recall(sched_remembered(p), p->object->generation, now, p->clusters, p->snapshot->n);
}

bool sched_gather(struct sched_pass *p)
{
    struct scheduling *s = p->owner;
    bool by_room = p->preference->strategy == FED_BY_FREE_RESOURCES;
    p->snapshot = clusters_snapshot(s->config.env->clusters);
    if (sched_waits(p, members_are_starting(p)))
        return false;
    if (by_room)
        sched_promise_all(s);
    sched_gather_clusters(p);
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
    if (by_room)
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
