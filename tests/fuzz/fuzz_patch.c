/*
 * Patches on a document. The text is an object {"doc": ..., "ops": [{"op", "path", "value"}], "merge": ...}. The result
 * must be a document within the limits, and a merge patch made from a difference must turn one side into the other.
 */
#include "fuzz.h"
#include "json/patch.h"

static void apply_ops(yyjson_mut_doc *doc, yyjson_val *ops)
{
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(ops, i, n, item)
    {
        struct json_patch_op op = {
            .op = json_path_str(item, "op"),
            .path = json_path_str(item, "path"),
            .value = json_get(item, "value"),
            .has_value = json_get(item, "value") != NULL,
        };
        _cleanup_error_ struct error *err = NULL;

        if (json_patch_apply(doc, &op, &err) < 0)
            FUZZ_CHECK(err);
    }
}

/* Nulls inside objects cannot be expressed by a merge patch. */
static bool has_null_member(yyjson_val *v)
{
    yyjson_val *k, *item;
    size_t i, n;

    if (!yyjson_is_obj(v))
        return false;
    yyjson_obj_foreach(v, i, n, k, item) if (yyjson_is_null(item) || has_null_member(item)) return true;
    return false;
}

static void check_diff(yyjson_val *from, yyjson_val *to)
{
    _cleanup_json_mut_ yyjson_mut_doc *patch_doc = json_mut_doc_new(), *target = json_mut_doc_of(from);
    _cleanup_json_ yyjson_doc *patch = json_freeze_val(json_merge_diff(patch_doc, from, to));

    json_merge_apply(target, yyjson_mut_doc_get_root(target), yyjson_doc_get_root(patch));
    if (!has_null_member(to))
        FUZZ_CHECK(json_mut_equal(yyjson_mut_doc_get_root(target), to));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ yyjson_doc *input = NULL, *result = NULL, *again = NULL;
    _cleanup_json_mut_ yyjson_mut_doc *doc = NULL;
    _cleanup_buf_ struct buf b = BUF_INIT(BUF_MAX_DEFAULT);
    yyjson_val *root, *merge;

    if (json_parse(str_n((const char *)data, size), &input, NULL) < 0)
        return 0;
    root = yyjson_doc_get_root(input);
    doc = json_mut_doc_of(json_get(root, "doc"));
    apply_ops(doc, json_get(root, "ops"));
    merge = json_get(root, "merge");
    if (merge)
        json_merge_apply(doc, yyjson_mut_doc_get_root(doc), merge);
    result = json_freeze(doc);
    FUZZ_CHECK(json_write(&b, yyjson_doc_get_root(result)) == 0);
    FUZZ_CHECK(json_parse(buf_str(&b), &again, NULL) == 0);
    if (yyjson_is_obj(json_get(root, "doc")) && yyjson_is_obj(yyjson_doc_get_root(result)))
        check_diff(json_get(root, "doc"), yyjson_doc_get_root(result));
    return 0;
}
