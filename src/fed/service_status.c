/* See service_status.h. */
#include "fed/service_status.h"

#include <stdlib.h>

#include "fed/names.h"

bool fed_type_collects_service_status(const struct fed_type_config *type, bool raw_status)
{
    return strcmp(type->name, FED_SERVICES_FTC) == 0 && type->status_collection && type->has_status_type && !raw_status;
}

static yyjson_val *stored_status(yyjson_val *previous, struct str cluster)
{
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(json_get(previous, "clusterStatus"), i, n, item)
    {
        if (str_eq(json_path_str(item, "clusterName"), cluster))
            return json_get(item, "status");
    }
    return NULL;
}

static yyjson_mut_val *make_list(const struct fed_service_status_input *in, yyjson_mut_doc *doc)
{
    yyjson_mut_val *list = yyjson_mut_arr(doc);

    for (size_t i = 0; i < in->n_clusters; i++) {
        const struct fed_service_cluster *c = &in->clusters[i];
        yyjson_val *status = c->unknown ? stored_status(in->previous, c->name) : c->status;
        yyjson_mut_val *item = yyjson_mut_arr_add_obj(doc, list);

        json_mut_set_str(doc, item, "clusterName", c->name);
        if (yyjson_is_obj(status))
            json_mut_set(doc, item, "status", json_mut_copy(doc, status));
    }
    return list;
}

static void describe(const struct fed_service_status_input *in, yyjson_mut_doc *doc, yyjson_mut_val *root)
{
    const struct fed_type_config *type = in->type;
    _cleanup_free_ char *api = fed_api_version(str_of(type->status.group), str_of(type->status.version));
    _cleanup_free_ char *owner_api = fed_api_version(str_of(type->federated.group), str_of(type->federated.version));
    yyjson_mut_val *metadata, *owner;

    json_mut_set_str(doc, root, "apiVersion", str_of(api));
    json_mut_set_str(doc, root, "kind", str_of(type->status.kind));
    metadata = json_mut_ensure_obj(doc, root, "metadata");
    json_mut_set_str(doc, metadata, "name", json_path_str(in->object, "metadata.name"));
    json_mut_set_str(doc, metadata, "namespace", json_path_str(in->object, "metadata.namespace"));
    json_mut_set(doc, metadata, "ownerReferences", yyjson_mut_arr(doc));
    owner = yyjson_mut_arr_add_obj(doc, json_mut_get(metadata, "ownerReferences"));
    json_mut_set_str(doc, owner, "apiVersion", str_of(owner_api));
    json_mut_set_str(doc, owner, "kind", str_of(type->federated.kind));
    json_mut_set_str(doc, owner, "name", json_path_str(in->object, "metadata.name"));
    json_mut_set_str(doc, owner, "uid", json_path_str(in->object, "metadata.uid"));
}

enum fed_service_status_step fed_service_status_make(const struct fed_service_status_input *in, struct buf *out)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *list = make_list(in, doc);
    yyjson_val *stored = json_get(in->previous, "clusterStatus");
    bool none = yyjson_mut_arr_size(list) == 0;

    if (in->previous && (json_mut_equal(list, stored) || (none && yyjson_arr_size(stored) == 0)))
        return FED_SERVICE_STATUS_SAME;
    if (!in->previous)
        describe(in, doc, root);
    if (in->previous || !none)
        json_mut_set(doc, root, "clusterStatus", list);
    json_mut_write(out, root);
    return in->previous ? FED_SERVICE_STATUS_PATCH : FED_SERVICE_STATUS_CREATE;
}
