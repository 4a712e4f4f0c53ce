/* See h2_server.h. One thread per connection, blocking: read, let nghttp2 work, write. */
#include "h2_server.h"

#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct h2_conn {
    struct h2_server *server;
    SSL *ssl;
    bool close;
};

struct stream {
    char path[64];
    size_t body, to_send;
    char text[32];
};

static ssize_t send_bytes(nghttp2_session *session, const uint8_t *data, size_t n, int flags, void *arg)
{
    struct h2_conn *c = arg;
    int r = SSL_write(c->ssl, data, (int)n);

    (void)session;
    (void)flags;
    return r > 0 ? r : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t len, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    struct stream *s = source->ptr;
    size_t n = MIN(len, s->to_send), total = strlen(s->text);

    (void)session;
    (void)id;
    (void)arg;
    for (size_t i = 0; i < n; i++)
        out[i] = total ? (uint8_t)s->text[total - s->to_send + i] : 'x';
    s->to_send -= n;
    if (s->to_send == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static void answer(nghttp2_session *session, int32_t id, struct stream *s, const char *status, const char *text,
                   size_t n)
{
    static char name[] = ":status", type_name[] = "content-type", type[] = "text/test";
    char value[4];
    nghttp2_data_provider provider = { .source.ptr = s, .read_callback = read_body };

    memcpy(value, status, sizeof(value));
    nghttp2_nv nv[] = { { (uint8_t *)name, (uint8_t *)value, 7, 3, NGHTTP2_NV_FLAG_NONE },
                        { (uint8_t *)type_name, (uint8_t *)type, sizeof(type_name) - 1, sizeof(type) - 1,
                          NGHTTP2_NV_FLAG_NONE } };
    snprintf(s->text, sizeof(s->text), "%s", text);
    s->to_send = n;
    nghttp2_submit_response(session, id, nv, 2, n ? &provider : NULL);
}

static void handle(nghttp2_session *session, int32_t id, struct stream *s, struct h2_conn *c)
{
    bool first = atomic_fetch_add(&c->server->n_requests, 1) == 0;
    char size[32];

#define IS(p) (strcmp(s->path, p) == 0)
    if (IS("/big")) {
        answer(session, id, s, "200", "", H2_BIG);
    } else if (IS("/size")) {
        int n = snprintf(size, sizeof(size), "%zu", s->body);
        answer(session, id, s, "200", size, (size_t)n);
    } else if (IS("/empty")) {
        answer(session, id, s, "204", "", 0);
    } else if (IS("/reset")) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_INTERNAL_ERROR);
    } else if (IS("/refuse") && first) {
        c->server->n_refused++;
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    } else if (IS("/goaway") && first) {
        c->server->n_refused++;
        nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, MAX(id - 2, 0), NGHTTP2_NO_ERROR, NULL, 0);
    } else if (IS("/close")) {
        c->close = true;
    } else if (!IS("/hang")) {
        answer(session, id, s, "200", "ok", 2);
    }
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)arg;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, mem_zalloc(sizeof(struct stream)));
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    struct stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags;
    (void)arg;
    if (s && name_len == 5 && memcmp(name, ":path", 5) == 0)
        snprintf(s->path, sizeof(s->path), "%.*s", (int)value_len, (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *arg)
{
    struct stream *s = nghttp2_session_get_stream_user_data(session, id);

    (void)flags;
    (void)data;
    (void)arg;
    if (s)
        s->body += n;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2_conn *c = arg;
    struct stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    if (frame->hd.type == NGHTTP2_RST_STREAM)
        c->server->n_resets++;
    if (s && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        handle(session, frame->hd.stream_id, s, c);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    (void)code;
    (void)arg;
    free(nghttp2_session_get_stream_user_data(session, id));
    nghttp2_session_set_stream_user_data(session, id, NULL);
    return 0;
}

static nghttp2_session *new_session(struct h2_conn *c)
{
    nghttp2_session_callbacks *cb;
    nghttp2_session *session;
    nghttp2_settings_entry settings = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, c->server->max_streams };

    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_send_callback(cb, send_bytes);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    nghttp2_session_server_new(&session, cb, c);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &settings, 1);
    return session;
}

/* Streams that are still open keep their data: it goes here. */
static void free_streams(nghttp2_session *session)
{
    for (int32_t id = 1; id < 2000; id += 2)
        if (nghttp2_session_find_stream(session, id))
            on_close(session, id, 0, NULL);
}

static void talk(struct h2_conn *c)
{
    nghttp2_session *session = new_session(c);
    uint8_t in[16384];
    int n = 0;

    do {
        if (n > 0 && nghttp2_session_mem_recv(session, in, (size_t)n) < 0)
            break;
        if (c->close || nghttp2_session_send(session) != 0)
            break;
        if (!nghttp2_session_want_read(session) && !nghttp2_session_want_write(session))
            break;
    } while ((n = SSL_read(c->ssl, in, sizeof(in))) > 0);
    free_streams(session);
    nghttp2_session_del(session);
}

struct start {
    struct h2_server *server;
    int fd;
};

static void *serve(void *arg)
{
    struct start *start = arg;
    struct h2_conn c = { .server = start->server, .ssl = SSL_new(start->server->ctx) };

    SSL_set_fd(c.ssl, start->fd);
    if (SSL_accept(c.ssl) == 1)
        talk(&c);
    shutdown(start->fd, SHUT_RDWR); /* closed by h2_server_stop, so that the number stays taken */
    SSL_free(c.ssl);
    free(start);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct h2_server *s = arg;
    int fd;

    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        unsigned i = s->n_conns;
        struct start *start = mem_zalloc(sizeof(*start));

        if (i >= H2_MAX_CONNS)
            abort();
        *start = (struct start){ s, fd };
        s->fds[i] = fd;
        if (pthread_create(&s->conns[i], NULL, serve, start) != 0)
            abort();
        s->n_conns++;
    }
    return NULL;
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                     unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    return nghttp2_select_next_protocol((unsigned char **)(uintptr_t)out, out_len, in, in_len) == 1
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

void h2_server_start(struct h2_server *s, const struct cert *cert, unsigned max_streams)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(a);

    memset(s, 0, sizeof(*s));
    s->ctx = SSL_CTX_new(TLS_server_method());
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    s->max_streams = max_streams;
    SSL_CTX_set_alpn_select_cb(s->ctx, choose_h2, NULL);
    if (SSL_CTX_use_certificate(s->ctx, cert->x) != 1 || SSL_CTX_use_PrivateKey(s->ctx, cert->key) != 1 ||
        bind(s->fd, (struct sockaddr *)&a, len) < 0 || listen(s->fd, 16) < 0 ||
        getsockname(s->fd, (struct sockaddr *)&a, &len) < 0)
        abort();
    s->port = ntohs(a.sin_port);
    if (pthread_create(&s->acceptor, NULL, accept_all, s) != 0)
        abort();
}

void h2_server_stop(struct h2_server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    for (unsigned i = 0; i < s->n_conns; i++) {
        shutdown(s->fds[i], SHUT_RDWR);
        pthread_join(s->conns[i], NULL);
        close(s->fds[i]);
    }
    close(s->fd);
    SSL_CTX_free(s->ctx);
}
