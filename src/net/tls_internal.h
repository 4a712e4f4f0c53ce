/* One TLS connection on a non-blocking socket, or inside another one (an https proxy). For src/net only. */
#ifndef NET_TLS_INTERNAL_H
#define NET_TLS_INTERNAL_H

#include <sys/types.h>

#include "net/tls.h"

struct tls_conn;
/* outer NULL: on fd; otherwise inside `outer`, which it then owns. host: for SNI and verification unless the settings name
 * another. alpn: offer h2 and http/1.1. */
int tls_conn_new(struct tls_client *t, const char *host, int fd, struct tls_conn *outer, bool alpn,
                 struct tls_conn **ret, struct error **err);
/* The server's side of a connection that was accepted on fd. */
struct tls_server;
int tls_conn_accept(struct tls_server *t, int fd, struct tls_conn **ret, struct error **err);
void tls_conn_free(struct tls_conn *c);
/* 0: done. -EAGAIN: waits (see tls_conn_wants_write). Otherwise an error that says what is wrong. */
int tls_conn_handshake(struct tls_conn *c, struct error **err);
/* > 0 bytes, 0 orderly end, -EAGAIN, -ECONNRESET. */
ssize_t tls_conn_read(struct tls_conn *c, void *p, size_t n);
ssize_t tls_conn_write(struct tls_conn *c, const void *p, size_t n);
/* Decrypted bytes of this connection or of an outer one are at hand, of which no poll of the socket tells. */
bool tls_conn_has_pending(const struct tls_conn *c);
bool tls_conn_wants_write(const struct tls_conn *c); /* the last -EAGAIN waits for a writable socket */
bool tls_conn_is_h2(const struct tls_conn *c);

#endif
