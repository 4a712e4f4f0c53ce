/* See tls_server.h. */
#include "net/tls_server.h"

#include <openssl/ssl.h>
#include <stdlib.h>

#include "net/tls_load.h"

struct tls_server {
    unsigned refs;
    SSL_CTX *ctx;
};

/* What we speak, best first. A client that offers neither goes on without ALPN and gets HTTP/1.1. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

int tls_server_new(struct str cert_pem, struct str key_pem, struct tls_server **ret, struct error **err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return error_set(err, -EIO, "cannot set up TLS: %s", tls_reason());
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                 SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    int r = tls_load_pair(ctx, cert_pem, key_pem, "serving ", err);
    if (r < 0) {
        SSL_CTX_free(ctx);
        return r;
    }
    struct tls_server *t = mem_zalloc(sizeof(*t));
    *t = (struct tls_server){ .refs = 1, .ctx = ctx };
    *ret = t;
    return 0;
}

struct tls_server *tls_server_ref(struct tls_server *t)
{
    t->refs++;
    return t;
}

void tls_server_unref(struct tls_server *t)
{
    if (!t || --t->refs > 0)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}

struct ssl_ctx_st *tls_server_context(struct tls_server *t)
{
    return t->ctx;
}
