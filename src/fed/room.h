/*
 * Room in one cluster: its nodes, what pods use on them, what was promised to workloads whose pods do not run yet, and how many
 * more replicas of a template fit. Only sums per node are kept, no pods (docs/scheduling.md).
 */
#ifndef FED_ROOM_H
#define FED_ROOM_H

#include "json/json.h"

/* Resources that are told apart in one cluster; what it has beyond that number is left out. Only nodes that have some of a resource
 * give it a place. */
#define FED_RESOURCES_MAX 16
/* The part of a template that decides about nodes may have so many bytes as JSON: each node is held against each of its terms. */
#define FED_MATCHING_MAX 8192

enum { FED_RESOURCE_CPU, FED_RESOURCE_MEMORY, FED_RESOURCE_PODS, FED_RESOURCE_STORAGE, FED_RESOURCES_FIXED };

/* Thousandths of a CPU, bytes, or numbers; never negative. Which resource has which place only its fed_room knows. */
struct fed_amounts {
    int64_t v[FED_RESOURCES_MAX];
};

struct fed_room;
struct fed_room *fed_room_new(void);
void fed_room_free(struct fed_room *r); /* NULL is fine */

/* --- nodes --- */

/* What counts of a Node, for caches: name, labels, taints, spec.unschedulable, status.allocatable, condition Ready. Fills the root
 * of `out`. The metadata.name is kept as "name". */
void fed_node_project(yyjson_val *live, yyjson_mut_doc *out);
/* Adds a node or replaces what is known of it; what pods use there stays. `node` is a projection. true: it has a resource that had no
 * place before, and of which pods that are there already may ask: they have to be counted anew, see fed_room_forget_use. */
bool fed_room_set_node(struct fed_room *r, struct str name, yyjson_val *node);
void fed_room_remove_node(struct fed_room *r, struct str name);

/* --- what pods use --- */

/* What a pod asks for: of its containers and init containers the larger, plus overhead; a limit without request counts as request.
 * One pod counts as 1 of FED_RESOURCE_PODS. `spec` is spec of a Pod or of a pod template. Sidecars (init containers with
 * restartPolicy Always) add to the containers and to the init containers after them. Resources that no node has (yet) are left out. */
void fed_room_request(const struct fed_room *r, yyjson_val *spec, struct fed_amounts *ret);
/* The same in two steps, for caches: by name, whatever nodes there are. Puts into the root of `out` "request", an array of the fixed
 * resources, and "extended", an object of the others when there are any. */
void fed_pod_project_request(yyjson_val *spec, yyjson_mut_doc *out);
void fed_room_read_request(const struct fed_room *r, yyjson_val *projection, struct fed_amounts *ret);
/* A pod with this request came to (sign 1) or left (sign -1) this node, which may not be known yet. */
void fed_room_use(struct fed_room *r, struct str node, const struct fed_amounts *request, int sign);
/* All pods are forgotten; nodes and promises stay. */
void fed_room_forget_use(struct fed_room *r);

/* --- templates --- */

/* A pod template, as far as it decides about nodes: requests, nodeSelector, required node affinity, tolerations. */
struct fed_demand;
/* Owned. `spec` is template.spec of a workload and is copied as far as needed. NULL: its room cannot be worked out, since nodeSelector,
 * node affinity and tolerations are larger than FED_MATCHING_MAX. */
struct fed_demand *fed_demand_new(const struct fed_room *r, yyjson_val *spec);
void fed_demand_free(struct fed_demand *d); /* NULL is fine */

/* How many more replicas fit, beside what pods use and what is promised to others than `workload`. At most INT32_MAX. Nodes that
 * are not ready, are cordoned, have a taint that is not tolerated or do not match have no room. */
int64_t fed_room_fits(struct fed_room *r, struct str workload, const struct fed_demand *d);

/* `workload` was given `replicas` more than run there: that much is set aside on nodes, replacing an earlier promise; 0 ends it, and
 * needs no demand. What finds no room is not set aside. true: less is set aside for it than before, which others may have now. */
bool fed_room_promise(struct fed_room *r, struct str workload, const struct fed_demand *d, int64_t replicas);

/* A pod of `workload` was bound to this node: what was promised for it there, or elsewhere, counts as used from now on. */
void fed_room_fulfil(struct fed_room *r, struct str workload, struct str node);

/* --- totals --- */

struct fed_room_totals {
    size_t nodes, ready_nodes;            /* ready: and not cordoned */
    struct fed_amounts allocatable, free; /* of the ready nodes; promises are not subtracted */
};
void fed_room_totals(const struct fed_room *r, struct fed_room_totals *ret);
/* status.resources of a KubeFedCluster: {nodes, readyNodes, allocatable: {cpu: "4", memory: "8Gi", pods: "110", ...}, free: {...}}.
 * Resources of which no node has any are left out. */
yyjson_mut_val *fed_room_status(const struct fed_room *r, yyjson_mut_doc *doc);
/* Names of the resources in their places. */
struct str fed_room_resource(const struct fed_room *r, size_t place); /* STR_NULL: none there */

#endif
