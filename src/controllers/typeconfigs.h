/* The FederatedTypeConfig controller (controllers.md 3): starts and stops a sync controller per enabled type. */
#ifndef CONTROLLERS_TYPECONFIGS_H
#define CONTROLLERS_TYPECONFIGS_H

#include "controllers/sync.h"

struct type_configs;
/* env must outlive it. */
struct type_configs *type_configs_start(const struct sync_env *env);
/* env->leading was set: finalizers, statuses and the members are ours, as soon as the types were listed past the server's cache (and
 * for a type, its objects). Until then only the caches are filled. Once. */
void type_configs_lead(struct type_configs *t);
void type_configs_free(struct type_configs *t); /* stops all sync controllers */
/* The running sync controllers: for (size_t i = 0; (s = type_configs_next(t, &i));) in no particular order */
struct sync *type_configs_next(const struct type_configs *t, size_t *iter);
struct workqueue;
const struct workqueue *type_configs_queue(const struct type_configs *t);
/* Version records or namespaces became available. */
void type_configs_poke(struct type_configs *t);

/* The running sync controller whose federated kind this is and whose objects have a replica count; of several the one of the
 * types that KubeFed schedules (controllers.md 8.1), then the first by name. NULL: none. Borrowed until a type stops. */
struct sync *type_configs_schedulable(const struct type_configs *t, struct str federated_kind);
/* There is none yet, but there may be in a moment: types, or what is known of this one, are not complete. */
bool type_configs_are_starting(const struct type_configs *t, struct str federated_kind);

#endif
