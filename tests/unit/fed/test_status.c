/* Propagation status: U-60, U-61, section 6 of controllers.md, and that a status which was written is not written again. */
#include "fed/status.h"

#include "fed/names.h"
#include "fed_test.h"

#define NOW 1700000000 /* 2023-11-14T22:13:20Z */
#define T0 "2023-11-14T22:13:20Z"
#define OLD "2023-11-14T20:00:00Z"
#define TRUE_SINCE(update, transition)                                                                                 \
    "{'type':'Propagation','status':'True','lastUpdateTime':'" update "','lastTransitionTime':'" transition "'}"
#define FALSE_SINCE(reason, update, transition)                                                                        \
    "{'type':'Propagation','status':'False','reason':'" reason "','lastUpdateTime':'" update                           \
    "','lastTransitionTime':'" transition "'}"

#define MAX_CLUSTERS 4

/* `clusters` is [{name, status, remoteStatus}] as text. NULL: nothing is to be written. */
static yyjson_val *make(const char *previous, const char *clusters, struct fed_status_input in)
{
    struct fed_status_cluster list[MAX_CLUSTERS];
    _cleanup_json_mut_ yyjson_mut_doc *doc = NULL;
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(J(clusters), i, n, item)
    {
        assert_true(i < MAX_CLUSTERS);
        list[i] = (struct fed_status_cluster){ .name = json_path_str(item, "name"),
                                               .status = json_str(json_get(item, "status")).p,
                                               .remote = json_get(item, "remoteStatus") };
    }
    in.previous = previous ? J(previous) : NULL;
    in.clusters = list;
    in.n_clusters = yyjson_arr_size(J(clusters));
    in.now = NOW;
    return fed_status_make(&in, &doc) ? keep(json_freeze(doc)) : NULL;
}

#define IN(...) ((struct fed_status_input){ __VA_ARGS__ })

/* --- U-60 --- */

enum { ON = 1, OFF = 2, EITHER = 3 };
static const char nested[] = "{'a':{'b':[1,{'c':'d'}]},'n':5}", same[] = "{'n':5.0,'a':{'b':[1.0,{'c':'d'}]}}";
static const struct {
    int raw;
    const char *clusters, *stored, *remote; /* remote: of cluster1, put in for %s */
    const char *reason;
    bool updated, write;
    int64_t generation;
} u60_rows[] = {
    { EITHER, "[{'name':'cluster1','status':'ClusterNotReady','remoteStatus':{}}]", NULL, "", NULL, false, true, 0 },
    { EITHER, "[]", NULL, "", NULL, false, true, 0 },
    /* The original writes here: a kind without status was written again and again. */
    { ON, "[{'name':'cluster1'}]", NULL, "", NULL, false, false, 0 },
    { OFF, "[{'name':'cluster1'}]", NULL, "", NULL, false, false, 0 },
    { EITHER, "[{'name':'cluster1','remoteStatus':{}}]", NULL, "", NULL, false, true, 0 },
    { EITHER, "[{'name':'cluster1','remoteStatus':{}}]", NULL, "", NULL, true, true, 0 },
    { ON, "[{'name':'cluster1','remoteStatus':%s}]", nested, nested, NULL, false, false, 0 },
    /* U-61: numbers are compared by value. */
    { ON, "[{'name':'cluster1','remoteStatus':%s}]", nested, same, NULL, false, false, 0 },
    { EITHER, "[{'name':'cluster1'},{'name':'cluster2'}]", NULL, "", NULL, false, true, 0 },
    { EITHER, "[]", NULL, "", FED_REASON_NAMESPACE_NOT_FEDERATED, false, true, 0 },
    { EITHER, "[]", NULL, "", NULL, false, true, 1 },
};

static void u60(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(u60_rows); i++)
        for (int raw = ON; raw <= OFF; raw++) {
            char previous[512], clusters[512];
            yyjson_val *got;

            if (!(u60_rows[i].raw & raw))
                continue;
            snprintf(previous, sizeof(previous),
                     "{'clusters':[{'name':'cluster1'%s%s}],'conditions':[" TRUE_SINCE(OLD, OLD) "]}",
                     u60_rows[i].stored ? ",'remoteStatus':" : "", u60_rows[i].stored ? u60_rows[i].stored : "");
            const char *mark = strstr(u60_rows[i].clusters, "%s");
            if (mark)
                snprintf(clusters, sizeof(clusters), "%.*s%s%s", (int)(mark - u60_rows[i].clusters),
                         u60_rows[i].clusters, u60_rows[i].remote, mark + 2);
            else
                snprintf(clusters, sizeof(clusters), "%s", u60_rows[i].clusters);
            got = make(previous, clusters,
                       IN(.reason = u60_rows[i].reason, .updated = u60_rows[i].updated,
                          .generation = u60_rows[i].generation, .raw_status = raw == ON));
            if ((got != NULL) != u60_rows[i].write)
                fail_msg("row %zu, raw %s: %s", i, raw == ON ? "on" : "off", got ? "was written" : "was not written");
        }
}

/* --- what is written --- */

static void first_status(void **state)
{
    (void)state;
    /* Sorted by name; an entry that is well has no status. */
    assert_json(make(NULL, "[{'name':'c3'},{'name':'c1','remoteStatus':{'r':1}},{'name':'c2'}]", IN(.generation = 4)),
                "{'observedGeneration':4,'conditions':[" TRUE_SINCE(
                    T0, T0) "],'clusters':[{'name':'c1','remoteStatus':{'r':1}},{'name':'c2'},{'name':'c3'}]}");
    assert_json(make(NULL, "[]", IN(0)), "{'conditions':[" TRUE_SINCE(T0, T0) "]}");
    assert_json(make(NULL, "[{'name':'c1','status':'CreationFailed'}]", IN(0)),
                "{'conditions':[" FALSE_SINCE("CheckClusters", T0,
                                              T0) "],'clusters':[{'name':'c1','status':'CreationFailed'}]}");
}

/* 6.2: any entry that is not OK is CheckClusters; a reason that is given comes first. */
static void reasons(void **state)
{
    static const char *const given[] = { FED_REASON_NAMESPACE_NOT_FEDERATED, FED_REASON_COMPUTE_PLACEMENT_FAILED,
                                         FED_REASON_CLUSTER_RETRIEVAL_FAILED };
    yyjson_val *got;

    (void)state;
    got = make(NULL, "[{'name':'c1'},{'name':'c2','status':'WaitingForRemoval'}]", IN(0));
    assert_str(json_path_str(yyjson_arr_get_first(json_get(got, "conditions")), "reason"), "CheckClusters");
    for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
        got = make(NULL, "[{'name':'c1','status':'DeletionFailed'}]", IN(.reason = given[i]));
        assert_str(json_path_str(yyjson_arr_get_first(json_get(got, "conditions")), "reason"), given[i]);
        assert_str(json_path_str(yyjson_arr_get_first(json_get(got, "conditions")), "status"), "False");
    }
}

/* a cluster without status is only then a problem when objects of this type have one elsewhere. */
static void missing_remote_status(void **state)
{
    static const char clusters[] = "[{'name':'c1','remoteStatus':{'r':1}},{'name':'c2'}]";

    (void)state;
    assert_json(make(NULL, clusters, IN(.raw_status = true)),
                "{'conditions':[" FALSE_SINCE("CheckClusters", T0,
                                              T0) "],'clusters':[{'name':'c1','remoteStatus':{'r':1}},{'name':'c2'}]}");
    assert_json(make(NULL, "[{'name':'c1'},{'name':'c2','remoteStatus':null}]", IN(.raw_status = true)),
                "{'conditions':[" TRUE_SINCE(T0, T0) "],'clusters':[{'name':'c1'},{'name':'c2'}]}");
    assert_null(make("{'clusters':[{'name':'c1'}],'conditions':[" TRUE_SINCE(OLD, OLD) "]}", "[{'name':'c1'}]",
                     IN(.raw_status = true)));
}

/* Servers that merge a patch drop null members: with them, a status would differ for ever. */
static void nulls(void **state)
{
    static const char stored[] = "{'clusters':[{'name':'c1','remoteStatus':{'b':{'d':1}}}],'conditions':[" TRUE_SINCE(
        OLD, OLD) "]}";

    (void)state;
    assert_null(make(stored, "[{'name':'c1','remoteStatus':{'a':null,'b':{'c':null,'d':1}}}]", IN(.raw_status = true)));
}

static void remote_status_goes(void **state)
{
    static const char stored[] = "{'clusters':[{'name':'c1','remoteStatus':{}}],'conditions':[" TRUE_SINCE(OLD,
                                                                                                           OLD) "]}";

    (void)state;
    assert_json(make(stored, "[{'name':'c1'}]", IN(.raw_status = true)),
                "{'conditions':[" TRUE_SINCE(T0, OLD) "],'clusters':[{'name':'c1'}]}");
    /* Nothing was collected: that says nothing about it. */
    assert_null(make(stored, "[{'name':'c1'}]", IN(0)));
}

/* --- changes --- */

#define STORED                                                                                                         \
    "{'observedGeneration':2,'clusters':[{'name':'c1'},{'name':'c2'}],'conditions':[" TRUE_SINCE(OLD, OLD) "]}"

static void nothing_new(void **state)
{
    (void)state;
    assert_null(make(STORED, "[{'name':'c1'},{'name':'c2'}]", IN(.generation = 2)));
    assert_null(make(STORED, "[{'name':'c2'},{'name':'c1'}]", IN(.generation = 2)));
    /* Without remote statuses an update alone is no news. */
    assert_null(make(STORED, "[{'name':'c1'},{'name':'c2'}]", IN(.generation = 2, .updated = true)));
}

/* Each kind of change, and which of the two times it moves. */
static void times(void **state)
{
    (void)state;
    assert_json(
        make(STORED, "[{'name':'c1'},{'name':'c2'}]", IN(.generation = 3)),
        "{'observedGeneration':3,'conditions':[" TRUE_SINCE(OLD, OLD) "],'clusters':[{'name':'c1'},{'name':'c2'}]}");
    assert_json(make(STORED, "[{'name':'c1'}]", IN(.generation = 2)),
                "{'observedGeneration':2,'conditions':[" TRUE_SINCE(T0, OLD) "],'clusters':[{'name':'c1'}]}");
    /* as many clusters, but others. */
    assert_json(
        make(STORED, "[{'name':'c1'},{'name':'c3'}]", IN(.generation = 2)),
        "{'observedGeneration':2,'conditions':[" TRUE_SINCE(T0, OLD) "],'clusters':[{'name':'c1'},{'name':'c3'}]}");
    assert_json(make(STORED, "[{'name':'c1'},{'name':'c2','status':'UpdateFailed'}]", IN(.generation = 2)),
                "{'observedGeneration':2,'conditions':[" FALSE_SINCE(
                    "CheckClusters", T0, T0) "],'clusters':[{'name':'c1'},{'name':'c2','status':'UpdateFailed'}]}");
    assert_json(make(STORED, "[]", IN(.generation = 2, .reason = FED_REASON_COMPUTE_PLACEMENT_FAILED)),
                "{'observedGeneration':2,'conditions':[" FALSE_SINCE("ComputePlacementFailed", T0, T0) "]}");
    /* An update with remote statuses is news, though nothing in the list changes. */
    assert_json(make("{'clusters':[{'name':'c1','remoteStatus':{}}],'conditions':[" TRUE_SINCE(OLD, OLD) "]}",
                     "[{'name':'c1','remoteStatus':{}}]", IN(.updated = true, .raw_status = true)),
                "{'conditions':[" TRUE_SINCE(T0, OLD) "],'clusters':[{'name':'c1','remoteStatus':{}}]}");
    /* One reason after another is a transition too; with success the reason goes. */
    assert_json(make("{'conditions':[" FALSE_SINCE("NamespaceNotFederated", OLD, OLD) "]}", "[]", IN(0)),
                "{'conditions':[" TRUE_SINCE(T0, T0) "]}");
    assert_json(make("{'conditions':[" FALSE_SINCE("NamespaceNotFederated", OLD, OLD) "]}", "[]",
                     IN(.reason = FED_REASON_COMPUTE_PLACEMENT_FAILED)),
                "{'conditions':[" FALSE_SINCE("ComputePlacementFailed", T0, T0) "]}");
}

static void other_conditions_stay(void **state)
{
    (void)state;
    assert_json(make("{'conditions':[{'type':'Theirs','status':'x'}," FALSE_SINCE("CheckClusters", OLD, OLD) ",7]}",
                     "[]", IN(0)),
                "{'conditions':[{'type':'Theirs','status':'x'}," TRUE_SINCE(T0, T0) "]}");
}

/* 6.3, last column. */
static void recoverable(void **state)
{
    static const char *const yes[] = { "CreationFailed",      "UpdateFailed",    "DeletionFailed",
                                       "LabelRemovalFailed",  "RetrievalFailed", "ClientRetrievalFailed",
                                       "CreationTimedOut",    "UpdateTimedOut",  "DeletionTimedOut",
                                       "LabelRemovalTimedOut" };
    static const char *const no[] = { "",
                                      "WaitingForRemoval",
                                      "ClusterNotReady",
                                      "CachedRetrievalFailed",
                                      "ComputeResourceFailed",
                                      "ApplyOverridesFailed",
                                      "AlreadyExists",
                                      "FieldRetentionFailed",
                                      "VersionRetrievalFailed",
                                      "ManagedLabelFalse" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        assert_true(fed_status_is_recoverable(yes[i]));
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        assert_false(fed_status_is_recoverable(no[i]));
    assert_false(fed_status_is_recoverable(NULL));
}

/* --- whatever is found, its status is written once --- */

static void written_once(void **state)
{
    static const char *const odd[] = { "{}",
                                       "[]",
                                       "{'clusters':7,'conditions':'x'}",
                                       "{'clusters':[7,null,{'name':5}],'conditions':[7,{'type':'Propagation'}]}",
                                       "{'clusters':[{'name':'c1'},{'name':'c1'}],'observedGeneration':'x'}",
                                       "{'conditions':[{'type':'Propagation'},{'type':'Propagation'}]}",
                                       "{'conditions':[{'type':'Contested'},{'type':'Contested','reason':'x'}]}" };
    static const char *const entries[] = { "", ",'status':'CreationFailed'", ",'remoteStatus':{}",
                                           ",'remoteStatus':{'a':null,'b':[1.5,{'c':null}]}",
                                           ",'status':'WaitingForRemoval','remoteStatus':[1,2]" };
    static const char *const reasons_given[] = { NULL, "", FED_REASON_NAMESPACE_NOT_FEDERATED };
    static const char *const contests[] = { NULL, NULL, "c1: spec.a", "c2: spec.b" };
    const char *previous = NULL;
    char text[1024];

    (void)state;
    unit_seed();
    for (int step = 0; step < 2000; step++) {
        _cleanup_buf_ struct buf list = BUF_INIT(1024);
        struct fed_status_input in = { .generation = (int64_t)rand_below(3),
                                       .reason = reasons_given[rand_below(ARRAY_SIZE(reasons_given))],
                                       .contested = contests[rand_below(ARRAY_SIZE(contests))],
                                       .raw_status = rand_below(2) == 0 };

        if (rand_below(4) == 0)
            previous = odd[rand_below(ARRAY_SIZE(odd))];
        for (unsigned i = 1; i <= MAX_CLUSTERS; i++)
            if (rand_below(2) == 0)
                buf_printf(&list, "%s{'name':'c%u'%s}", list.n ? "," : "", i, entries[rand_below(ARRAY_SIZE(entries))]);
        _cleanup_free_ char *clusters = mem_printf("[%s]", list.p ? list.p : "");
        yyjson_val *got = make(previous, clusters, in);

        if (!got)
            continue;
        _cleanup_buf_ struct buf stored = BUF_INIT(1024);
        assert_int_equal(json_write(&stored, got), 0);
        snprintf(text, sizeof(text), "%s", stored.p);
        previous = text;
        if (make(previous, clusters, in))
            fail_msg("step %d: %s is written over %s", step, clusters, text);
    }
}

/* --- contests (docs/propagation.md, "Fights") --- */

#define TEXT "member1: spec.replicas (manager \"kubectl\")"
#define TEXT_JSON "member1: spec.replicas (manager \\\"kubectl\\\")"
#define CONTESTED(text, update, transition)                                                                            \
    "{'type':'Contested','status':'True','reason':'" text "','lastUpdateTime':'" update                                \
    "','lastTransitionTime':'" transition "'}"
#define PLAIN "[{'name':'c1'}]"
#define WITH_CLUSTER(conditions) "{'clusters':" PLAIN ",'conditions':[" conditions "]}"

/* Comes, is kept, says something else, goes; Propagation is not concerned. */
static void contested(void **state)
{
    (void)state;
    assert_json(make(NULL, "[]", IN(.contested = TEXT)),
                "{'conditions':[" TRUE_SINCE(T0, T0) "," CONTESTED(TEXT_JSON, T0, T0) "]}");
    assert_json(make(WITH_CLUSTER(TRUE_SINCE(OLD, OLD)), PLAIN, IN(.contested = TEXT)),
                "{'conditions':[" TRUE_SINCE(OLD, OLD) "," CONTESTED(TEXT_JSON, T0, T0) "],'clusters':" PLAIN "}");
    assert_null(
        make(WITH_CLUSTER(TRUE_SINCE(OLD, OLD) "," CONTESTED(TEXT_JSON, OLD, OLD)), PLAIN, IN(.contested = TEXT)));
    assert_json(
        make(WITH_CLUSTER(TRUE_SINCE(OLD, OLD) "," CONTESTED("c2: data.k", OLD, OLD)), PLAIN, IN(.contested = TEXT)),
        "{'conditions':[" TRUE_SINCE(OLD, OLD) "," CONTESTED(TEXT_JSON, T0, OLD) "],'clusters':" PLAIN "}");
    assert_json(make(WITH_CLUSTER(TRUE_SINCE(OLD, OLD) "," CONTESTED(TEXT_JSON, OLD, OLD)), PLAIN, IN(0)),
                "{'conditions':[" TRUE_SINCE(OLD, OLD) "],'clusters':" PLAIN "}");
}

/* What changes Propagation leaves the times of the contest alone. */
static void contested_and_failing(void **state)
{
    static const char failing[] = "[{'name':'c1','status':'UpdateFailed'}]";

    (void)state;
    assert_json(
        make(WITH_CLUSTER(CONTESTED(TEXT_JSON, OLD, OLD) "," TRUE_SINCE(OLD, OLD)), failing, IN(.contested = TEXT)),
        "{'conditions':[" FALSE_SINCE("CheckClusters", T0, T0) "," CONTESTED(
            TEXT_JSON, OLD, OLD) "],'clusters':[{'name':'c1','status':'UpdateFailed'}]}");
    /* A contest alone is no failure of the propagation. */
    assert_json(make("{'conditions':[" FALSE_SINCE("CheckClusters", OLD, OLD) "," CONTESTED(TEXT_JSON, OLD, OLD) "]}",
                     "[]", IN(.contested = TEXT)),
                "{'conditions':[" TRUE_SINCE(T0, T0) "," CONTESTED(TEXT_JSON, OLD, OLD) "]}");
}

/* Conditions of others stay, ours are there once. */
static void odd_contests(void **state)
{
    static const char *const odd[] = {
        "{'type':'Contested'}",
        "{'type':'Contested','reason':7}",
        "{'type':'Contested','reason':'x'},{'type':'Contested','reason':'y'}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        _cleanup_free_ char *previous = mem_printf("{'conditions':[{'type':'Theirs'},%s," TRUE_SINCE(OLD, OLD) "]}",
                                                   odd[i]);
        yyjson_val *got = make(previous, "[]", IN(.contested = TEXT));
        size_t n = 0, k, max;
        yyjson_val *item;

        yyjson_arr_foreach(json_get(got, "conditions"), k, max, item)
        {
            n += str_eqc(json_path_str(item, "type"), "Contested");
        }
        assert_int_equal(n, 1);
        assert_int_equal(yyjson_arr_size(json_get(got, "conditions")), 3);
        got = make(previous, "[]", IN(0));
        assert_json(got, "{'conditions':[{'type':'Theirs'}," TRUE_SINCE(OLD, OLD) "]}");
    }
    assert_false(
        fed_status_shows_propagation(J("{'status':{'conditions':[{'type':'Contested','status':'True'}]}}"), "True"));
    assert_true(fed_status_shows_propagation(
        J("{'status':{'conditions':[{'type':'Contested','status':'True'},{'type':'Propagation','status':'False'}]}}"),
        "False"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(u60),
        cmocka_unit_test(first_status),
        cmocka_unit_test(reasons),
        cmocka_unit_test(missing_remote_status),
        cmocka_unit_test(nulls),
        cmocka_unit_test(remote_status_goes),
        cmocka_unit_test(nothing_new),
        cmocka_unit_test(times),
        cmocka_unit_test(other_conditions_stay),
        cmocka_unit_test(recoverable),
        cmocka_unit_test(written_once),
        cmocka_unit_test(contested),
        cmocka_unit_test(contested_and_failing),
        cmocka_unit_test(odd_contests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
