/* TLS settings of a server: its certificate and key, held in memory only. */
#ifndef NET_TLS_SERVER_H
#define NET_TLS_SERVER_H

#include "base/error.h"

struct tls_server; /* reference counted */
/* TLS 1.2 or later; h2 and http/1.1 by ALPN; no client certificates. Errors say which part is wrong (certificate, key, or that
 * they do not belong together). *ret is owned. */
int tls_server_new(struct str cert_pem, struct str key_pem, struct tls_server **ret, struct error **err);
struct tls_server *tls_server_ref(struct tls_server *t);
void tls_server_unref(struct tls_server *t); /* NULL is fine */
DEFINE_CLEANUP(struct tls_server *, tls_server_unref)

/* For net/tls*.c: the settings of OpenSSL, owned by `t`. */
struct ssl_ctx_st *tls_server_context(struct tls_server *t);

#endif
