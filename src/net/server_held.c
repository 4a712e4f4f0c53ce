/*
 * Memory of all peers together. Each says what it holds; when that is too much, those that hold most give way, so that small requests
 * find room however many large ones there are.
 */
#include "net/server_internal.h"

void peer_keep(struct peer *p, size_t bytes)
{
    size_t now = bytes + p->out.n;
    p->kept = bytes;
    p->server->held += now - p->held;
    p->held = now;
}

static struct peer *holds_most(const struct http_server *s)
{
    struct peer *most = NULL;
    list_for_each(it, &s->peers) {
        struct peer *p = list_entry(it, struct peer, link);
        if (!most || p->held > most->held)
            most = p;
    }
    return most;
}

/* Not from inside its own callbacks. It holds less afterwards: its requests are refused, or, when it is answers that it does not take,
 * its connection ends. It is freed later, because others are being looked at. */
static void shed(struct peer *p)
{
    size_t before = p->held;
    if (p->protocol && !p->closing && !p->broken)
        p->protocol->refuse(p, 503);
    if (p->held < before) {
        loop_io_watch(p->io, LOOP_READ | LOOP_WRITE);
        if (p->closing)
            peer_deadline(p, SERVER_LINGER_MS);
        return;
    }
    p->broken = true;
    buf_done(&p->out);
    peer_keep(p, 0);
    peer_deadline(p, 0);
}

bool peer_hold(struct peer *p, size_t bytes)
{
    struct http_server *s = p->server;
    peer_keep(p, bytes);
    while (s->held > s->max_held) {
        struct peer *most = holds_most(s);
        if (most == p)
            return false;
        shed(most);
    }
    return true;
}
