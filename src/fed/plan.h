/*
 * The planner: from what is known (the federated object, clusters, cached member objects, recorded versions) to what is to
 * be done, without any I/O (controllers.md 5.4 to 5.12). The same input gives the same plan.
 *
 * Member objects come as projections (fed_member_project): what placement, retention and comparison need, no more.
 */
#ifndef FED_PLAN_H
#define FED_PLAN_H

#include "fed/behavior.h"
#include "fed/object.h"
#include "fed/removal.h"
#include "fed/typeconfig.h"
#include "fed/version.h"

/* A member object as cached. */
struct fed_member_obj {
    struct str uid, resource_version;
    int64_t generation;
    bool deleting;
    bool autoscaled; /* something in the member decides about the replica count */
    /* An earlier version since which only the replica count changed (fed_member_scaled); or empty. */
    struct str same_but_scaled;
    yyjson_val *root; /* fed_member_project's result */
};

struct fed_cluster_view {
    struct str name;
    yyjson_val *labels;               /* of the KubeFedCluster, or NULL */
    bool ready;                       /* condition Ready */
    bool store_ready;                 /* the cache of this member is complete for this type */
    const char *store_status;         /* FED_STATUS_CLIENT_RETRIEVAL_FAILED or ..CACHED.. when !store_ready */
    struct str store_error;           /* why not */
    bool store_filling;               /* !store_ready, but it is only a matter of time: no failure yet */
    bool untold;                      /* as the last plan said: a failure is told, though the status has it */
    const struct fed_member_obj *obj; /* NULL: absent, or not known when !store_ready */
    int64_t unready_since;            /* !ready: seconds since the epoch, or 0 when that is not known */
    const struct fed_removal
        *removal; /* fed_plan_orphan: a removal that was put off when the cluster was lost, or NULL */
};

struct fed_plan_input {
    const struct fed_type_config *type;
    bool namespace_scoped;                   /* control plane of one namespace */
    struct str key;                          /* "<ns>/<name>" or "<name>" of the federated object */
    yyjson_val *object;                      /* the federated object; NULL only for fed_plan_orphan */
    yyjson_val *fed_namespace;               /* FederatedNamespace of its namespace, or NULL */
    struct str host_namespace_uid;           /* type is Namespace: uid of the HOST's namespace, or empty */
    const struct fed_cluster_view *clusters; /* all registered clusters, sorted by name */
    size_t n_clusters;
    const struct fed_versions *versions; /* recorded versions, or NULL */
    bool adopt;                          /* take over objects that exist already */
    bool raw_status;                     /* member statuses are collected for this type */
    const struct fed_behavior *behavior; /* NULL: fed_behavior_default */
};

/* JSON text of a request, counted references: one text serves all clusters that get the same. */
struct fed_body;
struct str fed_body_str(const struct fed_body *b);
struct fed_body *fed_body_ref(struct fed_body *b);
void fed_body_unref(struct fed_body *b); /* NULL is fine */

enum fed_op_kind {
    FED_OP_CREATE,  /* POST of body to the collection */
    FED_OP_UPDATE,  /* PUT of body, which carries metadata.resourceVersion */
    FED_OP_DELETE,  /* DELETE with body as DeleteOptions; it carries the uid as precondition */
    FED_OP_UNLABEL, /* merge PATCH of body: takes the managed label away */
};
struct fed_op {
    enum fed_op_kind kind;
    size_t cluster; /* index into the input's clusters */
    struct fed_body *body;
};

/* To be recorded on the federated object. */
struct fed_event {
    const char *type, *reason; /* static */
    char *message;
};

struct fed_plan_cluster {
    /* Placed there. When the placement cannot be computed: a version is on record, which must not be forgotten. In a plan of
     * fed_plan_delete: the member is to be asked whether the object is gone before the finalizer goes. */
    bool selected;
    bool blocks; /* delete, orphan: not ready, but has or may have the object: nothing may be finished yet */
    /* delete: from then on (seconds since the epoch) this cluster may be left behind when it cannot be reached, with the
     * removal remembered; FED_WAIT_FOR_EVER: never */
    int64_t leave_at;
    const char *status; /* FED_STATUS_* known without an operation; NULL: the cluster is not in the status, or has an
                                operation whose result says it */
    char *error;        /* why, for log and event; or NULL */
    char *recorded_version; /* what the version record is to hold unless an operation succeeds; or NULL */
    /* The cache is being filled, and the status says a failure that was not told: it may become a real one. */
    bool untold;
    yyjson_val *remote; /* raw_status: the cached object's status (borrowed from the input), or NULL */
};

struct fed_plan {
    const char *reason; /* FED_REASON_*: "" unless placement failed or the namespace is not federated */
    struct fed_op *ops; /* by cluster index, at most one each */
    size_t n_ops;
    struct fed_event *events;
    size_t n_events;
    struct fed_plan_cluster *clusters; /* n_clusters of the input */
    size_t n_clusters;
    char *template_hash, *overrides_hash; /* never NULL; "" when there is none */
};
void fed_plan_free(struct fed_plan *p); /* NULL is fine */
DEFINE_CLEANUP(struct fed_plan *, fed_plan_free)

/* All three never fail: *ret_plan (owned) says what went wrong. It borrows from the input only `remote`. */

/* A federated object that is not being deleted (controllers.md 5.4). */
void fed_plan_sync(const struct fed_plan_input *in, struct fed_plan **ret_plan);
/* One that is being deleted without orphaning (5.11, Q-26): every cluster that holds a labelled object counts. Status
 * WaitingForRemoval: the object is terminating. Status DeletionFailed: the delete options cannot be read. Status
 * ClusterNotReady: the cluster blocks. */
void fed_plan_delete(const struct fed_plan_input *in, struct fed_plan **ret_plan);
/* Take the managed label away: in->object is being deleted with the orphan annotation, or is NULL because it is gone. Only
 * clusters with a labelled, not terminating object get an operation (P-07): DELETE where a removal was put off. */
void fed_plan_orphan(const struct fed_plan_input *in, struct fed_plan **ret_plan);

/* The honoured members of an object's delete options annotation as a document (owned); NULL when there is no annotation.
 * -EINVAL: it cannot be read. */
int fed_delete_options(yyjson_val *fed_object, yyjson_doc **ret, struct error **err);

/* What follows when a CREATE found an existing object (5.10). */
struct fed_adoption {
    struct fed_op *op;  /* update this; or NULL */
    const char *status; /* without op: FED_STATUS_OK (nothing to do), or why not */
    char *error;        /* with a failure; or NULL */
    char *version;      /* FED_STATUS_OK: version of the object as it is */
};
/* `live` is the complete object as the member returned it. *ret is set always; free with fed_adoption_done. */
void fed_plan_adopt(const struct fed_plan *plan, const struct fed_plan_input *in, size_t cluster, yyjson_val *live,
                    struct fed_adoption *ret);
void fed_adoption_done(struct fed_adoption *a);

/*
 * Reduces a member object to what planning needs; `out` gets an object as root:
 *   metadata  labels, annotations, finalizers, ownerReferences, each only when not empty
 *   content   hash of everything else but apiVersion, kind, status, replica count: tells whether a write could change
 *             something
 *   spec      of a Service; otherwise only spec.replicas, whatever path the type's replica count has, and what
 *             fed/bound.h keeps
 *   secrets   of a ServiceAccount
 *   status    when `raw` and the FTC collect it, and of custom resources
 */
void fed_member_project(const struct fed_type_config *type, bool raw, yyjson_val *live, yyjson_mut_doc *out);
/* Adds what scheduling needs of a workload to its projection: schedule.ready (status.readyReplicas, or what a custom type has
 * instead) and schedule.labels (spec.selector.matchLabels). */
void fed_member_project_schedule(const struct fed_type_config *type, yyjson_val *live, yyjson_mut_doc *out);
/* Two projections, as compact text, that differ in `schedule` at most. */
bool fed_member_same_but_schedule(struct str old, struct str now);
/* From one projection to the next nothing but the replica count changed, as far as its content is concerned. */
bool fed_member_scaled(yyjson_val *old, yyjson_val *now);

#endif
