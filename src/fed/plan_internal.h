/* What the files of the planner share: plan.c (bodies, events, life cycle), plan_sync.c, plan_delete.c, member.c. */
#ifndef FED_PLAN_INTERNAL_H
#define FED_PLAN_INTERNAL_H

#include "fed/names.h"
#include "fed/overrides.h"
#include "fed/plan.h"

/* --- member.c: projections and comparison --- */

/* Dotted path of the replica count in objects of the type. */
const char *member_replicas_path(const struct fed_type_config *type);
/* Hash of everything in an object but apiVersion, kind, metadata, status and the replica count, where what Kubernetes fills in anyway counts
 * as absent. Equal contents have equal hashes. */
uint64_t member_content(const struct fed_type_config *type, yyjson_val *object);
/* Labels, annotations, finalizers and owner references are equal (name and namespace are the key). */
bool member_metadata_equal(yyjson_val *desired, yyjson_val *projection);
/* A write of `desired` would certainly change nothing. */
bool member_is_as_desired(const struct fed_type_config *type, yyjson_val *desired, yyjson_val *projection);

/* --- plan.c --- */

static inline const struct fed_behavior *plan_behavior(const struct fed_plan_input *in)
{
    return in->behavior ? in->behavior : &fed_behavior_default;
}

/* Takes the text of `v`. */
struct fed_body *body_of(yyjson_mut_val *v);
struct fed_body *body_of_text(struct str text);

struct fed_plan *plan_new(const struct fed_plan_input *in);
/* Takes the body. */
void plan_add_op(struct fed_plan *p, enum fed_op_kind kind, size_t cluster, struct fed_body *body);
void plan_event(struct fed_plan *p, const char *type, const char *reason, const char *fmt, ...) _printf_(4, 5);
/* Status and error of a cluster, without event. */
void plan_fail(struct fed_plan *p, size_t cluster, const char *status, const char *error);
/* "<ns>/<name>" of the target object: without namespace for Namespace. */
struct str plan_target_name(const struct fed_plan_input *in);

bool plan_is_host_namespace(const struct fed_plan_input *in, struct str uid);
/* The recorded version that holds for the hashes of this plan, or STR_NULL. */
struct str plan_recorded(const struct fed_plan *p, const struct fed_plan_input *in, struct str cluster);
void plan_remember_version(struct fed_plan *p, size_t cluster, struct str version);

/* Placement of in->object; on error nothing is selected. */
int plan_place(const struct fed_plan_input *in, bool *selected, bool *ret_not_federated, struct error **err);

/* Operation that removes an object: DELETE, or for the HOST namespace UNLABEL. `options` is a delete options object or NULL. */
void plan_remove(struct fed_plan *p, const struct fed_plan_input *in, size_t cluster, yyjson_val *options);
struct fed_body *body_unlabel(void);

#endif
