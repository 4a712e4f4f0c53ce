/*
 * The client of one API server: connection settings from a kube_config, credentials, and the blocking form of a call. Calls
 * themselves are in call.c, the number of calls in flight in limiter.c, credentials in credentials.c.
 *
 * The client owns its calls; the caller's callbacks see every one of them end, unless it was cancelled.
 */
#include "kube/client.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "kube/client_internal.h"
#include "kube/config_internal.h"
#include "kube/file.h"

#if defined(__x86_64__)
#define ARCH "amd64"
#elif defined(__aarch64__)
#define ARCH "arm64"
#else
#define ARCH "unknown"
#endif

/* --- connection --- */

static int make_tls(const struct kube_config *config, struct str cert_pem, struct str key_pem, struct tls_client **ret,
                    struct error **err)
{
    struct tls_client_config tls = { .ca_pem = buf_str(&config->ca_pem),
                                     .cert_pem = cert_pem,
                                     .key_pem = key_pem,
                                     .server_name = str_of(config->tls_server_name),
                                     .skip = config->tls_skip,
                                     .verify_at = config->verify_at };

    int r = tls_client_new(&tls, ret, err);

    if (r == 0 && tls_client_unreadable(*ret) > 0)
        log_warning(
            "The CA bundle for %s holds %zu certificates that cannot be read: they are passed over, and what they "
            "would vouch for is refused. Replace them in its KubeFedCluster (spec.caBundle) or kubeconfig",
            config->server, tls_client_unreadable(*ret));
    return r;
}

/* A plugin handed out a certificate, or took it back. */
static int on_certificate(void *arg, const char *cert_pem, const char *key_pem, struct error **err)
{
    struct kube_client *c = arg;
    _cleanup_(tls_client_unrefp) struct tls_client *tls = NULL;
    int r;

    if (strcmp(c->url.scheme, "https") != 0)
        return 0;
    r = make_tls(c->config, str_of(cert_pem), str_of(key_pem), &tls, err);
    if (r < 0)
        return r;
    http_client_set_tls(c->http, tls);
    http_client_set_tls(c->http_streams, tls);
    return 0;
}

/* Messages must not repeat a part of user name or password: one with an unescaped '/' looks like a host, a port or a path. */
static int parse_url(const char *text, const char *what, struct url *ret, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    int r = url_parse(str_of(text), ret, &e);

    if (r == 0 && strchr(ret->path, '@'))
        r = -EINVAL;
    if (r == 0)
        return 0;
    url_done(ret);
    return error_set(err, r, "invalid %s URL: %s", what,
                     e && !strchr(text, '@') ? error_msg(e) : "host, port or user information cannot be read");
}

static int parse_server(struct kube_client *c, const char *server, struct error **err)
{
    /* A server without scheme is never talked to in plain text: it would get the token (controllers.md 13, Q-07). */
    _cleanup_free_ char *full = strstr(server, "://") ? mem_strdup(server) : mem_printf("https://%s", server);
    int r = parse_url(full, "server", &c->url, err);

    if (r < 0)
        return r;
    if (strcmp(c->url.scheme, "http") != 0 && strcmp(c->url.scheme, "https") != 0)
        return error_set(err, -EINVAL, "invalid server URL: the scheme is \"%s\", want http or https", c->url.scheme);
    c->server = url_format(&c->url);
    return 0;
}

static int find_proxy(struct kube_client *c, struct url *ret, bool *ret_has, struct error **err)
{
    _cleanup_free_ char *from_env = NULL;
    const char *text = c->config->proxy_url;
    int r;

    *ret_has = false;
    if (!text || !text[0]) {
        r = kube_proxy_from_env(&c->url, &from_env, err);
        if (r < 0)
            return r;
        text = from_env;
    }
    if (!text)
        return 0;
    r = parse_url(text, "proxy", ret, err);
    *ret_has = r == 0;
    return r;
}

static int connect_settings(struct kube_client *c, const struct kube_client_options *options, struct error **err)
{
    _cleanup_(tls_client_unrefp) struct tls_client *tls = NULL;
    _cleanup_(url_done) struct url proxy = { 0 };
    bool has_proxy;
    int r = find_proxy(c, &proxy, &has_proxy, err);

    if (r == 0 && has_proxy)
        c->through = mem_printf(" through proxy %s:%u", proxy.host, proxy.port);
    if (r == 0 && strcmp(c->url.scheme, "https") == 0)
        r = make_tls(c->config, buf_str(&c->config->cert_pem), buf_str(&c->config->key_pem), &tls, err);
    if (r < 0)
        return r;
    struct http_client_config config = { .loop = c->loop,
                                         .url = &c->url,
                                         .proxy = has_proxy ? &proxy : NULL,
                                         .tls = tls,
                                         .connect_backoff = options->connect_backoff };
    r = http_client_new(&config, &c->http, err);
    return r < 0 ? r : http_client_new(&config, &c->http_streams, err);
}

/* --- impersonation --- */

static int add_header(struct kube_client *c, size_t *cap, char *name, const char *value, struct error **err)
{
    char *copy = mem_strdup(value);

    MEM_GROW(c->impersonation, *cap, c->n_impersonation);
    c->impersonation_text = mem_realloc(c->impersonation_text, (2 * c->n_impersonation + 3) * sizeof(char *));
    c->impersonation_text[2 * c->n_impersonation] = name;
    c->impersonation_text[2 * c->n_impersonation + 1] = copy;
    c->impersonation_text[2 * c->n_impersonation + 2] = NULL;
    c->impersonation[c->n_impersonation++] = (struct http_header){ str_of(name), str_of(copy) };
    if (!kube_header_ok(str_of(copy)))
        return error_set(err, -EINVAL, "impersonation: a value holds control characters");
    return 0;
}

static int add_extra(struct kube_client *c, size_t *cap, const char *pair, struct error **err)
{
    struct str key, value;
    struct buf name = BUF_INIT(KUBE_TOKEN_MAX);

    str_cut(str_of(pair), '=', &key, &value);
    _cleanup_free_ char *lower = str_lower(key), *v = str_dup(value);
    buf_addz(&name, "impersonate-extra-");
    buf_add_urlencoded(&name, str_of(lower));
    return add_header(c, cap, buf_take(&name, NULL), v, err);
}

static int impersonate(struct kube_client *c, struct error **err)
{
    const struct kube_config *config = c->config;
    size_t cap = 0;
    int r = 0;

    if (!config->as_user && (config->as_uid || config->as_groups || config->as_extra))
        return error_set(err, -EINVAL, "requesting uid, groups or user-extra without impersonating a user");
    if (config->as_user)
        r = add_header(c, &cap, mem_strdup("impersonate-user"), config->as_user, err);
    if (r == 0 && config->as_uid)
        r = add_header(c, &cap, mem_strdup("impersonate-uid"), config->as_uid, err);
    for (size_t i = 0; r == 0 && config->as_groups && config->as_groups[i]; i++)
        r = add_header(c, &cap, mem_strdup("impersonate-group"), config->as_groups[i], err);
    for (size_t i = 0; r == 0 && config->as_extra && config->as_extra[i]; i++)
        r = add_extra(c, &cap, config->as_extra[i], err);
    return r;
}

/* --- life --- */

static void unauthorized_task(void *arg)
{
    struct kube_client *c = arg;

    c->on_unauthorized(c->arg, c);
}

static void on_unauthorized(void *arg)
{
    struct kube_client *c = arg;

    loop_defer(c->loop, &c->unauthorized_task, unauthorized_task, c);
}

static struct kube_client *client_alloc(const struct kube_config *config, const struct kube_client_options *options)
{
    struct kube_client *c = mem_zalloc(sizeof(*c));

    c->loop = options->loop;
    c->config = kube_config_copy(config);
    c->on_unauthorized = options->on_unauthorized;
    c->arg = options->arg;
    c->user_agent = mem_printf(KUBE_FIELD_MANAGER "/%s (linux/%s)%s%s", KUBEFED_VERSION, ARCH,
                               options->user_agent ? " " : "", options->user_agent ? options->user_agent : "");
    c->tally = options->tally ? kube_tally_ref(options->tally) : kube_tally_new();
    limiter_init(&c->limiter);
    list_init(&c->calls);
    list_init(&c->streams);
    list_init(&c->informers);
    for (size_t i = 0; i < N_PRIORITIES; i++)
        list_init(&c->queue[i]);
    return c;
}

/* The part of the server's URL that names it in metrics. */
static struct str host_of(const struct kube_client *c)
{
    struct str host, rest;

    str_cut(str_of(strstr(c->server, "://") + 3), '/', &host, &rest);
    return host;
}

static int client_set_up(struct kube_client *c, const struct kube_client_options *options, struct error **err)
{
    struct credentials_handlers handlers = { .on_certificate = on_certificate,
                                             .on_unauthorized = c->on_unauthorized ? on_unauthorized : NULL,
                                             .arg = c };
    int r;

    if (!c->config->server || !c->config->server[0])
        return error_set(err, -EINVAL, "the server URL is missing");
    r = parse_server(c, c->config->server, err);
    if (r == 0)
        c->host_tally = kube_tally_host(c->tally, host_of(c));
    if (r == 0)
        r = connect_settings(c, options, err);
    if (r == 0)
        r = impersonate(c, err);
    if (r == 0)
        r = credentials_new(c->loop, c->config, &handlers, &c->credentials, err);
    /* The TLS settings hold the key now. */
    if (c->config->key_pem.p)
        explicit_bzero(c->config->key_pem.p, c->config->key_pem.n);
    buf_done(&c->config->key_pem);
    return r;
}

int kube_client_new(const struct kube_config *config, const struct kube_client_options *options,
                    struct kube_client **ret, struct error **err)
{
    struct kube_client *c = client_alloc(config, options);
    int r = client_set_up(c, options, err);

    if (r < 0) {
        kube_client_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

void kube_client_free(struct kube_client *c)
{
    if (!c)
        return;
    while (!list_empty(&c->calls))
        call_abort(list_entry(c->calls.next, struct kube_call, all), -ECANCELED, "the client was closed");
    loop_task_cancel(&c->dispatch_task);
    loop_timer_stop(&c->quiet_timer);
    loop_task_cancel(&c->unauthorized_task);
    credentials_free(c->credentials);
    http_client_free(c->http);
    http_client_free(c->http_streams);
    kube_tally_unref(c->tally);
    url_done(&c->url);
    free(c->server);
    free(c->through);
    free(c->user_agent);
    free(c->impersonation);
    for (size_t i = 0; i < 2 * c->n_impersonation; i++)
        free(c->impersonation_text[i]);
    free(c->impersonation_text);
    kube_config_free(c->config);
    free(c);
}

void kube_client_set_token(struct kube_client *c, struct str token)
{
    credentials_set_token(c->credentials, token);
}

struct loop *kube_client_loop(const struct kube_client *c)
{
    return c->loop;
}

const char *kube_client_server(const struct kube_client *c)
{
    return c->server;
}

int kube_client_clock(const struct kube_client *c, int64_t *ret_ahead_s)
{
    int64_t theirs;

    if (time_parse_http(str_of(c->date), &theirs) < 0)
        return -ENODATA;
    *ret_ahead_s = theirs - c->dated_at;
    return 0;
}

struct kube_tally *kube_client_tally(const struct kube_client *c)
{
    return c->tally;
}

struct kube_cache *kube_client_cache(struct kube_client *c)
{
    return &c->cache;
}

struct list *kube_client_informers(struct kube_client *c)
{
    return &c->informers;
}

void kube_client_get_stats(const struct kube_client *c, struct kube_client_stats *ret)
{
    *ret = c->stats;
    ret->limit = limiter_get(&c->limiter);
    ret->in_flight = c->in_flight;
    ret->waiting = c->waiting;
}

/* --- blocking --- */

struct blocking {
    bool done;
    int status;
    struct buf body;
    struct error *err;
};

static void on_blocking_done(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct blocking *b = arg;

    b->done = true;
    if (err) {
        b->err = error_copy(err);
        return;
    }
    b->status = resp->status;
    buf_adds(&b->body, resp->body);
}

int kube_do(struct kube_client *c, const struct kube_request *req, struct buf *ret_body, int *ret_status,
            struct error **err)
{
    struct blocking b = { .body = BUF_INIT(req->max_body ? req->max_body : BUF_MAX_DEFAULT) };
    struct kube_call *call = kube_call(c, req, on_blocking_done, &b);
    int r = 0;

    loop_run(c->loop, &b.done);
    if (!b.done) {
        kube_call_cancel(call);
        return error_set(err, -ECANCELED, "interrupted");
    }
    if (b.err) {
        r = b.err->code;
        if (err) {
            error_free(*err);
            *err = TAKE_PTR(b.err);
        }
        error_free(b.err);
    }
    if (r < 0 || !ret_body)
        buf_done(&b.body);
    else
        *ret_body = b.body;
    if (r == 0 && ret_status)
        *ret_status = b.status;
    return r;
}
