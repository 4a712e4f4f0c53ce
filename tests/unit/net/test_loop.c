/* The event loop: order of timers and deferred calls, what keeps it alive, signals, descriptors, child processes. */
#include <signal.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/process.h"
#include "unit.h"

/* What callbacks write into the trace. */
static char letters[] = "abcdefghijklmnopqrstuvwxyz";
#define L(c) (&letters[(c) - 'a'])

static struct loop *loop;
static char trace[64];
static bool done;

static int set_up(void **state)
{
    (void)state;
    trace[0] = '\0';
    done = false;
    return loop_new(&loop, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void note(void *arg)
{
    size_t n = strlen(trace);

    assert_true(n + 1 < sizeof(trace));
    trace[n] = *(const char *)arg;
    trace[n + 1] = '\0';
}

static void set_done(void *arg)
{
    note(arg);
    done = true;
}

static void timers_in_order(void **state)
{
    (void)state;
    struct loop_timer t[4] = { 0 };

    loop_timer_start(loop, &t[0], 9, note, L('c'));
    loop_timer_start(loop, &t[1], 1, note, L('a'));
    loop_timer_start(loop, &t[2], 5, note, L('b'));
    loop_timer_start(loop, &t[3], 1000000, note, L('x'));
    loop_timer_start(loop, &t[3], 13, set_done, L('d')); /* moved */
    assert_string_equal(trace, "");
    assert_true(loop_timer_active(&t[0]));
    assert_int_equal(loop_run(loop, &done), 0);
    assert_string_equal(trace, "abcd");
    assert_false(loop_timer_active(&t[3]));
}

static void timer_is_not_early(void **state)
{
    (void)state;
    struct loop_timer t = { 0 };
    uint64_t begin = time_mono_ms();

    loop_timer_start(loop, &t, 20, set_done, L('a'));
    assert_int_equal(loop_run(loop, &done), 0);
    assert_true(time_mono_ms() - begin >= 19); /* both clocks count whole milliseconds */
}

/* A stopped timer neither fires nor keeps the loop waiting. */
static void stopped_timer(void **state)
{
    (void)state;
    struct loop_timer t = { 0 }, u = { 0 };

    loop_timer_stop(&t);
    loop_timer_start(loop, &t, 600000, note, L('x')); /* longer than a test may take */
    loop_timer_start(loop, &u, 1, note, L('a'));
    loop_timer_stop(&t);
    assert_int_equal(loop_run(loop, NULL), -EAGAIN);
    loop_timer_start(loop, &t, 600000, note, L('x'));
    loop_timer_stop(&t);
    assert_int_equal(loop_run(loop, NULL), -EAGAIN);
    assert_string_equal(trace, "a");
}

static struct loop_timer again;
static int rounds;

static void restart(void *arg)
{
    note(arg);
    if (++rounds < 3)
        loop_timer_start(loop, &again, 0, restart, arg);
    else
        done = true;
}

static void timer_restarts_itself(void **state)
{
    (void)state;
    rounds = 0;
    loop_timer_start(loop, &again, 0, restart, L('r'));
    assert_int_equal(loop_run(loop, &done), 0);
    assert_string_equal(trace, "rrr");
}

static struct loop_timer victim;

static void stop_victim(void *arg)
{
    note(arg);
    loop_timer_stop(&victim);
}

/* Both are due in the same round; the first one stops the second. */
static void timer_stops_another(void **state)
{
    (void)state;
    struct loop_timer t = { 0 }, end = { 0 };
    uint64_t begin = time_mono_ms();

    loop_timer_start(loop, &t, 1, stop_victim, L('a'));
    loop_timer_start(loop, &victim, 2, note, L('x'));
    loop_timer_start(loop, &end, 5, set_done, L('b'));
    while (time_mono_ms() - begin < 8)
        continue;
    assert_int_equal(loop_run(loop, &done), 0);
    assert_string_equal(trace, "ab");
}

static struct loop_task tasks[4];

static void defer_more(void *arg)
{
    note(arg);
    loop_defer(loop, &tasks[3], set_done, L('d'));
    assert_int_equal(strlen(trace), 1);
}

static void tasks_in_order(void **state)
{
    (void)state;
    loop_defer(loop, &tasks[0], defer_more, L('a'));
    loop_defer(loop, &tasks[1], note, L('b'));
    loop_defer(loop, &tasks[1], note, L('x')); /* queued already */
    loop_defer(loop, &tasks[2], note, L('c'));
    loop_task_cancel(&tasks[2]);
    loop_task_cancel(&tasks[2]);
    loop_defer(loop, &tasks[2], note, L('c'));
    assert_string_equal(trace, "");
    assert_int_equal(loop_run(loop, &done), 0);
    assert_string_equal(trace, "abcd");
}

static void cancel_next(void *arg)
{
    note(arg);
    loop_task_cancel(&tasks[1]);
}

static void task_cancels_another(void **state)
{
    (void)state;
    loop_defer(loop, &tasks[0], cancel_next, L('a'));
    loop_defer(loop, &tasks[1], note, L('x'));
    loop_defer(loop, &tasks[2], note, L('b'));
    assert_int_equal(loop_run(loop, NULL), -EAGAIN);
    assert_string_equal(trace, "ab");
}

static void stop_now(void *arg)
{
    note(arg);
    loop_stop(loop);
}

static void stop(void **state)
{
    (void)state;
    struct loop_timer t = { 0 };

    loop_timer_start(loop, &t, 60000, note, L('x'));
    loop_defer(loop, &tasks[0], stop_now, L('a'));
    assert_int_equal(loop_run(loop, NULL), 0);
    loop_timer_start(loop, &t, 1, stop_now, L('b')); /* a loop that was stopped runs again */
    assert_int_equal(loop_run(loop, NULL), 0);
    assert_string_equal(trace, "ab");
}

static void on_signal(void *arg, int signum)
{
    assert_int_equal(signum, SIGUSR1);
    set_done(arg);
}

static void signals(void **state)
{
    (void)state;
    struct error *err = NULL;

    assert_ok(loop_signal(loop, SIGUSR1, on_signal, L('o'), &err), err);
    assert_ok(loop_signal(loop, SIGUSR1, on_signal, L('n'), &err), err); /* replaces the first */
    assert_int_equal(loop_run(loop, NULL), -EAGAIN);                     /* a handler alone keeps no loop alive */
    struct loop_timer guard = { 0 };
    loop_timer_start(loop, &guard, 10000, set_done, L('x'));
    raise(SIGUSR1);
    assert_int_equal(loop_run(loop, &done), 0);
    loop_timer_stop(&guard);
    assert_string_equal(trace, "n");
}

static int fds[2];
static struct loop_io *io;

static void on_readable(void *arg, int events)
{
    char c;

    assert_int_equal(events, LOOP_READ);
    assert_int_equal(read(fds[0], &c, 1), 1);
    note(arg);
    loop_io_watch(io, 0);
    done = true;
}

static void descriptors(void **state)
{
    (void)state;
    struct error *err = NULL;
    struct loop_timer t = { 0 };

    assert_int_equal(pipe(fds), 0);
    assert_ok(loop_io_new(loop, fds[0], on_readable, L('r'), &io, &err), err);
    assert_int_equal(write(fds[1], "ab", 2), 2);
    loop_timer_start(loop, &t, 3, set_done, L('t')); /* not watched yet */
    loop_run(loop, &done);
    done = false;
    loop_io_watch(io, LOOP_READ);
    loop_run(loop, &done);
    done = false;
    loop_timer_start(loop, &t, 3, set_done, L('t')); /* paused again */
    loop_run(loop, &done);
    assert_string_equal(trace, "trt");
    loop_io_free(io);
    close(fds[0]);
    close(fds[1]);
}

static int exit_status;
static int exit_code;
static char *output;

static void on_process(void *arg, int status, struct str out, const struct error *err)
{
    (void)arg;
    exit_status = status;
    exit_code = err ? err->code : 0;
    output = str_dup(out);
    done = true;
}

static void run_process(const struct process_spec *spec, int want_code, int want_status, const char *want_output)
{
    struct error *err = NULL;
    struct process *p;

    done = false;
    assert_ok(process_start(loop, spec, on_process, NULL, &p, &err), err);
    assert_false(done);
    assert_int_equal(loop_run(loop, &done), 0);
    assert_int_equal(exit_code, want_code);
    if (!want_code) {
        assert_int_equal(exit_status, want_status);
        assert_string_equal(output, want_output);
    }
    free(output);
}

#define SH(script) ((const char *const[]){ "sh", "-c", script, NULL })

static void processes(void **state)
{
    (void)state;
    const char *const env[] = { "GREETING=hello there", NULL };

    run_process(&(struct process_spec){ .argv = SH("printf \"$GREETING\"; exit 3"), .extra_env = env }, 0, 3,
                "hello there");
    run_process(&(struct process_spec){ .argv = SH("cat; echo end") }, 0, 0, "end\n"); /* stdin is empty */
    run_process(&(struct process_spec){ .argv = SH("kill -9 $$") }, 0, 128 + 9, "");
    run_process(&(struct process_spec){ .argv = SH("while :; do echo 0123456789; done"), .max_output = 100 }, -EFBIG, 0,
                "");
    run_process(&(struct process_spec){ .argv = SH("exec sleep 60"), .timeout_ms = 20 }, -ETIMEDOUT, 0, "");
    run_process(&(struct process_spec){ .argv = SH("sleep 2 & echo x"), .timeout_ms = 50 }, -ETIMEDOUT, 0, "");
}

static void process_fails_to_start(void **state)
{
    (void)state;
    _cleanup_error_ struct error *err = NULL;
    struct process *p = NULL;
    const char *const argv[] = { "/no/such/program", NULL };

    assert_int_equal(process_start(loop, &(struct process_spec){ .argv = argv }, on_process, NULL, &p, &err), -ENOENT);
    assert_non_null(strstr(err->msg, "/no/such/program"));
    assert_int_equal(loop_run(loop, NULL), -EAGAIN);
    assert_false(done);
}

static void process_is_cancelled(void **state)
{
    (void)state;
    struct error *err = NULL;
    struct process *p;

    /* longer than a test may take */
    assert_ok(process_start(loop, &(struct process_spec){ .argv = SH("exec sleep 600") }, on_process, NULL, &p, &err),
              err);
    process_cancel(p);
    assert_int_equal(loop_run(loop, NULL), -EAGAIN);
    assert_false(done);
}

/* What still runs when the loop ends is killed and forgotten; LeakSanitizer sees what is not. */
static void processes_left_behind(void **state)
{
    (void)state;
    struct error *err = NULL;
    struct process *running, *cancelled, *missing;
    const char *const argv[] = { "/no/such/program", NULL };

    assert_ok(
        process_start(loop, &(struct process_spec){ .argv = SH("exec sleep 60") }, on_process, NULL, &running, &err),
        err);
    assert_ok(
        process_start(loop, &(struct process_spec){ .argv = SH("exec sleep 60") }, on_process, NULL, &cancelled, &err),
        err);
    process_cancel(cancelled);
    assert_int_equal(process_start(loop, &(struct process_spec){ .argv = argv }, on_process, NULL, &missing, NULL),
                     -ENOENT);
    loop_free(loop);
    assert_false(done);
    assert_int_equal(loop_new(&loop, NULL), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(timers_in_order),
        T(timer_is_not_early),
        T(stopped_timer),
        T(timer_restarts_itself),
        T(timer_stops_another),
        T(tasks_in_order),
        T(task_cancels_another),
        T(stop),
        T(signals),
        T(descriptors),
        T(processes),
        T(process_fails_to_start),
        T(process_is_cancelled),
        T(processes_left_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
