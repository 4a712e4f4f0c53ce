/*
 * Parsing, copying, freezing and writing whole values. All memory comes from json_alc, which never fails; a document
 * remembers it, so yyjson_doc_free works on every document made here. Documents own all their strings.
 */
#include "json/json.h"
#include "json/alc.h"

#include <stdlib.h>

static void *alc_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return mem_alloc(size);
}

static void *alc_realloc(void *ctx, void *p, size_t old_size, size_t size)
{
    (void)ctx;
    (void)old_size;
    return mem_realloc(p, size);
}

static void alc_free(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

const yyjson_alc json_alc = { alc_malloc, alc_realloc, alc_free, NULL };

/* Before each block is its size, so that it can be cleared as a whole; the room for it keeps the alignment. */
#define SIZE_ROOM 16

static void *secret_malloc(void *ctx, size_t size)
{
    (void)ctx;
    char *p = mem_alloc(SIZE_ROOM + size);
    memcpy(p, &size, sizeof(size));
    return p + SIZE_ROOM;
}

static void secret_free(void *ctx, void *block)
{
    (void)ctx;
    if (!block)
        return;
    char *p = (char *)block - SIZE_ROOM;
    size_t size;
    memcpy(&size, p, sizeof(size));
    explicit_bzero(block, size);
    free(p);
}

static void *secret_realloc(void *ctx, void *block, size_t old_size, size_t size)
{
    void *p = secret_malloc(ctx, size);

    if (block)
        memcpy(p, block, MIN(old_size, size));
    secret_free(ctx, block);
    return p;
}

static const yyjson_alc secret_alc = { secret_malloc, secret_realloc, secret_free, NULL };

/*
 * yyjson reads without recursion and without a limit of depth; what walks the result (copying, comparing, writing)
 * recurses, so the depth is checked here once. The values of a document lie in memory in the order of the text.
 */
static bool is_too_deep(const yyjson_doc *doc)
{
    size_t left[JSON_MAX_DEPTH + 1]; /* values still to come in each open container */
    size_t depth = 0;
    const yyjson_val *v = yyjson_doc_get_root((yyjson_doc *)doc);

    left[0] = 1;
    for (size_t n = yyjson_doc_get_val_count((yyjson_doc *)doc); n > 0; n--, v++) {
        left[depth]--;
        if (unsafe_yyjson_is_ctn((void *)v)) {
            if (depth == JSON_MAX_DEPTH)
                return true;
            left[++depth] = unsafe_yyjson_get_len((void *)v) * (yyjson_is_obj((yyjson_val *)v) ? 2 : 1);
        }
        while (depth > 0 && left[depth] == 0)
            depth--;
    }
    return false;
}

static int parse(struct str text, const yyjson_alc *alc, yyjson_doc **ret, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    yyjson_read_err e = { 0 };
    size_t line, column, chars;

    if (text.n == 0)
        return error_set(err, -EINVAL, "unexpected end of JSON input");
    /* Without the in-situ flag the text is not written to. */
    doc = yyjson_read_opts((char *)text.p, text.n, YYJSON_READ_NOFLAG, alc, &e);
    if (!doc) {
        if (!yyjson_locate_pos(text.p, text.n, e.pos, &line, &column, &chars))
            return error_set(err, -EINVAL, "invalid JSON: %s", e.msg);
        return error_set(err, -EINVAL, "invalid JSON at line %zu, column %zu: %s", line, column, e.msg);
    }
    if (is_too_deep(doc))
        return error_set(err, -EINVAL, "invalid JSON: more than %d levels deep", JSON_MAX_DEPTH);
    *ret = TAKE_PTR(doc);
    return 0;
}

int json_parse(struct str text, yyjson_doc **ret, struct error **err)
{
    return parse(text, &json_alc, ret, err);
}

int json_parse_secret(struct str text, yyjson_doc **ret, struct error **err)
{
    return parse(text, &secret_alc, ret, err);
}

yyjson_mut_val *json_mut_copy(yyjson_mut_doc *doc, yyjson_val *v)
{
    return v ? yyjson_val_mut_copy(doc, v) : yyjson_mut_null(doc);
}

yyjson_mut_doc *json_mut_doc_new(void)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(&json_alc);

    yyjson_mut_doc_set_root(doc, yyjson_mut_obj(doc));
    return doc;
}

yyjson_mut_doc *json_mut_doc_of(yyjson_val *v)
{
    yyjson_mut_doc *doc;

    if (!v)
        return json_mut_doc_new();
    doc = yyjson_mut_doc_new(&json_alc);
    yyjson_mut_doc_set_root(doc, json_mut_copy(doc, v));
    return doc;
}

yyjson_doc *json_freeze(const yyjson_mut_doc *doc)
{
    return json_freeze_val(doc->root);
}

yyjson_doc *json_freeze_val(const yyjson_mut_val *v)
{
    assert(v);
    return yyjson_mut_val_imut_copy((yyjson_mut_val *)v, &json_alc);
}

/* Strings built from bytes of unknown origin are written as they are rather than losing the whole document. */
#define WRITE_FLAGS YYJSON_WRITE_ALLOW_INVALID_UNICODE

static int write_flags(struct buf *out, const yyjson_val *v, yyjson_write_flag flags)
{
    _cleanup_free_ char *text = NULL;
    size_t n = 0;

    if (!v)
        return buf_addz(out, "null");
    text = yyjson_val_write_opts(v, flags, &json_alc, &n, NULL);
    /* The writer fails for want of memory, which json_alc does not report, and for infinite numbers, which no reader
     * lets in. */
    assert(text);
    return buf_add(out, text, n);
}

int json_write(struct buf *out, const yyjson_val *v)
{
    return write_flags(out, v, WRITE_FLAGS);
}

int json_write_pretty(struct buf *out, const yyjson_val *v)
{
    return write_flags(out, v, WRITE_FLAGS | YYJSON_WRITE_PRETTY_TWO_SPACES);
}

int json_mut_write(struct buf *out, const yyjson_mut_val *v)
{
    _cleanup_free_ char *text = NULL;
    size_t n = 0;

    if (!v)
        return buf_addz(out, "null");
    text = yyjson_mut_val_write_opts(v, WRITE_FLAGS, &json_alc, &n, NULL);
    assert(text);
    return buf_add(out, text, n);
}
