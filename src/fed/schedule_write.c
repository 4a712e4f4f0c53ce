/*
 * The federated object's side of a schedule. Both lists are built as they should be and compared with what is there: an override
 * that says the right number already stays as it is, whatever its form.
 */
#include "fed/schedule_write.h"

#include <stdlib.h>

#include "base/map.h"
#include "fed/overrides.h"
#include "fed/placement.h"

static bool is_replicas(yyjson_val *op, struct str path)
{
    return str_eq(json_path_str(op, "path"), path);
}

static yyjson_val *replicas_op(yyjson_val *item, struct str path)
{
    yyjson_val *op;
    size_t i, n;

    yyjson_arr_foreach(json_get(item, "clusterOverrides"), i, n, op) if (is_replicas(op, path)) return op;
    return NULL;
}

static bool number_of(yyjson_val *v, int64_t *ret)
{
    double d = yyjson_is_real(v) ? yyjson_get_real(v) : 0.5;

    if (json_i64(v, ret) == 0)
        return true;
    if (d < 0 || d > INT32_MAX || d != (double)(int64_t)d)
        return false;
    *ret = (int64_t)d;
    return true;
}

/* --- what the object says now --- */

static void place_by_selector(yyjson_val *fed_object, struct fed_schedule_cluster *clusters, size_t n)
{
    struct fed_placement_cluster *candidates = mem_array(n, sizeof(*candidates));
    bool *selected = mem_array(n, sizeof(*selected)), not_federated;

    for (size_t i = 0; i < n; i++)
        candidates[i] = (struct fed_placement_cluster){ clusters[i].name, clusters[i].labels };
    (void)fed_placement(&(struct fed_placement_input){ .object = fed_object, .clusters = candidates, .n_clusters = n },
                        selected, &not_federated, NULL);
    for (size_t i = 0; i < n; i++)
        clusters[i].has_previous = selected[i];
    free(candidates);
    free(selected);
}

static void place_by_name(yyjson_val *list, struct fed_schedule_cluster *clusters, size_t n)
{
    yyjson_val *item;
    size_t i, count;

    for (size_t k = 0; k < n; k++)
        clusters[k].has_previous = false;
    yyjson_arr_foreach(list, i, count, item)
    {
        size_t at = fed_schedule_find(clusters, n, json_path_str(item, "name"));

        if (at < n)
            clusters[at].has_previous = true;
    }
}

static int64_t number_of_template(yyjson_val *fed_object, struct str path)
{
    yyjson_val *v = json_path(fed_object, "spec.template");
    struct str step, rest = path;
    int64_t number = 1;

    str_cut(rest, '/', &step, &rest); /* what stands before the first slash: nothing */
    while (rest.n) {
        str_cut(rest, '/', &step, &rest);
        v = json_getn(v, step);
    }
    (void)number_of(v, &number);
    return fed_replicas(number);
}

void fed_schedule_previous(yyjson_val *fed_object, struct str path, struct fed_schedule_cluster *clusters, size_t n)
{
    bool *seen = mem_array(n, sizeof(*seen));
    yyjson_val *list = json_path(fed_object, "spec.placement.clusters"), *item;
    int64_t number = number_of_template(fed_object, path);
    size_t i, count;

    if (list && !yyjson_is_null(list))
        place_by_name(list, clusters, n);
    else
        place_by_selector(fed_object, clusters, n);
    for (size_t k = 0; k < n; k++) {
        clusters[k].previous = number;
        clusters[k].by_template = true;
    }
    yyjson_arr_foreach(json_path(fed_object, "spec.overrides"), i, count, item)
    {
        size_t at = fed_schedule_find(clusters, n, json_path_str(item, "clusterName"));

        if (at == n || seen[at])
            continue;
        seen[at] = true;
        if (!number_of(json_get(replicas_op(item, path), "value"), &number))
            continue;
        clusters[at].previous = fed_replicas(number);
        clusters[at].by_template = false;
    }
    free(seen);
}

/* --- placement --- */

static bool placement_is_right(yyjson_val *fed_object, const struct map *placed)
{
    _cleanup_(map_done) struct map seen = MAP_INIT;
    yyjson_val *list = json_path(fed_object, "spec.placement.clusters"), *item;
    size_t i, n;

    if (!yyjson_is_arr(list))
        return false;
    yyjson_arr_foreach(list, i, n, item)
    {
        struct str name = json_path_str(item, "name");

        if (!map_has(placed, name))
            return false;
        map_put(&seen, name, item);
    }
    return map_count(&seen) == map_count(placed);
}

/* One operation of a JSON patch. A merge patch would do with less, but API servers drop each null in it, and the override of
 * somebody else may say null. */
static void add_step(yyjson_mut_doc *doc, const char *op, const char *path, yyjson_mut_val *value)
{
    yyjson_mut_val *step = yyjson_mut_obj(doc);

    json_mut_set_str(doc, step, "op", str_of(op));
    json_mut_set_str(doc, step, "path", str_of(path));
    json_mut_set(doc, step, "value", value);
    yyjson_mut_arr_append(yyjson_mut_doc_get_root(doc), step);
}

static void put_placement(yyjson_mut_doc *doc, yyjson_val *fed_object, const struct fed_schedule_input *in,
                          const struct fed_schedule *s)
{
    yyjson_mut_val *list = yyjson_mut_arr(doc), *placement;

    for (size_t i = 0; i < s->n; i++) {
        yyjson_mut_val *item;

        if (!s->shares[i].placed)
            continue;
        item = yyjson_mut_obj(doc);
        json_mut_set_str(doc, item, "name", in->clusters[i].name);
        yyjson_mut_arr_append(list, item);
    }
    if (yyjson_is_obj(json_path(fed_object, "spec.placement"))) {
        add_step(doc, "add", "/spec/placement/clusters", list);
        return;
    }
    placement = yyjson_mut_obj(doc);
    json_mut_set(doc, placement, "clusters", list);
    add_step(doc, "add", "/spec/placement", placement);
}

/* --- overrides --- */

struct rewrite {
    yyjson_mut_doc *doc;
    struct str path;
    const struct map *placed; /* by cluster: its share */
    struct map done;          /* clusters that have an item */
    bool changed;
};

static void set_number(struct rewrite *w, yyjson_mut_val *op, int64_t replicas)
{
    json_mut_set_i64(w->doc, op, "value", replicas);
    w->changed = true;
}

static void append_op(struct rewrite *w, yyjson_mut_val *ops, int64_t replicas)
{
    yyjson_mut_val *op = yyjson_mut_obj(w->doc);

    json_mut_set_str(w->doc, op, "path", w->path);
    set_number(w, op, replicas);
    yyjson_mut_arr_append(ops, op);
}

/* The cluster's patches with the number that it should have; NULL share: with none. */
static yyjson_mut_val *rewrite_ops(struct rewrite *w, yyjson_val *item, const struct fed_schedule_share *share)
{
    yyjson_mut_val *ops = yyjson_mut_arr(w->doc);
    bool found = false;
    yyjson_val *op;
    size_t i, n;

    yyjson_arr_foreach(json_get(item, "clusterOverrides"), i, n, op)
    {
        bool ours = !found && is_replicas(op, w->path);
        int64_t number;

        found |= ours;
        if (ours && !share) {
            w->changed = true;
            continue;
        }
        yyjson_mut_val *copy = json_mut_copy(w->doc, op);
        if (ours && (!number_of(json_get(op, "value"), &number) || number != share->replicas))
            set_number(w, copy, share->replicas);
        yyjson_mut_arr_append(ops, copy);
    }
    if (share && !found)
        append_op(w, ops, share->replicas);
    return ops;
}

static yyjson_mut_val *rewrite_item(struct rewrite *w, yyjson_val *item)
{
    struct str cluster = json_path_str(item, "clusterName");
    const struct fed_schedule_share *share = map_get(w->placed, cluster);
    yyjson_mut_val *copy = json_mut_copy(w->doc, item);

    if (share)
        map_put(&w->done, cluster, w);
    if (share || replicas_op(item, w->path))
        json_mut_set(w->doc, copy, "clusterOverrides", rewrite_ops(w, item, share));
    return copy;
}

static yyjson_mut_val *new_item(struct rewrite *w, struct str cluster, const struct fed_schedule_share *share)
{
    yyjson_mut_val *item = yyjson_mut_obj(w->doc), *ops = yyjson_mut_arr(w->doc);

    json_mut_set_str(w->doc, item, "clusterName", cluster);
    append_op(w, ops, share->replicas);
    json_mut_set(w->doc, item, "clusterOverrides", ops);
    return item;
}

static bool put_overrides(struct rewrite *w, yyjson_val *fed_object, const struct fed_schedule_input *in,
                          const struct fed_schedule *s)
{
    yyjson_mut_val *list = yyjson_mut_arr(w->doc);
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(json_path(fed_object, "spec.overrides"), i, n, item)
        yyjson_mut_arr_append(list, rewrite_item(w, item));
    for (i = 0; i < s->n; i++)
        if (s->shares[i].placed && !map_has(&w->done, in->clusters[i].name))
            yyjson_mut_arr_append(list, new_item(w, in->clusters[i].name, &s->shares[i]));
    map_done(&w->done);
    if (w->changed)
        add_step(w->doc, "add", "/spec/overrides", list);
    return w->changed;
}

int fed_schedule_patch(struct buf *out, yyjson_val *fed_object, struct str path, const struct fed_schedule_input *in,
                       const struct fed_schedule *s, struct error **err)
{
    _cleanup_(fed_overrides_freep) struct fed_overrides *parsed = NULL;
    _cleanup_(map_done) struct map placed = MAP_INIT;
    _cleanup_json_mut_ yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    struct rewrite w = { .doc = doc, .path = path, .placed = &placed };
    struct str version = json_path_str(fed_object, "metadata.resourceVersion");
    bool moved, changed;
    int r = fed_overrides_parse(fed_object, &parsed, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < s->n; i++)
        if (s->shares[i].placed)
            map_put(&placed, in->clusters[i].name, (void *)(uintptr_t)&s->shares[i]);
    yyjson_mut_doc_set_root(doc, yyjson_mut_arr(doc));
    if (version.n)
        add_step(doc, "replace", "/metadata/resourceVersion", json_mut_new_str(doc, version));
    moved = !placement_is_right(fed_object, &placed);
    if (moved)
        put_placement(doc, fed_object, in, s);
    changed = put_overrides(&w, fed_object, in, s);
    if (!moved && !changed)
        return 0;
    json_mut_write(out, yyjson_mut_doc_get_root(doc));
    return 1;
}
