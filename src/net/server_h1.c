/*
 * HTTP/1.1 at the server: keep-alive; pipelined requests wait in `rest` and are handled one after another, the next one when the
 * answer of the one before is on its way.
 */
#include <stdio.h>
#include <stdlib.h>

#include "net/http1.h"
#include "net/loop_internal.h"
#include "net/server_internal.h"

struct h1 {
    struct http1_parser parser;
    struct server_request request;
    struct buf rest;
    bool under_way; /* the first byte of a request has come */
};

static int on_request(void *arg, struct str method, struct str target)
{
    struct h1 *h = ((struct peer *)arg)->state;
    buf_adds(&h->request.method, method);
    return buf_adds(&h->request.target, target);
}

static int on_header(void *arg, struct str name, struct str value)
{
    struct h1 *h = ((struct peer *)arg)->state;
    return header_block_add(&h->request.headers, name, value);
}

/* curl sends a large body only when it is asked to. */
static int on_headers_done(void *arg)
{
    struct peer *p = arg;
    struct h1 *h = p->state;
    if (h->parser.has_length && h->parser.remaining > h->request.body.max)
        return -EFBIG;
    if (h->parser.state == HTTP1_DONE)
        return 0;
    const struct http_header *headers = header_block_get(&h->request.headers);
    for (size_t i = 0; i < h->request.headers.n; i++)
        if (str_eqc(headers[i].name, "expect") && str_ieq(headers[i].value, STR("100-continue")))
            peer_write(p, STR("HTTP/1.1 100 Continue\r\n\r\n"));
    return 0;
}

static int on_body(void *arg, struct str bytes)
{
    struct h1 *h = ((struct peer *)arg)->state;
    return buf_adds(&h->request.body, bytes);
}

static void reset(struct peer *p)
{
    struct h1 *h = p->state;
    http1_reset(&h->parser);
    server_request_done(&h->request);
    server_request_init(&h->request, p);
}

/* --- answering --- */

static void put_response(struct peer *p, const struct http_server_response *resp)
{
    struct h1 *h = p->state;
    _cleanup_buf_ struct buf head = BUF_INIT((size_t)4096);
    buf_printf(&head, "HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %zu\r\n", resp->status,
               server_status_text(resp->status), resp->content_type, resp->body.n);
    if (resp->location)
        buf_printf(&head, "location: %s\r\n", resp->location);
    buf_printf(&head, "%s\r\n", p->closing ? "connection: close\r\n" : "");
    peer_write(p, buf_str(&head));
    if (!str_eqc(buf_str(&h->request.method), "HEAD"))
        peer_write(p, buf_str(&resp->body));
}

static void answer(struct peer *p)
{
    struct h1 *h = p->state;
    struct http_server_response resp;
    peer_handle(p, &h->request, &resp);
    /* Requests that came with this one are answered before the connection ends. */
    p->closing |= !h->parser.keep_alive || (peer_is_retiring(p) && h->rest.n == 0);
    put_response(p, &resp);
    buf_done(&resp.body);
}

static void refuse(struct peer *p, int status)
{
    struct h1 *h = p->state;
    _cleanup_buf_ struct buf text = BUF_INIT((size_t)256);
    p->closing = true;
    buf_printf(&text, "%d %s\n", status, server_status_text(status));
    put_response(p, &(struct http_server_response){ .status = status, .content_type = "text/plain", .body = text });
    /* Nobody will look at it any more. */
    server_request_done(&h->request);
    server_request_init(&h->request, p);
    buf_done(&h->rest);
    peer_keep(p, 0);
}

/* Handles the complete requests in `rest` as long as their answers find room. */
static void work(struct peer *p)
{
    struct h1 *h = p->state;
    while (h->rest.n && !p->closing && p->out.n < SERVER_OUT_HIGH) {
        size_t used = 0;
        if (!h->under_way) {
            h->under_way = true;
            peer_begin(p);
            peer_await_request(p, peer_now(p));
        }
        int r = http1_feed(&h->parser, buf_str(&h->rest), &used, NULL);
        buf_consume(&h->rest, used);
        if (r < 0) {
            refuse(p, r == -EFBIG ? 413 : 400);
            return;
        }
        if (h->parser.state != HTTP1_DONE)
            break;
        answer(p);
        reset(p);
        h->under_way = false;
        peer_await_next(p);
    }
    if (h->rest.n == 0)
        buf_done(&h->rest);
    if (!peer_hold(p, server_request_size(&h->request) + h->rest.n) && h->under_way && !p->closing)
        refuse(p, 503);
}

static void h1_on_data(struct peer *p, struct str bytes)
{
    struct h1 *h = p->state;
    if (buf_adds(&h->rest, bytes) < 0)
        refuse(p, 413);
    work(p);
}

static void h1_on_drained(struct peer *p)
{
    work(p);
}

/* A client that was only slow learns why; who is idle, or does not take its answers, is not talked to. */
static void h1_on_timeout(struct peer *p)
{
    const struct h1 *h = p->state;
    if (h->under_way)
        refuse(p, 408);
    else
        p->broken = true;
}

static bool h1_is_busy(const struct peer *p)
{
    const struct h1 *h = p->state;
    return h->under_way || h->rest.n > 0;
}

static void h1_goodbye(struct peer *p)
{
    if (h1_is_busy(p))
        refuse(p, 503);
    p->closing = true;
}

static void h1_free(struct peer *p)
{
    struct h1 *h = p->state;
    http1_done(&h->parser);
    server_request_done(&h->request);
    buf_done(&h->rest);
    free(h);
}

static const struct protocol h1_protocol = { .on_data = h1_on_data,
                                             .on_drained = h1_on_drained,
                                             .on_timeout = h1_on_timeout,
                                             .goodbye = h1_goodbye,
                                             .is_busy = h1_is_busy,
                                             .refuse = refuse,
                                             .free = h1_free };

void peer_start_h1(struct peer *p)
{
    struct h1 *h = mem_zalloc(sizeof(*h));
    /* What one read brings beyond the request that is under way; a body leaves it at once. */
    h->rest = BUF_INIT(HTTP1_MAX_HEAD + 2 * LOOP_SCRATCH_SIZE);
    h->parser = (struct http1_parser){ .is_request = true,
                                       .on_request = on_request,
                                       .on_header = on_header,
                                       .on_headers_done = on_headers_done,
                                       .on_body = on_body,
                                       .arg = p };
    p->state = h;
    p->protocol = &h1_protocol;
    server_request_init(&h->request, p);
    http1_reset(&h->parser);
}
