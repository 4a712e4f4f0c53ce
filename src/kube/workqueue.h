/*
 * Work queue of keys with the timing of controllers.md 2.2: de-duplicating, delaying, per-key exponential backoff
 * (5 s doubling to 60 s by default, forgotten 120 s after the last touch). A key is never processed twice at once; a key
 * added while it is processed runs once more afterwards (U-31). The earlier of two due times wins (U-30).
 */
#ifndef KUBE_WORKQUEUE_H
#define KUBE_WORKQUEUE_H

#include "net/loop.h"

struct workqueue_config {
    struct loop *loop;
    unsigned max_active;         /* keys in process at once; 0: 64 */
    uint64_t backoff_initial_ms; /* 0: 5000 */
    uint64_t backoff_max_ms;     /* 0: 60000 */
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
bool workqueue_idle(const struct workqueue *q); /* nothing ready, delayed or active */

#endif
