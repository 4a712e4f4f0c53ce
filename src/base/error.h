/*
 * Errors: functions return 0 or a negative errno-like code and, when the caller passed a place for it, an
 * error object with a message made for people: what failed, where, why. Log at the top layer only.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <errno.h>
#include <stdarg.h>

#include "base/str.h"

struct error {
    int code;  /* negative errno */
    char *msg; /* owned, never NULL */
    /* Set only when an API server answered with a Status object: */
    int http_status; /* 0 when the failure is not an HTTP status */
    char *reason;    /* metav1 Status reason such as "AlreadyExists", or NULL. Owned. */
};

/* All four accept err == NULL (nothing is kept) and return `code`, so that they can end a function. An error
 * already in *err is replaced. */
int error_set(struct error **err, int code, const char *fmt, ...) _printf_(3, 4);
int error_vset(struct error **err, int code, const char *fmt, va_list ap) _printf_(3, 0);
int error_set_http(struct error **err, int code, int http_status, struct str reason, const char *fmt, ...)
    _printf_(5, 6);
/* Puts "prefix: " before the message of *err (which may be NULL: nothing happens). Returns its code or -EIO. */
int error_wrap(struct error **err, const char *fmt, ...) _printf_(2, 3);

void error_free(struct error *err);
DEFINE_CLEANUP(struct error *, error_free)
#define _cleanup_error_ _cleanup_(error_freep)
struct error *error_copy(const struct error *err);

static inline const char *error_msg(const struct error *err)
{
    return err ? err->msg : "unknown error";
}
static inline int error_http(const struct error *err)
{
    return err ? err->http_status : 0;
}
static inline bool error_is_reason(const struct error *err, const char *reason)
{
    return err && err->reason && strcmp(err->reason, reason) == 0;
}

#endif
