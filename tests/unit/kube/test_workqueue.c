/* The work queue: order, de-duplication, delays and backoff as controllers.md 2.2 has them. */
#include "kube/workqueue.h"
#include "unit.h"

static struct loop *loop;
static struct workqueue *queue;
static char trace[256];
static size_t n_runs, most_active;
static bool hold;     /* leave keys active */
static bool finished; /* ends the loop */
static size_t want_runs;

static void process(void *arg, struct str key)
{
    size_t n = strlen(trace);

    (void)arg;
    snprintf(trace + n, sizeof(trace) - n, "%s%.*s", n ? " " : "", (int)key.n, key.p);
    n_runs++;
    most_active = MAX(most_active, workqueue_active(queue));
    finished = n_runs >= want_runs;
    if (!hold)
        workqueue_done(queue, key);
}

static struct workqueue *new_queue(unsigned max_active, uint64_t initial_ms, uint64_t max_ms)
{
    return workqueue_new(&(struct workqueue_config){ .loop = loop,
                                                     .max_active = max_active,
                                                     .backoff_initial_ms = initial_ms,
                                                     .backoff_max_ms = max_ms,
                                                     .process = process });
}

static int set_up(void **state)
{
    (void)state;
    if (loop_new(&loop, NULL) < 0)
        return -1;
    trace[0] = '\0';
    n_runs = most_active = 0;
    want_runs = SIZE_MAX;
    hold = finished = false;
    queue = new_queue(0, 0, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    workqueue_free(queue);
    loop_free(loop);
    return 0;
}

static void over(void *arg)
{
    *(bool *)arg = true;
}

static void run_for(uint64_t ms)
{
    struct loop_timer t = { 0 };
    bool done = false;

    loop_timer_start(loop, &t, ms, over, &done);
    assert_int_equal(loop_run(loop, &done), 0);
}

/* Until n keys were started. */
static void run_until_runs(size_t n)
{
    struct loop_timer t = { 0 };

    want_runs = n;
    finished = n_runs >= n;
    loop_timer_start(loop, &t, 20000, over, &finished);
    assert_int_equal(loop_run(loop, &finished), 0);
    loop_timer_stop(&t);
    assert_int_equal(n_runs, n);
}

static void in_order_once(void **state)
{
    (void)state;
    workqueue_add(queue, STR("b"));
    workqueue_add(queue, STR("a"));
    workqueue_add(queue, STR("b"));
    workqueue_add(queue, STR("c"));
    assert_string_equal(trace, ""); /* never from inside */
    assert_int_equal(workqueue_depth(queue), 3);
    assert_false(workqueue_idle(queue));
    run_for(5);
    assert_string_equal(trace, "b a c");
    assert_true(workqueue_idle(queue));
}

/* U-31: 10 enqueues of one key plus 5 during its first run give exactly 2 runs. */
static void burst(void **state)
{
    (void)state;
    hold = true;
    for (int i = 0; i < 10; i++)
        workqueue_add(queue, STR("k"));
    run_until_runs(1);
    for (int i = 0; i < 5; i++)
        workqueue_add(queue, STR("k"));
    run_for(5);
    assert_int_equal(n_runs, 1); /* not while it is processed */
    assert_int_equal(workqueue_active(queue), 1);
    workqueue_done(queue, STR("k"));
    run_until_runs(2);
    workqueue_done(queue, STR("k"));
    run_for(5);
    assert_int_equal(n_runs, 2);
    assert_true(workqueue_idle(queue));
}

static void parallel(void **state)
{
    (void)state;
    workqueue_free(queue);
    queue = new_queue(2, 0, 0);
    hold = true;
    workqueue_add(queue, STR("a"));
    workqueue_add(queue, STR("b"));
    workqueue_add(queue, STR("c"));
    run_for(5);
    assert_string_equal(trace, "a b");
    assert_int_equal(workqueue_depth(queue), 1);
    workqueue_done(queue, STR("b"));
    run_until_runs(3);
    assert_string_equal(trace, "a b c");
    assert_int_equal(most_active, 2);
}

/* U-30: items a (+2), b (+3), c (+1) arrive c, a, b. */
static void delays_in_order(void **state)
{
    (void)state;
    workqueue_add_after(queue, STR("a"), 20);
    workqueue_add_after(queue, STR("b"), 30);
    workqueue_add_after(queue, STR("c"), 10);
    assert_int_equal(workqueue_depth(queue), 0);
    assert_false(workqueue_idle(queue));
    run_until_runs(3);
    assert_string_equal(trace, "c a b");
    assert_true(workqueue_idle(queue));
}

/* U-30: of two due times the earlier wins, whichever came first; nothing is left of the other. */
static void earlier_wins(void **state)
{
    (void)state;
    workqueue_add_after(queue, STR("late-first"), 3600000);
    workqueue_add_after(queue, STR("late-first"), 0);
    workqueue_add_after(queue, STR("soon-first"), 5);
    workqueue_add_after(queue, STR("soon-first"), 3600000);
    workqueue_add_after(queue, STR("now"), 3600000);
    workqueue_add(queue, STR("now"));
    run_until_runs(3);
    assert_string_equal(trace, "late-first now soon-first");
    assert_true(workqueue_idle(queue));
}

static void ready_key_is_not_delayed(void **state)
{
    (void)state;
    workqueue_add(queue, STR("k"));
    workqueue_add_after(queue, STR("k"), 5);
    run_for(15);
    assert_int_equal(n_runs, 1);
}

/* A delay that ends while the key is processed makes it run once more. */
static void delay_ends_while_active(void **state)
{
    (void)state;
    hold = true;
    workqueue_add(queue, STR("k"));
    run_until_runs(1);
    workqueue_add_after(queue, STR("k"), 1);
    run_for(10);
    assert_int_equal(n_runs, 1);
    workqueue_done(queue, STR("k"));
    run_until_runs(2);
}

static void backoff_doubles(void **state)
{
    (void)state;
    static const uint64_t want[] = { 5000, 10000, 20000, 40000, 60000, 60000 };

    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        assert_int_equal(workqueue_add_backoff(queue, STR("k")), want[i]);
    assert_int_equal(workqueue_add_backoff(queue, STR("other")), 5000);
    workqueue_forget(queue, STR("k"));
    assert_int_equal(workqueue_add_backoff(queue, STR("k")), 5000);
}

/* Every other way to enqueue resets the backoff. */
static void backoff_is_reset(void **state)
{
    (void)state;
    assert_int_equal(workqueue_add_backoff(queue, STR("k")), 5000);
    assert_int_equal(workqueue_add_backoff(queue, STR("k")), 10000);
    workqueue_add_after(queue, STR("k"), 3600000);
    assert_int_equal(workqueue_add_backoff(queue, STR("k")), 5000);
    workqueue_add(queue, STR("k"));
    run_until_runs(1);
    assert_int_equal(workqueue_add_backoff(queue, STR("k")), 5000);
}

static void backoff_delays(void **state)
{
    (void)state;
    uint64_t begin = time_mono_ms();

    workqueue_free(queue);
    queue = new_queue(0, 20, 40);
    assert_int_equal(workqueue_add_backoff(queue, STR("k")), 20);
    run_until_runs(1);
    assert_true(time_mono_ms() - begin >= 19);
    assert_int_equal(workqueue_add_backoff(queue, STR("k")), 40);
    assert_int_equal(workqueue_add_backoff(queue, STR("k")), 40);
    run_until_runs(2);
}

/* A backoff that nobody touched for twice the maximum starts anew. */
static void backoff_is_forgotten(void **state)
{
    (void)state;
    workqueue_free(queue);
    queue = new_queue(0, 5, 10);
    workqueue_add_backoff(queue, STR("k"));
    assert_int_equal(workqueue_add_backoff(queue, STR("k")), 10);
    run_until_runs(1);
    run_for(40);
    assert_int_equal(workqueue_add_backoff(queue, STR("k")), 5);
}

static void retry_from_processing(void **state)
{
    (void)state;
    hold = true;
    workqueue_add(queue, STR("k"));
    run_until_runs(1);
    assert_int_equal(workqueue_add_backoff(queue, STR("k")), 5000);
    workqueue_done(queue, STR("k"));
    assert_int_equal(workqueue_active(queue), 0);
    assert_false(workqueue_idle(queue)); /* it is delayed */
    workqueue_add(queue, STR("k"));      /* an event comes before the delay is over */
    run_until_runs(2);
    workqueue_done(queue, STR("k"));
    assert_true(workqueue_idle(queue));
}

static void many_keys(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++) {
        _cleanup_free_ char *key = mem_printf("ns-%d/name-%d", i % 7, i);
        workqueue_add(queue, str_of(key));
        if (i % 2)
            workqueue_add_after(queue, str_of(key), 1);
    }
    trace[0] = '\0';
    run_until_runs(5000);
    run_for(5);
    assert_int_equal(n_runs, 5000);
    assert_true(workqueue_idle(queue));
}

/* Freed while keys wait, are delayed, and are processed: nothing may be called later. */
static void freed_early(void **state)
{
    (void)state;
    struct workqueue *other = new_queue(1, 0, 0);

    hold = true;
    workqueue_add(queue, STR("x"));
    workqueue_add(other, STR("a"));
    workqueue_add_after(other, STR("b"), 5);
    workqueue_free(other);
    run_for(15);
    assert_string_equal(trace, "x");
}

static struct workqueue_stats stats(void)
{
    struct workqueue_stats s;

    workqueue_get_stats(queue, &s);
    return s;
}

/* As client-go counts: a key that waits already is no new add, one that is added while it is processed is, once. */
static void counts_are_exact(void **state)
{
    (void)state;
    hold = true;
    workqueue_add(queue, STR("a"));
    workqueue_add(queue, STR("a"));
    workqueue_add(queue, STR("b"));
    assert_int_equal(stats().adds, 2);
    assert_int_equal(stats().depth, 2);
    run_until_runs(2);
    workqueue_add(queue, STR("a"));
    workqueue_add(queue, STR("a"));
    assert_int_equal(stats().adds, 3);
    assert_int_equal(stats().depth, 1);
    workqueue_add_backoff(queue, STR("b"));
    assert_int_equal(stats().retries, 1);
    assert_int_equal(stats().retrying, 1);
    workqueue_done(queue, STR("a"));
    workqueue_done(queue, STR("b"));
    run_until_runs(3);
    workqueue_done(queue, STR("a"));
    assert_int_equal(stats().adds, 3);
    assert_int_equal(stats().depth, 0);
    struct workqueue_stats s = stats();
    assert_int_equal(histogram_count(&s.queue), 3);
    assert_int_equal(histogram_count(&s.work), 3);
    workqueue_add(queue, STR("b")); /* it waits no longer */
    assert_int_equal(stats().retrying, 0);
    assert_int_equal(stats().adds, 4);
    run_until_runs(4);
    workqueue_done(queue, STR("b"));
}

static void durations_are_real(void **state)
{
    (void)state;
    struct histogram reconcile = HISTOGRAM_INIT(&histogram_kubefed);
    uint64_t began = time_mono_ns();

    workqueue_free(queue);
    queue = workqueue_new(&(struct workqueue_config){
        .loop = loop, .max_active = 1, .process = process, .reconcile = &reconcile, .controller = "test" });
    hold = true;
    workqueue_add(queue, STR("a"));
    run_until_runs(1);
    workqueue_add(queue, STR("b"));
    run_for(12);
    struct workqueue_stats s = stats();
    assert_true(s.longest_ns >= 10000000);
    assert_int_equal(s.unfinished_ns, s.longest_ns);
    workqueue_done(queue, STR("a"));
    assert_int_equal(stats().longest_ns, 0);
    run_until_runs(2);
    workqueue_done(queue, STR("b"));
    uint64_t all = time_mono_ns() - began;
    s = stats();
    assert_true(s.work.sum_ns >= 12000000 && s.work.sum_ns <= all);
    assert_true(s.queue.sum_ns >= 12000000 && s.queue.sum_ns <= 2 * all);
    assert_int_equal(histogram_count(&reconcile), 2);
    assert_int_equal(reconcile.sum_ns, s.work.sum_ns);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(in_order_once),
        T(burst),
        T(parallel),
        T(delays_in_order),
        T(earlier_wins),
        T(ready_key_is_not_delayed),
        T(delay_ends_while_active),
        T(backoff_doubles),
        T(backoff_is_reset),
        T(backoff_delays),
        T(backoff_is_forgotten),
        T(retry_from_processing),
        T(many_keys),
        T(freed_early),
        T(counts_are_exact),
        T(durations_are_real),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
