/* Reading, writing, access, changes, equality. */
#include "unit.h"

#include "freed.h"
#include "json/count.h"
#include "json/json.h"

static yyjson_doc *parse(const char *text)
{
    struct error *err = NULL;
    yyjson_doc *doc = NULL;

    assert_ok(json_parse(str_of(text), &doc, &err), err);
    return doc;
}

static void check_bad(struct str text)
{
    _cleanup_error_ struct error *err = NULL;
    yyjson_doc *doc = NULL;

    assert_int_equal(json_parse(text, &doc, &err), -EINVAL);
    assert_null(doc);
    assert_non_null(err);
    assert_int_equal(json_parse(text, &doc, NULL), -EINVAL);
}

static void test_parse_errors(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{'a':1}",
        "nul",
        "01",
        "1.",
        "+1",
        ".5",
        "\"\n\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "1 2",
        "{\"a\":1}x",
        "// c\n1",
        "NaN",
        "Infinity",
        "1e999",
        "\"\xff\"",
        "\"\xed\xa0\x80\"",
        "\xef\xbb\xbf{}",
    };
    _cleanup_error_ struct error *err = NULL;
    yyjson_doc *doc;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        check_bad(str_of(bad[i]));
    check_bad(str_n("{}\0", 3));
    check_bad(STR_NULL);
    json_parse(STR("{\n \"secret\": \"value\" x"), &doc, &err);
    assert_non_null(strstr(err->msg, "line 2, column 20"));
    assert_null(strstr(err->msg, "value\""));
}

static void add_many(struct buf *b, const char *text, size_t n)
{
    while (n--)
        buf_addz(b, text);
}

static int parse_nested(size_t depth, const char *open, const char *inner, const char *close)
{
    _cleanup_buf_ struct buf b = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_json_ yyjson_doc *doc = NULL;

    add_many(&b, open, depth);
    buf_addz(&b, inner);
    add_many(&b, close, depth);
    return json_parse(buf_str(&b), &doc, NULL);
}

static void test_depth(void **state)
{
    (void)state;
    assert_int_equal(parse_nested(JSON_MAX_DEPTH, "[", "1", "]"), 0);
    assert_int_equal(parse_nested(JSON_MAX_DEPTH + 1, "[", "1", "]"), -EINVAL);
    assert_int_equal(parse_nested(JSON_MAX_DEPTH, "{\"a\":", "1", "}"), 0);
    assert_int_equal(parse_nested(JSON_MAX_DEPTH + 1, "{\"a\":", "1", "}"), -EINVAL);
    assert_int_equal(parse_nested(JSON_MAX_DEPTH - 1, "[", "[],[[]]", "]"), -EINVAL);
    assert_int_equal(parse_nested(JSON_MAX_DEPTH - 1, "[", "[],[1],2", "]"), 0);
    assert_int_equal(parse_nested(1000000, "[", "", "]"), -EINVAL);
}

static void test_numbers(void **state)
{
    _cleanup_json_ yyjson_doc *doc = parse(
        "{\"i\":-5,\"max\":9223372036854775807,\"u\":9223372036854775808,\"big\":18446744073709551616,"
        "\"f\":2.0,\"s\":\"1\",\"n\":null}");
    yyjson_val *root = yyjson_doc_get_root(doc);
    int64_t v = 77;

    (void)state;
    assert_int_equal(json_i64(json_get(root, "i"), &v), 0);
    assert_int_equal(v, -5);
    assert_int_equal(json_i64(json_get(root, "max"), &v), 0);
    assert_true(v == INT64_MAX);
    v = 77;
    assert_int_equal(json_i64(json_get(root, "u"), &v), -EINVAL);
    assert_int_equal(json_i64(json_get(root, "big"), &v), -EINVAL);
    assert_true(yyjson_is_real(json_get(root, "big")));
    assert_int_equal(json_i64(json_get(root, "f"), &v), -EINVAL);
    assert_int_equal(json_i64(json_get(root, "s"), &v), -EINVAL);
    assert_int_equal(json_i64(json_get(root, "n"), &v), -ENOENT);
    assert_int_equal(json_i64(NULL, &v), -ENOENT);
    assert_int_equal(v, 77);
    assert_int_equal(json_path_i64(root, "i", 3), -5);
    assert_int_equal(json_path_i64(root, "f", 3), 3);
    assert_int_equal(json_path_i64(root, "none", 3), 3);
}

static void test_access(void **state)
{
    _cleanup_json_ yyjson_doc *doc = parse(
        "{\"a\":{\"b\":{\"c\":\"x\"}},\"a\":{\"b\":{\"c\":\"y\",\"t\":true}},\"e\":\"\",\"\":{\"\":1}}");
    yyjson_val *root = yyjson_doc_get_root(doc);

    (void)state;
    assert_str(json_path_str(root, "a.b.c"), "y");
    assert_true(json_path_bool(root, "a.b.t", false));
    assert_true(json_path_bool(root, "a.b.c", true));
    assert_null(json_path(root, "a.b.c.d"));
    assert_null(json_path(root, "a.x.c"));
    assert_null(json_path(NULL, "a"));
    assert_int_equal(json_path_i64(root, ".", 0), 1);
    assert_null(json_get(root, "b"));
    assert_null(json_get(NULL, "b"));
    assert_null(json_get(json_get(root, "e"), "b"));
    assert_null(json_getn(root, STR("ee")));
    assert_non_null(json_str(json_get(root, "e")).p);
    assert_null(json_str(NULL).p);
    assert_null(json_str(root).p);
}

static void check_write(const char *in, const char *compact, const char *pretty)
{
    _cleanup_json_ yyjson_doc *doc = parse(in);
    _cleanup_json_mut_ yyjson_mut_doc *mut = json_mut_doc_of(yyjson_doc_get_root(doc));
    _cleanup_buf_ struct buf a = BUF_INIT(1000), b = BUF_INIT(1000), c = BUF_INIT(1000);

    assert_int_equal(json_write(&a, yyjson_doc_get_root(doc)), 0);
    assert_str(buf_str(&a), compact);
    assert_int_equal(json_mut_write(&b, yyjson_mut_doc_get_root(mut)), 0);
    assert_str(buf_str(&b), compact);
    assert_int_equal(json_write_pretty(&c, yyjson_doc_get_root(doc)), 0);
    assert_str(buf_str(&c), pretty);
}

static void test_write(void **state)
{
    _cleanup_json_ yyjson_doc *doc = parse("{\"a\":\"0123456789\"}");
    _cleanup_buf_ struct buf b = BUF_INIT(10), n = BUF_INIT(20);

    (void)state;
    check_write("{ \"b\" : [1, 2.5], \"a\":{} }", "{\"b\":[1,2.5],\"a\":{}}",
                "{\n  \"b\": [\n    1,\n    2.5\n  ],\n  \"a\": {}\n}");
    assert_int_equal(json_write(&b, yyjson_doc_get_root(doc)), -EFBIG);
    assert_true(buf_failed(&b));
    assert_int_equal(b.n, 0);
    assert_int_equal(json_write(&n, NULL), 0);
    assert_int_equal(json_mut_write(&n, NULL), 0);
    assert_str(buf_str(&n), "nullnull");
}

static void check_mut(yyjson_mut_doc *doc, const char *expected)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1000);

    assert_int_equal(json_mut_write(&b, yyjson_mut_doc_get_root(doc)), 0);
    assert_str(buf_str(&b), expected);
}

static void test_set_and_remove(void **state)
{
    _cleanup_json_ yyjson_doc *in = parse("{\"a\":1,\"b\":2,\"a\":3,\"c\":4,\"a\":5}");
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(yyjson_doc_get_root(in)), *empty = json_mut_doc_of(NULL);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);

    (void)state;
    json_mut_set_str(doc, root, "a", STR("x"));
    check_mut(doc, "{\"a\":\"x\",\"b\":2,\"c\":4}");
    json_mut_set_i64(doc, root, "c", INT64_MIN);
    json_mut_set_bool(doc, root, "d", true);
    check_mut(doc, "{\"a\":\"x\",\"b\":2,\"c\":-9223372036854775808,\"d\":true}");
    json_mut_set(doc, root, "b", json_mut_get(root, "b"));
    json_mut_remove(root, STR("a"));
    json_mut_remove(root, STR("none"));
    json_mut_remove(root, STR("d"));
    check_mut(doc, "{\"b\":2,\"c\":-9223372036854775808}");
    json_mut_remove(root, STR("b"));
    json_mut_remove(root, STR("c"));
    check_mut(doc, "{}");
    json_mut_setn(doc, root, str_n("xy", 1), json_mut_new_str(doc, STR("a\xff")));
    check_mut(doc, "{\"x\":\"a\xef\xbf\xbd\"}");
    check_mut(empty, "{}");
    assert_str(json_mut_str(json_mut_get(root, "x")), "a\xef\xbf\xbd");
}

static void test_ensure_obj(void **state)
{
    _cleanup_json_ yyjson_doc *in = parse("{\"metadata\":null,\"spec\":{\"n\":1}}");
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(yyjson_doc_get_root(in));
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *labels;

    (void)state;
    labels = json_mut_ensure_obj(doc, root, "metadata.labels");
    assert_non_null(labels);
    json_mut_set_str(doc, labels, "a", STR("b"));
    assert_ptr_equal(json_mut_ensure_obj(doc, root, "metadata.labels"), labels);
    assert_ptr_equal(json_mut_path(root, "metadata.labels"), labels);
    assert_null(json_mut_ensure_obj(doc, root, "spec.n"));
    assert_null(json_mut_ensure_obj(doc, root, "spec.n.x"));
    check_mut(doc, "{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{\"n\":1}}");
}

static void check_equal(const char *a, const char *b, bool expected)
{
    _cleanup_json_ yyjson_doc *x = parse(a), *y = parse(b);
    yyjson_val *v = yyjson_doc_get_root(x), *w = yyjson_doc_get_root(y);
    _cleanup_json_mut_ yyjson_mut_doc *mut = json_mut_doc_of(v);
    _cleanup_json_ yyjson_doc *frozen = json_freeze(mut);

    if (json_equal(v, w) != expected || json_equal(w, v) != expected)
        fail_msg("%s and %s", a, b);
    assert_int_equal(json_mut_equal(yyjson_mut_doc_get_root(mut), w), expected);
    assert_int_equal(json_equal(yyjson_doc_get_root(frozen), w), expected);
    assert_int_equal(json_hash(v) == json_hash(w), expected);
}

static void test_equal(void **state)
{
    (void)state;
    check_equal("{\"a\":1,\"b\":[1,{\"c\":null}]}", "{\"b\":[1,{\"c\":null}],\"a\":1}", true);
    check_equal("[1,2]", "[2,1]", false);
    check_equal("[1]", "[1,1]", false);
    check_equal("{}", "[]", false);
    check_equal("{}", "null", false);
    check_equal("\"1\"", "1", false);
    check_equal("true", "false", false);
    check_equal("1", "1.0", true);
    check_equal("-0.0", "0", true);
    check_equal("1", "1.5", false);
    check_equal("9007199254740993", "9007199254740992.0", false);
    check_equal("9223372036854775807", "9223372036854775808", false);
    check_equal("9223372036854775808", "9.223372036854775808e18", true);
    check_equal("9223372036854775808", "9223372036854775809", true);
    check_equal("1e300", "1e300", true);
    check_equal("{\"a\":1,\"a\":2}", "{\"a\":2}", true);
    check_equal("{\"a\":1,\"a\":2}", "{\"a\":3,\"a\":2}", true);
    check_equal("{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":3}", false);
    check_equal("{\"a\":1,\"a\":2}", "{\"a\":1}", false);
    check_equal("{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3,\"b\":2}", true);
    check_equal("{\"a\":1}", "{\"b\":1}", false);
    check_equal("{\"a\":1}", "{\"a\":1,\"b\":1}", false);
    assert_true(json_equal(NULL, NULL));
    assert_int_equal(json_hash(NULL), 0);
}

static void test_absent_is_not_null(void **state)
{
    _cleanup_json_ yyjson_doc *doc = parse("null");

    (void)state;
    assert_false(json_equal(NULL, yyjson_doc_get_root(doc)));
    assert_false(json_equal(yyjson_doc_get_root(doc), NULL));
    assert_false(json_mut_equal(NULL, yyjson_doc_get_root(doc)));
}

/* Documents made to be slow to compare: deep ones that differ at the end, with duplicates at each level, and wide ones
 * with reversed keys. */
static void test_equal_is_fast(void **state)
{
    _cleanup_buf_ struct buf a = BUF_INIT(BUF_MAX_DEFAULT), b = BUF_INIT(BUF_MAX_DEFAULT);

    (void)state;
    for (int i = 0; i < 500; i++)
        buf_addz(&a, "{\"a\":1,\"a\":2,\"b\":1,\"b\":");
    buf_adds(&b, buf_str(&a));
    buf_addz(&a, "1");
    buf_addz(&b, "2");
    add_many(&a, "}", 500);
    add_many(&b, "}", 500);
    check_equal(a.p, b.p, false);
    buf_reset(&a);
    buf_reset(&b);
    for (int i = 0; i < 100000; i++) {
        buf_printf(&a, "%c\"%d\":1", i ? ',' : '{', i);
        buf_printf(&b, "%c\"%d\":1", i ? ',' : '{', 99999 - i);
    }
    buf_addc(&a, '}');
    buf_addc(&b, '}');
    check_equal(a.p, b.p, true);
}

/* As many as the parser makes; of a text that is broken, at least as many as before the place where it is. */
static void test_count_values(void **state)
{
    static const struct {
        const char *text;
        size_t n;
    } rows[] = {
        { "1", 1 },
        { " \t\r\n null \n", 1 },
        { "\"a,b:[{\\\",\\\\\"", 1 },
        { "[]", 1 },
        { "[ \n ]", 1 },
        { "{ }", 1 },
        { "[[],[[]],{}]", 5 },
        { "[1,1,1]", 4 },
        { "{\"a\":1}", 3 },
        { "{\"a\" : [ 1 , \"]\" ] , \"b\" : {}}", 7 },
        { "[-1.5e3,true,false,null,\"\"]", 6 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_json_ yyjson_doc *doc = parse(rows[i].text);

        assert_int_equal(yyjson_doc_get_val_count(doc), rows[i].n);
        assert_int_equal(json_count_values(str_of(rows[i].text)), rows[i].n);
    }
    assert_int_equal(json_count_values(STR_NULL), 0);
    assert_int_equal(json_count_values(STR("")), 0);
    assert_int_equal(json_count_values(STR("\"")), 1);
    assert_int_equal(json_count_values(STR("\"\\")), 1);
    assert_int_equal(json_count_values(STR("[1,1,")), 3);
    assert_int_equal(json_count_values(STR("[[[[")), 4);
    assert_int_equal(json_count_values(STR("{\"a\":")), 2);
}

#define NEEDLE "a secret of some length"

static unsigned parse_and_free(const char *text, int (*how)(struct str, yyjson_doc **, struct error **), int expected)
{
    _cleanup_json_ yyjson_doc *doc = NULL;

    freed_watch(NEEDLE);
    assert_int_equal(how(str_of(text), &doc, NULL), expected);
    json_doc_free(TAKE_PTR(doc));
    return freed_stop();
}

/* No memory of a document holds it afterwards, nor of what is none. */
static void secret_documents(void **state)
{
    static const char good[] = "{\"data\":{\"key\":\"" NEEDLE "\",\"n\":[1,2,3]}}";
    static const char bad[] = "{\"data\":{\"key\":\"" NEEDLE "\",\"n\":[1,2,3]}";
    _cleanup_json_ yyjson_doc *doc = NULL;
    (void)state;
    assert_int_equal(parse_and_free(good, json_parse_secret, 0), 0);
    assert_int_equal(parse_and_free(bad, json_parse_secret, -EINVAL), 0);
    if (FREED_IS_WATCHED)
        assert_true(parse_and_free(good, json_parse, 0) > 0);
    assert_int_equal(json_parse_secret(str_of(good), &doc, NULL), 0);
    assert_str(json_path_str(yyjson_doc_get_root(doc), "data.key"), NEEDLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_errors),   cmocka_unit_test(test_count_values),
        cmocka_unit_test(test_depth),          cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_access),         cmocka_unit_test(test_write),
        cmocka_unit_test(test_set_and_remove), cmocka_unit_test(test_ensure_obj),
        cmocka_unit_test(test_equal),          cmocka_unit_test(test_absent_is_not_null),
        cmocka_unit_test(test_equal_is_fast),  cmocka_unit_test(secret_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
