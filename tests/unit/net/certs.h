/* Certificates and a TLS server for tests. */
#ifndef CERTS_H
#define CERTS_H

#include <openssl/ssl.h>
#include <pthread.h>

#include "base/buf.h"

struct cert {
    X509 *x;
    EVP_PKEY *key;
    char *pem, *key_pem;
};
struct cert_spec {
    const char *cn;
    const char *names;         /* "DNS:localhost,IP:127.0.0.1", or NULL */
    long from_s, until_s;      /* from now; both 0: valid from an hour ago for an hour */
    const struct cert *issuer; /* NULL: signs itself */
    bool is_ca;
};
struct cert cert_make(const struct cert_spec *spec);
void cert_done(struct cert *c);

/* Answers every request with the common name of the client's certificate, or "nobody", and closes. A thread of its own. */
struct cert_server {
    SSL_CTX *ctx;
    pthread_t thread;
    int fd;
    uint16_t port;
    char *sni; /* of the last client, "" when it sent none */
};
/* chain: a further certificate that is sent along, or NULL. client_ca: asks for client certificates, or NULL. */
void cert_server_start(struct cert_server *s, const struct cert *cert, const struct cert *chain,
                       const struct cert *client_ca);
void cert_server_stop(struct cert_server *s);

#endif
