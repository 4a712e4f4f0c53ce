/*
 * Doubles as decimal text. The shortest text that reads back as the same double is what Go prints, and KubeFed's
 * version hashes are computed over it (controllers.md 5.9). It is found by trying precisions with printf and strtod,
 * which glibc rounds exactly; the program never leaves the "C" locale, so the decimal point is a dot.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/number.h"

/* From the "D.DDDe-NN" of printf. */
static struct json_digits digits_from(const char *text)
{
    struct json_digits r = { .n = 0 };
    const char *p = text;

    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            r.d[r.n++] = *p;
    r.point = (int)strtol(p + 1, NULL, 10) + 1;
    return r;
}

static struct json_digits without_zeros(struct json_digits x)
{
    while (x.n > 1 && x.d[x.n - 1] == '0')
        x.n--;
    x.d[x.n] = '\0';
    return x;
}

static bool reads_back(struct json_digits x, double d)
{
    char text[48];

    snprintf(text, sizeof(text), "0.%se%d", x.d, x.point);
    return strtod(text, NULL) == d;
}

/* x plus one unit in its last place. */
static struct json_digits next_up(struct json_digits x)
{
    int i = x.n - 1;

    while (i >= 0 && x.d[i] == '9')
        i--;
    if (i < 0) {
        x.d[0] = '1';
        x.n = 1;
        x.point++;
    } else {
        x.d[i]++;
        x.n = i + 1;
    }
    x.d[x.n] = '\0';
    return x;
}

struct json_digits json_digits_of(double d)
{
    /* Any decimal of 15 digits survives a double, so nothing shorter needs a try; subnormals have fewer digits. */
    int precision = fabs(d) < DBL_MIN ? 1 : DBL_DIG;
    struct json_digits x;
    char text[48];
    int exponent;

    d = fabs(d);
    if (d == 0)
        return (struct json_digits){ .d = "0", .n = 1, .point = 1 };
    for (;; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision - 1, d);
        x = digits_from(text);
        if (precision >= DBL_DECIMAL_DIG || reads_back(x, d))
            return without_zeros(x);
        /* Below a power of two the doubles lie twice as close, so the nearest decimal may miss and its upper
         * neighbour hit. */
        if (frexp(d, &exponent) == 0.5 && reads_back(next_up(x), d))
            return without_zeros(next_up(x));
    }
}

static size_t put_plain(struct json_digits x, char *out)
{
    size_t n = 0;

    if (x.point <= 0) {
        out[n++] = '0';
        out[n++] = '.';
        for (int i = x.point; i < 0; i++)
            out[n++] = '0';
    }
    for (int i = 0; i < MAX(x.n, x.point); i++) {
        if (i == x.point && i > 0)
            out[n++] = '.';
        out[n++] = i < x.n ? x.d[i] : '0';
    }
    out[n] = '\0';
    return n;
}

static size_t put_exponent(struct json_digits x, enum json_number_format format, char *out)
{
    int e = x.point - 1;
    int width = format == JSON_NUMBER_YAML ? 2 : 1;
    size_t n = 0;

    out[n++] = x.d[0];
    if (x.n > 1) {
        out[n++] = '.';
        memcpy(out + n, x.d + 1, (size_t)x.n - 1);
        n += (size_t)x.n - 1;
    }
    return n + (size_t)snprintf(out + n, 8, "e%c%0*d", e < 0 ? '-' : '+', width, abs(e));
}

size_t json_format_double(double d, enum json_number_format format, char out[static 32])
{
    struct json_digits x = json_digits_of(d);
    int e = x.point - 1;
    size_t sign = 0;
    bool exponent;

    if (signbit(d))
        out[sign++] = '-';
    if (format == JSON_NUMBER_YAML)
        exponent = e < -4 || e >= 6;
    else
        exponent = d != 0 && (fabs(d) < 1e-6 || fabs(d) >= 1e21);
    return sign + (exponent ? put_exponent(x, format, out + sign) : put_plain(x, out + sign));
}

bool json_double_is_i64(double d, int64_t *ret)
{
    /* 2^63 itself is a double and does not fit. */
    if (!(d >= -0x1p63 && d < 0x1p63) || d != (double)(int64_t)d)
        return false;
    *ret = (int64_t)d;
    return true;
}
