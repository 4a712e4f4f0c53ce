/*
 * Go's encoding/json output, byte for byte: KubeFed's version hashes are computed over it and stored in the cluster, so
 * a single different byte would make every member object look changed (controllers.md 5.9).
 *
 * A failed write shows in the buffer; the recursion, bounded by JSON_MAX_DEPTH, goes on without looking and the result
 * is checked once.
 */
#include "json/canonical.h"

#include <math.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "json/number.h"
#include "json/walk.h"

int json_canonical_double(struct buf *out, double d)
{
    char text[32];
    size_t n;

    assert(isfinite(d)); /* JSON has no other numbers */
    n = json_format_double(d, JSON_NUMBER_JSON, text);
    return buf_add(out, text, n);
}

/* true when c stands for itself inside a string. */
static bool is_plain(uint32_t c)
{
    if (c < 0x20 || c == 0x2028 || c == 0x2029)
        return false;
    return c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

static void add_escape(struct buf *out, uint32_t c)
{
    switch (c) {
    case '"':
    case '\\': buf_printf(out, "\\%c", (char)c); break;
    case '\n': buf_addz(out, "\\n"); break;
    case '\r': buf_addz(out, "\\r"); break;
    case '\t': buf_addz(out, "\\t"); break;
    default: buf_printf(out, "\\u%04x", (unsigned)c);
    }
}

int json_canonical_str(struct buf *out, struct str s)
{
    size_t from = 0, i = 0;

    buf_addc(out, '"');
    while (i < s.n) {
        uint32_t c;
        size_t n = utf8_decode(str_n(s.p + i, s.n - i), &c);

        if (n == 0 || !is_plain(c)) {
            buf_add(out, s.p + from, i - from);
            add_escape(out, c);
            n = MAX(n, (size_t)1);
            from = i + n;
        }
        i += n;
    }
    if (i > from)
        buf_add(out, s.p + from, i - from);
    buf_addc(out, '"');
    return buf_failed(out) ? -EFBIG : 0;
}

static void add_number(struct buf *out, yyjson_val *v, unsigned flags)
{
    bool too_big = yyjson_is_uint(v) && yyjson_get_uint(v) > INT64_MAX;

    if (yyjson_is_real(v))
        json_canonical_double(out, yyjson_get_real(v));
    else if (too_big || (flags & JSON_CANON_FLOAT64))
        json_canonical_double(out, yyjson_get_num(v));
    else
        buf_printf(out, "%lld", (long long)yyjson_get_sint(v));
}

static void add_value(struct buf *out, yyjson_val *v, unsigned flags);

static void add_object(struct buf *out, yyjson_val *v, unsigned flags)
{
    size_t n;
    _cleanup_free_ struct json_member *m = json_members(json_node_of(v), &n);

    buf_addc(out, '{');
    for (size_t i = 0; i < n && !buf_failed(out); i++) {
        if (i)
            buf_addc(out, ',');
        json_canonical_str(out, m[i].key);
        buf_addc(out, ':');
        add_value(out, (yyjson_val *)m[i].val.val, flags);
    }
    buf_addc(out, '}');
}

static void add_array(struct buf *out, yyjson_val *v, unsigned flags)
{
    yyjson_val *item;
    size_t i, n;

    buf_addc(out, '[');
    yyjson_arr_foreach(v, i, n, item)
    {
        if (buf_failed(out))
            break;
        if (i)
            buf_addc(out, ',');
        add_value(out, item, flags);
    }
    buf_addc(out, ']');
}

static void add_value(struct buf *out, yyjson_val *v, unsigned flags)
{
    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_BOOL: buf_addz(out, yyjson_get_bool(v) ? "true" : "false"); break;
    case YYJSON_TYPE_NUM: add_number(out, v, flags); break;
    case YYJSON_TYPE_STR: json_canonical_str(out, json_str(v)); break;
    case YYJSON_TYPE_ARR: add_array(out, v, flags); break;
    case YYJSON_TYPE_OBJ: add_object(out, v, flags); break;
    default: buf_addz(out, "null");
    }
}

int json_canonical(struct buf *out, yyjson_val *v, unsigned flags)
{
    add_value(out, v, flags);
    return buf_failed(out) ? -EFBIG : 0;
}
