/*
 * AdmissionReview of admission.k8s.io/v1 and v1beta1: what an API server asks, and the answer (api-and-cli.md 4.2). Pure: bytes in,
 * bytes out.
 */
#ifndef WEBHOOK_REVIEW_H
#define WEBHOOK_REVIEW_H

#include "json/json.h"

/* Values in a review, keys counted too: 4 MiB when parsed. The largest object that can be stored has 1.5 MiB; with old and new, and
 * the record of who manages which field, it stays below. */
#define REVIEW_MAX_VALUES ((size_t)256 << 10)

/* Slices and values live as long as `doc`. */
struct review {
    yyjson_doc *doc;
    struct str api_version; /* of the AdmissionReview; the answer uses the same */
    struct str uid;
    struct str operation;            /* "CREATE", "UPDATE", ... */
    struct str group, resource;      /* request.resource: group and plural */
    struct str subresource;          /* "" for the main resource */
    yyjson_val *object, *old_object; /* NULL or null when absent */
};

/* -EFBIG: more than REVIEW_MAX_VALUES, and it is not parsed (review_peek). -EINVAL with what is wrong: not JSON, no AdmissionReview of a known version, no request. An absent dryRun is nothing special
 * (A-35). */
int review_decode(struct str body, struct review *ret, struct error **err);
void review_done(struct review *r);
/* api_version and uid alone, as slices of `body`, without parsing: what an answer needs. false: it has none of a known version, or no
 * uid that is written without escapes, as those of API servers are; *ret is of no use then. Nothing is to be freed. */
bool review_peek(struct str body, struct review *ret);
bool review_is_version(struct str api_version);

/* The answers. All append one whole AdmissionReview to `out`. */
void review_allow(struct buf *out, const struct review *r);
void review_patch(struct buf *out, const struct review *r, struct str json_patch);
/* code 403, reason Forbidden: a rule is violated; 400, BadRequest: the object cannot be decoded; 413, RequestEntityTooLarge: it is not
 * read. */
void review_deny(struct buf *out, const struct review *r, int code, const char *reason, const char *message);
/* There is no review to answer: no apiVersion and kind, an empty uid, code 400. */
void review_malformed(struct buf *out, const char *message);

#endif
