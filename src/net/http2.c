/*
 * HTTP/2 over one connection, by nghttp2. The session is driven by three things: bytes that arrived, calls that were sent
 * (coalesced: one send per round of the loop), and the connection having drained.
 *
 * Windows: 1 MiB per stream is more than a page of a list, so that one round trip per MiB is the worst a list pays; 16 MiB
 * per connection, so that one slow reader cannot stop the watches beside it.
 */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/http_internal.h"

#define STREAM_WINDOW (1 << 20)
#define CONNECTION_WINDOW (16 << 20)
#define PING_AFTER_MS 30000u
#define PING_TIMEOUT_MS 15000u
/* Control frames that the peer makes us answer may wait this far before it counts as a flood. */
#define MAX_OUTBOUND_ACKS 1000

struct h2 {
    struct channel *channel;
    nghttp2_session *session;
    struct loop_task send_task;
    struct loop_timer ping;
    bool pinging;
    int32_t last_stream_id; /* of a GOAWAY */
};

static void send_frames(void *arg);

static void send_later(struct h2 *h)
{
    loop_defer(h->channel->loop, &h->send_task, send_frames, h);
}

static void shut(struct h2 *h, int code, const char *what)
{
    _cleanup_error_ struct error *err = NULL;
    error_set(&err, code, "HTTP/2: %s", what);
    channel_shut(h->channel, err);
}

static void send_frames(void *arg)
{
    struct h2 *h = arg;
    while (h->channel->client && conn_pending(h->channel->conn) < CONN_OUT_HIGH) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(h->session, &data);
        if (n < 0) {
            shut(h, -EPROTO, nghttp2_strerror((int)n));
            return;
        }
        if (n == 0)
            break;
        if (conn_write(h->channel->conn, str_n((const char *)data, (size_t)n)) < 0)
            return;
    }
    if (h->channel->client && !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session) &&
        conn_pending(h->channel->conn) == 0)
        shut(h, -ECONNRESET, "the session ended");
}

/* --- callbacks of nghttp2 --- */

static struct http_call *call_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    (void)flags;
    (void)arg;
    struct http_call *call = call_of(session, frame->hd.stream_id);
    if (!call || frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct str n = str_n((const char *)name, name_len), v = str_n((const char *)value, value_len);
    if (str_eqc(n, ":status")) {
        uint64_t status = 0;
        str_to_u64(v, &status);
        call->status = (int)status;
        if (status < 200)
            header_block_done(&call->response);
        return 0;
    }
    if (frame->headers.cat == NGHTTP2_HCAT_HEADERS && call->status >= 200)
        return 0; /* trailers */
    return header_block_add(&call->response, n, v) < 0 ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2 *h = arg;
    struct channel *ch = h->channel;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_RESPONSE) {
        struct http_call *call = call_of(session, frame->hd.stream_id);
        if (call && call->status >= 200)
            call_on_headers(call);
    } else if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        uint32_t most = nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
        ch->limit = MIN(most, 1000u);
        if (ch->client) {
            ch->client->h2_limit = MAX(ch->limit, 1u);
            client_dispatch_later(ch->client);
        }
    } else if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        h->pinging = false;
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        ch->draining = true;
        if (ch->client)
            client_dispatch_later(ch->client);
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t len,
                         void *arg)
{
    (void)flags;
    (void)arg;
    struct http_call *call = call_of(session, stream_id);
    if (call)
        call_on_body(call, str_n((const char *)data, len));
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *arg)
{
    struct h2 *h = arg;
    struct http_call *call = call_of(session, stream_id);
    if (!call || !h->channel->client)
        return 0;
    nghttp2_session_set_stream_user_data(session, stream_id, NULL);
    if (code == NGHTTP2_NO_ERROR && call->status >= 200)
        call_finish(call, NULL);
    else if (code == NGHTTP2_REFUSED_STREAM)
        call_requeue(call);
    else
        call_fail(call, -ECONNRESET, "the server reset the stream: %s", nghttp2_http2_strerror(code));
    return 0;
}

static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int code, void *arg)
{
    (void)arg;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct http_call *call = call_of(session, frame->hd.stream_id);
    if (call) {
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, NULL);
        if (code == NGHTTP2_ERR_START_STREAM_NOT_ALLOWED || code == NGHTTP2_ERR_SESSION_CLOSING)
            call_requeue(call);
        else
            call_fail(call, -EPROTO, "HTTP/2: %s", nghttp2_strerror(code));
    }
    return 0;
}

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *cb;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_not_sent);
    return cb;
}

/* --- calls --- */

static ssize_t read_body(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t len, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    (void)source;
    (void)arg;
    struct http_call *call = call_of(session, stream_id);
    if (!call)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t n = MIN(len, call->body_len - call->body_sent);
    memcpy(out, call->body + call->body_sent, n);
    call->body_sent += n;
    if (call->body_sent == call->body_len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static nghttp2_nv pair(struct str name, struct str value, bool secret)
{
    return (nghttp2_nv){ (uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n, value.n,
                         secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE };
}

static void h2_send(struct channel *ch, struct http_call *call)
{
    struct h2 *h = ch->state;
    nghttp2_nv *nv = mem_array(call->n_headers + 5, sizeof(*nv));
    size_t n = 0;
    char length[24];
    nv[n++] = pair(STR(":method"), str_of(call->method), false);
    nv[n++] = pair(STR(":scheme"), str_of(ch->client->url.scheme), false);
    nv[n++] = pair(STR(":authority"), str_of(ch->client->authority), false);
    nv[n++] = pair(STR(":path"), str_of(call->path), false);
    for (size_t i = 0; i < call->n_headers; i++)
        nv[n++] = pair(call->headers[i].name, call->headers[i].value, false);
    if (call->body) {
        int len = snprintf(length, sizeof(length), "%zu", call->body_len);
        nv[n++] = pair(STR("content-length"), str_n(length, (size_t)len), false);
    }
    nghttp2_data_provider provider = { .read_callback = read_body };
    int32_t id = nghttp2_submit_request(h->session, NULL, nv, n, call->body ? &provider : NULL, call);
    free(nv);
    if (id < 0) {
        ch->draining = true;
        call_requeue(call);
        return;
    }
    call->stream_id = id;
    send_later(h);
}

static void h2_cancel(struct channel *ch, struct http_call *call)
{
    struct h2 *h = ch->state;
    if (!call->stream_id || !h)
        return;
    nghttp2_session_set_stream_user_data(h->session, call->stream_id, NULL);
    nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
    call->stream_id = 0;
    send_later(h);
}

/* --- the connection --- */

static void h2_on_data(struct channel *ch, struct str bytes)
{
    struct h2 *h = ch->state;
    ssize_t n = nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes.p, bytes.n);
    if (!ch->client)
        return;
    if (n < 0)
        shut(h, -EPROTO, nghttp2_strerror((int)n));
    else
        send_later(h);
}

static void h2_on_drained(struct channel *ch)
{
    struct h2 *h = ch->state;
    if (nghttp2_session_want_write(h->session))
        send_later(h);
}

static void on_ping_timer(void *arg)
{
    struct h2 *h = arg;
    struct channel *ch = h->channel;
    uint64_t silent = loop_now(ch->loop) - ch->last_read_ms;
    if (h->pinging && silent >= PING_TIMEOUT_MS) {
        shut(h, -ECONNRESET, "the server does not answer pings");
        return;
    }
    h->pinging = false;
    uint64_t next = PING_AFTER_MS - MIN(silent, (uint64_t)PING_AFTER_MS);
    if (silent >= PING_AFTER_MS) {
        nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
        h->pinging = true;
        next = PING_TIMEOUT_MS;
        send_later(h);
    }
    loop_timer_start(ch->loop, &h->ping, MAX(next, (uint64_t)100), on_ping_timer, h);
}

static void h2_on_close(struct channel *ch)
{
    struct h2 *h = ch->state;
    loop_timer_stop(&h->ping);
    loop_task_cancel(&h->send_task);
    list_for_each(it, &ch->calls) {
        struct http_call *call = list_entry(it, struct http_call, link);
        if (call->stream_id)
            nghttp2_session_set_stream_user_data(h->session, call->stream_id, NULL);
        call->stream_id = 0;
    }
}

static void h2_free(struct channel *ch)
{
    struct h2 *h = ch->state;
    nghttp2_session_del(h->session);
    free(h);
    ch->state = NULL;
}

static const struct channel_ops h2_ops = { h2_send, h2_cancel, h2_on_data, h2_on_drained, h2_on_close, h2_free };

int channel_start_h2(struct channel *ch, struct error **err)
{
    struct h2 *h = mem_zalloc(sizeof(*h));
    h->channel = ch;
    nghttp2_session_callbacks *cb = make_callbacks();
    nghttp2_option *option;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, MAX_OUTBOUND_ACKS);
    nghttp2_option_set_peer_max_concurrent_streams(option, 100);
    int r = nghttp2_session_client_new2(&h->session, cb, h, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    if (r != 0) {
        free(h);
        return error_set(err, -ENOMEM, "HTTP/2: %s", nghttp2_strerror(r));
    }
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 64 << 10 },
    };
    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, ARRAY_SIZE(settings));
    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    ch->ops = &h2_ops;
    ch->state = h;
    /* Until its settings arrive: what it allowed before, or what RFC 9113 recommends as the least. */
    ch->limit = ch->client->h2_limit ? ch->client->h2_limit : 100;
    loop_timer_start(ch->loop, &h->ping, PING_AFTER_MS, on_ping_timer, h);
    send_later(h);
    return 0;
}
