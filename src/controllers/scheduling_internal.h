/*
 * What the files of scheduling share: scheduling.c (life cycle, triggers), scheduling_gather.c (what is known about the clusters),
 * scheduling_pass.c (decide, write, report).
 */
#ifndef CONTROLLERS_SCHEDULING_INTERNAL_H
#define CONTROLLERS_SCHEDULING_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "controllers/resources.h"
#include "controllers/scheduling.h"
#include "controllers/typeconfigs.h"
#include "controllers/workloads.h"
#include "fed/schedule_write.h"
#include "kube/workqueue.h"

/* What is remembered about a preference between two passes. */
struct sched_record {
    struct list link; /* in its namespace */
    char *key;
    yyjson_doc *labels; /* of its pods: spec.selector.matchLabels of the workload; NULL: not seen yet */
    bool by_room;       /* goes by free resources: holds the nodes */
    bool intersects;
    uint64_t waiting_ms; /* since when a pass waits for caches; 0: it does not */
    uint64_t told;       /* hash of the last event */
    uint64_t sent;       /* hash of the last status that was sent, and the version that it became */
    char *sent_rv;
    /* An old CRD keeps no status: what it would say, for the next pass. */
    yyjson_doc *unsaid;
    int64_t refused; /* generation for which the status was refused; it is tried again when the specification changes */
};

struct scheduling {
    struct scheduling_config config;
    const struct type_configs *types;
    struct workloads *workloads;
    struct resources *resources;
    struct kube_informer *preferences;
    struct workqueue *queue;
    struct sync_watcher watcher;
    struct workloads_listener workloads_listener;
    struct clusters_listener clusters_listener;
    struct namespaces_listener namespaces_listener;
    struct loop_timer fan_out;
    struct loop_timer room;
    bool room_changed;     /* since the timer was started */
    struct map records;    /* by key: struct sched_record */
    struct map namespaces; /* by name: struct list of records */
    struct map passes;     /* by key: struct sched_pass */
    bool holds;
    bool no_status;   /* it was told that the CRD has no status sub-resource */
    uint64_t written; /* federated objects */
};

/* A pass over one preference; exists while its key is active. */
struct sched_pass {
    struct scheduling *owner;
    char *key;
    struct kube_object *object; /* the preference; a reference */
    yyjson_doc *doc;
    struct fed_preference *preference;
    struct sync *sync;      /* only valid until the pass first waits */
    yyjson_doc *target_doc; /* the federated object */
    struct cluster_snapshot *snapshot;
    struct fed_schedule_cluster *clusters; /* snapshot->n */
    struct fed_schedule_input input;
    struct fed_schedule *schedule;
    const char *reason; /* of the condition Scheduled */
    char *message;
    const char *doubts_reason;
    char *doubts;
    struct kube_call *call;
    uint64_t status_hash;
    yyjson_doc *status; /* {"status": ...} that is being sent */
};

/* scheduling.c */
struct sched_record *sched_record(struct scheduling *s, struct str key); /* makes one */
void sched_enqueue(struct scheduling *s, struct str key);
void sched_enqueue_all(struct scheduling *s);

/* The preference with the status that it has, or would have. Borrowed. */
yyjson_val *sched_remembered(const struct sched_pass *p);

/* scheduling_gather.c */
/* Something is not known yet: true while it is worth to wait for it. */
bool sched_waits(struct sched_pass *p, bool starting);
/* Fills snapshot, clusters and input of the pass. false: caches are not complete; the pass is to be tried again in a moment. */
bool sched_gather(struct sched_pass *p);
void sched_gather_done(struct sched_pass *p);
/* JSON pointer of the replica count of the type. Owned. */
char *sched_replicas_pointer(const struct sched_pass *p);
/* What was given to the workload and does not run yet is set aside. */
void sched_promise(struct sched_pass *p);
/* The preference is gone: nothing is set aside for it any longer. */
void sched_unpromise(struct scheduling *s, struct str key);

/* scheduling_pass.c */
void sched_process(void *arg, struct str key);
void sched_pass_free(struct sched_pass *p);

#endif
