/* RFC 3339, clocks, backoff, random numbers. */
#include "unit.h"

static void check_format(int64_t t, const char *expected)
{
    char text[21];

    time_rfc3339(t, text);
    assert_string_equal(text, expected);
}

static void test_format(void **state)
{
    (void)state;
    check_format(0, "1970-01-01T00:00:00Z");
    check_format(1136214245, "2006-01-02T15:04:05Z");
    check_format(951782400, "2000-02-29T00:00:00Z");
    check_format(-1, "1969-12-31T23:59:59Z");
    check_format(253402300799, "9999-12-31T23:59:59Z");
    check_format(INT64_MAX, "9999-12-31T23:59:59Z");
    check_format(INT64_MIN, "0000-01-01T00:00:00Z");
}

static void check_parse(const char *text, int64_t expected)
{
    int64_t t = -77;

    assert_int_equal(time_parse_rfc3339(str_of(text), &t), 0);
    assert_true(t == expected);
}

static void test_parse(void **state)
{
    static const char *const bad[] = {
        "",
        "2006",
        "2006-01-02",
        "2006-01-02T15:04:05",
        "2006-01-02 15:04:05Z",
        "2006-13-02T15:04:05Z",
        "2006-00-02T15:04:05Z",
        "2006-02-29T00:00:00Z",
        "2006-01-00T15:04:05Z",
        "2006-01-02T24:00:00Z",
        "2006-01-02T15:60:05Z",
        "2006-01-02T15:04:60Z",
        "2006-01-02T15:04:05.Z",
        "2006-01-02T15:04:05z",
        "2006-01-02T15:04:05Zx",
        "2006-01-02T15:04:05+1:00",
        "2006-01-02T15:04:05+01:0",
        "2006-01-02T15:04:05+0100",
        "2006-1-02T15:04:05Z",
        "2006-01-02T15:04:05+25:00",
    };
    int64_t t = 5;

    (void)state;
    check_parse("2006-01-02T15:04:05Z", 1136214245);
    check_parse("2006-01-02T15:04:05.999999999Z", 1136214245);
    check_parse("2006-01-02T16:04:05+01:00", 1136214245);
    check_parse("2006-01-02T08:34:05-06:30", 1136214245);
    check_parse("2000-02-29T00:00:00Z", 951782400);
    check_parse("0001-01-01T00:00:00Z", -62135596800);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (time_parse_rfc3339(str_of(bad[i]), &t) != -EINVAL)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(t, 5);
}

static void test_round_trip(void **state)
{
    char text[21];
    int64_t t;

    (void)state;
    unit_seed();
    for (int i = 0; i < 10000; i++) {
        int64_t want = (int64_t)rand_below(315569519999) - 62167219200;

        time_rfc3339(want, text);
        assert_int_equal(time_parse_rfc3339(str_of(text), &t), 0);
        assert_true(t == want);
    }
}

static void test_clocks(void **state)
{
    uint64_t a = time_mono_ns(), b = time_mono_ns();

    (void)state;
    assert_true(b >= a);
    assert_true(time_mono_ms() >= b / 1000000);
    assert_true(time_wall_s() > 1700000000);
}

static void test_backoff(void **state)
{
    struct backoff b = { .initial_ms = 100, .max_ms = 1000 };
    static const uint64_t base[] = { 100, 200, 400, 800, 1000, 1000 };

    (void)state;
    unit_seed();
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(base); i++) {
            uint64_t ms = backoff_next(&b);

            assert_true(ms >= base[i] && ms < 2 * base[i]);
        }
        backoff_reset(&b);
    }
}

static void test_random(void **state)
{
    unsigned seen[10] = { 0 };
    uint64_t first;
    char name[9];

    (void)state;
    rand_seed(42);
    first = rand_u64();
    rand_seed(42);
    assert_true(rand_u64() == first);
    unit_seed();
    for (int i = 0; i < 10000; i++)
        seen[rand_below(10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(seen[i], 800, 1200);
    assert_int_equal(rand_below(1), 0);
    rand_name(name, 8);
    assert_int_equal(strlen(name), 8);
    assert_int_equal(strspn(name, "bcdfghjklmnpqrstvwxz2456789"), 8);
}

static void http_dates(void **state)
{
    static const char *const bad[] = { "",
                                       "Sun, 06 Nov 1994 08:49:37 UTC",
                                       "Sun, 6 Nov 1994 08:49:37 GMT",
                                       "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun, 06 Nob 1994 08:49:37 GMT",
                                       "Sun, 31 Nov 1994 08:49:37 GMT",
                                       "Sun, 00 Nov 1994 08:49:37 GMT",
                                       "Sun, 06 Nov 1994 24:49:37 GMT",
                                       "Sun, 06 Nov 1994 08:49:37 GMT " };
    int64_t t = 0;
    (void)state;
    assert_int_equal(time_parse_http(STR("Sun, 06 Nov 1994 08:49:37 GMT"), &t), 0);
    assert_int_equal(t, 784111777);
    assert_int_equal(time_parse_http(STR("Thu, 29 Feb 2024 23:59:59 GMT"), &t), 0);
    assert_int_equal(t, 1709251199);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(time_parse_http(str_of(bad[i]), &t), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_dates),      cmocka_unit_test(test_format), cmocka_unit_test(test_parse),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_clocks), cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
