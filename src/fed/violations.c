/* See violations.h. Texts as the API server's field errors have them: users and scripts look for their fragments. */
#include "fed/violations.h"

#include <stdlib.h>

#include "base/utf8.h"

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
    buf_done(&v->all.text);
    buf_done(&v->malformed.text);
}

/* Once the list is full nothing is looked up any more, so that the work is bounded too. */
static bool is_known(const struct violations_list *l, struct str message)
{
    struct str rest = buf_str(&l->text), one;

    while (str_cut(rest, '\0', &one, &rest))
        if (str_eq(one, message))
            return true;
    return false;
}

static void add(struct violations_list *l, struct str message)
{
    if (buf_failed(&l->text)) {
        l->n++;
        return;
    }
    if (is_known(l, message))
        return;
    l->n++;
    buf_add(&l->text, message.p, message.n + 1);
}

static _printf_(3, 0) struct str print(struct buf *b, const char *path, const char *fmt, va_list ap)
{
    buf_printf(b, "%s: ", path);
    buf_vprintf(b, fmt, ap);
    return buf_str(b);
}

void violations_add(struct violations *v, const char *path, const char *fmt, ...)
{
    _cleanup_buf_ struct buf b = BUF_INIT(SIZE_MAX);
    va_list ap;

    va_start(ap, fmt);
    add(&v->all, print(&b, path, fmt, ap));
    va_end(ap);
}

void violations_malformed(struct violations *v, const char *path, const char *fmt, ...)
{
    _cleanup_buf_ struct buf b = BUF_INIT(SIZE_MAX);
    struct str message;
    va_list ap;

    va_start(ap, fmt);
    message = print(&b, path, fmt, ap);
    va_end(ap);
    add(&v->all, message);
    add(&v->malformed, message);
}

/* --- quoting --- */

static void quote_char(struct buf *out, struct str whole, uint32_t c)
{
    static const char letters[] = "abtnvfr"; /* of the characters from 7 on */

    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", (char)c);
    else if (c >= 7 && c < 7 + strlen(letters))
        buf_printf(out, "\\%c", letters[c - 7]);
    else if (c < ' ' || c == 0x7f)
        buf_printf(out, "\\x%02x", c);
    else if (c > 0x7f && c < 0xa0)
        buf_printf(out, "\\u%04x", c);
    else
        buf_adds(out, whole);
}

static void quote_part(struct buf *out, struct str value, size_t room)
{
    uint32_t c;

    while (value.n) {
        size_t n = MAX(utf8_decode(value, &c), (size_t)1);

        if (n > room) {
            buf_addz(out, "...");
            return;
        }
        quote_char(out, str_n(value.p, n), c);
        room -= n;
        value = str_n(value.p + n, value.n - n);
    }
}

void violations_quote(struct buf *out, struct str value)
{
    buf_addc(out, '"');
    quote_part(out, value, VALUE_SHOWN);
    buf_addc(out, '"');
}

/* The length of "scheme://" at the front, 0 when there is none. */
static size_t scheme_length(struct str url)
{
    size_t n = 0;

    while (n < url.n && (((url.p[n] | 32) >= 'a' && (url.p[n] | 32) <= 'z') || (url.p[n] >= '0' && url.p[n] <= '9') ||
                         url.p[n] == '+' || url.p[n] == '-' || url.p[n] == '.'))
        n++;
    return url.n - n >= 3 && memcmp(url.p + n, "://", 3) == 0 ? n + 3 : 0;
}

/* Where user information ends is the parser's business, and not every URL can be parsed: up to the last '@' nothing is
 * shown. */
void violations_quote_url(struct buf *out, struct str url)
{
    const char *at = url.n ? memrchr(url.p, '@', url.n) : NULL;
    size_t n = at ? scheme_length(url) : 0;

    buf_addc(out, '"');
    if (at) {
        quote_part(out, str_n(url.p, n), VALUE_SHOWN);
        buf_addz(out, "...");
        url = str_n(at, (size_t)(url.p + url.n - at));
    }
    quote_part(out, url, VALUE_SHOWN);
    buf_addc(out, '"');
}

/* --- kinds of violations --- */

void violations_required(struct violations *v, const char *path)
{
    violations_add(v, path, "Required value");
}

/* A quoted value: bounded, as at most four bytes stand for one. */
#define QUOTED_INIT BUF_INIT((size_t)VALUE_SHOWN * 8)

void violations_invalid(struct violations *v, const char *path, struct str value, const char *why)
{
    _cleanup_buf_ struct buf quoted = QUOTED_INIT;

    violations_quote(&quoted, value);
    violations_add(v, path, "Invalid value: %s: %s", quoted.p, why);
}

void violations_enum(struct violations *v, const char *path, struct str value, const char *const *supported, size_t n)
{
    _cleanup_buf_ struct buf list = BUF_INIT((size_t)1024), quoted = QUOTED_INIT;

    if (str_empty(value)) {
        violations_required(v, path);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (str_eqc(value, supported[i]))
            return;
        buf_printf(&list, "%s\"%s\"", i ? ", " : "", supported[i]);
    }
    violations_quote(&quoted, value);
    violations_add(v, path, "Unsupported value: %s: supported values: %s", quoted.p, list.p);
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

/* --- the result --- */

static int list_error(const struct violations_list *l, int code, struct error **err)
{
    _cleanup_buf_ struct buf out = BUF_INIT(2 * VIOLATIONS_MAX + 64);
    struct str rest = buf_str(&l->text), one;

    while (str_cut(rest, '\0', &one, &rest))
        buf_printf(&out, "%s%" PRIstr, out.n ? ", " : "", STRARG(one));
    if (buf_failed(&l->text))
        buf_addz(&out, out.n ? ", and more" : "too long to show");
    return error_set(err, code, "%s%s%s", l->n > 1 ? "[" : "", out.p, l->n > 1 ? "]" : "");
}

int violations_error(struct violations *v, struct error **err)
{
    return v->all.n ? list_error(&v->all, -EINVAL, err) : 0;
}

int violations_verdict(struct violations *v, struct error **err)
{
    return v->malformed.n ? list_error(&v->malformed, -EBADMSG, err) : violations_error(v, err);
}

/* --- reading members --- */

static yyjson_val *member(struct violations *v, yyjson_val *obj, const char *key, const char *path, yyjson_type type,
                          const char *what)
{
    yyjson_val *m = json_get(obj, key);

    if (!m || yyjson_is_null(m))
        return NULL;
    if (yyjson_get_type(m) == type)
        return m;
    violations_malformed(v, path, "Invalid value: must be %s", what);
    return NULL;
}

struct str violations_str(struct violations *v, yyjson_val *obj, const char *key, const char *path)
{
    yyjson_val *m = member(v, obj, key, path, YYJSON_TYPE_STR, "a string");

    return m ? json_str(m) : STR("");
}

yyjson_val *violations_obj(struct violations *v, yyjson_val *obj, const char *key, const char *path)
{
    return member(v, obj, key, path, YYJSON_TYPE_OBJ, "an object");
}

yyjson_val *violations_list(struct violations *v, yyjson_val *obj, const char *key, const char *path)
{
    return member(v, obj, key, path, YYJSON_TYPE_ARR, "a list");
}
