/*
 * A byte stream to one origin: name resolution, TCP, proxy handshake, TLS. For src/net only.
 *
 * Output is collected and written once per round of the loop; what the socket does not take waits for it to become
 * writable. Callbacks never come from inside conn_start, conn_write or conn_free.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/buf.h"
#include "net/loop.h"
#include "net/tls.h"
#include "net/url.h"

/* Output that may wait in memory; the owner stops producing above CONN_OUT_HIGH. */
#define CONN_OUT_MAX ((size_t)96 << 20)
#define CONN_OUT_HIGH ((size_t)64 << 10)

struct conn_spec {
    struct loop *loop;
    const struct url *url;
    const struct url *proxy; /* or NULL */
    struct tls_client *tls;  /* or NULL: plain text */
    uint64_t timeout_ms;     /* until open */
};
struct conn_callbacks {
    void (*on_open)(void *arg, bool http2);
    void (*on_data)(void *arg, struct str bytes);
    void (*on_drained)(void *arg); /* everything queued was written; may be NULL */
    /* Once, also for a failed start. err NULL: the peer closed in order. The conn must still be freed. */
    void (*on_close)(void *arg, const struct error *err);
};
struct conn;
struct conn *conn_start(const struct conn_spec *spec, const struct conn_callbacks *cb, void *arg);
int conn_write(struct conn *c, struct str bytes); /* -EFBIG above CONN_OUT_MAX */
size_t conn_pending(const struct conn *c);
void conn_pause(struct conn *c, bool paused); /* stop or resume reading */
void conn_free(struct conn *c);               /* at any time, also from a callback */
uint64_t conn_bytes_in(const struct conn *c);
uint64_t conn_bytes_out(const struct conn *c);

#endif
