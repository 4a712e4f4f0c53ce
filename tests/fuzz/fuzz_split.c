/*
 * The list splitter against the parser. The first byte seeds the cuts, the rest is the text: any cuts must give the
 * same as one piece, and what parses as a JSON object must split into its members.
 */
#include "fuzz.h"
#include "json/json.h"
#include "base/rtime.h"
#include "json/split.h"

struct seen {
    struct buf log;
    size_t items, members;
};

static int on_item(void *arg, struct str json)
{
    struct seen *s = arg;

    s->items++;
    return buf_printf(&s->log, "item %" PRIstr "\n", STRARG(json));
}

static int on_member(void *arg, struct str name, struct str json)
{
    struct seen *s = arg;

    s->members++;
    return buf_printf(&s->log, "%" PRIstr " %" PRIstr "\n", STRARG(name), STRARG(json));
}

/* Feeds the text in pieces of at most `most` bytes chosen by `seed`. */
static int run(struct str text, size_t most, uint64_t seed, struct seen *seen)
{
    static const struct json_split_handler handler = { on_item, on_member };
    struct json_split *s = json_split_new(&handler, seen, (size_t)1 << 20);
    int r = 0;

    rand_seed(seed);
    while (text.n && r == 0) {
        size_t n = MIN(text.n, (size_t)rand_below(most) + 1);

        r = json_split_feed(s, str_n(text.p, n), NULL);
        text = str_n(text.p + n, text.n - n);
    }
    if (r == 0)
        r = json_split_end(s, NULL);
    json_split_free(s);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = { .log = BUF_INIT(BUF_MAX_DEFAULT) }, cut = { .log = BUF_INIT(BUF_MAX_DEFAULT) };
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct str text;
    int r, r_cut;

    if (size < 2)
        return 0;
    text = str_n((const char *)data + 1, size - 1);
    r = run(text, text.n, 0, &whole);
    r_cut = run(text, (size_t)(data[0] & 15) + 1, data[0], &cut);
    FUZZ_CHECK(r == r_cut);
    FUZZ_CHECK(str_eq(buf_str(&whole.log), buf_str(&cut.log)));
    if (json_parse(text, &doc, NULL) == 0 && yyjson_is_obj(yyjson_doc_get_root(doc)))
        FUZZ_CHECK(r == 0);
    buf_done(&whole.log);
    buf_done(&cut.log);
    return 0;
}
