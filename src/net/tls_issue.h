/* Making certificates: an authority of one's own, and serving certificates signed by it. Keys: ECDSA on P-256. */
#ifndef NET_TLS_ISSUE_H
#define NET_TLS_ISSUE_H

#include "base/error.h"

/* Certificate and key in PEM form, owned; the key is cleared before its memory is freed. */
struct tls_pair {
    char *cert_pem, *key_pem;
};
void tls_pair_done(struct tls_pair *p);

/* A self-signed authority that may sign serving certificates and no further authorities. Times in seconds since the epoch. */
int tls_issue_authority(const char *common_name, int64_t not_before, int64_t not_after, struct tls_pair *ret,
                        struct error **err);
/* A serving certificate for these DNS names, the first of which is also its common name. -EINVAL: the authority cannot be read, or
 * a name is none. */
int tls_issue_serving(const struct tls_pair *authority, const char *const *dns_names, size_t n, int64_t not_before,
                      int64_t not_after, struct tls_pair *ret, struct error **err);

#endif
