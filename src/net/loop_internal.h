/* What the files of src/net share of the loop. */
#ifndef NET_LOOP_INTERNAL_H
#define NET_LOOP_INTERNAL_H

#include <uv.h>

#include "net/loop.h"

#define LOOP_SCRATCH_SIZE ((size_t)64 << 10)

struct loop {
    uv_loop_t uv;
    uv_timer_t timer;
    struct heap timers;
    struct list tasks;
    struct list signals;
    struct list processes; /* struct process.link */
    bool stop;
    /* One read buffer for all connections. Contents last until the next read; those of a client's connection are cleared as soon as
     * they were given out. */
    char *scratch;
};

/* process.c: kills what still runs and closes its handles. */
void processes_close(struct loop *l);

#endif
