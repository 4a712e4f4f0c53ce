/* ReplicaSchedulingPreference: defaults, violations with their fields, shares. */
#include "fed/preference.h"

#include "fed_test.h"

static struct fed_preference *decode(const char *spec)
{
    struct fed_preference *p = NULL;
    _cleanup_error_ struct error *err = NULL;

    assert_ok(fed_preference_decode(JF("{'spec':%s}", spec), &p, &err), err);
    return p;
}

static void absent_fields_mean_what_they_meant(void **state)
{
    struct fed_preference *p = decode("{'targetKind':'FederatedDeployment','totalReplicas':9}");

    (void)state;
    assert_string_equal(p->target_kind, "FederatedDeployment");
    assert_int_equal(p->total, 9);
    assert_false(p->rebalance || p->intersect || p->has_failover);
    assert_int_equal(p->strategy, FED_BY_WEIGHTS);
    assert_int_equal(p->n_clusters, 1);
    assert_int_equal(fed_preference_for(p, STR("any"))->weight, 1);
    assert_int_equal(fed_preference_for(p, STR("any"))->max, -1);
    assert_int_equal(p->lost_after_s, -1);
    fed_preference_free(p);
}

static void own_entries_win(void **state)
{
    struct fed_preference *p = decode(
        "{'targetKind':'K','totalReplicas':1,'clusters':{'c':{'minReplicas':1,'maxReplicas':2},"
        "'*':{'weight':5},'a':{}},'strategy':'FreeResources','rebalanceTolerance':3,"
        "'failover':{'after':'1m30s','returnAfter':'500ms','maxMoved':'25%'}}");

    (void)state;
    assert_int_equal(fed_preference_for(p, STR("c"))->max, 2);
    assert_int_equal(fed_preference_for(p, STR("a"))->weight, 0);
    assert_int_equal(fed_preference_for(p, STR("b"))->weight, 5);
    assert_int_equal(p->strategy, FED_BY_FREE_RESOURCES);
    assert_int_equal(p->lost_after_s, 90);
    assert_int_equal(p->return_after_s, 1);
    assert_int_equal(fed_share_of(p->max_moved, 9), 3);
    assert_int_equal(fed_share_of(p->tolerance, 9), 3);
    fed_preference_free(p);
    p = decode("{'targetKind':'K','totalReplicas':1,'clusters':{'c':{'weight':1}}}");
    assert_null(fed_preference_for(p, STR("a")));
    fed_preference_free(p);
}

static void violations_name_the_field(void **state)
{
    static const char *const cases[][2] = {
        { "{}", "spec.targetKind: Required value" },
        { "{'targetKind':'K'}", "spec.totalReplicas: Required value" },
        { "{'targetKind':'K','totalReplicas':-1}", "spec.totalReplicas: Invalid value: -1: must not be negative" },
        { "{'targetKind':'K','totalReplicas':'3'}", "spec.totalReplicas: Invalid value: must be an integer" },
        { "{'targetKind':'K','totalReplicas':3000000000}", "spec.totalReplicas" },
        { "{'targetKind':5,'totalReplicas':1}", "spec.targetKind" },
        { "{'targetKind':'K','totalReplicas':1,'rebalance':'yes'}", "spec.rebalance" },
        { "{'targetKind':'K','totalReplicas':1,'clusters':[]}", "spec.clusters" },
        { "{'targetKind':'K','totalReplicas':1,'clusters':{'a':5}}", "spec.clusters[a]" },
        { "{'targetKind':'K','totalReplicas':1,'clusters':{'a':{'weight':-2}}}", "spec.clusters[a].weight" },
        { "{'targetKind':'K','totalReplicas':1,'clusters':{'a':{'minReplicas':-2}}}", "spec.clusters[a].minReplicas" },
        { "{'targetKind':'K','totalReplicas':1,'clusters':{'a':{'minReplicas':2,'maxReplicas':1}}}",
          "spec.clusters[a].maxReplicas: Invalid value: 1: must not be less than minReplicas, 2" },
        { "{'targetKind':'K','totalReplicas':1,'strategy':'Best'}", "spec.strategy" },
        { "{'targetKind':'K','totalReplicas':1,'rebalanceTolerance':'101%'}", "spec.rebalanceTolerance" },
        { "{'targetKind':'K','totalReplicas':1,'failover':5}", "spec.failover" },
        { "{'targetKind':'K','totalReplicas':1,'failover':{'after':5}}", "spec.failover.after" },
        { "{'targetKind':'K','totalReplicas':1,'failover':{'returnAfter':'-1s'}}", "spec.failover.returnAfter" },
        { "{'targetKind':'K','totalReplicas':1,'failover':{'maxMoved':0}}", "spec.failover.maxMoved" },
    };
    struct fed_preference *p = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;

        assert_refused(fed_preference_decode(JF("{'spec':%s}", cases[i][0]), &p, &err), err, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(absent_fields_mean_what_they_meant),
                                        cmocka_unit_test(own_entries_win),
                                        cmocka_unit_test(violations_name_the_field) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
