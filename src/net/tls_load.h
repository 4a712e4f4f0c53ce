/* Certificates and keys in PEM form for the settings of TLS. For net/tls*.c only. */
#ifndef NET_TLS_LOAD_H
#define NET_TLS_LOAD_H

#include <openssl/ssl.h>

#include "base/error.h"

/* Reads from `pem`, which must outlive it. BIO_free() it. */
BIO *tls_bio_of(struct str pem);
/* Why OpenSSL failed last, as far as it says. */
const char *tls_reason(void);

/* A certificate with its chain, and its key without pass phrase. `what` names them in errors: "client ", "serving ". */
int tls_load_pair(SSL_CTX *ctx, struct str cert_pem, struct str key_pem, const char *what, struct error **err);

#endif
