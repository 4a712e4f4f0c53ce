/* The limits of the HTTP server over HTTP/1.1: time, memory, connections, output that nobody reads. */
#include "server_peer.h"

#define MAX_BODY ((size_t)8 << 20)

static int set_up(void **state)
{
    (void)state;
    server_up(MAX_BODY);
    return 0;
}

/* Puts n bytes of a body into the output. */
static void say_bytes(struct speaker *s, size_t n)
{
    _cleanup_free_ char *text = mem_alloc(n);

    memset(text, 'x', n);
    buf_add(&s->out, text, n);
}

static void say_many(struct speaker *s, const char *text, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        buf_addz(&s->out, text);
}

/* --- time --- */

static void idle_connection_ends(void **state)
{
    (void)state;
    http_server_set_times(server, 20000, 50);
    struct speaker *s = connect_plain();
    say(s, "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(s->closed);
    assert_int_equal(count(s, "hello"), 1);
    assert_int_equal(count(s, "HTTP/1.1 "), 1); /* nothing was asked, nothing is said */
}

static void silent_connection_ends(void **state)
{
    (void)state;
    http_server_set_times(server, 50, 60000);
    struct speaker *s = connect_plain();
    WAIT_FOR(s->closed);
    assert_int_equal(handled, 0);
}

/* A byte now and then does not win time: not in the request line, not before it, not in headers, not in a body. */
static void trickle(const char *start, const char *drop)
{
    struct speaker *s = connect_plain();

    say(s, start);
    for (uint64_t until = time_mono_ms() + 20000; !s->closed; turn()) {
        if (time_mono_ms() > until)
            fail_msg("\"%s\" and then \"%s\" again and again holds the connection", start, drop);
        if (s->out.n == 0 && !s->write_fails)
            say(s, drop);
    }
    assert_int_equal(handled, 0);
    assert_true(str_has_prefix(buf_str(&s->in), STR("HTTP/1.1 408 Request Timeout\r\n"))); /* and it is told */
    assert_int_equal(count(s, "connection: close"), 1);
    hang_up(s);
}

static void slow_requests_end(void **state)
{
    (void)state;
    http_server_set_times(server, 100, 60000);
    trickle("", "G");
    trickle("", "\r\n");
    trickle("GET / HTTP/1.1\r\n", "a: b\r\n");
    trickle("POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", "x");
    trickle("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n");
}

/* The second request on a connection has the time of a request as well, not that of an idle connection. */
static void slow_second_request_ends(void **state)
{
    (void)state;
    http_server_set_times(server, 100, 60000);
    struct speaker *s = connect_plain();
    say(s, "GET / HTTP/1.1\r\n\r\nGET /");
    WAIT_FOR(s->closed);
    assert_int_equal(count(s, "hello"), 1);
    assert_int_equal(count(s, "HTTP/1.1 408 "), 1);
    assert_int_equal(handled, 1);
}

/* --- bodies --- */

static void large_body_while_sending(void **state)
{
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        struct speaker *s = connect_plain();
        say(s, chunked ? "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                       : "POST / HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n");
        for (uint64_t until = time_mono_ms() + 20000; count(s, "413 Content Too Large\n") == 0; turn()) {
            assert_true(time_mono_ms() < until);
            assert_false(s->write_fails); /* the answer was there before the connection broke */
            if (s->out.n == 0) {
                if (chunked)
                    buf_addz(&s->out, "10000\r\n");
                say_bytes(s, 65536);
                if (chunked)
                    buf_addz(&s->out, "\r\n");
            }
        }
        WAIT_FOR(s->closed);
        assert_int_equal(count(s, "HTTP/1.1 "), 1);
        assert_int_equal(count(s, "connection: close"), 1);
        assert_int_equal(handled, 0);
        hang_up(s);
    }
}

static void expect_continue(void **state)
{
    (void)state;
    struct speaker *s = connect_plain(), *large = connect_plain();

    say(s, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    WAIT_FOR(count(s, "HTTP/1.1 100 Continue\r\n\r\n") == 1);
    assert_int_equal(handled, 0);
    say(s, "abc");
    WAIT_FOR(count(s, "POST 3") == 1);
    say(s, "GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n"); /* nothing is to come */
    WAIT_FOR(count(s, "hello") == 1);
    assert_int_equal(count(s, "100 Continue"), 1);
    /* Nobody is asked for what will be refused. */
    say(large, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 8388609\r\n\r\n");
    WAIT_FOR(large->closed);
    assert_true(str_has_prefix(buf_str(&large->in), STR("HTTP/1.1 413 ")));
    assert_int_equal(count(large, "100 Continue"), 0);
}

static void other_answers(void **state)
{
    (void)state;
    struct speaker *s = connect_plain();

    say(s, "GET /moved HTTP/1.1\r\n\r\nGET /empty HTTP/1.1\r\n\r\nHEAD /big HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(s, "hello") == 1);
    assert_true(str_has_prefix(buf_str(&s->in), STR("HTTP/1.1 301 Moved Permanently\r\n")));
    assert_int_equal(count(s, "\r\nlocation: /elsewhere/\r\n"), 1);
    assert_int_equal(count(s, "content-length: 0\r\n\r\nHTTP/1.1 200 OK"), 1);
    assert_int_equal(count(s, "content-length: 102400\r\n\r\nHTTP/1.1 200 OK"), 1);
    assert_false(s->closed);
}

static void long_method(void **state)
{
    (void)state;
    struct speaker *s = connect_plain();
    _cleanup_free_ char *method = mem_zalloc(1001), *text = NULL;

    memset(method, 'M', 1000);
    text = mem_printf("%s / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", method);
    say(s, text);
    WAIT_FOR(count(s, "hello") == 2);
}

/* --- output --- */

/* Of answers that a peer does not take: both ends of its connection are full, and the server stops when it has SERVER_OUT_HIGH and the
 * answer that passes that; and something for how the kernel counts. */
#define KEPT_MAX (4 * (size_t)PIPE_BYTES + SERVER_OUT_HIGH + 4 * BIG)

/* Requests without end from somebody who reads nothing: they wait, and are all answered in order when they are read. */
static void deaf_peer(void **state)
{
    enum { N = 300 };
    (void)state;
    struct speaker *s = connect_plain();
    char padding[601];

    memset(padding, 'p', sizeof(padding) - 1);
    padding[sizeof(padding) - 1] = '\0';
    _cleanup_free_ char *request = mem_printf("GET /big HTTP/1.1\r\nx: %s\r\n\r\n", padding);
    s->deaf = true;
    say_many(s, request, N);
    until_quiet();
    assert_in_range(handled, 1, KEPT_MAX / BIG); /* the rest is not even looked at */
    s->deaf = false;
    WAIT_FOR(handled == N && s->in.n >= N * BIG);
    assert_int_equal(count(s, "HTTP/1.1 200 OK"), N);
    assert_false(s->closed);
}

static void deaf_peer_ends(void **state)
{
    (void)state;
    http_server_set_times(server, 100, 100);
    struct speaker *s = connect_plain();

    s->deaf = true;
    say_many(s, "GET /big HTTP/1.1\r\n\r\n", 500);
    WAIT_FOR(s->write_fails || (say(s, "GET /big HTTP/1.1\r\n\r\n"), false));
    assert_in_range(handled, 1, KEPT_MAX / BIG);
}

/* --- memory --- */

static void begin_large(struct speaker *s)
{
    say(s, "POST / HTTP/1.1\r\nContent-Length: 8388608\r\n\r\n");
    say_bytes(s, MAX_BODY - 100);
}

static struct speaker *first_closed(struct speaker *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i]->closed)
            return list[i];
    return NULL;
}

/* Eight peers may hold 64 MiB together: of nine, one is refused, others are not hurt, and the end of one makes room. */
static void memory_of_all(void **state)
{
    (void)state;
    struct speaker *large[9], *bystander = connect_plain(), *refused, *more;

    say(bystander, "GET / HTTP/1.1\r\n\r\n");
    for (size_t i = 0; i < ARRAY_SIZE(large); i++) {
        large[i] = connect_plain();
        begin_large(large[i]);
    }
    WAIT_FOR((refused = first_closed(large, ARRAY_SIZE(large))) != NULL);
    assert_true(str_has_prefix(buf_str(&refused->in), STR("HTTP/1.1 503 ")));
    WAIT_FOR(count(bystander, "hello") == 1);
    for (size_t i = 0; i < ARRAY_SIZE(large); i++) {
        if (large[i] == refused)
            continue;
        say_bytes(large[i], 100);
        WAIT_FOR(count(large[i], "POST 8388608") == 1 || large[i]->closed);
        assert_false(large[i]->closed);
    }
    more = connect_plain();
    begin_large(more);
    say_bytes(more, 100);
    WAIT_FOR(count(more, "POST 8388608") == 1);
}

/* A request that is complete at once is answered, once, even when its answer passes the limit, and its connection goes on. */
static void small_requests_when_full(void **state)
{
    (void)state;
    struct speaker *large[8], *small = connect_plain();

    for (size_t i = 0; i < ARRAY_SIZE(large); i++) {
        large[i] = connect_plain();
        begin_large(large[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(large); i++)
        WAIT_FOR(large[i]->out.n == 0);
    for (int i = 0; i < 200; i++) /* the server reads what the kernel has */
        turn();
    small->deaf = true;
    say_many(small, "GET /big HTTP/1.1\r\n\r\n", 100); /* of which some are held */
    for (int i = 0; i < 50; i++)
        turn();
    small->deaf = false;
    WAIT_FOR(small->in.n >= 100 * BIG);
    say(small, "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(small, "hello") == 1);
    assert_int_equal(count(small, "HTTP/1.1 200 OK"), 101);
    assert_int_equal(count(small, "503"), 0);
    assert_false(small->closed);
}

/* Answers that nobody takes count as well. */
static void output_counts(void **state)
{
    (void)state;
    struct speaker *large[7], *refused;

    for (int i = 0; i < 10; i++) { /* what the kernel does not take of 8 MB each */
        struct speaker *s = connect_plain();
        s->deaf = true;
        say(s, "GET /huge HTTP/1.1\r\n\r\n");
    }
    WAIT_FOR(handled == 10);
    for (size_t i = 0; i < ARRAY_SIZE(large); i++) {
        large[i] = connect_plain();
        begin_large(large[i]);
    }
    WAIT_FOR((refused = first_closed(large, ARRAY_SIZE(large))) != NULL);
    assert_int_equal(count(refused, "HTTP/1.1 503 "), 1);
}

/* A small request finds room: who holds most gives way. */
static void large_gives_way(void **state)
{
    (void)state;
    struct speaker *large = connect_plain(), *small = connect_plain();

    http_server_set_max_held(server, (size_t)1 << 20);
    say(large, "POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
    say_bytes(large, 900000);
    say(small, "POST / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n");
    say_bytes(small, 299999);
    WAIT_FOR(large->closed);
    assert_true(str_has_prefix(buf_str(&large->in), STR("HTTP/1.1 503 ")));
    say_bytes(small, 1);
    WAIT_FOR(count(small, "POST 300000") == 1);
    assert_false(small->closed);
}

/* Also who holds an answer that it does not take. */
static void deaf_gives_way(void **state)
{
    (void)state;
    struct speaker *deaf = connect_plain(), *small = connect_plain();

    http_server_set_max_held(server, (size_t)1 << 20);
    deaf->deaf = true;
    say(deaf, "GET /huge HTTP/1.1\r\n\r\n");
    WAIT_FOR(handled == 1);
    say(small, "POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n");
    say_bytes(small, 1000);
    WAIT_FOR(count(small, "POST 1000") == 1);
    deaf->deaf = false;
    WAIT_FOR(deaf->closed);
    assert_in_range(deaf->in.n, 0, 80 * BIG - 1);
    assert_false(small->closed);
}

/* --- connections --- */

static void too_many_connections(void **state)
{
    enum { MAX = 256 };
    (void)state;
    struct speaker *all[MAX], *next;

    for (size_t i = 0; i < MAX; i++) {
        all[i] = connect_plain();
        turn();
    }
    for (size_t i = 0; i < MAX; i++)
        assert_false(all[i]->closed);
    say(all[0], "GET / HTTP/1.1\r\n\r\n"); /* so the second is silent longest */
    WAIT_FOR(count(all[0], "hello") == 1);
    next = connect_plain();
    say(next, "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(next, "hello") == 1);
    WAIT_FOR(all[1]->closed);
    for (size_t i = 0; i < MAX; i++)
        assert_int_equal(all[i]->closed, i == 1);
    hang_up(next);
    say(all[0], "GET / HTTP/1.1\r\n\r\n");
    WAIT_FOR(count(all[0], "hello") == 2);
}

/* Who begins a request is no longer the one that was silent longest; who is closed in the middle of one is told. */
static void eviction(void **state)
{
    enum { MAX = 256 };
    static const char half[] = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    (void)state;
    struct speaker *all[MAX];

    for (size_t i = 0; i < MAX; i++) {
        all[i] = connect_plain();
        turn();
    }
    for (size_t i = 0; i < 2; i++) {
        say(all[i], half);
        WAIT_FOR(count(all[i], "100 Continue") == 1);
    }
    for (size_t i = 2; i < MAX; i++) { /* each takes the place of the oldest */
        struct speaker *next = connect_plain();

        say(next, "GET / HTTP/1.1\r\n\r\n");
        WAIT_FOR(count(next, "hello") == 1);
        WAIT_FOR(all[i]->closed);
        assert_false(all[0]->closed || all[1]->closed);
        hang_up(all[i]);
    }
    say(all[1], "abc");
    WAIT_FOR(count(all[1], "POST 3") == 1);
    connect_plain();
    WAIT_FOR(all[0]->closed);
    assert_int_equal(count(all[0], "HTTP/1.1 503 "), 1);
    assert_false(all[1]->closed);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, server_down)
    const struct CMUnitTest tests[] = {
        T(idle_connection_ends),
        T(silent_connection_ends),
        T(slow_requests_end),
        T(slow_second_request_ends),
        T(large_body_while_sending),
        T(expect_continue),
        T(other_answers),
        T(long_method),
        T(deaf_peer),
        T(deaf_peer_ends),
        T(memory_of_all),
        T(small_requests_when_full),
        T(output_counts),
        T(large_gives_way),
        T(deaf_gives_way),
        T(too_many_connections),
        T(eviction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
