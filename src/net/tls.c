/*
 * TLS by OpenSSL. The settings of a cluster are one SSL_CTX, shared by its connections. ERR_clear_error() stands before every
 * SSL_* call whose result is looked at: the error queue belongs to the thread, and a stale entry of one connection would be
 * read as the failure of another.
 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "net/tls_internal.h"
#include "net/tls_load.h"
#include "net/tls_server.h"
#include "net/tls_verify.h"

struct tls_client {
    unsigned refs;
    SSL_CTX *ctx;
    char *server_name;
    unsigned skip;
    bool http1_only;
    size_t unreadable;
};

struct tls_conn {
    SSL *ssl;
    struct tls_client *client; /* NULL: we are the server */
    struct tls_conn *outer;
    char *name; /* what the certificate is verified against */
    struct tls_refusal refusal;
    bool wants_write;
};

/* --- settings --- */

/* Whatever can be read is trusted, and the rest passed over: with KubeFed a bundle with one bad block works. */
static int load_ca(SSL_CTX *ctx, struct str pem, size_t *ret_unreadable, struct error **err)
{
    if (pem.n == 0) {
        SSL_CTX_set_default_verify_paths(ctx);
        return 0;
    }
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    size_t n = 0, bad = 0;
    for (X509 *cert; tls_next_trusted(&pem, &cert);) {
        if (!cert) {
            bad++;
            continue;
        }
        X509_STORE_add_cert(store, cert);
        X509_free(cert);
        n++;
    }
    ERR_clear_error();
    /* As in Go, also an intermediate certificate without its root. */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    *ret_unreadable = bad;
    if (n == 0 && bad > 0)
        return error_set(err, -EINVAL, "the CA bundle holds no certificate that can be read: %zu are broken", bad);
    if (n == 0)
        return error_set(err, -EINVAL, "the CA bundle holds no certificate in PEM form");
    return 0;
}

static int load(SSL_CTX *ctx, const struct tls_client_config *config, size_t *ret_unreadable, struct error **err)
{
    int r = load_ca(ctx, config->ca_pem, ret_unreadable, err);
    if (r < 0 || config->cert_pem.n == 0)
        return r;
    return tls_load_pair(ctx, config->cert_pem, config->key_pem, "client ", err);
}

/* notBefore + 1 s of the leaf as the time of verification (controllers.md 2.5, ValidityPeriod). */
static int verify_at_start_of_validity(X509_STORE_CTX *ctx, void *arg)
{
    (void)arg;
    struct tm tm;
    X509 *leaf = X509_STORE_CTX_get0_cert(ctx);
    if (leaf && ASN1_TIME_to_tm(X509_get0_notBefore(leaf), &tm) == 1)
        X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), timegm(&tm) + 1);
    return X509_verify_cert(ctx);
}

int tls_client_new(const struct tls_client_config *config, struct tls_client **ret, struct error **err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return error_set(err, -EIO, "cannot set up TLS: %s", tls_reason());
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                 SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, config->skip & TLS_SKIP_ALL ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (config->verify_at)
        X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(ctx), (time_t)config->verify_at);
    if (config->skip & TLS_SKIP_VALIDITY)
        SSL_CTX_set_cert_verify_callback(ctx, verify_at_start_of_validity, NULL);
    size_t unreadable = 0;
    int r = load(ctx, config, &unreadable, err);
    if (r < 0) {
        SSL_CTX_free(ctx);
        return r;
    }
    struct tls_client *t = mem_zalloc(sizeof(*t));
    t->refs = 1;
    t->ctx = ctx;
    t->server_name = config->server_name.n ? str_dup(config->server_name) : NULL;
    t->skip = config->skip;
    t->http1_only = config->http1_only;
    t->unreadable = unreadable;
    *ret = t;
    return 0;
}

int tls_client_for_proxy(const struct tls_client *behind, struct tls_client **ret, struct error **err)
{
    int r = tls_client_new(&(struct tls_client_config){ .http1_only = true }, ret, err);
    STACK_OF(X509) *trusted = r == 0 && behind ? X509_STORE_get1_all_certs(SSL_CTX_get_cert_store(behind->ctx)) : NULL;
    if (!trusted)
        return r;
    X509_STORE *store = SSL_CTX_get_cert_store((*ret)->ctx);
    for (int i = 0; i < sk_X509_num(trusted); i++)
        X509_STORE_add_cert(store, sk_X509_value(trusted, i));
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    sk_X509_pop_free(trusted, X509_free);
    return 0;
}

struct tls_client *tls_client_ref(struct tls_client *t)
{
    t->refs++;
    return t;
}

void tls_client_unref(struct tls_client *t)
{
    if (!t || --t->refs > 0)
        return;
    SSL_CTX_free(t->ctx);
    free(t->server_name);
    free(t);
}

size_t tls_client_unreadable(const struct tls_client *t)
{
    return t->unreadable;
}

static int64_t to_seconds(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

int tls_pem_validity(struct str cert_pem, int64_t *ret_not_before, int64_t *ret_not_after, struct error **err)
{
    BIO *bio = tls_bio_of(cert_pem);
    X509 *cert = tls_read_cert(bio);
    BIO_free(bio);
    ERR_clear_error();
    if (!cert)
        return error_set(err, -EINVAL, "no certificate in PEM form");
    *ret_not_before = to_seconds(X509_get0_notBefore(cert));
    *ret_not_after = to_seconds(X509_get0_notAfter(cert));
    X509_free(cert);
    return 0;
}

/* --- connections --- */

static bool is_ip(const char *host)
{
    unsigned char addr[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1;
}

static void set_names(struct tls_conn *c)
{
    if (!is_ip(c->name))
        SSL_set_tlsext_host_name(c->ssl, c->name);
    if (c->client->skip & (TLS_SKIP_NAME | TLS_SKIP_ALL))
        return;
    X509_VERIFY_PARAM *param = SSL_get0_param(c->ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_ip(c->name))
        X509_VERIFY_PARAM_set1_ip_asc(param, c->name);
    else
        X509_VERIFY_PARAM_set1_host(param, c->name, 0);
}

int tls_conn_new(struct tls_client *t, const char *host, int fd, struct tls_conn *outer, bool alpn,
                 struct tls_conn **ret, struct error **err)
{
    ERR_clear_error();
    SSL *ssl = SSL_new(t->ctx);
    if (!ssl)
        return error_set(err, -EIO, "cannot set up TLS: %s", tls_reason());
    struct tls_conn *c = mem_zalloc(sizeof(*c));
    c->ssl = ssl;
    c->client = tls_client_ref(t);
    c->outer = outer;
    c->name = mem_strdup(t->server_name ? t->server_name : host);
    set_names(c);
    tls_refusal_watch(&c->refusal, ssl);
    static const unsigned char both[] = "\x02h2\x08http/1.1", one[] = "\x08http/1.1";
    if (alpn && t->http1_only)
        SSL_set_alpn_protos(ssl, one, sizeof(one) - 1);
    else if (alpn)
        SSL_set_alpn_protos(ssl, both, sizeof(both) - 1);
    if (outer) {
        BIO *bio = BIO_new(BIO_f_ssl());
        BIO_set_ssl(bio, outer->ssl, BIO_NOCLOSE);
        SSL_set_bio(ssl, bio, bio);
    } else {
        SSL_set_fd(ssl, fd);
    }
    SSL_set_connect_state(ssl);
    *ret = c;
    return 0;
}

int tls_conn_accept(struct tls_server *t, int fd, struct tls_conn **ret, struct error **err)
{
    ERR_clear_error();
    SSL *ssl = SSL_new(tls_server_context(t));
    if (!ssl || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return error_set(err, -EIO, "cannot set up TLS: %s", tls_reason());
    }
    SSL_set_accept_state(ssl);
    struct tls_conn *c = mem_zalloc(sizeof(*c));
    c->ssl = ssl;
    *ret = c;
    return 0;
}

void tls_conn_free(struct tls_conn *c)
{
    if (!c)
        return;
    SSL_free(c->ssl);
    ERR_clear_error();
    tls_conn_free(c->outer);
    tls_client_unref(c->client);
    tls_refusal_done(&c->refusal);
    free(c->name);
    free(c);
}

int tls_conn_handshake(struct tls_conn *c, struct error **err)
{
    ERR_clear_error();
    int r = SSL_do_handshake(c->ssl);
    if (r == 1)
        return 0;
    int e = SSL_get_error(c->ssl, r);
    c->wants_write = e == SSL_ERROR_WANT_WRITE;
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return -EAGAIN;
    if (c->client && c->refusal.code != X509_V_OK && !(c->client->skip & TLS_SKIP_ALL))
        return tls_refusal_error(&c->refusal, c->name, err);
    unsigned long queued = ERR_peek_last_error();
    if (queued == 0)
        return error_set(err, -ECONNRESET, "the connection was closed during the TLS handshake");
    return error_set(err, -EPROTO, "TLS handshake failed: %s%s", tls_reason(),
                     c->client && ERR_GET_REASON(queued) == SSL_R_WRONG_VERSION_NUMBER
                         ? " (does the server speak TLS at all?)"
                         : "");
}

static ssize_t io_result(struct tls_conn *c, int r)
{
    int e = SSL_get_error(c->ssl, r);
    c->wants_write = e == SSL_ERROR_WANT_WRITE;
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
        return -EAGAIN;
    if (e == SSL_ERROR_ZERO_RETURN)
        return 0;
    return -ECONNRESET;
}

ssize_t tls_conn_read(struct tls_conn *c, void *p, size_t n)
{
    ERR_clear_error();
    int r = SSL_read(c->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
    return r > 0 ? r : io_result(c, r);
}

ssize_t tls_conn_write(struct tls_conn *c, const void *p, size_t n)
{
    ERR_clear_error();
    int r = SSL_write(c->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
    return r > 0 ? r : io_result(c, r);
}

bool tls_conn_has_pending(const struct tls_conn *c)
{
    for (; c; c = c->outer)
        if (SSL_pending(c->ssl) > 0)
            return true;
    return false;
}

bool tls_conn_wants_write(const struct tls_conn *c)
{
    return c->wants_write;
}

bool tls_conn_is_h2(const struct tls_conn *c)
{
    const unsigned char *p;
    unsigned n;
    SSL_get0_alpn_selected(c->ssl, &p, &n);
    return n == 2 && memcmp(p, "h2", 2) == 0;
}
