/* See local_request.h. */
#include "local_request.h"

static bool is_port(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0 && s.n <= 5;
}

static bool names_this_machine(struct str host)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        size_t n = strlen(names[i]);

        if (host.n < n || !str_ieq(str_n(host.p, n), str_of(names[i])))
            continue;
        if (host.n == n || (host.p[n] == ':' && is_port(str_n(host.p + n + 1, host.n - n - 1))))
            return true;
    }
    return false;
}

static bool tells_of_a_proxy(struct str header)
{
    return str_eqc(header, "x-forwarded-for") || str_eqc(header, "x-forwarded-host") || str_eqc(header, "forwarded");
}

bool request_is_local(const struct http_server_request *req)
{
    bool named = false;

    for (size_t i = 0; i < req->n_headers; i++) {
        const struct http_header *h = &req->headers[i];

        if (tells_of_a_proxy(h->name))
            return false;
        if (!str_eqc(h->name, "host"))
            continue;
        if (named || !names_this_machine(h->value)) /* two names: whichever somebody else goes by */
            return false;
        named = true;
    }
    return named && req->from_here;
}
