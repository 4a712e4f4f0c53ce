/* How many calls may be in flight to one API server, found from how it answers. Pure: no clock, no I/O. For src/kube only. */
#ifndef KUBE_LIMITER_H
#define KUBE_LIMITER_H

#include "base/base.h"

#define LIMITER_MIN 4u
#define LIMITER_MAX 256u
#define LIMITER_START 32u

enum limiter_class { LIMITER_READ, LIMITER_WRITE };
enum limiter_outcome {
    LIMITER_OK,       /* answered; latency counts */
    LIMITER_OVERLOAD, /* 429, 503 or no answer in time */
    LIMITER_IGNORE,   /* says nothing about load: refused connections, cancelled calls */
};

struct limiter_latency {
    double smooth_ms;               /* moving average, weight 1/16 */
    double floor_ms, next_floor_ms; /* smallest of the last and of the current window */
    uint64_t window_ends_ms;
};
struct limiter {
    double limit;
    uint64_t cut_ms; /* time of the last decrease */
    bool was_cut;
    struct limiter_latency latency[2];
};

void limiter_init(struct limiter *l);
/* One call ended: it was sent at sent_ms, ended at now_ms (both monotonic), while `in_flight` calls were under way. */
void limiter_sample(struct limiter *l, enum limiter_class class, enum limiter_outcome outcome, uint64_t sent_ms,
                    uint64_t now_ms, unsigned in_flight);
static inline unsigned limiter_get(const struct limiter *l)
{
    return (unsigned)l->limit;
}

#endif
