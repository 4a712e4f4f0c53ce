/*
 * Label selectors: matchLabels and matchExpressions with In, NotIn, Exists, DoesNotExist, as Kubernetes defines them
 * (controllers.md 5.5).
 */
#ifndef FED_SELECTOR_H
#define FED_SELECTOR_H

#include "json/json.h"

struct fed_selector;

/* Decodes and checks a selector object; NULL, null and {} match everything. *ret borrows keys and values from the
 * document of `v`, which must outlive it. -EINVAL: a member of the wrong type, a bad key or value, an unknown operator,
 * values missing (In, NotIn) or given (Exists, DoesNotExist); the message names the field. */
int fed_selector_parse(yyjson_val *v, struct fed_selector **ret, struct error **err);
void fed_selector_free(struct fed_selector *s); /* NULL is fine */
DEFINE_CLEANUP(struct fed_selector *, fed_selector_free)

bool fed_selector_is_everything(const struct fed_selector *s);
/* `labels` is an object's metadata.labels, or NULL. Labels whose value is not a string count as absent. */
bool fed_selector_matches(const struct fed_selector *s, yyjson_val *labels);

/* A label key: optional RFC 1123 subdomain and '/', then 1 to 63 characters [A-Za-z0-9._-] that begin and end
 * alphanumerically. A label value: empty or such a name. */
bool fed_label_key_is_valid(struct str key);
bool fed_label_value_is_valid(struct str value);

#endif
