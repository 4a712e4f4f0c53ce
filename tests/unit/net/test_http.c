/* The HTTP client over HTTP/1.1: against the server of net/server.h, and against one that misbehaves. */
#include "http_client.h"
#include "net/server.h"
#include "raw_server.h"

static unsigned handled;

/* Answers with what was asked. */
static void echo(void *arg, const struct http_server_request *req, struct http_server_response *resp)
{
    (void)arg;
    handled++;
    resp->status = str_eqc(req->path, "/missing") ? 404 : 200;
    resp->content_type = "text/test";
    buf_printf(&resp->body, "%" PRIstr " %" PRIstr "?%" PRIstr " [%" PRIstr "]", STRARG(req->method), STRARG(req->path),
               STRARG(req->query), STRARG(req->body));
    for (size_t i = 0; i < req->n_headers; i++)
        buf_printf(&resp->body, " %" PRIstr "=%" PRIstr, STRARG(req->headers[i].name), STRARG(req->headers[i].value));
}

static struct http_server *echo_server(void)
{
    struct http_server *s = NULL;
    struct error *err = NULL;

    handled = 0;
    assert_ok(http_server_new(loop, STR("127.0.0.1:0"), 1000, echo, NULL, &s, &err), err);
    return s;
}

static void requests(void **state)
{
    (void)state;
    struct http_server *s = echo_server();
    struct http_client *c = client_of(http_server_port(s), 0);
    _cleanup_result_ struct result get_result = { 0 }, post = { 0 }, head = { 0 }, missing = { 0 }, del = { 0 };
    struct http_header h[] = { { STR("accept"), STR("a/b") }, { STR("x"), STR("1 2") } };
    _cleanup_free_ char *want = NULL;

    start(c, &(struct http_request){ .method = "GET", .path = STR("/a?b=c"), .headers = h, .n_headers = 2 }, false,
          &get_result);
    assert_false(get_result.done);
    run_until(&get_result.done);
    want = mem_printf("GET /a?b=c [] host=127.0.0.1:%u accept=a/b x=1 2", http_server_port(s));
    assert_int_equal(get_result.status, 200);
    assert_string_equal(get_result.body, want);
    assert_string_equal(get_result.type, "text/test");
    start(c, &(struct http_request){ .method = "POST", .path = STR("/p"), .body = STR("{}\0x") }, false, &post);
    run_until(&post.done);
    assert_non_null(strstr(post.body, "content-length=4"));
    start(c, &(struct http_request){ .method = "DELETE", .path = STR("/d") }, false, &del);
    run_until(&del.done);
    assert_non_null(strstr(del.body, "content-length=0"));
    start(c, &(struct http_request){ .method = "HEAD", .path = STR("/h") }, false, &head);
    run_until(&head.done);
    assert_int_equal(head.status, 200);
    assert_string_equal(head.body, "");
    get(c, "/missing", &missing);
    run_until(&missing.done);
    assert_int_equal(missing.code, 0);
    assert_int_equal(missing.status, 404);
    assert_int_equal(stats_of(c).connects, 1); /* kept alive through all of them */
    assert_int_equal(stats_of(c).requests, 5);
    http_client_free(c);
    http_server_free(s);
}

static void many_in_parallel(void **state)
{
    (void)state;
    struct http_server *s = echo_server();
    struct http_client *c = client_of(http_server_port(s), 8);
    static struct result x[200];

    for (size_t i = 0; i < ARRAY_SIZE(x); i++) {
        _cleanup_free_ char *path = mem_printf("/%zu", i);
        x[i] = (struct result){ 0 };
        get(c, path, &x[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(x); i++) {
        _cleanup_free_ char *want = mem_printf("GET /%zu? ", i);
        run_until(&x[i].done);
        assert_int_equal(x[i].code, 0);
        assert_int_equal(strncmp(x[i].body, want, strlen(want)), 0);
        result_done(&x[i]);
    }
    assert_int_equal(handled, ARRAY_SIZE(x));
    assert_true(stats_of(c).connects <= 8 && stats_of(c).connects > 1);
    assert_int_equal(stats_of(c).in_flight, 0);
    assert_int_equal(stats_of(c).queued, 0);
    http_client_free(c);
    http_server_free(s);
}

/* --- a server that follows a script --- */

static struct raw_server raw;

/* By path: /NAME gives what the test of that name needs. */
static void script(void *arg, struct raw_conn *c)
{
    _cleanup_free_ char *line = raw_take_head(c);
    const char *path = line ? strchr(line, ' ') + 1 : "";

    (void)arg;
    if (!line)
        return;
#define IS(p) (strncmp(path, p " ", strlen(p) + 1) == 0)
    if (IS("/chunked"))
        raw_send(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: 1\r\n\r\n");
    else if (IS("/until-close") || IS("/cut-chunk") || IS("/cut-length"))
        raw_send(c, IS("/until-close") ? "HTTP/1.1 200 OK\r\n\r\nall of it"
                    : IS("/cut-chunk") ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"
                                       : "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    else if (IS("/ok") || IS("/close-after") || IS("/lie"))
        raw_send(c, IS("/lie") ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokgarbage"
                               : "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    else if (IS("/says-close"))
        raw_send(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    else if (IS("/stall"))
        raw_send(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    else if (IS("/malformed"))
        raw_send(c, "HTTP/1.1 OK\r\n\r\n");
    if (IS("/until-close") || IS("/cut-chunk") || IS("/cut-length") || IS("/close") || IS("/close-after"))
        raw_close(c);
    else if (IS("/reset"))
        raw_reset(c);
}

static struct http_client *raw_client(unsigned max_connections)
{
    raw_server_start(&raw, loop, script, NULL);
    return client_of(raw.port, max_connections);
}

/* One call that must end so. */
static void expect(struct http_client *c, const char *path, int code, const char *body)
{
    _cleanup_result_ struct result x = { 0 };

    get(c, path, &x);
    run_until(&x.done);
    if (x.code != code)
        fail_msg("%s: code %d (%s), expected %d", path, x.code, x.msg ? x.msg : "", code);
    if (body)
        assert_string_equal(x.body, body);
    else
        assert_true(x.msg[0]);
}

static void kinds_of_bodies(void **state)
{
    (void)state;
    struct http_client *c = raw_client(1);

    expect(c, "/chunked", 0, "abcde");
    expect(c, "/ok", 0, "ok");
    assert_int_equal(raw.accepted, 1);
    expect(c, "/until-close", 0, "all of it");
    expect(c, "/says-close", 0, "ok");
    expect(c, "/ok", 0, "ok");
    assert_int_equal(raw.accepted, 3);
    http_client_free(c);
    raw_server_stop(&raw);
}

static void bad_ends(void **state)
{
    (void)state;
    struct http_client *c = raw_client(1);

    expect(c, "/cut-length", -ECONNRESET, NULL);
    expect(c, "/cut-chunk", -ECONNRESET, NULL);
    expect(c, "/close", -ECONNRESET, NULL);
    expect(c, "/reset", -ECONNRESET, NULL);
    expect(c, "/malformed", -EPROTO, NULL);
    expect(c, "/ok", 0, "ok");
    assert_int_equal(raw.accepted, 6);
    http_client_free(c);
    raw_server_stop(&raw);
}

/* The server closes a connection that it promised to keep: the next call notices and takes a new one. */
static void closed_while_idle(void **state)
{
    (void)state;
    struct http_client *c = raw_client(1);

    expect(c, "/close-after", 0, "ok");
    while (stats_of(c).connections)
        run_for(1);
    expect(c, "/ok", 0, "ok");
    assert_int_equal(raw.accepted, 2);
    http_client_free(c);
    raw_server_stop(&raw);
}

/* Bytes beyond an answer could be taken for the next one. */
static void too_much_said(void **state)
{
    (void)state;
    struct http_client *c = raw_client(1);

    expect(c, "/lie", 0, "ok");
    expect(c, "/ok", 0, "ok");
    assert_int_equal(raw.accepted, 2);
    http_client_free(c);
    raw_server_stop(&raw);
}

static void streaming(void **state)
{
    (void)state;
    struct http_client *c = raw_client(1);
    _cleanup_result_ struct result all = { 0 }, stopped = { .stop_after = 1 };

    get_stream(c, "/chunked", &all);
    run_until(&all.done);
    assert_int_equal(all.code, 0);
    assert_int_equal(all.responses, 1);
    assert_str(buf_str(&all.streamed), "abcde");
    assert_string_equal(all.body, "");
    get_stream(c, "/chunked", &stopped);
    run_until(&stopped.done);
    assert_int_equal(stopped.code, -ECANCELED);
    assert_str(buf_str(&stopped.streamed), "abc");
    expect(c, "/ok", 0, "ok");
    http_client_free(c);
    raw_server_stop(&raw);
}

static void time_outs(void **state)
{
    (void)state;
    struct http_client *c = raw_client(1);
    _cleanup_result_ struct result deadline = { 0 }, queued = { 0 }, idle = { 0 };

    start(c, &(struct http_request){ .method = "GET", .path = STR("/nothing"), .timeout_ms = 300 }, false, &deadline);
    start(c, &(struct http_request){ .method = "GET", .path = STR("/ok"), .timeout_ms = 30 }, false, &queued);
    run_until(&queued.done);
    assert_false(deadline.done);
    assert_int_equal(queued.code, -ETIMEDOUT);
    run_until(&deadline.done);
    assert_int_equal(deadline.code, -ETIMEDOUT);
    start(c, &(struct http_request){ .method = "GET", .path = STR("/stall"), .idle_timeout_ms = 30 }, true, &idle);
    run_until(&idle.done);
    assert_int_equal(idle.code, -ETIMEDOUT);
    assert_str(buf_str(&idle.streamed), "abc");
    expect(c, "/ok", 0, "ok");
    http_client_free(c);
    raw_server_stop(&raw);
}

static void body_limit(void **state)
{
    (void)state;
    struct http_client *c = raw_client(1);
    _cleanup_result_ struct result big = { 0 }, fits = { 0 };

    start(c, &(struct http_request){ .method = "GET", .path = STR("/chunked"), .max_body = 4 }, false, &big);
    run_until(&big.done);
    assert_int_equal(big.code, -EFBIG);
    start(c, &(struct http_request){ .method = "GET", .path = STR("/chunked"), .max_body = 5 }, false, &fits);
    run_until(&fits.done);
    assert_int_equal(fits.code, 0);
    assert_string_equal(fits.body, "abcde");
    http_client_free(c);
    raw_server_stop(&raw);
}

static void cancelling(void **state)
{
    (void)state;
    struct http_client *c = raw_client(1);
    struct result waiting = { 0 }, queued = { 0 };
    _cleanup_result_ struct result in_callback = { 0 };
    struct http_call *a = get(c, "/nothing", &waiting), *b = get(c, "/ok", &queued);

    while (raw.accepted == 0)
        run_for(1);
    http_call_cancel(b);
    http_call_cancel(a);
    expect(c, "/ok", 0, "ok");
    in_callback.cancel = get_stream(c, "/chunked", &in_callback);
    while (!in_callback.responses)
        run_for(1);
    expect(c, "/ok", 0, "ok");
    assert_false(waiting.done || queued.done || in_callback.done);
    assert_int_equal(stats_of(c).in_flight, 0);
    http_client_free(c);
    raw_server_stop(&raw);
}

static void freed_with_calls(void **state)
{
    (void)state;
    struct http_client *c = raw_client(1);
    _cleanup_result_ struct result sent = { 0 }, queued = { 0 };

    get(c, "/nothing", &sent);
    get(c, "/ok", &queued);
    while (raw.accepted == 0)
        run_for(1);
    http_client_free(c);
    run_for(1);
    assert_int_equal(sent.code, -ECANCELED);
    assert_int_equal(queued.code, -ECANCELED);
    raw_server_stop(&raw);
}

/* A callback may free the client, whatever made the call end. */
static void freed_by_callback(void **state)
{
    (void)state;
    static const char *const paths[] = { "/ok", "/until-close", "/reset", "/malformed", "/cut-length" };

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct http_client *c = raw_client(1);
        _cleanup_result_ struct result first = { .free_client = &c }, second = { 0 };

        get(c, paths[i], &first);
        get(c, "/ok", &second);
        run_until(&second.done);
        assert_true(first.done);
        assert_int_equal(second.code, -ECANCELED);
        raw_server_stop(&raw);
        run_for(1);
    }
}

static uint16_t closed_port(void)
{
    struct raw_server s;

    raw_server_start(&s, loop, script, NULL);
    raw_server_stop(&s);
    return s.port;
}

static void refused(void **state)
{
    (void)state;
    struct http_client *c = client_of(closed_port(), 0);
    _cleanup_result_ struct result a = { 0 }, b = { 0 }, freed = { .free_client = &c }, last = { 0 };

    get(c, "/", &a);
    get(c, "/", &b);
    run_until(&a.done);
    assert_int_equal(a.code, -ECONNREFUSED);
    assert_int_equal(b.code, -ECONNREFUSED);
    assert_non_null(strstr(a.msg, "127.0.0.1"));
    assert_int_equal(stats_of(c).connects, 1);
    get(c, "/", &freed);
    get(c, "/", &last);
    run_until(&last.done);
    assert_int_equal(freed.code, -ECONNREFUSED);
    assert_int_equal(last.code, -ECANCELED);
}

static void connect_backoff(void **state)
{
    (void)state;
    _cleanup_free_ char *text = mem_printf("http://127.0.0.1:%u", closed_port());
    _cleanup_(url_done) struct url url = { 0 };
    struct http_client *c = NULL;

    url_parse(str_of(text), &url, NULL);
    http_client_new(&(struct http_client_config){ .loop = loop, .url = &url, .connect_backoff = true }, &c, NULL);
    expect(c, "/", -ECONNREFUSED, NULL);
    expect(c, "/", -ECONNREFUSED, NULL); /* within the backoff: not tried again */
    assert_int_equal(stats_of(c).connects, 1);
    for (uint64_t begin = time_mono_ms(); stats_of(c).connects == 1 && time_mono_ms() - begin < 5000; run_for(10))
        expect(c, "/", -ECONNREFUSED, NULL);
    assert_int_equal(stats_of(c).connects, 2);
    assert_int_equal(stats_of(c).connect_failures, 2);
    http_client_free(c);
}

static void settings(void **state)
{
    (void)state;
    _cleanup_(url_done) struct url ftp = { 0 }, ok = { 0 };
    _cleanup_error_ struct error *err = NULL;
    struct http_client *c = NULL;

    url_parse(STR("ftp://host"), &ftp, NULL);
    url_parse(STR("http://host"), &ok, NULL);
    assert_int_equal(http_client_new(&(struct http_client_config){ .loop = loop, .url = &ftp }, &c, &err), -EINVAL);
    assert_non_null(strstr(err->msg, "ftp"));
    assert_int_equal(http_client_new(&(struct http_client_config){ .loop = loop, .url = &ok, .proxy = &ftp }, &c, &err),
                     -EINVAL);
    assert_non_null(strstr(err->msg, "proxy"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, loop_set_up, loop_tear_down)
    const struct CMUnitTest tests[] = {
        T(requests),         T(many_in_parallel),  T(kinds_of_bodies), T(bad_ends),        T(closed_while_idle),
        T(too_much_said),    T(streaming),         T(time_outs),       T(body_limit),      T(cancelling),
        T(freed_with_calls), T(freed_by_callback), T(refused),         T(connect_backoff), T(settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
