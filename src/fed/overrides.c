/*
 * Overrides: parsed once per run, applied per cluster. Names and values borrow from the federated object's document; the
 * index by cluster name and the operations are owned.
 */
#include "fed/overrides.h"

#include <stdlib.h>

#include "base/map.h"
#include "json/patch.h"

/* Longest name or path that a message repeats in full. */
#define SHOWN 256
/* Up to here a path is looked for by comparing; beyond, in a map. */
#define FEW_PATHS 16

struct entry {
    struct str cluster;
    struct json_patch_op *ops;
    size_t n;
};

struct fed_overrides {
    struct entry *v;
    size_t n, cap;
    struct map by_cluster; /* name -> index + 1 */
};

static struct str shown(struct str s)
{
    return str_n(s.p, MIN(s.n, (size_t)SHOWN));
}

static bool is_absent(yyjson_val *v)
{
    return !v || yyjson_is_null(v);
}

/* --- parsing --- */

static int get_text(yyjson_val *obj, const char *key, struct str *ret, struct error **err)
{
    yyjson_val *v = json_get(obj, key);

    if (!is_absent(v) && !yyjson_is_str(v))
        return error_set(err, -EINVAL, "%s of an override must be a string", key);
    *ret = is_absent(v) ? STR("") : json_str(v);
    return 0;
}

static int parse_op(yyjson_val *v, struct json_patch_op *ret, struct error **err)
{
    struct json_patch_op op = { .value = json_get(v, "value") };
    int r;

    if (!is_absent(v) && !yyjson_is_obj(v))
        return error_set(err, -EINVAL, "an override must be an object");
    op.has_value = op.value != NULL;
    r = get_text(v, "op", &op.op, err);
    if (r == 0)
        r = get_text(v, "path", &op.path, err);
    if (r < 0)
        return r;
    *ret = op;
    return 0;
}

static int check_path(const struct entry *e, size_t i, struct map *seen, struct error **err)
{
    static const char *const forbidden[] = { "/metadata/namespace", "/metadata/name", "/metadata/generateName",
                                             "/kind" };
    struct str path = e->ops[i].path;
    bool twice = false;

    for (size_t k = 0; k < ARRAY_SIZE(forbidden); k++)
        if (str_eqc(path, forbidden[k]))
            return error_set(err, -EINVAL, "override[%zu] for cluster \"%" PRIstr "\" has an invalid path: %s", i,
                             STRARG(shown(e->cluster)), forbidden[k]);
    if (e->n > FEW_PATHS)
        twice = map_put(seen, path, seen) != NULL;
    else
        for (size_t k = 0; k < i; k++)
            twice |= str_eq(e->ops[k].path, path);
    if (twice)
        return error_set(err, -EINVAL, "path \"%" PRIstr "\" appears more than once for cluster \"%" PRIstr "\"",
                         STRARG(shown(path)), STRARG(shown(e->cluster)));
    return 0;
}

static int parse_ops(yyjson_val *list, struct entry *e, struct error **err)
{
    _cleanup_(map_done) struct map seen = MAP_INIT;
    yyjson_val *item;
    size_t i, n;
    int r;

    if (is_absent(list))
        return 0;
    if (!yyjson_is_arr(list))
        return error_set(err, -EINVAL, "clusterOverrides for cluster \"%" PRIstr "\" must be a list",
                         STRARG(shown(e->cluster)));
    e->n = yyjson_arr_size(list);
    e->ops = mem_array(e->n + 1, sizeof(*e->ops));
    yyjson_arr_foreach(list, i, n, item)
    {
        r = parse_op(item, &e->ops[i], err);
        if (r == 0)
            r = check_path(e, i, &seen, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int parse_entry(struct fed_overrides *o, yyjson_val *v, struct error **err)
{
    struct entry *e;
    int r;

    if (!is_absent(v) && !yyjson_is_obj(v))
        return error_set(err, -EINVAL, "an entry of spec.overrides must be an object");
    MEM_GROW(o->v, o->cap, o->n);
    e = &o->v[o->n++];
    *e = (struct entry){ 0 };
    r = get_text(v, "clusterName", &e->cluster, err);
    if (r < 0)
        return r;
    if (map_put(&o->by_cluster, e->cluster, (void *)(uintptr_t)o->n))
        return error_set(err, -EINVAL, "cluster \"%" PRIstr "\" appears more than once", STRARG(shown(e->cluster)));
    return parse_ops(json_get(v, "clusterOverrides"), e, err);
}

int fed_overrides_parse(yyjson_val *fed_object, struct fed_overrides **ret, struct error **err)
{
    _cleanup_(fed_overrides_freep) struct fed_overrides *o = mem_zalloc(sizeof(*o));
    yyjson_val *list = json_path(fed_object, "spec.overrides"), *item;
    size_t i, n;

    if (!is_absent(list) && !yyjson_is_arr(list))
        return error_set(err, -EINVAL, "spec.overrides must be a list");
    yyjson_arr_foreach(list, i, n, item)
    {
        int r = parse_entry(o, item, err);

        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(o);
    return 0;
}

void fed_overrides_free(struct fed_overrides *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n; i++)
        free(o->v[i].ops);
    free(o->v);
    map_done(&o->by_cluster);
    free(o);
}

static const struct entry *find(const struct fed_overrides *o, struct str cluster)
{
    uintptr_t at = (uintptr_t)map_get(&o->by_cluster, cluster);

    return at ? &o->v[at - 1] : NULL;
}

bool fed_overrides_has(const struct fed_overrides *o, struct str cluster)
{
    const struct entry *e = find(o, cluster);

    return e && e->n > 0;
}

bool fed_overrides_touch_metadata(const struct fed_overrides *o, struct str cluster)
{
    const struct entry *e = find(o, cluster);

    for (size_t i = 0; e && i < e->n; i++) {
        struct str ignored, rest, segment;

        if (!str_cut(e->ops[i].path, '/', &ignored, &rest))
            return true;
        str_cut(rest, '/', &segment, &rest);
        if (str_eqc(segment, "metadata"))
            return true;
    }
    return false;
}

/* --- applying --- */

/* What an override may not change. */
static const char *const identity[] = { "kind", "metadata.name", "metadata.namespace", "metadata.generateName" };

struct before {
    char *text[ARRAY_SIZE(identity)]; /* NULL: not a string */
    char *resource_version;
};

static char *text_at(yyjson_mut_val *root, const char *path)
{
    struct str s = json_mut_str(json_mut_path(root, path));

    return s.p ? str_dup(s) : NULL;
}

static void before_done(struct before *b)
{
    for (size_t i = 0; i < ARRAY_SIZE(identity); i++)
        free(b->text[i]);
    free(b->resource_version);
}

static int check_identity(const struct before *b, yyjson_mut_val *root, struct error **err)
{
    for (size_t i = 0; i < ARRAY_SIZE(identity); i++) {
        yyjson_mut_val *now = json_mut_path(root, identity[i]);
        bool same = b->text[i] ? str_eqc(json_mut_str(now), b->text[i]) && yyjson_mut_is_str(now) : !now;

        if (!same)
            return error_set(err, -EINVAL, "an override must not change %s", identity[i]);
    }
    return 0;
}

/* The precondition of an update survives every override. */
static void restore_resource_version(const struct before *b, yyjson_mut_doc *object, yyjson_mut_val *root)
{
    yyjson_mut_val *metadata = json_mut_get(root, "metadata");

    if (b->resource_version)
        json_mut_set_str(object, metadata, "resourceVersion", str_of(b->resource_version));
    else
        json_mut_remove(metadata, STR("resourceVersion"));
}

int fed_overrides_apply(const struct fed_overrides *o, struct str cluster, yyjson_mut_doc *object, struct error **err)
{
    const struct entry *e = find(o, cluster);
    _cleanup_(before_done) struct before b = { 0 };
    yyjson_mut_val *root = yyjson_mut_doc_get_root(object);
    int r;

    if (!e || e->n == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(identity); i++)
        b.text[i] = text_at(root, identity[i]);
    b.resource_version = text_at(root, "metadata.resourceVersion");
    for (size_t i = 0; i < e->n; i++) {
        r = json_patch_apply(object, &e->ops[i], err);
        if (r < 0) {
            error_wrap(err, "override[%zu]", i);
            return r;
        }
    }
    root = yyjson_mut_doc_get_root(object);
    r = check_identity(&b, root, err);
    if (r < 0)
        return r;
    restore_resource_version(&b, object, root);
    return 0;
}
