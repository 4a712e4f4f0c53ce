/* Inside src/json: the allocator given to yyjson, so that building and copying documents cannot fail. */
#ifndef JSON_ALC_H
#define JSON_ALC_H

#include <yyjson.h>

extern const yyjson_alc json_alc;

#endif
