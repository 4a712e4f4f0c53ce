/*
 * Error objects. The caller owns what it receives in `*err` and frees it with error_free (usually _cleanup_error_).
 * The arguments of a new message may point into the error that it replaces: it is freed last.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

static _printf_(1, 0) char *vformat(const char *fmt, va_list ap)
{
    char *p = NULL;

    /* An unprintable message (more than INT_MAX bytes) must not hide that there was an error. */
    if (vasprintf(&p, fmt, ap) < 0)
        return mem_strdup("error message too long");
    return p;
}

static void replace(struct error **err, int code, char *msg, int http_status, char *reason)
{
    struct error *e = mem_zalloc(sizeof(*e));

    e->code = code;
    e->msg = msg;
    e->http_status = http_status;
    e->reason = reason;
    error_free(*err);
    *err = e;
}

int error_set(struct error **err, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_vset(err, code, fmt, ap);
    va_end(ap);
    return code;
}

int error_vset(struct error **err, int code, const char *fmt, va_list ap)
{
    if (err)
        replace(err, code, vformat(fmt, ap), 0, NULL);
    return code;
}

int error_set_http(struct error **err, int code, int http_status, struct str reason, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return code;
    va_start(ap, fmt);
    replace(err, code, vformat(fmt, ap), http_status, reason.p ? str_dup(reason) : NULL);
    va_end(ap);
    return code;
}

int error_wrap(struct error **err, const char *fmt, ...)
{
    _cleanup_free_ char *prefix = NULL;
    char *msg;
    va_list ap;

    if (!err || !*err)
        return -EIO;
    va_start(ap, fmt);
    prefix = vformat(fmt, ap);
    va_end(ap);
    msg = mem_printf("%s: %s", prefix, (*err)->msg);
    free((*err)->msg);
    (*err)->msg = msg;
    return (*err)->code;
}

void error_free(struct error *err)
{
    if (!err)
        return;
    free(err->msg);
    free(err->reason);
    free(err);
}

struct error *error_copy(const struct error *err)
{
    struct error *e;

    if (!err)
        return NULL;
    e = mem_zalloc(sizeof(*e));
    *e = (struct error){
        .code = err->code,
        .msg = mem_strdup(err->msg),
        .http_status = err->http_status,
        .reason = mem_strdup(err->reason),
    };
    return e;
}
