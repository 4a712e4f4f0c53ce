/* See metrics_internal.h: what the controllers did and how long it took, their queues, and the federated types. */
#include "controllers/metrics_internal.h"

#include <stdlib.h>

#include "kube/workqueue.h"

/* --- durations --- */

static void plain(struct buf *out, const char *name, const char *help, const struct histogram *h)
{
    metric_head(out, name, "histogram", help);
    if (h)
        histogram_write(h, out, name, NULL);
}

static void dispatch(const struct measures *t, struct buf *out)
{
    static const char name[] = "dispatch_operation_duration_seconds";

    metric_head(out, name, "histogram", "Time taken to run dispatch operation.");
    for (size_t i = 0; t && i < MEASURED_ACTIONS; i++) {
        _cleanup_free_ char *labels = metric_labels("action", measured_actions[i]);
        histogram_write(&t->operations[i], out, name, labels);
    }
}

static void controllers(const struct measures *t, struct buf *out)
{
    static const char histogram[] = "controller_runtime_reconcile_duration_seconds";
    static const char summary[] = "controller_runtime_reconcile_quantile_seconds";

    metric_head(out, histogram, "histogram",
                "Time taken by various parts of Kubefed controllers reconciliation loops.");
    for (size_t i = 0; t && i < MEASURED_CONTROLLERS; i++) {
        _cleanup_free_ char *labels = metric_labels("controller", measured_controllers[i]);
        histogram_write(&t->controllers[i], out, histogram, labels);
    }
    metric_head(out, summary, "summary",
                "Quantiles of time taken by various parts of Kubefed controllers reconciliation loops.");
    for (size_t i = 0; t && i < MEASURED_CONTROLLERS; i++) {
        _cleanup_free_ char *labels = metric_labels("controller", measured_controllers[i]);
        metric_seconds(out, "controller_runtime_reconcile_quantile_seconds_sum", labels, t->controllers[i].sum_ns);
        metric_count(out, "controller_runtime_reconcile_quantile_seconds_count", labels,
                     histogram_count(&t->controllers[i]));
    }
}

static void propagation(const struct measures *t, struct buf *out)
{
    static const char name[] = "kubefed_propagation_duration_seconds";
    struct map_entry *sorted;
    size_t n = 0;

    metric_head(out, name, "histogram",
                "Time from the moment when a change of a federated object is seen until all its clusters have it.");
    sorted = t ? map_sorted(&t->propagation, &n) : NULL;
    for (size_t i = 0; i < n; i++) {
        struct buf labels = BUF_INIT((size_t)4096);
        metric_label(&labels, "kind", sorted[i].key);
        histogram_write(sorted[i].val, out, name, labels.p);
        buf_done(&labels);
    }
    free(sorted);
}

void metrics_durations(const struct manager *m, struct buf *out)
{
    /* Joining is done by kubefedctl: nobody measures it here. */
    static const struct histogram never = { .buckets = &histogram_kubefed };
    const struct measures *t = m ? m->env.measures : NULL;

    plain(out, "cluster_health_status_duration_seconds", "Time taken for the cluster health periodic function.",
          t ? &t->probes : NULL);
    plain(out, "cluster_client_connection_duration_seconds", "Time taken for the cluster client connection function.",
          t ? &t->connections : NULL);
    plain(out, "reconcile_federated_resources_duration_seconds",
          "Time taken to reconcile federated resources in the target clusters.", t ? &t->reconciles : NULL);
    plain(out, "join_cluster_duration_seconds", "Time taken to join a cluster.", t ? &never : NULL);
    plain(out, "unjoin_cluster_duration_seconds", "Time taken to unjoin a cluster.", t ? &never : NULL);
    dispatch(t, out);
    controllers(t, out);
    propagation(t, out);
    plain(out, "kubefed_event_loop_lag_seconds", "How late a timer of the event loop runs, looked at twice a second.",
          t ? &t->lag : NULL);
}

/* --- work queues: those of one name are one series --- */

struct queue {
    char *labels;
    struct workqueue_stats stats;
};

struct queues {
    struct map by_name; /* struct queue */
};

static void queue_free(void *arg)
{
    struct queue *q = arg;

    free(q->labels);
    free(q);
}

static struct queue *queue_of(struct queues *all, const char *kind)
{
    _cleanup_free_ char *name = str_lower(str_of(kind));
    struct queue *q = map_get(&all->by_name, str_of(name));

    if (q)
        return q;
    q = mem_zalloc(sizeof(*q));
    q->labels = metric_labels("name", name);
    q->stats.queue = q->stats.work = HISTOGRAM_INIT(&histogram_workqueue);
    map_put(&all->by_name, str_of(name), q);
    return q;
}

static void add_queue(void *arg, const char *kind, const struct workqueue *queue)
{
    struct workqueue_stats *to = &queue_of(arg, kind)->stats, from;

    workqueue_get_stats(queue, &from);
    to->adds += from.adds;
    to->retries += from.retries;
    to->depth += from.depth;
    to->unfinished_ns += from.unfinished_ns;
    to->longest_ns = MAX(to->longest_ns, from.longest_ns);
    histogram_add(&to->queue, &from.queue);
    histogram_add(&to->work, &from.work);
}

static void collect_queues(const struct manager *m, struct queues *all)
{
    const struct sync *s;

    if (m && m->types)
        add_queue(all, "federatedtypeconfig", type_configs_queue(m->types));
    for (size_t i = 0; m && m->types && (s = type_configs_next(m->types, &i));)
        sync_each_queue(s, add_queue, all);
    if (m && m->scheduling) {
        queue_of(all, "schedulingmanager"); /* KubeFed's; there is none here, and nothing in it */
        add_queue(all, "replicaschedulingpreference", scheduling_queue(m->scheduling));
    }
}

enum field { DEPTH, ADDS, RETRIES, UNFINISHED, LONGEST, QUEUE_TIME, WORK_TIME };

static void queue_sample(const struct queue *q, enum field field, const char *name, struct buf *out)
{
    const struct workqueue_stats *s = &q->stats;

    switch (field) {
    case DEPTH: metric_count(out, name, q->labels, s->depth); break;
    case ADDS: metric_count(out, name, q->labels, s->adds); break;
    case RETRIES: metric_count(out, name, q->labels, s->retries); break;
    case UNFINISHED: metric_seconds(out, name, q->labels, s->unfinished_ns); break;
    case LONGEST: metric_seconds(out, name, q->labels, s->longest_ns); break;
    case QUEUE_TIME: histogram_write(&s->queue, out, name, q->labels); break;
    case WORK_TIME: histogram_write(&s->work, out, name, q->labels); break;
    }
}

void metrics_queues(const struct manager *m, struct buf *out)
{
    static const struct {
        enum field field;
        const char *name, *type, *help;
    } families[] = {
        { DEPTH, "workqueue_depth", "gauge", "Current depth of workqueue" },
        { ADDS, "workqueue_adds_total", "counter", "Total number of adds handled by workqueue" },
        { RETRIES, "workqueue_retries_total", "counter", "Total number of retries handled by workqueue" },
        { UNFINISHED, "workqueue_unfinished_work_seconds", "gauge",
          "How many seconds of work is in progress and has not been observed by work_duration." },
        { LONGEST, "workqueue_longest_running_processor_seconds", "gauge",
          "How many seconds has the longest running processor for workqueue been running." },
        { QUEUE_TIME, "workqueue_queue_duration_seconds", "histogram",
          "How long in seconds an item stays in workqueue before being requested" },
        { WORK_TIME, "workqueue_work_duration_seconds", "histogram",
          "How long in seconds processing an item from workqueue takes." },
    };
    struct queues all = { MAP_INIT };
    size_t n;

    collect_queues(m, &all);
    struct map_entry *sorted = map_sorted(&all.by_name, &n);
    for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
        metric_head(out, families[f].name, families[f].type, families[f].help);
        for (size_t i = 0; i < n; i++)
            queue_sample(sorted[i].val, families[f].field, families[f].name, out);
    }
    free(sorted);
    map_done_values(&all.by_name, queue_free);
}

/* --- federated types: those of one kind are one series --- */

struct kind {
    struct sync_counts n;
    uint64_t repairs;
};

static void add_kind(struct map *kinds, const struct sync *s)
{
    const char *name = sync_type(s)->federated.kind;
    struct kind *k = map_get(kinds, str_of(name));
    struct sync_counts n;

    if (!k) {
        k = mem_zalloc(sizeof(*k));
        map_put(kinds, str_of(name), k);
    }
    sync_count(s, &n);
    k->n.objects += n.objects;
    k->n.queued += n.queued;
    k->n.active += n.active;
    k->n.failing += n.failing;
    k->n.retrying += n.retrying;
    k->repairs += sync_repairs(s);
}

static void objects(const struct map_entry *e, struct buf *out)
{
    static const char name[] = "kubefed_objects";
    const struct kind *k = e->val;
    const struct {
        const char *state;
        size_t n;
    } counts[] = { { "all", k->n.objects },
                   { "queued", k->n.queued },
                   { "active", k->n.active },
                   { "failing", k->n.failing },
                   { "retrying", k->n.retrying } };
    _cleanup_free_ char *kind = str_dup(e->key);

    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        _cleanup_free_ char *labels = metric_labels("kind", kind, "state", counts[i].state);
        metric_count(out, name, labels, counts[i].n);
    }
}

static void fights(const struct manager *m, struct buf *out)
{
    static const char name[] = "kubefed_contested_objects";
    struct map counts = MAP_INIT;
    const struct sync *s;
    size_t n;

    metric_head(out, name, "gauge", "Objects that another writer in a member changes again and again.");
    for (size_t i = 0; m && m->types && (s = type_configs_next(m->types, &i));)
        sync_count_fights(s, &counts);
    struct map_entry *sorted = map_sorted(&counts, &n);
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *labels = str_dup(sorted[i].key);
        metric_count(out, name, labels, (uintptr_t)sorted[i].val);
    }
    free(sorted);
    map_done(&counts);
}

void metrics_types(const struct manager *m, struct buf *out)
{
    static const char repairs[] = "kubefed_repairs_total";
    struct map kinds = MAP_INIT;
    const struct sync *s;
    size_t n;

    for (size_t i = 0; m && m->types && (s = type_configs_next(m->types, &i));)
        add_kind(&kinds, s);
    struct map_entry *sorted = map_sorted(&kinds, &n);
    metric_head(out, "kubefed_objects", "gauge",
                "Federated objects: all, waiting for a pass, in one, whose last pass left something undone, and those "
                "of them that wait for their next try.");
    for (size_t i = 0; i < n; i++)
        objects(&sorted[i], out);
    metric_head(out, repairs, "counter", "Changes of others in members that were put right.");
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *kind = str_dup(sorted[i].key), *labels = metric_labels("kind", kind);
        metric_count(out, repairs, labels, ((const struct kind *)sorted[i].val)->repairs);
    }
    free(sorted);
    map_done_values(&kinds, free);
    fights(m, out);
}
