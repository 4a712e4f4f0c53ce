/* URLs of API servers and proxies: scheme://[user[:password]@]host[:port][/path]. */
#ifndef NET_URL_H
#define NET_URL_H

#include "base/error.h"

struct url {
    char *scheme;          /* lower case */
    char *host;            /* without brackets for IPv6 */
    uint16_t port;         /* default of the scheme filled in: http 80, https 443, socks5 1080 */
    char *path;            /* "" or "/..." without trailing slash; query and fragment are refused */
    char *user, *password; /* percent-decoded, NULL when absent; never printed */
};
/* scheme is required here. -EINVAL with the reason (user info is not repeated in the message). */
int url_parse(struct str text, struct url *ret, struct error **err);
void url_done(struct url *u);
/* "https://host:port/path" without user info; port only when not the default. */
char *url_format(const struct url *u);

#endif
