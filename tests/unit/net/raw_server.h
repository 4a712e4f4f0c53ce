/* A server on the loopback interface that sends whatever bytes a test wants, when it wants. */
#ifndef RAW_SERVER_H
#define RAW_SERVER_H

#include "base/buf.h"
#include "base/list.h"
#include "net/loop.h"

struct raw_server;
struct raw_conn {
    struct raw_server *server;
    struct list link;
    struct loop_io *io;
    int fd;
    unsigned index; /* 0: the first that was accepted */
    struct buf in;  /* what the client sent and nobody consumed */
};

struct raw_server {
    struct loop *loop;
    int fd;
    uint16_t port;
    unsigned accepted, closed_by_peer;
    struct loop_io *io;
    struct list conns;
    /* Called after bytes came: look at c->in, answer with raw_send, end with raw_close. */
    void (*fn)(void *arg, struct raw_conn *c);
    void *arg;
    void (*gone)(void *arg, struct raw_conn *c); /* the connection ends; may be NULL */
};

void raw_server_start(struct raw_server *s, struct loop *loop, void (*fn)(void *arg, struct raw_conn *c), void *arg);
void raw_server_stop(struct raw_server *s);

/* Is a whole request head there? Takes it out of c->in and gives its first line. Owned. */
char *raw_take_head(struct raw_conn *c);
void raw_send(struct raw_conn *c, const char *text);
void raw_close(struct raw_conn *c);
void raw_reset(struct raw_conn *c); /* the client sees ECONNRESET */

#endif
