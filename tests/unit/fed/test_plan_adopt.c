/* What follows when an object to be created is there already (controllers.md 5.10, 5.12, Q-55, Q-57). */
#include "plan_world.h"

#define ONE "{'template':{'data':{'k':'v'}},'placement':{'clusters':[{'name':'c1'}]}}"

/* The federated object of `w` meets `live` in c1. Free with fed_adoption_done. */
static struct fed_adoption adopt(struct world *w, const char *live)
{
    struct fed_plan *p = plan(w);
    struct fed_adoption a;

    assert_op(p, 0, FED_OP_CREATE);
    fed_plan_adopt(p, &w->in, 0, J(live), &a);
    fed_plan_free(p);
    return a;
}

static void check_refused(struct world *w, const char *live, const char *status, const char *why)
{
    struct fed_adoption a = adopt(w, live);

    assert_null(a.op);
    assert_null(a.version);
    assert_string_equal(a.status, status);
    assert_string_equal(a.error, why);
    fed_adoption_done(&a);
}

static void foreign_objects(void **state)
{
    struct fed_adoption a;
    struct world w;

    (void)state;
    world_init(&w, ONE);
    a = adopt(&w, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n','uid':'f',"
                  "'resourceVersion':'7','labels':{'theirs':'1'},'annotations':{'theirs':'1'},'finalizers':['f']},"
                  "'data':{'k':'theirs','more':'1'}}");
    assert_non_null(a.op);
    assert_int_equal(a.op->kind, FED_OP_UPDATE);
    assert_int_equal(a.op->cluster, 0);
    /* Labels are ours alone, annotations and finalizers theirs (5.8). */
    assert_json(text_val(fed_body_str(a.op->body)),
                "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n','resourceVersion':'7',"
                "'labels':{'kubefed.io/managed':'true'},'annotations':{'theirs':'1'},'finalizers':['f']},"
                "'data':{'k':'v'}}");
    fed_adoption_done(&a);
    world_done(&w);
}

/* The create of a moment ago, whose answer was lost, or whose object the cache does not show yet. */
static void our_own_object(void **state)
{
    struct fed_adoption a;
    struct world w;

    (void)state;
    world_init(&w, ONE);
    a = adopt(&w, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n','uid':'f',"
                  "'resourceVersion':'7','labels':{'kubefed.io/managed':'true'}},'data':{'k':'v'}}");
    assert_null(a.op);
    assert_string_equal(a.status, FED_STATUS_OK);
    assert_string_equal(a.version, "rv:7");
    fed_adoption_done(&a);
    world_done(&w);
}

static void refused(void **state)
{
    static const char opted_out[] = "{'metadata':{'name':'x','uid':'f','resourceVersion':'7',"
                                    "'labels':{'kubefed.io/managed':'false'}}}";
    static const char ending[] = "{'metadata':{'name':'x','uid':'f','resourceVersion':'7','deletionTimestamp':'t'}}";
    struct world w;

    (void)state;
    world_init(&w, ONE);
    check_refused(&w, opted_out, FED_STATUS_MANAGED_LABEL_FALSE,
                  "Unable to manage the object which has label kubefed.io/managed: false");
    check_refused(&w, ending, FED_STATUS_CREATION_FAILED, "the existing object is being deleted");
    w.forbid_adoption = true;
    check_refused(&w, "{'metadata':{'name':'x','uid':'f'}}", FED_STATUS_ALREADY_EXISTS,
                  "Resource pre-exist in cluster");
    world_done(&w);
}

static void broken_live_object(void **state)
{
    struct fed_adoption a;
    struct world w;

    (void)state;
    world_of(&w, make_type("", "v1", "Service", "services", true), ONE);
    a = adopt(&w, "{'metadata':{'name':'x','resourceVersion':'7'},'spec':{'healthCheckNodePort':'invalid string'}}");
    assert_null(a.op);
    assert_string_equal(a.status, FED_STATUS_FIELD_RETENTION_FAILED);
    assert_non_null(a.error);
    fed_adoption_done(&a);
    world_done(&w);
}

/* The HOST's own namespace is adopted even where adoption is off (5.12), and keeps its labels. */
static void host_namespace(void **state)
{
    struct fed_adoption a;
    struct world w;

    (void)state;
    world_of(&w, make_type("", "v1", "Namespace", "namespaces", false), "{'placement':{'clusterSelector':{}}}");
    w.host_uid = STR("host");
    w.forbid_adoption = true;
    check_refused(&w, "{'metadata':{'name':'x','uid':'other'}}", FED_STATUS_ALREADY_EXISTS,
                  "Resource pre-exist in cluster");
    a = adopt(&w, "{'metadata':{'name':'x','uid':'host','resourceVersion':'7','labels':{'pod-security':'strict'}}}");
    assert_non_null(a.op);
    assert_json(json_path(text_val(fed_body_str(a.op->body)), "metadata.labels"),
                "{'pod-security':'strict','kubefed.io/managed':'true'}");
    fed_adoption_done(&a);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_objects),    cmocka_unit_test(our_own_object), cmocka_unit_test(refused),
        cmocka_unit_test(broken_live_object), cmocka_unit_test(host_namespace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
