/* JSON patch: every row of the table in controllers.md 5.7. */
#include "unit.h"

#include "json/patch.h"

/* One operation given as JSON; expected NULL: it must fail with a message that contains the path. */
static void check(const char *doc_text, const char *op_text, const char *expected)
{
    _cleanup_json_ yyjson_doc *in = NULL, *op_doc = NULL;
    _cleanup_json_mut_ yyjson_mut_doc *doc = NULL;
    _cleanup_buf_ struct buf b = BUF_INIT(100000);
    _cleanup_error_ struct error *err = NULL;
    yyjson_val *root;
    int r;

    assert_ok(json_parse(str_of(doc_text), &in, &err), err);
    assert_ok(json_parse(str_of(op_text), &op_doc, &err), err);
    root = yyjson_doc_get_root(op_doc);
    doc = json_mut_doc_of(yyjson_doc_get_root(in));
    r = json_patch_apply(doc,
                         &(struct json_patch_op){ .op = json_path_str(root, "op"),
                                                  .path = json_path_str(root, "path"),
                                                  .value = json_get(root, "value"),
                                                  .has_value = json_get(root, "value") != NULL },
                         &err);
    if (!expected) {
        assert_int_equal(r, -EINVAL);
        assert_non_null(strstr(error_msg(err), json_path_str(root, "path").p));
        return;
    }
    assert_ok(r, err);
    assert_int_equal(json_mut_write(&b, yyjson_mut_doc_get_root(doc)), 0);
    assert_str(buf_str(&b), expected);
}

static void test_empty_op_is_replace(void **state)
{
    (void)state;
    check("{\"a\":1}", "{\"path\":\"/a\",\"value\":2}", "{\"a\":2}");
    check("{\"a\":1}", "{\"op\":\"\",\"path\":\"/a\",\"value\":2}", "{\"a\":2}");
}

static void test_replace(void **state)
{
    (void)state;
    check("{\"a\":{}}", "{\"op\":\"replace\",\"path\":\"/a/b\",\"value\":{\"c\":1}}", "{\"a\":{\"b\":{\"c\":1}}}");
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/1\",\"value\":3}", "{\"a\":[1,3]}");
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/2\",\"value\":3}", NULL);
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/x\",\"value\":3}", NULL);
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/-\",\"value\":3}", NULL);
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/\",\"value\":3}", NULL);
}

static void test_add(void **state)
{
    (void)state;
    check("{\"a\":1}", "{\"op\":\"add\",\"path\":\"/a\",\"value\":2}", "{\"a\":2}");
    check("{\"a\":1}", "{\"op\":\"add\",\"path\":\"/b\",\"value\":[]}", "{\"a\":1,\"b\":[]}");
    check("{\"a\":[1,2]}", "{\"op\":\"add\",\"path\":\"/a/0\",\"value\":0}", "{\"a\":[0,1,2]}");
    check("{\"a\":[1,2]}", "{\"op\":\"add\",\"path\":\"/a/2\",\"value\":3}", "{\"a\":[1,2,3]}");
    check("{\"a\":[1,2]}", "{\"op\":\"add\",\"path\":\"/a/-\",\"value\":3}", "{\"a\":[1,2,3]}");
    check("{\"a\":[]}", "{\"op\":\"add\",\"path\":\"/a/-\",\"value\":3}", "{\"a\":[3]}");
    check("{\"a\":[]}", "{\"op\":\"add\",\"path\":\"/a/0\",\"value\":3}", "{\"a\":[3]}");
    check("{\"a\":[1,2]}", "{\"op\":\"add\",\"path\":\"/a/3\",\"value\":3}", NULL);
    check("{\"a\":[1,2]}", "{\"op\":\"add\",\"path\":\"/a/x\",\"value\":3}", NULL);
}

static void test_remove(void **state)
{
    (void)state;
    check("{\"a\":1,\"b\":2}", "{\"op\":\"remove\",\"path\":\"/a\"}", "{\"b\":2}");
    check("{\"a\":null}", "{\"op\":\"remove\",\"path\":\"/a\"}", "{}");
    check("{\"a\":[1,2]}", "{\"op\":\"remove\",\"path\":\"/a/0\"}", "{\"a\":[2]}");
    check("{\"a\":1,\"a\":2}", "{\"op\":\"remove\",\"path\":\"/a\"}", "{}");
    check("{\"a\":1}", "{\"op\":\"remove\",\"path\":\"/b\"}", NULL);
    check("{\"a\":[1,2]}", "{\"op\":\"remove\",\"path\":\"/a/2\"}", NULL);
    check("{\"a\":[1,2]}", "{\"op\":\"remove\",\"path\":\"/a/-\"}", NULL);
}

static void test_missing_parent(void **state)
{
    static const char *const paths[] = { "/x/y", "/n/y", "/s/y", "/o/x/y", "/l/5/y", "/l/0/y", "/l/x/y" };
    static const char *const ops[] = { "add", "remove", "replace" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(ops); j++) {
            _cleanup_free_ char *op = mem_printf("{\"op\":\"%s\",\"path\":\"%s\",\"value\":1}", ops[j], paths[i]);

            check("{\"n\":null,\"s\":\"text\",\"o\":{},\"l\":[1]}", op, NULL);
        }
    }
}

static void test_negative_indices(void **state)
{
    (void)state;
    check("{\"a\":[1,2]}", "{\"op\":\"add\",\"path\":\"/a/-1\",\"value\":3}", "{\"a\":[1,2,3]}");
    check("{\"a\":[1,2]}", "{\"op\":\"add\",\"path\":\"/a/-2\",\"value\":3}", "{\"a\":[1,3,2]}");
    check("{\"a\":[1,2]}", "{\"op\":\"add\",\"path\":\"/a/-3\",\"value\":3}", "{\"a\":[3,1,2]}");
    check("{\"a\":[1,2]}", "{\"op\":\"add\",\"path\":\"/a/-4\",\"value\":3}", NULL);
    check("{\"a\":[1,2]}", "{\"op\":\"remove\",\"path\":\"/a/-1\"}", "{\"a\":[1]}");
    check("{\"a\":[1,2]}", "{\"op\":\"remove\",\"path\":\"/a/-3\"}", NULL);
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/-1\",\"value\":3}", "{\"a\":[1,3]}");
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/-2\",\"value\":3}", "{\"a\":[3,2]}");
    check("{\"a\":[[1],[2]]}", "{\"op\":\"add\",\"path\":\"/a/-1/0\",\"value\":3}", "{\"a\":[[1],[3,2]]}");
}

static void test_index_syntax(void **state)
{
    (void)state;
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/+01\",\"value\":3}", "{\"a\":[1,3]}");
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/0001\",\"value\":3}", "{\"a\":[1,3]}");
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/-0\",\"value\":3}", "{\"a\":[3,2]}");
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/0x1\",\"value\":3}", NULL);
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/99999999999999999999\",\"value\":3}", NULL);
    check("{\"a\":[1,2]}", "{\"op\":\"replace\",\"path\":\"/a/-9223372036854775808\",\"value\":3}", NULL);
    check("{\"a\":{\"0\":1}}", "{\"op\":\"replace\",\"path\":\"/a/0\",\"value\":3}", "{\"a\":{\"0\":3}}");
}

static void test_escapes(void **state)
{
    (void)state;
    check("{\"a/b\":1}", "{\"path\":\"/a~1b\",\"value\":2}", "{\"a/b\":2}");
    check("{\"a~b\":1}", "{\"path\":\"/a~0b\",\"value\":2}", "{\"a~b\":2}");
    check("{\"~1\":1}", "{\"path\":\"/~01\",\"value\":2}", "{\"~1\":2}");
    check("{\"a/b\":{\"c/d\":1}}", "{\"op\":\"remove\",\"path\":\"/a~1b/c~1d\"}", "{\"a/b\":{}}");
    check("{}", "{\"path\":\"/~2~\",\"value\":2}", "{\"~2~\":2}");
}

static void test_first_segment_is_discarded(void **state)
{
    (void)state;
    check("{\"b\":1}", "{\"path\":\"a/b\",\"value\":2}", "{\"b\":2}");
    check("{\"b\":1}", "{\"path\":\"a\",\"value\":2}", NULL);
    check("{\"b\":1}", "{\"op\":\"add\",\"path\":\"a\",\"value\":2}", NULL);
    check("{\"b\":1}", "{\"op\":\"remove\",\"path\":\"b\"}", NULL);
}

static void test_whole_document(void **state)
{
    (void)state;
    check("{\"kind\":\"A\"}", "{\"path\":\"\",\"value\":{\"kind\":\"B\"}}", "{\"kind\":\"B\"}");
    check("{\"kind\":\"A\"}", "{\"path\":\"\",\"value\":5}", "{\"kind\":\"A\"}");
    check("{\"kind\":\"A\"}", "{\"path\":\"\",\"value\":\"x\"}", "{\"kind\":\"A\"}");
    check("{\"kind\":\"A\"}", "{\"path\":\"\",\"value\":false}", "{\"kind\":\"A\"}");
    check("{\"kind\":\"A\"}", "{\"path\":\"\"}", NULL);
    check("{\"kind\":\"A\"}", "{\"path\":\"\",\"value\":null}", NULL);
    check("{\"kind\":\"A\"}", "{\"path\":\"\",\"value\":[]}", NULL);
    check("{\"kind\":\"A\"}", "{\"op\":\"add\",\"path\":\"\",\"value\":{}}", NULL);
    check("{\"kind\":\"A\"}", "{\"op\":\"remove\",\"path\":\"\"}", NULL);
}

static void test_empty_name(void **state)
{
    (void)state;
    check("{\"a\":1}", "{\"path\":\"/\",\"value\":2}", "{\"a\":1,\"\":2}");
    check("{\"a\":{}}", "{\"op\":\"add\",\"path\":\"/a/\",\"value\":2}", "{\"a\":{\"\":2}}");
    check("{\"\":{\"\":1}}", "{\"op\":\"remove\",\"path\":\"//\"}", "{\"\":{}}");
}

static void test_absent_value_is_null(void **state)
{
    (void)state;
    check("{\"a\":1}", "{\"path\":\"/a\"}", "{\"a\":null}");
    check("{\"a\":1}", "{\"path\":\"/a\",\"value\":null}", "{\"a\":null}");
    check("{\"a\":[]}", "{\"op\":\"add\",\"path\":\"/a/-\"}", "{\"a\":[null]}");
}

static void test_other_ops(void **state)
{
    (void)state;
    check("{\"a\":1}", "{\"op\":\"test\",\"path\":\"/a\",\"value\":1}", "{\"a\":1}");
    check("{\"a\":{\"b\":[1],\"c\":2}}", "{\"op\":\"test\",\"path\":\"/a\",\"value\":{\"c\":2,\"b\":[1]}}",
          "{\"a\":{\"b\":[1],\"c\":2}}");
    check("{\"a\":1}", "{\"op\":\"test\",\"path\":\"/a\",\"value\":2}", NULL);
    check("{\"a\":1}", "{\"op\":\"test\",\"path\":\"/a\",\"value\":null}", NULL);
    check("{\"a\":null}", "{\"op\":\"test\",\"path\":\"/a\",\"value\":null}", "{\"a\":null}");
    check("{}", "{\"op\":\"test\",\"path\":\"/a\"}", "{}");
    check("{}", "{\"op\":\"test\",\"path\":\"/a\",\"value\":1}", NULL);
    check("{\"a\":1}", "{\"op\":\"test\",\"path\":\"\",\"value\":{\"a\":1}}", "{\"a\":1}");
    check("{\"a\":1}", "{\"op\":\"move\",\"path\":\"/b\"}", NULL);
    check("{\"a\":1}", "{\"op\":\"copy\",\"path\":\"/b\"}", NULL);
    check("{\"a\":1}", "{\"op\":\"Replace\",\"path\":\"/b\"}", NULL);
}

/* Values are applied as written: only the hash sees them as doubles. */
static void test_values_stay_exact(void **state)
{
    (void)state;
    check("{}", "{\"path\":\"/a\",\"value\":9007199254740993}", "{\"a\":9007199254740993}");
}

/* Each operation nests its value into the one before: the document must not get deeper than what may be parsed. */
static void test_depth_is_bounded(void **state)
{
    _cleanup_buf_ struct buf value = BUF_INIT(10000), path = BUF_INIT(1 << 20);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    _cleanup_json_ yyjson_doc *v = NULL;
    int good = 0, bad = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        buf_addz(&value, "{\"a\":");
    buf_addz(&value, "{}");
    for (int i = 0; i < 100; i++)
        buf_addc(&value, '}');
    assert_int_equal(json_parse(buf_str(&value), &v, NULL), 0);
    for (int i = 0; i < 110; i++) {
        struct json_patch_op op = { .op = STR("add"), .value = yyjson_doc_get_root(v), .has_value = true };

        /* The first value goes to /a and is 101 objects deep; each further one goes into the last of these. */
        for (int k = 0; k < (i == 0 ? 1 : 101); k++)
            buf_addz(&path, "/a");
        op.path = buf_str(&path);
        if (json_patch_apply(doc, &op, NULL) == 0)
            good++;
        else
            bad++;
    }
    assert_int_equal(good, (JSON_MAX_DEPTH - 1) / 101);
    assert_int_equal(good + bad, 110);
}

static void test_long_path_in_message(void **state)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    _cleanup_buf_ struct buf path = BUF_INIT(1 << 20);
    _cleanup_error_ struct error *err = NULL;

    (void)state;
    while (path.n < 100000)
        buf_addz(&path, "/a");
    assert_int_equal(json_patch_apply(doc, &(struct json_patch_op){ .path = buf_str(&path) }, &err), -EINVAL);
    assert_true(strlen(err->msg) < 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_op_is_replace),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_missing_parent),
        cmocka_unit_test(test_negative_indices),
        cmocka_unit_test(test_index_syntax),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_first_segment_is_discarded),
        cmocka_unit_test(test_whole_document),
        cmocka_unit_test(test_empty_name),
        cmocka_unit_test(test_absent_value_is_null),
        cmocka_unit_test(test_other_ops),
        cmocka_unit_test(test_values_stay_exact),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_long_path_in_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
