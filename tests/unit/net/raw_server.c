/* See raw_server.h. What a test sends is small, so that a blocking send into the socket's buffer is enough. */
#include "raw_server.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void conn_end(struct raw_conn *c)
{
    if (c->server->gone)
        c->server->gone(c->server->arg, c);
    list_del(&c->link);
    loop_io_free(c->io);
    close(c->fd);
    buf_done(&c->in);
    free(c);
}

static void on_readable(void *arg, int events)
{
    struct raw_conn *c = arg;
    char piece[4096];
    ssize_t n = recv(c->fd, piece, sizeof(piece), MSG_DONTWAIT);

    (void)events;
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        c->server->closed_by_peer++;
        conn_end(c);
        return;
    }
    buf_add(&c->in, piece, (size_t)n);
    c->server->fn(c->server->arg, c);
}

static void on_accept(void *arg, int events)
{
    struct raw_server *s = arg;
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

    (void)events;
    assert(fd >= 0);
    struct raw_conn *c = mem_zalloc(sizeof(*c));
    *c = (struct raw_conn){ .server = s, .fd = fd, .index = s->accepted++, .in = BUF_INIT(BUF_MAX_DEFAULT) };
    list_add_tail(&s->conns, &c->link);
    loop_io_new(s->loop, fd, on_readable, c, &c->io, NULL);
    loop_io_watch(c->io, LOOP_READ);
}

void raw_server_start(struct raw_server *s, struct loop *loop, void (*fn)(void *arg, struct raw_conn *c), void *arg)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(a);

    *s = (struct raw_server){ .loop = loop, .fn = fn, .arg = arg };
    list_init(&s->conns);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->fd, (struct sockaddr *)&a, len) < 0 || listen(s->fd, 64) < 0 ||
        getsockname(s->fd, (struct sockaddr *)&a, &len) < 0)
        abort();
    s->port = ntohs(a.sin_port);
    loop_io_new(loop, s->fd, on_accept, s, &s->io, NULL);
    loop_io_watch(s->io, LOOP_READ);
}

void raw_server_stop(struct raw_server *s)
{
    list_for_each(it, &s->conns)
        conn_end(list_entry(it, struct raw_conn, link));
    loop_io_free(s->io);
    close(s->fd);
}

char *raw_take_head(struct raw_conn *c)
{
    const char *end = c->in.n ? memmem(c->in.p, c->in.n, "\r\n\r\n", 4) : NULL;
    struct str line, rest;

    if (!end)
        return NULL;
    str_cut(buf_str(&c->in), '\r', &line, &rest);
    char *first = str_dup(line);
    buf_consume(&c->in, (size_t)(end - c->in.p) + 4);
    return first;
}

void raw_send(struct raw_conn *c, const char *text)
{
    if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
        abort();
}

void raw_close(struct raw_conn *c)
{
    conn_end(c);
}

void raw_reset(struct raw_conn *c)
{
    struct linger l = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    conn_end(c);
}
