/*
 * Structural equality and an order-independent hash, in Go's number model: a whole number in the range of int64 is an
 * integer however it was written, everything else is a float64.
 *
 * Recursion is bounded by JSON_MAX_DEPTH, which every document was checked against. Objects are compared in time
 * n log n: a document from outside must not make us compare each key with each.
 */
#include "json/json.h"

#include <stdlib.h>

#include "json/number.h"
#include "json/walk.h"

static int by_key_and_index(const void *a, const void *b)
{
    const struct json_member *x = a, *y = b;
    int r = str_cmp(x->key, y->key);

    if (r)
        return r;
    return x->index < y->index ? -1 : x->index > y->index;
}

struct json_member *json_members(struct json_node obj, size_t *ret_n)
{
    size_t n = json_node_type(obj) == YYJSON_TYPE_OBJ ? json_node_count(obj) : 0, used = 0;
    struct json_member *v = mem_alloc(n * sizeof(*v));
    struct json_node k = { 0 };
    bool sorted = true;

    for (size_t i = 0; i < n; i++) {
        k = i == 0 ? json_node_first(obj) : json_node_next(v[i - 1].val);
        v[i] = (struct json_member){ json_node_str(k), json_node_next(k), i };
        sorted = sorted && (i == 0 || str_cmp(v[i - 1].key, v[i].key) < 0);
    }
    if (!sorted)
        qsort(v, n, sizeof(*v), by_key_and_index);
    for (size_t i = 0; i < n; i++)
        if (i + 1 == n || !str_eq(v[i].key, v[i + 1].key))
            v[used++] = v[i];
    *ret_n = used;
    return v;
}

/* A number as an integer (true) or a double. */
static bool number_of(struct json_node n, int64_t *ret_i, double *ret_d)
{
    void *v = (void *)n.val;

    *ret_i = 0;
    if (unsafe_yyjson_is_sint(v) || (unsafe_yyjson_is_uint(v) && unsafe_yyjson_get_uint(v) <= INT64_MAX)) {
        *ret_i = unsafe_yyjson_get_sint(v);
        *ret_d = 0;
        return true;
    }
    *ret_d = unsafe_yyjson_is_uint(v) ? (double)unsafe_yyjson_get_uint(v) : unsafe_yyjson_get_real(v);
    return json_double_is_i64(*ret_d, ret_i);
}

static bool numbers_equal(struct json_node a, struct json_node b)
{
    int64_t i, j;
    double d, e;
    bool a_int = number_of(a, &i, &d), b_int = number_of(b, &j, &e);

    if (a_int != b_int)
        return false;
    return a_int ? i == j : d == e;
}

static bool arrays_equal(struct json_node a, struct json_node b)
{
    size_t n = json_node_count(a);

    if (n != json_node_count(b))
        return false;
    for (size_t i = 0; i < n; i++) {
        a = i == 0 ? json_node_first(a) : json_node_next(a);
        b = i == 0 ? json_node_first(b) : json_node_next(b);
        if (!json_node_equal(a, b))
            return false;
    }
    return true;
}

/* Sorting is avoided where both write their keys in the same order, the common case. */
static bool same_key_order(struct json_node a, struct json_node b)
{
    size_t n = json_node_count(a);

    if (n != json_node_count(b))
        return false;
    for (size_t i = 0; i < n; i++) {
        a = i == 0 ? json_node_first(a) : json_node_next(json_node_next(a));
        b = i == 0 ? json_node_first(b) : json_node_next(json_node_next(b));
        if (!str_eq(json_node_str(a), json_node_str(b)))
            return false;
    }
    return true;
}

static bool objects_equal_sorted(struct json_node a, struct json_node b)
{
    size_t n, m;
    _cleanup_free_ struct json_member *x = json_members(a, &n);
    _cleanup_free_ struct json_member *y = json_members(b, &m);

    if (n != m)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!str_eq(x[i].key, y[i].key))
            return false;
    for (size_t i = 0; i < n; i++)
        if (!json_node_equal(x[i].val, y[i].val))
            return false;
    return true;
}

/* For each member whether it counts, that is, no later one has its key. Owned. */
static bool *effective_members(struct json_node obj)
{
    size_t n;
    _cleanup_free_ struct json_member *m = json_members(obj, &n);
    bool *effective = mem_array(json_node_count(obj), sizeof(*effective));

    for (size_t i = 0; i < n; i++)
        effective[m[i].index] = true;
    return effective;
}

/* Each pair of values is compared once only: comparing again after a failure would double the time with every level. */
static bool objects_equal(struct json_node a, struct json_node b)
{
    _cleanup_free_ bool *effective = NULL;
    size_t n = json_node_count(a);
    struct json_node x = a, y = b;

    if (!same_key_order(a, b))
        return objects_equal_sorted(a, b);
    for (size_t i = 0; i < n; i++) {
        x = json_node_next(i == 0 ? json_node_first(a) : json_node_next(x));
        y = json_node_next(i == 0 ? json_node_first(b) : json_node_next(y));
        if (json_node_equal(x, y))
            continue;
        if (!effective)
            effective = effective_members(a);
        if (effective[i])
            return false;
    }
    return true;
}

bool json_node_equal(struct json_node a, struct json_node b)
{
    yyjson_type type = json_node_type(a);

    if (type != json_node_type(b))
        return false;
    switch (type) {
    case YYJSON_TYPE_BOOL: return unsafe_yyjson_get_bool((void *)a.val) == unsafe_yyjson_get_bool((void *)b.val);
    case YYJSON_TYPE_NUM: return numbers_equal(a, b);
    case YYJSON_TYPE_STR: return str_eq(json_node_str(a), json_node_str(b));
    case YYJSON_TYPE_ARR: return arrays_equal(a, b);
    case YYJSON_TYPE_OBJ: return objects_equal(a, b);
    default: /* null, or both absent */ return true;
    }
}

bool json_equal(yyjson_val *a, yyjson_val *b)
{
    return json_node_equal(json_node_of(a), json_node_of(b));
}

bool json_mut_equal(const yyjson_mut_val *a, yyjson_val *b)
{
    return json_node_equal(json_node_of_mut(a), json_node_of(b));
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t pair[2] = { a, b };

    return str_hash(str_n((const char *)pair, sizeof(pair)));
}

static uint64_t hash_object(yyjson_val *v)
{
    size_t n;
    _cleanup_free_ struct json_member *m = json_members(json_node_of(v), &n);
    uint64_t h = YYJSON_TYPE_OBJ;

    for (size_t i = 0; i < n; i++)
        h = mix(mix(h, str_hash(m[i].key)), json_hash((yyjson_val *)m[i].val.val));
    return h;
}

static uint64_t hash_number(yyjson_val *v)
{
    int64_t i;
    double d;
    uint64_t bits;

    if (number_of(json_node_of(v), &i, &d))
        return mix(YYJSON_TYPE_NUM, (uint64_t)i);
    memcpy(&bits, &d, sizeof(bits));
    return mix(YYJSON_TYPE_NUM + 100, bits);
}

uint64_t json_hash(yyjson_val *v)
{
    uint64_t h = yyjson_get_type(v);
    yyjson_val *item;
    size_t i, n;

    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_NONE: return 0;
    case YYJSON_TYPE_BOOL: return mix(h, yyjson_get_bool(v));
    case YYJSON_TYPE_NUM: return hash_number(v);
    case YYJSON_TYPE_STR: return mix(h, str_hash(json_str(v)));
    case YYJSON_TYPE_ARR: yyjson_arr_foreach(v, i, n, item) h = mix(h, json_hash(item)); return h;
    case YYJSON_TYPE_OBJ: return hash_object(v);
    default: return mix(h, h);
    }
}
