/* What the status of a federated object says, in words; and what plan makes of objects before it shows them. */
#include "unit.h"

#include "cli/object_state.h"
#include "cli/plan.h"

static yyjson_doc *parse(const char *text)
{
    yyjson_doc *doc = NULL;
    struct error *err = NULL;
    assert_ok(json_parse(str_of(text), &doc, &err), err);
    return doc;
}

#define CONDITION(status, reason)                                                                                      \
    "\"conditions\":[{\"type\":\"Other\",\"status\":\"False\"},{\"type\":\"Propagation\",\"status\":\"" status         \
    "\"," reason "\"lastTransitionTime\":\"T\"}]"
#define OBJECT(meta, status)                                                                                           \
    "{\"metadata\":{\"name\":\"n\",\"generation\":2" meta "},\"status\":{\"observedGeneration\":2," status "}}"
#define CLUSTERS "\"clusters\":[{\"name\":\"a\"},{\"name\":\"b\",\"status\":\"\"},{\"name\":\"c\"}]"
#define BROKEN                                                                                                         \
    "\"clusters\":[{\"name\":\"a\"},{\"name\":\"b\",\"status\":\"UpdateFailed\"},{\"name\":\"c\",\"status\":"          \
    "\"ClusterNotReady\"},{\"name\":\"d\",\"status\":\"UpdateFailed\"}]"

static void words(void **state)
{
    static const struct {
        const char *object;
        bool running;
        const char *word;
        bool problem;
        size_t good, all;
        const char *where, *why, *since;
    } rows[] = {
        { OBJECT("", CONDITION("True", "") "," CLUSTERS), true, "Propagated", false, 3, 3, "a,b,c", "", "T" },
        { OBJECT("", CONDITION("True", "")), true, "NotPlaced", false, 0, 0, "", "", "T" },
        { OBJECT("", CONDITION("False", "\"reason\":\"CheckClusters\",") "," BROKEN), true, "CheckClusters", true, 1, 4,
          "a", "UpdateFailed: b,d; ClusterNotReady: c", "T" },
        { OBJECT("", CONDITION("False", "\"reason\":\"NamespaceNotFederated\",")), true, "NamespaceNotFederated", true,
          0, 0, "", "there is no FederatedNamespace in this namespace", "T" },
        { OBJECT("", CONDITION("False", "\"reason\":\"ComputePlacementFailed\",")), true, "ComputePlacementFailed",
          true, 0, 0, "", "the placement cannot be computed", "T" },
        { OBJECT("", CONDITION("False", "")), true, "NotPropagated", true, 0, 0, "", "", "T" },
        { "{\"metadata\":{\"name\":\"n\",\"generation\":1,\"creationTimestamp\":\"C\"}}", true, "Pending", false, 0, 0,
          "", "", "C" },
        { "{\"metadata\":{\"name\":\"n\",\"generation\":3,\"creationTimestamp\":\"C\"},\"status\":{\"observedGeneration\":2," CONDITION(
              "True", "") "," CLUSTERS "}}",
          true, "Pending", false, 3, 3, "a,b,c", "", "" },
        { OBJECT("", CONDITION("True", "") "," CLUSTERS), false, "NotRunning", true, 3, 3, "a,b,c",
          "the propagation of this type is not running", "" },
        { OBJECT(",\"deletionTimestamp\":\"D\"", CONDITION("False", "") "," BROKEN), true, "Deleting", true, 1, 4, "a",
          "UpdateFailed: b,d; ClusterNotReady: c", "D" },
        { OBJECT(",\"deletionTimestamp\":\"D\"", CONDITION("True", "")), false, "Deleting", false, 0, 0, "",
          "the propagation of this type is not running", "D" },
        { OBJECT("", "\"conditions\":[{\"type\":\"Propagation\",\"status\":\"True\",\"lastTransitionTime\":\"T\"},"
                     "{\"type\":\"Contested\",\"status\":\"True\",\"reason\":\"a: spec.x\"}]," CLUSTERS),
          true, "Propagated", true, 3, 3, "a,b,c", "contested: a: spec.x", "T" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_json_ yyjson_doc *doc = parse(rows[i].object);
        _cleanup_object_state_ struct object_state s = { 0 };
        object_state_of(yyjson_doc_get_root(doc), rows[i].running, &s);
        assert_string_equal(s.word, rows[i].word);
        assert_int_equal(s.problem, rows[i].problem);
        assert_int_equal(s.n_good, rows[i].good);
        assert_int_equal(s.n_clusters, rows[i].all);
        assert_string_equal(s.where, rows[i].where);
        assert_string_equal(s.why, rows[i].why);
        assert_str(s.since, rows[i].since);
    }
}

/* Whatever is stored there: no crash, and some word. */
static void odd_types(void **state)
{
    static const char *const objects[] = {
        "null",
        "7",
        "[]",
        "{}",
        "{\"status\":\"x\"}",
        "{\"status\":{\"clusters\":7,\"conditions\":\"x\"}}",
        "{\"status\":{\"clusters\":[null,7,\"x\",[],{\"name\":7,\"status\":[]}],\"conditions\":[null,{\"type\":7}]}}",
        "{\"metadata\":{\"generation\":\"x\",\"deletionTimestamp\":7},\"status\":{\"observedGeneration\":[]}}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        _cleanup_json_ yyjson_doc *doc = parse(objects[i]);
        _cleanup_object_state_ struct object_state s = { 0 };
        object_state_of(yyjson_doc_get_root(doc), true, &s);
        assert_true(s.word && s.word[0] && s.where && s.why);
    }
}

static void shortened(void **state)
{
    (void)state;
    static const struct {
        const char *names;
        size_t most;
        const char *expected;
    } rows[] = { { "", 4, "" },
                 { "a", 4, "a" },
                 { "a,b,c,d", 4, "a,b,c,d" },
                 { "a,b,c,d,e,f", 4, "a,b,c,d,+2" },
                 { "a,b", SIZE_MAX, "a,b" } };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *got = names_shortened(rows[i].names, rows[i].most);
        assert_string_equal(got, rows[i].expected);
    }
}

/* --- plan: what an apply makes of an object --- */

static void merged(const char *live, const char *file, const char *expected)
{
    _cleanup_json_ yyjson_doc *a = live ? parse(live) : NULL, *b = parse(file), *want = parse(expected);
    _cleanup_json_mut_ yyjson_mut_doc *got = plan_merge(yyjson_doc_get_root(a), yyjson_doc_get_root(b));
    _cleanup_buf_ struct buf text = BUF_INIT(1 << 16);
    json_mut_write(&text, yyjson_mut_doc_get_root(got));
    if (!json_mut_equal(yyjson_mut_doc_get_root(got), yyjson_doc_get_root(want)))
        fail_msg("got %s, expected %s", text.p, expected);
}

static void merges(void **state)
{
    (void)state;
    merged(
        NULL,
        "{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"7\"},\"spec\":{\"a\":1},\"status\":{\"x\":1}}",
        "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"a\":1}}");
    /* What the file does not name stays: a scheduler wrote it. */
    merged("{\"metadata\":{\"name\":\"n\",\"uid\":\"u\"},\"spec\":{\"a\":1,\"overrides\":[1]},\"status\":{\"x\":1}}",
           "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"a\":2}}",
           "{\"metadata\":{\"name\":\"n\",\"uid\":\"u\"},\"spec\":{\"a\":2,\"overrides\":[1]},\"status\":{\"x\":1}}");
    /* What was applied before and is no longer named goes; lists are one value. */
    merged("{\"metadata\":{\"name\":\"n\",\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":"
           "\"{\\\"spec\\\":{\\\"a\\\":1,\\\"deep\\\":{\\\"b\\\":1,\\\"c\\\":1},\\\"l\\\":[1,2]}}\"}},"
           "\"spec\":{\"a\":1,\"deep\":{\"b\":1,\"c\":1,\"theirs\":1},\"l\":[1,2],\"other\":1}}",
           "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"deep\":{\"c\":2},\"l\":[3]}}",
           "{\"metadata\":{\"name\":\"n\",\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":"
           "\"{\\\"spec\\\":{\\\"a\\\":1,\\\"deep\\\":{\\\"b\\\":1,\\\"c\\\":1},\\\"l\\\":[1,2]}}\"}},"
           "\"spec\":{\"deep\":{\"c\":2,\"theirs\":1},\"l\":[3],\"other\":1}}");
    /* Nonsense in the annotation is none. */
    merged(
        "{\"metadata\":{\"name\":\"n\",\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"[\"}},\"spec\":{\"a\":1}}",
        "{\"spec\":7}",
        "{\"metadata\":{\"name\":\"n\",\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"[\"}},\"spec\":7}");
}

/* --- plan: what may be shown --- */

static struct fed_type_config secrets = {
    .name = (char *)"secrets", .target = { (char *)"", (char *)"v1", (char *)"Secret", (char *)"secrets", true }
};
static struct fed_type_config maps = { .name = (char *)"configmaps",
                                       .target = { (char *)"", (char *)"v1", (char *)"ConfigMap", (char *)"configmaps",
                                                   true } };

static char *shown(const struct fed_type_config *type, const char *object, const char *other, bool after)
{
    _cleanup_json_ yyjson_doc *a = parse(object), *b = other ? parse(other) : NULL;
    _cleanup_json_ yyjson_doc *got = plan_presentable(type, yyjson_doc_get_root(a), yyjson_doc_get_root(b), after);
    struct buf text = BUF_INIT(1 << 16);
    json_write(&text, yyjson_doc_get_root(got));
    return buf_take(&text, NULL);
}

static void secrets_are_not_shown(void **state)
{
    static const char before[] =
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"n\",\"annotations\":{"
        "\"kubectl.kubernetes.io/last-applied-configuration\":\"cGFzc3dvcmQ=\"}},"
        "\"data\":{\"same\":\"cGFzc3dvcmQ=\",\"other\":\"cGFzc3dvcmQ=\",\"old\":\"cGFzc3dvcmQ=\"}}";
    static const char after[] =
        "{\"metadata\":{\"name\":\"n\"},\"data\":{\"same\":\"cGFzc3dvcmQ=\",\"other\":\"c2VjcmV0\",\"new\":"
        "\"c2VjcmV0\"},\"stringData\":{\"x\":\"secret\"}}";
    static const char *const odd[] = { "{\"data\":\"cGFzc3dvcmQ=\"}", "{\"data\":[\"cGFzc3dvcmQ=\"]}",
                                       "{\"data\":{\"a\":{\"b\":\"cGFzc3dvcmQ=\"}}}" };
    (void)state;
    _cleanup_free_ char *a = shown(&secrets, before, after, false), *b = shown(&secrets, after, before, true);
    assert_null(strstr(a, "cGFzc3dvcmQ"));
    assert_null(strstr(b, "c2VjcmV0"));
    assert_null(strstr(b, "secret"));
    assert_non_null(strstr(a, "\"same\":\"***\""));
    assert_non_null(strstr(b, "\"same\":\"***\""));
    assert_non_null(strstr(a, "\"other\":\"*** (before)\""));
    assert_non_null(strstr(b, "\"other\":\"*** (after)\""));
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        _cleanup_free_ char *text = shown(&secrets, odd[i], NULL, true);
        assert_null(strstr(text, "cGFzc3dvcmQ"));
    }
}

static void server_fields_are_not_shown(void **state)
{
    (void)state;
    _cleanup_free_ char *text = shown(
        &maps,
        "{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"7\",\"managedFields\":[1],"
        "\"generation\":3,\"creationTimestamp\":\"t\",\"labels\":{\"a\":\"b\"}},\"data\":{\"k\":\"v\"},\"status\":{}}",
        NULL, false);
    _cleanup_json_ yyjson_doc *
        got = parse(text),
       *want = parse(
           "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":\"b\"}},\"data\":{\"k\":\"v\"}}");
    assert_true(json_equal(yyjson_doc_get_root(got), yyjson_doc_get_root(want)));
    _cleanup_free_ char *odd = shown(&maps, "7", NULL, false);
    assert_string_equal(odd, "7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(odd_types),
        cmocka_unit_test(shortened),
        cmocka_unit_test(merges),
        cmocka_unit_test(secrets_are_not_shown),
        cmocka_unit_test(server_fields_are_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
