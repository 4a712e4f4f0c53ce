/*
 * Inside src/cli: the control plane as the controller manager reads it: settings, clusters with a connection each, federated types.
 * For verbs that work out what the controller does.
 */
#ifndef CLI_WORLD_H
#define CLI_WORLD_H

#include "base/map.h"
#include "cli/member.h"
#include "cli/types.h"
#include "fed/behavior.h"
#include "fed/config.h"

struct world_cluster {
    char *name;
    yyjson_doc *kfc;
    bool ready;
    struct remote *member; /* NULL: not ready, or `problem` says why */
    char *problem;
};

/* The control plane as it is. */
struct world {
    struct cli *cli;
    struct remote *host; /* borrowed */
    struct fed_config *config;
    struct fed_behavior behavior;
    struct world_cluster *clusters; /* by name */
    size_t n_clusters;
    struct fed_type_config **types;
    size_t n_types;
    struct map namespaces; /* "<ns>" -> yyjson_doc: FederatedNamespaces that are part of the plan */
};

/* Reads them; keeps ret->behavior, which is to be set before. Members that are ready get a client; no request is made to them. */
int world_read(struct remote *host, struct world *ret, struct error **err);
void world_done(struct world *w);
/* The type whose federated kind this object is of, or the one of that name; NULL. Borrowed. */
struct fed_type_config *world_type(const struct world *w, yyjson_val *object);
struct fed_type_config *world_named(const struct world *w, struct str name);
/* The FederatedNamespace of `ns`: the one in w->namespaces, else the host's. *ret is owned, NULL when there is none. */
int world_federated_namespace(const struct world *w, struct str ns, yyjson_doc **ret, struct error **err);
/* Custom resources: where the replica count of a type is, in type->replicas_path. The first member that knows says it, as in the
 * controller. -ECANCELED or 0. */
int world_find_replicas_path(const struct world *w, struct fed_type_config *type, struct error **err);

#endif
