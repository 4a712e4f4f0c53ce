/*
 * See client.h. A call goes: waiting (priority queue) -> credentials -> HTTP -> maybe once more -> callback. Streams skip the
 * queue. The limiter counts calls in flight; HIGH priority is not held back by it, since health probes and leases must get
 * through when everything else is stuck.
 */
#include "kube/client.h"

#include <stdlib.h>

#include "base/log.h"
#include "kube/apierror.h"
#include "kube/credentials.h"
#include "kube/limiter.h"

#define DEFAULT_TIMEOUT_MS 30000u
#define MAX_RETRIES 5u
#define DEFAULT_RETRY_AFTER_MS 1000u
#define MAX_RETRY_AFTER_MS 30000u
#define TOKEN_WAIT_MS 5000u
#define USER_AGENT "kubefed/" KUBEFED_VERSION " (linux)"

struct kube_client {
    struct loop *loop;
    struct kube_client_options options;
    struct http_client *http;
    struct credentials *credentials;
    struct url url;
    char *server, *user_agent, *server_name;
    struct buf ca_pem;
    unsigned tls_skip;
    struct limiter limiter;
    struct list waiting[3];
    struct list running;                 /* calls and streams beyond the queue */
    unsigned n_waiting, in_flight;
    struct loop_task start_task;
    struct kube_client_stats stats;
};

enum stage { STAGE_WAITING, STAGE_CREDENTIALS, STAGE_HTTP, STAGE_PAUSE };

struct kube_call {
    struct kube_client *client;
    struct list link;
    enum stage stage;
    char *method, *path, *content_type, *accept;
    struct buf body;
    enum kube_priority priority;
    bool no_retry, is_stream, refreshed, responded_ok, counted, wants_token;
    uint64_t deadline_ms, started_ms, idle_timeout_ms;
    size_t max_body;
    unsigned retries;
    struct http_call *http;
    struct loop_timer timer;             /* pause before a retry, or the deadline while waiting */
    kube_done_fn *fn;
    bool (*on_data)(void *arg, struct str bytes);
    void *arg;
    int status;                          /* of a stream's response head */
    struct buf error_body;               /* of a stream that was refused */
};

static void start_more(void *arg);
static void send_call(struct kube_call *call);
static void ask_credentials(struct kube_call *call);

/* --- life of a call --- */

static void call_free(struct kube_call *call)
{
    loop_timer_stop(&call->timer);
    list_del(&call->link);
    buf_done(&call->body);
    buf_done(&call->error_body);
    free(call->method);
    free(call->path);
    free(call->content_type);
    free(call->accept);
    free(call);
}

static void start_later(struct kube_client *c)
{
    loop_defer(c->loop, &c->start_task, start_more, c);
}

static void uncount(struct kube_call *call)
{
    if (!call->counted)
        return;
    call->counted = false;
    call->client->in_flight--;
    start_later(call->client);
}

static void leave_queue(struct kube_call *call)
{
    if (call->stage != STAGE_WAITING)
        return;
    call->client->n_waiting--;
    list_del(&call->link);
}

static void finish(struct kube_call *call, const struct kube_response *resp, const struct error *err)
{
    kube_done_fn *fn = call->fn;
    void *arg = call->arg;
    leave_queue(call);
    uncount(call);
    struct buf error_body = call->error_body;    /* resp may point into it */
    call->error_body = (struct buf){ 0 };
    call_free(call);
    fn(arg, resp, err);
    buf_done(&error_body);
}

static char *describe(const struct kube_call *call)
{
    return mem_printf("%s %s%s", call->method, call->client->server, call->path + strlen(call->client->url.path));
}

static void fail(struct kube_call *call, const struct error *cause)
{
    _cleanup_free_ char *what = describe(call);
    _cleanup_error_ struct error *err = NULL;
    error_set(&err, cause->code, "%s: %s", what, cause->msg);
    finish(call, NULL, err);
}

void kube_call_cancel(struct kube_call *call)
{
    leave_queue(call);
    if (call->http)
        http_call_cancel(call->http);
    if (call->stage == STAGE_CREDENTIALS)
        credentials_forget(call->client->credentials, call);
    uncount(call);
    call_free(call);
}

/* --- once more --- */

static void on_pause_over(void *arg)
{
    ask_credentials(arg);
}

static bool pause_and_retry(struct kube_call *call, uint64_t ms)
{
    uint64_t now = loop_now(call->client->loop);
    if (call->no_retry || call->retries >= MAX_RETRIES || now + ms >= call->deadline_ms)
        return false;
    call->retries++;
    call->stage = STAGE_PAUSE;
    uncount(call);
    loop_timer_start(call->client->loop, &call->timer, ms, on_pause_over, call);
    return true;
}

static uint64_t retry_after_ms(const struct http_response *r)
{
    struct str value = http_response_header(r, "retry-after");
    uint64_t seconds;
    if (value.n == 0)
        return r->status == 429 ? DEFAULT_RETRY_AFTER_MS : 0;
    if (str_to_u64(value, &seconds) < 0)
        return DEFAULT_RETRY_AFTER_MS;
    return MIN(MAX(seconds, (uint64_t)1) * 1000, (uint64_t)MAX_RETRY_AFTER_MS);
}

/* A 401: fresh credentials, once. true when the call goes on. */
static bool refresh_credentials(struct kube_call *call)
{
    struct kube_client *c = call->client;
    if (call->refreshed)
        return false;
    call->refreshed = true;
    if (credentials_invalidate(c->credentials)) {
        ask_credentials(call);
        return true;
    }
    if (!c->options.on_unauthorized)
        return false;
    uint64_t now = loop_now(c->loop);
    call->stage = STAGE_PAUSE;
    call->wants_token = true;
    uncount(call);
    loop_timer_start(c->loop, &call->timer, MIN((uint64_t)TOKEN_WAIT_MS, call->deadline_ms > now ? call->deadline_ms - now : 0),
                     on_pause_over, call);
    c->options.on_unauthorized(c->options.arg, c);
    return true;
}

void kube_client_set_token(struct kube_client *c, struct str token)
{
    credentials_set_token(c->credentials, token);
    list_for_each(it, &c->running) {
        struct kube_call *call = list_entry(it, struct kube_call, link);
        if (!call->wants_token || call->stage != STAGE_PAUSE)
            continue;
        call->wants_token = false;
        loop_timer_start(c->loop, &call->timer, 0, on_pause_over, call);
    }
}

/* --- answers --- */

static void account(struct kube_call *call, int status, const struct error *err)
{
    struct kube_client *c = call->client;
    c->stats.by_code[status >= 100 && status < 600 ? status / 100 : 0]++;
    if (call->is_stream)
        return;
    bool overload = status == 429 || status == 503 || (err && err->code == -ETIMEDOUT);
    limiter_result(&c->limiter, overload ? LIMITER_OVERLOAD : LIMITER_OK, loop_now(c->loop) - call->started_ms, c->in_flight,
                   loop_now(c->loop));
}

static void on_http_done(void *arg, const struct http_response *r, const struct error *err)
{
    struct kube_call *call = arg;
    call->http = NULL;
    account(call, r ? r->status : call->status, err);
    if (err) {
        bool reset = err->code == -ECONNRESET && strcmp(call->method, "GET") == 0 && call->retries == 0 && !call->is_stream;
        if (!reset || !pause_and_retry(call, 0))
            fail(call, err);
        return;
    }
    if (r->status == 401 && refresh_credentials(call))
        return;
    uint64_t wait = r->status == 429 || r->status == 503 ? retry_after_ms(r) : 0;
    if (wait && !call->is_stream && pause_and_retry(call, wait))
        return;
    struct str body = call->is_stream ? buf_str(&call->error_body) : r->body;
    struct kube_response resp = { .status = r->status, .body = body, .content_type = http_response_header(r, "content-type") };
    if (r->status >= 200 && r->status < 300) {
        finish(call, &resp, NULL);
        return;
    }
    _cleanup_free_ char *what = describe(call);
    _cleanup_error_ struct error *e = NULL;
    api_error(&e, r->status, body, what);
    finish(call, &resp, e);
}

static void on_stream_head(void *arg, const struct http_response *r)
{
    struct kube_call *call = arg;
    call->status = r->status;
    call->responded_ok = r->status >= 200 && r->status < 300;
}

static bool on_stream_data(void *arg, struct str bytes)
{
    struct kube_call *call = arg;
    if (call->responded_ok)
        return call->on_data(call->arg, bytes);
    buf_adds(&call->error_body, bytes);
    return true;
}

/* --- sending --- */

static void send_call(struct kube_call *call)
{
    struct kube_client *c = call->client;
    struct http_header headers[CREDENTIALS_MAX_HEADERS + 3];
    _cleanup_buf_ struct buf text = BUF_INIT((size_t)4 << 20);
    size_t n = credentials_headers(c->credentials, &text, headers);
    headers[n++] = (struct http_header){ STR("accept"), str_of(call->accept) };
    headers[n++] = (struct http_header){ STR("user-agent"), str_of(c->user_agent) };
    if (call->body.n)
        headers[n++] = (struct http_header){ STR("content-type"), str_of(call->content_type) };
    uint64_t now = loop_now(c->loop);
    struct http_request req = {
        .method = call->method, .path = str_of(call->path), .headers = headers, .n_headers = n, .body = buf_str(&call->body),
        .timeout_ms = call->deadline_ms > now ? call->deadline_ms - now : 1, .idle_timeout_ms = call->idle_timeout_ms,
        .max_body = call->max_body,
    };
    struct http_handlers h = { .on_done = on_http_done };
    if (call->is_stream) {
        h.on_response = on_stream_head;
        h.on_data = on_stream_data;
        buf_reset(&call->error_body);
    }
    call->stage = STAGE_HTTP;
    call->started_ms = now;
    if (!call->is_stream && !call->counted) {
        call->counted = true;
        c->in_flight++;
    }
    c->stats.requests++;
    call->http = http_client_send(c->http, &req, &h, call);
    if (text.n)
        explicit_bzero(text.p, text.n);
}

static void on_credentials(void *arg, const struct error *err)
{
    struct kube_call *call = arg;
    if (err)
        fail(call, err);
    else
        send_call(call);
}

static void ask_credentials(struct kube_call *call)
{
    loop_timer_stop(&call->timer);
    call->stage = STAGE_CREDENTIALS;
    call->wants_token = false;
    credentials_get(call->client->credentials, on_credentials, call);
}

static void begin(struct kube_call *call)
{
    struct kube_client *c = call->client;
    leave_queue(call);
    list_add_tail(&c->running, &call->link);
    if (!call->is_stream) {
        call->counted = true;
        c->in_flight++;
    }
    ask_credentials(call);
}

static void start_more(void *arg)
{
    struct kube_client *c = arg;
    unsigned limit = limiter_limit(&c->limiter);
    for (int p = KUBE_PRIO_HIGH; p <= KUBE_PRIO_BACKGROUND; p++) {
        bool background = p == KUBE_PRIO_BACKGROUND;
        unsigned most = p == KUBE_PRIO_HIGH ? UINT32_MAX : background ? MAX(limit / 4, 1u) : limit;
        while (!list_empty(&c->waiting[p]) && c->in_flight < most)
            begin(list_entry(c->waiting[p].next, struct kube_call, link));
    }
}

static void on_waited_too_long(void *arg)
{
    struct kube_call *call = arg;
    _cleanup_error_ struct error *err = NULL;
    error_set(&err, -ETIMEDOUT, "the server is too slow: no room for this request within its time-out");
    fail(call, err);
}

static struct kube_call *new_call(struct kube_client *c, const struct kube_request *req, kube_done_fn *fn, void *arg)
{
    struct kube_call *call = mem_zalloc(sizeof(*call));
    call->client = c;
    list_init(&call->link);
    call->method = mem_strdup(req->method);
    call->path = req->query.n ? mem_printf("%s%" PRIstr "?%" PRIstr, c->url.path, STRARG(req->path), STRARG(req->query))
                              : mem_printf("%s%" PRIstr, c->url.path, STRARG(req->path));
    call->content_type = mem_strdup(req->content_type ? req->content_type : "application/json");
    call->accept = mem_strdup(req->accept ? req->accept : "application/json");
    call->body = BUF_INIT(BUF_MAX_DEFAULT);
    buf_adds(&call->body, req->body);
    call->priority = req->priority;
    call->no_retry = req->no_retry;
    call->max_body = req->max_body;
    call->deadline_ms = loop_now(c->loop) + (req->timeout_ms ? req->timeout_ms : DEFAULT_TIMEOUT_MS);
    call->fn = fn;
    call->arg = arg;
    call->error_body = BUF_INIT((size_t)1 << 20);
    call->stage = STAGE_WAITING;
    c->n_waiting++;
    return call;
}

struct kube_call *kube_call(struct kube_client *c, const struct kube_request *req, kube_done_fn *fn, void *arg)
{
    struct kube_call *call = new_call(c, req, fn, arg);
    list_add_tail(&c->waiting[call->priority], &call->link);
    loop_timer_start(c->loop, &call->timer, req->timeout_ms ? req->timeout_ms : DEFAULT_TIMEOUT_MS, on_waited_too_long, call);
    start_later(c);
    return call;
}

struct kube_call *kube_stream(struct kube_client *c, const struct kube_request *req, uint64_t idle_timeout_ms,
                              const struct kube_stream_handlers *h, void *arg)
{
    struct kube_call *call = new_call(c, req, h->on_done, arg);
    call->is_stream = true;
    call->on_data = h->on_data;
    call->idle_timeout_ms = idle_timeout_ms;
    call->priority = KUBE_PRIO_HIGH;
    list_add_tail(&c->waiting[KUBE_PRIO_HIGH], &call->link);
    start_later(c);
    return call;
}

/* --- client --- */

static int make_tls(const struct kube_client *c, struct str cert, struct str key, struct tls_client **ret, struct error **err)
{
    return tls_client_new(&(struct tls_client_config){ .ca_pem = buf_str(&c->ca_pem), .cert_pem = cert, .key_pem = key,
                                                       .server_name = str_of(c->server_name), .skip = c->tls_skip }, ret, err);
}

static void on_certificate(void *arg, struct str cert, struct str key)
{
    struct kube_client *c = arg;
    _cleanup_(tls_client_unrefp) struct tls_client *tls = NULL;
    _cleanup_error_ struct error *err = NULL;
    if (make_tls(c, cert, key, &tls, &err) < 0)
        log_error("%s: the credential plugin's certificate cannot be used: %s", c->server, error_msg(err));
    else
        http_client_set_tls(c->http, tls);
}

/* HTTPS_PROXY, HTTP_PROXY and NO_PROXY with the rules of Go: loopback is never proxied, NO_PROXY lists hosts, domains and "*". */
static const char *environment_proxy(const struct url *u)
{
    const char *no = getenv("NO_PROXY") ? getenv("NO_PROXY") : getenv("no_proxy");
    struct str host = str_of(u->host);
    if (str_eqc(host, "localhost") || str_has_prefix(host, STR("127.")) || str_eqc(host, "::1"))
        return NULL;
    struct str rest = str_of(no), item;
    while (rest.n) {
        if (!str_cut(rest, ',', &item, &rest)) {
            item = rest;
            rest = STR_NULL;
        }
        item = str_trim(item);
        struct str bare = item.n && item.p[0] == '.' ? str_n(item.p + 1, item.n - 1) : item;
        bool below = bare.n && host.n > bare.n && str_has_suffix(host, bare) && host.p[host.n - bare.n - 1] == '.';
        if (str_eqc(item, "*") || (bare.n && (str_ieq(host, bare) || below)))
            return NULL;
    }
    const char *value = strcmp(u->scheme, "https") == 0
                            ? (getenv("HTTPS_PROXY") ? getenv("HTTPS_PROXY") : getenv("https_proxy"))
                            : (getenv("HTTP_PROXY") ? getenv("HTTP_PROXY") : getenv("http_proxy"));
    return value && value[0] ? value : NULL;
}

static int parse_urls(struct kube_client *c, const struct kube_config *config, struct url *proxy, bool *ret_has_proxy,
                      struct error **err)
{
    int r = url_parse(str_of(config->server), &c->url, err);
    if (r < 0) {
        error_wrap(err, "server URL \"%s\"", config->server);
        return r;
    }
    const char *via = config->proxy_url && config->proxy_url[0] ? config->proxy_url : environment_proxy(&c->url);
    *ret_has_proxy = via != NULL;
    if (!via)
        return 0;
    _cleanup_free_ char *with_scheme = strstr(via, "://") ? mem_strdup(via) : mem_printf("http://%s", via);
    r = url_parse(str_of(with_scheme), proxy, err);
    if (r < 0)
        error_wrap(err, "proxy URL");
    return r;
}

static int set_up(struct kube_client *c, const struct kube_config *config, struct error **err)
{
    struct url proxy = { 0 };
    bool has_proxy = false;
    _cleanup_(tls_client_unrefp) struct tls_client *tls = NULL;
    int r = parse_urls(c, config, &proxy, &has_proxy, err);
    if (r < 0)
        return r;
    c->server = url_format(&(struct url){ c->url.scheme, c->url.host, c->url.port, (char *)(uintptr_t)"", NULL, NULL });
    if (strcmp(c->url.scheme, "https") == 0)
        r = make_tls(c, buf_str(&config->cert_pem), buf_str(&config->key_pem), &tls, err);
    if (r == 0)
        r = http_client_new(&(struct http_client_config){ .loop = c->loop, .url = &c->url, .proxy = has_proxy ? &proxy : NULL,
                                                          .tls = tls, .connect_backoff = c->options.connect_backoff },
                            &c->http, err);
    url_done(&proxy);
    if (r < 0)
        error_wrap(err, "server %s", c->server);
    return r;
}

int kube_client_new(const struct kube_config *config, const struct kube_client_options *options, struct kube_client **ret,
                    struct error **err)
{
    struct kube_client *c = mem_zalloc(sizeof(*c));
    c->loop = options->loop;
    c->options = *options;
    c->user_agent = options->user_agent ? mem_printf(USER_AGENT " %s", options->user_agent) : mem_strdup(USER_AGENT);
    c->server_name = mem_strdup(config->tls_server_name);
    c->tls_skip = config->tls_skip;
    c->ca_pem = BUF_INIT(BUF_MAX_DEFAULT);
    buf_adds(&c->ca_pem, buf_str(&config->ca_pem));
    limiter_init(&c->limiter);
    for (size_t i = 0; i < ARRAY_SIZE(c->waiting); i++)
        list_init(&c->waiting[i]);
    list_init(&c->running);
    c->credentials = credentials_new(&(struct credentials_config){ .loop = c->loop, .config = config,
                                                                   .on_certificate = on_certificate, .arg = c });
    int r = set_up(c, config, err);
    if (r < 0) {
        kube_client_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

static void cancel_list(struct list *head)
{
    _cleanup_error_ struct error *err = NULL;
    error_set(&err, -ECANCELED, "the connection to this server was closed");
    struct list *l;
    while ((l = head->next) != head) {
        struct kube_call *call = list_entry(l, struct kube_call, link);
        if (call->http)
            http_call_cancel(TAKE_PTR(call->http));
        if (call->stage == STAGE_CREDENTIALS)
            credentials_forget(call->client->credentials, call);
        finish(call, NULL, err);
    }
}

void kube_client_free(struct kube_client *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(c->waiting); i++)
        cancel_list(&c->waiting[i]);
    cancel_list(&c->running);
    loop_task_cancel(&c->start_task);
    http_client_free(c->http);
    credentials_free(c->credentials);
    url_done(&c->url);
    buf_done(&c->ca_pem);
    free(c->server);
    free(c->server_name);
    free(c->user_agent);
    free(c);
}

struct loop *kube_client_loop(const struct kube_client *c)
{
    return c->loop;
}

const char *kube_client_server(const struct kube_client *c)
{
    return c->server;
}

void kube_client_get_stats(const struct kube_client *c, struct kube_client_stats *ret)
{
    *ret = c->stats;
    ret->limit = limiter_limit(&c->limiter);
    ret->in_flight = c->in_flight;
    ret->waiting = c->n_waiting;
}

/* --- sequential use --- */

struct waited {
    bool done;
    int code, status;
    struct buf *body;
    struct error *err;
};

static void on_waited(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct waited *w = arg;
    w->done = true;
    w->status = resp ? resp->status : 0;
    w->code = err ? err->code : 0;
    w->err = err ? error_copy(err) : NULL;
    if (resp && w->body)
        buf_adds(w->body, resp->body);
}

int kube_do(struct kube_client *c, const struct kube_request *req, struct buf *ret_body, int *ret_status, struct error **err)
{
    struct waited w = { .body = ret_body };
    struct kube_call *call = kube_call(c, req, on_waited, &w);
    loop_run(c->loop, &w.done);
    if (!w.done) {
        kube_call_cancel(call);
        return error_set(err, -ECANCELED, "interrupted");
    }
    if (ret_status)
        *ret_status = w.status;
    if (w.err && err) {
        error_free(*err);
        *err = TAKE_PTR(w.err);
    }
    error_free(w.err);
    return w.code;
}
