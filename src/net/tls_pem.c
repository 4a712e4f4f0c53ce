/* See tls_pem.h. */
#include "net/tls_pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "net/tls_load.h"

#define MAX_CERTIFICATES 200

typedef STACK_OF(X509) x509_list;

static void list_free(x509_list **l)
{
    sk_X509_pop_free(*l, X509_free);
}

/* All certificates of the text; NULL when there is none or one is broken. */
static x509_list *read_all(struct str pem)
{
    BIO *bio = tls_bio_of(pem);
    x509_list *list = sk_X509_new_null();
    X509 *cert;
    if (!bio || !list) {
        BIO_free(bio);
        sk_X509_free(list);
        return NULL;
    }
    while (sk_X509_num(list) < MAX_CERTIFICATES && (cert = tls_read_cert(bio)))
        sk_X509_push(list, cert);
    unsigned long last = ERR_peek_last_error();
    bool clean = last == 0 || ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(bio);
    if (sk_X509_num(list) == 0 || !clean)
        list_free(&list), list = NULL;
    return list;
}

static int64_t to_seconds(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

int tls_pem_first_end(struct str pem, int64_t *ret_until, size_t *ret_n, struct error **err)
{
    _cleanup_(list_free) x509_list *list = read_all(pem);
    if (!list)
        return error_set(err, -EINVAL, "no readable certificate in PEM form");
    *ret_n = (size_t)sk_X509_num(list);
    *ret_until = INT64_MAX;
    for (int i = 0; i < sk_X509_num(list); i++)
        *ret_until = MIN(*ret_until, to_seconds(X509_get0_notAfter(sk_X509_value(list, i))));
    return 0;
}

int64_t tls_pem_trusted_until(struct str pem)
{
    int64_t first = 0;
    for (X509 *cert; tls_next_trusted(&pem, &cert);) {
        if (!cert)
            continue;
        int64_t until = to_seconds(X509_get0_notAfter(cert));
        first = first ? MIN(first, until) : until;
        X509_free(cert);
    }
    return first;
}

static X509 *read_one(struct str pem)
{
    BIO *bio = tls_bio_of(pem);
    X509 *cert = tls_read_cert(bio);

    BIO_free(bio);
    ERR_clear_error();
    return cert;
}

static int append(struct buf *out, X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    int r = -EINVAL;

    if (bio && PEM_write_bio_X509(bio, cert) == 1) {
        long n = BIO_get_mem_data(bio, &text);
        r = buf_add(out, text, (size_t)n);
    }
    BIO_free(bio);
    return r < 0 ? -EINVAL : 0;
}

int tls_pem_next(struct str *rest, struct buf *out, int64_t *ret_until)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";

    if (rest->n == 0)
        return 0;
    const char *stop = rest->p + rest->n;
    const char *from = memmem(rest->p, rest->n, begin, strlen(begin));
    *rest = str_n(stop, 0);
    if (!from)
        return 0;
    const char *to = memmem(from, (size_t)(stop - from), end, strlen(end));
    if (!to)
        return -EINVAL;
    to += strlen(end);
    *rest = str_n(to, (size_t)(stop - to));
    X509 *cert = read_one(str_n(from, (size_t)(to - from)));
    if (!cert)
        return -EINVAL;
    int r = append(out, cert);
    *ret_until = to_seconds(X509_get0_notAfter(cert));
    X509_free(cert);
    return r < 0 ? r : 1;
}

static int verify(X509_STORE_CTX *ctx, X509_STORE *store, x509_list *chain, x509_list *roots, const char *host,
                  int64_t at, struct error **err)
{
    for (int i = 0; i < sk_X509_num(roots); i++)
        X509_STORE_add_cert(store, sk_X509_value(roots, i));
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    if (X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0), chain) != 1)
        return error_set(err, -EIO, "cannot set up the verification");
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)at);
    X509_VERIFY_PARAM_set1_host(param, host, 0);
    if (X509_verify_cert(ctx) == 1)
        return 0;
    return error_set(err, -EKEYREJECTED, "%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
}

int tls_pem_verify(struct str cert_pem, struct str ca_pem, const char *host, int64_t at, struct error **err)
{
    _cleanup_(list_free) x509_list *chain = read_all(cert_pem), *roots = read_all(ca_pem);
    if (!chain)
        return error_set(err, -EINVAL, "no readable certificate in PEM form");
    if (!roots)
        return error_set(err, -EINVAL, "no readable authority in PEM form");
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int r = store && ctx ? verify(ctx, store, chain, roots, host, at, err)
                         : error_set(err, -EIO, "cannot set up OpenSSL");
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
    return r;
}
