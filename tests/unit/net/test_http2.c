/*
 * The HTTP client over HTTP/2: many calls on one connection, the limit of streams, flow control both ways, resets, GOAWAY,
 * cancelling without loss of the connection. The server is h2_server.h.
 */
#include "h2_server.h"
#include "http_client.h"

static struct cert ca;
static struct h2_server server;
static struct http_client *client;

static int group_set_up(void **state)
{
    (void)state;
    ca = cert_make(&(struct cert_spec){ .cn = "h2", .names = "IP:127.0.0.1", .is_ca = true });
    return 0;
}

static int group_tear_down(void **state)
{
    (void)state;
    cert_done(&ca);
    return 0;
}

static void begin(unsigned max_streams, unsigned max_connections)
{
    struct url url = { .scheme = mem_strdup("https"), .host = mem_strdup("127.0.0.1"), .path = mem_strdup("") };
    struct tls_client *tls = NULL;
    struct error *err = NULL;

    h2_server_start(&server, &ca, max_streams);
    url.port = server.port;
    assert_ok(tls_client_new(&(struct tls_client_config){ .ca_pem = str_of(ca.pem) }, &tls, &err), err);
    assert_ok(
        http_client_new(
            &(struct http_client_config){ .loop = loop, .url = &url, .tls = tls, .max_connections = max_connections },
            &client, &err),
        err);
    tls_client_unref(tls);
    url_done(&url);
}

static void end(void)
{
    http_client_free(TAKE_PTR(client));
    run_for(1);
    h2_server_stop(&server);
}

static void expect(const char *path, int code, int status, const char *body)
{
    _cleanup_result_ struct result x = { 0 };

    get(client, path, &x);
    run_until(&x.done);
    if (x.code != code)
        fail_msg("%s: %d (%s), expected %d", path, x.code, x.msg ? x.msg : "", code);
    if (code == 0) {
        assert_int_equal(x.status, status);
        assert_string_equal(x.body, body);
    }
}

static void one_connection(void **state)
{
    (void)state;
    _cleanup_result_ struct result x = { 0 };

    begin(100, 0);
    get(client, "/ok", &x);
    run_until(&x.done);
    assert_string_equal(x.body, "ok");
    assert_string_equal(x.type, "text/test");
    expect("/empty", 0, 204, "");
    expect("/ok", 0, 200, "ok");
    assert_true(stats_of(client).http2);
    assert_int_equal(stats_of(client).connects, 1);
    end();
}

/* More calls than the server wants streams: some wait, a few connections help. */
static void stream_limit(void **state)
{
    (void)state;
    static struct result x[60];

    begin(5, 3);
    for (size_t i = 0; i < ARRAY_SIZE(x); i++) {
        x[i] = (struct result){ 0 };
        get(client, "/ok", &x[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(x); i++) {
        run_until(&x[i].done);
        assert_int_equal(x[i].code, 0);
        result_done(&x[i]);
    }
    assert_int_equal(server.n_requests, 60);
    assert_true(server.n_conns <= 3);
    end();
}

static void flow_control(void **state)
{
    (void)state;
    _cleanup_result_ struct result a = { 0 }, b = { 0 }, up = { 0 };
    char *data = mem_zalloc(300000);

    begin(100, 0);
    start(client, &(struct http_request){ .method = "GET", .path = STR("/big") }, true, &a);
    get(client, "/big", &b);
    run_until(&a.done);
    run_until(&b.done);
    assert_int_equal(a.code, 0);
    assert_int_equal(a.streamed.n, H2_BIG);
    assert_int_equal(strlen(b.body), H2_BIG);
    memset(data, 'y', 300000); /* several times the window of a new stream */
    start(client, &(struct http_request){ .method = "POST", .path = STR("/size"), .body = { data, 300000 } }, false,
          &up);
    run_until(&up.done);
    assert_string_equal(up.body, "300000");
    assert_int_equal(stats_of(client).connects, 1);
    free(data);
    end();
}

static void reset_stream(void **state)
{
    (void)state;
    _cleanup_result_ struct result other = { 0 };

    begin(100, 0);
    get(client, "/big", &other);
    expect("/reset", -ECONNRESET, 0, NULL);
    run_until(&other.done);
    assert_int_equal(other.code, 0);
    expect("/ok", 0, 200, "ok");
    assert_int_equal(stats_of(client).connects, 1); /* one stream's trouble is not the connection's */
    end();
}

/* What the server says it did not process is sent again. */
static void not_processed(void **state)
{
    (void)state;
    begin(100, 0);
    expect("/refuse", 0, 200, "ok");
    assert_int_equal(server.n_refused, 1);
    assert_int_equal(server.n_requests, 2);
    end();
    begin(100, 0);
    expect("/goaway", 0, 200, "ok");
    assert_int_equal(server.n_refused, 1);
    assert_int_equal(server.n_requests, 2);
    assert_int_equal(server.n_conns, 2);
    end();
}

static void closed_connection(void **state)
{
    (void)state;
    _cleanup_result_ struct result hanging = { 0 };

    begin(100, 0);
    get(client, "/hang", &hanging);
    expect("/close", -ECONNRESET, 0, NULL);
    run_until(&hanging.done);
    assert_int_equal(hanging.code, -ECONNRESET);
    expect("/ok", 0, 200, "ok");
    assert_int_equal(stats_of(client).connects, 2);
    end();
}

/* A call that ends early costs its stream only. */
static void early_ends(void **state)
{
    (void)state;
    _cleanup_result_ struct result late = { 0 }, large = { 0 }, stopped = { .stop_after = 1 };
    struct result cancelled = { 0 };

    begin(100, 0);
    expect("/ok", 0, 200, "ok"); /* connected */
    start(client, &(struct http_request){ .method = "GET", .path = STR("/hang"), .timeout_ms = 50 }, false, &late);
    run_until(&late.done);
    assert_int_equal(late.code, -ETIMEDOUT);
    start(client, &(struct http_request){ .method = "GET", .path = STR("/big"), .max_body = 100 }, false, &large);
    run_until(&large.done);
    assert_int_equal(large.code, -EFBIG);
    get_stream(client, "/big", &stopped);
    run_until(&stopped.done);
    assert_int_equal(stopped.code, -ECANCELED);
    http_call_cancel(get(client, "/hang", &cancelled)); /* not sent yet */
    struct http_call *call = get(client, "/hang", &cancelled);
    expect("/ok", 0, 200, "ok");
    http_call_cancel(call);
    expect("/ok", 0, 200, "ok");
    assert_false(cancelled.done);
    assert_int_equal(stats_of(client).connects, 1);
    assert_int_equal(stats_of(client).in_flight, 0);
    assert_int_equal(server.n_resets, 4); /* the server was told each time */
    end();
}

static void freed_by_callback(void **state)
{
    (void)state;
    static const char *const paths[] = { "/ok", "/reset", "/close" };

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        _cleanup_result_ struct result first = { .free_client = &client }, a = { 0 }, b = { 0 };

        begin(100, 0);
        expect("/empty", 0, 204, "");
        get(client, "/hang", &a);
        get(client, paths[i], &first);
        get(client, "/big", &b);
        run_until(&first.done);
        run_for(2);
        /* With a connection that is lost anyway, the others may have ended before. */
        assert_true(a.code == -ECANCELED || a.code == -ECONNRESET);
        assert_true(b.code == -ECANCELED || b.code == -ECONNRESET || b.code == 0);
        end();
    }
}

/* New trust: running calls go on, new ones take a new connection. */
static void new_settings(void **state)
{
    (void)state;
    _cleanup_result_ struct result running = { 0 };
    struct tls_client *tls = NULL;

    begin(100, 0);
    expect("/ok", 0, 200, "ok");
    get(client, "/big", &running);
    assert_int_equal(tls_client_new(&(struct tls_client_config){ .ca_pem = str_of(ca.pem) }, &tls, NULL), 0);
    http_client_set_tls(client, tls);
    tls_client_unref(tls);
    expect("/ok", 0, 200, "ok");
    run_until(&running.done);
    assert_int_equal(running.code, 0);
    assert_int_equal(stats_of(client).connects, 2);
    end();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, loop_set_up, loop_tear_down)
    const struct CMUnitTest tests[] = {
        T(one_connection),    T(stream_limit), T(flow_control),      T(reset_stream), T(not_processed),
        T(closed_connection), T(early_ends),   T(freed_by_callback), T(new_settings),
    };

    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
