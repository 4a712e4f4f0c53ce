/* The object that a federated object describes, before anything that depends on a cluster (controllers.md 5.6). */
#ifndef FED_TEMPLATE_H
#define FED_TEMPLATE_H

#include "fed/typeconfig.h"

struct fed_template_notes {
    bool annotations_dropped, finalizers_dropped; /* the template had some: an event is due */
};

/* A new document: spec.template without metadata.annotations and metadata.finalizers (dropped whatever their shape, Q-16)
 * plus name, namespace, kind and apiVersion ("v1" for core, Q-17). The managed label comes last, after the overrides: see
 * fed_set_managed. -EINVAL: the template or its metadata is no object, or the federated object has no name. */
int fed_template_build(const struct fed_type_config *type, yyjson_val *fed_object, yyjson_mut_doc **ret,
                       struct fed_template_notes *ret_notes, struct error **err);
/* Sets kubefed.io/managed: "true" on an object document; -EINVAL when metadata or labels are no objects. */
int fed_set_managed(yyjson_mut_doc *object, struct error **err);

#endif
