/* HTTP/1.1 over one connection: one call at a time, kept alive between calls. Parser: http1.h. */
#include <stdlib.h>

#include "net/http1.h"
#include "net/http_internal.h"

struct h1 {
    struct channel *channel;
    struct http1_parser parser;
    struct http_call *call; /* NULL: idle, or the call went away */
};

static int on_status(void *arg, int status)
{
    struct h1 *h = arg;
    if (h->call) {
        h->call->status = status;
        header_block_done(&h->call->response);
    }
    return 0;
}

static int on_header(void *arg, struct str name, struct str value)
{
    struct h1 *h = arg;
    return h->call ? header_block_add(&h->call->response, name, value) : 0;
}

static int on_headers_done(void *arg)
{
    struct h1 *h = arg;
    if (h->call)
        call_on_headers(h->call);
    return h->channel->client ? 0 : -ECANCELED;
}

static int on_body(void *arg, struct str bytes)
{
    struct h1 *h = arg;
    if (h->call)
        call_on_body(h->call, bytes);
    return h->channel->client ? 0 : -ECANCELED;
}

static void complete(struct h1 *h)
{
    struct channel *ch = h->channel;
    struct http_call *call = h->call;
    h->call = NULL;
    if (!h->parser.keep_alive)
        ch->draining = true;
    http1_reset(&h->parser);
    if (call)
        call_finish(call, NULL);
    if (ch->client)
        client_dispatch_later(ch->client);
}

static void h1_send(struct channel *ch, struct http_call *call)
{
    struct h1 *h = ch->state;
    h->call = call;
    http1_reset(&h->parser);
    h->parser.head_request = strcmp(call->method, "HEAD") == 0;
    _cleanup_buf_ struct buf out = BUF_SECRET_INIT(CONN_OUT_MAX); /* credentials */
    buf_printf(&out, "%s %s HTTP/1.1\r\nhost: %s\r\n", call->method, call->path, ch->client->authority);
    for (size_t i = 0; i < call->n_headers; i++) {
        buf_adds(&out, call->headers[i].name);
        buf_addz(&out, ": ");
        buf_adds(&out, call->headers[i].value);
        buf_addz(&out, "\r\n");
    }
    bool may_have_body = strcmp(call->method, "GET") != 0 && strcmp(call->method, "HEAD") != 0;
    if (call->body || may_have_body)
        buf_printf(&out, "content-length: %zu\r\n", call->body_len);
    buf_addz(&out, "\r\n");
    buf_add(&out, call->body, call->body_len);
    conn_write(ch->conn, buf_str(&out));
}

/* The answer can no longer be told apart from the next one: the connection is given up. */
static void h1_cancel(struct channel *ch, struct http_call *call)
{
    struct h1 *h = ch->state;
    if (h->call != call)
        return;
    h->call = NULL;
    channel_shut(ch, NULL);
}

static void h1_on_data(struct channel *ch, struct str bytes)
{
    struct h1 *h = ch->state;
    _cleanup_error_ struct error *err = NULL;
    if (!h->call) {
        error_set(&err, -EPROTO, "the server sent data without a request");
        channel_shut(ch, err);
        return;
    }
    size_t used = 0;
    int r = http1_feed(&h->parser, bytes, &used, &err);
    if (!ch->client)
        return;
    if (r < 0) {
        if (!err)
            error_set(&err, r, "the response is too large");
        channel_shut(ch, err);
        return;
    }
    if (h->parser.state != HTTP1_DONE)
        return;
    if (used < bytes.n)
        h->parser.keep_alive = false;
    complete(h);
}

static void h1_on_drained(struct channel *ch)
{
    (void)ch;
}

static void h1_on_close(struct channel *ch)
{
    struct h1 *h = ch->state;
    struct http_call *call = h->call;
    h->call = NULL;
    if (call && http1_eof(&h->parser) == 0)
        call_finish(call, NULL);
}

static void h1_free(struct channel *ch)
{
    struct h1 *h = ch->state;
    http1_done(&h->parser);
    free(h);
    ch->state = NULL;
}

static const struct channel_ops h1_ops = { h1_send, h1_cancel, h1_on_data, h1_on_drained, h1_on_close, h1_free };

void channel_start_h1(struct channel *ch)
{
    struct h1 *h = mem_zalloc(sizeof(*h));
    h->channel = ch;
    h->parser = (struct http1_parser){
        .on_status = on_status, .on_header = on_header, .on_headers_done = on_headers_done, .on_body = on_body, .arg = h
    };
    http1_reset(&h->parser);
    ch->ops = &h1_ops;
    ch->state = h;
    ch->limit = 1;
}
