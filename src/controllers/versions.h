/*
 * The record of what was propagated where: PropagatedVersion and ClusterPropagatedVersion objects on the HOST
 * (controllers.md 5.9). Loaded once by one paged list per kind, then kept in memory; changes are written in the
 * background, coalesced per object, at low priority: losing the last of them costs one write without effect per member
 * after a restart, never more.
 */
#ifndef CONTROLLERS_VERSIONS_H
#define CONTROLLERS_VERSIONS_H

#include "kube/client.h"

struct version_store;

struct version_store_config {
    struct kube_client *client;   /* HOST */
    struct str ns;                /* namespace-scoped control plane: only this one; empty: all */
    void (*on_loaded)(void *arg); /* the records are there; retried until then */
    void *arg;
};
struct version_store *version_store_start(const struct version_store_config *config);
void version_store_free(struct version_store *v); /* unwritten changes are dropped */
bool version_store_loaded(const struct version_store *v);
/* Records not yet stored on the HOST. */
size_t version_store_pending(const struct version_store *v);

/* Which record: ns empty means ClusterPropagatedVersion; name is "<lower kind>-<object name>". Kinds of the same name in
 * different groups have the same names: the first owner's record is stored, the others' are kept in memory only. */
struct version_id {
    struct str ns, name;
    struct str owner; /* "<group>/<kind>" of the federated object */
};
/* The owner reference that lets the garbage collector remove the record with its federated object. */
struct version_owner {
    struct str api_version, kind, name, uid;
};

/* The recorded status as compact JSON; STR_NULL when there is none. Valid until the record changes. */
struct str version_store_get(const struct version_store *v, const struct version_id *id);
/* Remembers `status` (compact JSON) and schedules the write when it differs. Everything is copied. */
void version_store_set(struct version_store *v, const struct version_id *id, const struct version_owner *owner,
                       struct str status);
/* The federated object is gone: forget the record (the garbage collector removes the object). */
void version_store_drop(struct version_store *v, const struct version_id *id);

#endif
