/*
 * A small HTTP server for health, metrics and admission requests: HTTP/1.1, with TLS also HTTP/2; one handler, whole bodies.
 * Everything has a limit: header 16 KiB a line and 64 KiB in all, body as given, 256 connections (a new one takes the place of
 * the one that has been silent longest, but before that of one that does not finish its handshake), 30 s for a handshake or a
 * request, 60 s idle, and 64 MiB for all that is held for all peers together, output included. Beyond that, the connection that
 * holds most has its requests answered with 503, or ends when it does not take its answers: so small requests find room however
 * many large ones there are. Whoever is closed is told: an HTTP/2 client by GOAWAY, so that it sends again elsewhere what was not
 * looked at, a request over HTTP/1.1 that is under way by 503, and one that took too long by 408.
 */
#ifndef NET_SERVER_H
#define NET_SERVER_H

#include "net/http.h"

struct http_server_request {
    struct str method, path, query;    /* path is percent-decoded-free raw text */
    const struct http_header *headers; /* names in lower case */
    size_t n_headers;
    struct str body;
    bool from_here; /* the peer is on this machine, by its address (loopback) */
};
struct http_server_response {
    int status;
    const char *content_type; /* static */
    const char *location;     /* for 301; static, or NULL */
    struct buf body;          /* taken over and freed by the server */
};
/* Answers at once. */
typedef void http_server_fn(void *arg, const struct http_server_request *req, struct http_server_response *resp);

struct http_server;
/* address: "host:port", ":port" (all addresses), port 0 picks a free one. -EADDRINUSE etc. */
int http_server_new(struct loop *l, struct str address, size_t max_body, http_server_fn *fn, void *arg,
                    struct http_server **ret, struct error **err);
/* From now on connections speak TLS with these settings, of which the server keeps a reference; those that are open keep what
 * they have. */
struct tls_server;
void http_server_set_tls(struct http_server *s, struct tls_server *tls);
uint16_t http_server_port(const struct http_server *s);
/* Other times than 30 s for a handshake or a request and 60 s idle, for connections to come. For tests. */
void http_server_set_times(struct http_server *s, uint64_t request_ms, uint64_t idle_ms);
/* Another limit than 64 MiB for what is held for all peers together, from now on. At least max_body, or no body fits. What a handler
 * needs for its work is not counted: there is one at a time. */
void http_server_set_max_held(struct http_server *s, size_t bytes);
/* Ends the server so that no request is lost. For serve_ms it goes on and takes new connections, but says with each answer that the
 * connection ends (HTTP/1.1: connection: close; HTTP/2: GOAWAY, also to those who are idle). Then it takes no new ones, closes those
 * without a request (half a second later when they are shaking hands, unless they ask something by then), and leaves the others
 * finish_ms for what is under way. fn(arg) is called once, from the loop, when all are gone or that time is over, and may free the
 * server; http_server_free before that cancels it. A second call does nothing. */
void http_server_drain(struct http_server *s, uint64_t serve_ms, uint64_t finish_ms, void (*fn)(void *arg), void *arg);
/* Open connections are closed at once; clients are told with what the kernel still takes. NULL is fine. */
void http_server_free(struct http_server *s);
DEFINE_CLEANUP(struct http_server *, http_server_free)

#endif
