/*
 * Publishes the room of each member in the status of its KubeFedCluster (status.resources, an addition to KubeFed's API): nodes,
 * allocatable and free resources. See docs/scheduling.md.
 */
#ifndef CONTROLLERS_RESOURCES_H
#define CONTROLLERS_RESOURCES_H

#include "controllers/workloads.h"

struct resources;
struct resources *resources_start(struct kube_client *host, struct clusters *clusters, struct workloads *workloads,
                                  const char *system_namespace);
void resources_free(struct resources *r); /* before workloads_free; NULL is fine */

#endif
