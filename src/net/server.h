/*
 * A small HTTP/1.1 server for health, metrics and (later, with TLS) admission requests: one handler, whole bodies,
 * limits on everything (header 16 KiB, body as given, 256 connections, 30 s for a request, 60 s idle).
 */
#ifndef NET_SERVER_H
#define NET_SERVER_H

#include "net/http.h"

struct http_server_request {
    struct str method, path, query;    /* path is percent-decoded-free raw text */
    const struct http_header *headers; /* names in lower case */
    size_t n_headers;
    struct str body;
};
struct http_server_response {
    int status;
    const char *content_type; /* static */
    struct buf body;          /* taken over and freed by the server */
};
/* Answers at once. */
typedef void http_server_fn(void *arg, const struct http_server_request *req, struct http_server_response *resp);

struct http_server;
/* address: "host:port", ":port" (all addresses), port 0 picks a free one. -EADDRINUSE etc. */
int http_server_new(struct loop *l, struct str address, size_t max_body, http_server_fn *fn, void *arg,
                    struct http_server **ret, struct error **err);
uint16_t http_server_port(const struct http_server *s);
void http_server_free(struct http_server *s);
DEFINE_CLEANUP(struct http_server *, http_server_free)

#endif
