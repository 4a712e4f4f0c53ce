/* What tokens of ServiceAccounts say of themselves. */
#include "base/encode.h"
#include "kube/jwt.h"
#include "unit.h"

/* header.payload.signature with the URL alphabet; owned. */
static char *token_of(const char *payload)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    assert_int_equal(base64_encode(&b, str_of(payload)), 0);
    for (size_t i = 0; i < b.n; i++)
        b.p[i] = b.p[i] == '+' ? '-' : b.p[i] == '/' ? '_' : b.p[i];
    while (b.n && b.p[b.n - 1] == '=')
        b.n--;
    return mem_printf("eyJhbGciOiJSUzI1NiJ9.%" PRIstr ".c2lnbmF0dXJl", STRARG(buf_str(&b)));
}

static void service_accounts(void **state)
{
    (void)state;
    _cleanup_free_ char *bound = token_of("{\"aud\":[\"a\"],\"exp\":1700003600,\"iat\":1700000000,"
                                          "\"sub\":\"system:serviceaccount:kube-federation-system:member1-host\"}");
    _cleanup_jwt_claims_ struct jwt_claims c = { 0 };
    assert_int_equal(jwt_read(str_of(bound), &c), 0);
    assert_int_equal(c.issued_at, 1700000000);
    assert_int_equal(c.expires_at, 1700003600);
    assert_string_equal(c.service_account_ns, "kube-federation-system");
    assert_string_equal(c.service_account, "member1-host");
}

static void lasting_and_foreign(void **state)
{
    static const struct {
        const char *payload;
        int64_t expires;
        bool account;
    } cases[] = {
        { "{\"iss\":\"kubernetes/serviceaccount\",\"sub\":\"system:serviceaccount:a:b\"}", 0, true },
        { "{\"sub\":\"somebody@example.com\",\"exp\":17.5}", 17, false },
        { "{\"sub\":\"system:serviceaccount:a\",\"exp\":\"1700000000\"}", 0, false },
        { "{\"sub\":\"system:serviceaccount:../x:b\",\"exp\":-5}", 0, false },
        { "{\"sub\":\"system:serviceaccount:a:b/token?x\",\"exp\":1e300}", 0, false },
        { "{\"sub\":7,\"exp\":null,\"iat\":[]}", 0, false },
        { "{}", 0, false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *token = token_of(cases[i].payload);
        _cleanup_jwt_claims_ struct jwt_claims c = { 0 };
        assert_int_equal(jwt_read(str_of(token), &c), 0);
        assert_int_equal(c.expires_at, cases[i].expires);
        assert_int_equal(c.service_account != NULL, cases[i].account);
        assert_int_equal(c.service_account_ns != NULL, cases[i].account);
    }
}

static void other_tokens(void **state)
{
    static const char *const others[] = { "",          "abcdef.0123456789abcdef",
                                          "a.b",       "a..c",
                                          "..",        "a.!.c",
                                          "a.e30.c.d", "a.e30=.c",
                                          "a.W10.c",   "a.bnVsbA.c",
                                          ".e30.",     "a.eyJ4Ijo.c",
                                          "a.e3\n0.c", "a.e+/0.c" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct jwt_claims c = { 0 };
        assert_int_equal(jwt_read(str_of(others[i]), &c), -EINVAL);
    }
    _cleanup_free_ char *large = mem_alloc(100001);
    memset(large, 'a', 100000);
    large[1] = large[50000] = '.';
    large[100000] = 0;
    struct jwt_claims c = { 0 };
    assert_int_equal(jwt_read(str_of(large), &c), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(service_accounts),
        cmocka_unit_test(lasting_and_foreign),
        cmocka_unit_test(other_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
