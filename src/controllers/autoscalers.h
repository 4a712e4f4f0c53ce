/*
 * Which objects of each member have a HorizontalPodAutoscaler: their replica count belongs to it (docs/propagation.md). The
 * autoscalers of a member are watched while some type that can be scaled is federated.
 */
#ifndef CONTROLLERS_AUTOSCALERS_H
#define CONTROLLERS_AUTOSCALERS_H

#include "base/list.h"
#include "controllers/clusters.h"

struct autoscalers;
/* limited_to: the namespace of a namespace-scoped control plane, or empty. */
struct autoscalers *autoscalers_new(struct clusters *clusters, struct str limited_to);
void autoscalers_free(struct autoscalers *a); /* before clusters_free; NULL is fine */
/* The members are watched while somebody holds on; each hold needs its release. */
void autoscalers_hold(struct autoscalers *a);
void autoscalers_release(struct autoscalers *a);

/* What an autoscaler scales. */
struct autoscaled {
    struct str group, kind;
    struct str key; /* "<namespace>/<name>" */
};
/* true also while the member has not answered yet: a replica count is rather left alone than taken from an autoscaler. A
 * member that does not serve or show its autoscalers has none. */
bool autoscalers_own(const struct autoscalers *a, struct str cluster, const struct autoscaled *target);

struct autoscalers_listener {
    struct list link;
    /* target NULL: everything in this cluster may have changed. */
    void (*fn)(void *arg, struct str cluster, const struct autoscaled *target);
    void *arg;
};
void autoscalers_listen(struct autoscalers *a, struct autoscalers_listener *l);
void autoscalers_unlisten(struct autoscalers_listener *l);

#endif
