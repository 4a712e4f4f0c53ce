/* Merge patches: the examples of RFC 7386, and making patches. */
#include "unit.h"

#include "json/patch.h"

static yyjson_doc *parse(const char *text)
{
    struct error *err = NULL;
    yyjson_doc *doc = NULL;

    assert_ok(json_parse(str_of(text), &doc, &err), err);
    return doc;
}

static void check_apply(const char *target, const char *patch, const char *expected)
{
    _cleanup_json_ yyjson_doc *t = parse(target), *p = parse(patch), *e = parse(expected);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(yyjson_doc_get_root(t));
    _cleanup_buf_ struct buf b = BUF_INIT(1000);

    json_merge_apply(doc, yyjson_mut_doc_get_root(doc), yyjson_doc_get_root(p));
    json_mut_write(&b, yyjson_mut_doc_get_root(doc));
    if (!json_mut_equal(yyjson_mut_doc_get_root(doc), yyjson_doc_get_root(e)))
        fail_msg("%s with %s: got %s, expected %s", target, patch, b.p, expected);
}

/* Appendix A. */
static void test_rfc7386_examples(void **state)
{
    (void)state;
    check_apply("{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
    check_apply("{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}");
    check_apply("{\"a\":\"b\"}", "{\"a\":null}", "{}");
    check_apply("{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}");
    check_apply("{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
    check_apply("{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}");
    check_apply("{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}");
    check_apply("{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}");
    check_apply("[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]");
    check_apply("{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]");
    check_apply("{\"a\":\"foo\"}", "null", "null");
    check_apply("{\"a\":\"foo\"}", "\"bar\"", "\"bar\"");
    check_apply("{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}");
    check_apply("[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}");
    check_apply("{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}");
}

static void test_apply_more(void **state)
{
    (void)state;
    check_apply("{\"a\":1,\"a\":2,\"b\":3}", "{\"a\":null}", "{\"b\":3}");
    check_apply("{\"a\":{\"x\":1}}", "{\"a\":1,\"a\":{\"y\":[null]}}", "{\"a\":{\"x\":1,\"y\":[null]}}");
    check_apply("{\"a\":1}", "{\"a\":{\"b\":null,\"c\":{}}}", "{\"a\":{\"c\":{}}}");
    check_apply("{}", "{}", "{}");
}

static void check_diff(const char *from, const char *to, const char *expected)
{
    _cleanup_json_ yyjson_doc *f = from ? parse(from) : NULL, *t = to ? parse(to) : NULL;
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new(), *target = NULL;
    yyjson_mut_val *patch = json_merge_diff(doc, yyjson_doc_get_root(f), yyjson_doc_get_root(t));
    _cleanup_json_ yyjson_doc *frozen = json_freeze_val(patch);
    _cleanup_buf_ struct buf b = BUF_INIT(1000);

    json_mut_write(&b, patch);
    assert_str(buf_str(&b), expected);
    target = json_mut_doc_of(yyjson_doc_get_root(f));
    json_merge_apply(target, yyjson_mut_doc_get_root(target), yyjson_doc_get_root(frozen));
    if (t)
        assert_true(json_mut_equal(yyjson_mut_doc_get_root(target), yyjson_doc_get_root(t)));
}

static void test_diff(void **state)
{
    (void)state;
    check_diff("{\"a\":1,\"b\":{\"c\":[1,2]}}", "{\"b\":{\"c\":[1,2]},\"a\":1.0}", "{}");
    check_diff("{\"a\":1}", "{\"a\":2}", "{\"a\":2}");
    check_diff("{\"a\":1,\"b\":2}", "{\"b\":2}", "{\"a\":null}");
    check_diff("{\"b\":2}", "{\"a\":1,\"b\":2,\"c\":{}}", "{\"a\":1,\"c\":{}}");
    check_diff("{\"a\":{\"x\":1,\"y\":2,\"z\":3}}", "{\"a\":{\"x\":1,\"y\":3}}", "{\"a\":{\"y\":3,\"z\":null}}");
    check_diff("{\"a\":[1,2,3]}", "{\"a\":[1,2]}", "{\"a\":[1,2]}");
    check_diff("{\"a\":{\"x\":1}}", "{\"a\":[1]}", "{\"a\":[1]}");
    check_diff("{\"a\":1}", "{\"a\":{\"x\":1}}", "{\"a\":{\"x\":1}}");
    check_diff("{\"a\":{}}", "{\"a\":{}}", "{}");
    check_diff("{\"a\":{\"x\":1}}", "{\"a\":{}}", "{\"a\":{\"x\":null}}");
    check_diff(NULL, "{\"a\":1}", "{\"a\":1}");
    check_diff("{\"a\":1}", NULL, "{\"a\":null}");
    check_diff(NULL, NULL, "{}");
    check_diff("{\"a\":null}", "{}", "{\"a\":null}");
}

/* A random object without nulls, three levels deep at most. */
static yyjson_mut_val *random_value(yyjson_mut_doc *doc, int depth)
{
    yyjson_mut_val *v;
    size_t n = rand_below(4);

    switch (rand_below(depth ? 4 : 2)) {
    case 0: return yyjson_mut_sint(doc, (int64_t)rand_below(3));
    case 1: return yyjson_mut_bool(doc, rand_below(2));
    case 2:
        v = yyjson_mut_arr(doc);
        while (n--)
            yyjson_mut_arr_append(v, random_value(doc, depth - 1));
        return v;
    default:
        v = yyjson_mut_obj(doc);
        while (n--) {
            char key[2] = { (char)('a' + rand_below(4)), '\0' };

            json_mut_set(doc, v, key, random_value(doc, depth - 1));
        }
        return v;
    }
}

static yyjson_doc *random_object(void)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();

    for (char key[] = "a"; key[0] < 'e'; key[0]++)
        if (rand_below(2))
            json_mut_set(doc, yyjson_mut_doc_get_root(doc), key, random_value(doc, 3));
    return json_freeze(doc);
}

static void test_diff_random(void **state)
{
    (void)state;
    unit_seed();
    for (int i = 0; i < 3000; i++) {
        _cleanup_json_ yyjson_doc *from = random_object(), *to = random_object(), *patch = NULL;
        _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new(), *target = NULL;
        yyjson_val *f = yyjson_doc_get_root(from), *t = yyjson_doc_get_root(to);

        patch = json_freeze_val(json_merge_diff(doc, f, t));
        assert_int_equal(yyjson_obj_size(yyjson_doc_get_root(patch)) == 0, json_equal(f, t));
        target = json_mut_doc_of(f);
        json_merge_apply(target, yyjson_mut_doc_get_root(target), yyjson_doc_get_root(patch));
        assert_true(json_mut_equal(yyjson_mut_doc_get_root(target), t));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc7386_examples),
        cmocka_unit_test(test_apply_more),
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_diff_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
