/*
 * Removals that were put off: a federated object went while one of its members could not be reached (docs/propagation.md).
 * They are kept in a ConfigMap of the system namespace: under the name of each cluster a JSON list of
 * {type, key, uid, clusterUID, deleteOptions, since}.
 */
#ifndef FED_REMOVAL_H
#define FED_REMOVAL_H

#include "json/json.h"

#define FED_REMOVALS_CONFIGMAP "kubefed-pending-removals"

struct fed_removal {
    char *type;          /* of the target: "<plural>.<group>" */
    char *key;           /* of the federated object: "<ns>/<name>" or "<name>" */
    char *uid;           /* of the member object; "" when it is not known */
    char *cluster_uid;   /* of the KubeFedCluster: another of that name is another cluster */
    yyjson_doc *options; /* delete options, or NULL */
    int64_t since;       /* seconds since the epoch */
};
void fed_removal_free(struct fed_removal *r); /* NULL is fine */
DEFINE_CLEANUP(struct fed_removal *, fed_removal_free)

/* One item of a list. *ret is owned. -EINVAL when type or key is missing. */
int fed_removal_decode(yyjson_val *item, struct fed_removal **ret, struct error **err);
/* Appends the item to the array. */
void fed_removal_encode(const struct fed_removal *r, yyjson_mut_doc *doc, yyjson_mut_val *array);

#endif
