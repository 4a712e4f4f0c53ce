/* The texts of the events that a plan makes (controllers.md 5.15), to the letter; Q-31. */
#include "plan_world.h"

#define PLACED "'placement':{'clusters':[{'name':'c1'}]}"
#define TWICE "'overrides':[{'clusterName':'c3'},{'clusterName':'c3'}]"

/* The one event of the plan. */
static void check_event(const struct fed_plan *p, const char *type, const char *reason, const char *message)
{
    assert_int_equal(p->n_events, 1);
    assert_string_equal(p->events[0].type, type);
    assert_string_equal(p->events[0].reason, reason);
    assert_string_equal(p->events[0].message, message);
}

static void check_failure(struct world *w, const char *spec, const char *reason, const char *message)
{
    describe(w, "", spec);
    struct fed_plan *p = plan(w);

    check_event(p, "Warning", reason, message);
    fed_plan_free(p);
}

static void failures_have_their_texts(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, "{}");
    check_failure(&w, "{" PLACED "," TWICE "}", "CreateInClusterFailed",
                  "Failed to create ConfigMap \"n/x\" in cluster \"c1\": cluster \"c3\" appears more than once");
    check_failure(
        &w, "{" PLACED ",'overrides':[{'clusterName':'c2','clusterOverrides':[{'path':'/a'},{'path':'/a'}]}]}",
        "CreateInClusterFailed",
        "Failed to create ConfigMap \"n/x\" in cluster \"c1\": path \"/a\" appears more than once for cluster \"c2\"");
    check_failure(
        &w,
        "{" PLACED ",'overrides':[{'clusterName':'c2','clusterOverrides':[{'path':'/a'},"
        "{'path':'/metadata/name','value':'y'}]}]}",
        "CreateInClusterFailed",
        "Failed to create ConfigMap \"n/x\" in cluster \"c1\": override[1] for cluster \"c2\" has an invalid path: "
        "/metadata/name");
    store_text(&w, 0, "{" MANAGED ",'data':{'old':'1'}}");
    check_failure(&w, "{" PLACED "," TWICE "}", "UpdateInClusterFailed",
                  "Failed to update ConfigMap \"n/x\" in cluster \"c1\": cluster \"c3\" appears more than once");
    world_done(&w);
    /* An object without namespace is named by its name alone, a namespace as well. */
    world_of(&w, make_type("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false), "{}");
    check_failure(&w, "{" PLACED "," TWICE "}", "CreateInClusterFailed",
                  "Failed to create ClusterRole \"x\" in cluster \"c1\": cluster \"c3\" appears more than once");
    world_done(&w);
    world_of(&w, make_type("", "v1", "Namespace", "namespaces", false), "{}");
    check_failure(&w, "{" PLACED "," TWICE "}", "CreateInClusterFailed",
                  "Failed to create Namespace \"x\" in cluster \"c1\": cluster \"c3\" appears more than once");
    world_done(&w);
}

/* A cluster whose cache cannot be used, with this status and error. */
static void check_unusable(const char *store_status, const char *reason, const char *message)
{
    struct fed_plan *p = NULL;
    struct world w;

    world_init(&w, "{" PLACED "}");
    look(&w);
    w.views[0].store_ready = false;
    w.views[0].store_status = store_status;
    w.views[0].store_error = STR("why");
    fed_plan_sync(&w.in, &p);
    check_event(p, "Warning", reason, message);
    fed_plan_free(p);
    world_done(&w);
}

static void clusters_that_cannot_be_used(void **state)
{
    struct fed_plan *p;
    struct world w;

    (void)state;
    world_init(&w, "{" PLACED "}");
    w.members[0].ready = false;
    p = plan(&w);
    check_event(p, "Warning", "ClusterNotReady", "Cluster not ready: c1"); /* */
    fed_plan_free(p);
    /* Where it is not placed nobody asks. */
    describe(&w, "", "{'placement':{'clusters':[]}}");
    p = plan(&w);
    assert_int_equal(p->n_events, 0);
    fed_plan_free(p);
    world_done(&w);
    check_unusable(FED_STATUS_CACHED_RETRIEVAL_FAILED, "CachedRetrievalFailed",
                   "Failed to retrieve cached cluster object: cluster \"c1\": why");
    check_unusable(FED_STATUS_CLIENT_RETRIEVAL_FAILED, "ClientRetrievalFailed",
                   "Failed to retrieve a client for cluster \"c1\": why");
}

static void placement_failure(void **state)
{
    static const char prefix[] = "Failed to compute placement: ";
    struct fed_plan *p;
    struct world w;

    (void)state;
    world_init(&w, "{'placement':{'clusterSelector':{'matchLabels':{'-':'x'}}}}");
    p = plan(&w);
    assert_int_equal(p->n_events, 1);
    assert_string_equal(p->events[0].type, "Warning");
    assert_string_equal(p->events[0].reason, "ComputePlacementFailed");
    assert_int_equal(strncmp(p->events[0].message, prefix, strlen(prefix)), 0);
    assert_true(strlen(p->events[0].message) > strlen(prefix));
    fed_plan_free(p);
    world_done(&w);
}

/* What a user wrote is never a format. */
static void q31(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, "{}");
    check_failure(
        &w,
        "{" PLACED ",'overrides':[{'clusterName':'c%n','clusterOverrides':[{'path':'/%s%n%d'},"
        "{'path':'/%s%n%d'}]}]}",
        "CreateInClusterFailed",
        "Failed to create ConfigMap \"n/x\" in cluster \"c1\": path \"/%s%n%d\" appears more than once for cluster "
        "\"c%n\"");
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_have_their_texts),
        cmocka_unit_test(clusters_that_cannot_be_used),
        cmocka_unit_test(placement_failure),
        cmocka_unit_test(q31),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
