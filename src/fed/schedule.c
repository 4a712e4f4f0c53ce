/*
 * See schedule.h. Each cluster gets a role; those that cannot be judged now keep what they have; the planner divides the rest among
 * those that take part; what others do not take stays in clusters that are lost. What would move too much is held back then
 * (schedule_restrain.c).
 */
#include <stdlib.h>

#include "fed/planner.h"
#include "fed/schedule_internal.h"

int64_t schedule_sum_previous(const struct scheduler *x)
{
    int64_t sum = 0;

    for (size_t i = 0; i < x->in->n; i++)
        sum += schedule_has(&x->in->clusters[i]);
    return sum;
}

int64_t schedule_sum(const struct fed_schedule *s)
{
    int64_t sum = 0;

    for (size_t i = 0; i < s->n; i++)
        sum += s->shares[i].replicas;
    return sum;
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

static bool is_seen(const struct scheduler *x, const struct fed_schedule_cluster *c)
{
    return c->observed && (!schedule_by_room(x) || c->has_room);
}

static bool is_returning(const struct scheduler *x, const struct fed_schedule_cluster *c)
{
    bool was_lost = x->restoring && c->was_lost;

    return c->since_s < x->return_after && (was_lost || (!x->first && !c->has_previous));
}

static enum fed_schedule_role role_of(const struct scheduler *x, const struct fed_schedule_cluster *c)
{
    if (!c->selected)
        return FED_ROLE_UNSELECTED;
    if (!c->ready)
        return c->has_previous && c->since_s < x->lost_after ? FED_ROLE_HELD : FED_ROLE_LOST;
    if (!fed_preference_for(x->pref, c->name))
        return FED_ROLE_NO_PREFERENCE;
    if (!is_seen(x, c))
        return FED_ROLE_UNSEEN;
    return is_returning(x, c) ? FED_ROLE_RETURNING : FED_ROLE_CANDIDATE;
}

/* It cannot be judged now, and keeps what it has. */
static bool is_frozen(const struct scheduler *x, size_t i)
{
    enum fed_schedule_role role = x->s->shares[i].role;

    return x->in->clusters[i].has_previous &&
           (role == FED_ROLE_HELD || role == FED_ROLE_UNSEEN || role == FED_ROLE_RETURNING);
}

/* Better a cluster that is back for a moment than none. */
static void use_returning(struct scheduler *x)
{
    int64_t kept = 0;

    for (size_t i = 0; i < x->in->n; i++) {
        if (x->s->shares[i].role == FED_ROLE_CANDIDATE)
            return;
        kept += is_frozen(x, i) ? schedule_has(&x->in->clusters[i]) : 0;
    }
    for (size_t i = 0; i < x->in->n && kept < x->pref->total; i++)
        if (x->s->shares[i].role == FED_ROLE_RETURNING)
            x->s->shares[i].role = FED_ROLE_CANDIDATE;
}

static void give_roles(struct scheduler *x)
{
    for (size_t i = 0; i < x->in->n; i++)
        x->s->shares[i].role = role_of(x, &x->in->clusters[i]);
    use_returning(x);
    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_schedule_cluster *c = &x->in->clusters[i];
        struct fed_schedule_share *share = &x->s->shares[i];

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

        if (c->is_host || (!c->has_previous && !(x->restoring && c->was_lost)))
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

/* controllers.md 8.4. What scheduling gave counts as running from that moment on, and what is more than it gave does not: both are
 * on their way. Of a number that somebody else wrote, since, counts what runs. */
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
    if (x->in->ready_runs_only || !c->has_given)
        return;
    if (!is_given(c)) {
        share->current = MIN(share->current, MAX(fed_replicas(c->given), c->ready_replicas));
        return;
    }
    if (!c->has_object || c->replicas != c->previous) {
        share->has_current = true; /* it has not reached the member yet */
        share->current = schedule_has(c);
    }
    share->current = MIN(share->current, schedule_has(c));
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
    share->current = MIN(is_given(c) ? schedule_has(c) : bound, share->capacity);
}

int64_t schedule_before(const struct scheduler *x, const struct fed_schedule_cluster *c)
{
    int64_t before = c->has_before ? c->before : 0;

    return x->before_sum > x->pref->total ? before * x->pref->total / x->before_sum : before;
}

/* What it had before the loss; a cluster that was lost takes it from what the others have more than before, and from nothing else. */
static void aim_at_before(struct scheduler *x, const struct fed_schedule_cluster *c, struct fed_schedule_share *share)
{
    share->has_current = true;
    share->current = schedule_before(x, c);
    if (c->was_lost)
        share->current = MIN(share->current, x->to_return);
    if (share->has_capacity)
        share->current = MIN(share->current, share->capacity);
    if (c->was_lost)
        x->to_return -= MAX(share->current, (int64_t)0);
}

static void observe(struct scheduler *x, size_t i)
{
    const struct fed_schedule_cluster *c = &x->in->clusters[i];
    struct fed_schedule_share *share = &x->s->shares[i];

    if (share->role != FED_ROLE_CANDIDATE && share->role != FED_ROLE_NO_PREFERENCE)
        return;
    if (schedule_by_room(x))
        observe_room(c, share);
    else
        observe_weights(x, c, share);
    if (x->giving_back)
        aim_at_before(x, c, share);
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

static void read_preferences(const struct scheduler *x)
{
    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_preference_cluster *p = fed_preference_for(x->pref, x->in->clusters[i].name);
        struct fed_schedule_share *share = &x->s->shares[i];

        share->min = p ? p->min : 0;
        share->max = p ? p->max : -1;
        share->weight = p ? p->weight : 0;
    }
}

/* What a cluster that cannot be judged has. A number of the template may be of an object that was just made, or of none: it must not
 * take the replicas of others. */
static int64_t keeps(const struct scheduler *x, size_t i, int64_t placed)
{
    const struct fed_schedule_cluster *c = &x->in->clusters[i];
    int64_t has = schedule_has(c), max = x->s->shares[i].max;

    if (c->by_template && !c->has_object)
        has = c->observed ? 0 : MIN(has, (x->pref->total + placed - 1) / placed);
    return max >= 0 ? MIN(has, max) : has;
}

/* Clusters that cannot be judged are served first, with what they have: returns what is left of the total. Only a total that is
 * less than theirs takes something from them. */
static int64_t keep_frozen(const struct scheduler *x)
{
    int64_t sum = 0, left = x->pref->total, placed = 0;

    for (size_t i = 0; i < x->in->n; i++)
        placed += x->in->clusters[i].has_previous;
    for (size_t i = 0; i < x->in->n; i++)
        sum += is_frozen(x, i) ? keeps(x, i, placed) : 0;
    for (size_t i = 0; i < x->in->n; i++) {
        struct fed_schedule_share *share = &x->s->shares[i];
        int64_t n;

        if (!is_frozen(x, i))
            continue;
        n = keeps(x, i, placed);
        if (sum > MAX(x->pref->total, (int64_t)0))
            n = n * x->pref->total / sum;
        share->wanted = share->replicas = n;
        share->placed = true;
        left -= n;
    }
    return left;
}

/* Whether a cluster that was lost can be used again, and how much there is to give back. */
static void give_back(struct scheduler *x)
{
    x->to_return = x->left;
    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_schedule_cluster *c = &x->in->clusters[i];

        if (!x->restoring || x->s->shares[i].role != FED_ROLE_CANDIDATE)
            continue;
        x->giving_back |= c->was_lost;
        x->to_return -= c->was_lost ? 0 : schedule_before(x, c);
    }
    x->to_return = MAX(x->to_return, (int64_t)0);
}

static void divide(const struct scheduler *x)
{
    struct fed_planner_cluster *clusters = mem_array(x->in->n, sizeof(*clusters));
    struct fed_planner_share *plan = mem_array(x->in->n, sizeof(*plan));
    size_t *at = mem_array(x->in->n, sizeof(*at)), n = 0;

    for (size_t i = 0; i < x->in->n; i++) {
        const struct fed_schedule_share *share = &x->s->shares[i];

        if (share->role != FED_ROLE_CANDIDATE && share->role != FED_ROLE_NO_PREFERENCE)
            continue;
        at[n] = i;
        clusters[n++] = (struct fed_planner_cluster){
            .name = x->in->clusters[i].name,
            .has_preference = share->role == FED_ROLE_CANDIDATE,
            .min = share->min,
            .max = share->max,
            .weight = share->weight,
            .has_current = share->has_current,
            .current = share->current,
            .has_capacity = share->has_capacity,
            .capacity = share->capacity,
        };
    }
    fed_planner_plan(&(struct fed_planner_input){ clusters, n, x->in->key, x->left, x->pref->rebalance }, plan);
    for (size_t k = 0; k < n; k++) {
        struct fed_schedule_share *share = &x->s->shares[at[k]];

        share->overflow = schedule_by_room(x) ? 0 : plan[k].overflow;
        share->wanted = fed_replicas(plan[k].plan + share->overflow);
        share->replicas = share->wanted;
        share->placed = true;
    }
    free(clusters);
    free(plan);
    free(at);
}

/* A lost cluster gives up what others take; to give up more would help nobody. */
static void leave_the_rest(struct scheduler *x)
{
    int64_t rest = x->pref->total - schedule_sum(x->s);

    for (size_t i = 0; i < x->in->n && rest > 0; i++) {
        struct fed_schedule_share *share = &x->s->shares[i];
        int64_t n = MIN(schedule_has(&x->in->clusters[i]), rest);

        if (share->role != FED_ROLE_LOST || !fed_preference_for(x->pref, x->in->clusters[i].name))
            continue;
        if (share->max >= 0)
            n = MIN(n, share->max);
        share->wanted = share->replicas = n;
        x->s->stranded += n;
        rest -= n;
    }
}

static void look_back(struct scheduler *x)
{
    const struct fed_schedule_input *in = x->in;

    x->first = true;
    for (size_t i = 0; i < in->n; i++) {
        x->first &= !in->clusters[i].has_previous;
        x->restoring |= x->pref->has_failover && in->clusters[i].has_before;
        x->before_sum += in->clusters[i].has_before ? in->clusters[i].before : 0;
    }
}

struct fed_schedule *fed_schedule_make(const struct fed_schedule_input *in)
{
    const struct fed_preference *pref = in->preference;
    struct scheduler x = { .in = in, .pref = pref };

    x.s = mem_zalloc(sizeof(*x.s) + in->n * sizeof(x.s->shares[0]));
    x.s->n = in->n;
    x.lost_after = pref->lost_after_s >= 0 ? pref->lost_after_s : in->lost_after_s;
    x.return_after = pref->return_after_s >= 0 ? pref->return_after_s : in->return_after_s;
    look_back(&x);
    give_roles(&x);
    x.s->outcome = outcome_of(&x);
    if (x.s->outcome != FED_SCHEDULED)
        return x.s;
    read_preferences(&x);
    x.left = keep_frozen(&x);
    give_back(&x);
    for (size_t i = 0; i < in->n; i++)
        observe(&x, i);
    if (schedule_by_room(&x))
        weigh_by_room(&x);
    divide(&x);
    leave_the_rest(&x);
    schedule_hold_back(&x);
    schedule_remember(&x);
    x.s->placed = schedule_sum(x.s);
    x.s->unplaced = MAX(pref->total - x.s->placed, (int64_t)0);
    return x.s;
}
