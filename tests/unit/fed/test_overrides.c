/* Overrides: the table of JSON-patch behaviour and the refused lists of controllers.md 5.7. */
#include "fed/overrides.h"

#include "fed_test.h"

#define BASE                                                                                                           \
    "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n'},'data':{'a':'1'},"                  \
    "'list':['p','q'],'deep':{'m':{'n':1}},'none':null,'s/l~':{'k':1}}"

/* Applies the operations for cluster c1 to BASE; the document, or NULL with the error's text in *ret_error (owned). */
static yyjson_val *patched(const char *operations, char **ret_error)
{
    _cleanup_error_ struct error *err = NULL;
    struct fed_overrides *o = NULL;
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(J(BASE));
    yyjson_val *object = JF("{'spec':{'overrides':[{'clusterName':'c1','clusterOverrides':[%s]}]}}", operations);
    yyjson_val *result = NULL;

    *ret_error = NULL;
    if (fed_overrides_parse(object, &o, &err) == 0 && fed_overrides_apply(o, STR("c1"), doc, &err) == 0)
        result = keep(json_freeze(doc));
    else
        *ret_error = mem_strdup(error_msg(err));
    fed_overrides_free(o);
    return result;
}

static void check(const char *operations, const char *path, const char *expected)
{
    _cleanup_free_ char *error = NULL;
    yyjson_val *got = patched(operations, &error);

    if (!got)
        fail_msg("%s: %s", operations, error);
    assert_json(json_path(got, path), expected);
}

static void refused(const char *operations)
{
    _cleanup_free_ char *error = NULL;

    if (patched(operations, &error))
        fail_msg("%s: was applied", operations);
    assert_true(error && error[0]);
}

static void members(void **state)
{
    (void)state;
    check("{'path':'/data/a','value':'2'}", "data", "{'a':'2'}");
    check("{'op':'replace','path':'/data/b','value':'2'}", "data", "{'a':'1','b':'2'}");
    check("{'op':'add','path':'/data/a','value':'3'}", "data", "{'a':'3'}");
    check("{'op':'remove','path':'/data/a'}", "data", "{}");
    check("{'path':'/data/a'}", "data", "{'a':null}");
    check("{'op':'add','path':'/deep/m/o','value':null}", "deep", "{'m':{'n':1,'o':null}}");
    check("{'path':'/s~1l~0/k','value':2}", "s/l~", "{'k':2}");
    check("{'path':'discarded/data/a','value':'2'}", "data", "{'a':'2'}");
    refused("{'op':'remove','path':'/data/b'}");
    refused("{'path':'/nothing/b','value':1}");
    refused("{'path':'/none/b','value':1}");
    refused("{'path':'/data/a/b','value':1}");
    refused("{'path':'a','value':1}");
}

static void arrays(void **state)
{
    (void)state;
    check("{'path':'/list/0','value':'z'}", "list", "['z','q']");
    check("{'op':'add','path':'/list/0','value':'z'}", "list", "['z','p','q']");
    check("{'op':'add','path':'/list/2','value':'z'}", "list", "['p','q','z']");
    check("{'op':'add','path':'/list/-','value':'z'}", "list", "['p','q','z']");
    check("{'op':'add','path':'/list/-1','value':'z'}", "list", "['p','q','z']");
    check("{'op':'add','path':'/list/-2','value':'z'}", "list", "['p','z','q']");
    check("{'op':'remove','path':'/list/-1'}", "list", "['p']");
    check("{'op':'remove','path':'/list/+001'}", "list", "['p']");
    refused("{'op':'add','path':'/list/3','value':'z'}");
    refused("{'path':'/list/2','value':'z'}");
    refused("{'path':'/list/x','value':'z'}");
    refused("{'op':'remove','path':'/list/2'}");
    refused("{'op':'remove','path':'/list/-3'}");
}

/* The path "/" is the member without name, the path "" the whole document. */
static void roots(void **state)
{
    (void)state;
    check("{'path':'/','value':1}", "", "1");
    check("{'path':'','value':'scalar'}", "data", "{'a':'1'}");
    check("{'path':'','value':7}", "data", "{'a':'1'}");
    check("{'path':'','value':{'kind':'ConfigMap','metadata':{'name':'x','namespace':'n'},'data':{'b':'2'}}}", "data",
          "{'b':'2'}");
    refused("{'path':'','value':{'metadata':{'name':'x','namespace':'n'}}}");
    refused("{'path':'','value':{'kind':'','metadata':{'name':'x','namespace':'n'}}}");
    refused("{'op':'add','path':'','value':{'kind':'ConfigMap','metadata':{'name':'x','namespace':'n'}}}");
    refused("{'op':'remove','path':''}");
}

static void operations(void **state)
{
    (void)state;
    check("{'op':'','path':'/data/a','value':'2'}", "data", "{'a':'2'}");
    check("{'op':'test','path':'/data/a','value':'1'}", "data", "{'a':'1'}");
    refused("{'op':'test','path':'/data/a','value':'2'}");
    refused("{'op':'move','from':'/data/a','path':'/data/b'}");
    refused("{'op':'copy','from':'/data/a','path':'/data/b'}");
    refused("{'op':'Replace','path':'/data/a','value':'2'}");
    /* One that fails spoils the rest (5.7). */
    refused("{'path':'/data/a','value':'2'},{'op':'remove','path':'/no'}");
}

/* Values keep every digit. */
static void numbers(void **state)
{
    (void)state;
    check("{'path':'/deep/m/n','value':9007199254740993}", "deep.m", "{'n':9007199254740993}");
}

static void in_order(void **state)
{
    (void)state;
    check("{'op':'add','path':'/list/0','value':'z'},{'op':'remove','path':'/list/2'}", "list", "['z','p']");
}

/* Neither the plain nor a roundabout spelling may rename an object or change its kind. */
static void identity(void **state)
{
    (void)state;
    refused("{'path':'/metadata/name','value':'y'}");
    refused("{'path':'/metadata/namespace','value':'y'}");
    refused("{'path':'/metadata/generateName','value':'y'}");
    refused("{'path':'/kind','value':'Secret'}");
    refused("{'path':'/metadata','value':{'name':'y'}}");
    refused("{'path':'/metadata'}");
    refused("{'path':'','value':{'kind':'Secret','metadata':{'name':'x'}}}");
    refused("{'path':''}");
    check("{'path':'/apiVersion','value':'v2'}", "apiVersion", "'v2'");
    check("{'op':'add','path':'/metadata/labels','value':{'l':'1'}}", "metadata.labels", "{'l':'1'}");
}

static void refused_list(const char *overrides, const char *fragment)
{
    struct error *err = NULL;
    struct fed_overrides *o = NULL;

    assert_refused(fed_overrides_parse(JF("{'spec':{'overrides':%s}}", overrides), &o, &err), err, fragment);
}

static void whole_lists(void **state)
{
    (void)state;
    refused_list("[{'clusterName':'c1'},{'clusterName':'c1'}]", "cluster \"c1\" appears more than once");
    refused_list("[{'clusterName':'c1','clusterOverrides':[{'path':'/a'},{'path':'/a'}]}]",
                 "path \"/a\" appears more than once for cluster \"c1\"");
    refused_list("[{'clusterName':'c1','clusterOverrides':[{'path':'/a'},{'path':'/kind'}]}]",
                 "override[1] for cluster \"c1\" has an invalid path: /kind");
    refused_list("5", "overrides");
    refused_list("[5]", "overrides");
    refused_list("[{'clusterName':'c1','clusterOverrides':{}}]", "clusterOverrides");
    refused_list("[{'clusterName':'c1','clusterOverrides':[{'path':5}]}]", "path");
    refused_list("[{'clusterName':'c1','clusterOverrides':[{'op':5,'path':'/a'}]}]", "op");
}

static void other_clusters(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct fed_overrides *o = NULL;
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(J(BASE));

    (void)state;
    assert_ok(fed_overrides_parse(J("{'spec':{'overrides':[{'clusterName':'c1','clusterOverrides':"
                                    "[{'path':'/data/a','value':'9'}]}]}}"),
                                  &o, &err),
              err);
    assert_true(fed_overrides_has(o, STR("c1")));
    assert_false(fed_overrides_has(o, STR("c2")));
    assert_ok(fed_overrides_apply(o, STR("c2"), doc, &err), err);
    assert_json_mut(yyjson_mut_doc_get_root(doc), BASE);
    fed_overrides_free(o);
    assert_ok(fed_overrides_parse(J("{'spec':{}}"), &o, &err), err);
    assert_false(fed_overrides_has(o, STR("c1")));
    fed_overrides_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members),    cmocka_unit_test(arrays),      cmocka_unit_test(roots),
        cmocka_unit_test(operations), cmocka_unit_test(numbers),     cmocka_unit_test(in_order),
        cmocka_unit_test(identity),   cmocka_unit_test(whole_lists), cmocka_unit_test(other_clusters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
