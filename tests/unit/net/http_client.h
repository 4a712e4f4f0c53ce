/* What the tests of the HTTP client share: a loop, a client of a server on this machine, and calls that remember how they
 * ended. Only for tests; everything is static, so that each program has its own. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "net/http.h"
#include "unit.h"

/* How a call ended. Zeroed before use. */
struct result {
    bool done;
    int code, status;
    char *body, *msg, *type;
    unsigned responses; /* header blocks seen */
    struct buf streamed;
    int stop_after; /* pieces of a stream */
    struct http_call *cancel;
    struct http_client **free_client;
};

static struct loop *loop;

static int loop_set_up(void **state)
{
    (void)state;
    return loop_new(&loop, NULL);
}

static int loop_tear_down(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void on_guard(void *arg)
{
    (void)arg;
    fail_msg("not done within 20 s");
}

/* Runs the loop until the flag is set; fails when that does not happen. */
static _unused_ void run_until(const bool *done)
{
    struct loop_timer guard = { 0 };

    loop_timer_start(loop, &guard, 20000, on_guard, NULL);
    assert_int_equal(loop_run(loop, done), 0);
    loop_timer_stop(&guard);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

/* Lets everything happen that can happen at once. */
static _unused_ void run_for(uint64_t ms)
{
    struct loop_timer t = { 0 };
    bool over = false;

    loop_timer_start(loop, &t, ms, set_flag, &over);
    assert_int_equal(loop_run(loop, &over), 0);
}

static void on_response(void *arg, const struct http_response *r)
{
    struct result *x = arg;

    x->responses++;
    x->status = r->status;
    if (x->cancel)
        http_call_cancel(x->cancel);
}

static bool on_data(void *arg, struct str bytes)
{
    struct result *x = arg;

    assert_int_equal(x->responses, 1);
    x->streamed.max = BUF_MAX_DEFAULT;
    buf_adds(&x->streamed, bytes);
    return --x->stop_after != 0;
}

static void on_done(void *arg, const struct http_response *r, const struct error *err)
{
    struct result *x = arg;

    assert_false(x->done);
    assert_true((r == NULL) == (err != NULL));
    x->done = true;
    x->code = err ? err->code : 0;
    x->msg = err ? mem_strdup(err->msg) : NULL;
    if (r) {
        x->status = r->status;
        x->body = str_dup(r->body);
        x->type = str_dup(http_response_header(r, "content-type"));
    }
    if (x->free_client)
        http_client_free(TAKE_PTR(*x->free_client));
}

static _unused_ void result_done(struct result *x)
{
    free(x->body);
    free(x->msg);
    free(x->type);
    buf_done(&x->streamed);
    *x = (struct result){ 0 };
}
#define _cleanup_result_ _cleanup_(result_done)

static _unused_ struct http_call *start(struct http_client *c, const struct http_request *req, bool stream,
                                        struct result *x)
{
    struct http_handlers h = { .on_done = on_done };

    if (stream) {
        h.on_response = on_response;
        h.on_data = on_data;
    }
    return http_client_send(c, req, &h, x);
}

static _unused_ struct http_call *get(struct http_client *c, const char *path, struct result *x)
{
    return start(c, &(struct http_request){ .method = "GET", .path = str_of(path) }, false, x);
}

static _unused_ struct http_call *get_stream(struct http_client *c, const char *path, struct result *x)
{
    return start(c, &(struct http_request){ .method = "GET", .path = str_of(path) }, true, x);
}

/* A client of http://127.0.0.1:port. */
static _unused_ struct http_client *client_of(uint16_t port, unsigned max_connections)
{
    _cleanup_free_ char *text = mem_printf("http://127.0.0.1:%u", port);
    _cleanup_(url_done) struct url url = { 0 };
    struct http_client *c = NULL;
    struct error *err = NULL;

    assert_ok(url_parse(str_of(text), &url, &err), err);
    assert_ok(
        http_client_new(&(struct http_client_config){ .loop = loop, .url = &url, .max_connections = max_connections },
                        &c, &err),
        err);
    return c;
}

static _unused_ struct http_client_stats stats_of(const struct http_client *c)
{
    struct http_client_stats s;

    http_client_get_stats(c, &s);
    return s;
}

#endif
