/* The client of an API server: requests, retries, renewal of credentials, deadlines, fairness, cancelling, streams. */
#include "kube_test.h"

#include "freed.h"

static struct kube_client *client;
/* Requests that wait for an answer, in order. */
static struct raw_conn *held[128];
static size_t n_held;
static unsigned flaky; /* refusals before "/flaky" works */

static void handle(struct fake_api *a, const struct fake_request *req)
{
    const char *p = req->path;

    (void)a;
#define IS(text) (strcmp(p, text) == 0)
    if (IS("/hold"))
        held[n_held++] = req->conn;
    else if (IS("/missing"))
        fake_refuse(req->conn, 404, "NotFound", "pods \\\"x\\\" not found");
    else if (IS("/proxy-error"))
        fake_reply(req->conn, 502, NULL, "<html>");
    else if (IS("/busy"))
        fake_reply(req->conn, 429, "Retry-After: 0\r\n", "");
    else if (IS("/busy-long"))
        fake_reply(req->conn, 429, "Retry-After: 100\r\n", "");
    else if (IS("/down"))
        fake_reply(req->conn, 503, NULL, "");
    else if (IS("/flaky") && flaky-- > 0)
        fake_reply(req->conn, flaky % 2 ? 429 : 503, "Retry-After: 0\r\n", "");
    else if (IS("/reset") || (IS("/reset-once") && flaky-- > 0))
        raw_reset(req->conn);
    else
        fake_reply(req->conn, 200, NULL, req->body[0] ? req->body : "{}");
}

static int set_up(void **state)
{
    (void)state;
    if (loop_new(&loop, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    client = new_client(NULL);
    n_held = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kube_client_free(client);
    fake_api_stop(&api);
    loop_free(loop);
    return 0;
}

/* A call that must end so after this number of requests. */
static void expect(const struct kube_request *req, int code, unsigned requests)
{
    _cleanup_answer_ struct answer a = { 0 };
    unsigned before = api.n_requests;

    kube_call(client, req, on_answer, &a);
    assert_false(a.done);
    WAIT_FOR(a.done);
    if (a.code != code)
        fail_msg("%s: %d (%s), expected %d", req->path.p, a.code, a.msg ? a.msg : "", code);
    assert_int_equal(api.n_requests - before, requests);
}
#define GET(p) .method = "GET", .path = STR(p)

/* --- requests --- */

static char *seen_head;

static void show_head(struct fake_api *a, const struct fake_request *req)
{
    free(seen_head);
    seen_head = mem_strdup(req->head);
    handle(a, req);
}

static void assert_head(const char *line)
{
    if (!strstr(seen_head, line))
        fail_msg("\"%s\" lacks \"%s\"", seen_head, line);
}

static void request_and_answer(void **state)
{
    (void)state;
    _cleanup_answer_ struct answer a = { 0 };

    kube_client_free(client);
    client = new_client(fake_config(&api, "/prefix/"));
    api.fn = show_head;
    kube_call(client,
              &(struct kube_request){ .method = "PATCH",
                                      .path = STR("/api/v1/pods/p"),
                                      .query = STR("fieldManager=x"),
                                      .content_type = "application/merge-patch+json",
                                      .body = STR("{\"a\":1}") },
              on_answer, &a);
    WAIT_FOR(a.done);
    assert_int_equal(a.code, 0);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "{\"a\":1}");
    assert_string_equal(api.log.p, "PATCH /prefix/api/v1/pods/p?fieldManager=x;");
    assert_head("\r\ncontent-type: application/merge-patch+json\r\n");
    assert_head("\r\naccept: application/json\r\n");
    assert_head("\r\nuser-agent: kubefed/v");
    assert_head(") test\r\n");
    assert_null(strstr(seen_head, "authorization"));
    free(TAKE_PTR(seen_head));
}

static void identity(void **state)
{
    (void)state;
    struct kube_config *config = fake_config(&api, "");
    _cleanup_answer_ struct answer a = { 0 };

    config->token = mem_strdup(" hidden-token\n");
    config->as_user = mem_strdup("jane");
    config->as_uid = mem_strdup("7");
    config->as_groups = mem_array(3, sizeof(char *));
    config->as_extra = mem_array(2, sizeof(char *));
    config->as_groups[0] = mem_strdup("g1");
    config->as_groups[1] = mem_strdup("g 2");
    config->as_extra[0] = mem_strdup("Scopes/x=a b");
    kube_client_free(client);
    client = new_client(config);
    api.fn = show_head;
    get(client, "/x", &a);
    WAIT_FOR(a.done);
    assert_head("\r\nauthorization: Bearer hidden-token\r\n");
    assert_head("\r\nimpersonate-user: jane\r\n");
    assert_head("\r\nimpersonate-uid: 7\r\n");
    assert_head("\r\nimpersonate-group: g1\r\nimpersonate-group: g 2\r\n");
    assert_head("\r\nimpersonate-extra-scopes%2Fx: a b\r\n");
    free(TAKE_PTR(seen_head));
}

static void errors(void **state)
{
    (void)state;
    _cleanup_answer_ struct answer missing = { 0 }, proxy = { 0 }, path = { 0 };

    get(client, "/missing", &missing);
    WAIT_FOR(missing.done);
    assert_int_equal(missing.code, -ENOENT);
    assert_int_equal(missing.http, 404);
    assert_string_equal(missing.reason, "NotFound");
    assert_string_equal(missing.msg, "pods \"x\" not found");
    get(client, "/proxy-error", &proxy);
    WAIT_FOR(proxy.done);
    assert_int_equal(proxy.code, -EIO);
    assert_non_null(strstr(proxy.msg, "GET /proxy-error"));
    assert_non_null(strstr(proxy.msg, kube_client_server(client)));
    get(client, "/a b", &path);
    assert_false(path.done);
    WAIT_FOR(path.done);
    assert_int_equal(path.code, -EINVAL);
    assert_int_equal(api.n_requests, 2);
}

/* What is said about a token must not show it. */
static void token_in_message(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    fake_refuse(req->conn, 403, "Forbidden", "token hidden-token is bad");
}

static void no_leak(void **state)
{
    (void)state;
    struct kube_config *config = fake_config(&api, "");
    _cleanup_answer_ struct answer a = { 0 };

    config->token = mem_strdup("hidden-token");
    kube_client_free(client);
    client = new_client(config);
    api.fn = token_in_message;
    get(client, "/x", &a);
    WAIT_FOR(a.done);
    assert_int_equal(a.code, -EACCES);
    assert_int_equal(a.http, 403);
    assert_null(strstr(a.msg, "hidden-token"));
}

/* --- retries --- */

static void retries(void **state)
{
    (void)state;
    flaky = 4;
    expect(&(struct kube_request){ GET("/flaky") }, 0, 5);
    flaky = 5;
    expect(&(struct kube_request){ .method = "POST", .path = STR("/flaky"), .body = STR("{}") }, 0, 6);
    expect(&(struct kube_request){ GET("/busy") }, -EAGAIN, 6); /* 5 more tries at most */
    expect(&(struct kube_request){ GET("/busy"), .no_retry = true }, -EAGAIN, 1);
    expect(&(struct kube_request){ GET("/busy-long"), .timeout_ms = 50000 }, -EAGAIN, 1); /* beyond the deadline */
    expect(&(struct kube_request){ GET("/down") }, -EIO, 1);                              /* it names no time */
    expect(&(struct kube_request){ GET("/missing") }, -ENOENT, 1);
}

static void reset_connections(void **state)
{
    (void)state;
    flaky = 1;
    expect(&(struct kube_request){ GET("/reset-once") }, 0, 2);
    expect(&(struct kube_request){ GET("/reset") }, -ECONNRESET, 2);
    expect(&(struct kube_request){ GET("/reset"), .no_retry = true }, -ECONNRESET, 1);
    flaky = 1;
    expect(&(struct kube_request){ .method = "POST", .path = STR("/reset-once") }, -ECONNRESET,
           1); /* may have worked */
}

static void deadlines(void **state)
{
    (void)state;
    _cleanup_answer_ struct answer a = { 0 };

    kube_call(client, &(struct kube_request){ GET("/hold"), .timeout_ms = 30 }, on_answer, &a);
    WAIT_FOR(a.done);
    assert_int_equal(a.code, -ETIMEDOUT);
    assert_non_null(strstr(a.msg, "GET /hold"));
    assert_non_null(strstr(a.msg, "30 ms"));
    assert_int_equal(stats_of(client).in_flight, 0);
}

/* --- 401 --- */

static unsigned asked;
static const char *renewed_token;

static void on_unauthorized(void *arg, struct kube_client *c)
{
    (void)arg;
    asked++;
    if (renewed_token)
        kube_client_set_token(c, str_of(renewed_token));
}

static void want_new_token(struct fake_api *a, const struct fake_request *req)
{
    _cleanup_free_ char *token = fake_header(req, "authorization");

    (void)a;
    if (token && strcmp(token, "Bearer new-token") == 0)
        fake_reply(req->conn, 200, NULL, "{}");
    else
        fake_refuse(req->conn, 401, "Unauthorized", "Unauthorized");
}

static void use_token(bool handler)
{
    _cleanup_kube_config_ struct kube_config *config = fake_config(&api, "");
    struct kube_client_options options = { .loop = loop, .on_unauthorized = handler ? on_unauthorized : NULL };
    struct error *err = NULL;

    kube_client_free(client);
    config->token = mem_strdup("old-token");
    assert_ok(kube_client_new(config, &options, &client, &err), err);
    api.fn = want_new_token;
    asked = 0;
}

static void renewal(void **state)
{
    (void)state;
    _cleanup_answer_ struct answer a = { 0 }, b = { 0 };

    use_token(true);
    renewed_token = "new-token";
    get(client, "/a", &a);
    get(client, "/b", &b);
    WAIT_FOR(a.done && b.done);
    assert_int_equal(a.code, 0);
    assert_int_equal(b.code, 0);
    assert_int_equal(asked, 1); /* both at once need one renewal */
    assert_int_equal(api.n_requests, 4);
}

static void renewal_that_does_not_help(void **state)
{
    (void)state;
    use_token(true);
    renewed_token = "other-token";
    expect(&(struct kube_request){ GET("/a") }, -EACCES, 2); /* one more try only */
    assert_int_equal(asked, 1);
}

static void no_renewal(void **state)
{
    (void)state;
    _cleanup_answer_ struct answer late = { 0 };

    use_token(false);
    expect(&(struct kube_request){ GET("/a") }, -EACCES, 1);
    use_token(true);
    renewed_token = NULL;
    kube_call(client, &(struct kube_request){ GET("/a"), .timeout_ms = 50 }, on_answer, &late);
    WAIT_FOR(late.done);
    assert_int_equal(late.code, -EACCES); /* the refusal is said, not the time-out */
    assert_int_equal(late.http, 401);
}

/* --- fairness --- */

static void start(enum kube_priority priority, const char *query, size_t n, struct answer *a)
{
    for (size_t i = 0; i < n; i++)
        kube_call(client, &(struct kube_request){ GET("/hold"), .query = str_of(query), .priority = priority },
                  on_answer, &a[i]);
}

static void release(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        fake_reply(held[i], 200, NULL, "{}");
}

static void limit(void **state)
{
    (void)state;
    static struct answer first[32], more[3], high[5];

    memset(first, 0, sizeof(first));
    memset(more, 0, sizeof(more));
    memset(high, 0, sizeof(high));
    assert_int_equal(stats_of(client).limit, 32);
    start(KUBE_PRIO_NORMAL, "first", 32, first);
    WAIT_FOR(n_held == 32);
    start(KUBE_PRIO_BACKGROUND, "background", 1, more);
    start(KUBE_PRIO_NORMAL, "normal", 2, more + 1);
    start(KUBE_PRIO_HIGH, "high", 5, high);
    WAIT_FOR(n_held == 36);
    run_for(10);
    assert_int_equal(n_held, 36); /* 4 places beyond the limit for what keeps things alive */
    assert_int_equal(stats_of(client).in_flight, 36);
    assert_int_equal(stats_of(client).waiting, 4);
    assert_null(strstr(api.log.p, "normal"));
    buf_reset(&api.log);
    release(0, 1);
    WAIT_FOR(n_held == 37);
    assert_string_equal(api.log.p, "GET /hold?high;");
    release(1, 8);
    WAIT_FOR(n_held >= 39);
    release(8, 39);
    WAIT_FOR(n_held == 40);
    release(39, 40);
    assert_string_equal(api.log.p, "GET /hold?high;GET /hold?normal;GET /hold?normal;GET /hold?background;");
    for (size_t i = 0; i < 32; i++) {
        WAIT_FOR(first[i].done);
        answer_done(&first[i]);
    }
    for (size_t i = 0; i < 5; i++) {
        WAIT_FOR(high[i].done);
        answer_done(&high[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        WAIT_FOR(more[i].done);
        answer_done(&more[i]);
    }
    assert_int_equal(stats_of(client).in_flight, 0);
}

/* A quarter of the limit. */
static void background_share(void **state)
{
    (void)state;
    static struct answer a[20];

    memset(a, 0, sizeof(a));
    start(KUBE_PRIO_BACKGROUND, "", 20, a);
    WAIT_FOR(n_held == 8);
    run_for(10);
    assert_int_equal(n_held, 8);
    for (size_t done = 0; done < 20; done++) {
        WAIT_FOR(n_held > done);
        release(done, done + 1);
    }
    for (size_t i = 0; i < 20; i++) {
        WAIT_FOR(a[i].done);
        answer_done(&a[i]);
    }
}

static void overload_lowers_the_limit(void **state)
{
    (void)state;
    expect(&(struct kube_request){ GET("/busy"), .no_retry = true }, -EAGAIN, 1);
    assert_int_equal(stats_of(client).limit, 16);
}

static void statistics(void **state)
{
    (void)state;
    flaky = 1;
    expect(&(struct kube_request){ GET("/flaky") }, 0, 2);
    expect(&(struct kube_request){ GET("/missing") }, -ENOENT, 1);
    expect(&(struct kube_request){ GET("/reset") }, -ECONNRESET, 2);
    struct kube_client_stats s = stats_of(client);
    assert_int_equal(s.requests, 5);
    assert_int_equal(s.by_code[0], 2);
    assert_int_equal(s.by_code[2], 1);
    assert_int_equal(s.by_code[4], 1);
    assert_int_equal(s.by_code[5], 1);
}

/* --- ends --- */

static void cancelling(void **state)
{
    (void)state;
    struct answer a[34];
    struct kube_call *calls[34];

    memset(a, 0, sizeof(a));
    for (size_t i = 0; i < 34; i++)
        calls[i] = kube_call(client, &(struct kube_request){ GET("/hold"), .priority = KUBE_PRIO_NORMAL }, on_answer,
                             &a[i]);
    kube_call_cancel(calls[0]); /* before anything was sent */
    WAIT_FOR(n_held == 32);
    kube_call_cancel(calls[33]); /* in the queue */
    kube_call_cancel(calls[1]);  /* sent */
    for (size_t i = 2; i < 33; i++)
        kube_call_cancel(calls[i]);
    run_for(5);
    for (size_t i = 0; i < 34; i++)
        assert_false(a[i].done);
    assert_int_equal(stats_of(client).in_flight, 0);
    assert_int_equal(stats_of(client).waiting, 0);
    expect(&(struct kube_request){ GET("/ok") }, 0, 1);
}

static void freed_with_calls(void **state)
{
    (void)state;
    static struct answer a[40];

    memset(a, 0, sizeof(a));
    start(KUBE_PRIO_NORMAL, "", 40, a);
    WAIT_FOR(n_held == 32);
    kube_client_free(TAKE_PTR(client));
    for (size_t i = 0; i < 40; i++) { /* before it returns */
        assert_int_equal(a[i].code, -ECANCELED);
        answer_done(&a[i]);
    }
    run_for(5);
}

/* A callback may free the client, however the call ended. */
static void freed_by_callback(void **state)
{
    (void)state;
    static const char *const paths[] = { "/ok", "/missing", "/reset", "/busy", "/a b", "/hold" };

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        _cleanup_answer_ struct answer first = { .free_client = &client }, second = { 0 };

        kube_call(client, &(struct kube_request){ .method = "GET", .path = str_of(paths[i]), .timeout_ms = 200 },
                  on_answer, &first);
        kube_call(client, &(struct kube_request){ GET("/hold") }, on_answer, &second);
        WAIT_FOR(first.done);
        assert_int_equal(second.code, -ECANCELED);
        run_for(2);
        client = new_client(NULL);
    }
}

static void blocking(void **state)
{
    (void)state;
    struct buf body = { 0 };
    int status = 0;
    _cleanup_error_ struct error *err = NULL;

    assert_int_equal(kube_do(client,
                             &(struct kube_request){ .method = "PUT", .path = STR("/x"), .body = STR("{\"b\":2}") },
                             &body, &status, &err),
                     0);
    assert_str(buf_str(&body), "{\"b\":2}");
    assert_int_equal(status, 200);
    buf_done(&body);
    assert_int_equal(kube_do(client, &(struct kube_request){ GET("/missing") }, &body, NULL, &err), -ENOENT);
    assert_string_equal(err->msg, "pods \"x\" not found");
    assert_int_equal(kube_do(client, &(struct kube_request){ GET("/missing") }, NULL, NULL, NULL), -ENOENT);
}

/* --- streams --- */

static struct buf streamed;
static bool stop_stream;

static bool on_stream(void *arg, struct str bytes)
{
    (void)arg;
    buf_adds(&streamed, bytes);
    return !stop_stream;
}

static void handle_stream(struct fake_api *a, const struct fake_request *req)
{
    if (strcmp(req->path, "/stream") != 0) {
        handle(a, req);
        return;
    }
    fake_stream_begin(req->conn);
    fake_stream_send(req->conn, "one\n");
    held[n_held++] = req->conn;
}

static const struct kube_stream_handlers stream_handlers = { on_stream, on_answer };

static void streams(void **state)
{
    (void)state;
    _cleanup_answer_ struct answer ends = { 0 }, stops = { 0 }, refused = { 0 }, stalls = { 0 };

    streamed = BUF_INIT(BUF_MAX_DEFAULT);
    stop_stream = false;
    api.fn = handle_stream;
    kube_stream(client, &(struct kube_request){ GET("/stream") }, 0, &stream_handlers, &ends);
    WAIT_FOR(n_held == 1 && streamed.n == 4);
    assert_int_equal(stats_of(client).in_flight, 0); /* watches are not counted */
    fake_stream_send(held[0], "two\n");
    fake_stream_end(held[0]);
    WAIT_FOR(ends.done);
    assert_int_equal(ends.code, 0);
    assert_str(buf_str(&streamed), "one\ntwo\n");
    kube_stream(client, &(struct kube_request){ GET("/stream") }, 20, &stream_handlers, &stalls);
    WAIT_FOR(stalls.done);
    assert_int_equal(stalls.code, -ETIMEDOUT);
    stop_stream = true;
    kube_stream(client, &(struct kube_request){ GET("/stream") }, 0, &stream_handlers, &stops);
    WAIT_FOR(stops.done);
    assert_int_equal(stops.code, -ECANCELED);
    buf_reset(&streamed);
    kube_stream(client, &(struct kube_request){ GET("/missing") }, 0, &stream_handlers, &refused);
    WAIT_FOR(refused.done);
    assert_int_equal(refused.code, -ENOENT);
    assert_string_equal(refused.msg, "pods \"x\" not found");
    assert_int_equal(streamed.n, 0);
    buf_done(&streamed);
}

/* --- settings --- */

static void check_config(struct kube_config *config, const char *text)
{
    _cleanup_kube_config_ struct kube_config *c = config;
    _cleanup_error_ struct error *err = NULL;
    struct kube_client *none = NULL;

    assert_int_equal(kube_client_new(c, &(struct kube_client_options){ .loop = loop }, &none, &err), -EINVAL);
    if (!strstr(err->msg, text))
        fail_msg("\"%s\" lacks \"%s\"", err->msg, text);
}

static struct kube_config *config_of(const char *server)
{
    struct kube_config *c = kube_config_new();

    c->server = mem_strdup(server);
    return c;
}

static void bad_settings(void **state)
{
    (void)state;
    struct kube_config *ca = config_of("https://x"), *proxy = config_of("https://x"), *token = config_of("https://x"),
                       *as = config_of("https://x");

    check_config(config_of(NULL), "server URL is missing");
    check_config(config_of("https://x?y"), "invalid server URL");
    check_config(config_of("ftp://x"), "ftp");
    /* A password that stands where something else is expected is in no message. */
    check_config(config_of("https://me:pa/ss@x"), "invalid server URL: host, port or user information cannot be read");
    check_config(config_of("https://me:80/ss@x"), "invalid server URL: host, port or user information cannot be read");
    check_config(config_of("https://me/ss@x"), "invalid server URL: host, port or user information cannot be read");
    buf_addz(&ca->ca_pem, "no PEM");
    check_config(ca, "CA");
    proxy->proxy_url = mem_strdup("nonsense");
    check_config(proxy, "invalid proxy URL");
    token->token = mem_strdup("a\nb");
    check_config(token, "control characters");
    as->as_uid = mem_strdup("7");
    check_config(as, "without impersonating a user");
}

/* A server without scheme is never talked to in plain text: it would get the token. */
static void scheme_is_https(void **state)
{
    (void)state;
    _cleanup_kube_config_ struct kube_config *config = config_of("api.example:6443/x/");
    _cleanup_(kube_client_freep) struct kube_client *c = NULL;
    struct error *err = NULL;

    assert_ok(kube_client_new(config, &(struct kube_client_options){ .loop = loop }, &c, &err), err);
    assert_string_equal(kube_client_server(c), "https://api.example:6443/x");
    _cleanup_kube_config_ struct kube_config *user = config_of("https://me:s3cret@api.example:6443/x");
    _cleanup_(kube_client_freep) struct kube_client *d = NULL;
    assert_ok(kube_client_new(user, &(struct kube_client_options){ .loop = loop }, &d, &err), err);
    assert_string_equal(kube_client_server(d), "https://api.example:6443/x");
}

/* --- secrets --- */

#define NEEDLE "a secret of some length"

static void watch_from_now(void *arg, const struct kube_response *resp, const struct error *err)
{
    bool *done = arg;

    assert_null(err);
    assert_non_null(strstr(resp->body.p, NEEDLE));
    *done = true;
    freed_watch(NEEDLE);
}

/* In how many places of those that are freed with a call it is, sent and received, or never sent. */
static unsigned places(bool secret, bool sent)
{
    struct kube_request req = {
        .method = "PATCH", .path = STR("/x"), .body = STR("{\"key\":\"" NEEDLE "\"}"), .secret = secret
    };
    bool done = false;
    struct kube_call *call = kube_call(client, &req, watch_from_now, &done);

    if (!sent) {
        freed_watch(NEEDLE);
        kube_call_cancel(call);
        return freed_stop();
    }
    WAIT_FOR(done);
    run_for(1);
    return freed_stop();
}

static void secret_bodies(void **state)
{
    (void)state;
    for (int sent = 0; sent < 2; sent++) {
        assert_int_equal(places(true, sent), 0);
        if (FREED_IS_WATCHED)
            assert_true(places(false, sent) > 0);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(request_and_answer),
        T(identity),
        T(errors),
        T(no_leak),
        T(retries),
        T(reset_connections),
        T(deadlines),
        T(renewal),
        T(renewal_that_does_not_help),
        T(no_renewal),
        T(limit),
        T(background_share),
        T(overload_lowers_the_limit),
        T(statistics),
        T(cancelling),
        T(freed_with_calls),
        T(freed_by_callback),
        T(blocking),
        T(streams),
        T(bad_settings),
        T(scheme_is_https),
        T(secret_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
