/* See tls_issue.h. */
#include "net/tls_issue.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "net/tls_load.h"

#define SERIAL_BYTES 16

void tls_pair_done(struct tls_pair *p)
{
    free(p->cert_pem);
    if (p->key_pem)
        OPENSSL_cleanse(p->key_pem, strlen(p->key_pem));
    free(p->key_pem);
    *p = (struct tls_pair){ 0 };
}

static void evp_free(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static void x509_free(X509 **c)
{
    X509_free(*c);
}

static int failed(struct error **err, const char *what)
{
    error_set(err, -EIO, "cannot make a certificate: %s: %s", what, tls_reason());
    ERR_clear_error();
    return -EIO;
}

/* --- PEM --- */

static char *take_text(BIO *bio)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    char *text = n > 0 ? str_dup(str_n(p, (size_t)n)) : NULL;

    if (n > 0)
        OPENSSL_cleanse(p, (size_t)n);
    BIO_free(bio);
    return text;
}

static int write_pair(X509 *cert, EVP_PKEY *key, struct tls_pair *ret, struct error **err)
{
    BIO *c = BIO_new(BIO_s_mem()), *k = BIO_new(BIO_s_mem());
    bool ok = c && k && PEM_write_bio_X509(c, cert) == 1 &&
              PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) == 1;
    struct tls_pair pair = { take_text(c), take_text(k) };

    if (!ok || !pair.cert_pem || !pair.key_pem) {
        tls_pair_done(&pair);
        return failed(err, "PEM");
    }
    *ret = pair;
    return 0;
}

/* --- certificates --- */

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;
    bool ok;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = e && X509_add_ext(cert, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool set_serial(X509 *cert)
{
    unsigned char bytes[SERIAL_BYTES];
    BIGNUM *n;
    bool ok;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] &= 0x7f;
    n = BN_bin2bn(bytes, sizeof(bytes), NULL);
    ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
    BN_free(n);
    return ok;
}

/* An X.509 common name has at most 64 characters; the names that count are the alternative ones. */
static bool set_name(X509_NAME *name, const char *common_name)
{
    struct str cn = str_of(common_name);

    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn.p,
                                      (int)MIN(cn.n, (size_t)64), -1, 0) == 1;
}

static X509 *new_cert(EVP_PKEY *key, const char *common_name, int64_t not_before, int64_t not_after)
{
    _cleanup_(x509_free) X509 *cert = X509_new();
    X509 *done;

    if (!cert || X509_set_version(cert, 2) != 1 || !set_serial(cert) ||
        !ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)not_before) ||
        !ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)not_after) || X509_set_pubkey(cert, key) != 1 ||
        !set_name(X509_get_subject_name(cert), common_name))
        return NULL;
    done = cert;
    cert = NULL;
    return done;
}

int tls_issue_authority(const char *common_name, int64_t not_before, int64_t not_after, struct tls_pair *ret,
                        struct error **err)
{
    ERR_clear_error();
    _cleanup_(evp_free) EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(x509_free) X509 *cert = key ? new_cert(key, common_name, not_before, not_after) : NULL;

    if (!cert || X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1 ||
        !add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(cert, cert, NID_key_usage, "critical,keyCertSign") ||
        !add_extension(cert, cert, NID_subject_key_identifier, "hash") || X509_sign(cert, key, EVP_sha256()) == 0)
        return failed(err, "the authority");
    return write_pair(cert, key, ret, err);
}

static bool add_names(X509 *cert, X509 *issuer, const char *const *dns_names, size_t n)
{
    _cleanup_buf_ struct buf list = BUF_INIT((size_t)8192);

    for (size_t i = 0; i < n; i++)
        buf_printf(&list, "%sDNS:%s", i ? "," : "", dns_names[i]);
    return !buf_failed(&list) && add_extension(cert, issuer, NID_subject_alt_name, list.p);
}

static bool finish_serving(X509 *cert, X509 *issuer, EVP_PKEY *issuer_key, const char *const *dns_names, size_t n)
{
    return X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
           add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, issuer, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always") &&
           add_names(cert, issuer, dns_names, n) && X509_sign(cert, issuer_key, EVP_sha256()) != 0;
}

int tls_issue_serving(const struct tls_pair *authority, const char *const *dns_names, size_t n, int64_t not_before,
                      int64_t not_after, struct tls_pair *ret, struct error **err)
{
    /* Commas and colons would add names of other kinds. */
    for (size_t i = 0; i < n; i++)
        if (!str_is_dns1123_subdomain(str_of(dns_names[i])))
            return error_set(err, -EINVAL, "cannot make a certificate for \"%s\": it is no DNS name", dns_names[i]);
    ERR_clear_error();
    BIO *c = tls_bio_of(str_of(authority->cert_pem)), *k = tls_bio_of(str_of(authority->key_pem));
    _cleanup_(x509_free) X509 *issuer = tls_read_cert(c);
    _cleanup_(evp_free) EVP_PKEY *issuer_key = tls_read_key(k);
    BIO_free(c);
    BIO_free(k);
    if (!issuer || !issuer_key || X509_check_private_key(issuer, issuer_key) != 1) {
        ERR_clear_error();
        return error_set(err, -EINVAL, "the certificate and key of the authority cannot be used");
    }
    _cleanup_(evp_free) EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(x509_free) X509 *cert = key ? new_cert(key, dns_names[0], not_before, not_after) : NULL;
    if (!cert || !finish_serving(cert, issuer, issuer_key, dns_names, n))
        return failed(err, "the serving certificate");
    return write_pair(cert, key, ret, err);
}
