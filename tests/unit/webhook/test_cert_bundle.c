/* Which webhooks of a configuration get our authority, and that the patch does what it says and nothing else. */
#include "unit.h"

#include "base/encode.h"
#include "json/patch.h"
#include "net/tls_issue.h"
#include "net/tls_pem.h"
#include "webhook/cert_bundle.h"

#define OURS(name, rest)                                                                                               \
    "{\"name\":\"" name                                                                                                \
    "\",\"clientConfig\":{\"service\":{\"namespace\":\"ns\",\"name\":\"hook\",\"path\":\"/p\"}" rest "}}"
#define CONFIGURATION(webhooks) "{\"metadata\":{\"resourceVersion\":\"7\"},\"webhooks\":[" webhooks "]}"
#define DAY 86400LL
#define N_CAS 20

static char *ca[N_CAS], *expired, *bundle; /* bundle: ca[0] in base64 */
static int64_t now;
static struct cert_bundle wanted;

static char *authority(int64_t until)
{
    struct tls_pair p = { 0 };

    assert_int_equal(tls_issue_authority("ca", now - 10 * DAY, until, &p, NULL), 0);
    char *pem = TAKE_PTR(p.cert_pem);
    tls_pair_done(&p);
    return pem;
}

static char *encoded(const char *pem)
{
    struct buf b = BUF_INIT((size_t)8 << 20);

    base64_encode(&b, str_of(pem));
    return buf_take(&b, NULL);
}

static int set_up(void **state)
{
    (void)state;
    now = time_wall_s();
    for (size_t i = 0; i < N_CAS; i++)
        ca[i] = authority(now + DAY);
    expired = authority(now - DAY);
    bundle = encoded(ca[0]);
    wanted = CERT_BUNDLE_INIT;
    cert_bundle_add(&wanted, str_of(ca[0]), CERT_BUNDLE_MAX, now);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CAS; i++)
        free(ca[i]);
    free(expired);
    free(bundle);
    cert_bundle_done(&wanted);
    return 0;
}

static enum cert_bundle_state compare(const char *configuration, bool keep_others, struct buf *out, uint64_t *others)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct cert_bundle_target t = {
        .ns = "ns", .service = "hook", .wanted = &wanted, .keep_others = keep_others, .now = now
    };

    assert_int_equal(json_parse(str_of(configuration), &doc, NULL), 0);
    *out = BUF_INIT((size_t)1 << 20);
    return cert_bundle_patch(out, yyjson_doc_get_root(doc), &t, others);
}

/* Is there something to do? */
static bool make(const char *configuration, struct buf *out)
{
    uint64_t others;

    return compare(configuration, true, out, &others) != CERT_BUNDLE_FITS;
}

/* 0, or the error of the first operation that does not apply. */
static int apply(const char *configuration, const struct buf *patch, char **ret)
{
    _cleanup_json_ yyjson_doc *doc = NULL, *ops = NULL;
    struct buf out = BUF_INIT((size_t)1 << 20);
    yyjson_val *op;
    size_t i, n;

    assert_int_equal(json_parse(str_of(configuration), &doc, NULL), 0);
    assert_int_equal(json_parse(buf_str(patch), &ops, NULL), 0);
    _cleanup_json_mut_ yyjson_mut_doc *m = json_mut_doc_of(yyjson_doc_get_root(doc));
    yyjson_arr_foreach(yyjson_doc_get_root(ops), i, n, op)
    {
        struct json_patch_op o = { json_path_str(op, "op"), json_path_str(op, "path"), json_get(op, "value"), true };
        int r = json_patch_apply(m, &o, NULL);
        if (r < 0)
            return r;
    }
    json_mut_write(&out, yyjson_mut_doc_get_root(m));
    *ret = buf_take(&out, NULL);
    return 0;
}

static void assert_json(const char *got, const char *expected)
{
    _cleanup_json_ yyjson_doc *a = NULL, *b = NULL;

    assert_int_equal(json_parse(str_of(got), &a, NULL), 0);
    assert_int_equal(json_parse(str_of(expected), &b, NULL), 0);
    if (!json_equal(yyjson_doc_get_root(a), yyjson_doc_get_root(b)))
        fail_msg("got %s, expected %s", got, expected);
}

static void only_ours(void **state)
{
    static const char before[] = CONFIGURATION(OURS(
        "first",
        "") ","
            "{\"name\":\"url\",\"clientConfig\":{\"url\":\"https://x\",\"caBundle\":\"T1RIRVI=\"}},"
            "{\"name\":\"other-service\",\"clientConfig\":{\"service\":{\"namespace\":\"ns\",\"name\":\"other\"}}},"
            "{\"name\":\"other-namespace\",\"clientConfig\":{\"service\":{\"namespace\":\"ns2\",\"name\":\"hook\"}}},"
            "{\"name\":\"none\"},5,null," OURS("second", ",\"caBundle\":\"T0xE\""));
    _cleanup_buf_ struct buf patch, again;
    _cleanup_free_ char *after = NULL, *mine = mem_printf(",\"caBundle\":\"%s\"", bundle);
    _cleanup_free_ char *expected = mem_printf(
        "{\"metadata\":{\"resourceVersion\":\"7\"},\"webhooks\":["
        "{\"name\":\"first\",\"clientConfig\":{\"service\":{\"namespace\":\"ns\",\"name\":\"hook\",\"path\":\"/p\"}%s}},"
        "{\"name\":\"url\",\"clientConfig\":{\"url\":\"https://x\",\"caBundle\":\"T1RIRVI=\"}},"
        "{\"name\":\"other-service\",\"clientConfig\":{\"service\":{\"namespace\":\"ns\",\"name\":\"other\"}}},"
        "{\"name\":\"other-namespace\",\"clientConfig\":{\"service\":{\"namespace\":\"ns2\",\"name\":\"hook\"}}},"
        "{\"name\":\"none\"},5,null,"
        "{\"name\":\"second\",\"clientConfig\":{\"service\":{\"namespace\":\"ns\",\"name\":\"hook\",\"path\":\"/p\"}%s}}]}",
        mine, mine);
    (void)state;
    assert_true(make(before, &patch));
    assert_int_equal(apply(before, &patch, &after), 0);
    assert_json(after, expected);
    assert_false(make(after, &again)); /* they do */
}

static void nothing_to_do(void **state)
{
    static const char *const rows[] = {
        "{}",
        "{\"webhooks\":null}",
        "{\"webhooks\":[]}",
        "{\"webhooks\":{\"a\":1}}",
        "[]",
        "{\"webhooks\":[{\"clientConfig\":null},{\"clientConfig\":{\"service\":\"ns/hook\"}}]}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_buf_ struct buf patch;
        if (make(rows[i], &patch))
            fail_msg("row %zu: %s", i, patch.p);
    }
}

/* Somebody else changed the list meanwhile: nothing of another webhook is overwritten. */
static void list_changed(void **state)
{
    static const char before[] = CONFIGURATION(OURS("a", "") "," OURS("b", ""));
    static const char moved[] = CONFIGURATION(OURS("new", "") "," OURS("a", "") "," OURS("b", ""));
    static const char shorter[] = CONFIGURATION(OURS("a", ""));
    static const char newer[] = "{\"metadata\":{\"resourceVersion\":\"8\"},\"webhooks\":[" OURS("a", "") "," OURS(
        "b", "") "]}";
    _cleanup_buf_ struct buf patch;
    _cleanup_free_ char *after = NULL;
    (void)state;
    assert_true(make(before, &patch));
    assert_int_equal(apply(moved, &patch, &after), -EINVAL);
    assert_int_equal(apply(shorter, &patch, &after), -EINVAL);
    assert_int_equal(apply(newer, &patch, &after), -EINVAL); /* who knows what it trusts by now */
    assert_int_equal(apply(before, &patch, &after), 0);
}

/* A name is a name, whatever is in it. */
static void any_name(void **state)
{
    static const char before[] = CONFIGURATION(OURS("\\\"quo~te/\\u00e9\\n", ""));
    _cleanup_buf_ struct buf patch;
    _cleanup_free_ char *after = NULL;
    (void)state;
    assert_true(make(before, &patch));
    assert_int_equal(apply(before, &patch, &after), 0);
    assert_non_null(strstr(after, bundle));
}

/* --- what is in a bundle --- */

/* One webhook of ours with this bundle (NULL: none). Owned. */
static char *with(const char *pem)
{
    _cleanup_free_ char *b64 = pem ? encoded(pem) : NULL;

    return mem_printf("{\"metadata\":{\"resourceVersion\":\"7\"},\"webhooks\":[{\"name\":\"w\",\"clientConfig\":{"
                      "\"service\":{\"namespace\":\"ns\",\"name\":\"hook\"}%s%s%s}}]}",
                      b64 ? ",\"caBundle\":\"" : "", b64 ? b64 : "", b64 ? "\"" : "");
}

/* The bundle of such a configuration, decoded. Owned. */
static char *bundle_in(const char *configuration)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct buf b = BUF_INIT((size_t)1 << 20);

    assert_int_equal(json_parse(str_of(configuration), &doc, NULL), 0);
    yyjson_val *first = yyjson_arr_get_first(json_get(yyjson_doc_get_root(doc), "webhooks"));
    assert_int_equal(base64_decode(&b, json_path_str(first, "clientConfig.caBundle"), NULL), 0);
    return buf_take(&b, NULL);
}

/* Before and after, in PEM; expected NULL: nothing to do. */
static void check(const char *before, bool keep_others, enum cert_bundle_state state, const char *expected)
{
    _cleanup_free_ char *configuration = with(before), *after = NULL, *got = NULL;
    _cleanup_buf_ struct buf patch;
    uint64_t others;

    assert_int_equal(compare(configuration, keep_others, &patch, &others), state);
    if (!expected) {
        assert_int_equal(patch.n, 0);
        return;
    }
    assert_int_equal(apply(configuration, &patch, &after), 0);
    got = bundle_in(after);
    assert_string_equal(got, expected);
}

static void states(void **state)
{
    static const char garbage[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    _cleanup_free_ char *more = mem_printf("%s%s", ca[0], ca[1]), *order = mem_printf("%s%s", ca[1], ca[0]);
    _cleanup_free_ char *twice = mem_printf("%s%s", ca[0], ca[0]), *late = mem_printf("%s%s", expired, ca[0]);
    _cleanup_free_ char *bad = mem_printf("%s%s", garbage, ca[0]), *cut = mem_printf("%s%s", ca[0], garbage);
    _cleanup_free_ char *comment = mem_printf("# one\n\n%s\n# end\n", ca[0]);
    _cleanup_free_ char *bad_other = mem_printf("%s%s%s", garbage, ca[1], expired);
    (void)state;
    cut[strlen(cut) - 10] = '\0';
    for (int keep = 0; keep < 2; keep++) {
        check(NULL, keep, CERT_BUNDLE_LACKS, ca[0]);
        check("", keep, CERT_BUNDLE_LACKS, ca[0]);
        check(garbage, keep, CERT_BUNDLE_LACKS, ca[0]);
        check(expired, keep, CERT_BUNDLE_LACKS, ca[0]);
        check("nothing", keep, CERT_BUNDLE_LACKS, ca[0]);
        check(ca[0], keep, CERT_BUNDLE_FITS, NULL);
        check(comment, keep, CERT_BUNDLE_FITS, NULL);
        check(ca[1], keep, CERT_BUNDLE_LACKS, keep ? more : ca[0]);
        check(bad_other, keep, CERT_BUNDLE_LACKS, keep ? more : ca[0]);
        check(more, keep, CERT_BUNDLE_HAS_MORE, keep ? NULL : ca[0]);
        check(order, keep, CERT_BUNDLE_HAS_MORE, keep ? NULL : ca[0]);
        check(twice, keep, CERT_BUNDLE_HAS_MORE, keep ? NULL : ca[0]);
        check(late, keep, CERT_BUNDLE_HAS_MORE, keep ? NULL : ca[0]);
        check(bad, keep, CERT_BUNDLE_HAS_MORE, keep ? NULL : ca[0]);
        check(cut, keep, CERT_BUNDLE_HAS_MORE, keep ? NULL : ca[0]);
    }
}

static void not_base64(void **state)
{
    static const char before[] = CONFIGURATION(OURS("a", ",\"caBundle\":\"!!\""));
    _cleanup_buf_ struct buf patch;
    _cleanup_free_ char *after = NULL;
    uint64_t others;
    (void)state;
    assert_int_equal(compare(before, true, &patch, &others), CERT_BUNDLE_LACKS);
    assert_int_equal(apply(before, &patch, &after), 0);
    assert_non_null(strstr(after, bundle));
}

/* One webhook lacks it, another has more, in whatever order: what is there stays there, whatever is asked. */
static void some_lack_some_have_more(void **state)
{
    _cleanup_free_ char *two = mem_printf("%s%s", ca[0], ca[1]), *b64 = encoded(two);
    static const char *const rows[] = {
        CONFIGURATION(OURS("a", ",\"caBundle\":\"%s\"") "," OURS("b", "")),
        CONFIGURATION(OURS("a", "") "," OURS("b", ",\"caBundle\":\"%s\"")),
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *at = strstr(rows[i], "%s");
        _cleanup_free_ char *before = mem_printf("%.*s%s%s", (int)(at - rows[i]), rows[i], b64, at + 2), *after = NULL;
        _cleanup_buf_ struct buf patch;
        uint64_t others;
        assert_int_equal(compare(before, true, &patch, &others), CERT_BUNDLE_LACKS);
        assert_int_equal(apply(before, &patch, &after), 0);
        assert_non_null(strstr(after, b64));
        assert_true(others != 0);
    }
}

/* One has more and the other just what is wanted. */
static void some_have_more(void **state)
{
    _cleanup_free_ char *two = mem_printf("%s%s", ca[0], ca[1]), *b64 = encoded(two);
    const char *const bundles[][2] = { { b64, bundle }, { bundle, b64 } };
    uint64_t others[2];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bundles); i++) {
        _cleanup_free_ char *before = mem_printf("{\"metadata\":{\"resourceVersion\":\"7\"},\"webhooks\":["
                                                 "{\"name\":\"a\",\"clientConfig\":{\"service\":{\"namespace\":\"ns\","
                                                 "\"name\":\"hook\"},\"caBundle\":\"%s\"}},"
                                                 "{\"name\":\"b\",\"clientConfig\":{\"service\":{\"namespace\":\"ns\","
                                                 "\"name\":\"hook\"},\"caBundle\":\"%s\"}}]}",
                                                 bundles[i][0], bundles[i][1]);
        _cleanup_free_ char *after = NULL;
        _cleanup_buf_ struct buf keep, patch;
        assert_int_equal(compare(before, true, &keep, &others[i]), CERT_BUNDLE_HAS_MORE);
        assert_int_equal(keep.n, 0);
        assert_int_equal(compare(before, false, &patch, &others[i]), CERT_BUNDLE_HAS_MORE);
        assert_int_equal(apply(before, &patch, &after), 0);
        assert_null(strstr(after, b64));
    }
    assert_true(others[0] != 0 && others[0] == others[1]);
}

/* The same for the same certificates, in whatever order, so that a change among them is seen. */
static void others_are_told(void **state)
{
    _cleanup_free_ char *one = mem_printf("%s%s", ca[0], ca[1]), *two = mem_printf("%s%s%s", ca[0], ca[1], ca[2]);
    _cleanup_free_ char *turned = mem_printf("%s%s%s", ca[2], ca[1], ca[0]), *else_ = mem_printf("%s%s", ca[0], ca[2]);
    const char *const pems[] = { ca[0], one, two, turned, else_ };
    uint64_t others[5];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pems); i++) {
        _cleanup_free_ char *configuration = with(pems[i]);
        _cleanup_buf_ struct buf patch;
        compare(configuration, true, &patch, &others[i]);
    }
    assert_true(others[0] == 0 && others[1] != 0 && others[4] != 0);
    assert_true(others[2] == others[3]);
    assert_true(others[1] != others[2] && others[1] != others[4]);
}

/* Whatever somebody wrote there, a bundle of ours stays small, and what is wanted comes first. */
static void bounded(void **state)
{
    struct buf many = BUF_INIT((size_t)4 << 20);
    int64_t until;
    (void)state;
    for (size_t i = 1; i < N_CAS; i++)
        buf_addz(&many, ca[i]);
    for (size_t i = 0; i < 3000; i++)
        buf_addz(&many, ca[1]);
    _cleanup_free_ char *configuration = with(many.p), *after = NULL;
    _cleanup_buf_ struct buf patch, one = BUF_INIT((size_t)1 << 20);
    uint64_t others;
    assert_int_equal(compare(configuration, true, &patch, &others), CERT_BUNDLE_LACKS);
    assert_int_equal(apply(configuration, &patch, &after), 0);
    _cleanup_free_ char *got = bundle_in(after);
    assert_true(str_has_prefix(str_of(got), str_of(ca[0])));
    struct str rest = str_of(got);
    size_t n = 0;
    while (tls_pem_next(&rest, &one, &until) == 1)
        n++;
    assert_int_equal(n, CERT_BUNDLE_MAX);
    buf_done(&many);
    /* Text around certificates is not taken along, but seen. */
    many = BUF_INIT((size_t)4 << 20);
    buf_addz(&many, ca[0]);
    while (many.n <= CERT_BUNDLE_BYTES)
        buf_addz(&many, "# and so on\n");
    check(many.p, true, CERT_BUNDLE_HAS_MORE, NULL);
    check(many.p, false, CERT_BUNDLE_HAS_MORE, ca[0]);
    buf_done(&many);
}

/* A certificate can be as large as its maker likes. */
static void room_in_bytes(void **state)
{
    _cleanup_cert_bundle_ struct cert_bundle b = CERT_BUNDLE_INIT;
    size_t size = strlen(ca[0]);
    (void)state;
    b.pem.max = 2 * size + 10;
    for (size_t i = 0; i < 4; i++)
        cert_bundle_add(&b, str_of(ca[i]), CERT_BUNDLE_MAX, now);
    assert_int_equal(b.n, 2);
    assert_false(buf_failed(&b.pem));
    _cleanup_cert_bundle_ struct cert_bundle c = CERT_BUNDLE_INIT;
    for (size_t i = 0; i < 4; i++)
        cert_bundle_add(&c, str_of(ca[i]), 3, now);
    assert_int_equal(c.n, 3);
    cert_bundle_add(&c, str_of(ca[1]), CERT_BUNDLE_MAX, now); /* it has that */
    assert_int_equal(c.n, 3);
}

/* Somebody's mistake is not made worse: nobody could call us with an empty bundle. */
static void nothing_wanted(void **state)
{
    _cleanup_cert_bundle_ struct cert_bundle none = CERT_BUNDLE_INIT;
    struct cert_bundle_target t = { .ns = "ns", .service = "hook", .wanted = &none, .now = now };
    _cleanup_free_ char *configuration = with(ca[1]);
    _cleanup_json_ yyjson_doc *doc = NULL;
    (void)state;
    assert_int_equal(json_parse(str_of(configuration), &doc, NULL), 0);
    for (int keep = 0; keep < 2; keep++) {
        _cleanup_buf_ struct buf out = BUF_INIT((size_t)1 << 20);
        uint64_t others;
        t.keep_others = keep;
        assert_int_equal(cert_bundle_patch(&out, yyjson_doc_get_root(doc), &t, &others), CERT_BUNDLE_LACKS);
        assert_int_equal(out.n, 0);
        assert_int_equal(others, 0);
    }
}

/* Valid to the last second. */
static void ends(void **state)
{
    _cleanup_cert_bundle_ struct cert_bundle b = CERT_BUNDLE_INIT;
    (void)state;
    cert_bundle_add(&b, str_of(ca[0]), CERT_BUNDLE_MAX, now + DAY);
    assert_int_equal(b.n, 0);
    cert_bundle_add(&b, str_of(ca[0]), CERT_BUNDLE_MAX, now + DAY - 1);
    assert_int_equal(b.n, 1);
}

/* A patch that does not fit is not sent in part. */
static void too_many_webhooks(void **state)
{
    struct buf text = BUF_INIT((size_t)8 << 20);
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct cert_bundle_target t = { .ns = "ns", .service = "hook", .wanted = &wanted, .keep_others = true, .now = now };
    _cleanup_buf_ struct buf out = BUF_INIT((size_t)2048);
    uint64_t others;
    (void)state;
    buf_addz(&text, "{\"webhooks\":[");
    for (size_t i = 0; i < 10; i++)
        buf_addz(&text, OURS("a", "") ",");
    buf_addz(&text, OURS("a", "") "]}");
    assert_int_equal(json_parse(buf_str(&text), &doc, NULL), 0);
    assert_int_equal(cert_bundle_patch(&out, yyjson_doc_get_root(doc), &t, &others), CERT_BUNDLE_LACKS);
    assert_true(buf_failed(&out));
    _cleanup_buf_ struct buf tiny = BUF_INIT((size_t)10); /* not even one */
    assert_int_equal(cert_bundle_patch(&tiny, yyjson_doc_get_root(doc), &t, &others), CERT_BUNDLE_LACKS);
    assert_true(buf_failed(&tiny));
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_ours),
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(list_changed),
        cmocka_unit_test(any_name),
        cmocka_unit_test(states),
        cmocka_unit_test(not_base64),
        cmocka_unit_test(some_lack_some_have_more),
        cmocka_unit_test(some_have_more),
        cmocka_unit_test(others_are_told),
        cmocka_unit_test(bounded),
        cmocka_unit_test(room_in_bytes),
        cmocka_unit_test(nothing_wanted),
        cmocka_unit_test(ends),
        cmocka_unit_test(too_many_webhooks),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
