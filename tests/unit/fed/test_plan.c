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

/* What looks like a failure while a cache is being filled is none yet; should it become one, it is told, once. */
static void failures_of_filling_caches_are_told_when_they_are_real(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, TWO);
    w.members[1].cached = false;
    w.members[1].filling = true;
    p = plan(&w);
    assert_string_equal(p->clusters[1].status, FED_STATUS_CACHED_RETRIEVAL_FAILED);
    assert_true(p->clusters[1].untold);
    assert_false(p->clusters[0].untold);
    assert_int_equal(p->n_events, 0);
    fed_plan_free(p);
    w.object = JF("{'metadata':{'name':'x','namespace':'n'},'spec':%s,'status':{'clusters':[{'name':'c2','status':"
                  "'CachedRetrievalFailed'}]}}",
                  TWO);
    /* Told already, or not: as before. */
    p = plan(&w);
    assert_false(p->clusters[1].untold);
    fed_plan_free(p);
    w.members[1].untold = true;
    p = plan(&w);
    assert_true(p->clusters[1].untold);
    assert_int_equal(p->n_events, 0);
    fed_plan_free(p);
    w.members[1].filling = false;
    p = plan(&w);
    assert_true(has_event(p, "CachedRetrievalFailed", "why"));
    assert_int_equal(p->n_events, 1);
    assert_false(p->clusters[1].untold);
    fed_plan_free(p);
    w.members[1].untold = false;
    p = plan(&w);
    assert_int_equal(p->n_events, 0);
    fed_plan_free(p);
    /* Where the status keeps something else, that it changes will tell. */
    w.object = JF("{'metadata':{'name':'x','namespace':'n','generation':1},'spec':%s,'status':{'observedGeneration':1,"
                  "'clusters':[{'name':'c2'}]}}",
                  TWO);
    w.members[1].filling = true;
    p = plan(&w);
    assert_string_equal(p->clusters[1].status, FED_STATUS_OK);
    assert_false(p->clusters[1].untold);
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

/* --- replica counts that others change (docs/propagation.md) --- */

#define APP(replicas) "{'template':{'spec':{" replicas "'x':1}},'placement':{" NAMES "}}"
#define LEFT_OPEN APP("")

/* The object in c1 has been scaled since what is on record was written. Owned: its version then. */
static char *scale(struct world *w, const char *patch)
{
    char *before = fed_object_version(live_of_member(w, 0));

    alter(w, 0, patch);
    return before;
}

static struct fed_plan *plan_scaled(struct world *w, const char *since, const struct fed_behavior *b)
{
    struct fed_plan *p = NULL;

    look(w);
    w->members[0].obj.same_but_scaled = str_of(since);
    w->in.behavior = b;
    fed_plan_sync(&w->in, &p);
    return p;
}

static void world_of_deployment(struct world *w, const char *spec)
{
    world_of(w, make_type("apps", "v1", "Deployment", "deployments", true), spec);
    settle(w);
}

static void scaled_members_are_left_alone(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of_deployment(&w, LEFT_OPEN);
    _cleanup_free_ char *before = scale(&w, "{'spec':{'replicas':7}}");
    _cleanup_free_ char *now = fed_object_version(live_of_member(&w, 0));

    assert_string_not_equal(before, now);
    p = plan_scaled(&w, before, NULL);
    assert_int_equal(p->n_ops, 0);
    assert_string_equal(p->clusters[0].status, FED_STATUS_OK);
    assert_string_equal(p->clusters[0].recorded_version, now); /* what was seen is on record from now on */
    fed_plan_free(p);
    /* Without the hint nobody can know that the other fields are the server's defaults: written, with the count kept. */
    p = plan_scaled(&w, "", NULL);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_json(json_path(body_at(p, 0), "spec"), "{'x':1,'replicas':7}");
    fed_plan_free(p);
    world_done(&w);
}

/* Something else changed, too: the hint must not hide it. */
static void scaled_and_changed(void **state)
{
    static const char *const drifts[] = { "{'metadata':{'labels':{'theirs':'1'}},'spec':{'replicas':7}}",
                                          "{'metadata':{'labels':{'kubefed.io/managed':'true','mine':null}},'spec':"
                                          "{'replicas':7}}" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(drifts); i++) {
        struct world w;
        struct fed_plan *p;

        world_of_deployment(&w,
                            "{'template':{'metadata':{'labels':{'mine':'1'}},'spec':{'x':1}},'placement':{" NAMES "}}");
        _cleanup_free_ char *before = scale(&w, drifts[i]);

        p = plan_scaled(&w, before, NULL);
        assert_int_equal(p->n_ops, 1);
        assert_op(p, 0, FED_OP_UPDATE);
        assert_json(json_path(body_at(p, 0), "metadata.labels"), "{'kubefed.io/managed':'true','mine':'1'}");
        assert_json(json_path(body_at(p, 0), "spec.replicas"), "7");
        fed_plan_free(p);
        world_done(&w);
    }
}

/* A hint about another version than the one on record says nothing. */
static void scaled_since_another_version(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of_deployment(&w, LEFT_OPEN);
    _cleanup_free_ char *before = scale(&w, "{'spec':{'x':2,'replicas':7}}");

    p = plan_scaled(&w, "gen:99", NULL);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_json(json_path(body_at(p, 0), "spec"), "{'x':1,'replicas':7}");
    fed_plan_free(p);
    /* Nor does one without a record. */
    forget_versions(&w);
    p = plan_scaled(&w, before, NULL);
    assert_op(p, 0, FED_OP_UPDATE);
    fed_plan_free(p);
    world_done(&w);
}

/* A count in the template is kept in place, unless it is said to be the member's. */
static void scaled_against_the_template(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of_deployment(&w, APP("'replicas':2,"));
    _cleanup_free_ char *before = scale(&w, "{'spec':{'replicas':7}}");

    p = plan_scaled(&w, before, NULL);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_json(json_path(body_at(p, 0), "spec.replicas"), "2");
    fed_plan_free(p);
    /* An autoscaler in this member. */
    look(&w);
    w.members[0].obj.autoscaled = true;
    w.members[0].obj.same_but_scaled = str_of(before);
    fed_plan_sync(&w.in, &p);
    assert_int_equal(p->n_ops, 0);
    fed_plan_free(p);
    /* retainReplicas. */
    describe(&w, "", "{'retainReplicas':true,'template':{'spec':{'replicas':2,'x':1}},'placement':{" NAMES "}}");
    p = plan_scaled(&w, before, NULL);
    assert_int_equal(p->n_ops, 0);
    fed_plan_free(p);
    world_done(&w);
}

/* An override that sets the count is kept in place, too. */
static void scaled_against_an_override(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_of_deployment(&w, "{'template':{'spec':{'x':1}},'placement':{" NAMES "},'overrides':[{'clusterName':'c1',"
                            "'clusterOverrides':[{'path':'/spec/replicas','value':3}]}]}");
    _cleanup_free_ char *before = scale(&w, "{'spec':{'replicas':7}}");

    p = plan_scaled(&w, before, NULL);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_json(json_path(body_at(p, 0), "spec.replicas"), "3");
    fed_plan_free(p);
    world_done(&w);
}

/* Without RetainBoundFields an absent count means the default, as in KubeFed. */
static void scaled_without_retention(void **state)
{
    struct fed_behavior off = fed_behavior_default;
    struct world w;
    struct fed_plan *p;

    (void)state;
    off.retain_bound_fields = false;
    world_of_deployment(&w, LEFT_OPEN);
    _cleanup_free_ char *before = scale(&w, "{'spec':{'replicas':7}}");

    p = plan_scaled(&w, before, &off);
    assert_op(p, 0, FED_OP_UPDATE);
    assert_null(json_path(body_at(p, 0), "spec.replicas"));
    fed_plan_free(p);
    world_done(&w);
}

/* --- what a projection says about an object --- */

static yyjson_val *projected(const struct fed_type_config *type, yyjson_val *live)
{
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();

    fed_member_project(type, false, live, out);
    return keep(json_freeze(out));
}

/* Some value without empty parts: what is empty counts as absent in the kinds of Kubernetes. */
static void random_value(struct buf *b, unsigned depth)
{
    static const char *const plain[] = { "1", "2", "true", "false", "'a'", "'b'", "1.5", "-3" };
    uint64_t n = 1 + rand_below(3);

    switch (depth == 0 ? 0 : rand_below(3)) {
    case 0: buf_addz(b, plain[rand_below(ARRAY_SIZE(plain))]); break;
    case 1:
        buf_addc(b, '[');
        for (uint64_t i = 0; i < n; i++) {
            buf_addz(b, i ? "," : "");
            random_value(b, depth - 1);
        }
        buf_addc(b, ']');
        break;
    default:
        buf_addc(b, '{');
        for (uint64_t i = 0; i < n; i++) {
            buf_printf(b, "%s'%s%llu':", i ? "," : "", rand_below(3) ? "k" : "replicas", (unsigned long long)i);
            random_value(b, depth - 1);
        }
        buf_addc(b, '}');
    }
}

/* An object whose count is `count` (none when NULL) at spec.size.wanted, among others. */
static yyjson_val *sized(struct buf *rest, const char *count)
{
    return JF("{'metadata':{'name':'x'},'spec':{'size':{'other':1%s%s},'replicas':9,'more':%s},'data':{'d':%s}}",
              count ? ",'wanted':" : "", count ? count : "", rest[0].p, rest[1].p);
}

static uint64_t content_of(const struct fed_type_config *type, yyjson_val *live)
{
    return yyjson_get_uint(json_get(projected(type, live), "content"));
}

/* Objects that are equal but for the count have the same content; any other change shows. */
static void content_is_all_but_the_count(void **state)
{
    struct fed_type_config *type = make_type("example.com", "v1", "Widget", "widgets", true);

    (void)state;
    unit_seed();
    type->replicas_path = mem_strdup("spec.size.wanted");
    for (int round = 0; round < 500; round++) {
        struct buf rest[2] = { BUF_INIT(4096), BUF_INIT(4096) }, other[2] = { BUF_INIT(4096), BUF_INIT(4096) };
        yyjson_val *a, *b;

        for (size_t i = 0; i < 2; i++) {
            random_value(&rest[i], 3);
            random_value(&other[i], 3);
        }
        a = sized(rest, "3");
        b = sized(rest, "4");
        assert_true(content_of(type, a) == content_of(type, b));
        assert_true(content_of(type, a) == content_of(type, sized(rest, NULL)));
        assert_true(fed_member_scaled(projected(type, a), projected(type, b)));
        assert_false(fed_member_scaled(projected(type, a), projected(type, a)));
        b = sized(other, "4");
        if (json_equal(json_get(a, "data"), json_get(b, "data")) &&
            json_equal(json_path(a, "spec.more"), json_path(b, "spec.more")))
            assert_true(content_of(type, a) == content_of(type, b));
        else if (content_of(type, a) == content_of(type, b) ||
                 fed_member_scaled(projected(type, a), projected(type, b)))
            fail_msg("round %d: %s %s is taken for %s %s", round, rest[0].p, rest[1].p, other[0].p, other[1].p);
        for (size_t i = 0; i < 2; i++) {
            buf_done(&rest[i]);
            buf_done(&other[i]);
        }
    }
    fed_type_config_free(type);
}

static void only_the_count_itself(void **state)
{
    static const struct {
        const char *a, *b;
        bool scaled;
    } pairs[] = {
        { "{'spec':{'replicas':1,'x':1}}", "{'spec':{'replicas':2,'x':1}}", true },
        { "{'spec':{'x':1}}", "{'spec':{'replicas':2,'x':1}}", true },
        { "{'spec':{'replicas':1,'x':1}}", "{'spec':{'replicas':1,'x':1},'status':{'replicas':2}}", false },
        { "{'spec':{'replicas':1,'x':1}}", "{'spec':{'replicas':2,'x':2}}", false },
        { "{'spec':{'replicas':1,'x':1}}", "{'spec':{'replicas':2,'x':1,'y':1}}", false },
        { "{'spec':{'replicas':1,'x':1}}", "{'spec':{'replicas':2},'x':1}", false },
        /* The same name elsewhere is something else. */
        { "{'spec':{'x':{'replicas':1}}}", "{'spec':{'x':{'replicas':2}}}", false },
        { "{'replicas':1,'spec':{'x':1}}", "{'replicas':2,'spec':{'x':1}}", false },
        { "{'spec':[{'replicas':1}]}", "{'spec':[{'replicas':2}]}", false },
    };
    struct fed_type_config *type = make_type("apps", "v1", "Deployment", "deployments", true);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
        if (fed_member_scaled(projected(type, J(pairs[i].a)), projected(type, J(pairs[i].b))) != pairs[i].scaled)
            fail_msg("%s %s", pairs[i].a, pairs[i].b);
    assert_false(fed_member_scaled(NULL, NULL));
    assert_false(fed_member_scaled(J("{}"), J("{'spec':{'replicas':1}}")));
    fed_type_config_free(type);
}

/* What scheduling takes for the replicas that are ready. */
static void ready_replicas_of_a_type(void **state)
{
    static const struct {
        bool custom;
        const char *path, *status, *schedule;
    } rows[] = {
        { false, NULL, "{'readyReplicas':3,'replicas':5}", "{'ready':3}" },
        { false, NULL, "{'replicas':5}", "{}" },
        { false, "status.replicas", "{'replicas':5}", "{}" },
        { true, "status.size", "{'readyReplicas':3,'size':5}", "{'ready':3}" },
        { true, "status.size", "{'readyReplicas':0,'size':5}", "{'ready':0}" },
        { true, "status.size", "{'size':5}", "{'ready':5}" },
        { true, "status.pool.size", "{'pool':{'size':5}}", "{'ready':5}" },
        { true, "status.size", "{'size':'5'}", "{}" },
        { true, "status.size", "{}", "{}" },
        { true, NULL, "{'size':5,'replicas':5}", "{}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fed_type_config *type = rows[i].custom ? make_type("example.com", "v1", "Widget", "widgets", true)
                                                      : make_type("apps", "v1", "Deployment", "deployments", true);
        yyjson_val *live = JF("{'metadata':{'name':'x'},'status':%s}", rows[i].status);
        _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();

        type->status_replicas_path = mem_strdup(rows[i].path);
        fed_member_project(type, false, live, out);
        fed_member_project_schedule(type, live, out);
        assert_json(json_get(keep(json_freeze(out)), "schedule"), rows[i].schedule);
        fed_type_config_free(type);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creates_where_placed),
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(repairs_and_removes),
        cmocka_unit_test(template_changes),
        cmocka_unit_test(unready_and_uncached_clusters_are_left_alone),
        cmocka_unit_test(failures_of_filling_caches_are_told_when_they_are_real),
        cmocka_unit_test(broken_specs),
        cmocka_unit_test(broken_placement),
        cmocka_unit_test(namespace_not_federated),
        cmocka_unit_test(terminating_objects),
        cmocka_unit_test(dropped_fields_are_noted),
        cmocka_unit_test(unlabelled_objects),
        cmocka_unit_test(scaled_members_are_left_alone),
        cmocka_unit_test(scaled_and_changed),
        cmocka_unit_test(scaled_since_another_version),
        cmocka_unit_test(scaled_against_the_template),
        cmocka_unit_test(scaled_against_an_override),
        cmocka_unit_test(scaled_without_retention),
        cmocka_unit_test(content_is_all_but_the_count),
        cmocka_unit_test(only_the_count_itself),
        cmocka_unit_test(ready_replicas_of_a_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
