/* Which field of a member object is not as the template says, and who changed it (docs/propagation.md, "Fights"). */
#include "fed/contest.h"

#include "fed_test.h"

#define OWN "kubefed-own"
#define WEBHOOK "an admission webhook"

static void check(yyjson_val *desired, yyjson_val *live, const char *field, const char *manager, int line)
{
    struct fed_contest c = { 0 };
    bool found = fed_contest_find(desired, live, STR(OWN), &c);

    if (found != (field != NULL))
        fail_msg("line %d: %s", line, found ? c.field : "nothing was found");
    if (found && field && strcmp(c.field, field) != 0)
        fail_msg("line %d: got field %s, expected %s", line, c.field, field);
    if (found && manager && strcmp(c.manager, manager) != 0)
        fail_msg("line %d: got manager \"%s\", expected \"%s\"", line, c.manager, manager);
    fed_contest_done(&c);
    assert_null(c.field);
    assert_null(c.manager);
}
#define assert_field(desired, live, field) check(J(desired), J(live), field, "", __LINE__)
#define assert_same(desired, live) check(J(desired), J(live), NULL, NULL, __LINE__)

/* --- the field --- */

static void kinds_of_difference(void **state)
{
    (void)state;
    assert_field("{'spec':{'a':1,'replicas':2}}", "{'spec':{'a':1,'replicas':3}}", "spec.replicas");
    assert_field("{'data':{'k':'v'}}", "{'data':{'k':'w'}}", "data.k");
    assert_field("{'spec':{'paused':false}}", "{'spec':{'paused':true}}", "spec.paused");
    /* Absent, or of another type. */
    assert_field("{'data':{'k':'v'}}", "{'data':{}}", "data.k");
    assert_field("{'data':{'k':'v'}}", "{}", "data");
    assert_field("{'data':{'k':'v'}}", "{'data':null}", "data");
    assert_field("{'spec':{'a':{'b':1}}}", "{'spec':{'a':[1]}}", "spec.a");
    assert_field("{'spec':{'a':null}}", "{'spec':{'a':1}}", "spec.a");
    /* In lists. */
    assert_field("{'spec':{'containers':[{'image':'a:1'}]}}", "{'spec':{'containers':[{'image':'a:2'}]}}",
                 "spec.containers[0].image");
    assert_field("{'spec':{'args':['a','b']}}", "{'spec':{'args':['a','c']}}", "spec.args[1]");
    assert_field("{'spec':{'args':['a']}}", "{'spec':{'args':['a','b']}}", "spec.args");
    assert_field("{'spec':{'args':['a','b']}}", "{'spec':{'args':['a']}}", "spec.args");
    assert_field("{'spec':{'m':[[1],[2,3]]}}", "{'spec':{'m':[[1],[2,4]]}}", "spec.m[1][1]");
}

/* The first one, in the order of the desired document. */
static void first_difference(void **state)
{
    (void)state;
    assert_field("{'spec':{'b':1,'a':1},'data':{'x':1}}", "{'data':{'x':2},'spec':{'a':2,'b':2}}", "spec.b");
    assert_field("{'data':{'x':1},'spec':{'b':1}}", "{'data':{'x':2},'spec':{'b':2}}", "data.x");
    assert_field("{'metadata':{'labels':{'l':'1'}},'spec':{'b':1}}",
                 "{'metadata':{'labels':{'l':'1','foreign':'1'}},'spec':{'b':2}}", "spec.b");
    assert_field("{'spec':{'a':[{'x':1},{'y':1}]}}", "{'spec':{'a':[{'x':1},{'y':2}]}}", "spec.a[1].y");
}

static void labels_and_annotations(void **state)
{
    (void)state;
    assert_field("{'metadata':{'labels':{'a.b/c':'1'}}}", "{'metadata':{'labels':{'a.b/c':'2'}}}",
                 "metadata.labels[\"a.b/c\"]");
    assert_field("{'metadata':{'labels':{'plain-1_x':'1'}}}", "{'metadata':{'labels':{'plain-1_x':'2'}}}",
                 "metadata.labels.plain-1_x");
    assert_field("{'data':{'a.txt':'1'}}", "{'data':{'a.txt':'2'}}", "data[\"a.txt\"]");
    assert_field("{'data':{'':'1'}}", "{'data':{'':'2'}}", "data[\"\"]");
    /* A label that nobody wants; annotations are kept. */
    assert_field("{'metadata':{'labels':{'l':'1'}}}", "{'metadata':{'labels':{'l':'1','x.y/z':'1'}}}",
                 "metadata.labels[\"x.y/z\"]");
    assert_field("{'metadata':{}}", "{'metadata':{'labels':{'foreign':'1'}}}", "metadata.labels.foreign");
    assert_same("{'metadata':{'annotations':{'a':'1'}}}", "{'metadata':{'annotations':{'a':'1','b':'1'}}}");
    assert_field("{'metadata':{'annotations':{'a':'1'}}}", "{'metadata':{'annotations':{'a':'2'}}}",
                 "metadata.annotations.a");
    assert_field("{'metadata':{'ownerReferences':[{'uid':'u'}]}}", "{'metadata':{}}", "metadata.ownerReferences");
}

/* What the server adds or decides is no difference. */
static void no_difference(void **state)
{
    (void)state;
    assert_same("{}", "{}");
    assert_same("{'spec':{'a':1}}", "{'spec':{'a':1,'defaulted':2},'status':{'s':1}}");
    assert_same("{'spec':{'a':1}}", "{'spec':{'a':1.0}}");
    assert_same("{'spec':{'x':1,'y':{'a':1,'b':2}}}", "{'spec':{'y':{'b':2,'a':1},'x':1}}");
    assert_same("{'spec':{'a':null,'b':'','c':[],'d':{}}}", "{'spec':{}}");
    assert_same("{'spec':{'a':null}}", "{'spec':{'a':{}}}");
    assert_same("{'status':{'s':1}}", "{'status':{'s':2}}");
    assert_same("{'metadata':{'name':'x','resourceVersion':'1','uid':'u','generation':1,'creationTimestamp':null,"
                "'selfLink':'a','finalizers':['f'],'deletionTimestamp':'d','managedFields':[]}}",
                "{'metadata':{'name':'x','resourceVersion':'2','uid':'v','generation':2,'creationTimestamp':'t',"
                "'selfLink':'b','finalizers':['g'],'managedFields':[{'manager':'m'}]}}");
}

static void untouched_without_difference(void **state)
{
    char field[] = "before", manager[] = "also";
    struct fed_contest c = { field, manager };

    (void)state;
    assert_false(fed_contest_find(J("{'a':1}"), J("{'a':1}"), STR(OWN), &c));
    assert_ptr_equal(c.field, field);
    assert_ptr_equal(c.manager, manager);
}

/* --- the manager --- */

#define ENTRY(manager, time, fields)                                                                                   \
    "{'manager':'" manager "','operation':'Update','apiVersion':'apps/v1','time':'2024-01-01T00:00:" time              \
    "Z','fieldsType':'FieldsV1','fieldsV1':{" fields "}}"
#define SCALED_BY(entries) "{'metadata':{'managedFields':[" entries "]},'spec':{'replicas':3}}"
#define REPLICAS "'f:spec':{'f:replicas':{}}"

static void check_manager(const char *live, const char *manager, int line)
{
    check(J("{'spec':{'replicas':2}}"), J(live), "spec.replicas", manager, line);
}
#define assert_manager(live, manager) check_manager(live, manager, __LINE__)

static void managers(void **state)
{
    (void)state;
    assert_manager(SCALED_BY(ENTRY("kubectl", "05", REPLICAS)), "kubectl");
    /* The latest of those who own the field, wherever it stands. */
    assert_manager(SCALED_BY(ENTRY("a", "05", REPLICAS) "," ENTRY("b", "07", REPLICAS) "," ENTRY("c", "06", REPLICAS)),
                   "b");
    assert_manager(SCALED_BY(ENTRY("a", "05", REPLICAS) "," ENTRY("b", "59", "'f:spec':{'f:paused':{}}")), "a");
    /* Ourselves we do not name. */
    assert_manager(SCALED_BY(ENTRY("a", "05", REPLICAS) "," ENTRY(OWN, "59", REPLICAS)), "a");
    assert_manager(SCALED_BY(ENTRY(OWN, "05", REPLICAS)), WEBHOOK);
    assert_manager(SCALED_BY(ENTRY(OWN, "05", REPLICAS) "," ENTRY("a", "59", "'f:spec':{'f:paused':{}}")), WEBHOOK);
    /* Something around it is owned as a whole. */
    assert_manager(SCALED_BY(ENTRY("a", "05", "'f:spec':{}")), "a");
}

static void unknown_managers(void **state)
{
    (void)state;
    assert_manager("{'spec':{'replicas':3}}", "");
    assert_manager("{'metadata':{},'spec':{'replicas':3}}", "");
    assert_manager("{'metadata':{'managedFields':[]},'spec':{'replicas':3}}", "");
    assert_manager("{'metadata':{'managedFields':7},'spec':{'replicas':3}}", "");
    assert_manager("{'metadata':{'managedFields':[7,null,{}]},'spec':{'replicas':3}}", "");
    assert_manager("{'metadata':{'managedFields':[{'manager':7,'fieldsV1':[]}]},'spec':{'replicas':3}}", "");
}

/* One shape after the other: `theirs` and `other` are what two managers own of spec. */
static void check_shape(const char *desired, const char *live, const char *theirs, const char *other, const char *field,
                        int line)
{
    _cleanup_free_ char *object = mem_printf(
        "{'metadata':{'managedFields':[" ENTRY("theirs", "05", "'f:spec':%s") "," ENTRY("other", "09",
                                                                                        "'f:spec':%s") "]},'spec':%s}",
        theirs, other, live);
    _cleanup_free_ char *wanted = mem_printf("{'spec':%s}", desired);

    check(J(wanted), J(object), field, "theirs", line);
}

/* The shapes that API servers write: f: members, k: items by their keys, v: items by value, i: by place. */
static void shapes_of_managed_fields(void **state)
{
#define OF_CONTAINER(name, field) "{'f:containers':{'k:{\\'name\\':\\'" name "\\'}':{'.':{},'f:" field "':{}}}}"
#define OF_PORT(protocol) "{'f:ports':{'k:{\\'port\\':80,\\'protocol\\':\\'" protocol "\\'}':{'f:nodePort':{}}}}"
    (void)state;
    check_shape("{'containers':[{'name':'log','image':'l'},{'name':'app','image':'a:1'}]}",
                "{'containers':[{'name':'log','image':'l'},{'name':'app','image':'a:2'}]}",
                OF_CONTAINER("app", "image"), OF_CONTAINER("log", "image"), "spec.containers[1].image", __LINE__);
    check_shape("{'containers':[{'name':'app','image':'a:1'}]}", "{'containers':[{'name':'app','image':'a:2'}]}",
                OF_CONTAINER("app", "image"), OF_CONTAINER("app", "args"), "spec.containers[0].image", __LINE__);
    /* Keys of several members. */
    check_shape("{'ports':[{'port':80,'protocol':'TCP','nodePort':1}]}",
                "{'ports':[{'port':80,'protocol':'TCP','nodePort':2}]}", OF_PORT("TCP"), OF_PORT("UDP"),
                "spec.ports[0].nodePort", __LINE__);
    /* Names with dots; the member "." stands for the object itself. */
    check_shape("{'s':{'a.b/c':'1'}}", "{'s':{'a.b/c':'2'}}", "{'f:s':{'.':{},'f:a.b/c':{}}}",
                "{'f:s':{'.':{},'f:a':{}}}", "spec.s[\"a.b/c\"]", __LINE__);
    check_shape("{'set':['a','b']}", "{'set':['a','c']}", "{'f:set':{'v:\\'c\\'':{}}}", "{'f:set':{'v:\\'a\\'':{}}}",
                "spec.set[1]", __LINE__);
    check_shape("{'list':[1,2]}", "{'list':[1,3]}", "{'f:list':{'i:1':{}}}", "{'f:list':{'i:0':{}}}", "spec.list[1]",
                __LINE__);
    /* Atomic lists and maps are owned as a whole. */
    check_shape("{'list':[1,2]}", "{'list':[1,3]}", "{'f:list':{}}", "{'f:other':{}}", "spec.list[1]", __LINE__);
    check_shape("{'list':[1,2]}", "{'list':[1]}", "{'f:list':{}}", "{'f:other':{}}", "spec.list", __LINE__);
    /* Keys that cannot be read own nothing. */
    check_shape("{'list':[1,2]}", "{'list':[1,3]}", "{'f:list':{'v:3':{}}}",
                "{'f:list':{'k:{':{},'k:7':{},'k:':{},'v:':{},'i:':{},'i:x':{},'':{},'f':{}}}", "spec.list[1]",
                __LINE__);
}

#define WITHOUT_K(entries) "{'metadata':{'managedFields':[" entries "]},'data':{'stays':'1'}}"
#define STAYS "'f:data':{'f:stays':{}}"

/* Nobody owns what is not there: whoever wrote last has probably taken it away. */
static void removed_fields(void **state)
{
    yyjson_val *desired = J("{'data':{'k':'v','stays':'1'}}");

    (void)state;
    check(desired, J(WITHOUT_K(ENTRY("old", "05", STAYS) "," ENTRY("late", "06", STAYS) "," ENTRY(OWN, "59", STAYS))),
          "data.k", "late", __LINE__);
    /* Nobody else is known: it went while our write was admitted. */
    check(desired, J(WITHOUT_K(ENTRY(OWN, "05", STAYS))), "data.k", WEBHOOK, __LINE__);
    /* Who only reports the status has nothing to do with it. */
    check(desired,
          J(WITHOUT_K("{'manager':'reporter','subresource':'status','time':'2024-01-01T00:00:59Z',"
                      "'fieldsV1':{'f:status':{'f:s':{}}}}," ENTRY("late", "06", STAYS))),
          "data.k", "late", __LINE__);
}

/* --- never values, never without bound --- */

static void no_values(void **state)
{
    static const char *const pairs[][2] = {
        { "{'data':{'k':'geheim1'}}", "{'data':{'k':'geheim2'}}" },
        { "{'spec':{'l':['geheim1']}}", "{'spec':{'l':['geheim2']}}" },
        { "{'spec':{'l':[{'name':'geheim1','v':1}]}}", "{'spec':{'l':[{'name':'geheim1','v':2}]}}" },
        { "{'spec':{'l':['geheim1']}}", "{'spec':{'l':['geheim2','geheim3']}}" },
        { "{'metadata':{'labels':{'a':'geheim1'}}}", "{'metadata':{'labels':{'a':'geheim2'}}}" },
        { "{'metadata':{'labels':{}}}", "{'metadata':{'labels':{'a':'geheim2'}}}" },
        { "{'spec':'geheim1'}", "{'metadata':{'managedFields':[{'manager':'m','fieldsV1':{'f:spec':{'v:\\'geheim2\\'"
                                "':{}}}}]},'spec':'geheim2'}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        struct fed_contest c = { 0 };

        assert_true(fed_contest_find(J(pairs[i][0]), J(pairs[i][1]), STR(OWN), &c));
        if (strstr(c.field, "geheim") || strstr(c.manager, "geheim"))
            fail_msg("%s (%s)", c.field, c.manager);
        fed_contest_done(&c);
    }
}

static void long_names(void **state)
{
    _cleanup_free_ char *name = mem_alloc(5001);
    struct fed_contest c = { 0 };

    (void)state;
    memset(name, 'n', 5000);
    name[5000] = '\0';
    assert_true(fed_contest_find(JF("{'data':{'%s':'1'}}", name),
                                 JF("{'metadata':{'managedFields':[{'manager':'%s'}]}}", name), STR(OWN), &c));
    fed_contest_done(&c);
    assert_true(fed_contest_find(JF("{'data':{'x':'1','%s':'1'}}", name), JF("{'data':{'x':'1'}}"), STR(OWN), &c));
    assert_true(c.field[0] && strlen(c.field) <= FED_CONTEST_MAX);
    fed_contest_done(&c);
    assert_true(fed_contest_find(J("{'data':{'x':'1'}}"), JF("{'metadata':{'managedFields':[{'manager':'%s'}]}}", name),
                                 STR(OWN), &c));
    assert_int_equal(strlen(c.manager), FED_CONTEST_MAX);
    fed_contest_done(&c);
}

/* `depth` objects, or lists, around the value. */
static yyjson_val *nested(size_t depth, const char *open, const char *close, const char *value)
{
    _cleanup_buf_ struct buf b = BUF_INIT((size_t)1 << 20);

    buf_addz(&b, "{\"spec\":");
    for (size_t i = 1; i < depth; i++)
        buf_addz(&b, open);
    buf_addz(&b, value);
    for (size_t i = 1; i < depth; i++)
        buf_addz(&b, close);
    buf_addz(&b, "}");
    return text_val(buf_str(&b));
}

static void deep_documents(void **state)
{
    static const char *const forms[][2] = { { "{\"a\":", "}" }, { "[", "]" } };
    struct fed_contest c = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        yyjson_val *one = nested(9999, forms[i][0], forms[i][1], "1");

        assert_true(fed_contest_find(one, nested(9999, forms[i][0], forms[i][1], "2"), STR(OWN), &c));
        assert_true(c.field[0] && strlen(c.field) <= FED_CONTEST_MAX);
        fed_contest_done(&c);
        assert_false(fed_contest_find(one, nested(9999, forms[i][0], forms[i][1], "1"), STR(OWN), &c));
    }
    /* Up to where the walk ends absent and empty are the same; what lies below is compared as a whole. */
    for (size_t depth = 20; depth < 32; depth++) {
        yyjson_val *empty = nested(depth, "{\"a\":", "}", "{\"x\":[]}"), *absent = nested(depth, "{\"a\":", "}", "{}");

        if (fed_contest_find(empty, absent, STR(OWN), &c))
            fail_msg("depth %zu: %s", depth, c.field);
    }
}

static yyjson_val *wide(size_t n, const char *extra)
{
    _cleanup_buf_ struct buf b = BUF_INIT((size_t)1 << 24);

    buf_addz(&b, "{\"metadata\":{\"labels\":{");
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s\"label-%zu\":\"1\"", i ? "," : "", i);
    buf_printf(&b, "%s}},\"data\":{\"k\":\"v\"}}", extra);
    return text_val(buf_str(&b));
}

/* Members decide how many there are: no key is looked for among all others, which would take longer than a test may. */
static void wide_documents(void **state)
{
    yyjson_val *desired = wide(200000, ""), *same = wide(200000, ""), *more = wide(200000, ",\"foreign\":\"1\"");

    (void)state;
    check(desired, same, NULL, NULL, __LINE__);
    check(desired, more, "metadata.labels.foreign", "", __LINE__);
    check(more, desired, "metadata.labels.foreign", "", __LINE__);
}

/* Of duplicate keys the last one counts, as everywhere. */
static void duplicate_keys(void **state)
{
    (void)state;
    assert_same("{'data':{'k':'v'}}", "{'data':{'k':'w','k':'v'}}");
    assert_field("{'data':{'k':'v'}}", "{'data':{'k':'v','k':'w'}}", "data.k");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_of_difference),
        cmocka_unit_test(first_difference),
        cmocka_unit_test(labels_and_annotations),
        cmocka_unit_test(no_difference),
        cmocka_unit_test(untouched_without_difference),
        cmocka_unit_test(managers),
        cmocka_unit_test(unknown_managers),
        cmocka_unit_test(shapes_of_managed_fields),
        cmocka_unit_test(removed_fields),
        cmocka_unit_test(no_values),
        cmocka_unit_test(long_names),
        cmocka_unit_test(deep_documents),
        cmocka_unit_test(wide_documents),
        cmocka_unit_test(duplicate_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
