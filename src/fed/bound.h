/*
 * Fields that a member fills in on its own (binding, admission, injected certificates, autoscalers): an update keeps them
 * where the desired object says nothing (Q-21; docs/propagation.md). For src/fed/retain.c and member.c only.
 */
#ifndef FED_BOUND_H
#define FED_BOUND_H

#include "fed/typeconfig.h"

/* Copies into the projection `root` what bound_retain needs of `live`. */
void bound_project(const struct fed_type_config *type, yyjson_val *live, yyjson_mut_doc *out, yyjson_mut_val *root);
/* Fills the open fields of `desired` from a live object or its projection. Values of a surprising shape are left out. */
void bound_retain(const struct fed_type_config *type, yyjson_val *live, yyjson_mut_doc *desired);

#endif
