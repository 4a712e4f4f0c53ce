/* Inside src/json: what a YAML 1.1 reader of the go-yaml family takes a plain scalar for. */
#ifndef JSON_YAML_SCALAR_H
#define JSON_YAML_SCALAR_H

#include "base/str.h"

enum yaml_kind {
    YAML_KIND_STRING,
    YAML_KIND_NULL, /* "", ~, null */
    YAML_KIND_BOOL, /* y, yes, on, true, ... */
    YAML_KIND_INT,
    YAML_KIND_UINT,      /* beyond int64 */
    YAML_KIND_FLOAT,     /* may be infinite or no number: .inf, .nan */
    YAML_KIND_TIMESTAMP, /* becomes a string when read, must be quoted when written */
    YAML_KIND_MERGE,     /* << */
};

struct yaml_scalar {
    enum yaml_kind kind;
    bool b;
    int64_t i;
    uint64_t u;
    double d;
};

/* Resolves an unquoted scalar. Total: whatever is nothing else is a string. */
struct yaml_scalar yaml_resolve(struct str text);
/* true when an unquoted scalar reads as this string in every YAML 1.1 reader, base 60 numbers included. */
bool yaml_plain_is_string(struct str text);

#endif
