/*
 * A growable byte buffer with a maximum that its owner states. Always NUL-terminated once something was
 * written (the NUL is not counted). A write beyond the maximum changes nothing, marks the buffer as failed and
 * returns -EFBIG; later writes fail too, so a caller may write on and check buf_failed() once at the end.
 * Memory of a secret buffer is cleared before it is freed, also when the buffer grows.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/str.h"

struct buf {
    char *p;
    size_t n, cap, max;
    bool failed, secret;
};

#define BUF_INIT(maximum) ((struct buf){ .max = (maximum) })
#define BUF_SECRET_INIT(maximum) ((struct buf){ .max = (maximum), .secret = true })
#define BUF_MAX_DEFAULT ((size_t)64 << 20)

void buf_done(struct buf *b); /* frees; the buffer may be used again */
int buf_add(struct buf *b, const void *p, size_t n);
static inline int buf_adds(struct buf *b, struct str s)
{
    return buf_add(b, s.p, s.n);
}
int buf_addc(struct buf *b, char c);
int buf_addz(struct buf *b, const char *cstr);
int buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3);
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) _printf_(2, 0);
int buf_reserve(struct buf *b, size_t extra); /* room for extra bytes beyond n */
void buf_consume(struct buf *b, size_t n);    /* drops n bytes at the front */
static inline void buf_reset(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}
static inline struct str buf_str(const struct buf *b)
{
    return (struct str){ b->p, b->n };
}
static inline bool buf_failed(const struct buf *b)
{
    return b->failed;
}
/* Gives the memory to the caller (free()), never NULL, NUL-terminated; the buffer is empty afterwards. Of a secret buffer the caller
 * clears it. */
char *buf_take(struct buf *b, size_t *ret_n);

/* Percent-encodes for a URL path segment or query value (everything but unreserved characters). */
int buf_add_urlencoded(struct buf *b, struct str s);

#define _cleanup_buf_ _cleanup_(buf_done)

#endif
