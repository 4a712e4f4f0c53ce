/* The parts of /metrics. For src/controllers/metrics*.c only. Each writes whole families; m NULL: their heads only. */
#ifndef CONTROLLERS_METRICS_INTERNAL_H
#define CONTROLLERS_METRICS_INTERNAL_H

#include "base/exposition.h"
#include "controllers/manager_internal.h"

/* metrics_work.c: durations, dispatched operations, types, work queues */
void metrics_durations(const struct manager *m, struct buf *out);
void metrics_queues(const struct manager *m, struct buf *out);
void metrics_types(const struct manager *m, struct buf *out);

/* metrics_requests.c: requests by server and by cluster, lists and watches, caches */
void metrics_requests(const struct manager *m, struct buf *out);
void metrics_reflectors(const struct manager *m, struct buf *out);
void metrics_caches(const struct manager *m, struct buf *out);

/* metrics_process.c */
void metrics_process(struct buf *out);

/* Clusters in no particular order; nothing when m is NULL. */
static inline struct cluster *metrics_next_cluster(const struct manager *m, size_t *iter)
{
    return m ? clusters_next(m->env.clusters, iter) : NULL;
}

#endif
