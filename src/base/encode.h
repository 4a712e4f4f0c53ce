/* Base64 (standard, padded), hex. */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include "base/buf.h"

int base64_encode(struct buf *out, struct str in);
/* Standard alphabet, padding required, CR and LF ignored (as Go's decoder). On error -EINVAL, and *ret_bad_offset
 * (may be NULL) is the offset that Go's error message names; out is unchanged. */
int base64_decode(struct buf *out, struct str in, size_t *ret_bad_offset);
void hex_encode(const unsigned char *p, size_t n, char *out); /* 2n bytes and a NUL, lower case */

#endif
