/* Judging certificates that are at hand as PEM text, without any connection. */
#ifndef NET_TLS_PEM_H
#define NET_TLS_PEM_H

#include "base/error.h"

/* The certificate that ends first of those in the text (at most 200 are looked at): *ret_until in seconds since the epoch, *ret_n how
 * many there are. -EINVAL: there is none, or one cannot be read. */
int tls_pem_first_end(struct str pem, int64_t *ret_until, size_t *ret_n, struct error **err);

/* Would a client that trusts `ca_pem` take the first certificate of `cert_pem` (the others are intermediates) for `host` at that
 * time? 0, or -EKEYREJECTED with the reason; -EINVAL: one of them cannot be read. */
int tls_pem_verify(struct str cert_pem, struct str ca_pem, const char *host, int64_t at, struct error **err);

#endif
