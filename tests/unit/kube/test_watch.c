/* Framing of watches: lines, types, limits, failures. */
#include "kube/watch.h"
#include "unit.h"

struct seen {
    struct buf log;
    int stop_at, n;
};

static int on_event(void *arg, enum watch_type type, yyjson_val *object)
{
    static const char *const names[] = { "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR" };
    struct seen *s = arg;

    buf_printf(&s->log, "%s %" PRIstr ";", names[type], STRARG(json_path_str(object, "metadata.name")));
    return ++s->n == s->stop_at ? -ECANCELED : 0;
}

static int feed(struct watch_decoder *d, struct seen *s, const char *text, size_t piece)
{
    struct str rest = str_of(text);
    int r = 0;

    while (rest.n && r == 0) {
        size_t n = MIN(piece, rest.n);
        _cleanup_error_ struct error *err = NULL;

        r = watch_feed(d, str_n(rest.p, n), on_event, s, &err);
        rest = str_n(rest.p + n, rest.n - n);
    }
    return r;
}

static void check(const char *text, size_t max_line, int code, const char *events)
{
    size_t pieces[] = { 1, 7, 100000 };

    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        struct seen s = { .log = BUF_INIT(BUF_MAX_DEFAULT) };
        struct watch_decoder d;

        watch_init(&d, max_line);
        assert_int_equal(feed(&d, &s, text, pieces[i]), code);
        assert_str(buf_str(&s.log), events);
        watch_done(&d);
        buf_done(&s.log);
    }
}

#define EVENT(type, name) "{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"" name "\"}}}"

static void events(void **state)
{
    (void)state;
    check(EVENT("ADDED", "a") "\n" EVENT("MODIFIED", "b") "\r\n\n  \n" EVENT("DELETED", "c") "\n" EVENT("BOOKMARK",
                                                                                                        "") "\n",
          0, 0, "ADDED a;MODIFIED b;DELETED c;BOOKMARK ;");
    check("{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n", 0, 0, "ERROR ;");
    check("{\"object\":{\"metadata\":{\"name\":\"x\"}},\"more\":1,\"type\":\"ADDED\"}\n", 0, 0, "ADDED x;");
}

static void line_without_end(void **state)
{
    (void)state;
    check(EVENT("ADDED", "a") "\n" EVENT("ADDED", "b"), 0, 0, "ADDED a;");
}

static void malformed(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "{\n",
        "[]\n",
        "1\n",
        "{}\n",
        "{\"type\":\"ADDED\"}\n",
        "{\"type\":\"ADDED\",\"object\":null}\n",
        "{\"type\":\"ADDED\",\"object\":[]}\n",
        "{\"type\":\"added\",\"object\":{}}\n",
        "{\"type\":7,\"object\":{}}\n",
        EVENT("ADDED", "x") EVENT("ADDED", "y") "\n",
    };

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        _cleanup_free_ char *text = mem_printf("%s\n%s%s\n", EVENT("ADDED", "a"), lines[i], EVENT("ADDED", "b"));
        check(text, 0, -EINVAL, "ADDED a;");
    }
}

static void limit(void **state)
{
    (void)state;
    size_t n = strlen(EVENT("ADDED", "a"));

    check(EVENT("ADDED", "a") "\n" EVENT("ADDED", "b") "\n", n, 0, "ADDED a;ADDED b;");
    check(EVENT("ADDED", "a") "\n" EVENT("ADDED", "bb") "\n", n, -EFBIG, "ADDED a;");
    check(EVENT("ADDED", "without end"), n, -EFBIG, "");
}

static void failure_lasts(void **state)
{
    (void)state;
    struct seen s = { .log = BUF_INIT(BUF_MAX_DEFAULT) };
    struct watch_decoder d;

    watch_init(&d, 0);
    assert_int_equal(feed(&d, &s, "nonsense\n", 100), -EINVAL);
    assert_int_equal(feed(&d, &s, EVENT("ADDED", "a") "\n", 100), -EINVAL);
    assert_int_equal(s.n, 0);
    watch_done(&d);
}

static void handler_stops(void **state)
{
    (void)state;
    struct seen s = { .log = BUF_INIT(BUF_MAX_DEFAULT), .stop_at = 1 };
    struct watch_decoder d;
    struct error *err = NULL;

    watch_init(&d, 0);
    assert_int_equal(watch_feed(&d, STR(EVENT("ADDED", "a") "\n" EVENT("ADDED", "b") "\n"), on_event, &s, &err),
                     -ECANCELED);
    assert_null(err);
    assert_int_equal(feed(&d, &s, EVENT("ADDED", "c") "\n", 100), -ECANCELED);
    assert_str(buf_str(&s.log), "ADDED a;");
    watch_done(&d);
    buf_done(&s.log);
}

/* Memory of a large event is given back. */
static void large_event(void **state)
{
    (void)state;
    _cleanup_buf_ struct buf b = BUF_INIT(BUF_MAX_DEFAULT);
    struct seen s = { .log = BUF_INIT(BUF_MAX_DEFAULT) };
    struct watch_decoder d;

    buf_addz(&b, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"big\"},\"data\":\"");
    for (int i = 0; i < 100000; i++)
        buf_addc(&b, 'x');
    buf_addz(&b, "\"}}\n");
    watch_init(&d, 0);
    assert_int_equal(feed(&d, &s, b.p, 4096), 0);
    assert_int_equal(feed(&d, &s, EVENT("ADDED", "small") "\n", 5), 0);
    assert_str(buf_str(&s.log), "ADDED big;ADDED small;");
    assert_true(d.line.cap <= 16384);
    watch_done(&d);
    buf_done(&s.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events),      cmocka_unit_test(line_without_end), cmocka_unit_test(malformed),
        cmocka_unit_test(limit),       cmocka_unit_test(failure_lasts),    cmocka_unit_test(handler_stops),
        cmocka_unit_test(large_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
