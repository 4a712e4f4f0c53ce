/*
 * Publishes the room of each member in the status of its KubeFedCluster (status.resources, an addition to KubeFed's API): nodes,
 * allocatable and free resources, while nodes are held. See docs/scheduling.md.
 */
#ifndef CONTROLLERS_RESOURCES_H
#define CONTROLLERS_RESOURCES_H

#include "controllers/workloads.h"

struct resources;
struct resources *resources_start(struct kube_client *host, struct clusters *clusters, struct workloads *workloads,
                                  const char *system_namespace);
/* Until then nothing is published. */
void resources_lead(struct resources *r);
/* From now on numbers that are there although nobody holds nodes are taken back: before, it is not known who will. */
void resources_settle(struct resources *r);
void resources_free(struct resources *r); /* before workloads_free; NULL is fine */

#endif
