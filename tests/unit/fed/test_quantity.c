/* Quantities of resources: the grammar of Kubernetes, exact values, and what does not fit. */
#include "fed/quantity.h"

#include "fed_test.h"

static void check(const char *text, int64_t scale, int64_t expected)
{
    int64_t got = -77;

    if (fed_quantity_parse(str_of(text), scale, &got) != 0)
        fail_msg("%.60s: is refused", text);
    if (got != expected)
        fail_msg("%.60s * %lld: %lld instead of %lld", text, (long long)scale, (long long)got, (long long)expected);
}

static void suffixes(void **state)
{
    (void)state;
    check("7", 1, 7);
    check("2k", 1, 2000);
    check("3M", 1, 3000000);
    check("4G", 1, 4000000000);
    check("5T", 1, 5000000000000);
    check("6P", 1, 6000000000000000);
    check("7E", 1, 7000000000000000000);
    check("1Ki", 1, 1024);
    check("1Mi", 1, 1048576);
    check("1Gi", 1, 1073741824);
    check("1Ti", 1, 1099511627776);
    check("1Pi", 1, 1125899906842624);
    check("1Ei", 1, 1152921504606846976);
    check("100m", 1000, 100);
    check("2000000u", 1000, 2000);
    check("3000000n", 1000, 3);
    check("2", 1000, 2000);
    check("2Ki", 1000, 2048000);
}

static void exponents(void **state)
{
    (void)state;
    check("2e3", 1, 2000);
    check("2E3", 1, 2000);
    check("2e+3", 1, 2000);
    check("5E-3", 1000, 5);
    check("1.25e2", 1, 125);
    check("12e-1", 1000, 1200);
    check("1e0", 1, 1);
    check("1e018", 1, 1000000000000000000);
    check("0.000000001e9", 1, 1);
}

static void signs_and_points(void **state)
{
    (void)state;
    check("+5", 1, 5);
    check("-5", 1, -5);
    check("-0", 1, 0);
    check("-1.5Gi", 1, -1610612736);
    check("1.", 1, 1);
    check(".5", 1000, 500);
    check("1.Ki", 1, 1024);
    check(".5Mi", 1, 524288);
    check("00012.50", 1000, 12500);
    check("10.5k", 1, 10500);
    check("0.1k", 1, 100);
}

/* Away from zero, once, however small what is left. */
static void rounding(void **state)
{
    (void)state;
    check("1m", 1, 1);
    check("-1m", 1, -1);
    check("1001m", 1, 2);
    check("2000m", 1, 2);
    check("-2001m", 1, -3);
    check("1n", 1000, 1);
    check("0.1Ki", 1, 103); /* 102.4 */
    check("0.3Gi", 1, 322122548);
    check("2.00000000000000000000000000000000000000000000000001", 1, 3);
    check("0.00000000000000000000000000000000000000000000000001Ei", 1000, 1);
    check("1e-38", 1000, 1);
    check("-1e-41", 1000, -1);
    check("1e-999999999", 1000, 1);
    check("0.1", 1000, 100); /* what has no binary fraction of its own is exact */
    check("4.35", 1000, 4350);
    check("0.29", 1000, 290);
    check("1.1Ki", 1, 1127);
}

static void limits(void **state)
{
    (void)state;
    check("9223372036854775807", 1, INT64_MAX);
    check("9223372036854775808", 1, INT64_MAX);
    check("9223372036854775806.5", 1, INT64_MAX);
    check("9223372036854775806", 1, INT64_MAX - 1);
    check("-9223372036854775807", 1, INT64_MIN + 1);
    check("-9223372036854775808", 1, INT64_MIN);
    check("-9223372036854775809", 1, INT64_MIN);
    check("9223372036854775.807", 1000, INT64_MAX);
    check("9223372036854775.806", 1000, INT64_MAX - 1);
    check("9223372036854775.8061", 1000, INT64_MAX);
    check("9.223372036854775806E", 1, INT64_MAX - 1);
    check("7Ei", 1, 8070450532247928832);
    check("8Ei", 1, INT64_MAX);
    check("-8Ei", 1, INT64_MIN);
    check("9999999999999999999Ei", 1000, INT64_MAX);
    check("18446744073709551616", 1, INT64_MAX);
    check("18446744073709551617", 1000, INT64_MAX);
    check("10E", 1, INT64_MAX);
}

/* n times `c`, between `before` and `after`. */
static char *repeat(const char *before, char c, size_t n, const char *after)
{
    struct buf b = BUF_INIT(SIZE_MAX);

    buf_addz(&b, before);
    for (size_t i = 0; i < n; i++)
        buf_addc(&b, c);
    buf_addz(&b, after);
    return buf_take(&b, NULL);
}

static void check_repeated(const char *before, char c, const char *after, int64_t expected)
{
    _cleanup_free_ char *few = repeat(before, c, 400, after), *many = repeat(before, c, 100000, after);

    check(few, 1000, expected);
    check(many, 1000, expected);
}

static void long_numbers(void **state)
{
    (void)state;
    check_repeated("", '9', "", INT64_MAX);
    check_repeated("-", '9', "Ki", INT64_MIN);
    check_repeated("", '0', "7m", 7);
    check_repeated("7.", '0', "m", 7);
    check_repeated("7.", '0', "1m", 8);
    check_repeated("0.", '9', "", 1000);
    check_repeated("0.", '3', "", 334);
    check_repeated(".", '0', "Ei", 0);
    check_repeated("1e", '0', "3", 1000000);
    check_repeated("1e", '9', "", INT64_MAX);
    check_repeated("-1e", '9', "", INT64_MIN);
    check_repeated("1e-", '9', "", 1);
    check_repeated("0e", '9', "", 0);
}

/* The power of ten that a long mantissa has is taken back by its exponent. */
static void length_and_exponent_cancel_out(void **state)
{
    _cleanup_free_ char *large = repeat("12", '0', 500, "e-500"), *small = repeat("0.", '0', 500, "12e502");

    (void)state;
    check(large, 1, 12);
    check(small, 1, 12);
    check("1e999999999", 1, INT64_MAX);
    check("-1e999999999", 1, INT64_MIN);
}

static void refused(const char *text)
{
    int64_t got = -77;

    if (fed_quantity_parse(str_of(text), 1, &got) != -EINVAL)
        fail_msg("\"%s\": is taken", text);
    assert_int_equal(got, -77);
}

static void nonsense(void **state)
{
    static const char *const texts[] = { "",    "+",   "-",   ".",    "-.",    "m",     "Ki",    "1.1.1", "1..", "+-1",
                                         "--1", " 1",  "1 ",  "1 Gi", "1K",    "1ki",   "1mi",   "1i",    "1gi", "1Gb",
                                         "1e",  "1e+", "1e-", "1e3m", "1e3Ki", "1e3.5", "1e3e3", "0x10",  "1_0", "e3",
                                         "inf", "NaN", "1,5", "1EE",  "1E i",  "one",   ".i",    "1mm",   "1\n" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        refused(texts[i]);
    assert_int_equal(fed_quantity_parse(STR_NULL, 1, &(int64_t){ 0 }), -EINVAL);
    assert_int_equal(fed_quantity_parse(STR("1\0"), 1, &(int64_t){ 0 }), -EINVAL);
}

/* A slice ends where it says, not where the text goes on. */
static void slices(void **state)
{
    int64_t got = 0;

    (void)state;
    assert_int_equal(fed_quantity_parse(str_n("15Gi", 2), 1, &got), 0);
    assert_int_equal(got, 15);
    assert_int_equal(fed_quantity_parse(str_n("15e3", 3), 1, &got), -EINVAL);
}

static void check_json_value(const char *json, int64_t scale, int64_t expected)
{
    int64_t got = -77;

    if (fed_quantity_read(J(json), scale, &got) != 0)
        fail_msg("%s: is refused", json);
    if (got != expected)
        fail_msg("%s: %lld instead of %lld", json, (long long)got, (long long)expected);
}

static void json_values(void **state)
{
    static const char *const others[] = { "null", "true", "false", "[]", "{}", "[1]", "'x'", "''" };
    int64_t got = -77;

    (void)state;
    check_json_value("'100m'", 1000, 100);
    check_json_value("4", 1, 4);
    check_json_value("-4", 1000, -4000);
    check_json_value("0", 1, 0);
    check_json_value("1.5", 1000, 1500);
    check_json_value("0.1", 1000, 100);
    check_json_value("4.35", 1000, 4350);
    check_json_value("1e3", 1, 1000);
    check_json_value("1e-7", 1000, 1);
    check_json_value("9223372036854775807", 1, INT64_MAX);
    check_json_value("-9223372036854775808", 1, INT64_MIN);
    check_json_value("18446744073709551615", 1, INT64_MAX);
    check_json_value("1e300", 1, INT64_MAX);
    check_json_value("-1.7976931348623157e308", 1, INT64_MIN);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_int_equal(fed_quantity_read(J(others[i]), 1, &got), -EINVAL);
    assert_int_equal(fed_quantity_read(NULL, 1, &got), -EINVAL);
    assert_int_equal(got, -77);
}

static void check_text(void (*add)(struct buf *, int64_t), int64_t value, const char *expected)
{
    _cleanup_buf_ struct buf out = BUF_INIT(64);

    buf_addz(&out, ">");
    add(&out, value);
    assert_true(out.p[0] == '>');
    assert_str(str_n(out.p + 1, out.n - 1), expected);
}

static void thousandths_as_text(void **state)
{
    (void)state;
    check_text(fed_quantity_add_milli, 0, "0");
    check_text(fed_quantity_add_milli, 1, "1m");
    check_text(fed_quantity_add_milli, -1, "-1m");
    check_text(fed_quantity_add_milli, 1500, "1500m");
    check_text(fed_quantity_add_milli, 2000, "2");
    check_text(fed_quantity_add_milli, -2000, "-2");
    check_text(fed_quantity_add_milli, 10000, "10");
    check_text(fed_quantity_add_milli, 1500000, "1500");
    check_text(fed_quantity_add_milli, 2000000, "2k");
    check_text(fed_quantity_add_milli, 3000000000, "3M");
    check_text(fed_quantity_add_milli, 9000000000000000000, "9P");
    check_text(fed_quantity_add_milli, INT64_MAX, "9223372036854775807m");
    check_text(fed_quantity_add_milli, INT64_MIN, "-9223372036854775808m");
}

static void bytes_as_text(void **state)
{
    (void)state;
    check_text(fed_quantity_add_bytes, 0, "0");
    check_text(fed_quantity_add_bytes, 1, "1");
    check_text(fed_quantity_add_bytes, 1000, "1000");
    check_text(fed_quantity_add_bytes, 1023, "1023");
    check_text(fed_quantity_add_bytes, 1024, "1Ki");
    check_text(fed_quantity_add_bytes, 1025, "1025");
    check_text(fed_quantity_add_bytes, 1536, "1536");
    check_text(fed_quantity_add_bytes, 1048576, "1Mi");
    check_text(fed_quantity_add_bytes, 1073741824, "1Gi");
    check_text(fed_quantity_add_bytes, -1073741824, "-1Gi");
    check_text(fed_quantity_add_bytes, 1610612736, "1536Mi");
    check_text(fed_quantity_add_bytes, 1099511627776, "1Ti");
    check_text(fed_quantity_add_bytes, 2251799813685248, "2Pi");
    check_text(fed_quantity_add_bytes, 8070450532247928832, "7Ei");
    check_text(fed_quantity_add_bytes, INT64_MAX, "9223372036854775807");
    check_text(fed_quantity_add_bytes, INT64_MIN, "-8Ei");
}

/* Half of the numbers end in zeros of either base, so that units are used. */
static int64_t some_number(void)
{
    int64_t v = (int64_t)(rand_u64() >> rand_below(64));

    if (rand_below(4) == 0)
        v -= v % 1000000;
    else if (rand_below(3) == 0)
        v = (int64_t)((uint64_t)v << rand_below(50));
    return rand_below(2) ? v : (int64_t)(0 - (uint64_t)v);
}

static void text_reads_as_the_same_number(void **state)
{
    (void)state;
    unit_seed();
    for (int i = 0; i < 20000; i++) {
        _cleanup_buf_ struct buf milli = BUF_INIT(64), bytes = BUF_INIT(64);
        int64_t v = some_number(), got = 0;

        fed_quantity_add_milli(&milli, v);
        assert_int_equal(fed_quantity_parse(buf_str(&milli), 1000, &got), 0);
        assert_true(got == v);
        fed_quantity_add_bytes(&bytes, v);
        assert_int_equal(fed_quantity_parse(buf_str(&bytes), 1, &got), 0);
        assert_true(got == v);
    }
}

/* "<a>.<six digits>Mi" against 64 bit arithmetic, which is enough here. */
static void fractions_are_exact(void **state)
{
    (void)state;
    unit_seed();
    for (int i = 0; i < 20000; i++) {
        int64_t a = (int64_t)rand_below(100000), b = (int64_t)rand_below(1000000), got = 0;
        int64_t exact = a * 1000000 + b, product = exact * 1048576;
        char text[64];

        snprintf(text, sizeof(text), "%lld.%06lldMi", (long long)a, (long long)b);
        check(text, 1, (product + 999999) / 1000000);
        snprintf(text, sizeof(text), "-%lld.%06lld", (long long)a, (long long)b);
        check(text, 1000, -((exact + 999) / 1000));
        snprintf(text, sizeof(text), "%lldu", (long long)exact);
        assert_int_equal(fed_quantity_parse(str_of(text), 1000, &got), 0);
        assert_true(got == (exact + 999) / 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suffixes),
        cmocka_unit_test(exponents),
        cmocka_unit_test(signs_and_points),
        cmocka_unit_test(rounding),
        cmocka_unit_test(limits),
        cmocka_unit_test(long_numbers),
        cmocka_unit_test(length_and_exponent_cancel_out),
        cmocka_unit_test(nonsense),
        cmocka_unit_test(slices),
        cmocka_unit_test(json_values),
        cmocka_unit_test(thousandths_as_text),
        cmocka_unit_test(bytes_as_text),
        cmocka_unit_test(text_reads_as_the_same_number),
        cmocka_unit_test(fractions_are_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
