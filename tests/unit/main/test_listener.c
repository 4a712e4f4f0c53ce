/* A listener that does not give up: addresses that are taken, that are none, that are switched off; TLS before and after. */
#include "unit.h"

#include <unistd.h>

#include "base/log.h"
#include "listener.h"
#include "net/tls_issue.h"
#include "net/tls_server.h"

static struct loop *loop;
static struct http_server *other;
static unsigned handled;

static int set_up(void **state)
{
    (void)state;
    log_set_file(-1);
    handled = 0;
    other = NULL;
    return loop_new(&loop, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    http_server_free(other);
    loop_free(loop);
    log_set_file(STDERR_FILENO);
    return 0;
}

static void serve(void *arg, const struct http_server_request *req, struct http_server_response *resp)
{
    (void)arg;
    (void)req;
    handled++;
    resp->status = 200;
    buf_addz(&resp->body, "hello");
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void turn(void)
{
    struct loop_timer t = { 0 };
    bool over = false;

    loop_timer_start(loop, &t, 1, set_flag, &over);
    assert_int_equal(loop_run(loop, &over), 0);
}

#define WAIT_FOR(cond)                                                                                                 \
    do {                                                                                                               \
        uint64_t _until = time_mono_ms() + 20000;                                                                      \
        while (!(cond)) {                                                                                              \
            if (time_mono_ms() > _until)                                                                               \
                fail_msg("did not happen: %s", #cond);                                                                 \
            turn();                                                                                                    \
        }                                                                                                              \
    } while (0)

static void on_done(void *arg, const struct http_response *r, const struct error *err)
{
    int *status = arg;

    *status = r ? r->status : err->code;
}

/* Status of GET /, or a negative code. */
static int get(uint16_t port, struct tls_client *tls)
{
    _cleanup_free_ char *text = mem_printf("%s://127.0.0.1:%u", tls ? "https" : "http", port);
    _cleanup_(url_done) struct url url = { 0 };
    _cleanup_(http_client_freep) struct http_client *c = NULL;
    int status = 0;

    assert_int_equal(url_parse(str_of(text), &url, NULL), 0);
    assert_int_equal(http_client_new(&(struct http_client_config){ .loop = loop, .url = &url, .tls = tls }, &c, NULL),
                     0);
    http_client_send(c, &(struct http_request){ .method = "GET", .path = STR("/") },
                     &(struct http_handlers){ .on_done = on_done }, &status);
    WAIT_FOR(status != 0);
    return status;
}

static void start(struct listener *l, const char *address)
{
    struct error *err = NULL;

    assert_ok(listener_start(l, loop, "things", address, 1000, serve, NULL, &err), err);
    assert_null(err);
}

static void serves(void **state)
{
    struct listener l = { 0 };
    (void)state;
    start(&l, "127.0.0.1:0");
    assert_non_null(l.server);
    assert_int_equal(get(http_server_port(l.server), NULL), 200);
    listener_stop(&l);
    assert_null(l.server);
    listener_stop(&l); /* again is nothing */
}

static void switched_off(void **state)
{
    static const char *const rows[] = { "", "0" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct listener l = { 0 };
        start(&l, rows[i]);
        assert_null(l.server);
        assert_false(loop_timer_active(&l.retry));
        listener_stop(&l);
    }
}

static void no_address(void **state)
{
    static const char *const rows[] = { "nonsense", "127.0.0.1:x", ":99999999", "[::1", "no such host:80" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct listener l = { 0 };
        _cleanup_error_ struct error *err = NULL;
        if (listener_start(&l, loop, "things", rows[i], 1000, serve, NULL, &err) != -EINVAL)
            fail_msg("%s is taken", rows[i]);
        assert_true(strncmp(error_msg(err), "cannot serve things: ", 21) == 0);
        assert_false(loop_timer_active(&l.retry));
        listener_stop(&l);
    }
}

/* An address that is taken is tried again until it is free. */
static void address_taken(void **state)
{
    struct listener l = { 0 };
    (void)state;
    assert_int_equal(http_server_new(loop, STR("127.0.0.1:0"), 10, serve, NULL, &other, NULL), 0);
    uint16_t port = http_server_port(other);
    _cleanup_free_ char *address = mem_printf("127.0.0.1:%u", port);
    start(&l, address);
    assert_null(l.server);
    WAIT_FOR(loop_timer_active(&l.retry));
    http_server_free(TAKE_PTR(other));
    WAIT_FOR(l.server);
    assert_int_equal(get(port, NULL), 200);
    listener_stop(&l);
    /* Stopped while it waits. */
    assert_int_equal(http_server_new(loop, str_of(address), 10, serve, NULL, &other, NULL), 0);
    start(&l, address);
    listener_stop(&l);
    assert_false(loop_timer_active(&l.retry));
}

/* TLS may come before the listener is bound, and change later. */
static void tls(void **state)
{
    static const char *const names[] = { "localhost" };
    int64_t now = time_wall_s();
    struct tls_pair ca = { 0 }, pair = { 0 };
    struct listener l = { 0 };
    _cleanup_(tls_server_unrefp) struct tls_server *t = NULL;
    _cleanup_(tls_client_unrefp) struct tls_client *client = NULL;
    (void)state;
    assert_int_equal(tls_issue_authority("ca", now - 60, now + 3600, &ca, NULL), 0);
    assert_int_equal(tls_issue_serving(&ca, names, 1, now - 60, now + 3600, &pair, NULL), 0);
    assert_int_equal(tls_server_new(str_of(pair.cert_pem), str_of(pair.key_pem), &t, NULL), 0);
    assert_int_equal(
        tls_client_new(&(struct tls_client_config){ .ca_pem = str_of(ca.cert_pem), .server_name = STR("localhost") },
                       &client, NULL),
        0);
    listener_set_tls(&l, t);
    start(&l, "127.0.0.1:0");
    assert_int_equal(get(http_server_port(l.server), client), 200);
    assert_true(get(http_server_port(l.server), NULL) < 0);
    listener_set_tls(&l, t); /* the same again */
    tls_server_unref(TAKE_PTR(t));
    assert_int_equal(get(http_server_port(l.server), client), 200);
    assert_int_equal(handled, 2);
    listener_stop(&l);
    tls_pair_done(&ca);
    tls_pair_done(&pair);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = { T(serves), T(switched_off), T(no_address), T(address_taken), T(tls) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
