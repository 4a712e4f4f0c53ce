/* Pods as scheduling counts them: U-32, Q-39, those at their end, groups. */
#include "fed/pods.h"

#include "fed_test.h"

#define NOW 1700000000
#define LONG_AGO "2023-11-14T22:03:20Z" /* 10 minutes before */
#define JUST_NOW "2023-11-14T22:13:20Z"

#define RUNNING(status)                                                                                                \
    "{'spec':{'nodeName':'n'},'status':{'phase':'Running','conditions':[{'type':'Ready','status':'" status "'}]}}"
#define UNSCHEDULABLE(since)                                                                                           \
    "{'status':{'phase':'Pending','conditions':[{'type':'PodScheduled','status':'False','reason':'Unschedulable',"     \
    "'lastTransitionTime':'" since "'}]}}"
#define ENDING(pod) "{'metadata':{'deletionTimestamp':'" JUST_NOW "'}," pod
#define ENDING_RUNNING                                                                                                 \
    ENDING("'spec':{'nodeName':'n'},'status':{'phase':'Running','conditions':[{'type':'Ready','status':'True'}]}}")
#define ENDING_UNSCHEDULABLE                                                                                           \
    ENDING("'status':{'phase':'Pending','conditions':[{'type':'PodScheduled','status':'False',"                        \
           "'reason':'Unschedulable','lastTransitionTime':'" LONG_AGO "'}]}}")

static void change(struct fed_pod_group *g, const char *live, bool must_be_ready, bool added)
{
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();
    struct fed_pod pod;

    fed_pod_project(J(live), must_be_ready, out);
    fed_pod_read(keep(json_freeze(out)), &pod);
    if (added)
        fed_pod_group_add(g, &pod);
    else
        fed_pod_group_remove(g, &pod);
}

static struct fed_pod_counts count(const char *const *pods, size_t n, bool must_be_ready)
{
    struct fed_pod_group g = { 0 };
    struct fed_pod_counts counts = { 0 };

    for (size_t i = 0; i < n; i++)
        change(&g, pods[i], must_be_ready, true);
    fed_pod_group_count(&g, NOW, &counts);
    fed_pod_group_done(&g);
    return counts;
}

static void as_in_kubefed(void **state)
{
    static const char *const pods[] = { RUNNING("True"),         RUNNING("True"),         RUNNING("False"),
                                        UNSCHEDULABLE(LONG_AGO), UNSCHEDULABLE(LONG_AGO), UNSCHEDULABLE(JUST_NOW) };
    static const char *const pending[] = { "{'status':{'phase':'Pending'}}" };
    struct fed_pod_counts c = count(pods, ARRAY_SIZE(pods), false);

    (void)state;
    assert_int_equal(c.total, 6);
    assert_int_equal(c.running, 3);
    assert_int_equal(c.unschedulable, 2);
    assert_int_equal(c.waiting, 1);
    assert_int_equal(c.bound, 3);
    assert_int_equal(c.next_s, FED_UNSCHEDULABLE_S + 1);
    c = count(pending, 1, false);
    assert_int_equal(c.total, 1);
    assert_int_equal(c.running + c.unschedulable + c.waiting, 0);
}

static void only_ready_pods_run(void **state)
{
    static const char *const pods[] = { RUNNING("True"), RUNNING("False"), "{'status':{'phase':'Running'}}" };

    (void)state;
    assert_int_equal(count(pods, ARRAY_SIZE(pods), true).running, 1);
    assert_int_equal(count(pods, ARRAY_SIZE(pods), false).running, 2);
}

static void the_minute_is_exact(void **state)
{
    static const char *const pods[] = { UNSCHEDULABLE("2023-11-14T22:12:20Z"), UNSCHEDULABLE("2023-11-14T22:12:19Z"),
                                        UNSCHEDULABLE("rubbish") };
    struct fed_pod_counts c = count(pods, ARRAY_SIZE(pods), true);

    (void)state;
    assert_int_equal(c.unschedulable, 2);
    assert_int_equal(c.waiting, 1);
    assert_int_equal(c.next_s, 1);
}

static void a_group_forgets_what_leaves(void **state)
{
    struct fed_pod_group g = { 0 };
    struct fed_pod_counts c = { 0 };

    (void)state;
    change(&g, RUNNING("True"), true, true);
    change(&g, UNSCHEDULABLE(LONG_AGO), true, true);
    change(&g, UNSCHEDULABLE(JUST_NOW), true, true);
    change(&g, UNSCHEDULABLE(LONG_AGO), true, false);
    change(&g, RUNNING("True"), true, false);
    fed_pod_group_count(&g, NOW, &c);
    assert_int_equal(c.total, 1);
    assert_int_equal(c.running + c.bound + c.unschedulable, 0);
    assert_int_equal(c.waiting, 1);
    fed_pod_group_done(&g);
}

/* 10 replicas: 4 pods that go hide none of the 4 that found no room. They use their nodes until they are gone. */
static void pods_at_their_end_hide_nothing(void **state)
{
    const char *pods[14];
    struct fed_pod_counts c;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pods); i++)
        pods[i] = i < 6 ? RUNNING("True") : i < 10 ? UNSCHEDULABLE(LONG_AGO) : ENDING_RUNNING;
    c = count(pods, ARRAY_SIZE(pods), true);
    assert_int_equal(c.total, 10);
    assert_int_equal(c.unschedulable, 4);
    assert_int_equal(c.running, 10);
    assert_int_equal(c.bound, 10);
}

static void pods_at_their_end_need_no_room(void **state)
{
    static const char *const pods[] = { ENDING_UNSCHEDULABLE };
    struct fed_pod_counts c = count(pods, ARRAY_SIZE(pods), true);

    (void)state;
    assert_int_equal(c.total + c.running + c.bound + c.unschedulable + c.waiting, 0);
}

/* They leave as they came, and a group that has no other pods is not empty. */
static void pods_at_their_end_leave_a_group(void **state)
{
    static const char *const pods[] = { ENDING_RUNNING, ENDING_UNSCHEDULABLE, RUNNING("True"),
                                        UNSCHEDULABLE(LONG_AGO) };
    struct fed_pod_group g = { 0 };
    struct fed_pod_counts c = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pods); i++)
        change(&g, pods[i], true, true);
    assert_int_equal(g.total, 4);
    change(&g, RUNNING("True"), true, false);
    change(&g, UNSCHEDULABLE(LONG_AGO), true, false);
    assert_int_equal(g.total, 2);
    fed_pod_group_count(&g, NOW, &c);
    assert_int_equal(c.total + c.unschedulable, 0);
    assert_int_equal(c.running, 1);
    change(&g, ENDING_RUNNING, true, false);
    change(&g, ENDING_UNSCHEDULABLE, true, false);
    assert_int_equal(g.total + g.running + g.bound + (int64_t)g.n, 0);
    c = (struct fed_pod_counts){ 0 };
    fed_pod_group_count(&g, NOW, &c);
    assert_int_equal(c.total + c.running + c.bound + c.unschedulable + c.waiting, 0);
    fed_pod_group_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_in_kubefed),
        cmocka_unit_test(only_ready_pods_run),
        cmocka_unit_test(the_minute_is_exact),
        cmocka_unit_test(a_group_forgets_what_leaves),
        cmocka_unit_test(pods_at_their_end_hide_nothing),
        cmocka_unit_test(pods_at_their_end_need_no_room),
        cmocka_unit_test(pods_at_their_end_leave_a_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
