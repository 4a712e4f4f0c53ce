/* YAML: what reads as what, what is written how, bounds. */
#include "unit.h"

#include "json/yaml.h"

static void check_read(const char *text, const char *expected)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_buf_ struct buf b = BUF_INIT(100000);
    _cleanup_error_ struct error *err = NULL;

    if (yaml_parse(str_of(text), &doc, &err) < 0)
        fail_msg("%s: %s", text, err->msg);
    assert_int_equal(json_write(&b, yyjson_doc_get_root(doc)), 0);
    assert_str(buf_str(&b), expected);
}

static void check_bad(const char *text, const char *part)
{
    _cleanup_error_ struct error *err = NULL;
    yyjson_doc *doc = NULL;

    if (yaml_parse(str_of(text), &doc, &err) != -EINVAL)
        fail_msg("accepted: %s", text);
    if (!strstr(err->msg, part))
        fail_msg("%s: %s", text, err->msg);
}

static void test_words(void **state)
{
    (void)state;
    check_read("[y, Y, yes, Yes, YES, on, On, ON, true, True, TRUE]",
               "[true,true,true,true,true,true,true,true,true,true,true]");
    check_read("[n, N, no, No, NO, off, Off, OFF, false, False, FALSE]",
               "[false,false,false,false,false,false,false,false,false,false,false]");
    check_read("[~, null, Null, NULL]", "[null,null,null,null]");
    check_read("[yEs, tRue, nULL, oN, \"yes\", 'no', !!str on]",
               "[\"yEs\",\"tRue\",\"nULL\",\"oN\",\"yes\",\"no\",\"on\"]");
    check_read("a:\nb: \"\"\n", "{\"a\":null,\"b\":\"\"}");
}

static void test_numbers(void **state)
{
    (void)state;
    check_read("[0, 7, -7, +7, 1_000, 0x1F, -0x1f, 0o17, 017, 0b101, -0b1, 9223372036854775807]",
               "[0,7,-7,7,1000,31,-31,15,15,5,-1,9223372036854775807]");
    check_read("[-9223372036854775808, 18446744073709551615, 18446744073709551616]",
               "[-9223372036854775808,18446744073709551615,18446744073709552000.0]");
    check_read("[1.5, .5, -1.5e3, 1e3, 1E+2, 1., 1_0.5, 089, 2.0]", "[1.5,0.5,-1500,1000,100,1,10.5,89,2]");
    check_read(
        "[1e999, 0x, 0xg, 0b2, 1.2.3, 1:30, '1', ., -, +, 1e, --1, _1, 1__, -.5]",
        "[\"1e999\",\"0x\",\"0xg\",\"0b2\",\"1.2.3\",\"1:30\",\"1\",\".\",\"-\",\"+\",\"1e\",\"--1\",\"_1\",1,-0.5]");
    check_bad("a: .inf", "infinite");
    check_bad("a: -.Inf", "infinite");
    check_bad("- .NaN", "line 1, column 3");
}

static void test_timestamps_are_strings(void **state)
{
    (void)state;
    check_read("[2006-01-02, 2006-01-02T15:04:05Z, 2006-1-2 15:4:5.5]",
               "[\"2006-01-02\",\"2006-01-02T15:04:05Z\",\"2006-1-2 15:4:5.5\"]");
}

static void test_tags(void **state)
{
    (void)state;
    check_read("[!!str 1, !!int \"3\", !!float 3, !!float 1.5, !!bool \"yes\", !!null '', !!binary aGk=, !own x]",
               "[\"1\",3,3,1.5,true,null,\"hi\",\"x\"]");
    check_read("!!map {a: !!seq [1]}", "{\"a\":[1]}");
    check_bad("!!int secret", "tag");
    check_bad("!!bool 1", "tag");
    check_bad("!!binary '!'", "base64");
}

static void test_keys(void **state)
{
    (void)state;
    check_read("1: a\ntrue: b\n1.5: c\n0x10: d\nplain: e\n\"2\": f\n? g\n: h\n2006-01-02: i\n",
               "{\"1\":\"a\",\"true\":\"b\",\"1.5\":\"c\",\"16\":\"d\",\"plain\":\"e\",\"2\":\"f\",\"g\":\"h\","
               "\"2006-01-02\":\"i\"}");
    check_read("y: 1", "{\"true\":1}");
    check_bad("~: 1", "null");
    check_bad("? [a]\n: 1", "key is a mapping or a sequence");
    check_bad("a: 1\nb: 2\na: 3\n", "line 3, column 1");
    check_bad("1: a\n\"1\": b\n", "twice");
    check_bad("{a: {b: 1, b: 2}}", "twice");
}

static void test_strings(void **state)
{
    (void)state;
    check_read("a: |\n  x\n   y\n\nb: >-\n  x\n  y\n\n  z\nc: 'it''s'\nd: \"\\t\\u00e9\\x41\\n\"\ne: plain # comment\n",
               "{\"a\":\"x\\n y\\n\",\"b\":\"x y\\nz\",\"c\":\"it's\",\"d\":\"\\t\xc3\xa9"
               "A\\n\",\"e\":\"plain\"}");
    check_read("a: x\n  y\n", "{\"a\":\"x y\"}");
    check_read("'<<': 1\nb: <<\n", "{\"<<\":1,\"b\":\"<<\"}");
}

static void test_anchors(void **state)
{
    (void)state;
    check_read("a: &x {k: [1]}\nb: *x\nc: [*x]\n", "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]},\"c\":[{\"k\":[1]}]}");
    check_read("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}");
    check_read("&k key: 1\nb: *k\n", "{\"key\":1,\"b\":\"key\"}");
    check_read("a: &k key\n*k : 1\n", "{\"a\":\"key\",\"key\":1}");
    check_read("a: &x {o: &x {m: 1}}\nb: *x\n", "{\"a\":{\"o\":{\"m\":1}},\"b\":{\"m\":1}}");
    check_bad("a: *x", "unknown anchor");
    check_bad("a: &x [*x]", "contains itself");
    check_bad("a: &x {<<: *x}", "contains itself");
    check_bad("a: &x [1]\n*x : 1\n", "key must be a string");
}

static void test_merge_keys(void **state)
{
    (void)state;
    check_read("b: &b {x: 1, w: 2}\nc: {<<: *b, x: 3}\n", "{\"b\":{\"x\":1,\"w\":2},\"c\":{\"x\":3,\"w\":2}}");
    check_read("c: {x: 3, <<: {x: 1, z: 4}}\n", "{\"c\":{\"x\":3,\"z\":4}}");
    check_read("a: &a {x: 1}\nb: &b {x: 2, w: 3}\nc:\n  <<: [*a, *b]\n",
               "{\"a\":{\"x\":1},\"b\":{\"x\":2,\"w\":3},\"c\":{\"x\":1,\"w\":3}}");
    check_bad("a: {<<: 1}", "merge key");
    check_bad("a: {<<: [1]}", "merge key");
    check_bad("a: &a x\nb: {<<: *a}", "merge key");
}

static void test_laughs(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20), c = BUF_INIT(1 << 20);

    (void)state;
    buf_addz(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    buf_addz(&c, "a0: &a0 {k: {x: 1, y: 1}}\n");
    for (int i = 1; i < 30; i++) {
        buf_printf(&b, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1);
        buf_printf(&c, "a%d: &a%d {<<: *a%d, k%d: *a%d, l%d: *a%d}\n", i, i, i - 1, i, i - 1, i, i - 1);
    }
    check_bad(b.p, "too much data");
    check_bad(c.p, "too much data");
    buf_reset(&b);
    buf_addz(&b, "a: &a ");
    for (int i = 0; i < 500; i++)
        buf_addc(&b, '[');
    for (int i = 0; i < 500; i++)
        buf_addc(&b, ']');
    buf_addz(&b, "\nb: &b [[[[[[[[[*a]]]]]]]]]\nc: [[[[[*b]]]]]\n");
    check_bad(b.p, "too deep");
    buf_reset(&b);
    buf_addz(&b, "big: &big \"");
    while (b.n < 700000)
        buf_addc(&b, 'x');
    buf_addz(&b, "\"\nl: [");
    for (int i = 0; i < 200; i++)
        buf_addz(&b, "*big, ");
    buf_addz(&b, "1]\n");
    check_bad(b.p, "too much data");
}

static void test_depth(void **state)
{
    static const char *const opens[] = { "[", "{a: ", "- " };

    (void)state;
    for (size_t k = 0; k < ARRAY_SIZE(opens); k++) {
        _cleanup_buf_ struct buf b = BUF_INIT(10 << 20);

        for (int i = 0; i < 200000; i++)
            buf_addz(&b, opens[k]);
        check_bad(b.p, "too deep");
    }
}

static void test_syntax_errors(void **state)
{
    (void)state;
    check_bad("a: b: c\n", "line 1");
    check_bad("a: [1\n", "line 2");
    check_bad("a:\n  - b\n c: d\n", "line 3");
    check_bad("\"a", "line 1");
    check_bad("a: \"\xff\"", "byte");
    check_bad("@x", "line 1, column 1");
    check_bad("\t- a", "line 1");
}

static void test_json_is_yaml(void **state)
{
    (void)state;
    check_read("{\"a\":\"\\ud83d\\ude00\\/\",\"n\":1e2}", "{\"a\":\"\xf0\x9f\x98\x80/\",\"n\":100.0}");
    check_read("{\n\t\"a\": [1,\n\t\t2]\n}\n", "{\"a\":[1,2]}");
    check_read("[1, \"a\", null]", "[1,\"a\",null]");
}

static void test_empty_and_first(void **state)
{
    (void)state;
    check_read("", "null");
    check_read("\n# only a comment\n", "null");
    check_read("---\n", "null");
    check_read("---\n---\na: 1\n", "null");
    check_read("a: 1\n---\nb: [\n", "{\"a\":1}");
    check_read("%YAML 1.1\n---\na: 1\n...\n", "{\"a\":1}");
    check_read("text", "\"text\"");
}

static void test_parse_all(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    yyjson_doc **docs = NULL;
    size_t n = 0;

    (void)state;
    assert_ok(yaml_parse_all(STR("# c\n---\na: &x 1\n---\n---\n# nothing\n---\n- b\n...\n---\nc\n"), &docs, &n, &err),
              err);
    assert_int_equal(n, 3);
    assert_int_equal(json_path_i64(yyjson_doc_get_root(docs[0]), "a", 0), 1);
    assert_true(yyjson_is_arr(yyjson_doc_get_root(docs[1])));
    assert_str(json_str(yyjson_doc_get_root(docs[2])), "c");
    yaml_docs_free(docs, n);
    docs = NULL;
    assert_ok(yaml_parse_all(STR("{\"a\":1}\n"), &docs, &n, &err), err);
    assert_int_equal(n, 1);
    yaml_docs_free(docs, n);
    assert_ok(yaml_parse_all(STR(""), &docs, &n, &err), err);
    assert_int_equal(n, 0);
    yaml_docs_free(docs, n);
    docs = NULL;
    assert_int_equal(yaml_parse_all(STR("a: &x 1\n---\nb: *x\n"), &docs, &n, &err), -EINVAL);
    assert_null(docs);
    yaml_docs_free(NULL, 0);
}

static void check_write(const char *json, const char *expected)
{
    _cleanup_json_ yyjson_doc *doc = NULL, *again = NULL;
    _cleanup_buf_ struct buf b = BUF_INIT(100000);
    struct error *err = NULL;

    assert_ok(json_parse(str_of(json), &doc, &err), err);
    assert_int_equal(yaml_write(&b, yyjson_doc_get_root(doc)), 0);
    assert_str(buf_str(&b), expected);
    assert_ok(yaml_parse(buf_str(&b), &again, &err), err);
    assert_true(json_equal(yyjson_doc_get_root(doc), yyjson_doc_get_root(again)));
}

static void test_write_layout(void **state)
{
    (void)state;
    check_write(
        "{\"kind\":\"X\",\"apiVersion\":\"v1\",\"Z\":1,\"list\":[1,{\"b\":2,\"a\":[[3],[]]}],\"e\":{},\"n\":null}",
        "Z: 1\napiVersion: v1\ne: {}\nkind: X\nlist:\n- 1\n- a:\n  - - 3\n  - []\n  b: 2\n\"n\": null\n");
    check_write("{\"a\":{\"b\":{\"c\":[{\"d\":1},{\"d\":2}]}}}", "a:\n  b:\n    c:\n    - d: 1\n    - d: 2\n");
    check_write("{}", "{}\n");
    check_write("[]", "[]\n");
    check_write("[{}]", "- {}\n");
    check_write("null", "null\n");
    check_write("\"x\"", "x\n");
    check_write("{\"a10\":1,\"a2\":2}", "a10: 1\na2: 2\n");
}

static void test_write_scalars(void **state)
{
    (void)state;
    check_write("[true,false,null,0,-5,9223372036854775807,18446744073709551615]",
                "- true\n- false\n- null\n- 0\n- -5\n- 9223372036854775807\n- 18446744073709551615\n");
    check_write("[1.5,0.1,1e21,1e-7,2.0,1234567.5,100000.5,0.0001,0.00001]",
                "- 1.5\n- 0.1\n- 1e+21\n- 1e-07\n- 2\n- 1.2345675e+06\n- 100000.5\n- 0.0001\n- 1e-05\n");
}

static void test_write_quotes_what_reads_otherwise(void **state)
{
    static const char *const words[] = {
        "",
        "1",
        "-1",
        "+1",
        "0x1F",
        "017",
        "0b1",
        "0o7",
        "1_000",
        "1.5",
        ".5",
        "1e3",
        "y",
        "n",
        "Y",
        "yes",
        "no",
        "on",
        "off",
        "true",
        "False",
        "null",
        "~",
        "Null",
        ".inf",
        "-.inf",
        ".nan",
        "<<",
        "1:30",
        "089",
        "1:30:15.5",
        "2006-01-02",
        "2006-01-02T15:04:05Z",
        "9223372036854775808",
        "99999999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        _cleanup_free_ char *json = mem_printf("{\"k\":\"%s\"}", words[i]);
        _cleanup_free_ char *yaml = mem_printf("k: \"%s\"\n", words[i]);

        check_write(json, yaml);
    }
}

static void test_write_plain(void **state)
{
    static const char *const words[] = {
        "a",          "a b",
        "nginx:1.21", "http://x/y?z=1",
        "a#b",        "v1",
        "1a",         "1.2.3",
        "10.0.0.1",   "-a",
        "yEs",        "a,b",
        "x=y",        "a:b",
        "/path",      "(x)",
        "a'b",        "a.b",
        "$x",         "1e999",
        "0x",         "_1",
        "<",          ".",
        "..",         "kubefed.io/managed",
        "2006-01",    "10m",
        "100Mi",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        _cleanup_free_ char *json = mem_printf("{\"k\":\"%s\"}", words[i]);
        _cleanup_free_ char *yaml = mem_printf("k: %s\n", words[i]);

        check_write(json, yaml);
    }
}

static void test_write_special(void **state)
{
    (void)state;
    check_write(
        "[\"*a\",\"&a\",\"%a\",\"@a\",\"`a\",\"!a\",\"|\",\">\",\"'a\",\"\\\"a\",\"#a\",\"{a\","
        "\"[a\",\"- a\",\"? a\",\"-\",\"?\"]",
        "- '*a'\n- '&a'\n- '%a'\n- '@a'\n- '`a'\n- '!a'\n- '|'\n- '>'\n- '''a'\n- '\"a'\n- '#a'\n- '{a'\n- '[a'\n"
        "- '- a'\n- '? a'\n- '-'\n- '?'\n");
    check_write("[\"a: b\",\"a #b\",\"a:\",\" a\",\"a \",\"---\",\"... x\"]",
                "- 'a: b'\n- 'a #b'\n- 'a:'\n- ' a'\n- 'a '\n- '---'\n- '... x'\n");
    check_write("[\"a\\tb\",\"\\u0001\",\"\\u0000\",\"\\u007f\",\"a\\rb\",\"\\u00e9\"]",
                "- \"a\\tb\"\n- \"\\x01\"\n- \"\\0\"\n- \"\\x7F\"\n- \"a\\rb\"\n- \xc3\xa9\n");
    check_write("{\"1\":1,\"true\":2,\"a: b\":3,\"y\":4,\"\":5}",
                "\"\": 5\n\"1\": 1\n'a: b': 3\n\"true\": 2\n\"y\": 4\n");
}

static void test_write_blocks(void **state)
{
    (void)state;
    check_write("{\"a\":\"x\\ny\\n\",\"b\":\"x\\ny\",\"c\":\"x\\n\\n\",\"d\":1}",
                "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: |+\n  x\n\nd: 1\n");
    check_write("[\"x\\n\\n\"]", "- |+\n  x\n\n");
    check_write("{\"a\":\"  x\\ny\"}", "a: |2-\n    x\n  y\n");
    check_write("{\"a\":\"x \\ny\"}", "a: \"x \\ny\"\n");
    check_write("{\"a\":\"#!/bin/sh\\nexit 0\\n\"}", "a: |\n  #!/bin/sh\n  exit 0\n");
    check_write("{\"a\\nb\":1}", "? |-\n  a\n  b\n: 1\n");
}

static void test_write_limit(void **state)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_buf_ struct buf b = BUF_INIT(10);

    (void)state;
    assert_int_equal(json_parse(STR("{\"abc\":\"0123456789\"}"), &doc, NULL), 0);
    buf_addz(&b, "x");
    assert_int_equal(yaml_write(&b, yyjson_doc_get_root(doc)), -EFBIG);
    assert_true(buf_failed(&b));
    assert_str(buf_str(&b), "x");
}

/* Strings of awkward characters, as values and keys, in lists and mappings. */
static void random_string(struct buf *b)
{
    static const char *const parts[] = {
        "a",
        "b",
        "1",
        "0",
        " ",
        "\n",
        "\t",
        ":",
        "#",
        "-",
        "'",
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&",
        "*",
        "!",
        "|",
        ">",
        "%",
        "@",
        "`",
        "?",
        "~",
        ".",
        "_",
        "\r",
        "\xc3\xa9",
        "\xe2\x80\xa8",
        "\xc2\x85",
        "\xef\xbb\xbf",
        "\x7f",
        "\xf0\x9f\x98\x80",
        "\x01",
        "y",
        "no",
        "e",
        "+",
        "=",
        "<<",
        "---",
        "...",
    };
    size_t n = rand_below(12);

    if (rand_below(20) == 0)
        n = 100;
    buf_reset(b);
    while (n--)
        buf_addz(b, parts[rand_below(ARRAY_SIZE(parts))]);
}

static void test_round_trip_random(void **state)
{
    _cleanup_buf_ struct buf s = BUF_INIT(10000), out = BUF_INIT(1 << 20);

    (void)state;
    unit_seed();
    for (int i = 0; i < 3000; i++) {
        _cleanup_json_mut_ yyjson_mut_doc *mut = json_mut_doc_new();
        yyjson_mut_val *root = yyjson_mut_doc_get_root(mut), *list = yyjson_mut_arr(mut);
        _cleanup_json_ yyjson_doc *doc = NULL, *again = NULL;
        struct error *err = NULL;

        json_mut_set(mut, root, "list", list);
        for (int k = 0; k < 5; k++) {
            random_string(&s);
            yyjson_mut_arr_append(list, json_mut_new_str(mut, buf_str(&s)));
            random_string(&s);
            json_mut_setn(mut, root, buf_str(&s), json_mut_new_str(mut, buf_str(&s)));
        }
        doc = json_freeze(mut);
        buf_reset(&out);
        assert_int_equal(yaml_write(&out, yyjson_doc_get_root(doc)), 0);
        assert_ok(yaml_parse(buf_str(&out), &again, &err), err);
        if (!json_equal(yyjson_doc_get_root(doc), yyjson_doc_get_root(again)))
            fail_msg("differs after reading:\n%s", out.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_timestamps_are_strings),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_anchors),
        cmocka_unit_test(test_merge_keys),
        cmocka_unit_test(test_laughs),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_syntax_errors),
        cmocka_unit_test(test_json_is_yaml),
        cmocka_unit_test(test_empty_and_first),
        cmocka_unit_test(test_parse_all),
        cmocka_unit_test(test_write_layout),
        cmocka_unit_test(test_write_scalars),
        cmocka_unit_test(test_write_quotes_what_reads_otherwise),
        cmocka_unit_test(test_write_plain),
        cmocka_unit_test(test_write_special),
        cmocka_unit_test(test_write_blocks),
        cmocka_unit_test(test_write_limit),
        cmocka_unit_test(test_round_trip_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
