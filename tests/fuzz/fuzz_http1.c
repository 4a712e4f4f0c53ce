/*
 * The HTTP/1.1 parser. The first byte chooses request or response, an answer to HEAD, and how the text is cut; the rest
 * is the message. Any cuts must give the same events as one piece, and what is handed out must be clean.
 */
#include "fuzz.h"
#include "net/http1.h"

struct seen {
    struct buf log, body;
    size_t heads;
};

static void check_value(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        FUZZ_CHECK(((unsigned char)s.p[i] >= ' ' || s.p[i] == '\t') && s.p[i] != 0x7f);
}

static int on_request(void *arg, struct str method, struct str target)
{
    struct seen *s = arg;

    FUZZ_CHECK(method.n > 0 && target.n > 0 && (target.p[0] == '/' || str_eqc(target, "*")));
    check_value(target);
    return buf_printf(&s->log, "%" PRIstr " %" PRIstr "\n", STRARG(method), STRARG(target));
}

static int on_status(void *arg, int status)
{
    struct seen *s = arg;

    FUZZ_CHECK(status >= 100 && status <= 999);
    return buf_printf(&s->log, "%d\n", status);
}

static int on_header(void *arg, struct str name, struct str value)
{
    struct seen *s = arg;

    FUZZ_CHECK(name.n > 0);
    for (size_t i = 0; i < name.n; i++)
        FUZZ_CHECK(name.p[i] > ' ' && name.p[i] < 0x7f && name.p[i] != ':' && (name.p[i] < 'A' || name.p[i] > 'Z'));
    check_value(value);
    return buf_printf(&s->log, "%" PRIstr ": %" PRIstr "\n", STRARG(name), STRARG(value));
}

static int on_headers_done(void *arg)
{
    struct seen *s = arg;

    s->heads++;
    return buf_addz(&s->log, "\n");
}

static int on_body(void *arg, struct str bytes)
{
    struct seen *s = arg;

    FUZZ_CHECK(bytes.n > 0 && s->heads == 1);
    return buf_adds(&s->body, bytes);
}

static int run(struct http1_parser *p, struct str text, size_t piece, struct seen *seen, size_t *ret_used)
{
    int r = 0;

    *p = (struct http1_parser){ .is_request = p->is_request,
                                .head_request = p->head_request,
                                .on_request = on_request,
                                .on_status = on_status,
                                .on_header = on_header,
                                .on_headers_done = on_headers_done,
                                .on_body = on_body,
                                .arg = seen };
    http1_reset(p);
    *ret_used = 0;
    while (r == 0 && *ret_used < text.n && p->state != HTTP1_DONE) {
        _cleanup_error_ struct error *err = NULL;
        size_t n = MIN(piece, text.n - *ret_used), used;

        r = http1_feed(p, str_n(text.p + *ret_used, n), &used, &err);
        FUZZ_CHECK((r == 0) == (err == NULL) && used <= n);
        FUZZ_CHECK(r < 0 || used == n || p->state == HTTP1_DONE);
        *ret_used += used;
    }
    return r;
}

static void check_end(struct http1_parser *p, const struct seen *s)
{
    enum http1_state before = p->state;
    bool ends = http1_eof(p) == 0;

    FUZZ_CHECK(before == HTTP1_DONE || ends == (before == HTTP1_UNTIL_CLOSE));
    FUZZ_CHECK(before != HTTP1_UNTIL_CLOSE || (!p->keep_alive && !p->is_request));
    FUZZ_CHECK(before != HTTP1_DONE || s->heads == 1);
    if (before == HTTP1_DONE && p->head_request && !p->is_request)
        FUZZ_CHECK(s->body.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = { BUF_INIT(BUF_MAX_DEFAULT), BUF_INIT(BUF_MAX_DEFAULT), 0 };
    struct seen cut = { BUF_INIT(BUF_MAX_DEFAULT), BUF_INIT(BUF_MAX_DEFAULT), 0 };
    struct http1_parser a = { 0 }, b = { 0 };
    size_t used_a, used_b;
    struct str text;
    int ra, rb;

    if (size < 2)
        return 0;
    text = str_n((const char *)data + 1, size - 1);
    a.is_request = b.is_request = data[0] & 1;
    a.head_request = b.head_request = data[0] & 2;
    ra = run(&a, text, text.n, &whole, &used_a);
    rb = run(&b, text, (size_t)(data[0] >> 2 & 15) + 1, &cut, &used_b);
    FUZZ_CHECK(ra == rb && (ra < 0 || (a.state == b.state && used_a == used_b && a.keep_alive == b.keep_alive)));
    FUZZ_CHECK(str_eq(buf_str(&whole.log), buf_str(&cut.log)));
    FUZZ_CHECK(str_eq(buf_str(&whole.body), buf_str(&cut.body)));
    if (ra == 0)
        check_end(&a, &whole);
    http1_done(&a);
    http1_done(&b);
    buf_done(&whole.log);
    buf_done(&whole.body);
    buf_done(&cut.log);
    buf_done(&cut.body);
    return 0;
}
