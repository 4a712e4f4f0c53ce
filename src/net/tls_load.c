/* See tls_load.h. Nothing that is read here is ever part of a message. */
#include "net/tls_load.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>

const char *tls_reason(void)
{
    unsigned long e = ERR_peek_last_error();
    const char *text = e ? ERR_reason_error_string(e) : NULL;
    return text ? text : "unknown reason";
}

BIO *tls_bio_of(struct str pem)
{
    return pem.n && pem.n <= INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
}

static int refuse_passphrase(char *p, int n, int rw, void *arg)
{
    (void)p;
    (void)n;
    (void)rw;
    (void)arg;
    return -1;
}

X509 *tls_read_cert(BIO *bio)
{
    return bio ? PEM_read_bio_X509(bio, NULL, refuse_passphrase, NULL) : NULL;
}

EVP_PKEY *tls_read_key(BIO *bio)
{
    return bio ? PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, NULL) : NULL;
}

/* From the first line of the next certificate to the end of its last or, when it has none, to where the next block begins. */
static bool next_block(struct str *rest, struct str *ret)
{
    static const struct str begin = STR("-----BEGIN CERTIFICATE-----"), end = STR("-----END CERTIFICATE-----");
    const char *from = rest->n ? memmem(rest->p, rest->n, begin.p, begin.n) : NULL, *stop = rest->p + rest->n;
    if (!from)
        return false;
    const char *inside = from + begin.n, *next = memmem(inside, (size_t)(stop - inside), "-----BEGIN ", 11);
    const char *limit = next ? next : stop, *last = memmem(inside, (size_t)(limit - inside), end.p, end.n);
    if (last)
        limit = last + end.n;
    *ret = str_n(from, (size_t)(limit - from));
    *rest = str_n(limit, (size_t)(stop - limit));
    return true;
}

bool tls_next_trusted(struct str *rest, X509 **ret)
{
    struct str block;
    if (!next_block(rest, &block))
        return false;
    *ret = NULL;
    if (memchr(block.p, ':', block.n))
        return true;
    BIO *bio = tls_bio_of(block);
    *ret = tls_read_cert(bio);
    BIO_free(bio);
    ERR_clear_error();
    return true;
}

static int load_chain(SSL_CTX *ctx, struct str pem, const char *what, struct error **err)
{
    BIO *bio = tls_bio_of(pem);
    X509 *cert = tls_read_cert(bio);
    int r = 0;
    if (!cert || SSL_CTX_use_certificate(ctx, cert) != 1)
        r = error_set(err, -EINVAL, "the %scertificate cannot be used: %s", what, tls_reason());
    X509_free(cert);
    while (r == 0 && (cert = tls_read_cert(bio)))
        SSL_CTX_add0_chain_cert(ctx, cert);
    BIO_free(bio);
    ERR_clear_error();
    return r;
}

static int load_key(SSL_CTX *ctx, struct str pem, const char *what, struct error **err)
{
    BIO *bio = tls_bio_of(pem);
    EVP_PKEY *key = tls_read_key(bio);
    int r = 0;
    if (!key)
        r = error_set(err, -EINVAL, "the %skey cannot be read (is it a PEM key without pass phrase?)", what);
    else if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        r = error_set(err, -EINVAL, "the %skey does not belong to the %scertificate", what, what);
    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_clear_error();
    return r;
}

int tls_load_pair(SSL_CTX *ctx, struct str cert_pem, struct str key_pem, const char *what, struct error **err)
{
    ERR_clear_error();
    int r = load_chain(ctx, cert_pem, what, err);
    return r < 0 ? r : load_key(ctx, key_pem, what, err);
}
