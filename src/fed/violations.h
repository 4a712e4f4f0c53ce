/*
 * Inside src/fed: collects what is wrong with an object in the words of Kubernetes' field errors (api-and-cli.md 4.4), so
 * that a user sees all of it at once.
 */
#ifndef FED_VIOLATIONS_H
#define FED_VIOLATIONS_H

#include "json/json.h"

struct violations {
    struct buf text; /* joined by ", "; what does not fit its maximum is left out */
    size_t n;
};

#define VIOLATIONS_INIT ((struct violations){ .text = BUF_INIT((size_t)8192) })
void violations_done(struct violations *v);
#define _cleanup_violations_ _cleanup_(violations_done)

/* "<path>: <text>" */
void violations_add(struct violations *v, const char *path, const char *fmt, ...) _printf_(3, 4);
void violations_required(struct violations *v, const char *path);
/* "Invalid value: "<value>": <why>"; a long value is shown in part. */
void violations_invalid(struct violations *v, const char *path, struct str value, const char *why);
/* A value out of `supported` ("Enabled", "Disabled"); an empty one is missing. */
void violations_enum(struct violations *v, const char *path, struct str value, const char *const *supported, size_t n);
/* Names of Kubernetes: RFC 1123 subdomain, RFC 1035 label. The value must not be empty. */
void violations_subdomain(struct violations *v, const char *path, struct str value);
void violations_dns1035(struct violations *v, const char *path, struct str value);

/* 0 when there was nothing, else -EINVAL with the list: in brackets when several. */
int violations_error(struct violations *v, struct error **err);

/* A string member: "" when absent or null; a violation and "" when of another type. `path` is the full path for the
 * message, `key` its last segment. */
struct str violations_str(struct violations *v, yyjson_val *obj, const char *key, const char *path);

#endif
