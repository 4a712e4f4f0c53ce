/* What an update keeps of the object that is there (controllers.md 5.8). */
#ifndef FED_RETAIN_H
#define FED_RETAIN_H

#include "fed/behavior.h"
#include "fed/typeconfig.h"

struct fed_retain_input {
    const struct fed_type_config *type;
    yyjson_val *fed_object;              /* for spec.retainReplicas */
    yyjson_val *live;                    /* the member object as fed_member_project made it */
    struct str resource_version;         /* of the member object */
    bool host_namespace;                 /* the member object is the HOST namespace: foreign labels stay */
    bool autoscaled;                     /* the replica count belongs to the member, as with retainReplicas */
    const struct fed_behavior *behavior; /* NULL: fed_behavior_default */
};

/* Changes `desired` (a new object from fed_template_build) in place. -EINVAL: a field to keep has the wrong type; the
 * document must then be discarded. */
int fed_retain(const struct fed_retain_input *in, yyjson_mut_doc *desired, struct error **err);

/* The part of it that concerns the replica count: for what overrides must not take from an autoscaler. */
int fed_retain_replicas(const struct fed_retain_input *in, yyjson_mut_doc *desired, struct error **err);

/* true when member objects of this type may have a status that an update without it would remove: custom resources,
 * which may lack the status sub-resource. */
bool fed_type_keeps_status(const struct fed_type_config *type);

#endif
