/* struct buf: growth, the maximum, taking and consuming. */
#include "unit.h"

#include "base/buf.h"
#include "freed.h"

static void test_grows_and_terminates(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(BUF_MAX_DEFAULT);

    (void)state;
    assert_null(b.p);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_printf(&b, "%d,", i), 0);
    assert_int_equal(b.n, 10 * 2 + 90 * 3 + 900 * 4);
    assert_int_equal(strlen(b.p), b.n);
    assert_true(str_has_prefix(buf_str(&b), STR("0,1,2,")));
}

static void test_maximum(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(8);

    (void)state;
    assert_int_equal(buf_addz(&b, "12345678"), 0);
    assert_false(buf_failed(&b));
    assert_int_equal(buf_addc(&b, '9'), -EFBIG);
    assert_true(buf_failed(&b));
    assert_str(buf_str(&b), "12345678");
    /* Once failed, even what would fit fails. */
    assert_int_equal(buf_add(&b, "", 0), -EFBIG);
    buf_reset(&b);
    assert_int_equal(buf_printf(&b, "%s", "abcdefghi"), -EFBIG);
    assert_int_equal(b.n, 0);
    buf_reset(&b);
    assert_int_equal(buf_printf(&b, "%s", "abcdefgh"), 0);
    assert_str(buf_str(&b), "abcdefgh");
}

static void test_maximum_zero_and_huge(void **state)
{
    _cleanup_buf_ struct buf none = BUF_INIT(0), any = BUF_INIT(SIZE_MAX);

    (void)state;
    assert_int_equal(buf_addz(&none, ""), 0);
    assert_int_equal(buf_addc(&none, 'x'), -EFBIG);
    assert_int_equal(buf_addz(&any, "x"), 0);
    assert_int_equal(buf_reserve(&any, SIZE_MAX), -EFBIG);
    assert_true(buf_failed(&any));
}

static void test_capacity_stays_near_the_maximum(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1000);

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_addc(&b, 'x'), 0);
    assert_true(b.cap <= 1001);
}

static void test_consume(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(100);

    (void)state;
    buf_consume(&b, 0);
    buf_addz(&b, "hello world");
    buf_consume(&b, 6);
    assert_str(buf_str(&b), "world");
    assert_string_equal(b.p, "world");
    buf_consume(&b, 5);
    assert_int_equal(b.n, 0);
}

static void test_take(void **state)
{
    struct buf b = BUF_INIT(100);
    size_t n = 99;
    char *p = buf_take(&b, &n);

    (void)state;
    assert_string_equal(p, "");
    assert_int_equal(n, 0);
    free(p);
    buf_add(&b, "a\0b", 3);
    p = buf_take(&b, &n);
    assert_int_equal(n, 3);
    assert_memory_equal(p, "a\0b", 4);
    free(p);
    assert_int_equal(b.n, 0);
    assert_int_equal(b.max, 100);
    buf_done(&b);
}

static void test_urlencode(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(100);

    (void)state;
    assert_int_equal(buf_add_urlencoded(&b, STR("a-z.A_Z~09 /?&=%+\xc3\xa9")), 0);
    assert_str(buf_str(&b), "a-z.A_Z~09%20%2F%3F%26%3D%25%2B%C3%A9");
    b.max = b.n + 5;
    assert_int_equal(buf_add_urlencoded(&b, STR("  ")), -EFBIG);
    assert_int_equal(b.n, b.max - 5);
}

#define NEEDLE "a secret of some length"

static unsigned grow_and_free(struct buf b)
{
    freed_watch(NEEDLE);
    buf_addz(&b, "key: " NEEDLE);
    while (b.cap < 4096)
        buf_printf(&b, "and %d more\n", 1);
    buf_consume(&b, 3);
    buf_done(&b);
    assert_null(b.p);
    return freed_stop();
}

/* No memory that it had holds it afterwards. */
static void test_secret(void **state)
{
    struct buf b = BUF_SECRET_INIT(100);

    (void)state;
    assert_int_equal(grow_and_free(BUF_SECRET_INIT(65536)), 0);
    if (FREED_IS_WATCHED)
        assert_true(grow_and_free(BUF_INIT(65536)) > 0);
    buf_done(&b); /* empty, and stays what it is */
    assert_true(b.secret && b.max == 100);
    buf_addz(&b, "x");
    free(buf_take(&b, NULL));
    assert_true(b.secret && b.max == 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_terminates),
        cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_maximum_zero_and_huge),
        cmocka_unit_test(test_capacity_stays_near_the_maximum),
        cmocka_unit_test(test_consume),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_urlencode),
        cmocka_unit_test(test_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
