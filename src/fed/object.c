/* See object.h. */
#include "fed/object.h"

#include <stdlib.h>

#include "fed/names.h"

/* --- finalizers --- */

bool fed_has_finalizer(yyjson_val *object, const char *finalizer)
{
    yyjson_val *list = json_path(object, "metadata.finalizers"), *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item) if (str_eqc(json_str(item), finalizer)) return true;
    return false;
}

static yyjson_mut_val *finalizers_of(yyjson_mut_doc *doc, yyjson_val *object, const char *finalizer, bool add)
{
    yyjson_val *present = json_path(object, "metadata.finalizers"), *item;
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    size_t i, n;

    yyjson_arr_foreach(present, i, n, item)
    {
        if (add || !str_eqc(json_str(item), finalizer))
            yyjson_mut_arr_append(list, json_mut_copy(doc, item));
    }
    if (add && !fed_has_finalizer(object, finalizer))
        yyjson_mut_arr_append(list, json_mut_new_str(doc, str_of(finalizer)));
    return list;
}

void fed_finalizer_patch(struct buf *out, yyjson_val *object, const char *finalizer, bool add)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *metadata = yyjson_mut_obj(doc);
    struct str rv = json_path_str(object, "metadata.resourceVersion");

    json_mut_set(doc, root, "metadata", metadata);
    if (rv.n)
        json_mut_set_str(doc, metadata, "resourceVersion", rv);
    json_mut_set(doc, metadata, "finalizers", finalizers_of(doc, object, finalizer, add));
    json_mut_write(out, root);
}

/* --- labels and annotations; their names contain dots --- */

static struct str member_of(yyjson_val *object, const char *map, const char *name)
{
    return json_str(json_get(json_path(object, map), name));
}

bool fed_wants_orphaning(yyjson_val *fed_object)
{
    return str_eqc(member_of(fed_object, "metadata.annotations", FED_ORPHAN_ANNOTATION), FED_ORPHAN_TRUE);
}

bool fed_object_is_managed(yyjson_val *object)
{
    return str_eqc(member_of(object, "metadata.labels", FED_MANAGED_LABEL), FED_MANAGED_TRUE);
}

bool fed_object_opted_out(yyjson_val *object)
{
    return str_eqc(member_of(object, "metadata.labels", FED_MANAGED_LABEL), FED_MANAGED_FALSE);
}

bool fed_maps_equal(yyjson_val *a, yyjson_val *b)
{
    bool empty_a = !a || yyjson_is_null(a) || (yyjson_is_obj(a) && yyjson_obj_size(a) == 0);
    bool empty_b = !b || yyjson_is_null(b) || (yyjson_is_obj(b) && yyjson_obj_size(b) == 0);

    return empty_a || empty_b ? empty_a && empty_b : json_equal(a, b);
}

/* --- versions --- */

char *fed_version_of(int64_t generation, struct str resource_version)
{
    if (generation != 0)
        return mem_printf("gen:%lld", (long long)generation);
    return mem_printf("rv:%" PRIstr, STRARG(resource_version));
}

char *fed_object_version(yyjson_val *object)
{
    return fed_version_of(json_path_i64(object, "metadata.generation", 0),
                          json_path_str(object, "metadata.resourceVersion"));
}

/* --- status --- */

void fed_status_patch(struct buf *out, yyjson_mut_doc *status)
{
    /* What one of the two kinds of status may have had and this one may lack. */
    static const char *const optional[] = { "observedGeneration", "clusters", "kubernetesVersion", "zones", "region" };
    _cleanup_json_ yyjson_doc *copy = json_freeze(status);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *body = json_mut_copy(doc, yyjson_doc_get_root(copy));

    for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
        if (!json_mut_get(body, optional[i]))
            json_mut_set(doc, body, optional[i], yyjson_mut_null(doc));
    json_mut_set(doc, yyjson_mut_doc_get_root(doc), "status", body);
    json_mut_write(out, yyjson_mut_doc_get_root(doc));
}
