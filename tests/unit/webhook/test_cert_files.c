/* Certificates from files: the first time, changes of every kind, and what stays when they are broken. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../net/certs.h"
#include "base/log.h"
#include "webhook/cert_files.h"

static struct loop *loop;
static struct cert a, b;
static char folder[] = "/tmp/test-cert-files-XXXXXX";
static int log_fd;
static unsigned calls;
static int64_t last_until;
static struct tls_server *last;

static int set_up(void **state)
{
    char path[] = "/tmp/test-cert-files-log-XXXXXX";
    (void)state;
    a = cert_make(&(struct cert_spec){ .cn = "a", .from_s = -3600, .until_s = 10000 });
    b = cert_make(&(struct cert_spec){ .cn = "b", .from_s = -3600, .until_s = 20000 });
    mempcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    calls = 0;
    log_fd = mkstemp(path);
    unlink(path);
    log_set_file(log_fd);
    return mkdtemp(folder) && loop_new(&loop, NULL) == 0 ? 0 : -1;
}

static void remove_in(const char *name)
{
    _cleanup_free_ char *path = mem_printf("%s/%s", folder, name);
    unlink(path);
}

static int tear_down(void **state)
{
    static const char *const all[] = { "tls.crt",   "tls.key",   "..data",   "1/tls.crt",
                                       "1/tls.key", "2/tls.crt", "2/tls.key" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        remove_in(all[i]);
    for (int i = 1; i <= 2; i++) {
        _cleanup_free_ char *path = mem_printf("%s/%d", folder, i);
        rmdir(path);
    }
    rmdir(folder);
    cert_done(&a);
    cert_done(&b);
    tls_server_unref(last);
    last = NULL;
    log_set_file(STDERR_FILENO);
    close(log_fd);
    loop_free(loop);
    return 0;
}

static void write_in(const char *name, const char *text)
{
    _cleanup_free_ char *path = mem_printf("%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void on_pair(void *arg, struct tls_server *tls, int64_t valid_until)
{
    assert_ptr_equal(arg, &calls);
    tls_server_unref(last);
    last = tls_server_ref(tls);
    last_until = valid_until;
    calls++;
}

static struct cert_files *begin(void)
{
    struct cert_files *f = NULL;
    struct error *err = NULL;

    assert_ok(cert_files_start(loop, folder, on_pair, &calls, &f, &err), err);
    assert_int_equal(calls, 1); /* before it returns */
    cert_files_set_period(f, 1);
    return f;
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

/* Some looks at the files. */
static void looks(void)
{
    struct loop_timer t = { 0 };
    bool over = false;

    loop_timer_start(loop, &t, 10, set_flag, &over);
    assert_int_equal(loop_run(loop, &over), 0);
}

#define WAIT_FOR(cond)                                                                                                 \
    do {                                                                                                               \
        uint64_t _until = time_mono_ms() + 20000;                                                                      \
        while (!(cond)) {                                                                                              \
            if (time_mono_ms() > _until)                                                                               \
                fail_msg("did not happen: %s", #cond);                                                                 \
            looks();                                                                                                   \
        }                                                                                                              \
    } while (0)

static bool near(int64_t until, int64_t expected)
{
    return until > expected - 120 && until < expected + 120;
}

static size_t logged(const char *text)
{
    static char all[1 << 20];
    ssize_t n = pread(log_fd, all, sizeof(all) - 1, 0);
    size_t count = 0;

    all[n > 0 ? n : 0] = '\0';
    assert_null(strstr(all, "PRIVATE KEY"));
    for (const char *p = all; (p = strstr(p, text)); p++)
        count++;
    return count;
}

static void changes(void **state)
{
    (void)state;
    write_in("tls.crt", a.pem);
    write_in("tls.key", a.key_pem);
    struct cert_files *f = begin();
    assert_true(near(last_until, time_wall_s() + 10000));
    looks();
    looks();
    assert_int_equal(calls, 1); /* the same is no change */
    write_in("tls.key", b.key_pem);
    write_in("tls.crt", b.pem);
    WAIT_FOR(near(last_until, time_wall_s() + 20000));
    assert_int_equal(calls, 2);
    assert_int_equal(logged("The serving certificate changed"), 1);
    cert_files_free(f);
}

/* As a mounted Secret changes: a link is swapped. */
static void link_swapped(void **state)
{
    (void)state;
    for (int i = 1; i <= 2; i++) {
        _cleanup_free_ char *path = mem_printf("%s/%d", folder, i);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    write_in("1/tls.crt", a.pem);
    write_in("1/tls.key", a.key_pem);
    write_in("2/tls.crt", b.pem);
    write_in("2/tls.key", b.key_pem);
    _cleanup_free_ char *data = mem_printf("%s/..data", folder), *next = mem_printf("%s/..next", folder);
    _cleanup_free_ char *crt = mem_printf("%s/tls.crt", folder), *key = mem_printf("%s/tls.key", folder);
    assert_int_equal(symlink("1", data) | symlink("..data/tls.crt", crt) | symlink("..data/tls.key", key), 0);
    struct cert_files *f = begin();
    assert_int_equal(symlink("2", next) | rename(next, data), 0);
    WAIT_FOR(calls == 2);
    assert_true(near(last_until, time_wall_s() + 20000));
    cert_files_free(f);
}

/* The last good pair stays; each state is told once; and the next good one is taken. */
static void broken_later(void **state)
{
    (void)state;
    write_in("tls.crt", a.pem);
    write_in("tls.key", a.key_pem);
    struct cert_files *f = begin();
    write_in("tls.crt", b.pem); /* half of a new pair */
    WAIT_FOR(logged("does not belong to the serving certificate") == 1);
    looks();
    looks();
    assert_int_equal(logged("stays as it was"), 1);
    write_in("tls.crt", "");
    WAIT_FOR(logged("serving certificate cannot be used") == 1);
    remove_in("tls.crt");
    WAIT_FOR(logged("cannot read the serving certificate") == 1);
    looks();
    looks();
    assert_int_equal(logged("stays as it was"), 3);
    assert_int_equal(calls, 1);
    write_in("tls.crt", b.pem);
    WAIT_FOR(logged("does not belong to the serving certificate") == 2);
    write_in("tls.key", b.key_pem);
    WAIT_FOR(calls == 2);
    assert_true(near(last_until, time_wall_s() + 20000));
    cert_files_free(f);
}

/* Gone and back without a change in between. */
static void gone_for_a_moment(void **state)
{
    (void)state;
    write_in("tls.crt", a.pem);
    write_in("tls.key", a.key_pem);
    struct cert_files *f = begin();
    remove_in("tls.key");
    WAIT_FOR(logged("cannot read") == 1);
    write_in("tls.key", a.key_pem);
    looks();
    remove_in("tls.crt");
    WAIT_FOR(logged("cannot read") == 2);
    cert_files_free(f);
}

static void broken_at_start(void **state)
{
    _cleanup_free_ char *large = mem_zalloc(300001);
    (void)state;
    memset(large, 'x', 300000);
    const struct {
        const char *crt, *key;
        int result;
        const char *words;
    } rows[] = {
        { NULL, NULL, -ENOENT, "tls.crt: no such file" },
        { NULL, a.key_pem, -ENOENT, "tls.crt: no such file" },
        { a.pem, NULL, -ENOENT, "tls.key: no such file" },
        { a.pem, b.key_pem, -EINVAL, "does not belong" },
        { "", "", -EINVAL, "certificate cannot be used" },
        { a.pem, "", -EINVAL, "key cannot be read" },
        { a.key_pem, a.key_pem, -EINVAL, "certificate cannot be used" },
        { large, a.key_pem, -EFBIG, "larger than" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct cert_files *f = NULL;
        _cleanup_error_ struct error *err = NULL;

        remove_in("tls.crt");
        remove_in("tls.key");
        if (rows[i].crt)
            write_in("tls.crt", rows[i].crt);
        if (rows[i].key)
            write_in("tls.key", rows[i].key);
        int r = cert_files_start(loop, folder, on_pair, &calls, &f, &err);
        if (r != rows[i].result || f || !strstr(error_msg(err), rows[i].words) || !strstr(error_msg(err), folder))
            fail_msg("row %zu: %d %s", i, r, error_msg(err));
        assert_null(strstr(error_msg(err), "PRIVATE"));
    }
    assert_int_equal(calls, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(changes), T(link_swapped), T(broken_later), T(gone_for_a_moment), T(broken_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
