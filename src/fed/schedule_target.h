/* What scheduling reads from a federated workload: where its replica count is, which clusters it selects, what its pods need. */
#ifndef FED_SCHEDULE_TARGET_H
#define FED_SCHEDULE_TARGET_H

#include "fed/overrides.h"
#include "fed/placement.h"
#include "fed/room.h"
#include "fed/schedule.h"
#include "fed/typeconfig.h"

/* JSON pointer of the replica count of the target type, "/spec/replicas". Owned. */
char *fed_schedule_pointer(const struct fed_type_config *type);

/* Which clusters spec.intersectWithClusterSelector leaves (controllers.md 8.2 step 3): those that the clusterSelectors of object
 * and namespace select; the object's own list of clusters is what scheduling wrote itself. whole_namespace: the list of the
 * FederatedNamespace counts, too. in: as for fed_placement; target_namespaced is taken as true. Sets selected[] as
 * fed_placement does: none when a placement is wrong. */
void fed_schedule_select(const struct fed_placement_input *in, bool whole_namespace, bool *selected);

/* Labels of its pods, by the template: spec.selector.matchLabels. Borrowed, or NULL. */
yyjson_val *fed_schedule_labels(yyjson_val *fed_object);

/* Pods whose labels are not known: they are taken to be what the object in the cluster says. */
void fed_schedule_count_by_object(struct fed_schedule_cluster *c);

/* Of `share` replicas so many have no node yet, and need room set aside; 0 where members keep their own numbers. */
int64_t fed_schedule_missing(yyjson_val *fed_object, const struct fed_schedule_cluster *c, int64_t share);

/* What one replica needs in a cluster: the template's pods, with the overrides of the cluster. overrides: of the object, or NULL.
 * Owned; overrides that do not apply are passed over. NULL: see fed_demand_new. */
struct fed_demand *fed_schedule_demand(struct fed_room *room, yyjson_val *fed_object,
                                       const struct fed_overrides *overrides, struct str cluster);

#endif
