/* Health: conditions of each probe, thresholds (U-20 as restated by Q-11), Q-51, Q-53, what is written. */
#include "fed/cluster.h"

#include "fed/names.h"
#include "fed_test.h"
#include "json/patch.h"

#define NOW 1700000000 /* 2023-11-14T22:13:20Z */
#define T0 "2023-11-14T22:13:20Z"
#define T10 "2023-11-14T22:13:30Z"

static const struct fed_health_settings settings = { .failure_threshold = 3,
                                                     .success_threshold = 1,
                                                     .heartbeat_s = 60 };

#define OLD "2023-11-14T20:00:00Z"
#define READY_AT(probe, since)                                                                                         \
    "{'conditions':[{'type':'Ready','status':'True','lastProbeTime':'" probe "','lastTransitionTime':'" since          \
    "','reason':'ClusterReady','message':'/healthz responded with ok'}],'kubernetesVersion':'v1.20.2'}"
#define OFFLINE_AT(probe, since, why)                                                                                  \
    "{'conditions':[{'type':'Offline','status':'True','lastProbeTime':'" probe "','lastTransitionTime':'" since        \
    "','reason':'ClusterNotReachable','message':'cluster is not reachable: " why "'}]}"

DEFINE_CLEANUP(struct fed_health *, fed_health_free)

static yyjson_val *report(struct fed_health *h, enum fed_probe_kind kind, int64_t now, yyjson_val *stored)
{
    struct fed_health_probe probe = { .kind = kind, .error = STR("refused"), .version = STR("v1.20.2"), .now = now };
    _cleanup_json_mut_ yyjson_mut_doc *status = NULL;

    if (!fed_health_report(h, &settings, &probe, stored, &status))
        return NULL;
    return keep(json_freeze(status));
}

static void first_report(void **state)
{
    _cleanup_(fed_health_freep) struct fed_health *h = NULL;

    (void)state;
    h = fed_health_new();
    assert_json(report(h, FED_PROBE_OK, NOW, NULL), READY_AT(T0, T0));
    assert_json(report(h, FED_PROBE_OFFLINE, NOW, NULL), OFFLINE_AT(T0, T0, "refused"));
    assert_json(report(h, FED_PROBE_NOT_OK, NOW, J("{}")),
                "{'conditions':[{'type':'Ready','status':'False','lastProbeTime':'" T0 "','lastTransitionTime':'" T0
                "','reason':'ClusterNotReady','message':'/healthz responded without ok'},"
                "{'type':'Offline','status':'False','lastProbeTime':'" T0 "','lastTransitionTime':'" T0
                "','reason':'ClusterReachable','message':'cluster is reachable'}]}");
    assert_json(report(h, FED_PROBE_MALFORMED, NOW, NULL),
                "{'conditions':[{'type':'ConfigMalformed','status':'True','lastProbeTime':'" T0
                "','lastTransitionTime':'" T0 "','reason':'ClusterConfigMalformed',"
                "'message':'cluster\\u0027s configuration may be malformed'}]}");
}

/* Two failures are tolerated, the third in a row is reported; one success in between starts the count anew. */
static void failures(void **state)
{
    _cleanup_(fed_health_freep) struct fed_health *h = fed_health_new();
    yyjson_val *stored = J(READY_AT(T0, OLD));

    (void)state;
    assert_null(report(h, FED_PROBE_OFFLINE, NOW + 10, stored));
    assert_null(report(h, FED_PROBE_OFFLINE, NOW + 20, stored));
    assert_null(report(h, FED_PROBE_OK, NOW + 30, stored));
    assert_null(report(h, FED_PROBE_OFFLINE, NOW + 40, stored));
    assert_null(report(h, FED_PROBE_OFFLINE, NOW + 50, stored));
    assert_json(report(h, FED_PROBE_OFFLINE, NOW + 10, stored), OFFLINE_AT(T10, T10, "refused"));
    /* The write got lost: the next probe reports it again. */
    assert_non_null(report(h, FED_PROBE_OFFLINE, NOW + 10, stored));
}

/* A tolerated failure moves the probe time and keeps the rest, the version included. */
static void tolerated(void **state)
{
    _cleanup_(fed_health_freep) struct fed_health *h = fed_health_new();

    (void)state;
    assert_json(report(h, FED_PROBE_OFFLINE, NOW, J(READY_AT(OLD, OLD))), READY_AT(T0, OLD));
}

static void recovery(void **state)
{
    _cleanup_(fed_health_freep) struct fed_health *h = fed_health_new();

    (void)state;
    assert_json(report(h, FED_PROBE_OK, NOW + 10, J(OFFLINE_AT(T0, T0, "x"))), READY_AT(T10, T10));
}

/* The history is what the object shows, so a new process keeps lastTransitionTime. */
static void transition_time_survives(void **state)
{
    _cleanup_(fed_health_freep) struct fed_health *h = fed_health_new();

    (void)state;
    assert_json(report(h, FED_PROBE_OK, NOW, J(READY_AT(OLD, OLD))), READY_AT(T0, OLD));
    assert_json(report(h, FED_PROBE_OFFLINE, NOW, J(OFFLINE_AT(OLD, OLD, "x"))), OFFLINE_AT(T0, OLD, "refused"));
}

static void writes(void **state)
{
    _cleanup_(fed_health_freep) struct fed_health *h = fed_health_new();
    yyjson_val *stored = J(READY_AT(T0, OLD));
    struct fed_health_probe probe = { .kind = FED_PROBE_OK, .version = STR("v1.21.0"), .now = NOW + 10 };
    _cleanup_json_mut_ yyjson_mut_doc *status = NULL;

    (void)state;
    assert_null(report(h, FED_PROBE_OK, NOW + 59, stored));
    assert_non_null(report(h, FED_PROBE_OK, NOW + 60, stored));
    assert_non_null(report(h, FED_PROBE_OK, NOW - 61, stored)); /* the clock went back */
    assert_null(report(h, FED_PROBE_OFFLINE, NOW + 10, J(OFFLINE_AT(T0, OLD, "another text"))));
    assert_true(fed_health_report(h, &settings, &probe, stored, &status));
    probe.version = STR_NULL; /* not known now: what is stored stays */
    assert_false(fed_health_report(h, &settings, &probe, stored, &status));
    /* Another kind of not ready is news at once. */
    assert_non_null(report(h, FED_PROBE_NOT_OK, NOW + 10, J(OFFLINE_AT(T0, OLD, "x"))));
}

static void odd_history(void **state)
{
    static const char *const stored[] = {
        "{}", "[]", "{'conditions':1}", "{'conditions':[1,null,{'type':3}]}",
        "{'conditions':[{'type':'Ready','status':'True'},7],'kubernetesVersion':{}}"
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(stored); i++)
        for (int kind = FED_PROBE_OK; kind <= FED_PROBE_MALFORMED; kind++) {
            _cleanup_(fed_health_freep) struct fed_health *h = fed_health_new();

            assert_non_null(report(h, (enum fed_probe_kind)kind, NOW, J(stored[i])));
        }
}

static void patch(void **state)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(J(OFFLINE_AT(T0, OLD, "x")));
    _cleanup_buf_ struct buf b = BUF_INIT(65536);
    _cleanup_json_mut_ yyjson_mut_doc *object = json_mut_doc_of(
        J("{'status':{'conditions':[],'kubernetesVersion':'v1','zones':['z']}}"));

    (void)state;
    fed_status_patch(&b, doc);
    json_merge_apply(object, yyjson_mut_doc_get_root(object), text_val(buf_str(&b)));
    assert_json_mut(yyjson_mut_doc_get_root(object), "{'status':" OFFLINE_AT(T0, OLD, "x") "}");
}

/* --- thresholds as KubeFed counts them (U-20; Q-11 switched back) --- */

/* What the KubeFedCluster shows, written after each probe. */
struct history {
    struct fed_health *h;
    struct fed_health_settings settings;
    int64_t now;
    yyjson_val *stored; /* or NULL */
};

static struct history history_new(int64_t success_threshold)
{
    return (struct history){ .h = fed_health_new(),
                             .settings = { .failure_threshold = 3,
                                           .success_threshold = success_threshold,
                                           .by_age_of_report = true,
                                           .heartbeat_s = 1 },
                             .now = NOW };
}

/* Ten seconds later. Is the cluster reported ready? */
static bool probed(struct history *y, enum fed_probe_kind kind)
{
    struct fed_health_probe probe = { .kind = kind, .error = STR("refused"), .version = STR("v1.20.2") };
    _cleanup_json_mut_ yyjson_mut_doc *status = NULL;

    probe.now = y->now += 10;
    assert_true(fed_health_report(y->h, &y->settings, &probe, y->stored, &status));
    y->stored = keep(json_freeze(status));
    return str_eqc(json_path_str(yyjson_arr_get_first(json_get(y->stored, "conditions")), "type"), FED_CLUSTER_READY) &&
           str_eqc(json_path_str(yyjson_arr_get_first(json_get(y->stored, "conditions")), "status"), "True");
}

static const char *time_in(const struct history *y, const char *key, char out[static 21])
{
    struct str at = json_path_str(yyjson_arr_get_first(json_get(y->stored, "conditions")), key);

    snprintf(out, 21, "%" PRIstr, STRARG(at));
    return out;
}

/* No history: as is, run 1. */
static void u20_first_reports(void **state)
{
    struct history ready = history_new(1), offline = history_new(1);

    (void)state;
    assert_true(probed(&ready, FED_PROBE_OK));
    assert_false(probed(&offline, FED_PROBE_OFFLINE));
    fed_health_free(ready.h);
    fed_health_free(offline.h);
}

/* Stored ready, run 2, not ready: stays ready with new probe time and old transition time, run 3. */
static void u20_young_report(void **state)
{
    struct history y = history_new(1);
    char text[21];

    (void)state;
    assert_true(probed(&y, FED_PROBE_OK));      /* 22:13:30, run 1 */
    assert_true(probed(&y, FED_PROBE_OK));      /* 22:13:40, run 2 */
    assert_true(probed(&y, FED_PROBE_OFFLINE)); /* 22:13:50, run 3 */
    assert_string_equal(time_in(&y, "lastProbeTime", text), "2023-11-14T22:13:50Z");
    assert_string_equal(time_in(&y, "lastTransitionTime", text), "2023-11-14T22:13:30Z");
    assert_false(probed(&y, FED_PROBE_OFFLINE)); /* 22:14:00 */
    assert_string_equal(time_in(&y, "lastTransitionTime", text), "2023-11-14T22:14:00Z");
    fed_health_free(y.h);
}

/* Stored ready, run 3, not ready: not ready at once, run 1: a success must then wait for its threshold. */
static void u20_old_report(void **state)
{
    struct history y = history_new(2);

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(probed(&y, FED_PROBE_OK));
    assert_false(probed(&y, FED_PROBE_OFFLINE)); /* run 1 */
    assert_false(probed(&y, FED_PROBE_OK));      /* run 2 */
    assert_true(probed(&y, FED_PROBE_OK));
    fed_health_free(y.h);
}

/* Stored not ready, run 1, ready: ready with new transition time, run 1: two failures are tolerated from then on. */
static void u20_recovery(void **state)
{
    struct history y = history_new(1);
    char text[21];

    (void)state;
    assert_false(probed(&y, FED_PROBE_OFFLINE)); /* 22:13:30, run 1 */
    assert_true(probed(&y, FED_PROBE_OK));       /* 22:13:40, run 1 */
    assert_string_equal(time_in(&y, "lastTransitionTime", text), "2023-11-14T22:13:40Z");
    assert_string_equal(time_in(&y, "lastProbeTime", text), "2023-11-14T22:13:40Z");
    assert_true(probed(&y, FED_PROBE_OFFLINE)); /* run 2 */
    assert_true(probed(&y, FED_PROBE_OFFLINE)); /* run 3 */
    assert_false(probed(&y, FED_PROBE_OFFLINE));
    fed_health_free(y.h);
}

/* The age counts, not what the probes in between said: one failure after long health changes the report. */
static void age_not_row(void **state)
{
    struct history y = history_new(1), counted = history_new(1);

    (void)state;
    counted.settings.by_age_of_report = false;
    for (int i = 0; i < 10; i++) {
        assert_true(probed(&y, FED_PROBE_OK));
        assert_true(probed(&counted, FED_PROBE_OK));
    }
    assert_false(probed(&y, FED_PROBE_OFFLINE));
    assert_true(probed(&counted, FED_PROBE_OFFLINE));
    /* A tolerated failure does not start the age anew: 1, 2 (tolerated), 3, then the change. */
    fed_health_free(y.h);
    y = history_new(1);
    assert_true(probed(&y, FED_PROBE_OK));
    assert_true(probed(&y, FED_PROBE_OFFLINE));
    assert_true(probed(&y, FED_PROBE_OK));
    assert_false(probed(&y, FED_PROBE_OFFLINE));
    fed_health_free(y.h);
    fed_health_free(counted.h);
}

/* A new process knows no run: what it sees first is reported as is (4.3, "none after start"). */
static void age_after_restart(void **state)
{
    struct history y = history_new(1);

    (void)state;
    y.stored = J(READY_AT(T0, OLD));
    assert_false(probed(&y, FED_PROBE_OFFLINE));
    fed_health_free(y.h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_report),
        cmocka_unit_test(failures),
        cmocka_unit_test(tolerated),
        cmocka_unit_test(recovery),
        cmocka_unit_test(transition_time_survives),
        cmocka_unit_test(writes),
        cmocka_unit_test(odd_history),
        cmocka_unit_test(patch),
        cmocka_unit_test(u20_first_reports),
        cmocka_unit_test(u20_young_report),
        cmocka_unit_test(u20_old_report),
        cmocka_unit_test(u20_recovery),
        cmocka_unit_test(age_not_row),
        cmocka_unit_test(age_after_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
