/* Retention: U-03 to U-05 and the table of controllers.md 5.8. */
#include "fed/retain.h"

#include "fed/plan.h"
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

/* --- replica counts (docs/propagation.md) --- */

#define COUNT(n) "{'metadata':{},'spec':{'replicas':" n "}}"

static yyjson_val *replicas_of(const struct fed_retain_input *in, const char *desired)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(J(desired));
    _cleanup_error_ struct error *err = NULL;

    assert_ok(fed_retain(in, doc, &err), err);
    return json_path(keep(json_freeze(doc)), "spec");
}

/* A template without a count leaves it to others, whatever retainReplicas says. */
static void replicas_left_open(void **state)
{
    static const char *const open[] = { "{'metadata':{'name':'x'},'spec':{}}",
                                        "{'metadata':{'name':'x'},'spec':{'replicas':null}}",
                                        "{'metadata':{'name':'x'}}" };
    struct fed_behavior off = fed_behavior_default;
    struct fed_type_config *type = make_type("apps", "v1", "Deployment", "deployments", true);
    struct fed_retain_input in = {
        .type = type, .live = J(COUNT("5")), .resource_version = STR("42"), .fed_object = J("{}")
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(open); i++) {
        in.fed_object = J("{}");
        assert_json(replicas_of(&in, open[i]), "{'replicas':5}");
        in.fed_object = J("{'spec':{'retainReplicas':false}}");
        assert_json(replicas_of(&in, open[i]), "{'replicas':5}");
    }
    /* 0 is a count, on either side. */
    assert_json(replicas_of(&in, "{'metadata':{},'spec':{'replicas':0}}"), "{'replicas':0}");
    in.live = J(COUNT("0"));
    assert_json(replicas_of(&in, open[0]), "{'replicas':0}");
    off.retain_bound_fields = false;
    in.behavior = &off;
    assert_json(replicas_of(&in, open[0]), "{}");
    fed_type_config_free(type);
}

/* With an autoscaler in the member the count is the member's, as with retainReplicas. */
static void autoscaled(void **state)
{
    struct fed_behavior off = fed_behavior_default;
    struct fed_type_config *type = make_type("apps", "v1", "Deployment", "deployments", true);
    struct fed_retain_input in = { .type = type,
                                   .live = J(COUNT("5")),
                                   .resource_version = STR("42"),
                                   .fed_object = J("{'spec':{'retainReplicas':false}}"),
                                   .autoscaled = true };

    (void)state;
    assert_json(replicas_of(&in, COUNT("1")), "{'replicas':5}");
    off.retain_bound_fields = false;
    in.behavior = &off;
    assert_json(replicas_of(&in, COUNT("1")), "{'replicas':5}");
    in.autoscaled = false;
    assert_json(replicas_of(&in, COUNT("1")), "{'replicas':1}");
    fed_type_config_free(type);
}

/* The count of a custom resource is where its definition says. The live object is a projection: see plan.h. */
static void custom_replicas(void **state)
{
    struct fed_type_config *type = make_type("example.com", "v1", "Widget", "widgets", true);
    struct fed_retain_input in = { .type = type,
                                   .live = J(COUNT("5")),
                                   .resource_version = STR("42"),
                                   .fed_object = J("{'spec':{'retainReplicas':true}}") };
    _cleanup_json_mut_ yyjson_mut_doc *projection = json_mut_doc_new(),
                                      *odd = json_mut_doc_of(J("{'metadata':{},'spec':{'size':7}}"));

    (void)state;
    type->replicas_path = mem_strdup("spec.size.wanted");
    fed_member_project(type, false, J("{'metadata':{},'spec':{'replicas':9,'size':{'wanted':5,'more':1}}}"),
                       projection);
    in.live = keep(json_freeze(projection));
    assert_json(json_get(in.live, "spec"), "{'replicas':5}");
    assert_json(replicas_of(&in, "{'metadata':{},'spec':{'replicas':1,'size':{'wanted':2,'mine':1}}}"),
                "{'replicas':1,'size':{'wanted':5,'mine':1}}");
    in.fed_object = J("{}");
    assert_json(replicas_of(&in, "{'metadata':{},'spec':{'size':{'wanted':2}}}"), "{'size':{'wanted':2}}");
    assert_json(replicas_of(&in, "{'metadata':{},'spec':{'size':{'mine':1}}}"), "{'size':{'mine':1,'wanted':5}}");
    assert_json(replicas_of(&in, "{'metadata':{},'spec':{'a':1}}"), "{'a':1,'size':{'wanted':5}}");
    /* Where the count should be is no object. */
    assert_int_equal(fed_retain(&in, odd, NULL), -EINVAL);
    fed_type_config_free(type);
}

/* What only looks like a replica count, in a type without scale sub-resource, is none of our business. */
static void no_count_at_all(void **state)
{
    static const struct kind widget = { "example.com", "Widget", "widgets" };
    static const char *const odd[] = { "{'min':1,'max':3}", "'three'", "1.5" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        _cleanup_(fed_type_config_freep) struct fed_type_config *type = make_type(widget.group, "v1", widget.kind,
                                                                                  widget.plural, true);
        _cleanup_json_mut_ yyjson_mut_doc *projection = json_mut_doc_new(),
                                          *doc = json_mut_doc_of(J("{'metadata':{},'spec':{}}"));
        _cleanup_error_ struct error *err = NULL;
        struct fed_retain_input in = { .type = type, .resource_version = STR("42"), .fed_object = J("{}") };

        fed_member_project(type, false, JF(COUNT("%s"), odd[i]), projection);
        in.live = keep(json_freeze(projection));
        assert_ok(fed_retain(&in, doc, &err), err);
    }
}

/* --- switches --- */

#define OWNED "{'metadata':{'ownerReferences':[{'uid':'u'}]},'status':{'s':1},'spec':{}}"

static yyjson_val *kept_by(const struct fed_behavior *b, const struct kind *k, const char *live, const char *desired)
{
    struct fed_type_config *type = make_type(k->group, "v1", k->kind, k->plural, true);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(J(desired));
    struct fed_retain_input in = {
        .type = type, .fed_object = J("{}"), .live = J(live), .resource_version = STR("42"), .behavior = b
    };

    assert_int_equal(fed_retain(&in, doc, NULL), 0);
    fed_type_config_free(type);
    return keep(json_freeze(doc));
}

/* */
static void owners_and_status(void **state)
{
    static const struct kind widget = { "example.com", "Widget", "widgets" };
    static const char desired[] = "{'metadata':{},'spec':{}}";
    struct fed_behavior off = fed_behavior_default;
    yyjson_val *got;

    (void)state;
    off.keep_owners_and_status = false;
    assert_json(kept_by(NULL, &widget, OWNED, desired),
                "{'metadata':{'resourceVersion':'42','ownerReferences':[{'uid':'u'}]},'spec':{},'status':{'s':1}}");
    assert_json(kept_by(&off, &widget, OWNED, desired), "{'metadata':{'resourceVersion':'42'},'spec':{}}");
    /* Of the kinds of Kubernetes only the owners: their status is a sub-resource. */
    assert_json(kept_by(NULL, &deployment, OWNED, desired),
                "{'metadata':{'resourceVersion':'42','ownerReferences':[{'uid':'u'}]},'spec':{}}");
    /* The template wins. */
    got = kept_by(NULL, &widget, OWNED, "{'metadata':{'ownerReferences':[{'uid':'mine'}]},'status':{'mine':1}}");
    assert_json(json_path(got, "metadata.ownerReferences"), "[{'uid':'mine'}]");
    assert_json(json_get(got, "status"), "{'mine':1}");
}

/* without the switch only the label that Kubernetes itself sets stays. */
static void host_namespace_labels_switch(void **state)
{
    struct fed_behavior off = fed_behavior_default;
    struct fed_type_config *type = make_type("", "v1", "Namespace", "namespaces", false);
    struct fed_retain_input in = {
        .type = type,
        .fed_object = J("{}"),
        .resource_version = STR("42"),
        .host_namespace = true,
        .live = J("{'metadata':{'labels':{'theirs':'1','kubernetes.io/metadata.name':'x'}}}"),
    };
    _cleanup_json_mut_ yyjson_mut_doc *kept_doc = json_mut_doc_of(J("{'metadata':{'labels':{'mine':'1'}}}")),
                                      *dropped = json_mut_doc_of(J("{'metadata':{'labels':{'mine':'1'}}}"));

    (void)state;
    assert_int_equal(fed_retain(&in, kept_doc, NULL), 0);
    assert_json_mut(json_mut_path(yyjson_mut_doc_get_root(kept_doc), "metadata.labels"),
                    "{'mine':'1','theirs':'1','kubernetes.io/metadata.name':'x'}");
    off.keep_host_namespace_labels = false;
    in.behavior = &off;
    assert_int_equal(fed_retain(&in, dropped, NULL), 0);
    assert_json_mut(json_mut_path(yyjson_mut_doc_get_root(dropped), "metadata.labels"),
                    "{'mine':'1','kubernetes.io/metadata.name':'x'}");
    fed_type_config_free(type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata),
        cmocka_unit_test(health_check_node_port),
        cmocka_unit_test(cluster_ips),
        cmocka_unit_test(node_ports),
        cmocka_unit_test(matching_ports),
        cmocka_unit_test(odd_ports),
        cmocka_unit_test(namespace_labels),
        cmocka_unit_test(account_secrets),
        cmocka_unit_test(replicas),
        cmocka_unit_test(replicas_left_open),
        cmocka_unit_test(autoscaled),
        cmocka_unit_test(custom_replicas),
        cmocka_unit_test(no_count_at_all),
        cmocka_unit_test(owners_and_status),
        cmocka_unit_test(host_namespace_labels_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
