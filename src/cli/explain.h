/*
 * Inside src/cli: the parts of explain-schedule: which cluster gets how many replicas and why, worked out with the rules that the
 * controller manager uses (fed/schedule.h) from what host and members say now. Nothing is written.
 *
 * cmd_explain_schedule.c drives; explain_host.c reads preferences and their federated objects; explain_members.c objects, pods and
 * nodes of the members; explain_show.c shows the result.
 */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "cli/world.h"
#include "fed/overrides.h"
#include "fed/pods.h"
#include "fed/room.h"
#include "fed/schedule_write.h"

/* A workload that replicas are scheduled for. */
struct explain_workload {
    struct str ns, name;                /* of preference and federated object; in `rsp` */
    yyjson_doc *rsp, *object;           /* object: the federated one; NULL: there is none */
    struct fed_preference *preference;  /* NULL: it is invalid */
    const struct fed_type_config *type; /* borrowed from the world; NULL: not enabled, or without a replica count */
    struct fed_overrides *overrides;    /* borrows from `object`; may be NULL */
    yyjson_doc *labels;                 /* of its pods; NULL: not known */
    struct fed_pod_group *pods;         /* one per cluster of the world */
};

/* What one member says. */
struct explain_member {
    bool asked;       /* it is ready, and there is a way to it */
    char *problem;    /* what could not be read, or NULL */
    bool sees_object; /* the question for the object was answered */
    yyjson_doc *projection;
    bool sees_pods, sees_nodes;
    bool is_host;
    struct fed_room *room;
};

struct explain {
    struct world world;
    struct explain_workload *workloads; /* the first is the one to explain; then those that may hold promised room */
    size_t n_workloads;
    yyjson_doc *fed_namespace;
    struct explain_member *members;        /* world.n_clusters */
    struct fed_schedule_cluster *clusters; /* the same number */
    struct fed_schedule_input input;
    struct fed_schedule *schedule; /* NULL: `reason` says why there is none */
    char *key;                     /* "<namespace>/<name>" */
    const char *reason;            /* of the condition Scheduled, as it would be */
    char *message, *doubts;
};

/* Reads preference `ns`/`name`, its federated object and, when it goes by room, the other preferences that do. A preference that
 * does not exist is an error; one that cannot be scheduled sets reason and message. */
int explain_read_host(struct explain *x, struct str ns, struct str name, struct error **err);
/* Asks the members. What one does not answer is told in its `problem`. */
int explain_read_members(struct explain *x, struct error **err);
/* Fills clusters, input, schedule, reason, message and doubts. */
void explain_decide(struct explain *x);
void explain_done(struct explain *x);

/* Lines for people, and a document for programs. */
void explain_show(const struct explain *x, struct buf *out);
yyjson_mut_doc *explain_document(const struct explain *x);

#endif
