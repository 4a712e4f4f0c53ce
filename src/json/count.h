/* How much a JSON text would cost, before anything is made of it. */
#ifndef JSON_COUNT_H
#define JSON_COUNT_H

#include "base/str.h"

/* How many values (keys counted too) json_parse would make of this text, in one pass and without memory: a parsed value takes 16
 * bytes, and two bytes of text can be one. Exact when the text is valid; when it is not, never less than what is made before the
 * error is found. */
size_t json_count_values(struct str text);

#endif
