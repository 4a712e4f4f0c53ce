/*
 * Streaming splitter for large API lists: takes the bytes of a JSON object as they arrive and hands out each element
 * of its "items" array as one slice, and every other member ("metadata", "kind", ...) likewise, so that a list of any
 * length needs the memory of its largest item. It checks brackets and strings, not the grammar inside a value: whoever
 * parses the slice does.
 */
#ifndef JSON_SPLIT_H
#define JSON_SPLIT_H

#include "base/buf.h"
#include "base/error.h"

struct json_split_handler {
    /* One element of items: complete JSON text, valid during the call. Non-zero stops and is returned by _feed. */
    int (*item)(void *arg, struct str json);
    /* Another top-level member: its name as written between the quotes (escapes are not resolved) and its JSON text;
     * both valid during the call. An "items" that is no array comes here. May be NULL, as may `item`. */
    int (*member)(void *arg, struct str name, struct str json);
};

struct json_split;
/* max_value: largest item or member accepted, in bytes (-EFBIG beyond). */
struct json_split *json_split_new(const struct json_split_handler *handler, void *arg, size_t max_value);
void json_split_free(struct json_split *s);
/* 0, -EINVAL (not one JSON object, unbalanced, deeper than JSON_MAX_DEPTH), -EFBIG, or what a handler returned (*err is
 * not set then). After a failure every call fails with the same code. */
int json_split_feed(struct json_split *s, struct str bytes, struct error **err);
/* At the end of input: 0 when the object was complete, else -EINVAL. */
int json_split_end(struct json_split *s, struct error **err);

#endif
