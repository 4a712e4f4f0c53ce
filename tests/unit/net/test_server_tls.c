/* The HTTP server behind TLS: the choice of the protocol, certificates that change under it, and hands that are not shaken. */
#include "server_peer.h"

#include "certs.h"
#include "net/tls_server.h"

static struct cert first, second;

static struct tls_server *settings(const struct cert *c)
{
    struct tls_server *t = NULL;
    struct error *err = NULL;

    assert_ok(tls_server_new(str_of(c->pem), str_of(c->key_pem), &t, &err), err);
    return t;
}

static void use(const struct cert *c)
{
    struct tls_server *t = settings(c);

    http_server_set_tls(server, t);
    tls_server_unref(t);
}

static int set_up(void **state)
{
    (void)state;
    first = cert_make(&(struct cert_spec){ .cn = "first", .names = "DNS:localhost,IP:127.0.0.1" });
    second = cert_make(&(struct cert_spec){ .cn = "second", .names = "DNS:localhost,IP:127.0.0.1" });
    server_up(1000);
    use(&first);
    return 0;
}

static int tear_down(void **state)
{
    cert_done(&first);
    cert_done(&second);
    return server_down(state);
}

/* --- ALPN --- */

static void protocols(void **state)
{
    static const struct {
        const char *offered, *chosen;
    } rows[] = {
        { "\x02h2\x08http/1.1", "h2" },       { "\x08http/1.1\x02h2", "h2" }, { "\x02h2", "h2" },
        { "\x08http/1.1", "http/1.1" },       { "\x06spdy/3", "" },           { "", "" },
        { "\x02h3\x08http/1.1", "http/1.1" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct speaker *s = connect_tls(rows[i].offered);
        const unsigned char *chosen;
        unsigned n;

        WAIT_FOR(s->open);
        SSL_get0_alpn_selected(s->ssl, &chosen, &n);
        assert_str(str_n((const char *)chosen, n), rows[i].chosen);
        if (strcmp(rows[i].chosen, "h2") == 0) { /* the first frame is of the server: its SETTINGS */
            WAIT_FOR(s->in.n >= 9);
            assert_int_equal(s->in.p[3], 4);
        } else {
            say(s, "GET /a HTTP/1.1\r\n\r\n");
            WAIT_FOR(count(s, "hello") == 1);
            say(s, "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nab");
            WAIT_FOR(count(s, "POST 2") == 1);
        }
        assert_false(s->closed);
        hang_up(s);
    }
}

static struct http_client *client(bool http1_only)
{
    _cleanup_free_ char *text = mem_printf("https://127.0.0.1:%u", http_server_port(server));
    _cleanup_(url_done) struct url url = { 0 };
    _cleanup_(tls_client_unrefp) struct tls_client *tls = NULL;
    struct http_client *c = NULL;
    struct error *err = NULL;

    assert_ok(tls_client_new(&(struct tls_client_config){ .ca_pem = str_of(first.pem), .http1_only = http1_only }, &tls,
                             &err),
              err);
    assert_ok(url_parse(str_of(text), &url, &err), err);
    assert_ok(http_client_new(&(struct http_client_config){ .loop = loop, .url = &url, .tls = tls }, &c, &err), err);
    return c;
}

static struct http_call *post(struct http_client *c, struct str body, struct result *x)
{
    return start(c, &(struct http_request){ .method = "POST", .path = STR("/post"), .body = body }, false, x);
}

/* Our own client, by either protocol. */
static void our_client(void **state)
{
    (void)state;
    for (int http1 = 0; http1 < 2; http1++) {
        _cleanup_(http_client_freep) struct http_client *c = client(http1);
        _cleanup_result_ struct result ok = { 0 }, posted = { 0 }, big = { 0 }, empty = { 0 }, moved = { 0 };
        char body[1000];

        memset(body, 'b', sizeof(body));
        get(c, "/ok", &ok);
        run_until(&ok.done);
        assert_string_equal(ok.body, "hello");
        assert_string_equal(ok.type, "text/plain");
        assert_int_equal(stats_of(c).http2, !http1);
        post(c, str_n(body, sizeof(body)), &posted);
        get(c, "/big", &big);
        get(c, "/empty", &empty);
        get(c, "/moved", &moved);
        run_until(&posted.done);
        run_until(&big.done);
        run_until(&empty.done);
        run_until(&moved.done);
        assert_string_equal(posted.body, "POST 1000");
        assert_int_equal(strlen(big.body), BIG);
        assert_int_equal(empty.status, 200);
        assert_string_equal(empty.body, "");
        assert_int_equal(moved.status, 301);
    }
}

static void many_calls(void **state)
{
    enum { N = 300 };
    static struct result results[N];
    (void)state;
    _cleanup_(http_client_freep) struct http_client *c = client(false);

    for (int i = 0; i < N; i++)
        get(c, i % 10 ? "/ok" : "/big", &results[i]);
    for (int i = 0; i < N; i++) {
        run_until(&results[i].done);
        assert_int_equal(results[i].status, 200);
        assert_int_equal(strlen(results[i].body), i % 10 ? 5 : BIG);
        result_done(&results[i]);
    }
    assert_int_equal(handled, N);
}

/* The answer comes although the body is too large, however much of it there is. */
static void large_body(void **state)
{
    (void)state;
    for (int http1 = 0; http1 < 2; http1++) {
        _cleanup_(http_client_freep) struct http_client *c = client(http1);
        _cleanup_result_ struct result refused = { 0 }, ok = { 0 };
        _cleanup_free_ char *body = mem_zalloc(8000000);

        post(c, str_n(body, 8000000), &refused);
        run_until(&refused.done);
        assert_int_equal(refused.status, 413);
        get(c, "/ok", &ok);
        run_until(&ok.done);
        assert_string_equal(ok.body, "hello");
    }
    assert_int_equal(handled, 2);
}

/* --- certificates --- */

static void assert_name(struct speaker *s, const char *name)
{
    char got[64] = "";
    X509 *x = SSL_get1_peer_certificate(s->ssl);

    assert_non_null(x);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, got, sizeof(got));
    X509_free(x);
    assert_string_equal(got, name);
}

static void certificate_changes(void **state)
{
    (void)state;
    struct speaker *before = connect_tls(""), *between = connect_tls(""), *after;

    WAIT_FOR(before->open);
    say(between, ""); /* its ClientHello is under way or not: either certificate is right, but hands are shaken */
    use(&second);
    after = connect_tls("");
    WAIT_FOR(after->open && between->open);
    assert_name(before, "first");
    assert_name(after, "second");
    say(before, "GET / HTTP/1.1\r\n\r\n");
    say(between, "GET / HTTP/1.1\r\n\r\n");
    say(after, "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(before, "hello") == 1 && count(between, "hello") == 1 && count(after, "hello") == 1);
    for (int i = 0; i < 50; i++)
        use(i % 2 ? &first : &second);
    say(before, "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(before, "hello") == 2);
}

/* Plain connections of before stay plain. */
static void plain_stays(void **state)
{
    (void)state;
    http_server_free(server);
    loop_free(loop);
    server_up(1000);
    struct speaker *plain = connect_plain(), *secret;

    say(plain, "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(plain, "hello") == 1);
    use(&first);
    secret = connect_tls("");
    WAIT_FOR(secret->open);
    say(plain, "GET / HTTP/1.1\r\n\r\n");
    say(secret, "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(plain, "hello") == 2 && count(secret, "hello") == 1);
}

static void bad_pairs(void **state)
{
    (void)state;
    _cleanup_free_ char *chain = mem_printf("%s%s", first.pem, second.pem);
    const struct {
        const char *cert, *key, *words;
    } rows[] = {
        { "", first.key_pem, "serving certificate cannot be used" },
        { "nonsense", first.key_pem, "serving certificate cannot be used" },
        { first.key_pem, first.key_pem, "serving certificate cannot be used" },
        { first.pem, "", "serving key cannot be read" },
        { first.pem, first.pem, "serving key cannot be read" },
        { first.pem, second.key_pem, "does not belong to the serving certificate" },
        { chain, second.key_pem, "does not belong to the serving certificate" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct tls_server *t = NULL;
        _cleanup_error_ struct error *err = NULL;

        assert_int_equal(tls_server_new(str_of(rows[i].cert), str_of(rows[i].key), &t, &err), -EINVAL);
        assert_null(t);
        if (!strstr(error_msg(err), rows[i].words))
            fail_msg("row %zu: %s", i, error_msg(err));
        assert_null(strstr(error_msg(err), "BEGIN"));
    }
}

/* --- versions, and hands that are not shaken --- */

static void versions(void **state)
{
    static const int rows[] = { TLS1_2_VERSION, TLS1_3_VERSION, TLS1_1_VERSION, TLS1_VERSION };
    struct tls_server *t = settings(&first);
    (void)state;
    assert_int_equal(SSL_CTX_get_min_proto_version(tls_server_context(t)), TLS1_2_VERSION);
    tls_server_unref(t);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct speaker *s = connect_tls("");

        SSL_set_security_level(s->ssl, 0); /* as an old client */
        SSL_set_min_proto_version(s->ssl, rows[i]);
        SSL_set_max_proto_version(s->ssl, rows[i]);
        WAIT_FOR(s->open || s->closed);
        assert_int_equal(s->open, rows[i] >= TLS1_2_VERSION);
        hang_up(s);
    }
}

static void garbage(void **state)
{
    static const char *const rows[] = {
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\xff\xff garbage garbage",
        "\x16\x03\x01\x01\x05\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x80\x2e\x01\x02\x03"
    };
    (void)state;
    http_server_set_times(server, 300, 60000); /* for what looks like a beginning */
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct speaker *s = connect_plain();

        say(s, rows[i]);
        WAIT_FOR(s->closed);
        hang_up(s);
    }
    http_server_set_times(server, 30000, 60000);
    struct speaker *ok = connect_tls("");
    say(ok, "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(ok, "hello") == 1);
    assert_int_equal(handled, 1);
}

static void slow_handshakes_end(void **state)
{
    (void)state;
    http_server_set_times(server, 100, 60000);
    struct speaker *silent = connect_plain(), *half = connect_plain(), *trickling = connect_plain(),
                   *idle = connect_tls("");

    say(half, "\x16\x03\x01"); /* a record that goes on */
    say(trickling, "\x16\x03\x01");
    buf_add(&trickling->out, "\x02\x00\x01\x00\x01\xfc\x03\x03", 8);
    for (uint64_t until = time_mono_ms() + 20000; !trickling->closed; turn()) {
        assert_true(time_mono_ms() < until);
        if (trickling->out.n == 0 && !trickling->write_fails)
            say(trickling, "x");
    }
    WAIT_FOR(silent->closed && half->closed);
    WAIT_FOR(idle->closed); /* hands shaken, and nothing more */
    assert_int_equal(handled, 0);
}

/* When there is no room, those who do not finish their handshake make it, not the one that waits for its next request. */
static void handshakes_make_room(void **state)
{
    (void)state;
    struct speaker *idle = connect_tls(""), *oldest, *last = NULL;

    say(idle, "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(idle, "hello") == 1);
    oldest = connect_plain();
    for (int i = 0; i < 280; i++) {
        last = connect_plain();
        turn();
    }
    WAIT_FOR(oldest->closed);
    assert_false(idle->closed || last->closed);
    say(idle, "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(idle, "hello") == 2);
}

/* A client that goes in the middle of anything leaves nothing behind (the sanitizers look). */
static void clients_that_go(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        struct speaker *s = i % 2 ? connect_tls(i % 4 == 1 ? "\x02h2" : "") : connect_plain();

        for (int turns = 0; turns < i % 5; turns++)
            turn();
        if (i % 3 == 0 && s->open)
            say(s, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
        if (i % 4 == 3)
            turn();
        hang_up(s);
    }
    struct speaker *ok = connect_tls("");
    say(ok, "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(ok, "hello") == 1);
}

/* The server ends while connections are in every state. */
static void server_goes(void **state)
{
    (void)state;
    struct speaker *plain = connect_plain(), *tls = connect_tls(""), *h2 = connect_tls("\x02h2"),
                   *young = connect_tls("");

    WAIT_FOR(tls->open && h2->open && h2->in.n > 9);
    say(tls, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
    turn();
    pump(young);
    http_server_free(server);
    server = NULL;
    WAIT_FOR(plain->closed && tls->closed && h2->closed);
    assert_int_equal(handled, 0);
}

/* The end of the server waits neither for hands that are never shaken nor for those who say nothing after it. */
static void end_without_requests(void **state)
{
    static const char *const offered[] = { "\x02h2", "\x08http/1.1" };
    bool drained = false;
    (void)state;
    http_server_set_times(server, 600000, 600000);
    struct speaker *mute = connect_plain(), *half = connect_plain(), *late[2], *asks;

    say(half, "\x16\x03\x01\x02"); /* of a ClientHello */
    for (size_t i = 0; i < ARRAY_SIZE(late); i++)
        late[i] = connect_tls(offered[i]);
    asks = connect_tls(offered[1]);
    buf_addz(&asks->out, "GET / HTTP/1.1\r\n\r\n");
    http_server_drain(server, 0, 600000, set_flag, &drained);
    while (server->phase != SERVER_FINISHES)
        run_for(1); /* those who speak TLS have not begun */
    WAIT_FOR(late[0]->closed && late[1]->closed && asks->closed);
    for (size_t i = 0; i < ARRAY_SIZE(late); i++)
        hang_up(late[i]);
    assert_int_equal(count(asks, "hello"), handled); /* one, if this machine was fast enough */
    hang_up(asks);
    WAIT_FOR(mute->closed && half->closed && drained);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(protocols),
        T(our_client),
        T(many_calls),
        T(large_body),
        T(certificate_changes),
        T(plain_stays),
        T(bad_pairs),
        T(versions),
        T(garbage),
        T(slow_handshakes_end),
        T(clients_that_go),
        T(handshakes_make_room),
        T(server_goes),
        T(end_without_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
