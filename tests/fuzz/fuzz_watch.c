/*
 * The watch decoder. The first byte chooses how the text is cut and the limit of a line, the rest is the text: any cuts
 * must give the same events and the same failure as one piece, and a failure must last.
 */
#include "fuzz.h"
#include "kube/watch.h"

struct seen {
    struct buf log;
    size_t events, stop_at;
};

static int on_event(void *arg, enum watch_type type, yyjson_val *object)
{
    struct seen *s = arg;

    FUZZ_CHECK(yyjson_is_obj(object) && type <= WATCH_ERROR);
    buf_printf(&s->log, "%d ", type);
    FUZZ_CHECK(json_write(&s->log, object) == 0 && buf_addc(&s->log, '\n') == 0);
    return ++s->events == s->stop_at ? -ECANCELED : 0;
}

/* Feeds the text in pieces of `piece` bytes. */
static int run(struct str text, size_t piece, size_t max_line, struct seen *seen)
{
    struct watch_decoder d;
    int r = 0;

    watch_init(&d, max_line);
    while (text.n && r == 0) {
        _cleanup_error_ struct error *err = NULL;
        size_t n = MIN(text.n, piece);

        r = watch_feed(&d, str_n(text.p, n), on_event, seen, &err);
        FUZZ_CHECK(r == 0 || r == -EINVAL || r == -EFBIG || r == -ECANCELED);
        FUZZ_CHECK((err != NULL) == (r == -EINVAL || r == -EFBIG));
        text = str_n(text.p + n, text.n - n);
    }
    if (r < 0) {
        size_t before = seen->events;

        FUZZ_CHECK(watch_feed(&d, STR("{\"type\":\"ADDED\",\"object\":{}}\n"), on_event, seen, NULL) == r);
        FUZZ_CHECK(seen->events == before);
    }
    FUZZ_CHECK(d.line.n <= d.line.max);
    watch_done(&d);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = { .log = BUF_INIT(BUF_MAX_DEFAULT) }, cut = { .log = BUF_INIT(BUF_MAX_DEFAULT) };
    size_t max_line;
    struct str text;
    int r;

    if (size < 2)
        return 0;
    text = str_n((const char *)data + 1, size - 1);
    max_line = data[0] & 0x80 ? 40 : 0;
    whole.stop_at = cut.stop_at = data[0] & 0x40 ? 2 : SIZE_MAX;
    r = run(text, text.n, max_line, &whole);
    FUZZ_CHECK(r == run(text, (size_t)(data[0] & 15) + 1, max_line, &cut));
    FUZZ_CHECK(str_eq(buf_str(&whole.log), buf_str(&cut.log)));
    buf_done(&whole.log);
    buf_done(&cut.log);
    return 0;
}
