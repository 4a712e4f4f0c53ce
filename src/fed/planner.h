/*
 * Divides replicas among clusters by minimum, maximum, weight and what is known about room (controllers.md 8.5). The results
 * are those of KubeFed, number by number, also where the sum exceeds the total.
 */
#ifndef FED_PLANNER_H
#define FED_PLANNER_H

#include "base/base.h"
#include "base/str.h"

/* Replicas of others are never more than this, so that sums and products of two fit into 64 bits. */
#define FED_PLANNER_MAX INT32_MAX

struct fed_planner_cluster {
    struct str name;     /* unique; the order of the clusters does not matter */
    bool has_preference; /* false: takes no part and gets 0 */
    int64_t min;         /* at least, while replicas last */
    int64_t max;         /* at most; < 0: unbounded */
    int64_t weight;      /* share of what is left after the minimums */
    bool has_current;    /* something runs there, maybe 0 */
    int64_t current;     /* replicas that run and are ready */
    bool has_capacity;   /* something could not be scheduled there */
    int64_t capacity;    /* replicas that found room; may be negative */
};

struct fed_planner_input {
    const struct fed_planner_cluster *clusters;
    size_t n;
    struct str key; /* "<namespace>/<name>": decides which of equal clusters comes first */
    int64_t total;  /* replicas to place */
    bool rebalance; /* may take replicas away from where they run */
};

/* What a cluster gets, in the order of the input. */
struct fed_planner_share {
    int64_t plan;
    int64_t overflow; /* on top: more than its capacity, so that it is used as soon as there is room */
};

/* ret: room for input->n shares. n log n, and as many rounds as clusters reach a limit. Numbers outside
 * [-FED_PLANNER_MAX, FED_PLANNER_MAX] are taken as the nearest in it; a total, minimum, weight or current number below 0 counts as
 * 0 (the original went astray: such preferences are refused before, see fed/preference.h). */
void fed_planner_plan(const struct fed_planner_input *input, struct fed_planner_share *ret);

/* 32 bit FNV-1 of a followed by b. */
uint32_t fed_planner_hash(struct str a, struct str b);

#endif
