/*
 * See schedule.h. Three steps: each cluster gets a role, the planner divides among those that take part, and what would move more
 * than is allowed, or for too little, is held back.
 */
#include "fed/schedule.h"

#include <stdlib.h>

#include "fed/planner.h"

struct scheduler {
    const struct fed_schedule_input *in;
    const struct fed_preference *pref;
    struct fed_schedule *s;
    int64_t lost_after, return_after;
    bool first; /* nothing was placed yet */
    bool
        restoring; /* until all that were lost are back the shares of before count as what runs: numbers that follow from
                     * what runs by now would move again while members carry them out */
};

static bool by_room(const struct scheduler *x)
{
    return x->pref->strategy == FED_BY_FREE_RESOURCES;
}

static int64_t previous(const struct fed_schedule_cluster *c)
{
    return c->has_previous ? MAX(c->previous, (int64_t)0) : 0;
}

static void recheck(struct fed_schedule *s, int64_t in_s)
{
    if (in_s > 0)
        s->recheck_s = s->recheck_s > 0 ? MIN(s->recheck_s, in_s) : in_s;
}

size_t fed_schedule_find(const struct fed_schedule_cluster *clusters, size_t n, struct str name)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(clusters[middle].name, name);

        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return n;
}

/* --- roles --- */

static enum fed_schedule_role role_of(const struct scheduler *x, const struct fed_schedule_cluster *c)
{
    if (!c->selected)
        return FED_ROLE_UNSELECTED;
    if (!c->ready)
        return c->has_previous && c->since_s < x->lost_after ? FED_ROLE_HELD : FED_ROLE_LOST;
    if (!x->first && !c->has_previous && c->since_s < x->return_after)
        return FED_ROLE_RETURNING;
    if (!c->observed || (by_room(x) && !c->has_room))
        return FED_ROLE_UNSEEN;
    return fed_preference_for(x->pref, c->name) ? FED_ROLE_CANDIDATE : FED_ROLE_NO_PREFERENCE;
}

static bool takes_part(enum fed_schedule_role role)
{
    return role == FED_ROLE_CANDIDATE || role == FED_ROLE_NO_PREFERENCE || role == FED_ROLE_HELD ||
           role == FED_ROLE_UNSEEN;
}

static void give_roles(struct scheduler *x)
{
    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_schedule_cluster *c = &x->in->clusters[i];
        struct fed_schedule_share *share = &x->s->shares[i];

        share->role = role_of(x, c);
        if (share->role == FED_ROLE_HELD)
            share->left_s = MAX(x->lost_after - c->since_s, (int64_t)1);
        else if (share->role == FED_ROLE_RETURNING)
            share->left_s = MAX(x->return_after - c->since_s, (int64_t)1);
        recheck(x->s, share->left_s);
        recheck(x->s, c->ready ? c->pods.next_s : 0);
    }
}

/* Several clusters besides the host's own are in use, some cannot be reached, and none has been ready for long: that is hardly their
 * fault. When it ends they do not all come back in the same moment; the time after which a cluster counts as lost is enough. */
static bool all_seem_lost(const struct scheduler *x)
{
    int64_t settled = MIN(x->return_after, x->lost_after);
    size_t lost = 0, back = 0;

    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_schedule_cluster *c = &x->in->clusters[i];

        if (c->is_host || !c->has_previous)
            continue;
        if (c->ready && c->since_s >= settled)
            return false;
        if (c->ready)
            recheck(x->s, settled - c->since_s);
        lost += !c->ready;
        back += c->ready;
    }
    return lost > 0 && lost + back > 1;
}

static enum fed_schedule_outcome outcome_of(const struct scheduler *x)
{
    size_t ready = 0, selected = 0;

    for (size_t i = 0; i < x->in->n; i++) {
        ready += x->in->clusters[i].ready;
        selected += x->in->clusters[i].ready && x->in->clusters[i].selected;
    }
    if (ready == 0)
        return FED_SCHEDULE_NO_CLUSTERS;
    if (selected == 0)
        return FED_SCHEDULE_NONE_SELECTED;
    return all_seem_lost(x) ? FED_SCHEDULE_ALL_LOST : FED_SCHEDULED;
}

/* --- what the planner is told --- */

/* Replicas that could not be scheduled. Pods beyond the number of replicas are about to go, and those that never ran go first:
 * without that, what was just taken away would count against the cluster a second time. */
static int64_t stuck(const struct fed_schedule_cluster *c)
{
    int64_t surplus = MAX(c->pods.total - c->replicas, (int64_t)0);

    return MAX(c->pods.unschedulable - surplus, (int64_t)0);
}

/* The number in the object is the one that scheduling gave: what does not run yet is on its way. */
static bool is_given(const struct fed_schedule_cluster *c)
{
    return c->has_previous && c->has_given && c->given == c->previous;
}

/* controllers.md 8.4. */
static void observe_weights(const struct scheduler *x, const struct fed_schedule_cluster *c,
                            struct fed_schedule_share *share)
{
    share->has_current = c->has_object;
    share->current = c->ready_replicas;
    if (c->has_object && c->replicas != c->ready_replicas && c->has_pods) {
        share->has_capacity = stuck(c) > 0;
        share->capacity = c->replicas - stuck(c);
        share->current = x->in->ready_runs_only ? c->pods.running : MAX(c->pods.running, share->capacity);
    }
    if (!x->in->ready_runs_only && is_given(c) && (!c->has_object || c->replicas != c->previous)) {
        share->has_current = true; /* it has not reached the member yet */
        share->current = previous(c);
    }
}

/* What was promised and fits counts as running: pods that start are not moved. What could not be scheduled although it seemed to
 * fit is a limit, which is remembered, or the replicas would come back as soon as they are gone. */
static void observe_room(const struct fed_schedule_cluster *c, struct fed_schedule_share *share)
{
    int64_t bound = c->has_pods ? c->pods.bound : 0;

    share->has_capacity = true;
    share->capacity = bound + c->room;
    if (c->has_limit)
        share->capacity = MIN(share->capacity, MAX(c->limit, bound));
    if (c->has_object && c->has_pods && stuck(c) > 0) {
        share->limit = MAX(c->replicas - stuck(c), bound);
        share->set_limit = true;
        share->capacity = MIN(share->capacity, share->limit);
    }
    share->has_current = true;
    share->current = MIN(is_given(c) ? previous(c) : bound, share->capacity);
}

/* It takes part with what it has, and no more. */
static void freeze(const struct fed_schedule_cluster *c, struct fed_schedule_share *share)
{
    int64_t has = previous(c);

    share->max = share->max < 0 ? has : MIN(share->max, has);
    share->min = MIN(share->min, has);
    share->has_current = true;
    share->current = has;
    share->has_capacity = false;
}

static void observe(const struct scheduler *x, size_t i)
{
    const struct fed_schedule_cluster *c = &x->in->clusters[i];
    struct fed_schedule_share *share = &x->s->shares[i];
    const struct fed_preference_cluster *p = fed_preference_for(x->pref, c->name);

    share->min = p ? p->min : 0;
    share->max = p ? p->max : -1;
    share->weight = p ? p->weight : 0;
    if (share->role == FED_ROLE_HELD || share->role == FED_ROLE_UNSEEN) {
        freeze(c, share);
        return;
    }
    if (by_room(x))
        observe_room(c, share);
    else
        observe_weights(x, c, share);
    if (c->has_before && c->since_s < x->return_after && previous(c) < c->before)
        freeze(c, share); /* it came back, but not for long */
    else if (x->restoring && c->has_before)
        share->current = share->has_capacity ? MIN(c->before, share->capacity) : c->before;
    share->has_current |= x->restoring && c->has_before;
    recheck(x->s, c->has_limit ? c->limit_left_s : 0);
}

/* Weights times room, made small enough for the planner. */
static void weigh_by_room(const struct scheduler *x)
{
    int64_t most = 0, divisor;

    for (size_t i = 0; i < x->in->n; i++) {
        struct fed_schedule_share *share = &x->s->shares[i];
        int64_t room = share->has_capacity ? share->capacity : share->current;

        share->weight *= MAX(MIN(room, (int64_t)FED_PLANNER_MAX), (int64_t)0);
        most = MAX(most, share->weight);
    }
    divisor = most / FED_PLANNER_MAX + 1;
    for (size_t i = 0; i < x->in->n; i++)
        x->s->shares[i].weight = (x->s->shares[i].weight + divisor - 1) / divisor;
}

static void divide(const struct scheduler *x)
{
    struct fed_planner_cluster *clusters = mem_array(x->in->n, sizeof(*clusters));
    struct fed_planner_share *plan = mem_array(x->in->n, sizeof(*plan));
    size_t *at = mem_array(x->in->n, sizeof(*at)), n = 0;

    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_schedule_share *share = &x->s->shares[i];

        if (!takes_part(share->role) || (share->role == FED_ROLE_UNSEEN && !x->in->clusters[i].has_previous))
            continue;
        at[n] = i;
        clusters[n++] = (struct fed_planner_cluster){
            .name = x->in->clusters[i].name,
            .has_preference = share->role != FED_ROLE_NO_PREFERENCE &&
                              fed_preference_for(x->pref, x->in->clusters[i].name) != NULL,
            .min = share->min,
            .max = share->max,
            .weight = share->weight,
            .has_current = share->has_current,
            .current = share->current,
            .has_capacity = share->has_capacity,
            .capacity = share->capacity,
        };
    }
    fed_planner_plan(&(struct fed_planner_input){ clusters, n, x->in->key, x->pref->total, x->pref->rebalance }, plan);
    for (size_t k = 0; k < n; k++) {
        struct fed_schedule_share *share = &x->s->shares[at[k]];

        share->overflow = by_room(x) ? 0 : plan[k].overflow;
        share->wanted = MAX(plan[k].plan + share->overflow, (int64_t)0);
        share->replicas = share->wanted;
        share->placed = true;
    }
    free(clusters);
    free(plan);
    free(at);
}

/* --- holding back --- */

static int64_t sum_previous(const struct scheduler *x)
{
    int64_t sum = 0;

    for (size_t i = 0; i < x->in->n; i++)
        sum += previous(&x->in->clusters[i]);
    return sum;
}

static int64_t sum_of(const struct fed_schedule *s)
{
    int64_t sum = 0;

    for (size_t i = 0; i < s->n; i++)
        sum += s->shares[i].replicas;
    return sum;
}

/* What was given to clusters and does not run yet. */
static int64_t in_motion(const struct scheduler *x)
{
    int64_t sum = 0;

    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_schedule_cluster *c = &x->in->clusters[i];

        if (c->ready && c->observed)
            sum += MAX(previous(c) - (c->has_object ? c->ready_replicas : 0), (int64_t)0);
    }
    return sum;
}

/* The previous shares are still allowed: nobody came, went, has too many or too few. */
static bool is_tolerable(const struct scheduler *x)
{
    int64_t lost = 0;

    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_schedule_share *share = &x->s->shares[i];
        int64_t has = previous(&x->in->clusters[i]);

        if (share->placed != x->in->clusters[i].has_previous)
            return false;
        if (share->placed && ((share->max >= 0 && has > share->max) || has < MIN(share->min, share->capacity) ||
                              (share->has_capacity && has > share->capacity)))
            return false;
        lost += MAX(has - share->wanted, (int64_t)0);
    }
    return sum_previous(x) == sum_of(x->s) &&
           (lost <= fed_share_of(x->pref->tolerance, x->pref->total) || in_motion(x) > 0);
}

static void tolerate(struct scheduler *x)
{
    if (!by_room(x) || !x->pref->rebalance || x->first || x->restoring || !is_tolerable(x))
        return;
    for (size_t i = 0; i < x->in->n; i++) {
        struct fed_schedule_share *share = &x->s->shares[i];
        int64_t has = previous(&x->in->clusters[i]);

        x->s->tolerated |= share->replicas != has;
        share->replicas = has;
    }
}

/* No more replicas leave their clusters than may be on the move, and none arrives that has not left. */
static void limit_moves(struct scheduler *x)
{
    int64_t grown = sum_of(x->s) - sum_previous(x), leaving, arriving;
    int64_t budget = MAX(fed_share_of(x->pref->max_moved, x->pref->total) - in_motion(x), (int64_t)0);

    leaving = budget + MAX(-grown, (int64_t)0);
    arriving = MAX(grown, (int64_t)0);
    for (size_t i = 0; i < x->in->n; i++) {
        struct fed_schedule_share *share = &x->s->shares[i];
        int64_t has = previous(&x->in->clusters[i]), less = has - share->replicas;

        if (less <= 0)
            continue;
        x->s->put_off += MAX(less - leaving, (int64_t)0);
        less = MIN(less, leaving);
        leaving -= less;
        arriving += less;
        share->replicas = has - less;
        share->placed = true;
    }
    arriving -= MAX(-grown, (int64_t)0);
    for (size_t i = 0; i < x->in->n; i++) {
        struct fed_schedule_share *share = &x->s->shares[i];
        int64_t has = previous(&x->in->clusters[i]), more = MIN(share->replicas - has, MAX(arriving, (int64_t)0));

        if (share->replicas <= has)
            continue;
        arriving -= more;
        share->replicas = has + more;
    }
}

/* A lost cluster that has nothing left leaves the placement. */
static void hold_back(struct scheduler *x)
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

/* The members have taken their numbers over, so that what runs tells the same. */
static bool is_carried_out(const struct fed_schedule_cluster *c, const struct fed_schedule_share *share)
{
    if (!share->placed)
        return !c->ready || !c->has_object;
    return c->has_object && c->replicas == share->replicas && c->ready_replicas <= share->replicas;
}

static void remember(struct scheduler *x)
{
    bool known = false, missing = false, leaves = false, settled = true;

    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_schedule_cluster *c = &x->in->clusters[i];
        const struct fed_schedule_share *share = &x->s->shares[i];

        known |= c->has_before;
        settled &= is_carried_out(c, share);
        missing |= c->has_before && share->replicas < c->before &&
                   (share->role != FED_ROLE_CANDIDATE || c->since_s < x->return_after);
        leaves |= share->role == FED_ROLE_LOST && share->replicas < previous(c);
    }
    x->s->keep_before = x->pref->has_failover && leaves && !known;
    x->s->forget_before = known && (!x->pref->has_failover || (!missing && !leaves && settled && x->s->put_off == 0));
}

static bool nothing_was_placed(const struct fed_schedule_input *in)
{
    for (size_t i = 0; i < in->n; i++)
        if (in->clusters[i].has_previous)
            return false;
    return true;
}

struct fed_schedule *fed_schedule_make(const struct fed_schedule_input *in)
{
    const struct fed_preference *pref = in->preference;
    struct scheduler x = { .in = in, .pref = pref, .first = nothing_was_placed(in) };

    x.s = mem_zalloc(sizeof(*x.s) + in->n * sizeof(x.s->shares[0]));
    x.s->n = in->n;
    x.lost_after = pref->lost_after_s >= 0 ? pref->lost_after_s : in->lost_after_s;
    x.return_after = pref->return_after_s >= 0 ? pref->return_after_s : in->return_after_s;
    give_roles(&x);
    x.s->outcome = outcome_of(&x);
    if (x.s->outcome != FED_SCHEDULED)
        return x.s;
    for (size_t i = 0; i < in->n; i++)
        x.restoring |= pref->has_failover && in->clusters[i].has_before;
    for (size_t i = 0; i < in->n; i++)
        observe(&x, i);
    if (by_room(&x))
        weigh_by_room(&x);
    divide(&x);
    hold_back(&x);
    remember(&x);
    x.s->placed = sum_of(x.s);
    x.s->unplaced = MAX(pref->total - x.s->placed, (int64_t)0);
    return x.s;
}
