/*
 * Incremental HTTP/1.1 message parser for responses (client) and requests (server): bytes in, events out, no I/O. Strict:
 * lines end in CRLF, no obsolete folding, no NUL, not both Content-Length and Transfer-Encoding, chunk sizes in plain hex.
 * For src/net, tests and fuzzing.
 */
#ifndef NET_HTTP1_H
#define NET_HTTP1_H

#include "base/buf.h"
#include "base/error.h"

#define HTTP1_MAX_LINE ((size_t)16 << 10)
#define HTTP1_MAX_HEAD ((size_t)64 << 10)
#define HTTP1_MAX_HEADERS 200

enum http1_state {
    HTTP1_START,
    HTTP1_HEADERS,
    HTTP1_FIXED,
    HTTP1_UNTIL_CLOSE,
    HTTP1_CHUNK_SIZE,
    HTTP1_CHUNK,
    HTTP1_CHUNK_END,
    HTTP1_TRAILERS,
    HTTP1_DONE,
};

struct http1_parser {
    bool is_request;
    bool head_request; /* the response answers a HEAD: no body whatever its headers say */
    enum http1_state state;
    struct buf line;
    size_t head_bytes, n_headers;
    int status; /* response */
    bool has_length, chunked, keep_alive, close;
    uint64_t remaining;
    /* Events; non-zero stops the parser and is returned by http1_feed. */
    int (*on_request)(void *arg, struct str method, struct str target);
    int (*on_status)(void *arg, int status);
    int (*on_header)(void *arg, struct str lower_name, struct str value);
    int (*on_headers_done)(void *arg);
    int (*on_body)(void *arg, struct str bytes);
    void *arg;
};

/* Prepares for one message; keeps the events. */
void http1_reset(struct http1_parser *p);
void http1_done(struct http1_parser *p);
/* Takes bytes up to the end of the message. *ret_used: how many; the message is complete when p->state is HTTP1_DONE. */
int http1_feed(struct http1_parser *p, struct str bytes, size_t *ret_used, struct error **err);
/* The peer closed. 0 when that completes the message, -ECONNRESET when it cuts it. */
int http1_eof(struct http1_parser *p);

#endif
