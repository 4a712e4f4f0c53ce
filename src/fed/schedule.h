/*
 * Which cluster gets how many replicas: what is known about the clusters, put into the planner (controllers.md 8.2 to 8.5), and
 * around it what KubeFed lacks: scheduling by room, clusters that are lost and come back (docs/scheduling.md). Pure: the same input
 * gives the same shares, and shares that were carried out stay as they are.
 */
#ifndef FED_SCHEDULE_H
#define FED_SCHEDULE_H

#include "fed/preference.h"

/* Pods of one workload in one cluster. */
struct fed_pod_counts {
    int64_t total;
    int64_t running;       /* running, with a condition Ready */
    int64_t bound;         /* assigned to a node and not at their end */
    int64_t unschedulable; /* for longer than the threshold */
    int64_t waiting;       /* unschedulable, but not for that long */
    int64_t next_s;        /* > 0: until the first of these has waited long enough */
};

/* Numbers of replicas are from 0 to FED_REPLICAS_MAX. */
#define FED_REPLICAS_MAX INT32_MAX
static inline int64_t fed_replicas(int64_t n)
{
    return MIN(MAX(n, (int64_t)0), (int64_t)FED_REPLICAS_MAX);
}

struct fed_schedule_cluster {
    struct str name;
    yyjson_val *labels; /* of the KubeFedCluster, which a clusterSelector of the federated object is about; or NULL */
    bool ready;
    int64_t since_s; /* for how long it has been ready, or not: >= 0 */
    bool selected;   /* it may be used: see intersectWithClusterSelector */
    bool is_host;    /* the control plane itself runs there */
    bool observed;   /* its workloads can be seen */
    bool has_object;
    int64_t replicas, ready_replicas; /* of the object there */
    bool has_pods;
    struct fed_pod_counts pods;
    bool has_previous;
    int64_t previous; /* what the federated object says now: it is placed there, with that many */
    bool by_template; /* and only the template says the number */
    bool has_given;
    int64_t given; /* what scheduling wrote there last; another number is somebody else's */
    bool has_before;
    int64_t before; /* what it said before clusters were lost */
    bool was_lost;  /* it is one of these, and has not got its share back */
    bool has_room;
    int64_t room; /* FED_BY_FREE_RESOURCES: so many more fit, beside what others were promised */
    bool has_limit;
    int64_t limit, limit_left_s; /* more than that could not be scheduled lately */
};

struct fed_schedule_input {
    const struct fed_preference *preference;
    struct str key;                              /* "<namespace>/<name>" */
    const struct fed_schedule_cluster *clusters; /* sorted by name */
    size_t n;
    int64_t lost_after_s, return_after_s; /* where the preference says nothing */
    /* Only pods that are ready count as running, as in KubeFed. Otherwise those that start do, too: numbers that follow from a start
     * half way move replicas about for nothing. */
    bool ready_runs_only;
};

enum fed_schedule_outcome {
    FED_SCHEDULED,
    FED_SCHEDULE_NO_CLUSTERS,   /* none is ready: nothing changes */
    FED_SCHEDULE_NONE_SELECTED, /* the intersection of the selectors is empty: nothing changes */
    FED_SCHEDULE_ALL_LOST,      /* all clusters but the host itself seem lost: then it is us, and nothing changes */
};

enum fed_schedule_role {
    FED_ROLE_CANDIDATE,     /* takes part */
    FED_ROLE_NO_PREFERENCE, /* takes part without a preference: gets 0 */
    FED_ROLE_HELD,          /* not ready, but not for long: keeps what it has */
    FED_ROLE_LOST,          /* not ready for long: what it had goes elsewhere, as far as others take it */
    FED_ROLE_RETURNING,     /* ready again, but not for long: keeps what it has, if anything */
    FED_ROLE_UNSEEN,        /* its workloads, or its room, cannot be seen: keeps what it has */
    FED_ROLE_UNSELECTED,
};

/* What a cluster gets, and what led to it. */
struct fed_schedule_share {
    enum fed_schedule_role role;
    bool placed;
    int64_t replicas;
    int64_t min, max, weight; /* as the planner got them */
    bool has_current, has_capacity;
    int64_t current, capacity;
    int64_t wanted;   /* before moves were put off or found too small */
    int64_t overflow; /* part of `wanted` that has no room now */
    int64_t left_s;   /* HELD, RETURNING: until that ends */
    bool set_limit;   /* `limit` is to be remembered */
    int64_t limit;
    bool lost; /* with failover: it lost replicas, and has not got them back */
};

struct fed_schedule {
    enum fed_schedule_outcome outcome;
    int64_t placed;     /* sum of all shares */
    int64_t unplaced;   /* of the total that fit nowhere */
    int64_t put_off;    /* replicas that will move later */
    int64_t stranded;   /* replicas of lost clusters that no other cluster takes */
    bool tolerated;     /* an improvement was too small to move anything */
    bool keep_before;   /* remember the previous shares (once) */
    bool forget_before; /* all is as it was before clusters were lost */
    bool memory_first;  /* what is to be remembered is lost if anything fails after the shares are written */
    int64_t recheck_s;  /* > 0: time alone changes something then */
    size_t n;
    struct fed_schedule_share shares[]; /* of input->clusters; meaningful when FED_SCHEDULED */
};

/* The place of a cluster among those sorted by name; n: it is not there. */
size_t fed_schedule_find(const struct fed_schedule_cluster *clusters, size_t n, struct str name);

/* Never fails. *ret is owned (free()). */
struct fed_schedule *fed_schedule_make(const struct fed_schedule_input *input);

/* Why the i-th cluster got its number, in one line without its name. */
void fed_schedule_why(const struct fed_schedule_input *input, const struct fed_schedule *s, size_t i, struct buf *out);
/* What in the preference cannot be fulfilled though it is well formed: "<path>: <text>", joined by ", "; nothing: empty.
 * Unknown clusters, limits and weights that contradict the total, a federated object (may be NULL) whose members keep their
 * numbers. */
void fed_schedule_doubts(const struct fed_schedule_input *input, yyjson_val *fed_object, struct buf *out);
/* How the schedule went: returns the reason of the condition Scheduled ("Scheduled": all is well, True) and appends its
 * message. */
const char *fed_schedule_conclusion(const struct fed_schedule_input *input, const struct fed_schedule *s,
                                    struct buf *out);

#endif
