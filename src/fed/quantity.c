/*
 * See quantity.h. A quantity: digits times a power of ten times a power of two. Its integer part is a number of at most
 * 19 digits or too large; its fraction is multiplied digit by digit from the last one, rounding up each time, which
 * rounds the whole up once. So nothing grows with the length of the text, and no binary fraction comes in between.
 */
#include "fed/quantity.h"

#include <errno.h>

/* Digits of the largest integer part that may fit. */
#define INTEGER_DIGITS 19
/* So far behind the point, anything multiplied by 2^127 is less than one. */
#define VANISHING 40
/* More than any length of a text can make up for. */
#define EXPONENT_LIMIT (INT64_MAX / 4)
/* As much as a number of JSON is long. */
#define NUMBER_TEXT_MAX 64

typedef unsigned __int128 wide;

static const struct {
    struct str name;
    int decimal, binary; /* powers of 10 and 2 */
} suffixes[] = {
    { { "n", 1 }, -9, 0 },  { { "u", 1 }, -6, 0 },  { { "m", 1 }, -3, 0 },  { { "", 0 }, 0, 0 },
    { { "k", 1 }, 3, 0 },   { { "M", 1 }, 6, 0 },   { { "G", 1 }, 9, 0 },   { { "T", 1 }, 12, 0 },
    { { "P", 1 }, 15, 0 },  { { "E", 1 }, 18, 0 },  { { "Ki", 2 }, 0, 10 }, { { "Mi", 2 }, 0, 20 },
    { { "Gi", 2 }, 0, 30 }, { { "Ti", 2 }, 0, 40 }, { { "Pi", 2 }, 0, 50 }, { { "Ei", 2 }, 0, 60 },
};

/* 0.<digits> * 10^point * 2^binary; the first digit is not 0. The digits may have a point among them. */
struct quantity {
    bool negative;
    struct str digits;
    int64_t point; /* how many of the digits are before the point; may be negative */
    int binary;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static wide digit_value(char c)
{
    return (unsigned char)(c - '0');
}

static bool take_sign(struct str *s)
{
    bool negative = s->n && s->p[0] == '-';

    if (s->n && (s->p[0] == '-' || s->p[0] == '+'))
        *s = str_n(s->p + 1, s->n - 1);
    return negative;
}

/* Takes the digits and the point off the front of s. */
static int take_mantissa(struct str *s, struct quantity *q)
{
    size_t n = 0, dots = 0, zeros = 0;

    for (q->point = 0; n < s->n && (is_digit(s->p[n]) || (s->p[n] == '.' && dots == 0)); n++) {
        dots += s->p[n] == '.';
        q->point += dots == 0;
    }
    if (n == dots)
        return -EINVAL;
    while (zeros < n && (s->p[zeros] == '0' || s->p[zeros] == '.'))
        q->point -= s->p[zeros++] == '0';
    q->digits = str_n(s->p + zeros, n - zeros);
    *s = str_n(s->p + n, s->n - n);
    return 0;
}

/* An exponent as a whole slice; what is too large becomes a large number. */
static int read_exponent(struct str s, int64_t *ret)
{
    bool negative = take_sign(&s);
    int64_t v = 0;

    if (s.n == 0)
        return -EINVAL;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return -EINVAL;
        v = v < EXPONENT_LIMIT / 10 ? v * 10 + (s.p[i] - '0') : EXPONENT_LIMIT;
    }
    *ret = negative ? -v : v;
    return 0;
}

static int read_suffix(struct str s, struct quantity *q)
{
    int64_t exponent = 0;
    int r;

    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        if (!str_eq(s, suffixes[i].name))
            continue;
        q->point += suffixes[i].decimal;
        q->binary = suffixes[i].binary;
        return 0;
    }
    if (s.p[0] != 'e' && s.p[0] != 'E')
        return -EINVAL;
    r = read_exponent(str_n(s.p + 1, s.n - 1), &exponent);
    q->point += exponent;
    return r;
}

/* The part behind the point times `factor`, rounded up: ceil((a + x) / 10) is ceil((a + ceil(x)) / 10) for whole a. */
static wide multiply_fraction(struct str digits, int64_t point, wide factor)
{
    wide v = 0;

    for (size_t i = digits.n; i > 0; i--)
        if (digits.p[i - 1] != '.')
            v = (digit_value(digits.p[i - 1]) * factor + v + 9) / 10;
    if (point < -VANISHING)
        return v > 0;
    for (; point < 0; point++)
        v = (v + 9) / 10;
    return v;
}

/* Takes the part before the point off the front; zeros are added where the digits end before it. */
static wide take_integer(struct str *digits, int64_t point)
{
    wide v = 0;

    while (point > 0) {
        bool digit = digits->n && digits->p[0] != '.';

        if (digit || digits->n == 0) {
            v = v * 10 + (digit ? digit_value(digits->p[0]) : 0);
            point--;
        }
        if (digits->n)
            *digits = str_n(digits->p + 1, digits->n - 1);
    }
    return v;
}

/* The value of q without its sign, or more than 2^63 when it is. */
static wide multiply(const struct quantity *q, int64_t scale)
{
    const wide limit = (wide)1 << 64;
    wide factor = (wide)scale << q->binary, whole;
    struct str rest = q->digits;

    if (rest.n == 0)
        return 0;
    if (q->point > INTEGER_DIGITS)
        return limit;
    if (__builtin_mul_overflow(take_integer(&rest, q->point), factor, &whole) || whole >= limit)
        return limit;
    return whole + multiply_fraction(rest, MIN(q->point, (int64_t)0), factor);
}

int fed_quantity_parse(struct str text, int64_t scale, int64_t *ret)
{
    const wide limit = (wide)1 << 63;
    struct quantity q = { .negative = take_sign(&text) };
    wide v;

    if (take_mantissa(&text, &q) < 0 || read_suffix(text, &q) < 0)
        return -EINVAL;
    v = multiply(&q, scale);
    if (q.negative)
        *ret = v >= limit ? INT64_MIN : -(int64_t)v;
    else
        *ret = v >= limit ? INT64_MAX : (int64_t)v;
    return 0;
}

int fed_quantity_read(yyjson_val *v, int64_t scale, int64_t *ret)
{
    _cleanup_buf_ struct buf text = BUF_INIT(NUMBER_TEXT_MAX);

    if (yyjson_is_str(v))
        return fed_quantity_parse(json_str(v), scale, ret);
    if (!yyjson_is_num(v) || json_write(&text, v) < 0)
        return -EINVAL;
    return fed_quantity_parse(buf_str(&text), scale, ret);
}

/* The largest unit that `v` is a multiple of, and v in it. */
static void add_in_units(struct buf *out, int64_t v, uint64_t step, const char *const *units, size_t n)
{
    uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    size_t unit = 0;

    while (unit + 1 < n && magnitude % step == 0) {
        magnitude /= step;
        unit++;
    }
    buf_printf(out, "%s%llu%s", v < 0 ? "-" : "", (unsigned long long)magnitude, units[unit]);
}

void fed_quantity_add_milli(struct buf *out, int64_t milli)
{
    static const char *const units[] = { "m", "", "k", "M", "G", "T", "P" };

    if (milli == 0)
        buf_addc(out, '0');
    else
        add_in_units(out, milli, 1000, units, ARRAY_SIZE(units));
}

void fed_quantity_add_bytes(struct buf *out, int64_t bytes)
{
    static const char *const units[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };

    if (bytes == 0)
        buf_addc(out, '0');
    else
        add_in_units(out, bytes, 1024, units, ARRAY_SIZE(units));
}
