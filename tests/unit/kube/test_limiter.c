/* The adaptive limit of calls in flight: where it starts, what moves it, where it ends. */
#include "kube/limiter.h"
#include "unit.h"

static struct limiter l;
static uint64_t now;

static int set_up(void **state)
{
    (void)state;
    limiter_init(&l);
    now = 1000;
    return 0;
}

/* n calls that take `ms` each, one after another, with the limit in full use. */
static void calls(unsigned n, enum limiter_class class, enum limiter_outcome outcome, uint64_t ms)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t sent = now;
        now += ms;
        limiter_sample(&l, class, outcome, sent, now, limiter_get(&l));
    }
}

static void start(void **state)
{
    (void)state;
    assert_int_equal(limiter_get(&l), 32);
}

static void grows_while_used(void **state)
{
    (void)state;
    calls(20, LIMITER_READ, LIMITER_OK, 10);
    assert_true(limiter_get(&l) > 32 && limiter_get(&l) < 40);
    calls(100000, LIMITER_READ, LIMITER_OK, 10);
    assert_int_equal(limiter_get(&l), 256);
}

static void unused_limit_stays(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++, now += 10)
        limiter_sample(&l, LIMITER_READ, LIMITER_OK, now, now + 10, 15);
    assert_int_equal(limiter_get(&l), 32);
}

static void overload_halves(void **state)
{
    (void)state;
    calls(1, LIMITER_WRITE, LIMITER_OVERLOAD, 10);
    assert_int_equal(limiter_get(&l), 16);
    calls(1, LIMITER_WRITE, LIMITER_OVERLOAD, 10);
    assert_int_equal(limiter_get(&l), 8);
    calls(100, LIMITER_WRITE, LIMITER_OVERLOAD, 10);
    assert_int_equal(limiter_get(&l), 4);
}

/* One cause lowers the limit once: calls sent before the decrease say nothing new. */
static void burst_counts_once(void **state)
{
    (void)state;
    uint64_t sent = now;

    for (int i = 0; i < 30; i++)
        limiter_sample(&l, LIMITER_READ, LIMITER_OVERLOAD, sent, now + 100 + (uint64_t)i, 30);
    assert_int_equal(limiter_get(&l), 16);
}

static void recovers(void **state)
{
    (void)state;
    calls(100, LIMITER_READ, LIMITER_OVERLOAD, 10);
    assert_int_equal(limiter_get(&l), 4);
    calls(200, LIMITER_READ, LIMITER_OK, 10);
    assert_true(limiter_get(&l) >= 32);
}

static void rising_latency(void **state)
{
    (void)state;
    calls(50, LIMITER_READ, LIMITER_OK, 10);
    unsigned before = limiter_get(&l);
    calls(30, LIMITER_READ, LIMITER_OK, 400); /* 40 times the floor */
    assert_true(limiter_get(&l) < before);
    assert_true(limiter_get(&l) >= 4);
}

/* A little jitter on a fast server is no overload: 50 ms are free. */
static void small_latencies(void **state)
{
    (void)state;
    calls(50, LIMITER_READ, LIMITER_OK, 1);
    unsigned before = limiter_get(&l);
    calls(50, LIMITER_READ, LIMITER_OK, 40);
    assert_true(limiter_get(&l) > before);
}

/* A server that has become slower for good is not taken for an overloaded one for ever. */
static void slower_for_good(void **state)
{
    (void)state;
    calls(50, LIMITER_READ, LIMITER_OK, 10);
    calls(400, LIMITER_READ, LIMITER_OK, 400); /* 160 s */
    unsigned then = limiter_get(&l);
    calls(200, LIMITER_READ, LIMITER_OK, 400);
    assert_true(limiter_get(&l) > then);
}

/* Writes are slower than reads; that is no rise. */
static void classes_apart(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        calls(1, LIMITER_READ, LIMITER_OK, 2);
        calls(1, LIMITER_WRITE, LIMITER_OK, 300);
    }
    assert_true(limiter_get(&l) > 32);
}

static void ignored(void **state)
{
    (void)state;
    calls(100, LIMITER_READ, LIMITER_IGNORE, 5000);
    assert_int_equal(limiter_get(&l), 32);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, set_up)
    const struct CMUnitTest tests[] = {
        T(start),    T(grows_while_used), T(unused_limit_stays), T(overload_halves), T(burst_counts_once),
        T(recovers), T(rising_latency),   T(small_latencies),    T(slower_for_good), T(classes_apart),
        T(ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
