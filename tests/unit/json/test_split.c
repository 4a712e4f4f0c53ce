/* The list splitter: whole, byte by byte, cut at random. */
#include "unit.h"

#include "base/buf.h"
#include "json/json.h"
#include "json/split.h"

static int on_item(void *arg, struct str json)
{
    return buf_printf(arg, "item:%" PRIstr "\n", STRARG(json));
}

static int on_member(void *arg, struct str name, struct str json)
{
    return buf_printf(arg, "%" PRIstr ":%" PRIstr "\n", STRARG(name), STRARG(json));
}

static const struct json_split_handler handler = { on_item, on_member };

/* Feeds in pieces: 0 whole, otherwise random ones of up to `most` bytes. */
static int split(struct str text, size_t most, size_t max_value, struct buf *log, struct error **err)
{
    struct json_split *s = json_split_new(&handler, log, max_value);
    int r = 0;

    buf_reset(log);
    while (text.n && r == 0) {
        size_t n = most ? MIN(text.n, (size_t)rand_below(most) + 1) : text.n;
        _cleanup_free_ char *piece = str_dup(str_n(text.p, n)); /* so that reading beyond it is seen */

        r = json_split_feed(s, str_n(piece, n), err);
        text = str_n(text.p + n, text.n - n);
    }
    if (r == 0)
        r = json_split_end(s, err);
    json_split_free(s);
    return r;
}

static void check(const char *text, const char *expected)
{
    _cleanup_buf_ struct buf log = BUF_INIT(100000);
    struct error *err = NULL;

    for (size_t most = 0; most < 20; most++) {
        assert_ok(split(str_of(text), most, 1000, &log, &err), err);
        assert_str(buf_str(&log), expected);
    }
}

static void check_bad(const char *text, int code)
{
    _cleanup_buf_ struct buf log = BUF_INIT(100000);

    for (size_t most = 0; most < 20; most++) {
        _cleanup_error_ struct error *err = NULL;

        if (split(str_of(text), most, 20, &log, &err) != code)
            fail_msg("accepted: %s", text ? text : "");
        assert_non_null(err);
    }
}

static void test_lists(void **state)
{
    (void)state;
    unit_seed();
    check("{}", "");
    check(" { \n} \t", "");
    check("{\"items\":[]}", "");
    check("{\"items\":[ ]}", "");
    check("{\"items\":[1]}", "item:1\n");
    check("{\"items\": [ 1 , -2.5e+3 ,true,null , \"s\" , {} ,[ ] ] }",
          "item:1\nitem:-2.5e+3\nitem:true\nitem:null\nitem:\"s\"\nitem:{}\nitem:[ ]\n");
    check(
        "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"a\":[1,{\"b\":2}]},{}],\"z\":0}",
        "kind:\"PodList\"\nmetadata:{\"resourceVersion\":\"1\"}\nitem:{\"a\":[1,{\"b\":2}]}\nitem:{}\nz:0\n");
    check("{\"items\":[{\"a\":\"}]\\\"\\\\\"},\"\\\\\"]}", "item:{\"a\":\"}]\\\"\\\\\"}\nitem:\"\\\\\"\n");
    check("{\"items\":null}", "items:null\n");
    check("{\"items\":{\"items\":[1]}}", "items:{\"items\":[1]}\n");
    check("{\"x\":{\"items\":[1]},\"items\":[2]}", "x:{\"items\":[1]}\nitem:2\n");
    check("{\"items\":[[1],[2]],\"items\":[3]}", "item:[1]\nitem:[2]\nitem:3\n");
    check("{\"\":1,\"i\\u0074ems\":[2]}", ":1\ni\\u0074ems:[2]\n");
}

static void test_errors(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "[]",
        "1",
        "x",
        "{",
        "{\"",
        "{\"a",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{\"a\" 1}",
        "{\"a\"::1}",
        "{\"a\":}",
        "{\"a\":,}",
        "{\"a\":1 2}",
        "{\"a\":1\"b\":2}",
        "{\"a\":1]",
        "{\"a\":{]}}",
        "{\"a\":[}]}",
        "{\"items\":[1,]}",
        "{\"items\":[,1]}",
        "{\"items\":[1 2]}",
        "{\"items\":[1}}",
        "{\"items\":[",
        "{\"items\":[1",
        "{\"items\":[]",
        "{\"items\":[}",
        "{}x",
        "{}{}",
        "{\"items\":[:]}",
        "{\"a\":1}}",
    };

    (void)state;
    unit_seed();
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        check_bad(bad[i], -EINVAL);
}

static void test_limits(void **state)
{
    _cleanup_buf_ struct buf log = BUF_INIT(100000), deep = BUF_INIT(100000);

    (void)state;
    unit_seed();
    check_bad("{\"a\":\"0123456789012345678\"}", -EFBIG);
    check_bad("{\"items\":[\"0123456789012345678\"]}", -EFBIG);
    check_bad("{\"0123456789012345678\":1}", -EFBIG);
    for (size_t most = 0; most < 5; most++)
        assert_int_equal(split(STR("{\"items\":[\"012345678901234567\"]}"), most, 20, &log, NULL), 0);
    buf_addz(&deep, "{\"a\":");
    for (int i = 0; i <= JSON_MAX_DEPTH; i++)
        buf_addc(&deep, '[');
    assert_int_equal(split(buf_str(&deep), 0, 10000, &log, NULL), -EINVAL);
}

static int stop_at_second(void *arg, struct str json)
{
    int *n = arg;

    (void)json;
    return ++*n == 2 ? -ECANCELED : 0;
}

static void test_handler_stops(void **state)
{
    const struct json_split_handler stopper = { stop_at_second, NULL };
    int n = 0;
    struct json_split *s = json_split_new(&stopper, &n, 100);
    _cleanup_error_ struct error *err = NULL;

    (void)state;
    assert_int_equal(json_split_feed(s, STR("{\"a\":1,\"items\":[1,2,3"), NULL), -ECANCELED);
    assert_int_equal(n, 2);
    assert_int_equal(json_split_feed(s, STR(",4"), &err), -ECANCELED);
    assert_non_null(err);
    assert_int_equal(json_split_end(s, NULL), -ECANCELED);
    assert_int_equal(n, 2);
    json_split_free(s);
    json_split_free(NULL);
}

/* A large list with strings full of brackets and quotes must come out as yyjson sees it. */
static void test_random_lists(void **state)
{
    static const char *const parts[] = { "\"a\\\"]\"", "{\"k\":[1,2,{}]}", "[[],[\"{\"]]", "-1e5", "null", "\"\\\\\"" };
    _cleanup_buf_ struct buf text = BUF_INIT(1 << 20), whole = BUF_INIT(1 << 20), cut = BUF_INIT(1 << 20);

    (void)state;
    unit_seed();
    for (int round = 0; round < 50; round++) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        size_t n = rand_below(200), lines = 0;

        buf_reset(&text);
        buf_addz(&text, "{\"kind\":\"L\",\"items\":[");
        for (size_t i = 0; i < n; i++)
            buf_printf(&text, "%s%s", i ? " ,\n" : "", parts[rand_below(ARRAY_SIZE(parts))]);
        buf_addz(&text, "]}");
        assert_int_equal(json_parse(buf_str(&text), &doc, NULL), 0);
        assert_int_equal(split(buf_str(&text), 0, 100, &whole, NULL), 0);
        for (size_t most = 1; most < 50; most += 7) {
            assert_int_equal(split(buf_str(&text), most, 100, &cut, NULL), 0);
            assert_true(str_eq(buf_str(&whole), buf_str(&cut)));
        }
        for (const char *p = whole.p; (p = strstr(p, "item:")); p++)
            lines++;
        assert_int_equal(lines, yyjson_arr_size(json_get(yyjson_doc_get_root(doc), "items")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),         cmocka_unit_test(test_errors),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_handler_stops), cmocka_unit_test(test_random_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
