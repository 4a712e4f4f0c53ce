/* The FederatedTypeConfig controller (controllers.md 3): starts and stops a sync controller per enabled type. */
#ifndef CONTROLLERS_TYPECONFIGS_H
#define CONTROLLERS_TYPECONFIGS_H

#include "controllers/sync.h"

struct type_configs;
/* env must outlive it. */
struct type_configs *type_configs_start(const struct sync_env *env);
void type_configs_free(struct type_configs *t); /* stops all sync controllers */
/* Appends counts per type in the Prometheus text format. */
void type_configs_metrics(const struct type_configs *t, struct buf *out);
/* Version records or namespaces became available. */
void type_configs_poke(struct type_configs *t);

/* The running sync controller whose federated kind this is and whose objects have a replica count; of several the one of the
 * types that KubeFed schedules (controllers.md 8.1), then the first by name. NULL: none. Borrowed until a type stops. */
struct sync *type_configs_schedulable(const struct type_configs *t, struct str federated_kind);
/* There is none yet, but there may be in a moment: types, or what is known of this one, are not complete. */
bool type_configs_are_starting(const struct type_configs *t, struct str federated_kind);

#endif
