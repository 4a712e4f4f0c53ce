/*
 * JSON patch as KubeFed's users know it (controllers.md 5.7: evanphx/json-patch 4.12, not RFC 6902 to the letter),
 * JSON merge patch (RFC 7386), and making merge patches.
 */
#ifndef JSON_PATCH_H
#define JSON_PATCH_H

#include "json/json.h"

struct json_patch_op {
    struct str op;     /* "add", "remove", "replace", "test"; empty means replace */
    struct str path;   /* JSON pointer with the leniencies of 5.7 */
    yyjson_val *value; /* NULL: null */
    bool has_value;    /* the op carried a value (null or not) */
};

/* Applies one operation to doc's root in place. Every row of the table in 5.7; path "" with replace and an object
 * replaces the root (json_patch does not check kind: the caller does), a scalar is ignored, no value is an error.
 * Returns 0 or -EINVAL with a message that names the path; on error doc may be partly changed: discard it. */
int json_patch_apply(yyjson_mut_doc *doc, const struct json_patch_op *op, struct error **err);

/* RFC 7386 on a mutable target; null members delete. */
void json_merge_apply(yyjson_mut_doc *doc, yyjson_mut_val *target, yyjson_val *patch);

/* The smallest RFC 7386 patch that turns `from` into `to` (both objects; NULL counts as {}): appended to doc, {} when
 * equal. */
yyjson_mut_val *json_merge_diff(yyjson_mut_doc *doc, yyjson_val *from, yyjson_val *to);

#endif
