/* JSON: parse, write, canonical form, copies, equality and hash must agree with each other. */
#include "fuzz.h"
#include "json/canonical.h"
#include "json/count.h"

static void check_rewrite(yyjson_val *root)
{
    _cleanup_buf_ struct buf b = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_json_ yyjson_doc *again = NULL;

    FUZZ_CHECK(json_write(&b, root) == 0);
    FUZZ_CHECK(json_parse(buf_str(&b), &again, NULL) == 0);
    FUZZ_CHECK(json_equal(root, yyjson_doc_get_root(again)));
    FUZZ_CHECK(json_hash(root) == json_hash(yyjson_doc_get_root(again)));
}

/* Whole doubles beyond 2^53 are written with zeros for the digits that do not count: they read as another integer. */
static bool has_large_double(yyjson_val *v)
{
    yyjson_val *k, *item;
    size_t i, n;

    if (yyjson_is_real(v))
        return yyjson_get_real(v) >= 0x1p53 || yyjson_get_real(v) <= -0x1p53;
    if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, i, n, item) if (has_large_double(item)) return true;
    } else if (yyjson_is_obj(v)) {
        yyjson_obj_foreach(v, i, n, k, item) if (has_large_double(item)) return true;
    }
    return false;
}

/* Writes v in canonical form and reads that again. */
static yyjson_doc *canonical_pass(struct buf *b, yyjson_val *v, unsigned flags)
{
    yyjson_doc *again = NULL;

    buf_reset(b);
    FUZZ_CHECK(json_canonical(b, v, flags) == 0);
    FUZZ_CHECK(json_parse(buf_str(b), &again, NULL) == 0);
    return again;
}

/* After one pass the text must not change any more; the first one may turn -0.0 into -0, which reads as 0. */
static void check_canonical(yyjson_val *root, unsigned flags)
{
    _cleanup_buf_ struct buf a = BUF_INIT(BUF_MAX_DEFAULT), b = BUF_INIT(BUF_MAX_DEFAULT),
                             c = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_json_ yyjson_doc *first = canonical_pass(&a, root, flags);
    _cleanup_json_ yyjson_doc *second = canonical_pass(&b, yyjson_doc_get_root(first), flags);
    _cleanup_json_ yyjson_doc *third = canonical_pass(&c, yyjson_doc_get_root(second), flags);

    if (flags == 0 && !has_large_double(root))
        FUZZ_CHECK(json_equal(root, yyjson_doc_get_root(first)));
    FUZZ_CHECK(json_equal(yyjson_doc_get_root(first), yyjson_doc_get_root(third)));
    FUZZ_CHECK(str_eq(buf_str(&b), buf_str(&c)));
}

static void check_copies(yyjson_val *root)
{
    _cleanup_json_mut_ yyjson_mut_doc *mut = json_mut_doc_of(root);
    _cleanup_json_ yyjson_doc *frozen = json_freeze(mut);

    FUZZ_CHECK(json_mut_equal(yyjson_mut_doc_get_root(mut), root));
    FUZZ_CHECK(json_equal(yyjson_doc_get_root(frozen), root));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *err = NULL;

    if (json_parse(str_n((const char *)data, size), &doc, &err) < 0) {
        FUZZ_CHECK(err && !doc);
        return 0;
    }
    FUZZ_CHECK(json_count_values(str_n((const char *)data, size)) == yyjson_doc_get_val_count(doc));
    check_rewrite(yyjson_doc_get_root(doc));
    check_canonical(yyjson_doc_get_root(doc), 0);
    check_canonical(yyjson_doc_get_root(doc), JSON_CANON_FLOAT64);
    check_copies(yyjson_doc_get_root(doc));
    return 0;
}
