/* Judging certificates that are at hand as PEM text, without any connection. */
#ifndef NET_TLS_PEM_H
#define NET_TLS_PEM_H

#include "base/buf.h"
#include "base/error.h"

/* The certificate that ends first of those in the text (at most 200 are looked at): *ret_until in seconds since the epoch, *ret_n how
 * many there are. -EINVAL: there is none, or one cannot be read. */
int tls_pem_first_end(struct str pem, int64_t *ret_until, size_t *ret_n, struct error **err);

/* When the certificate ends that ends first of those that a client with this bundle of authorities trusts: what cannot be read is passed
 * over (tls_client_new). Seconds since the epoch; 0: there is none. The time that it takes grows with the text and no faster: whoever
 * registers a cluster writes it. */
int64_t tls_pem_trusted_until(struct str pem);

/* The next certificate of a text that may hold anything: 1, and *out has it appended in PEM form, the same for equal certificates,
 * with the time that it ends; -EINVAL: what should be one cannot be read (or does not fit into *out); 0: there is no more. *rest is
 * what follows in all three cases. */
int tls_pem_next(struct str *rest, struct buf *out, int64_t *ret_until);

/* Would a client that trusts `ca_pem` take the first certificate of `cert_pem` (the others are intermediates) for `host` at that
 * time? 0, or -EKEYREJECTED with the reason; -EINVAL: one of them cannot be read. */
int tls_pem_verify(struct str cert_pem, struct str ca_pem, const char *host, int64_t at, struct error **err);

#endif
