/*
 * The body of a watch: one JSON event per line, arriving in any pieces. Pure, so that it can be fuzzed alone. For src/kube
 * only.
 */
#ifndef KUBE_WATCH_H
#define KUBE_WATCH_H

#include "json/json.h"

#define WATCH_LINE_MAX ((size_t)32 << 20)

enum watch_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED, WATCH_BOOKMARK, WATCH_ERROR };

struct watch_decoder {
    struct buf line; /* the beginning of a line whose end has not come yet */
    int failed;
};
/* max_line: 0 for WATCH_LINE_MAX. */
void watch_init(struct watch_decoder *d, size_t max_line);
void watch_done(struct watch_decoder *d);

/* object: borrowed during the call, always a JSON object. Non-zero stops and is returned by watch_feed. */
typedef int watch_event_fn(void *arg, enum watch_type type, yyjson_val *object);

/* Takes the next bytes and hands out the events that they complete, in order. Empty lines are skipped. 0, -EINVAL (no JSON,
 * no event, unknown type), -EFBIG (line too long), or what fn returned (*err is not set then). After a failure every call
 * fails with the same code. A last line without end is no event: the server writes whole lines. */
int watch_feed(struct watch_decoder *d, struct str bytes, watch_event_fn *fn, void *arg, struct error **err);

#endif
