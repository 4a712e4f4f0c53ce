/* Shares as federated object and preference show them: controllers.md 8.6, U-40, Q-41; status, limits, shares before a loss. */
#include "fed/schedule_write.h"

#include "base/rtime.h"
#include "fed_test.h"
#include "json/patch.h"

#define NOW 1700000000

struct scene {
    struct fed_schedule_cluster clusters[4];
    struct fed_schedule *s;
    struct fed_schedule_input in;
};

/* "c1=3 c2=0 c3-": placed with a number, or not placed. */
static struct scene scene_of(const char *text)
{
    struct scene x = { .s = mem_zalloc(sizeof(*x.s) + 4 * sizeof(x.s->shares[0])) };
    struct str rest = str_of(text), word;

    for (bool more = true; more && rest.n; x.s->n++) {
        more = str_cut(rest, ' ', &word, &rest);
        x.clusters[x.s->n].name = str_n(word.p, 2);
        x.s->shares[x.s->n].placed = word.p[2] == '=';
        if (word.p[2] == '=')
            (void)str_to_i64(str_n(word.p + 3, word.n - 3), &x.s->shares[x.s->n].replicas);
    }
    x.in.n = x.s->n;
    return x;
}

static yyjson_val *patched(yyjson_val *object, struct str steps)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(object);
    _cleanup_json_ yyjson_doc *patch = NULL;
    yyjson_val *step;
    size_t i, n;

    assert_int_equal(json_parse(steps, &patch, NULL), 0);
    yyjson_arr_foreach(yyjson_doc_get_root(patch), i, n, step)
    {
        struct json_patch_op op = { .op = json_path_str(step, "op"),
                                    .path = json_path_str(step, "path"),
                                    .value = json_get(step, "value"),
                                    .has_value = true };
        _cleanup_error_ struct error *err = NULL;

        assert_ok(json_patch_apply(doc, &op, &err), err);
    }
    return keep(json_freeze(doc));
}

/* The object after the patch; NULL: there is nothing to do. Whatever is written is not written again. */
static yyjson_val *write(const char *object, const char *shares)
{
    struct scene x = scene_of(shares);
    _cleanup_buf_ struct buf out = BUF_INIT(BUF_MAX_DEFAULT), again = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_error_ struct error *err = NULL;
    yyjson_val *result = NULL;

    x.in.clusters = x.clusters;
    if (fed_schedule_patch(&out, J(object), STR("/spec/replicas"), &x.in, x.s, &err) > 0) {
        result = patched(J(object), buf_str(&out));
        assert_int_equal(fed_schedule_patch(&again, result, STR("/spec/replicas"), &x.in, x.s, &err), 0);
    }
    assert_null(err);
    free(x.s);
    return result;
}

static void overrides_of_others_stay(void **state)
{
    (void)state;
    /* U-40: a cluster that gets nothing keeps its other override; a number changes alone; 0 is written. */
    assert_json(
        write("{'spec':{'placement':{'clusters':[{'name':'c1'}]},'overrides':[{'clusterName':'c1','clusterOverrides':["
              "{'path':'/spec/replicas','value':3},{'path':'/ultimate/answer','value':42}]}]}}",
              "c1-"),
        "{'spec':{'placement':{'clusters':[]},'overrides':[{'clusterName':'c1','clusterOverrides':["
        "{'path':'/ultimate/answer','value':42}]}]}}");
    assert_json(
        write("{'spec':{'placement':{'clusters':[{'name':'c1'}]},'overrides':[{'clusterName':'c1','clusterOverrides':["
              "{'path':'/a','value':null,'op':'add'},{'op':'replace','path':'/spec/replicas','value':0}]}]}}",
              "c1=5"),
        "{'spec':{'placement':{'clusters':[{'name':'c1'}]},'overrides':[{'clusterName':'c1','clusterOverrides':["
        "{'path':'/a','value':null,'op':'add'},{'op':'replace','path':'/spec/replicas','value':5}]}]}}");
    assert_json(
        write("{'spec':{'placement':{'clusters':[{'name':'c1'}]}}}", "c1=0"),
        "{'spec':{'placement':{'clusters':[{'name':'c1'}]},'overrides':[{'clusterName':'c1','clusterOverrides':["
        "{'path':'/spec/replicas','value':0}]}]}}");
}

static void the_order_of_overrides_stays(void **state)
{
    (void)state;
    assert_json(
        write("{'spec':{'placement':{'clusterSelector':{}},'overrides':[{'clusterName':'c3'},{'clusterName':'x',"
              "'clusterOverrides':[{'path':'/b'}]},{'clusterName':'c1','clusterOverrides':[]}]}}",
              "c1=1 c2=2 c3=3"),
        "{'spec':{'placement':{'clusterSelector':{},'clusters':[{'name':'c1'},{'name':'c2'},{'name':'c3'}]},"
        "'overrides':[{'clusterName':'c3','clusterOverrides':[{'path':'/spec/replicas','value':3}]},"
        "{'clusterName':'x','clusterOverrides':[{'path':'/b'}]},"
        "{'clusterName':'c1','clusterOverrides':[{'path':'/spec/replicas','value':1}]},"
        "{'clusterName':'c2','clusterOverrides':[{'path':'/spec/replicas','value':2}]}]}}");
}

static void nothing_is_written_twice(void **state)
{
    (void)state;
    assert_null(write("{'spec':{'placement':{'clusters':[{'name':'c2'},{'name':'c1'}]},'overrides':["
                      "{'clusterName':'c2','clusterOverrides':[{'path':'/spec/replicas','value':2}]},"
                      "{'clusterName':'c1','clusterOverrides':[{'path':'/spec/replicas','value':1.0}]}]}}",
                      "c1=1 c2=2"));
    assert_non_null(write("{'spec':{'placement':{'clusters':[{'name':'c1'}]},'overrides':["
                          "{'clusterName':'c1','clusterOverrides':[{'path':'/spec/replicas','value':'1'}]}]}}",
                          "c1=1"));
    assert_non_null(write("{'spec':{}}", "c1-")); /* an absent list differs from an empty one */
    assert_null(write("{'spec':{'placement':{'clusters':[]}}}", "c1-"));
}

static void overrides_that_cannot_be_used_are_refused(void **state)
{
    struct scene x = scene_of("c1=1");
    _cleanup_buf_ struct buf out = BUF_INIT(BUF_MAX_DEFAULT);
    struct error *err = NULL;

    (void)state;
    x.in.clusters = x.clusters;
    assert_refused(fed_schedule_patch(&out, J("{'spec':{'overrides':[{'clusterName':'c1'},{'clusterName':'c1'}]}}"),
                                      STR("/spec/replicas"), &x.in, x.s, &err),
                   err, "more than once");
    free(x.s);
}

static void what_an_object_says_now(void **state)
{
    yyjson_val *o = J("{'spec':{'template':{'spec':{'replicas':7,'pool':{'size':5}}},"
                      "'placement':{'clusters':[{'name':'c1'},{'name':'c2'}],'clusterSelector':{}},'overrides':["
                      "{'clusterName':'c1','clusterOverrides':[{'path':'/spec/replicas','value':4}]},"
                      "{'clusterName':'c2','clusterOverrides':[{'path':'/spec/replicas','value':'many'}]},"
                      "{'clusterName':'c3','clusterOverrides':[{'path':'/spec/replicas','value':4}]}]}}");
    struct fed_schedule_cluster c[] = { { .name = STR("c1") }, { .name = STR("c2") }, { .name = STR("c3") } };

    (void)state;
    fed_schedule_previous(o, STR("/spec/replicas"), c, ARRAY_SIZE(c));
    assert_true(c[0].has_previous && c[1].has_previous);
    assert_int_equal(c[0].previous, 4);
    assert_int_equal(c[1].previous, 7); /* of the template */
    assert_false(c[2].has_previous);
    fed_schedule_previous(o, STR("/spec/pool/size"), c, ARRAY_SIZE(c));
    assert_int_equal(c[0].previous, 5);
    fed_schedule_previous(o, STR("/spec/nothing"), c, ARRAY_SIZE(c));
    assert_int_equal(c[0].previous, 1);
    fed_schedule_previous(o, STR("/spec/replicas"), c + 1, 1); /* others in the object than are asked for */
    assert_true(c[1].has_previous);
}

static void a_selector_places_an_object_without_a_list(void **state)
{
    yyjson_val *o = J("{'spec':{'template':{'spec':{'replicas':3}},"
                      "'placement':{'clusterSelector':{'matchLabels':{'zone':'a'}}}}}");
    struct fed_schedule_cluster c[] = { { .name = STR("c1"), .labels = J("{'zone':'a'}") },
                                        { .name = STR("c2"), .labels = J("{'zone':'b'}") } };

    (void)state;
    fed_schedule_previous(o, STR("/spec/replicas"), c, ARRAY_SIZE(c));
    assert_true(c[0].has_previous);
    assert_int_equal(c[0].previous, 3);
    assert_false(c[1].has_previous);
}

/* -5 is not the 0 that it is taken for. */
static void numbers_out_of_range_are_written_anew(void **state)
{
    struct scene x = scene_of("c1=0");
    _cleanup_buf_ struct buf out = BUF_INIT(BUF_MAX_DEFAULT);

    (void)state;
    x.in.clusters = x.clusters;
    assert_int_equal(
        fed_schedule_patch(&out,
                           J("{'spec':{'placement':{'clusters':[{'name':'c1'}]},'overrides':["
                             "{'clusterName':'c1','clusterOverrides':[{'path':'/spec/replicas','value':-5}]}]}}"),
                           STR("/spec/replicas"), &x.in, x.s, NULL),
        1);
    free(x.s);
}

/* --- the preference's status --- */

static yyjson_val *status_after(yyjson_val *rsp, struct scene *x, const char *reason, int64_t now)
{
    _cleanup_buf_ struct buf out = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(rsp);
    struct fed_schedule_report r = { .generation = 1,
                                     .now = now,
                                     .reason = reason,
                                     .message = STR("m"),
                                     .doubts_reason = "Valid",
                                     .doubts = STR(""),
                                     .input = &x->in,
                                     .schedule = x->s };

    x->in.clusters = x->clusters;
    if (!fed_schedule_status_patch(&out, rsp, &r))
        return NULL;
    json_merge_apply(doc, yyjson_mut_doc_get_root(doc), text_val(buf_str(&out)));
    return keep(json_freeze(doc));
}

static void a_status_is_written_once(void **state)
{
    struct scene x = scene_of("c1=2 c2-");
    yyjson_val *first = status_after(J("{}"), &x, "Scheduled", NOW), *second;

    (void)state;
    assert_json(json_path(first, "status.clusters"), "[{'name':'c1','replicas':2}]");
    assert_null(status_after(first, &x, "Scheduled", NOW + 100));
    second = status_after(first, &x, "InsufficientResources", NOW + 100);
    assert_json(yyjson_arr_get_first(json_path(second, "status.conditions")),
                "{'type':'Scheduled','status':'False','reason':'InsufficientResources','message':'m',"
                "'lastTransitionTime':'2023-11-14T22:15:00Z'}");
    free(x.s);
}

static void limits_last_longer_each_time(void **state)
{
    struct scene x = scene_of("c1=2");
    yyjson_val *rsp;

    (void)state;
    x.s->shares[0].set_limit = true;
    x.s->shares[0].limit = 2;
    rsp = status_after(J("{}"), &x, "Scheduled", NOW);
    assert_json(json_get(yyjson_arr_get_first(json_path(rsp, "status.clusters")), "limit"),
                "{'replicas':2,'tries':1,'until':'2023-11-14T22:23:20Z'}");
    assert_null(status_after(rsp, &x, "Scheduled", NOW)); /* told twice: before the shares are written, and after */
    fed_schedule_recall(rsp, 1, NOW + 1, x.clusters, 1);
    assert_true(x.clusters[0].has_limit);
    assert_int_equal(x.clusters[0].limit, 2);
    assert_int_equal(x.clusters[0].limit_left_s, 599);
    assert_null(status_after(rsp, &x, "Scheduled", NOW + 1));
    fed_schedule_recall(rsp, 1, NOW + 600, x.clusters, 1);
    assert_false(x.clusters[0].has_limit);
    rsp = status_after(rsp, &x, "Scheduled", NOW + 600);
    assert_json(json_get(yyjson_arr_get_first(json_path(rsp, "status.clusters")), "limit"),
                "{'replicas':2,'tries':2,'until':'2023-11-14T22:43:20Z'}");
    x.s->shares[0].set_limit = false;
    x.clusters[0].has_pods = true;
    x.clusters[0].pods.bound = 3; /* it worked */
    rsp = status_after(rsp, &x, "Scheduled", NOW + 9000);
    assert_null(json_get(yyjson_arr_get_first(json_path(rsp, "status.clusters")), "limit"));
    free(x.s);
}

static void shares_before_a_loss_are_remembered(void **state)
{
    struct scene x = scene_of("c1=4 c2-");
    yyjson_val *rsp;

    (void)state;
    x.clusters[0].has_previous = x.clusters[1].has_previous = true;
    x.clusters[0].previous = x.clusters[1].previous = 2;
    x.s->keep_before = true;
    rsp = status_after(J("{}"), &x, "Scheduled", NOW);
    assert_json(json_path(rsp, "status.beforeLoss"), "[{'name':'c1','replicas':2},{'name':'c2','replicas':2}]");
    fed_schedule_recall(rsp, 1, NOW, x.clusters, 2);
    assert_true(x.clusters[1].has_before);
    assert_int_equal(x.clusters[1].before, 2);
    assert_false(x.clusters[0].was_lost);
    x.s->keep_before = false;
    x.s->shares[1].lost = true;
    rsp = status_after(rsp, &x, "Scheduled", NOW);
    assert_json(json_path(rsp, "status.beforeLoss"),
                "[{'name':'c1','replicas':2},{'name':'c2','replicas':2,'lost':true}]");
    fed_schedule_recall(rsp, 1, NOW, x.clusters, 2);
    assert_true(x.clusters[1].was_lost);
    assert_null(status_after(rsp, &x, "Scheduled", NOW));
    x.s->forget_before = true;
    rsp = status_after(rsp, &x, "Scheduled", NOW);
    assert_null(json_path(rsp, "status.beforeLoss"));
    free(x.s);
}

/* Somebody made the object anew, without placement and overrides: what was given still counts, until the preference changes. */
static void what_was_given_counts_in_an_object_made_anew(void **state)
{
    struct fed_schedule_cluster c[] = { { .name = STR("c1") }, { .name = STR("c2") } };
    yyjson_val *rsp = J("{'status':{'observedGeneration':3,'clusters':[{'name':'c1','replicas':4},"
                        "{'name':'c2','replicas':0,'limit':{}}]}}");

    (void)state;
    fed_schedule_previous(J("{'spec':{}}"), STR("/spec/replicas"), c, 2);
    fed_schedule_recall(rsp, 3, NOW, c, 2);
    assert_true(c[0].has_previous && c[0].has_given);
    assert_int_equal(c[0].previous, 4);
    assert_false(c[1].has_previous);
    fed_schedule_previous(J("{'spec':{}}"), STR("/spec/replicas"), c, 2);
    fed_schedule_recall(rsp, 4, NOW, c, 2);
    assert_false(c[0].has_previous);
}

/* Before the shares are written: what would be lost with a failure in between, and no word about success. */
static void memory_is_written_without_conditions(void **state)
{
    struct scene x = scene_of("c1=4");
    struct fed_schedule_report r = { .memory_only = true, .now = NOW, .input = &x.in, .schedule = x.s };
    _cleanup_buf_ struct buf out = BUF_INIT(BUF_MAX_DEFAULT);

    (void)state;
    x.in.clusters = x.clusters;
    assert_true(fed_schedule_status_patch(&out, J("{}"), &r));
    assert_json(text_val(buf_str(&out)), "{'status':{'clusters':[{'name':'c1','replicas':4}]}}");
    x.clusters[0].has_before = x.clusters[0].was_lost = true; /* not forgotten yet: the shares are not written */
    x.clusters[0].before = 4;
    x.s->forget_before = true;
    buf_reset(&out);
    assert_true(fed_schedule_status_patch(&out, J("{}"), &r));
    assert_json(json_path(text_val(buf_str(&out)), "status.beforeLoss"), "[{'name':'c1','replicas':4,'lost':true}]");
    free(x.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overrides_of_others_stay),
        cmocka_unit_test(the_order_of_overrides_stays),
        cmocka_unit_test(nothing_is_written_twice),
        cmocka_unit_test(overrides_that_cannot_be_used_are_refused),
        cmocka_unit_test(what_an_object_says_now),
        cmocka_unit_test(a_status_is_written_once),
        cmocka_unit_test(a_selector_places_an_object_without_a_list),
        cmocka_unit_test(numbers_out_of_range_are_written_anew),
        cmocka_unit_test(what_was_given_counts_in_an_object_made_anew),
        cmocka_unit_test(memory_is_written_without_conditions),
        cmocka_unit_test(limits_last_longer_each_time),
        cmocka_unit_test(shares_before_a_loss_are_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
