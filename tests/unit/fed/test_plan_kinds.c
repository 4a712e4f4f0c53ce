/*
 * The plan for kinds with rules of their own: types with generations, custom resources, Services, Namespaces (controllers.md
 * 5.8, 5.9, 5.12).
 */
#include "plan_world.h"

#define NAMES "'clusters':[{'name':'c1'},{'name':'c2'}]"

/* With generations, labels are compared on top of the version; annotations, status and replicas are the member's. */
static void versions_by_generation(void **state)
{
    static const char *const harmless[] = { "{'status':{'readyReplicas':3}}", "{'metadata':{'annotations':{'a':'1'}}}",
                                            "{'metadata':{'finalizers':['f']}}" };
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of(&w, make_type("apps", "v1", "Deployment", "deployments", true),
             "{'template':{'metadata':{'labels':{'l':'1'}},'spec':{'replicas':2}},'retainReplicas':true,"
             "'placement':{'clusterSelector':{}}}");
    settle(&w);
    for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
        alter(&w, 0, harmless[i]);
        p = plan(&w);
        if (p->n_ops)
            fail_msg("%s is undone", harmless[i]);
        fed_plan_free(p);
    }
    alter(&w, 0, "{'metadata':{'labels':{'l':'2'}}}");
    alter(&w, 1, "{'metadata':{'labels':{'more':'2'}}}");
    alter(&w, 2, "{'spec':{'strategy':'Recreate'}}");
    p = plan(&w);
    assert_int_equal(p->n_ops, 3);
    assert_json(json_path(body_at(p, 0), "metadata.labels"), "{'l':'1','kubefed.io/managed':'true'}");
    fed_plan_free(p);
    settle(&w);
    /* An autoscaler's count is kept while retainReplicas says so (U-03), and put right when it no longer does. */
    alter(&w, 0, "{'spec':{'replicas':7}}");
    settle(&w);
    assert_json(json_path(live_of_member(&w, 0), "spec.replicas"), "7");
    describe(&w, "",
             "{'template':{'metadata':{'labels':{'l':'1'}},'spec':{'replicas':2}},"
             "'placement':{'clusterSelector':{}}}");
    settle(&w);
    assert_json(json_path(live_of_member(&w, 0), "spec.replicas"), "2");
    world_done(&w);
}

/* What an override put into the metadata is looked after as well. */
static void overridden_annotations(void **state)
{
    struct world w;

    (void)state;
    world_of(&w, make_type("apps", "v1", "DaemonSet", "daemonsets", true),
             "{'placement':{" NAMES "},'overrides':[{'clusterName':'c1','clusterOverrides':"
             "[{'op':'add','path':'/metadata/annotations','value':{'a':'1'}}]}]}");
    settle(&w);
    alter(&w, 0, "{'metadata':{'annotations':null}}");
    settle(&w);
    assert_json(json_path(live_of_member(&w, 0), "metadata.annotations"), "{'a':'1'}");
    world_done(&w);
}

/* Custom resources may lack the status sub-resource: an update must not take their status away. */
static void custom_resources(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of(&w, make_type("example.com", "v1", "Widget", "widgets", true),
             "{'template':{'spec':{'k':'v'}},'placement':{" NAMES "}}");
    settle(&w);
    alter(&w, 0, "{'status':{'s':1}}");
    p = plan(&w);
    assert_int_equal(p->n_ops, 0);
    fed_plan_free(p);
    alter(&w, 0, "{'spec':{'k':'drift'}}");
    p = plan(&w);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_json(json_get(body_at(p, 0), "status"), "{'s':1}");
    fed_plan_free(p);
    settle(&w);
    /* A status that the template names is meant. */
    describe(&w, "", "{'template':{'spec':{'k':'v'},'status':{'s':2}},'placement':{'clusters':[{'name':'c1'}]}}");
    p = plan(&w);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_json(json_get(body_at(p, 0), "status"), "{'s':2}");
    fed_plan_free(p);
    world_done(&w);
}

static void retention_failure(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of(&w, make_type("", "v1", "Service", "services", true),
             "{'template':{'spec':{'type':'ClusterIP'}},'placement':{'clusterSelector':{}}}");
    store_text(&w, 0, "{" MANAGED ",'spec':{'clusterIP':-1000}}");
    p = plan(&w);
    assert_string_equal(p->clusters[0].status, FED_STATUS_FIELD_RETENTION_FAILED);
    assert_true(has_event(p, "UpdateInClusterFailed", "Failed to update Service \"n/x\" in cluster \"c1\": "));
    assert_op(p, 1, FED_OP_CREATE);
    fed_plan_free(p);
    world_done(&w);
}

static void raw_statuses(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of(&w, make_type("apps", "v1", "Deployment", "deployments", true), "{'placement':{" NAMES "}}");
    w.raw = true;
    settle(&w);
    alter(&w, 0, "{'status':{'readyReplicas':3}}");
    p = plan(&w);
    assert_json(p->clusters[0].remote, "{'readyReplicas':3}");
    assert_null(p->clusters[1].remote);
    fed_plan_free(p);
    w.raw = false;
    p = plan(&w);
    assert_null(p->clusters[0].remote);
    fed_plan_free(p);
    world_done(&w);
}

/* 5.12: the HOST's own namespace is never deleted, and ignored while it ends; foreign labels stay. */
static void host_namespace(void **state)
{
    static const char live[] =
        "{'metadata':{'name':'x','uid':'host','labels':{'kubefed.io/managed':'true','theirs':'1','mine':'0'}}}";
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of(&w, make_type("", "v1", "Namespace", "namespaces", false),
             "{'template':{'metadata':{'labels':{'mine':'1'}}},'placement':{'clusters':[{'name':'c2'}]}}");
    w.host_uid = STR("host");
    store_text(&w, 0, live);
    store_text(&w, 2, "{'metadata':{'name':'x','labels':{'kubefed.io/managed':'true'}}}");
    p = plan(&w);
    assert_op(p, 0, FED_OP_UNLABEL);
    assert_json(body_at(p, 0), "{'metadata':{'labels':{'kubefed.io/managed':null}}}");
    assert_op(p, 1, FED_OP_CREATE);
    assert_op(p, 2, FED_OP_DELETE);
    assert_json(json_get(body_at(p, 1), "metadata"), "{'name':'x','labels':{'mine':'1','kubefed.io/managed':'true'}}");
    fed_plan_free(p);
    describe(&w, "", "{'template':{'metadata':{'labels':{'mine':'1'}}},'placement':{'clusters':[{'name':'c1'}]}}");
    settle(&w);
    assert_json(json_path(live_of_member(&w, 0), "metadata.labels"),
                "{'kubefed.io/managed':'true','theirs':'1','mine':'1'}");
    alter(&w, 0, "{'metadata':{'finalizers':['f']}}");
    delete_live(&w, 0);
    p = plan(&w);
    assert_int_equal(p->n_ops, 0);
    assert_string_equal(p->clusters[0].status, FED_STATUS_OK);
    fed_plan_free(p);
    world_done(&w);
}

/* A server fills in spec.finalizers; whoever forgets what was written does not write again for that. */
static void namespace_after_restart(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of(&w, make_type("", "v1", "Namespace", "namespaces", false), "{'placement':{'clusterSelector':{}}}");
    settle(&w);
    alter(&w, 0, "{'spec':{'finalizers':['kubernetes']},'metadata':{'labels':{'kubernetes.io/metadata.name':'x'}}}");
    forget_versions(&w);
    p = plan(&w);
    assert_int_equal(p->n_ops, 0);
    fed_plan_free(p);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_by_generation),
        cmocka_unit_test(overridden_annotations),
        cmocka_unit_test(custom_resources),
        cmocka_unit_test(retention_failure),
        cmocka_unit_test(raw_statuses),
        cmocka_unit_test(host_namespace),
        cmocka_unit_test(namespace_after_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
