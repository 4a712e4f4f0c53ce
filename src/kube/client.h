/*
 * A client of one API server: one HTTP connection pool, credentials, deadlines, retries, fairness.
 *
 * Retries inside one call: 401 once, after credentials were refreshed (token file, exec plugin, on_unauthorized);
 * 429 and 503 with Retry-After (or 429 without: 1 s) up to 5 times within the deadline; a GET also once after a
 * connection reset. Everything else is the caller's decision.
 *
 * Fairness: at most `limit` calls are in flight (watches not counted); the limit adapts: it starts at 32, grows while
 * latency stays flat and falls on 429 and on rising latency, within [4, 256]. Waiting calls are sent by priority;
 * BACKGROUND calls only when nothing else was under way for 50 ms, one by one after 1 s (at most 50 a second), or after 60 s,
 * and only up to a quarter of the limit.
 */
#ifndef KUBE_CLIENT_H
#define KUBE_CLIENT_H

#include "kube/config.h"
#include "kube/path.h"
#include "kube/tally.h"
#include "net/http.h"

enum kube_priority { KUBE_PRIO_HIGH, KUBE_PRIO_NORMAL, KUBE_PRIO_BACKGROUND };

/* What metadata.managedFields calls the writes of all our clients: the User-Agent up to its first slash. */
#define KUBE_FIELD_MANAGER "kubefed"

struct kube_client;

struct kube_client_options {
    struct loop *loop;
    const char *user_agent;   /* suffix, controllers.md 1.8; NULL: none */
    bool connect_backoff;     /* see net/http.h; true in controllers */
    struct kube_tally *tally; /* where it counts; a reference is taken. NULL: in one of its own */
    /* Optional: a 401 was received with credentials that are not renewable here (token given as value). Should lead to
     * kube_client_set_token; calls that got 401 wait up to 5 s for it, then fail. */
    void (*on_unauthorized)(void *arg, struct kube_client *c);
    void *arg;
};

/* Copies what it needs from config. No I/O. Errors: bad URL, bad CA or key, unsupported auth. */
int kube_client_new(const struct kube_config *config, const struct kube_client_options *options,
                    struct kube_client **ret, struct error **err);
/* Running calls end with -ECANCELED through their callbacks before this returns; watches too. */
void kube_client_free(struct kube_client *c);
DEFINE_CLEANUP(struct kube_client *, kube_client_free)
void kube_client_set_token(struct kube_client *c, struct str token);
struct loop *kube_client_loop(const struct kube_client *c);
const char *kube_client_server(const struct kube_client *c); /* for messages */

struct kube_request {
    const char *method;
    struct str path;          /* kube_path or a raw path such as "/healthz"; the prefix of the server URL is added */
    struct str query;         /* without '?', encoded; may be empty */
    const char *content_type; /* of body; NULL: application/json */
    const char *accept;       /* NULL: application/json */
    struct str body;          /* copied */
    uint64_t timeout_ms;      /* whole call with its retries; 0: 30 s */
    enum kube_priority priority;
    bool no_retry;   /* no 429/503/reset retries (health probes) */
    bool secret;     /* both bodies are cleared before their memory is freed; not for streams */
    size_t max_body; /* 0: 64 MiB */
};
struct kube_response {
    int status;
    struct str body; /* valid during the callback */
    struct str content_type;
};
/* err is set, and resp may be NULL, for everything but a 2xx. For a Status answer err carries http_status, reason and the
 * server's message; without one, err->msg is `<method> <path>: ...` naming the server. Codes: -ENOENT 404, -EEXIST 409
 * AlreadyExists, -ESTALE 409 Conflict, -EACCES 401 and 403, -EBADMSG 400/422, -EAGAIN 429, 5xx -EIO, 410 -ESTALE with reason
 * "Expired"/"Gone", transport codes of net/http.h. */
typedef void kube_done_fn(void *arg, const struct kube_response *resp, const struct error *err);
struct kube_call;
/* Never fails synchronously. Returns a handle for kube_call_cancel, valid until the callback. */
struct kube_call *kube_call(struct kube_client *c, const struct kube_request *req, kube_done_fn *fn, void *arg);
void kube_call_cancel(struct kube_call *call); /* the callback is not called */

/* For sequential programs: runs the loop until the answer is there. Never inside a callback.
 * On success *ret_body (may be NULL) is the owned body. SIGINT handling is the caller's (loop_stop gives -ECANCELED). */
int kube_do(struct kube_client *c, const struct kube_request *req, struct buf *ret_body, int *ret_status,
            struct error **err);

/* Streaming GET for watches: on_data gets raw bytes; ends through on_done. Not limited, not retried (401 once). */
struct kube_stream_handlers {
    bool (*on_data)(void *arg, struct str bytes);
    kube_done_fn *on_done;
};
struct kube_call *kube_stream(struct kube_client *c, const struct kube_request *req, uint64_t idle_timeout_ms,
                              const struct kube_stream_handlers *h, void *arg);

struct kube_client_stats {
    uint64_t requests;   /* sent, retries included, watches included */
    uint64_t by_code[6]; /* [0] transport errors, [1..5] 1xx..5xx */
    unsigned limit, in_flight, waiting;
};
/* How far the server's clock is ahead of ours, in seconds (negative: behind), by the Date header of its last answer; as good as
 * the answer was quick. -ENODATA when no answer had one. */
int kube_client_clock(const struct kube_client *c, int64_t *ret_ahead_s);
void kube_client_get_stats(const struct kube_client *c, struct kube_client_stats *ret);
struct kube_tally *kube_client_tally(const struct kube_client *c); /* borrowed */
/* It was handed to HTTP and is not over; otherwise it waits for a place, for credentials or for another try. */
bool kube_call_is_sent(const struct kube_call *call);

/* What the informers of this client hold, kept by them. */
struct kube_cache {
    size_t objects, bytes;
};
struct kube_cache *kube_client_cache(struct kube_client *c);
/* The informers of this client, in a list that they enter and leave by themselves. For src/kube/informer.c only. */
struct list *kube_client_informers(struct kube_client *c);

#endif
