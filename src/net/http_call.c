/* One call: its copy of the request, its response, its time-outs, its end. See http_internal.h. */
#include <stdio.h>
#include <stdlib.h>

#include "net/http_internal.h"

#define DEFAULT_MAX_BODY ((size_t)64 << 20)
#define MAX_ATTEMPTS 3u

int header_block_add(struct header_block *h, struct str name, struct str value)
{
    if (h->n >= 200)
        return -EFBIG;
    h->text.max = (size_t)64 << 10;
    MEM_GROW(h->v, h->cap, h->n);
    h->v[h->n].name = (uint32_t)h->text.n;
    h->v[h->n].name_len = (uint32_t)name.n;
    buf_adds(&h->text, name);
    h->v[h->n].value = (uint32_t)h->text.n;
    h->v[h->n].value_len = (uint32_t)value.n;
    buf_adds(&h->text, value);
    if (buf_failed(&h->text))
        return -EFBIG;
    h->n++;
    return 0;
}

const struct http_header *header_block_get(struct header_block *h)
{
    free(h->out);
    h->out = mem_array(h->n + 1, sizeof(*h->out));
    for (size_t i = 0; i < h->n; i++)
        h->out[i] = (struct http_header){ str_n(h->text.p + h->v[i].name, h->v[i].name_len),
                                          str_n(h->text.p + h->v[i].value, h->v[i].value_len) };
    return h->out;
}

void header_block_done(struct header_block *h)
{
    buf_done(&h->text);
    free(h->v);
    free(h->out);
    *h = (struct header_block){ 0 };
}

static void call_free(struct http_call *call)
{
    loop_timer_stop(&call->deadline);
    loop_timer_stop(&call->idle);
    header_block_done(&call->response);
    if (call->collected.secret && call->body)
        explicit_bzero(call->body, call->body_len);
    buf_done(&call->collected);
    if (call->header_text)
        explicit_bzero(call->header_text, strlen(call->header_text)); /* may hold credentials */
    free(call->header_text);
    free(call->headers);
    free(call->body);
    free(call->method);
    free(call->path);
    free(call);
}

static void call_release(struct http_call *call)
{
    call->dead = true;
    if (call->busy == 0)
        call_free(call);
}

static void call_unlink(struct http_call *call)
{
    struct http_client *c = call->client;
    if (call->channel) {
        channel_detach(call->channel, call);
    } else if (!list_empty(&call->link)) {
        list_del(&call->link);
        c->n_queue--;
    }
    loop_timer_stop(&call->deadline);
    loop_timer_stop(&call->idle);
}

void call_finish(struct http_call *call, const struct error *err)
{
    if (call->dead)
        return;
    call_unlink(call);
    struct http_response r = { .status = call->status,
                               .headers = header_block_get(&call->response),
                               .n_headers = call->response.n,
                               .body = buf_str(&call->collected) };
    call->busy++;
    call->dead = true;
    client_dispatch_later(call->client);
    call->handlers.on_done(call->arg, err ? NULL : &r, err);
    call->busy--;
    call_release(call);
}

void call_fail(struct http_call *call, int code, const char *fmt, ...)
{
    _cleanup_error_ struct error *err = NULL;
    va_list ap;
    va_start(ap, fmt);
    error_vset(&err, code, fmt, ap);
    va_end(ap);
    call_finish(call, err);
}

void call_requeue(struct http_call *call)
{
    struct http_client *c = call->client;
    if (++call->attempts >= MAX_ATTEMPTS || call->status != 0) {
        call_fail(call, -ECONNRESET, "the server closed the connection before it answered");
        return;
    }
    channel_detach(call->channel, call);
    call->stream_id = 0;
    call->body_sent = 0;
    list_add_head(&c->queue, &call->link);
    c->n_queue++;
    client_dispatch_later(c);
}

/* --- response --- */

void call_on_headers(struct http_call *call)
{
    call_touch(call);
    if (!call->handlers.on_response || call->dead)
        return;
    struct http_response r = { .status = call->status,
                               .headers = header_block_get(&call->response),
                               .n_headers = call->response.n };
    call->busy++;
    call->handlers.on_response(call->arg, &r);
    call->busy--;
    if (call->dead && call->busy == 0)
        call_free(call);
}

bool call_on_body(struct http_call *call, struct str bytes)
{
    call_touch(call);
    if (!call->handlers.on_data) {
        if (buf_adds(&call->collected, bytes) == 0)
            return true;
        struct channel *ch = call->channel;
        channel_detach(ch, call);
        ch->ops->cancel(ch, call);
        call_fail(call, -EFBIG, "the response is larger than %zu bytes", call->max_body);
        return false;
    }
    call->busy++;
    bool more = call->handlers.on_data(call->arg, bytes);
    call->busy--;
    if (call->dead) {
        if (call->busy == 0)
            call_free(call);
        return false;
    }
    if (!more) {
        struct channel *ch = call->channel;
        channel_detach(ch, call);
        ch->ops->cancel(ch, call);
        call_fail(call, -ECANCELED, "the reader stopped");
    }
    return more;
}

/* --- time --- */

static void time_out(struct http_call *call, const char *what)
{
    struct channel *ch = call->channel;
    if (ch) {
        channel_detach(ch, call);
        if (ch->ops)
            ch->ops->cancel(ch, call);
    }
    call_fail(call, -ETIMEDOUT, "%s", what);
}

static void on_deadline(void *arg)
{
    time_out(arg, "no answer within the time-out");
}

static void on_idle(void *arg)
{
    time_out(arg, "the response stalled");
}

void call_touch(struct http_call *call)
{
    if (call->idle_timeout_ms)
        loop_timer_start(call->client->loop, &call->idle, call->idle_timeout_ms, on_idle, call);
}

/* --- begin and cancel --- */

static void copy_headers(struct http_call *call, const struct http_request *req)
{
    struct buf text = BUF_SECRET_INIT(BUF_MAX_DEFAULT);
    call->headers = mem_array(req->n_headers + 1, sizeof(*call->headers));
    call->n_headers = req->n_headers;
    for (size_t i = 0; i < req->n_headers; i++) {
        buf_adds(&text, req->headers[i].name);
        buf_adds(&text, req->headers[i].value);
    }
    call->header_text = buf_take(&text, NULL);
    const char *p = call->header_text;
    for (size_t i = 0; i < req->n_headers; i++) {
        call->headers[i].name = str_n(p, req->headers[i].name.n);
        p += req->headers[i].name.n;
        call->headers[i].value = str_n(p, req->headers[i].value.n);
        p += req->headers[i].value.n;
    }
}

struct http_call *http_client_send(struct http_client *c, const struct http_request *req, const struct http_handlers *h,
                                   void *arg)
{
    struct http_call *call = mem_zalloc(sizeof(*call));
    call->client = c;
    call->method = mem_strdup(req->method);
    call->path = str_dup(req->path);
    copy_headers(call, req);
    call->body = req->body.n ? mem_strndup(req->body.p, req->body.n) : NULL;
    call->body_len = req->body.n;
    call->handlers = *h;
    call->arg = arg;
    call->idle_timeout_ms = req->idle_timeout_ms;
    call->max_body = req->max_body ? req->max_body : DEFAULT_MAX_BODY;
    call->collected = req->secret ? BUF_SECRET_INIT(call->max_body) : BUF_INIT(call->max_body);
    list_init(&call->link);
    list_add_tail(&c->queue, &call->link);
    c->n_queue++;
    c->stats.requests++;
    if (req->timeout_ms)
        loop_timer_start(c->loop, &call->deadline, req->timeout_ms, on_deadline, call);
    client_dispatch_later(c);
    return call;
}

void http_call_cancel(struct http_call *call)
{
    if (call->dead)
        return;
    struct channel *ch = call->channel;
    call_unlink(call);
    if (ch && ch->ops)
        ch->ops->cancel(ch, call);
    client_dispatch_later(call->client);
    call_release(call);
}

struct str http_response_header(const struct http_response *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++)
        if (str_eqc(r->headers[i].name, name))
            return r->headers[i].value;
    return STR_NULL;
}
