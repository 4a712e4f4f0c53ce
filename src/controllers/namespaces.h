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
/* Which federated type holds namespace placement (the FTC `namespaces`), or NULL: none. */
void namespaces_set_type(struct namespaces *n, const struct fed_type_config *type);
/* We lead: both are listed past the server's cache, and are not synced until then. */
void namespaces_lead(struct namespaces *n);
bool namespaces_synced(const struct namespaces *n);
/* Borrowed, or NULL. */
struct kube_object *namespaces_federated(const struct namespaces *n, struct str ns);
struct kube_object *namespaces_host(const struct namespaces *n, struct str name);
void namespaces_listen(struct namespaces *n, struct namespaces_listener *l);
void namespaces_unlisten(struct namespaces_listener *l);

#endif
