/*
 * What every namespaced type needs to know of namespaces, cached once for all types (P-04): the FederatedNamespace of a
 * namespace, which bounds the placement of everything inside, and the HOST's own Namespace objects, which are never deleted
 * through federation (controllers.md 5.3, 5.5, 5.12).
 */
#ifndef CONTROLLERS_NAMESPACES_H
#define CONTROLLERS_NAMESPACES_H

#include "base/list.h"
#include "fed/typeconfig.h"
#include "kube/informer.h"

enum namespace_event {
    NAMESPACE_PLACEMENT, /* FederatedNamespace added, removed, or its spec changed */
    NAMESPACE_STATUS,    /* only its status changed: its namespaces may exist now */
    NAMESPACE_HOST,      /* the HOST's Namespace changed */
};
struct namespaces_listener {
    struct list link;
    void (*fn)(void *arg, struct str ns, enum namespace_event event);
    void (*on_synced)(void *arg); /* caches (again) complete */
    void *arg;
};

struct namespaces;
/* limited_to: the namespace of a namespace-scoped control plane (HOST Namespaces are then not watched), or empty. */
struct namespaces *namespaces_start(struct kube_client *host, struct str limited_to);
void namespaces_free(struct namespaces *n);
/* Which federated type holds namespace placement (the FTC `namespaces`), or NULL: none, known at once. Returns whether it is another
 * one than before. Then what is known of the one before stays, but does not count as synced until the new one is listed, when all
 * namespaces of both are told as NAMESPACE_PLACEMENT. */
bool namespaces_set_type(struct namespaces *n, const struct fed_type_config *type);
/* We lead: both are listed past the server's cache, and are not synced until then. */
void namespaces_lead(struct namespaces *n);
/* Both are complete, and of the type that was set last. Until then nothing may be planned that depends on a placement: one that is not
 * known would look like none. */
bool namespaces_synced(const struct namespaces *n);
/* They are not, and the last attempt to list one of them failed: it may take longer. */
bool namespaces_failing(const struct namespaces *n);
/* Borrowed, or NULL. */
struct kube_object *namespaces_federated(const struct namespaces *n, struct str ns);
struct kube_object *namespaces_host(const struct namespaces *n, struct str name);
void namespaces_listen(struct namespaces *n, struct namespaces_listener *l);
void namespaces_unlisten(struct namespaces_listener *l);

#endif
