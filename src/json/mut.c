/*
 * Changing mutable documents. Everything lives in the document's pool until the document is freed. A value belongs to
 * one container at most: yyjson links siblings through the value itself.
 */
#include "json/json.h"

#include "base/utf8.h"

/* Go replaces invalid UTF-8 when it writes JSON; doing it on the way in keeps every document writable. */
yyjson_mut_val *json_mut_new_str(yyjson_mut_doc *doc, struct str s)
{
    _cleanup_buf_ struct buf b = BUF_INIT(SIZE_MAX);
    uint32_t c;

    if (utf8_valid(s))
        return yyjson_mut_strncpy(doc, s.n ? s.p : "", s.n);
    while (s.n) {
        size_t n = utf8_decode(s, &c);

        if (n)
            buf_add(&b, s.p, n);
        else
            buf_addz(&b, "\xef\xbf\xbd");
        n = MAX(n, (size_t)1);
        s = str_n(s.p + n, s.n - n);
    }
    return yyjson_mut_strncpy(doc, b.p, b.n);
}

void json_mut_setn(yyjson_mut_doc *doc, yyjson_mut_val *obj, struct str key, yyjson_mut_val *v)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(obj);
    yyjson_mut_val *k, *old;
    bool placed = false;

    assert(yyjson_mut_is_obj(obj) && v);
    while ((k = yyjson_mut_obj_iter_next(&it))) {
        if (!str_eq(json_mut_str(k), key))
            continue;
        if (placed) {
            yyjson_mut_obj_iter_remove(&it);
            continue;
        }
        old = k->next;
        if (old != v) {
            v->next = old->next;
            k->next = v;
        }
        placed = true;
    }
    if (!placed)
        yyjson_mut_obj_add(obj, json_mut_new_str(doc, key), v);
}

void json_mut_set(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, yyjson_mut_val *v)
{
    json_mut_setn(doc, obj, str_of(key), v);
}

void json_mut_set_str(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, struct str s)
{
    json_mut_set(doc, obj, key, json_mut_new_str(doc, s));
}

void json_mut_set_i64(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, int64_t n)
{
    json_mut_set(doc, obj, key, yyjson_mut_sint(doc, n));
}

void json_mut_set_bool(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, bool b)
{
    json_mut_set(doc, obj, key, yyjson_mut_bool(doc, b));
}

void json_mut_remove(yyjson_mut_val *obj, struct str key)
{
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(obj);
    yyjson_mut_val *k;

    while ((k = yyjson_mut_obj_iter_next(&it)))
        if (str_eq(json_mut_str(k), key))
            yyjson_mut_obj_iter_remove(&it);
}

yyjson_mut_val *json_mut_ensure_obj(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *dotted)
{
    struct str rest = str_of(dotted), name;
    yyjson_mut_val *obj = root;
    bool more = true;

    while (more) {
        _cleanup_free_ char *key = NULL;
        yyjson_mut_val *child;

        if (!yyjson_mut_is_obj(obj))
            return NULL;
        more = str_cut(rest, '.', &name, &rest);
        key = str_dup(name);
        child = json_mut_get(obj, key);
        if (!child || yyjson_mut_is_null(child)) {
            child = yyjson_mut_obj(doc);
            json_mut_setn(doc, obj, name, child);
        }
        obj = child;
    }
    return yyjson_mut_is_obj(obj) ? obj : NULL;
}
