/* Log lines: format, escaping, length, and a reader that does not read. */
#include "unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

/* Logs into a file, calls nothing else, and returns what was written. */
static int open_log(void)
{
    char path[] = "/tmp/test-log-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    log_set_file(fd);
    return fd;
}

static char *read_log(int fd)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
    char part[4096];
    ssize_t n;

    lseek(fd, 0, SEEK_SET);
    while ((n = read(fd, part, sizeof(part))) > 0)
        buf_add(&b, part, (size_t)n);
    log_set_file(STDERR_FILENO);
    close(fd);
    return buf_take(&b, NULL);
}

/* The text behind "file.c:line] ". */
static const char *text_of(const char *line)
{
    const char *p = strstr(line, "] ");

    assert_non_null(p);
    return p + 2;
}

static void test_format(void **state)
{
    int fd = open_log(), month, day, h, m, s, us, pid, line, end = 0;
    _cleanup_free_ char *text = NULL;

    (void)state;
    log_warning("hello %d", 5);
    text = read_log(fd);
    assert_int_equal(sscanf(text, "W%2d%2d %2d:%2d:%2d.%6d %7d test_log.c:%d] hello 5\n%n", &month, &day, &h, &m, &s,
                            &us, &pid, &line, &end),
                     8);
    assert_int_equal(end, strlen(text));
    assert_int_equal(pid, getpid());
    assert_in_range(month, 1, 12);
}

static void test_verbosity(void **state)
{
    int fd = open_log();
    _cleanup_free_ char *text = NULL;

    (void)state;
    log_init(1);
    log_verbose(1, "shown");
    log_verbose(2, "hidden");
    log_init(0);
    assert_true(log_v(0));
    assert_false(log_v(1));
    log_verbose(1, "hidden");
    text = read_log(fd);
    assert_string_equal(text_of(text), "shown\n");
}

static void check_text(const char *message, const char *expected)
{
    int fd = open_log();
    _cleanup_free_ char *text = NULL;

    log_info("%s", message);
    text = read_log(fd);
    assert_string_equal(text_of(text), expected);
}

static void test_escaping(void **state)
{
    (void)state;
    check_text("plain \"quotes\" and \\", "plain \"quotes\" and \\\n");
    check_text("two\nE0101 00:00:00.000000       1 x.c:1] forged",
               "two\\nE0101 00:00:00.000000       1 x.c:1] forged\n");
    check_text("a\r\tb\x1b[31m\x7f", "a\\r\\tb\\x1b[31m\\x7f\n");
    check_text("last newlines go\n\n", "last newlines go\n");
    check_text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n");
    check_text("\xc2\x85 \xe2\x80\xa8 \xff\xc3", "\\u0085 \\u2028 \\xff\\xc3\n");
    check_text("", "\n");
}

static void test_long_lines_are_cut(void **state)
{
    static const char filler[] = { 'x', '\n' };

    (void)state;
    for (size_t i = 0; i < sizeof(filler); i++) {
        int fd = open_log();
        _cleanup_free_ char *text = NULL, *message = mem_alloc(100001);

        memset(message, filler[i], 100000);
        message[99999] = 'z';
        message[100000] = '\0';
        log_error("%s", message);
        text = read_log(fd);
        assert_in_range(strlen(text), 16000, 16384);
        assert_string_equal(text + strlen(text) - 4, "...\n");
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    }
}

/* Writes much more than the pipe holds, then reads: no call may block, the lines are whole, the loss is told. */
static void check_full(int reader, int writer)
{
    _cleanup_buf_ struct buf b = BUF_INIT(8 << 20);
    _cleanup_free_ char *filler = mem_alloc(1001);
    char part[4096];
    ssize_t n;

    memset(filler, 'x', 1000);
    filler[1000] = '\0';
    log_set_file(writer);
    for (int i = 0; i < 3000; i++)
        log_info("%s", filler);
    fcntl(reader, F_SETFL, O_NONBLOCK);
    while ((n = read(reader, part, sizeof(part))) > 0)
        buf_add(&b, part, (size_t)n);
    assert_true(b.n > 1000);
    log_info("after");
    while ((n = read(reader, part, sizeof(part))) > 0)
        buf_add(&b, part, (size_t)n);
    log_set_file(STDERR_FILENO);
    close(writer);
    close(reader);
    buf_addc(&b, '\0');
    assert_non_null(strstr(b.p, " log lines were dropped"));
    assert_non_null(strstr(b.p, "] after\n"));
    for (char *p = b.p, *end; (end = strchr(p, '\n')); p = end + 1)
        assert_true(*p == 'I' || *p == 'W');
}

static void test_full_pipe(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    check_full(fds[0], fds[1]);
}

static void test_full_socket(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    check_full(fds[0], fds[1]);
}

static void test_closed_descriptor(void **state)
{
    int fd = dup(STDERR_FILENO);

    (void)state;
    close(fd);
    log_set_file(fd);
    log_info("goes nowhere");
    log_set_file(STDERR_FILENO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_verbosity),
        cmocka_unit_test(test_escaping),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_full_pipe),
        cmocka_unit_test(test_full_socket),
        cmocka_unit_test(test_closed_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
