/* What doctor finds good, worrying or broken. */
#include "unit.h"

#include "cli/doctor.h"

#define DAY INT64_C(86400)

static void ends(void **state)
{
    static const struct {
        int64_t until, life;
        enum doctor_verdict verdict;
    } rows[] = {
        { 1000, 0, DOCTOR_FAILURE },
        { 999, 0, DOCTOR_FAILURE },
        { 1001, 0, DOCTOR_WARNING },
        { 1000 + 30 * DAY - 1, 0, DOCTOR_WARNING },
        { 1000 + 30 * DAY, 0, DOCTOR_OK },
        { 1000 + 30 * DAY, 365 * DAY, DOCTOR_OK },
        { 1000 + 29 * DAY, 365 * DAY, DOCTOR_WARNING },
        { 1000 + 400, 3600, DOCTOR_OK }, /* of a short life a tenth counts */
        { 1000 + 300, 3600, DOCTOR_WARNING },
        { INT64_MAX, 0, DOCTOR_OK },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(doctor_judge_end(rows[i].until, rows[i].life, 1000), rows[i].verdict);
    _cleanup_free_ char *a = doctor_end_text(1795460400 + 2 * DAY, 1795460400),
                        *b = doctor_end_text(1795460400 - 180, 1795460400), *c = doctor_end_text(INT64_MAX, 0);
    assert_string_equal(a, "is valid until 2026-11-25T19:00:00Z (2d)");
    assert_string_equal(b, "expired 3m ago (2026-11-23T18:57:00Z)");
    assert_string_equal(c, "is valid for ever");
}

static void versions(void **state)
{
    static const struct {
        const char *host, *member;
        enum doctor_verdict verdict;
    } rows[] = {
        { "v1.20.2", "v1.20.2", DOCTOR_OK },
        { "v1.27.3-gke.1", "v1.24.0+k3s1", DOCTOR_OK },
        { "v1.27.3", "v1.23.0", DOCTOR_WARNING },
        { "v1.20.0", "v1.24.1", DOCTOR_WARNING },
        { "v1.17.0", "v1.15.9", DOCTOR_WARNING },
        { "v1.20.0", "v2.20.0", DOCTOR_WARNING },
        { "v1.20.0", "", DOCTOR_UNKNOWN },
        { "garbage", "v1.20.0", DOCTOR_UNKNOWN },
        { "v1.20.0", "v1.99999999999999999999", DOCTOR_UNKNOWN },
        { "1.24+", "v1.24.0", DOCTOR_OK },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (doctor_judge_versions(str_of(rows[i].host), str_of(rows[i].member)) != rows[i].verdict)
            fail_msg("%s and %s", rows[i].host, rows[i].member);
}

static void locks(void **state)
{
    static const struct {
        const char *record;
        enum doctor_verdict verdict;
        const char *text;
    } rows[] = {
        { "{\"holderIdentity\":\"pod_1\",\"leaseDurationSeconds\":15,\"renewTime\":\"2026-11-23T18:59:55Z\"}",
          DOCTOR_OK, "pod_1 leads, renewed 5s ago" },
        { "{\"holderIdentity\":\"pod_1\",\"leaseDurationSeconds\":15,\"renewTime\":\"2026-11-23T19:00:20Z\"}",
          DOCTOR_OK, "pod_1 leads, renewed 0s ago" }, /* clocks */
        { "{\"holderIdentity\":\"pod_1\",\"leaseDurationSeconds\":15,\"renewTime\":\"2026-11-23T18:59:29Z\"}",
          DOCTOR_FAILURE, "pod_1 leads, renewed 31s ago" },
        { "{\"holderIdentity\":\"pod_1\",\"leaseDurationSeconds\":-1,\"renewTime\":\"2026-11-23T18:00:00Z\"}",
          DOCTOR_FAILURE, "pod_1 leads, renewed 60m ago" },
        { "{\"holderIdentity\":\"\",\"renewTime\":\"2026-11-23T18:59:55Z\"}", DOCTOR_FAILURE,
          "nobody leads: the last leader gave the lock back" },
        { "{\"holderIdentity\":\"pod_1\"}", DOCTOR_FAILURE, "pod_1 holds the lock, but never renewed it" },
        { "", DOCTOR_FAILURE, "the lock has no leader record" },
        { "[]", DOCTOR_FAILURE, "the lock has no leader record" },
        { "{", DOCTOR_FAILURE, "the lock has no leader record" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *text = NULL;
        assert_int_equal(doctor_judge_lock(str_of(rows[i].record), 1795460400, &text), rows[i].verdict);
        assert_string_equal(text, rows[i].text);
    }
}

static void schemas(void **state)
{
    static const char crd[] =
        "{\"spec\":{\"versions\":[{\"name\":\"v1\",\"schema\":{\"openAPIV3Schema\":{\"properties\":{\"spec\":"
        "{\"properties\":{\"proxyURL\":{\"type\":\"string\"},\"open\":{\"x-kubernetes-preserve-unknown-fields\":true}}}}}}},"
        "{\"name\":\"v2\"},{\"name\":7}]}}";
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct error *err = NULL;
    (void)state;
    assert_ok(json_parse(str_of(crd), &doc, &err), err);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_true(doctor_schema_has(root, STR("v1"), "spec.proxyURL"));
    assert_true(doctor_schema_has(root, STR("v1"), "spec.open.anything"));
    assert_false(doctor_schema_has(root, STR("v1"), "spec.other"));
    assert_false(doctor_schema_has(root, STR("v2"), "spec.proxyURL"));
    assert_false(doctor_schema_has(root, STR("v3"), "spec.proxyURL"));
    assert_false(doctor_schema_has(NULL, STR("v1"), "spec.proxyURL"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(ends), cmocka_unit_test(versions), cmocka_unit_test(locks),
                                        cmocka_unit_test(schemas) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
