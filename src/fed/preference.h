/*
 * ReplicaSchedulingPreference: how the replicas of a federated workload are spread over clusters (api-and-cli.md 1.8,
 * controllers.md 8; docs/scheduling.md). Additions to KubeFed's fields: strategy, rebalanceTolerance, failover; without them it
 * means what it meant there.
 */
#ifndef FED_PREFERENCE_H
#define FED_PREFERENCE_H

#include "json/json.h"

#define FED_PREFERENCE_KIND "ReplicaSchedulingPreference"
#define FED_PREFERENCE_PLURAL "replicaschedulingpreferences"

enum fed_strategy {
    FED_BY_WEIGHTS,        /* "Weights", or absent: as KubeFed */
    FED_BY_FREE_RESOURCES, /* "FreeResources": weights times what fits */
};

struct fed_preference_cluster {
    char *name; /* "*" stands for the clusters without an entry of their own */
    int64_t min, weight;
    int64_t max; /* -1: unbounded */
};

/* A number of replicas, or a share of all. */
struct fed_share {
    bool percent;
    int64_t value;
};

struct fed_preference {
    char *target_kind;
    int64_t total;
    bool rebalance, intersect;
    enum fed_strategy strategy;
    struct fed_share tolerance; /* FED_BY_FREE_RESOURCES: smaller improvements move nothing */
    bool has_failover;
    int64_t lost_after_s;                    /* -1: the control plane's setting */
    int64_t return_after_s;                  /* -1: the control plane's setting */
    struct fed_share max_moved;              /* of what leaves clusters at once */
    struct fed_preference_cluster *clusters; /* sorted by name, never empty: absent is "*" with weight 1 */
    size_t n_clusters;
};

/* *ret is owned. -EINVAL: the message lists all violations as "<path>: <violation>" (fields of a wrong type, negative numbers,
 * maxReplicas below minReplicas, an unknown strategy, a missing targetKind). */
int fed_preference_decode(yyjson_val *rsp, struct fed_preference **ret, struct error **err);
void fed_preference_free(struct fed_preference *p); /* NULL is fine */
DEFINE_CLEANUP(struct fed_preference *, fed_preference_free)

/* Its strategy is FreeResources, whatever else may be wrong with it. */
bool fed_preference_is_by_room(yyjson_val *rsp);

/* The cluster's own entry, or that of "*"; NULL: none, the cluster gets nothing. Borrowed. */
const struct fed_preference_cluster *fed_preference_for(const struct fed_preference *p, struct str cluster);
/* The share in replicas: percents of `total` are rounded up; at least 1 when the share is not 0. */
int64_t fed_share_of(struct fed_share share, int64_t total);

#endif
