/* Reading access to immutable and mutable values. Nothing is owned: results point into the document. */
#include "json/json.h"

#include "json/walk.h"

/* The last member of that name; duplicates are rare, but the last one is what Go sees. */
static struct json_node find(struct json_node obj, struct str key)
{
    struct json_node found = { .mut = obj.mut }, k;

    if (json_node_type(obj) != YYJSON_TYPE_OBJ || json_node_count(obj) == 0)
        return found;
    k = json_node_first(obj);
    for (size_t n = json_node_count(obj); n > 0; n--) {
        struct json_node v = json_node_next(k);

        if (str_eq(json_node_str(k), key))
            found = v;
        if (n > 1)
            k = json_node_next(v);
    }
    return found;
}

static struct json_node walk(struct json_node n, const char *dotted)
{
    struct str rest = str_of(dotted), name;
    bool more = true;

    while (more && n.val) {
        more = str_cut(rest, '.', &name, &rest);
        n = find(n, name);
    }
    return n;
}

yyjson_val *json_getn(yyjson_val *obj, struct str key)
{
    return (yyjson_val *)find(json_node_of(obj), key).val;
}

yyjson_val *json_get(yyjson_val *obj, const char *key)
{
    return json_getn(obj, str_of(key));
}

yyjson_val *json_path(yyjson_val *root, const char *dotted)
{
    return (yyjson_val *)walk(json_node_of(root), dotted).val;
}

yyjson_mut_val *json_mut_get(yyjson_mut_val *obj, const char *key)
{
    return (yyjson_mut_val *)find(json_node_of_mut(obj), str_of(key)).val;
}

yyjson_mut_val *json_mut_path(yyjson_mut_val *root, const char *dotted)
{
    return (yyjson_mut_val *)walk(json_node_of_mut(root), dotted).val;
}

static struct str node_str(struct json_node n)
{
    return json_node_type(n) == YYJSON_TYPE_STR ? json_node_str(n) : STR_NULL;
}

struct str json_str(yyjson_val *v)
{
    return node_str(json_node_of(v));
}

struct str json_mut_str(const yyjson_mut_val *v)
{
    return node_str(json_node_of_mut(v));
}

struct str json_path_str(yyjson_val *root, const char *dotted)
{
    return json_str(json_path(root, dotted));
}

int json_i64(yyjson_val *v, int64_t *ret)
{
    if (!v || yyjson_is_null(v))
        return -ENOENT;
    if (!yyjson_is_int(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) > INT64_MAX))
        return -EINVAL;
    *ret = yyjson_get_sint(v);
    return 0;
}

int64_t json_path_i64(yyjson_val *root, const char *dotted, int64_t fallback)
{
    int64_t v = fallback;

    json_i64(json_path(root, dotted), &v);
    return v;
}

bool json_path_bool(yyjson_val *root, const char *dotted, bool fallback)
{
    yyjson_val *v = json_path(root, dotted);

    return yyjson_is_bool(v) ? yyjson_get_bool(v) : fallback;
}
