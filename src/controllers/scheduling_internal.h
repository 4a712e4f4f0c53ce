/*
 * What the files of scheduling share: scheduling.c (life cycle, triggers), scheduling_gather.c (what is known about the clusters),
 * scheduling_promise.c (room that is set aside), scheduling_pass.c (decide, write), scheduling_report.c (events, status).
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

#define SCHED_LABELS_MAX 8u
/* By what the pods of a workload are known: spec.selector.matchLabels of the template, and of members where it is another. */
struct sched_labels {
    yyjson_doc *v[SCHED_LABELS_MAX];
    size_t n;
    bool more; /* than there is place for: any pod may be one of them */
};

/* What is remembered about a preference between two passes. */
struct sched_record {
    struct list link; /* in its namespace */
    char *key;
    struct sched_labels labels; /* what passes saw last */
    bool by_room;               /* goes by free resources: holds the nodes */
    bool intersects;
    uint64_t waiting_ms; /* since when a pass waits for caches; 0: it does not */
    uint64_t told;       /* hash of the last event */
    uint64_t sent;       /* hash of the last status that was sent, and the version that it became */
    char *sent_rv;
    /* What the status should say and, as far as is known, does not: it was not written, or an old CRD keeps none. */
    yyjson_doc *unsaid;
    int64_t refused; /* generation for which an old CRD refused it; it is tried again when the specification changes */
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
    bool room_changed;      /* since the timer was started */
    uint64_t room_since_ms; /* when what goes by room was queued last */
    uint64_t room_spent_ns; /* on looking at room since then */
    bool promoted, leads;   /* leads: the preferences were listed since */
    bool rooms_new;         /* there are rooms that know of no promise yet */
    struct map records;     /* by key: struct sched_record */
    struct map namespaces;  /* by name: struct list of records */
    struct map passes;      /* by key: struct sched_pass */
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
    char *patch, *patch_path; /* of the federated object, while something else is written first */
    bool not_written;         /* the shares could not be written */
    uint64_t status_hash;
    bool says_all;                     /* it has shares and memory in it, too */
    yyjson_doc *status;                /* {"status": ...} that is being sent */
    void (*then)(struct sched_pass *); /* after what must not be forgotten was written */
};

/* scheduling.c */
struct sched_record *sched_record(struct scheduling *s, struct str key); /* makes one */
void sched_enqueue(struct scheduling *s, struct str key);
void sched_enqueue_all(struct scheduling *s);
/* Somewhere there is more room, or less: what goes by it is looked at soon. */
void sched_room_changed(struct scheduling *s);

/* scheduling_gather.c */
/* Something is not known yet: true while it is worth to wait for it. */
bool sched_waits(struct sched_pass *p, bool starting);
/* Fills snapshot, clusters and input of the pass. false: caches are not complete; the pass is to be tried again in a moment. */
bool sched_gather(struct sched_pass *p);
void sched_gather_done(struct sched_pass *p);
/* JSON pointer of the replica count of the type. Owned. */
char *sched_replicas_pointer(const struct sched_pass *p);
/* Snapshot and clusters of the pass, whether complete or not. */
void sched_gather_clusters(struct sched_pass *p);

void sched_labels_done(struct sched_labels *l);
/* The pod is one of the workload, or may be. */
bool sched_labels_match(const struct sched_labels *l, yyjson_val *pod_labels);

/* scheduling_promise.c */
/* What was given to the workload and does not run yet is set aside. */
void sched_promise(struct sched_pass *p);
/* The preference is gone, or schedules nothing: nothing is set aside for it any longer. */
void sched_unpromise(struct scheduling *s, struct str key);
/* In rooms that are new: the same for all preferences, by what their objects say. Before the first decision by room. */
void sched_promise_all(struct scheduling *s);

/* scheduling_report.c */
/* The preference with the status that it has, or would have. Borrowed. */
yyjson_val *sched_remembered(const struct sched_pass *p);
/* Ends the pass: with events, and a status if another is due. */
void sched_finish(struct sched_pass *p, const char *reason, char *message);
/* Writes what must not be forgotten, then calls `then`; when that fails the pass ends and is tried again. */
void sched_remember(struct sched_pass *p, void (*then)(struct sched_pass *p));

/* scheduling_pass.c */
void sched_process(void *arg, struct str key);
void sched_pass_free(struct sched_pass *p);
void sched_pass_end(struct sched_pass *p);
void sched_pass_retry(struct sched_pass *p, const struct error *err);

#endif
