/*
 * The proxy URL of a KubeFedCluster (api-and-cli.md 4.4). KubeFed tells URLs that cannot be parsed from those with a scheme
 * that no proxy has, so the parts are judged as Go's URL parser does it (A-26): "http:x" is a URL, "10.0.0.1:3128" is none.
 */
#include "fed/cluster.h"
#include "fed/violations.h"

static bool is_letter(char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool is_escape(struct str s, size_t at)
{
    return s.n - at >= 3 && hex_digit(s.p[at + 1]) >= 0 && hex_digit(s.p[at + 2]) >= 0;
}

/* Each '%' begins an escape. */
static bool has_good_escapes(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '%' && !is_escape(s, i))
            return false;
    return true;
}

/* Bytes beyond ASCII may be there as they are or escaped; of ASCII only the '%' before an IPv6 zone is escaped. */
static bool is_host(struct str host)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];

        if (c == '%' &&
            (!is_escape(host, i) || (hex_digit(host.p[i + 1]) < 8 && !str_eq(str_n(host.p + i, 3), STR("%25")))))
            return false;
        if ((unsigned char)c < 0x80 && c != '%' && !is_letter(c) && !is_digit(c) &&
            !strchr("-_.~!$&'()*+,;=:[]<>\"", c))
            return false;
    }
    return true;
}

static bool is_optional_port(struct str s)
{
    if (s.n && s.p[0] != ':')
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!is_digit(s.p[i]))
            return false;
    return true;
}

/* "host", "host:port", "[v6%25zone]:port". */
static bool is_host_and_port(struct str s)
{
    const char *bracket = s.p && s.n && s.p[0] == '[' ? memrchr(s.p, ']', s.n) : NULL;
    const char *colon = s.p && s.n ? memrchr(s.p, ':', s.n) : NULL;
    const char *zone;
    struct str host;

    if (s.p && s.n && s.p[0] == '[') {
        if (!bracket)
            return false;
        host = str_n(s.p, (size_t)(bracket - s.p));
        zone = memmem(host.p, host.n, "%25", 3);
        return is_optional_port(str_n(bracket + 1, (size_t)(s.p + s.n - bracket - 1))) && has_good_escapes(host) &&
               is_host(zone ? str_n(host.p, (size_t)(zone - host.p)) : host);
    }
    return is_host(s) && (!colon || is_optional_port(str_n(colon, (size_t)(s.p + s.n - colon))));
}

static bool is_authority(struct str s)
{
    struct str user, host;

    if (!str_rcut(s, '@', &user, &host))
        return is_host_and_port(s);
    for (size_t i = 0; i < user.n; i++)
        if (!is_letter(user.p[i]) && !is_digit(user.p[i]) && !strchr("-._:~!$&'()*+,;=%@", user.p[i]))
            return false;
    return has_good_escapes(user) && is_host_and_port(host);
}

/* Takes "scheme:" off the front of s, when there is one. false: the name is missing before the colon. */
static bool take_scheme(struct str *s, struct str *ret)
{
    size_t n = 0;

    *ret = STR("");
    while (n < s->n && (is_letter(s->p[n]) || (n && (is_digit(s->p[n]) || strchr("+-.", s->p[n])))))
        n++;
    if (n == s->n || s->p[n] != ':')
        return true;
    if (n == 0)
        return false;
    *ret = str_n(s->p, n);
    *s = str_n(s->p + n + 1, s->n - n - 1);
    return true;
}

/* What follows the scheme, without fragment. A query may hold anything. */
static bool is_rest(struct str s, bool has_scheme)
{
    struct str path, ignored, authority;

    str_cut(s, '?', &path, &ignored);
    if (!str_has_prefix(path, STR("/"))) {
        str_cut(path, '/', &authority, &ignored); /* not an authority, but the first segment */
        return has_scheme || (!memchr(authority.p, ':', authority.n) && has_good_escapes(path));
    }
    if (str_has_prefix(path, STR("//")) && (has_scheme || !str_has_prefix(path, STR("///")))) {
        struct str rest = str_n(path.p + 2, path.n - 2);
        const char *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;

        authority = slash ? str_n(rest.p, (size_t)(slash - rest.p)) : rest;
        if (!is_authority(authority))
            return false;
        path = str_n(rest.p + authority.n, rest.n - authority.n);
    }
    return has_good_escapes(path);
}

static bool is_url(struct str url, struct str *ret_scheme)
{
    struct str rest, fragment;

    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] < ' ' || url.p[i] == 0x7f)
            return false;
    if (str_cut(url, '#', &rest, &fragment) && !has_good_escapes(fragment))
        return false;
    return take_scheme(&rest, ret_scheme) && is_rest(rest, ret_scheme->n > 0);
}

static int invalid(struct str url, const char *why, struct error **err)
{
    _cleanup_buf_ struct buf quoted = BUF_INIT((size_t)8192);

    violations_quote_url(&quoted, url);
    return error_set(err, -EINVAL, "Invalid value: %s: %s", quoted.p, why);
}

int fed_proxy_check(struct str url, struct error **err)
{
    static const char *const schemes[] = { "http", "https", "socks5" };
    struct str scheme;

    if (!is_url(url, &scheme))
        return invalid(url, "error parsing the proxy URL", err);
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (str_ieq(scheme, str_of(schemes[i])))
            return 0;
    return invalid(url, "proxy URL scheme must be one of: [http, https, socks5]", err);
}
