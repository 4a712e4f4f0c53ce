/*
 * The certificates that the webhook makes for itself, as the data of a Secret holds them, and when they are to be renewed. Pure, but
 * for the keys that it draws.
 *
 *   ca.crt    what clients are to trust: the authority, and for a while also the one before it
 *   ca.key    key of the authority
 *   tls.crt   serving certificate
 *   tls.key   its key
 */
#ifndef WEBHOOK_CERT_SET_H
#define WEBHOOK_CERT_SET_H

#include "json/json.h"

/* Life of an authority and of a serving certificate; both are renewed after two thirds of it. */
#define CERT_AUTHORITY_LIFE_S (10LL * 365 * 86400)
#define CERT_SERVING_LIFE_S (365LL * 86400)

struct cert_set {
    char *ca_crt, *ca_key, *tls_crt, *tls_key; /* PEM, owned, never NULL in a valid set */
    int64_t serving_until, authority_until;    /* seconds since the epoch */
};
void cert_set_done(struct cert_set *s); /* clears the keys */
#define _cleanup_cert_set_ _cleanup_(cert_set_done)

/* From the data of a Secret. -ENOENT: it has none of it (or one is empty); -EINVAL: what is there cannot be read. */
int cert_set_decode(yyjson_val *secret, struct cert_set *ret, struct error **err);
/* Appends the data of a Secret that holds it, a JSON object, to a secret buffer (base/buf.h). */
void cert_set_encode(struct buf *out, const struct cert_set *s);

/* What `old` (NULL: there is none) has to become at `now` for `dns_names`: 0: nothing, it serves; 1: *ret is new, with the authority
 * of `old` as long as that lasts, and with the certificates of that authority still among ca_crt when it does not. Negative:
 * cannot be made. */
int cert_set_renew(const struct cert_set *old, const char *const *dns_names, size_t n, int64_t now,
                   struct cert_set *ret, struct error **err);

#endif
