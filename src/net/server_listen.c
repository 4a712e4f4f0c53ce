/* The listening socket of a server. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/server_internal.h"

static int bind_to(const struct addrinfo *a, int *ret_fd)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int one = 1, zero = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (a->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 128) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    char port[8];
    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0 ||
        getnameinfo((struct sockaddr *)&addr, len, NULL, 0, port, sizeof(port), NI_NUMERICSERV) != 0)
        return 0;
    uint64_t n = 0;
    str_to_u64(str_of(port), &n);
    return (uint16_t)n;
}

int server_listen(struct str address, int *ret_fd, uint16_t *ret_port, struct error **err)
{
    struct str host, port;
    uint64_t number;
    if (!str_rcut(address, ':', &host, &port))
        return error_set(err, -EINVAL, "address \"%" PRIstr "\" has no port", STRARG(address));
    if (str_to_u64(port, &number) < 0 || number > UINT16_MAX) /* getaddrinfo would take the lower 16 bits */
        return error_set(err, -EINVAL, "address \"%" PRIstr "\": the port is no number from 0 to 65535",
                         STRARG(address));
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = str_n(host.p + 1, host.n - 2);
    _cleanup_free_ char *h = host.n ? str_dup(host) : NULL, *p = str_dup(port);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *list = NULL;
    int r = getaddrinfo(h, p, &hints, &list);
    if (r != 0)
        return error_set(err, -EINVAL, "address \"%" PRIstr "\": %s", STRARG(address), gai_strerror(r));
    r = -EADDRNOTAVAIL;
    for (int pass = 0; pass < 2 && r < 0; pass++) /* IPv6 first: it takes IPv4 connections too */
        for (const struct addrinfo *a = list; a && r < 0; a = a->ai_next)
            if ((a->ai_family == AF_INET6) == (pass == 0))
                r = bind_to(a, ret_fd);
    freeaddrinfo(list);
    if (r < 0)
        return error_set(err, r, "listen on \"%" PRIstr "\": %s", STRARG(address), strerror(-r));
    *ret_port = port_of(*ret_fd);
    return 0;
}
