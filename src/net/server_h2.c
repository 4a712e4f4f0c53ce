/*
 * HTTP/2 at the server, by nghttp2: one stream per request, its body collected, its answer handed out as the peer takes it.
 * A peer that resets streams again and again (CVE-2023-44487) or makes us queue acknowledgements is let go.
 */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/server_internal.h"

#define MAX_STREAMS 64u
/* Before it has heard of that limit, a peer may open as many as it likes. */
#define MAX_STREAMS_EARLY 256u
#define STREAM_WINDOW (1 << 20)
#define CONNECTION_WINDOW (4 << 20)
#define MAX_OUTBOUND_ACKS 1000u
/* Streams that ended without an answer, on one connection. */
#define MAX_BROKEN_STREAMS 200u

struct h2 {
    struct peer *peer;
    nghttp2_session *session;
    struct list streams;
    unsigned n_streams, n_open; /* of which the request is not complete */
    unsigned n_broken;
    size_t held;
    bool retired, ended; /* GOAWAY was sent: for no stream yet, and with the last one that is answered */
};

struct stream {
    struct list link;
    struct h2 *h2;
    int32_t id;
    uint64_t began; /* loop_now */
    struct server_request request;
    struct buf answer;
    size_t sent;
    size_t held;
    bool answered;
};

/* --- streams --- */

static void hold(struct stream *s)
{
    size_t now = server_request_size(&s->request) + s->answer.n - s->sent;
    s->h2->held += now - s->held;
    s->held = now;
}

static void stream_free(struct stream *s)
{
    s->h2->held -= s->held;
    s->h2->n_streams--;
    if (!s->answered) {
        s->h2->n_open--;
        s->h2->n_broken++;
    }
    list_del(&s->link);
    server_request_done(&s->request);
    buf_done(&s->answer);
    free(s);
}

/* The request that is incomplete longest, or NULL: the list is in the order of their beginnings. */
static struct stream *first_open(struct h2 *h)
{
    list_for_each(it, &h->streams) {
        struct stream *s = list_entry(it, struct stream, link);
        if (!s->answered)
            return s;
    }
    return NULL;
}

static void set_deadline(struct h2 *h)
{
    const struct stream *s = first_open(h);
    if (s)
        peer_await_request(h->peer, s->began);
    else
        peer_await_next(h->peer);
}

static struct stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *out, size_t len, uint32_t *flags,
                           nghttp2_data_source *source, void *arg)
{
    (void)source;
    (void)arg;
    struct stream *s = stream_of(session, id);
    if (!s)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t n = MIN(len, s->answer.n - s->sent);
    if (n)
        memcpy(out, s->answer.p + s->sent, n);
    s->sent += n;
    hold(s);
    if (s->sent == s->answer.n)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
                         NGHTTP2_NV_FLAG_NONE };
}

static void submit(struct stream *s, int status, const char *type, const char *location)
{
    char code[8], length[24];
    nghttp2_nv nv[4];
    size_t n = 0;
    bool head = str_eqc(buf_str(&s->request.method), "HEAD");
    snprintf(code, sizeof(code), "%d", status);
    snprintf(length, sizeof(length), "%zu", s->answer.n);
    nv[n++] = pair(":status", code);
    nv[n++] = pair("content-type", type);
    nv[n++] = pair("content-length", length);
    if (location)
        nv[n++] = pair("location", location);
    nghttp2_data_provider provider = { .read_callback = read_answer };
    s->answered = true;
    s->h2->n_open--;
    buf_done(&s->request.body);
    hold(s);
    if (nghttp2_submit_response(s->h2->session, s->id, nv, n, head ? NULL : &provider) != 0)
        s->h2->peer->broken = true;
    set_deadline(s->h2);
}

/* An answer without asking the handler; what still comes of the request is thrown away. */
static void refuse(struct stream *s, int status)
{
    if (s->answered)
        return;
    buf_done(&s->answer);
    s->answer = BUF_INIT((size_t)256);
    buf_printf(&s->answer, "%d %s\n", status, server_status_text(status));
    submit(s, status, "text/plain", NULL);
}

static void answer(struct stream *s)
{
    struct http_server_response resp;
    if (s->answered)
        return;
    peer_handle(s->h2->peer, &s->request, &resp);
    s->answer = resp.body;
    submit(s, resp.status, resp.content_type, resp.location);
}

/* --- callbacks of nghttp2 --- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2 *h = arg;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if (h->n_streams >= MAX_STREAMS_EARLY)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    struct stream *s = mem_zalloc(sizeof(*s));
    h->n_streams++;
    s->h2 = h;
    s->id = frame->hd.stream_id;
    s->began = peer_now(h->peer);
    server_request_init(&s->request, h->peer);
    list_add_tail(&h->streams, &s->link);
    if (h->n_open++ == 0) {
        peer_begin(h->peer);
        set_deadline(h);
    }
    nghttp2_session_set_stream_user_data(session, s->id, s);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    (void)flags;
    struct h2 *h = arg;
    struct stream *s = stream_of(session, frame->hd.stream_id);
    if (!s || frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* trailers are nothing to us */
    struct str n = str_n((const char *)name, name_len), v = str_n((const char *)value, value_len);
    int r = 0;
    if (str_eqc(n, ":method"))
        r = buf_adds(&s->request.method, v);
    else if (str_eqc(n, ":path"))
        r = buf_adds(&s->request.target, v);
    else if (n.n && n.p[0] != ':')
        r = header_block_add(&s->request.headers, n, v);
    hold(s);
    return r < 0 || !peer_hold(h->peer, h->held) ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                         void *arg)
{
    (void)flags;
    struct h2 *h = arg;
    struct stream *s = stream_of(session, id);
    if (!s || s->answered)
        return 0;
    if (buf_add(&s->request.body, data, len) < 0) {
        refuse(s, 413);
        return 0;
    }
    hold(s);
    if (!peer_hold(h->peer, h->held))
        refuse(s, 503);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)arg;
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct stream *s = stream_of(session, frame->hd.stream_id);
    if (s)
        answer(s);
    return 0;
}

/* The answer is out and the request is not yet in, which is refused then: the peer need not send the rest (RFC 9113 8.1). */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)arg;
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
        nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

/* First a GOAWAY that excludes nothing: requests that are on their way to us are answered, and new ones go elsewhere. The second one
 * is true to the letter, and ends the connection when its streams have ended. A client that has just connected is told after its
 * first answer, as it could get the impression that nobody wants to serve it. */
static void retire(struct h2 *h, bool last)
{
    if (!h->retired)
        nghttp2_submit_shutdown_notice(h->session);
    h->retired = true;
    if (last && !h->ended)
        nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->session),
                              NGHTTP2_NO_ERROR, NULL, 0);
    h->ended |= last;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct h2 *h = arg;
    struct stream *s = stream_of(session, id);
    if (!s)
        return 0;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    if (code != NGHTTP2_NO_ERROR && s->answered)
        h->n_broken++;
    else if (s->answered && h->n_broken) /* time-outs of a client over weeks are no attack */
        h->n_broken--;
    stream_free(s);
    set_deadline(h);
    if (peer_is_retiring(h->peer))
        retire(h, h->peer->server->phase != SERVER_DRAINS);
    return 0;
}

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *cb;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    return cb;
}

/* --- the connection --- */

static void send_frames(struct peer *p)
{
    struct h2 *h = p->state;
    while (!p->broken && p->out.n < SERVER_OUT_HIGH) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(h->session, &data);
        if (n < 0)
            p->broken = true;
        if (n <= 0)
            break;
        peer_write(p, str_n((const char *)data, (size_t)n));
    }
    peer_keep(p, h->held);
    if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))
        p->closing = true;
}

static void h2_on_data(struct peer *p, struct str bytes)
{
    struct h2 *h = p->state;
    if (nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes.p, bytes.n) < 0 ||
        h->n_broken > MAX_BROKEN_STREAMS) {
        p->broken = true;
        return;
    }
    send_frames(p);
}

/* Requests that are incomplete were not looked at: the client may send them again elsewhere. */
static void h2_goodbye(struct peer *p)
{
    struct h2 *h = p->state;
    const struct stream *s = first_open(h);
    int32_t last = s ? MAX(s->id - 2, 0) : nghttp2_session_get_last_proc_stream_id(h->session);
    nghttp2_session_terminate_session2(h->session, last, NGHTTP2_NO_ERROR);
    send_frames(p);
    p->closing = true;
}

/* A request that takes too long is refused for itself; a connection without any ends. */
static void h2_on_timeout(struct peer *p)
{
    struct h2 *h = p->state;
    struct stream *late = first_open(h);
    if (!late) {
        h2_goodbye(p);
        return;
    }
    refuse(late, 408);
    send_frames(p);
}

static bool h2_is_busy(const struct peer *p)
{
    const struct h2 *h = p->state;
    return h->n_streams > 0;
}

static void h2_refuse(struct peer *p, int status)
{
    struct h2 *h = p->state;
    list_for_each(it, &h->streams)
        refuse(list_entry(it, struct stream, link), status);
    peer_keep(p, h->held);
}

static void h2_retire(struct peer *p, bool last)
{
    retire(p->state, last);
    send_frames(p);
}

static void h2_free(struct peer *p)
{
    struct h2 *h = p->state;
    list_for_each(it, &h->streams)
        stream_free(list_entry(it, struct stream, link));
    nghttp2_session_del(h->session);
    free(h);
}

static const struct protocol h2_protocol = { .on_data = h2_on_data,
                                             .on_drained = send_frames,
                                             .on_timeout = h2_on_timeout,
                                             .goodbye = h2_goodbye,
                                             .is_busy = h2_is_busy,
                                             .refuse = h2_refuse,
                                             .retire = h2_retire,
                                             .free = h2_free };

int peer_start_h2(struct peer *p)
{
    struct h2 *h = mem_zalloc(sizeof(*h));
    nghttp2_session_callbacks *cb = make_callbacks();
    nghttp2_option *option;
    h->peer = p;
    list_init(&h->streams);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, MAX_OUTBOUND_ACKS);
    int r = nghttp2_session_server_new2(&h->session, cb, h, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    if (r != 0) {
        free(h);
        return -ENOMEM;
    }
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, MAX_STREAMS },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 64 << 10 },
    };
    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, ARRAY_SIZE(settings));
    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    p->state = h;
    p->protocol = &h2_protocol;
    send_frames(p);
    return 0;
}
