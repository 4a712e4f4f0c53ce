/*
 * See conn.h. A non-blocking socket with a uv_poll_t. States follow each other in `advance`; every failure goes through
 * `fail`, which reports once, from the loop. Freeing: conn_free closes everything at once and leaves the memory to a deferred
 * task, since it may be called from any callback.
 */
#include "net/conn.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop_internal.h"
#include "net/proxy.h"
#include "net/tls_internal.h"

/* Reads in a row before other connections get their turn. */
#define READ_BURST 16

enum state { RESOLVING, CONNECTING, PROXY_TLS, PROXY_TALK, TLS, OPEN, CLOSED };

struct resolve {
    uv_getaddrinfo_t uv;
    struct conn *conn; /* NULL: nobody waits any longer */
};

struct conn {
    struct loop *loop;
    struct url url, proxy;
    bool has_proxy;
    struct tls_client *client;
    struct conn_callbacks cb;
    void *arg;
    enum state state;
    struct resolve *resolve;
    struct addrinfo *addresses, *next_address;
    struct error *last_error; /* of the address tried last */
    int fd;
    struct loop_io *io;
    struct tls_conn *tls;
    struct proxy_talk talk;
    struct buf out;
    struct loop_timer deadline;
    struct loop_task flush_task, read_task, close_task, free_task, start_task;
    struct error *close_error;
    bool paused, freed, want_drained;
    uint64_t bytes_in, bytes_out;
};

static void advance(struct conn *c);
static void flush(void *arg);

static void close_socket(struct conn *c)
{
    tls_conn_free(TAKE_PTR(c->tls));
    loop_io_free(TAKE_PTR(c->io));
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void report_close(void *arg)
{
    struct conn *c = arg;
    c->cb.on_close(c->arg, c->close_error);
}

static void end(struct conn *c, struct error *err)
{
    if (c->state == CLOSED) {
        error_free(err);
        return;
    }
    c->state = CLOSED;
    c->close_error = err;
    loop_timer_stop(&c->deadline);
    loop_task_cancel(&c->flush_task);
    loop_task_cancel(&c->read_task);
    close_socket(c);
    loop_defer(c->loop, &c->close_task, report_close, c);
}

static const struct url *peer(const struct conn *c)
{
    return c->has_proxy ? &c->proxy : &c->url;
}

static void fail(struct conn *c, int code, const char *what)
{
    struct error *err = NULL;
    error_set(&err, code, "%s %s:%u: %s", c->has_proxy ? "proxy" : "dial tcp", peer(c)->host, peer(c)->port, what);
    end(c, err);
}

/* --- output --- */

static ssize_t raw_write(struct conn *c, const char *p, size_t n)
{
    if (c->tls)
        return tls_conn_write(c->tls, p, n);
    ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL);
    return r >= 0 ? r : errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
}

static void watch(struct conn *c)
{
    if (!c->io)
        return;
    bool write = c->out.n > 0 || (c->tls && tls_conn_wants_write(c->tls) && c->state != OPEN);
    bool read = !(c->paused && c->state == OPEN);
    loop_io_watch(c->io, (read ? LOOP_READ : 0) | (write ? LOOP_WRITE : 0));
}

static void flush(void *arg)
{
    struct conn *c = arg;
    size_t done = 0;
    while (done < c->out.n && c->state != CLOSED) {
        ssize_t n = raw_write(c, c->out.p + done, c->out.n - done);
        if (n == -EAGAIN || n == 0)
            break;
        if (n < 0) {
            fail(c, -ECONNRESET, "connection reset by peer");
            return;
        }
        done += (size_t)n;
    }
    c->bytes_out += done;
    buf_consume(&c->out, done);
    if (c->out.n == 0)
        buf_done(&c->out); /* an idle connection keeps no buffer */
    watch(c);
    if (c->out.n == 0 && c->want_drained && c->state == OPEN) {
        c->want_drained = false;
        if (c->cb.on_drained)
            c->cb.on_drained(c->arg);
    }
}

int conn_write(struct conn *c, struct str bytes)
{
    if (c->state != OPEN)
        return -ENOTCONN;
    if (buf_adds(&c->out, bytes) < 0) {
        buf_reset(&c->out);
        fail(c, -EFBIG, "the peer does not read");
        return -EFBIG;
    }
    c->want_drained = true;
    loop_defer(c->loop, &c->flush_task, flush, c);
    return 0;
}

size_t conn_pending(const struct conn *c)
{
    return c->out.n;
}

/* --- input --- */

static ssize_t raw_read(struct conn *c, char *p, size_t n)
{
    if (c->tls)
        return tls_conn_read(c->tls, p, n);
    ssize_t r = recv(c->fd, p, n, 0);
    return r >= 0 ? r : errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
}

static void read_some(struct conn *c);

static void read_again(void *arg)
{
    read_some(arg);
}

/* The buffer holds a whole TLS record: what is left is still in the socket, and the next poll announces it. But a record of
 * an https proxy may hold many of the connection inside it, and those are no longer in the socket. */
static void expect_more(struct conn *c)
{
    if (c->state == OPEN && !c->paused && c->tls && tls_conn_has_pending(c->tls))
        loop_defer(c->loop, &c->read_task, read_again, c);
}

static void read_some(struct conn *c)
{
    for (int i = 0; i < READ_BURST && c->state == OPEN && !c->paused; i++) {
        ssize_t n = raw_read(c, c->loop->scratch, LOOP_SCRATCH_SIZE);
        if (n == -EAGAIN)
            return;
        if (n == 0) {
            end(c, NULL);
            return;
        }
        if (n < 0) {
            fail(c, -ECONNRESET, "connection reset by peer");
            return;
        }
        c->bytes_in += (uint64_t)n;
        c->cb.on_data(c->arg, str_n(c->loop->scratch, (size_t)n));
        /* There may be secrets among it. c lives until the next round, whatever was done with it. */
        explicit_bzero(c->loop->scratch, (size_t)n);
    }
    expect_more(c);
}

void conn_pause(struct conn *c, bool paused)
{
    c->paused = paused;
    if (c->state != OPEN)
        return;
    watch(c);
    expect_more(c);
}

/* --- becoming open --- */

static void open_now(struct conn *c, bool http2)
{
    c->state = OPEN;
    loop_timer_stop(&c->deadline);
    watch(c);
    expect_more(c);
    c->cb.on_open(c->arg, http2);
}

static void start_tls(struct conn *c, struct tls_client *client, const char *host, enum state state, bool alpn)
{
    struct error *err = NULL;
    struct tls_conn *tls = NULL;
    if (tls_conn_new(client, host, c->fd, c->tls, alpn, &tls, &err) < 0) {
        end(c, err);
        return;
    }
    c->tls = tls;
    c->state = state;
    advance(c);
}

static void after_transport(struct conn *c)
{
    if (c->client)
        start_tls(c, c->client, c->url.host, TLS, true);
    else
        open_now(c, false);
}

static void begin_talk(struct conn *c)
{
    c->state = PROXY_TALK;
    proxy_begin(&c->talk, &c->proxy, &c->url, &c->out);
    flush(c);
}

static void connected(struct conn *c)
{
    if (!c->has_proxy) {
        after_transport(c);
        return;
    }
    if (strcmp(c->proxy.scheme, "https") != 0) {
        begin_talk(c);
        return;
    }
    struct tls_client *client = NULL;
    struct error *err = NULL;
    if (tls_client_for_proxy(c->client, &client, &err) < 0) {
        end(c, err);
        return;
    }
    start_tls(c, client, c->proxy.host, PROXY_TLS, false);
    tls_client_unref(client);
}

static void handshake(struct conn *c)
{
    struct error *err = NULL;
    int r = tls_conn_handshake(c->tls, &err);
    if (r == -EAGAIN) {
        watch(c);
        return;
    }
    if (r < 0) {
        error_wrap(&err, "%s:%u", c->state == TLS ? c->url.host : c->proxy.host,
                   c->state == TLS ? c->url.port : c->proxy.port);
        end(c, err);
        return;
    }
    if (c->state == TLS)
        open_now(c, tls_conn_is_h2(c->tls));
    else
        begin_talk(c);
}

static void talk(struct conn *c)
{
    char chunk[512];
    for (;;) {
        ssize_t n = raw_read(c, chunk, sizeof(chunk));
        if (n == -EAGAIN) {
            watch(c);
            return;
        }
        if (n <= 0) {
            fail(c, -ECONNRESET, "the proxy closed the connection");
            return;
        }
        struct error *err = NULL;
        int r = proxy_feed(&c->talk, str_n(chunk, (size_t)n), &c->out, &err);
        if (r < 0) {
            fail(c, r, error_msg(err));
            error_free(err);
            return;
        }
        if (r == 1) {
            after_transport(c);
            return;
        }
        flush(c);
        if (c->state == CLOSED)
            return;
    }
}

static void try_next_address(struct conn *c);

static void check_connect(struct conn *c)
{
    int e = 0;
    socklen_t len = sizeof(e);
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &len);
    if (e == 0) {
        connected(c);
        return;
    }
    error_set(&c->last_error, -e, "%s", strerror(e));
    close_socket(c);
    try_next_address(c);
}

static void advance(struct conn *c)
{
    switch (c->state) {
    case CONNECTING: check_connect(c); break;
    case PROXY_TLS:
    case TLS: handshake(c); break;
    case PROXY_TALK: talk(c); break;
    case OPEN: read_some(c); break;
    case RESOLVING:
    case CLOSED: break;
    }
}

static void on_io(void *arg, int events)
{
    struct conn *c = arg;
    if ((events & LOOP_WRITE) && (c->state == OPEN || c->state == PROXY_TALK) && c->out.n)
        flush(c);
    if (c->state != OPEN || (events & LOOP_READ) || c->tls)
        advance(c);
}

static int open_socket(struct conn *c, const struct addrinfo *a)
{
    c->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return -errno;
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    if (connect(c->fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS)
        return -errno;
    int r = loop_io_new(c->loop, c->fd, on_io, c, &c->io, NULL);
    if (r == 0)
        loop_io_watch(c->io, LOOP_WRITE);
    return r;
}

static void try_next_address(struct conn *c)
{
    while (c->next_address) {
        const struct addrinfo *a = c->next_address;
        c->next_address = a->ai_next;
        c->state = CONNECTING;
        int r = open_socket(c, a);
        if (r == 0)
            return;
        error_set(&c->last_error, r, "%s", strerror(-r));
        close_socket(c);
    }
    fail(c, c->last_error ? c->last_error->code : -EHOSTUNREACH,
         c->last_error ? error_msg(c->last_error) : "no address");
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct resolve *r = container_of(req, struct resolve, uv);
    struct conn *c = r->conn;
    free(r);
    if (!c) {
        uv_freeaddrinfo(list);
        return;
    }
    c->resolve = NULL;
    if (status < 0) {
        _cleanup_free_ char *text = mem_printf("lookup %s: %s", peer(c)->host, uv_strerror(status));
        fail(c, -EHOSTUNREACH, text);
        return;
    }
    c->addresses = c->next_address = list;
    try_next_address(c);
}

static void on_deadline(void *arg)
{
    struct conn *c = arg;
    static const char *const what[] = { "name resolution timed out",
                                        "i/o timeout",
                                        "TLS handshake with the proxy timed out",
                                        "the proxy does not answer",
                                        "TLS handshake timeout",
                                        "",
                                        "" };
    fail(c, -ETIMEDOUT, what[c->state]);
}

static void begin(void *arg)
{
    struct conn *c = arg;
    char port[8];
    snprintf(port, sizeof(port), "%u", peer(c)->port);
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
    if (getaddrinfo(peer(c)->host, port, &hints, &c->addresses) == 0) {
        c->next_address = c->addresses;
        try_next_address(c);
        return;
    }
    c->addresses = NULL;
    hints.ai_flags = AI_ADDRCONFIG;
    c->resolve = mem_zalloc(sizeof(*c->resolve));
    c->resolve->conn = c;
    int r = uv_getaddrinfo(&c->loop->uv, &c->resolve->uv, on_resolved, peer(c)->host, port, &hints);
    if (r < 0) {
        free(TAKE_PTR(c->resolve));
        fail(c, r, uv_strerror(r));
    }
}

static void copy_url(struct url *to, const struct url *from)
{
    *to = (struct url){ mem_strdup(from->scheme), mem_strdup(from->host), from->port,
                        mem_strdup(from->path),   mem_strdup(from->user), mem_strdup(from->password) };
}

struct conn *conn_start(const struct conn_spec *spec, const struct conn_callbacks *cb, void *arg)
{
    struct conn *c = mem_zalloc(sizeof(*c));
    c->loop = spec->loop;
    copy_url(&c->url, spec->url);
    if (spec->proxy) {
        copy_url(&c->proxy, spec->proxy);
        c->has_proxy = true;
    }
    c->client = spec->tls ? tls_client_ref(spec->tls) : NULL;
    c->cb = *cb;
    c->arg = arg;
    c->fd = -1;
    c->out = BUF_SECRET_INIT(CONN_OUT_MAX);
    loop_timer_start(c->loop, &c->deadline, spec->timeout_ms, on_deadline, c);
    loop_defer(c->loop, &c->start_task, begin, c);
    return c;
}

/* --- end --- */

static void free_now(void *arg)
{
    struct conn *c = arg;
    if (c->addresses)
        freeaddrinfo(c->addresses);
    error_free(c->last_error);
    error_free(c->close_error);
    tls_client_unref(c->client);
    proxy_done(&c->talk);
    buf_done(&c->out);
    url_done(&c->url);
    url_done(&c->proxy);
    free(c);
}

void conn_free(struct conn *c)
{
    if (!c || c->freed)
        return;
    c->freed = true;
    c->state = CLOSED;
    loop_timer_stop(&c->deadline);
    loop_task_cancel(&c->flush_task);
    loop_task_cancel(&c->read_task);
    loop_task_cancel(&c->close_task);
    loop_task_cancel(&c->start_task);
    if (c->resolve) {
        c->resolve->conn = NULL;
        uv_cancel((uv_req_t *)&c->resolve->uv);
    }
    close_socket(c);
    loop_defer(c->loop, &c->free_task, free_now, c);
}

uint64_t conn_bytes_in(const struct conn *c)
{
    return c->bytes_in;
}

uint64_t conn_bytes_out(const struct conn *c)
{
    return c->bytes_out;
}
