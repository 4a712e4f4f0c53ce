/*
 * See server.h. One `struct peer` per accepted connection, HTTP/1.1 with keep-alive, answers written at once or when the
 * socket takes them. Requests are handled one after another; pipelined bytes wait in `rest`.
 */
#include "net/server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http1.h"
#include "net/http_internal.h"
#include "net/loop_internal.h"

#define MAX_PEERS 256u
#define REQUEST_TIMEOUT_MS 30000u
#define IDLE_TIMEOUT_MS 60000u
#define RESPONSE_MAX ((size_t)64 << 20)

struct http_server {
    struct loop *loop;
    int fd;
    struct loop_io *io;
    uint16_t port;
    size_t max_body;
    http_server_fn *fn;
    void *arg;
    struct list peers;
    unsigned n_peers;
};

struct peer {
    struct http_server *server;
    struct list link;
    int fd;
    struct loop_io *io;
    struct http1_parser parser;
    struct buf method, target, body, rest, out;
    struct header_block headers;
    struct loop_timer timer;
    bool closing; /* after the output is written */
};

static void peer_free(struct peer *p)
{
    list_del(&p->link);
    p->server->n_peers--;
    loop_timer_stop(&p->timer);
    loop_io_free(p->io);
    close(p->fd);
    http1_done(&p->parser);
    header_block_done(&p->headers);
    buf_done(&p->method);
    buf_done(&p->target);
    buf_done(&p->body);
    buf_done(&p->rest);
    buf_done(&p->out);
    free(p);
}

static void on_timeout(void *arg)
{
    peer_free(arg);
}

/* --- parsing --- */

static int on_request(void *arg, struct str method, struct str target)
{
    struct peer *p = arg;
    buf_adds(&p->method, method);
    return buf_adds(&p->target, target);
}

static int on_header(void *arg, struct str name, struct str value)
{
    struct peer *p = arg;
    return header_block_add(&p->headers, name, value);
}

static int on_body(void *arg, struct str bytes)
{
    struct peer *p = arg;
    return buf_adds(&p->body, bytes);
}

static void reset(struct peer *p)
{
    http1_reset(&p->parser);
    buf_reset(&p->method);
    buf_reset(&p->target);
    buf_done(&p->body);
    header_block_done(&p->headers);
}

/* --- answering --- */

static const char *status_text(int status)
{
    switch (status) {
    case 200: return "OK";
    case 301: return "Moved Permanently";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 413: return "Content Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "Status";
    }
}

static void put_response(struct peer *p, int status, const char *type, struct str body)
{
    buf_printf(&p->out, "HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %zu\r\n%s\r\n", status,
               status_text(status), type, body.n, p->closing ? "connection: close\r\n" : "");
    if (!str_eqc(buf_str(&p->method), "HEAD"))
        buf_adds(&p->out, body);
}

static void answer(struct peer *p)
{
    struct http_server *s = p->server;
    struct str target = buf_str(&p->target), path, query;
    if (!str_cut(target, '?', &path, &query))
        path = target;
    struct http_server_request req = { .method = buf_str(&p->method),
                                       .path = path,
                                       .query = query,
                                       .headers = header_block_get(&p->headers),
                                       .n_headers = p->headers.n,
                                       .body = buf_str(&p->body) };
    struct http_server_response resp = { .status = 500, .content_type = "text/plain", .body = BUF_INIT(RESPONSE_MAX) };
    s->fn(s->arg, &req, &resp);
    p->closing |= !p->parser.keep_alive;
    put_response(p, resp.status, resp.content_type, buf_str(&resp.body));
    buf_done(&resp.body);
}

static void refuse(struct peer *p, int r)
{
    p->closing = true;
    int status = r == -EFBIG ? 413 : 400;
    _cleanup_buf_ struct buf text = BUF_INIT(256);
    buf_printf(&text, "%d %s\n", status, status_text(status));
    put_response(p, status, "text/plain", buf_str(&text));
    buf_done(&p->rest);
}

/* Handles every complete request in `rest`. */
static void work(struct peer *p)
{
    while (p->rest.n && !p->closing) {
        size_t used = 0;
        int r = http1_feed(&p->parser, buf_str(&p->rest), &used, NULL);
        buf_consume(&p->rest, used);
        if (r < 0) {
            refuse(p, r);
            return;
        }
        if (p->parser.state != HTTP1_DONE)
            return;
        answer(p);
        reset(p);
        loop_timer_start(p->server->loop, &p->timer, IDLE_TIMEOUT_MS, on_timeout, p);
    }
}

/* false: the peer is gone. */
static bool write_out(struct peer *p)
{
    while (p->out.n) {
        ssize_t n = send(p->fd, p->out.p, p->out.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            peer_free(p);
            return false;
        }
        buf_consume(&p->out, (size_t)n);
    }
    if (p->out.n == 0) {
        buf_done(&p->out);
        if (p->closing) {
            peer_free(p);
            return false;
        }
    }
    loop_io_watch(p->io, LOOP_READ | (p->out.n ? LOOP_WRITE : 0));
    return true;
}

static void on_peer(void *arg, int events)
{
    struct peer *p = arg;
    if ((events & LOOP_WRITE) && !write_out(p))
        return;
    if (!(events & LOOP_READ))
        return;
    ssize_t n = recv(p->fd, p->server->loop->scratch, LOOP_SCRATCH_SIZE, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        peer_free(p);
        return;
    }
    if (p->parser.state == HTTP1_START && p->rest.n == 0)
        loop_timer_start(p->server->loop, &p->timer, REQUEST_TIMEOUT_MS, on_timeout, p);
    if (!p->closing && buf_add(&p->rest, p->server->loop->scratch, (size_t)n) < 0)
        refuse(p, -EFBIG);
    work(p);
    write_out(p);
}

static void on_accept(void *arg, int events)
{
    (void)events;
    struct http_server *s = arg;
    for (;;) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct peer *p = mem_zalloc(sizeof(*p));
        p->server = s;
        p->fd = fd;
        if (s->n_peers >= MAX_PEERS || loop_io_new(s->loop, fd, on_peer, p, &p->io, NULL) < 0) {
            close(fd);
            free(p);
            continue;
        }
        list_add_tail(&s->peers, &p->link);
        s->n_peers++;
        p->method = BUF_INIT(64);
        p->target = BUF_INIT(HTTP1_MAX_LINE);
        p->body = BUF_INIT(s->max_body);
        p->rest = BUF_INIT(s->max_body + HTTP1_MAX_HEAD + LOOP_SCRATCH_SIZE);
        p->out = BUF_INIT(RESPONSE_MAX + HTTP1_MAX_HEAD);
        p->parser = (struct http1_parser){
            .is_request = true, .on_request = on_request, .on_header = on_header, .on_body = on_body, .arg = p
        };
        http1_reset(&p->parser);
        loop_timer_start(s->loop, &p->timer, REQUEST_TIMEOUT_MS, on_timeout, p);
        loop_io_watch(p->io, LOOP_READ);
    }
}

/* --- life --- */

static int bind_to(const struct addrinfo *a, int *ret_fd)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int one = 1, zero = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (a->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 128) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    char port[8];
    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0 ||
        getnameinfo((struct sockaddr *)&addr, len, NULL, 0, port, sizeof(port), NI_NUMERICSERV) != 0)
        return 0;
    uint64_t n = 0;
    str_to_u64(str_of(port), &n);
    return (uint16_t)n;
}

static int listen_fd(struct str address, int *ret_fd, struct error **err)
{
    struct str host, port;
    if (!str_rcut(address, ':', &host, &port))
        return error_set(err, -EINVAL, "address \"%" PRIstr "\" has no port", STRARG(address));
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = str_n(host.p + 1, host.n - 2);
    _cleanup_free_ char *h = host.n ? str_dup(host) : NULL, *p = str_dup(port);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *list = NULL;
    int r = getaddrinfo(h, p, &hints, &list);
    if (r != 0)
        return error_set(err, -EINVAL, "address \"%" PRIstr "\": %s", STRARG(address), gai_strerror(r));
    r = -EADDRNOTAVAIL;
    for (int pass = 0; pass < 2 && r < 0; pass++) /* IPv6 first: it takes IPv4 connections too */
        for (const struct addrinfo *a = list; a && r < 0; a = a->ai_next)
            if ((a->ai_family == AF_INET6) == (pass == 0))
                r = bind_to(a, ret_fd);
    freeaddrinfo(list);
    if (r < 0)
        return error_set(err, r, "listen on \"%" PRIstr "\": %s", STRARG(address), strerror(-r));
    return 0;
}

int http_server_new(struct loop *l, struct str address, size_t max_body, http_server_fn *fn, void *arg,
                    struct http_server **ret, struct error **err)
{
    int fd = -1;
    int r = listen_fd(address, &fd, err);
    if (r < 0)
        return r;
    struct http_server *s = mem_zalloc(sizeof(*s));
    *s = (struct http_server){ .loop = l, .fd = fd, .port = port_of(fd), .max_body = max_body, .fn = fn, .arg = arg };
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

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    list_for_each(it, &s->peers)
        peer_free(list_entry(it, struct peer, link));
    loop_io_free(s->io);
    close(s->fd);
    free(s);
}
