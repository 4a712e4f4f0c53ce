/*
 * Inside of the HTTP client: a client owns channels (one per connection) and calls; a channel carries calls by one of two
 * protocols behind `struct channel_ops`. For src/net only.
 */
#ifndef NET_HTTP_INTERNAL_H
#define NET_HTTP_INTERNAL_H

#include "net/conn.h"
#include "net/http.h"

/* Response headers in one block: names and values by offset, turned into slices when handed out. */
struct header_block {
    struct buf text;
    struct {
        uint32_t name, name_len, value, value_len;
    } * v;
    size_t n, cap;
    struct http_header *out;
};
int header_block_add(struct header_block *h, struct str name, struct str value); /* -EFBIG beyond 64 KiB or 200 */
const struct http_header *header_block_get(struct header_block *h);
void header_block_done(struct header_block *h);

struct http_call {
    struct http_client *client;
    struct list link;        /* client->queue or channel->calls */
    struct channel *channel; /* NULL while queued */
    char *method, *path;
    struct http_header *headers; /* owned, one block behind */
    char *header_text;
    size_t n_headers;
    char *body;
    size_t body_len, body_sent;
    struct http_handlers handlers;
    void *arg;
    uint64_t idle_timeout_ms;
    size_t max_body;
    struct loop_timer deadline, idle;
    int32_t stream_id;
    unsigned attempts;
    int status;
    struct header_block response;
    struct buf collected; /* secret: so is the body that is sent */
    unsigned busy;        /* callbacks under way: the memory must stay */
    bool dead;            /* no callback any more; freed when busy is 0 */
};

struct channel;
struct channel_ops {
    /* Sends a call now. */
    void (*send)(struct channel *ch, struct http_call *call);
    /* The call ends early: tell the peer. The call is off the list already. */
    void (*cancel)(struct channel *ch, struct http_call *call);
    void (*on_data)(struct channel *ch, struct str bytes);
    void (*on_drained)(struct channel *ch);
    /* The connection ended; calls are failed by the caller afterwards. */
    void (*on_close)(struct channel *ch);
    void (*free)(struct channel *ch); /* protocol state only */
};

struct channel {
    struct http_client *client; /* NULL: detached, waits to be freed */
    struct loop *loop;
    struct list link; /* client->channels */
    struct conn *conn;
    const struct channel_ops *ops; /* NULL until open */
    void *state;
    struct list calls;
    unsigned n_calls, limit;
    bool open, draining; /* draining: takes no new calls */
    uint64_t last_read_ms;
    struct loop_task free_task;
};

struct http_client {
    struct loop *loop;
    struct url url, proxy;
    bool has_proxy;
    struct tls_client *tls;
    uint64_t connect_timeout_ms;
    unsigned max_connections;
    bool connect_backoff;
    struct list channels;
    unsigned n_channels;
    struct list queue;
    unsigned n_queue;
    char *authority;
    bool known, known_h2; /* which protocol the server chose */
    unsigned h2_limit;    /* streams per connection that it allowed last, 0: not known */
    uint64_t backoff_ms, backoff_until_ms;
    struct error *connect_error;
    struct loop_task dispatch_task;
    struct http_client_stats stats;
    unsigned holds; /* code under way that calls callbacks: the memory must stay */
    bool freed;
};

/* http_call.c */
void call_on_headers(struct http_call *call); /* response headers are complete */
/* A piece of the body. Returns false when the call ended by it (the channel must forget the call). */
bool call_on_body(struct http_call *call, struct str bytes);
/* Ends the call: takes it off its list, calls on_done. err NULL: complete. */
void call_finish(struct http_call *call, const struct error *err);
void call_fail(struct http_call *call, int code, const char *fmt, ...) _printf_(3, 4);
void call_touch(struct http_call *call); /* restarts the idle time-out */
/* Puts a call that the peer did not process back into the queue. */
void call_requeue(struct http_call *call);

/* http.c */
void client_dispatch_later(struct http_client *c);
void channel_shut(struct channel *ch, const struct error *err); /* closes it and fails its calls */
void channel_attach(struct channel *ch, struct http_call *call);
void channel_detach(struct channel *ch, struct http_call *call);

/* http2.c, http1_channel.c */
int channel_start_h2(struct channel *ch, struct error **err);
void channel_start_h1(struct channel *ch);

#endif
