/*
 * See workqueue.h. One `struct entry` per key that is ready, delayed, active or has a backoff; ready keys form a FIFO, delayed
 * ones a heap driven by one timer. Starting keys is a deferred task, so that adding a key never runs it from inside.
 */
#include "kube/workqueue.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/rtime.h"

#define DEFAULT_ACTIVE 64u
#define DEFAULT_BACKOFF_MS 5000u
#define DEFAULT_BACKOFF_MAX_MS 60000u
/* A backoff that nobody touched for twice the maximum starts anew (controllers.md 2.2). */
#define BACKOFF_FORGET_FACTOR 2u
#define SWEEP_MS 60000u
#define BURST 64u
#define LONG_NS (10 * (uint64_t)NSEC_PER_SEC)

struct entry {
    struct workqueue *queue;
    struct list link; /* in queue->ready or queue->active */
    struct heap_node delayed;
    bool is_ready, active, again; /* again: added while active */
    bool retrying;                /* delayed by a backoff */
    uint64_t backoff_ms, touched_ms;
    uint64_t since_ns; /* ready or active */
    uint64_t again_ns; /* added again */
    uint32_t key_len;
    char key[];
};

struct workqueue {
    struct workqueue_config config;
    struct set entries;
    struct list ready, active; /* the longest active one first */
    struct heap delayed;
    size_t n_ready, n_active, n_again;
    struct workqueue_stats stats; /* sums and histograms */
    struct loop_timer timer, sweeper;
    struct loop_task start_task;
};

static struct str entry_key(const void *elem)
{
    const struct entry *e = elem;
    return str_n(e->key, e->key_len);
}

static struct entry *get(struct workqueue *q, struct str key)
{
    struct entry *e = set_get(&q->entries, key);
    if (e)
        return e;
    e = mem_zalloc(sizeof(*e) + key.n + 1);
    e->queue = q;
    list_init(&e->link);
    e->key_len = (uint32_t)key.n;
    memcpy(e->key, key.p, key.n);
    set_put(&q->entries, e);
    return e;
}

static void release(struct entry *e)
{
    if (e->is_ready || e->active || e->backoff_ms || heap_has(&e->delayed))
        return;
    set_remove(&e->queue->entries, entry_key(e));
    free(e);
}

static void activate(struct entry *e)
{
    struct workqueue *q = e->queue;
    uint64_t now = time_mono_ns();

    histogram_observe(&q->stats.queue, now - e->since_ns);
    e->since_ns = now;
    e->active = true;
    q->n_active++;
    list_add_tail(&q->active, &e->link);
}

static void start_ready(void *arg)
{
    struct workqueue *q = arg;
    for (unsigned started = 0; q->n_active < q->config.max_active && !list_empty(&q->ready); started++) {
        if (started == BURST) { /* the network has its turn too */
            loop_defer(q->config.loop, &q->start_task, start_ready, q);
            return;
        }
        struct entry *e = list_entry(list_pop(&q->ready), struct entry, link);
        e->is_ready = false;
        q->n_ready--;
        activate(e);
        q->config.process(q->config.arg, entry_key(e)); /* may end it at once: e is not touched after this */
    }
}

static void set_retrying(struct entry *e, bool retrying)
{
    e->queue->stats.retrying += retrying;
    e->queue->stats.retrying -= e->retrying;
    e->retrying = retrying;
}

static void add_again(struct entry *e)
{
    if (e->again)
        return;
    e->again = true;
    e->again_ns = time_mono_ns();
    e->queue->n_again++;
    e->queue->stats.adds++;
}

static void push_ready(struct entry *e, uint64_t since_ns)
{
    struct workqueue *q = e->queue;

    e->since_ns = since_ns;
    e->is_ready = true;
    list_add_tail(&q->ready, &e->link);
    q->n_ready++;
    if (q->n_active < q->config.max_active)
        loop_defer(q->config.loop, &q->start_task, start_ready, q);
}

static void make_ready(struct entry *e)
{
    heap_remove(&e->queue->delayed, &e->delayed);
    set_retrying(e, false);
    if (e->active) {
        add_again(e);
    } else if (!e->is_ready) {
        e->queue->stats.adds++;
        push_ready(e, time_mono_ns());
    }
}

static void on_timer(void *arg);

static void arm(struct workqueue *q)
{
    struct heap_node *min = heap_min(&q->delayed);
    uint64_t now = loop_now(q->config.loop);
    if (min)
        loop_timer_start(q->config.loop, &q->timer, min->key > now ? min->key - now : 0, on_timer, q);
    else
        loop_timer_stop(&q->timer);
}

static void on_timer(void *arg)
{
    struct workqueue *q = arg;
    struct heap_node *min;
    while ((min = heap_min(&q->delayed)) && min->key <= loop_now(q->config.loop))
        make_ready(container_of(min, struct entry, delayed));
    arm(q);
}

/* The earlier of two due times wins (U-30); a ready key needs no delay. */
static void delay(struct entry *e, uint64_t delay_ms)
{
    struct workqueue *q = e->queue;
    if (delay_ms == 0) {
        make_ready(e);
        return;
    }
    if (e->is_ready)
        return;
    uint64_t due = loop_now(q->config.loop) + delay_ms;
    if (!heap_has(&e->delayed))
        heap_push(&q->delayed, &e->delayed, due);
    else if (due < e->delayed.key)
        heap_update(&q->delayed, &e->delayed, due);
    arm(q);
}

static void sweep(void *arg)
{
    struct workqueue *q = arg;
    uint64_t now = loop_now(q->config.loop);
    void *elem;
    for (size_t i = 0; set_next(&q->entries, &i, &elem);) {
        struct entry *e = elem;
        if (e->backoff_ms && now - e->touched_ms > q->config.backoff_max_ms * BACKOFF_FORGET_FACTOR)
            e->backoff_ms = 0;
        release(e);
    }
    loop_timer_start(q->config.loop, &q->sweeper, SWEEP_MS, sweep, q);
}

struct workqueue *workqueue_new(const struct workqueue_config *config)
{
    struct workqueue *q = mem_zalloc(sizeof(*q));
    q->config = *config;
    if (!q->config.max_active)
        q->config.max_active = DEFAULT_ACTIVE;
    if (!q->config.backoff_initial_ms)
        q->config.backoff_initial_ms = DEFAULT_BACKOFF_MS;
    if (!q->config.backoff_max_ms)
        q->config.backoff_max_ms = DEFAULT_BACKOFF_MAX_MS;
    q->entries = SET_INIT(entry_key);
    list_init(&q->ready);
    list_init(&q->active);
    q->stats.queue = q->stats.work = HISTOGRAM_INIT(&histogram_workqueue);
    q->delayed = HEAP_INIT;
    loop_timer_start(config->loop, &q->sweeper, SWEEP_MS, sweep, q);
    return q;
}

void workqueue_free(struct workqueue *q)
{
    if (!q)
        return;
    loop_timer_stop(&q->timer);
    loop_timer_stop(&q->sweeper);
    loop_task_cancel(&q->start_task);
    heap_done(&q->delayed); /* writes to its entries */
    void *e;
    for (size_t i = 0; set_next(&q->entries, &i, &e);)
        free(e);
    set_done(&q->entries);
    free(q);
}

void workqueue_add(struct workqueue *q, struct str key)
{
    struct entry *e = get(q, key);
    e->backoff_ms = 0;
    make_ready(e);
}

void workqueue_add_after(struct workqueue *q, struct str key, uint64_t delay_ms)
{
    struct entry *e = get(q, key);
    e->backoff_ms = 0;
    set_retrying(e, false);
    delay(e, delay_ms);
}

uint64_t workqueue_add_backoff(struct workqueue *q, struct str key)
{
    struct entry *e = get(q, key);
    uint64_t now = loop_now(q->config.loop);
    bool stale = now - e->touched_ms > q->config.backoff_max_ms * BACKOFF_FORGET_FACTOR;
    if (e->backoff_ms == 0 || stale)
        e->backoff_ms = q->config.backoff_initial_ms;
    else
        e->backoff_ms = MIN(e->backoff_ms * 2, q->config.backoff_max_ms);
    e->touched_ms = now;
    uint64_t ms = e->backoff_ms;
    q->stats.retries++;
    delay(e, ms);
    set_retrying(e, heap_has(&e->delayed));
    return ms;
}

void workqueue_forget(struct workqueue *q, struct str key)
{
    struct entry *e = set_get(&q->entries, key);
    if (!e)
        return;
    e->backoff_ms = 0;
    release(e);
}

static void deactivate(struct entry *e)
{
    struct workqueue *q = e->queue;
    uint64_t took = time_mono_ns() - e->since_ns;
    char text[32];

    e->active = false;
    q->n_active--;
    list_del(&e->link);
    histogram_observe(&q->stats.work, took);
    if (q->config.reconcile)
        histogram_observe(q->config.reconcile, took);
    if (q->config.controller && took > LONG_NS) {
        duration_format((int64_t)took, text);
        log_verbose(4, "Reconcile loop %s took %s to complete", q->config.controller, text);
    }
}

void workqueue_done(struct workqueue *q, struct str key)
{
    struct entry *e = set_get(&q->entries, key);
    assert(e && e->active);
    deactivate(e);
    if (e->again) {
        e->again = false;
        q->n_again--;
        heap_remove(&q->delayed, &e->delayed);
        set_retrying(e, false);
        push_ready(e, e->again_ns);
    } else {
        release(e);
    }
    if (!list_empty(&q->ready))
        loop_defer(q->config.loop, &q->start_task, start_ready, q);
}

size_t workqueue_depth(const struct workqueue *q)
{
    return q->n_ready;
}

size_t workqueue_active(const struct workqueue *q)
{
    return q->n_active;
}

void workqueue_get_stats(const struct workqueue *q, struct workqueue_stats *ret)
{
    uint64_t now = time_mono_ns();

    *ret = q->stats;
    ret->depth = q->n_ready + q->n_again;
    list_for_each(it, &q->active) {
        uint64_t ns = now - list_entry(it, struct entry, link)->since_ns;
        ret->unfinished_ns += ns;
        ret->longest_ns = MAX(ret->longest_ns, ns);
    }
}

bool workqueue_idle(const struct workqueue *q)
{
    return q->n_ready == 0 && q->n_active == 0 && heap_min(&q->delayed) == NULL;
}

static const char *state_of(const struct entry *e)
{
    if (e->active)
        return e->again ? "active, and again" : "active";
    return e->is_ready ? "ready" : heap_has(&e->delayed) ? "delayed" : "resting";
}

bool workqueue_next(const struct workqueue *q, size_t *iter, struct workqueue_item *ret)
{
    void *elem;

    if (!set_next(&q->entries, iter, &elem))
        return false;
    const struct entry *e = elem;
    uint64_t now = loop_now(q->config.loop);
    bool waits = heap_has(&e->delayed) && e->delayed.key > now;
    *ret = (struct workqueue_item){ .key = entry_key(e),
                                    .state = state_of(e),
                                    .due_ms = waits ? e->delayed.key - now : 0,
                                    .backoff_ms = e->backoff_ms };
    return true;
}
