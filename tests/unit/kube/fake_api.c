/* See fake_api.h. */
#include "fake_api.h"

#include <stdlib.h>

/* The next whole request of c->in, or false. */
static bool take_request(struct raw_conn *c, struct fake_request *req)
{
    const char *end = c->in.n ? memmem(c->in.p, c->in.n, "\r\n\r\n", 4) : NULL, *length;
    struct str line, rest, target, version;
    size_t head_len, body_len = 0;

    if (!end)
        return false;
    head_len = (size_t)(end - c->in.p) + 4;
    *req = (struct fake_request){ .conn = c, .head = mem_strndup(c->in.p, head_len) };
    length = strstr(req->head, "\r\ncontent-length: ");
    if (length)
        body_len = strtoul(length + strlen("\r\ncontent-length: "), NULL, 10);
    if (c->in.n < head_len + body_len) {
        free(req->head);
        return false;
    }
    str_cut(str_of(req->head), '\r', &line, &rest);
    str_cut(line, ' ', &rest, &target);
    req->method = str_dup(rest);
    str_cut(target, ' ', &target, &version);
    str_cut(target, '?', &line, &rest);
    req->path = str_dup(line);
    req->query = str_dup(rest);
    req->body = mem_strndup(c->in.p + head_len, body_len);
    buf_consume(&c->in, head_len + body_len);
    return true;
}

static void on_bytes(void *arg, struct raw_conn *c)
{
    struct fake_api *api = arg;
    struct fake_request req;

    if (!take_request(c, &req))
        return;
    api->n_requests++;
    buf_printf(&api->log, "%s %s%s%s;", req.method, req.path, req.query[0] ? "?" : "", req.query);
    api->fn(api, &req);
    free(req.method);
    free(req.path);
    free(req.query);
    free(req.head);
    free(req.body);
}

void fake_api_start(struct fake_api *api, struct loop *loop,
                    void (*fn)(struct fake_api *api, const struct fake_request *req))
{
    *api = (struct fake_api){ .fn = fn, .log = BUF_INIT(BUF_MAX_DEFAULT) };
    raw_server_start(&api->raw, loop, on_bytes, api);
    buf_addz(&api->log, "");
}

void fake_api_stop(struct fake_api *api)
{
    raw_server_stop(&api->raw);
    buf_done(&api->log);
}

char *fake_header(const struct fake_request *req, const char *name)
{
    _cleanup_free_ char *key = mem_printf("\r\n%s: ", name);
    const char *at = strstr(req->head, key);
    struct str value, rest;

    if (!at)
        return NULL;
    str_cut(str_of(at + strlen(key)), '\r', &value, &rest);
    return str_dup(value);
}

void fake_reply(struct raw_conn *c, int status, const char *headers, const char *body)
{
    _cleanup_free_ char *text = mem_printf(
        "HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body),
        headers ? headers : "", body);

    raw_send(c, text);
}

void fake_refuse(struct raw_conn *c, int status, const char *reason, const char *message)
{
    _cleanup_free_ char *body = mem_printf(
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"reason\":\"%s\",\"message\":\"%s\",\"code\":%d}",
        reason, message, status);

    fake_reply(c, status, NULL, body);
}

void fake_stream_begin(struct raw_conn *c)
{
    raw_send(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
}

void fake_stream_send(struct raw_conn *c, const char *text)
{
    _cleanup_free_ char *chunk = mem_printf("%zx\r\n%s\r\n", strlen(text), text);

    raw_send(c, chunk);
}

void fake_stream_end(struct raw_conn *c)
{
    raw_send(c, "0\r\n\r\n");
}

struct kube_config *fake_config(const struct fake_api *api, const char *prefix)
{
    struct kube_config *c = kube_config_new();

    c->server = mem_printf("http://127.0.0.1:%u%s", api->raw.port, prefix);
    return c;
}
