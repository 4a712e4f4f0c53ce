/*
 * Leader election as client-go does it, with the record in the annotation control-plane.alpha.kubernetes.io/leader of a
 * ConfigMap or Endpoints (controllers.md 1.4), or in a Lease. On a clean stop the lock is released.
 */
#ifndef KUBE_LEASE_H
#define KUBE_LEASE_H

#include "kube/client.h"
#include "kube/events.h"

struct lease_config {
    struct kube_client *client;
    struct event_recorder *events; /* borrowed, outlives the lease; NULL: no events */
    const char *component;         /* of the events */
    const char *resource;          /* "configmaps", "endpoints" or "leases" */
    const char *ns, *name;
    const char *identity; /* "<hostname>_<uuid>" */
    int64_t lease_duration_ms, renew_deadline_ms, retry_period_ms;
    void (*on_started)(void *arg);
    void (*on_stopped)(void *arg); /* lost; not called by lease_stop */
    void (*on_new_leader)(void *arg, struct str identity);
    void *arg;
};
struct lease;
/* Begins to try for the lock; never fails. The caller owns the lease and ends it with lease_stop. That it leads, and leads no longer, is
 * an event "LeaderElection" on the lock object each. */
struct lease *lease_start(const struct lease_config *config);
/* Releases the lock when held (asynchronously, at most 5 s), then calls done(arg) and frees itself. done NULL: frees itself at once, and
 * a lock that is held runs out. */
void lease_stop(struct lease *l, void (*done)(void *arg), void *arg);

#endif
