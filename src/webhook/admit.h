/* The admission server's answers: which path judges what (api-and-cli.md 4.1 to 4.3, 4.5). Pure but for its counters. */
#ifndef WEBHOOK_ADMIT_H
#define WEBHOOK_ADMIT_H

#include "base/histogram.h"
#include "net/server.h"

#define ADMIT_PATHS 4
#define ADMIT_STATUSES 3

struct admit {
    /* For /readyz: why no API server should call us now, as "check: reason", a text that lasts; NULL when all is well. The function
     * may be NULL: all is well always. */
    const char *(*unready)(void *arg);
    void *arg;
    int64_t certificate_until; /* when the serving certificate ends, in seconds since the epoch; 0: there is none yet */
    struct admit_count {
        uint64_t allowed, denied, malformed;
        uint64_t statuses[ADMIT_STATUSES]; /* answers by HTTP status: 200, 405, 500 */
        struct histogram latency;          /* its buckets come with the first observation */
    } counts[ADMIT_PATHS];
};

/* The handler of the HTTPS server; arg is a struct admit. Requests are judged without any call to others. */
void admit_serve(void *arg, const struct http_server_request *req, struct http_server_response *resp);
/* Prometheus text of all that is above: docs/metrics.md, "The webhook". */
void admit_metrics(const struct admit *a, struct buf *out);

#endif
