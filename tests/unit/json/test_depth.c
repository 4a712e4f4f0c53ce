/* Documents as deep as an API server takes them go through everything that walks documents, on an ordinary stack. */
#include "json/canonical.h"
#include "json/json.h"
#include "json/patch.h"
#include "unit.h"

static yyjson_doc *deep(const char *open, const char *inner, const char *close, size_t depth)
{
    _cleanup_buf_ struct buf b = BUF_INIT(SIZE_MAX);
    _cleanup_error_ struct error *err = NULL;
    yyjson_doc *doc = NULL;

    for (size_t i = 0; i < depth; i++)
        buf_addz(&b, open);
    buf_addz(&b, inner);
    for (size_t i = 0; i < depth; i++)
        buf_addz(&b, close);
    assert_ok(json_parse(buf_str(&b), &doc, &err), err);
    return doc;
}

static void walk(yyjson_doc *doc)
{
    yyjson_val *root = yyjson_doc_get_root(doc);
    _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(root), *patch = json_mut_doc_new();
    _cleanup_json_ yyjson_doc *frozen = json_freeze(copy), *again = NULL;
    _cleanup_buf_ struct buf text = BUF_INIT(SIZE_MAX), pretty = BUF_INIT(SIZE_MAX), canonical = BUF_INIT(SIZE_MAX),
                             mutable = BUF_INIT(SIZE_MAX);

    assert_true(json_equal(root, yyjson_doc_get_root(frozen)));
    assert_int_equal(json_hash(root), json_hash(yyjson_doc_get_root(frozen)));
    assert_int_equal(json_write(&text, root), 0);
    assert_int_equal(json_write_pretty(&pretty, root), 0);
    assert_int_equal(json_mut_write(&mutable, yyjson_mut_doc_get_root(copy)), 0);
    assert_true(str_eq(buf_str(&text), buf_str(&mutable)));
    assert_int_equal(json_canonical(&canonical, root, 0), 0);
    assert_int_equal(json_parse(buf_str(&text), &again, NULL), 0);
    (void)json_merge_diff(patch, root, yyjson_doc_get_root(again));
}

static void objects(void **state)
{
    _cleanup_json_ yyjson_doc *doc = deep("{\"a\":", "1", "}", JSON_MAX_DEPTH);

    (void)state;
    walk(doc);
}

static void arrays(void **state)
{
    _cleanup_json_ yyjson_doc *doc = deep("[", "1", "]", JSON_MAX_DEPTH);

    (void)state;
    walk(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(objects), cmocka_unit_test(arrays) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
