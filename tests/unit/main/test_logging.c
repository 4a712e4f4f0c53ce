/* The logging flags as they work together, and lines of the log as JSON. */
#include "unit.h"

#include <unistd.h>

#include "base/log.h"
#include "json_line.h"
#include "logging.h"
#include "version.h"

static struct logging logging;
static int log_fd;

static int set_up(void **state)
{
    char path[] = "/tmp/test-logging-XXXXXX";
    (void)state;
    logging = (struct logging){ 0 };
    log_fd = mkstemp(path);
    unlink(path);
    log_set_file(log_fd);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_set_file(STDERR_FILENO);
    log_init(0);
    log_set_format(LOG_TEXT);
    log_set_vmodule(STR(""));
    close(log_fd);
    return 0;
}

/* What was logged since the last call. Owned. */
static char *take_log(size_t *ret_n)
{
    struct buf b = BUF_INIT((size_t)1 << 20);
    char piece[4096];
    ssize_t n;

    lseek(log_fd, 0, SEEK_SET);
    while ((n = read(log_fd, piece, sizeof(piece))) > 0)
        buf_add(&b, piece, (size_t)n);
    assert_int_equal(ftruncate(log_fd, 0), 0);
    lseek(log_fd, 0, SEEK_SET);
    return buf_take(&b, ret_n);
}

static int parse(struct error **err, size_t argc, const char *const *argv)
{
    const struct flag flags[] = { LOGGING_FLAGS(&logging) };

    return flag_table_parse(flags, ARRAY_SIZE(flags), (int)argc, (char **)(uintptr_t)argv, err);
}

#define PARSE(err, ...)                                                                                                \
    ({                                                                                                                 \
        static const char *const _argv[] = { "p", __VA_ARGS__ };                                                       \
        parse(err, ARRAY_SIZE(_argv), _argv);                                                                          \
    })

/* --- flags --- */

static struct buf lines;

static void on_line(const char *text)
{
    buf_addz(&lines, text);
    buf_addc(&lines, '\n');
}

/* Those of klog are taken in both spellings, and each shows its own value. */
static void flags_of_klog(void **state)
{
    struct error *err = NULL;
    (void)state;
    assert_ok(PARSE(&err, "--log_dir=/d", "--log-file", "/f", "--log_file_max_size=5", "--log-backtrace-at=a:1",
                    "--log-flush-frequency=5s", "--stderrthreshold=2", "--logtostderr=true", "--alsologtostderr=false",
                    "--add_dir_header", "--one_output", "--skip_log_headers=false", "--skip_headers"),
              err);
    assert_true(logging.skip_headers);
    lines = BUF_INIT((size_t)1 << 16);
    const struct flag flags[] = { LOGGING_FLAGS(&logging) };
    flag_table_list(flags, ARRAY_SIZE(flags), on_line);
    static const char *const expected[] = {
        "FLAG: --log-dir=\"/d\"\n",
        "FLAG: --log-file=\"/f\"\n",
        "FLAG: --log-file-max-size=\"5\"\n",
        "FLAG: --log-backtrace-at=\"a:1\"\n",
        "FLAG: --stderrthreshold=\"2\"\n",
        "FLAG: --logtostderr=\"true\"\n",
        "FLAG: --add-dir-header=\"true\"\n",
        "FLAG: --one-output=\"true\"\n",
        "FLAG: --alsologtostderr=\"false\"\n",
        "FLAG: --skip-headers=\"true\"\n",
        "FLAG: --skip-log-headers=\"false\"\n",
        "FLAG: --v=\"0\"\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        if (!strstr(lines.p, expected[i]))
            fail_msg("no line %s in %s", expected[i], lines.p);
    buf_done(&lines);
}

static void bad_values(void **state)
{
    _cleanup_error_ struct error *a = NULL, *b = NULL, *c = NULL;
    (void)state;
    assert_int_equal(PARSE(&a, "--logging-format=xml"), -EINVAL);
    assert_non_null(strstr(error_msg(a), "want text or json"));
    assert_int_equal(PARSE(&b, "--vmodule=a"), -EINVAL);
    assert_non_null(strstr(error_msg(b), "want pattern=N"));
    assert_int_equal(PARSE(&c, "-v101"), -EINVAL);
}

static void formats(void **state)
{
    struct error *err = NULL;
    (void)state;
    logging_start(&logging);
    log_info("hello");
    _cleanup_free_ char *text = take_log(NULL);
    assert_non_null(strstr(text, " test_logging.c:"));
    assert_non_null(strstr(text, "] hello\n"));
    assert_int_equal(PARSE(&err, "--skip-headers", "-v2"), 0);
    logging_start(&logging);
    log_info("hello\nx");
    log_verbose(2, "shown");
    log_verbose(3, "hidden");
    _cleanup_free_ char *bare = take_log(NULL);
    assert_string_equal(bare, "hello\\nx\nshown\n");
    assert_int_equal(PARSE(&err, "--logging-format=json"), 0);
    logging_start(&logging);
    log_warning("hello");
    _cleanup_free_ char *json = take_log(NULL);
    struct json_line l = json_line_parse(json);
    assert_string_equal(l.level, "warning");
    assert_string_equal(l.msg, "hello");
    json_line_done(&l);
}

/* The first line is on stdout, and in the form of the others. */
static void version_line(void **state)
{
    static const char text_begin[] = "KubeFed webhook version: version.Info{";
    int saved = dup(STDOUT_FILENO);
    (void)state;
    fflush(stdout);
    assert_int_equal(dup2(log_fd, STDOUT_FILENO), STDOUT_FILENO);
    log_set_format(LOG_TEXT);
    version_print("webhook", false);
    _cleanup_free_ char *text = take_log(NULL);
    log_set_format(LOG_JSON);
    version_print("webhook", true);
    _cleanup_free_ char *json = take_log(NULL);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_true(str_has_prefix(str_of(text), str_of(text_begin)));
    assert_int_equal(strcspn(text, "\n"), strlen(text) - 1);
    struct json_line l = json_line_parse(json);
    assert_string_equal(l.level, "info");
    assert_true(str_has_prefix(str_of(l.msg), str_of(text_begin)));
    assert_true(strncmp(text, l.msg, strlen(l.msg)) == 0);
    json_line_done(&l);
}

/* --- JSON --- */

static void check_message(const char *message, const char *expected)
{
    size_t n;

    log_error("%s", message);
    _cleanup_free_ char *text = take_log(&n);
    assert_int_equal(strlen(text), n);
    for (size_t i = 0; i + 1 < n; i++) /* one line, without control characters */
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            fail_msg("byte %d at %zu", text[i], i);
    struct json_line l = json_line_parse(text);
    if (expected && strcmp(l.msg, expected) != 0)
        fail_msg("%s: got %s", text, l.msg);
    assert_string_equal(l.level, "error");
    assert_true(strncmp(l.caller, "test_logging.c:", 15) == 0);
    assert_true(l.ts > 1.7e12 && l.ts < 1e13);
    json_line_done(&l);
}

static void json_of_every_byte(void **state)
{
    (void)state;
    log_set_format(LOG_JSON);
    for (int c = 1; c < 256; c++) {
        char message[] = { 'a', (char)c, 'b', '\0' };
        check_message(message, c < 0x80 ? message
                                        : "a\xef\xbf\xbd"
                                          "b");
    }
    check_message("\"quotes\" \\ and \\u0041", "\"quotes\" \\ and \\u0041");
    check_message("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    check_message("\xc2\x85 \xe2\x80\xa8 \xe2\x80\xa9", "\xc2\x85 \xe2\x80\xa8 \xe2\x80\xa9");
    check_message("\xed\xa0\x80", NULL); /* a surrogate is no UTF-8 */
    check_message("two\n{\"level\":\"forged\"}", "two\n{\"level\":\"forged\"}");
    check_message("end\n\n", "end");
    check_message("", "");
}

static void json_of_random_bytes(void **state)
{
    char message[400];
    (void)state;
    unit_seed();
    log_set_format(LOG_JSON);
    for (int i = 0; i < 3000; i++) {
        size_t n = (size_t)(rand_u64() % (sizeof(message) - 1));
        for (size_t k = 0; k < n; k++)
            message[k] = (char)(1 + rand_u64() % 255);
        message[n] = '\0';
        check_message(message, NULL);
    }
}

/* A line that is cut is JSON as well, wherever the cut falls. */
static void json_cut(void **state)
{
    static const char *const fillers[] = {
        "x", "\"", "\n", "\xff", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\\"
    };
    (void)state;
    log_set_format(LOG_JSON);
    for (size_t i = 0; i < ARRAY_SIZE(fillers); i++)
        for (size_t shift = 0; shift < 8; shift++) {
            struct buf b = BUF_INIT((size_t)1 << 20);
            size_t n;

            for (size_t k = 0; k < shift; k++)
                buf_addc(&b, 'y');
            while (b.n < 40000)
                buf_addz(&b, fillers[i]);
            log_error("%s.", b.p);
            buf_done(&b);
            _cleanup_free_ char *text = take_log(&n);
            assert_in_range(n, 15900, 16384);
            struct json_line l = json_line_parse(text);
            size_t m = strlen(l.msg);
            assert_true(m > 3 && strcmp(l.msg + m - 3, "...") == 0);
            json_line_done(&l);
        }
}

/* --- --vmodule --- */

static void vmodule(void **state)
{
    static const struct {
        const char *spec, *file;
        int verbosity;
    } rows[] = {
        { "", "sync.c", 1 },
        { "sync=4", "sync.c", 4 },
        { "sync=4", "sync_more.c", 1 },
        { "sync*=4", "sync_more.c", 4 },
        { "sync*=4", "resync.c", 1 },
        { "s?nc=3,*=0", "sync.c", 3 },
        { "s?nc=3,*=0", "other.c", 0 }, /* less than -v, too */
        { "a=2,a=5", "a.c", 2 },        /* the first that fits */
        { "[ab]c=7", "bc.c", 7 },
        { "sync.c=4", "sync.c", 1 }, /* names without their ending */
        { "sync=4,", "sync.c", 4 },  /* as klog takes it */
        { ",sync=4", "sync.c", 4 },
        { ",", "sync.c", 1 },
        { "sync=100", "sync.c", 100 },
    };
    (void)state;
    log_init(1);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(log_set_vmodule(str_of(rows[i].spec)), 0);
        if (!log_v_in(rows[i].file, rows[i].verbosity) || log_v_in(rows[i].file, rows[i].verbosity + 1))
            fail_msg("%s: %s", rows[i].spec, rows[i].file);
    }
    log_set_vmodule(STR("test_logg*=5"));
    log_set_format(LOG_TEXT_BARE);
    log_verbose(5, "shown");
    log_verbose(6, "hidden");
    _cleanup_free_ char *text = take_log(NULL);
    assert_string_equal(text, "shown\n");
}

static void vmodule_refused(void **state)
{
    static const char *const rows[] = {
        "a", "=1", "a=", "a=x", "a=-1", "a=101", "a=1,b", "a=1=2", "a=99999999999999999999"
    };
    _cleanup_buf_ struct buf many = BUF_INIT((size_t)4096), longest = BUF_INIT((size_t)4096);
    (void)state;
    log_init(0);
    assert_int_equal(log_set_vmodule(STR("keep=3")), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (log_set_vmodule(str_of(rows[i])) != -EINVAL)
            fail_msg("%s is taken", rows[i]);
    for (int i = 0; i < 32; i++)
        buf_addz(&many, i ? ",a=1" : "b=1");
    buf_addz(&many, ",c=1");
    assert_int_equal(log_set_vmodule(buf_str(&many)), -EINVAL);
    for (int i = 0; i < 64; i++)
        buf_addc(&longest, 'p');
    buf_addz(&longest, "=1");
    assert_int_equal(log_set_vmodule(buf_str(&longest)), -EINVAL);
    assert_true(log_v_in("keep.c", 3));                              /* which changes nothing */
    assert_int_equal(log_set_vmodule(str_n(many.p, many.n - 4)), 0); /* 32 are taken */
    assert_false(log_v_in("keep.c", 3));
    assert_true(log_v_in("a.c", 1));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(flags_of_klog),        T(bad_values), T(formats), T(version_line),    T(json_of_every_byte),
        T(json_of_random_bytes), T(json_cut),   T(vmodule), T(vmodule_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
