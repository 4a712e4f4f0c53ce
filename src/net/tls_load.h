/* Certificates and keys in PEM form for the settings of TLS. For net/tls*.c only. */
#ifndef NET_TLS_LOAD_H
#define NET_TLS_LOAD_H

#include <openssl/ssl.h>

#include "base/error.h"

/* Reads from `pem`, which must outlive it. BIO_free() it. NULL: there is nothing to read, or more than OpenSSL takes (2 GiB). */
BIO *tls_bio_of(struct str pem);
/* The next certificate or private key, owned; NULL: there is none (bio may be NULL), or it cannot be read, also because it wants a
 * pass phrase. The only calls of PEM_read_bio_* that there are: without a callback of one's own OpenSSL asks for the pass phrase on
 * the terminal or stdin, and whoever wrote the text decides that the program waits. */
X509 *tls_read_cert(BIO *bio);
EVP_PKEY *tls_read_key(BIO *bio);
/* The next certificate of a bundle of authorities, as Go takes them: only blocks without headers. *rest is what follows; *ret is owned,
 * NULL: what should be one cannot be read, and is passed over. false: there is no more. Each byte is looked at a fixed number of times,
 * whatever the text. */
bool tls_next_trusted(struct str *rest, X509 **ret);
/* Why OpenSSL failed last, as far as it says. */
const char *tls_reason(void);

/* A certificate with its chain, and its key without pass phrase. `what` names them in errors: "client ", "serving ". */
int tls_load_pair(SSL_CTX *ctx, struct str cert_pem, struct str key_pem, const char *what, struct error **err);

#endif
