/*
 * The table of YAML 1.1 scalars as sigs.k8s.io/yaml reads them (api-and-cli.md 3.1): y, n, yes, no, on and off are
 * booleans, integers may be decimal, 0x, 0o, 0b or octal with a leading 0 and carry underscores, dates stay strings.
 * Base 60 numbers are strings when read but are quoted when written, since other readers take them for numbers.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json/yaml_scalar.h"

#include <errno.h>

/* No number that means anything is longer; longer ones stay strings. */
#define NUMBER_MAX 400

static const struct {
    const char *word;
    struct yaml_scalar value;
} words[] = {
    { "", { .kind = YAML_KIND_NULL } },
    { "~", { .kind = YAML_KIND_NULL } },
    { "null", { .kind = YAML_KIND_NULL } },
    { "Null", { .kind = YAML_KIND_NULL } },
    { "NULL", { .kind = YAML_KIND_NULL } },
    { "y", { .kind = YAML_KIND_BOOL, .b = true } },
    { "Y", { .kind = YAML_KIND_BOOL, .b = true } },
    { "yes", { .kind = YAML_KIND_BOOL, .b = true } },
    { "Yes", { .kind = YAML_KIND_BOOL, .b = true } },
    { "YES", { .kind = YAML_KIND_BOOL, .b = true } },
    { "true", { .kind = YAML_KIND_BOOL, .b = true } },
    { "True", { .kind = YAML_KIND_BOOL, .b = true } },
    { "TRUE", { .kind = YAML_KIND_BOOL, .b = true } },
    { "on", { .kind = YAML_KIND_BOOL, .b = true } },
    { "On", { .kind = YAML_KIND_BOOL, .b = true } },
    { "ON", { .kind = YAML_KIND_BOOL, .b = true } },
    { "n", { .kind = YAML_KIND_BOOL } },
    { "N", { .kind = YAML_KIND_BOOL } },
    { "no", { .kind = YAML_KIND_BOOL } },
    { "No", { .kind = YAML_KIND_BOOL } },
    { "NO", { .kind = YAML_KIND_BOOL } },
    { "false", { .kind = YAML_KIND_BOOL } },
    { "False", { .kind = YAML_KIND_BOOL } },
    { "FALSE", { .kind = YAML_KIND_BOOL } },
    { "off", { .kind = YAML_KIND_BOOL } },
    { "Off", { .kind = YAML_KIND_BOOL } },
    { "OFF", { .kind = YAML_KIND_BOOL } },
    { ".nan", { .kind = YAML_KIND_FLOAT, .d = NAN } },
    { ".NaN", { .kind = YAML_KIND_FLOAT, .d = NAN } },
    { ".NAN", { .kind = YAML_KIND_FLOAT, .d = NAN } },
    { ".inf", { .kind = YAML_KIND_FLOAT, .d = INFINITY } },
    { ".Inf", { .kind = YAML_KIND_FLOAT, .d = INFINITY } },
    { ".INF", { .kind = YAML_KIND_FLOAT, .d = INFINITY } },
    { "+.inf", { .kind = YAML_KIND_FLOAT, .d = INFINITY } },
    { "+.Inf", { .kind = YAML_KIND_FLOAT, .d = INFINITY } },
    { "+.INF", { .kind = YAML_KIND_FLOAT, .d = INFINITY } },
    { "-.inf", { .kind = YAML_KIND_FLOAT, .d = -INFINITY } },
    { "-.Inf", { .kind = YAML_KIND_FLOAT, .d = -INFINITY } },
    { "-.INF", { .kind = YAML_KIND_FLOAT, .d = -INFINITY } },
    { "<<", { .kind = YAML_KIND_MERGE } },
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t count_digits(struct str s, size_t from)
{
    size_t i = from;

    while (i < s.n && is_digit(s.p[i]))
        i++;
    return i - from;
}

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* The base that a prefix asks for, and the digits behind the prefix. */
static int base_of(struct str s, struct str *digits)
{
    char mark = s.n > 1 && s.p[0] == '0' ? (char)(s.p[1] | 0x20) : '\0';
    int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;

    if (base) {
        *digits = str_n(s.p + 2, s.n - 2);
        return base;
    }
    *digits = s;
    return s.n > 1 && s.p[0] == '0' ? 8 : 10;
}

/* [+-] and digits in any of the bases; false when it is none or beyond 64 bits. */
static bool parse_int(struct str s, struct yaml_scalar *ret)
{
    bool negative = s.p[0] == '-';
    struct str digits;
    uint64_t v = 0;
    int base;

    if (s.p[0] == '-' || s.p[0] == '+')
        s = str_n(s.p + 1, s.n - 1);
    base = base_of(s, &digits);
    if (digits.n == 0)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        int d = digit_value(digits.p[i]);

        if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, (uint64_t)d, &v))
            return false;
    }
    if (v <= (uint64_t)INT64_MAX + negative) {
        *ret = (struct yaml_scalar){ .kind = YAML_KIND_INT, .i = (int64_t)(negative ? 0 - v : v) };
        return true;
    }
    *ret = (struct yaml_scalar){ .kind = YAML_KIND_UINT, .u = v };
    return !negative;
}

/* [+-] digits [. digits] [e [+-] digits], with digits on at least one side of the dot. */
static bool looks_like_float(struct str s)
{
    size_t i = s.p[0] == '-' || s.p[0] == '+', before, after = 0, exponent;

    before = count_digits(s, i);
    i += before;
    if (i < s.n && s.p[i] == '.') {
        after = count_digits(s, i + 1);
        i += after + 1;
    }
    if (before + after == 0)
        return false;
    if (i < s.n && (s.p[i] | 0x20) == 'e') {
        i++;
        i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
        exponent = count_digits(s, i);
        if (exponent == 0)
            return false;
        i += exponent;
    }
    return i == s.n;
}

static bool parse_number(struct str text, struct yaml_scalar *ret)
{
    char plain[NUMBER_MAX + 1];
    size_t n = 0;
    double d;

    if (text.n > NUMBER_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '_' || text.p[0] == '.')
            plain[n++] = text.p[i];
    plain[n] = '\0';
    if (n == 0)
        return false;
    if (text.p[0] != '.' && parse_int(str_n(plain, n), ret))
        return true;
    if (!looks_like_float(str_n(plain, n)))
        return false;
    d = strtod(plain, NULL);
    if (!isfinite(d)) /* too large for a double: stays a string */
        return false;
    *ret = (struct yaml_scalar){ .kind = YAML_KIND_FLOAT, .d = d };
    return true;
}

/* One or two digits at *i, a value in [min, max]. */
static bool take_short(struct str s, size_t *i, int min, int max)
{
    size_t n = MIN(count_digits(s, *i), (size_t)2);
    int v = 0;

    for (size_t k = 0; k < n; k++)
        v = v * 10 + (s.p[*i + k] - '0');
    *i += n;
    return n > 0 && v >= min && v <= max;
}

static bool take_char(struct str s, size_t *i, char c)
{
    if (*i >= s.n || s.p[*i] != c)
        return false;
    (*i)++;
    return true;
}

/* "Z" or "+01:00", needed after a 'T' and not allowed after a space. */
static bool is_zone(struct str s, size_t i)
{
    if (i + 1 == s.n && s.p[i] == 'Z')
        return true;
    if (i + 6 != s.n || (s.p[i] != '+' && s.p[i] != '-') || s.p[i + 3] != ':')
        return false;
    return count_digits(s, i + 1) == 2 && count_digits(s, i + 4) == 2;
}

/* 2006-1-2, 2006-1-2T15:4:5.9Z, 2006-1-2 15:4:5.9 */
static bool is_timestamp(struct str s)
{
    size_t i = 4;
    bool zone;

    if (count_digits(s, 0) != 4 || !take_char(s, &i, '-') || !take_short(s, &i, 1, 12) || !take_char(s, &i, '-') ||
        !take_short(s, &i, 1, 31))
        return false;
    if (i == s.n)
        return true;
    zone = s.p[i] == 'T' || s.p[i] == 't';
    if (!zone && s.p[i] != ' ')
        return false;
    i++;
    if (!take_short(s, &i, 0, 23) || !take_char(s, &i, ':') || !take_short(s, &i, 0, 59) || !take_char(s, &i, ':') ||
        !take_short(s, &i, 0, 59))
        return false;
    if (take_char(s, &i, '.')) {
        size_t n = count_digits(s, i);

        i += n;
        if (n == 0)
            return false;
    }
    return zone ? is_zone(s, i) : i == s.n;
}

struct yaml_scalar yaml_resolve(struct str text)
{
    struct yaml_scalar r = { .kind = YAML_KIND_STRING };
    char first = text.n ? text.p[0] : '\0';

    for (size_t i = 0; text.n <= 5 && i < ARRAY_SIZE(words); i++)
        if (str_eqc(text, words[i].word))
            return words[i].value;
    if (!is_digit(first) && first != '.' && first != '-' && first != '+')
        return r;
    if (parse_number(text, &r))
        return r;
    r = (struct yaml_scalar){ .kind = is_timestamp(text) ? YAML_KIND_TIMESTAMP : YAML_KIND_STRING };
    return r;
}

/* [+-] digits and underscores, then groups of ':' and a number below 60, then perhaps a fraction. */
static bool is_base60(struct str s)
{
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+'), groups = 0;

    if (i >= s.n || !is_digit(s.p[i]))
        return false;
    while (i < s.n && (is_digit(s.p[i]) || s.p[i] == '_'))
        i++;
    while (take_char(s, &i, ':')) {
        if (!take_short(s, &i, 0, 59))
            return false;
        groups++;
    }
    if (take_char(s, &i, '.'))
        while (i < s.n && (is_digit(s.p[i]) || s.p[i] == '_'))
            i++;
    return groups > 0 && i == s.n;
}

bool yaml_plain_is_string(struct str text)
{
    return yaml_resolve(text).kind == YAML_KIND_STRING && !is_base60(text);
}
