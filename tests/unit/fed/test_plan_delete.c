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

/* --- a removal that was put off (docs/propagation.md) --- */

#define GONE_SINCE 1700000000 /* 2023-11-14T22:13:20Z */

/* The plan for what look() saw and the test changed since. */
static struct fed_plan *plan_seen(struct world *w, void (*planner)(const struct fed_plan_input *, struct fed_plan **))
{
    struct fed_plan *p = NULL;

    planner(&w->in, &p);
    assert_non_null(p);
    return p;
}

static struct fed_removal *removal_of(const char *uid, const char *options)
{
    _cleanup_free_ char *text = mem_printf("{'type':'configmaps','key':'n/x','uid':'%s','clusterUID':'c'%s%s}", uid,
                                           options[0] ? ",'deleteOptions':" : "", options);
    struct fed_removal *r = NULL;

    assert_int_equal(fed_removal_decode(J(text), &r, NULL), 0);
    return r;
}

/* With its uid as precondition and the options of its time. */
static void put_off_removals(void **state)
{
    _cleanup_(fed_removal_freep) struct fed_removal *same = removal_of("seen", "{'gracePeriodSeconds':5}"),
                                                    *other = removal_of("another", "{'gracePeriodSeconds':5}"),
                                                    *nameless = removal_of("", "");
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, ONE);
    w.object = NULL;
    for (size_t i = 0; i < N; i++)
        store_text(&w, i, "{'metadata':{" META ",'uid':'seen'}}");
    look(&w);
    w.views[0].removal = same;
    w.views[1].removal = other;
    w.views[2].removal = nameless;
    p = plan_seen(&w, fed_plan_orphan);
    assert_int_equal(p->n_ops, 3);
    assert_op(p, 0, FED_OP_DELETE);
    assert_json(body_at(p, 0), "{'apiVersion':'v1','kind':'DeleteOptions','gracePeriodSeconds':5,"
                               "'preconditions':{'uid':'seen'}}");
    /* Somebody made it anew: that is not what was to be removed. */
    assert_op(p, 1, FED_OP_UNLABEL);
    assert_op(p, 2, FED_OP_DELETE);
    assert_json(body_at(p, 2), "{'apiVersion':'v1','kind':'DeleteOptions','preconditions':{'uid':'seen'}}");
    carry_out(&w, p);
    fed_plan_free(p);
    assert_null(live_of_member(&w, 0));
    assert_non_null(live_of_member(&w, 1));
    world_done(&w);
}

/* What ends already is waited for; what is not labelled or cannot be seen is left alone. */
static void put_off_removals_wait(void **state)
{
    _cleanup_(fed_removal_freep) struct fed_removal *r = removal_of("seen", "");
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, ONE);
    w.object = NULL;
    store_text(&w, 0, "{'metadata':{" META ",'uid':'seen','finalizers':['theirs']}}");
    delete_live(&w, 0);
    store_text(&w, 1, "{'metadata':{" META ",'uid':'seen'}}");
    store_text(&w, 2, "{'metadata':{'name':'x','namespace':'n','uid':'seen'}}");
    w.members[1].ready = false;
    look(&w);
    for (size_t i = 0; i < N; i++)
        w.views[i].removal = r;
    p = plan_seen(&w, fed_plan_orphan);
    assert_int_equal(p->n_ops, 0);
    assert_string_equal(p->clusters[0].status, FED_STATUS_WAITING_FOR_REMOVAL);
    assert_true(p->clusters[1].blocks);
    assert_null(p->clusters[2].status);
    fed_plan_free(p);
    w.members[1].ready = true;
    w.members[1].cached = false;
    look(&w);
    w.views[1].removal = r;
    p = plan_seen(&w, fed_plan_orphan);
    assert_null(op_of(p, 1));
    fed_plan_free(p);
    world_done(&w);
}

/* A federated object of that name exists again, even if it ends again with the orphan annotation: nothing is deleted. */
static void put_off_removals_of_a_new_object(void **state)
{
    _cleanup_(fed_removal_freep) struct fed_removal *r = removal_of("seen", "");
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, ONE);
    store_text(&w, 0, "{'metadata':{" META ",'uid':'seen'}}");
    look(&w);
    w.views[0].removal = r;
    p = plan_seen(&w, fed_plan_orphan);
    assert_op(p, 0, FED_OP_UNLABEL);
    fed_plan_free(p);
    world_done(&w);
}

static void put_off_host_namespace(void **state)
{
    _cleanup_(fed_removal_freep) struct fed_removal *r = removal_of("host", "");
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of(&w, make_type("", "v1", "Namespace", "namespaces", false), "{}");
    w.object = NULL;
    w.host_uid = STR("host");
    store_text(&w, 0, "{'metadata':{'name':'x','uid':'host','labels':{'kubefed.io/managed':'true'}}}");
    look(&w);
    w.views[0].removal = r;
    p = plan_seen(&w, fed_plan_orphan);
    assert_int_equal(p->n_ops, 1);
    assert_op(p, 0, FED_OP_UNLABEL);
    fed_plan_free(p);
    world_done(&w);
}

/* Q-49 holds for what was put off, too. */
static void put_off_jobs(void **state)
{
    _cleanup_(fed_removal_freep) struct fed_removal *plain = removal_of("seen", ""),
                                                    *chosen = removal_of("seen", "{'propagationPolicy':'Orphan'}");
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of(&w, make_type("batch", "v1", "Job", "jobs", true), ONE);
    w.object = NULL;
    store_text(&w, 0, "{'metadata':{" META ",'uid':'seen'}}");
    store_text(&w, 1, "{'metadata':{" META ",'uid':'seen'}}");
    look(&w);
    w.views[0].removal = plain;
    w.views[1].removal = chosen;
    p = plan_seen(&w, fed_plan_orphan);
    assert_str(json_path_str(body_at(p, 0), "propagationPolicy"), "Background");
    assert_str(json_path_str(body_at(p, 1), "propagationPolicy"), "Orphan");
    fed_plan_free(p);
    world_done(&w);
}

/* --- when members are left behind --- */

#define DELETED "'deletionTimestamp':'2023-11-14T22:13:20Z'"
#define PATIENCE(text) ",'annotations':{'kubefed.io/orphan-unreachable-after':" text "}," DELETED

/* leave_at of c1 with this metadata, setting, and time of loss. */
static int64_t leaves_at(const char *metadata, int64_t setting, int64_t unready_since)
{
    struct fed_behavior b = fed_behavior_default;
    struct world w;
    struct fed_plan *p;
    int64_t at;

    b.orphan_unreachable_after_s = setting;
    world_init(&w, ONE);
    describe(&w, metadata, ONE);
    w.members[0].ready = false;
    look(&w);
    w.views[0].unready_since = unready_since;
    w.in.behavior = &b;
    p = plan_seen(&w, fed_plan_delete);
    assert_true(p->clusters[0].blocks);
    assert_string_equal(p->clusters[0].status, FED_STATUS_CLUSTER_NOT_READY);
    at = p->clusters[0].leave_at;
    fed_plan_free(p);
    world_done(&w);
    return at;
}

#define assert_leaves(at, ...)                                                                                         \
    do {                                                                                                               \
        int64_t _at = leaves_at(__VA_ARGS__);                                                                          \
        if (_at != (at))                                                                                               \
            fail_msg("got %lld", (long long)_at);                                                                      \
    } while (0)

static void patience(void **state)
{
    (void)state;
    /* By default it waits as long as it takes. */
    assert_leaves(FED_WAIT_FOR_EVER, "," DELETED, FED_WAIT_FOR_EVER, GONE_SINCE);
    /* From the deletion or the loss, whichever is later; a loss that is not known is no later. */
    assert_leaves(GONE_SINCE + 60, "," DELETED, 60, GONE_SINCE - 1000);
    assert_leaves(GONE_SINCE + 1060, "," DELETED, 60, GONE_SINCE + 1000);
    assert_leaves(GONE_SINCE + 60, "," DELETED, 60, 0);
    assert_leaves(GONE_SINCE, "," DELETED, 0, 0);
    /* The annotation wins, either way. */
    assert_leaves(GONE_SINCE + 600, PATIENCE("'10m'"), 60, 0);
    assert_leaves(GONE_SINCE + 600, PATIENCE("'10m'"), FED_WAIT_FOR_EVER, 0);
    assert_leaves(FED_WAIT_FOR_EVER, PATIENCE("'never'"), 60, 0);
    assert_leaves(GONE_SINCE, PATIENCE("'0s'"), FED_WAIT_FOR_EVER, GONE_SINCE - 5);
    assert_leaves(GONE_SINCE + 1, PATIENCE("'1ms'"), FED_WAIT_FOR_EVER, 0);
    /* Sums that no number can hold. */
    assert_leaves(FED_WAIT_FOR_EVER, "," DELETED, FED_WAIT_FOR_EVER - 1, 0);
    assert_leaves(FED_WAIT_FOR_EVER, "," DELETED, 60, FED_WAIT_FOR_EVER - 1);
    /* Without a time of deletion there is nothing to count from. */
    assert_leaves(FED_WAIT_FOR_EVER, "", 60, GONE_SINCE);
    assert_leaves(FED_WAIT_FOR_EVER, ",'deletionTimestamp':'soon'", 60, GONE_SINCE);
}

/* It waits, and says why. */
static void bad_patience(void **state)
{
    static const char *const bad[] = {
        PATIENCE("''"), PATIENCE("'ten'"), PATIENCE("'-1s'"),         PATIENCE("'Never'"),
        PATIENCE("7"),  PATIENCE("null"),  PATIENCE("'99999999999h'")
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct fed_behavior b = fed_behavior_default;
        struct world w;
        struct fed_plan *p;

        b.orphan_unreachable_after_s = 60;
        world_init(&w, ONE);
        describe(&w, bad[i], ONE);
        w.members[0].ready = false;
        store_text(&w, 1, LIVE);
        look(&w);
        w.in.behavior = &b;
        p = plan_seen(&w, fed_plan_delete);
        if (p->clusters[0].leave_at != FED_WAIT_FOR_EVER || p->n_events != 1 ||
            !has_event(p, "InvalidOrphanUnreachableAfter", "kubefed.io/orphan-unreachable-after"))
            fail_msg("%s", bad[i]);
        assert_op(p, 1, FED_OP_DELETE); /* the others are not concerned */
        fed_plan_free(p);
        world_done(&w);
    }
}

/* A clock that is far off must not break the sum. */
static void old_deletions(void **state)
{
    struct fed_behavior b = fed_behavior_default;
    struct world w;
    struct fed_plan *p;

    (void)state;
    b.orphan_unreachable_after_s = 60;
    world_init(&w, ONE);
    describe(&w, ",'deletionTimestamp':'0001-01-01T00:00:00Z'", ONE);
    look(&w);
    w.in.behavior = &b;
    p = plan_seen(&w, fed_plan_delete);
    assert_true(p->clusters[0].leave_at < GONE_SINCE);
    fed_plan_free(p);
    world_done(&w);
}

/* --- switches --- */

static struct fed_plan *plan_with(struct world *w, const struct fed_behavior *b,
                                  void (*planner)(const struct fed_plan_input *, struct fed_plan **))
{
    look(w);
    w->in.behavior = b;
    return plan_seen(w, planner);
}

/* as KubeFed does, only the present placement counts. */
static void unselected_clusters_switch(void **state)
{
    struct fed_behavior off = fed_behavior_default;
    struct world w;
    struct fed_plan *p;

    (void)state;
    off.delete_unselected_clusters = false;
    world_init(&w, ONE);
    for (size_t i = 0; i < N; i++)
        store_text(&w, i, LIVE);
    w.versions = fed_versions_decode(
        J("{'clusterVersions':[{'clusterName':'c2','version':'1'},{'clusterName':'c3','version':'1'}]}"));
    p = plan_with(&w, &off, fed_plan_delete);
    assert_int_equal(p->n_ops, 1);
    assert_op(p, 0, FED_OP_DELETE);
    fed_plan_free(p);
    w.members[0].ready = w.members[2].ready = false;
    w.members[1].cached = false;
    p = plan_with(&w, &off, fed_plan_delete);
    assert_int_equal(p->n_ops, 0);
    assert_true(p->clusters[0].blocks && !p->clusters[1].selected && !p->clusters[2].blocks);
    assert_null(p->clusters[2].status);
    fed_plan_free(p);
    p = plan_with(&w, NULL, fed_plan_delete);
    assert_true(p->clusters[1].selected && p->clusters[2].blocks);
    fed_plan_free(p);
    world_done(&w);
}

/* the annotation also holds for a cluster that an object leaves. */
static void options_on_placement_switch(void **state)
{
    struct fed_behavior on = fed_behavior_default;
    struct world w;
    struct fed_plan *p;

    (void)state;
    on.delete_options_on_placement = true;
    world_init(&w, ONE);
    describe(&w, OPTIONS("{\\'gracePeriodSeconds\\':5}"), ONE);
    store_text(&w, 1, "{'metadata':{" META ",'uid':'seen'}}");
    p = plan_with(&w, &on, fed_plan_sync);
    assert_op(p, 1, FED_OP_DELETE);
    assert_json(body_at(p, 1), "{'apiVersion':'v1','kind':'DeleteOptions','gracePeriodSeconds':5,"
                               "'preconditions':{'uid':'seen'}}");
    fed_plan_free(p);
    p = plan_with(&w, NULL, fed_plan_sync);
    assert_json(body_at(p, 1), "{'apiVersion':'v1','kind':'DeleteOptions','preconditions':{'uid':'seen'}}");
    fed_plan_free(p);
    /* Options that cannot be read delete nothing; the other clusters are not concerned. */
    describe(&w, OPTIONS("{"), ONE);
    p = plan_with(&w, &on, fed_plan_sync);
    assert_null(op_of(p, 1));
    assert_string_equal(p->clusters[1].status, FED_STATUS_DELETION_FAILED);
    assert_true(has_event(p, "DeleteInClusterFailed", "kubefed.io/deleteoption"));
    assert_op(p, 0, FED_OP_CREATE);
    fed_plan_free(p);
    p = plan_with(&w, NULL, fed_plan_sync);
    assert_op(p, 1, FED_OP_DELETE);
    fed_plan_free(p);
    world_done(&w);
}

/* */
static void jobs_switch(void **state)
{
    struct fed_behavior off = fed_behavior_default;
    struct world w;
    struct fed_plan *p;

    (void)state;
    off.jobs_in_background = false;
    world_of(&w, make_type("batch", "v1", "Job", "jobs", true), ONE);
    store_text(&w, 0, LIVE);
    store_text(&w, 1, LIVE);
    p = plan_with(&w, &off, fed_plan_delete);
    assert_op(p, 0, FED_OP_DELETE);
    assert_null(json_get(body_at(p, 0), "propagationPolicy"));
    fed_plan_free(p);
    p = plan_with(&w, &off, fed_plan_sync);
    assert_op(p, 1, FED_OP_DELETE);
    assert_null(json_get(body_at(p, 1), "propagationPolicy"));
    fed_plan_free(p);
    world_done(&w);
    /* Jobs of other groups are other things. */
    world_of(&w, make_type("example.com", "v1", "Job", "jobs", true), ONE);
    store_text(&w, 0, LIVE);
    p = plan_with(&w, NULL, fed_plan_delete);
    assert_null(json_get(body_at(p, 0), "propagationPolicy"));
    fed_plan_free(p);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_labelled_object),
        cmocka_unit_test(terminating_objects_are_waited_for),
        cmocka_unit_test(unready_clusters),
        cmocka_unit_test(uncached_clusters),
        cmocka_unit_test(broken_placement),
        cmocka_unit_test(delete_options),
        cmocka_unit_test(unreadable_options),
        cmocka_unit_test(jobs_and_placement),
        cmocka_unit_test(host_namespace),
        cmocka_unit_test(orphaning),
        cmocka_unit_test(orphaning_without_object),
        cmocka_unit_test(put_off_removals),
        cmocka_unit_test(put_off_removals_wait),
        cmocka_unit_test(put_off_removals_of_a_new_object),
        cmocka_unit_test(put_off_host_namespace),
        cmocka_unit_test(put_off_jobs),
        cmocka_unit_test(patience),
        cmocka_unit_test(bad_patience),
        cmocka_unit_test(old_deletions),
        cmocka_unit_test(unselected_clusters_switch),
        cmocka_unit_test(options_on_placement_switch),
        cmocka_unit_test(jobs_switch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
