/* AdmissionReview in and out: what is read, what is no review, and the answers to the letter (api-and-cli.md 4.2). */
#include "unit.h"

#include "base/encode.h"
#include "webhook/review.h"

#define FULL                                                                                                           \
    "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u-1\",\"kind\":{"     \
    "\"group\":\"g\",\"version\":\"v1\",\"kind\":\"K\"},\"resource\":{\"group\":\"core.kubefed.io\",\"version\":"      \
    "\"v1beta1\",\"resource\":\"kubefedclusters\"},\"subResource\":\"status\",\"name\":\"c\",\"namespace\":\"n\","     \
    "\"operation\":\"UPDATE\",\"userInfo\":{\"username\":\"x\"},\"object\":{\"a\":1},\"oldObject\":{\"a\":2},"         \
    "\"dryRun\":false,\"options\":null}}"

static struct review decode(const char *text)
{
    struct review r;
    struct error *err = NULL;

    assert_ok(review_decode(str_of(text), &r, &err), err);
    return r;
}

static void reads(void **state)
{
    struct review r = decode(FULL);
    (void)state;
    assert_str(r.api_version, "admission.k8s.io/v1");
    assert_str(r.uid, "u-1");
    assert_str(r.operation, "UPDATE");
    assert_str(r.group, "core.kubefed.io");
    assert_str(r.resource, "kubefedclusters");
    assert_str(r.subresource, "status");
    assert_int_equal(json_path_i64(r.object, "a", 0), 1);
    assert_int_equal(json_path_i64(r.old_object, "a", 0), 2);
    review_done(&r);
    assert_null(r.doc);
}

/* The least that is one; neither dryRun nor anything else needs to be there, and nothing needs to be of its type. */
static void reads_little(void **state)
{
    static const char *const rows[] = {
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1beta1\",\"request\":{}}",
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1beta1\",\"request\":{\"uid\":5,\"operation\":[],"
        "\"resource\":\"x\",\"subResource\":null,\"dryRun\":\"?\"}}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct review r = decode(rows[i]);
        assert_str(r.api_version, "admission.k8s.io/v1beta1");
        assert_true(str_empty(r.uid) && str_empty(r.operation) && str_empty(r.group) && str_empty(r.resource) &&
                    str_empty(r.subresource));
        assert_null(r.object);
        assert_null(r.old_object);
        review_done(&r);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        { "", NULL },
        { "{", NULL },
        { FULL "x", NULL },
        { "\xff", NULL },
        { "null", "expected an AdmissionReview" },
        { "[]", "expected an AdmissionReview" },
        { "5", "expected an AdmissionReview" },
        { "{}", "expected an AdmissionReview" },
        { "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v2\",\"request\":{}}",
          "expected an AdmissionReview of admission.k8s.io/v1 or v1beta1" },
        { "{\"kind\":\"AdmissionReview\",\"apiVersion\":1,\"request\":{}}", "expected an AdmissionReview" },
        { "{\"kind\":\"Pod\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{}}", "expected an AdmissionReview" },
        { "{\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{}}", "expected an AdmissionReview" },
        { "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\"}", "no request" },
        { "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":null}", "no request" },
        { "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":[]}", "no request" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct review r = { 0 };
        _cleanup_error_ struct error *err = NULL;
        if (review_decode(str_of(rows[i].text), &r, &err) != -EINVAL)
            fail_msg("row %zu is taken", i);
        assert_null(r.doc);
        if (rows[i].words && !strstr(error_msg(err), rows[i].words))
            fail_msg("row %zu: %s", i, error_msg(err));
    }
}

/* --- answers --- */

static void check(const struct buf *out, const char *expected)
{
    _cleanup_json_ yyjson_doc *got = NULL, *want = NULL;

    assert_false(buf_failed(out));
    assert_int_equal(json_parse(buf_str(out), &got, NULL), 0);
    assert_int_equal(json_parse(str_of(expected), &want, NULL), 0);
    if (!json_equal(yyjson_doc_get_root(got), yyjson_doc_get_root(want)))
        fail_msg("got %s, expected %s", out->p, expected);
}

#define HEAD(version, uid)                                                                                             \
    "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/" version "\",\"response\":{\"uid\":\"" uid "\","

static void answers(void **state)
{
    struct review r = decode(FULL);
    (void)state;
    _cleanup_buf_ struct buf allow = BUF_INIT((size_t)4096), patch = allow, deny = allow, bad = allow, none = allow;
    review_allow(&allow, &r);
    check(&allow, HEAD("v1", "u-1") "\"allowed\":true,\"status\":{\"metadata\":{},\"code\":200}}}");
    review_patch(&patch, &r, STR("[{\"op\":\"add\"}]"));
    check(&patch, HEAD("v1", "u-1") "\"allowed\":true,\"status\":{\"metadata\":{},\"code\":200},\"patch\":"
                                    "\"W3sib3AiOiJhZGQifV0=\",\"patchType\":\"JSONPatch\"}}");
    review_deny(&deny, &r, 403, "Forbidden", "spec.x: Required value");
    check(&deny, HEAD("v1", "u-1") "\"allowed\":false,\"status\":{\"metadata\":{},\"status\":\"Failure\",\"reason\":"
                                   "\"Forbidden\",\"code\":403,\"message\":\"spec.x: Required value\"}}}");
    review_deny(&bad, &r, 400, "BadRequest", "no");
    check(&bad, HEAD("v1", "u-1") "\"allowed\":false,\"status\":{\"metadata\":{},\"status\":\"Failure\",\"reason\":"
                                  "\"BadRequest\",\"code\":400,\"message\":\"no\"}}}");
    review_malformed(&none, "contentType=, expected application/json");
    check(&none, "{\"response\":{\"uid\":\"\",\"allowed\":false,\"status\":{\"metadata\":{},\"code\":400,\"message\":"
                 "\"contentType=, expected application/json\"}}}");
    review_done(&r);
}

/* The version and the uid are those of the request, whatever is in them. */
static void echoes(void **state)
{
    struct review r = decode("{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1beta1\",\"request\":"
                             "{\"uid\":\"\\u0000\\\"\\\\\\u00e9\\ud83d\\ude00\\n\"}}");
    (void)state;
    _cleanup_buf_ struct buf out = BUF_INIT((size_t)4096);
    review_allow(&out, &r);
    check(
        &out,
        HEAD("v1beta1",
             "\\u0000\\\"\\\\\\u00e9\\ud83d\\ude00\\n") "\"allowed\":true,\"status\":{\"metadata\":{},\"code\":200}}}");
    review_done(&r);
}

/* Messages may hold what users wrote. */
static void any_message(void **state)
{
    struct review r = decode(FULL);
    (void)state;
    for (int c = 1; c < 256; c++) {
        char text[] = { 'a', (char)c, 'b', '\0' };
        _cleanup_buf_ struct buf out = BUF_INIT((size_t)4096), malformed = out;
        _cleanup_json_ yyjson_doc *doc = NULL, *other = NULL;
        review_deny(&out, &r, 403, "Forbidden", text);
        assert_int_equal(json_parse(buf_str(&out), &doc, NULL), 0);
        struct str message = json_path_str(yyjson_doc_get_root(doc), "response.status.message");
        if (c < 128)
            assert_str(message, text);
        else
            assert_str(message, "a\xef\xbf\xbd"
                                "b");
        review_malformed(&malformed, text);
        assert_int_equal(json_parse(buf_str(&malformed), &other, NULL), 0);
    }
    review_done(&r);
}

/* Without parsing: the uid of the request and no other, and nothing that is not certain. */
static void peeks(void **state)
{
#define REVIEW(request) "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":" request
    static const struct {
        const char *text, *uid; /* NULL: none */
    } rows[] = {
        { FULL, "u-1" },
        { REVIEW("{\"uid\":\"u\""), "u" }, /* what comes behind does not matter */
        { REVIEW("{\"object\":{\"uid\":\"x\",\"l\":[\"uid\",\"}\",{}]},\"uid\" : \"u\""), "u" },
        { REVIEW("{\"uid\":\"a\",\"uid\":\"b\"}}"), "b" },
        { REVIEW("{\"uid\":\"a\",\"uid\":5}}"), NULL },
        { REVIEW("{\"uid\":\"a\"},\"request\":{}}"), NULL },
        { REVIEW("{\"uid\":\"\\u0061\"}}"), NULL },
        { REVIEW("{\"uid\":{\"uid\":\"a\"}}}"), NULL },
        { REVIEW("[\"uid\",\"a\"]}"), NULL },
        { REVIEW("{}},\"uid\":\"a\"}"), NULL },
        { REVIEW("{\"uid\":\"a\"},\"kind\":\"Pod\"}"), NULL },
        { REVIEW("{\"uid\":\"a\"},\"apiVersion\":\"v1\"}"), NULL },
        { REVIEW("{\"uid"), NULL },
        { REVIEW("{\"uid\":\"\\"), NULL },
        { "", NULL },
        { "]]]}}}", NULL },
        { "\"", NULL },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct review r;

        if (review_peek(str_of(rows[i].text), &r) != (rows[i].uid != NULL))
            fail_msg("row %zu", i);
        if (rows[i].uid) {
            assert_str(r.uid, rows[i].uid);
            assert_str(r.api_version, "admission.k8s.io/v1");
            assert_null(r.doc);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),  cmocka_unit_test(reads_little), cmocka_unit_test(refuses), cmocka_unit_test(answers),
        cmocka_unit_test(echoes), cmocka_unit_test(any_message),  cmocka_unit_test(peeks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
