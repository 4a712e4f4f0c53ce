/*
 * FederatedTypeConfigs that want to be propagated, as they are in the cache, and which of those for one target or for one federated type
 * is. Two of them at once would fight for ever about the same objects: what one of them labels in members has no federated object in the
 * eyes of the other, or the status that one of them writes is wrong in the eyes of the other.
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
 * fn is called with the key of each rival that it had or has. */
void type_rivals_set(struct type_rivals *r, struct str key, struct fed_type_config *type,
                     void (*fn)(void *arg, struct str key), void *arg);
/* Who goes before `type`, before all others: borrowed until the next type_rivals_set. NULL: nobody does. It may have to wait for one
 * that is no rival of `type`, who waits nevertheless: who runs then changes with the fewest others. */
const struct fed_type_config *type_rivals_instead(const struct type_rivals *r, const struct fed_type_config *type);
void type_rivals_done(struct type_rivals *r);

#endif
