/* See http1.h. One line at a time is collected in p->line; bodies are handed through without copying. */
#include "net/http1.h"

#include <ctype.h>

void http1_reset(struct http1_parser *p)
{
    p->state = HTTP1_START;
    p->line.max = HTTP1_MAX_LINE;
    buf_reset(&p->line);
    p->head_bytes = p->n_headers = 0;
    p->status = 0;
    p->has_length = p->chunked = p->close = false;
    p->keep_alive = true;
    p->remaining = 0;
}

void http1_done(struct http1_parser *p)
{
    buf_done(&p->line);
}

static int bad(struct error **err, const char *what)
{
    return error_set(err, -EPROTO, "malformed HTTP/1.1 message: %s", what);
}

static bool is_token_char(unsigned char c)
{
    return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char((unsigned char)s.p[i]))
            return false;
    return s.n > 0;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
            return true;
    return false;
}

/* --- lines --- */

static int status_line(struct http1_parser *p, struct str line, struct error **err)
{
    if (line.n < 12 || !str_has_prefix(line, STR("HTTP/1.")) || !isdigit((unsigned char)line.p[7]) || line.p[8] != ' ')
        return bad(err, "status line");
    for (int i = 9; i < 12; i++)
        if (!isdigit((unsigned char)line.p[i]))
            return bad(err, "status code");
    if (line.n > 12 && line.p[12] != ' ')
        return bad(err, "status line");
    p->status = (line.p[9] - '0') * 100 + (line.p[10] - '0') * 10 + (line.p[11] - '0');
    if (p->status < 100)
        return bad(err, "status code");
    p->keep_alive = line.p[7] != '0';
    return p->on_status ? p->on_status(p->arg, p->status) : 0;
}

static int request_line(struct http1_parser *p, struct str line, struct error **err)
{
    struct str method, rest, target, version;
    if (!str_cut(line, ' ', &method, &rest) || !str_cut(rest, ' ', &target, &version) || !is_token(method) ||
        target.n == 0 || (target.p[0] != '/' && !str_eqc(target, "*")) || has_control(target))
        return bad(err, "request line");
    if (!str_eqc(version, "HTTP/1.1") && !str_eqc(version, "HTTP/1.0"))
        return bad(err, "protocol version");
    p->keep_alive = str_eqc(version, "HTTP/1.1");
    return p->on_request ? p->on_request(p->arg, method, target) : 0;
}

/* Connection holds a list of options (RFC 9110 7.6.1); "close" wins. */
static void connection_header(struct http1_parser *p, struct str value)
{
    struct str option, rest = value;
    bool close = false;
    while (rest.p) {
        str_cut(rest, ',', &option, &rest);
        option = str_trim(option);
        if (str_ieq(option, STR("close")))
            close = true;
        else if (str_ieq(option, STR("keep-alive")))
            p->keep_alive = true;
    }
    if (close || p->close)
        p->keep_alive = false;
    p->close |= close;
}

static int framing_header(struct http1_parser *p, struct str name, struct str value, struct error **err)
{
    if (str_eqc(name, "content-length")) {
        uint64_t n;
        if (value.n == 0 || !isdigit((unsigned char)value.p[0]) || str_to_u64(value, &n) < 0)
            return bad(err, "content-length");
        if (p->has_length && n != p->remaining)
            return bad(err, "two different content-length headers");
        p->has_length = true;
        p->remaining = n;
    } else if (str_eqc(name, "transfer-encoding")) {
        if (!str_ieq(value, STR("chunked")) || p->chunked)
            return bad(err, "transfer-encoding");
        p->chunked = true;
    } else if (str_eqc(name, "connection")) {
        connection_header(p, value);
    }
    return 0;
}

static int header_line(struct http1_parser *p, struct str line, struct error **err)
{
    struct str name, value;
    if (++p->n_headers > HTTP1_MAX_HEADERS)
        return bad(err, "too many headers");
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return bad(err, "folded header");
    if (!str_cut(line, ':', &name, &value) || !is_token(name) || has_control(value))
        return bad(err, "header");
    value = str_trim(value);
    char lower[256];
    if (name.n > sizeof(lower))
        return bad(err, "header name");
    for (size_t i = 0; i < name.n; i++)
        lower[i] = (char)tolower((unsigned char)name.p[i]);
    struct str low = str_n(lower, name.n);
    if (p->state == HTTP1_TRAILERS)
        return 0;
    int r = framing_header(p, low, value, err);
    return r < 0 || !p->on_header ? r : p->on_header(p->arg, low, value);
}

static int end_of_headers(struct http1_parser *p, struct error **err)
{
    if (p->state == HTTP1_TRAILERS) {
        p->state = HTTP1_DONE;
        return 0;
    }
    if (p->has_length && p->chunked)
        return bad(err, "both content-length and transfer-encoding");
    if (!p->is_request && p->status < 200) { /* 100 Continue and the like: the real response follows */
        if (p->status == 101)
            return bad(err, "unexpected protocol switch");
        size_t head = p->head_bytes;
        http1_reset(p);
        p->head_bytes = head;
        return 0;
    }
    bool no_body = !p->is_request && (p->head_request || p->status == 204 || p->status == 304);
    if (no_body || (p->has_length && p->remaining == 0) || (p->is_request && !p->has_length && !p->chunked))
        p->state = HTTP1_DONE;
    else if (p->chunked)
        p->state = HTTP1_CHUNK_SIZE;
    else if (p->has_length)
        p->state = HTTP1_FIXED;
    else {
        p->state = HTTP1_UNTIL_CLOSE;
        p->keep_alive = false;
    }
    return p->on_headers_done ? p->on_headers_done(p->arg) : 0;
}

static int chunk_size_line(struct http1_parser *p, struct str line, struct error **err)
{
    struct str digits, extension;
    str_cut(line, ';', &digits, &extension);
    while (digits.n && (digits.p[digits.n - 1] == ' ' || digits.p[digits.n - 1] == '\t'))
        digits.n--;
    if (digits.n == 0 || digits.n > 15)
        return bad(err, "chunk size");
    uint64_t size = 0;
    for (size_t i = 0; i < digits.n; i++) {
        int c = tolower((unsigned char)digits.p[i]);
        if (!isxdigit(c))
            return bad(err, "chunk size");
        size = size * 16 + (uint64_t)(isdigit(c) ? c - '0' : c - 'a' + 10);
    }
    p->remaining = size;
    p->state = size ? HTTP1_CHUNK : HTTP1_TRAILERS;
    return 0;
}

static int take_line(struct http1_parser *p, struct str line, struct error **err)
{
    switch (p->state) {
    case HTTP1_START:
        if (line.n == 0 && p->is_request)
            return 0; /* a stray line end before a request (RFC 9112 2.2) */
        p->state = HTTP1_HEADERS;
        return p->is_request ? request_line(p, line, err) : status_line(p, line, err);
    case HTTP1_HEADERS:
    case HTTP1_TRAILERS: return line.n == 0 ? end_of_headers(p, err) : header_line(p, line, err);
    case HTTP1_CHUNK_SIZE: return chunk_size_line(p, line, err);
    default:
        if (line.n)
            return bad(err, "missing line end after a chunk");
        p->state = HTTP1_CHUNK_SIZE;
        return 0;
    }
}

/* --- feeding --- */

static int feed_line(struct http1_parser *p, struct str bytes, size_t *ret_used, struct error **err)
{
    const char *nl = memchr(bytes.p, '\n', bytes.n);
    size_t used = nl ? (size_t)(nl - bytes.p) + 1 : bytes.n;
    *ret_used = used;
    bool counted = p->state == HTTP1_START || p->state == HTTP1_HEADERS || p->state == HTTP1_TRAILERS;
    p->head_bytes += counted ? used : 0;
    if (p->head_bytes > HTTP1_MAX_HEAD || buf_add(&p->line, bytes.p, used) < 0)
        return bad(err, "line or header block too long");
    if (!nl)
        return 0;
    struct str line = buf_str(&p->line);
    if (line.n < 2 || line.p[line.n - 2] != '\r')
        return bad(err, "line end");
    line.n -= 2;
    if (memchr(line.p, '\0', line.n) || memchr(line.p, '\r', line.n))
        return bad(err, "control character");
    int r = take_line(p, line, err);
    buf_reset(&p->line);
    return r;
}

static int feed_body(struct http1_parser *p, struct str bytes, size_t *ret_used)
{
    size_t n = p->state == HTTP1_UNTIL_CLOSE ? bytes.n : (size_t)MIN((uint64_t)bytes.n, p->remaining);
    *ret_used = n;
    if (p->state != HTTP1_UNTIL_CLOSE) {
        p->remaining -= n;
        if (p->remaining == 0)
            p->state = p->state == HTTP1_FIXED ? HTTP1_DONE : HTTP1_CHUNK_END;
    }
    return p->on_body ? p->on_body(p->arg, str_n(bytes.p, n)) : 0;
}

int http1_feed(struct http1_parser *p, struct str bytes, size_t *ret_used, struct error **err)
{
    size_t total = 0;
    int r = 0;
    while (r == 0 && total < bytes.n && p->state != HTTP1_DONE) {
        size_t used = 0;
        struct str rest = str_n(bytes.p + total, bytes.n - total);
        bool body = p->state == HTTP1_FIXED || p->state == HTTP1_CHUNK || p->state == HTTP1_UNTIL_CLOSE;
        r = body ? feed_body(p, rest, &used) : feed_line(p, rest, &used, err);
        total += used;
    }
    *ret_used = total;
    return r;
}

int http1_eof(struct http1_parser *p)
{
    if (p->state != HTTP1_UNTIL_CLOSE)
        return -ECONNRESET;
    p->state = HTTP1_DONE;
    return 0;
}
