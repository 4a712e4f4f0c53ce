/*
 * JSON to YAML in the shape that go-yaml gives it. go-yaml's emitter is a descendant of libyaml's, so libyaml decides
 * about layout; what is chosen here is the style of each scalar: plain where every reader takes it for the same string,
 * else double quotes, and a literal block for text of several lines (api-and-cli.md 3.1).
 */
#include "json/yaml.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <yaml.h>

#include "json/number.h"
#include "json/walk.h"
#include "json/yaml_scalar.h"

static int write_to_buf(void *arg, unsigned char *p, size_t n)
{
    return buf_add(arg, p, n) == 0;
}

/* An event whose _initialize failed has nothing to free; after a failed emit the emitter has freed it. */
static bool emit(yaml_emitter_t *e, yaml_event_t *ev, int initialized)
{
    return initialized && yaml_emitter_emit(e, ev);
}

static bool emit_text(yaml_emitter_t *e, struct str text, yaml_scalar_style_t style)
{
    yaml_event_t ev;

    if (text.n > INT_MAX)
        return false;
    return emit(e, &ev,
                yaml_scalar_event_initialize(&ev, NULL, NULL, (const unsigned char *)(text.n ? text.p : ""),
                                             (int)text.n, 1, 1, style));
}

static bool emit_string(yaml_emitter_t *e, struct str s)
{
    if (s.n && memchr(s.p, '\n', s.n))
        return emit_text(e, s, YAML_LITERAL_SCALAR_STYLE);
    return emit_text(e, s, yaml_plain_is_string(s) ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

static bool emit_number(yaml_emitter_t *e, yyjson_val *v)
{
    char text[32];
    int64_t i;

    /* A whole number reached go-yaml through JSON text and was an integer by then. */
    if (yyjson_is_real(v) && json_double_is_i64(yyjson_get_real(v), &i))
        snprintf(text, sizeof(text), "%lld", (long long)i);
    else if (yyjson_is_real(v))
        json_format_double(yyjson_get_real(v), JSON_NUMBER_YAML, text);
    else if (yyjson_is_uint(v))
        snprintf(text, sizeof(text), "%llu", (unsigned long long)yyjson_get_uint(v));
    else
        snprintf(text, sizeof(text), "%lld", (long long)yyjson_get_sint(v));
    return emit_text(e, str_of(text), YAML_PLAIN_SCALAR_STYLE);
}

static bool emit_value(yaml_emitter_t *e, yyjson_val *v);

static bool emit_array(yaml_emitter_t *e, yyjson_val *v)
{
    yaml_event_t ev;
    yyjson_val *item;
    size_t i, n;

    if (!emit(e, &ev, yaml_sequence_start_event_initialize(&ev, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE)))
        return false;
    yyjson_arr_foreach(v, i, n, item) if (!emit_value(e, item)) return false;
    return emit(e, &ev, yaml_sequence_end_event_initialize(&ev));
}

static bool emit_object(yaml_emitter_t *e, yyjson_val *v)
{
    size_t n;
    _cleanup_free_ struct json_member *m = json_members(json_node_of(v), &n);
    yaml_event_t ev;

    if (!emit(e, &ev, yaml_mapping_start_event_initialize(&ev, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE)))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!emit_string(e, m[i].key) || !emit_value(e, (yyjson_val *)m[i].val.val))
            return false;
    return emit(e, &ev, yaml_mapping_end_event_initialize(&ev));
}

/* Recursion is bounded by JSON_MAX_DEPTH. */
static bool emit_value(yaml_emitter_t *e, yyjson_val *v)
{
    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_BOOL:
        return emit_text(e, yyjson_get_bool(v) ? STR("true") : STR("false"), YAML_PLAIN_SCALAR_STYLE);
    case YYJSON_TYPE_NUM: return emit_number(e, v);
    case YYJSON_TYPE_STR: return emit_string(e, json_str(v));
    case YYJSON_TYPE_ARR: return emit_array(e, v);
    case YYJSON_TYPE_OBJ: return emit_object(e, v);
    default: return emit_text(e, STR("null"), YAML_PLAIN_SCALAR_STYLE);
    }
}

static bool emit_document(yaml_emitter_t *e, yyjson_val *v)
{
    yaml_event_t ev;

    if (!emit(e, &ev, yaml_stream_start_event_initialize(&ev, YAML_UTF8_ENCODING)) ||
        !emit(e, &ev, yaml_document_start_event_initialize(&ev, NULL, NULL, NULL, 1)) || !emit_value(e, v))
        return false;
    /* Or the emitter would put "..." behind a text that ends with line breaks. */
    e->open_ended = 0;
    if (!emit(e, &ev, yaml_document_end_event_initialize(&ev, 1)))
        return false;
    e->open_ended = 0;
    return emit(e, &ev, yaml_stream_end_event_initialize(&ev)) && yaml_emitter_flush(e);
}

int yaml_write(struct buf *out, yyjson_val *v)
{
    yaml_emitter_t e;
    size_t before = out->n;
    bool ok;

    if (buf_failed(out))
        return -EFBIG;
    if (!yaml_emitter_initialize(&e))
        abort(); /* out of memory */
    yaml_emitter_set_output(&e, write_to_buf, out);
    yaml_emitter_set_unicode(&e, 1);
    ok = emit_document(&e, v);
    yaml_emitter_delete(&e);
    if (ok)
        return 0;
    /* The only thing that can go wrong is the size; half a document is of no use. */
    out->n = before;
    if (out->p)
        out->p[before] = '\0';
    out->failed = true;
    return -EFBIG;
}
