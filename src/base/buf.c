/*
 * Growable byte buffer with a maximum. Invariants: n <= max; p is NULL or has room for n + 1 bytes and p[n] is NUL;
 * once failed, nothing is written any more until the buffer is reset.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#include <errno.h>

static void empty(struct buf *b)
{
    *b = (struct buf){ .max = b->max, .secret = b->secret };
}

static void discard(const struct buf *b)
{
    if (b->secret && b->p)
        explicit_bzero(b->p, b->cap);
    free(b->p);
}

void buf_done(struct buf *b)
{
    discard(b);
    empty(b);
}

/* realloc would leave a copy where the bytes were. */
static void grow(struct buf *b, size_t cap)
{
    char *p;

    if (b->secret && b->p) {
        p = mem_alloc(cap);
        memcpy(p, b->p, b->n);
        discard(b);
    } else {
        p = mem_realloc(b->p, cap);
    }
    b->p = p;
    b->cap = cap;
    b->p[b->n] = '\0';
}

int buf_reserve(struct buf *b, size_t extra)
{
    size_t need, cap;

    if (b->failed || extra > b->max - b->n) {
        b->failed = true;
        return -EFBIG;
    }
    if (__builtin_add_overflow(b->n, extra, &need) || __builtin_add_overflow(need, 1, &need)) {
        b->failed = true;
        return -EFBIG;
    }
    if (need <= b->cap)
        return 0;
    cap = MAX(b->cap, (size_t)64);
    while (cap < need && cap <= SIZE_MAX / 2)
        cap *= 2;
    cap = MAX(cap, need);
    /* Never much more than the owner allows. */
    if (b->max < SIZE_MAX)
        cap = MIN(cap, MAX(b->max + 1, need));
    grow(b, cap);
    return 0;
}

int buf_add(struct buf *b, const void *p, size_t n)
{
    int r = buf_reserve(b, n);

    if (r < 0)
        return r;
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
    return 0;
}

int buf_addc(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

int buf_addz(struct buf *b, const char *cstr)
{
    return buf_adds(b, str_of(cstr));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return r;
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int len, r;

    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0) {
        b->failed = true;
        return -EFBIG;
    }
    r = buf_reserve(b, (size_t)len);
    if (r < 0)
        return r;
    vsnprintf(b->p + b->n, (size_t)len + 1, fmt, ap);
    b->n += (size_t)len;
    return 0;
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    b->p[b->n] = '\0';
}

char *buf_take(struct buf *b, size_t *ret_n)
{
    char *p = b->p ? b->p : mem_strdup("");

    p[b->n] = '\0';
    if (ret_n)
        *ret_n = b->n;
    empty(b);
    return p;
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

int buf_add_urlencoded(struct buf *b, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t len = s.n;
    int r;

    for (size_t i = 0; i < s.n; i++)
        if (!is_unreserved(s.p[i]))
            len += 2;
    /* All or nothing, as every other write. */
    r = buf_reserve(b, len);
    if (r < 0)
        return r;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char coded[3] = { '%', hex[c >> 4], hex[c & 15] };

        if (is_unreserved(s.p[i]))
            buf_addc(b, s.p[i]);
        else
            buf_add(b, coded, sizeof(coded));
    }
    return 0;
}
