/* UTF-8 decoding and encoding; no state, nothing owned. */
#include "base/utf8.h"

#define REPLACEMENT 0xfffdu

size_t utf8_decode(struct str s, uint32_t *ret_c)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char lead;
    uint32_t c;
    size_t n;

    *ret_c = REPLACEMENT;
    if (s.n == 0)
        return 0;
    lead = (unsigned char)s.p[0];
    if (lead < 0x80) {
        *ret_c = lead;
        return 1;
    }
    n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || s.n < n)
        return 0;
    c = lead & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        unsigned char next = (unsigned char)s.p[i];

        if ((next & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (next & 0x3f);
    }
    if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *ret_c = c;
    return n;
}

size_t utf8_encode(uint32_t c, char out[static 4])
{
    size_t n;

    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = REPLACEMENT;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> n) | c);
    return n;
}

bool utf8_valid(struct str s)
{
    uint32_t c;

    while (s.n) {
        size_t n = utf8_decode(s, &c);

        if (n == 0)
            return false;
        s = str_n(s.p + n, s.n - n);
    }
    return true;
}
