/*
 * See server.h. One `struct peer` per accepted connection: handshake, bytes in, bytes out, time, and what it holds. What the bytes
 * mean is in server_h1.c and server_h2.c. Peers are freed in one place only, when a callback of theirs returns.
 */
#include "net/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http1.h"
#include "net/loop_internal.h"
#include "net/server_internal.h"
#include "net/tls_internal.h"
#include "net/tls_server.h"

#define MAX_PEERS 256u
#define REQUEST_MS 30000u
#define IDLE_MS 60000u
#define MAX_HELD ((size_t)64 << 20)
/* Hands that are being shaken: beyond so many, or after so long, they make room before anybody else does. Both, because few of them
 * are a burst of clients, who must not take each other's place. */
#define MAX_HANDSHAKES 64u
#define HANDSHAKE_PATIENCE_MS 2000u
/* Reads in a row before other connections get their turn. */
#define READ_BURST 16
/* Connections that are accepted in a row: the same, and what was given up is freed only between two polls. */
#define ACCEPT_BURST 16
/* After a failed accept (no file descriptors left): the listener rests, since the same event would come at once again. */
#define ACCEPT_PAUSE_MS 100u

static void peer_free(struct peer *p)
{
    struct http_server *s = p->server;
    list_del(&p->link);
    s->n_peers--;
    s->held -= p->held;
    loop_timer_stop(&p->timer);
    if (p->protocol)
        p->protocol->free(p);
    tls_conn_free(p->tls);
    loop_io_free(p->io);
    close(p->fd);
    buf_done(&p->out);
    free(p);
    server_drain_look(s);
}

static void settle(struct peer *p);
static void on_timeout(void *arg);

void peer_deadline(struct peer *p, uint64_t ms)
{
    loop_timer_start(p->server->loop, &p->timer, ms, on_timeout, p);
}

static void on_timeout(void *arg)
{
    struct peer *p = arg;
    if (p->broken || p->lingering || p->closing || !p->protocol) {
        peer_free(p);
        return;
    }
    p->protocol->on_timeout(p);
    if (p->closing)
        peer_deadline(p, SERVER_LINGER_MS);
    settle(p);
}

/* --- for the protocols --- */

void server_request_init(struct server_request *r, struct peer *p)
{
    *r = (struct server_request){ .method = BUF_INIT(64),
                                  .target = BUF_INIT(HTTP1_MAX_LINE),
                                  .body = BUF_INIT(p->server->max_body) };
}

void server_request_done(struct server_request *r)
{
    buf_done(&r->method);
    buf_done(&r->target);
    buf_done(&r->body);
    header_block_done(&r->headers);
}

size_t server_request_size(const struct server_request *r)
{
    return r->target.n + r->headers.text.n + r->body.n;
}

void peer_handle(struct peer *p, struct server_request *r, struct http_server_response *resp)
{
    struct http_server *s = p->server;
    struct str target = buf_str(&r->target), path, query;
    if (!str_cut(target, '?', &path, &query))
        path = target;
    struct http_server_request req = { .method = buf_str(&r->method),
                                       .path = path,
                                       .query = query,
                                       .headers = header_block_get(&r->headers),
                                       .n_headers = r->headers.n,
                                       .body = buf_str(&r->body),
                                       .from_here = p->from_here };
    *resp = (struct http_server_response){ .status = 500,
                                           .content_type = "text/plain",
                                           .body = BUF_INIT(SERVER_RESPONSE_MAX) };
    s->fn(s->arg, &req, resp);
    peer_begin(p);
}

void peer_begin(struct peer *p)
{
    list_del(&p->link);
    list_add_tail(&p->server->peers, &p->link);
}

bool peer_is_retiring(const struct peer *p)
{
    return p->server->phase != SERVER_SERVES;
}

void peer_write(struct peer *p, struct str bytes)
{
    if (buf_adds(&p->out, bytes) < 0)
        p->broken = true;
}

uint64_t peer_now(const struct peer *p)
{
    return loop_now(p->server->loop);
}

void peer_await_request(struct peer *p, uint64_t since_ms)
{
    uint64_t until = since_ms + p->server->request_ms, now = peer_now(p);
    peer_deadline(p, until > now ? until - now : 0);
}

void peer_await_next(struct peer *p)
{
    peer_deadline(p, p->server->idle_ms);
}

const char *server_status_text(int status)
{
    switch (status) {
    case 200: return "OK";
    case 301: return "Moved Permanently";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "Status";
    }
}

/* --- bytes --- */

static ssize_t raw_write(struct peer *p, const char *from, size_t n)
{
    if (p->tls)
        return tls_conn_write(p->tls, from, n);
    ssize_t r = send(p->fd, from, n, MSG_NOSIGNAL);
    return r >= 0 ? r : errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t raw_read(struct peer *p, char *to, size_t n)
{
    if (p->tls)
        return tls_conn_read(p->tls, to, n);
    ssize_t r = recv(p->fd, to, n, 0);
    return r >= 0 ? r : errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
}

static void write_out(struct peer *p)
{
    size_t done = 0;
    while (done < p->out.n) {
        ssize_t n = raw_write(p, p->out.p + done, p->out.n - done);
        if (n == -EAGAIN || n == 0)
            break;
        if (n < 0) {
            p->broken = true;
            return;
        }
        done += (size_t)n;
    }
    buf_consume(&p->out, done);
    if (p->out.n == 0)
        buf_done(&p->out); /* an idle connection keeps no buffer */
}

static bool has_room(const struct peer *p)
{
    return p->out.n < SERVER_OUT_HIGH;
}

static void read_in(struct peer *p)
{
    for (int i = 0; i < READ_BURST && !p->closing && !p->broken && has_room(p); i++) {
        ssize_t n = raw_read(p, p->server->loop->scratch, LOOP_SCRATCH_SIZE);
        if (n == -EAGAIN)
            return;
        if (n == 0 && p->out.n) { /* it only wants to read from now on */
            p->closing = true;
            return;
        }
        if (n <= 0) {
            p->broken = true;
            return;
        }
        p->protocol->on_data(p, str_n(p->server->loop->scratch, (size_t)n));
    }
}

static void start(struct peer *p, bool http2)
{
    p->handshaking = false;
    if (!http2)
        peer_start_h1(p);
    else if (peer_start_h2(p) < 0)
        p->broken = true;
}

static void shake_hands(struct peer *p)
{
    int r = tls_conn_handshake(p->tls, NULL);
    if (r == 0)
        start(p, tls_conn_is_h2(p->tls));
    else if (r != -EAGAIN)
        p->broken = true;
}

/* The last answer is written. Closing with input unread would make the kernel reset the connection, and the peer would lose the
 * answer: what it still sends is read and thrown away for a moment. */
static void linger(struct peer *p)
{
    p->lingering = true;
    shutdown(p->fd, SHUT_WR);
    peer_deadline(p, SERVER_LINGER_MS);
    loop_io_watch(p->io, LOOP_READ);
}

static void on_lingering(struct peer *p)
{
    for (int i = 0; i < READ_BURST; i++) {
        ssize_t n = recv(p->fd, p->server->loop->scratch, LOOP_SCRATCH_SIZE, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            peer_free(p);
            return;
        }
    }
}

/* What is to happen next; frees the peer when it is over. */
static void settle(struct peer *p)
{
    if (p->out.n && !p->broken)
        write_out(p);
    /* What could not be done for want of room, as long as that brings output that can be written. */
    while (p->protocol && !p->broken && !p->closing && p->out.n == 0) {
        p->protocol->on_drained(p);
        if (p->out.n == 0)
            break;
        write_out(p);
    }
    if (p->broken) {
        peer_free(p);
        return;
    }
    peer_keep(p, p->kept);
    if (p->closing && p->out.n == 0) {
        linger(p);
        return;
    }
    bool write = p->handshaking ? tls_conn_wants_write(p->tls) : p->out.n > 0;
    loop_io_watch(p->io, (has_room(p) && !p->closing ? LOOP_READ : 0) | (write ? LOOP_WRITE : 0));
}

void peer_look(struct peer *p)
{
    if (p->lingering) {
        on_lingering(p);
        return;
    }
    if (p->handshaking)
        shake_hands(p);
    if (p->out.n && !p->broken)
        write_out(p);
    /* What waits for room comes before what is new: so it cannot add up. */
    if (p->protocol && !p->broken && !p->closing && has_room(p))
        p->protocol->on_drained(p);
    if (p->protocol && !p->broken)
        read_in(p);
    settle(p);
}

static void on_peer(void *arg, int events)
{
    (void)events;
    peer_look(arg);
}

void peer_dismiss(struct peer *p)
{
    if (p->protocol && !p->closing && !p->broken) {
        p->protocol->goodbye(p);
        write_out(p);
    }
    peer_free(p);
}

/* --- accepting --- */

static bool is_loopback(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage room;
    } a = { 0 };
    socklen_t len = sizeof(a);

    if (getpeername(fd, &a.any, &len) < 0)
        return false;
    if (a.any.sa_family == AF_INET)
        return (ntohl(a.v4.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
    return a.any.sa_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr) ||
            (IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr) && a.v6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET));
}

static int peer_new(struct http_server *s, struct tls_server *tls, int fd, bool http2)
{
    struct peer *p = mem_zalloc(sizeof(*p));
    int one = 1;
    p->server = s;
    p->fd = fd;
    p->since = loop_now(s->loop);
    p->from_here = is_loopback(fd);
    p->out = BUF_INIT(SERVER_RESPONSE_MAX + HTTP1_MAX_HEAD + SERVER_OUT_HIGH);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (loop_io_new(s->loop, fd, on_peer, p, &p->io, NULL) < 0 ||
        (tls && tls_conn_accept(tls, fd, &p->tls, NULL) < 0)) {
        loop_io_free(p->io);
        close(fd);
        free(p);
        return -EIO;
    }
    list_add_tail(&s->peers, &p->link);
    s->n_peers++;
    peer_await_request(p, peer_now(p));
    p->handshaking = p->tls != NULL;
    if (!p->tls)
        start(p, http2);
    settle(p);
    return 0;
}

int server_adopt(struct http_server *s, int fd, bool http2)
{
    return peer_new(s, NULL, fd, http2);
}

static void accept_again(void *arg)
{
    struct http_server *s = arg;
    loop_io_watch(s->io, LOOP_READ);
}

/* Who makes room for a new one. */
static struct peer *to_evict(const struct http_server *s)
{
    struct peer *oldest = NULL;
    unsigned n = 0;
    list_for_each(it, &s->peers) {
        struct peer *p = list_entry(it, struct peer, link);
        if (p->handshaking && n++ == 0)
            oldest = p;
    }
    if (oldest && (n > MAX_HANDSHAKES || loop_now(s->loop) - oldest->since >= HANDSHAKE_PATIENCE_MS))
        return oldest;
    return list_entry(s->peers.next, struct peer, link);
}

/* Of the one connection that was next, or of a signal: the others wait on (accept(2), "Error handling"). */
static bool next_may_come(int code)
{
    switch (code) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EPERM: /* a firewall */ return true;
    default: return false;
    }
}

bool server_accept(struct http_server *s)
{
    for (int i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && next_may_come(errno))
            continue;
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            loop_io_watch(s->io, 0);
            loop_timer_start(s->loop, &s->pause, ACCEPT_PAUSE_MS, accept_again, s);
        }
        if (fd < 0)
            return false;
        if (s->n_peers >= MAX_PEERS)
            peer_dismiss(to_evict(s));
        peer_new(s, s->tls, fd, false);
    }
    return true;
}

static void on_accept(void *arg, int events)
{
    (void)events;
    server_accept(arg);
}

/* --- life --- */

int http_server_new(struct loop *l, struct str address, size_t max_body, http_server_fn *fn, void *arg,
                    struct http_server **ret, struct error **err)
{
    int fd = -1;
    uint16_t port = 0;
    int r = server_listen(address, &fd, &port, err);
    if (r < 0)
        return r;
    struct http_server *s = mem_zalloc(sizeof(*s));
    *s = (struct http_server){ .loop = l,
                               .fd = fd,
                               .port = port,
                               .max_body = max_body,
                               .max_held = MAX_HELD,
                               .request_ms = REQUEST_MS,
                               .idle_ms = IDLE_MS,
                               .fn = fn,
                               .arg = arg };
    list_init(&s->peers);
    r = loop_io_new(l, fd, on_accept, s, &s->io, err);
    if (r < 0) {
        close(fd);
        free(s);
        return r;
    }
    loop_io_watch(s->io, LOOP_READ);
    *ret = s;
    return 0;
}

void http_server_set_tls(struct http_server *s, struct tls_server *tls)
{
    struct tls_server *old = s->tls;
    s->tls = tls_server_ref(tls);
    tls_server_unref(old);
}

void http_server_set_times(struct http_server *s, uint64_t request_ms, uint64_t idle_ms)
{
    s->request_ms = request_ms;
    s->idle_ms = idle_ms;
}

void http_server_set_max_held(struct http_server *s, size_t bytes)
{
    s->max_held = bytes;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    s->phase = SERVER_FINISHED;
    list_for_each(it, &s->peers)
        peer_dismiss(list_entry(it, struct peer, link));
    loop_timer_stop(&s->pause);
    loop_timer_stop(&s->drain);
    loop_io_free(s->io);
    if (s->fd >= 0)
        close(s->fd);
    tls_server_unref(s->tls);
    free(s);
}
