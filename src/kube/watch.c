/* See watch.h. A line that lies whole in one piece of input is parsed where it is, without copying. */
#include "kube/watch.h"

void watch_parser_done(struct watch_parser *w)
{
    buf_done(&w->line);
}

static int event_of(struct str type, enum watch_event *ret)
{
    static const char *const names[] = { "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (str_eqc(type, names[i])) {
            *ret = (enum watch_event)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int take_line(struct watch_parser *w, struct str line, struct error **err)
{
    line = str_trim(line);
    if (line.n == 0)
        return 0;
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = json_parse(line, &doc, err);
    if (r < 0)
        return r;
    yyjson_val *root = yyjson_doc_get_root(doc), *object = json_get(root, "object");
    enum watch_event event;
    if (event_of(json_str(json_get(root, "type")), &event) < 0 || !yyjson_is_obj(object))
        return error_set(err, -EINVAL, "a watch line is no event");
    return w->on_event(w->arg, event, object) ? 0 : -ECANCELED;
}

int watch_parser_feed(struct watch_parser *w, struct str bytes, struct error **err)
{
    while (bytes.n) {
        const char *nl = memchr(bytes.p, '\n', bytes.n);
        if (!nl) {
            if (buf_adds(&w->line, bytes) < 0)
                return error_set(err, -EFBIG, "a watch event is larger than %zu bytes", WATCH_MAX_LINE);
            return 0;
        }
        struct str piece = str_n(bytes.p, (size_t)(nl - bytes.p));
        int r;
        if (w->line.n) {
            if (buf_adds(&w->line, piece) < 0)
                return error_set(err, -EFBIG, "a watch event is larger than %zu bytes", WATCH_MAX_LINE);
            struct buf line = w->line;       /* the handler may free the parser: keep the bytes alive */
            w->line = BUF_INIT(WATCH_MAX_LINE);
            r = take_line(w, buf_str(&line), err);
            buf_done(&line);
        } else {
            r = take_line(w, piece, err);
        }
        if (r < 0)
            return r;
        bytes = str_n(nl + 1, bytes.n - piece.n - 1);
    }
    return 0;
}
