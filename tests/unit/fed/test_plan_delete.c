/* The plans at the end of a federated object: deletion with its options (U-06), orphaning (controllers.md 5.11, 5.12). */
#include "plan_world.h"

#define ONE "{'template':{},'placement':{'clusters':[{'name':'c1'}]}}"
#define LIVE "{" MANAGED "}"
#define OPTIONS(text) ",'annotations':{'kubefed.io/deleteoption':'" text "'}"

/* --- which clusters --- */

static void every_labelled_object(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, ONE);
    store_text(&w, 0, LIVE);
    store_text(&w, 1, "{'metadata':{'name':'x','namespace':'n'}}"); /* not ours: the cache does not show it */
    store_text(&w, 2, LIVE);                                        /* no longer placed there */
    p = plan_by(&w, fed_plan_delete);
    assert_int_equal(p->n_ops, 2);
    assert_op(p, 0, FED_OP_DELETE);
    assert_op(p, 2, FED_OP_DELETE);
    assert_true(p->clusters[0].selected); /* the member is asked before the finalizer goes */
    assert_false(p->clusters[0].blocks || p->clusters[1].blocks || p->clusters[2].blocks);
    carry_out(&w, p);
    fed_plan_free(p);
    p = plan_by(&w, fed_plan_delete);
    assert_int_equal(p->n_ops, 0);
    for (size_t i = 0; i < N; i++)
        assert_null(p->clusters[i].status);
    fed_plan_free(p);
    assert_non_null(live_of_member(&w, 1));
    world_done(&w);
}

static void terminating_objects_are_waited_for(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, ONE);
    store_text(&w, 0, "{'metadata':{" META ",'finalizers':['theirs']}}");
    delete_live(&w, 0);
    p = plan_by(&w, fed_plan_delete);
    assert_int_equal(p->n_ops, 0);
    assert_string_equal(p->clusters[0].status, FED_STATUS_WAITING_FOR_REMOVAL);
    fed_plan_free(p);
    world_done(&w);
}

/* An unready cluster blocks the end when it has the object or may have it. */
static void unready_clusters(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, ONE);
    w.members[0].ready = w.members[1].ready = w.members[2].ready = false;
    p = plan_by(&w, fed_plan_delete);
    assert_int_equal(p->n_ops, 0);
    assert_true(p->clusters[0].blocks); /* selected */
    assert_false(p->clusters[1].blocks || p->clusters[2].blocks);
    fed_plan_free(p);
    /* On record, or in the status. */
    w.versions = fed_versions_decode(J("{'clusterVersions':[{'clusterName':'c2','version':'rv:1'}]}"));
    w.object = JF("{'metadata':{'name':'x','namespace':'n'},'spec':%s,'status':{'clusters':[{'name':'c3'}]}}", ONE);
    p = plan_by(&w, fed_plan_delete);
    assert_true(p->clusters[1].blocks && p->clusters[2].blocks);
    fed_plan_free(p);
    world_done(&w);
    /* Its last known object is labelled. */
    world_init(&w, ONE);
    store_text(&w, 2, LIVE);
    w.members[2].ready = false;
    p = plan_by(&w, fed_plan_delete);
    assert_true(p->clusters[2].blocks);
    assert_false(p->clusters[1].blocks);
    fed_plan_free(p);
    world_done(&w);
}

/* The cache of a ready cluster is incomplete: the member itself is asked. */
static void uncached_clusters(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, ONE);
    w.members[0].cached = w.members[1].cached = false;
    p = plan_by(&w, fed_plan_delete);
    assert_int_equal(p->n_ops, 0);
    assert_true(p->clusters[0].selected);
    assert_false(p->clusters[1].selected);
    fed_plan_free(p);
    world_done(&w);
}

/* A placement that cannot be computed keeps nobody from deleting. */
static void broken_placement(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, "{'placement':7}");
    store_text(&w, 1, LIVE);
    p = plan_by(&w, fed_plan_delete);
    assert_op(p, 1, FED_OP_DELETE);
    fed_plan_free(p);
    world_done(&w);
}

/* --- U-06 --- */

/* The body of the DELETE with this annotation, without what every body has. */
static void check_options(const char *annotations, const char *expected)
{
    struct world w;
    struct fed_plan *p;

    world_init(&w, ONE);
    describe(&w, annotations, ONE);
    store_text(&w, 0, "{'metadata':{" META ",'uid':'seen'}}");
    p = plan_by(&w, fed_plan_delete);
    assert_op(p, 0, FED_OP_DELETE);
    _cleanup_free_ char *body = mem_printf("{'apiVersion':'v1','kind':'DeleteOptions'%s}", expected);

    assert_json(body_at(p, 0), body);
    fed_plan_free(p);
    world_done(&w);
}

static void delete_options(void **state)
{
    (void)state;
    check_options("", ",'preconditions':{'uid':'seen'}");
    check_options(OPTIONS("{\\'propagationPolicy\\':\\'Orphan\\'}"),
                  ",'propagationPolicy':'Orphan','preconditions':{'uid':'seen'}");
    check_options(OPTIONS("{\\'gracePeriodSeconds\\':5}"), ",'gracePeriodSeconds':5,'preconditions':{'uid':'seen'}");
    check_options(OPTIONS("{\\'gracePeriodSeconds\\':5,\\'propagationPolicy\\':\\'Orphan\\'}"),
                  ",'gracePeriodSeconds':5,'propagationPolicy':'Orphan','preconditions':{'uid':'seen'}");
    check_options(OPTIONS("{\\'gracePeriodSeconds\\':0,\\'dryRun\\':[\\'All\\'],\\'kind\\':\\'x\\'}"),
                  ",'gracePeriodSeconds':0,'preconditions':{'uid':'seen'}");
    check_options(OPTIONS("{\\'preconditions\\':{\\'resourceVersion\\':\\'7\\'}}"),
                  ",'preconditions':{'resourceVersion':'7','uid':'seen'}");
    check_options(OPTIONS("{\\'preconditions\\':{\\'uid\\':\\'mine\\'}}"), ",'preconditions':{'uid':'mine'}");
    check_options(OPTIONS("{\\'propagationPolicy\\':null,\\'preconditions\\':null}"),
                  ",'preconditions':{'uid':'seen'}");
    check_options(OPTIONS("{}"), ",'preconditions':{'uid':'seen'}");
}

/* 5.11 step 4: what cannot be read deletes nothing. */
static void unreadable_options(void **state)
{
    static const char *const annotations[] = {
        OPTIONS(""),
        OPTIONS("{"),
        OPTIONS("7"),
        OPTIONS("{\\'gracePeriodSeconds\\':\\'5\\'}"),
        OPTIONS("{\\'gracePeriodSeconds\\':1.5}"),
        OPTIONS("{\\'propagationPolicy\\':1}"),
        OPTIONS("{\\'preconditions\\':[]}"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(annotations); i++) {
        struct world w;
        struct fed_plan *p;

        world_init(&w, ONE);
        describe(&w, annotations[i], ONE);
        store_text(&w, 0, LIVE);
        p = plan_by(&w, fed_plan_delete);
        if (p->n_ops)
            fail_msg("%s was taken", annotations[i]);
        assert_string_equal(p->clusters[0].status, FED_STATUS_DELETION_FAILED);
        assert_true(has_event(p, "InvalidDeleteOptions", "kubefed.io/deleteoption"));
        fed_plan_free(p);
        world_done(&w);
    }
}

/* Pods of a Job go with it, also when only the placement changed; other delete options are for the end. */
static void jobs_and_placement(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of(&w, make_type("batch", "v1", "Job", "jobs", true), ONE);
    describe(&w, OPTIONS("{\\'gracePeriodSeconds\\':5}"), ONE);
    store_text(&w, 1, LIVE);
    p = plan(&w);
    assert_op(p, 1, FED_OP_DELETE);
    assert_str(json_path_str(body_at(p, 1), "propagationPolicy"), "Background");
    assert_null(json_get(body_at(p, 1), "gracePeriodSeconds"));
    fed_plan_free(p);
    describe(&w, OPTIONS("{\\'propagationPolicy\\':\\'Foreground\\'}"), ONE);
    p = plan_by(&w, fed_plan_delete);
    assert_str(json_path_str(body_at(p, 1), "propagationPolicy"), "Foreground");
    fed_plan_free(p);
    world_done(&w);
}

/* --- the HOST's own namespace --- */

static void host_namespace(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of(&w, make_type("", "v1", "Namespace", "namespaces", false), "{'placement':{'clusterSelector':{}}}");
    /* Options that cannot be read are no reason to keep a label. */
    describe(&w, OPTIONS("{"), "{'placement':{'clusterSelector':{}}}");
    w.host_uid = STR("host");
    store_text(&w, 0,
               "{'metadata':{'name':'x','uid':'host','labels':{'kubefed.io/managed':'true'},'finalizers':['f']}}");
    p = plan_by(&w, fed_plan_delete);
    assert_op(p, 0, FED_OP_UNLABEL);
    fed_plan_free(p);
    /* While it ends it is not waited for: its end may wait for this federated object. */
    delete_live(&w, 0);
    p = plan_by(&w, fed_plan_delete);
    assert_int_equal(p->n_ops, 0);
    assert_null(p->clusters[0].status);
    fed_plan_free(p);
    world_done(&w);
}

/* --- orphaning --- */

static void orphaning(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, ONE);
    store_text(&w, 0, LIVE);
    store_text(&w, 1, "{'metadata':{" META ",'finalizers':['theirs']}}");
    delete_live(&w, 1);
    store_text(&w, 2, LIVE);
    p = plan_by(&w, fed_plan_orphan);
    assert_int_equal(p->n_ops, 2);
    assert_op(p, 0, FED_OP_UNLABEL);
    assert_json(body_at(p, 0), "{'metadata':{'labels':{'kubefed.io/managed':null}}}");
    assert_op(p, 2, FED_OP_UNLABEL);
    carry_out(&w, p);
    fed_plan_free(p);
    p = plan_by(&w, fed_plan_orphan);
    assert_int_equal(p->n_ops, 0);
    fed_plan_free(p);
    world_done(&w);
}

/* Only clusters with a labelled object, or that were selected, matter (P-07). */
static void orphaning_without_object(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, ONE);
    w.members[0].ready = w.members[1].ready = false;
    store_text(&w, 1, LIVE);
    p = plan_by(&w, fed_plan_orphan);
    assert_true(p->clusters[0].blocks && p->clusters[1].blocks && !p->clusters[2].blocks);
    fed_plan_free(p);
    w.object = NULL; /* it is gone */
    p = plan_by(&w, fed_plan_orphan);
    assert_int_equal(p->n_ops, 0);
    assert_true(!p->clusters[0].blocks && p->clusters[1].blocks && !p->clusters[2].blocks);
    assert_string_equal(p->template_hash, "");
    fed_plan_free(p);
    w.members[1].ready = true;
    p = plan_by(&w, fed_plan_orphan);
    assert_int_equal(p->n_ops, 1);
    assert_op(p, 1, FED_OP_UNLABEL);
    fed_plan_free(p);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_labelled_object),    cmocka_unit_test(terminating_objects_are_waited_for),
        cmocka_unit_test(unready_clusters),         cmocka_unit_test(uncached_clusters),
        cmocka_unit_test(broken_placement),         cmocka_unit_test(delete_options),
        cmocka_unit_test(unreadable_options),       cmocka_unit_test(jobs_and_placement),
        cmocka_unit_test(host_namespace),           cmocka_unit_test(orphaning),
        cmocka_unit_test(orphaning_without_object),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
