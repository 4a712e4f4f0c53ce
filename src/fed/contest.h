/*
 * Who changes what a template sets: compares the desired object with the live one, and looks up the field in the
 * metadata.managedFields that API servers keep (docs/propagation.md, "Fights"). Only names of fields and managers, never
 * values.
 */
#ifndef FED_CONTEST_H
#define FED_CONTEST_H

#include "json/json.h"

/* Longer paths and names are cut. */
#define FED_CONTEST_MAX 256

struct fed_contest {
    char *field;   /* "spec.replicas", "metadata.labels[\"a.b/c\"]", "spec.containers[0].image" */
    char *manager; /* field manager in the member; "" when it cannot be known */
};
void fed_contest_done(struct fed_contest *c);

/*
 * The first field, in the order of the desired document, where `live` is not as desired: absent, different, or a label that
 * is not wanted. What the server adds elsewhere is no difference. `own` is our own field manager: when nobody else is known
 * to have set the field, it was changed while our write was admitted (manager "an admission webhook").
 * Returns false when nothing differs; ret is then untouched, otherwise owned (fed_contest_done).
 */
bool fed_contest_find(yyjson_val *desired, yyjson_val *live, struct str own, struct fed_contest *ret);

#endif
