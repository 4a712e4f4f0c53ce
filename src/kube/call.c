/*
 * One call: queue, credentials, sending, retries, deadline, end.
 *
 * States: QUEUED (waits for a place) -> CREDENTIALS (waits for a plugin or a renewal) -> SENT -> end, or PAUSED (waits for
 * Retry-After) -> QUEUED. A call holds a place of the limit only while it is SENT. The deadline runs over all of it, but for
 * BACKGROUND calls it starts when they are sent first.
 *
 * A callback may free the client: nothing is touched after call_finish.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/rtime.h"
#include "kube/apierror.h"
#include "kube/client_internal.h"

#define DEFAULT_TIMEOUT_MS 30000u
#define DEFAULT_MAX_BODY ((size_t)64 << 20)
#define ERROR_BODY_MAX ((size_t)1 << 20)
#define MAX_RETRIES 5u
#define RETRY_DEFAULT_MS 1000u
#define RETRY_AFTER_MAX_S 3600u
#define HIGH_EXTRA 4u /* places beyond the limit for health probes and leases */
#define BACKGROUND_QUIET_MS 50u
#define BACKGROUND_PATIENCE_MS 60000u
/* A client that is always busy sends them one by one, with pauses: people wait for events after all. */
#define BACKGROUND_TRICKLE_AFTER_MS 1000u
#define BACKGROUND_TRICKLE_MS 20u
#define MAX_HEADERS 8u

/* --- end --- */

static bool is_read(const struct kube_call *call)
{
    return strcmp(call->method, "GET") == 0;
}

/* Gives the place back and tells the limiter how it went. */
static void leave_flight(struct kube_call *call, enum limiter_outcome outcome)
{
    struct kube_client *c = call->client;
    uint64_t now = loop_now(c->loop);

    call->http = NULL;
    if (call->stream)
        return;
    limiter_sample(&c->limiter, is_read(call) ? LIMITER_READ : LIMITER_WRITE, outcome, call->sent_ms,
                   MAX(now, call->sent_ms), c->in_flight);
    c->in_flight--;
    if (call->priority == KUBE_PRIO_BACKGROUND)
        c->background--;
}

/* Takes the call out of whatever it waits for. */
static void call_detach(struct kube_call *call, enum limiter_outcome outcome)
{
    if (call->state == CALL_SENT && call->http) {
        http_call_cancel(call->http);
        leave_flight(call, outcome);
    }
    if (call->state == CALL_QUEUED && !call->stream)
        call->client->waiting--;
    list_del(&call->link);
    credentials_wait_cancel(&call->wait);
    loop_timer_stop(&call->deadline);
    loop_timer_stop(&call->pause);
    loop_task_cancel(&call->fail_task);
    call->state = CALL_FAILED;
}

static void call_free(struct kube_call *call)
{
    list_del(&call->all);
    calls_dispatch_later(call->client);
    error_free(call->refusal);
    buf_done(&call->error_body);
    free(call->method);
    free(call->path);
    free(call->target);
    free(call->content_type);
    free(call->accept);
    if (call->secret && call->body)
        explicit_bzero(call->body, call->body_len);
    free(call->body);
    free(call);
}

/* Takes *err over. */
static void call_finish(struct kube_call *call, const struct kube_response *resp, struct error *err)
{
    kube_done_fn *fn = call->fn;
    void *arg = call->arg;
    _cleanup_error_ struct error *e = err;

    if (e && credentials_leak(call->client->credentials, e->msg)) {
        free(e->msg);
        e->msg = mem_printf("%s %s: %s refused it, with a message that is not shown because it holds credentials",
                            call->method, call->path, call->client->server);
    }
    call_detach(call, LIMITER_IGNORE);
    call_free(call);
    fn(arg, resp, e);
}

static struct error *call_error(const struct kube_call *call, int code, const char *why)
{
    struct error *err = NULL;

    error_set(&err, code, "%s %s: %s: %s", call->method, call->path, call->client->server, why);
    return err;
}

void call_abort(struct kube_call *call, int code, const char *why)
{
    struct error *err = call_error(call, code, why);

    call_detach(call, LIMITER_IGNORE);
    call_finish(call, NULL, err);
}

void kube_call_cancel(struct kube_call *call)
{
    call_detach(call, LIMITER_IGNORE);
    call_free(call);
}

/* status 0: there was no answer. A watch counts when it begins, since its end may never be seen. */
static void count_answer(struct kube_call *call, int status)
{
    struct kube_client *c = call->client;

    c->stats.by_code[status >= 100 && status < 600 ? status / 100 : 0]++;
    kube_tally_request(c->host_tally, call->method, status);
}

bool kube_call_is_sent(const struct kube_call *call)
{
    return call->state == CALL_SENT;
}

/* --- waiting --- */

static void on_deadline(void *arg)
{
    struct kube_call *call = arg;
    char why[384];
    const char *through = call->client->through ? call->client->through : "";
    unsigned long long ms = call->timeout_ms;

    if (call->refusal) {
        call_finish(call, NULL, TAKE_PTR(call->refusal));
        return;
    }
    if (call->state == CALL_QUEUED)
        snprintf(why, sizeof(why), "not sent within %llu ms: %u calls are under way", ms, call->client->in_flight);
    else
        snprintf(why, sizeof(why), "no answer within %llu ms%s", ms, through);
    if (call->state == CALL_SENT && !call->status)
        count_answer(call, 0);
    call_detach(call, LIMITER_OVERLOAD);
    call_abort(call, -ETIMEDOUT, why);
}

static void start_deadline(struct kube_call *call)
{
    struct kube_client *c = call->client;

    if (!call->timeout_ms || loop_timer_active(&call->deadline))
        return;
    call->ends_ms = loop_now(c->loop) + call->timeout_ms;
    loop_timer_start(c->loop, &call->deadline, call->timeout_ms, on_deadline, call);
}

static void enqueue(struct kube_call *call, bool first)
{
    struct kube_client *c = call->client;
    struct list *queue = call->stream ? &c->streams : &c->queue[call->priority];

    call->state = CALL_QUEUED;
    if (!call->stream)
        c->waiting++;
    if (first)
        list_add_head(queue, &call->link);
    else
        list_add_tail(queue, &call->link);
    calls_dispatch_later(c);
}

static void on_pause_over(void *arg)
{
    enqueue(arg, true);
}

/* A callback of the caller must not run while calls are being dispatched. */
static void fail_now(void *arg)
{
    struct kube_call *call = arg;

    call_finish(call, NULL, TAKE_PTR(call->refusal));
}

static void fail_later(struct kube_call *call, struct error *err)
{
    error_free(call->refusal);
    call->refusal = err;
    call->state = CALL_FAILED;
    loop_defer(call->client->loop, &call->fail_task, fail_now, call);
}

static void on_credentials(void *arg, const struct error *err)
{
    struct kube_call *call = arg;

    if (!err) {
        error_free(TAKE_PTR(call->refusal));
        enqueue(call, true);
    } else if (call->refusal) {
        struct error *e = TAKE_PTR(call->refusal), *both = NULL;
        error_set_http(&both, e->code, e->http_status, str_of(e->reason), "%s (%s)", e->msg, err->msg);
        error_free(e);
        call_finish(call, NULL, both);
    } else {
        call_finish(call, NULL, call_error(call, err->code, err->msg));
    }
}

/* --- answers --- */

/* How long to wait before the next try, or 0 when there is none. */
static uint64_t retry_delay(const struct kube_call *call, const struct http_response *r)
{
    struct str after = http_response_header(r, "retry-after");
    uint64_t seconds, delay = RETRY_DEFAULT_MS;
    bool numeric = str_to_u64(str_trim(after), &seconds) == 0;

    if (call->stream || call->no_retry || call->retries >= MAX_RETRIES)
        return 0;
    if (r->status != 429 && !(r->status == 503 && !str_empty(after)))
        return 0;
    if (numeric)
        delay = MAX(MIN(seconds, (uint64_t)RETRY_AFTER_MAX_S) * 1000, (uint64_t)1);
    return loop_now(call->client->loop) + delay < call->ends_ms ? delay : 0;
}

static struct error *refusal_of(const struct kube_call *call, const struct http_response *r)
{
    struct error *err = NULL;
    struct api_answer answer = { .method = call->method,
                                 .path = str_of(call->path),
                                 .server = call->client->server,
                                 .status = r->status,
                                 .content_type = http_response_header(r, "content-type"),
                                 .body = call->stream ? buf_str(&call->error_body) : r->body };

    api_error_from(&answer, &err);
    return err;
}

static void on_refused(struct kube_call *call, const struct http_response *r)
{
    struct kube_client *c = call->client;
    uint64_t delay = retry_delay(call, r);
    struct error *err;

    if (delay) {
        call->retries++;
        call->state = CALL_PAUSED;
        loop_timer_start(c->loop, &call->pause, delay, on_pause_over, call);
        return;
    }
    err = refusal_of(call, r);
    if (r->status == 401 && !call->renewed) {
        call->renewed = true;
        call->state = CALL_CREDENTIALS;
        int k = credentials_reject(c->credentials, call->generation, &call->wait);
        if (k == 0) {
            error_free(err);
            enqueue(call, true);
            return;
        }
        if (k == -EAGAIN) {
            call->refusal = err;
            return;
        }
    }
    call_finish(call, NULL, err);
}

static void on_transport_error(struct kube_call *call, const struct error *err)
{
    if (err->code == -ECONNRESET && is_read(call) && !call->stream && !call->no_retry && !call->reset_retried) {
        call->reset_retried = true;
        enqueue(call, true);
        return;
    }
    call_finish(call, NULL, call_error(call, err->code, err->msg));
}

static enum limiter_outcome outcome_of(const struct http_response *r, const struct error *err)
{
    if (!r)
        return err->code == -ETIMEDOUT ? LIMITER_OVERLOAD : LIMITER_IGNORE;
    return r->status == 429 || r->status == 503 ? LIMITER_OVERLOAD : LIMITER_OK;
}

/* Only kept: hardly anybody asks. */
static void note_date(struct kube_client *c, struct str date)
{
    if (date.n == 0 || date.n >= sizeof(c->date))
        return;
    memcpy(c->date, date.p, date.n);
    c->date[date.n] = 0;
    c->dated_at = time_wall_s();
}

static void on_http_done(void *arg, const struct http_response *r, const struct error *err)
{
    struct kube_call *call = arg;
    struct kube_client *c = call->client;
    struct kube_response resp;

    leave_flight(call, outcome_of(r, err));
    calls_dispatch_later(c);
    if (!call->status)
        count_answer(call, r ? r->status : 0);
    if (!r) {
        on_transport_error(call, err);
        return;
    }
    note_date(c, http_response_header(r, "date"));
    if (r->status < 200 || r->status > 299) {
        on_refused(call, r);
        return;
    }
    resp = (struct kube_response){ r->status, r->body, http_response_header(r, "content-type") };
    call_finish(call, &resp, NULL);
}

static void on_http_response(void *arg, const struct http_response *r)
{
    struct kube_call *call = arg;

    if (!call->status)
        count_answer(call, r->status);
    call->status = r->status;
    buf_reset(&call->error_body);
}

static bool on_http_data(void *arg, struct str bytes)
{
    struct kube_call *call = arg;

    if (call->status >= 200 && call->status <= 299)
        return call->on_data(call->arg, bytes);
    /* Of an error only the beginning matters. */
    buf_add(&call->error_body, bytes.p, MIN(bytes.n, ERROR_BODY_MAX - call->error_body.n));
    return true;
}

/* --- sending --- */

static void send_http(struct kube_call *call, const char *authorization)
{
    struct kube_client *c = call->client;
    struct http_handlers handlers = { .on_done = on_http_done };
    _cleanup_free_ struct http_header *h = mem_array(MAX_HEADERS + c->n_impersonation, sizeof(*h));
    size_t n = 0;

    h[n++] = (struct http_header){ STR("accept"), str_of(call->accept) };
    h[n++] = (struct http_header){ STR("user-agent"), str_of(c->user_agent) };
    if (authorization)
        h[n++] = (struct http_header){ STR("authorization"), str_of(authorization) };
    if (call->body)
        h[n++] = (struct http_header){ STR("content-type"), str_of(call->content_type) };
    for (size_t i = 0; i < c->n_impersonation; i++)
        h[n++] = c->impersonation[i];
    if (call->stream) {
        handlers.on_response = on_http_response;
        handlers.on_data = on_http_data;
    }
    struct http_request req = { .method = call->method,
                                .path = str_of(call->target),
                                .headers = h,
                                .n_headers = n,
                                .body = str_n(call->body, call->body_len),
                                .idle_timeout_ms = call->idle_timeout_ms,
                                .max_body = call->max_body,
                                .secret = call->secret };
    call->state = CALL_SENT;
    call->status = 0;
    call->sent_ms = loop_now(c->loop);
    c->stats.requests++;
    if (!call->stream) {
        c->in_flight++;
        c->background += call->priority == KUBE_PRIO_BACKGROUND;
    }
    call->http = http_client_send(call->stream ? c->http_streams : c->http, &req, &handlers, call);
}

static void call_send(struct kube_call *call)
{
    struct kube_client *c = call->client;
    _cleanup_error_ struct error *err = NULL;
    const char *authorization = NULL;
    int r;

    start_deadline(call);
    call->state = CALL_CREDENTIALS;
    call->wait.fn = on_credentials;
    call->wait.arg = call;
    r = credentials_get(c->credentials, &call->wait, &authorization, &call->generation, &err);
    if (r == 0)
        send_http(call, authorization);
    else if (r != -EAGAIN)
        fail_later(call, call_error(call, r, error_msg(err)));
}

static struct kube_call *first(const struct list *queue)
{
    return list_empty(queue) ? NULL : list_entry(queue->next, struct kube_call, link);
}

/* Nobody waits for BACKGROUND calls at once: they are sent when no other call was under way for a moment. A client that is
 * always busy does not starve them: they trickle after a second, and have waited enough after a minute. */
static bool background_may_go(const struct kube_client *c, const struct kube_call *call)
{
    uint64_t now = loop_now(c->loop);

    if (c->background >= MAX(limiter_get(&c->limiter) / 4, 1u))
        return false;
    if (now - call->queued_ms >= BACKGROUND_PATIENCE_MS)
        return true;
    if (c->background == 0 && now - call->queued_ms >= BACKGROUND_TRICKLE_AFTER_MS &&
        now - c->trickle_ms >= BACKGROUND_TRICKLE_MS)
        return true;
    return c->in_flight == c->background && now - c->busy_ms >= BACKGROUND_QUIET_MS;
}

/* The next call that may go out, or NULL. */
static struct kube_call *pick(struct kube_client *c)
{
    unsigned limit = limiter_get(&c->limiter);
    struct kube_call *high = first(&c->queue[KUBE_PRIO_HIGH]), *normal = first(&c->queue[KUBE_PRIO_NORMAL]);
    struct kube_call *background = first(&c->queue[KUBE_PRIO_BACKGROUND]);

    if (high && c->in_flight < limit + HIGH_EXTRA)
        return high;
    if (c->in_flight >= limit)
        return NULL;
    if (background && background_may_go(c, background))
        return background;
    return normal;
}

static void dispatch(void *arg)
{
    struct kube_client *c = arg;
    struct kube_call *call;

    while ((call = first(&c->streams))) {
        list_del(&call->link);
        call_send(call);
    }
    while ((call = pick(c))) {
        list_del(&call->link);
        c->waiting--;
        if (call->priority != KUBE_PRIO_BACKGROUND)
            c->busy_ms = loop_now(c->loop);
        else
            c->trickle_ms = loop_now(c->loop);
        call_send(call);
    }
    if (first(&c->queue[KUBE_PRIO_BACKGROUND]) && !loop_timer_active(&c->quiet_timer))
        loop_timer_start(c->loop, &c->quiet_timer, BACKGROUND_QUIET_MS, dispatch, c);
}

void calls_dispatch_later(struct kube_client *c)
{
    loop_defer(c->loop, &c->dispatch_task, dispatch, c);
}

/* --- begin --- */

/* Bytes that no request line can carry; whoever built them did not encode. */
static bool target_ok(const char *target)
{
    for (const unsigned char *p = (const unsigned char *)target; *p; p++)
        if (*p <= 0x20 || *p >= 0x7f)
            return false;
    return target[0] == '/';
}

static void call_start(struct kube_call *call)
{
    struct kube_client *c = call->client;

    call->queued_ms = loop_now(c->loop);
    if (call->priority != KUBE_PRIO_BACKGROUND || call->stream)
        start_deadline(call);
    if (target_ok(call->target))
        enqueue(call, false);
    else
        fail_later(call, call_error(call, -EINVAL, "the path is not encoded"));
}

static struct kube_call *call_new(struct kube_client *c, const struct kube_request *req)
{
    struct kube_call *call = mem_zalloc(sizeof(*call));

    assert(req->method && req->priority < N_PRIORITIES);
    call->client = c;
    call->method = mem_strdup(req->method);
    call->path = str_dup(req->path);
    call->target = mem_printf("%s%s%s%" PRIstr, c->url.path, call->path, str_empty(req->query) ? "" : "?",
                              STRARG(req->query));
    call->content_type = mem_strdup(req->content_type ? req->content_type : "application/json");
    call->accept = mem_strdup(req->accept ? req->accept : "application/json");
    call->body = req->body.n ? mem_strndup(req->body.p, req->body.n) : NULL;
    call->body_len = req->body.n;
    call->secret = req->secret;
    call->max_body = req->max_body ? req->max_body : DEFAULT_MAX_BODY;
    call->timeout_ms = req->timeout_ms;
    call->priority = req->priority;
    call->no_retry = req->no_retry;
    call->error_body = BUF_INIT(ERROR_BODY_MAX);
    list_init(&call->link);
    list_init(&call->all);
    list_add_tail(&c->calls, &call->all);
    return call;
}

struct kube_call *kube_call(struct kube_client *c, const struct kube_request *req, kube_done_fn *fn, void *arg)
{
    struct kube_call *call = call_new(c, req);

    call->fn = fn;
    call->arg = arg;
    if (!call->timeout_ms)
        call->timeout_ms = DEFAULT_TIMEOUT_MS;
    call_start(call);
    return call;
}

struct kube_call *kube_stream(struct kube_client *c, const struct kube_request *req, uint64_t idle_timeout_ms,
                              const struct kube_stream_handlers *h, void *arg)
{
    struct kube_call *call = call_new(c, req);

    assert(h->on_data && h->on_done);
    call->stream = true;
    call->on_data = h->on_data;
    call->fn = h->on_done;
    call->arg = arg;
    call->idle_timeout_ms = idle_timeout_ms;
    call_start(call);
    return call;
}
