/*
 * What the files of the sync controller share: sync.c (life cycle, triggers), sync_members.c (caches of member objects),
 * sync_pass.c (gather and plan), apply.c (executor), sync_finish.c (versions, status, what next), sync_delete.c (deletion).
 *
 * Ownership: a `struct pass` exists while its key is active in the work queue. It owns its snapshot, its documents, its plan
 * and its results. A `struct flight` is one running request to a member; when a pass does not wait for it any longer, the
 * flight stays in sync->flights alone, blocks further operations of its (cluster, key) pair, and on its end queues the key.
 */
#ifndef CONTROLLERS_SYNC_INTERNAL_H
#define CONTROLLERS_SYNC_INTERNAL_H

#include "base/map.h"
#include "controllers/repairs.h"
#include "controllers/service_status.h"
#include "controllers/sync.h"
#include "fed/plan.h"
#include "kube/workqueue.h"

/* How long a pass waits for a slow member before it goes on without it. */
#define SOFT_DEADLINE_MS 2000u
/* Below the 30 s after which KubeFed itself gave up waiting (controllers.md 5.10, P-02). */
#define MEMBER_TIMEOUT_MS 25000u

struct sync_member {
    struct sync *sync;
    char *name;
    struct kube_informer *informer; /* labelled target objects of this cluster; NULL until a first crd_call has ended */
    struct kube_call *crd_call;     /* GET of the CustomResourceDefinition, for the path of its replica count */
    bool crd_known;                 /* the member has told it, and its resource was not missing since */
    struct map scaled;              /* by member key: struct since of objects of which only the replica count changed */
};

struct sync {
    const struct sync_env *env;
    struct fed_type_config *type;
    struct kube_resource federated, target;
    char *owner;                           /* of version records: "types.kubefed.io/FederatedConfigMap" */
    char *component;                       /* event source: "federatedconfigmap-controller" */
    char *removals_of;                     /* what entries of removals call the type: "deployments.apps" */
    bool is_namespace;                     /* the target is Namespace */
    bool propagates;                       /* otherwise only the statuses of services are collected */
    struct service_status *service_status; /* or NULL */
    bool open;                             /* caches are complete enough to plan */
    unsigned removals_read;                /* up to which reading (removals_reads) what was put off was followed */
    bool leads;                            /* its type was read since we lead, and is as it was started with */
    uint64_t started_ms;                   /* when it was started, or lead */
    struct kube_informer *objects;
    struct map members; /* by cluster name: struct sync_member */
    bool scales;        /* the target has a scale sub-resource, and autoscalers are watched for it */
    struct autoscalers_listener autoscalers_listener;
    struct workqueue *queue;
    struct map passes;   /* by key: running struct pass */
    struct map flights;  /* by "<cluster>\n<key>": struct flight */
    struct map failing;  /* keys whose last pass left something undone */
    struct map untold;   /* by key: in which clusters the last plan was untold (fed/plan.h), as bits */
    struct map vanished; /* by key: last struct kube_object of those that went in spite of their finalizer */
    struct repairs repairs;
    struct map settled; /* sync_fights.c: updates that change nothing */
    struct map looks;   /* sync_fights.c: live objects being read */
    struct clusters_listener clusters_listener;
    struct namespaces_listener namespaces_listener;
    struct loop_timer gate_timer;
    struct map unavailable; /* names of clusters that turned unready, until the timer */
    struct loop_timer unavailable_timer;
    struct loop_timer fan_out_timer;
    struct map changes;            /* by key: when a change was seen that is not in all clusters, in ns, as a pointer */
    struct histogram *propagation; /* how long those take; of env->measures */
};

enum pass_outcome {
    PASS_DONE,
    PASS_RETRY,      /* with backoff */
    PASS_AGAIN_SOON, /* a conflict: at once, nearly */
    PASS_RECHECK,    /* in 10 s, should no event come earlier */
};

struct pass_result {
    const char *status; /* fed status string; NULL: the cluster is not in the status */
    char *error;        /* for the log and event, or NULL */
    char *version;      /* of the member object after this pass, or NULL */
    yyjson_doc *remote; /* member object's status, or NULL */
    bool waiting;       /* its operation has not ended */
    bool wrote;         /* an update succeeded */
    bool confirmed;     /* a member told this pass that the object is gone */
    bool blocked;       /* an earlier pass's operation is still under way */
    bool conflict;      /* its update lost against a write of somebody else in the same moment */
};

struct pass {
    struct sync *sync;
    char *key;
    uint64_t began_ns;
    struct kube_object *object; /* the federated object; a reference */
    yyjson_doc *doc;            /* its body */
    yyjson_doc *namespace_doc;  /* FederatedNamespace, or NULL */
    yyjson_doc *versions_doc;   /* recorded versions, or NULL */
    struct fed_versions *versions;
    struct cluster_snapshot *clusters;
    struct fed_cluster_view *views;      /* clusters->n */
    struct fed_member_obj *members;      /* clusters->n; used where views[i].obj points here */
    yyjson_doc **member_docs;            /* clusters->n */
    struct kube_object **member_objects; /* clusters->n; references */
    struct fed_plan_input input;
    struct fed_plan *plan;
    struct pass_result *results; /* clusters->n */
    unsigned running;            /* flights the pass waits for */
    bool deletion;
    struct loop_timer soft;
    struct kube_call *host_call;     /* finalizer or status request */
    void (*applied)(struct pass *p); /* all operations ended, or the soft deadline passed */
    void (*then)(struct pass *p);    /* after the finalizer request */
    void (*verified)(struct pass *p);
    unsigned verifying; /* live GETs of a deletion under way */
    struct list verifications;
    bool still_there;              /* a verification found a labelled object, or could not be made */
    bool *left_behind;             /* deletion, clusters->n: the removal there is put off */
    struct removals_waiter stored; /* until that is remembered */
    enum pass_outcome outcome;     /* when the status is written */
};

/* sync.c */
void sync_enqueue(struct sync *s, struct str key);
void sync_enqueue_soon(struct sync *s, struct str key, uint64_t ms);
void sync_enqueue_all(struct sync *s);
/* What a change of this cluster may concern. */
void sync_enqueue_cluster(struct sync *s, struct str cluster);
/* Ends a pass: frees it and tells the queue. */
void pass_end(struct pass *p, enum pass_outcome outcome);

/* sync_members.c */
void sync_members_start(struct sync *s);
void sync_members_stop(struct sync *s);
void sync_member_connect(struct sync *s, struct cluster *c);
void sync_member_disconnect(struct sync *s, struct str name);
struct sync_member *sync_member_find(const struct sync *s, struct str cluster); /* with informer, or NULL */
bool sync_member_is_starting(const struct sync *s, struct str cluster);
/* From which version on the object was only scaled, or STR_NULL. */
struct str sync_member_scaled_since(const struct sync_member *m, struct str member_key);
/* The object with this version is as it is wanted, whatever its replica count. */
void sync_member_set_scaled(struct sync_member *m, struct str member_key, struct str version);
/* Every ready cluster's cache has had its first answer, good or bad. */
bool sync_members_settled(const struct sync *s);
/* Key of the federated object for a member object's key, and back (they differ for namespaces only). Owned. */
char *sync_fed_key(const struct sync *s, struct str member_key);
char *sync_member_key(const struct sync *s, struct str fed_key);
/* Path of the target object of that federated object in a member, or of its collection. Owned. */
char *sync_target_path(const struct sync *s, struct str fed_key, bool collection);

/* sync_removals.c */
/* The removal of that object that was put off in the cluster, or NULL. Borrowed until the next call that changes something. */
const struct fed_removal *sync_removal_find(const struct sync *s, struct str cluster, struct str key);
/* Forgets it, there or in all clusters; nothing when there is none. */
void sync_removal_drop(struct sync *s, struct str cluster, struct str key);
void sync_removal_drop_all(struct sync *s, struct str key);
/* All that were put off in that cluster; STR_NULL: in any. */
void sync_enqueue_removals(struct sync *s, struct str cluster);

/* sync_fights.c */
/* Repairs that must wait are blocked. */
void pass_mark_fights(struct pass *p);
/* What is contested in which cluster by whom, for the status; NULL: nothing. Owned. Comes back when there is peace. */
char *pass_contested(struct pass *p);
/* `body` (or NULL) was sent for the object and `live` came back, before the cache learns it. An update that changed nothing is
 * not sent again while the object is as it is: admission in the member wants it otherwise. */
void sync_settle(struct sync *s, const struct sync_member *m, struct str key, struct fed_body *body, yyjson_val *live);
void sync_unsettle(struct sync *s, struct str cluster); /* the cluster's connection ends */
void sync_fights_stop(struct sync *s);

/* sync_measure.c */
/* The specification of a federated object is new, or (now NULL) it is gone. */
void sync_measure_change(struct sync *s, struct str key, const struct kube_object *now);
void pass_measure_propagation(const struct pass *p); /* all its operations have ended, or are not waited for */
void pass_measure_end(const struct pass *p);

/* sync_schedule.c: what scheduling sees of a type */
void sync_tell_watcher(struct sync *s, struct str key); /* STR_NULL: everything */

/* sync_scale.c: replica counts that belong to a member */
void sync_scale_start(struct sync *s);
void sync_scale_stop(struct sync *s);
/* The target has a scale sub-resource: autoscalers matter from now on. */
void sync_scale_enable(struct sync *s);
bool sync_is_autoscaled(const struct sync *s, struct str cluster, struct str member_key);

/* sync_pass.c */
void sync_process(void *arg, struct str key);
void sync_event(struct sync *s, const struct kube_object *object, const char *type, const char *reason,
                struct str message);
void pass_event(struct pass *p, const char *type, const char *reason, struct str message);
/* Gathers anew, plans with `planner`, applies; then `applied` (maybe before this returns). */
void pass_plan(struct pass *p, void (*planner)(const struct fed_plan_input *, struct fed_plan **),
               void (*applied)(struct pass *p));
/* PATCH of the federated object's finalizers; continues with `then` on success. */
void pass_patch_finalizer(struct pass *p, bool add, void (*then)(struct pass *p));

/* apply.c */
/* Starts all operations of p->plan; calls p->applied once (never from inside). */
void apply_start(struct pass *p);
/* An operation for that pair is under way: the status that says so (FED_STATUS_..._TIMED_OUT), or NULL. */
const char *apply_in_flight(const struct sync *s, struct str cluster, struct str key);
void apply_release(struct pass *p); /* the pass no longer waits: its flights go on alone */
void apply_cancel_all(struct sync *s);

/* sync_finish.c */
void pass_finish(struct pass *p);
/* Writes the status that follows from the results when it differs, then ends the pass. */
void pass_write_status(struct pass *p, enum pass_outcome outcome);

/* sync_delete.c */
void pass_delete(struct pass *p);
/* Was the federated object, whose last state this is, deleted in spite of its finalizer? */
bool sync_vanished(const struct kube_object *last);
/* Removes the member objects of a vanished federated object; p->object is its last state. */
void pass_remains(struct pass *p);
void pass_orphan(struct pass *p);

/* sync_verify.c */
/* Asks the wanted clusters whether they still have the object, unless they told this pass so; then `verified` (maybe before
 * this returns). p->still_there: one has it, or cannot be asked; its result says which. */
void pass_verify(struct pass *p, bool (*want)(const struct pass *p, size_t i), void (*verified)(struct pass *p));
void pass_cancel_verifications(struct pass *p);

#endif
