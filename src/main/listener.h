/* A listener that does not give up: an address that is taken is tried again until it is free. */
#ifndef MAIN_LISTENER_H
#define MAIN_LISTENER_H

#include "net/server.h"

struct tls_server;

struct listener {
    struct loop *loop;
    const char *what, *address;
    size_t max_body, max_held; /* max_held 0: as the server has it */
    http_server_fn *fn;
    void *arg;
    struct tls_server *tls;     /* NULL: plain HTTP */
    struct http_server *server; /* NULL: not bound yet, or no address */
    struct loop_timer retry;
    bool warned;
};

/* Binds now or later. `what` names it in the log; address "" or "0": nothing is served. what, address and fn must outlive it.
 * -EINVAL: the address is none. */
int listener_start(struct listener *l, struct loop *loop, const char *what, const char *address, size_t max_body,
                   http_server_fn *fn, void *arg, struct error **err);
/* TLS from now on; before the listener is bound, too. Keeps a reference. */
void listener_set_tls(struct listener *l, struct tls_server *tls);
/* Another limit for what all connections hold together, as http_server_set_max_held has it. Before listener_start. */
void listener_limit(struct listener *l, size_t max_held);
/* Ends it as http_server_drain does: fn(arg) comes once, from the loop, soon when nothing is bound; listener_stop then, which also
 * cancels it. */
void listener_drain(struct listener *l, uint64_t serve_ms, uint64_t finish_ms, void (*fn)(void *arg), void *arg);
void listener_stop(struct listener *l);

#endif
