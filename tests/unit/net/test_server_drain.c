/* The end of a server that loses no request, over HTTP/1.1: who is told, who is waited for, and when it is over. */
#include "server_peer.h"

#include <sys/syscall.h>

#define FOREVER 60000u

static bool drained;

/* Every other connection fails like this, before the next one comes. */
static int accept_fails;

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    static unsigned calls;

    if (accept_fails && calls++ % 2 == 0) {
        errno = accept_fails;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, addr, len, flags);
}

static void on_drained(void *arg)
{
    assert_ptr_equal(arg, &drained);
    assert_false(drained); /* once */
    drained = true;
}

static void drain(uint64_t serve_ms, uint64_t finish_ms)
{
    http_server_drain(server, serve_ms, finish_ms, on_drained, &drained);
}

static int set_up(void **state)
{
    (void)state;
    drained = false;
    accept_fails = 0;
    server_up(1000);
    return 0;
}

/* A connection that has been served and is idle, or in the middle of a request. */
static struct speaker *connect_idle(void)
{
    struct speaker *s = connect_plain();

    say(s, "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(s, "hello") == 1);
    assert_int_equal(count(s, "connection: close"), 0);
    return s;
}

static struct speaker *connect_half(void)
{
    struct speaker *s = connect_plain();

    say(s, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\nabc");
    WAIT_FOR(count(s, "100 Continue") == 1);
    return s;
}

/* Everybody is served, old connections and new ones, and told that it is for the last time. */
static void serves_on(void **state)
{
    (void)state;
    struct speaker *idle = connect_idle(), *half = connect_half(), *fresh, *many;

    drain(FOREVER, FOREVER);
    drain(0, 0); /* a second call changes nothing */
    fresh = connect_plain();
    say(idle, "GET / HTTP/1.1\r\n\r\n");
    say(fresh, "GET / HTTP/1.1\r\n\r\n");
    say(half, "defghij");
    WAIT_FOR(idle->closed && fresh->closed && half->closed);
    assert_int_equal(count(idle, "hello"), 2);
    assert_int_equal(count(idle, "connection: close"), 1);
    assert_int_equal(count(fresh, "hello"), 1);
    assert_int_equal(count(fresh, "connection: close"), 1);
    assert_int_equal(count(half, "POST 10"), 1);
    assert_int_equal(count(half, "connection: close"), 1);
    many = connect_plain(); /* what is sent at once is answered at once */
    say(many, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(many->closed);
    assert_int_equal(count(many, "hello"), 3);
    assert_int_equal(count(many, "connection: close"), 1);
    assert_false(drained);
}

static bool takes_connections(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_port = htons(http_server_port(server));
    bool taken = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    close(fd);
    return taken;
}

/* Then only what is under way counts. */
static void finishes(void **state)
{
    (void)state;
    struct speaker *idle = connect_idle(), *half = connect_half(), *silent = connect_plain();

    turn();
    drain(1, FOREVER);
    WAIT_FOR(idle->closed && silent->closed);
    hang_up(idle);
    hang_up(silent);
    assert_false(takes_connections());
    for (int i = 0; i < 20; i++)
        turn();
    assert_false(drained);
    assert_false(half->closed);
    say(half, "defghij");
    WAIT_FOR(half->closed);
    assert_int_equal(count(half, "POST 10"), 1);
    hang_up(half);
    WAIT_FOR(drained);
}

/* What was sent before the end is answered, also when nobody has looked at it yet. */
static void what_was_sent_is_answered(void **state)
{
    enum { N = 60 };
    (void)state;
    struct speaker *all[N];

    for (int i = 0; i < N; i++) {
        all[i] = connect_plain();
        say(all[i], "GET / HTTP/1.1\r\n\r\n");
    }
    drain(0, FOREVER);
    for (int i = 0; i < N; i++) {
        WAIT_FOR(all[i]->closed);
        assert_int_equal(count(all[i], "hello"), 1);
        hang_up(all[i]);
    }
    WAIT_FOR(drained);
    assert_int_equal(handled, N);
}

/* A connection that its client has given up is in nobody's way. */
static void some_were_given_up(void **state)
{
    static const int codes[] = { EINTR, ECONNABORTED, EPROTO, EHOSTUNREACH };

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        if (i) {
            server_down(state);
            set_up(state);
        }
        accept_fails = codes[i];
        what_was_sent_is_answered(state);
    }
}

/* Nobody is waited for without end; who is left is told. */
static void time_is_over(void **state)
{
    (void)state;
    struct speaker *half = connect_half();

    drain(1, 50);
    WAIT_FOR(drained);
    assert_false(half->closed);
    http_server_free(TAKE_PTR(server));
    WAIT_FOR(half->closed);
    assert_int_equal(count(half, "HTTP/1.1 503 "), 1);
    assert_int_equal(handled, 0);
}

static void nobody_is_there(void **state)
{
    (void)state;
    drain(1, FOREVER);
    WAIT_FOR(drained);
}

static void free_it(void *arg)
{
    on_drained(arg);
    http_server_free(TAKE_PTR(server));
}

/* The owner frees it in the callback, or at any time before. */
static void freed(void **state)
{
    (void)state;
    http_server_drain(server, 0, 0, free_it, &drained);
    WAIT_FOR(drained);
    for (int ms = 0; ms < 4; ms++) {
        loop_free(loop);
        server_up(1000);
        connect_half();
        drain(ms == 0 ? FOREVER : 0, FOREVER);
        for (int i = 0; i < ms; i++)
            turn();
        http_server_free(TAKE_PTR(server));
        for (int i = 0; i < 5; i++)
            turn();
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, server_down)
    const struct CMUnitTest tests[] = {
        T(serves_on),       T(finishes), T(what_was_sent_is_answered), T(some_were_given_up), T(time_is_over),
        T(nobody_is_there), T(freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
