/* Room in a cluster: requests, which nodes a template accepts, promises; and that together they never exceed a node. */
#include "fed/room.h"

#include "fed_test.h"

#define SEEDED_ROUNDS 300

static void set_node(struct fed_room *r, const char *name, const char *live)
{
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();

    fed_node_project(J(live), out);
    fed_room_set_node(r, str_of(name), keep(json_freeze(out)));
}

#define NODE(more, spec, allocatable)                                                                                  \
    "{'metadata':{'labels':{" more "}},'spec':{" spec "},'status':{'allocatable':{" allocatable                        \
    "},'conditions':[{'type':'Ready','status':'True'}]}}"

static int64_t fits(struct fed_room *r, const char *spec)
{
    struct fed_demand *d = fed_demand_new(r, J(spec));
    int64_t n = fed_room_fits(r, STR("ns/w"), d);

    fed_demand_free(d);
    return n;
}

static void requests(void **state)
{
    static const struct {
        const char *spec;
        int64_t cpu, memory;
    } cases[] = {
        { "{}", 0, 0 },
        { "{'containers':[{'resources':{'requests':{'cpu':'250m','memory':'1Mi'}}},{'resources':{'requests':{'cpu':1}}}]}",
          1250, 1048576 },
        { "{'containers':[{'resources':{'limits':{'cpu':'2','memory':'5'},'requests':{'cpu':'1'}}}]}", 1000, 5 },
        { "{'containers':[{'resources':{'requests':{'cpu':'1'}}}],"
          "'initContainers':[{'resources':{'requests':{'cpu':'3'}}},{'resources':{'requests':{'memory':'7'}}}]}",
          3000, 7 },
        { "{'containers':[{'resources':{'requests':{'cpu':'1'}}}],'initContainers':["
          "{'restartPolicy':'Always','resources':{'requests':{'cpu':'1'}}},{'resources':{'requests':{'cpu':'500m'}}}]}",
          2000, 0 },
        { "{'containers':[{'resources':{'requests':{'cpu':'1'}}}],'initContainers':["
          "{'restartPolicy':'Always','resources':{'requests':{'cpu':'1'}}},{'resources':{'requests':{'cpu':'5'}}}]}",
          6000, 0 },
        { "{'containers':[{'resources':{'requests':{'cpu':'1'}}}],'overhead':{'cpu':'100m','memory':'3'}}", 1100, 3 },
        { "{'containers':[{'resources':{'requests':{'cpu':'rubbish','memory':'-4'}}}]}", 0, 0 },
    };
    struct fed_room *r = fed_room_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fed_amounts a;

        fed_room_request(r, J(cases[i].spec), &a);
        assert_int_equal(a.v[FED_RESOURCE_CPU], cases[i].cpu);
        assert_int_equal(a.v[FED_RESOURCE_MEMORY], cases[i].memory);
        assert_int_equal(a.v[FED_RESOURCE_PODS], 1);
    }
    fed_room_free(r);
}

#define CPU1 "'containers':[{'resources':{'requests':{'cpu':'1'}}}]"

static void which_nodes_take_a_template(void **state)
{
    static const struct {
        const char *node, *spec;
        int64_t fits;
    } cases[] = {
        { NODE("", "", "'cpu':'4','pods':'10'"), "{" CPU1 "}", 4 },
        { NODE("", "", "'cpu':'4','pods':'3'"), "{" CPU1 "}", 3 },
        { NODE("", "", "'cpu':'4'"), "{" CPU1 "}", 0 },
        { NODE("", "'unschedulable':true", "'cpu':'4','pods':'10'"), "{" CPU1 "}", 0 },
        { "{'status':{'allocatable':{'cpu':'4','pods':'10'}}}", "{" CPU1 "}", 0 },
        { NODE("", "'taints':[{'key':'k','value':'v','effect':'NoSchedule'}]", "'cpu':'4','pods':'9'"), "{" CPU1 "}",
          0 },
        { NODE("", "'taints':[{'key':'k','value':'v','effect':'NoExecute'}]", "'cpu':'4','pods':'9'"), "{" CPU1 "}",
          0 },
        { NODE("", "'taints':[{'key':'k','value':'v','effect':'PreferNoSchedule'}]", "'cpu':'4','pods':'9'"),
          "{" CPU1 "}", 4 },
        { NODE("", "'taints':[{'key':'k','value':'v','effect':'NoSchedule'}]", "'cpu':'4','pods':'9'"),
          "{" CPU1 ",'tolerations':[{'key':'k','value':'v'}]}", 4 },
        { NODE("", "'taints':[{'key':'k','value':'v','effect':'NoSchedule'}]", "'cpu':'4','pods':'9'"),
          "{" CPU1 ",'tolerations':[{'key':'k','value':'x'}]}", 0 },
        { NODE("", "'taints':[{'key':'k','value':'v','effect':'NoSchedule'}]", "'cpu':'4','pods':'9'"),
          "{" CPU1 ",'tolerations':[{'key':'k','value':'v','effect':'NoExecute'}]}", 0 },
        { NODE("", "'taints':[{'key':'k','value':'v','effect':'NoSchedule'}]", "'cpu':'4','pods':'9'"),
          "{" CPU1 ",'tolerations':[{'operator':'Exists'}]}", 4 },
        { NODE("'z':'a'", "", "'cpu':'4','pods':'9'"), "{" CPU1 ",'nodeSelector':{'z':'a'}}", 4 },
        { NODE("'z':'b'", "", "'cpu':'4','pods':'9'"), "{" CPU1 ",'nodeSelector':{'z':'a'}}", 0 },
        { NODE("", "", "'cpu':'4','pods':'9','x.io/gpu':'2'"),
          "{'containers':[{'resources':{'limits':{'x.io/gpu':1}}}]}", 2 },
        { NODE("", "", "'cpu':'4','pods':'9'"), "{'containers':[{'resources':{'limits':{'x.io/gpu':1}}}]}", 0 },
        { NODE("", "", "'cpu':'99999999999999999999','memory':'-1','pods':'nonsense'"), "{" CPU1 "}", 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fed_room *r = fed_room_new();

        set_node(r, "n1", cases[i].node);
        if (fits(r, cases[i].spec) != cases[i].fits)
            fail_msg("case %zu: %lld fit, not %lld", i, (long long)fits(r, cases[i].spec), (long long)cases[i].fits);
        fed_room_free(r);
    }
}

static void node_affinity(void **state)
{
    static const struct {
        const char *terms;
        bool takes;
    } cases[] = {
        { "[{'matchExpressions':[{'key':'z','operator':'In','values':['a','b']}]}]", true },
        { "[{'matchExpressions':[{'key':'z','operator':'NotIn','values':['a']}]}]", false },
        { "[{'matchExpressions':[{'key':'y','operator':'NotIn','values':['a']}]}]", true },
        { "[{'matchExpressions':[{'key':'y','operator':'Exists'}]}]", false },
        { "[{'matchExpressions':[{'key':'y','operator':'DoesNotExist'}]}]", true },
        { "[{'matchExpressions':[{'key':'size','operator':'Gt','values':['4']}]}]", true },
        { "[{'matchExpressions':[{'key':'size','operator':'Lt','values':['4']}]}]", false },
        { "[{'matchExpressions':[{'key':'size','operator':'Near','values':['4']}]}]", false },
        { "[{'matchFields':[{'key':'metadata.name','operator':'In','values':['n1']}]}]", true },
        { "[{'matchFields':[{'key':'metadata.name','operator':'NotIn','values':['n1']}]}]", false },
        { "[{}]", false },
        { "[]", false },
        { "[{'matchExpressions':[{'key':'z','operator':'In','values':['x']}]},"
          "{'matchExpressions':[{'key':'z','operator':'Exists'}]}]",
          true },
        { "[{'matchExpressions':[{'key':'z','operator':'Exists'},{'key':'y','operator':'Exists'}]}]", false },
    };
    struct fed_room *r = fed_room_new();

    (void)state;
    set_node(r, "n1", NODE("'z':'a','size':'5'", "", "'cpu':'4','pods':'9'"));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char spec[1024];

        snprintf(spec, sizeof(spec),
                 "{" CPU1 ",'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':"
                 "{'nodeSelectorTerms':%s}}}}",
                 cases[i].terms);
        if ((fits(r, spec) > 0) != cases[i].takes)
            fail_msg("%s", cases[i].terms);
    }
    fed_room_free(r);
}

static void pods_and_promises_take_room(void **state)
{
    struct fed_room *r = fed_room_new();
    struct fed_demand *d = fed_demand_new(r, J("{" CPU1 "}"));
    struct fed_amounts request;

    (void)state;
    fed_room_request(r, J("{" CPU1 "}"), &request);
    fed_room_use(r, STR("n1"), &request, 1); /* seen before its node */
    set_node(r, "n1", NODE("", "", "'cpu':'4','pods':'10'"));
    set_node(r, "n2", NODE("", "", "'cpu':'1500m','pods':'10'"));
    assert_int_equal(fed_room_fits(r, STR("a/a"), d), 4);
    fed_room_promise(r, STR("a/a"), d, 3);
    assert_int_equal(fed_room_fits(r, STR("a/a"), d), 4);
    assert_int_equal(fed_room_fits(r, STR("a/b"), d), 1);
    fed_room_promise(r, STR("a/b"), d, 100);
    assert_int_equal(fed_room_fits(r, STR("a/c"), d), 0);
    fed_room_promise(r, STR("a/a"), d, 1);
    assert_int_equal(fed_room_fits(r, STR("a/c"), d), 2);
    fed_room_promise(r, STR("a/c"), d, 2);
    fed_room_use(r, STR("n1"), &request, 1);
    assert_int_equal(fed_room_fits(r, STR("a/d"), d), 0);
    fed_room_fulfil(r, STR("a/c"), STR("n1")); /* the pod of a promise takes nothing from others */
    fed_room_promise(r, STR("a/c"), d, 0);
    assert_int_equal(fed_room_fits(r, STR("a/d"), d), 1);
    fed_room_use(r, STR("n1"), &request, -1);
    fed_room_fulfil(r, STR("a/c"), STR("n1"));
    fed_room_promise(r, STR("a/a"), NULL, 0);
    fed_room_promise(r, STR("a/b"), NULL, 0);
    fed_room_use(r, STR("n1"), &request, -1);
    assert_int_equal(fed_room_fits(r, STR("a/c"), d), 5);
    fed_room_promise(r, STR("a/a"), d, 5);
    fed_room_remove_node(r, STR("n1"));
    assert_int_equal(fed_room_fits(r, STR("a/c"), d), 0);
    set_node(r, "n1", NODE("", "", "'cpu':'4','pods':'10'"));
    assert_int_equal(fed_room_fits(r, STR("a/c"), d), 4);
    fed_demand_free(d);
    fed_room_free(r);
}

static void the_status_sums_ready_nodes(void **state)
{
    struct fed_room *r = fed_room_new();
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    struct fed_amounts request;

    (void)state;
    set_node(r, "n1", NODE("", "", "'cpu':'3500m','memory':'2Gi','pods':'10','x.io/gpu':'2'"));
    set_node(r, "n2", NODE("", "'unschedulable':true", "'cpu':'8','memory':'2Gi','pods':'10'"));
    fed_room_request(r, J("{'containers':[{'resources':{'requests':{'cpu':'1','memory':'1Gi'}}}]}"), &request);
    fed_room_use(r, STR("n1"), &request, 1);
    assert_json_mut(fed_room_status(r, doc),
                    "{'nodes':2,'readyNodes':1,'allocatable':{'cpu':'3500m','memory':'2Gi','pods':'10','x.io/gpu':'2'},"
                    "'free':{'cpu':'2500m','memory':'1Gi','pods':'9','x.io/gpu':'2'}}");
    fed_room_free(r);
}

/* Whatever was added goes away again with its pod: a sum that has reached a limit would forget the others. */
static void what_comes_and_goes_leaves_nothing(void **state)
{
    static const char *const huge[] = { "9223372036854775807", "9223372036854775807", "99999999999999999999", "8Ei" };
    struct fed_room *r = fed_room_new();
    struct fed_amounts usual, requests[ARRAY_SIZE(huge)];

    (void)state;
    set_node(r, "n1", NODE("", "", "'cpu':'4','memory':'10Gi','pods':'10'"));
    fed_room_request(r, J("{'containers':[{'resources':{'requests':{'memory':'10Gi'}}}]}"), &usual);
    fed_room_use(r, STR("n1"), &usual, 1);
    for (size_t i = 0; i < ARRAY_SIZE(huge); i++) {
        fed_room_request(r,
                         JF("{'containers':[{'resources':{'requests':{'memory':'%s','cpu':'%s'}}}]}", huge[i], huge[i]),
                         &requests[i]);
        fed_room_use(r, STR("n1"), &requests[i], 1);
    }
    assert_int_equal(fits(r, "{" CPU1 "}"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(huge); i++)
        fed_room_use(r, STR("n1"), &requests[i], -1);
    assert_int_equal(fits(r, "{'containers':[{'resources':{'requests':{'memory':'1Gi'}}}]}"), 0);
    assert_int_equal(fits(r, "{" CPU1 "}"), 4);
    fed_room_use(r, STR("n1"), &usual, -1);
    assert_int_equal(fits(r, "{'containers':[{'resources':{'requests':{'memory':'1Gi'}}}]}"), 10);
    fed_room_free(r);
}

#define GPU1 "{'containers':[{'resources':{'limits':{'example.com/gpu':'1'}}}]}"
#define TWELVE(amount)                                                                                                 \
    "'j/1':'" amount "','j/2':'" amount "','j/3':'" amount "','j/4':'" amount "','j/5':'" amount "','j/6':'" amount    \
    "','j/7':'" amount "','j/8':'" amount "','j/9':'" amount "','j/10':'" amount "','j/11':'" amount                   \
    "','j/12':'" amount "'"

/* Only what nodes have takes one of the few places of resources. */
static void pods_and_zeros_take_no_places(void **state)
{
    struct fed_room *r = fed_room_new();
    struct fed_amounts junk;

    (void)state;
    fed_room_request(r, J("{'containers':[{'resources':{'requests':{" TWELVE("1") "}}}]}"), &junk);
    fed_room_use(r, STR("n1"), &junk, 1);
    set_node(r, "n0", NODE("", "", "'cpu':'4','pods':'10'," TWELVE("0")));
    set_node(r, "n1", NODE("", "", "'cpu':'4','pods':'10','example.com/gpu':'8'"));
    assert_int_equal(fits(r, GPU1), 8);
    fed_room_use(r, STR("n1"), &junk, -1);
    assert_int_equal(fits(r, GPU1), 8);
    fed_room_free(r);
}

static yyjson_val *pod_request(const char *spec)
{
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();

    fed_pod_project_request(J(spec), out);
    return keep(json_freeze(out));
}

static void use(struct fed_room *r, const char *node, yyjson_val *projection, int sign)
{
    struct fed_amounts request;

    fed_room_read_request(r, projection, &request);
    fed_room_use(r, str_of(node), &request, sign);
}

static void a_pod_keeps_what_it_asks_for_by_name(void **state)
{
    static const struct {
        const char *spec, *kept;
    } cases[] = {
        { "{}", "{'request':[0,0,1]}" },
        { "{'containers':[{'resources':{'requests':{'cpu':'1','memory':'1Ki','ephemeral-storage':'7','pods':'9'}}}]}",
          "{'request':[1000,1024,1,7]}" },
        { "{'containers':[{'resources':{'requests':{'x/y':'2','x/z':'0'}}},{'resources':{'limits':{'x/y':'1'}}}],"
          "'initContainers':[{'resources':{'requests':{'x/y':'2'}}}]}",
          "{'request':[0,0,1],'extended':{'x/y':3}}" },
        { "{'containers':[{'resources':{'requests':{'x/y':'1'}}}],'initContainers':["
          "{'restartPolicy':'Always','resources':{'requests':{'x/y':'1'}}},{'resources':{'requests':{'x/y':'5'}}}],"
          "'overhead':{'x/y':'1'}}",
          "{'request':[0,0,1],'extended':{'x/y':7}}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_json(pod_request(cases[i].spec), cases[i].kept);
}

/* Pods are often known before the nodes that have what they ask for. */
static void a_new_place_asks_for_the_pods_anew(void **state)
{
    struct fed_room *r = fed_room_new();
    yyjson_val *pod = pod_request("{'containers':[{'resources':{'limits':{'example.com/gpu':'3','cpu':'1'}}}]}");
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();
    yyjson_val *node;

    (void)state;
    use(r, "n1", pod, 1);
    use(r, "unknown", pod, 1);
    fed_node_project(J(NODE("", "", "'cpu':'4','pods':'10','example.com/gpu':'8'")), out);
    node = keep(json_freeze(out));
    assert_true(fed_room_set_node(r, STR("n1"), node));
    fed_room_forget_use(r);
    assert_int_equal(fits(r, "{" CPU1 "}"), 4);
    use(r, "n1", pod, 1);
    use(r, "unknown", pod, 1);
    assert_int_equal(fits(r, GPU1), 5);
    assert_int_equal(fits(r, "{" CPU1 "}"), 3);
    assert_false(fed_room_set_node(r, STR("n2"), node));
    fed_room_remove_node(r, STR("n2"));
    fed_room_remove_node(r, STR("n1"));
    assert_false(fed_room_set_node(r, STR("n1"), node));
    assert_int_equal(fits(r, GPU1), 5); /* its pods stayed */
    use(r, "n1", pod, -1);
    assert_int_equal(fits(r, GPU1), 8);
    use(r, "unknown", pod, -1);
    assert_false(fed_room_set_node(r, STR("unknown"), node));
    assert_int_equal(fits(r, GPU1), 16);
    fed_room_free(r);
}

/* Each node is held against each term: what is longer than any honest template is not looked at. */
static void long_templates_are_not_matched(void **state)
{
    static const char *const parts[][2] = {
        { "{'nodeSelector':{'z':'", "'}}" },
        { "{'tolerations':[{'key':'", "'}]}" },
        { "{'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':["
          "{'matchExpressions':[{'operator':'Exists','key':'",
          "'}]}]}}}}" },
        { "{'affinity':{'podAffinity':'", "'}}" },
        { "{'containers':['", "']}" },
    };
    char filling[FED_MATCHING_MAX];
    struct fed_room *r = fed_room_new();

    (void)state;
    memset(filling, 'a', sizeof(filling));
    filling[sizeof(filling) - 1] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        for (int is_long = 0; is_long < 2; is_long++) {
            _cleanup_free_ char *spec = mem_printf("%s%s%s", parts[i][0], is_long ? filling : filling + 1000,
                                                   parts[i][1]);
            struct fed_demand *d = fed_demand_new(r, J(spec));

            assert_int_equal(d == NULL, is_long && i < 3);
            fed_demand_free(d);
        }
    fed_room_free(r);
}

static void a_promise_that_shrinks_says_so(void **state)
{
    struct fed_room *r = fed_room_new();
    struct fed_demand *d = fed_demand_new(r, J("{" CPU1 "}")),
                      *more = fed_demand_new(r, J("{'containers':[{'resources':{'requests':{'cpu':'2'}}}]}"));

    (void)state;
    set_node(r, "n1", NODE("", "", "'cpu':'6','pods':'10'"));
    assert_false(fed_room_promise(r, STR("a/a"), NULL, 0));
    assert_false(fed_room_promise(r, STR("a/a"), d, 3));
    assert_false(fed_room_promise(r, STR("a/a"), d, 3));
    assert_false(fed_room_promise(r, STR("a/a"), d, 4));
    assert_true(fed_room_promise(r, STR("a/a"), d, 2));
    fed_room_fulfil(r, STR("a/a"), STR("n1")); /* a pod has it now */
    assert_false(fed_room_promise(r, STR("a/a"), d, 1));
    assert_true(fed_room_promise(r, STR("a/a"), NULL, 0));
    assert_false(fed_room_promise(r, STR("a/a"), d, 4));
    assert_true(fed_room_promise(r, STR("a/a"), more, 2)); /* as many CPUs, fewer pods */
    assert_false(fed_room_promise(r, STR("a/b"), d, 9));
    assert_true(fed_room_promise(r, STR("a/b"), d, 0));
    fed_demand_free(d);
    fed_demand_free(more);
    fed_room_free(r);
}

/* Everything that fits is promised, one workload after the other: no node is ever promised more than it has. What a node has left
 * is asked for with the smallest demand there is. */
static void promises_never_exceed_a_node(void **state)
{
    (void)state;
    unit_seed();
    for (int round = 0; round < SEEDED_ROUNDS; round++) {
        struct fed_room *r = fed_room_new();
        struct fed_demand *tiny = fed_demand_new(r, J("{'containers':[{'resources':{'requests':{'cpu':'1m'}}}]}"));
        int64_t total = 0, given = 0;
        unsigned nodes = 1 + (unsigned)rand_below(6);

        for (unsigned i = 0; i < nodes; i++) {
            char live[512], name[16];
            int64_t cpu = (int64_t)rand_below(4000);

            snprintf(name, sizeof(name), "n%u", i);
            snprintf(live, sizeof(live), NODE("", "", "'cpu':'%lldm','pods':'100000'"), (long long)cpu);
            set_node(r, name, live);
            total += cpu;
        }
        for (unsigned i = 0; i < 8; i++) {
            char spec[256], workload[16];
            int64_t cpu = 1 + (int64_t)rand_below(900), n;

            snprintf(workload, sizeof(workload), "ns/w%u", i);
            snprintf(spec, sizeof(spec), "{'containers':[{'resources':{'requests':{'cpu':'%lldm'}}}]}", (long long)cpu);
            struct fed_demand *d = fed_demand_new(r, J(spec));
            n = (int64_t)rand_below((uint64_t)fed_room_fits(r, str_of(workload), d) + 1);
            fed_room_promise(r, str_of(workload), d, n);
            given += n * cpu;
            assert_int_equal(fed_room_fits(r, STR("ns/other"), tiny), total - given);
            fed_demand_free(d);
        }
        fed_demand_free(tiny);
        fed_room_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(which_nodes_take_a_template),
        cmocka_unit_test(node_affinity),
        cmocka_unit_test(pods_and_promises_take_room),
        cmocka_unit_test(the_status_sums_ready_nodes),
        cmocka_unit_test(what_comes_and_goes_leaves_nothing),
        cmocka_unit_test(pods_and_zeros_take_no_places),
        cmocka_unit_test(a_pod_keeps_what_it_asks_for_by_name),
        cmocka_unit_test(a_new_place_asks_for_the_pods_anew),
        cmocka_unit_test(long_templates_are_not_matched),
        cmocka_unit_test(a_promise_that_shrinks_says_so),
        cmocka_unit_test(promises_never_exceed_a_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
