/* See file.h. Nothing of a file's content ever gets into a message. */
#include "kube/file.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rtime.h"

#define PIPE_WAIT_MS 10000

static int fail(const char *what, const char *path, int code, struct error **err)
{
    _cleanup_free_ char *cause = str_lower(str_of(strerror(code)));

    return error_set(err, -code, "%s %s: %s", what, path, cause);
}

/* A file that is no pipe is ready at once; who writes into a pipe gets the time that is left. */
static int wait_for_writer(int fd, const char *path, uint64_t until, struct error **err)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    uint64_t now = time_mono_ms();

    if (now >= until || poll(&p, 1, (int)(until - now)) == 0)
        return fail("read", path, ETIMEDOUT, err);
    return 0;
}

/* What is on the stack while a file is read; it may be a key. */
struct piece {
    char p[16384];
};

static void erase(struct piece *p)
{
    explicit_bzero(p, sizeof(*p));
}

static int read_all(int fd, const char *path, struct buf *b, struct error **err)
{
    uint64_t until = time_mono_ms() + PIPE_WAIT_MS;

    for (;;) {
        _cleanup_(erase) struct piece piece;
        ssize_t n = read(fd, piece.p, sizeof(piece.p));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            int r = wait_for_writer(fd, path, until, err);
            if (r < 0)
                return r;
            continue;
        }
        if (n < 0)
            return fail("read", path, errno, err);
        if (n == 0)
            return 0;
        if (buf_add(b, piece.p, (size_t)n) < 0)
            return error_set(err, -EFBIG, "read %s: larger than %zu bytes", path, b->max);
    }
}

/* What is neither a regular file nor, where that is fine, a pipe or a device may never end, or never begin. */
static int check_kind(int fd, const char *path, bool pipes, struct error **err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return fail("read", path, errno, err);
    if (S_ISDIR(st.st_mode))
        return fail("read", path, EISDIR, err);
    if (S_ISREG(st.st_mode) || (pipes && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))))
        return 0;
    return error_set(err, -EINVAL, "read %s: not a regular file", path);
}

static int read_file(const char *path, bool pipes, size_t max, struct buf *ret, struct error **err)
{
    struct buf b = BUF_SECRET_INIT(max);
    /* Not blocking: the open of a pipe without a writer must not hang. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r;

    if (fd < 0)
        return fail("open", path, errno, err);
    r = check_kind(fd, path, pipes, err);
    if (r == 0)
        r = read_all(fd, path, &b, err);
    close(fd);
    if (r < 0) {
        buf_done(&b);
        return r;
    }
    *ret = b;
    return 0;
}

int kube_file_read(const char *path, size_t max, struct buf *ret, struct error **err)
{
    return read_file(path, false, max, ret, err);
}

int kube_file_read_once(const char *path, size_t max, struct buf *ret, struct error **err)
{
    return read_file(path, true, max, ret, err);
}

int kube_file_read_token(const char *path, char **ret, struct error **err)
{
    _cleanup_buf_ struct buf b = { 0 };
    int r = kube_file_read(path, KUBE_TOKEN_MAX, &b, err);
    struct str token;

    if (r < 0)
        return r;
    token = str_trim(buf_str(&b));
    if (str_empty(token))
        r = error_set(err, -EINVAL, "read empty token from file \"%s\"", path);
    else if (!kube_header_ok(token))
        r = error_set(err, -EINVAL, "the token in file \"%s\" holds control characters", path);
    else
        *ret = str_dup(token);
    return r;
}

void kube_secret_free(char *s)
{
    if (s)
        explicit_bzero(s, strlen(s));
    free(s);
}

bool kube_header_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return true;
}
