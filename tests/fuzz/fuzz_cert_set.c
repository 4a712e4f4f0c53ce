/*
 * The Secret with the webhook's certificates: the text is a Secret in which @1 to @4 stand for the members of a good set. What is
 * read is written and read again as it was; and whatever was read, or not, there is a set that serves after a renewal, and that
 * one needs none.
 */
#include <time.h>

#include "fuzz.h"
#include "webhook/cert_set.h"

static const char *const names[] = { "hook.ns.svc", "hook" };
static char *good[4];
static int64_t now;

/* Good members, in base64, made once. */
static void prepare(void)
{
    struct cert_set s = { 0 };
    struct buf b = BUF_INIT((size_t)1 << 20);
    _cleanup_json_ yyjson_doc *doc = NULL;
    static const char *const members[] = { "ca.crt", "ca.key", "tls.crt", "tls.key" };

    now = time(NULL);
    FUZZ_CHECK(cert_set_renew(NULL, names, ARRAY_SIZE(names), now, &s, NULL) == 1);
    cert_set_encode(&b, &s);
    FUZZ_CHECK(json_parse(buf_str(&b), &doc, NULL) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        good[i] = str_dup(json_str(json_get(yyjson_doc_get_root(doc), members[i])));
    buf_done(&b);
    cert_set_done(&s);
}

static void fill_in(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '@' && i + 1 < text.n && text.p[i + 1] >= '1' && text.p[i + 1] <= '4')
            buf_addz(out, good[text.p[++i] - '1']);
        else
            buf_addc(out, text.p[i]);
}

static void check_same(const struct cert_set *s)
{
    _cleanup_cert_set_ struct cert_set back = { 0 };
    _cleanup_buf_ struct buf b = BUF_INIT((size_t)8 << 20);
    _cleanup_json_ yyjson_doc *doc = NULL;

    buf_addz(&b, "{\"data\":");
    cert_set_encode(&b, s);
    buf_addz(&b, "}");
    FUZZ_CHECK(json_parse(buf_str(&b), &doc, NULL) == 0);
    FUZZ_CHECK(cert_set_decode(yyjson_doc_get_root(doc), &back, NULL) == 0);
    FUZZ_CHECK(strcmp(s->ca_crt, back.ca_crt) == 0 && strcmp(s->ca_key, back.ca_key) == 0);
    FUZZ_CHECK(strcmp(s->tls_crt, back.tls_crt) == 0 && strcmp(s->tls_key, back.tls_key) == 0);
    FUZZ_CHECK(s->serving_until == back.serving_until && s->authority_until == back.authority_until);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_buf_ struct buf text = BUF_INIT((size_t)8 << 20);
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_cert_set_ struct cert_set s = { 0 }, next = { 0 }, unused = { 0 };
    struct error *err = NULL;

    if (!good[0])
        prepare();
    fill_in(&text, str_n((const char *)data, size));
    if (buf_failed(&text) || json_parse(buf_str(&text), &doc, NULL) < 0)
        return 0;
    int r = cert_set_decode(yyjson_doc_get_root(doc), &s, &err);
    FUZZ_CHECK(r == 0 || r == -ENOENT || r == -EINVAL);
    FUZZ_CHECK((r < 0) == (err != NULL) && (r == 0) == (s.ca_crt != NULL));
    FUZZ_CHECK(!err || (strlen(err->msg) < 300 && !strstr(err->msg, "PRIVATE")));
    error_free(err);
    if (r < 0)
        return 0;
    check_same(&s);
    r = cert_set_renew(&s, names, ARRAY_SIZE(names), now, &next, NULL);
    FUZZ_CHECK(r == 0 || r == 1);
    FUZZ_CHECK(r == 0 || cert_set_renew(&next, names, ARRAY_SIZE(names), now, &unused, NULL) == 0);
    return 0;
}
