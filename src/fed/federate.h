/* From an object to the federated object that describes it (api-and-cli.md 3.7). */
#ifndef FED_FEDERATE_H
#define FED_FEDERATE_H

#include "json/json.h"

struct fed_federate_input {
    struct str api_version, kind; /* of the federated type: "types.kubefed.io/v1beta1", "FederatedConfigMap" */
    bool namespaced;              /* the federated type is */
    /* Target type; decides about clean-up rules. Kind and group are compared, not the document's own fields. */
    struct str target_group, target_kind;
};

/* Converts `target`: placement in all clusters, template without what the server assigned (table of 3.7 and A-19; a
 * headless Service stays headless). *ret is owned. `warnings` gets one line of text per thing that is lost (annotations),
 * without newline at the end; may be NULL. -EINVAL when target is no object or has no name. */
int fed_federate(const struct fed_federate_input *in, yyjson_val *target, yyjson_mut_doc **ret, struct buf *warnings,
                 struct error **err);

/* File mode: federated type with defaults from the document's own apiVersion and kind; namespaced when metadata.namespace
 * is set or the kind is Namespace. -EINVAL also when apiVersion or kind is missing. */
int fed_federate_document(yyjson_val *document, yyjson_mut_doc **ret, struct buf *warnings, struct error **err);

#endif
