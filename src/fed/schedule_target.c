/* See schedule_target.h. */
#include "fed/schedule_target.h"

#include <stdlib.h>

char *fed_schedule_pointer(const struct fed_type_config *type)
{
    char *pointer = mem_printf("/%s", type->replicas_path ? type->replicas_path : "spec.replicas");

    for (char *c = pointer; *c; c++)
        if (*c == '.')
            *c = '/';
    return pointer;
}

/* --- selection --- */

/* A document {"spec":{"placement":{"clusterSelector":...}}} with the selector of `object`, absent when it has none. */
static yyjson_doc *selector_only(yyjson_val *object)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_val *selector = json_path(object, "spec.placement.clusterSelector");
    yyjson_mut_val *placement = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "spec.placement");

    if (selector)
        json_mut_set(doc, placement, "clusterSelector", json_mut_copy(doc, selector));
    return json_freeze(doc);
}

void fed_schedule_select(const struct fed_placement_input *in, bool whole_namespace, bool *selected)
{
    _cleanup_json_ yyjson_doc *object = selector_only(in->object), *ns = NULL;
    struct fed_placement_input input = *in;
    bool not_federated;

    if (in->fed_namespace && !whole_namespace)
        ns = selector_only(in->fed_namespace);
    input.object = yyjson_doc_get_root(object);
    input.fed_namespace = ns ? yyjson_doc_get_root(ns) : in->fed_namespace;
    input.target_namespaced = true;
    (void)fed_placement(&input, selected, &not_federated, NULL);
}

/* --- pods --- */

yyjson_val *fed_schedule_labels(yyjson_val *fed_object)
{
    yyjson_val *labels = json_path(fed_object, "spec.template.spec.selector.matchLabels");

    return yyjson_obj_size(labels) > 0 ? labels : NULL;
}

void fed_schedule_count_by_object(struct fed_schedule_cluster *c)
{
    c->has_pods = true;
    c->pods = (struct fed_pod_counts){ .total = c->replicas, .running = c->ready_replicas, .bound = c->ready_replicas };
}

int64_t fed_schedule_missing(yyjson_val *fed_object, const struct fed_schedule_cluster *c, int64_t share)
{
    int64_t bound = c->has_object ? c->ready_replicas : 0;

    if (json_path_bool(fed_object, "spec.retainReplicas", false))
        return 0;
    return MAX(share - (c->has_pods ? c->pods.bound : bound), (int64_t)0);
}

/* --- demand --- */

struct fed_demand *fed_schedule_demand(struct fed_room *room, yyjson_val *fed_object,
                                       const struct fed_overrides *overrides, struct str cluster)
{
    yyjson_val *template = json_path(fed_object, "spec.template");
    _cleanup_json_ yyjson_doc *workload = NULL;

    if (overrides && fed_overrides_has(overrides, cluster)) {
        _cleanup_json_mut_ yyjson_mut_doc *patched = json_mut_doc_of(template);

        if (fed_overrides_apply(overrides, cluster, patched, NULL) == 0)
            workload = json_freeze(patched);
    }
    return fed_demand_new(room, json_path(workload ? yyjson_doc_get_root(workload) : template, "spec.template.spec"));
}
