/* Removals that were put off: the form they are kept in (docs/propagation.md, "A deletion that waits for a member"). */
#include "fed/removal.h"

#include "fed_test.h"

static yyjson_val *encoded(const struct fed_removal *r)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *list = yyjson_mut_arr(doc);

    fed_removal_encode(r, doc, list);
    assert_int_equal(yyjson_mut_arr_size(list), 1);
    return yyjson_arr_get_first(keep(json_freeze_val(list)));
}

static struct fed_removal *decoded(yyjson_val *item)
{
    _cleanup_error_ struct error *err = NULL;
    struct fed_removal *r = NULL;

    assert_ok(fed_removal_decode(item, &r, &err), err);
    return r;
}

#define WHOLE                                                                                                          \
    "{'type':'deployments.apps','key':'n/x','uid':'member-uid','clusterUID':'cluster-uid',"                            \
    "'deleteOptions':{'gracePeriodSeconds':5,'preconditions':{'resourceVersion':'7'}},'since':'2023-11-14T22:13:20Z'}"

static void every_member(void **state)
{
    _cleanup_(fed_removal_freep) struct fed_removal *r = decoded(J(WHOLE));

    (void)state;
    assert_string_equal(r->type, "deployments.apps");
    assert_string_equal(r->key, "n/x");
    assert_string_equal(r->uid, "member-uid");
    assert_string_equal(r->cluster_uid, "cluster-uid");
    assert_json(yyjson_doc_get_root(r->options), "{'gracePeriodSeconds':5,'preconditions':{'resourceVersion':'7'}}");
    assert_int_equal(r->since, 1700000000);
    assert_json(encoded(r), WHOLE);
}

/* Neither a uid that is not known nor options that nobody gave come back as something else. */
static void round_trip_of_little(void **state)
{
    struct fed_removal least = { .type = mem_strdup("configmaps"),
                                 .key = mem_strdup("x"),
                                 .uid = mem_strdup(""),
                                 .cluster_uid = mem_strdup("c"),
                                 .since = 1700000000 };
    _cleanup_(fed_removal_freep) struct fed_removal *again = decoded(encoded(&least));

    (void)state;
    assert_json(encoded(&least), "{'type':'configmaps','key':'x','clusterUID':'c','since':'2023-11-14T22:13:20Z'}");
    assert_string_equal(again->type, "configmaps");
    assert_string_equal(again->key, "x");
    assert_string_equal(again->uid, "");
    assert_string_equal(again->cluster_uid, "c");
    assert_null(again->options);
    assert_int_equal(again->since, 1700000000);
    free(least.type);
    free(least.key);
    free(least.uid);
    free(least.cluster_uid);
}

static void appended_in_order(void **state)
{
    _cleanup_(fed_removal_freep) struct fed_removal *a = decoded(J("{'type':'t','key':'a'}")),
                                                    *b = decoded(J("{'type':'t','key':'b'}"));
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *list = yyjson_mut_arr(doc);

    (void)state;
    fed_removal_encode(a, doc, list);
    fed_removal_encode(b, doc, list);
    assert_int_equal(yyjson_mut_arr_size(list), 2);
    assert_str(json_mut_str(json_mut_get(yyjson_mut_arr_get_first(list), "key")), "a");
    assert_str(json_mut_str(json_mut_get(yyjson_mut_arr_get_last(list), "key")), "b");
}

/* People can write into the ConfigMap: without type and key an entry means nothing, the rest has a default. */
static void odd_entries(void **state)
{
    static const char *const refused[] = { "{}",
                                           "[]",
                                           "7",
                                           "null",
                                           "'text'",
                                           "{'type':'t'}",
                                           "{'key':'k'}",
                                           "{'type':'','key':'k'}",
                                           "{'type':'t','key':''}",
                                           "{'type':7,'key':'k'}",
                                           "{'type':'t','key':['k']}" };
    static const char *const taken[] = { "{'type':'t','key':'k'}",
                                         "{'type':'t','key':'k','uid':7,'clusterUID':null,'since':'yesterday'}",
                                         "{'type':'t','key':'k','deleteOptions':'Orphan','since':7}",
                                         "{'type':'t','key':'k','deleteOptions':[1],'more':1}" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct fed_removal *r = NULL;
        struct error *err = NULL;

        if (fed_removal_decode(J(refused[i]), &r, &err) != -EINVAL || r)
            fail_msg("%s was taken", refused[i]);
        error_free(err);
    }
    assert_int_equal(fed_removal_decode(NULL, &(struct fed_removal *){ NULL }, NULL), -EINVAL);
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
        _cleanup_(fed_removal_freep) struct fed_removal *r = decoded(J(taken[i]));

        assert_string_equal(r->uid, "");
        assert_string_equal(r->cluster_uid, "");
        assert_null(r->options);
        assert_int_equal(r->since, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member),
        cmocka_unit_test(round_trip_of_little),
        cmocka_unit_test(appended_in_order),
        cmocka_unit_test(odd_entries),
    };

    fed_removal_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
