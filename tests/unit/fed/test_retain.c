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

/* U-04 */
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

/* U-05 */
static void cluster_ips(void **state)
{
    static const char *const desired = "{'metadata':{'name':'x'},'spec':{}}";
    yyjson_val *got;

    (void)state;
    got = kept(&service, "", "{'metadata':{},'spec':{}}", desired);
    assert_json(json_path(got, "spec"), "{}");
    got = kept(&service, "", "{'metadata':{},'spec':{'clusterIP':'','clusterIPs':[]}}", desired);
    assert_json(json_path(got, "spec"), "{}");
    got = kept(&service, "", "{'metadata':{},'spec':{'clusterIP':'1.2.3.4'}}", desired);
    assert_json(json_path(got, "spec"), "{'clusterIP':'1.2.3.4'}");
    got = kept(&service, "", "{'metadata':{},'spec':{'clusterIPs':['1.2.3.4','5.6.7.8']}}", desired);
    assert_json(json_path(got, "spec"), "{'clusterIPs':['1.2.3.4','5.6.7.8']}");
    got = kept(&service, "", "{'metadata':{},'spec':{'clusterIP':'None','clusterIPs':['1.2.3.4']}}", desired);
    assert_json(json_path(got, "spec"), "{'clusterIP':'None','clusterIPs':['1.2.3.4']}");
    refused(&service, "", "{'metadata':{},'spec':{'clusterIP':-1000}}");
    refused(&service, "", "{'metadata':{},'spec':{'clusterIPs':[5]}}");
    refused(&service, "", "{'metadata':{},'spec':{'clusterIPs':'1.2.3.4'}}");
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

/* Ports match by name, protocol and port (5.8); an absent protocol is TCP. */
static yyjson_val *ports_kept(const char *live, const char *desired)
{
    _cleanup_free_ char *live_object = mem_printf("{'metadata':{},'spec':{'ports':%s}}", live);
    _cleanup_free_ char *desired_object = mem_printf("{'metadata':{'name':'x'},'spec':{'ports':%s}}", desired);

    return json_path(kept(&service, "", live_object, desired_object), "spec.ports");
}

static void matching_ports(void **state)
{
    (void)state;
    assert_json(ports_kept("[{'port':80,'protocol':'TCP','nodePort':30001}]", "[{'port':80}]"),
                "[{'port':80,'nodePort':30001}]");
    assert_json(ports_kept("[{'port':80,'protocol':'UDP','nodePort':30001}]", "[{'port':80}]"), "[{'port':80}]");
    assert_json(ports_kept("[{'name':'a','port':80,'nodePort':30001}]", "[{'port':80}]"), "[{'port':80}]");
    assert_json(ports_kept("[{'port':80}]", "[{'port':80,'nodePort':30002}]"), "[{'port':80,'nodePort':30002}]");
    assert_json(ports_kept("[{'port':80,'nodePort':30001}]", "[{'port':80,'nodePort':30002}]"),
                "[{'port':80,'nodePort':30001}]");
    assert_json(ports_kept("[{'port':80,'nodePort':30001}]", "null"), "[]");
}

/* an error of one object, not the end of the process. */
static void odd_ports(void **state)
{
    struct error *err = NULL;
    yyjson_val *result;

    (void)state;
    refused(&service, "", "{'metadata':{},'spec':{'ports':[7]}}");
    refused(&service, "", "{'metadata':{},'spec':{'ports':{}}}");
    assert_refused(retain(&service, "", "{'metadata':{},'spec':{'ports':[]}}",
                          "{'metadata':{'name':'x'},'spec':{'ports':['a']}}", &result, &err),
                   err, "spec.template.spec.ports[0] must be an object");
    assert_refused(retain(&service, "", "{'metadata':{},'spec':{'ports':[]}}",
                          "{'metadata':{'name':'x'},'spec':{'ports':'a'}}", &result, &err),
                   err, "spec.template.spec.ports must be a list");
}

/* The HOST's own namespace keeps all labels of others; there may be many. */
static void namespace_labels(void **state)
{
    struct fed_type_config *type = make_type("", "v1", "Namespace", "namespaces", false);
    _cleanup_buf_ struct buf live = BUF_INIT((size_t)1 << 22);
    struct fed_retain_input in = { .type = type, .fed_object = J("{}"), .resource_version = STR("42") };
    yyjson_mut_doc *doc = json_mut_doc_of(J("{'metadata':{'name':'x','labels':{'l5':'mine'}}}"));

    (void)state;
    buf_addz(&live, "{'metadata':{'labels':{'kubernetes.io/metadata.name':'x'");
    for (int i = 0; i < 50000; i++)
        buf_printf(&live, ",'l%d':'theirs'", i);
    buf_addz(&live, "}}}");
    in.live = J(live.p);
    assert_int_equal(fed_retain(&in, doc, NULL), 0);
    assert_json_mut(json_mut_path(yyjson_mut_doc_get_root(doc), "metadata.labels"),
                    "{'l5':'mine','kubernetes.io/metadata.name':'x'}");
    in.host_namespace = true;
    assert_int_equal(fed_retain(&in, doc, NULL), 0);
    assert_int_equal(yyjson_mut_obj_size(json_mut_path(yyjson_mut_doc_get_root(doc), "metadata.labels")), 50001);
    assert_str(json_mut_str(json_mut_get(json_mut_path(yyjson_mut_doc_get_root(doc), "metadata.labels"), "l5")),
               "mine");
    json_mut_free(doc);
    fed_type_config_free(type);
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

/* U-03 */
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
        cmocka_unit_test(metadata),         cmocka_unit_test(health_check_node_port), cmocka_unit_test(cluster_ips),
        cmocka_unit_test(node_ports),       cmocka_unit_test(matching_ports),         cmocka_unit_test(odd_ports),
        cmocka_unit_test(namespace_labels), cmocka_unit_test(account_secrets),        cmocka_unit_test(replicas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
