/* The client and its calls. For src/kube/client.c and src/kube/call.c only. */
#ifndef KUBE_CLIENT_INTERNAL_H
#define KUBE_CLIENT_INTERNAL_H

#include "base/list.h"
#include "kube/client.h"
#include "kube/credentials.h"
#include "kube/limiter.h"

#define N_PRIORITIES 3

struct kube_client {
    struct loop *loop;
    struct kube_config *config;
    struct url url;
    char *server, *user_agent;
    char *through; /* " through proxy HOST:PORT" for messages, or NULL */
    /* Watches and lists have a connection of their own: an API server writes the frames of one connection one after the
     * other, and with many answers among them the events fall behind. */
    struct http_client *http, *http_streams;
    struct credentials *credentials;
    struct http_header *impersonation; /* names and values owned by impersonation_text */
    char **impersonation_text;
    size_t n_impersonation;
    void (*on_unauthorized)(void *arg, struct kube_client *c);
    void *arg;
    struct loop_task unauthorized_task, dispatch_task;
    struct limiter limiter;
    struct list calls;               /* all of them, by kube_call.all */
    struct list queue[N_PRIORITIES]; /* waiting for a place, by kube_call.link */
    struct list streams;             /* to be sent, by kube_call.link */
    unsigned in_flight, background, waiting;
    uint64_t busy_ms;    /* when a call that is not BACKGROUND was sent last */
    uint64_t trickle_ms; /* when a BACKGROUND call was sent last */
    struct loop_timer quiet_timer;
    struct kube_client_stats stats;
    struct kube_tally *tally;
    struct kube_host_tally *host_tally; /* in it */
    struct kube_cache cache;
    struct list informers; /* kept by them */
    char date[30];         /* Date header of the last answer, or "" */
    int64_t dated_at;      /* our clock at that time, in seconds since the epoch */
};

enum call_state { CALL_QUEUED, CALL_CREDENTIALS, CALL_SENT, CALL_PAUSED, CALL_FAILED };

struct kube_call {
    struct kube_client *client;
    struct list all, link;
    enum call_state state;
    /* The request. */
    char *method, *path, *target; /* path for messages; target: with prefix and query */
    char *content_type, *accept;
    char *body;
    size_t body_len, max_body;
    bool secret; /* clear bodies */
    uint64_t timeout_ms, idle_timeout_ms;
    enum kube_priority priority;
    bool no_retry;
    /* Where the answer goes. stream: on_data is set and the call is not limited. */
    bool stream;
    bool (*on_data)(void *arg, struct str bytes);
    kube_done_fn *fn;
    void *arg;
    /* Progress. */
    struct http_call *http;
    struct loop_timer deadline, pause;
    struct loop_task fail_task;
    struct credentials_wait wait;
    uint64_t generation, queued_ms, sent_ms, ends_ms;
    unsigned retries;
    bool renewed, reset_retried;
    int status;            /* of a stream's response, 0 before it */
    struct buf error_body; /* of a stream that was refused */
    struct error *refusal; /* the 401 that new credentials are waited for, or why a call cannot be sent */
};

/* Sends what may be sent, later in this round of the loop. */
void calls_dispatch_later(struct kube_client *c);
/* Ends a call without a callback from HTTP: cancels what is under way and calls fn with the error. */
void call_abort(struct kube_call *call, int code, const char *why);

#endif
