/* Small questions to and patches of single objects, federated or in a member. */
#ifndef FED_OBJECT_H
#define FED_OBJECT_H

#include "json/json.h"

bool fed_has_finalizer(yyjson_val *object, const char *finalizer);
/* Appends the merge patch that adds or removes one finalizer and leaves the others, with metadata.resourceVersion as
 * precondition when the object has one. Adding a present or removing an absent one gives a patch without change. */
void fed_finalizer_patch(struct buf *out, yyjson_val *object, const char *finalizer, bool add);

/* Annotation kubefed.io/orphan is exactly "true" (controllers.md 5.11). */
bool fed_wants_orphaning(yyjson_val *fed_object);
/* Label kubefed.io/managed is exactly "true". */
bool fed_object_is_managed(yyjson_val *object);
/* The label is exactly "false": the member's owner opted out (controllers.md 5.10). */
bool fed_object_opted_out(yyjson_val *object);

/* "gen:<metadata.generation>", or "rv:<metadata.resourceVersion>" when the generation is absent or 0 (controllers.md 5.9).
 * Owned. fed_version_of: from the two values. */
char *fed_object_version(yyjson_val *object);
char *fed_version_of(int64_t generation, struct str resource_version);

/* Appends {"status": ...}: the merge patch that makes an object's status equal to `status`, made by fed_status_make or
 * fed_health_report. Optional members of these two that `status` lacks are removed explicitly. */
void fed_status_patch(struct buf *out, yyjson_mut_doc *status);

/* Label maps and annotation maps are equal; absent, null and {} are the same (U-07). */
bool fed_maps_equal(yyjson_val *a, yyjson_val *b);

#endif
