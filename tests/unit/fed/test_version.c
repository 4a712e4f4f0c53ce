/* Hashes and records of versions: the check vectors of controllers.md 5.9 (U-02 among them). */
#include "fed/version.h"

#include "fed/object.h"

#include "fed_test.h"

static void check_template(const char *spec, const char *md5)
{
    char hash[FED_HASH_LEN + 1];

    fed_template_hash(JF("{'spec':{%s}}", spec), hash);
    assert_string_equal(hash, md5);
}

static void template_hashes(void **state)
{
    (void)state;
    check_template("'template':{'spec':{'foo':null}}", "a5b8d4352d5aed51c51b93900258ccf3");
    check_template("'template':{}", "8a80554c91d9fca8acb82f023de02f11");
    check_template("'template':{'data':{'foo':'bar'}}", "4682012eb72f035cfe2b227efe7ca8c8");
    check_template("'template':{'spec':{'replicas':3,'b':true,'a':[1,2.0,1e3,0.1]},"
                   "'metadata':{'labels':{'z':'1','a':'<&>'}}}",
                   "1fd1c16b9296dbb1b6e436698b8a7b32");
    check_template("'template':{'n':12345678901234567890,'m':1e21,'k':1e-7,'j':9007199254740993}",
                   "af333ec1c49a872d87ad7097eec512f0");
    check_template("'placement':{}", "");
}

static void check_overrides(const char *object, const char *md5)
{
    char hash[FED_HASH_LEN + 1];

    assert_int_equal(fed_overrides_hash(J(object), hash), 0);
    assert_string_equal(hash, md5);
}

static void overrides_hashes(void **state)
{
    (void)state;
    check_overrides("{}", "");
    check_overrides("{'spec':{}}", "2979b7538b527abe06492021841caf47");
    check_overrides("{'spec':{'overrides':null}}", "2979b7538b527abe06492021841caf47");
    check_overrides("{'spec':{'overrides':[]}}", "fd97e6d9a670c7dcdc2477764f78b459");
    check_overrides("{'spec':{'overrides':[{'clusterName':'c1','clusterOverrides':"
                    "[{'path':'/data','value':{'foo':'baz'}}]}]}}",
                    "e32ea1ae695d85e0d5dd5ffe2ada9feb");
    check_overrides("{'spec':{'overrides':[{'clusterName':'c1','clusterOverrides':"
                    "[{'op':'add','path':'/spec/replicas','value':5},"
                    "{'op':'remove','path':'/metadata/annotations/x'}]},{'clusterName':'c2','clusterOverrides':[]}]}}",
                    "a1f495945f4ab3ee01ce3b235375fd1e");
    check_overrides("{'spec':{'overrides':[{'clusterName':'c1','clusterOverrides':[{'path':'/a','value':null},"
                    "{'path':'/b','value':0},{'path':'/c','value':9007199254740993},{'path':'/d','value':1.50},"
                    "{'path':'/e','value':{'z':1,'a':'<'}}]}]}}",
                    "0d0cc7d1df60c04642d648f820f68665");
}

static void names(void **state)
{
    struct fed_type_config *type = make_type("apps", "v1", "Deployment", "deployments", true);
    _cleanup_free_ char *name = fed_version_name(type, STR("web"));

    (void)state;
    assert_string_equal(name, "deployment-web");
    assert_true(fed_version_is_namespaced(type));
    fed_type_config_free(type);
}

static void object_versions(void **state)
{
    _cleanup_free_ char *generation = fed_object_version(J("{'metadata':{'generation':7,'resourceVersion':'12'}}"));
    _cleanup_free_ char *zero = fed_object_version(J("{'metadata':{'generation':0,'resourceVersion':'12'}}"));
    _cleanup_free_ char *none = fed_object_version(J("{'metadata':{'resourceVersion':'12'}}"));

    (void)state;
    assert_string_equal(generation, "gen:7");
    assert_string_equal(zero, "rv:12");
    assert_string_equal(none, "rv:12");
}

static void records(void **state)
{
    const struct fed_cluster_version list[] = { { STR("c2"), STR("rv:5") }, { STR("c1"), STR("gen:1") } };
    _cleanup_buf_ struct buf b = BUF_INIT(4096), empty = BUF_INIT(4096);
    struct fed_versions *v, *other;

    (void)state;
    assert_int_equal(fed_versions_encode(&b, STR("t"), STR("o"), list, 2), 0);
    assert_json_text(buf_str(&b), "{'templateVersion':'t','overridesVersion':'o','clusterVersions':"
                                  "[{'clusterName':'c1','version':'gen:1'},{'clusterName':'c2','version':'rv:5'}]}");
    v = fed_versions_decode(text_val(buf_str(&b)));
    assert_true(fed_versions_match(v, STR("t"), STR("o")));
    assert_false(fed_versions_match(v, STR("t"), STR("x")));
    assert_str(fed_versions_get(v, STR("c2")), "rv:5");
    assert_true(str_empty(fed_versions_get(v, STR("c3"))));
    assert_true(str_empty(fed_versions_get(NULL, STR("c1"))));
    /* A server gives members back in its own order; an absent list is an empty one. */
    other = fed_versions_decode(J("{'clusterVersions':[{'version':'rv:5','clusterName':'c2'},{'version':'gen:1',"
                                  "'clusterName':'c1'}],'overridesVersion':'o','templateVersion':'t'}"));
    assert_true(fed_versions_equal(v, other));
    fed_versions_free(other);
    other = fed_versions_decode(J("{'overridesVersion':'o','templateVersion':'t'}"));
    assert_false(fed_versions_equal(v, other));
    fed_versions_free(v);
    v = fed_versions_decode(J("{'overridesVersion':'o','templateVersion':'t','clusterVersions':[]}"));
    assert_true(fed_versions_equal(v, other));
    assert_int_equal(fed_versions_encode(&empty, STR("t"), STR("o"), NULL, 0), 0);
    assert_json_text(buf_str(&empty), "{'templateVersion':'t','overridesVersion':'o'}");
    fed_versions_free(v);
    fed_versions_free(other);
}

/* 5.9 "Recording": what was written is new; the rest stays for selected clusters while the hashes match. */
static void check_after_run(const char *template_hash, const char *expected)
{
    static const struct fed_cluster_version written[] = { { STR("c1"), STR("gen:2") },
                                                          { .cluster = STR("c2") },
                                                          { .cluster = STR("c3") } };
    static const bool selected[] = { true, true, false };
    struct fed_versions *before = fed_versions_decode(
        J("{'templateVersion':'t','overridesVersion':'o','clusterVersions':[{'clusterName':'c1','version':'gen:1'},"
          "{'clusterName':'c2','version':'gen:5'},{'clusterName':'c3','version':'gen:7'}]}"));
    _cleanup_buf_ struct buf b = BUF_INIT(4096), small = BUF_INIT((size_t)16);

    assert_int_equal(fed_versions_after_run(&b, before, str_of(template_hash), STR("o"), written, selected, 3), 0);
    assert_json_text(buf_str(&b), expected);
    assert_int_equal(fed_versions_after_run(&small, before, STR("t"), STR("o"), written, selected, 3), -EFBIG);
    fed_versions_free(before);
}

static void after_run(void **state)
{
    (void)state;
    check_after_run("t", "{'templateVersion':'t','overridesVersion':'o','clusterVersions':"
                         "[{'clusterName':'c1','version':'gen:2'},{'clusterName':'c2','version':'gen:5'}]}");
    check_after_run("new", "{'templateVersion':'new','overridesVersion':'o','clusterVersions':"
                           "[{'clusterName':'c1','version':'gen:2'}]}");
}

/* Records of the wrong shape are read as far as they make sense. */
static void nonsense(void **state)
{
    struct fed_versions *v = fed_versions_decode(J("{'templateVersion':5,'clusterVersions':[1,{'clusterName':3},"
                                                   "{'clusterName':'c1','version':'rv:1'},null]}"));

    (void)state;
    assert_non_null(v);
    assert_str(fed_versions_get(v, STR("c1")), "rv:1");
    fed_versions_free(v);
    assert_null(fed_versions_decode(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_hashes), cmocka_unit_test(overrides_hashes), cmocka_unit_test(names),
        cmocka_unit_test(object_versions), cmocka_unit_test(records),          cmocka_unit_test(after_run),
        cmocka_unit_test(nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
