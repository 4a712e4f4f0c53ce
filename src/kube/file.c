/* See file.h. Nothing of a file's content ever gets into a message. */
#include "kube/file.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define PIPE_WAIT_MS 10000

static int fail(const char *what, const char *path, int code, struct error **err)
{
    _cleanup_free_ char *cause = str_lower(str_of(strerror(code)));

    return error_set(err, -code, "%s %s: %s", what, path, cause);
}

static int read_all(int fd, const char *path, struct buf *b, struct error **err)
{
    for (;;) {
        char piece[16384];
        ssize_t n = read(fd, piece, sizeof(piece));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = { .fd = fd, .events = POLLIN };
            if (poll(&p, 1, PIPE_WAIT_MS) == 0)
                return fail("read", path, ETIMEDOUT, err);
            continue;
        }
        if (n < 0)
            return fail("read", path, errno, err);
        if (n == 0)
            return 0;
        if (buf_add(b, piece, (size_t)n) < 0)
            return error_set(err, -EFBIG, "read %s: larger than %zu bytes", path, b->max);
    }
}

int kube_file_read(const char *path, size_t max, struct buf *ret, struct error **err)
{
    struct buf b = BUF_INIT(max);
    /* Not blocking: the open of a pipe without a writer must not hang. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r;

    if (fd < 0)
        return fail("open", path, errno, err);
    r = read_all(fd, path, &b, err);
    close(fd);
    if (r < 0) {
        buf_done(&b);
        return r;
    }
    *ret = b;
    return 0;
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
    if (b.p)
        explicit_bzero(b.p, b.n);
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
