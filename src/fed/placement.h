/* Which clusters a federated object is placed in (controllers.md 5.5). */
#ifndef FED_PLACEMENT_H
#define FED_PLACEMENT_H

#include "json/json.h"

struct fed_placement_cluster {
    struct str name;
    yyjson_val *labels; /* of the KubeFedCluster, or NULL */
};

struct fed_placement_input {
    yyjson_val *object;        /* the federated object */
    bool target_namespaced;    /* its target type is namespaced: the namespace's placement bounds it */
    bool namespace_scoped;     /* control plane of one namespace: without a FederatedNamespace nothing bounds it */
    yyjson_val *fed_namespace; /* FederatedNamespace of its namespace, or NULL */
    const struct fed_placement_cluster *clusters; /* sorted by name */
    size_t n_clusters;
};

/* Sets selected[i] for clusters[i] (n_clusters places, all of them set also on error: to false). Readiness plays no part.
 * *ret_not_federated: cluster-scoped control plane, namespaced target, no FederatedNamespace (nothing is selected).
 * -EINVAL: a placement of the wrong shape or an invalid selector, in the object or in the FederatedNamespace. */
int fed_placement(const struct fed_placement_input *in, bool *selected, bool *ret_not_federated, struct error **err);

#endif
