/* Inside src/json: the shortest decimal form of a double and the number model shared by comparison and output. */
#ifndef JSON_NUMBER_H
#define JSON_NUMBER_H

#include "base/str.h"

/* |d| == 0.DDDD * 10^point, with the fewest digits that read back as d; no leading or trailing zeros ("0" for zero). */
struct json_digits {
    char d[18];
    int n;
    int point;
};
/* d must be finite. */
struct json_digits json_digits_of(double d);

enum json_number_format {
    JSON_NUMBER_JSON, /* Go's encoding/json: exponent below 1e-6 and from 1e21, not padded: 1e-7 */
    JSON_NUMBER_YAML, /* Go's %g: exponent below 1e-4 and from 1e6, two digits: 1e-05 */
};
/* Writes at most 31 bytes and a NUL; returns the length. d must be finite. */
size_t json_format_double(double d, enum json_number_format format, char out[static 32]);

/* true when d is a whole number in the range of int64_t. */
bool json_double_is_i64(double d, int64_t *ret);

#endif
