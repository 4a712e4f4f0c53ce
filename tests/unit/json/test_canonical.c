/* Canonical text: every vector of controllers.md 5.9, Go's number and string forms. */
#include "unit.h"

#include <math.h>

#include "json/canonical.h"

static void check(const char *in, unsigned flags, const char *expected)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_buf_ struct buf b = BUF_INIT(10000);
    struct error *err = NULL;

    assert_ok(json_parse(str_of(in), &doc, &err), err);
    assert_int_equal(json_canonical(&b, yyjson_doc_get_root(doc), flags), 0);
    assert_str(buf_str(&b), expected);
}

static void test_template_vectors(void **state)
{
    (void)state;
    check("{\"spec\":{\"foo\":null}}", 0, "{\"spec\":{\"foo\":null}}");
    check("{}", 0, "{}");
    check("{\"data\":{\"foo\":\"bar\"}}", 0, "{\"data\":{\"foo\":\"bar\"}}");
    check("{\"spec\":{\"replicas\":3,\"b\":true,\"a\":[1,2.0,1e3,0.1]},"
          "\"metadata\":{\"labels\":{\"z\":\"1\",\"a\":\"<&>\"}}}",
          0,
          "{\"metadata\":{\"labels\":{\"a\":\"\\u003c\\u0026\\u003e\",\"z\":\"1\"}},"
          "\"spec\":{\"a\":[1,2,1000,0.1],\"b\":true,\"replicas\":3}}");
    check("{\"n\":12345678901234567890,\"m\":1e21,\"k\":1e-7,\"j\":9007199254740993}", 0,
          "{\"j\":9007199254740993,\"k\":1e-7,\"m\":1e+21,\"n\":12345678901234567000}");
}

/* The values of the overrides in 5.9; the frame around them is fixed text. */
static void test_override_vectors(void **state)
{
    (void)state;
    check("{\"foo\":\"baz\"}", JSON_CANON_FLOAT64, "{\"foo\":\"baz\"}");
    check("5", JSON_CANON_FLOAT64, "5");
    check("0", JSON_CANON_FLOAT64, "0");
    check("9007199254740993", JSON_CANON_FLOAT64, "9007199254740992");
    check("1.50", JSON_CANON_FLOAT64, "1.5");
    check("{\"z\":1,\"a\":\"<\"}", JSON_CANON_FLOAT64, "{\"a\":\"\\u003c\",\"z\":1}");
    check("-9007199254740993", JSON_CANON_FLOAT64, "-9007199254740992");
    check("9223372036854775807", JSON_CANON_FLOAT64, "9223372036854776000");
}

static void test_structure(void **state)
{
    (void)state;
    check(" [ ] ", 0, "[]");
    check("[[],{},[{}],null,true,false,\"\"]", 0, "[[],{},[{}],null,true,false,\"\"]");
    check("{\"b\":1,\"a\":2,\"b\":3}", 0, "{\"a\":2,\"b\":3}");
    check("{\"a\":1,\"B\":2,\"\xc3\xa9\":3,\"aa\":4,\"\":5}", 0, "{\"\":5,\"B\":2,\"a\":1,\"aa\":4,\"\xc3\xa9\":3}");
    check("-0", 0, "0");
    check("-0.0", 0, "-0");
    check("9223372036854775807", 0, "9223372036854775807");
    check("-9223372036854775808", 0, "-9223372036854775808");
    check("123456789012345678901234567890", 0, "1.2345678901234568e+29");
}

static void check_str(struct str in, const char *expected)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1000);

    assert_int_equal(json_canonical_str(&b, in), 0);
    assert_str(buf_str(&b), expected);
}

static void test_strings(void **state)
{
    (void)state;
    check_str(STR(""), "\"\"");
    check_str(STR_NULL, "\"\"");
    check_str(STR("a\"\\/b"), "\"a\\\"\\\\/b\"");
    check_str(STR("\n\r\t\b\f\v\x01\x1f\x7f"), "\"\\n\\r\\t\\u0008\\u000c\\u000b\\u0001\\u001f\x7f\"");
    check_str(str_n("\0", 1), "\"\\u0000\"");
    check_str(STR("<>&"), "\"\\u003c\\u003e\\u0026\"");
    check_str(STR("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\"");
    check_str(STR("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    check_str(STR("a\xffz"), "\"a\\ufffdz\"");
    check_str(STR("\xe2\x80"), "\"\\ufffd\\ufffd\"");
    check_str(STR("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
}

static void check_double(double d, const char *expected)
{
    _cleanup_buf_ struct buf b = BUF_INIT(100);

    assert_int_equal(json_canonical_double(&b, d), 0);
    assert_str(buf_str(&b), expected);
}

static void test_doubles(void **state)
{
    (void)state;
    check_double(0, "0");
    check_double(-0.0, "-0");
    check_double(1, "1");
    check_double(-1.5, "-1.5");
    check_double(0.1, "0.1");
    check_double(0.3, "0.3");
    check_double(0.1 + 0.2, "0.30000000000000004");
    check_double(100, "100");
    check_double(123456.789, "123456.789");
    check_double(1e-6, "0.000001");
    check_double(9.999e-7, "9.999e-7");
    check_double(1e-7, "1e-7");
    check_double(1.5e-10, "1.5e-10");
    check_double(1e20, "100000000000000000000");
    check_double(1e21, "1e+21");
    check_double(1.5e300, "1.5e+300");
    check_double(9007199254740992, "9007199254740992");
    check_double(5e-324, "5e-324");
    check_double(2.2250738585072014e-308, "2.2250738585072014e-308");
    check_double(2.225073858507201e-308, "2.225073858507201e-308");
    check_double(1.7976931348623157e308, "1.7976931348623157e+308");
    check_double(4.35, "4.35");
    check_double(5.684341886080802e-14, "5.684341886080802e-14");
    /* Powers of two whose nearest 16 digits miss and whose next ones hit. */
    check_double(0x1p-791, "7.678447687145631e-239");
    check_double(0x1p863, "6.150157786156811e+259");
    check_double(36893488147419103232.0, "36893488147419103000");
}

/* Every power of two, where neighbours lie unevenly, and random bits: the text must read back and not be longer than
 * what fewer digits can say. */
static void check_shortest(double d)
{
    _cleanup_buf_ struct buf b = BUF_INIT(100);
    int digits = 0;

    assert_int_equal(json_canonical_double(&b, d), 0);
    assert_true(strtod(b.p, NULL) == d);
    for (const char *p = b.p; *p && *p != 'e'; p++)
        digits += *p >= '0' && *p <= '9';
    assert_true(digits <= 17 || !strchr(b.p, 'e'));
    for (int precision = 1; precision < 17; precision++) {
        char text[64];

        snprintf(text, sizeof(text), "%.*e", precision - 1, d);
        if (strtod(text, NULL) != d)
            continue;
        snprintf(text, sizeof(text), "%.*e", precision - 1, strtod(b.p, NULL));
        assert_true(strtod(text, NULL) == d);
        break;
    }
}

static void test_doubles_random(void **state)
{
    (void)state;
    unit_seed();
    for (int e = -1074; e <= 1023; e++)
        check_shortest(ldexp(1, e));
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rand_u64();
        double d;

        memcpy(&d, &bits, sizeof(d));
        if (isfinite(d))
            check_shortest(d);
    }
}

static void test_limit(void **state)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_buf_ struct buf b = BUF_INIT(7);

    (void)state;
    assert_int_equal(json_parse(STR("{\"a\":[1,2,3]}"), &doc, NULL), 0);
    assert_int_equal(json_canonical(&b, yyjson_doc_get_root(doc), 0), -EFBIG);
    assert_true(b.n <= 7);
    buf_reset(&b);
    assert_int_equal(json_canonical_str(&b, STR("123456")), -EFBIG);
    buf_reset(&b);
    assert_int_equal(json_canonical_str(&b, STR("12345")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_template_vectors),
        cmocka_unit_test(test_override_vectors),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_doubles_random),
        cmocka_unit_test(test_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
