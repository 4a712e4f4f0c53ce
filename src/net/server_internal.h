/* Inside of the server: a peer is one accepted connection and speaks one of two protocols. For src/net only. */
#ifndef NET_SERVER_INTERNAL_H
#define NET_SERVER_INTERNAL_H

#include "net/http_internal.h"
#include "net/server.h"

#define SERVER_RESPONSE_MAX ((size_t)64 << 20)
/* For a peer that is told to go to take its last answer. */
#define SERVER_LINGER_MS 1000u
/* Output beyond this waits until the peer has read: nothing more is done for it meanwhile. */
#define SERVER_OUT_HIGH ((size_t)128 << 10)

struct peer;
/* A protocol never frees the peer: it sets `broken` or `closing`, and the server looks when it returns. */
struct protocol {
    void (*on_data)(struct peer *p, struct str bytes);
    void (*on_drained)(struct peer *p); /* there is room for output again */
    /* The time is over: sets a new one, or `closing`, or `broken`. */
    void (*on_timeout)(struct peer *p);
    void (*goodbye)(struct peer *p);            /* the connection is about to be closed */
    bool (*is_busy)(const struct peer *p);      /* a request is under way, or an answer not yet written to p->out */
    void (*refuse)(struct peer *p, int status); /* answers what is incomplete, and keeps nothing of it */
    /* The server drains. `last`: new connections are not taken any more. May come several times. NULL: nothing to tell. */
    void (*retire)(struct peer *p, bool last);
    void (*free)(struct peer *p);
};

struct http_server {
    struct loop *loop;
    int fd; /* -1: takes no connections any more */
    struct loop_io *io;
    struct loop_timer pause;
    uint16_t port;
    size_t max_body, max_held;
    uint64_t request_ms, idle_ms;
    http_server_fn *fn;
    void *arg;
    struct tls_server *tls;
    struct list peers;
    unsigned n_peers;
    size_t held; /* by all peers */
    /* server_drain.c */
    enum { SERVER_SERVES, SERVER_DRAINS, SERVER_FINISHES, SERVER_FINISHED } phase;
    uint64_t finish_ms;
    struct loop_timer drain;
    void (*on_drained)(void *arg);
    void *drained_arg;
};

struct peer {
    struct http_server *server;
    struct list link; /* the one that was active longest ago is first */
    int fd;
    struct loop_io *io;
    struct tls_conn *tls; /* NULL: plain */
    bool handshaking;
    uint64_t since; /* loop_now, when it was accepted */
    bool from_here;
    const struct protocol *protocol; /* NULL while handshaking */
    void *state;                     /* of the protocol */
    struct buf out;
    size_t kept; /* bytes that the protocol said it holds */
    size_t held; /* that and the output, as counted for the server */
    struct loop_timer timer;
    bool closing; /* after the output is written */
    bool broken;  /* at once */
    bool lingering;
};

/* One request as the protocols collect it. */
struct server_request {
    struct buf method, target, body;
    struct header_block headers;
};
void server_request_init(struct server_request *r, struct peer *p);
void server_request_done(struct server_request *r);
size_t server_request_size(const struct server_request *r);

/* Calls the handler. resp->body is to be freed by the caller. */
void peer_handle(struct peer *p, struct server_request *r, struct http_server_response *resp);
void peer_write(struct peer *p, struct str bytes);
/* The timer of a peer: its time is over then. */
void peer_deadline(struct peer *p, uint64_t ms);
/* server_held.c. Says how much this peer holds for requests and answers now. When that is too much for all peers together, those
 * that hold most lose their requests. false: that is this one. */
bool peer_hold(struct peer *p, size_t bytes);
void peer_keep(struct peer *p, size_t bytes); /* the same without consequences */
/* An idle peer begins a request: it is the last one now to be closed for want of room. */
void peer_begin(struct peer *p);
/* Answers are to say that the connection ends. */
bool peer_is_retiring(const struct peer *p);
/* What the peer has time for: the rest of a request that began then (loop_now), or the next one. */
void peer_await_request(struct peer *p, uint64_t since_ms);
void peer_await_next(struct peer *p);
uint64_t peer_now(const struct peer *p);

const char *server_status_text(int status);

/* server_h1.c, server_h2.c: chooses the protocol of a new connection. */
void peer_start_h1(struct peer *p);
int peer_start_h2(struct peer *p);

/* For tests and fuzzing: a connected, non-blocking socket without TLS becomes a peer, whose it is from now on. */
int server_adopt(struct http_server *s, int fd, bool http2);

/* For server_drain.c: takes what waits to be accepted, at most a burst of it (false: and that was all); looks what a peer has sent and
 * what it can be sent, which may free it; says goodbye to a peer with what the kernel takes at once, and frees it. */
bool server_accept(struct http_server *s);
void peer_look(struct peer *p);
void peer_dismiss(struct peer *p);
/* server_drain.c: a peer is gone. */
void server_drain_look(struct http_server *s);

/* server_listen.c: a listening socket, and the port that it got. */
int server_listen(struct str address, int *ret_fd, uint16_t *ret_port, struct error **err);

#endif
