/* What is wrong with a certificate that was refused, in a sentence. For net/tls.c only. */
#ifndef NET_TLS_VERIFY_H
#define NET_TLS_VERIFY_H

#include <openssl/ssl.h>

#include "base/error.h"

/* The first thing that verification found wrong; code 0: nothing. Everything is owned. */
struct tls_refusal {
    int code;                 /* X509_V_ERR_* */
    char *subject, *names;    /* of the server's certificate; names: what it is valid for, "" when it names nothing */
    char *issuer;             /* the certificate above it that is at fault, NULL when it is itself */
    char from[21], until[21]; /* validity of the one at fault */
};

/* Fills *r while the connection is set up; both must live equally long. */
void tls_refusal_watch(struct tls_refusal *r, SSL *ssl);
/* Sets *err and returns its code. wanted: the name that the certificate was verified against. */
int tls_refusal_error(const struct tls_refusal *r, const char *wanted, struct error **err);
void tls_refusal_done(struct tls_refusal *r);

#endif
