/* See violations.h. Texts as the API server's field errors have them: users and scripts look for their fragments. */
#include "fed/violations.h"

#include <stdlib.h>

/* Longest value that a message repeats in full. */
#define VALUE_SHOWN 256

#define T1123                                                                                                          \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "   \
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "                        \
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define T1035                                                                                                          \
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, " \
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "             \
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
#define SUBDOMAIN_MAX 253
#define LABEL_MAX 63

void violations_done(struct violations *v)
{
    buf_done(&v->text);
}

void violations_add(struct violations *v, const char *path, const char *fmt, ...)
{
    va_list ap;

    v->n++;
    if (v->text.n)
        buf_addz(&v->text, ", ");
    buf_printf(&v->text, "%s: ", path);
    va_start(ap, fmt);
    buf_vprintf(&v->text, fmt, ap);
    va_end(ap);
}

void violations_required(struct violations *v, const char *path)
{
    violations_add(v, path, "Required value");
}

static struct str shown(struct str value, const char **ret_more)
{
    *ret_more = value.n > VALUE_SHOWN ? "..." : "";
    return str_n(value.p, MIN(value.n, (size_t)VALUE_SHOWN));
}

void violations_invalid(struct violations *v, const char *path, struct str value, const char *why)
{
    const char *more;
    struct str part = shown(value, &more);

    violations_add(v, path, "Invalid value: \"%" PRIstr "%s\": %s", STRARG(part), more, why);
}

void violations_enum(struct violations *v, const char *path, struct str value, const char *const *supported, size_t n)
{
    _cleanup_buf_ struct buf list = BUF_INIT((size_t)1024);
    const char *more;
    struct str part = shown(value, &more);

    if (str_empty(value)) {
        violations_required(v, path);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (str_eqc(value, supported[i]))
            return;
        buf_printf(&list, "%s\"%s\"", i ? ", " : "", supported[i]);
    }
    violations_add(v, path, "Unsupported value: \"%" PRIstr "%s\": supported values: %s", STRARG(part), more, list.p);
}

static void check_name(struct violations *v, const char *path, struct str value, bool shape_ok, const char *shape,
                       size_t max)
{
    char why[1024];

    if (shape_ok && value.n <= max)
        return;
    if (value.n > max)
        snprintf(why, sizeof(why), "must be no more than %zu characters%s%s", max, shape_ok ? "" : ",",
                 shape_ok ? "" : shape);
    else
        snprintf(why, sizeof(why), "%s", shape);
    violations_invalid(v, path, value, why);
}

/* The shape of a value that may be too long, judged without its length: each of its parts by itself. */
static bool has_subdomain_shape(struct str value)
{
    struct str part, rest = value;
    bool more = true;

    while (more) {
        more = str_cut(rest, '.', &part, &rest);
        if (str_empty(part) || !str_is_dns1123_label(str_n(part.p, MIN(part.n, (size_t)1))) ||
            !str_is_dns1123_label(str_n(part.p + part.n - 1, 1)))
            return false;
        for (size_t i = 0; i < part.n; i++)
            if (part.p[i] != '-' && !str_is_dns1123_label(str_n(part.p + i, 1)))
                return false;
    }
    return true;
}

void violations_subdomain(struct violations *v, const char *path, struct str value)
{
    check_name(v, path, value, has_subdomain_shape(value), T1123, SUBDOMAIN_MAX);
}

void violations_dns1035(struct violations *v, const char *path, struct str value)
{
    bool ok = has_subdomain_shape(value) && !memchr(value.p, '.', value.n) && !(value.p[0] >= '0' && value.p[0] <= '9');

    check_name(v, path, value, ok, T1035, LABEL_MAX);
}

int violations_error(struct violations *v, struct error **err)
{
    if (v->n == 0)
        return 0;
    if (buf_failed(&v->text)) {
        const char *rest = v->text.n ? ", and more" : "too long to show";

        v->text.failed = false;
        v->text.max += strlen(rest) + 1;
        buf_addz(&v->text, rest);
    }
    return error_set(err, -EINVAL, "%s%s%s", v->n > 1 ? "[" : "", v->text.p, v->n > 1 ? "]" : "");
}

struct str violations_str(struct violations *v, yyjson_val *obj, const char *key, const char *path)
{
    yyjson_val *m = json_get(obj, key);

    if (!m || yyjson_is_null(m))
        return STR("");
    if (yyjson_is_str(m))
        return json_str(m);
    violations_add(v, path, "Invalid value: must be a string");
    return STR("");
}
