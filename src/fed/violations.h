/*
 * Inside src/fed: collects what is wrong with an object in the words of Kubernetes' field errors (api-and-cli.md 4.4), so
 * that a user sees all of it at once.
 */
#ifndef FED_VIOLATIONS_H
#define FED_VIOLATIONS_H

#include "json/json.h"

#define VIOLATIONS_MAX ((size_t)8192)

/* Different messages, each ended by a NUL, which none has inside; what does not fit the maximum is counted, but left out. */
struct violations_list {
    struct buf text;
    size_t n;
};
struct violations {
    struct violations_list all;
    struct violations_list malformed; /* those of them that are about types and syntax, not about a rule */
};

#define VIOLATIONS_INIT                                                                                                \
    ((struct violations){ .all.text = BUF_INIT(VIOLATIONS_MAX), .malformed.text = BUF_INIT(VIOLATIONS_MAX) })
void violations_done(struct violations *v);
#define _cleanup_violations_ _cleanup_(violations_done)

/* "<path>: <text>"; the same text a second time is no further violation. */
void violations_add(struct violations *v, const char *path, const char *fmt, ...) _printf_(3, 4);
/* The same for a value of another JSON type than the field's, or one that cannot be read (a duration, base64). */
void violations_malformed(struct violations *v, const char *path, const char *fmt, ...) _printf_(3, 4);
void violations_required(struct violations *v, const char *path);
/* "Invalid value: "<value>": <why>" */
void violations_invalid(struct violations *v, const char *path, struct str value, const char *why);
/* A value out of `supported` ("Enabled", "Disabled"); an empty one is missing. */
void violations_enum(struct violations *v, const char *path, struct str value, const char *const *supported, size_t n);
/* Names of Kubernetes: RFC 1123 subdomain, RFC 1035 label. The value must not be empty. */
void violations_subdomain(struct violations *v, const char *path, struct str value);
void violations_dns1035(struct violations *v, const char *path, struct str value);

/* Appends the value in double quotes with Go's escapes, a long one in part. Of a URL the user information, which may be a
 * password, is shown as "...". */
void violations_quote(struct buf *out, struct str value);
void violations_quote_url(struct buf *out, struct str url);

/* 0 when there was nothing, else -EINVAL with the list: in brackets when several. */
int violations_error(struct violations *v, struct error **err);
/* The same for an admission webhook: -EBADMSG with the malformed values alone when there are some. */
int violations_verdict(struct violations *v, struct error **err);

/* A member: a string, "" when absent or null; an object or a list, NULL when absent or null. One of another type is malformed
 * and as if absent. `path` is the full path for the message, `key` its last segment. */
struct str violations_str(struct violations *v, yyjson_val *obj, const char *key, const char *path);
yyjson_val *violations_obj(struct violations *v, yyjson_val *obj, const char *key, const char *path);
yyjson_val *violations_list(struct violations *v, yyjson_val *obj, const char *key, const char *path);

#endif
