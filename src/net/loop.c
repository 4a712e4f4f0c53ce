/*
 * The event loop on libuv: timers, in a heap, and deferred tasks run between two polls, so that nothing they ask for waits
 * for I/O; one uv_timer ends the poll when the next timer is due. Handles of libuv are closed asynchronously: whatever embeds
 * one is freed in its close callback.
 */
#include "net/loop.h"

#include <signal.h>
#include <stdlib.h>

#include "net/loop_internal.h"

int loop_new(struct loop **ret, struct error **err)
{
    signal(SIGPIPE, SIG_IGN); /* a peer that closed must be an error of a write, not the end of the process */
    struct loop *l = mem_zalloc(sizeof(*l));
    int r = uv_loop_init(&l->uv);
    if (r < 0) {
        free(l);
        return error_set(err, r, "cannot create an event loop: %s", uv_strerror(r));
    }
    uv_timer_init(&l->uv, &l->timer);
    l->timers = HEAP_INIT;
    list_init(&l->tasks);
    list_init(&l->signals);
    list_init(&l->processes);
    l->scratch = mem_alloc(LOOP_SCRATCH_SIZE);
    *ret = l;
    return 0;
}

static void close_handle(uv_handle_t *h, void *arg)
{
    (void)arg;
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

struct signal_watch {
    uv_signal_t uv;
    struct list link;
    int signum;
    void (*fn)(void *arg, int signum);
    void *arg;
};

static void free_signal(uv_handle_t *h)
{
    free(container_of((uv_signal_t *)h, struct signal_watch, uv));
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    list_for_each(it, &l->signals) {
        struct signal_watch *w = list_entry(it, struct signal_watch, link);
        list_del(&w->link);
        uv_close((uv_handle_t *)&w->uv, free_signal);
    }
    for (int i = 0; i < 1000 && !list_empty(&l->tasks); i++) {
        struct loop_task *t = list_entry(list_pop(&l->tasks), struct loop_task, link);
        t->queued = false;
        t->fn(t->arg);
    }
    processes_close(l);
    uv_run(&l->uv, UV_RUN_NOWAIT); /* close callbacks of what was closed already */
    uv_walk(&l->uv, close_handle, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    uv_loop_close(&l->uv);
    heap_done(&l->timers);
    free(l->scratch);
    free(l);
}

/* --- tasks --- */

static void run_tasks(struct loop *l)
{
    struct list batch; /* what these tasks queue runs in the next round */
    list_init(&batch);
    struct list *n;
    while ((n = list_pop(&l->tasks)))
        list_add_tail(&batch, n);
    while ((n = list_pop(&batch))) {
        struct loop_task *t = list_entry(n, struct loop_task, link);
        t->queued = false;
        t->fn(t->arg);
    }
}

void loop_defer(struct loop *l, struct loop_task *t, void (*fn)(void *arg), void *arg)
{
    if (t->queued)
        return;
    t->fn = fn;
    t->arg = arg;
    t->queued = true;
    list_add_tail(&l->tasks, &t->link);
}

void loop_task_cancel(struct loop_task *t)
{
    if (!t->queued)
        return;
    t->queued = false;
    list_del(&t->link);
}

/* --- timers --- */

static void run_timers(struct loop *l)
{
    uint64_t now = uv_now(&l->uv);
    struct heap_node *min;
    while ((min = heap_min(&l->timers)) && min->key <= now) {
        struct loop_timer *t = container_of(min, struct loop_timer, node);
        heap_remove(&l->timers, min);
        t->fn(t->arg);
    }
}

void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t delay_ms, void (*fn)(void *arg), void *arg)
{
    loop_timer_stop(t);
    uv_update_time(&l->uv);
    t->loop = l;
    t->fn = fn;
    t->arg = arg;
    heap_push(&l->timers, &t->node, uv_now(&l->uv) + delay_ms);
}

void loop_timer_stop(struct loop_timer *t)
{
    if (heap_has(&t->node))
        heap_remove(&t->loop->timers, &t->node);
}

/* --- running --- */

/* Only ends the wait: libuv may call this before it polls, and would then wait for I/O although a timer was due. */
static void on_timer(uv_timer_t *handle)
{
    struct loop *l = container_of(handle, struct loop, timer);
    uv_stop(&l->uv);
}

/* Waits for I/O, at most until the next timer is due. */
static int wait_for_io(struct loop *l)
{
    struct heap_node *min = heap_min(&l->timers);
    uint64_t now = uv_now(&l->uv);
    if (min)
        uv_timer_start(&l->timer, on_timer, min->key > now ? min->key - now : 0, 0);
    else
        uv_timer_stop(&l->timer);
    return uv_run(&l->uv, list_empty(&l->tasks) ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

int loop_run(struct loop *l, const bool *done)
{
    l->stop = false;
    while (!l->stop && !(done && *done)) {
        uv_update_time(&l->uv);
        run_timers(l);
        if (l->stop || (done && *done))
            break;
        run_tasks(l);
        if (l->stop || (done && *done))
            break;
        int alive = wait_for_io(l);
        if (!alive && list_empty(&l->tasks) && !heap_min(&l->timers) && !l->stop && !(done && *done))
            return -EAGAIN;
    }
    return 0;
}

void loop_stop(struct loop *l)
{
    l->stop = true;
}

uint64_t loop_now(const struct loop *l)
{
    return uv_now(&l->uv);
}

/* --- signals --- */

static void on_signal(uv_signal_t *handle, int signum)
{
    struct signal_watch *w = container_of(handle, struct signal_watch, uv);
    w->fn(w->arg, signum);
}

int loop_signal(struct loop *l, int signum, void (*fn)(void *arg, int signum), void *arg, struct error **err)
{
    list_for_each(it, &l->signals) {
        struct signal_watch *w = list_entry(it, struct signal_watch, link);
        if (w->signum != signum)
            continue;
        list_del(&w->link);
        uv_close((uv_handle_t *)&w->uv, free_signal);
    }
    if (!fn)
        return 0;
    struct signal_watch *w = mem_zalloc(sizeof(*w));
    w->signum = signum;
    w->fn = fn;
    w->arg = arg;
    int r = uv_signal_init(&l->uv, &w->uv);
    list_add_tail(&l->signals, &w->link);
    if (r == 0)
        r = uv_signal_start(&w->uv, on_signal, signum);
    if (r < 0)
        return error_set(err, r, "cannot handle signal %d: %s", signum, uv_strerror(r));
    uv_unref((uv_handle_t *)&w->uv); /* a signal handler alone keeps no loop alive */
    return 0;
}

/* --- file descriptors --- */

struct loop_io {
    uv_poll_t uv;
    void (*fn)(void *arg, int events);
    void *arg;
    bool freed;
};

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct loop_io *io = container_of(handle, struct loop_io, uv);
    int mine = 0;
    if (status < 0)
        mine = LOOP_READ | LOOP_WRITE; /* the next read or write reports the error */
    if (events & (UV_READABLE | UV_DISCONNECT))
        mine |= LOOP_READ;
    if (events & UV_WRITABLE)
        mine |= LOOP_WRITE;
    if (!io->freed && mine)
        io->fn(io->arg, mine);
}

int loop_io_new(struct loop *l, int fd, void (*fn)(void *arg, int events), void *arg, struct loop_io **ret,
                struct error **err)
{
    struct loop_io *io = mem_zalloc(sizeof(*io));
    int r = uv_poll_init(&l->uv, &io->uv, fd);
    if (r < 0) {
        free(io);
        return error_set(err, r, "cannot watch file descriptor %d: %s", fd, uv_strerror(r));
    }
    io->fn = fn;
    io->arg = arg;
    *ret = io;
    return 0;
}

void loop_io_watch(struct loop_io *io, int events)
{
    int want = ((events & LOOP_READ) ? UV_READABLE : 0) | ((events & LOOP_WRITE) ? UV_WRITABLE : 0);
    if (want)
        uv_poll_start(&io->uv, want, on_poll);
    else
        uv_poll_stop(&io->uv);
}

static void free_io(uv_handle_t *h)
{
    free(container_of((uv_poll_t *)h, struct loop_io, uv));
}

void loop_io_free(struct loop_io *io)
{
    if (!io)
        return;
    io->freed = true;
    uv_poll_stop(&io->uv);
    uv_close((uv_handle_t *)&io->uv, free_io);
}
