/* Retention: U-03 to U-05 and the table of controllers.md 5.8. */
#include "fed/retain.h"

#include "fed_test.h"

struct kind {
    const char *group, *kind, *plural;
};
static const struct kind service = { "", "Service", "services" }, account = { "", "ServiceAccount", "serviceaccounts" },
                         deployment = { "apps", "Deployment", "deployments" };

static int retain(const struct kind *k, const char *fed_spec, const char *live, const char *desired, yyjson_val **ret,
                  struct error **err)
{
    struct fed_type_config *type = make_type(k->group, "v1", k->kind, k->plural, true);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(J(desired));
    struct fed_retain_input in = {
        .type = type, .fed_object = JF("{'spec':{%s}}", fed_spec), .live = J(live), .resource_version = STR("42")
    };
    int r = fed_retain(&in, doc, err);

    if (r == 0)
        *ret = keep(json_freeze(doc));
    fed_type_config_free(type);
    return r;
}

static yyjson_val *kept(const struct kind *k, const char *fed_spec, const char *live, const char *desired)
{
    _cleanup_error_ struct error *err = NULL;
    yyjson_val *result = NULL;

    assert_ok(retain(k, fed_spec, live, desired, &result, &err), err);
    return result;
}

static void refused(const struct kind *k, const char *fed_spec, const char *live)
{
    struct error *err = NULL;
    yyjson_val *result;

    if (retain(k, fed_spec, live, "{'metadata':{'name':'x'},'spec':{}}", &result, &err) != -EINVAL)
        fail_msg("%s: is taken", live);
    error_free(err);
}

static void metadata(void **state)
{
    yyjson_val *got = kept(&deployment, "",
                           "{'metadata':{'finalizers':['f'],'annotations':{'a':'1'},'labels':{'l':'1'}}}",
                           "{'metadata':{'name':'x','labels':{'mine':'1'}}}");

    (void)state;
    assert_json(json_get(got, "metadata"),
                "{'name':'x','labels':{'mine':'1'},'resourceVersion':'42','finalizers':['f'],"
                "'annotations':{'a':'1'}}");
    got = kept(&deployment, "", "{'metadata':{}}",
               "{'metadata':{'name':'x','annotations':{'a':'1'},'finalizers':['f']}}");
    assert_json(json_get(got, "metadata"), "{'name':'x','resourceVersion':'42'}");
}

static void health_check_node_port(void **state)
{
    static const char *const desired = "{'metadata':{'name':'x'},'spec':{}}";

    (void)state;
    assert_null(json_path(kept(&service, "", "{'metadata':{},'spec':{}}", desired), "spec.healthCheckNodePort"));
    assert_null(json_path(kept(&service, "", "{'metadata':{},'spec':{'healthCheckNodePort':0}}", desired),
                          "spec.healthCheckNodePort"));
    assert_json(json_path(kept(&service, "", "{'metadata':{},'spec':{'healthCheckNodePort':1000}}", desired),
                          "spec.healthCheckNodePort"),
                "1000");
    refused(&service, "", "{'metadata':{},'spec':{'healthCheckNodePort':'invalid string'}}");
}

static void cluster_ips(void **state)
{
    static const char *const desired = "{'metadata':{'name':'x'},'spec':{}}";
    yyjson_val *got;

    (void)state;
    got = kept(&service, "", "{'metadata':{},'spec':{'clusterIP':'1.2.3.4'}}", desired);
    assert_json(json_path(got, "spec"), "{'clusterIP':'1.2.3.4'}");
    got = kept(&service, "", "{'metadata':{},'spec':{'clusterIPs':['1.2.3.4','5.6.7.8']}}", desired);
    assert_json(json_path(got, "spec"), "{'clusterIPs':['1.2.3.4','5.6.7.8']}");
    got = kept(&service, "", "{'metadata':{},'spec':{'clusterIP':'None','clusterIPs':['1.2.3.4']}}", desired);
    assert_json(json_path(got, "spec"), "{'clusterIP':'None','clusterIPs':['1.2.3.4']}");
    refused(&service, "", "{'metadata':{},'spec':{'clusterIP':-1000}}");
    refused(&service, "", "{'metadata':{},'spec':{'clusterIPs':[5]}}");
}

static void node_ports(void **state)
{
    yyjson_val *got = kept(&service, "",
                           "{'metadata':{},'spec':{'ports':[{'name':'a','port':80,'protocol':'TCP','nodePort':30001},"
                           "{'name':'b','port':81,'protocol':'UDP','nodePort':30002}]}}",
                           "{'metadata':{'name':'x'},'spec':{'ports':[{'name':'a','port':80,'protocol':'TCP'},"
                           "{'name':'b','port':82,'protocol':'UDP'}]}}");

    (void)state;
    assert_json(json_path(got, "spec.ports"), "[{'name':'a','port':80,'protocol':'TCP','nodePort':30001},"
                                              "{'name':'b','port':82,'protocol':'UDP'}]");
}

static void account_secrets(void **state)
{
    static const char *const live = "{'metadata':{},'secrets':[{'name':'token-1'}]}";

    (void)state;
    assert_json(json_get(kept(&account, "", live, "{'metadata':{'name':'x'}}"), "secrets"), "[{'name':'token-1'}]");
    assert_json(json_get(kept(&account, "", live, "{'metadata':{'name':'x'},'secrets':[]}"), "secrets"),
                "[{'name':'token-1'}]");
    assert_json(json_get(kept(&account, "", live, "{'metadata':{'name':'x'},'secrets':[{'name':'mine'}]}"), "secrets"),
                "[{'name':'mine'}]");
}

static void replicas(void **state)
{
    static const char *const live = "{'metadata':{},'spec':{'replicas':2}}",
                             *const desired = "{'metadata':{'name':'x'},'spec':{'replicas':1}}";

    (void)state;
    assert_json(json_path(kept(&deployment, "", live, desired), "spec.replicas"), "1");
    assert_json(json_path(kept(&deployment, "'retainReplicas':false", live, desired), "spec.replicas"), "1");
    assert_json(json_path(kept(&deployment, "'retainReplicas':true", live, desired), "spec.replicas"), "2");
    assert_json(
        json_path(kept(&deployment, "'retainReplicas':true", "{'metadata':{},'spec':{}}", desired), "spec.replicas"),
        "1");
    refused(&deployment, "'retainReplicas':true", "{'metadata':{},'spec':{'replicas':'two'}}");
    refused(&deployment, "'retainReplicas':'yes'", "{'metadata':{},'spec':{'replicas':2}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata),   cmocka_unit_test(health_check_node_port), cmocka_unit_test(cluster_ips),
        cmocka_unit_test(node_ports), cmocka_unit_test(account_secrets),        cmocka_unit_test(replicas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
