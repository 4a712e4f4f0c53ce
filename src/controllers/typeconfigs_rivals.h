/*
 * FederatedTypeConfigs that want to be propagated, as they are in the cache, and which of those for one target is. Two of them at once
 * would fight for ever about the same objects in members: what one of them labels has no federated object in the eyes of the other.
 */
#ifndef CONTROLLERS_TYPECONFIGS_RIVALS_H
#define CONTROLLERS_TYPECONFIGS_RIVALS_H

#include "base/map.h"
#include "fed/typeconfig.h"

/* All zero: nobody wants anything. */
struct type_rivals {
    struct map wanting; /* by key of the FTC: struct fed_type_config */
};

/* What the FTC with this key wants from now on: a type to be propagated, which is taken over, or NULL. When that changes who may run,
 * fn is called with the key of each other one for the target that it had or has. */
void type_rivals_set(struct type_rivals *r, struct str key, struct fed_type_config *type,
                     void (*fn)(void *arg, struct str key), void *arg);
/* Who runs instead of `type`: borrowed until the next type_rivals_set. NULL: nobody does. */
const struct fed_type_config *type_rivals_instead(const struct type_rivals *r, const struct fed_type_config *type);
void type_rivals_done(struct type_rivals *r);

#endif
