/* The plan for a federated object that stays (controllers.md 5.4 to 5.10, 5.12, 5.13), decision by decision. */
#include "plan_world.h"

#define SPEC(placement, rest) "{'template':{'data':{'k':'v'}},'placement':{" placement "}" rest "}"
#define NAMES "'clusters':[{'name':'c1'},{'name':'c2'}]"
#define TWO SPEC(NAMES, "")
#define LIVE(data) "{'apiVersion':'v1','kind':'ConfigMap'," MANAGED ",'data':{'k':'" data "'}}"

static void creates_where_placed(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w,
               SPEC(NAMES, ",'overrides':[{'clusterName':'c2','clusterOverrides':[{'path':'/data/k','value':'w'}]}]"));
    p = plan(&w);
    assert_int_equal(p->n_ops, 2);
    assert_op(p, 0, FED_OP_CREATE);
    assert_json(body_at(p, 0), LIVE("v"));
    assert_json(body_at(p, 1), LIVE("w"));
    assert_null(op_of(p, 2));
    assert_null(p->clusters[2].status);
    assert_true(p->clusters[0].selected && p->clusters[1].selected && !p->clusters[2].selected);
    assert_string_equal(p->reason, FED_REASON_SUCCESS);
    assert_int_equal(p->n_events, 0);
    fed_plan_free(p);
    settle(&w);
    world_done(&w);
}

static void nothing_to_do(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, TWO);
    settle(&w);
    p = plan(&w);
    for (size_t i = 0; i < 2; i++) {
        _cleanup_free_ char *version = fed_object_version(live_of_member(&w, i));

        assert_string_equal(p->clusters[i].status, FED_STATUS_OK);
        assert_string_equal(p->clusters[i].recorded_version, version);
    }
    fed_plan_free(p);
    /* A restart without records: the objects are as they should be, and are written nowhere. */
    forget_versions(&w);
    p = plan(&w);
    assert_int_equal(p->n_ops, 0);
    assert_non_null(p->clusters[0].recorded_version);
    fed_plan_free(p);
    world_done(&w);
}

static void repairs_and_removes(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, TWO);
    settle(&w);
    /* Somebody changes the object in c1; the object in c3 belongs nowhere. */
    alter(&w, 0, "{'data':{'k':'other'}}");
    store_text(&w, 2, "{'metadata':{" META ",'uid':'third'}}");
    p = plan(&w);
    assert_int_equal(p->n_ops, 2);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_json(json_path(body_at(p, 0), "data"), "{'k':'v'}");
    assert_true(str_eq(json_path_str(body_at(p, 0), "metadata.resourceVersion"), w.views[0].obj->resource_version));
    assert_op(p, 2, FED_OP_DELETE);
    assert_json(json_path(body_at(p, 2), "preconditions"), "{'uid':'third'}"); /* */
    fed_plan_free(p);
    settle(&w);
    world_done(&w);
}

/* A changed template reaches every cluster, one without changes none. */
static void template_changes(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, TWO);
    settle(&w);
    describe(&w, "", "{'template':{'data':{'k':'new'}},'placement':{" NAMES "}}");
    p = plan(&w);
    assert_int_equal(p->n_ops, 2);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_op(p, 1, FED_OP_UPDATE);
    fed_plan_free(p);
    settle(&w);
    world_done(&w);
}

static void unready_and_uncached_clusters_are_left_alone(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, TWO);
    settle(&w);
    alter(&w, 0, "{'data':{'k':'drift'}}");
    store_text(&w, 2, LIVE("left over"));
    w.members[0].ready = w.members[2].ready = false;
    w.members[1].cached = false;
    p = plan(&w);
    assert_int_equal(p->n_ops, 0);
    assert_string_equal(p->clusters[0].status, FED_STATUS_CLUSTER_NOT_READY);
    assert_string_equal(p->clusters[1].status, FED_STATUS_CACHED_RETRIEVAL_FAILED);
    assert_null(p->clusters[2].status); /* not placed there: silently skipped (5.13) */
    assert_non_null(p->clusters[0].recorded_version);
    assert_true(has_event(p, "ClusterNotReady", "c1")); /* */
    assert_true(has_event(p, "CachedRetrievalFailed", "why"));
    assert_int_equal(p->n_events, 2);
    fed_plan_free(p);
    /* What the status says already is not said again. */
    w.object = JF("{'metadata':{'name':'x','namespace':'n'},'spec':%s,'status':{'clusters':[{'name':'c1','status':"
                  "'ClusterNotReady'},{'name':'c2','status':'CachedRetrievalFailed'}]}}",
                  TWO);
    p = plan(&w);
    assert_int_equal(p->n_events, 0);
    fed_plan_free(p);
    world_done(&w);
}

/* --- errors stay with what they concern --- */

static void check_failure(const char *spec, size_t cluster, const char *status, size_t n_ops)
{
    struct world w;
    struct fed_plan *p;

    world_init(&w, spec);
    p = plan(&w);
    if (!p->clusters[cluster].status || strcmp(p->clusters[cluster].status, status) != 0)
        fail_msg("%s: %s", spec, p->clusters[cluster].status);
    assert_non_null(p->clusters[cluster].error);
    assert_null(op_of(p, cluster));
    assert_int_equal(p->n_ops, n_ops);
    assert_true(has_event(p, "CreateInClusterFailed", "Failed to create ConfigMap \"n/x\" in cluster \"c"));
    fed_plan_free(p);
    world_done(&w);
}

static void broken_specs(void **state)
{
    (void)state;
    /* One cluster's patch that does not apply concerns that cluster only; a broken list concerns all (5.7). */
    check_failure(
        SPEC(NAMES, ",'overrides':[{'clusterName':'c2','clusterOverrides':[{'op':'remove','path':'/no/such'}]}]"), 1,
        FED_STATUS_APPLY_OVERRIDES_FAILED, 1);
    check_failure(SPEC(NAMES, ",'overrides':[{'clusterName':'c3'},{'clusterName':'c3'}]"), 0,
                  FED_STATUS_APPLY_OVERRIDES_FAILED, 0);
    check_failure(SPEC(NAMES, ",'overrides':[{'clusterName':'c3','clusterOverrides':[{'path':'/kind','value':'X'}]}]"),
                  1, FED_STATUS_APPLY_OVERRIDES_FAILED, 0);
    check_failure("{'template':[],'placement':{" NAMES "}}", 0, FED_STATUS_COMPUTE_RESOURCE_FAILED, 0);
    check_failure("{'template':{'metadata':{'labels':[]}},'placement':{" NAMES "}}", 0,
                  FED_STATUS_APPLY_OVERRIDES_FAILED, 0);
}

static void broken_placement(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, TWO);
    settle(&w);
    /* A placement that cannot be computed removes nothing and forgets nothing. */
    describe(&w, "", SPEC("'clusterSelector':{'matchLabels':{'-':'x'}}", ""));
    p = plan(&w);
    assert_int_equal(p->n_ops, 0);
    assert_string_equal(p->reason, FED_REASON_COMPUTE_PLACEMENT_FAILED);
    assert_true(has_event(p, "ComputePlacementFailed", "Failed to compute placement: "));
    assert_non_null(p->clusters[0].recorded_version);
    assert_null(p->clusters[0].status);
    fed_plan_free(p);
    world_done(&w);
}

static void namespace_not_federated(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, TWO);
    settle(&w);
    w.fed_namespace = NULL;
    p = plan(&w);
    assert_string_equal(p->reason, FED_REASON_NAMESPACE_NOT_FEDERATED);
    assert_int_equal(p->n_ops, 2);
    assert_op(p, 0, FED_OP_DELETE);
    assert_op(p, 1, FED_OP_DELETE);
    fed_plan_free(p);
    world_done(&w);
}

/* --- objects with a will of their own --- */

static void terminating_objects(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, TWO);
    for (size_t i = 0; i < N; i++) {
        store_text(&w, i, "{'metadata':{" META ",'finalizers':['theirs']},'status':{'s':1}}");
        delete_live(&w, i);
    }
    p = plan(&w);
    assert_int_equal(p->n_ops, 0);
    for (size_t i = 0; i < N; i++)
        assert_string_equal(p->clusters[i].status, FED_STATUS_WAITING_FOR_REMOVAL);
    fed_plan_free(p);
    world_done(&w);
}

/* 5.6: noted once per run, and only when something is written. */
static void dropped_fields_are_noted(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of(&w, make_type("apps", "v1", "DaemonSet", "daemonsets", true),
             "{'template':{'metadata':{'annotations':{'a':'1'},'finalizers':['f']}},'placement':{" NAMES "}}");
    p = plan(&w);
    assert_int_equal(p->n_events, 2);
    assert_true(
        has_event(p, "AnnotationsNotSupported",
                  "metadata.annotations cannot be set via template to avoid conflicting with controllers in "
                  "member clusters. Consider using an override to add or remove elements from this collection."));
    assert_true(has_event(p, "FinalizersNotSupported", "metadata.finalizers cannot be set via template"));
    carry_out(&w, p);
    fed_plan_free(p);
    p = plan(&w);
    assert_int_equal(p->n_ops, 0);
    assert_int_equal(p->n_events, 0);
    fed_plan_free(p);
    world_done(&w);
}

/* Without the label an object is nobody's business, even when a cache shows it. */
static void unlabelled_objects(void **state)
{
    struct fed_plan *p = NULL;
    struct world w;

    (void)state;
    world_init(&w, TWO);
    store_text(&w, 2, LIVE("v"));
    look(&w);
    w.members[2].obj.root = J("{'metadata':{}}");
    fed_plan_sync(&w.in, &p);
    assert_null(op_of(p, 2));
    assert_null(p->clusters[2].status);
    fed_plan_free(p);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creates_where_placed),
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(repairs_and_removes),
        cmocka_unit_test(template_changes),
        cmocka_unit_test(unready_and_uncached_clusters_are_left_alone),
        cmocka_unit_test(broken_specs),
        cmocka_unit_test(broken_placement),
        cmocka_unit_test(namespace_not_federated),
        cmocka_unit_test(terminating_objects),
        cmocka_unit_test(dropped_fields_are_noted),
        cmocka_unit_test(unlabelled_objects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
