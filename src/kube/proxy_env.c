/*
 * Proxy settings from the environment with the rules that Go programs follow, since the same variables are set for kubectl:
 * upper-case names first; entries of NO_PROXY are a host (and what is below it), ".domain" (only below), an address, a
 * network in CIDR notation, any of them but the last with a port, or "*"; this machine is never reached through a proxy.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "kube/config_internal.h"

/* An address as 16 bytes; IPv4 as ::ffff:a.b.c.d. */
struct address {
    unsigned char b[16];
    bool v4;
};

static bool parse_address(struct str text, struct address *ret)
{
    char z[INET6_ADDRSTRLEN];

    if (text.n >= sizeof(z) || text.n == 0)
        return false;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    *ret = (struct address){ 0 };
    if (inet_pton(AF_INET, z, ret->b + 12) == 1) {
        ret->b[10] = ret->b[11] = 0xff;
        ret->v4 = true;
        return true;
    }
    return inet_pton(AF_INET6, z, ret->b) == 1;
}

static bool is_loopback(const struct url *server)
{
    static const unsigned char v6_loopback[16] = { [15] = 1 };
    struct address a;

    if (str_ieq(str_of(server->host), STR("localhost")))
        return true;
    if (!parse_address(str_of(server->host), &a))
        return false;
    return a.v4 ? a.b[12] == 127 : memcmp(a.b, v6_loopback, 16) == 0;
}

static bool in_network(const struct address *a, struct str network)
{
    struct str base, bits;
    struct address n;
    uint64_t len;

    if (!str_cut(network, '/', &base, &bits) || !parse_address(base, &n) || str_to_u64(bits, &len) < 0)
        return false;
    if (n.v4 != a->v4 || len > (n.v4 ? 32u : 128u))
        return false;
    len += n.v4 ? 96 : 0;
    for (size_t i = 0; i < 16 && len > 0; i++, len -= MIN(len, (uint64_t)8)) {
        unsigned mask = len >= 8 ? 0xffu : 0xffu << (8 - len);
        if ((a->b[i] & mask) != (n.b[i] & mask))
            return false;
    }
    return true;
}

/* Cuts ":port" off; "[::1]:80" loses its brackets. */
static struct str without_port(struct str entry, struct str *ret_port)
{
    struct str host, port;

    *ret_port = STR_NULL;
    if (entry.n && entry.p[0] == '[' && str_rcut(entry, ']', &host, &port)) {
        *ret_port = port.n > 1 && port.p[0] == ':' ? str_n(port.p + 1, port.n - 1) : STR_NULL;
        return str_n(host.p + 1, host.n - 1);
    }
    if (str_rcut(entry, ':', &host, &port) && !memchr(host.p, ':', host.n)) {
        *ret_port = port;
        return host;
    }
    return entry;
}

static bool below(struct str host, struct str domain)
{
    return host.n > domain.n && str_ieq(str_n(host.p + (host.n - domain.n), domain.n), domain);
}

static bool entry_matches(struct str entry, const struct url *server)
{
    struct str host = str_of(server->host), name, port;
    struct address a, b;
    uint64_t number;
    bool is_address = parse_address(host, &a);

    if (str_eqc(entry, "*"))
        return true;
    if (is_address && memchr(entry.p, '/', entry.n))
        return in_network(&a, entry);
    name = without_port(entry, &port);
    if (port.p && (str_to_u64(port, &number) < 0 || number != server->port))
        return false;
    if (str_empty(name))
        return false;
    if (is_address)
        return parse_address(name, &b) && memcmp(a.b, b.b, 16) == 0;
    if (str_has_prefix(name, STR("*.")))
        name = str_n(name.p + 1, name.n - 1);
    if (name.p[0] == '.')
        return below(host, name);
    if (str_ieq(host, name))
        return true;
    return below(host, name) && host.p[host.n - name.n - 1] == '.';
}

static const char *env_any(const char *upper, const char *lower)
{
    const char *v = getenv(upper);

    return v && v[0] ? v : getenv(lower);
}

static bool excluded(const struct url *server)
{
    struct str list = str_of(env_any("NO_PROXY", "no_proxy")), entry;

    while (list.p) {
        str_cut(list, ',', &entry, &list);
        entry = str_trim(entry);
        if (!str_empty(entry) && entry_matches(entry, server))
            return true;
    }
    return false;
}

int kube_proxy_from_env(const struct url *server, char **ret, struct error **err)
{
    bool secure = strcmp(server->scheme, "https") == 0;
    const char *name = secure ? "HTTPS_PROXY" : "HTTP_PROXY";
    const char *text = secure ? env_any("HTTPS_PROXY", "https_proxy") : env_any("HTTP_PROXY", "http_proxy");
    _cleanup_free_ char *full = NULL;
    _cleanup_error_ struct error *e = NULL;
    _cleanup_(url_done) struct url url = { 0 };

    *ret = NULL;
    if (!text || !text[0] || is_loopback(server) || excluded(server))
        return 0;
    full = strstr(text, "://") ? mem_strdup(text) : mem_printf("http://%s", text);
    if (url_parse(str_of(full), &url, &e) < 0)
        return error_set(err, -EINVAL, "the proxy in %s cannot be used: %s", name, error_msg(e));
    *ret = TAKE_PTR(full);
    return 0;
}
