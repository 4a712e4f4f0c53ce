/*
 * Watch framing. A line that lies within one piece is parsed in place; only one that is cut by the end of a piece is copied,
 * and large copies are given back at once, since an idle watch should cost nothing.
 */
#include "kube/watch.h"

#define KEEP_MAX ((size_t)16 << 10)

void watch_init(struct watch_decoder *d, size_t max_line)
{
    *d = (struct watch_decoder){ .line = BUF_INIT(max_line ? max_line : WATCH_LINE_MAX) };
}

void watch_done(struct watch_decoder *d)
{
    buf_done(&d->line);
}

static bool event_type(struct str s, enum watch_type *ret)
{
    static const struct {
        const char *name;
        enum watch_type type;
    } types[] = {
        { "ADDED", WATCH_ADDED },       { "MODIFIED", WATCH_MODIFIED }, { "DELETED", WATCH_DELETED },
        { "BOOKMARK", WATCH_BOOKMARK }, { "ERROR", WATCH_ERROR },
    };

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (str_eqc(s, types[i].name)) {
            *ret = types[i].type;
            return true;
        }
    return false;
}

static int take_line(struct str line, watch_event_fn *fn, void *arg, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    yyjson_val *root, *object;
    enum watch_type type;
    struct str name;

    if (str_empty(str_trim(line)))
        return 0;
    if (json_parse(line, &doc, &e) < 0)
        return error_set(err, -EINVAL, "malformed watch event: %s", error_msg(e));
    root = yyjson_doc_get_root(doc);
    name = json_str(json_get(root, "type"));
    object = json_get(root, "object");
    if (!event_type(name, &type))
        return error_set(err, -EINVAL, "malformed watch event: unknown type \"%.*s\"", (int)MIN(name.n, (size_t)32),
                         name.p ? name.p : "");
    if (!yyjson_is_obj(object))
        return error_set(err, -EINVAL, "malformed watch event: it has no object");
    return fn(arg, type, object);
}

static int keep(struct watch_decoder *d, struct str part, struct error **err)
{
    if (buf_adds(&d->line, part) == 0)
        return 0;
    return error_set(err, -EFBIG, "a watch event is larger than %zu bytes", d->line.max);
}

static int end_line(struct watch_decoder *d, struct str part, watch_event_fn *fn, void *arg, struct error **err)
{
    int r;

    if (d->line.n == 0) {
        if (part.n > d->line.max)
            return error_set(err, -EFBIG, "a watch event is larger than %zu bytes", d->line.max);
        return take_line(part, fn, arg, err);
    }
    r = keep(d, part, err);
    if (r == 0)
        r = take_line(buf_str(&d->line), fn, arg, err);
    if (d->line.cap > KEEP_MAX)
        watch_init(d, (buf_done(&d->line), d->line.max));
    else
        buf_reset(&d->line);
    return r;
}

int watch_feed(struct watch_decoder *d, struct str bytes, watch_event_fn *fn, void *arg, struct error **err)
{
    struct str line;

    if (d->failed)
        return error_set(err, d->failed, "the watch has failed before");
    while (d->failed == 0 && bytes.n > 0) {
        if (!memchr(bytes.p, '\n', bytes.n)) {
            d->failed = keep(d, bytes, err);
            break;
        }
        str_cut(bytes, '\n', &line, &bytes);
        d->failed = end_line(d, line, fn, arg, err);
    }
    return d->failed;
}
