/*
 * The scheduling of replicas (controllers.md 8, docs/scheduling.md): ReplicaSchedulingPreferences become placements and overrides of
 * the federated object with the same name. Works on the caches of the sync controllers: a type is scheduled while it is propagated.
 */
#ifndef CONTROLLERS_SCHEDULING_H
#define CONTROLLERS_SCHEDULING_H

#include "controllers/sync.h"

struct type_configs;
struct scheduling;
struct scheduling_config {
    const struct sync_env *env;
    uint64_t lost_after_ms, return_after_ms; /* where a preference says nothing */
};
/* env->watcher must be scheduling_watcher's result. Watches; decides and writes after scheduling_lead. */
struct scheduling *scheduling_start(const struct scheduling_config *config);
/* We lead: begins as soon as the preferences were listed past the server's cache. Once. */
void scheduling_lead(struct scheduling *s);
/* The types that can be scheduled, before the first of them starts; NULL: there are none any more, and nothing is done. */
void scheduling_set_types(struct scheduling *s, const struct type_configs *types);
/* What sync controllers tell. */
struct sync_watcher *scheduling_watcher(struct scheduling *s);
void scheduling_free(struct scheduling *s); /* after the types; NULL is fine */
struct workqueue;
const struct workqueue *scheduling_queue(const struct scheduling *s);
/* Appends counts in the Prometheus text format; NULL: their heads only. */
void scheduling_metrics(const struct scheduling *s, struct buf *out);

#endif
