/* Facts of KubeFed that no other file shows: U-07, U-09, U-61, Q-08, Q-35, strict types (controllers.md 2.8). */
#include "fed/cluster.h"
#include "fed/names.h"
#include "fed/plan_internal.h"
#include "fed/retain.h"
#include "fed/status.h"
#include "fed_test.h"
#include "json/patch.h"

/* --- U-07 --- */

static bool metadata_equal(const char *a, const char *b)
{
    return member_metadata_equal(JF("{'metadata':%s}", a), JF("{'metadata':%s}", b));
}

static void u07(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        { "{'name':'x'}", "{'name':'x'}", true },
        { "{'name':'x','uid':'1','resourceVersion':'1'}", "{'name':'x','uid':'2','resourceVersion':'2'}", true },
        { "{'name':'x'}", "{'name':'x','labels':{},'annotations':{}}", true },
        { "{'name':'x','labels':null,'annotations':{}}", "{'name':'x'}", true },
        { "{'name':'x','annotations':{'a':'1','b':'2'}}", "{'name':'x','annotations':{'b':'2','a':'1'}}", true },
        { "{'name':'x','annotations':{'a':'1'}}", "{'name':'x'}", false },
        { "{'name':'x','annotations':{'a':'1'}}", "{'name':'x','annotations':{'a':'2'}}", false },
        { "{'name':'x','annotations':{'a':'1'}}", "{'name':'x','annotations':{'b':'1'}}", false },
        { "{'name':'x','labels':{'a':'1'}}", "{'name':'x','labels':{'a':'1','b':'2'}}", false },
        { "{'name':'x','labels':{'a':''}}", "{'name':'x','labels':{}}", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (metadata_equal(rows[i].a, rows[i].b) != rows[i].equal ||
            metadata_equal(rows[i].b, rows[i].a) != rows[i].equal)
            fail_msg("row %zu: %s and %s", i, rows[i].a, rows[i].b);
}

/* --- U-09 --- */

/* The finalizers of an object after the patch. Each is there once; the order of others does not change. */
static void check_finalizers(const char *before, bool add, const char *after)
{
    yyjson_val *object = JF("{'metadata':{'finalizers':%s}}", before);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(object);
    _cleanup_buf_ struct buf patch = BUF_INIT(4096);

    fed_finalizer_patch(&patch, object, "ours", add);
    json_merge_apply(doc, yyjson_mut_doc_get_root(doc), text_val(buf_str(&patch)));
    assert_json_mut(json_mut_path(yyjson_mut_doc_get_root(doc), "metadata.finalizers"), after);
}

static void u09(void **state)
{
    (void)state;
    check_finalizers("[]", true, "['ours']");
    check_finalizers("['z','a']", true, "['z','a','ours']");
    check_finalizers("['ours']", true, "['ours']");
    check_finalizers("['z','ours','a']", true, "['z','ours','a']");
    check_finalizers("['z','ours','a']", false, "['z','a']");
    check_finalizers("['ours']", false, "[]");
    check_finalizers("['z']", false, "['z']");
    /* Whether there is something new to write. */
    assert_false(fed_has_finalizer(J("{'metadata':{'finalizers':['z']}}"), "ours"));
    assert_true(fed_has_finalizer(J("{'metadata':{'finalizers':['z','ours']}}"), "ours"));
}

/* --- statuses --- */

#define CONDITION                                                                                                      \
    "{'type':'Propagation','status':'True','lastUpdateTime':'2023-11-14T20:00:00Z',"                                   \
    "'lastTransitionTime':'2023-11-14T20:00:00Z'}"

/* Is the status written that shows these clusters, with raw collection, when the object has `previous` clusters? */
static bool is_written(const char *previous, const char *clusters)
{
    struct fed_status_cluster list[4];
    _cleanup_json_mut_ yyjson_mut_doc *doc = NULL;
    struct fed_status_input in = { .previous = JF("{'clusters':%s,'conditions':[" CONDITION "]}", previous),
                                   .clusters = list,
                                   .raw_status = true,
                                   .now = 1700000000 };
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(J(clusters), i, n, item)
        list[in.n_clusters++] = (struct fed_status_cluster){ json_path_str(item, "name"), FED_STATUS_OK,
                                                             json_get(item, "remoteStatus") };
    return fed_status_make(&in, &doc);
}

static bool remote_is_news(const char *stored, const char *found)
{
    _cleanup_free_ char *previous = mem_printf("[{'name':'c1'%s%s}]", stored ? ",'remoteStatus':" : "",
                                               stored ? stored : "");
    _cleanup_free_ char *clusters = mem_printf("[{'name':'c1'%s%s}]", found ? ",'remoteStatus':" : "",
                                               found ? found : "");

    return is_written(previous, clusters);
}

static void u61(void **state)
{
    (void)state;
    /* None and empty stay what they are. */
    assert_false(remote_is_news(NULL, NULL));
    assert_false(remote_is_news(NULL, "null"));
    assert_false(remote_is_news("{}", "{}"));
    assert_true(remote_is_news(NULL, "{}"));
    assert_true(remote_is_news("{}", NULL));
    /* Numbers are numbers, at any depth. */
    assert_false(remote_is_news("{'n':3}", "{'n':3.0}"));
    assert_false(remote_is_news("{'m':{'l':[1,{'n':2.0}]}}", "{'m':{'l':[1.0,{'n':2}]}}"));
    assert_true(remote_is_news("{'n':3}", "{'n':3.5}"));
    assert_true(remote_is_news("{'n':3}", "{'n':'3'}"));
    assert_true(remote_is_news("{'m':{'n':3}}", "{'m':{}}"));
}

/* Another cluster is news although there are as many, all well. */
static void q35(void **state)
{
    (void)state;
    assert_false(is_written("[{'name':'a'},{'name':'b'}]", "[{'name':'b'},{'name':'a'}]"));
    assert_true(is_written("[{'name':'a'},{'name':'b'}]", "[{'name':'a'},{'name':'c'}]"));
    assert_true(is_written("[{'name':'a'}]", "[{'name':'b'}]"));
}

/* --- clusters --- */

static void q08(void **state)
{
    struct fed_cluster *c = NULL;
    struct error *err = NULL;

    (void)state;
    assert_ok(
        fed_cluster_decode(J("{'metadata':{'name':'c'},'spec':{'apiEndpoint':'https://c:6443','secretRef':{'name':"
                             "'s'},'proxyURL':'socks5://p:1080','disabledTLSValidations':['*']}}"),
                           &c, &err),
        err);
    assert_string_equal(c->proxy_url, "socks5://p:1080");
    assert_int_equal(c->tls_skip, FED_TLS_SKIP_ALL);
    fed_cluster_free(c);
}

/* --- 2.8 --- */

static int retain_replicas(const char *live_replicas)
{
    struct fed_type_config *type = make_type("apps", "v1", "Deployment", "deployments", true);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(J("{'metadata':{'name':'x'},'spec':{'replicas':1}}"));
    struct fed_retain_input in = { .type = type,
                                   .fed_object = J("{'spec':{'retainReplicas':true}}"),
                                   .live = JF("{'metadata':{},'spec':{'replicas':%s}}", live_replicas),
                                   .resource_version = STR("42") };
    _cleanup_error_ struct error *err = NULL;
    int r = fed_retain(&in, doc, &err);

    if (r == 0)
        assert_json_mut(json_mut_path(yyjson_mut_doc_get_root(doc), "spec.replicas"), "2");
    fed_type_config_free(type);
    return r;
}

/* An integer is one by its spelling: 2.0 is a float. */
static void strict_types(void **state)
{
    static const char *const no[] = { "2.0", "2.5", "1e1", "'2'", "true", "null", "[]", "{}" };

    (void)state;
    assert_int_equal(retain_replicas("2"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        if (retain_replicas(no[i]) != -EINVAL)
            fail_msg("%s counts as an integer", no[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(u07), cmocka_unit_test(u09), cmocka_unit_test(u61),
        cmocka_unit_test(q35), cmocka_unit_test(q08), cmocka_unit_test(strict_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
