/*
 * Inside src/cli: the parts of plan: what the controller manager would do in each member for one federated object, found out with
 * the planner that it uses itself (fed/plan.h) and requests that change nothing (dryRun=All).
 *
 * cmd_plan.c drives; plan_gather.c finds out what members hold; plan_try.c tries the operations;
 * plan_object.c makes the federated object as it would be; plan_show.c shows the result.
 */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include "cli/world.h"
#include "fed/plan.h"

enum plan_action {
    PLAN_NONE,      /* not placed there, and nothing of ours is there */
    PLAN_UNCHANGED, /* as it is wanted */
    PLAN_CREATE,
    PLAN_UPDATE,
    PLAN_ADOPT, /* exists without the managed label: taken over and updated */
    PLAN_DELETE,
    PLAN_UNLABEL, /* stays, no longer managed */
    PLAN_PROBLEM, /* `status` and `message` say what */
};
struct plan_result {
    enum plan_action action;
    char *status;               /* FED_STATUS_*, "" when all is well */
    char *message;              /* why, or a remark; or NULL */
    yyjson_doc *before, *after; /* the object in the member, without what the server alone writes; or NULL */
};

/* The plan of one federated object. */
struct plan_object {
    const struct fed_type_config *type;
    struct str ns, name;         /* of the federated object, in `doc` */
    yyjson_doc *doc;             /* it, as it would be */
    char *reason;                /* FED_REASON_*, or "" */
    char *message;               /* why it cannot be planned at all; or NULL */
    struct plan_result *results; /* one per cluster of the world; NULL with `message` */
    size_t n_results;
    yyjson_doc *namespace_doc, *versions_doc; /* what was gathered */
    struct fed_versions *versions;
    char *host_namespace_uid;
};
void plan_object_done(struct plan_object *p);

/* What is in the member now: all clusters' live objects. */
struct plan_live {
    yyjson_doc *list, *projection; /* owned */
    yyjson_val *object;            /* the live object in `list`, or NULL */
    struct fed_member_obj obj;
    bool known; /* the member answered */
    bool autoscaled;
    char *error;
};

/* Reads everything that the planner needs for p->doc. *ret: one per cluster, owned, free with plan_live_free. */
int plan_gather(struct world *w, struct plan_object *p, struct plan_live **ret, struct error **err);
void plan_live_free(struct plan_live *v, size_t n);
/* Plans and tries; fills p->results. deletion: as if the object were being deleted. */
int plan_try(struct world *w, struct plan_object *p, struct plan_live *live, bool deletion, struct error **err);

/* The federated object as it would be if `file` were applied to the host, asked of the host without changing anything. *ret owned.
 * A refusal is an error with the host's words. */
int plan_apply(struct world *w, const struct fed_type_config *type, yyjson_val *file, struct str ns, yyjson_doc **ret,
               struct error **err);
/* Pure: what applying `file` makes of `live` (may be NULL): fields of the file win, those that were applied before (annotation
 * kubectl.kubernetes.io/last-applied-configuration) and are no longer in the file go, the rest stays. Owned. */
yyjson_mut_doc *plan_merge(yyjson_val *live, yyjson_val *file);

/* Counts over everything. */
struct plan_counts {
    size_t objects, create, update, remove, unchanged, problems;
};
void plan_count(const struct plan_object *p, struct plan_counts *c);
/* Lines for people. */
void plan_show(const struct world *w, const struct plan_object *p, bool diffs, struct buf *out);
void plan_show_counts(const struct plan_counts *c, struct buf *out);
/* {"type", "namespace", "name", "clusters": [...]} appended to list. */
void plan_document(const struct world *w, const struct plan_object *p, bool diffs, yyjson_mut_doc *doc,
                   yyjson_mut_val *list);

/* Pure: a copy of an object without what the API server alone decides (resourceVersion, managedFields, ...); of Secrets the values
 * are replaced so that equal ones stay equal and none can be read. other: the object that it will be compared with, or NULL. */
yyjson_doc *plan_presentable(const struct fed_type_config *type, yyjson_val *object, yyjson_val *other, bool is_after);

#endif
