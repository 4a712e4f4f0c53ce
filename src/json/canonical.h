/*
 * Serialisation byte for byte like Go's encoding/json with HTML escaping and sorted keys: the input of KubeFed's
 * version hashes (controllers.md 5.9). Without the trailing newline that the hash adds.
 */
#ifndef JSON_CANONICAL_H
#define JSON_CANONICAL_H

#include "json/json.h"

enum json_canonical_flags {
    JSON_CANON_FLOAT64 = 1, /* all numbers pass through float64 (override values) */
};
/* Keys sorted bytewise, last duplicate wins. 0 or -EFBIG. */
int json_canonical(struct buf *out, yyjson_val *v, unsigned flags);
/* One quoted string with Go's escapes (<, >, &, U+2028, U+2029 escaped; invalid UTF-8 becomes \ufffd). */
int json_canonical_str(struct buf *out, struct str s);
/* Go's float64 format: shortest round trip, exponent below 1e-6 and from 1e21. */
int json_canonical_double(struct buf *out, double d);

#endif
