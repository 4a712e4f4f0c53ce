/* The HTTP server: what the handler sees, keep-alive and pipelining, limits, addresses. The client is a plain socket. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_client.h"
#include "net/server.h"

#define MAX_BODY 1000u

static struct http_server *server;
static struct buf seen;

static void handler(void *arg, const struct http_server_request *req, struct http_server_response *resp)
{
    (void)arg;
    buf_printf(&seen, "%" PRIstr " %" PRIstr " %" PRIstr " %zu;", STRARG(req->method), STRARG(req->path),
               STRARG(req->query), req->body.n);
    resp->status = str_eqc(req->path, "/missing") ? 404 : 200;
    resp->content_type = "text/plain";
    buf_addz(&resp->body, "hello");
}

static int set_up(void **state)
{
    struct error *err = NULL;

    loop_set_up(state);
    seen = BUF_INIT(BUF_MAX_DEFAULT);
    buf_addz(&seen, "");
    assert_ok(http_server_new(loop, STR("127.0.0.1:0"), MAX_BODY, handler, NULL, &server, &err), err);
    return 0;
}

static int tear_down(void **state)
{
    http_server_free(server);
    buf_done(&seen);
    return loop_tear_down(state);
}

struct reader {
    int fd;
    struct loop_io *io;
    struct buf in;
    bool closed;
};

static void on_readable(void *arg, int events)
{
    struct reader *r = arg;
    char piece[4096];
    ssize_t n = recv(r->fd, piece, sizeof(piece), MSG_DONTWAIT);

    (void)events;
    if (n > 0) {
        buf_add(&r->in, piece, (size_t)n);
    } else {
        r->closed = true;
        loop_io_watch(r->io, 0);
    }
}

static struct reader *dial(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct reader *r = mem_zalloc(sizeof(*r));

    a.sin_port = htons(http_server_port(server));
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    r->in = BUF_INIT(BUF_MAX_DEFAULT);
    buf_addz(&r->in, "");
    assert_int_equal(connect(r->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(loop_io_new(loop, r->fd, on_readable, r, &r->io, NULL), 0);
    loop_io_watch(r->io, LOOP_READ);
    return r;
}

static void say(struct reader *r, const char *text)
{
    assert_int_equal(send(r->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void hang_up(struct reader *r)
{
    loop_io_free(r->io);
    close(r->fd);
    buf_done(&r->in);
    free(r);
}

static size_t count(const struct reader *r, const char *text)
{
    size_t n = 0;

    for (const char *p = r->in.p; (p = strstr(p, text)); p++)
        n++;
    return n;
}

#define WAIT_FOR(cond)                                                                                                 \
    do {                                                                                                               \
        uint64_t _until = time_mono_ms() + 20000;                                                                      \
        while (!(cond)) {                                                                                              \
            if (time_mono_ms() > _until)                                                                               \
                fail_msg("did not happen: %s", #cond);                                                                 \
            run_for(1);                                                                                                \
        }                                                                                                              \
    } while (0)

static void requests(void **state)
{
    (void)state;
    struct reader *r = dial();

    say(r, "GET /healthz?a=b&c HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(count(r, "hello") == 1);
    assert_true(str_has_prefix(buf_str(&r->in), STR("HTTP/1.1 200 OK\r\n")));
    assert_non_null(strstr(r->in.p, "content-type: text/plain\r\n"));
    assert_non_null(strstr(r->in.p, "content-length: 5\r\n"));
    say(r, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab");
    run_for(5);
    assert_int_equal(count(r, "hello"), 1); /* whole bodies only */
    say(r, "cdHEAD /missing HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(count(r, "404 Not Found") == 1);
    run_for(2);
    assert_int_equal(count(r, "hello"), 2); /* none after HEAD */
    assert_string_equal(seen.p, "GET /healthz a=b&c 0;POST /a  4;HEAD /missing  0;");
    assert_false(r->closed);
    hang_up(r);
}

static void pipelined(void **state)
{
    (void)state;
    struct reader *r = dial();

    say(r,
        "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\n\r\n");
    WAIT_FOR(r->closed);
    assert_int_equal(count(r, "hello"), 3);
    assert_string_equal(seen.p, "GET /1  0;GET /2  0;GET /3  0;");
    assert_int_equal(count(r, "connection: close"), 1);
    hang_up(r);
}

/* A refusal says why, closes, and never reaches the handler. */
static void refuse(const char *text, const char *status)
{
    struct reader *r = dial();

    say(r, text);
    WAIT_FOR(r->closed);
    if (!str_has_prefix(buf_str(&r->in), str_of(status)))
        fail_msg("%s: got %s", text, r->in.p);
    assert_string_equal(seen.p, "");
    hang_up(r);
}

static void refusals(void **state)
{
    (void)state;
    _cleanup_free_ char *large = mem_zalloc(1101), *text = NULL, *chunked = NULL;

    refuse("nonsense\r\n\r\n", "HTTP/1.1 400");
    refuse("GET / HTTP/1.1\n\n", "HTTP/1.1 400");
    refuse("GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400");
    memset(large, 'x', 1100);
    text = mem_printf("POST / HTTP/1.1\r\nContent-Length: 1100\r\n\r\n%s", large);
    refuse(text, "HTTP/1.1 413");
    chunked = mem_printf("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n44c\r\n%s\r\n0\r\n\r\n", large);
    refuse(chunked, "HTTP/1.1 413");
}

static void client_goes_away(void **state)
{
    (void)state;
    struct reader *r = dial(), *ok;

    say(r, "POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nab");
    run_for(2);
    hang_up(r);
    run_for(2);
    assert_string_equal(seen.p, "");
    ok = dial();
    say(ok, "GET / HTTP/1.0\r\n\r\n");
    WAIT_FOR(ok->closed);
    assert_int_equal(count(ok, "hello"), 1);
    hang_up(ok);
}

static void addresses(void **state)
{
    (void)state;
    struct http_server *s = NULL;
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ char *taken = mem_printf("127.0.0.1:%u", http_server_port(server));

    assert_int_equal(http_server_new(loop, str_of(taken), 10, handler, NULL, &s, &err), -EADDRINUSE);
    assert_non_null(strstr(err->msg, taken));
    assert_int_equal(http_server_new(loop, STR("127.0.0.1"), 10, handler, NULL, &s, &err), -EINVAL);
    assert_int_equal(http_server_new(loop, STR("127.0.0.1:port"), 10, handler, NULL, &s, &err), -EINVAL);
    assert_int_equal(http_server_new(loop, STR("127.0.0.1:65536"), 10, handler, NULL, &s, &err), -EINVAL);
    assert_int_equal(http_server_new(loop, STR("127.0.0.1:"), 10, handler, NULL, &s, &err), -EINVAL);
    assert_int_equal(http_server_new(loop, STR("127.0.0.1:-1"), 10, handler, NULL, &s, &err), -EINVAL);
    assert_int_equal(http_server_new(loop, STR(":0"), 10, handler, NULL, &s, &err), 0);
    assert_int_not_equal(http_server_port(s), 0);
    http_server_free(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(requests), T(pipelined), T(refusals), T(client_goes_away), T(addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
