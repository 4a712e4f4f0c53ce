/* Base64 (RFC 4648 vectors and Go's error offsets), hex, UTF-8. */
#include "unit.h"

#include "base/encode.h"
#include "base/utf8.h"

static const char *const vectors[][2] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
    { "\xff\xef\xbe", "/+++" },
};

static void test_base64_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        _cleanup_buf_ struct buf enc = BUF_INIT(100), dec = BUF_INIT(100);

        assert_int_equal(base64_encode(&enc, str_of(vectors[i][0])), 0);
        assert_str(buf_str(&enc), vectors[i][1]);
        assert_int_equal(base64_decode(&dec, buf_str(&enc), NULL), 0);
        assert_str(buf_str(&dec), vectors[i][0]);
    }
}

static void check_bad(const char *text, size_t offset)
{
    _cleanup_buf_ struct buf b = BUF_INIT(100);
    size_t bad = 9999;

    buf_addz(&b, "kept");
    assert_int_equal(base64_decode(&b, str_of(text), &bad), -EINVAL);
    if (bad != offset)
        fail_msg("%s: offset %zu, expected %zu", text, bad, offset);
    assert_str(buf_str(&b), "kept");
    assert_false(buf_failed(&b));
}

/* The offsets of Go's CorruptInputError. */
static void test_base64_errors(void **state)
{
    (void)state;
    check_bad("!!!!", 0);
    check_bad("====", 0);
    check_bad("x===", 1);
    check_bad("=AAA", 0);
    check_bad("A=AA", 1);
    check_bad("AA=A", 2);
    check_bad("AA==A", 4);
    check_bad("AAA=AAAA", 4);
    check_bad("AAAAA", 4);
    check_bad("AAAAAA", 4);
    check_bad("A=", 1);
    check_bad("A==", 1);
    check_bad("AA=", 3);
    check_bad("AA==x", 4);
    check_bad("AAA=x", 4);
    check_bad("AAAAAA=", 7);
    check_bad("YWJjZA=====", 8);
    check_bad("A!\n", 1);
    check_bad("A=\n", 1);
    check_bad("AA-A", 2);
}

static void test_base64_newlines(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(100);

    (void)state;
    assert_int_equal(base64_decode(&b, STR("\nZm9\r\nvYg=\n=\r\n"), NULL), 0);
    assert_str(buf_str(&b), "foob");
}

static void test_base64_limits(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(5);

    (void)state;
    assert_int_equal(base64_encode(&b, STR("foob")), -EFBIG);
    buf_reset(&b);
    assert_int_equal(base64_decode(&b, STR("Zm9vYmFy"), NULL), -EFBIG);
}

static void test_base64_random(void **state)
{
    (void)state;
    unit_seed();
    for (int i = 0; i < 2000; i++) {
        _cleanup_buf_ struct buf in = BUF_INIT(1000), enc = BUF_INIT(2000), dec = BUF_INIT(1000);
        size_t n = rand_below(100);

        while (in.n < n)
            buf_addc(&in, (char)rand_u64());
        assert_int_equal(base64_encode(&enc, buf_str(&in)), 0);
        assert_int_equal(enc.n % 4, 0);
        assert_int_equal(base64_decode(&dec, buf_str(&enc), NULL), 0);
        assert_true(str_eq(buf_str(&in), buf_str(&dec)));
    }
}

static void test_hex(void **state)
{
    static const unsigned char bytes[] = { 0x00, 0x9f, 0xa5, 0xff };
    char out[9];

    (void)state;
    hex_encode(bytes, sizeof(bytes), out);
    assert_string_equal(out, "009fa5ff");
}

static void test_utf8_all_code_points(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x110000; c++) {
        char text[4];
        uint32_t back;
        size_t n = utf8_encode(c, text);
        bool valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

        assert_int_equal(utf8_decode(str_n(text, n), &back), n);
        assert_int_equal(back, valid ? c : 0xfffd);
        if (n > 1)
            assert_int_equal(utf8_decode(str_n(text, n - 1), &back), 0);
    }
}

static void test_utf8_invalid(void **state)
{
    static const struct str bad[] = {
        { "\x80", 1 },
        { "\xc0\x80", 2 },
        { "\xc1\xbf", 2 },
        { "\xe0\x80\x80", 3 },
        { "\xed\xa0\x80", 3 },
        { "\xed\xbf\xbf", 3 },
        { "\xf0\x80\x80\x80", 4 },
        { "\xf4\x90\x80\x80", 4 },
        { "\xf5\x80\x80\x80", 4 },
        { "\xff", 1 },
        { "\xe2\x28\xa1", 3 },
        { "\xc3", 1 },
    };
    uint32_t c;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(utf8_decode(bad[i], &c), 0);
        assert_int_equal(c, 0xfffd);
        assert_false(utf8_valid(bad[i]));
    }
    assert_true(utf8_valid(STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));
    assert_true(utf8_valid(STR_NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_vectors),       cmocka_unit_test(test_base64_errors),
        cmocka_unit_test(test_base64_newlines),      cmocka_unit_test(test_base64_limits),
        cmocka_unit_test(test_base64_random),        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_utf8_all_code_points), cmocka_unit_test(test_utf8_invalid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
