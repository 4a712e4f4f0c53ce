/*
 * An HTTP/2 server over TLS for tests, in threads of its own. What it does depends on the path:
 *   /ok          200 "ok"                       /size    200 with the number of body bytes that it got
 *   /big         200 with H2_BIG bytes          /empty   204
 *   /reset       RST_STREAM                     /hang    nothing
 *   /refuse      REFUSED_STREAM the first time, then as /ok
 *   /goaway      GOAWAY that leaves this stream out the first time, then as /ok
 *   /close       closes the connection
 */
#ifndef H2_SERVER_H
#define H2_SERVER_H

#include <stdatomic.h>

#include "certs.h"

#define H2_BIG ((size_t)5 << 20)
#define H2_MAX_CONNS 64

struct h2_server {
    SSL_CTX *ctx;
    int fd;
    uint16_t port;
    unsigned max_streams; /* SETTINGS_MAX_CONCURRENT_STREAMS */
    pthread_t acceptor, conns[H2_MAX_CONNS];
    int fds[H2_MAX_CONNS];
    atomic_uint n_conns, n_requests, n_refused, n_resets; /* n_resets: RST_STREAM frames of the client */
};
void h2_server_start(struct h2_server *s, const struct cert *cert, unsigned max_streams);
void h2_server_stop(struct h2_server *s);

#endif
