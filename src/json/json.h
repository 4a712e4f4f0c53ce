/*
 * JSON on yyjson: every folder above may use yyjson's own accessors; this header adds what they lack.
 *
 * Reading is strict, bounded and like Go: depth at most JSON_MAX_DEPTH, duplicate keys: the last one wins (json_get),
 * invalid UTF-8 is an error, integers that fit int64/uint64 stay exact, larger integers and floats are doubles
 * (Go's unstructured model: controllers.md 2.8).
 */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include <yyjson.h>

#include "base/buf.h"
#include "base/error.h"

/* As deep as an API server takes: an object that it stores must never be unreadable here. */
#define JSON_MAX_DEPTH 10000

static inline void json_doc_free(yyjson_doc *d)
{
    yyjson_doc_free(d);
}
static inline void json_mut_free(yyjson_mut_doc *d)
{
    yyjson_mut_doc_free(d);
}
DEFINE_CLEANUP(yyjson_doc *, json_doc_free)
DEFINE_CLEANUP(yyjson_mut_doc *, json_mut_free)
#define _cleanup_json_ _cleanup_(json_doc_freep)
#define _cleanup_json_mut_ _cleanup_(json_mut_freep)

/* Parses a whole document. On error -EINVAL with position and cause. The input is copied as needed. */
int json_parse(struct str text, yyjson_doc **ret, struct error **err);
/* The same for a text that holds secrets: all memory of the document is cleared when it is freed, also when it cannot be parsed. */
int json_parse_secret(struct str text, yyjson_doc **ret, struct error **err);
/* A mutable deep copy in `doc` / as a new document (never NULL). */
yyjson_mut_val *json_mut_copy(yyjson_mut_doc *doc, yyjson_val *v);
yyjson_mut_doc *json_mut_doc_of(yyjson_val *v); /* v may be NULL: a document with root {} */
yyjson_mut_doc *json_mut_doc_new(void);         /* root {} */
/* An immutable document equal to the mutable one. */
yyjson_doc *json_freeze(const yyjson_mut_doc *doc);
yyjson_doc *json_freeze_val(const yyjson_mut_val *v);

/* Compact output appended to out. -EFBIG when the buffer's maximum is passed. */
int json_write(struct buf *out, const yyjson_val *v);
int json_mut_write(struct buf *out, const yyjson_mut_val *v);
/* Two-space indented, keys in document order. */
int json_write_pretty(struct buf *out, const yyjson_val *v);

/* Object member by key; with duplicates the last one. NULL when obj is NULL, not an object, or lacks the key. */
yyjson_val *json_get(yyjson_val *obj, const char *key);
yyjson_val *json_getn(yyjson_val *obj, struct str key);
/* Walk by '.'-separated member names (no escaping, no arrays): json_path(root, "metadata.labels"). */
yyjson_val *json_path(yyjson_val *root, const char *dotted);
/* Strings as slices into the document; STR_NULL when v is NULL or no string. */
struct str json_str(yyjson_val *v);
struct str json_path_str(yyjson_val *root, const char *dotted);
/* Integers: 0, -ENOENT (absent or null), -EINVAL (no integer, or a float). */
int json_i64(yyjson_val *v, int64_t *ret);
int64_t json_path_i64(yyjson_val *root, const char *dotted, int64_t fallback);
bool json_path_bool(yyjson_val *root, const char *dotted, bool fallback);

/* The same for mutable values. json_mut_ensure_obj creates missing objects on the way (and replaces null);
 * NULL when something on the way is of another type. */
yyjson_mut_val *json_mut_get(yyjson_mut_val *obj, const char *key);
yyjson_mut_val *json_mut_path(yyjson_mut_val *root, const char *dotted);
yyjson_mut_val *json_mut_ensure_obj(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *dotted);
struct str json_mut_str(const yyjson_mut_val *v);
/* Sets obj[key] = v (replaces every duplicate; keeps the position of an existing key). Key and string are copied, with
 * invalid UTF-8 replaced by U+FFFD. v must be of the same document and in no container: a value has one place only. */
void json_mut_set(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, yyjson_mut_val *v);
void json_mut_setn(yyjson_mut_doc *doc, yyjson_mut_val *obj, struct str key, yyjson_mut_val *v);
void json_mut_set_str(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, struct str s);
void json_mut_set_i64(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, int64_t n);
void json_mut_set_bool(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, bool b);
void json_mut_remove(yyjson_mut_val *obj, struct str key);           /* all duplicates; nothing when absent */
yyjson_mut_val *json_mut_new_str(yyjson_mut_doc *doc, struct str s); /* copied into doc */

/* Structural equality of decoded JSON: key order does not matter, duplicates: last wins, numbers compare by value (1
 * equals 1.0; integers beyond int64 compare as doubles). NULL equals only NULL (absent is not null). n log n. */
bool json_equal(yyjson_val *a, yyjson_val *b);
bool json_mut_equal(const yyjson_mut_val *a, yyjson_val *b);
/* Order-independent hash of a value: equal values (json_equal) have equal hashes. 0 for NULL. */
uint64_t json_hash(yyjson_val *v);

#endif
