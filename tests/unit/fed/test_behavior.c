/* Switches of behaviour, and the time after which a deletion leaves members behind (docs/propagation.md). */
#include "fed/behavior.h"

#include "fed_test.h"

/* The table of docs/propagation.md: names and defaults. */
static const struct {
    const char *name;
    size_t offset;
    bool standard;
} switches[] = {
#define SWITCH(name, field, standard)                                                                                  \
    {                                                                                                                  \
        name, offsetof(struct fed_behavior, field), standard                                                           \
    }
    SWITCH("HTTPSByDefault", https_by_default, true),
    SWITCH("ConsecutiveProbes", consecutive_probes, true),
    SWITCH("DeleteOptionsOnPlacement", delete_options_on_placement, false),
    SWITCH("DeleteUnselectedClusters", delete_unselected_clusters, true),
    SWITCH("KeepHostNamespaceLabels", keep_host_namespace_labels, true),
    SWITCH("KeepOwnersAndStatus", keep_owners_and_status, true),
    SWITCH("JobsInBackground", jobs_in_background, true),
    SWITCH("RetainBoundFields", retain_bound_fields, true),
    SWITCH("YieldToAutoscalers", yield_to_autoscalers, true),
};

static bool value_of(const struct fed_behavior *b, size_t i)
{
    return *(const bool *)((const char *)b + switches[i].offset);
}

static void defaults(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
        if (value_of(&fed_behavior_default, i) != switches[i].standard)
            fail_msg("%s", switches[i].name);
    assert_true(fed_behavior_default.orphan_unreachable_after_s == FED_WAIT_FOR_EVER);
}

/* Each name sets its own field to either value, and no other. */
static void every_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
        for (int on = 0; on < 2; on++) {
            _cleanup_free_ char *text = mem_printf("%s=%s", switches[i].name, on ? "true" : "false");
            struct fed_behavior b = fed_behavior_default;
            _cleanup_error_ struct error *err = NULL;

            assert_ok(fed_behavior_parse(str_of(text), &b, &err), err);
            for (size_t k = 0; k < ARRAY_SIZE(switches); k++)
                if (value_of(&b, k) != (k == i ? on == 1 : switches[k].standard))
                    fail_msg("%s changes %s", text, switches[k].name);
            assert_true(b.orphan_unreachable_after_s == FED_WAIT_FOR_EVER);
        }
}

static void lists(void **state)
{
    struct fed_behavior b = fed_behavior_default;
    _cleanup_error_ struct error *err = NULL;

    (void)state;
    /* The example of the documentation. */
    assert_ok(fed_behavior_parse(STR("ConsecutiveProbes=false,YieldToAutoscalers=false"), &b, &err), err);
    assert_true(!b.consecutive_probes && !b.yield_to_autoscalers && b.jobs_in_background);
    /* A second flag adds to the first; spaces are allowed; the last word counts. */
    assert_ok(
        fed_behavior_parse(STR(" JobsInBackground = false , JobsInBackground= true,HTTPSByDefault =false "), &b, &err),
        err);
    assert_true(!b.consecutive_probes && !b.yield_to_autoscalers && b.jobs_in_background && !b.https_by_default);
}

/* The item is named, and what comes before it has no effect either. */
static void bad_items(void **state)
{
    static const char *const refused[][2] = {
        { "", "\"\"" },
        { ",", "\"\"" },
        { "JobsInBackground=false,", "\"\"" },
        { "JobsInBackground=false,,HTTPSByDefault=false", "\"\"" },
        { "JobsInBackground=false,HTTPSByDefault", "HTTPSByDefault" },
        { "JobsInBackground=false,HTTPSByDefault=", "HTTPSByDefault" },
        { "JobsInBackground=false,HTTPSByDefault=yes", "HTTPSByDefault" },
        { "JobsInBackground=false,HTTPSByDefault=True", "HTTPSByDefault" },
        { "JobsInBackground=false,HTTPSByDefault=1", "HTTPSByDefault" },
        { "JobsInBackground=false,HTTPSByDefault=true=true", "HTTPSByDefault" },
        { "JobsInBackground=false,httpsbydefault=true", "httpsbydefault" },
        { "JobsInBackground=false;HTTPSByDefault=false", "JobsInBackground" },
        { "JobsInBackground=false,=true", "\"\"" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct fed_behavior b = fed_behavior_default, before = b;
        struct error *err = NULL;

        assert_refused(fed_behavior_parse(str_of(refused[i][0]), &b, &err), err, refused[i][1]);
        for (size_t k = 0; k < ARRAY_SIZE(switches); k++)
            if (value_of(&b, k) != value_of(&before, k))
                fail_msg("\"%s\" changes %s", refused[i][0], switches[k].name);
    }
}

static void unknown_names_list_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
        struct fed_behavior b = fed_behavior_default;
        struct error *err = NULL;

        assert_refused(fed_behavior_parse(STR("Unheard=true"), &b, &err), err, switches[i].name);
    }
    struct fed_behavior b = fed_behavior_default;
    struct error *err = NULL;

    assert_refused(fed_behavior_parse(STR("Unheard=true"), &b, &err), err, "\"Unheard\"");
}

static void patience(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } taken[] = {
        { "never", FED_WAIT_FOR_EVER },
        { "0s", 0 },
        { "0", 0 },
        { "1ns", 1 },
        { "1ms", 1 },
        { "1s", 1 },
        { "1001ms", 2 },
        { "10m", 600 },
        { "1h30m", 5400 },
        { "1.5s", 2 },
        { "2562047h", 9223369200 }, /* the longest whole hours that Go knows */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
        _cleanup_error_ struct error *err = NULL;
        int64_t s = -7;

        assert_ok(fed_orphan_after_parse(str_of(taken[i].text), &s, &err), err);
        if (s != taken[i].seconds)
            fail_msg("%s: %lld", taken[i].text, (long long)s);
    }
}

static void bad_patience(void **state)
{
    static const char *const refused[] = { "",     "-1s", "-1ns",  "-1ms",   "10",       "10 m",
                                           "m",    "ten", "Never", "never ", "2562048h", "99999999999999999999s",
                                           "1.s.", "+",   "1d",    "{}" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct error *err = NULL;
        int64_t s = -7;

        if (fed_orphan_after_parse(str_of(refused[i]), &s, &err) != -EINVAL || !err || s != -7)
            fail_msg("\"%s\" was taken", refused[i]);
        error_free(err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),     cmocka_unit_test(every_name), cmocka_unit_test(lists),
        cmocka_unit_test(bad_items),    cmocka_unit_test(patience),   cmocka_unit_test(unknown_names_list_all),
        cmocka_unit_test(bad_patience),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
