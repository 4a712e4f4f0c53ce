/* See url.h. Strict: what is not plainly a URL of the form given there is an error. */
#include "net/url.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/buf.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static char *percent_decode(struct str s)
{
    char *out = mem_alloc(s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int hi = s.p[i] == '%' && i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
        int lo = hi >= 0 ? hex_digit(s.p[i + 2]) : -1;
        if (lo >= 0) {
            out[n++] = (char)(hi * 16 + lo);
            i += 2;
        } else {
            out[n++] = s.p[i];
        }
    }
    out[n] = '\0';
    return out;
}

static uint16_t default_port(const char *scheme)
{
    if (strcmp(scheme, "http") == 0)
        return 80;
    if (strcmp(scheme, "https") == 0)
        return 443;
    return 1080;
}

static int parse_port(struct str s, uint16_t *ret, struct error **err)
{
    uint64_t port;
    if (s.n == 0 || !isdigit((unsigned char)s.p[0]) || str_to_u64(s, &port) < 0)
        return error_set(err, -EINVAL, "invalid port \":%" PRIstr "\" after host", STRARG(s));
    if (port < 1 || port > 65535)
        return error_set(err, -EINVAL, "port %" PRIstr " is not between 1 and 65535", STRARG(s));
    *ret = (uint16_t)port;
    return 0;
}

static bool has_blank_or_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return true;
    return false;
}

/* Splits "host", "host:port", "[v6]" and "[v6]:port"; *ret_port is absent without a colon. */
static int split_host(struct str s, struct str *ret_host, struct str *ret_port, struct error **err)
{
    *ret_port = STR_NULL;
    if (s.n == 0 || s.p[0] != '[') {
        if (str_cut(s, ':', ret_host, ret_port) && memchr(ret_port->p, ':', ret_port->n))
            return error_set(err, -EINVAL, "too many colons in host (an IPv6 address needs brackets)");
        return 0;
    }
    const char *end = memchr(s.p, ']', s.n);
    if (!end)
        return error_set(err, -EINVAL, "missing ']' in host");
    struct str rest = str_n(end + 1, s.n - (size_t)(end + 1 - s.p));
    if (rest.n && rest.p[0] != ':')
        return error_set(err, -EINVAL, "unexpected text after ']' in host");
    *ret_host = str_n(s.p + 1, (size_t)(end - s.p) - 1);
    if (!memchr(ret_host->p, ':', ret_host->n))
        return error_set(err, -EINVAL, "no IPv6 address in brackets");
    if (rest.n)
        *ret_port = str_n(rest.p + 1, rest.n - 1);
    return 0;
}

static int parse_authority(struct str s, struct url *u, struct error **err)
{
    struct str user, host, port;
    if (has_blank_or_control(s) || str_contains(s, STR("%00")))
        return error_set(err, -EINVAL, "invalid character in host or user info");
    if (str_rcut(s, '@', &user, &host)) {
        struct str name, password;
        bool has_password = str_cut(user, ':', &name, &password);
        u->user = percent_decode(name);
        u->password = has_password ? percent_decode(password) : NULL;
    } else {
        host = s;
    }
    int r = split_host(host, &host, &port, err);
    if (r < 0)
        return r;
    if (host.n == 0)
        return error_set(err, -EINVAL, "the host is missing");
    for (size_t i = 0; i < host.n; i++)
        if (strchr("[]@\\\"<>^`{|}", host.p[i]))
            return error_set(err, -EINVAL, "invalid character in host");
    u->host = str_dup(host);
    return port.p ? parse_port(port, &u->port, err) : 0;
}

static int parse(struct str text, struct url *u, struct error **err)
{
    const char *sep = text.n ? memmem(text.p, text.n, "://", 3) : NULL;
    if (!sep || sep == text.p)
        return error_set(err, -EINVAL, "the scheme is missing");
    struct str scheme = str_n(text.p, (size_t)(sep - text.p));
    for (size_t i = 0; i < scheme.n; i++)
        if (!isalpha((unsigned char)scheme.p[i]) && (i == 0 || !scheme.p[i] || !strchr("0123456789+-.", scheme.p[i])))
            return error_set(err, -EINVAL, "invalid character in scheme");
    u->scheme = str_lower(scheme);
    u->port = default_port(u->scheme);
    struct str rest = str_n(sep + 3, text.n - (size_t)(sep + 3 - text.p));
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] == '?' || rest.p[i] == '#')
            return error_set(err, -EINVAL, "a query or fragment is not allowed");
    const char *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
    struct str path = slash ? str_n(slash, rest.n - (size_t)(slash - rest.p)) : STR_NULL;
    struct str authority = slash ? str_n(rest.p, (size_t)(slash - rest.p)) : rest;
    if (has_blank_or_control(path))
        return error_set(err, -EINVAL, "invalid character in path");
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    u->path = str_dup(path);
    return parse_authority(authority, u, err);
}

int url_parse(struct str text, struct url *ret, struct error **err)
{
    struct url u = { 0 };
    int r = parse(text, &u, err);
    if (r < 0) {
        url_done(&u);
        return r;
    }
    *ret = u;
    return 0;
}

void url_done(struct url *u)
{
    free(u->scheme);
    free(u->host);
    free(u->path);
    free(u->user);
    if (u->password)
        explicit_bzero(u->password, strlen(u->password));
    free(u->password);
    *u = (struct url){ 0 };
}

char *url_format(const struct url *u)
{
    struct buf b = BUF_INIT(BUF_MAX_DEFAULT);
    bool v6 = strchr(u->host, ':') != NULL;
    buf_printf(&b, "%s://%s%s%s", u->scheme, v6 ? "[" : "", u->host, v6 ? "]" : "");
    if (u->port != default_port(u->scheme))
        buf_printf(&b, ":%u", u->port);
    buf_addz(&b, u->path);
    return buf_take(&b, NULL);
}
