/*
 * API errors. A metav1.Status speaks for itself: its message is what people know from kubectl. Anything else (a proxy in
 * between, a server that is no API server) is described by method, path, server, status and the beginning of a text answer.
 */
#include "kube/apierror.h"

#include "base/utf8.h"
#include "json/json.h"

#define MESSAGE_MAX ((size_t)4096)
#define SNIPPET_MAX ((size_t)160)
#define STATUS_MAX ((size_t)1 << 20) /* larger bodies are not searched for a Status */

int api_error_code(int http_status, struct str reason)
{
    switch (http_status) {
    case 401:
    case 403: return -EACCES;
    case 400:
    case 422: return -EBADMSG;
    case 404: return -ENOENT;
    case 408: return -ETIMEDOUT;
    case 409: return str_eqc(reason, "AlreadyExists") ? -EEXIST : -ESTALE;
    case 410: return -ESTALE;
    case 413: return -EFBIG;
    case 429: return -EAGAIN;
    default: return -EIO;
    }
}

/* At most `max` bytes, cut between characters. */
static struct str cut_text(struct str s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return str_n(s.p, max);
}

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } known[] = {
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 413, "Request Entity Too Large" },
        { 415, "Unsupported Media Type" },
        { 422, "Unprocessable Entity" },
        { 429, "Too Many Requests" },
        { 500, "Internal Server Error" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (known[i].status == status)
            return known[i].text;
    return "";
}

static int from_status(yyjson_val *v, int http_status, struct error **err)
{
    struct str reason = json_str(json_get(v, "reason")),
               message = cut_text(json_str(json_get(v, "message")), MESSAGE_MAX);
    int code = api_error_code(http_status, reason);

    if (str_empty(message))
        message = str_empty(reason) ? str_of(status_text(http_status)) : reason;
    return error_set_http(err, code, http_status, cut_text(reason, 256), "%" PRIstr, STRARG(message));
}

int api_error_from_status(yyjson_val *status, struct error **err)
{
    int64_t code = json_path_i64(status, "code", 500);

    return from_status(status, code >= 300 && code <= 599 ? (int)code : 500, err);
}

/* The first line of a text body, when it is worth showing. */
static struct str snippet(const struct api_answer *a)
{
    struct str line, rest;

    if (!str_has_prefix(a->content_type, STR("text/plain")) || !utf8_valid(a->body))
        return STR_NULL;
    str_cut(str_trim(a->body), '\n', &line, &rest);
    return str_trim(cut_text(line, SNIPPET_MAX));
}

static struct str reason_of(int status)
{
    switch (status) {
    case 401: return STR("Unauthorized");
    case 403: return STR("Forbidden");
    case 410: return STR("Gone");
    case 429: return STR("TooManyRequests");
    case 503: return STR("ServiceUnavailable");
    default: return STR_NULL;
    }
}

int api_error_from(const struct api_answer *a, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct str text;

    if (a->body.n && a->body.n <= STATUS_MAX && str_trim(a->body).p[0] == '{' && json_parse(a->body, &doc, NULL) == 0 &&
        str_eqc(json_str(json_get(yyjson_doc_get_root(doc), "kind")), "Status"))
        return from_status(yyjson_doc_get_root(doc), a->status, err);
    text = snippet(a);
    return error_set_http(err, api_error_code(a->status, STR_NULL), a->status, reason_of(a->status),
                          "%s %" PRIstr ": %s answered %d %s%s%" PRIstr, a->method, STRARG(a->path), a->server,
                          a->status, status_text(a->status), str_empty(text) ? "" : ": ", STRARG(text));
}
