/*
 * The HTTP/1.1 parser: which messages end where, what is handed out, what is refused (RFC 9112). Every message is fed
 * whole and byte by byte.
 */
#include "net/http1.h"
#include "unit.h"

struct seen {
    struct buf log;
    int stop;
};

static int on_request(void *arg, struct str method, struct str target)
{
    return buf_printf(&((struct seen *)arg)->log, "%" PRIstr " %" PRIstr "|", STRARG(method), STRARG(target));
}

static int on_status(void *arg, int status)
{
    return buf_printf(&((struct seen *)arg)->log, "%d|", status);
}

static int on_header(void *arg, struct str name, struct str value)
{
    return buf_printf(&((struct seen *)arg)->log, "%" PRIstr "=%" PRIstr "|", STRARG(name), STRARG(value));
}

static int on_headers_done(void *arg)
{
    struct seen *s = arg;

    return s->stop ? s->stop : buf_addz(&s->log, "body:");
}

static int on_body(void *arg, struct str bytes)
{
    return buf_adds(&((struct seen *)arg)->log, bytes);
}

enum kind { RESPONSE, HEAD_RESPONSE, REQUEST };

static struct http1_parser parser(enum kind kind, struct seen *s)
{
    struct http1_parser p = { .is_request = kind == REQUEST,
                              .head_request = kind == HEAD_RESPONSE,
                              .on_request = on_request,
                              .on_status = on_status,
                              .on_header = on_header,
                              .on_headers_done = on_headers_done,
                              .on_body = on_body,
                              .arg = s };

    http1_reset(&p);
    return p;
}

static int feed(struct http1_parser *p, struct str text, size_t piece, size_t *ret_used)
{
    int r = 0;

    *ret_used = 0;
    while (r == 0 && *ret_used < text.n && p->state != HTTP1_DONE) {
        size_t used;

        r = http1_feed(p, str_n(text.p + *ret_used, MIN(piece, text.n - *ret_used)), &used, NULL);
        *ret_used += used;
    }
    return r;
}

/* The message ends `left` bytes before the end of the text and gives these events. */
static void check(enum kind kind, const char *text, size_t left, bool keep_alive, const char *events)
{
    for (size_t piece = 1; piece <= strlen(text); piece += strlen(text) - 1) {
        struct seen s = { .log = BUF_INIT(BUF_MAX_DEFAULT) };
        struct http1_parser p = parser(kind, &s);
        size_t used;

        assert_int_equal(feed(&p, str_of(text), piece, &used), 0);
        assert_int_equal(p.state, HTTP1_DONE);
        assert_int_equal(used, strlen(text) - left);
        assert_int_equal(p.keep_alive, keep_alive);
        assert_str(buf_str(&s.log), events);
        http1_done(&p);
        buf_done(&s.log);
    }
}

static void refuse(enum kind kind, const char *text)
{
    for (size_t piece = 1; piece <= strlen(text); piece += strlen(text) - 1) {
        struct seen s = { .log = BUF_INIT(BUF_MAX_DEFAULT) };
        struct http1_parser p = parser(kind, &s);
        size_t used;

        if (feed(&p, str_of(text), piece, &used) != -EPROTO)
            fail_msg("taken: %s", text);
        http1_done(&p);
        buf_done(&s.log);
    }
}

static void fixed_length(void **state)
{
    (void)state;
    check(RESPONSE, "HTTP/1.1 200 OK\r\nContent-Type:  text/plain \r\nContent-Length: 5\r\n\r\nhello", 0, true,
          "200|content-type=text/plain|content-length=5|body:hello");
    check(RESPONSE, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1", 8, true, "200|content-length=2|body:ab");
    check(RESPONSE, "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 0, true, "404|content-length=0|body:");
    check(RESPONSE, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 0, true,
          "200|content-length=1|content-length=1|body:x");
}

static void chunked(void **state)
{
    (void)state;
    check(RESPONSE,
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\nA;name=v\r\n0123456789\r\n0\r\n\r\nx", 1,
          true, "200|transfer-encoding=Chunked|body:hello0123456789");
    check(RESPONSE,
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00\r\nTrailer: 1\r\nContent-Length: 9\r\n\r\n", 0, true,
          "200|transfer-encoding=chunked|body:");
}

static void without_body(void **state)
{
    (void)state;
    check(HEAD_RESPONSE, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 0, true, "200|content-length=100|body:");
    check(RESPONSE, "HTTP/1.1 204 No Content\r\n\r\nx", 1, true, "204|body:");
    check(RESPONSE, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 0, true, "304|content-length=7|body:");
    check(RESPONSE, "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 204 x\r\n\r\n", 0, true, "100|a=b|204|body:");
}

static void connection(void **state)
{
    (void)state;
    check(RESPONSE, "HTTP/1.0 204 x\r\n\r\n", 0, false, "204|body:");
    check(RESPONSE, "HTTP/1.0 204 x\r\nConnection: Keep-Alive\r\n\r\n", 0, true, "204|connection=Keep-Alive|body:");
    check(RESPONSE, "HTTP/1.1 204 x\r\nConnection: close\r\n\r\n", 0, false, "204|connection=close|body:");
    check(RESPONSE, "HTTP/1.1 204 x\r\nConnection: TE, Close\r\n\r\n", 0, false, "204|connection=TE, Close|body:");
    check(RESPONSE, "HTTP/1.1 204 x\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n", 0, false,
          "204|connection=close|connection=keep-alive|body:");
}

static void until_close(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\n\r\nabc";
    struct seen s = { .log = BUF_INIT(BUF_MAX_DEFAULT) };
    struct http1_parser p = parser(RESPONSE, &s);
    size_t used;

    assert_int_equal(feed(&p, str_of(text), 7, &used), 0);
    assert_int_equal(p.state, HTTP1_UNTIL_CLOSE);
    assert_false(p.keep_alive);
    assert_int_equal(http1_eof(&p), 0);
    assert_int_equal(p.state, HTTP1_DONE);
    assert_str(buf_str(&s.log), "200|body:abc");
    http1_done(&p);
    buf_done(&s.log);
}

/* A close anywhere else cuts the message. */
static void cut_by_close(void **state)
{
    (void)state;
    static const char *const texts[] = { "",
                                         "HTTP/1.1 2",
                                         "HTTP/1.1 200 OK\r\nA: b\r\n",
                                         "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
                                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct seen s = { .log = BUF_INIT(BUF_MAX_DEFAULT) };
        struct http1_parser p = parser(RESPONSE, &s);
        size_t used;

        assert_int_equal(feed(&p, str_of(texts[i]), 100, &used), 0);
        assert_int_equal(http1_eof(&p), -ECONNRESET);
        http1_done(&p);
        buf_done(&s.log);
    }
}

static void requests(void **state)
{
    (void)state;
    check(REQUEST, "GET /healthz?a=b HTTP/1.1\r\nHost: h\r\n\r\n", 0, true, "GET /healthz?a=b|host=h|body:");
    check(REQUEST, "\r\nPOST / HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}GET", 3, false,
          "POST /|content-length=2|body:{}");
    check(REQUEST, "OPTIONS * HTTP/1.1\r\n\r\n", 0, true, "OPTIONS *|body:");
    refuse(REQUEST, "GET http://h/ HTTP/1.1\r\n");
    refuse(REQUEST, "GET / HTTP/2.0\r\n");
    refuse(REQUEST, "GET /\r\n");
    refuse(REQUEST, "GET / a HTTP/1.1\r\n");
    refuse(REQUEST, "G(T / HTTP/1.1\r\n");
    refuse(REQUEST, "GET /\x01 HTTP/1.1\r\n");
}

static void malformed(void **state)
{
    (void)state;
#define HEAD "HTTP/1.1 200 OK\r\n"
    refuse(RESPONSE, "HTTP/1.1 200 OK\n");
    refuse(RESPONSE, "HTTP/2 200 OK\r\n");
    refuse(RESPONSE, "HTTP/1.1 2x0 OK\r\n");
    refuse(RESPONSE, "HTTP/1.1 2000 OK\r\n");
    refuse(RESPONSE, "HTTP/1.1 099 OK\r\n");
    refuse(RESPONSE, "HTTP/1.1 101 Switching Protocols\r\n\r\n");
    refuse(RESPONSE, "\r\n");
    refuse(RESPONSE, HEAD "no colon\r\n");
    refuse(RESPONSE, HEAD "A : b\r\n");
    refuse(RESPONSE, HEAD ": b\r\n");
    refuse(RESPONSE, HEAD " folded\r\n");
    refuse(RESPONSE, HEAD "A: b\x01\r\n");
    refuse(RESPONSE, HEAD "A: b\rc\r\n");
    refuse(RESPONSE, HEAD "A: b\n");
    refuse(RESPONSE, HEAD "Content-Length: -1\r\n");
    refuse(RESPONSE, HEAD "Content-Length: +1\r\n");
    refuse(RESPONSE, HEAD "Content-Length: 1, 1\r\n");
    refuse(RESPONSE, HEAD "Content-Length:\r\n");
    refuse(RESPONSE, HEAD "Content-Length: 18446744073709551616\r\n");
    refuse(RESPONSE, HEAD "Content-Length: 1\r\nContent-Length: 2\r\n");
    refuse(RESPONSE, HEAD "Transfer-Encoding: gzip, chunked\r\n");
    refuse(RESPONSE, HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n");
    refuse(RESPONSE, HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"
    refuse(RESPONSE, CHUNKED "\r\n");
    refuse(RESPONSE, CHUNKED " 5\r\n");
    refuse(RESPONSE, CHUNKED "0x5\r\n");
    refuse(RESPONSE, CHUNKED "-5\r\n");
    refuse(RESPONSE, CHUNKED "5\nhello\r\n");
    refuse(RESPONSE, CHUNKED "ffffffffffffffff\r\n");
    refuse(RESPONSE, CHUNKED "1\r\nab\r\n");
}

static void limits(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf b = BUF_INIT(BUF_MAX_DEFAULT);

    buf_addz(&b, HEAD "A: ");
    while (b.n < HTTP1_MAX_LINE + 30)
        buf_addc(&b, 'x');
    refuse(RESPONSE, b.p);
    buf_reset(&b);
    buf_addz(&b, HEAD);
    for (int i = 0; i < HTTP1_MAX_HEADERS; i++)
        buf_addz(&b, "A: b\r\n");
    _cleanup_free_ char *most = mem_printf("%s\r\n", b.p), *more = mem_printf("%sA: b\r\n\r\n", b.p);
    struct seen s = { .log = BUF_INIT(BUF_MAX_DEFAULT) };
    struct http1_parser p = parser(HEAD_RESPONSE, &s);
    size_t used;
    assert_int_equal(feed(&p, str_of(most), 1000, &used), 0);
    assert_int_equal(p.state, HTTP1_DONE);
    http1_done(&p);
    buf_done(&s.log);
    refuse(HEAD_RESPONSE, more);
    buf_reset(&b);
    for (int i = 0; i < 4000; i++) /* interim responses count as one head */
        buf_addz(&b, "HTTP/1.1 100 Continue\r\n\r\n");
    refuse(RESPONSE, b.p);
}

static void handler_stops(void **state)
{
    (void)state;
    struct seen s = { .log = BUF_INIT(BUF_MAX_DEFAULT), .stop = -ECANCELED };
    struct http1_parser p = parser(RESPONSE, &s);
    size_t used;

    assert_int_equal(feed(&p, STR(HEAD "Content-Length: 3\r\n\r\nabc"), 100, &used), -ECANCELED);
    assert_str(buf_str(&s.log), "200|content-length=3|");
    http1_done(&p);
    buf_done(&s.log);
}

static void second_message(void **state)
{
    (void)state;
    static const char text[] = HEAD "Content-Length: 1\r\n\r\naHTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nb";
    struct seen s = { .log = BUF_INIT(BUF_MAX_DEFAULT) };
    struct http1_parser p = parser(RESPONSE, &s);
    size_t used, more;

    assert_int_equal(feed(&p, str_of(text), 100, &used), 0);
    http1_reset(&p);
    assert_int_equal(feed(&p, str_of(text + used), 100, &more), 0);
    assert_int_equal(p.state, HTTP1_DONE);
    assert_int_equal(used + more, strlen(text));
    assert_str(buf_str(&s.log), "200|content-length=1|body:a200|content-length=1|body:b");
    http1_done(&p);
    buf_done(&s.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_length),  cmocka_unit_test(chunked),        cmocka_unit_test(without_body),
        cmocka_unit_test(connection),    cmocka_unit_test(until_close),    cmocka_unit_test(cut_by_close),
        cmocka_unit_test(requests),      cmocka_unit_test(malformed),      cmocka_unit_test(limits),
        cmocka_unit_test(handler_stops), cmocka_unit_test(second_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
