/*
 * What somebody may have written into the caBundle of a webhook: the text is such a bundle, in which @0 to @9 stand for good
 * certificates, @0 for the one that is wanted, and @x for one that has ended. A patch that keeps what else is valid leads to a bundle
 * that has what is wanted and is small; one that does not leads to what is wanted and nothing else; both are done once.
 */
#include <time.h>

#include "base/encode.h"
#include "fuzz.h"
#include "json/patch.h"
#include "net/tls_issue.h"
#include "webhook/cert_bundle.h"

#define N_GOOD 10

static char *good[N_GOOD], *ended;
static struct cert_bundle wanted;
static int64_t now;

static char *authority(int64_t until)
{
    struct tls_pair p = { 0 };

    FUZZ_CHECK(tls_issue_authority("ca", now - 7200, until, &p, NULL) == 0);
    char *pem = TAKE_PTR(p.cert_pem);
    tls_pair_done(&p);
    return pem;
}

static void prepare(void)
{
    now = time(NULL);
    for (size_t i = 0; i < N_GOOD; i++)
        good[i] = authority(now + 864000);
    ended = authority(now - 3600);
    wanted = CERT_BUNDLE_INIT;
    cert_bundle_add(&wanted, str_of(good[0]), CERT_BUNDLE_MAX, now);
}

static void fill_in(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '@' || i + 1 == text.n)
            buf_addc(out, text.p[i]);
        else if (text.p[++i] >= '0' && text.p[i] <= '9')
            buf_addz(out, good[text.p[i] - '0']);
        else if (text.p[i] == 'x')
            buf_addz(out, ended);
}

static yyjson_doc *configuration(const char *bundle)
{
    struct buf b = BUF_INIT((size_t)16 << 20);
    yyjson_doc *doc = NULL;

    buf_addz(&b,
             "{\"metadata\":{\"resourceVersion\":\"7\"},\"webhooks\":[{\"name\":\"w\",\"clientConfig\":{\"service\":{"
             "\"namespace\":\"ns\",\"name\":\"hook\"},\"caBundle\":\"");
    base64_encode(&b, str_of(bundle));
    buf_addz(&b, "\"}}]}");
    FUZZ_CHECK(json_parse(buf_str(&b), &doc, NULL) == 0);
    buf_done(&b);
    return doc;
}

static enum cert_bundle_state look(yyjson_val *object, bool keep_others, struct buf *patch)
{
    struct cert_bundle_target t = {
        .ns = "ns", .service = "hook", .wanted = &wanted, .keep_others = keep_others, .now = now
    };
    uint64_t others;
    enum cert_bundle_state state = cert_bundle_patch(patch, object, &t, &others);

    FUZZ_CHECK(!buf_failed(patch));
    FUZZ_CHECK(state != CERT_BUNDLE_FITS || (patch->n == 0 && others == 0));
    FUZZ_CHECK(state != CERT_BUNDLE_LACKS || patch->n > 0);
    FUZZ_CHECK(state != CERT_BUNDLE_HAS_MORE || (patch->n == 0) == keep_others);
    return state;
}

static yyjson_doc *apply(yyjson_val *object, const struct buf *patch)
{
    _cleanup_json_ yyjson_doc *ops = NULL;
    _cleanup_json_mut_ yyjson_mut_doc *m = json_mut_doc_of(object);
    yyjson_val *op;
    size_t i, n;

    FUZZ_CHECK(json_parse(buf_str(patch), &ops, NULL) == 0);
    yyjson_arr_foreach(yyjson_doc_get_root(ops), i, n, op)
    {
        struct json_patch_op o = { json_path_str(op, "op"), json_path_str(op, "path"), json_get(op, "value"), true };
        FUZZ_CHECK(json_patch_apply(m, &o, NULL) == 0);
    }
    return json_freeze(m);
}

static void check_bundle(yyjson_val *object)
{
    yyjson_val *webhook = yyjson_arr_get_first(json_get(object, "webhooks"));
    _cleanup_buf_ struct buf pem = BUF_INIT((size_t)16 << 20);

    FUZZ_CHECK(base64_decode(&pem, json_path_str(webhook, "clientConfig.caBundle"), NULL) == 0);
    FUZZ_CHECK(pem.n > 0 && pem.n <= CERT_BUNDLE_BYTES && str_has_prefix(buf_str(&pem), str_of(good[0])));
}

static void check(const char *bundle, bool keep_others)
{
    _cleanup_json_ yyjson_doc *doc = configuration(bundle), *after = NULL;
    _cleanup_buf_ struct buf patch = BUF_INIT((size_t)1 << 20), again = BUF_INIT((size_t)1 << 20);

    look(yyjson_doc_get_root(doc), keep_others, &patch);
    if (patch.n == 0)
        return;
    after = apply(yyjson_doc_get_root(doc), &patch);
    check_bundle(yyjson_doc_get_root(after));
    enum cert_bundle_state state = look(yyjson_doc_get_root(after), keep_others, &again);
    FUZZ_CHECK(state == CERT_BUNDLE_FITS || (keep_others && state == CERT_BUNDLE_HAS_MORE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_buf_ struct buf bundle = BUF_INIT((size_t)8 << 20);

    if (!good[0])
        prepare();
    fill_in(&bundle, str_n((const char *)data, size));
    buf_addz(&bundle, "");
    if (buf_failed(&bundle))
        return 0;
    check(bundle.p, true);
    check(bundle.p, false);
    return 0;
}
