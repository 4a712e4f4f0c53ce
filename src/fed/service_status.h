/* FederatedServiceStatus: what each ready cluster says of one service (controllers.md 7). */
#ifndef FED_SERVICE_STATUS_H
#define FED_SERVICE_STATUS_H

#include "fed/typeconfig.h"

/* Statuses of services are collected for this type: the FTC `services` with statusCollection and statusType, unless raw
 * status collection puts them into the federated objects. */
bool fed_type_collects_service_status(const struct fed_type_config *type, bool raw_status);

struct fed_service_cluster {
    struct str name;
    yyjson_val *status; /* of the member's Service; NULL: none */
    bool unknown;       /* the cluster cannot be asked now: what was said of it stays */
};
struct fed_service_status_input {
    const struct fed_type_config *type;
    yyjson_val *object;                         /* the federated object */
    yyjson_val *previous;                       /* the status object as stored, or NULL */
    const struct fed_service_cluster *clusters; /* ready clusters, placed there or not, sorted by name */
    size_t n_clusters;
};
enum fed_service_status_step { FED_SERVICE_STATUS_SAME, FED_SERVICE_STATUS_CREATE, FED_SERVICE_STATUS_PATCH };
/* Appends the object to be created, or the merge patch that brings the stored one up to date; nothing for SAME. */
enum fed_service_status_step fed_service_status_make(const struct fed_service_status_input *in, struct buf *out);

#endif
