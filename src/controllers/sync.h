/*
 * The sync controller of one federated type (controllers.md 5): keeps the objects of its target type in all members in the
 * state that the federated objects describe, and writes back what is where.
 */
#ifndef CONTROLLERS_SYNC_H
#define CONTROLLERS_SYNC_H

#include "controllers/autoscalers.h"
#include "controllers/clusters.h"
#include "controllers/measures.h"
#include "controllers/namespaces.h"
#include "controllers/removals.h"
#include "controllers/versions.h"
#include "fed/behavior.h"
#include "fed/typeconfig.h"
#include "kube/events.h"

struct sync;
/* Told about what scheduling of replicas depends on: federated objects, and the labelled objects in members. */
struct sync_watcher {
    /* key: of the federated object; empty: everything of this type may have changed, or it
     * begins; s NULL: a type has ended. */
    void (*fn)(void *arg, struct sync *s, struct str key);
    void *arg;
};

struct sync_env {
    struct kube_client *host;
    struct clusters *clusters;
    struct namespaces *namespaces;
    struct version_store *versions; /* this and removals: NULL until we lead */
    struct removals *removals;
    struct autoscalers *autoscalers; /* NULL: replica counts are not left to them */
    struct sync_watcher *watcher;    /* NULL: replicas are not scheduled */
    struct event_recorder *events;
    bool leading; /* otherwise caches are kept, and nothing is planned or written; new caches are not older than that */
    struct measures *measures;
    const char *system_namespace;
    bool namespace_scoped; /* only system_namespace is handled */
    bool adopt;            /* take over objects that exist already */
    bool raw_status;       /* collect the status of member objects */
    struct fed_behavior behavior;
    unsigned max_passes;           /* passes of one type at once */
    uint64_t unavailable_delay_ms; /* from a cluster becoming unready to its objects showing it */
};

/* type is copied. env must outlive the controller. Caches are filled; the rest begins with sync_lead. */
struct sync *sync_start(const struct sync_env *env, const struct fed_type_config *type);
/* We lead: its objects are listed past the server's cache, and nothing is planned before that is over. */
void sync_renew(struct sync *s);
/* We lead, and `type` is what is stored now: plans and writes as soon as the caches are complete. Again: nothing. */
void sync_lead(struct sync *s);
/* Ends at once: running requests are cancelled, nothing is cleaned up in members. */
void sync_stop(struct sync *s);
/* How much there is, and how much is to be done. */
struct sync_counts {
    size_t objects;  /* federated */
    size_t queued;   /* keys that wait for their pass; those that wait for a retry are not among them */
    size_t active;   /* passes under way */
    size_t failing;  /* keys whose last pass left something undone */
    size_t retrying; /* of those, they wait for the end of their backoff */
};
void sync_count(const struct sync *s, struct sync_counts *ret);
/* Adds the fights with other writers that are not over: counts has numbers of objects (as pointers) by labels of the metric. */
void sync_count_fights(const struct sync *s, struct map *counts);
/* Calls fn for each operation under way in a member; sent: the request is out, otherwise it waits for its turn. */
void sync_each_operation(const struct sync *s, void (*fn)(void *arg, const char *cluster, bool sent), void *arg);
/* Calls fn for the queue of the type and that of its status controller, with the kinds that name them. */
struct workqueue;
void sync_each_queue(const struct sync *s, void (*fn)(void *arg, const char *kind, const struct workqueue *q),
                     void *arg);
/* How often something that somebody else changed was put right. */
uint64_t sync_repairs(const struct sync *s);
/* Version records were loaded, or namespaces became known: what waited for them may run. */
void sync_poke(struct sync *s);

/* --- for scheduling (controllers/scheduling.h) --- */

const struct fed_type_config *sync_type(const struct sync *s);
/* Its objects have a replica count, and what scheduling needs of them is in the caches. */
bool sync_is_schedulable(const struct sync *s);
/* Its caches are being filled, or a member is asked whether its objects have a replica count. */
bool sync_is_starting(const struct sync *s);
/* Every ready member's cache has had its first answer, good or bad. */
bool sync_is_settled(const struct sync *s);
bool sync_is_open(const struct sync *s);                               /* its caches are complete */
struct kube_object *sync_object(const struct sync *s, struct str key); /* the federated object; borrowed, or NULL */
/* Path of the federated object on the host. Owned. */
char *sync_object_path(const struct sync *s, struct str key);
/* The answer to a write of a federated object by somebody else than the sync controller itself. */
void sync_learn_object(struct sync *s, yyjson_val *live);
/* Can the objects of that member be seen at all? */
bool sync_sees(const struct sync *s, struct str cluster);
/* The labelled target object in a member; borrowed, or NULL. Its body is a projection with `schedule`. */
struct kube_object *sync_target(const struct sync *s, struct str cluster, struct str key);

#endif
