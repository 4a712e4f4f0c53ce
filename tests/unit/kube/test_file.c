/* What is read as a file, and what would never end or never begin. */
#include "kube/file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "freed.h"
#include "unit.h"

static char folder[] = "/tmp/kubefed-file-XXXXXX";

static char *path_of(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "file", "link", "pipe", "socket" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *path = path_of(names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void check_refused(const char *path, int code, const char *words)
{
    _cleanup_error_ struct error *err = NULL;
    struct buf b = { 0 };

    assert_int_equal(kube_file_read(path, 1024, &b, &err), code);
    assert_null(b.p);
    if (!strstr(error_msg(err), words) || !strstr(error_msg(err), path))
        fail_msg("%s: %s", path, error_msg(err));
}

static void regular(void **state)
{
    _cleanup_free_ char *file = path_of("file"), *link = path_of("link");
    _cleanup_buf_ struct buf b = { 0 }, again = { 0 };
    _cleanup_error_ struct error *err = NULL;

    (void)state;
    write_file(file, "text");
    assert_int_equal(symlink("file", link), 0); /* as Kubernetes mounts ConfigMaps */
    assert_ok(kube_file_read(file, 4, &b, &err), err);
    assert_true(str_eqc(buf_str(&b), "text"));
    assert_ok(kube_file_read_once(link, 4, &again, &err), err);
    assert_true(str_eqc(buf_str(&again), "text"));
    _cleanup_buf_ struct buf none = { 0 };
    assert_int_equal(kube_file_read(link, 3, &none, &err), -EFBIG);
}

static void others(void **state)
{
    _cleanup_free_ char *pipe_path = path_of("pipe"), *socket_path = path_of("socket"), *none = path_of("none");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    check_refused(pipe_path, -EINVAL, "not a regular file");
    check_refused("/dev/zero", -EINVAL, "not a regular file");
    check_refused("/dev/null", -EINVAL, "not a regular file");
    check_refused(socket_path, -ENXIO, "open");
    check_refused(folder, -EISDIR, "is a directory");
    check_refused(none, -ENOENT, "no such file or directory");
    close(fd);
}

/* A pipe whose writer holds it open: it is not waited for. At the start it is read. */
static void pipes(void **state)
{
    _cleanup_free_ char *path = path_of("pipe");
    _cleanup_buf_ struct buf b = { 0 }, none = { 0 };
    _cleanup_error_ struct error *err = NULL;
    int fds[2];

    (void)state;
    int writer = open(path, O_RDWR | O_CLOEXEC);
    assert_true(writer >= 0);
    check_refused(path, -EINVAL, "not a regular file");
    close(writer);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(write(fds[1], "text", 4), 4);
    close(fds[1]);
    _cleanup_free_ char *substituted = mem_printf("/dev/fd/%d", fds[0]);
    assert_ok(kube_file_read_once(substituted, 1024, &b, &err), err);
    assert_true(str_eqc(buf_str(&b), "text"));
    close(fds[0]);
    assert_ok(kube_file_read_once("/dev/null", 1024, &none, &err), err);
    assert_int_equal(none.n, 0);
}

/* A key grows piece by piece; none of the pieces stays. */
static void keys(void **state)
{
    static const char needle[] = "-----BEGIN PRIVATE KEY-----";
    _cleanup_free_ char *path = path_of("file"), *text = mem_alloc(40001), *token = NULL;
    struct buf b = { 0 };
    (void)state;
    memset(text, 'k', 40000);
    memcpy(text, needle, strlen(needle));
    text[40000] = '\0';
    write_file(path, text);
    freed_watch(needle);
    assert_int_equal(kube_file_read(path, 50000, &b, NULL), 0);
    assert_int_equal(b.n, 40000);
    buf_done(&b);
    assert_int_equal(kube_file_read(path, 39999, &b, NULL), -EFBIG);
    assert_int_equal(kube_file_read_token(path, &token, NULL), 0);
    kube_secret_free(token), token = NULL;
    assert_int_equal(freed_stop(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(regular), cmocka_unit_test(others), cmocka_unit_test(pipes),
                                        cmocka_unit_test(keys) };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
