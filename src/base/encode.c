/*
 * Base64 and hex. Decoding accepts what Go's base64.StdEncoding accepts and reports the offset that Go's
 * "illegal base64 data at input byte N" names, because that text reaches users.
 */
#include "base/encode.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(struct buf *out, struct str in)
{
    const unsigned char *p = (const unsigned char *)in.p;
    size_t groups = in.n / 3 + (in.n % 3 != 0);
    int r;

    if (groups > SIZE_MAX / 4 - 1) {
        out->failed = true;
        return -EFBIG;
    }
    r = buf_reserve(out, groups * 4);
    if (r < 0)
        return r;
    for (size_t i = 0; i < in.n; i += 3) {
        size_t left = in.n - i;
        unsigned v = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        char quad[4] = {
            alphabet[v >> 18],
            alphabet[v >> 12 & 63],
            left > 1 ? alphabet[v >> 6 & 63] : '=',
            left > 2 ? alphabet[v & 63] : '=',
        };

        buf_add(out, quad, sizeof(quad));
    }
    return 0;
}

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t skip_newlines(struct str in, size_t i)
{
    while (i < in.n && (in.p[i] == '\n' || in.p[i] == '\r'))
        i++;
    return i;
}

/* Checks what follows the first '=' (at `at`) of a group with `have` digits: one more '=' after two digits, and then
 * nothing but line ends. */
static int check_padding(struct str in, size_t at, int have, size_t *bad)
{
    size_t i = at + 1;

    *bad = at;
    if (have < 2)
        return -EINVAL;
    if (have == 2) {
        i = skip_newlines(in, i);
        *bad = i == in.n ? in.n : i - 1;
        if (i == in.n || in.p[i] != '=')
            return -EINVAL;
        i++;
    }
    i = skip_newlines(in, i);
    *bad = i;
    return i == in.n ? 0 : -EINVAL;
}

/* Decodes into `tmp`; *bad is set on error only. */
static int decode(struct buf *tmp, struct str in, size_t *bad)
{
    unsigned v = 0;
    int have = 0;

    for (size_t i = skip_newlines(in, 0); i < in.n; i = skip_newlines(in, i + 1)) {
        int d = digit_value(in.p[i]);
        char bytes[3];

        if (in.p[i] == '=') {
            if (check_padding(in, i, have, bad) < 0)
                return -EINVAL;
            v <<= 6 * (4 - have);
            bytes[0] = (char)(v >> 16);
            bytes[1] = (char)(v >> 8);
            return buf_add(tmp, bytes, (size_t)have - 1);
        }
        if (d < 0) {
            *bad = i;
            return -EINVAL;
        }
        v = v << 6 | (unsigned)d;
        if (++have < 4)
            continue;
        bytes[0] = (char)(v >> 16);
        bytes[1] = (char)(v >> 8);
        bytes[2] = (char)v;
        if (buf_add(tmp, bytes, sizeof(bytes)) < 0)
            return -EFBIG;
        v = 0;
        have = 0;
    }
    *bad = in.n - (size_t)have;
    return have == 0 ? 0 : -EINVAL;
}

int base64_decode(struct buf *out, struct str in, size_t *ret_bad_offset)
{
    _cleanup_buf_ struct buf tmp = { .max = SIZE_MAX, .secret = out->secret };
    size_t bad = 0;
    int r = buf_reserve(&tmp, in.n / 4 * 3 + 3);

    if (r == 0)
        r = decode(&tmp, in, &bad);
    if (r == 0)
        r = buf_adds(out, buf_str(&tmp));
    if (r == -EINVAL && ret_bad_offset)
        *ret_bad_offset = bad;
    return r;
}

void hex_encode(const unsigned char *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
}
