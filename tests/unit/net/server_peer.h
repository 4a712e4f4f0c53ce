/*
 * What the tests of the server share: a handler, and clients on the loop of the test that speak plain or TLS byte by byte, read
 * only when they are told to, and remember how the connection ended. Everything is static, so that each program has its own.
 */
#ifndef SERVER_PEER_H
#define SERVER_PEER_H

#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_client.h"
#include "net/server_internal.h"

#define BIG ((size_t)100 << 10)
#define MAX_PEERS_OF_TEST 300
/* What the kernel keeps of a connection, either way; it takes twice that. By itself it takes what it likes, tens of megabytes. */
#define PIPE_BYTES (128 << 10)

static struct http_server *server;
static unsigned handled;
static size_t n_moved; /* bytes that speakers have said or heard */
static size_t last_body;

/* /big: BIG bytes. /huge: 80 times as many. /empty: none. /moved: 301. Everything else: "hello", or "POST 123" for bodies. */
static void serve(void *arg, const struct http_server_request *req, struct http_server_response *resp)
{
    (void)arg;
    handled++;
    last_body = req->body.n;
    resp->status = str_eqc(req->path, "/moved") ? 301 : 200;
    resp->content_type = "text/plain";
    if (str_eqc(req->path, "/moved"))
        resp->location = "/elsewhere/";
    else if (str_eqc(req->path, "/big") || str_eqc(req->path, "/huge"))
        for (size_t i = 0; i < (req->path.n == 4 ? BIG : 80 * BIG) / 64; i++)
            buf_addz(&resp->body, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n");
    else if (str_eqc(req->method, "POST"))
        buf_printf(&resp->body, "POST %zu", req->body.n);
    else if (!str_eqc(req->path, "/empty"))
        buf_addz(&resp->body, "hello");
}

struct speaker {
    int fd;
    SSL *ssl;         /* NULL: plain */
    struct buf in;    /* NUL-terminated */
    struct buf out;   /* what the socket did not take yet */
    bool open;        /* connected, hands shaken */
    bool deaf;        /* reads nothing */
    bool closed;      /* nothing more comes */
    bool write_fails; /* nothing more goes */
};
static struct speaker *speakers[MAX_PEERS_OF_TEST];

static bool again(const struct speaker *s, ssize_t n)
{
    int e = s->ssl ? SSL_get_error(s->ssl, (int)n) : 0;

    return s->ssl ? e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE : n < 0 && errno == EAGAIN;
}

static void pump_out(struct speaker *s)
{
    while (s->out.n && !s->write_fails) {
        int n = (int)MIN(s->out.n, (size_t)1 << 20);
        ERR_clear_error();
        ssize_t r = s->ssl ? SSL_write(s->ssl, s->out.p, n) : send(s->fd, s->out.p, (size_t)n, MSG_NOSIGNAL);
        n_moved += r > 0 ? (size_t)r : 0;
        if (r > 0)
            buf_consume(&s->out, (size_t)r);
        else if (again(s, r))
            return;
        else
            s->write_fails = true;
    }
}

static void pump_in(struct speaker *s)
{
    static char piece[1 << 16];

    while (!s->closed && !s->deaf) {
        ERR_clear_error();
        ssize_t r = s->ssl ? SSL_read(s->ssl, piece, sizeof(piece)) : recv(s->fd, piece, sizeof(piece), 0);
        n_moved += r > 0 ? (size_t)r : 0;
        if (r > 0)
            buf_add(&s->in, piece, (size_t)r);
        else if (again(s, r))
            return;
        else
            s->closed = true;
    }
}

static void pump(struct speaker *s)
{
    if (s->ssl && !s->open) {
        ERR_clear_error();
        int r = SSL_do_handshake(s->ssl);
        s->open = r == 1;
        if (!s->open) {
            s->closed = !again(s, r);
            return;
        }
    }
    pump_out(s);
    pump_in(s);
}

/* One round of everybody. */
static void turn(void)
{
    for (size_t i = 0; i < MAX_PEERS_OF_TEST; i++)
        if (speakers[i])
            pump(speakers[i]);
    run_for(1);
}

/* While anything moves, it may take as long as it takes: machines are slow, and sanitizers slower. */
#define WAIT_FOR(cond)                                                                                                 \
    do {                                                                                                               \
        uint64_t _until = time_mono_ms() + 30000;                                                                      \
        size_t _moved = n_moved;                                                                                       \
        while (!(cond)) {                                                                                              \
            if (n_moved != _moved)                                                                                     \
                _until = time_mono_ms() + 30000;                                                                       \
            else if (time_mono_ms() > _until)                                                                          \
                fail_msg("did not happen: %s", #cond);                                                                 \
            _moved = n_moved;                                                                                          \
            turn();                                                                                                    \
        }                                                                                                              \
    } while (0)

/* Requests were handled, and nothing moves any more. */
static _unused_ void until_quiet(void)
{
    size_t before;

    WAIT_FOR(handled > 0);
    do {
        before = n_moved + handled;
        for (int i = 0; i < 50; i++)
            turn();
    } while (n_moved + handled != before);
}

static void narrow(int fd, int which)
{
    int n = PIPE_BYTES;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, which, &n, sizeof(n)), 0);
}

static struct speaker *connect_plain(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct speaker *s = mem_zalloc(sizeof(*s));
    size_t i = 0;

    a.sin_port = htons(http_server_port(server));
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    narrow(s->fd, SO_RCVBUF);
    s->in = BUF_INIT((size_t)1 << 30);
    s->out = BUF_INIT((size_t)1 << 30);
    s->open = true;
    buf_addz(&s->in, "");
    assert_int_equal(connect(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    while (speakers[i])
        i++;
    speakers[i] = s;
    return s;
}

static _unused_ void say(struct speaker *s, const char *text)
{
    buf_addz(&s->out, text);
    pump(s);
}

static void hang_up(struct speaker *s)
{
    for (size_t i = 0; i < MAX_PEERS_OF_TEST; i++)
        if (speakers[i] == s)
            speakers[i] = NULL;
    SSL_free(s->ssl);
    close(s->fd);
    buf_done(&s->in);
    buf_done(&s->out);
    free(s);
}

/* With this ALPN list in wire format ("" for none), without looking at the certificate. */
static _unused_ struct speaker *connect_tls(const char *alpn)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct speaker *s = connect_plain();

    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    s->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_fd(s->ssl, s->fd);
    if (alpn[0])
        SSL_set_alpn_protos(s->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    SSL_set_connect_state(s->ssl);
    s->open = false;
    return s;
}

/* Not by memmem: sanitizers look at all the rest of the text at each call of it. */
static _unused_ size_t count(const struct speaker *s, const char *text)
{
    const char *end = s->in.p + s->in.n;
    size_t n = 0, len = strlen(text);

    for (const char *p = s->in.p; (p = memchr(p, text[0], (size_t)(end - p))); p++)
        n += (size_t)(end - p) >= len && memcmp(p, text, len) == 0;
    return n;
}

static void server_up(size_t max_body)
{
    struct error *err = NULL;

    handled = 0;
    n_moved = 0;
    loop_set_up(NULL);
    assert_ok(http_server_new(loop, STR("127.0.0.1:0"), max_body, serve, NULL, &server, &err), err);
    narrow(server->fd, SO_SNDBUF); /* whom it accepts has the same */
}

static int server_down(void **state)
{
    for (size_t i = 0; i < MAX_PEERS_OF_TEST; i++)
        if (speakers[i])
            hang_up(speakers[i]);
    http_server_free(server);
    return loop_tear_down(state);
}

#endif
