/*
 * The event loop: timers, deferred calls, signals. One loop belongs to one thread; everything below runs on it.
 * No callback is ever called from inside the function that registered it.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/error.h"
#include "base/heap.h"
#include "base/list.h"

struct loop;

int loop_new(struct loop **ret, struct error **err);
void loop_free(struct loop *l); /* all users must be gone; closes what is left */
DEFINE_CLEANUP(struct loop *, loop_free)

/* Runs until loop_stop, or until *done becomes true (checked after each round), or until nothing is left to wait for.
 * Returns 0 when stopped or done, -EAGAIN when nothing was left. Not re-entrant. */
int loop_run(struct loop *l, const bool *done);
void loop_stop(struct loop *l);
/* Cached monotonic time of this round, milliseconds. */
uint64_t loop_now(const struct loop *l);

/* Intrusive timer; zero it (or loop_timer_init) before first use. Restarting moves it. One shot. */
struct loop_timer {
    struct loop *loop;
    void (*fn)(void *arg);
    void *arg;
    struct heap_node node;
};
void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t delay_ms, void (*fn)(void *arg), void *arg);
void loop_timer_stop(struct loop_timer *t); /* nothing when not running */
static inline bool loop_timer_active(const struct loop_timer *t)
{
    return heap_has(&t->node);
}

/* Calls fn(arg) once, later in this or the next round, in order. Intrusive, may be cancelled. Zero before first use. */
struct loop_task {
    struct list link;
    void (*fn)(void *arg);
    void *arg;
    bool queued;
};
void loop_defer(struct loop *l, struct loop_task *t, void (*fn)(void *arg),
                void *arg); /* nothing when queued already */
void loop_task_cancel(struct loop_task *t);

/* fn runs on the loop each time the process receives the signal. NULL restores the default. */
int loop_signal(struct loop *l, int signum, void (*fn)(void *arg, int signum), void *arg, struct error **err);

/* File descriptors of others (terminals, inotify, ...). events: LOOP_READ | LOOP_WRITE; 0 pauses. */
enum { LOOP_READ = 1, LOOP_WRITE = 2 };
struct loop_io;
int loop_io_new(struct loop *l, int fd, void (*fn)(void *arg, int events), void *arg, struct loop_io **ret,
                struct error **err);
void loop_io_watch(struct loop_io *io, int events);
void loop_io_free(struct loop_io *io); /* does not close fd */

#endif
