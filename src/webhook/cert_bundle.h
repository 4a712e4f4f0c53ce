/*
 * What clientConfig.caBundle of a webhook holds: a few authorities that API servers trust, and which webhooks of a configuration have
 * to learn of one. Others write there too, and replicas whose certificates differ for a moment, so what is found may be anything; a
 * bundle made here is small, and has readable, valid and different certificates only. Pure.
 */
#ifndef WEBHOOK_CERT_BUNDLE_H
#define WEBHOOK_CERT_BUNDLE_H

#include "json/json.h"

#define CERT_BUNDLE_MAX 8
#define CERT_BUNDLE_BYTES ((size_t)64 << 10)

struct cert_bundle {
    struct buf pem; /* the certificates, one after the other */
    uint64_t hash[CERT_BUNDLE_MAX];
    size_t n;
};
#define CERT_BUNDLE_INIT ((struct cert_bundle){ .pem = BUF_INIT(CERT_BUNDLE_BYTES) })
void cert_bundle_done(struct cert_bundle *b);
#define _cleanup_cert_bundle_ _cleanup_(cert_bundle_done)

/* Adds the certificates of the text that are valid at `now` (seconds since the epoch) and not in it yet, until it has `max` of them
 * (at most CERT_BUNDLE_MAX) or CERT_BUNDLE_BYTES. Of the text, the first 200 certificates are looked at. */
void cert_bundle_add(struct cert_bundle *b, struct str pem, size_t max, int64_t now);

struct cert_bundle_target {
    const char *ns, *service;         /* the Service through which webhooks are ours */
    const struct cert_bundle *wanted; /* what they are to trust */
    bool keep_others;                 /* what else is there and valid stays, as far as there is room */
    int64_t now;                      /* seconds since the epoch */
};
enum cert_bundle_state {
    CERT_BUNDLE_FITS,     /* every webhook that is ours trusts what is wanted and nothing else */
    CERT_BUNDLE_LACKS,    /* one of them lacks some of it */
    CERT_BUNDLE_HAS_MORE, /* all of them trust it, and one has something else, be it another certificate or what is none */
};
/* What a webhook configuration says. *ret_others tells what it has besides: the same for the same valid certificates, 0 when there
 * are none. Appends to `out` a JSON patch: in state LACKS it adds what is missing; in state HAS_MORE it takes away what is not wanted,
 * unless keep_others is set. Nothing is appended when there is nothing to do, nor when nothing is wanted, which is LACKS: with an
 * empty bundle, no call would work any more. It applies only to the configuration as it was read.
 * Whoever sends it checks buf_failed first. */
enum cert_bundle_state cert_bundle_patch(struct buf *out, yyjson_val *configuration, const struct cert_bundle_target *t,
                                         uint64_t *ret_others);

#endif
