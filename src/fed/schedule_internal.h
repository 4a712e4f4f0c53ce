/* What the files of a schedule share: schedule.c (roles, what the planner is told), schedule_restrain.c (holding back, remembering). */
#ifndef FED_SCHEDULE_INTERNAL_H
#define FED_SCHEDULE_INTERNAL_H

#include "fed/schedule.h"

struct scheduler {
    const struct fed_schedule_input *in;
    const struct fed_preference *pref;
    struct fed_schedule *s;
    int64_t lost_after, return_after;
    bool first;         /* nothing was placed yet */
    bool restoring;     /* with failover, shares before a loss are remembered */
    bool giving_back;   /* a cluster that was lost can be used again: the shares before the loss are what is aimed at */
    int64_t before_sum; /* of these */
    int64_t left;       /* of the total, beside what clusters keep that cannot be judged */
    int64_t to_return;  /* of that, what clusters that were lost may get back, beside what the others had before */
};

static inline bool schedule_by_room(const struct scheduler *x)
{
    return x->pref->strategy == FED_BY_FREE_RESOURCES;
}

/* What it has by the federated object. */
static inline int64_t schedule_has(const struct fed_schedule_cluster *c)
{
    return c->has_previous ? MAX(c->previous, (int64_t)0) : 0;
}

/* What it had before the loss, as a part of the present total. */
int64_t schedule_before(const struct scheduler *x, const struct fed_schedule_cluster *c);
/* Sums of what the federated object says, and of the shares. */
int64_t schedule_sum_previous(const struct scheduler *x);
int64_t schedule_sum(const struct fed_schedule *s);

/* After the shares are divided: what would move more than is allowed, or for too little, stays for now. */
void schedule_hold_back(struct scheduler *x);
/* Which clusters are lost, and what is to be remembered of the time before. */
void schedule_remember(struct scheduler *x);

#endif
