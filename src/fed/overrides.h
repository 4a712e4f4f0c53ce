/* Per-cluster JSON patches: spec.overrides (controllers.md 5.7). */
#ifndef FED_OVERRIDES_H
#define FED_OVERRIDES_H

#include "json/json.h"

struct fed_overrides;

/* Parses the whole list of a federated object; absent is an empty list. *ret borrows from the document. -EINVAL: wrong
 * types, a cluster twice, a path twice within a cluster, a forbidden path: no cluster can be served then. */
int fed_overrides_parse(yyjson_val *fed_object, struct fed_overrides **ret, struct error **err);
void fed_overrides_free(struct fed_overrides *o); /* NULL is fine */
DEFINE_CLEANUP(struct fed_overrides *, fed_overrides_free)

bool fed_overrides_has(const struct fed_overrides *o, struct str cluster);
/* May they change something below metadata? (false only when certainly not) */
bool fed_overrides_touch_metadata(const struct fed_overrides *o, struct str cluster);
/* Applies the cluster's patches in order. -EINVAL: one does not apply, the result is not an object with the same kind, or
 * name, namespace, generateName or kind changed. On error the document must be discarded. */
int fed_overrides_apply(const struct fed_overrides *o, struct str cluster, yyjson_mut_doc *object, struct error **err);

#endif
