/* The talk with proxies, byte for byte (RFC 9110 9.3.6, RFC 1928, RFC 1929), and a client that goes through one. */
#include <netinet/in.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certs.h"
#include "http_client.h"
#include "net/proxy.h"
#include "raw_server.h"

static struct url parsed(const char *text)
{
    struct url u = { 0 };

    assert_int_equal(url_parse(str_of(text), &u, NULL), 0);
    return u;
}

struct scene {
    struct url proxy, target;
    struct proxy_talk talk;
    struct buf out;
    struct error *err;
};

static struct scene *begin(const char *proxy, const char *target)
{
    struct scene *s = mem_zalloc(sizeof(*s));

    s->proxy = parsed(proxy);
    s->target = parsed(target);
    s->out = BUF_INIT(BUF_MAX_DEFAULT);
    proxy_begin(&s->talk, &s->proxy, &s->target, &s->out);
    return s;
}

static void end(struct scene *s)
{
    proxy_done(&s->talk);
    buf_done(&s->out);
    url_done(&s->proxy);
    url_done(&s->target);
    error_free(s->err);
    free(s);
}

#define BYTES(lit) (lit), (sizeof(lit) - 1)

/* What was sent since the last check. */
static void expect_sent(struct scene *s, const char *bytes, size_t n)
{
    assert_int_equal(s->out.n, n);
    assert_memory_equal(s->out.p, bytes, n);
    buf_reset(&s->out);
}

/* The proxy's answer, whole or byte by byte, gives this. */
static void answer(struct scene *s, const char *bytes, size_t n, int want)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = proxy_feed(&s->talk, str_n(bytes + i, 1), &s->out, &s->err);
    if (r != want)
        fail_msg("%d (%s), expected %d", r, error_msg(s->err), want);
    assert_int_equal(r < 0, s->err != NULL);
}

static void http_connect(void **state)
{
    (void)state;
    struct scene *s = begin("http://proxy:3128", "https://api.example");

    expect_sent(s, BYTES("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n"));
    answer(s, BYTES("HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n"), 1);
    end(s);
    s = begin("http://user:p%40ss@proxy:3128", "https://[fd00::1]:6443");
    expect_sent(s, BYTES("CONNECT [fd00::1]:6443 HTTP/1.1\r\nHost: [fd00::1]:6443\r\n"
                         "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n"));
    end(s);
}

static void http_refusals(void **state)
{
    (void)state;
    struct scene *s = begin("http://proxy:3128", "https://api.example");

    answer(s, BYTES("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), -ECONNREFUSED);
    assert_non_null(strstr(s->err->msg, "407 Proxy Authentication Required"));
    end(s);
    s = begin("http://proxy:3128", "https://api.example");
    answer(s, BYTES("SSH-2.0-x\r\n\r\n"), -EPROTO);
    end(s);
    /* The server must not speak before the client: whatever comes is not its. */
    s = begin("http://proxy:3128", "https://api.example");
    assert_int_equal(proxy_feed(&s->talk, STR("HTTP/1.1 200 OK\r\n\r\nextra"), &s->out, &s->err), -EPROTO);
    end(s);
    s = begin("http://proxy:3128", "https://api.example");
    _cleanup_free_ char *endless = mem_zalloc(20000);
    memset(endless, 'x', 20000);
    assert_int_equal(proxy_feed(&s->talk, str_n(endless, 20000), &s->out, &s->err), -EPROTO);
    end(s);
}

static void socks5(void **state)
{
    (void)state;
    struct scene *s = begin("socks5://proxy", "https://api.example:6443");

    expect_sent(s, BYTES("\x05\x01\x00"));
    answer(s, BYTES("\x05\x00"), 0);
    expect_sent(s, BYTES("\x05\x01\x00\x03\x0b"
                         "api.example\x19\x2b")); /* the name is looked up by the proxy */
    answer(s, BYTES("\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38"), 1);
    end(s);
    s = begin("socks5://proxy", "https://api.example");
    answer(s, BYTES("\x05\x00\x05\x00\x00\x03\x04host\x04\x38"), 1);
    end(s);
}

static void socks5_addresses(void **state)
{
    (void)state;
    struct scene *s = begin("socks5://proxy", "https://10.1.2.3");

    answer(s, BYTES("\x05\x00"), 0);
    buf_consume(&s->out, 3);
    expect_sent(s, BYTES("\x05\x01\x00\x01\x0a\x01\x02\x03\x01\xbb"));
    end(s);
    s = begin("socks5://proxy", "https://[fd00::1]");
    answer(s, BYTES("\x05\x00"), 0);
    buf_consume(&s->out, 3);
    expect_sent(s, BYTES("\x05\x01\x00\x04\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\xbb"));
    end(s);
}

static void socks5_login(void **state)
{
    (void)state;
    struct scene *s = begin("socks5://me:word@proxy", "https://h");

    expect_sent(s, BYTES("\x05\x02\x00\x02"));
    answer(s, BYTES("\x05\x02"), 0);
    expect_sent(s, BYTES("\x01\x02me\x04word"));
    answer(s, BYTES("\x01\x00"), 0);
    expect_sent(s, BYTES("\x05\x01\x00\x03\x01h\x01\xbb"));
    answer(s, BYTES("\x05\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 1);
    end(s);
    s = begin("socks5://me:word@proxy", "https://h");
    answer(s, BYTES("\x05\x02\x01\x01"), -EACCES);
    end(s);
    s = begin("socks5://proxy", "https://h"); /* it wants a password that there is not */
    answer(s, BYTES("\x05\x02"), -EACCES);
    end(s);
}

static void socks5_refusals(void **state)
{
    (void)state;
    _cleanup_free_ char *name = mem_zalloc(301), *url = NULL;
    struct scene *s = begin("socks5://proxy", "https://h");

    answer(s, BYTES("\x05\xff"), -EACCES);
    end(s);
    s = begin("socks5://proxy", "https://h");
    answer(s, BYTES("HT"), -EPROTO);
    end(s);
    s = begin("socks5://proxy", "https://h");
    answer(s, BYTES("\x05\x00\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"), -ECONNREFUSED);
    assert_non_null(strstr(s->err->msg, "connection refused"));
    end(s);
    s = begin("socks5://proxy", "https://h");
    answer(s, BYTES("\x05\x00\x05\x00\x00\x07\x00"), -EPROTO);
    end(s);
    memset(name, 'a', 300);
    url = mem_printf("https://%s", name);
    s = begin("socks5://proxy", url);
    answer(s, BYTES("\x05\x00"), -EINVAL);
    end(s);
}

/* --- a client that uses one --- */

static char *first_line;

/* A proxy that answers for the server too. */
static void play_proxy(void *arg, struct raw_conn *c)
{
    char *line = raw_take_head(c);

    (void)arg;
    if (!line)
        return;
    if (strncmp(line, "CONNECT ", 8) == 0) {
        free(first_line);
        first_line = line;
        raw_send(c, "HTTP/1.1 200 OK\r\n\r\n");
        return;
    }
    raw_send(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    free(line);
}

static void refuse_all(void *arg, struct raw_conn *c)
{
    (void)arg;
    free(raw_take_head(c));
    raw_send(c, "HTTP/1.1 403 Forbidden by policy\r\n\r\n");
}

static struct http_client *client_through(const struct raw_server *s)
{
    _cleanup_free_ char *text = mem_printf("http://127.0.0.1:%u", s->port);
    _cleanup_(url_done) struct url proxy = parsed(text), url = parsed("http://api.example:6443");
    struct http_client *c = NULL;
    struct error *err = NULL;

    assert_ok(http_client_new(&(struct http_client_config){ .loop = loop, .url = &url, .proxy = &proxy }, &c, &err),
              err);
    return c;
}

static void client_through_proxy(void **state)
{
    (void)state;
    struct raw_server s;
    struct http_client *c;
    _cleanup_result_ struct result x = { 0 }, again = { 0 }, refused = { 0 };

    raw_server_start(&s, loop, play_proxy, NULL);
    c = client_through(&s);
    get(c, "/", &x);
    run_until(&x.done);
    assert_int_equal(x.code, 0);
    assert_string_equal(x.body, "ok");
    assert_string_equal(first_line, "CONNECT api.example:6443 HTTP/1.1");
    get(c, "/", &again);
    run_until(&again.done);
    assert_int_equal(s.accepted, 1);
    http_client_free(c);
    raw_server_stop(&s);
    free(TAKE_PTR(first_line));
    raw_server_start(&s, loop, refuse_all, NULL);
    c = client_through(&s);
    get(c, "/", &refused);
    run_until(&refused.done);
    assert_int_equal(refused.code, -ECONNREFUSED);
    assert_non_null(strstr(refused.msg, "proxy 127.0.0.1"));
    assert_non_null(strstr(refused.msg, "403 Forbidden by policy"));
    http_client_free(c);
    raw_server_stop(&s);
}

/* --- TLS in TLS --- */

#define PIECES 100u

static struct cert authority, leaf;

static int certs_set_up(void **state)
{
    authority = cert_make(&(struct cert_spec){ .cn = "test-ca", .is_ca = true });
    leaf = cert_make(&(struct cert_spec){ .cn = "leaf", .names = "IP:127.0.0.1", .issuer = &authority });
    return loop_set_up(state);
}

static int certs_tear_down(void **state)
{
    cert_done(&authority);
    cert_done(&leaf);
    return loop_tear_down(state);
}

static void read_head(SSL *ssl)
{
    char in[4096];
    size_t n = 0;

    while (n < 4 || memcmp(in + n - 4, "\r\n\r\n", 4) != 0) {
        int r = n < sizeof(in) ? SSL_read(ssl, in + n, (int)(sizeof(in) - n)) : 0;
        if (r <= 0)
            abort();
        n += (size_t)r;
    }
}

/* The answer goes out as PIECES + 2 records of the inner connection, all of them in one record of the outer one. */
static void answer_in_pieces(SSL *inner, BIO *buffer)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    char last;

    read_head(inner);
    SSL_write(inner, head, sizeof(head) - 1);
    for (unsigned i = 0; i < PIECES; i++)
        SSL_write(inner, "1\r\nx\r\n", 6);
    SSL_write(inner, "0\r\n\r\n", 5);
    if (BIO_flush(buffer) != 1)
        abort();
    SSL_read(inner, &last, 1); /* until the client goes */
}

/* An https proxy and the server behind it in one, for one connection. */
static void *serve_tls_in_tls(void *arg)
{
    struct cert_server *s = arg;
    int fd = accept(s->fd, NULL, NULL);
    SSL *outer = SSL_new(s->ctx), *inner = SSL_new(s->ctx);
    BIO *buffer = BIO_new(BIO_f_buffer()), *below = BIO_new(BIO_f_ssl());

    SSL_set_fd(outer, fd);
    if (SSL_accept(outer) != 1)
        abort();
    read_head(outer);
    SSL_write(outer, "HTTP/1.1 200 OK\r\n\r\n", 19);
    BIO_set_ssl(below, outer, BIO_NOCLOSE);
    BIO_set_buffer_size(buffer, 16000);
    BIO_push(buffer, below);
    SSL_set_bio(inner, buffer, buffer);
    if (SSL_accept(inner) != 1)
        abort();
    answer_in_pieces(inner, buffer);
    SSL_free(inner);
    SSL_free(outer);
    close(fd);
    ERR_clear_error();
    return NULL;
}

static void start_tls_in_tls(struct cert_server *s)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(a);

    *s = (struct cert_server){ .ctx = SSL_CTX_new(TLS_server_method()), .fd = socket(AF_INET, SOCK_STREAM, 0) };
    SSL_CTX_use_certificate(s->ctx, leaf.x);
    SSL_CTX_use_PrivateKey(s->ctx, leaf.key);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(s->fd, 16), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve_tls_in_tls, s), 0);
}

static struct http_client *client_through_tls(uint16_t port)
{
    _cleanup_free_ char *text = mem_printf("https://127.0.0.1:%u", port);
    _cleanup_(url_done) struct url proxy = parsed(text), url = parsed("https://127.0.0.1:6443");
    struct tls_client *tls = NULL;
    struct http_client *c = NULL;
    struct error *err = NULL;

    assert_ok(tls_client_new(&(struct tls_client_config){ .ca_pem = str_of(authority.pem) }, &tls, &err), err);
    assert_ok(http_client_new(&(struct http_client_config){ .loop = loop, .url = &url, .proxy = &proxy, .tls = tls },
                              &c, &err),
              err);
    tls_client_unref(tls);
    return c;
}

/* What is left of the outer record after some reads is no longer in the socket: no poll tells that it is there. */
static void many_inner_records_in_one_outer_record(void **state)
{
    (void)state;
    struct cert_server s;
    struct http_client *c;
    _cleanup_result_ struct result x = { 0 };

    start_tls_in_tls(&s);
    c = client_through_tls(s.port);
    get_stream(c, "/", &x);
    run_until(&x.done);
    assert_int_equal(x.code, 0);
    assert_int_equal(x.streamed.n, PIECES);
    http_client_free(c);
    run_for(1);
    cert_server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_connect),
        cmocka_unit_test(http_refusals),
        cmocka_unit_test(socks5),
        cmocka_unit_test(socks5_addresses),
        cmocka_unit_test(socks5_login),
        cmocka_unit_test(socks5_refusals),
        cmocka_unit_test_setup_teardown(client_through_proxy, loop_set_up, loop_tear_down),
        cmocka_unit_test_setup_teardown(many_inner_records_in_one_outer_record, certs_set_up, certs_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
