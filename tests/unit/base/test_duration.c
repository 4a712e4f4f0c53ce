/* Go durations (api-and-cli.md 1.2). */
#include "unit.h"

#include "base/buf.h"

static const int64_t second = 1000000000;

static void check_ok(const char *text, int64_t expected)
{
    struct error *err = NULL;
    int64_t ns = -1;

    assert_ok(duration_parse(str_of(text), &ns, &err), err);
    if (ns != expected)
        fail_msg("%s: got %lld, expected %lld", text, (long long)ns, (long long)expected);
}

static void check_bad(const char *text, const char *message)
{
    _cleanup_error_ struct error *err = NULL;
    int64_t ns = 77;

    assert_int_equal(duration_parse(str_of(text), &ns, &err), -EINVAL);
    assert_string_equal(error_msg(err), message);
    assert_int_equal(ns, 77);
    assert_int_equal(duration_parse(str_of(text), &ns, NULL), -EINVAL);
}

static void test_parse(void **state)
{
    (void)state;
    check_ok("0", 0);
    check_ok("-0", 0);
    check_ok("+0", 0);
    check_ok("0s", 0);
    check_ok("5s", 5 * second);
    check_ok("-5s", -5 * second);
    check_ok("+5s", 5 * second);
    check_ok("1m30s", 90 * second);
    check_ok("1h30m0s", 5400 * second);
    check_ok("1.5s", second + second / 2);
    check_ok("1.5h", 5400 * second);
    check_ok(".5s", second / 2);
    check_ok("5.s", 5 * second);
    check_ok("10ns", 10);
    check_ok("11us", 11000);
    check_ok("12\xc2\xb5s", 12000);
    check_ok("12\xce\xbcs", 12000);
    check_ok("13ms", 13000000);
    check_ok("3h30m", 12600 * second);
    check_ok("4m10.5s3h", 10800 * second + 250 * second + second / 2);
    check_ok("0.100000000000000000000h", 360 * second);
    check_ok("0.3333333333333333333h", 1200 * second);
    check_ok("9223372036854775807ns", INT64_MAX);
    check_ok("9223372036854.775807ms", INT64_MAX);
    check_ok("-9223372036854775808ns", INT64_MIN);
    check_ok("2562047h47m16.854775807s", INT64_MAX);
}

static void test_parse_errors(void **state)
{
    (void)state;
    check_bad("", "time: invalid duration \"\"");
    check_bad("abc", "time: invalid duration \"abc\"");
    check_bad("-", "time: invalid duration \"-\"");
    check_bad(".", "time: invalid duration \".\"");
    check_bad("s", "time: invalid duration \"s\"");
    check_bad(".s", "time: invalid duration \".s\"");
    check_bad("+.s", "time: invalid duration \"+.s\"");
    check_bad("3", "time: missing unit in duration \"3\"");
    check_bad("5", "time: missing unit in duration \"5\"");
    check_bad("1s2", "time: missing unit in duration \"1s2\"");
    check_bad("1d", "time: unknown unit \"d\" in duration \"1d\"");
    check_bad("1 s", "time: unknown unit \" s\" in duration \"1 s\"");
    check_bad("1\n", "time: unknown unit \"\\x0a\" in duration \"1\\x0a\"");
    check_bad("1\"\\", "time: unknown unit \"\\\"\\\\\" in duration \"1\\\"\\\\\"");
    check_bad("\xff", "time: invalid duration \"\\xff\"");
    check_bad("9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\"");
    check_bad("99999999999999999999s", "time: invalid duration \"99999999999999999999s\"");
    check_bad("-9223372036854775809ns", "time: invalid duration \"-9223372036854775809ns\"");
    check_bad("9223372036854775808ns9223372036854775808ns",
              "time: invalid duration \"9223372036854775808ns9223372036854775808ns\"");
    check_bad("3000000h", "time: invalid duration \"3000000h\"");
    check_bad("--5s", "time: invalid duration \"--5s\"");
}

static void test_error_is_bounded(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
    _cleanup_error_ struct error *err = NULL;
    int64_t ns;

    (void)state;
    for (int i = 0; i < 100000; i++)
        buf_addc(&b, '\1');
    assert_int_equal(duration_parse(buf_str(&b), &ns, &err), -EINVAL);
    assert_true(strlen(err->msg) < 2000);
}

static void check_format(int64_t ns, const char *expected)
{
    char text[32];

    duration_format(ns, text);
    assert_string_equal(text, expected);
}

static void test_format(void **state)
{
    (void)state;
    check_format(0, "0s");
    check_format(1, "1ns");
    check_format(1100, "1.1\xc2\xb5s");
    check_format(2200000, "2.2ms");
    check_format(3300000000, "3.3s");
    check_format(20 * second, "20s");
    check_format(60 * second, "1m0s");
    check_format(300 * second, "5m0s");
    check_format(5400 * second, "1h30m0s");
    check_format(1500000000, "1.5s");
    check_format(245 * second, "4m5s");
    check_format(245001000000, "4m5.001s");
    check_format(18305001000000, "5h5m5.001s");
    check_format(480000000001, "8m0.000000001s");
    check_format(INT64_MAX, "2562047h47m16.854775807s");
    check_format(INT64_MIN, "-2562047h47m16.854775808s");
    check_format(-second, "-1s");
}

static void test_round_trip_random(void **state)
{
    char text[32];
    int64_t back;

    (void)state;
    unit_seed();
    for (int i = 0; i < 20000; i++) {
        int64_t ns = (int64_t)(rand_u64() >> rand_below(64));

        ns = rand_below(2) ? -ns : ns;
        duration_format(ns, text);
        check_ok(text, ns);
        assert_int_equal(duration_parse(str_of(text), &back, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_errors),
        cmocka_unit_test(test_error_is_bounded),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_round_trip_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
