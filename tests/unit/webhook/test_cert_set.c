/* The certificates that the webhook makes for itself: when they are renewed, whom they are trusted by, and any data of a Secret. */
#include "unit.h"

#include "../net/certs.h"
#include "base/encode.h"
#include "net/tls.h"
#include "net/tls_issue.h"
#include "net/tls_pem.h"
#include "webhook/cert_set.h"

static const char *const names[] = { "hook.ns.svc", "hook.ns", "hook" };
#define DAY 86400LL

static int64_t now;

static int set_up(void **state)
{
    (void)state;
    now = time_wall_s();
    return 0;
}

static struct cert_set renew(const struct cert_set *old, int64_t at)
{
    struct cert_set s = { 0 };
    struct error *err = NULL;
    int r = cert_set_renew(old, names, ARRAY_SIZE(names), at, &s, &err);

    if (r != 1)
        fail_msg("not renewed: %d %s", r, err ? error_msg(err) : "");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_ok(tls_pem_verify(str_of(s.tls_crt), str_of(s.ca_crt), names[i], at, &err), err);
    return s;
}

static void assert_kept(const struct cert_set *old, int64_t at)
{
    struct cert_set s = { 0 };

    assert_int_equal(cert_set_renew(old, names, ARRAY_SIZE(names), at, &s, NULL), 0);
    assert_null(s.tls_crt);
}

static size_t certificates(const char *pem)
{
    size_t n = 0;
    int64_t until;

    assert_int_equal(tls_pem_first_end(str_of(pem), &until, &n, NULL), 0);
    return n;
}

static void first(void **state)
{
    _cleanup_cert_set_ struct cert_set s = renew(NULL, now);
    (void)state;
    assert_int_equal(certificates(s.ca_crt), 1);
    assert_int_equal(certificates(s.tls_crt), 1);
    assert_int_equal(s.serving_until, now + CERT_SERVING_LIFE_S);
    assert_int_equal(s.authority_until, now + CERT_AUTHORITY_LIFE_S);
    assert_string_not_equal(s.ca_key, s.tls_key);
    assert_int_equal(tls_pem_verify(str_of(s.tls_crt), str_of(s.ca_crt), "hook", now - 600, NULL), 0); /* slow clocks */
    assert_kept(&s, now);
}

static void after_two_thirds(void **state)
{
    _cleanup_cert_set_ struct cert_set s = renew(NULL, now), next = { 0 };
    int64_t due = now + CERT_SERVING_LIFE_S * 2 / 3;
    (void)state;
    assert_kept(&s, due - DAY);
    next = renew(&s, due + DAY);
    assert_string_equal(next.ca_crt, s.ca_crt); /* nobody needs to learn anything */
    assert_string_equal(next.ca_key, s.ca_key);
    assert_string_not_equal(next.tls_crt, s.tls_crt);
    assert_string_not_equal(next.tls_key, s.tls_key);
    assert_int_equal(next.serving_until, due + DAY + CERT_SERVING_LIFE_S);
    assert_int_equal(next.authority_until, s.authority_until);
    assert_kept(&next, due + DAY);
    /* Also when nobody looked for years. */
    _cleanup_cert_set_ struct cert_set late = renew(&s, now + 5 * CERT_SERVING_LIFE_S);
    assert_string_equal(late.ca_crt, s.ca_crt);
}

/* The old authority stays trusted beside the new one while others may serve with it, and no longer. */
static void authority_changes(void **state)
{
    _cleanup_cert_set_ struct cert_set s = renew(NULL, now), between = { 0 }, next = { 0 }, third = { 0 };
    int64_t due = now + CERT_AUTHORITY_LIFE_S * 2 / 3;
    (void)state;
    between = renew(&s, due - DAY);
    assert_string_equal(between.ca_crt, s.ca_crt);
    next = renew(&between, due + DAY);
    assert_int_equal(certificates(next.ca_crt), 2);
    assert_string_not_equal(next.ca_key, s.ca_key);
    assert_int_equal(next.authority_until, due + DAY + CERT_AUTHORITY_LIFE_S); /* of the first, which signs */
    for (size_t i = 0; i < ARRAY_SIZE(names);
         i++) /* who still serves with the old one is taken by whom trusts the new bundle */
        assert_int_equal(tls_pem_verify(str_of(between.tls_crt), str_of(next.ca_crt), names[i], due + DAY, NULL), 0);
    assert_int_equal(tls_pem_verify(str_of(next.tls_crt), str_of(s.ca_crt), "hook", due + DAY, NULL), -EKEYREJECTED);
    assert_kept(&next, due + DAY);
    third = renew(&next, due + DAY + CERT_AUTHORITY_LIFE_S); /* the oldest is gone, and the second is over as well */
    assert_int_equal(certificates(third.ca_crt), 1);
    _cleanup_cert_set_ struct cert_set again = renew(&next, due + CERT_AUTHORITY_LIFE_S * 5 / 6);
    assert_int_equal(certificates(again.ca_crt), 2); /* never more than two */
    /* The bundle of two signs on. */
    _cleanup_cert_set_ struct cert_set serving = renew(&next, due + DAY + CERT_SERVING_LIFE_S);
    assert_string_equal(serving.ca_crt, next.ca_crt);
}

static void names_change(void **state)
{
    static const char *const others[] = { "hook2.ns.svc", "hook.ns" };
    _cleanup_cert_set_ struct cert_set s = renew(NULL, now), next = { 0 };
    struct cert_set unused = { 0 };
    (void)state;
    assert_int_equal(cert_set_renew(&s, others, 2, now, &next, NULL), 1);
    assert_string_equal(next.ca_crt, s.ca_crt);
    assert_int_equal(tls_pem_verify(str_of(next.tls_crt), str_of(next.ca_crt), "hook2.ns.svc", now, NULL), 0);
    assert_int_equal(cert_set_renew(&next, others, 2, now, &unused, NULL), 0);
    assert_int_equal(cert_set_renew(&s, names + 1, 1, now, &unused, NULL), 0); /* fewer is fine */
}

static void impossible_names(void **state)
{
    static const char *const bad[] = { "a,DNS:b" };
    struct cert_set s = { 0 };
    _cleanup_error_ struct error *err = NULL;
    (void)state;
    assert_int_equal(cert_set_renew(NULL, bad, 1, now, &s, &err), -EINVAL);
    assert_null(s.ca_crt);
    assert_non_null(strstr(error_msg(err), "a,DNS:b"));
}

/* The clock was wrong: what is not valid yet is made anew. */
static void not_yet_valid(void **state)
{
    _cleanup_cert_set_ struct cert_set future = renew(NULL, now + 400 * DAY), s = { 0 };
    (void)state;
    s = renew(&future, now);
    assert_kept(&s, now);
}

/* An authority that cannot sign, or whose certificates nobody takes, is replaced once, not used again and again. */
static void useless_authorities(void **state)
{
    struct cert leaf = cert_make(&(struct cert_spec){
        .cn = "no-ca", .names = "DNS:hook", .from_s = -3600, .until_s = (long)CERT_AUTHORITY_LIFE_S });
    struct cert bare = cert_make(&(struct cert_spec){
        .cn = "ca-without-key-id", .is_ca = true, .from_s = -3600, .until_s = (long)CERT_AUTHORITY_LIFE_S });
    struct tls_pair good = { 0 };
    (void)state;
    assert_int_equal(tls_issue_authority("other", now - 3600, now + CERT_AUTHORITY_LIFE_S, &good, NULL), 0);
    char none[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    const struct {
        char *crt, *key;
    } rows[] = {
        { leaf.pem, leaf.key_pem },
        { bare.pem, bare.key_pem },
        { good.cert_pem, none },
        { good.cert_pem, leaf.key_pem },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct cert_set old = { .ca_crt = rows[i].crt,
                                .ca_key = rows[i].key,
                                .tls_crt = leaf.pem,
                                .tls_key = leaf.key_pem,
                                .serving_until = now + CERT_SERVING_LIFE_S,
                                .authority_until = now + CERT_AUTHORITY_LIFE_S };
        _cleanup_cert_set_ struct cert_set s = renew(&old, now);
        assert_kept(&s, now);
    }
    tls_pair_done(&good);
    cert_done(&leaf);
    cert_done(&bare);
}

/* --- the Secret --- */

static int decode(const char *text, struct cert_set *ret, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;

    assert_int_equal(json_parse(str_of(text), &doc, NULL), 0);
    return cert_set_decode(yyjson_doc_get_root(doc), ret, err);
}

static void round_trip(void **state)
{
    _cleanup_cert_set_ struct cert_set s = renew(NULL, now), back = { 0 };
    _cleanup_buf_ struct buf b = BUF_INIT((size_t)1 << 20);
    struct error *err = NULL;
    (void)state;
    buf_addz(&b, "{\"kind\":\"Secret\",\"data\":");
    cert_set_encode(&b, &s);
    buf_addz(&b, "}");
    assert_ok(decode(b.p, &back, &err), err);
    assert_string_equal(back.ca_crt, s.ca_crt);
    assert_string_equal(back.ca_key, s.ca_key);
    assert_string_equal(back.tls_crt, s.tls_crt);
    assert_string_equal(back.tls_key, s.tls_key);
    assert_int_equal(back.serving_until, s.serving_until);
    assert_int_equal(back.authority_until, s.authority_until);
    assert_kept(&back, now);
}

/* Data with one member replaced by bytes (encoded here), or by JSON as it is. */
static char *with(const struct cert_set *s, const char *member, const char *bytes, size_t n, const char *json)
{
    const struct {
        const char *key, *pem;
    } all[] = {
        { "ca.crt", s->ca_crt }, { "ca.key", s->ca_key }, { "tls.crt", s->tls_crt }, { "tls.key", s->tls_key }
    };
    struct buf b = BUF_INIT((size_t)4 << 20);

    buf_addz(&b, "{\"data\":{\"more\":5");
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        bool it = strcmp(all[i].key, member) == 0;
        buf_printf(&b, ",\"%s\":", all[i].key);
        if (it && json) {
            buf_addz(&b, json);
            continue;
        }
        buf_addz(&b, "\"");
        base64_encode(&b, it ? str_n(bytes, n) : str_of(all[i].pem));
        buf_addz(&b, "\"");
    }
    buf_addz(&b, "}}");
    return buf_take(&b, NULL);
}

static void data_that_is_none(void **state)
{
    static const char *const nothing[] = { "null", "{}", "[]", "{\"data\":null}", "{\"data\":{}}", "{\"data\":[]}" };
    static const char *const members[] = { "ca.crt", "ca.key", "tls.crt", "tls.key" };
    _cleanup_cert_set_ struct cert_set s = renew(NULL, now);
    _cleanup_free_ char *nul = mem_printf("%s#", s.tls_crt), *large = mem_zalloc(300000);
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(nothing); i++) {
        struct cert_set back = { 0 };
        assert_int_equal(decode(nothing[i], &back, NULL), -ENOENT);
        assert_null(back.ca_crt);
    }
    size_t nul_n = strlen(nul);
    nul[nul_n - 1] = '\0';
    memset(large, '\n', 300000);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        const struct {
            const char *bytes;
            size_t n;
            const char *json;
            int result;
        } rows[] = {
            { NULL, 0, "null", -ENOENT },    { NULL, 0, "\"\"", -ENOENT },     { NULL, 0, "5", -ENOENT },
            { NULL, 0, "\"%%%\"", -EINVAL }, { NULL, 0, "\"\\n\"", -EINVAL }, /* nothing, in base64 */
            { nul, nul_n, NULL, -EINVAL },   { large, 300000, NULL, -EINVAL },
        };
        for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
            _cleanup_free_ char *text = with(&s, members[i], rows[k].bytes, rows[k].n, rows[k].json);
            _cleanup_error_ struct error *err = NULL;
            struct cert_set back = { 0 };
            int r = decode(text, &back, &err);
            if (r != rows[k].result || back.ca_crt || !strstr(error_msg(err), members[i]))
                fail_msg("%s, row %zu: %d %s", members[i], k, r, error_msg(err));
        }
    }
}

/* What can be read but does not serve. */
static void data_that_does_not_serve(void **state)
{
    _cleanup_cert_set_ struct cert_set s = renew(NULL, now), other = renew(NULL, now);
    const struct {
        const char *member, *pem;
    } rows[] = {
        { "tls.key", other.tls_key }, { "tls.key", "garbage" }, { "tls.crt", other.tls_crt },
        { "tls.crt", "garbage" },     { "ca.crt", "garbage" },  { "ca.crt", s.ca_key },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *text = with(&s, rows[i].member, rows[i].pem, strlen(rows[i].pem), NULL);
        _cleanup_error_ struct error *err = NULL;
        struct cert_set back = { 0 };
        if (decode(text, &back, &err) != -EINVAL || back.ca_crt)
            fail_msg("row %zu is taken", i);
        assert_null(strstr(error_msg(err), "BEGIN"));
    }
    /* An authority that does not belong to the certificate is seen at the renewal. */
    _cleanup_free_ char *text = with(&s, "ca.crt", other.ca_crt, strlen(other.ca_crt), NULL);
    _cleanup_cert_set_ struct cert_set back = { 0 }, next = { 0 };
    assert_int_equal(decode(text, &back, NULL), 0);
    next = renew(&back, now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first),
        cmocka_unit_test(after_two_thirds),
        cmocka_unit_test(authority_changes),
        cmocka_unit_test(names_change),
        cmocka_unit_test(impossible_names),
        cmocka_unit_test(not_yet_valid),
        cmocka_unit_test(useless_authorities),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(data_that_is_none),
        cmocka_unit_test(data_that_does_not_serve),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
