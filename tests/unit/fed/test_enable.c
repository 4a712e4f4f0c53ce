/* What makes a type federated: the documents of `enable` (api-and-cli.md 1.9, 9.3). */
#include "fed/enable.h"

#include "fed_test.h"
#include "json/yaml.h"

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

/* --- the documents byte for byte --- */

static char *golden(void)
{
    FILE *f = fopen(DATA_DIR "/enable-deployments.yaml", "re");
    _cleanup_buf_ struct buf b = BUF_INIT((size_t)1 << 20);
    char chunk[4096];
    size_t n;

    assert_non_null(f);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        buf_add(&b, chunk, n);
    fclose(f);
    return buf_take(&b, NULL);
}

static void documents(void **state)
{
    _cleanup_free_ char *expected = golden();
    _cleanup_buf_ struct buf got = BUF_INIT((size_t)1 << 20);

    (void)state;
    assert_int_equal(yaml_write(&got, frozen(fed_enable_type_config(&deployments))), 0);
    buf_addz(&got, "---\n");
    assert_int_equal(yaml_write(&got, frozen(fed_enable_crd(&deployments))), 0);
    assert_string_equal(got.p, expected);
}

/* The types that the chart enables (1.9.5). */
static void chart_types(void **state)
{
    static const struct {
        const char *group, *version, *kind, *plural, *short_name, *ftc;
        bool namespaced, replicas;
    } rows[] = {
        { "rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", NULL,
          "clusterroles.rbac.authorization.k8s.io", false, false },
        { "", "v1", "ConfigMap", "configmaps", "cm", "configmaps", true, false },
        { "apps", "v1", "Deployment", "deployments", "deploy", "deployments.apps", true, true },
        { "extensions", "v1beta1", "Ingress", "ingresses", "ing", "ingresses.extensions", true, false },
        { "batch", "v1", "Job", "jobs", NULL, "jobs.batch", true, false },
        { "", "v1", "Namespace", "namespaces", "ns", "namespaces", false, false },
        { "apps", "v1", "ReplicaSet", "replicasets", "rs", "replicasets.apps", true, true },
        { "", "v1", "Secret", "secrets", NULL, "secrets", true, false },
        { "", "v1", "ServiceAccount", "serviceaccounts", "sa", "serviceaccounts", true, false },
        { "", "v1", "Service", "services", "svc", "services", true, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct str name = str_of(rows[i].short_name);
        struct fed_enable_input in = { .group = str_of(rows[i].group),
                                       .version = str_of(rows[i].version),
                                       .kind = str_of(rows[i].kind),
                                       .plural = str_of(rows[i].plural),
                                       .namespaced = rows[i].namespaced,
                                       .short_names = &name,
                                       .n_short_names = rows[i].short_name ? 1 : 0,
                                       .retain_replicas = rows[i].replicas };
        yyjson_val *ftc = frozen(fed_enable_type_config(&in)), *c = frozen(fed_enable_crd(&in));
        bool fed_namespaced = rows[i].namespaced || strcmp(rows[i].kind, "Namespace") == 0;
        _cleanup_free_ char *kind = mem_printf("Federated%s", rows[i].kind);
        _cleanup_free_ char *plural = mem_printf("federated%s", rows[i].plural);
        _cleanup_free_ char *crd_name = mem_printf("%s.types.kubefed.io", plural);
        _cleanup_free_ char *f_name = mem_printf("f%s", rows[i].short_name ? rows[i].short_name : "");
        struct str scope = fed_namespaced ? STR("Namespaced") : STR("Cluster");

        assert_str(json_path_str(ftc, "metadata.name"), rows[i].ftc);
        assert_str(json_path_str(ftc, "spec.targetType.scope"), rows[i].namespaced ? "Namespaced" : "Cluster");
        assert_true(str_eq(json_path_str(ftc, "spec.federatedType.scope"), scope));
        assert_str(json_path_str(ftc, "spec.federatedType.kind"), kind);
        assert_str(json_path_str(c, "metadata.name"), crd_name);
        assert_true(str_eq(json_path_str(c, "spec.scope"), scope));
        assert_str(json_path_str(c, "spec.names.plural"), plural);
        if (rows[i].short_name)
            assert_str(json_str(yyjson_arr_get_first(json_path(c, "spec.names.shortNames"))), f_name);
        else
            assert_null(json_path(c, "spec.names.shortNames"));
        assert_int_equal(json_path(yyjson_arr_get_first(json_path(c, "spec.versions")),
                                   "schema.openAPIV3Schema.properties.spec.properties.retainReplicas") != NULL,
                         rows[i].replicas);
        assert_null(json_path(ftc, "spec.statusType"));
        assert_null(json_path(ftc, "spec.statusCollection"));
    }
}

static void other_group(void **state)
{
    struct fed_enable_input in = namespaces;
    _cleanup_free_ char *name = NULL;
    yyjson_val *ftc, *c;

    (void)state;
    in.plural = STR("nodes");
    in.federated_group = STR("fed.example.com");
    in.federated_version = STR("v2");
    name = fed_enable_crd_name(&in);
    assert_string_equal(name, "federatednodes.fed.example.com");
    ftc = frozen(fed_enable_type_config(&in));
    c = frozen(fed_enable_crd(&in));
    assert_str(json_path_str(ftc, "spec.federatedType.group"), "fed.example.com");
    assert_str(json_path_str(ftc, "spec.federatedType.version"), "v2");
    assert_str(json_path_str(ftc, "spec.federatedType.scope"), "Cluster");
    assert_str(json_path_str(c, "spec.group"), "fed.example.com");
    assert_str(json_path_str(yyjson_arr_get_first(json_path(c, "spec.versions")), "name"), "v2");
    /* Only the core group's namespaces are namespaces. */
    in = namespaces;
    in.group = STR("example.com");
    assert_false(fed_enable_federated_namespaced(&in));
}

/* --- parts --- */

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

/* The table of 1.9.3 with networking.k8s.io/v1 ingresses: each with each other of its row, and with nothing else. */
static void equivalents(void **state)
{
    enum { MAX = 4 };
    static const struct {
        const char *plural, *api_versions[MAX];
    } rows[] = {
        { "deployments", { "apps/v1", "apps/v1beta1", "apps/v1beta2", "extensions/v1beta1" } },
        { "daemonsets", { "apps/v1", "apps/v1beta1", "apps/v1beta2", "extensions/v1beta1" } },
        { "replicasets", { "apps/v1", "apps/v1beta1", "apps/v1beta2", "extensions/v1beta1" } },
        { "statefulsets", { "apps/v1", "apps/v1beta1", "apps/v1beta2" } },
        { "networkpolicies", { "networking.k8s.io/v1", "extensions/v1beta1" } },
        { "podsecuritypolicies", { "policy/v1beta1", "extensions/v1beta1" } },
        { "ingresses", { "networking.k8s.io/v1", "networking.k8s.io/v1beta1", "extensions/v1beta1" } },
    };

    (void)state;
    for (size_t r = 0; r < ARRAY_SIZE(rows); r++)
        for (size_t i = 0; i < MAX && rows[r].api_versions[i]; i++) {
            struct str plural = str_of(rows[r].plural), a = str_of(rows[r].api_versions[i]);

            for (size_t j = 0; j < MAX && rows[r].api_versions[j]; j++)
                if (fed_types_equivalent(plural, a, str_of(rows[r].api_versions[j])) != (i != j))
                    fail_msg("%s: %s and %s", rows[r].plural, rows[r].api_versions[i], rows[r].api_versions[j]);
            assert_false(fed_types_equivalent(plural, a, STR("example.com/v1")));
            assert_false(fed_types_equivalent(plural, STR("example.com/v1"), a));
            assert_false(fed_types_equivalent(STR("configmaps"), a, STR("v1")));
        }
    assert_false(fed_types_equivalent(STR("statefulsets"), STR("apps/v1"), STR("extensions/v1beta1")));
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
    assert_false(
        fed_schema_has_replicas(J("{'spec':{'properties':{'replicas':{'type':'integer','format':'int64'}}}}"), NULL));
    /* A definition that refers to itself ends somewhere. */
    assert_false(fed_schema_has_replicas(J("{'spec':{'$ref':'#/definitions/a'}}"),
                                         J("{'a':{'$ref':'#/definitions/b'},'b':{'$ref':'#/definitions/a'}}")));
    assert_false(fed_schema_has_replicas(NULL, NULL));
}

/* what enable made, what KubeFed made, and what somebody else made. */
static void replaceable(void **state)
{
    static const char *const schema = "'versions':[{'schema':{'openAPIV3Schema':{'properties':{'spec':{'properties':"
                                      "{'placement':{},'overrides':{}}}}}}}]";

    (void)state;
    assert_null(fed_enable_crd_mismatch(&deployments, frozen(fed_enable_crd(&deployments))));
    assert_null(
        fed_enable_crd_mismatch(&deployments, JF("{'spec':{'names':{'kind':'FederatedDeployment'},%s}}", schema)));
    assert_null(fed_enable_crd_mismatch(
        &deployments,
        J("{'metadata':{'labels':{'kubefed.io/created-by-enable':'true'}},'spec':{'names':{'kind':'X'}}}")));
    assert_non_null(fed_enable_crd_mismatch(
        &deployments,
        J("{'metadata':{'labels':{'kubefed.io/created-by-enable':'false'}},'spec':{'names':{'kind':'X'}}}")));
    assert_string_equal(
        fed_enable_crd_mismatch(&deployments, JF("{'spec':{'names':{'kind':'Deployment'},%s}}", schema)),
        "its kind is another one");
    assert_string_equal(fed_enable_crd_mismatch(&deployments, J("{'spec':{'names':{'kind':'FederatedDeployment'}}}")),
                        "its schema has no spec.placement and spec.overrides");
    assert_non_null(fed_enable_crd_mismatch(&deployments, J("{}")));
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
    assert_string_equal(d.target_version, "");
    fed_enable_directive_done(&d);
    assert_ok(fed_enable_directive_decode(J("{'apiVersion':'any','metadata':{'name':'x'},'spec':{'targetVersion':'v2',"
                                            "'federatedGroup':'g.example.com','federatedVersion':'','more':1}}"),
                                          &d, &err),
              err);
    assert_string_equal(d.target_version, "v2");
    assert_string_equal(d.federated_group, "g.example.com");
    assert_string_equal(d.federated_version, ""); /* given empty is not absent */
    fed_enable_directive_done(&d);
    /* */
    assert_refused(fed_enable_directive_decode(J("{'metadata':{}}"), &d, &err), err, "metadata.name");
    assert_refused(fed_enable_directive_decode(J("{'metadata':{'name':''}}"), &d, &err), err, "NAME is required");
    assert_refused(fed_enable_directive_decode(J("null"), &d, &err), err, "NAME is required");
    assert_refused(fed_enable_directive_decode(J("{'metadata':{'name':'x'},'spec':{'targetVersion':5}}"), &d, &err),
                   err, "targetVersion");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents),
        cmocka_unit_test(chart_types),
        cmocka_unit_test(other_group),
        cmocka_unit_test(type_config),
        cmocka_unit_test(namespaces_are_special),
        cmocka_unit_test(crd),
        cmocka_unit_test(equivalents),
        cmocka_unit_test(replicas_in_schemas),
        cmocka_unit_test(replaceable),
        cmocka_unit_test(directives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
