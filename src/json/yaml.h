/*
 * YAML in and out as sigs.k8s.io/yaml does it: YAML 1.1 scalars on input (y, yes, on, ~, octal, ...), JSON values
 * inside, sorted keys on output. On libyaml.
 */
#ifndef JSON_YAML_H
#define JSON_YAML_H

#include "json/json.h"

/* Files that people write; each level costs the parser of YAML more than the last. */
#define YAML_MAX_DEPTH 512

/* First document of the text as JSON; an empty text or comment-only document gives null. Aliases and merge keys are
 * expanded up to a bound (64 MiB, 1 M nodes: no "billion laughs"); nesting is bounded by YAML_MAX_DEPTH. A key that
 * appears twice is an error; keys of other types become strings; whole floats become integers; infinities are errors.
 * A JSON object is accepted too and then read by json_parse's rules. *ret is owned. On error -EINVAL; the message names
 * line and column and no value. */
int yaml_parse(struct str text, yyjson_doc **ret, struct error **err);

/* All documents in order; empty ones are skipped. *ret is owned (yaml_docs_free). */
int yaml_parse_all(struct str text, yyjson_doc ***ret, size_t *ret_n, struct error **err);
void yaml_docs_free(yyjson_doc **docs, size_t n);

/* Appends one document without "---": mapping keys in byte order, two-space indentation, list items not indented below
 * their key, strings quoted only when YAML 1.1 would read them otherwise (api-and-cli.md 3.1), multi-line strings as
 * literal blocks, ends with a newline. */
int yaml_write(struct buf *out, yyjson_val *v);

#endif
