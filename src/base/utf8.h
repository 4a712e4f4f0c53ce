/* UTF-8 as Unicode and Go define it: no surrogates, no overlong forms, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/str.h"

/* Decodes the character at the front of s. Returns its length in bytes (1 to 4) and sets *ret_c; 0 when s is empty or
 * does not begin with a valid character (*ret_c is U+FFFD then; a reader that goes on skips one byte, as Go does). */
size_t utf8_decode(struct str s, uint32_t *ret_c);
/* Writes c (a valid code point; anything else becomes U+FFFD) and returns the number of bytes. */
size_t utf8_encode(uint32_t c, char out[static 4]);
bool utf8_valid(struct str s);

#endif
