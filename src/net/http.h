/*
 * HTTP client for one origin (scheme, host, port): HTTP/2 multiplexed by ALPN with HTTP/1.1 fallback, keep-alive,
 * proxies (http/https CONNECT, socks5), streaming responses. Bytes and HTTP only, nothing of Kubernetes.
 *
 * Connections are made on demand. HTTP/2: all calls share one connection; a second one is opened when the peer's
 * MAX_CONCURRENT_STREAMS is reached (at most `max_connections`), further calls queue. HTTP/1.1: up to
 * max_connections, streams (watches) take one each. A connection that read nothing for 30 s is probed by PING and
 * dropped after 15 s without answer (calls on it fail with -ECONNRESET). GOAWAY and REFUSED_STREAM: calls that the
 * peer says it did not process are sent again on a new connection; nothing else is retried here.
 * Connect failures are remembered: for a backoff of 0.2 to 10 s after a failed connect, calls fail at once with the
 * same error (set `connect_backoff` false for probes and CLIs).
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/buf.h"
#include "net/loop.h"
#include "net/tls.h"
#include "net/url.h"

struct http_client_config {
    struct loop *loop;
    const struct url *url;       /* scheme, host, port are used; copied */
    const struct url *proxy;     /* or NULL; copied */
    struct tls_client *tls;      /* for https; a reference is taken. NULL with http */
    uint64_t connect_timeout_ms; /* 0: 10 s. TCP, proxy and TLS handshake together */
    unsigned max_connections;    /* 0: 4 for HTTP/2, 64 for HTTP/1.1 */
    bool connect_backoff;
};

struct http_client;
int http_client_new(const struct http_client_config *config, struct http_client **ret, struct error **err);
/* Running calls end with -ECANCELED through their callbacks, on the next round of the loop at the latest. */
void http_client_free(struct http_client *c);
DEFINE_CLEANUP(struct http_client *, http_client_free)
/* Lets running calls finish on their connections but opens new ones for new calls (credentials or trust changed). */
void http_client_set_tls(struct http_client *c, struct tls_client *tls);

struct http_header {
    struct str name, value; /* names in lower case */
};

struct http_request {
    const char *method;                /* "GET" */
    struct str path;                   /* with query, percent-encoded, begins with "/" */
    const struct http_header *headers; /* without host, content-length and connection headers, which are set here */
    size_t n_headers;
    struct str body;          /* copied */
    uint64_t timeout_ms;      /* for the whole call; 0: none */
    uint64_t idle_timeout_ms; /* longest silence of a streaming response; 0: none */
    size_t max_body;          /* with on_data NULL: bytes collected for on_done; 0: 64 MiB. -EFBIG beyond */
    bool secret;              /* both bodies are cleared before their memory is freed */
};

struct http_response {
    int status;
    const struct http_header *headers; /* valid during the callback */
    size_t n_headers;
    struct str body; /* collected body (on_data NULL), else empty */
};
/* Value of a response header (name in lower case), or STR_NULL. */
struct str http_response_header(const struct http_response *r, const char *name);

struct http_call;
struct http_handlers {
    /* Optional: header block of a response arrived. */
    void (*on_response)(void *arg, const struct http_response *r);
    /* Optional: streaming. Called with each piece of the body; return false to stop reading for good (the call then
     * ends with -ECANCELED). Flow control: data that was handed out counts as consumed. */
    bool (*on_data)(void *arg, struct str bytes);
    /* Always called exactly once, unless http_call_cancel was called; the call is gone afterwards. r is NULL and err set
     * when no complete response was received. Codes: -ETIMEDOUT, -ECONNREFUSED, -ECONNRESET, -EHOSTUNREACH, -EPROTO,
     * -EKEYREJECTED (TLS verification; message says what is wrong with which certificate), -ECANCELED, -EFBIG. */
    void (*on_done)(void *arg, const struct http_response *r, const struct error *err);
};
/* Never fails synchronously: errors come through on_done. Handlers are copied. */
struct http_call *http_client_send(struct http_client *c, const struct http_request *req, const struct http_handlers *h,
                                   void *arg);
/* No callback runs after this. RST_STREAM or closing the HTTP/1.1 connection. */
void http_call_cancel(struct http_call *call);

struct http_client_stats {
    uint64_t requests, connects, connect_failures, bytes_in, bytes_out;
    unsigned connections, in_flight, queued;
    bool http2; /* of the newest connection */
};
void http_client_get_stats(const struct http_client *c, struct http_client_stats *ret);

#endif
