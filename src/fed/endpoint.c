/*
 * The endpoint of a KubeFedCluster: a URL or host:port (api-and-cli.md 1.3). Accepts what the Kubernetes client accepts,
 * less what cannot work: user information, queries, IPv6 without brackets.
 */
#include <stdlib.h>

#include "fed/cluster.h"
#include "fed/violations.h"

#define PORT_MAX 65535
#define PORT_SHOWN 64
/* A quoted input: bounded by violations_quote_url. */
#define QUOTED_INIT BUF_INIT((size_t)8192)

static int invalid(struct str input, struct error **err, const char *why)
{
    _cleanup_buf_ struct buf quoted = QUOTED_INIT;

    violations_quote_url(&quoted, input);
    return error_set(err, -EINVAL, "Invalid value: %s: %s", quoted.p, why);
}

static int no_host(struct str input, struct error **err)
{
    _cleanup_buf_ struct buf quoted = QUOTED_INIT;

    violations_quote_url(&quoted, input);
    return error_set(err, -EINVAL, "Invalid value: %s: host must be a URL or a host:port pair: %s", quoted.p, quoted.p);
}

/* Of an input with a scheme the rule's second try, with "https://" before it, finds a path instead of the port. */
static int invalid_port(struct str input, struct str port, struct error **err)
{
    _cleanup_buf_ struct buf quoted = QUOTED_INIT, url = QUOTED_INIT, port_quoted = QUOTED_INIT;
    _cleanup_free_ char *with_scheme = mem_printf("https://%" PRIstr, STRARG(input));

    if (str_contains(input, STR("://")))
        return no_host(input, err);
    violations_quote_url(&quoted, input);
    violations_quote_url(&url, str_of(with_scheme));
    violations_quote(&port_quoted, port);
    return error_set(err, -EINVAL, "Invalid value: %s: parse %s: invalid port %s after host", quoted.p, url.p,
                     port_quoted.p);
}

struct parts {
    struct str scheme, authority, path; /* path begins with '/' or is empty */
};

/* Cuts at "://". Without one, or without host after it, there is no scheme. */
static bool split_url(struct str s, struct parts *ret)
{
    const char *sep = s.n ? memmem(s.p, s.n, "://", 3) : NULL;
    const char *slash;
    struct str rest;

    if (!sep || sep == s.p)
        return false;
    ret->scheme = str_n(s.p, (size_t)(sep - s.p));
    for (size_t i = 0; i < ret->scheme.n; i++)
        if (!((ret->scheme.p[i] | 32) >= 'a' && (ret->scheme.p[i] | 32) <= 'z') &&
            !(i && (strchr("+-.", ret->scheme.p[i]) || (ret->scheme.p[i] >= '0' && ret->scheme.p[i] <= '9'))))
            return false;
    rest = str_n(sep + 3, s.n - ret->scheme.n - 3);
    slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
    ret->authority = slash ? str_n(rest.p, (size_t)(slash - rest.p)) : rest;
    ret->path = slash ? str_n(slash, rest.n - ret->authority.n) : STR("");
    return ret->authority.n > 0;
}

/* Host and port of "host", "host:port", "[v6]", "[v6]:port". A colon without digits after it is an error of its own. */
static int check_authority(struct str input, struct str authority, struct error **err)
{
    struct str host = authority, port = STR_NULL;
    uint64_t number = 0;

    if (authority.p[0] == '[') {
        const char *end = memchr(authority.p, ']', authority.n);

        if (!end)
            return invalid(input, err, "missing ']' in host");
        host = str_n(authority.p, (size_t)(end + 1 - authority.p));
        port = str_n(end + 1, authority.n - host.n);
        if (port.n && port.p[0] != ':')
            return invalid(input, err, "the host must end after ']'");
        if (host.n <= 2)
            return no_host(input, err);
    } else if (str_cut(authority, ':', &host, &port)) {
        if (memchr(port.p, ':', port.n))
            return invalid(input, err, "an IPv6 address must be in brackets");
        port = str_n(port.p - 1, port.n + 1);
    }
    if (host.n == 0)
        return no_host(input, err);
    if (port.n <= 1)
        return port.n ? invalid(input, err, "the port is missing after ':'") : 0;
    for (size_t i = 1; i < port.n; i++)
        if (port.p[i] < '0' || port.p[i] > '9')
            return invalid_port(input, port, err);
    if (str_to_u64(str_n(port.p + 1, port.n - 1), &number) < 0 || number < 1 || number > PORT_MAX)
        return error_set(err, -EINVAL, "Invalid value: %" PRIstr ": must be between 1 and 65535, inclusive",
                         STRARG(str_n(port.p + 1, MIN(port.n - 1, (size_t)PORT_SHOWN))));
    return 0;
}

static int check_characters(struct str input, struct str s, struct error **err)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c == 0x7f || strchr("\"<>\\^`{|}", c))
            return invalid(input, err, "it contains a character that a URL cannot have");
        if (c == '?' || c == '#')
            return invalid(input, err, "it must not have a query or fragment");
    }
    return 0;
}

int fed_endpoint_parse(struct str endpoint, char **ret_url, struct error **err)
{
    _cleanup_free_ char *with_scheme = NULL, *scheme = NULL;
    struct parts parts = { 0 };
    int r;

    if (str_empty(endpoint))
        return error_set(err, -EINVAL, "Required value");
    if (memchr(endpoint.p, '\0', endpoint.n))
        return invalid(endpoint, err, "it contains a character that a URL cannot have");
    if (!split_url(endpoint, &parts)) {
        with_scheme = mem_printf("https://%" PRIstr, STRARG(endpoint));
        if (!split_url(str_of(with_scheme), &parts) || parts.path.n > 1)
            return no_host(endpoint, err);
    }
    scheme = str_lower(parts.scheme);
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        return error_set(err, -EINVAL, "Unsupported value: \"%.64s\": supported values: \"http\", \"https\"", scheme);
    r = check_characters(endpoint, parts.authority, err);
    if (r == 0)
        r = check_characters(endpoint, parts.path, err);
    if (r == 0 && memchr(parts.authority.p, '@', parts.authority.n))
        r = error_set(err, -EINVAL, "Invalid value: the endpoint must not carry user information");
    if (r == 0)
        r = check_authority(endpoint, parts.authority, err);
    if (r < 0)
        return r;
    *ret_url = mem_printf("%s://%" PRIstr "%" PRIstr, scheme, STRARG(parts.authority),
                          STRARG(str_eqc(parts.path, "/") ? STR("") : parts.path));
    return 0;
}
