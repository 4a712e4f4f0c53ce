/*
 * Why a certificate was refused. OpenSSL forgets a chain that it refused, so its parts are noted in the verify callback. They
 * come from somebody unknown: nothing unprintable of them gets into a message.
 */
#include "net/tls_verify.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"

#define MAX_NAMES 16
#define MAX_NAMES_TEXT ((size_t)4096)

static void add_printable(struct buf *out, const unsigned char *p, int n)
{
    for (int i = 0; i < n; i++)
        buf_addc(out, p[i] > ' ' && p[i] < 0x7f ? (char)p[i] : '?');
}

static void add_name(struct buf *out, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    const ASN1_STRING *s = name->type == GEN_DNS ? name->d.dNSName : name->type == GEN_IPADD ? name->d.iPAddress : NULL;
    int family = s && ASN1_STRING_length(s) == 16 ? AF_INET6 : AF_INET;

    if (!s || (name->type == GEN_IPADD && ASN1_STRING_length(s) != 4 && ASN1_STRING_length(s) != 16))
        return;
    buf_addz(out, out->n ? ", " : "");
    if (name->type == GEN_DNS)
        add_printable(out, ASN1_STRING_get0_data(s), ASN1_STRING_length(s));
    else if (inet_ntop(family, ASN1_STRING_get0_data(s), text, sizeof(text)))
        buf_addz(out, text);
}

static char *names_of(X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    struct buf out = BUF_INIT(MAX_NAMES_TEXT);

    for (int i = 0; names && i < sk_GENERAL_NAME_num(names) && i < MAX_NAMES; i++)
        add_name(&out, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    return buf_take(&out, NULL);
}

/* "/O=org/CN=name"; OpenSSL escapes what is not printable. */
static char *subject_of(X509 *cert)
{
    char text[256] = "";

    X509_NAME_oneline(X509_get_subject_name(cert), text, sizeof(text));
    return mem_strdup(text);
}

static void print_time(const ASN1_TIME *t, char out[static 21])
{
    struct tm tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1 || strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        out[0] = '\0';
}

static int on_verify(int ok, X509_STORE_CTX *ctx)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_refusal *r = SSL_get_app_data(ssl);
    X509 *leaf = X509_STORE_CTX_get0_cert(ctx), *at_fault = X509_STORE_CTX_get_current_cert(ctx);

    if (ok || r->code != X509_V_OK || !leaf)
        return ok;
    r->code = X509_STORE_CTX_get_error(ctx);
    r->subject = subject_of(leaf);
    r->names = names_of(leaf);
    if (at_fault && X509_STORE_CTX_get_error_depth(ctx) > 0)
        r->issuer = subject_of(at_fault);
    else
        at_fault = leaf;
    print_time(X509_get0_notBefore(at_fault), r->from);
    print_time(X509_get0_notAfter(at_fault), r->until);
    return ok;
}

void tls_refusal_watch(struct tls_refusal *r, SSL *ssl)
{
    SSL_set_app_data(ssl, r);
    SSL_set_verify(ssl, SSL_get_verify_mode(ssl), on_verify);
}

void tls_refusal_done(struct tls_refusal *r)
{
    free(r->subject);
    free(r->names);
    free(r->issuer);
    *r = (struct tls_refusal){ 0 };
}

static bool is_unknown_authority(int code)
{
    return code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN || code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
           code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT || code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE || code == X509_V_ERR_CERT_SIGNATURE_FAILURE;
}

int tls_refusal_error(const struct tls_refusal *r, const char *wanted, struct error **err)
{
    const char *text = X509_verify_cert_error_string(r->code), *subject = r->subject ? r->subject : "";
    bool has_names = r->names && r->names[0];
    _cleanup_free_ char *names = mem_strdup(has_names ? r->names : "no names"), *which = NULL, *above = NULL;

    if (r->code == X509_V_ERR_HOSTNAME_MISMATCH || r->code == X509_V_ERR_IP_ADDRESS_MISMATCH)
        return error_set(err, -EKEYREJECTED, "x509: certificate \"%s\" is valid for %s, not %s", subject, names,
                         wanted);
    which = mem_printf("x509: certificate \"%s\" (valid for %s), wanted for %s", subject, names, wanted);
    above = r->issuer ? mem_printf("its issuer \"%s\"", r->issuer) : mem_strdup("it");
    if (r->code == X509_V_ERR_CERT_HAS_EXPIRED)
        return error_set(err, -EKEYREJECTED, "%s: %s has expired (valid until %s)", which, above, r->until);
    if (r->code == X509_V_ERR_CERT_NOT_YET_VALID)
        return error_set(err, -EKEYREJECTED, "%s: %s is not valid yet (valid from %s)", which, above, r->from);
    if (is_unknown_authority(r->code))
        return error_set(err, -EKEYREJECTED, "%s: it is signed by unknown authority (%s)", which, text);
    return error_set(err, -EKEYREJECTED, "%s: %s", which, text);
}
