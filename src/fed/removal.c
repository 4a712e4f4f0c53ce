/* See removal.h. */
#include "fed/removal.h"

#include <stdlib.h>

#include "base/rtime.h"

void fed_removal_free(struct fed_removal *r)
{
    if (!r)
        return;
    free(r->type);
    free(r->key);
    free(r->uid);
    free(r->cluster_uid);
    yyjson_doc_free(r->options);
    free(r);
}

int fed_removal_decode(yyjson_val *item, struct fed_removal **ret, struct error **err)
{
    struct str type = json_path_str(item, "type"), key = json_path_str(item, "key");
    yyjson_val *options = json_get(item, "deleteOptions");
    struct fed_removal *r;

    if (type.n == 0 || key.n == 0)
        return error_set(err, -EINVAL, "an entry needs type and key");
    r = mem_zalloc(sizeof(*r));
    r->type = str_dup(type);
    r->key = str_dup(key);
    r->uid = str_dup(json_path_str(item, "uid"));
    r->cluster_uid = str_dup(json_path_str(item, "clusterUID"));
    if (yyjson_is_obj(options)) {
        _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(options);

        r->options = json_freeze(copy);
    }
    if (time_parse_rfc3339(json_path_str(item, "since"), &r->since) < 0)
        r->since = 0;
    *ret = r;
    return 0;
}

void fed_removal_encode(const struct fed_removal *r, yyjson_mut_doc *doc, yyjson_mut_val *array)
{
    yyjson_mut_val *item = yyjson_mut_arr_add_obj(doc, array);
    char since[21];

    json_mut_set_str(doc, item, "type", str_of(r->type));
    json_mut_set_str(doc, item, "key", str_of(r->key));
    if (r->uid[0])
        json_mut_set_str(doc, item, "uid", str_of(r->uid));
    json_mut_set_str(doc, item, "clusterUID", str_of(r->cluster_uid));
    if (r->options)
        json_mut_set(doc, item, "deleteOptions", json_mut_copy(doc, yyjson_doc_get_root(r->options)));
    time_rfc3339(r->since, since);
    json_mut_set_str(doc, item, "since", str_of(since));
}
