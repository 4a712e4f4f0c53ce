/* Certificates at hand: which ends first, and would a client take them. */
#include "unit.h"

#include <openssl/ui.h>

#include "certs.h"
#include "net/tls.h"
#include "net/tls_issue.h"
#include "net/tls_pem.h"
#include "net/tls_server.h"

#define HOUR 3600L

static struct cert root, other, middle, leaf, late, old;
static int64_t now;

static int set_up(void **state)
{
    (void)state;
    now = time_wall_s();
    root = cert_make(&(struct cert_spec){ .cn = "root", .is_ca = true, .from_s = -HOUR, .until_s = 100 * HOUR });
    other = cert_make(&(struct cert_spec){ .cn = "other", .is_ca = true, .from_s = -HOUR, .until_s = 10 * HOUR });
    middle = cert_make(
        &(struct cert_spec){ .cn = "middle", .is_ca = true, .issuer = &root, .from_s = -HOUR, .until_s = 50 * HOUR });
    leaf = cert_make(&(struct cert_spec){
        .cn = "leaf", .names = "DNS:hook.ns.svc", .issuer = &middle, .from_s = -HOUR, .until_s = 20 * HOUR });
    late = cert_make(&(struct cert_spec){
        .cn = "late", .names = "DNS:hook.ns.svc", .issuer = &root, .from_s = HOUR, .until_s = 20 * HOUR });
    old = cert_make(&(struct cert_spec){
        .cn = "old", .names = "DNS:hook.ns.svc", .issuer = &root, .from_s = -20 * HOUR, .until_s = -HOUR });
    return 0;
}

static int tear_down(void **state)
{
    struct cert *all[] = { &root, &other, &middle, &leaf, &late, &old };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        cert_done(all[i]);
    return 0;
}

static void first_end(void **state)
{
    _cleanup_free_ char *both = mem_printf("# comment\n%s\n%s", root.pem, other.pem);
    _cleanup_error_ struct error *err = NULL;
    int64_t until = 0;
    size_t n = 0;
    (void)state;
    assert_ok(tls_pem_first_end(str_of(both), &until, &n, &err), err);
    assert_int_equal(n, 2);
    assert_in_range(until, now + 10 * HOUR - 60, now + 10 * HOUR + 60);
    assert_ok(tls_pem_first_end(str_of(root.pem), &until, &n, &err), err);
    assert_int_equal(n, 1);
    assert_in_range(until, now + 100 * HOUR - 60, now + 100 * HOUR + 60);
}

static void nothing_readable(void **state)
{
    static const char *const texts[] = { "", "garbage", "-----BEGIN CERTIFICATE-----\n",
                                         "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                                         "-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n" };
    int64_t until;
    size_t n;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_error_ struct error *err = NULL;
        assert_int_equal(tls_pem_first_end(str_of(texts[i]), &until, &n, &err), -EINVAL);
        assert_true(err && err->msg[0]);
        _cleanup_error_ struct error *e2 = NULL, *e3 = NULL;
        assert_int_equal(tls_pem_verify(str_of(texts[i]), str_of(root.pem), "hook.ns.svc", now, &e2), -EINVAL);
        assert_int_equal(tls_pem_verify(str_of(leaf.pem), str_of(texts[i]), "hook.ns.svc", now, &e3), -EINVAL);
    }
    _cleanup_free_ char *broken = mem_printf("%s-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                                             root.pem);
    _cleanup_error_ struct error *err = NULL;
    assert_int_equal(tls_pem_first_end(str_of(broken), &until, &n, &err), -EINVAL);
}

static void chains(void **state)
{
    _cleanup_free_ char *chain = mem_printf("%s%s", leaf.pem, middle.pem);
    const struct {
        const char *cert, *ca, *host;
        int64_t at;
        int result;
        const char *words;
    } rows[] = {
        { chain, root.pem, "hook.ns.svc", now, 0, NULL },
        { leaf.pem, middle.pem, "hook.ns.svc", now, 0, NULL }, /* an intermediate may be trusted */
        { leaf.pem, root.pem, "hook.ns.svc", now, -EKEYREJECTED, "issuer" },
        { chain, other.pem, "hook.ns.svc", now, -EKEYREJECTED, "issuer" },
        { chain, root.pem, "other.ns.svc", now, -EKEYREJECTED, "ostname" },
        { chain, root.pem, "hook.ns.svc", now + 30 * HOUR, -EKEYREJECTED, "expired" },
        { late.pem, root.pem, "hook.ns.svc", now, -EKEYREJECTED, "not yet valid" },
        { late.pem, root.pem, "hook.ns.svc", now + 2 * HOUR, 0, NULL },
        { old.pem, root.pem, "hook.ns.svc", now, -EKEYREJECTED, "expired" },
        { old.pem, root.pem, "hook.ns.svc", now - HOUR / 2 * 5, -EKEYREJECTED, NULL }, /* before its root */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_error_ struct error *err = NULL;
        int r = tls_pem_verify(str_of(rows[i].cert), str_of(rows[i].ca), rows[i].host, rows[i].at, &err);
        if (r != rows[i].result || (rows[i].words && !strstr(error_msg(err), rows[i].words)))
            fail_msg("row %zu: %d %s", i, r, err ? error_msg(err) : "");
    }
}

/* --- one after the other --- */

/* What is found in a text: "c" for a certificate, "x" for what should be one. */
static void check_pieces(const char *text, const char *expected, const char *first_pem)
{
    struct str rest = str_of(text);
    _cleanup_buf_ struct buf found = BUF_INIT((size_t)100), pem = BUF_INIT((size_t)1 << 20);
    int64_t until = 0;
    int r;

    while ((r = tls_pem_next(&rest, &pem, &until)) != 0) {
        if (r == 1 && found.n == 0) {
            assert_string_equal(pem.p, first_pem);
            assert_in_range(until, now + 100 * HOUR - 60, now + 100 * HOUR + 60);
        }
        buf_addc(&found, r == 1 ? 'c' : 'x');
    }
    buf_addz(&found, "");
    if (strcmp(found.p ? found.p : "", expected) != 0)
        fail_msg("%s: got %s", text, found.p);
    assert_int_equal(rest.n, 0);
    assert_int_equal(tls_pem_next(&rest, &pem, &until), 0); /* and stays at its end */
}

static void pieces(void **state)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n", end[] = "-----END CERTIFICATE-----\n";
    _cleanup_free_ char *two = mem_printf("a\n%sb%s%s\n", root.pem, leaf.pem, end);
    _cleanup_free_ char *bad = mem_printf("%sAAAA\n%s%s%s", begin, end, root.pem, begin);
    _cleanup_free_ char *inside = mem_printf("%s%s%s", begin, root.pem, leaf.pem);
    _cleanup_free_ char *crlf = mem_alloc(2 * strlen(root.pem) + 1);
    char *p = crlf;
    (void)state;
    for (const char *q = root.pem; *q; q++) {
        if (*q == '\n')
            *p++ = '\r';
        *p++ = *q;
    }
    *p = '\0';
    check_pieces("", "", NULL);
    check_pieces("nothing", "", NULL);
    check_pieces(root.pem, "c", root.pem);
    check_pieces(crlf, "c", root.pem); /* the same for the same certificate */
    check_pieces(two, "cc", root.pem);
    check_pieces(bad, "xcx", NULL);
    check_pieces(inside, "xc", NULL);
    /* Without a line end after it, and not a byte further than the text goes. */
    _cleanup_free_ char *exact = mem_alloc(strlen(root.pem) - 1);
    mempcpy(exact, root.pem, strlen(root.pem) - 1);
    struct str rest = str_n(exact, strlen(root.pem) - 1);
    _cleanup_buf_ struct buf pem = BUF_INIT((size_t)1 << 20), small = BUF_INIT((size_t)10);
    int64_t until;
    assert_int_equal(tls_pem_next(&rest, &pem, &until), 1);
    assert_string_equal(pem.p, root.pem);
    rest = str_of(root.pem);
    assert_int_equal(tls_pem_next(&rest, &small, &until), -EINVAL); /* no room */
    rest = STR_NULL;
    assert_int_equal(tls_pem_next(&rest, &pem, &until), 0);
}

/* --- bundles --- */

static void trusted_until(void **state)
{
    static const char broken[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                      cut_off[] = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    const struct {
        char *text;
        int64_t hours; /* 0: none */
    } rows[] = {
        { mem_strdup(""), 0 },
        { mem_strdup("nothing"), 0 },
        { mem_strdup(broken), 0 },
        { mem_strdup(cut_off), 0 },
        { mem_strdup(root.pem), 100 },
        { mem_printf("%s%s", root.pem, other.pem), 10 },
        { mem_printf("%s%s", other.pem, root.pem), 10 },
        { mem_printf("a\n%s%sb\n%s%s", broken, root.pem, other.pem, cut_off), 10 },
        { mem_printf("%s%s%s", cut_off, other.pem, root.pem), 10 }, /* what a client takes, not more */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t until = tls_pem_trusted_until(str_of(rows[i].text)),
                wanted = rows[i].hours ? now + rows[i].hours * HOUR : 0;
        if (until < wanted - 60 || until > wanted + 60)
            fail_msg("row %zu: %lld", i, (long long)until);
        free(rows[i].text);
    }
}

/* So many beginnings without an end that whoever looks at all that follows each of them is busy for half an hour. The thread sanitizer does
 * so by itself: at each memmem it notes all that might be read. */
#ifdef __SANITIZE_THREAD__
#define BEGINNINGS ((size_t)256 << 10)
#else
#define BEGINNINGS ((size_t)8 << 20)
#endif
static void many_beginnings(void **state)
{
    static const char line[] = "-----BEGIN CERTIFICATE-----AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-----\n";
    _cleanup_buf_ struct buf text = BUF_INIT((size_t)16 << 20), pem = BUF_INIT((size_t)1 << 20);
    struct tls_client *client = NULL;
    _cleanup_error_ struct error *err = NULL;
    (void)state;
    buf_addz(&text, root.pem);
    while (text.n < BEGINNINGS)
        buf_addz(&text, line);
    int64_t until = tls_pem_trusted_until(buf_str(&text));
    assert_in_range(until, now + 100 * HOUR - 60, now + 100 * HOUR + 60);
    assert_ok(tls_client_new(&(struct tls_client_config){ .ca_pem = buf_str(&text) }, &client, &err), err);
    tls_client_unref(client);
    struct str rest = buf_str(&text);
    while (tls_pem_next(&rest, &pem, &until) != 0)
        ;
}

/* --- pass phrases --- */

/* OpenSSL would decrypt this certificate, if somebody told it how. */
#define HEADERS "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,000102030405060708090A0B0C0D0E0F\n\n"
#define CONTENT "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
#define ENCRYPTED(what) "-----BEGIN " what "-----\n" HEADERS CONTENT "-----END " what "-----\n"

static int asked;

static int on_ask(UI *ui)
{
    (void)ui;
    asked++;
    return 0;
}

/* Everything that reads PEM, with a text that is not ours. */
static void read_everywhere(const char *text, const char *key)
{
    struct str pem = str_of(text), rest = pem;
    _cleanup_buf_ struct buf out = BUF_INIT((size_t)1 << 20);
    static const char *const names[] = { "hook.ns.svc" };
    struct tls_pair pair = { (char *)text, (char *)key }, made = { 0 };
    struct tls_client *client = NULL;
    struct tls_server *server = NULL;
    int64_t from, until;
    size_t n;

    assert_int_equal(tls_pem_first_end(pem, &until, &n, NULL), -EINVAL);
    assert_int_equal(tls_pem_next(&rest, &out, &until), -EINVAL);
    assert_int_equal(tls_pem_verify(pem, str_of(root.pem), "hook.ns.svc", now, NULL), -EINVAL);
    assert_int_equal(tls_pem_verify(str_of(leaf.pem), pem, "hook.ns.svc", now, NULL), -EINVAL);
    assert_int_equal(tls_pem_validity(pem, &from, &until, NULL), -EINVAL);
    assert_int_equal(tls_client_new(&(struct tls_client_config){ .ca_pem = pem }, &client, NULL), -EINVAL);
    assert_int_equal(
        tls_client_new(&(struct tls_client_config){ .cert_pem = pem, .key_pem = str_of(key) }, &client, NULL), -EINVAL);
    assert_int_equal(tls_server_new(pem, str_of(key), &server, NULL), -EINVAL);
    assert_int_equal(tls_server_new(str_of(leaf.pem), str_of(key), &server, NULL), -EINVAL);
    assert_int_equal(tls_issue_serving(&pair, names, 1, now, now + HOUR, &made, NULL), -EINVAL);
}

/* The event loop would stand still until somebody has typed one. */
static void nobody_is_asked(void **state)
{
    UI_METHOD *method = UI_create_method("counts");
    (void)state;
    assert_non_null(method);
    UI_method_set_opener(method, on_ask);
    UI_set_default_method(method);
    asked = 0;
    read_everywhere(ENCRYPTED("CERTIFICATE"), ENCRYPTED("EC PRIVATE KEY"));
    _cleanup_free_ char *after = mem_printf("%s" ENCRYPTED("CERTIFICATE"), root.pem);
    int64_t until;
    size_t n;
    assert_int_equal(tls_pem_first_end(str_of(after), &until, &n, NULL), -EINVAL);
    UI_set_default_method(UI_OpenSSL());
    UI_destroy_method(method);
    assert_int_equal(asked, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(first_end),      cmocka_unit_test(nothing_readable),
                                        cmocka_unit_test(chains),         cmocka_unit_test(pieces),
                                        cmocka_unit_test(trusted_until),  cmocka_unit_test(many_beginnings),
                                        cmocka_unit_test(nobody_is_asked) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
