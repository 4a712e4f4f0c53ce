/* Placement: U-01 and the table of controllers.md 5.5. */
#include "fed/placement.h"

#include "fed_test.h"

enum { C1 = 1, C2 = 2, BOTH = 3 };

struct where {
    bool namespaced, limited;
    const char *fed_namespace; /* its spec.placement, or NULL: absent */
};

static unsigned place(const char *placement, const struct where *w, bool *ret_not_federated)
{
    struct fed_placement_cluster clusters[] = { { STR("cluster1"), NULL }, { STR("cluster2"), J("{'foo':'bar'}") } };
    _cleanup_error_ struct error *err = NULL;
    struct fed_placement_input in = {
        .object = JF("{'spec':{'placement':%s}}", placement),
        .target_namespaced = w->namespaced,
        .namespace_scoped = w->limited,
        .fed_namespace = w->fed_namespace ? JF("{'spec':{'placement':%s}}", w->fed_namespace) : NULL,
        .clusters = clusters,
        .n_clusters = 2,
    };
    bool selected[2];

    assert_ok(fed_placement(&in, selected, ret_not_federated, &err), err);
    return (selected[0] ? (unsigned)C1 : 0u) | (selected[1] ? (unsigned)C2 : 0u);
}

static void check(const char *placement, unsigned expected)
{
    static const struct where cluster_scoped;
    bool not_federated;

    if (place(placement, &cluster_scoped, &not_federated) != expected)
        fail_msg("%s", placement);
    assert_false(not_federated);
}

static void own_placement(void **state)
{
    (void)state;
    check("{'clusters':[{'name':'cluster1'}],'clusterSelector':{}}", C1);
    check("{}", 0);
    check("{'clusters':[],'clusterSelector':{'matchLabels':{'foo':'bar'}}}", 0);
    check("{'clusterSelector':{}}", BOTH);
    check("{'clusterSelector':{'matchLabels':{}}}", BOTH);
    check("{'clusterSelector':{'matchLabels':{'foo':'bar'}}}", C2);
    check("{'clusters':null,'clusterSelector':{}}", BOTH);
    check("{'clusters':[{'name':'atlantis'},{'name':'cluster2'}]}", C2);
    check("{'clusterSelector':{'matchExpressions':[{'key':'foo','operator':'In','values':['bar','baz']}]}}", C2);
    check("{'clusterSelector':{'matchExpressions':[{'key':'foo','operator':'NotIn','values':['bar']}]}}", C1);
    check("{'clusterSelector':{'matchExpressions':[{'key':'foo','operator':'Exists'}]}}", C2);
    check("{'clusterSelector':{'matchExpressions':[{'key':'foo','operator':'DoesNotExist'}]}}", C1);
}

static void bounded_by_the_namespace(void **state)
{
    struct where w = { .namespaced = true, .fed_namespace = "{'clusters':[{'name':'cluster1'}]}" };
    bool not_federated;

    (void)state;
    assert_int_equal(place("{'clusterSelector':{}}", &w, &not_federated), C1);
    assert_int_equal(place("{'clusters':[{'name':'cluster2'}]}", &w, &not_federated), 0);
    assert_false(not_federated);
    w.fed_namespace = NULL;
    assert_int_equal(place("{'clusterSelector':{}}", &w, &not_federated), 0);
    assert_true(not_federated);
    w.limited = true;
    assert_int_equal(place("{'clusterSelector':{}}", &w, &not_federated), BOTH);
    assert_false(not_federated);
    w.fed_namespace = "{'clusters':[{'name':'cluster2'}]}";
    assert_int_equal(place("{'clusterSelector':{}}", &w, &not_federated), C2);
}

static void refused(const char *placement)
{
    struct fed_placement_cluster clusters[] = { { STR("cluster1"), NULL } };
    struct fed_placement_input in = { .object = JF("{'spec':{'placement':%s}}", placement),
                                      .clusters = clusters,
                                      .n_clusters = 1 };
    bool selected[1] = { true }, not_federated;
    struct error *err = NULL;

    if (fed_placement(&in, selected, &not_federated, &err) != -EINVAL)
        fail_msg("%s: is taken", placement);
    assert_false(selected[0]);
    error_free(err);
}

static void nonsense(void **state)
{
    (void)state;
    refused("5");
    refused("{'clusters':5}");
    refused("{'clusters':[5]}");
    refused("{'clusterSelector':[]}");
    refused("{'clusterSelector':{'matchLabels':{'foo':5}}}");
    refused("{'clusterSelector':{'matchLabels':{'-bad-':'x'}}}");
    refused("{'clusterSelector':{'matchExpressions':[{'key':'foo','operator':'Near'}]}}");
    refused("{'clusterSelector':{'matchExpressions':[{'key':'foo','operator':'In'}]}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(own_placement), cmocka_unit_test(bounded_by_the_namespace),
                                        cmocka_unit_test(nonsense) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
