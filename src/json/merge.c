/*
 * JSON merge patch, RFC 7386: applying and making. Members are matched through sorted lists, so the time is n log n in
 * the size of both sides; the recursion follows the patch, whose depth is bounded.
 */
#include "json/patch.h"

#include <stdlib.h>

#include "json/walk.h"

/* Gives `target` the content of v and leaves it where it is linked. v must not be used afterwards. */
static void overwrite(yyjson_mut_val *target, const yyjson_mut_val *v)
{
    target->tag = v->tag;
    target->uni = v->uni;
}

static int by_key(const void *key, const void *member)
{
    return str_cmp(*(const struct str *)key, ((const struct json_member *)member)->key);
}

static const struct json_member *lookup(const struct json_member *v, size_t n, struct str key)
{
    return bsearch(&key, v, n, sizeof(*v), by_key);
}

/* What the patch says about members that the target has; notes in `seen` which those are. */
static void merge_existing(yyjson_mut_doc *doc, yyjson_mut_val *target, const struct json_member *m, size_t n,
                           bool *seen)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(target);
    yyjson_mut_val *k;

    while ((k = yyjson_mut_obj_iter_next(&it))) {
        const struct json_member *found = lookup(m, n, json_mut_str(k));

        if (!found)
            continue;
        seen[found - m] = true;
        if (json_node_type(found->val) == YYJSON_TYPE_NULL)
            yyjson_mut_obj_iter_remove(&it);
        else
            json_merge_apply(doc, yyjson_mut_obj_iter_get_val(k), (yyjson_val *)found->val.val);
    }
}

void json_merge_apply(yyjson_mut_doc *doc, yyjson_mut_val *target, yyjson_val *patch)
{
    _cleanup_free_ struct json_member *m = NULL;
    _cleanup_free_ bool *seen = NULL;
    size_t n;

    if (!yyjson_is_obj(patch)) {
        overwrite(target, json_mut_copy(doc, patch));
        return;
    }
    if (!yyjson_mut_is_obj(target))
        overwrite(target, yyjson_mut_obj(doc));
    m = json_members(json_node_of(patch), &n);
    seen = mem_array(n, sizeof(*seen));
    merge_existing(doc, target, m, n, seen);
    for (size_t i = 0; i < n; i++) {
        yyjson_mut_val *v;

        if (seen[i] || json_node_type(m[i].val) == YYJSON_TYPE_NULL)
            continue;
        /* Merged rather than copied, because nulls inside a new object mean nothing and must not appear. */
        v = yyjson_mut_null(doc);
        json_merge_apply(doc, v, (yyjson_val *)m[i].val.val);
        yyjson_mut_obj_add(target, json_mut_new_str(doc, m[i].key), v);
    }
}

/* Adds to `patch` what turns the member's value `old` (NULL: absent) into `new` (the same). */
static void diff_member(yyjson_mut_doc *doc, yyjson_mut_val *patch, struct str key, yyjson_val *old, yyjson_val *now)
{
    yyjson_mut_val *v;

    if (!now) {
        v = yyjson_mut_null(doc);
    } else if (yyjson_is_obj(old) && yyjson_is_obj(now)) {
        v = json_merge_diff(doc, old, now);
        if (yyjson_mut_obj_size(v) == 0)
            return;
    } else {
        if (json_equal(old, now))
            return;
        v = json_mut_copy(doc, now);
    }
    yyjson_mut_obj_add(patch, json_mut_new_str(doc, key), v);
}

yyjson_mut_val *json_merge_diff(yyjson_mut_doc *doc, yyjson_val *from, yyjson_val *to)
{
    yyjson_mut_val *patch = yyjson_mut_obj(doc);
    size_t n, m, i = 0, j = 0;
    _cleanup_free_ struct json_member *x = json_members(json_node_of(from), &n);
    _cleanup_free_ struct json_member *y = json_members(json_node_of(to), &m);

    while (i < n || j < m) {
        int order = i == n ? 1 : j == m ? -1 : str_cmp(x[i].key, y[j].key);

        diff_member(doc, patch, order <= 0 ? x[i].key : y[j].key, order <= 0 ? (yyjson_val *)x[i].val.val : NULL,
                    order >= 0 ? (yyjson_val *)y[j].val.val : NULL);
        i += order <= 0;
        j += order >= 0;
    }
    return patch;
}
