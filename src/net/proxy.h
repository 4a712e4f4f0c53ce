/*
 * The conversation with a proxy before the real connection begins: CONNECT (http, https) and SOCKS5 with names resolved by
 * the proxy. Pure: bytes in, bytes out. For src/net only.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "base/buf.h"
#include "net/url.h"

struct proxy_talk {
    const struct url *proxy, *target; /* borrowed */
    int step;
    struct buf in;
};
/* Appends the opening bytes to out. */
void proxy_begin(struct proxy_talk *t, const struct url *proxy, const struct url *target, struct buf *out);
/* Takes bytes that the proxy sent; may append more to out. 1: through; 0: go on; < 0: refused, err says why. Bytes beyond the
 * proxy's answer are an error: the server must not speak first. */
int proxy_feed(struct proxy_talk *t, struct str bytes, struct buf *out, struct error **err);
void proxy_done(struct proxy_talk *t);

#endif
