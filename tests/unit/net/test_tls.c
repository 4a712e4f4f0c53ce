/*
 * TLS: which certificates are accepted with which settings (controllers.md 2.5), what the messages name, client
 * certificates, and settings that cannot be used. The server runs on this machine with certificates made here.
 */
#include "certs.h"
#include "freed.h"
#include "http_client.h"
#include "net/loop_internal.h"
#include "raw_server.h"

static struct cert ca, other_ca, intermediate, leaf, below_intermediate, expired, future, elsewhere, client;

static int group_set_up(void **state)
{
    (void)state;
    ca = cert_make(&(struct cert_spec){ .cn = "test-ca", .is_ca = true });
    other_ca = cert_make(&(struct cert_spec){ .cn = "other-ca", .is_ca = true });
    intermediate = cert_make(&(struct cert_spec){ .cn = "middle", .issuer = &ca, .is_ca = true });
    leaf = cert_make(&(struct cert_spec){ .cn = "leaf", .names = "DNS:localhost,IP:127.0.0.1", .issuer = &ca });
    below_intermediate = cert_make(
        &(struct cert_spec){ .cn = "below", .names = "IP:127.0.0.1", .issuer = &intermediate });
    expired = cert_make(
        &(struct cert_spec){ .cn = "old", .names = "IP:127.0.0.1", .from_s = -3000, .until_s = -1000, .issuer = &ca });
    future = cert_make(
        &(struct cert_spec){ .cn = "new", .names = "IP:127.0.0.1", .from_s = 1000, .until_s = 3000, .issuer = &ca });
    elsewhere = cert_make(&(struct cert_spec){
        .cn = "elsewhere", .names = "DNS:api.example,DNS:*.b.example,IP:10.0.0.1,IP:fd00::1", .issuer = &ca });
    client = cert_make(&(struct cert_spec){ .cn = "the-client", .issuer = &other_ca });
    return 0;
}

static int group_tear_down(void **state)
{
    struct cert *all[] = { &ca,      &other_ca, &intermediate, &leaf,  &below_intermediate,
                           &expired, &future,   &elsewhere,    &client };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        cert_done(all[i]);
    return 0;
}

static void request(uint16_t port, const char *host, const struct tls_client_config *config, struct result *x)
{
    struct url url = { .scheme = mem_strdup("https"), .host = mem_strdup(host), .port = port, .path = mem_strdup("") };
    struct tls_client *tls = NULL;
    struct http_client *c = NULL;
    struct error *err = NULL;

    assert_ok(tls_client_new(config, &tls, &err), err);
    assert_ok(http_client_new(&(struct http_client_config){ .loop = loop, .url = &url, .tls = tls }, &c, &err), err);
    tls_client_unref(tls);
    url_done(&url);
    get(c, "/", x);
    run_until(&x->done);
    http_client_free(c);
}

/* A request to a server with this certificate. */
static struct result try_cert(const struct cert *cert, const struct tls_client_config *config)
{
    struct cert_server s;
    struct result x = { 0 };

    cert_server_start(&s, cert, NULL, NULL);
    request(s.port, "127.0.0.1", config, &x);
    cert_server_stop(&s);
    return x;
}

static void accept_cert(const struct cert *cert, const struct tls_client_config *config)
{
    _cleanup_result_ struct result x = try_cert(cert, config);

    if (x.code != 0)
        fail_msg("refused: %s", x.msg);
    assert_string_equal(x.body, "nobody");
}

/* Refused, with a message that holds all of the texts. */
static void refuse_cert(const struct cert *cert, const struct tls_client_config *config, ...)
{
    _cleanup_result_ struct result x = try_cert(cert, config);
    const char *text;
    va_list texts;

    assert_int_equal(x.code, -EKEYREJECTED);
    va_start(texts, config);
    while ((text = va_arg(texts, const char *)))
        if (!strstr(x.msg, text))
            fail_msg("\"%s\" lacks \"%s\"", x.msg, text);
    va_end(texts);
}
#define REFUSE(...) refuse_cert(__VA_ARGS__, (const char *)NULL)
#define CONFIG(...) (&(struct tls_client_config){ .ca_pem = str_of(ca.pem), __VA_ARGS__ })

static void verified(void **state)
{
    (void)state;
    accept_cert(&leaf, CONFIG(.skip = 0));
    accept_cert(&leaf, CONFIG(.server_name = STR("localhost")));
    accept_cert(&elsewhere, CONFIG(.server_name = STR("api.example")));
    accept_cert(&elsewhere, CONFIG(.server_name = STR("a.b.example")));
    accept_cert(&elsewhere, CONFIG(.server_name = STR("fd00::1")));
}

static void wrong_name(void **state)
{
    (void)state;
    REFUSE(&elsewhere, CONFIG(.skip = 0), "elsewhere", "api.example, *.b.example, 10.0.0.1, fd00::1", "not 127.0.0.1");
    REFUSE(&leaf, CONFIG(.server_name = STR("api.example")), "leaf", "valid for localhost, 127.0.0.1",
           "not api.example");
    REFUSE(&elsewhere, CONFIG(.server_name = STR("x.a.b.example")), "not x.a.b.example");
    REFUSE(&client, &(struct tls_client_config){ .ca_pem = str_of(other_ca.pem) }, "the-client", "no names",
           "not 127.0.0.1");
}

static void wrong_authority(void **state)
{
    (void)state;
    REFUSE(&leaf, &(struct tls_client_config){ .ca_pem = str_of(other_ca.pem) }, "leaf", "localhost, 127.0.0.1",
           "wanted for 127.0.0.1", "unknown authority");
    REFUSE(&leaf, &(struct tls_client_config){ 0 }, "leaf", "unknown authority"); /* the system's roots */
    REFUSE(&below_intermediate, CONFIG(.skip = 0), "below", "unknown authority"); /* chain not sent */
}

static void wrong_time(void **state)
{
    (void)state;
    REFUSE(&expired, CONFIG(.skip = 0), "old", "it has expired (valid until 2", "wanted for 127.0.0.1");
    REFUSE(&future, CONFIG(.skip = 0), "new", "it is not valid yet (valid from 2");
}

static void chains(void **state)
{
    (void)state;
    _cleanup_result_ struct result sent = { 0 };
    struct cert_server s;

    cert_server_start(&s, &below_intermediate, &intermediate, NULL);
    request(s.port, "127.0.0.1", CONFIG(.skip = 0), &sent);
    assert_int_equal(sent.code, 0);
    cert_server_stop(&s);
    /* A bundle may hold the intermediate alone, or several authorities. */
    accept_cert(&below_intermediate, &(struct tls_client_config){ .ca_pem = str_of(intermediate.pem) });
    _cleanup_free_ char *both = mem_printf("%s%s", other_ca.pem, ca.pem);
    accept_cert(&leaf, &(struct tls_client_config){ .ca_pem = str_of(both) });
}

static void expired_issuer(void **state)
{
    (void)state;
    struct cert old_ca = cert_make(
        &(struct cert_spec){ .cn = "old-middle", .from_s = -3000, .until_s = -1000, .issuer = &ca, .is_ca = true });
    struct cert below = cert_make(&(struct cert_spec){ .cn = "below-old", .names = "IP:127.0.0.1", .issuer = &old_ca });
    _cleanup_result_ struct result x = { 0 };
    struct cert_server s;

    cert_server_start(&s, &below, &old_ca, NULL);
    request(s.port, "127.0.0.1", CONFIG(.skip = 0), &x);
    assert_int_equal(x.code, -EKEYREJECTED);
    assert_non_null(strstr(x.msg, "below-old"));
    assert_non_null(strstr(x.msg, "its issuer \"/CN=old-middle\" has expired"));
    cert_server_stop(&s);
    cert_done(&old_ca);
    cert_done(&below);
}

/* controllers.md 2.5: what each value of disabledTLSValidations leaves on. */
static void skip_modes(void **state)
{
    (void)state;
    struct str wrong = str_of(other_ca.pem);

    accept_cert(&expired, &(struct tls_client_config){ .ca_pem = wrong, .skip = TLS_SKIP_ALL });
    accept_cert(&elsewhere, CONFIG(.skip = TLS_SKIP_ALL));
    accept_cert(&elsewhere, CONFIG(.skip = TLS_SKIP_NAME));
    REFUSE(&expired, CONFIG(.skip = TLS_SKIP_NAME), "expired");
    REFUSE(&leaf, &(struct tls_client_config){ .ca_pem = wrong, .skip = TLS_SKIP_NAME }, "unknown authority");
    accept_cert(&leaf, CONFIG(.skip = TLS_SKIP_VALIDITY));
    struct cert old_ca = cert_make(
        &(struct cert_spec){ .cn = "long", .from_s = -5000, .until_s = 5000, .is_ca = true });
    struct cert old = cert_make(&(struct cert_spec){
        .cn = "old2", .names = "IP:127.0.0.1", .from_s = -3000, .until_s = -1000, .issuer = &old_ca });
    struct tls_client_config with_old = { .ca_pem = str_of(old_ca.pem), .skip = TLS_SKIP_VALIDITY };
    accept_cert(&old, &with_old);
    with_old.server_name = STR("api.example");
    REFUSE(&old, &with_old, "not api.example");
    REFUSE(&old, &(struct tls_client_config){ .ca_pem = wrong, .skip = TLS_SKIP_VALIDITY }, "unknown authority");
    with_old = (struct tls_client_config){ .ca_pem = str_of(old_ca.pem),
                                           .server_name = STR("api.example"),
                                           .skip = TLS_SKIP_VALIDITY | TLS_SKIP_NAME };
    accept_cert(&old, &with_old);
    cert_done(&old);
    cert_done(&old_ca);
}

static void unprintable_names(void **state)
{
    (void)state;
    struct cert odd = cert_make(&(struct cert_spec){ .cn = "line\nbreak", .names = "DNS:a\nb", .issuer = &ca });
    _cleanup_result_ struct result x = try_cert(&odd, CONFIG(.skip = 0));

    assert_int_equal(x.code, -EKEYREJECTED);
    assert_null(strchr(x.msg, '\n'));
    assert_non_null(strstr(x.msg, "a?b"));
    cert_done(&odd);
}

static void server_name_indication(void **state)
{
    (void)state;
    struct cert_server s;
    _cleanup_result_ struct result by_name = { 0 }, by_address = { 0 };

    cert_server_start(&s, &leaf, NULL, NULL);
    request(s.port, "127.0.0.1", CONFIG(.server_name = STR("localhost")), &by_name);
    assert_int_equal(by_name.code, 0);
    assert_string_equal(s.sni, "localhost");
    request(s.port, "127.0.0.1", CONFIG(.skip = 0), &by_address); /* addresses must not be sent (RFC 6066) */
    assert_string_equal(s.sni, "");
    cert_server_stop(&s);
}

static void client_certificate(void **state)
{
    (void)state;
    struct cert_server s;
    _cleanup_result_ struct result with = { 0 }, without = { 0 };

    cert_server_start(&s, &leaf, NULL, &other_ca);
    request(s.port, "127.0.0.1", CONFIG(.cert_pem = str_of(client.pem), .key_pem = str_of(client.key_pem)), &with);
    assert_int_equal(with.code, 0);
    assert_string_equal(with.body, "the-client");
    request(s.port, "127.0.0.1", CONFIG(.skip = 0), &without);
    assert_string_equal(without.body, "nobody");
    cert_server_stop(&s);
}

static void check_setting(const struct tls_client_config *config, const char *text)
{
    _cleanup_error_ struct error *err = NULL;
    struct tls_client *tls = NULL;

    assert_int_equal(tls_client_new(config, &tls, &err), -EINVAL);
    if (!strstr(err->msg, text))
        fail_msg("\"%s\" lacks \"%s\"", err->msg, text);
}

/* As in Go: what cannot be read hides nothing that can. */
static void broken_blocks(void **state)
{
    static const char *const broken[] = {
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n",
        "-----BEGIN CERTIFICATE-----",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        _cleanup_free_ char *first = mem_printf("%s%s", broken[i], ca.pem),
                            *between = mem_printf("%s%s%s", other_ca.pem, broken[i], ca.pem);
        struct tls_client_config config = { .ca_pem = str_of(between) };
        _cleanup_error_ struct error *err = NULL;
        struct tls_client *tls = NULL;

        accept_cert(&leaf, &(struct tls_client_config){ .ca_pem = str_of(first) });
        accept_cert(&leaf, &config);
        assert_ok(tls_client_new(&config, &tls, &err), err);
        assert_int_equal(tls_client_unreadable(tls), 1);
        tls_client_unref(tls);
        check_setting(&(struct tls_client_config){ .ca_pem = str_of(broken[i]) },
                      "holds no certificate that can be read");
    }
}

static void bad_settings(void **state)
{
    (void)state;
    struct str cert = str_of(client.pem), key = str_of(client.key_pem);

    check_setting(&(struct tls_client_config){ .ca_pem = STR("no PEM") }, "CA");
    check_setting(&(struct tls_client_config){ .ca_pem = key }, "CA");
    check_setting(&(struct tls_client_config){ .cert_pem = STR("no PEM"), .key_pem = key }, "client certificate");
    check_setting(&(struct tls_client_config){ .cert_pem = cert, .key_pem = STR("no PEM") }, "client key");
    check_setting(&(struct tls_client_config){ .cert_pem = cert, .key_pem = cert }, "client key");
    check_setting(&(struct tls_client_config){ .cert_pem = cert, .key_pem = str_of(leaf.key_pem) }, "does not belong");
    check_setting(&(struct tls_client_config){ .cert_pem = cert }, "client key");
}

/* Where the plain text of an answer has been there is nothing of it afterwards: neither in the memory of OpenSSL nor in the buffer that
 * all connections read into. What is looked for is cut where our own parser takes it apart. */
static void plain_text_is_cleared(void **state)
{
    static const char needle[] = "Content-Length: 6\r\n\r\nnobody";
    struct cert_server s;
    _cleanup_result_ struct result x = { 0 };
    (void)state;
    memset(loop->scratch, 0, LOOP_SCRATCH_SIZE);
    cert_server_start(&s, &leaf, NULL, NULL);
    freed_watch(needle);
    request(s.port, "127.0.0.1", CONFIG(.skip = 0), &x);
    unsigned n = freed_stop();
    cert_server_stop(&s);
    assert_string_equal(x.body, "nobody");
    assert_int_equal(n, 0);
    assert_null(memmem(loop->scratch, LOOP_SCRATCH_SIZE, "nobody", strlen("nobody")));
}

static void validity(void **state)
{
    (void)state;
    int64_t from = 0, until = 0, now = time_wall_s();
    _cleanup_error_ struct error *err = NULL;

    assert_int_equal(tls_pem_validity(str_of(expired.pem), &from, &until, &err), 0);
    assert_true(from >= now - 3000 - 60 && from <= now - 3000);
    assert_int_equal(until - from, 2000);
    assert_int_equal(tls_pem_validity(STR("x"), &from, &until, &err), -EINVAL);
    assert_non_null(err);
}

static void plain_text(void *arg, struct raw_conn *c)
{
    (void)arg;
    raw_send(c, "HTTP/1.1 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
    raw_close(c);
}

static void hang_up(void *arg, struct raw_conn *c)
{
    (void)arg;
    raw_close(c);
}

static void no_tls_server(void **state)
{
    (void)state;
    struct raw_server s;
    _cleanup_result_ struct result plain = { 0 }, closed = { 0 };

    raw_server_start(&s, loop, plain_text, NULL);
    request(s.port, "127.0.0.1", CONFIG(.skip = 0), &plain);
    assert_int_equal(plain.code, -EPROTO);
    assert_non_null(strstr(plain.msg, "does the server speak TLS"));
    raw_server_stop(&s);
    raw_server_start(&s, loop, hang_up, NULL);
    request(s.port, "127.0.0.1", CONFIG(.skip = 0), &closed);
    assert_int_equal(closed.code, -ECONNRESET);
    raw_server_stop(&s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, loop_set_up, loop_tear_down)
    const struct CMUnitTest tests[] = {
        T(verified),
        T(wrong_name),
        T(wrong_authority),
        T(wrong_time),
        T(chains),
        T(expired_issuer),
        T(skip_modes),
        T(unprintable_names),
        T(server_name_indication),
        T(client_certificate),
        T(broken_blocks),
        T(bad_settings),
        T(plain_text_is_cleared),
        T(validity),
        T(no_tls_server),
    };

    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
