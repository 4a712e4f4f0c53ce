/*
 * The end of a server that loses no request. Clients are told first and have time to go elsewhere, for the news that this server is
 * ending travels on other ways too (a load balancer that asks whether it is ready); then what has begun is finished.
 */
#include <unistd.h>

#include "net/server_internal.h"

/* Bursts of connections that are still taken in the moment when the listener is closed: more than its backlog. */
#define LAST_BURSTS 16
/* Then, for hands that are being shaken: to be done with that, and to have asked something. It is no request that is lost with them, but
 * somebody who says nothing must not hold the end up. */
#define LAST_HANDSHAKE_MS 500u

static void finish(void *arg)
{
    struct http_server *s = arg;

    if (s->phase == SERVER_FINISHED)
        return;
    s->phase = SERVER_FINISHED;
    s->on_drained(s->drained_arg);
}

void server_drain_look(struct http_server *s)
{
    if (s->phase == SERVER_FINISHES && s->n_peers == 0)
        loop_timer_start(s->loop, &s->drain, 0, finish, s);
}

/* Each peer once, although a look at one may free it or move it to the end. */
static void each_peer(struct http_server *s, void (*fn)(struct peer *p))
{
    for (unsigned left = s->n_peers; left > 0 && !list_empty(&s->peers); left--) {
        struct peer *p = list_entry(s->peers.next, struct peer, link);

        peer_begin(p);
        fn(p);
    }
}

static void tell(struct peer *p)
{
    if (!p->protocol || p->closing || p->broken)
        return;
    if (p->protocol->retire)
        p->protocol->retire(p, p->server->phase != SERVER_DRAINS);
    peer_look(p);
}

/* With its first request, a peer gets the time of a request. */
static void hurry(struct peer *p)
{
    uint64_t until = p->since + p->server->request_ms, now = peer_now(p);

    peer_deadline(p, until > now ? MIN(until - now, (uint64_t)LAST_HANDSHAKE_MS) : 0);
}

static void dismiss_idle(struct peer *p)
{
    if (p->handshaking && !p->broken)
        hurry(p);
    if (!p->protocol || p->closing || p->broken)
        return;
    if (p->protocol->is_busy(p) || p->out.n) {
        tell(p);
        return;
    }
    p->protocol->goodbye(p);
    p->closing = true;
    peer_look(p);
}

static void close_listener(struct http_server *s)
{
    for (int i = 0; i < LAST_BURSTS && server_accept(s); i++)
        ;
    loop_timer_stop(&s->pause);
    loop_io_free(s->io);
    close(s->fd);
    s->io = NULL;
    s->fd = -1;
}

static void stop_taking(void *arg)
{
    struct http_server *s = arg;

    close_listener(s);
    each_peer(s, peer_look); /* what has been sent is no longer idle */
    s->phase = SERVER_FINISHES;
    loop_timer_start(s->loop, &s->drain, s->finish_ms, finish, s);
    each_peer(s, dismiss_idle);
    server_drain_look(s);
}

void http_server_drain(struct http_server *s, uint64_t serve_ms, uint64_t finish_ms, void (*fn)(void *arg), void *arg)
{
    if (s->phase != SERVER_SERVES)
        return;
    s->phase = SERVER_DRAINS;
    s->finish_ms = finish_ms;
    s->on_drained = fn;
    s->drained_arg = arg;
    loop_timer_start(s->loop, &s->drain, serve_ms, stop_taking, s);
    each_peer(s, tell);
}
