/*
 * Histograms of durations with fixed bucket lists, for metrics. An observation is a search in at most 21 bounds and two additions.
 * Everything is in nanoseconds, so that sums are exact.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include "base/buf.h"

#define HISTOGRAM_BOUNDS_MAX 21u

/* Upper bounds, rising, and each as the label `le` has it. +Inf is not among them. */
struct histogram_buckets {
    size_t n;
    struct {
        uint64_t ns;
        const char *le;
    } v[HISTOGRAM_BOUNDS_MAX];
};
extern const struct histogram_buckets histogram_kubefed;     /* list B of controllers.md 9.1: 10 ms to 1000 s */
extern const struct histogram_buckets histogram_workqueue;   /* those of client-go's work queues: 10 ns to 10 s */
extern const struct histogram_buckets histogram_default;     /* of Prometheus' Go client: 5 ms to 10 s */
extern const struct histogram_buckets histogram_propagation; /* 5 ms to 10 min */
extern const struct histogram_buckets histogram_lag;         /* 1 ms to 10 s */

/* HISTOGRAM_INIT(&list); belongs to whoever holds it, nothing is to be freed. */
struct histogram {
    const struct histogram_buckets *buckets;
    uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1]; /* of each bucket alone; [buckets->n]: beyond the last bound */
    uint64_t sum_ns;
};
#define HISTOGRAM_INIT(list) ((struct histogram){ .buckets = (list) })

void histogram_observe(struct histogram *h, uint64_t ns);
/* Adds what another one of the same bucket list has seen. */
void histogram_add(struct histogram *to, const struct histogram *from);
uint64_t histogram_count(const struct histogram *h);
/* Samples `<name>_bucket`, `_sum` and `_count`. labels: as exposition.h makes them, NULL or "": none. */
void histogram_write(const struct histogram *h, struct buf *out, const char *name, const char *labels);

#endif
