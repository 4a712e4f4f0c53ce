/*
 * What the validating admission webhooks say of an object (api-and-cli.md 4.3, 4.4), as pure functions. The defaulting one is
 * fed_config_default_patch in config.h (4.5). Which requests are judged, and how an answer looks, is not decided here.
 *
 * `object` is request.object of the review. All return 0 when it is allowed, or, with a message (err may be NULL),
 *   -EINVAL   a rule is violated (the answer is 403 Forbidden). The message lists all violations in the order of 4.4 as
 *             "<path>: <Type>[: <value>][: <detail>]", joined by ", ", in brackets when several, each once (4.2). Durations are
 *             shown as "10s" and lists as JSON; paths into featureGates have no index, as scripts look for them.
 *   -EBADMSG  it cannot be read (the answer is 400 BadRequest): no object, a field of another JSON type, a duration, time or
 *             base64 that cannot be parsed. The message lists such fields only.
 * A message has at most 16 KiB and never the user information of a URL.
 *
 * Only fields that a rule looks at are read; others may be anything, and null is absent. Names of fields are compared exactly,
 * not without regard to case as Go's decoder does: API servers drop names that the schema does not have before they ask a
 * webhook.
 */
#ifndef FED_ADMISSION_H
#define FED_ADMISSION_H

#include "json/json.h"

/* FederatedTypeConfig: name and spec; with `status` (any sub-resource was written) observedGeneration, propagationController and
 * statusController alone. */
int fed_admit_type_config(yyjson_val *object, bool status, struct error **err);
/* KubeFedCluster: spec; with `status` the conditions alone. */
int fed_admit_cluster(yyjson_val *object, bool status, struct error **err);
/* KubeFedConfig, with nothing left out. `old` is request.oldObject of an update, or NULL (or JSON null): the scope is as there. */
int fed_admit_config(yyjson_val *object, yyjson_val *old, struct error **err);

#endif
