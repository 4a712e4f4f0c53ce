/* From objects to federated objects: the tables of api-and-cli.md 3.7, the example of 7.5, A-19, A-21. */
#include "fed/federate.h"

#include "fed_test.h"
#include "json/yaml.h"

static yyjson_val *convert(const struct fed_federate_input *in, const char *target, struct buf *warnings)
{
    _cleanup_error_ struct error *err = NULL;
    yyjson_mut_doc *doc = NULL;
    yyjson_val *result;

    assert_ok(fed_federate(in, J(target), &doc, warnings, &err), err);
    result = keep(json_freeze(doc));
    json_mut_free(doc);
    return result;
}

/* The template made of a namespaced object of this kind. */
static yyjson_val *template_of(const char *group, const char *kind, const char *members)
{
    struct fed_federate_input in = { .api_version = STR("types.kubefed.io/v1beta1"),
                                     .kind = STR("FederatedX"),
                                     .namespaced = true,
                                     .target_group = str_of(group),
                                     .target_kind = str_of(kind) };
    _cleanup_free_ char *target = mem_printf("{'apiVersion':'any/v1','kind':'Any','metadata':{'name':'x',"
                                             "'namespace':'n'%s}",
                                             members);

    return json_path(convert(&in, target, NULL), "spec.template");
}

static const struct fed_federate_input configmap = { .api_version = STR("types.kubefed.io/v1beta1"),
                                                     .kind = STR("FederatedConfigMap"),
                                                     .namespaced = true,
                                                     .target_kind = STR("ConfigMap") };

/* 7.5 byte for byte; everything of metadata but labels is dropped. */
static void example(void **state)
{
    static const char expected[] = "apiVersion: types.kubefed.io/v1beta1\n"
                                   "kind: FederatedConfigMap\n"
                                   "metadata:\n"
                                   "  name: greet\n"
                                   "  namespace: shop\n"
                                   "spec:\n"
                                   "  placement:\n"
                                   "    clusterSelector:\n"
                                   "      matchLabels: {}\n"
                                   "  template:\n"
                                   "    data:\n"
                                   "      lang: en\n"
                                   "    metadata:\n"
                                   "      labels:\n"
                                   "        l: \"1\"\n";
    _cleanup_buf_ struct buf b = BUF_INIT(4096), warnings = BUF_INIT(4096);

    (void)state;
    assert_int_equal(
        yaml_write(&b, convert(&configmap,
                               "{'apiVersion':'v1','kind':'ConfigMap','data':{'lang':'en'},'status':{'s':1},"
                               "'metadata':{'name':'greet','namespace':'shop','labels':{'l':'1'},"
                               "'annotations':{'x':'y'},'uid':'u','resourceVersion':'5','generation':3,"
                               "'creationTimestamp':'t','finalizers':['f'],'ownerReferences':[{}],"
                               "'managedFields':[{}]}}",
                               &warnings)),
        0);
    assert_string_equal(b.p, expected);
}

/* Names only: the value of an annotation may be a whole Secret (kubectl.kubernetes.io/last-applied-configuration). */
static void annotations_warn(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096), none = BUF_INIT(4096);

    (void)state;
    convert(&configmap, "{'metadata':{'name':'greet','namespace':'shop','annotations':{'a/b':'hidden','c':'hidden'}}}",
            &b);
    assert_str(buf_str(&b), "Annotations defined for ConfigMap \"shop/greet\" will not appear in the template of the "
                            "federated resource: [a/b c]");
    convert(&configmap, "{'metadata':{'name':'greet','annotations':{}}}", &none);
    convert(&configmap, "{'metadata':{'name':'greet'}}", &none);
    assert_int_equal(none.n, 0);
}

static void many_annotations(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT((size_t)1 << 20), target = BUF_INIT((size_t)1 << 20);

    (void)state;
    buf_addz(&target, "{'metadata':{'name':'x','annotations':{'first':'1'");
    for (int i = 0; i < 1000; i++)
        buf_printf(&target, ",'a%d':'v'", i);
    buf_addz(&target, "}}}");
    convert(&configmap, target.p, &b);
    assert_true(str_contains(buf_str(&b), STR("[first a0 a1 ")));
    assert_true(str_has_suffix(buf_str(&b), STR(" ...]")));
    assert_true(b.n < 2048);
}

static void namespaces(void **state)
{
    struct fed_federate_input in = configmap;

    (void)state;
    in.target_kind = STR("Namespace");
    assert_json(
        convert(&in, "{'metadata':{'name':'shop'},'spec':{'finalizers':['kubernetes']}}", NULL),
        "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedConfigMap','metadata':{'name':'shop',"
        "'namespace':'shop'},'spec':{'placement':{'clusterSelector':{'matchLabels':{}}},'template':{'spec':{}}}}");
    /* A Namespace of another group is an object like any other. */
    in.target_group = STR("example.com");
    in.namespaced = false;
    assert_json(json_get(convert(&in, "{'metadata':{'name':'x','namespace':'n'}}", NULL), "metadata"), "{'name':'x'}");
}

static void scopes(void **state)
{
    struct fed_federate_input in = configmap;

    (void)state;
    assert_json(json_get(convert(&in, "{'metadata':{'name':'x'}}", NULL), "metadata"), "{'name':'x'}");
    in.namespaced = false;
    assert_json(json_get(convert(&in, "{'metadata':{'name':'x','namespace':'n'}}", NULL), "metadata"), "{'name':'x'}");
}

static void services(void **state)
{
    (void)state;
    assert_json(template_of("", "Service",
                            "},'spec':{'clusterIP':'10.0.0.1','clusterIPs':['10.0.0.1'],'healthCheckNodePort':31000,"
                            "'ipFamilies':['IPv4'],'type':'LoadBalancer','ports':[{'port':80,'nodePort':30000},"
                            "{'port':81},7],'externalTrafficPolicy':'Local'}"),
                "{'spec':{'type':'LoadBalancer','ports':[{'port':80},{'port':81},7],'externalTrafficPolicy':'Local'}}");
    /* Headless is the user's choice, not an address that was assigned. */
    assert_json(template_of("", "Service", "},'spec':{'clusterIP':'None','clusterIPs':['None'],'ipFamilies':['IPv4']}"),
                "{'spec':{'clusterIP':'None','clusterIPs':['None']}}");
    assert_json(template_of("", "Service", "},'spec':{'ports':'odd'}"), "{'spec':{'ports':'odd'}}");
    assert_json(template_of("", "Service", "}"), "{}");
    assert_json(template_of("serving.example.com", "Service", "},'spec':{'clusterIP':'10.0.0.1'}"),
                "{'spec':{'clusterIP':'10.0.0.1'}}");
}

static void jobs(void **state)
{
    static const char generated[] =
        ",'labels':{'controller-uid':'u','job-name':'x'}},'spec':{'selector':{'matchLabels':{'controller-uid':'u'}},"
        "'template':{'metadata':{'labels':{'controller-uid':'u','batch.kubernetes.io/controller-uid':'u',"
        "'batch.kubernetes.io/job-name':'x','mine':'1'}}}%s}";
    _cleanup_free_ char *own = mem_printf(generated, ""), *manual = mem_printf(generated, ",'manualSelector':true");

    (void)state;
    assert_json(template_of("batch", "Job", own), "{'spec':{'template':{'metadata':{'labels':{'mine':'1'}}}}}");
    /* With manualSelector all of it is the user's. */
    assert_json(json_path(template_of("batch", "Job", manual), "spec.selector"),
                "{'matchLabels':{'controller-uid':'u'}}");
    assert_json(json_path(template_of("batch", "Job", manual), "metadata.labels"),
                "{'controller-uid':'u','job-name':'x'}");
}

static void other_kinds(void **state)
{
    (void)state;
    assert_json(template_of("", "ServiceAccount", "},'secrets':[{'name':'token'}],'imagePullSecrets':[{'name':'p'}]"),
                "{'imagePullSecrets':[{'name':'p'}]}");
    assert_json(template_of("", "PersistentVolumeClaim", "},'spec':{'volumeName':'pv-1','storageClassName':'fast'}"),
                "{'spec':{'storageClassName':'fast'}}");
    assert_json(template_of("", "Pod", "},'spec':{'nodeName':'node-1','containers':[{'image':'i'}]}"),
                "{'spec':{'containers':[{'image':'i'}]}}");
    assert_json(template_of("example.com", "Pod", "},'spec':{'nodeName':'node-1'},'secrets':[1]"),
                "{'spec':{'nodeName':'node-1'},'secrets':[1]}");
}

/* --- file mode --- */

static yyjson_val *convert_document(const char *document)
{
    _cleanup_error_ struct error *err = NULL;
    yyjson_mut_doc *doc = NULL;
    yyjson_val *result;

    assert_ok(fed_federate_document(J(document), &doc, NULL, &err), err);
    result = keep(json_freeze(doc));
    json_mut_free(doc);
    return result;
}

static void documents(void **state)
{
    yyjson_val *got = convert_document("{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web'},"
                                       "'spec':{'replicas':2,'selector':{'matchLabels':{'a':'b'}}}}");

    (void)state;
    assert_str(json_path_str(got, "apiVersion"), "types.kubefed.io/v1beta1");
    assert_str(json_path_str(got, "kind"), "FederatedDeployment");
    assert_json(json_get(got, "metadata"), "{'name':'web'}");
    assert_json(json_path(got, "spec.template.spec"), "{'replicas':2,'selector':{'matchLabels':{'a':'b'}}}");
    got = convert_document("{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s','namespace':'n'}}");
    assert_json(json_get(got, "metadata"), "{'name':'s','namespace':'n'}");
    got = convert_document("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'shop'},"
                           "'spec':{'finalizers':['kubernetes']}}");
    assert_json(json_get(got, "metadata"), "{'name':'shop','namespace':'shop'}");
    assert_json(json_path(got, "spec.template"), "{'spec':{}}");
    /* The group is part of the kind. */
    got = convert_document("{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'j'},'spec':{'selector':{}}}");
    assert_json(json_path(got, "spec.template"), "{'spec':{}}");
}

/* what is no object of Kubernetes becomes an error, not a document without name. */
static void refused(void **state)
{
    static const char *const rows[][2] = {
        { "null", "apiVersion" },
        { "'text'", "apiVersion" },
        { "{}", "apiVersion" },
        { "{'kind':'ConfigMap','metadata':{'name':'x'}}", "apiVersion" },
        { "{'apiVersion':'v1','metadata':{'name':'x'}}", "kind" },
        { "{'apiVersion':'v1','kind':'ConfigMap'}", "metadata.name" },
        { "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':7}}", "metadata.name" },
    };
    yyjson_mut_doc *doc = NULL;
    struct error *err = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_refused(fed_federate_document(J(rows[i][0]), &doc, NULL, &err), err, rows[i][1]);
    assert_refused(fed_federate(&configmap, J("[]"), &doc, NULL, &err), err, "not an object");
    assert_null(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example),    cmocka_unit_test(annotations_warn), cmocka_unit_test(many_annotations),
        cmocka_unit_test(namespaces), cmocka_unit_test(scopes),           cmocka_unit_test(services),
        cmocka_unit_test(jobs),       cmocka_unit_test(other_kinds),      cmocka_unit_test(documents),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
