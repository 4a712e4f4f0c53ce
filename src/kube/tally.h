/*
 * What was asked of API servers and what the caches cost, counted for metrics: requests by server, method and code, lists and watches
 * by resource. One tally is shared by clients (struct kube_client_options) and outlives them, so that its counters never fall.
 * Bounded: what there is no more place for is counted under "other".
 */
#ifndef KUBE_TALLY_H
#define KUBE_TALLY_H

#include "base/str.h"

#define KUBE_TALLY_CODES_MAX 48u

struct kube_request_count {
    const char *method; /* "GET", ..., "other"; static */
    int code;           /* HTTP status; 0: there was no answer */
    uint64_t n;
};
struct kube_host_tally {
    char *host; /* "host:port", without a port that is the scheme's own */
    size_t n;
    struct kube_request_count v[KUBE_TALLY_CODES_MAX];
    uint64_t other; /* those that had no place in v */
};
/* Of all informers of a resource, whatever the server. */
struct kube_reflector_tally {
    char *name;                               /* "deployments.apps", "configmaps" */
    uint64_t lists, watches;                  /* begun */
    uint64_t short_watches;                   /* ended within a second without an event */
    uint64_t lists_done, list_ns, list_items; /* complete ones; ns and items are sums over them */
    uint64_t watches_done, watch_ns, watch_items;
    uint64_t version; /* resourceVersion that was read last; 0: none that is a number */
};

/* Counted references. */
struct kube_tally;
struct kube_tally *kube_tally_new(void);
struct kube_tally *kube_tally_ref(struct kube_tally *t);
void kube_tally_unref(struct kube_tally *t); /* NULL is fine */
DEFINE_CLEANUP(struct kube_tally *, kube_tally_unref)

/* That server's, or that resource's: made when there is none; lives as long as the tally. path: of a collection. */
struct kube_host_tally *kube_tally_host(struct kube_tally *t, struct str host);
struct kube_reflector_tally *kube_tally_reflector(struct kube_tally *t, struct str path);
void kube_tally_request(struct kube_host_tally *h, const char *method, int code);

/* for (size_t i = 0; (h = kube_tally_next_host(t, &i));) in no particular order */
const struct kube_host_tally *kube_tally_next_host(const struct kube_tally *t, size_t *iter);
const struct kube_reflector_tally *kube_tally_next_reflector(const struct kube_tally *t, size_t *iter);

#endif
