/*
 * Pods of members as scheduling sees them: a small projection of each, and sums per group of pods with the same namespace and
 * labels (controllers.md 8.4, U-32).
 *
 * Unlike in KubeFed, pods that are being deleted are none that the workload has: beside their successors they would make a number
 * of pods above that of the replicas, which hides that some have no room. Until they are gone they run, and use their nodes.
 */
#ifndef FED_PODS_H
#define FED_PODS_H

#include "fed/schedule.h"
#include "json/json.h"

/* Pods that could not be scheduled for so long count as lacking room. */
#define FED_UNSCHEDULABLE_S 60

/* Pods that have ended use nothing and are not asked for. */
#define FED_PODS_FIELD_SELECTOR "status.phase!=Succeeded,status.phase!=Failed"

/* Fills the root of `out` with what is kept of a Pod: labels, node, whether it runs, whether it is being deleted ("ending"), and,
 * unless it is, since when it cannot be scheduled.
 * must_be_ready: only a condition Ready with status True counts, else any. */
void fed_pod_project(yyjson_val *live, bool must_be_ready, yyjson_mut_doc *out);

struct fed_pod {
    struct str node; /* empty: not bound yet */
    bool running, ending;
    int64_t unschedulable_since; /* seconds since the epoch; 0: it is not, or ends */
};
/* From a projection, which the result borrows from. */
void fed_pod_read(yyjson_val *projection, struct fed_pod *ret);

/* Zeroed it is empty; fed_pod_group_done frees. */
struct fed_pod_group {
    int64_t total, running, bound, ending; /* all pods, and those of them that run, have a node, end */
    int64_t *since;                        /* of the pods that cannot be scheduled */
    size_t n, cap;
};
void fed_pod_group_done(struct fed_pod_group *g);
void fed_pod_group_add(struct fed_pod_group *g, const struct fed_pod *pod);
void fed_pod_group_remove(struct fed_pod_group *g, const struct fed_pod *pod); /* one that was added as it is */
/* Adds the group to *counts. now: seconds since the epoch. */
void fed_pod_group_count(const struct fed_pod_group *g, int64_t now, struct fed_pod_counts *counts);

#endif
