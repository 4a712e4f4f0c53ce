/* U-20, both ways: as KubeFed counts (ConsecutiveProbes=false) and with probes in a row. */
#include "fed/cluster.h"
#include "fed_test.h"

DEFINE_CLEANUP(struct fed_health *, fed_health_free)

#define START 1700000000 /* 2023-11-14T22:13:20Z */
#define PERIOD 10

/* One cluster, its probes and what its status shows. Every probe is reported (no heartbeat to wait for). */
struct scene {
    struct fed_health *health;
    struct fed_health_settings settings;
    yyjson_val *status; /* NULL: none yet */
    int64_t now;
};

static struct scene begin(bool by_age)
{
    return (struct scene){ .health = fed_health_new(),
                           .settings = { .failure_threshold = 3, .success_threshold = 1, .by_age_of_report = by_age },
                           .now = START };
}

static void probe(struct scene *s, enum fed_probe_kind kind)
{
    struct fed_health_probe p = { .kind = kind, .error = STR("refused"), .version = STR("v1.20.2"), .now = s->now };
    _cleanup_json_mut_ yyjson_mut_doc *status = NULL;

    assert_true(fed_health_report(s->health, &s->settings, &p, s->status, &status));
    s->status = keep(json_freeze(status));
    s->now += PERIOD;
}

static void check_time(yyjson_val *condition, const char *key, int64_t want)
{
    int64_t at;

    assert_int_equal(time_parse_rfc3339(json_path_str(condition, key), &at), 0);
    assert_int_equal(at, want);
}

/* What is shown: one condition of that type, True, changed in cycle `since`; probed just now. */
static void check(const struct scene *s, const char *type, int since)
{
    yyjson_val *list = json_get(s->status, "conditions"), *first = yyjson_arr_get_first(list);

    assert_int_equal(yyjson_arr_size(list), 1);
    assert_str(json_path_str(first, "type"), type);
    assert_str(json_path_str(first, "status"), "True");
    check_time(first, "lastProbeTime", s->now - PERIOD);
    check_time(first, "lastTransitionTime", START + since * PERIOD);
}

/* The first report is what was found. */
static void check_first(bool by_age, enum fed_probe_kind kind, const char *type)
{
    struct scene s = begin(by_age);

    probe(&s, kind);
    check(&s, type, 0);
    fed_health_free(s.health);
}

/* Not ready since cycle 0, then ready: successThreshold 1. */
static void check_recovery(bool by_age)
{
    struct scene s = begin(by_age);

    probe(&s, FED_PROBE_OFFLINE);
    probe(&s, FED_PROBE_OK);
    check(&s, "Ready", 1);
    fed_health_free(s.health);
}

static void u20(void **state)
{
    struct scene s = begin(true);

    (void)state;
    check_first(true, FED_PROBE_OK, "Ready");
    check_first(true, FED_PROBE_OFFLINE, "Offline");
    /* Ready, reported twice: one failure is put up with, and counts as the third cycle of the report. */
    probe(&s, FED_PROBE_OK);
    probe(&s, FED_PROBE_OK);
    probe(&s, FED_PROBE_OFFLINE);
    check(&s, "Ready", 0);
    /* Reported three times: the next failure is shown at once. */
    probe(&s, FED_PROBE_OFFLINE);
    check(&s, "Offline", 3);
    fed_health_free(s.health);
    /* The same without a failure before: this is what Q-11 is about. */
    s = begin(true);
    for (int i = 0; i < 3; i++)
        probe(&s, FED_PROBE_OK);
    probe(&s, FED_PROBE_OFFLINE);
    check(&s, "Offline", 3);
    fed_health_free(s.health);
    check_recovery(true);
}

static void u20_with_consecutive_probes(void **state)
{
    struct scene s = begin(false);

    (void)state;
    check_first(false, FED_PROBE_OK, "Ready");
    check_first(false, FED_PROBE_OFFLINE, "Offline");
    check_recovery(false);
    /* However long it was ready, the third failure in a row is shown, not the first and not the second. */
    for (int i = 0; i < 5; i++)
        probe(&s, FED_PROBE_OK);
    probe(&s, FED_PROBE_OFFLINE);
    check(&s, "Ready", 0);
    probe(&s, FED_PROBE_OFFLINE);
    check(&s, "Ready", 0);
    probe(&s, FED_PROBE_OFFLINE);
    check(&s, "Offline", 7);
    fed_health_free(s.health);
    /* A good probe in between starts the count anew. */
    s = begin(false);
    for (int i = 0; i < 4; i++) {
        probe(&s, FED_PROBE_OK);
        probe(&s, FED_PROBE_OFFLINE);
        probe(&s, FED_PROBE_OFFLINE);
        check(&s, "Ready", 0);
    }
    fed_health_free(s.health);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(u20), cmocka_unit_test(u20_with_consecutive_probes) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
