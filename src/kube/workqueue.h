/*
 * Work queue of keys with the timing of controllers.md 2.2: de-duplicating, delaying, per-key exponential backoff
 * (5 s doubling to 60 s by default, forgotten 120 s after the last touch). A key is never processed twice at once; a key
 * added while it is processed runs once more afterwards (U-31). The earlier of two due times wins (U-30).
 */
#ifndef KUBE_WORKQUEUE_H
#define KUBE_WORKQUEUE_H

#include "base/histogram.h"
#include "net/loop.h"

struct workqueue_config {
    struct loop *loop;
    unsigned max_active;         /* keys in process at once; 0: 64 */
    uint64_t backoff_initial_ms; /* 0: 5000 */
    uint64_t backoff_max_ms;     /* 0: 60000 */
    /* For metrics and the log, both optional: gets what each key took from process to workqueue_done; must outlive the queue. Over
     * 10 s is told at verbosity 4, by this name. */
    struct histogram *reconcile;
    const char *controller;
    /* Starts processing; must end with exactly one workqueue_done for the key, at once or later. */
    void (*process)(void *arg, struct str key);
    void *arg;
};
struct workqueue;
struct workqueue *workqueue_new(const struct workqueue_config *config);
void workqueue_free(struct workqueue *q);                                         /* waiting keys are dropped */
void workqueue_add(struct workqueue *q, struct str key);                          /* now; resets the key's backoff */
void workqueue_add_after(struct workqueue *q, struct str key, uint64_t delay_ms); /* resets it too */
/* After a failure. Returns the delay chosen, in ms. */
uint64_t workqueue_add_backoff(struct workqueue *q, struct str key);
void workqueue_forget(struct workqueue *q, struct str key); /* success: resets the backoff */
void workqueue_done(struct workqueue *q, struct str key);
size_t workqueue_depth(const struct workqueue *q); /* ready, not counting delayed and active */
size_t workqueue_active(const struct workqueue *q);
/* What happened since the queue was made, as client-go measures it. */
struct workqueue_stats {
    uint64_t adds;                      /* that were not added already */
    uint64_t retries;                   /* workqueue_add_backoff */
    size_t depth;                       /* ready, and added again while active */
    size_t retrying;                    /* wait for the end of their backoff */
    uint64_t unfinished_ns, longest_ns; /* of the active ones: sum and longest so far */
    struct histogram queue, work;       /* from ready to process; from process to workqueue_done */
};
void workqueue_get_stats(const struct workqueue *q, struct workqueue_stats *ret);
/* What is known of a key, for people who look inside: for (size_t i = 0; workqueue_next(q, &i, &item);) in no particular order. */
struct workqueue_item {
    struct str key; /* borrowed until the queue changes */
    const char
        *state;      /* "ready", "active", "active, and again", "delayed", "resting" (only its backoff is remembered) */
    uint64_t due_ms; /* delayed: in how many ms */
    uint64_t backoff_ms; /* 0: its last pass went well */
};
bool workqueue_next(const struct workqueue *q, size_t *iter, struct workqueue_item *ret);
bool workqueue_idle(const struct workqueue *q); /* nothing ready, delayed or active */

#endif
