/* The admission server's answers: paths, methods, content types, which requests are judged, readiness and counters. The rules
 * themselves are those of fed/admission.h, with tests of their own. */
#include "unit.h"

#include <stdio.h>

#include "base/encode.h"
#include "json/patch.h"
#include "webhook/admit.h"
#include "webhook/review.h"

#define FTC "/validate-federatedtypeconfigs"
#define KFC "/validate-kubefedcluster"
#define CONFIG "/validate-kubefedconfig"
#define DEFAULT "/default-kubefedconfig"

static struct admit admit;
static struct http_server_response resp;
static yyjson_doc *doc; /* of the last answer */

static int set_up(void **state)
{
    (void)state;
    admit = (struct admit){ 0 };
    return 0;
}

static void forget(void)
{
    buf_done(&resp.body);
    yyjson_doc_free(doc);
    doc = NULL;
}

static int tear_down(void **state)
{
    (void)state;
    forget();
    return 0;
}

static void ask(const char *method, const char *path, const char *query, struct str type, const char *body)
{
    const struct http_header headers[] = { { STR("accept"), STR("x") }, { STR("content-type"), type } };
    struct http_server_request req = { .method = str_of(method),
                                       .path = str_of(path),
                                       .query = str_of(query),
                                       .headers = headers,
                                       .n_headers = type.p ? 2 : 1,
                                       .body = str_of(body) };
    forget();
    resp = (struct http_server_response){ .status = 599, .content_type = "unset", .body = BUF_INIT((size_t)1 << 20) };
    admit_serve(&admit, &req, &resp);
    buf_addz(&resp.body, "");
}

static yyjson_val *answer(void)
{
    assert_int_equal(resp.status, 200);
    assert_string_equal(resp.content_type, "application/json");
    if (!doc)
        assert_int_equal(json_parse(buf_str(&resp.body), &doc, NULL), 0);
    return json_get(yyjson_doc_get_root(doc), "response");
}

/* request.resource and the rest of a request, its objects as JSON. */
static void review(const char *path, const char *operation, const char *resource, const char *subresource,
                   const char *object, const char *old)
{
    struct str group, plural;
    str_cut(str_of(resource), '/', &group, &plural);
    _cleanup_free_ char *body = mem_printf(
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u\",\"operation\":\"%s\","
        "\"resource\":{\"group\":\"%" PRIstr "\",\"version\":\"v1beta1\",\"resource\":\"%" PRIstr
        "\"},\"subResource\":\"%s\",\"object\":%s,\"oldObject\":%s}}",
        operation, STRARG(group), STRARG(plural), subresource, object, old);
    ask("POST", path, "", STR("application/json"), body);
}

static int code(void)
{
    yyjson_val *r = answer();
    int n = (int)json_path_i64(r, "status.code", 0);

    assert_int_equal(json_path_bool(r, "allowed", n != 200), n == 200);
    assert_str(json_path_str(r, "uid"), "u");
    return n;
}

static struct str message(void)
{
    return json_path_str(answer(), "status.message");
}

/* --- which requests are judged --- */

#define BAD "{\"metadata\":{\"name\":\"x\"},\"spec\":{}}"

static void judged(void **state)
{
    static const struct {
        const char *path, *operation, *resource, *subresource, *object;
        int code;
    } rows[] = {
        { FTC, "CREATE", "core.kubefed.io/federatedtypeconfigs", "", BAD, 403 },
        { FTC, "UPDATE", "core.kubefed.io/federatedtypeconfigs", "", BAD, 403 },
        { FTC, "DELETE", "core.kubefed.io/federatedtypeconfigs", "", BAD, 200 },
        { FTC, "CONNECT", "core.kubefed.io/federatedtypeconfigs", "", BAD, 200 },
        { FTC, "create", "core.kubefed.io/federatedtypeconfigs", "", BAD, 200 },
        { FTC, "", "core.kubefed.io/federatedtypeconfigs", "", BAD, 200 },
        { FTC, "CREATE", "core.kubefed.io/kubefedclusters", "", BAD, 200 },
        { FTC, "CREATE", "other/federatedtypeconfigs", "", BAD, 200 },
        { FTC, "CREATE", "core.kubefed.io/federatedtypeconfig", "", BAD, 200 },
        { FTC, "DELETE", "core.kubefed.io/federatedtypeconfigs", "", "null", 200 },
        { FTC, "CREATE", "core.kubefed.io/federatedtypeconfigs", "", "null", 400 },
        { FTC, "CREATE", "core.kubefed.io/federatedtypeconfigs", "", "5", 400 },
        { KFC, "CREATE", "core.kubefed.io/kubefedclusters", "", BAD, 403 },
        { KFC, "CREATE", "core.kubefed.io/federatedtypeconfigs", "", BAD, 200 },
        { KFC, "CREATE", "core.kubefed.io/kubefedclusters", "", "{\"spec\":5}", 400 },
        { CONFIG, "CREATE", "core.kubefed.io/kubefedconfigs", "", BAD, 403 },
        { CONFIG, "PATCH", "core.kubefed.io/kubefedconfigs", "", BAD, 200 },
        { CONFIG, "CREATE", "core.kubefed.io/kubefedclusters", "", BAD, 200 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        review(rows[i].path, rows[i].operation, rows[i].resource, rows[i].subresource, rows[i].object, "null");
        if (code() != rows[i].code)
            fail_msg("row %zu: %s", i, resp.body.p);
        if (rows[i].code != 200) {
            assert_str(json_path_str(answer(), "status.reason"), rows[i].code == 403 ? "Forbidden" : "BadRequest");
            assert_true(message().n > 0);
        }
    }
}

/* Any sub-resource of a type config means its status; of a cluster only "status" does. */
static void sub_resources(void **state)
{
    static const char ftc[] = "{\"status\":{\"observedGeneration\":-1,\"propagationController\":\"Running\"}}";
    static const char kfc[] = "{\"status\":{\"conditions\":[{\"type\":\"x\"}]}}";
    (void)state;
    review(FTC, "UPDATE", "core.kubefed.io/federatedtypeconfigs", "status", ftc, "null");
    assert_int_equal(code(), 403);
    assert_str(message(), "status.observedGeneration: Invalid value: -1: must be greater than or equal to 0");
    review(FTC, "UPDATE", "core.kubefed.io/federatedtypeconfigs", "scale", ftc, "null");
    assert_str(message(), "status.observedGeneration: Invalid value: -1: must be greater than or equal to 0");
    review(KFC, "UPDATE", "core.kubefed.io/kubefedclusters", "status", kfc, "null");
    assert_true(str_has_prefix(message(), STR("[status.conditions[0].type: ")));
    review(KFC, "UPDATE", "core.kubefed.io/kubefedclusters", "scale", kfc, "null");
    assert_non_null(strstr(resp.body.p, "spec.apiEndpoint: Required value"));
    assert_null(strstr(resp.body.p, "status.conditions"));
}

/* The old object counts for updates only. */
static void old_object(void **state)
{
    static const char object[] = "{\"spec\":{\"scope\":\"Cluster\"}}", old[] = "{\"spec\":{\"scope\":\"Namespaced\"}}";
    (void)state;
    review(CONFIG, "UPDATE", "core.kubefed.io/kubefedconfigs", "", object, old);
    assert_non_null(strstr(resp.body.p, "field is immutable"));
    review(CONFIG, "CREATE", "core.kubefed.io/kubefedconfigs", "", object, old);
    assert_int_equal(code(), 403);
    assert_null(strstr(resp.body.p, "field is immutable"));
}

/* An update without what it changes cannot be judged: 400, as KubeFed's decoder says. A rule that is violated comes after that, an
 * object that cannot be read before it. */
static void update_without_old_object(void **state)
{
    static const struct {
        const char *path, *operation, *resource, *object, *old;
        int code;
        const char *words;
    } rows[] = {
        { CONFIG, "UPDATE", "core.kubefed.io/kubefedconfigs", BAD, "null", 400, "there is no content to decode" },
        { CONFIG, "UPDATE", "core.kubefed.io/kubefedconfigs", BAD, "5", 400,
          "request.oldObject of an UPDATE: a KubeFedConfig must be" },
        { CONFIG, "UPDATE", "core.kubefed.io/kubefedconfigs", BAD, "[]", 400, "request.oldObject" },
        { CONFIG, "UPDATE", "core.kubefed.io/kubefedconfigs", "5", "null", 400, "a KubeFedConfig must be an object" },
        { CONFIG, "UPDATE", "core.kubefed.io/kubefedconfigs", BAD, "{}", 403, "Required value" },
        { CONFIG, "CREATE", "core.kubefed.io/kubefedconfigs", BAD, "null", 403, "Required value" },
        { KFC, "UPDATE", "core.kubefed.io/kubefedclusters", BAD, "null", 403,
          "Required value" }, /* nothing is compared */
        { CONFIG, "DELETE", "core.kubefed.io/kubefedconfigs", "null", "null", 200, "" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        review(rows[i].path, rows[i].operation, rows[i].resource, "", rows[i].object, rows[i].old);
        if (code() != rows[i].code || !strstr(resp.body.p, rows[i].words))
            fail_msg("row %zu: %s", i, resp.body.p);
    }
    ask("POST", CONFIG, "", STR("application/json"), /* no such member at all */
        "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{\"uid\":\"u\",\"operation\":\"UPDATE\","
        "\"resource\":{\"group\":\"core.kubefed.io\",\"resource\":\"kubefedconfigs\"},\"object\":" BAD "}}");
    assert_int_equal(code(), 400);
    assert_str(message(), "request.oldObject of an UPDATE: there is no content to decode");
}

/* Defaults are filled in whatever the operation and the resource; what they make is allowed. */
static void defaults(void **state)
{
    static const char *const operations[] = { "CREATE", "UPDATE", "DELETE", "" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
        _cleanup_buf_ struct buf patch = BUF_INIT((size_t)1 << 16), result = patch;
        _cleanup_json_ yyjson_doc *ops = NULL, *object = NULL;
        size_t k, n;
        yyjson_val *op;

        review(DEFAULT, operations[i], "any/thing", "", "{\"spec\":{\"scope\":\"Cluster\"}}", "null");
        assert_int_equal(code(), 200);
        assert_str(json_path_str(answer(), "patchType"), "JSONPatch");
        assert_int_equal(base64_decode(&patch, json_path_str(answer(), "patch"), NULL), 0);
        assert_int_equal(json_parse(buf_str(&patch), &ops, NULL), 0);
        assert_int_equal(json_parse(STR("{\"spec\":{\"scope\":\"Cluster\"}}"), &object, NULL), 0);
        _cleanup_json_mut_ yyjson_mut_doc *m = json_mut_doc_of(yyjson_doc_get_root(object));
        yyjson_arr_foreach(yyjson_doc_get_root(ops), k, n, op)
        {
            struct json_patch_op o = { json_path_str(op, "op"), json_path_str(op, "path"), json_get(op, "value"),
                                       true };
            assert_int_equal(json_patch_apply(m, &o, NULL), 0);
        }
        json_mut_write(&result, yyjson_mut_doc_get_root(m));
        review(CONFIG, "CREATE", "core.kubefed.io/kubefedconfigs", "", result.p, "null");
        assert_int_equal(code(), 200);
        review(DEFAULT, "CREATE", "core.kubefed.io/kubefedconfigs", "", result.p, "null");
        assert_int_equal(code(), 200); /* nothing is missing any more */
        assert_null(json_get(answer(), "patch"));
        assert_null(json_get(answer(), "patchType"));
    }
    review(DEFAULT, "CREATE", "core.kubefed.io/kubefedconfigs", "", "null", "null");
    assert_int_equal(code(), 400);
    review(DEFAULT, "CREATE", "core.kubefed.io/kubefedconfigs", "", "[]", "null");
    assert_int_equal(code(), 400);
}

/* --- what is no review --- */

static void content_types(void **state)
{
    static const char *const rows[] = {
        "", "text/plain", "application/json; charset=utf-8", "Application/JSON", "application/json ", "application/yaml"
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *expected = mem_printf("contentType=%s, expected application/json", rows[i]);
        ask("POST", KFC, "", str_of(rows[i]), "{}");
        assert_str(message(), expected);
        assert_int_equal(json_path_i64(answer(), "status.code", 0), 400);
        assert_false(json_path_bool(answer(), "allowed", true));
        assert_null(json_get(yyjson_doc_get_root(doc), "kind"));
    }
    ask("POST", KFC, "", STR_NULL, "{}"); /* no such header */
    assert_str(message(), "contentType=, expected application/json");
    /* What the header holds may be anything, of any length. */
    char text[1001];
    memset(text, 0xc3, sizeof(text));
    text[1000] = '\0';
    ask("POST", KFC, "", str_of(text), "{}");
    assert_in_range(message().n, 200, 1000);
    assert_int_equal(admit.counts[1].malformed, ARRAY_SIZE(rows) + 2);
}

static void no_review(void **state)
{
    static const char *const paths[] = { FTC, KFC, CONFIG, DEFAULT };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        ask("POST", paths[i], "", STR("application/json"), "{]");
        assert_int_equal(json_path_i64(answer(), "status.code", 0), 400);
        assert_str(json_path_str(answer(), "uid"), "");
        ask("POST", paths[i], "timeout=10s", STR("application/json"), "");
        assert_int_equal(json_path_i64(answer(), "status.code", 0), 400);
        assert_int_equal(admit.counts[i].malformed, 2);
    }
}

#define TOO_MANY "the AdmissionReview has 262146 JSON values, and at most 262144 are read: make the object smaller"

/* Two bytes of text become sixteen of memory: such a text is not read, but answered. */
static void too_many_values(void **state)
{
    _cleanup_buf_ struct buf body = BUF_INIT((size_t)16 << 20);
    (void)state;
    buf_addz(&body, "[");
    for (size_t i = 0; i < REVIEW_MAX_VALUES; i++)
        buf_addz(&body, "1,");
    buf_addz(&body, "1]");
    for (int broken = 0; broken < 2; broken++) { /* nothing is parsed before it is counted */
        body.p[body.n - 1] = broken ? ' ' : ']';
        ask("POST", KFC, "", STR("application/json"), body.p);
        assert_int_equal(json_path_i64(answer(), "status.code", 0), 400);
        assert_str(message(), TOO_MANY);
    }
    assert_int_equal(admit.counts[1].malformed, 2);
}

/* As many as may be, and one more. */
static void most_values(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        _cleanup_buf_ struct buf list = BUF_INIT((size_t)16 << 20);

        buf_addz(&list, "{\"l\":[1");
        for (size_t i = 28; i < REVIEW_MAX_VALUES + (size_t)more; i++) /* 28: the rest of the review, and the first */
            buf_addz(&list, ",1");
        buf_addz(&list, "]}");
        review(KFC, "DELETE", "core.kubefed.io/kubefedclusters", "", list.p, "null");
        assert_int_equal(code(), more ? 413 : 200);
    }
    assert_str(json_path_str(answer(), "status.reason"), "RequestEntityTooLarge");
    assert_non_null(strstr(resp.body.p, "the AdmissionReview has 262145 JSON values, and at most 262144 are read"));
    assert_str(json_path_str(yyjson_doc_get_root(doc), "apiVersion"), "admission.k8s.io/v1");
    assert_int_equal(admit.counts[1].denied, 1);
    assert_int_equal(admit.counts[1].malformed, 0);
}

static void paths_and_methods(void **state)
{
    static const struct {
        const char *method, *path, *query;
        int status;
        const char *body;
    } rows[] = {
        { "GET", KFC, "", 405, NULL },
        { "PUT", DEFAULT, "", 405, NULL },
        { "", CONFIG, "", 405, NULL },
        { "POST", "/", "", 404, "404 page not found\n" },
        { "POST", "*", "", 404, NULL },
        { "POST", KFC "/", "", 404, NULL },
        { "POST", KFC "s", "", 404, NULL },
        { "POST", "/validate-federatedtypeconfig", "", 404, NULL },
        { "GET", "/metrics", "", 404, NULL },
        { "GET", "/readyz", "", 301, NULL },
        { "GET", "/readyz/", "", 200, "ok" },
        { "GET", "/readyz/", "verbose", 200, "[+]ping ok\n[+]certificate ok\nhealthz check passed\n" },
        { "GET", "/readyz/", "a=b&verbose=1", 200, "[+]ping ok\n[+]certificate ok\nhealthz check passed\n" },
        { "GET", "/readyz/", "verbosely", 200, "ok" },
        { "GET", "/readyz/", "a&&", 200, "ok" },
        { "GET", "/readyz/ping", "", 200, "ok" },
        { "GET", "/readyz/pong", "", 404, "404 page not found\n" },
        { "GET", "/readyzz", "", 404, NULL },
        { "GET", "/healthz", "", 404, NULL },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ask(rows[i].method, rows[i].path, rows[i].query, STR("application/json"), "{}");
        if (resp.status != rows[i].status || (rows[i].body && strcmp(resp.body.p, rows[i].body) != 0))
            fail_msg("row %zu: %d %s", i, resp.status, resp.body.p);
        assert_string_equal(resp.content_type, "text/plain; charset=utf-8");
        if (rows[i].status == 301)
            assert_string_equal(resp.location, "/readyz/");
        else
            assert_null(resp.location);
    }
    for (size_t i = 0; i < ADMIT_PATHS; i++)
        assert_int_equal(admit.counts[i].malformed + admit.counts[i].allowed + admit.counts[i].denied, 0);
}

static const char *why_unready;

static const char *unready(void *arg)
{
    assert_ptr_equal(arg, &admit);
    return why_unready;
}

static void readiness(void **state)
{
    (void)state;
    admit.unready = unready;
    admit.arg = &admit;
    why_unready = "certificate failed: it is blue";
    ask("GET", "/readyz/", "", STR_NULL, "");
    assert_int_equal(resp.status, 500);
    assert_string_equal(resp.body.p, "[+]ping ok\n[-]certificate failed: it is blue\nhealthz check failed\n");
    ask("GET", "/readyz/ping", "", STR_NULL, "");
    assert_int_equal(resp.status, 200);
    ask("GET", "/readyz", "", STR_NULL, "");
    assert_int_equal(resp.status, 301);
    review(KFC, "DELETE", "core.kubefed.io/kubefedclusters", "", "null", "null"); /* whoever calls is answered */
    assert_int_equal(code(), 200);
    why_unready = NULL;
    ask("GET", "/readyz/", "", STR_NULL, "");
    assert_int_equal(resp.status, 200);
}

/* --- counters --- */

static void assert_metric(const struct buf *text, const char *line)
{
    if (!strstr(text->p, line))
        fail_msg("no line \"%s\" in %s", line, text->p);
}

/* For tests/monitoring/check. */
static void put_out(const struct buf *text)
{
    const char *path = getenv("METRICS_OUT");
    FILE *f = path ? fopen(path, "w") : NULL;

    assert_true(!path || (f && fwrite(text->p, 1, text->n, f) == text->n));
    if (f)
        fclose(f);
}

static void counters(void **state)
{
    _cleanup_buf_ struct buf text = BUF_INIT((size_t)1 << 16);
    (void)state;
    admit.certificate_until = 1800000000;
    for (int i = 0; i < 3; i++)
        review(KFC, "DELETE", "core.kubefed.io/kubefedclusters", "", "null", "null");
    for (int i = 0; i < 2; i++)
        review(KFC, "CREATE", "core.kubefed.io/kubefedclusters", "", BAD, "null");
    ask("POST", KFC, "", STR("x"), "");
    review(DEFAULT, "CREATE", "a/b", "", "{}", "null");
    review(DEFAULT, "CREATE", "a/b", "", "null", "null");
    ask("GET", DEFAULT, "", STR_NULL, "");
    admit_metrics(&admit, &text);
    assert_metric(&text, "\nkubefed_webhook_reviews_total{webhook=\"" KFC "\",result=\"allowed\"} 3\n");
    assert_metric(&text, "\nkubefed_webhook_reviews_total{webhook=\"" KFC "\",result=\"denied\"} 2\n");
    assert_metric(&text, "\nkubefed_webhook_reviews_total{webhook=\"" KFC "\",result=\"malformed\"} 1\n");
    assert_metric(&text, "\nkubefed_webhook_reviews_total{webhook=\"" DEFAULT "\",result=\"allowed\"} 1\n");
    assert_metric(&text, "\nkubefed_webhook_reviews_total{webhook=\"" DEFAULT "\",result=\"denied\"} 1\n");
    assert_metric(&text, "\nkubefed_webhook_reviews_total{webhook=\"" FTC "\",result=\"allowed\"} 0\n");
    assert_metric(&text, "\ncontroller_runtime_webhook_requests_total{webhook=\"" KFC "\",code=\"200\"} 6\n");
    assert_metric(&text, "\ncontroller_runtime_webhook_requests_total{webhook=\"" FTC "\",code=\"200\"} 0\n");
    assert_metric(&text, "\n# TYPE controller_runtime_webhook_requests_total counter\n");
    assert_metric(&text, "\ncontroller_runtime_webhook_requests_total{webhook=\"" DEFAULT "\",code=\"405\"} 1\n");
    assert_metric(&text, "\ncontroller_runtime_webhook_requests_total{webhook=\"" DEFAULT "\",code=\"500\"} 0\n");
    assert_metric(&text, "\n# TYPE controller_runtime_webhook_latency_seconds histogram\n");
    assert_metric(&text, "\ncontroller_runtime_webhook_latency_seconds_bucket{webhook=\"" FTC "\",le=\"0.005\"} 0\n");
    assert_metric(&text, "\ncontroller_runtime_webhook_latency_seconds_bucket{webhook=\"" KFC "\",le=\"10\"} 6\n");
    assert_metric(&text, "\ncontroller_runtime_webhook_latency_seconds_bucket{webhook=\"" KFC "\",le=\"+Inf\"} 6\n");
    assert_metric(&text, "\ncontroller_runtime_webhook_latency_seconds_count{webhook=\"" DEFAULT "\"} 3\n");
    assert_metric(&text, "\ncontroller_runtime_webhook_latency_seconds_sum{webhook=\"" FTC "\"} 0.000000000\n");
    assert_metric(&text, "\ncontroller_runtime_webhook_requests_in_flight{webhook=\"" CONFIG "\"} 0\n");
    assert_metric(&text, "\nkubefed_webhook_certificate_expiry_seconds 1800000000\n");
    assert_false(buf_failed(&text));
    put_out(&text);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(judged),    T(sub_resources),   T(old_object),  T(update_without_old_object), T(defaults),  T(content_types),
        T(no_review), T(too_many_values), T(most_values), T(paths_and_methods),         T(readiness), T(counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
