/* Identity of API resources and their URL paths. */
#ifndef KUBE_PATH_H
#define KUBE_PATH_H

#include "base/buf.h"

struct kube_resource {
    struct str group; /* empty: core */
    struct str version;
    struct str plural;
    bool namespaced;
};

/* "/apis/apps/v1/namespaces/ns/deployments/name/status". Empty ns: all namespaces; empty name: the collection; empty sub:
 * the object. Everything is percent-encoded. Owned (free()). */
char *kube_path(const struct kube_resource *r, struct str ns, struct str name, struct str sub);

#endif
