/* Slices and the name rules of Kubernetes. */
#include "unit.h"

#include "base/buf.h"

static void test_compare(void **state)
{
    (void)state;
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("b"), STR("a")) > 0);
    assert_true(str_cmp(STR("a"), STR("aa")) < 0);
    assert_true(str_cmp(STR("Z"), STR("a")) < 0);
    assert_true(str_cmp(STR("a"), STR("\xc3\xa9")) < 0);
    assert_int_equal(str_cmp(STR_NULL, STR("")), 0);
    assert_true(str_eq(STR_NULL, STR("")));
    assert_true(str_eqc(STR("a"), "a"));
    assert_true(str_eqc(STR(""), NULL));
    assert_true(str_ieq(STR("Content-Type"), STR("content-tYPE")));
    assert_false(str_ieq(STR("a"), STR("b")));
    assert_false(str_ieq(STR("a"), STR("aa")));
}

static void test_parts(void **state)
{
    (void)state;
    assert_true(str_has_prefix(STR("abc"), STR("ab")));
    assert_true(str_has_prefix(STR("abc"), STR("")));
    assert_false(str_has_prefix(STR("abc"), STR("abcd")));
    assert_true(str_has_suffix(STR("abc"), STR("bc")));
    assert_true(str_has_suffix(STR_NULL, STR_NULL));
    assert_false(str_has_suffix(STR("abc"), STR("ab")));
    assert_true(str_contains(STR("abc"), STR("b")));
    assert_true(str_contains(STR_NULL, STR("")));
    assert_false(str_contains(STR_NULL, STR("x")));
    assert_str(str_trim(STR(" \t\r\n a b \v\f ")), "a b");
    assert_str(str_trim(STR("  ")), "");
}

static void test_cut(void **state)
{
    struct str head, tail;

    (void)state;
    assert_true(str_cut(STR("a/b/c"), '/', &head, &tail));
    assert_str(head, "a");
    assert_str(tail, "b/c");
    assert_true(str_rcut(STR("a/b/c"), '/', &head, &tail));
    assert_str(head, "a/b");
    assert_str(tail, "c");
    assert_false(str_cut(STR("abc"), '/', &head, &tail));
    assert_str(head, "abc");
    assert_null(tail.p);
    assert_false(str_rcut(STR_NULL, '/', &head, &tail));
    assert_true(str_cut(STR("/"), '/', &head, &tail));
    assert_int_equal(head.n + tail.n, 0);
    assert_non_null(tail.p);
    /* The input may be one of the results. */
    tail = STR("x.y.z");
    assert_true(str_cut(tail, '.', &head, &tail));
    assert_str(tail, "y.z");
}

static void check_i64(const char *text, int expected_r, int64_t expected)
{
    int64_t v = 77;

    assert_int_equal(str_to_i64(str_of(text), &v), expected_r);
    assert_true(v == (expected_r ? 77 : expected));
}

static void check_u64(const char *text, int expected_r, uint64_t expected)
{
    uint64_t v = 77;

    assert_int_equal(str_to_u64(str_of(text), &v), expected_r);
    assert_true(v == (expected_r ? 77 : expected));
}

static void test_integers(void **state)
{
    (void)state;
    check_i64("0", 0, 0);
    check_i64("-0", 0, 0);
    check_i64("+7", 0, 7);
    check_i64("-007", 0, -7);
    check_i64("9223372036854775807", 0, INT64_MAX);
    check_i64("-9223372036854775808", 0, INT64_MIN);
    check_i64("9223372036854775808", -ERANGE, 0);
    check_i64("-9223372036854775809", -ERANGE, 0);
    check_i64("99999999999999999999999", -ERANGE, 0);
    check_i64("99999999999999999999999x", -EINVAL, 0);
    check_i64("", -EINVAL, 0);
    check_i64("-", -EINVAL, 0);
    check_i64("+-1", -EINVAL, 0);
    check_i64(" 1", -EINVAL, 0);
    check_i64("1 ", -EINVAL, 0);
    check_i64("0x1", -EINVAL, 0);
    check_u64("18446744073709551615", 0, UINT64_MAX);
    check_u64("18446744073709551616", -ERANGE, 0);
    check_u64("-1", -ERANGE, 0);
    check_u64("-0", 0, 0);
    check_u64("a", -EINVAL, 0);
}

static void test_copies(void **state)
{
    _cleanup_free_ char *a = str_dup(str_n("a\0B", 3)), *b = str_lower(STR("AbC-\xc3\x89")), *c = str_dup(STR_NULL);

    (void)state;
    assert_memory_equal(a, "a\0B", 4);
    assert_string_equal(b, "abc-\xc3\x89");
    assert_string_equal(c, "");
    assert_int_equal(str_hash(STR("x")), str_hash(STR("x")));
    assert_true(str_hash(STR("x")) != str_hash(STR("y")));
    assert_int_equal(str_hash_keyed(STR_NULL), str_hash_keyed(STR("")));
}

/* n times 'a' */
static struct str letters(struct buf *b, size_t n)
{
    buf_reset(b);
    while (b->n < n)
        buf_addc(b, 'a');
    return buf_str(b);
}

static void test_dns_names(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1000);

    (void)state;
    assert_true(str_is_dns1123_label(STR("a")));
    assert_true(str_is_dns1123_label(STR("1-a")));
    assert_true(str_is_dns1123_label(letters(&b, 63)));
    assert_false(str_is_dns1123_label(letters(&b, 64)));
    assert_false(str_is_dns1123_label(STR("")));
    assert_false(str_is_dns1123_label(STR("-a")));
    assert_false(str_is_dns1123_label(STR("a-")));
    assert_false(str_is_dns1123_label(STR("A")));
    assert_false(str_is_dns1123_label(STR("a.b")));
    assert_false(str_is_dns1123_label(STR("a_b")));
    assert_true(str_is_dns1035_label(STR("a1")));
    assert_false(str_is_dns1035_label(STR("1a")));
    assert_false(str_is_dns1035_label(STR("")));
    assert_true(str_is_dns1123_subdomain(STR("a.b-c.1")));
    assert_true(str_is_dns1123_subdomain(letters(&b, 253)));
    assert_false(str_is_dns1123_subdomain(letters(&b, 254)));
    assert_false(str_is_dns1123_subdomain(STR("")));
    assert_false(str_is_dns1123_subdomain(STR("a..b")));
    assert_false(str_is_dns1123_subdomain(STR(".a")));
    assert_false(str_is_dns1123_subdomain(STR("a.")));
    assert_false(str_is_dns1123_subdomain(STR("a.-b")));
}

static void test_macros(void **state)
{
    char *p = mem_strdup("x"), *q = TAKE_PTR(p);
    int *v = NULL, calls = 0;
    size_t cap = 0;

    (void)state;
    assert_null(p);
    free(q);
    assert_int_equal(MIN(MAX(1, 2), MAX(MIN(5, 7), 3)), 2);
    assert_int_equal(MAX(++calls, 0), 1);
    MEM_GROW(v, cap, 0);
    assert_int_equal(cap, 8);
    MEM_GROW(v, cap, 100);
    assert_true(cap > 100);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),  cmocka_unit_test(test_parts),  cmocka_unit_test(test_cut),
        cmocka_unit_test(test_integers), cmocka_unit_test(test_copies), cmocka_unit_test(test_dns_names),
        cmocka_unit_test(test_macros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
