/*
 * YAML to JSON: libyaml's events build a yyjson document, which is frozen at the end.
 *
 * Bounds: nesting at most YAML_MAX_DEPTH; what aliases and merge keys copy is measured before it is copied and limited
 * in nodes and bytes for the whole text. Scalars are resolved in yaml_scalar.c. No message repeats a value of the text:
 * it may be a secret.
 */
#include "json/yaml.h"

#include <math.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/encode.h"
#include "base/map.h"
#include "json/number.h"
#include "json/walk.h"
#include "json/yaml_scalar.h"

#define EXPANDED_NODES_MAX ((size_t)1000000)
#define EXPANDED_BYTES_MAX ((size_t)64 << 20)
#define TAG_PREFIX "tag:yaml.org,2002:"

/* A container that is being read. */
struct frame {
    yyjson_mut_val *ctn;
    /* Mappings only: */
    yyjson_mut_val *key;      /* waiting for its value */
    bool merge;               /* the value to come belongs to "<<" */
    struct map keys;          /* those present; the values mean nothing */
    yyjson_mut_val **sources; /* of "<<", in order */
    size_t n_sources, cap_sources;
};

struct reader {
    yaml_parser_t parser;
    yyjson_mut_doc *doc;
    yyjson_mut_val *root;
    struct frame *stack;
    size_t depth, cap_stack;
    struct map anchors;            /* name to yyjson_mut_val, of the current document */
    size_t nodes_left, bytes_left; /* of the expansion bound */
};

static int fail(const yaml_mark_t *mark, const char *why, struct error **err)
{
    return error_set(err, -EINVAL, "invalid YAML at line %zu, column %zu: %s", mark->line + 1, mark->column + 1, why);
}

static void pop_frame(struct reader *r)
{
    struct frame *f = &r->stack[--r->depth];

    map_done(&f->keys);
    free(f->sources);
}

/* Ready for the next document. */
static void reader_reset(struct reader *r)
{
    while (r->depth)
        pop_frame(r);
    map_done(&r->anchors);
    json_mut_free(r->doc);
    r->doc = json_mut_doc_new();
    r->root = NULL;
}

static void reader_init(struct reader *r, struct str text)
{
    *r = (struct reader){ .nodes_left = EXPANDED_NODES_MAX, .bytes_left = EXPANDED_BYTES_MAX };
    if (!yaml_parser_initialize(&r->parser))
        abort(); /* out of memory */
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
}

static void reader_done(struct reader *r)
{
    while (r->depth)
        pop_frame(r);
    map_done(&r->anchors);
    json_mut_free(r->doc);
    free(r->stack);
    yaml_parser_delete(&r->parser);
}

static int next_event(struct reader *r, yaml_event_t *ev, struct error **err)
{
    const yaml_parser_t *p = &r->parser;

    if (yaml_parser_parse(&r->parser, ev))
        return 0;
    if (p->error == YAML_READER_ERROR)
        return error_set(err, -EINVAL, "invalid YAML at byte %zu: %s", p->problem_offset,
                         p->problem ? p->problem : "unreadable");
    return fail(&p->problem_mark, p->problem ? p->problem : "unreadable", err);
}

struct measure {
    size_t nodes, bytes, depth;
};

/* The size of a value; depth counts containers. Recursion is bounded, as depth was checked when v was built. */
static struct measure measure(const yyjson_mut_val *v)
{
    struct measure m = { .nodes = 1, .bytes = json_mut_str(v).n }, sub;
    struct json_node n = json_node_of_mut(v), child = n;
    bool object = json_node_type(n) == YYJSON_TYPE_OBJ;
    size_t count;

    if (!object && json_node_type(n) != YYJSON_TYPE_ARR)
        return m;
    count = json_node_count(n) * (object ? 2 : 1);
    for (size_t i = 0; i < count; i++) {
        child = i == 0 ? json_node_first(n) : json_node_next(child);
        sub = measure(child.val);
        m.nodes += sub.nodes;
        m.bytes += sub.bytes;
        m.depth = MAX(m.depth, sub.depth);
    }
    m.depth++;
    return m;
}

/* Takes the size of v from what may still be expanded. */
static int charge(struct reader *r, const yyjson_mut_val *v, const yaml_mark_t *at, struct error **err)
{
    struct measure m = measure(v);

    if (m.nodes > r->nodes_left || m.bytes > r->bytes_left)
        return fail(at, "aliases expand to too much data", err);
    if (m.depth + r->depth > YAML_MAX_DEPTH)
        return fail(at, "nested too deep", err);
    r->nodes_left -= m.nodes;
    r->bytes_left -= m.bytes;
    return 0;
}

/* Adds to the mapping the members of a merged one that it does not have itself. */
static int merge_one(struct reader *r, struct frame *f, yyjson_mut_val *source, const yaml_mark_t *at,
                     struct error **err)
{
    yyjson_mut_obj_iter it;
    yyjson_mut_val *k;
    int res;

    if (!yyjson_mut_is_obj(source))
        return fail(at, "a merge key needs a mapping or a sequence of mappings", err);
    res = charge(r, source, at, err);
    if (res < 0)
        return res;
    it = yyjson_mut_obj_iter_with(source);
    while ((k = yyjson_mut_obj_iter_next(&it))) {
        if (map_has(&f->keys, json_mut_str(k)))
            continue;
        map_put(&f->keys, json_mut_str(k), NULL);
        yyjson_mut_obj_add(f->ctn, yyjson_mut_val_mut_copy(r->doc, k),
                           yyjson_mut_val_mut_copy(r->doc, yyjson_mut_obj_iter_get_val(k)));
    }
    return 0;
}

/* At the end of a mapping: earlier sources win over later ones, the mapping's own keys over all. */
static int merge_all(struct reader *r, struct frame *f, const yaml_mark_t *at, struct error **err)
{
    yyjson_mut_arr_iter it;
    yyjson_mut_val *item;
    int res = 0;

    for (size_t i = 0; i < f->n_sources && res == 0; i++) {
        if (!yyjson_mut_is_arr(f->sources[i])) {
            res = merge_one(r, f, f->sources[i], at, err);
            continue;
        }
        it = yyjson_mut_arr_iter_with(f->sources[i]);
        while (res == 0 && (item = yyjson_mut_arr_iter_next(&it)))
            res = merge_one(r, f, item, at, err);
    }
    return res;
}

/* Puts a complete value into the innermost container, where it is not a key. */
static void deliver(struct reader *r, yyjson_mut_val *v)
{
    struct frame *f = r->depth ? &r->stack[r->depth - 1] : NULL;

    if (!f) {
        r->root = v;
    } else if (yyjson_mut_is_arr(f->ctn)) {
        yyjson_mut_arr_append(f->ctn, v);
    } else if (f->merge) {
        MEM_GROW(f->sources, f->cap_sources, f->n_sources);
        f->sources[f->n_sources++] = v;
        f->merge = false;
    } else {
        yyjson_mut_obj_add(f->ctn, f->key, v);
        f->key = NULL;
    }
}

/* true where the next node is a key of a mapping. */
static bool at_key(const struct reader *r)
{
    const struct frame *f = r->depth ? &r->stack[r->depth - 1] : NULL;

    return f && yyjson_mut_is_obj(f->ctn) && !f->key && !f->merge;
}

static int set_key(struct reader *r, struct str name, const yaml_mark_t *at, struct error **err)
{
    struct frame *f = &r->stack[r->depth - 1];

    if (map_has(&f->keys, name))
        return fail(at, "a key appears twice in a mapping", err);
    map_put(&f->keys, name, NULL);
    f->key = json_mut_new_str(r->doc, name);
    return 0;
}

/* The key that a plain scalar of another type than string becomes. */
static int set_resolved_key(struct reader *r, struct yaml_scalar s, struct str text, const yaml_mark_t *at,
                            struct error **err)
{
    char number[32];

    switch (s.kind) {
    case YAML_KIND_STRING:
    case YAML_KIND_TIMESTAMP: return set_key(r, text, at, err);
    case YAML_KIND_NULL: return fail(at, "a key is null", err);
    case YAML_KIND_BOOL: return set_key(r, s.b ? STR("true") : STR("false"), at, err);
    case YAML_KIND_INT: snprintf(number, sizeof(number), "%lld", (long long)s.i); break;
    case YAML_KIND_UINT: snprintf(number, sizeof(number), "%llu", (unsigned long long)s.u); break;
    case YAML_KIND_FLOAT:
        if (!isfinite(s.d))
            return set_key(r, text, at, err);
        json_format_double(s.d, JSON_NUMBER_YAML, number);
        break;
    case YAML_KIND_MERGE: r->stack[r->depth - 1].merge = true; return 0;
    }
    return set_key(r, str_of(number), at, err);
}

/* The value of a double; whole numbers become integers, as they do on the way through JSON text. */
static int value_of_double(struct reader *r, double d, const yaml_mark_t *at, yyjson_mut_val **ret, struct error **err)
{
    int64_t i;

    if (!isfinite(d))
        return fail(at, "JSON has no infinite number and no NaN", err);
    *ret = json_double_is_i64(d, &i) ? yyjson_mut_sint(r->doc, i) : yyjson_mut_real(r->doc, d);
    return 0;
}

static int value_of(struct reader *r, struct yaml_scalar s, struct str text, const yaml_mark_t *at,
                    yyjson_mut_val **ret, struct error **err)
{
    switch (s.kind) {
    case YAML_KIND_NULL: *ret = yyjson_mut_null(r->doc); break;
    case YAML_KIND_BOOL: *ret = yyjson_mut_bool(r->doc, s.b); break;
    case YAML_KIND_INT: *ret = yyjson_mut_sint(r->doc, s.i); break;
    case YAML_KIND_UINT: *ret = yyjson_mut_uint(r->doc, s.u); break;
    case YAML_KIND_FLOAT: return value_of_double(r, s.d, at, ret, err);
    case YAML_KIND_STRING:
    case YAML_KIND_TIMESTAMP:
    case YAML_KIND_MERGE: *ret = json_mut_new_str(r->doc, text); break;
    }
    return 0;
}

static int value_of_binary(struct reader *r, struct str text, const yaml_mark_t *at, yyjson_mut_val **ret,
                           struct error **err)
{
    _cleanup_buf_ struct buf b = BUF_INIT(SIZE_MAX);

    if (base64_decode(&b, text, NULL) < 0)
        return fail(at, "!!binary value contains invalid base64 data", err);
    *ret = json_mut_new_str(r->doc, buf_str(&b));
    return 0;
}

/* A scalar with an explicit tag: the text must be of that type; tags of applications mean strings. */
static int value_of_tagged(struct reader *r, struct str tag, struct str text, const yaml_mark_t *at,
                           yyjson_mut_val **ret, struct error **err)
{
    struct yaml_scalar s = yaml_resolve(text);
    bool is_int = s.kind == YAML_KIND_INT || s.kind == YAML_KIND_UINT;

    if (str_eq(tag, STR(TAG_PREFIX "binary")))
        return value_of_binary(r, text, at, ret, err);
    if (str_eq(tag, STR(TAG_PREFIX "float")) && is_int)
        return value_of_double(r, s.kind == YAML_KIND_INT ? (double)s.i : (double)s.u, at, ret, err);
    if ((str_eq(tag, STR(TAG_PREFIX "int")) && is_int) ||
        (str_eq(tag, STR(TAG_PREFIX "float")) && s.kind == YAML_KIND_FLOAT) ||
        (str_eq(tag, STR(TAG_PREFIX "bool")) && s.kind == YAML_KIND_BOOL) ||
        (str_eq(tag, STR(TAG_PREFIX "null")) && s.kind == YAML_KIND_NULL))
        return value_of(r, s, text, at, ret, err);
    if (str_eq(tag, STR(TAG_PREFIX "int")) || str_eq(tag, STR(TAG_PREFIX "float")) ||
        str_eq(tag, STR(TAG_PREFIX "bool")) || str_eq(tag, STR(TAG_PREFIX "null")))
        return fail(at, "the value is not of the type that its tag says", err);
    *ret = json_mut_new_str(r->doc, text);
    return 0;
}

static void set_anchor(struct reader *r, const yaml_char_t *name, yyjson_mut_val *v)
{
    if (name)
        map_put(&r->anchors, str_of((const char *)name), v);
}

static int on_scalar(struct reader *r, const yaml_event_t *ev, struct error **err)
{
    struct str text = str_n((const char *)ev->data.scalar.value, ev->data.scalar.length);
    struct str tag = str_of((const char *)ev->data.scalar.tag);
    struct yaml_scalar s = { .kind = YAML_KIND_STRING };
    yyjson_mut_val *v = NULL;
    int res;

    if (ev->data.scalar.plain_implicit)
        s = yaml_resolve(text);
    if (tag.n)
        res = value_of_tagged(r, tag, text, &ev->start_mark, &v, err);
    else if (at_key(r) && (s.kind == YAML_KIND_MERGE || (s.kind == YAML_KIND_FLOAT && !isfinite(s.d))))
        res = value_of(r, (struct yaml_scalar){ .kind = YAML_KIND_STRING }, text, &ev->start_mark, &v, err);
    else
        res = value_of(r, s, text, &ev->start_mark, &v, err);
    if (res < 0)
        return res;
    set_anchor(r, ev->data.scalar.anchor, v);
    if (at_key(r))
        return set_resolved_key(r, s, text, &ev->start_mark, err);
    deliver(r, v);
    return 0;
}

static int on_start(struct reader *r, yyjson_mut_val *ctn, const yaml_char_t *anchor, const yaml_mark_t *at,
                    struct error **err)
{
    if (at_key(r))
        return fail(at, "a key is a mapping or a sequence", err);
    if (r->depth == YAML_MAX_DEPTH)
        return fail(at, "nested too deep", err);
    set_anchor(r, anchor, ctn);
    MEM_GROW(r->stack, r->cap_stack, r->depth);
    r->stack[r->depth++] = (struct frame){ .ctn = ctn };
    return 0;
}

static int on_end(struct reader *r, const yaml_mark_t *at, struct error **err)
{
    struct frame *f = &r->stack[r->depth - 1];
    yyjson_mut_val *ctn = f->ctn;
    int res = merge_all(r, f, at, err);

    if (res < 0)
        return res;
    pop_frame(r);
    deliver(r, ctn);
    return 0;
}

static int on_alias(struct reader *r, const yaml_event_t *ev, struct error **err)
{
    const yaml_mark_t *at = &ev->start_mark;
    yyjson_mut_val *v = map_get(&r->anchors, str_of((const char *)ev->data.alias.anchor));
    int res;

    if (!v)
        return fail(at, "unknown anchor", err);
    for (size_t i = 0; i < r->depth; i++)
        if (r->stack[i].ctn == v)
            return fail(at, "an anchor contains itself", err);
    if (at_key(r)) {
        if (!yyjson_mut_is_str(v))
            return fail(at, "an alias that is a key must be a string", err);
        return set_key(r, json_mut_str(v), at, err);
    }
    /* What is merged is copied when the mapping ends, and only what is needed of it. */
    if (r->depth && r->stack[r->depth - 1].merge) {
        deliver(r, v);
        return 0;
    }
    res = charge(r, v, at, err);
    if (res < 0)
        return res;
    deliver(r, yyjson_mut_val_mut_copy(r->doc, v));
    return 0;
}

static int on_event(struct reader *r, const yaml_event_t *ev, struct error **err)
{
    switch (ev->type) {
    case YAML_SCALAR_EVENT: return on_scalar(r, ev, err);
    case YAML_ALIAS_EVENT: return on_alias(r, ev, err);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(r, yyjson_mut_arr(r->doc), ev->data.sequence_start.anchor, &ev->start_mark, err);
    case YAML_MAPPING_START_EVENT:
        return on_start(r, yyjson_mut_obj(r->doc), ev->data.mapping_start.anchor, &ev->start_mark, err);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return on_end(r, &ev->start_mark, err);
    default: return 0;
    }
}

/* Reads up to the end of the next document. 1: r->root is set; 0: end of the text. */
static int read_document(struct reader *r, struct error **err)
{
    yaml_event_type_t type;
    yaml_event_t ev;
    int res;

    reader_reset(r);
    do {
        res = next_event(r, &ev, err);
        if (res < 0)
            return res;
        type = ev.type;
        res = on_event(r, &ev, err);
        yaml_event_delete(&ev);
        if (res < 0)
            return res;
    } while (type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT);
    return type == YAML_DOCUMENT_END_EVENT;
}

/* JSON with what YAML lacks, such as surrogate pairs in strings. */
static bool parse_as_json(struct str text, yyjson_doc **ret)
{
    struct str start = str_trim(text);

    return start.n && start.p[0] == '{' && json_parse(start, ret, NULL) == 0;
}

int yaml_parse(struct str text, yyjson_doc **ret, struct error **err)
{
    struct reader r;
    int res;

    if (parse_as_json(text, ret))
        return 0;
    reader_init(&r, text);
    res = read_document(&r, err);
    if (res >= 0)
        *ret = json_freeze_val(r.root ? r.root : yyjson_mut_null(r.doc));
    reader_done(&r);
    return MIN(res, 0);
}

int yaml_parse_all(struct str text, yyjson_doc ***ret, size_t *ret_n, struct error **err)
{
    yyjson_doc **docs = NULL, *json;
    size_t n = 0, cap = 0;
    struct reader r;
    int res;

    MEM_GROW(docs, cap, n);
    if (parse_as_json(text, &json)) {
        docs[0] = json;
        *ret = docs;
        *ret_n = 1;
        return 0;
    }
    reader_init(&r, text);
    while ((res = read_document(&r, err)) > 0) {
        if (yyjson_mut_is_null(r.root))
            continue;
        MEM_GROW(docs, cap, n);
        docs[n++] = json_freeze_val(r.root);
    }
    reader_done(&r);
    if (res < 0) {
        yaml_docs_free(docs, n);
        return res;
    }
    *ret = docs;
    *ret_n = n;
    return 0;
}

void yaml_docs_free(yyjson_doc **docs, size_t n)
{
    if (!docs)
        return;
    for (size_t i = 0; i < n; i++)
        json_doc_free(docs[i]);
    free(docs);
}
