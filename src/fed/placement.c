/* Placement: see placement.h. The list of clusters is sorted, so that names are found by bisection. */
#include "fed/placement.h"

#include <stdlib.h>

#include "fed/selector.h"

static bool is_absent(yyjson_val *v)
{
    return !v || yyjson_is_null(v);
}

static size_t find_cluster(const struct fed_placement_input *in, struct str name)
{
    size_t low = 0, high = in->n_clusters;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(in->clusters[middle].name, name);

        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return in->n_clusters;
}

/* Unknown names are nobody's fault: the cluster may not have joined yet. */
static int place_listed(const struct fed_placement_input *in, yyjson_val *list, bool *selected, struct error **err)
{
    yyjson_val *item;
    size_t i, n;

    if (!yyjson_is_arr(list))
        return error_set(err, -EINVAL, "spec.placement.clusters must be a list");
    yyjson_arr_foreach(list, i, n, item)
    {
        yyjson_val *name = json_get(item, "name");
        size_t at;

        if (!yyjson_is_obj(item) || (!is_absent(name) && !yyjson_is_str(name)))
            return error_set(err, -EINVAL, "spec.placement.clusters[%zu] must be an object with a name", i);
        at = find_cluster(in, json_str(name));
        if (at < in->n_clusters)
            selected[at] = true;
    }
    return 0;
}

static int place_matching(const struct fed_placement_input *in, yyjson_val *selector, bool *selected,
                          struct error **err)
{
    _cleanup_(fed_selector_freep) struct fed_selector *s = NULL;
    int r = fed_selector_parse(selector, &s, err);

    if (r < 0) {
        error_wrap(err, "spec.placement.clusterSelector");
        return r;
    }
    for (size_t i = 0; i < in->n_clusters; i++)
        selected[i] = fed_selector_matches(s, in->clusters[i].labels);
    return 0;
}

/* `selected` comes in all false. */
static int place(const struct fed_placement_input *in, yyjson_val *object, bool *selected, struct error **err)
{
    yyjson_val *spec = json_get(object, "spec");
    yyjson_val *placement = json_get(spec, "placement");
    yyjson_val *clusters = json_get(placement, "clusters");
    yyjson_val *selector = json_get(placement, "clusterSelector");

    if (!is_absent(spec) && !yyjson_is_obj(spec))
        return error_set(err, -EINVAL, "spec must be an object");
    if (!is_absent(placement) && !yyjson_is_obj(placement))
        return error_set(err, -EINVAL, "spec.placement must be an object");
    if (!is_absent(clusters))
        return place_listed(in, clusters, selected, err);
    if (!is_absent(selector))
        return place_matching(in, selector, selected, err);
    return 0;
}

static int bound_by_namespace(const struct fed_placement_input *in, bool *selected, struct error **err)
{
    _cleanup_free_ bool *bound = mem_array(in->n_clusters + 1, sizeof(*bound));
    int r = place(in, in->fed_namespace, bound, err);

    if (r < 0) {
        error_wrap(err, "FederatedNamespace");
        return r;
    }
    for (size_t i = 0; i < in->n_clusters; i++)
        selected[i] = selected[i] && bound[i];
    return 0;
}

static void select_none(bool *selected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        selected[i] = false;
}

int fed_placement(const struct fed_placement_input *in, bool *selected, bool *ret_not_federated, struct error **err)
{
    bool not_federated = in->target_namespaced && !in->fed_namespace && !in->namespace_scoped;
    int r;

    select_none(selected, in->n_clusters);
    r = place(in, in->object, selected, err);
    if (r == 0 && in->target_namespaced && in->fed_namespace)
        r = bound_by_namespace(in, selected, err);
    if (r < 0 || not_federated)
        select_none(selected, in->n_clusters);
    if (r < 0)
        return r;
    *ret_not_federated = not_federated;
    return 0;
}
