/* KubeFedConfig: defaults (api-and-cli.md 1.4, 4.5), rules (4.4) and their vectors (9.1). */
#include "fed/config.h"

#include "base/rtime.h"
#include "fed_test.h"

#define SECOND NSEC_PER_SEC

static struct fed_config *decode(const char *spec)
{
    _cleanup_error_ struct error *err = NULL;
    struct fed_config *c = NULL;

    assert_ok(fed_config_decode(JF("{'metadata':{'name':'kubefed'},'spec':%s}", spec), &c, &err), err);
    return c;
}

static void assert_same(const struct fed_config *a, const struct fed_config *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->resource_lock, b->resource_lock);
    assert_int_equal(a->namespaced, b->namespaced);
    assert_int_equal(a->available_delay_ns, b->available_delay_ns);
    assert_int_equal(a->unavailable_delay_ns, b->unavailable_delay_ns);
    assert_int_equal(a->cache_sync_timeout_ns, b->cache_sync_timeout_ns);
    assert_int_equal(a->lease_duration_ns, b->lease_duration_ns);
    assert_int_equal(a->renew_deadline_ns, b->renew_deadline_ns);
    assert_int_equal(a->retry_period_ns, b->retry_period_ns);
    assert_int_equal(a->push_reconciler, b->push_reconciler);
    assert_int_equal(a->scheduler_preferences, b->scheduler_preferences);
    assert_int_equal(a->raw_status_collection, b->raw_status_collection);
    assert_int_equal(a->health_period_ns, b->health_period_ns);
    assert_int_equal(a->health_timeout_ns, b->health_timeout_ns);
    assert_int_equal(a->failure_threshold, b->failure_threshold);
    assert_int_equal(a->success_threshold, b->success_threshold);
    assert_int_equal(a->adopt_resources, b->adopt_resources);
    assert_int_equal(a->sync_max_concurrent, b->sync_max_concurrent);
    assert_int_equal(a->status_max_concurrent, b->status_max_concurrent);
}

static char lock_name[] = "configmaps", config_name[] = "kubefed";
static const struct fed_config initial = { .name = config_name,
                                           .available_delay_ns = 20 * SECOND,
                                           .unavailable_delay_ns = 60 * SECOND,
                                           .cache_sync_timeout_ns = 300 * SECOND,
                                           .lease_duration_ns = 15 * SECOND,
                                           .renew_deadline_ns = 10 * SECOND,
                                           .retry_period_ns = 5 * SECOND,
                                           .resource_lock = lock_name,
                                           .push_reconciler = true,
                                           .scheduler_preferences = true,
                                           .health_period_ns = 10 * SECOND,
                                           .health_timeout_ns = 3 * SECOND,
                                           .failure_threshold = 3,
                                           .success_threshold = 1,
                                           .adopt_resources = true,
                                           .sync_max_concurrent = 1,
                                           .status_max_concurrent = 1 };

static void defaults(void **state)
{
    static const char *const specs[] = {
        "{'scope':'Cluster'}",
        "{'scope':'Cluster','controllerDuration':{},'leaderElect':{},'featureGates':[],'clusterHealthCheck':{},"
        "'syncController':{},'statusController':{}}",
        "{'scope':'Cluster','controllerDuration':null,'leaderElect':{'resourceLock':null},'featureGates':null,"
        "'clusterHealthCheck':{'period':null},'syncController':{'adoptResources':null}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        _cleanup_(fed_config_freep) struct fed_config *c = decode(specs[i]);

        assert_same(c, &initial);
    }
}

/* 9.1, "Default spec produced for {}"; what is written is what is read. */
static void default_object(void **state)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = fed_config_default_object("sys", "Cluster");
    _cleanup_(fed_config_freep) struct fed_config *c = NULL;
    _cleanup_error_ struct error *err = NULL;
    yyjson_val *object = keep(json_freeze(doc));

    (void)state;
    assert_json(object,
                "{'apiVersion':'core.kubefed.io/v1beta1','kind':'KubeFedConfig','metadata':{'name':'kubefed',"
                "'namespace':'sys'},'spec':{'scope':'Cluster','controllerDuration':{'availableDelay':'20s',"
                "'unavailableDelay':'1m0s','cacheSyncTimeout':'5m0s'},'leaderElect':{'leaseDuration':'15s',"
                "'renewDeadline':'10s','retryPeriod':'5s','resourceLock':'configmaps'},'featureGates':["
                "{'name':'PushReconciler','configuration':'Enabled'},"
                "{'name':'RawResourceStatusCollection','configuration':'Disabled'},"
                "{'name':'SchedulerPreferences','configuration':'Enabled'}],'clusterHealthCheck':{'period':'10s',"
                "'failureThreshold':3,'successThreshold':1,'timeout':'3s'},'syncController':"
                "{'maxConcurrentReconciles':1,'adoptResources':'Enabled'},'statusController':"
                "{'maxConcurrentReconciles':1}}}");
    assert_ok(fed_config_decode(object, &c, &err), err);
    assert_same(c, &initial);
}

/* 9.4: every value that a user set survives. */
static void given_values(void **state)
{
    static char endpoints[] = "endpoints";
    static const struct fed_config expected = { .name = config_name,
                                                .namespaced = true,
                                                .available_delay_ns = 1,
                                                .unavailable_delay_ns = 2 * SECOND,
                                                .cache_sync_timeout_ns = 90 * SECOND,
                                                .lease_duration_ns = 1500000000,
                                                .renew_deadline_ns = 13,
                                                .retry_period_ns = 10,
                                                .resource_lock = endpoints,
                                                .raw_status_collection = true,
                                                .health_period_ns = 3600 * SECOND,
                                                .health_timeout_ns = 4 * SECOND,
                                                .failure_threshold = 7,
                                                .success_threshold = 8,
                                                .sync_max_concurrent = 9,
                                                .status_max_concurrent = 10 };
    _cleanup_(fed_config_freep) struct fed_config *
        copy = NULL,
       *c = decode(
           "{'scope':'Namespaced','controllerDuration':{'availableDelay':'1ns','unavailableDelay':'2s',"
           "'cacheSyncTimeout':'1m30s'},'leaderElect':{'leaseDuration':'1.5s','renewDeadline':'13ns',"
           "'retryPeriod':'10ns','resourceLock':'endpoints'},'featureGates':["
           "{'name':'SchedulerPreferences','configuration':'Disabled'},{'name':'PushReconciler','configuration':'Disabled'},"
           "{'name':'RawResourceStatusCollection','configuration':'Enabled'}],'clusterHealthCheck':{'period':'1h',"
           "'failureThreshold':7,'successThreshold':8,'timeout':'4s'},'syncController':{'maxConcurrentReconciles':9,"
           "'adoptResources':'Disabled'},'statusController':{'maxConcurrentReconciles':10}}");

    (void)state;
    assert_same(c, &expected);
    copy = fed_config_copy(c);
    assert_same(copy, &expected);
    assert_ptr_not_equal(copy->name, c->name);
}

static void refused(const char *fields, const char *fragment)
{
    struct fed_config *c = NULL;
    struct error *err = NULL;

    assert_refused(fed_config_decode(JF("{'spec':{'scope':'Cluster'%s%s}}", fields[0] ? "," : "", fields), &c, &err),
                   err, fragment);
    assert_null(c);
}

/* Durations are shown as people write them; Go's field errors show nanoseconds or its own struct. */
static void violations(void **state)
{
    static const char *const rows[][2] = {
        { "'scope':'X'", "spec.scope: Unsupported value: \"X\": supported values: \"Cluster\", \"Namespaced\"" },
        { "'scope':''", "spec.scope: Required value" },
        { "'scope':null", "spec.scope: Required value" },
        { "'controllerDuration':{'availableDelay':'-5s'}",
          "spec.controllerDuration.availableDelay: Invalid value: -5s: should be greater than 0" },
        { "'controllerDuration':{'unavailableDelay':'0s'}",
          "spec.controllerDuration.unavailableDelay: Invalid value: 0s: should be greater than 0" },
        { "'controllerDuration':{'cacheSyncTimeout':5}", "spec.controllerDuration.cacheSyncTimeout: Invalid value" },
        { "'controllerDuration':{'cacheSyncTimeout':'5'}", "spec.controllerDuration.cacheSyncTimeout: Invalid value" },
        { "'controllerDuration':[]", "spec.controllerDuration: Invalid value: must be an object" },
        { "'leaderElect':{'leaseDuration':'10s'}",
          "spec.leaderElect.leaseDuration: Invalid value: 10s: leaseDuration must be greater than renewDeadline" },
        { "'leaderElect':{'retryPeriod':'9s'}",
          "spec.leaderElect.renewDeadline: Invalid value: 10s: renewDeadline must "
          "be greater than retryPeriod*JitterFactor(1.2)" },
        { "'leaderElect':{'retryPeriod':'10ns','renewDeadline':'12ns'}", "spec.leaderElect.renewDeadline" },
        { "'leaderElect':{'leaseDuration':'9223372036s','renewDeadline':'9223372035s','retryPeriod':'9223372035s'}",
          "spec.leaderElect.renewDeadline" },
        { "'leaderElect':{'resourceLock':'leases'}",
          "spec.leaderElect.resourceLock: Unsupported value: \"leases\": supported values: \"configmaps\", "
          "\"endpoints\"" },
        { "'leaderElect':{'resourceLock':''}", "spec.leaderElect.resourceLock: Required value" },
        { "'featureGates':[{'name':'X','configuration':'Enabled'}]",
          "spec.featureGates.name: Unsupported value: \"X\": supported values: \"PushReconciler\", "
          "\"RawResourceStatusCollection\", \"SchedulerPreferences\"" },
        { "'featureGates':[{'name':'PushReconciler','configuration':'On'}]",
          "spec.featureGates.configuration: Unsupported value: \"On\": supported values: \"Enabled\", \"Disabled\"" },
        { "'featureGates':[{'name':'PushReconciler'}]", "spec.featureGates.configuration: Required value" },
        { "'featureGates':[{'name':'PushReconciler','configuration':'Enabled'},{'name':'PushReconciler'}]",
          "spec.featureGates.name: Duplicate value: \"PushReconciler\"" },
        { "'featureGates':{}", "spec.featureGates: Invalid value" },
        { "'clusterHealthCheck':{'failureThreshold':0}",
          "spec.clusterHealthCheck.failureThreshold: Invalid value: 0: should be greater than 0" },
        { "'clusterHealthCheck':{'successThreshold':-1}",
          "spec.clusterHealthCheck.successThreshold: Invalid value: -1: should be greater than 0" },
        { "'clusterHealthCheck':{'failureThreshold':1.5}", "spec.clusterHealthCheck.failureThreshold: Invalid value" },
        { "'clusterHealthCheck':{'period':'0'}", "spec.clusterHealthCheck.period: Invalid value: 0s" },
        { "'syncController':{'maxConcurrentReconciles':0}",
          "spec.syncController.maxConcurrentReconciles: Invalid value: 0: should be greater than 0" },
        { "'syncController':{'adoptResources':'Yes'}",
          "spec.syncController.adoptResources: Unsupported value: \"Yes\": supported values: \"Enabled\", "
          "\"Disabled\"" },
        { "'statusController':{'maxConcurrentReconciles':'1'}",
          "spec.statusController.maxConcurrentReconciles: Invalid value" },
    };
    struct fed_config *c = NULL;
    struct error *err = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        refused(rows[i][0], rows[i][1]);
    assert_refused(fed_config_decode(J("{}"), &c, &err), err, "spec.scope: Required value");
    assert_refused(fed_config_decode(J("[]"), &c, &err), err, "must be an object");
    assert_refused(fed_config_decode(NULL, &c, &err), err, "must be an object");
}

/* All at once, in the order of 4.4. */
static void all_violations(void **state)
{
    struct fed_config *c = NULL;
    struct error *err = NULL;

    (void)state;
    assert_int_equal(fed_config_decode(J("{'spec':{'scope':'X','controllerDuration':{'availableDelay':'0s'},"
                                         "'leaderElect':{'leaseDuration':'9s','resourceLock':'x'},"
                                         "'statusController':{'maxConcurrentReconciles':0}}}"),
                                       &c, &err),
                     -EINVAL);
    assert_string_equal(
        err->msg,
        "[spec.scope: Unsupported value: \"X\": supported values: \"Cluster\", \"Namespaced\", "
        "spec.controllerDuration.availableDelay: Invalid value: 0s: should be greater than 0, "
        "spec.leaderElect.leaseDuration: Invalid value: 9s: leaseDuration must be greater than renewDeadline, "
        "spec.leaderElect.resourceLock: Unsupported value: \"x\": supported values: \"configmaps\", \"endpoints\", "
        "spec.statusController.maxConcurrentReconciles: Invalid value: 0: should be greater than 0]");
    error_free(err);
}

/* Not 0 of what is positive, and nothing overflows. */
static void milliseconds(void **state)
{
    static const int64_t rows[][2] = { { 1, 1 },       { 999999, 1 },          { 1000000, 1 },
                                       { 1000001, 2 }, { 20 * SECOND, 20000 }, { INT64_MAX, INT64_MAX / 1000000 + 1 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(fed_config_ms(rows[i][0]), rows[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),   cmocka_unit_test(default_object), cmocka_unit_test(given_values),
        cmocka_unit_test(violations), cmocka_unit_test(all_violations), cmocka_unit_test(milliseconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
