/*
 * JSON patch with the behaviour of the library behind KubeFed's overrides, table in controllers.md 5.7. It departs from
 * RFC 6902 where users depend on it: "replace" of a missing member adds it, indices may be negative or have leading
 * zeros, and the text before the first '/' of a path is ignored.
 *
 * A patched document never gets deeper than JSON_MAX_DEPTH, however many operations nest their values.
 */
#include "json/patch.h"

/* Longest path that an error message repeats in full. */
#define PATH_SHOWN 256

enum op_kind { OP_ADD, OP_REMOVE, OP_REPLACE, OP_TEST };

static const struct {
    struct str name;
    enum op_kind kind;
} op_names[] = {
    { { "", 0 }, OP_REPLACE },        { { "add", 3 }, OP_ADD },   { { "remove", 6 }, OP_REMOVE },
    { { "replace", 7 }, OP_REPLACE }, { { "test", 4 }, OP_TEST },
};

static int fail(const struct json_patch_op *op, const char *why, struct error **err)
{
    struct str name = op->op.n ? str_n(op->op.p, MIN(op->op.n, (size_t)16)) : STR("replace");
    struct str path = str_n(op->path.p, MIN(op->path.n, (size_t)PATH_SHOWN));

    return error_set(err, -EINVAL, "%" PRIstr " operation does not apply to path \"%" PRIstr "%s\": %s", STRARG(name),
                     STRARG(path), op->path.n > PATH_SHOWN ? "..." : "", why);
}

/* "~1" is '/', "~0" is '~', in one pass; a '~' before anything else stands for itself. Owned. */
static char *unescape(struct str segment, size_t *ret_n)
{
    char *out = mem_alloc(segment.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < segment.n; i++) {
        char next = i + 1 < segment.n ? segment.p[i + 1] : '\0';

        if (segment.p[i] == '~' && (next == '0' || next == '1')) {
            out[n++] = next == '1' ? '/' : '~';
            i++;
        } else {
            out[n++] = segment.p[i];
        }
    }
    out[n] = '\0';
    *ret_n = n;
    return out;
}

/* An index in an array of n places, where negative ones count from the end. */
static bool array_index(struct str key, size_t n, size_t *ret)
{
    int64_t i;

    if (str_to_i64(key, &i) < 0)
        return false;
    if (i < 0)
        i += (int64_t)n;
    if (i < 0 || (uint64_t)i >= n)
        return false;
    *ret = (size_t)i;
    return true;
}

/* NULL when absent, or when ctn has no members. With duplicates the last one. */
static yyjson_mut_val *member(yyjson_mut_val *ctn, struct str key)
{
    yyjson_mut_val *k, *last = NULL;
    yyjson_mut_obj_iter it;
    size_t i;

    if (yyjson_mut_is_arr(ctn))
        return array_index(key, yyjson_mut_arr_size(ctn), &i) ? yyjson_mut_arr_get(ctn, i) : NULL;
    it = yyjson_mut_obj_iter_with(ctn);
    while ((k = yyjson_mut_obj_iter_next(&it)))
        if (str_eq(json_mut_str(k), key))
            last = yyjson_mut_obj_iter_get_val(k);
    return last;
}

/* The levels of containers inside v; a scalar has none. Bounded by JSON_MAX_DEPTH, as v was parsed. */
static size_t depth_of(yyjson_val *v)
{
    size_t deepest = 0, i, n;
    yyjson_val *k, *item;

    if (!yyjson_is_ctn(v))
        return 0;
    if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, i, n, item) deepest = MAX(deepest, depth_of(item));
    } else {
        yyjson_obj_foreach(v, i, n, k, item) deepest = MAX(deepest, depth_of(item));
    }
    return deepest + 1;
}

static int add(yyjson_mut_doc *doc, yyjson_mut_val *ctn, struct str key, const struct json_patch_op *op,
               struct error **err)
{
    size_t n = yyjson_mut_arr_size(ctn), i;

    if (yyjson_mut_is_obj(ctn)) {
        json_mut_setn(doc, ctn, key, json_mut_copy(doc, op->value));
        return 0;
    }
    if (str_eq(key, STR("-")))
        i = n;
    else if (!array_index(key, n + 1, &i)) /* one more place than there are elements: the end */
        return fail(op, "invalid array index", err);
    if (i == n) /* inserting walks the array, appending does not */
        yyjson_mut_arr_append(ctn, json_mut_copy(doc, op->value));
    else
        yyjson_mut_arr_insert(ctn, json_mut_copy(doc, op->value), i);
    return 0;
}

static int replace(yyjson_mut_doc *doc, yyjson_mut_val *ctn, struct str key, const struct json_patch_op *op,
                   struct error **err)
{
    size_t i;

    if (yyjson_mut_is_obj(ctn)) {
        json_mut_setn(doc, ctn, key, json_mut_copy(doc, op->value));
        return 0;
    }
    if (!array_index(key, yyjson_mut_arr_size(ctn), &i))
        return fail(op, "invalid array index", err);
    yyjson_mut_arr_replace(ctn, i, json_mut_copy(doc, op->value));
    return 0;
}

static int take_away(yyjson_mut_val *ctn, struct str key, const struct json_patch_op *op, struct error **err)
{
    size_t i;

    if (yyjson_mut_is_obj(ctn)) {
        if (!member(ctn, key))
            return fail(op, "no such member", err);
        json_mut_remove(ctn, key);
        return 0;
    }
    if (!array_index(key, yyjson_mut_arr_size(ctn), &i))
        return fail(op, "invalid array index", err);
    yyjson_mut_arr_remove(ctn, i);
    return 0;
}

/* Absent and null are the same on both sides. */
static int test(yyjson_mut_val *found, const struct json_patch_op *op, struct error **err)
{
    bool want_null = !op->value || yyjson_is_null(op->value);
    bool is_null = !found || yyjson_mut_is_null(found);

    if (want_null ? is_null : json_mut_equal(found, op->value))
        return 0;
    return fail(op, "the value is another one", err);
}

/* Path "": the whole document. */
static int apply_root(yyjson_mut_doc *doc, enum op_kind kind, const struct json_patch_op *op, struct error **err)
{
    if (kind == OP_TEST)
        return test(yyjson_mut_doc_get_root(doc), op, err);
    if (kind != OP_REPLACE)
        return fail(op, "the whole document can only be replaced", err);
    if (!op->value || yyjson_is_null(op->value))
        return fail(op, "a value is needed to replace the whole document", err);
    if (yyjson_is_arr(op->value))
        return fail(op, "the whole document must stay an object", err);
    if (yyjson_is_obj(op->value))
        yyjson_mut_doc_set_root(doc, json_mut_copy(doc, op->value));
    return 0;
}

/* Walks to the container that the last segment of the path addresses. *ret_depth counts the containers from the root to
 * it, both included. */
static int find_parent(yyjson_mut_doc *doc, const struct json_patch_op *op, yyjson_mut_val **ret, struct str *ret_last,
                       size_t *ret_depth, struct error **err)
{
    yyjson_mut_val *ctn = yyjson_mut_doc_get_root(doc);
    struct str ignored, rest, segment;
    size_t depth = 1;

    if (!str_cut(op->path, '/', &ignored, &rest))
        return fail(op, "the path has no '/'", err);
    while (str_cut(rest, '/', &segment, &rest)) {
        _cleanup_free_ char *key = NULL;
        size_t n;

        if (!yyjson_mut_is_ctn(ctn))
            return fail(op, "the parent is missing", err);
        key = unescape(segment, &n);
        ctn = member(ctn, str_n(key, n));
        depth++;
    }
    if (!yyjson_mut_is_ctn(ctn))
        return fail(op, "the parent is missing", err);
    *ret = ctn;
    *ret_last = segment;
    *ret_depth = depth;
    return 0;
}

int json_patch_apply(yyjson_mut_doc *doc, const struct json_patch_op *op, struct error **err)
{
    _cleanup_free_ char *text = NULL;
    const enum op_kind *kind = NULL;
    yyjson_mut_val *ctn = NULL;
    size_t depth = 0, n;
    struct str key = STR_NULL;
    int r;

    for (size_t i = 0; i < ARRAY_SIZE(op_names); i++)
        if (str_eq(op->op, op_names[i].name))
            kind = &op_names[i].kind;
    if (!kind)
        return fail(op, "unsupported operation", err);
    if (op->path.n == 0)
        return apply_root(doc, *kind, op, err);
    r = find_parent(doc, op, &ctn, &key, &depth, err);
    if (r < 0)
        return r;
    text = unescape(key, &n);
    key = str_n(text, n);
    switch (*kind) {
    case OP_REMOVE: return take_away(ctn, key, op, err);
    case OP_TEST: return test(member(ctn, key), op, err);
    case OP_ADD:
    case OP_REPLACE: break;
    }
    if (depth + depth_of(op->value) > JSON_MAX_DEPTH)
        return fail(op, "the document would be too deep", err);
    return *kind == OP_ADD ? add(doc, ctn, key, op, err) : replace(doc, ctn, key, op, err);
}
