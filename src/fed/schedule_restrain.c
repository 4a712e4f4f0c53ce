/*
 * A schedule's restraint: an improvement that is too small moves nothing, no more leave their clusters at once than failover allows,
 * and the shares before a loss are remembered until the clusters that were lost have them back. See schedule_internal.h.
 */
#include "fed/schedule_internal.h"

/* A cluster that has been back for so long has what it will have, be it less than before. */
#define GIVE_UP_S 3600

/* --- small improvements --- */

static bool is_starting(const struct scheduler *x)
{
    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_schedule_cluster *c = &x->in->clusters[i];

        if (c->ready && c->observed && schedule_has(c) > (c->has_object ? c->ready_replicas : 0))
            return true;
    }
    return false;
}

/* Nothing beyond its minimum is to be there. */
static bool is_unwanted(const struct scheduler *x, size_t i)
{
    const struct fed_preference_cluster *p = fed_preference_for(x->pref, x->in->clusters[i].name);

    return !p || (p->weight == 0 && schedule_has(&x->in->clusters[i]) > p->min);
}

/* The previous shares are still allowed: nobody came, went, has too many or too few. */
static bool is_tolerable(const struct scheduler *x)
{
    int64_t lost = 0;

    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_schedule_share *share = &x->s->shares[i];
        int64_t has = schedule_has(&x->in->clusters[i]);

        if (share->placed != x->in->clusters[i].has_previous || (has > share->wanted && is_unwanted(x, i)))
            return false;
        if (share->placed && ((share->max >= 0 && has > share->max) || has < MIN(share->min, share->capacity) ||
                              (share->has_capacity && has > share->capacity)))
            return false;
        lost += MAX(has - share->wanted, (int64_t)0);
    }
    return schedule_sum_previous(x) == schedule_sum(x->s) &&
           (lost <= fed_share_of(x->pref->tolerance, x->pref->total) || is_starting(x));
}

static void tolerate(struct scheduler *x)
{
    if (!schedule_by_room(x) || !x->pref->rebalance || x->first || x->restoring || !is_tolerable(x))
        return;
    for (size_t i = 0; i < x->in->n; i++) {
        struct fed_schedule_share *share = &x->s->shares[i];
        int64_t has = schedule_has(&x->in->clusters[i]);

        x->s->tolerated |= share->replicas != has;
        share->replicas = has;
    }
}

/* --- not too many at once --- */

/* What runs of what it has, as far as that can be seen. */
static int64_t runs(const struct fed_schedule_cluster *c)
{
    return c->ready && c->observed && c->has_object ? c->ready_replicas : 0;
}

/* What was moved since the loss and does not run yet. Replicas that were there before and do not run have other reasons. */
static int64_t in_motion(const struct scheduler *x)
{
    int64_t sum = 0;

    for (size_t i = 0; i < x->in->n && x->restoring; i++) {
        const struct fed_schedule_cluster *c = &x->in->clusters[i];
        int64_t stayed = c->has_before && !c->was_lost ? c->before : 0;

        if (x->s->shares[i].role != FED_ROLE_LOST)
            sum += MAX(schedule_has(c) - MAX(runs(c), stayed), (int64_t)0);
    }
    return sum;
}

/* Replicas that do not run in a cluster that can be seen may leave it at once: they serve nobody, and may wait for room. */
static int64_t leaves_freely(const struct scheduler *x, size_t i, int64_t less)
{
    const struct fed_schedule_cluster *c = &x->in->clusters[i];

    if (x->s->shares[i].role == FED_ROLE_LOST || !c->ready || !c->observed)
        return 0;
    return MIN(less, MAX(schedule_has(c) - runs(c), (int64_t)0));
}

/* Takes back what leaves its cluster beyond `budget`. Returns what leaves. */
static int64_t limit_leaving(struct scheduler *x, int64_t budget)
{
    int64_t left = 0;

    for (size_t i = 0; i < x->in->n; i++) {
        struct fed_schedule_share *share = &x->s->shares[i];
        int64_t has = schedule_has(&x->in->clusters[i]), less = has - share->replicas, goes;

        if (less <= 0)
            continue;
        goes = leaves_freely(x, i, less);
        goes += MIN(less - goes, MAX(budget, (int64_t)0));
        budget -= goes - leaves_freely(x, i, less);
        x->s->put_off += less - goes;
        share->replicas = has - goes;
        share->placed = true;
        left += goes;
    }
    return left;
}

/* Each gets its part of those that arrive, or the first in the alphabet would have to give some of it back later. */
static void share_arrivals(struct scheduler *x, int64_t arriving)
{
    int64_t wanted = 0, seen = 0, given = 0;

    for (size_t i = 0; i < x->in->n; i++)
        wanted += MAX(x->s->shares[i].replicas - schedule_has(&x->in->clusters[i]), (int64_t)0);
    arriving = MIN(arriving, wanted);
    for (size_t i = 0; i < x->in->n && wanted > 0; i++) {
        struct fed_schedule_share *share = &x->s->shares[i];
        int64_t has = schedule_has(&x->in->clusters[i]), more = share->replicas - has;

        if (more <= 0)
            continue;
        seen += more;
        share->replicas = has + (int64_t)((__int128)arriving * seen / wanted) - given;
        given = (int64_t)((__int128)arriving * seen / wanted);
    }
}

/* No more replicas leave their clusters than may be on the move, and none arrives that has not left. What a changed total adds or
 * takes away is no move. */
static void limit_moves(struct scheduler *x)
{
    int64_t grown = schedule_sum(x->s) - schedule_sum_previous(x);
    int64_t shrunk = MAX(-grown, (int64_t)0), allowed = fed_share_of(x->pref->max_moved, x->pref->total);
    int64_t left = limit_leaving(x, MAX(allowed - in_motion(x), (int64_t)0) + shrunk);

    share_arrivals(x, MAX(left - shrunk + MAX(grown, (int64_t)0), (int64_t)0));
}

/* A lost cluster that has nothing left leaves the placement. */
void schedule_hold_back(struct scheduler *x)
{
    bool lost = false;

    for (size_t i = 0; i < x->in->n; i++)
        lost |= x->s->shares[i].role == FED_ROLE_LOST && x->in->clusters[i].has_previous;
    tolerate(x);
    if (x->pref->has_failover && !x->first && (lost || x->restoring))
        limit_moves(x);
    for (size_t i = 0; i < x->in->n; i++) {
        struct fed_schedule_share *share = &x->s->shares[i];

        if (share->role == FED_ROLE_LOST || share->role == FED_ROLE_UNSELECTED)
            share->placed = share->replicas > 0;
    }
}

/* --- the memory of how it was --- */

/* It lacks something of what it had, and is still wanted. That others cannot be judged, or that it has no room yet, passes. */
static bool is_still_lost(const struct scheduler *x, size_t i)
{
    const struct fed_schedule_share *share = &x->s->shares[i];
    const struct fed_schedule_cluster *c = &x->in->clusters[i];
    int64_t due;

    if (share->role == FED_ROLE_UNSELECTED || !fed_preference_for(x->pref, c->name))
        return false;
    if (share->role != FED_ROLE_CANDIDATE || share->replicas < share->wanted)
        return true;
    due = schedule_before(x, c);
    return share->replicas < (share->max >= 0 ? MIN(due, share->max) : due) && c->since_s < x->return_after + GIVE_UP_S;
}

void schedule_remember(struct scheduler *x)
{
    bool known = false, leaves = false, lost = false;

    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_schedule_cluster *c = &x->in->clusters[i];
        struct fed_schedule_share *share = &x->s->shares[i];
        bool gives = share->role == FED_ROLE_LOST && share->replicas < schedule_has(c);

        known |= c->has_before;
        leaves |= gives;
        share->lost = x->pref->has_failover && (gives || c->was_lost || (x->giving_back && c->has_before)) &&
                      is_still_lost(x, i);
        lost |= share->lost;
        x->s->memory_first |= (share->lost && !c->was_lost) || (share->set_limit && !c->has_limit);
    }
    x->s->keep_before = x->pref->has_failover && leaves && !known;
    x->s->forget_before = known && !lost;
}
