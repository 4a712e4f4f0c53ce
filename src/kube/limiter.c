/*
 * The adaptive limit of calls in flight.
 *
 * Start at 32, always within [4, 256].
 *  - Down by half on overload (429, 503, no answer in time); down by a tenth when the smoothed latency of reads or of writes
 *    exceeds twice its floor plus 50 ms. The floor is the smallest latency of the last 30 to 60 s, so that a server that has
 *    become slower for good is not taken for an overloaded one for longer than that.
 *  - One cause lowers the limit once: only a call that was sent after the last decrease can cause the next.
 *  - Up by 4 per `limit` successful calls, when at least half the limit was in use; an unused limit proves nothing.
 * Nothing starves: 4 calls may always be in flight, a run of time-outs ends there, and every success raises the limit again
 * as soon as calls queue (from 4 to 32 in about 130 successes).
 */
#include "kube/limiter.h"

#define SMOOTHING 16.0
#define WINDOW_MS 30000u
#define SLACK_MS 50.0
#define GROWTH 4.0

void limiter_init(struct limiter *l)
{
    *l = (struct limiter){ .limit = LIMITER_START };
}

static void cut(struct limiter *l, double factor, uint64_t sent_ms, uint64_t now_ms)
{
    if (l->was_cut && sent_ms < l->cut_ms)
        return;
    l->limit = MAX(l->limit * factor, (double)LIMITER_MIN);
    l->cut_ms = now_ms;
    l->was_cut = true;
}

/* Notes a latency; true when it has risen well above the floor. */
static bool note_latency(struct limiter_latency *t, uint64_t sent_ms, uint64_t now_ms)
{
    double ms = (double)(now_ms - sent_ms);

    if (t->window_ends_ms == 0) {
        t->smooth_ms = t->floor_ms = t->next_floor_ms = ms;
        t->window_ends_ms = now_ms + WINDOW_MS;
    } else if (now_ms >= t->window_ends_ms) {
        t->floor_ms = MIN(t->next_floor_ms, ms);
        t->next_floor_ms = ms;
        t->window_ends_ms = now_ms + WINDOW_MS;
    }
    t->next_floor_ms = MIN(t->next_floor_ms, ms);
    t->floor_ms = MIN(t->floor_ms, ms);
    t->smooth_ms += (ms - t->smooth_ms) / SMOOTHING;
    return t->smooth_ms > 2 * t->floor_ms + SLACK_MS;
}

void limiter_sample(struct limiter *l, enum limiter_class class, enum limiter_outcome outcome, uint64_t sent_ms,
                    uint64_t now_ms, unsigned in_flight)
{
    assert(now_ms >= sent_ms);
    if (outcome == LIMITER_IGNORE)
        return;
    if (outcome == LIMITER_OVERLOAD) {
        cut(l, 0.5, sent_ms, now_ms);
        return;
    }
    if (note_latency(&l->latency[class], sent_ms, now_ms))
        cut(l, 0.9, sent_ms, now_ms);
    else if ((double)in_flight * 2 >= l->limit)
        l->limit = MIN(l->limit + GROWTH / l->limit, (double)LIMITER_MAX);
}
