/*
 * Go's duration syntax in both directions (api-and-cli.md 1.2): what KubeFed's users write in KubeFedConfig and on the
 * command line, with the error texts they know. Values are int64 nanoseconds, about 292 years either way.
 */
#include <stdio.h>

#include "base/rtime.h"

#define NS_LIMIT ((uint64_t)1 << 63)
/* Longest input that an error message repeats in full. */
#define QUOTE_MAX 256

static const struct {
    struct str name;
    uint64_t ns;
} units[] = {
    { { "ns", 2 }, 1 },           { { "us", 2 }, 1000 },
    { { "\xc2\xb5s", 3 }, 1000 }, /* micro sign */
    { { "\xce\xbcs", 3 }, 1000 }, /* Greek mu */
    { { "ms", 2 }, 1000000 },     { { "s", 1 }, 1000000000 },
    { { "m", 1 }, 60000000000 },  { { "h", 1 }, 3600000000000 },
};

/* In double quotes, with bytes that are not printable ASCII as \xNN. */
static char *quote(struct str s)
{
    struct buf b = BUF_INIT(QUOTE_MAX * 4 + 8);

    buf_addc(&b, '"');
    for (size_t i = 0; i < MIN(s.n, (size_t)QUOTE_MAX); i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < ' ' || c >= 0x80)
            buf_printf(&b, "\\x%02x", c);
        else if (c == '"' || c == '\\')
            buf_printf(&b, "\\%c", c);
        else
            buf_addc(&b, s.p[i]);
    }
    buf_addz(&b, s.n > QUOTE_MAX ? "...\"" : "\"");
    return buf_take(&b, NULL);
}

static int invalid(struct str whole, struct error **err)
{
    _cleanup_free_ char *q = quote(whole);

    return error_set(err, -EINVAL, "time: invalid duration %s", q);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes the unit (everything up to the next digit or dot) off the front of s. */
static int take_unit(struct str whole, struct str *s, uint64_t *ret, struct error **err)
{
    _cleanup_free_ char *q = NULL, *name_q = NULL;
    struct str name = { s->p, 0 };

    while (name.n < s->n && s->p[name.n] != '.' && !is_digit(s->p[name.n]))
        name.n++;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (!str_eq(name, units[i].name))
            continue;
        *s = str_n(s->p + name.n, s->n - name.n);
        *ret = units[i].ns;
        return 0;
    }
    q = quote(whole);
    if (name.n == 0)
        return error_set(err, -EINVAL, "time: missing unit in duration %s", q);
    name_q = quote(name);
    return error_set(err, -EINVAL, "time: unknown unit %s in duration %s", name_q, q);
}

/* The digits after the dot as a numerator and its power of ten; digits beyond what fits are ignored. */
static size_t take_fraction(struct str s, uint64_t *ret, double *ret_scale)
{
    bool full = false;
    uint64_t v = 0, next;
    double scale = 1;
    size_t i = 0;

    for (; i < s.n && is_digit(s.p[i]); i++) {
        full = full || v > (NS_LIMIT - 1) / 10;
        next = full ? 0 : v * 10 + (uint64_t)(s.p[i] - '0');
        full = full || next > NS_LIMIT;
        if (full)
            continue;
        v = next;
        scale *= 10;
    }
    *ret = v;
    *ret_scale = scale;
    return i;
}

/* Takes one "<decimal><unit>" off the front of s. */
static int take_term(struct str whole, struct str *s, uint64_t *ret, struct error **err)
{
    uint64_t v = 0, fraction = 0, unit = 0;
    double scale = 1;
    size_t i = 0, digits;
    bool overflow = false;
    int r;

    for (; i < s->n && is_digit(s->p[i]); i++) {
        overflow |= __builtin_mul_overflow(v, 10, &v);
        overflow |= __builtin_add_overflow(v, (uint64_t)(s->p[i] - '0'), &v);
        overflow |= v > NS_LIMIT;
    }
    digits = i;
    if (i < s->n && s->p[i] == '.') {
        size_t n = take_fraction(str_n(s->p + i + 1, s->n - i - 1), &fraction, &scale);

        digits += n;
        i += n + 1;
    }
    if (digits == 0 || overflow)
        return invalid(whole, err);
    *s = str_n(s->p + i, s->n - i);
    r = take_unit(whole, s, &unit, err);
    if (r < 0)
        return r;
    if (v > NS_LIMIT / unit)
        return invalid(whole, err);
    v = v * unit + (uint64_t)((double)fraction * ((double)unit / scale));
    if (v > NS_LIMIT)
        return invalid(whole, err);
    *ret = v;
    return 0;
}

int duration_parse(struct str s, int64_t *ret_ns, struct error **err)
{
    struct str whole = s;
    bool negative = s.n && s.p[0] == '-';
    uint64_t total = 0, term = 0;
    int r;

    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_n(s.p + 1, s.n - 1);
    if (s.n == 0)
        return invalid(whole, err);
    if (str_eq(s, STR("0"))) {
        *ret_ns = 0;
        return 0;
    }
    while (s.n) {
        r = take_term(whole, &s, &term, err);
        if (r < 0)
            return r;
        if (term > NS_LIMIT - total)
            return invalid(whole, err);
        total += term;
    }
    if (!negative && total == NS_LIMIT)
        return invalid(whole, err);
    *ret_ns = (int64_t)(negative ? 0 - total : total);
    return 0;
}

/* Appends v / scale with as many decimals as needed, then the unit. */
static int put_decimal(char *out, size_t size, uint64_t v, uint64_t scale, const char *unit)
{
    uint64_t fraction = v % scale;
    int width = 0;

    for (uint64_t s = scale; s > 1; s /= 10)
        width++;
    while (fraction && fraction % 10 == 0) {
        fraction /= 10;
        width--;
    }
    if (fraction == 0)
        return snprintf(out, size, "%llu%s", (unsigned long long)(v / scale), unit);
    return snprintf(out, size, "%llu.%0*llu%s", (unsigned long long)(v / scale), width, (unsigned long long)fraction,
                    unit);
}

void duration_format(int64_t ns, char out[static 32])
{
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    const uint64_t second = (uint64_t)NSEC_PER_SEC;
    char *p = out;

    if (ns < 0)
        *p++ = '-';
    if (v == 0) {
        memcpy(out, "0s", 3);
    } else if (v < 1000) {
        put_decimal(p, 30, v, 1, "ns");
    } else if (v < 1000000) {
        put_decimal(p, 30, v, 1000, "\xc2\xb5s");
    } else if (v < second) {
        put_decimal(p, 30, v, 1000000, "ms");
    } else {
        if (v >= 3600 * second)
            p += snprintf(p, 12, "%lluh", (unsigned long long)(v / (3600 * second)));
        if (v >= 60 * second)
            p += snprintf(p, 4, "%um", (unsigned)(v / (60 * second) % 60));
        put_decimal(p, 14, v % (60 * second), second, "s");
    }
}
