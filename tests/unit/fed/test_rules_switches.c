/* The switches between corrected behaviour and KubeFed's (fed/behavior.h): what each does to plans, on and off. */
#include "plan_world.h"

#define SELECTED "'placement':{'clusters':[{'name':'c1'}]}"
#define LIVE "{" MANAGED "}"

static struct fed_plan *plan_with(struct world *w, const struct fed_behavior *b,
                                  void (*planner)(const struct fed_plan_input *, struct fed_plan **))
{
    struct fed_plan *p = NULL;

    look(w);
    w->in.behavior = b;
    planner(&w->in, &p);
    assert_non_null(p);
    return p;
}

/* The default, but for one switch. */
static struct fed_behavior but(const char *text)
{
    struct fed_behavior b = fed_behavior_default;
    struct error *err = NULL;

    assert_ok(fed_behavior_parse(str_of(text), &b, &err), err);
    return b;
}

/* */
static void delete_options_on_placement(void **state)
{
    static const char options[] = ",'annotations':{'kubefed.io/deleteoption':'{\\'gracePeriodSeconds\\':7}'}";
    struct fed_behavior on = but("DeleteOptionsOnPlacement=true");
    struct fed_plan *p;
    struct world w;

    (void)state;
    world_init(&w, "{" SELECTED "}");
    describe(&w, options, "{" SELECTED "}");
    store_text(&w, 1, LIVE);
    p = plan_with(&w, &fed_behavior_default, fed_plan_sync);
    assert_op(p, 1, FED_OP_DELETE);
    assert_null(json_get(body_at(p, 1), "gracePeriodSeconds"));
    fed_plan_free(p);
    p = plan_with(&w, &on, fed_plan_sync);
    assert_op(p, 1, FED_OP_DELETE);
    assert_json(json_get(body_at(p, 1), "gracePeriodSeconds"), "7");
    fed_plan_free(p);
    world_done(&w);
}

/* */
static void delete_unselected_clusters(void **state)
{
    struct fed_behavior off = but("DeleteUnselectedClusters=false");
    struct fed_plan *p;
    struct world w;

    (void)state;
    world_init(&w, "{" SELECTED "}");
    store_text(&w, 0, LIVE);
    store_text(&w, 1, LIVE);
    store_text(&w, 2, LIVE);
    w.members[2].ready = false;
    p = plan_with(&w, &fed_behavior_default, fed_plan_delete);
    assert_int_equal(p->n_ops, 2);
    assert_op(p, 0, FED_OP_DELETE);
    assert_op(p, 1, FED_OP_DELETE);
    assert_true(p->clusters[2].blocks);
    fed_plan_free(p);
    p = plan_with(&w, &off, fed_plan_delete);
    assert_int_equal(p->n_ops, 1);
    assert_op(p, 0, FED_OP_DELETE);
    assert_false(p->clusters[2].blocks);
    fed_plan_free(p);
    world_done(&w);
}

/* */
static void keep_host_namespace_labels(void **state)
{
    static const char live[] =
        "{'metadata':{'name':'x','uid':'host','labels':{'kubefed.io/managed':'true','theirs':'1'}}}";
    struct fed_behavior off = but("KeepHostNamespaceLabels=false");
    struct fed_plan *p;
    struct world w;

    (void)state;
    world_of(&w, make_type("", "v1", "Namespace", "namespaces", false),
             "{'template':{'metadata':{'labels':{'mine':'1'}}}," SELECTED "}");
    w.host_uid = STR("host");
    store_text(&w, 0, live);
    p = plan_with(&w, &fed_behavior_default, fed_plan_sync);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_json(json_path(body_at(p, 0), "metadata.labels"), "{'mine':'1','theirs':'1','kubefed.io/managed':'true'}");
    fed_plan_free(p);
    p = plan_with(&w, &off, fed_plan_sync);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_json(json_path(body_at(p, 0), "metadata.labels"), "{'mine':'1','kubefed.io/managed':'true'}");
    fed_plan_free(p);
    world_done(&w);
}

/* */
static void keep_owners_and_status(void **state)
{
    struct fed_behavior off = but("KeepOwnersAndStatus=false");
    struct fed_plan *p;
    struct world w;

    (void)state;
    world_of(&w, make_type("example.com", "v1", "Widget", "widgets", true),
             "{'template':{'spec':{'k':'v'}}," SELECTED "}");
    store_text(&w, 0,
               "{'metadata':{" META ",'ownerReferences':[{'kind':'Other','name':'o','uid':'1'}]},"
               "'spec':{'k':'drift'},'status':{'s':1}}");
    p = plan_with(&w, &fed_behavior_default, fed_plan_sync);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_json(json_get(body_at(p, 0), "status"), "{'s':1}");
    assert_json(json_path(body_at(p, 0), "metadata.ownerReferences"), "[{'kind':'Other','name':'o','uid':'1'}]");
    fed_plan_free(p);
    p = plan_with(&w, &off, fed_plan_sync);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_null(json_get(body_at(p, 0), "status"));
    assert_null(json_path(body_at(p, 0), "metadata.ownerReferences"));
    fed_plan_free(p);
    world_done(&w);
}

/* */
static void jobs_in_background(void **state)
{
    struct fed_behavior off = but("JobsInBackground=false");
    struct fed_plan *p;
    struct world w;

    (void)state;
    world_of(&w, make_type("batch", "v1", "Job", "jobs", true), "{" SELECTED "}");
    store_text(&w, 0, LIVE);
    p = plan_with(&w, &fed_behavior_default, fed_plan_delete);
    assert_json(json_get(body_at(p, 0), "propagationPolicy"), "'Background'");
    fed_plan_free(p);
    p = plan_with(&w, &off, fed_plan_delete);
    assert_op(p, 0, FED_OP_DELETE);
    assert_null(json_get(body_at(p, 0), "propagationPolicy"));
    fed_plan_free(p);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delete_options_on_placement), cmocka_unit_test(delete_unselected_clusters),
        cmocka_unit_test(keep_host_namespace_labels),  cmocka_unit_test(keep_owners_and_status),
        cmocka_unit_test(jobs_in_background),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
