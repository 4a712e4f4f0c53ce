/* See proxy.h. SOCKS5: RFC 1928 and 1929. */
#include "net/proxy.h"

#include <arpa/inet.h>

#include "base/encode.h"

enum { STEP_HTTP, STEP_METHOD, STEP_AUTH, STEP_REPLY };

#define MAX_ANSWER ((size_t)16 << 10)

static void http_connect(struct proxy_talk *t, struct buf *out)
{
    bool v6 = strchr(t->target->host, ':') != NULL;
    _cleanup_buf_ struct buf host = BUF_INIT(4096);
    buf_printf(&host, "%s%s%s:%u", v6 ? "[" : "", t->target->host, v6 ? "]" : "", t->target->port);
    buf_printf(out, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", host.p, host.p);
    if (t->proxy->user) {
        _cleanup_buf_ struct buf plain = BUF_INIT(4096);
        buf_printf(&plain, "%s:%s", t->proxy->user, t->proxy->password ? t->proxy->password : "");
        buf_addz(out, "Proxy-Authorization: Basic ");
        base64_encode(out, buf_str(&plain));
        buf_addz(out, "\r\n");
    }
    buf_addz(out, "\r\n");
}

void proxy_begin(struct proxy_talk *t, const struct url *proxy, const struct url *target, struct buf *out)
{
    *t = (struct proxy_talk){ .proxy = proxy, .target = target, .in = BUF_INIT(MAX_ANSWER) };
    if (strcmp(proxy->scheme, "socks5") != 0 && strcmp(proxy->scheme, "socks5h") != 0) {
        t->step = STEP_HTTP;
        http_connect(t, out);
        return;
    }
    t->step = STEP_METHOD;
    if (proxy->user)
        buf_add(out, "\x05\x02\x00\x02", 4);
    else
        buf_add(out, "\x05\x01\x00", 3);
}

static int http_answer(struct proxy_talk *t, struct error **err)
{
    struct str in = buf_str(&t->in);
    const char *end = in.n ? memmem(in.p, in.n, "\r\n\r\n", 4) : NULL;
    if (!end)
        return 0;
    if ((size_t)(end - in.p) + 4 != in.n)
        return error_set(err, -EPROTO, "the proxy sent data before the connection was made");
    struct str line, rest, version, status;
    str_cut(in, '\r', &line, &rest);
    if (!str_has_prefix(line, STR("HTTP/1.")) || !str_cut(line, ' ', &version, &status))
        return error_set(err, -EPROTO, "the proxy does not speak HTTP");
    if (status.n < 3 || status.p[0] != '2')
        return error_set(err, -ECONNREFUSED, "the proxy refused the connection: %.*s", (int)MIN(status.n, (size_t)100),
                         status.p);
    return 1;
}

/* Addresses go as addresses: a proxy need not look up something like "::1" as a name. */
static int socks_request(struct proxy_talk *t, struct buf *out, struct error **err)
{
    const char *host = t->target->host;
    unsigned char address[16];
    size_t n = strlen(host);
    if (n > 255)
        return error_set(err, -EINVAL, "the host name is too long for a SOCKS5 proxy");
    buf_add(out, "\x05\x01\x00", 3);
    if (inet_pton(AF_INET, host, address) == 1) {
        buf_addc(out, 1);
        buf_add(out, address, 4);
    } else if (inet_pton(AF_INET6, host, address) == 1) {
        buf_addc(out, 4);
        buf_add(out, address, 16);
    } else {
        buf_addc(out, 3);
        buf_addc(out, (char)(unsigned char)n);
        buf_add(out, host, n);
    }
    buf_addc(out, (char)(t->target->port >> 8));
    buf_addc(out, (char)(t->target->port & 0xff));
    t->step = STEP_REPLY;
    return 0;
}

static void socks_login(struct proxy_talk *t, struct buf *out)
{
    const char *user = t->proxy->user, *password = t->proxy->password ? t->proxy->password : "";
    size_t nu = MIN(strlen(user), (size_t)255), np = MIN(strlen(password), (size_t)255);
    buf_addc(out, 1);
    buf_addc(out, (char)(unsigned char)nu);
    buf_add(out, user, nu);
    buf_addc(out, (char)(unsigned char)np);
    buf_add(out, password, np);
    t->step = STEP_AUTH;
}

static int socks_reply(struct proxy_talk *t, struct error **err)
{
    static const char *const texts[] = { "",
                                         "general failure",
                                         "not allowed by its rules",
                                         "network unreachable",
                                         "host unreachable",
                                         "connection refused",
                                         "time to live expired",
                                         "command not supported",
                                         "address type not supported" };
    const unsigned char *p = (const unsigned char *)t->in.p;
    if (t->in.n < 5)
        return 0;
    if (p[0] != 5)
        return error_set(err, -EPROTO, "the proxy does not speak SOCKS5");
    if (p[1] != 0)
        return error_set(err, -ECONNREFUSED, "the proxy refused the connection: %s",
                         p[1] < ARRAY_SIZE(texts) ? texts[p[1]] : "unknown reason");
    size_t want = p[3] == 1 ? 10u : p[3] == 4 ? 22u : p[3] == 3 ? 7u + p[4] : 0;
    if (want == 0 || t->in.n > want)
        return error_set(err, -EPROTO, "the proxy's SOCKS5 answer is malformed");
    return t->in.n == want ? 1 : 0;
}

static int socks_answer(struct proxy_talk *t, struct buf *out, struct error **err)
{
    const unsigned char *p = (const unsigned char *)t->in.p;
    int r = 0;
    if (t->step == STEP_REPLY)
        return socks_reply(t, err);
    if (t->in.n < 2)
        return 0;
    if (t->in.n > 2)
        return error_set(err, -EPROTO, "the proxy's SOCKS5 answer is malformed");
    if (t->step == STEP_METHOD) {
        if (p[0] != 5)
            return error_set(err, -EPROTO, "the proxy does not speak SOCKS5");
        if (p[1] == 0)
            r = socks_request(t, out, err);
        else if (p[1] == 2 && t->proxy->user)
            socks_login(t, out);
        else
            return error_set(err, -EACCES, "the proxy wants an authentication that is not configured");
    } else {
        if (p[1] != 0)
            return error_set(err, -EACCES, "the proxy refused user name or password");
        r = socks_request(t, out, err);
    }
    buf_reset(&t->in);
    return r;
}

int proxy_feed(struct proxy_talk *t, struct str bytes, struct buf *out, struct error **err)
{
    if (buf_adds(&t->in, bytes) < 0)
        return error_set(err, -EPROTO, "the proxy's answer is too long");
    return t->step == STEP_HTTP ? http_answer(t, err) : socks_answer(t, out, err);
}

void proxy_done(struct proxy_talk *t)
{
    buf_done(&t->in);
}
