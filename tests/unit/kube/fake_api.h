/* An API server on the loopback interface that a test plays: it sees every request and answers when it likes. */
#ifndef FAKE_API_H
#define FAKE_API_H

#include "kube/client.h"
#include "net/raw_server.h"

struct fake_api;
struct fake_request {
    struct raw_conn *conn;
    char *method, *path, *query; /* query: "" when there is none */
    char *head;                  /* request line and headers */
    char *body;
};
struct fake_api {
    struct raw_server raw;
    void (*fn)(struct fake_api *api, const struct fake_request *req);
    void *arg;
    struct buf log; /* "GET /path?query;" for each request */
    unsigned n_requests;
};
void fake_api_start(struct fake_api *api, struct loop *loop,
                    void (*fn)(struct fake_api *api, const struct fake_request *req));
void fake_api_stop(struct fake_api *api);

/* Value of a header (name in lower case, as the client sends it). Owned, NULL when absent. */
char *fake_header(const struct fake_request *req, const char *name);
/* A whole JSON answer. headers: further lines, each with its CRLF, or NULL. */
void fake_reply(struct raw_conn *c, int status, const char *headers, const char *body);
/* A refusal as API servers word it. */
void fake_refuse(struct raw_conn *c, int status, const char *reason, const char *message);
/* An answer in pieces, for watches. */
void fake_stream_begin(struct raw_conn *c);
void fake_stream_send(struct raw_conn *c, const char *text);
void fake_stream_end(struct raw_conn *c);

/* Settings of a connection to it; prefix is the path of the server URL. */
struct kube_config *fake_config(const struct fake_api *api, const char *prefix);

#endif
