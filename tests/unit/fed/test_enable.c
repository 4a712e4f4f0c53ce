/* What makes a type federated: the documents of `enable` (api-and-cli.md 1.9, 9.3). */
#include "fed/enable.h"

#include "fed_test.h"

static const struct str short_names[] = { STR("deploy") };
static const struct fed_enable_input deployments = { .group = STR("apps"),
                                                     .version = STR("v1"),
                                                     .kind = STR("Deployment"),
                                                     .plural = STR("deployments"),
                                                     .namespaced = true,
                                                     .short_names = short_names,
                                                     .n_short_names = 1,
                                                     .retain_replicas = true };
static const struct fed_enable_input namespaces = { .version = STR("v1"),
                                                    .kind = STR("Namespace"),
                                                    .plural = STR("namespaces") };

static yyjson_val *frozen(yyjson_mut_doc *doc)
{
    yyjson_val *v = keep(json_freeze(doc));

    yyjson_mut_doc_free(doc);
    return v;
}

static void type_config(void **state)
{
    yyjson_val *ftc = frozen(fed_enable_type_config(&deployments));

    (void)state;
    assert_str(json_path_str(ftc, "metadata.name"), "deployments.apps");
    assert_json(json_path(ftc, "spec.targetType"), "{'group':'apps','version':'v1','kind':'Deployment',"
                                                   "'pluralName':'deployments','scope':'Namespaced'}");
    assert_json(json_path(ftc, "spec.federatedType"),
                "{'group':'types.kubefed.io','version':'v1beta1','kind':'FederatedDeployment',"
                "'pluralName':'federateddeployments','scope':'Namespaced'}");
    assert_str(json_path_str(ftc, "spec.propagation"), "Enabled");
}

/* The core group has no name; FederatedNamespaces live in namespaces although Namespaces do not. */
static void namespaces_are_special(void **state)
{
    yyjson_val *ftc = frozen(fed_enable_type_config(&namespaces));

    (void)state;
    assert_str(json_path_str(ftc, "metadata.name"), "namespaces");
    assert_null(json_path(ftc, "spec.targetType.group"));
    assert_str(json_path_str(ftc, "spec.targetType.scope"), "Cluster");
    assert_true(fed_enable_federated_namespaced(&namespaces));
    yyjson_val *crd = frozen(fed_enable_crd(&namespaces));
    assert_str(json_path_str(crd, "spec.scope"), "Namespaced");
}

static void crd(void **state)
{
    yyjson_val *c = frozen(fed_enable_crd(&deployments));
    yyjson_val *version = yyjson_arr_get_first(json_path(c, "spec.versions"));
    yyjson_val *spec = json_path(version, "schema.openAPIV3Schema.properties.spec.properties");

    (void)state;
    assert_str(json_path_str(c, "apiVersion"), "apiextensions.k8s.io/v1");
    assert_str(json_path_str(c, "metadata.name"), "federateddeployments.types.kubefed.io");
    /* The API server completes the other names. */
    assert_json(json_path(c, "spec.names"),
                "{'plural':'federateddeployments','kind':'FederatedDeployment','shortNames':['fdeploy']}");
    assert_json(json_get(version, "subresources"), "{'status':{}}");
    assert_json(json_path(spec, "template"), "{'type':'object','x-kubernetes-preserve-unknown-fields':true}");
    assert_non_null(json_path(spec, "placement.properties.clusterSelector.properties.matchExpressions"));
    assert_json(json_path(spec, "retainReplicas"), "{'type':'boolean'}");
    assert_null(json_path(version, "schema.openAPIV3Schema.properties.spec.required"));
}

static void equivalents(void **state)
{
    (void)state;
    assert_true(fed_types_equivalent(STR("deployments"), STR("apps/v1"), STR("extensions/v1beta1")));
    assert_true(fed_types_equivalent(STR("ingresses"), STR("networking.k8s.io/v1beta1"), STR("extensions/v1beta1")));
    assert_false(fed_types_equivalent(STR("deployments"), STR("apps/v1"), STR("example.com/v1")));
    assert_false(fed_types_equivalent(STR("configmaps"), STR("v1"), STR("apps/v1")));
}

static void replicas_in_schemas(void **state)
{
    yyjson_val *definitions = J("{'io.x.Spec':{'properties':{'replicas':{'type':'integer','format':'int32'}}}}");

    (void)state;
    assert_true(
        fed_schema_has_replicas(J("{'spec':{'properties':{'replicas':{'type':'integer','format':'int32'}}}}"), NULL));
    assert_true(fed_schema_has_replicas(J("{'spec':{'$ref':'#/definitions/io.x.Spec'}}"), definitions));
    assert_false(fed_schema_has_replicas(J("{'spec':{'properties':{'replicas':{'type':'string'}}}}"), NULL));
    assert_false(fed_schema_has_replicas(J("{'spec':{'$ref':'#/definitions/io.x.Other'}}"), definitions));
    assert_false(fed_schema_has_replicas(J("{'spec':{'$ref':5}}"), definitions));
    assert_false(fed_schema_has_replicas(NULL, NULL));
}

static void directives(void **state)
{
    struct fed_enable_directive d = { 0 };
    struct error *err = NULL;

    (void)state;
    assert_ok(fed_enable_directive_decode(J("{'metadata':{'name':'configmaps'}}"), &d, &err), err);
    assert_string_equal(d.name, "configmaps");
    assert_string_equal(d.federated_group, "types.kubefed.io");
    assert_string_equal(d.federated_version, "v1beta1");
    fed_enable_directive_done(&d);
    assert_refused(fed_enable_directive_decode(J("{'metadata':{}}"), &d, &err), err, "metadata.name");
    assert_refused(fed_enable_directive_decode(J("{'metadata':{'name':'x'},'spec':{'targetVersion':5}}"), &d, &err),
                   err, "targetVersion");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_config), cmocka_unit_test(namespaces_are_special), cmocka_unit_test(crd),
        cmocka_unit_test(equivalents), cmocka_unit_test(replicas_in_schemas),    cmocka_unit_test(directives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
