/*
 * The HTTP client: pool of channels, queue of calls, connect backoff. Dispatching is a deferred task, so that calls made in
 * one round of the loop share connections and writes.
 */
#include "net/http.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "net/http_internal.h"

#define DEFAULT_CONNECT_TIMEOUT_MS 10000u
#define BACKOFF_INITIAL_MS 200u
#define BACKOFF_MAX_MS 10000u

/* --- memory --- */

/* A callback may free the client: whoever touches it after callbacks holds it meanwhile. */
static void client_hold(struct http_client *c)
{
    c->holds++;
}

static void client_release(struct http_client *c)
{
    if (--c->holds > 0 || !c->freed)
        return;
    error_free(c->connect_error);
    tls_client_unref(c->tls);
    url_done(&c->url);
    url_done(&c->proxy);
    free(c->authority);
    free(c);
}

/* --- channels --- */

void channel_attach(struct channel *ch, struct http_call *call)
{
    call->channel = ch;
    list_add_tail(&ch->calls, &call->link);
    ch->n_calls++;
    ch->client->stats.in_flight++;
}

void channel_detach(struct channel *ch, struct http_call *call)
{
    if (call->channel != ch)
        return;
    list_del(&call->link);
    call->channel = NULL;
    ch->n_calls--;
    call->client->stats.in_flight--;
}

static void channel_free_now(void *arg)
{
    struct channel *ch = arg;
    if (ch->ops)
        ch->ops->free(ch);
    free(ch);
}

/* Takes the channel out of service; the memory goes in the next round, since its protocol code may be on the stack. */
static void channel_retire(struct channel *ch)
{
    struct http_client *c = ch->client;
    if (!c)
        return;
    c->stats.bytes_in += conn_bytes_in(ch->conn);
    c->stats.bytes_out += conn_bytes_out(ch->conn);
    list_del(&ch->link);
    c->n_channels--;
    if (ch->ops)
        ch->ops->on_close(ch);
    conn_free(ch->conn);
    ch->conn = NULL;
    ch->open = false;
    ch->draining = true;
    ch->client = NULL;
    loop_defer(ch->loop, &ch->free_task, channel_free_now, ch);
}

void channel_shut(struct channel *ch, const struct error *err)
{
    struct http_client *c = ch->client;
    if (!c)
        return;
    client_hold(c);
    channel_retire(ch);
    struct list *l;
    while ((l = ch->calls.next) != &ch->calls) {
        struct http_call *call = list_entry(l, struct http_call, link);
        if (err)
            call_finish(call, err);
        else
            call_fail(call, -ECONNRESET, "the server closed the connection");
    }
    client_dispatch_later(c);
    client_release(c);
}

static void fail_queue(struct http_client *c, const struct error *err)
{
    struct list *l;
    for (unsigned n = c->n_queue; n > 0 && (l = c->queue.next) != &c->queue; n--)
        call_finish(list_entry(l, struct http_call, link), err);
}

static void on_open(void *arg, bool http2)
{
    struct channel *ch = arg;
    struct http_client *c = ch->client;
    ch->open = true;
    ch->last_read_ms = loop_now(ch->loop);
    c->stats.http2 = http2;
    c->known = true;
    c->known_h2 = http2;
    c->backoff_ms = 0;
    error_free(TAKE_PTR(c->connect_error));
    struct error *err = NULL;
    if (!http2) {
        channel_start_h1(ch);
    } else if (channel_start_h2(ch, &err) < 0) {
        channel_shut(ch, err);
        error_free(err);
        return;
    }
    client_dispatch_later(c);
}

static void on_data(void *arg, struct str bytes)
{
    struct channel *ch = arg;
    ch->last_read_ms = loop_now(ch->loop);
    ch->ops->on_data(ch, bytes);
}

static void on_drained(void *arg)
{
    struct channel *ch = arg;
    if (ch->ops)
        ch->ops->on_drained(ch);
}

static void remember_failure(struct http_client *c, const struct error *err)
{
    c->stats.connect_failures++;
    if (!c->connect_backoff)
        return;
    error_free(c->connect_error);
    c->connect_error = error_copy(err);
    c->backoff_ms = c->backoff_ms ? MIN(c->backoff_ms * 2, (uint64_t)BACKOFF_MAX_MS) : BACKOFF_INITIAL_MS;
    c->backoff_until_ms = loop_now(c->loop) + c->backoff_ms / 2 + rand_below(c->backoff_ms / 2 + 1);
}

static void on_close(void *arg, const struct error *err)
{
    struct channel *ch = arg;
    struct http_client *c = ch->client;
    if (ch->open) {
        channel_shut(ch, err);
        return;
    }
    _cleanup_error_ struct error *copy = NULL;
    if (err)
        copy = error_copy(err);
    else
        error_set(&copy, -ECONNRESET, "the server closed the connection");
    client_hold(c);
    remember_failure(c, copy);
    channel_retire(ch);
    bool others = false;
    list_for_each(it, &c->channels)
        others |= list_entry(it, struct channel, link)->open;
    if (!others)
        fail_queue(c, copy);
    client_dispatch_later(c);
    client_release(c);
}

static void open_channel(struct http_client *c)
{
    static const struct conn_callbacks callbacks = { on_open, on_data, on_drained, on_close };
    struct channel *ch = mem_zalloc(sizeof(*ch));
    ch->client = c;
    ch->loop = c->loop;
    ch->limit = 1;
    list_init(&ch->calls);
    list_add_tail(&c->channels, &ch->link);
    c->n_channels++;
    c->stats.connects++;
    ch->conn = conn_start(&(struct conn_spec){ .loop = c->loop,
                                               .url = &c->url,
                                               .proxy = c->has_proxy ? &c->proxy : NULL,
                                               .tls = c->tls,
                                               .timeout_ms = c->connect_timeout_ms },
                          &callbacks, ch);
}

/* --- dispatch --- */

static struct channel *channel_with_room(struct http_client *c)
{
    list_for_each(it, &c->channels) {
        struct channel *ch = list_entry(it, struct channel, link);
        if (ch->open && !ch->draining && ch->n_calls < ch->limit)
            return ch;
    }
    return NULL;
}

static unsigned count_opening(const struct http_client *c)
{
    unsigned n = 0;
    for (const struct list *it = c->channels.next; it != &c->channels; it = it->next)
        n += !container_of(it, struct channel, link)->open;
    return n;
}

static void drop_drained(struct http_client *c)
{
    list_for_each(it, &c->channels) {
        struct channel *ch = list_entry(it, struct channel, link);
        if (ch->open && ch->draining && ch->n_calls == 0)
            channel_retire(ch);
    }
}

static bool in_backoff(struct http_client *c)
{
    return c->connect_error && loop_now(c->loop) < c->backoff_until_ms;
}

/* Gives queued calls to channels with room. */
static void send_queue(struct http_client *c)
{
    struct channel *ch;
    while (!list_empty(&c->queue) && (ch = channel_with_room(c))) {
        struct http_call *call = list_entry(list_pop(&c->queue), struct http_call, link);
        c->n_queue--;
        channel_attach(ch, call);
        call_touch(call);
        ch->ops->send(ch, call);
    }
}

static void open_channels(struct http_client *c)
{
    unsigned opening = count_opening(c);
    if (c->n_channels == 0 && in_backoff(c)) {
        _cleanup_error_ struct error *err = error_copy(c->connect_error);
        fail_queue(c, err);
        return;
    }
    /* The first connection tells which protocol the server speaks; then HTTP/2 needs one, HTTP/1.1 one per call. */
    bool single = !c->known || c->known_h2;
    unsigned most = c->max_connections ? c->max_connections : single ? 4u : 64u;
    unsigned want = single ? 1u : c->n_queue;
    while (opening < want && c->n_channels < most) {
        open_channel(c);
        opening++;
    }
}

static void dispatch(void *arg)
{
    struct http_client *c = arg;
    client_hold(c);
    drop_drained(c);
    send_queue(c);
    if (!list_empty(&c->queue) && !c->freed)
        open_channels(c);
    client_release(c);
}

void client_dispatch_later(struct http_client *c)
{
    if (!c->freed)
        loop_defer(c->loop, &c->dispatch_task, dispatch, c);
}

/* --- life --- */

static void copy_url(struct url *to, const struct url *from)
{
    *to = (struct url){ mem_strdup(from->scheme), mem_strdup(from->host), from->port,
                        mem_strdup(from->path),   mem_strdup(from->user), mem_strdup(from->password) };
}

static bool scheme_is(const struct url *u, const char *a, const char *b)
{
    return strcmp(u->scheme, a) == 0 || strcmp(u->scheme, b) == 0;
}

int http_client_new(const struct http_client_config *config, struct http_client **ret, struct error **err)
{
    if (!scheme_is(config->url, "http", "https"))
        return error_set(err, -EINVAL, "unsupported URL scheme \"%s\": want http or https", config->url->scheme);
    if (config->proxy && !scheme_is(config->proxy, "http", "https") && !scheme_is(config->proxy, "socks5", "socks5h"))
        return error_set(err, -EINVAL, "unsupported proxy scheme \"%s\": want http, https or socks5",
                         config->proxy->scheme);
    struct http_client *c = mem_zalloc(sizeof(*c));
    c->loop = config->loop;
    copy_url(&c->url, config->url);
    if (config->proxy) {
        copy_url(&c->proxy, config->proxy);
        c->has_proxy = true;
    }
    bool secure = strcmp(c->url.scheme, "https") == 0;
    c->tls = secure && config->tls ? tls_client_ref(config->tls) : NULL;
    c->connect_timeout_ms = config->connect_timeout_ms ? config->connect_timeout_ms : DEFAULT_CONNECT_TIMEOUT_MS;
    c->max_connections = config->max_connections;
    c->connect_backoff = config->connect_backoff;
    list_init(&c->channels);
    list_init(&c->queue);
    bool v6 = strchr(c->url.host, ':') != NULL;
    bool standard = c->url.port == (secure ? 443 : 80);
    _cleanup_free_ char *port = standard ? mem_strdup("") : mem_printf(":%u", c->url.port);
    c->authority = mem_printf("%s%s%s%s", v6 ? "[" : "", c->url.host, v6 ? "]" : "", port);
    if (secure && !c->tls && tls_client_new(&(struct tls_client_config){ 0 }, &c->tls, err) < 0) {
        http_client_free(c);
        return -EIO;
    }
    *ret = c;
    return 0;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    c->freed = true;
    client_hold(c);
    _cleanup_error_ struct error *err = NULL;
    error_set(&err, -ECANCELED, "the client was closed");
    fail_queue(c, err);
    struct list *l;
    while ((l = c->channels.next) != &c->channels)
        channel_shut(list_entry(l, struct channel, link), err);
    fail_queue(c, err);
    loop_task_cancel(&c->dispatch_task);
    client_release(c);
}

void http_client_set_tls(struct http_client *c, struct tls_client *tls)
{
    tls_client_unref(c->tls);
    c->tls = tls_client_ref(tls);
    list_for_each(it, &c->channels)
        list_entry(it, struct channel, link)->draining = true;
    client_dispatch_later(c);
}

void http_client_get_stats(const struct http_client *c, struct http_client_stats *ret)
{
    *ret = c->stats;
    ret->connections = c->n_channels;
    ret->queued = c->n_queue;
}
