/*
 * TLS settings of a client connection, shared by all connections of one cluster. Keys and certificates are held in
 * memory only. The only files that name SSL_* are net/tls*.c.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/error.h"

enum tls_skip {
    TLS_SKIP_ALL = 1,      /* no verification at all ("*", insecure-skip-tls-verify) */
    TLS_SKIP_NAME = 2,     /* chain and validity verified, host name not (SubjectName) */
    TLS_SKIP_VALIDITY = 4, /* chain and host name verified at notBefore + 1 s (ValidityPeriod) */
};

struct tls_client_config {
    struct str ca_pem;   /* empty: the system's roots */
    struct str cert_pem; /* client certificate chain; empty: none */
    struct str key_pem;
    struct str server_name; /* for SNI and verification; empty: the host of the URL */
    unsigned skip;          /* enum tls_skip bits */
    bool http1_only;        /* offer only http/1.1 in ALPN */
    int64_t verify_at;      /* certificates must be valid then, in seconds since the epoch; 0: now */
};

struct tls_client; /* reference counted */
/* Errors say which part is wrong (CA, certificate, key, or that key and certificate do not belong together). */
int tls_client_new(const struct tls_client_config *config, struct tls_client **ret, struct error **err);
/* How many certificates of the CA bundle are broken. They are passed over; only a bundle without a good one is an error. */
size_t tls_client_unreadable(const struct tls_client *t);
/* For the connection to an https proxy in front of `behind` (may be NULL): verified with the system's roots and those that
 * `behind` trusts, whatever checks `behind` skips; no client certificate. */
int tls_client_for_proxy(const struct tls_client *behind, struct tls_client **ret, struct error **err);
struct tls_client *tls_client_ref(struct tls_client *t);
void tls_client_unref(struct tls_client *t);
DEFINE_CLEANUP(struct tls_client *, tls_client_unref)

/* For doctor, join and expiry metrics: the first certificate of a PEM text. Times in seconds since the epoch. */
int tls_pem_validity(struct str cert_pem, int64_t *ret_not_before, int64_t *ret_not_after, struct error **err);

#endif
