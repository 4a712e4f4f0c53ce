/*
 * Framing of a watch stream: JSON objects separated by newlines, arriving in any cuts. Pure: bytes in, events out; a target
 * of fuzzing.
 */
#ifndef KUBE_WATCH_H
#define KUBE_WATCH_H

#include "json/json.h"

#define WATCH_MAX_LINE ((size_t)32 << 20)

enum watch_event { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK, WATCH_ERROR };

struct watch_parser {
    struct buf line;
    /* object: of the event; a Status for WATCH_ERROR. false stops. */
    bool (*on_event)(void *arg, enum watch_event event, yyjson_val *object);
    void *arg;
};
#define WATCH_PARSER_INIT(fn, a) ((struct watch_parser){ .line = BUF_INIT(WATCH_MAX_LINE), .on_event = (fn), .arg = (a) })
void watch_parser_done(struct watch_parser *w);
/* 0, -ECANCELED (the handler stopped), -EINVAL (a line is no event), -EFBIG (a line is too long). */
int watch_parser_feed(struct watch_parser *w, struct str bytes, struct error **err);

#endif
