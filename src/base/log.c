/*
 * Log lines in klog format, one write per line.
 *
 * A line is formatted, escaped and cut in fixed buffers, so that logging needs no memory and no input can make it grow.
 * The target is shared with other processes (the terminal, the container runtime's pipe), therefore its O_NONBLOCK flag
 * is not ours to change: a pipe is opened again through /proc to get a descriptor of our own, a socket is written with
 * MSG_DONTWAIT, and everything else is asked with poll first. What cannot be written at once is dropped and counted;
 * the next line that gets through says how many. SIGPIPE is expected to be ignored by main.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/utf8.h"

#define LINE_MAX_BYTES 16384
/* What poll promises to take on a terminal or on a pipe that could not be opened again. */
#define CHUNK 4096
#define MAX_MODULES 32

static struct {
    pthread_mutex_t lock;
    int verbosity;
    int fd;     /* where lines go: the caller's or our own descriptor */
    int own_fd; /* -1 when fd is the caller's */
    enum { KIND_UNKNOWN, KIND_PLAIN, KIND_SOCKET, KIND_NONBLOCK, KIND_POLL } kind;
    bool partial;         /* the last line was written in part: end it first */
    uint64_t dropped;     /* and not reported yet */
    uint64_t dropped_all; /* since the start */
    enum log_format format;
    struct module {
        char pattern[64];
        int verbosity;
    } modules[MAX_MODULES];
    size_t n_modules;
    char raw[LINE_MAX_BYTES], out[LINE_MAX_BYTES + 8];
} state = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .own_fd = -1 };

void log_init(int verbosity)
{
    state.verbosity = verbosity;
}

bool log_v(int verbosity)
{
    return verbosity <= state.verbosity;
}

void log_set_format(enum log_format format)
{
    state.format = format;
}

bool log_v_in(const char *file, int verbosity)
{
    char name[64];

    if (state.n_modules == 0)
        return log_v(verbosity);
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(file, "."), file);
    for (size_t i = 0; i < state.n_modules; i++)
        if (fnmatch(state.modules[i].pattern, name, 0) == 0)
            return verbosity <= state.modules[i].verbosity;
    return log_v(verbosity);
}

int log_set_vmodule(struct str spec)
{
    struct module modules[MAX_MODULES] = { 0 };
    struct str part, rest = spec, pattern, number;
    size_t n = 0;
    int64_t v;

    for (bool more = spec.n > 0; more;) {
        more = str_cut(rest, ',', &part, &rest);
        if (part.n == 0) /* as klog: a trailing comma is nothing */
            continue;
        if (n == MAX_MODULES || !str_cut(part, '=', &pattern, &number) || pattern.n == 0 ||
            pattern.n >= sizeof(modules[0].pattern) || str_to_i64(number, &v) < 0 || v < 0 || v > 100)
            return -EINVAL;
        snprintf(modules[n].pattern, sizeof(modules[n].pattern), "%" PRIstr, STRARG(pattern));
        modules[n++].verbosity = (int)v;
    }
    memcpy(state.modules, modules, n * sizeof(modules[0]));
    state.n_modules = n;
    return 0;
}

static void use_fd(int fd)
{
    char path[64];
    struct stat st;

    if (state.own_fd >= 0)
        close(state.own_fd);
    state.own_fd = -1;
    state.fd = fd;
    state.partial = false;
    if (fstat(fd, &st) < 0 || S_ISREG(st.st_mode)) {
        state.kind = KIND_PLAIN;
        return;
    }
    state.kind = S_ISSOCK(st.st_mode) ? KIND_SOCKET : KIND_POLL;
    if (!S_ISFIFO(st.st_mode))
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    state.own_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (state.own_fd >= 0) {
        state.fd = state.own_fd;
        state.kind = KIND_NONBLOCK;
    }
}

void log_set_file(int fd)
{
    pthread_mutex_lock(&state.lock);
    use_fd(fd);
    pthread_mutex_unlock(&state.lock);
}

static ssize_t write_some(const char *p, size_t n)
{
    struct pollfd pfd = { .fd = state.fd, .events = POLLOUT };

    switch (state.kind) {
    case KIND_SOCKET: return send(state.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    case KIND_POLL:
        if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT)) {
            errno = EAGAIN;
            return -1;
        }
        return write(state.fd, p, MIN(n, (size_t)CHUNK));
    case KIND_UNKNOWN:
    case KIND_PLAIN:
    case KIND_NONBLOCK: break;
    }
    return write(state.fd, p, n);
}

/* true when all of it went out. */
static bool write_line(const char *p, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t r = write_some(p + done, n - done);

        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            break;
        done += (size_t)r;
    }
    if (done > 0)
        state.partial = done < n;
    return done == n;
}

static int put_json_header(char *out, size_t size, char level, const char *file, int line)
{
    const char *name = level == LOG_INFO      ? "info"
                       : level == LOG_WARNING ? "warning"
                       : level == LOG_ERROR   ? "error"
                                              : "fatal";
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return snprintf(out, size, "{\"ts\":%lld%03ld.%03ld,\"level\":\"%s\",\"caller\":\"%s:%d\",\"msg\":\"",
                    (long long)ts.tv_sec, ts.tv_nsec / 1000000, ts.tv_nsec / 1000 % 1000, name, file, line);
}

/* What stands before the text; returns its length. */
static size_t put_header(char *out, size_t size, char level, const char *file, int line)
{
    struct timespec ts;
    struct tm tm = { 0 };
    int n;

    if (state.format == LOG_TEXT_BARE)
        return 0;
    if (state.format == LOG_JSON) {
        n = put_json_header(out, size, level, file, line);
        return n < 0 ? 0 : MIN((size_t)n, size - 1);
    }
    clock_gettime(CLOCK_REALTIME, &ts);
    localtime_r(&ts.tv_sec, &tm);
    n = snprintf(out, size, "%c%02d%02d %02d:%02d:%02d.%06ld %7d %s:%d] ", level, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                 tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000, (int)getpid(), file, line);
    return n < 0 ? 0 : MIN((size_t)n, size - 1);
}

/* True for characters that a terminal or a reader of lines could act on: C0, DEL, C1, line and paragraph separator. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

/* The escaped form of the character at the front of s (n bytes of it) into out; returns its length. */
static size_t escape_one(struct str s, size_t n, uint32_t c, char out[static 16])
{
    unsigned char byte = (unsigned char)s.p[0];
    int len;

    if (state.format == LOG_JSON) /* a byte that is no UTF-8 becomes the replacement character, as in Go */
        len = snprintf(out, 16, "%s%04x", "\\u", n == 0 ? 0xfffdU : (unsigned)c);
    else if (c == '\n' || c == '\r' || c == '\t')
        len = snprintf(out, 16, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    else if (n == 0 || c < 0x80)
        len = snprintf(out, 16, "\\x%02x", byte);
    else
        len = snprintf(out, 16, "\\u%04x", (unsigned)c);
    return (size_t)len;
}

/* Copies s to out with control characters escaped; stops before a character that does not fit. */
static size_t put_escaped(char *out, size_t size, struct str s, bool *ret_cut)
{
    size_t used = 0;
    char esc[16];

    *ret_cut = false;
    while (s.n) {
        uint32_t c;
        size_t n = utf8_decode(s, &c), len = n;
        const char *from = s.p;

        if (n == 0 || is_control(c) || (state.format == LOG_JSON && (c == '"' || c == '\\'))) {
            len = escape_one(s, n, c, esc);
            from = esc;
        }
        if (len > size - used) {
            *ret_cut = true;
            break;
        }
        memcpy(out + used, from, len);
        used += len;
        n = MAX(n, (size_t)1);
        s = str_n(s.p + n, s.n - n);
    }
    return used;
}

static void report_dropped(void)
{
    char line[256];
    size_t n;

    if (state.dropped == 0)
        return;
    n = put_header(line, sizeof(line), LOG_WARNING, "log.c", __LINE__);
    n += (size_t)snprintf(line + n, sizeof(line) - n, "%llu log lines were dropped because nobody read them%s\n",
                          (unsigned long long)state.dropped, state.format == LOG_JSON ? "\"}" : "");
    if (write_line(line, n))
        state.dropped = 0;
}

static void drop(void)
{
    state.dropped++;
    state.dropped_all++;
}

static void emit(size_t n)
{
    if (state.kind == KIND_UNKNOWN)
        use_fd(state.fd);
    if (state.partial && !write_line("\n", 1)) {
        drop();
        return;
    }
    report_dropped();
    if (state.dropped || !write_line(state.out, n))
        drop();
}

uint64_t log_dropped(void)
{
    pthread_mutex_lock(&state.lock);
    uint64_t n = state.dropped_all;
    pthread_mutex_unlock(&state.lock);
    return n;
}

/* Formats into state.raw. Returns the length of the text there; *ret_cut says whether some is missing. */
static _printf_(1, 0) size_t format_raw(const char *fmt, va_list ap, bool *ret_cut)
{
    int len = vsnprintf(state.raw, sizeof(state.raw), fmt, ap);
    size_t n = len < 0 ? 0 : MIN((size_t)len, sizeof(state.raw) - 1);

    *ret_cut = len >= 0 && n < (size_t)len;
    /* The text of a program or a library often brings its own newline. */
    while (!*ret_cut && n && state.raw[n - 1] == '\n')
        n--;
    return n;
}

/* The whole line in state.out; returns its length. */
static _printf_(4, 0) size_t compose(enum log_level level, const char *file, int line, const char *fmt, va_list ap)
{
    bool cut, cut_raw;
    size_t n, text_n = format_raw(fmt, ap, &cut_raw);

    n = put_header(state.out, LINE_MAX_BYTES / 2, (char)level, file, line);
    n += put_escaped(state.out + n, LINE_MAX_BYTES - 6 - n, str_n(state.raw, text_n), &cut);
    if (cut || cut_raw) {
        memcpy(state.out + n, "...", 3);
        n += 3;
    }
    if (state.format == LOG_JSON) {
        memcpy(state.out + n, "\"}", 2);
        n += 2;
    }
    state.out[n++] = '\n';
    return n;
}

void log_vline(enum log_level level, const char *file, int line, const char *fmt, va_list ap)
{
    int saved = errno;

    pthread_mutex_lock(&state.lock);
    errno = saved; /* for %m */
    emit(compose(level, file, line, fmt, ap));
    pthread_mutex_unlock(&state.lock);
    errno = saved;
}

void log_render(struct buf *out, enum log_level level, const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    pthread_mutex_lock(&state.lock);
    buf_add(out, state.out, compose(level, file, line, fmt, ap));
    pthread_mutex_unlock(&state.lock);
    va_end(ap);
}

void log_line(enum log_level level, const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_vline(level, file, line, fmt, ap);
    va_end(ap);
}
