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
        { "{\"holderIdentity\":\"pod_1\",\"leaseDurationSeconds\":15,\"renewTime\":\"2026-11-23T18:59:45Z\"}",
          DOCTOR_OK, "pod_1 leads, renewed 15s ago" },
        { "{\"holderIdentity\":\"pod_1\",\"leaseDurationSeconds\":15,\"renewTime\":\"2026-11-23T18:59:44Z\"}",
          DOCTOR_WARNING, "pod_1 leads, renewed 16s ago" },
        { "{\"holderIdentity\":\"pod_1\",\"leaseDurationSeconds\":15,\"renewTime\":\"2026-11-23T18:59:30Z\"}",
          DOCTOR_WARNING, "pod_1 leads, renewed 30s ago" },
        { "{\"holderIdentity\":\"pod_1\",\"leaseDurationSeconds\":15,\"renewTime\":\"2026-11-23T18:59:29Z\"}",
          DOCTOR_FAILURE, "pod_1 leads, renewed 31s ago" },
        /* A lease that never ends is none. */
        { "{\"holderIdentity\":\"pod_1\",\"leaseDurationSeconds\":9223372036854775807,"
          "\"renewTime\":\"2020-11-24T19:00:00Z\"}",
          DOCTOR_FAILURE, "pod_1 leads, renewed 6y ago" },
        { "{\"holderIdentity\":[1],\"leaseDurationSeconds\":\"x\",\"renewTime\":7}", DOCTOR_FAILURE,
          "nobody leads: the last leader gave the lock back" },
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

static yyjson_doc *parsed(const char *text)
{
    yyjson_doc *doc = NULL;
    struct error *err = NULL;
    assert_ok(json_parse(str_of(text), &doc, &err), err);
    return doc;
}

/* What was made as v1beta1 may keep what its schema does not name. */
static void schemas_that_keep_everything(void **state)
{
    _cleanup_json_ yyjson_doc *keeps = parsed(
        "{\"spec\":{\"preserveUnknownFields\":true,\"versions\":[{\"name\":\"v1\"}]}}");
    _cleanup_json_ yyjson_doc *prunes = parsed(
        "{\"spec\":{\"preserveUnknownFields\":false,\"versions\":[{\"name\":\"v1\"}]}}");
    _cleanup_json_ yyjson_doc *garbage = parsed(
        "{\"spec\":{\"preserveUnknownFields\":\"yes\",\"versions\":{\"name\":\"v1\"}}}");
    (void)state;
    assert_true(doctor_schema_has(yyjson_doc_get_root(keeps), STR("v1"), "spec.proxyURL"));
    assert_false(doctor_schema_has(yyjson_doc_get_root(prunes), STR("v1"), "spec.proxyURL"));
    assert_false(doctor_schema_has(yyjson_doc_get_root(garbage), STR("v1"), "spec.proxyURL"));
}

static void stale_probes(void **state)
{
    static const struct {
        int64_t period_s, stale_s;
    } rows[] = { { 1, 300 }, { 10, 300 }, { 100, 300 }, { 101, 303 }, { 600, 1800 }, { 9000000000, 27000000000 } };
    (void)state;
    assert_int_equal(doctor_stale_after(NULL), 300);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fed_config config = { .health_period_ns = rows[i].period_s * 1000000000 };
        assert_int_equal(doctor_stale_after(&config), rows[i].stale_s);
    }
}

static void loopback(void **state)
{
    static const char *const on[] = { "https://localhost:6443", "https://127.0.0.1", "http://127.8.0.1:8080/x",
                                      "https://[::1]:6443",     "https://0.0.0.0:1", "https://kind.localhost" };
    static const char *const off[] = {
        "https://10.0.0.1:6443", "https://localhost.example.com", "https://[fd00::1]:6443", "https://api", "", "no url"
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(on); i++)
        if (!doctor_is_loopback(on[i]))
            fail_msg("%s is on loopback", on[i]);
    for (size_t i = 0; i < ARRAY_SIZE(off); i++)
        if (doctor_is_loopback(off[i]))
            fail_msg("%s is not on loopback", off[i]);
}

static void secrets_of_join(void **state)
{
    static const struct {
        const char *secret;
        bool is;
    } rows[] = {
        { "{\"type\":\"Opaque\",\"metadata\":{\"name\":\"member1-x7k2p\"},\"data\":{\"token\":\"eA==\"}}", true },
        { "{\"type\":\"Opaque\",\"metadata\":{\"name\":\"a-b.c-x7k2p\"},\"data\":{\"token\":\"eA==\"}}", true },
        { "{\"type\":\"Opaque\",\"metadata\":{\"name\":\"member1-x7k2\"},\"data\":{\"token\":\"eA==\"}}", false },
        { "{\"type\":\"Opaque\",\"metadata\":{\"name\":\"x7k2p\"},\"data\":{\"token\":\"eA==\"}}", false },
        { "{\"type\":\"Opaque\",\"metadata\":{\"name\":\"m-x7k2p\"},\"data\":{\"token\":\"eA==\",\"more\":\"\"}}",
          false },
        { "{\"type\":\"Opaque\",\"metadata\":{\"name\":\"m-x7k2p\"},\"data\":{\"password\":\"eA==\"}}", false },
        { "{\"type\":\"kubernetes.io/service-account-token\",\"metadata\":{\"name\":\"m-x7k2p\"},"
          "\"data\":{\"token\":\"eA==\"}}",
          false },
        { "{\"type\":1,\"metadata\":[],\"data\":\"token\"}", false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_json_ yyjson_doc *doc = parsed(rows[i].secret);
        if (doctor_is_of_join(yyjson_doc_get_root(doc)) != rows[i].is)
            fail_msg("%s", rows[i].secret);
    }
    assert_false(doctor_is_of_join(NULL));
}

/* Commands are copied into shells. */
static void names_in_commands(void **state)
{
    static const char *const names[] = { "member1", "x; reboot", "", "$(x)", "a\nb", "-f" };
    struct doctor d = { 0 };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        doctor_add(&d, "A", names[i], DOCTOR_WARNING, "m", "first {name}, then {name} --force");
    assert_int_equal(d.n_findings, ARRAY_SIZE(names));
    for (size_t i = 0; i < d.n_findings; i++) {
        assert_string_equal(d.findings[i].advice,
                            i == 0 ? "first member1, then member1 --force" : "first NAME, then NAME --force");
        free(d.findings[i].name);
        free(d.findings[i].message);
        free(d.findings[i].advice);
    }
    free(d.findings);
}

static void findings_stand_with_their_subject(void **state)
{
    static const char *const order[] = { "a1", "a2", "a3", "b1", "b2", "c1" };
    struct doctor d = { 0 };
    (void)state;
    doctor_add(&d, "A", "a1", DOCTOR_OK, "m", NULL);
    doctor_add(&d, "A", "a2", DOCTOR_OK, "m", NULL);
    doctor_add(&d, "B", "b1", DOCTOR_OK, "m", NULL);
    doctor_add(&d, "C", "c1", DOCTOR_OK, "m\033[2J", "do\ait");
    doctor_add(&d, "A", "a3", DOCTOR_OK, "m", NULL);
    doctor_add(&d, "B", "b2", DOCTOR_OK, "m", NULL);
    assert_int_equal(d.n_findings, ARRAY_SIZE(order));
    for (size_t i = 0; i < d.n_findings; i++) {
        assert_string_equal(d.findings[i].name, order[i]);
        assert_null(strchr(d.findings[i].message, 033));
        assert_true(!d.findings[i].advice || !strchr(d.findings[i].advice, '\a'));
        free(d.findings[i].name);
        free(d.findings[i].message);
        free(d.findings[i].advice);
    }
    free(d.findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(ends),
                                        cmocka_unit_test(versions),
                                        cmocka_unit_test(locks),
                                        cmocka_unit_test(schemas),
                                        cmocka_unit_test(schemas_that_keep_everything),
                                        cmocka_unit_test(stale_probes),
                                        cmocka_unit_test(loopback),
                                        cmocka_unit_test(secrets_of_join),
                                        cmocka_unit_test(names_in_commands),
                                        cmocka_unit_test(findings_stand_with_their_subject) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
