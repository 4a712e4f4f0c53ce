/* Requests that are for this machine alone: by address, by name, and not through a proxy. */
#include "local_request.h"
#include "unit.h"

static bool is_local(bool from_here, const char *host, const char *name, const char *value)
{
    struct http_header headers[] = { { STR("host"), str_of(host) },
                                     { str_of(name ? name : "accept"), str_of(value ? value : "*/*") } };
    struct http_server_request req = { .method = STR("GET"),
                                       .path = STR("/debug/"),
                                       .headers = headers + (host ? 0 : 1),
                                       .n_headers = host ? 2 : 1,
                                       .from_here = from_here };

    return request_is_local(&req);
}

static void names(void **state)
{
    static const char *const good[] = { "localhost",      "LocalHost:8080", "127.0.0.1", "127.0.0.1:1",
                                        "127.0.0.1:8080", "[::1]",          "[::1]:8080" };
    static const char *const bad[] = { "",
                                       "evil.example",
                                       "evil.example:8080",
                                       "localhost.evil.example",
                                       "localhost:",
                                       "localhost:80x",
                                       "localhost:8080@evil",
                                       "127.0.0.2",
                                       "127.0.0.1.evil.example",
                                       "[::1",
                                       "::1",
                                       "10.0.0.1:8080",
                                       "localhost:123456",
                                       "127.0.0.11",
                                       "localhost, evil.example" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        if (!is_local(true, good[i], NULL, NULL))
            fail_msg("%s is refused", good[i]);
        assert_false(is_local(false, good[i], NULL, NULL));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (is_local(true, bad[i], NULL, NULL))
            fail_msg("%s is taken", bad[i]);
    assert_false(is_local(true, NULL, NULL, NULL));
}

static void proxies(void **state)
{
    (void)state;
    assert_false(is_local(true, "localhost", "x-forwarded-for", "10.0.0.1"));
    assert_false(is_local(true, "localhost", "x-forwarded-host", "localhost"));
    assert_false(is_local(true, "localhost", "forwarded", ""));
    assert_false(is_local(true, "localhost", "host", "evil.example"));
    assert_false(is_local(true, "localhost", "host", "localhost"));
    assert_true(is_local(true, "localhost", "user-agent", "curl"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(proxies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
