/*
 * Label selectors. A parsed selector is a flat list of requirements that must all hold; matchLabels entries become In with
 * one value. Everything borrows from the selector's document.
 */
#include "fed/selector.h"

#include <stdlib.h>

#include "fed/violations.h"

#define NAME_MAX_LEN 63

enum op { OP_IN, OP_NOT_IN, OP_EXISTS, OP_DOES_NOT_EXIST };

struct requirement {
    struct str key;
    enum op op;
    struct str value;   /* of a matchLabels entry */
    yyjson_val *values; /* array of strings, or NULL: `value` is the only one */
};

struct fed_selector {
    struct requirement *v;
    size_t n, cap;
};

static const struct {
    const char *name;
    enum op op;
} ops[] = { { "In", OP_IN }, { "NotIn", OP_NOT_IN }, { "Exists", OP_EXISTS }, { "DoesNotExist", OP_DOES_NOT_EXIST } };

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_qualified_name(struct str s)
{
    if (s.n == 0 || s.n > NAME_MAX_LEN || !is_alnum(s.p[0]) || !is_alnum(s.p[s.n - 1]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
            return false;
    return true;
}

bool fed_label_key_is_valid(struct str key)
{
    struct str prefix, name;

    if (!str_cut(key, '/', &prefix, &name))
        return is_qualified_name(key);
    return str_is_dns1123_subdomain(prefix) && is_qualified_name(name);
}

bool fed_label_value_is_valid(struct str value)
{
    return str_empty(value) || is_qualified_name(value);
}

/* --- parsing --- */

static void check_key(struct violations *v, const char *path, struct str key)
{
    if (!fed_label_key_is_valid(key))
        violations_invalid(
            v, path, key,
            "a label key is an optional DNS subdomain and '/', then at most 63 letters, digits, '-', '_', "
            "'.', beginning and ending with a letter or digit");
}

static void check_value(struct violations *v, const char *path, struct str value)
{
    if (!fed_label_value_is_valid(value))
        violations_invalid(
            v, path, value,
            "a label value is empty or at most 63 letters, digits, '-', '_', '.', beginning and ending with a "
            "letter or digit");
}

static void add_requirement(struct fed_selector *s, struct requirement r)
{
    MEM_GROW(s->v, s->cap, s->n);
    s->v[s->n++] = r;
}

static void parse_match_labels(struct violations *v, yyjson_val *labels, struct fed_selector *s)
{
    yyjson_val *key, *value;
    size_t i, n;

    if (!labels || yyjson_is_null(labels))
        return;
    if (!yyjson_is_obj(labels)) {
        violations_add(v, "matchLabels", "Invalid value: must be an object");
        return;
    }
    yyjson_obj_foreach(labels, i, n, key, value)
    {
        if (!yyjson_is_str(value) && !yyjson_is_null(value)) {
            violations_add(v, "matchLabels", "Invalid value: the value of \"%.128s\" must be a string",
                           yyjson_get_str(key));
            continue;
        }
        check_key(v, "matchLabels", json_str(key));
        check_value(v, "matchLabels", json_str(value));
        add_requirement(s, (struct requirement){ .key = json_str(key), .op = OP_IN, .value = json_str(value) });
    }
}

static void check_values(struct violations *v, const char *where, enum op op, yyjson_val *values)
{
    char path[80];
    yyjson_val *item;
    size_t i, n;

    snprintf(path, sizeof(path), "%s.values", where);
    if (values && !yyjson_is_null(values) && !yyjson_is_arr(values)) {
        violations_add(v, path, "Invalid value: must be a list");
        return;
    }
    if (op == OP_IN || op == OP_NOT_IN) {
        if (yyjson_arr_size(values) == 0)
            violations_add(v, path, "Required value: must be specified when `operator` is 'In' or 'NotIn'");
    } else if (yyjson_arr_size(values) > 0) {
        violations_add(v, path, "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    }
    yyjson_arr_foreach(values, i, n, item)
    {
        if (yyjson_is_str(item))
            check_value(v, path, json_str(item));
        else
            violations_add(v, path, "Invalid value: must be strings");
    }
}

static void parse_expression(struct violations *v, size_t index, yyjson_val *e, struct fed_selector *s)
{
    struct requirement r = { 0 };
    struct str op;
    char where[48], path[64];
    bool known = false;

    snprintf(where, sizeof(where), "matchExpressions[%zu]", index);
    if (!yyjson_is_obj(e)) {
        violations_add(v, where, "Invalid value: must be an object");
        return;
    }
    snprintf(path, sizeof(path), "%s.key", where);
    r.key = violations_str(v, e, "key", path);
    check_key(v, path, r.key);
    snprintf(path, sizeof(path), "%s.operator", where);
    op = violations_str(v, e, "operator", path);
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
        if (str_eqc(op, ops[i].name)) {
            r.op = ops[i].op;
            known = true;
        }
    if (!known) {
        violations_invalid(v, path, op, "not a valid selector operator");
        return;
    }
    r.values = json_get(e, "values");
    check_values(v, where, r.op, r.values);
    add_requirement(s, r);
}

int fed_selector_parse(yyjson_val *val, struct fed_selector **ret, struct error **err)
{
    _cleanup_(fed_selector_freep) struct fed_selector *s = mem_zalloc(sizeof(*s));
    _cleanup_violations_ struct violations v = VIOLATIONS_INIT;
    yyjson_val *expressions = json_get(val, "matchExpressions"), *e;
    size_t i, n;
    int r;

    if (val && !yyjson_is_null(val) && !yyjson_is_obj(val))
        return error_set(err, -EINVAL, "a label selector must be an object");
    parse_match_labels(&v, json_get(val, "matchLabels"), s);
    if (expressions && !yyjson_is_null(expressions) && !yyjson_is_arr(expressions))
        violations_add(&v, "matchExpressions", "Invalid value: must be a list");
    if (yyjson_is_arr(expressions)) {
        yyjson_arr_foreach(expressions, i, n, e)
        {
            parse_expression(&v, i, e, s);
        }
    }
    r = violations_error(&v, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

void fed_selector_free(struct fed_selector *s)
{
    if (!s)
        return;
    free(s->v);
    free(s);
}

/* --- matching --- */

bool fed_selector_is_everything(const struct fed_selector *s)
{
    return s->n == 0;
}

static bool among(const struct requirement *r, struct str value)
{
    yyjson_val *item;
    size_t i, n;

    if (!r->values)
        return str_eq(r->value, value);
    yyjson_arr_foreach(r->values, i, n, item) if (str_eq(json_str(item), value)) return true;
    return false;
}

static bool holds(const struct requirement *r, yyjson_val *labels)
{
    yyjson_val *v = json_getn(labels, r->key);
    bool present = yyjson_is_str(v);

    switch (r->op) {
    case OP_IN: return present && among(r, json_str(v));
    case OP_NOT_IN: return !present || !among(r, json_str(v));
    case OP_EXISTS: return present;
    case OP_DOES_NOT_EXIST: return !present;
    }
    return false;
}

bool fed_selector_matches(const struct fed_selector *s, yyjson_val *labels)
{
    for (size_t i = 0; i < s->n; i++)
        if (!holds(&s->v[i], labels))
            return false;
    return true;
}
