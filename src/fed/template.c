/* See template.h. */
#include "fed/template.h"

#include <stdlib.h>

#include "fed/names.h"

static bool is_absent(yyjson_val *v)
{
    return !v || yyjson_is_null(v);
}

/* Has something that is about to be dropped. */
static bool is_filled(yyjson_mut_val *v)
{
    return v && !yyjson_mut_is_null(v) && !(yyjson_mut_is_ctn(v) && unsafe_yyjson_get_len(v) == 0);
}

static bool drop(yyjson_mut_val *metadata, const char *key)
{
    bool filled = is_filled(json_mut_get(metadata, key));

    json_mut_remove(metadata, str_of(key));
    return filled;
}

static void name_it(const struct fed_type_config *type, yyjson_val *fed_object, yyjson_mut_doc *doc,
                    yyjson_mut_val *metadata)
{
    struct str ns = json_path_str(fed_object, "metadata.namespace");

    json_mut_set_str(doc, metadata, "name", json_path_str(fed_object, "metadata.name"));
    if (fed_type_is_namespace(type))
        return;
    if (ns.n)
        json_mut_set_str(doc, metadata, "namespace", ns);
    else
        json_mut_remove(metadata, STR("namespace"));
}

static void type_it(const struct fed_type_config *type, yyjson_mut_doc *doc, yyjson_mut_val *root)
{
    _cleanup_free_ char *api_version = fed_api_version(str_of(type->target.group), str_of(type->target.version));

    if (json_mut_str(json_mut_get(root, "apiVersion")).n == 0)
        json_mut_set_str(doc, root, "apiVersion", str_of(api_version));
    json_mut_set_str(doc, root, "kind", str_of(type->target.kind));
}

int fed_template_build(const struct fed_type_config *type, yyjson_val *fed_object, yyjson_mut_doc **ret,
                       struct fed_template_notes *ret_notes, struct error **err)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = NULL;
    yyjson_val *spec = json_get(fed_object, "spec"), *template = json_get(spec, "template");
    yyjson_mut_val *root, *metadata;
    struct fed_template_notes notes;

    if (!is_absent(spec) && !yyjson_is_obj(spec))
        return error_set(err, -EINVAL, "spec must be an object");
    if (!is_absent(template) && !yyjson_is_obj(template))
        return error_set(err, -EINVAL, "spec.template must be an object");
    if (json_path_str(fed_object, "metadata.name").n == 0)
        return error_set(err, -EINVAL, "the federated object has no name");
    doc = json_mut_doc_of(is_absent(template) ? NULL : template);
    root = yyjson_mut_doc_get_root(doc);
    metadata = json_mut_ensure_obj(doc, root, "metadata");
    if (!metadata)
        return error_set(err, -EINVAL, "spec.template.metadata must be an object");
    notes.annotations_dropped = drop(metadata, "annotations");
    notes.finalizers_dropped = drop(metadata, "finalizers");
    name_it(type, fed_object, doc, metadata);
    type_it(type, doc, root);
    *ret = TAKE_PTR(doc);
    *ret_notes = notes;
    return 0;
}

int fed_set_managed(yyjson_mut_doc *object, struct error **err)
{
    yyjson_mut_val *labels = json_mut_ensure_obj(object, yyjson_mut_doc_get_root(object), "metadata.labels");

    if (!labels)
        return error_set(err, -EINVAL, "metadata.labels must be an object");
    json_mut_set_str(object, labels, FED_MANAGED_LABEL, STR(FED_MANAGED_TRUE));
    return 0;
}
