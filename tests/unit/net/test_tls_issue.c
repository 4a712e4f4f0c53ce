/* Certificates that we make: who takes them, for which names, and when; and what they may not be used for. */
#include "unit.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "certs.h"
#include "net/tls.h"
#include "net/tls_issue.h"
#include "net/tls_pem.h"

#define HOUR 3600
#define DAY (24LL * HOUR)

static struct tls_pair authority;
static int64_t now;

static int set_up(void **state)
{
    struct error *err = NULL;
    (void)state;
    now = time_wall_s();
    assert_ok(tls_issue_authority("our-ca", now - HOUR, now + 100 * DAY, &authority, &err), err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_pair_done(&authority);
    assert_null(authority.cert_pem);
    assert_null(authority.key_pem);
    return 0;
}

static struct tls_pair serving(const char *const *names, size_t n)
{
    struct tls_pair p = { 0 };
    struct error *err = NULL;

    assert_ok(tls_issue_serving(&authority, names, n, now - HOUR, now + DAY, &p, &err), err);
    return p;
}

static int verify(const struct tls_pair *p, const char *ca, const char *host, int64_t at)
{
    return tls_pem_verify(str_of(p->cert_pem), str_of(ca), host, at, NULL);
}

static void names_and_times(void **state)
{
    static const char *const names[] = { "hook.ns.svc", "hook.ns", "hook" };
    static const char *const others[] = {
        "hook.other.svc", "ns.svc", "a.hook.ns.svc", "hook.ns.svc.evil", "our-ca", "127.0.0.1", "*", ""
    };
    struct tls_pair p = serving(names, 3), stranger = { 0 };
    int64_t from, until;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(verify(&p, authority.cert_pem, names[i], now), 0);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (others[i][0]) /* an empty name is none to be verified */
            assert_int_equal(verify(&p, authority.cert_pem, others[i], now), -EKEYREJECTED);
    assert_int_equal(verify(&p, authority.cert_pem, "hook", now + DAY - 60), 0);
    assert_int_equal(verify(&p, authority.cert_pem, "hook", now + DAY + 60), -EKEYREJECTED);
    assert_int_equal(verify(&p, authority.cert_pem, "hook", now - HOUR - 60), -EKEYREJECTED);
    assert_int_equal(tls_pem_validity(str_of(p.cert_pem), &from, &until, NULL), 0);
    assert_int_equal(from, now - HOUR);
    assert_int_equal(until, now + DAY);
    assert_int_equal(tls_issue_authority("our-ca", now - HOUR, now + DAY, &stranger, NULL),
                     0); /* same name, other key */
    assert_int_equal(verify(&p, stranger.cert_pem, "hook", now), -EKEYREJECTED);
    tls_pair_done(&stranger);
    tls_pair_done(&p);
}

static X509 *parse(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    assert_non_null(x);
    return x;
}

static void purposes(void **state)
{
    static const char *const names[] = { "hook.ns.svc" };
    struct tls_pair p = serving(names, 1), q = serving(names, 1);
    X509 *ca = parse(authority.cert_pem), *leaf = parse(p.cert_pem), *other = parse(q.cert_pem);
    (void)state;
    assert_int_equal(X509_check_ca(ca), 1);
    assert_int_equal(X509_get_pathlen(ca), 0); /* it signs no further authorities */
    assert_int_equal(X509_check_purpose(ca, X509_PURPOSE_SSL_SERVER, 0), 0);
    assert_int_equal(X509_check_ca(leaf), 0);
    assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0), 1);
    assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0), 0);
    assert_int_equal(X509_get_version(leaf), 2);
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(leaf), X509_get0_serialNumber(other)), 0);
    assert_string_not_equal(p.key_pem, q.key_pem);
    X509_free(ca);
    X509_free(leaf);
    X509_free(other);
    tls_pair_done(&p);
    tls_pair_done(&q);
}

/* What a serving certificate signed, or an authority below ours, is not taken. */
static void no_further_authorities(void **state)
{
    static const char *const names[] = { "hook.ns.svc" };
    struct tls_pair p = serving(names, 1), below = { 0 };
    (void)state;
    /* By a serving certificate. */
    assert_int_equal(tls_issue_serving(&p, names, 1, now - HOUR, now + DAY, &below, NULL), -EIO); /* it has no key id */
    struct cert root = cert_make(&(struct cert_spec){ .cn = "root", .is_ca = true });
    BIO *key = BIO_new_mem_buf(authority.key_pem, -1);
    struct cert ours = { .x = parse(authority.cert_pem), .key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL) };
    BIO_free(key);
    struct cert middle = cert_make(&(struct cert_spec){ .cn = "middle", .is_ca = true, .issuer = &ours });
    struct cert leaf = cert_make(&(struct cert_spec){ .cn = "leaf", .names = "DNS:hook.ns.svc", .issuer = &middle });
    _cleanup_free_ char *chain = mem_printf("%s%s", leaf.pem, middle.pem);
    _cleanup_error_ struct error *err = NULL;
    assert_int_equal(tls_pem_verify(str_of(chain), str_of(authority.cert_pem), "hook.ns.svc", now, &err),
                     -EKEYREJECTED);
    assert_non_null(strstr(error_msg(err), "path length"));
    cert_done(&leaf);
    cert_done(&middle);
    cert_done(&ours);
    cert_done(&root);
    tls_pair_done(&p);
}

static void long_names(void **state)
{
    char label[64], longest[254] = "", name[400];
    (void)state;
    memset(label, 'a', 63);
    label[63] = '\0';
    snprintf(longest, sizeof(longest), "%s.%s.%s.%.61s", label, label, label, label); /* 253 characters */
    snprintf(name, sizeof(name), "%s.%s", label, label);
    const char *const names[] = { longest, name, "short" };
    struct tls_pair p = serving(names, 3);
    assert_int_equal(strlen(longest), 253);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(verify(&p, authority.cert_pem, names[i], now), 0);
    tls_pair_done(&p);
}

/* Names come from flags: one that is none, or would add another kind of name, makes no certificate. */
static void names_that_are_none(void **state)
{
    static const char *const rows[] = { "",    "a,DNS:b",  "a,IP:10.0.0.1", "a b",        "a\nb",
                                        "a:b", "@section", "a_b",           "caf\xc3\xa9" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *const names[] = { "good", rows[i] };
        struct tls_pair p = { 0 };
        _cleanup_error_ struct error *err = NULL;
        int r = tls_issue_serving(&authority, names, 2, now - HOUR, now + DAY, &p, &err);
        if (r != -EINVAL || p.cert_pem)
            fail_msg("\"%s\": %d", rows[i], r);
        assert_non_null(strstr(error_msg(err), "DNS name"));
    }
}

static void broken_authorities(void **state)
{
    static const char *const names[] = { "hook" };
    struct tls_pair other = { 0 }, p = { 0 };
    (void)state;
    assert_int_equal(tls_issue_authority("other", now - HOUR, now + DAY, &other, NULL), 0);
    char empty[] = "", nonsense[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const struct tls_pair rows[] = {
        { empty, authority.key_pem },          { authority.cert_pem, empty },
        { authority.cert_pem, other.key_pem }, { nonsense, authority.key_pem },
        { authority.cert_pem, nonsense },      { authority.key_pem, authority.cert_pem },
        { other.cert_pem, authority.key_pem }, { authority.cert_pem, authority.cert_pem },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_error_ struct error *err = NULL;
        assert_int_equal(tls_issue_serving(&rows[i], names, 1, now, now + DAY, &p, &err), -EINVAL);
        assert_null(p.cert_pem);
        assert_null(strstr(error_msg(err), "PRIVATE"));
    }
    tls_pair_done(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_times),        cmocka_unit_test(purposes),
        cmocka_unit_test(no_further_authorities), cmocka_unit_test(long_names),
        cmocka_unit_test(names_that_are_none),    cmocka_unit_test(broken_authorities),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
