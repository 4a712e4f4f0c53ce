/*
 * See planner.h. Four steps, as controllers.md 8.5 numbers them: minimums, what runs, rounds by weight, overflow. The clusters that
 * take part are sorted once; a round looks at those that are not full yet.
 */
#include "fed/planner.h"

#include <stdlib.h>

struct candidate {
    const struct fed_planner_cluster *cluster;
    uint32_t hash;
    int64_t min, max, weight, current, capacity;
    int64_t plan;
    int64_t kept; /* of what runs: counts against its shares in the rounds */
    int64_t over; /* cut off by capacity in the last round that did so */
    bool has_over;
    size_t index; /* in the input */
};

struct planner {
    const struct fed_planner_input *input;
    struct candidate *all; /* sorted */
    size_t n;
    struct candidate **active; /* not full, and a round may change them; n_active */
    size_t n_active;
    int64_t remaining;
};

uint32_t fed_planner_hash(struct str a, struct str b)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < a.n; i++)
        h = (h * 16777619u) ^ (uint8_t)a.p[i];
    for (size_t i = 0; i < b.n; i++)
        h = (h * 16777619u) ^ (uint8_t)b.p[i];
    return h;
}

static int64_t clamp(int64_t v)
{
    return MAX(MIN(v, (int64_t)FED_PLANNER_MAX), -(int64_t)FED_PLANNER_MAX);
}

static int64_t natural(int64_t v)
{
    return MAX(clamp(v), (int64_t)0);
}

static int compare(const void *x, const void *y)
{
    const struct candidate *a = x, *b = y;

    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return str_cmp(a->cluster->name, b->cluster->name);
}

static void gather(struct planner *p)
{
    const struct fed_planner_input *in = p->input;

    for (size_t i = 0; i < in->n; i++) {
        const struct fed_planner_cluster *c = &in->clusters[i];

        if (!c->has_preference)
            continue;
        p->all[p->n++] = (struct candidate){ .cluster = c,
                                             .hash = fed_planner_hash(c->name, in->key),
                                             .min = natural(c->min),
                                             .max = clamp(c->max),
                                             .weight = natural(c->weight),
                                             .current = natural(c->current),
                                             .capacity = clamp(c->capacity),
                                             .index = i };
    }
    if (p->n)
        qsort(p->all, p->n, sizeof(*p->all), compare);
}

static void give_minimums(struct planner *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct candidate *c = &p->all[i];
        int64_t m = MIN(c->min, p->remaining);

        if (c->cluster->has_capacity)
            m = MIN(m, c->capacity);
        p->remaining -= m;
        c->plan = m;
    }
}

static void keep_what_runs(struct planner *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct candidate *c = &p->all[i];
        int64_t target = c->current;

        if (!c->cluster->has_current || c->current <= c->plan)
            continue;
        if (c->max >= 0)
            target = MIN(target, c->max);
        if (c->cluster->has_capacity)
            target = MIN(target, c->capacity);
        c->kept = MAX((int64_t)0, MIN(target - c->plan, p->remaining));
        p->remaining -= c->kept;
        c->plan += c->kept;
    }
}

/* Its share of this round, of which what it keeps anyway is the first part. Returns whether it is full now. */
static bool give_share(struct planner *p, struct candidate *c, int64_t share, bool *modified)
{
    int64_t used = MIN(share, c->kept), target = c->plan + share - used;
    bool full = false;

    c->kept -= used;
    *modified |= used > 0;
    if (c->max >= 0 && target > c->max) {
        target = c->max;
        full = true;
    }
    if (c->cluster->has_capacity && target > c->capacity) {
        c->over = target - c->capacity;
        c->has_over = true;
        target = c->capacity;
        full = true;
    }
    p->remaining -= target - c->plan;
    *modified |= target > c->plan;
    c->plan = target;
    return full;
}

/* Negative capacities let what remains exceed the total, so that the product needs more than 64 bits. */
static int64_t share_of(const struct candidate *c, int64_t round, int64_t weights)
{
    return (int64_t)(((__int128)round * c->weight + weights - 1) / weights);
}

/* A round in which all shares came out of what is kept repeats itself until something of that is used up: those rounds are
 * skipped at once, or a large number that runs would take as many rounds. */
static void skip_rounds(struct planner *p, int64_t round, int64_t weights)
{
    int64_t skip = INT64_MAX;

    for (size_t i = 0; i < p->n_active; i++) {
        int64_t share = MIN(share_of(p->active[i], round, weights), round);

        if (share > 0)
            skip = MIN(skip, p->active[i]->kept / share);
    }
    for (size_t i = 0; i < p->n_active && skip < INT64_MAX; i++) {
        int64_t share = MIN(share_of(p->active[i], round, weights), round);

        if (share > 0)
            p->active[i]->kept -= skip * share;
    }
}

static bool run_round(struct planner *p)
{
    int64_t weights = 0, round = p->remaining;
    size_t before = p->n_active, left = 0;
    bool modified = false;

    for (size_t i = 0; i < before; i++)
        weights += p->active[i]->weight;
    for (size_t i = 0; i < before && weights > 0; i++) {
        struct candidate *c = p->active[i];

        if (!give_share(p, c, MIN(share_of(c, round, weights), p->remaining), &modified))
            p->active[left++] = c;
    }
    p->n_active = left;
    if (modified && left == before && p->remaining == round)
        skip_rounds(p, round, weights);
    return modified;
}

/* Without weight a cluster has no share of any round. What the first one may do is take a minimum back that exceeds the maximum;
 * capacity bounds minimums anyway. */
static bool takes_part(const struct candidate *c)
{
    return c->weight > 0 || (c->max >= 0 && c->plan > c->max);
}

static void divide(struct planner *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (takes_part(&p->all[i]))
            p->active[p->n_active++] = &p->all[i];
    while (p->remaining > 0 && run_round(p))
        ;
}

static int64_t overflow_of(const struct planner *p, const struct candidate *c)
{
    if (!c->has_over)
        return 0;
    return p->input->rebalance ? c->over : MAX(MIN(c->over, p->remaining), (int64_t)0);
}

void fed_planner_plan(const struct fed_planner_input *input, struct fed_planner_share *ret)
{
    struct planner p = { .input = input, .remaining = natural(input->total) };

    for (size_t i = 0; i < input->n; i++)
        ret[i] = (struct fed_planner_share){ 0, 0 };
    p.all = mem_array(input->n, sizeof(*p.all));
    p.active = mem_array(input->n, sizeof(struct candidate *));
    gather(&p);
    give_minimums(&p);
    if (!input->rebalance)
        keep_what_runs(&p);
    divide(&p);
    for (size_t i = 0; i < p.n; i++)
        ret[p.all[i].index] = (struct fed_planner_share){ p.all[i].plan, overflow_of(&p, &p.all[i]) };
    free(p.all);
    free(p.active);
}
