/* URLs of servers and proxies: what is taken apart how, what is refused, and that nothing secret is printed. */
#include "net/url.h"
#include "unit.h"

static void check(const char *text, const char *scheme, const char *host, unsigned port, const char *path)
{
    _cleanup_(url_done) struct url u = { 0 };
    _cleanup_error_ struct error *err = NULL;

    assert_ok(url_parse(str_of(text), &u, &err), err);
    assert_string_equal(u.scheme, scheme);
    assert_string_equal(u.host, host);
    assert_int_equal(u.port, port);
    assert_string_equal(u.path, path);
}

static void parts(void **state)
{
    (void)state;
    check("https://api.example:6443", "https", "api.example", 6443, "");
    check("https://api.example", "https", "api.example", 443, "");
    check("http://api.example", "http", "api.example", 80, "");
    check("socks5://proxy", "socks5", "proxy", 1080, "");
    check("HTTPS://Api.Example/k8s/clusters/c-1", "https", "Api.Example", 443, "/k8s/clusters/c-1");
    check("https://10.0.0.1:1/", "https", "10.0.0.1", 1, "");
    check("https://h//a//", "https", "h", 443, "//a");
    check("https://h:65535", "https", "h", 65535, "");
}

static void ipv6(void **state)
{
    (void)state;
    check("https://[::1]", "https", "::1", 443, "");
    check("https://[fd00::1]:6443/x", "https", "fd00::1", 6443, "/x");
}

static void user_info(void **state)
{
    (void)state;
    _cleanup_(url_done) struct url u = { 0 }, only_user = { 0 }, none = { 0 };

    assert_int_equal(url_parse(STR("http://me:p%40ss%3a%2F:x@proxy:3128"), &u, NULL), 0);
    assert_string_equal(u.user, "me");
    assert_string_equal(u.password, "p@ss:/:x");
    assert_string_equal(u.host, "proxy");
    assert_int_equal(u.port, 3128);
    assert_int_equal(url_parse(STR("http://a@b@proxy"), &only_user, NULL), 0);
    assert_string_equal(only_user.user, "a@b");
    assert_null(only_user.password);
    assert_int_equal(url_parse(STR("http://proxy"), &none, NULL), 0);
    assert_null(none.user);
}

static void refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "host",
        "host:443",
        "://host",
        "//host",
        "https://",
        "https:///path",
        "https://:443",
        "https://h:",
        "https://h:0",
        "https://h:65536",
        "https://h:x",
        "https://h:+80",
        "https://h:-1",
        "https://h:99999999999999999999",
        "https://h?q",
        "https://h/p#f",
        "https://[::1",
        "https://[::1]x",
        "https://[]",
        "https://[host]",
        "https://fd00::1:6443",
        "https://a b",
        "https://h/a b",
        "https://h/\n",
        "ht tp://h",
        "1http://h",
        "https://a]b",
        "https://u\r\n@h",
        "https://u%00@h",
        "https://h\x7f",
        "https://a\\b",
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_(url_done) struct url u = { 0 };
        _cleanup_error_ struct error *err = NULL;

        if (url_parse(str_of(texts[i]), &u, &err) != -EINVAL)
            fail_msg("\"%s\" was taken", texts[i]);
        assert_non_null(err);
        assert_null(u.scheme);
    }
    assert_int_equal(url_parse(STR("h\0://x"), &(struct url){ 0 }, NULL), -EINVAL);
    assert_int_equal(url_parse(STR("http://x\0y"), &(struct url){ 0 }, NULL), -EINVAL);
}

static void reasons(void **state)
{
    (void)state;
    _cleanup_error_ struct error *err = NULL;
    struct url u = { 0 };

    url_parse(STR("https://user:secret@host:70000"), &u, &err);
    assert_non_null(strstr(err->msg, "70000"));
    assert_null(strstr(err->msg, "secret"));
    url_parse(STR("api.example:6443"), &u, &err);
    assert_string_equal(err->msg, "the scheme is missing");
}

static void check_format(const char *text, const char *want)
{
    _cleanup_(url_done) struct url u = { 0 };
    _cleanup_free_ char *got = NULL;

    assert_int_equal(url_parse(str_of(text), &u, NULL), 0);
    got = url_format(&u);
    assert_string_equal(got, want);
}

static void format(void **state)
{
    (void)state;
    check_format("https://user:secret@host:443/p/", "https://host/p");
    check_format("http://host:443", "http://host:443");
    check_format("HTTPS://[::1]:6443", "https://[::1]:6443");
    check_format("socks5://host:1080", "socks5://host");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts),   cmocka_unit_test(ipv6),    cmocka_unit_test(user_info),
        cmocka_unit_test(refused), cmocka_unit_test(reasons), cmocka_unit_test(format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
