/* FederatedTypeConfig: defaults, rules (api-and-cli.md 4.4, 9.1), status. */
#include "fed/typeconfig.h"

#include "fed_test.h"

#define TARGET                                                                                                         \
    "'targetType':{'group':'apps','version':'v1','kind':'Deployment','pluralName':'deployments','scope':'Namespaced'}"
#define FEDERATED                                                                                                      \
    "'federatedType':{'group':'types.kubefed.io','version':'v1beta1','kind':'FederatedDeployment',"                    \
    "'pluralName':'federateddeployments','scope':'Namespaced'}"

static void complete(void **state)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *c = NULL, *copy = NULL;
    _cleanup_error_ struct error *err = NULL;

    (void)state;
    assert_ok(fed_type_config_decode(J("{'metadata':{'name':'deployments.apps'},'spec':{'propagation':'Enabled'," TARGET
                                       "," FEDERATED "}}"),
                                     &c, &err),
              err);
    assert_string_equal(c->name, "deployments.apps");
    assert_string_equal(c->target.group, "apps");
    assert_string_equal(c->target.kind, "Deployment");
    assert_true(c->target.namespaced && c->federated.namespaced && c->propagation_enabled);
    assert_false(c->status_collection || c->has_status_type || fed_type_is_namespace(c));
    copy = fed_type_config_copy(c);
    assert_true(fed_type_config_equal(c, copy));
    copy->propagation_enabled = false;
    assert_false(fed_type_config_equal(c, copy));
}

/* What may be left out, and that webhooks are stricter. */
static void defaults(void **state)
{
    static const char text[] =
        "{'metadata':{'name':'services'},'spec':{'propagation':'Disabled','statusCollection':'Enabled',"
        "'targetType':{'version':'v1','kind':'Service','scope':'Namespaced'},"
        "'federatedType':{'group':'types.kubefed.io','version':'v1beta1','kind':'FederatedService','scope':'Namespaced'},"
        "'statusType':{'kind':'FederatedServiceStatus','scope':'Namespaced'}}}";
    _cleanup_(fed_type_config_freep) struct fed_type_config *c = NULL;
    struct error *err = NULL;

    (void)state;
    assert_ok(fed_type_config_decode(J(text), &c, &err), err);
    assert_string_equal(c->target.plural, "services");
    assert_string_equal(c->target.group, "");
    assert_string_equal(c->federated.plural, "federatedservices");
    assert_true(c->has_status_type && c->status_collection && !c->propagation_enabled);
    assert_string_equal(c->status.plural, "federatedservicestatuses");
    assert_string_equal(c->status.group, "types.kubefed.io");
    assert_string_equal(c->status.version, "v1beta1");
    assert_refused(fed_type_config_validate(J(text), &err), err, "spec.targetType.pluralName: Required value");
}

static void namespaces(void **state)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *c = make_type("", "v1", "Namespace", "namespaces", false);

    (void)state;
    assert_true(fed_type_is_namespace(c));
    assert_false(c->target.namespaced);
    assert_true(c->federated.namespaced); /* whatever its scope field says */
}

static void violations(void **state)
{
    static const char empty[] =
        "[name: Invalid value: \"x\": name must be 'TARGET_PLURAL_NAME(.TARGET_GROUP_NAME)', "
        "spec.targetType.version: Required value, spec.targetType.kind: Required value, "
        "spec.targetType.pluralName: Required value, spec.targetType.scope: Required value, "
        "spec.propagation: Required value, spec.federatedType.group: Required value, "
        "spec.federatedType.version: Required value, spec.federatedType.kind: Required value, "
        "spec.federatedType.pluralName: Required value, spec.federatedType.scope: Required value]";
    struct error *err = NULL;
    struct fed_type_config *c = NULL;

    (void)state;
    assert_int_equal(fed_type_config_validate(J("{'metadata':{'name':'x'},'spec':{}}"), &err), -EINVAL);
    assert_string_equal(err->msg, empty);
    error_free(err);
    err = NULL;
    assert_refused(
        fed_type_config_decode(J("{'metadata':{'name':'deployments.apps'},'spec':{'propagation':'Enabled'," TARGET
                                 ",'federatedType':{'group':'types','version':'v1beta1','kind':'F',"
                                 "'pluralName':'fs','scope':'Namespaced'}}}"),
                               &c, &err),
        err, "spec.federatedType.group: Invalid value: \"types\": should be a domain with at least one dot");
    assert_refused(fed_type_config_check(J("{'metadata':{'name':'deployments.apps'},'spec':{'propagation':'On'," TARGET
                                           "," FEDERATED ",'statusCollection':''}}"),
                                         &err),
                   err,
                   "[spec.propagation: Unsupported value: \"On\": supported values: \"Enabled\", \"Disabled\", "
                   "spec.statusCollection: Required value]");
    assert_refused(fed_type_config_decode(J("{'metadata':{'name':'1a.apps'},'spec':{'propagation':'Enabled',"
                                            "'targetType':{'group':'apps','version':'V1','kind':'K_','pluralName':'1a',"
                                            "'scope':'x'}," FEDERATED "}}"),
                                          &c, &err),
                   err, "start with an alphabetic character");
    assert_refused(fed_type_config_decode(J("{'spec':{'targetType':1}}"), &c, &err), err, "spec.targetType");
    assert_refused(fed_type_config_decode(J("[]"), &c, &err), err, "must be an object");
    assert_refused(fed_type_config_decode(NULL, &c, &err), err, "must be an object");
}

/* One rule of the webhook is broken; the controller can do without it. */
static void check_usable(const char *text, bool propagated)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *c = NULL;
    _cleanup_error_ struct error *err = NULL;

    assert_ok(fed_type_config_decode(J(text), &c, &err), err);
    assert_int_equal(c->propagation_enabled, propagated);
    assert_false(c->status_collection || c->has_status_type);
    assert_string_equal(c->target.kind, "Deployment");
    assert_true(c->federated.namespaced);
    assert_int_equal(fed_type_config_check(J(text), &err), -EINVAL);
}

/* KubeFed's controller runs what no webhook has seen, and so do we. */
static void usable_against_the_rules(void **state)
{
    struct fed_type_config *c = NULL;
    struct error *err = NULL;

    (void)state;
    check_usable("{'metadata':{'name':'deployments.apps'},'spec':{'propagation':'Enabled'," TARGET "," FEDERATED
                 ",'statusCollection':''}}",
                 true);
    check_usable("{'metadata':{'name':'mine'},'spec':{'propagation':'Enabled'," TARGET "," FEDERATED "}}", true);
    check_usable("{'metadata':{'name':'deployments.apps'},'spec':{'propagation':'On'," TARGET "," FEDERATED "}}",
                 false);
    check_usable("{'metadata':{'name':'deployments.apps'},'spec':{'propagation':'Enabled'," TARGET "," FEDERATED
                 ",'statusType':{'kind':'A/B'}}}",
                 true);
    check_usable("{'metadata':{'name':'deployments.apps'},'spec':{'propagation':'Enabled'," TARGET
                 ",'federatedType':{'group':'types.kubefed.io','version':'v1beta1','kind':'FederatedDeployment'}}}",
                 true);
    /* Namespaces are found by that name, and by no other. */
    assert_refused(fed_type_config_decode(J("{'metadata':{'name':'namespaces'},'spec':{'propagation':'Enabled'," TARGET
                                            "," FEDERATED "}}"),
                                          &c, &err),
                   err, "name: Invalid value: \"namespaces\"");
    assert_refused(
        fed_type_config_decode(J("{'metadata':{'name':'ours'},'spec':{'propagation':'Enabled'," FEDERATED
                                 ",'targetType':{'version':'v1','kind':'Namespace','pluralName':'namespaces',"
                                 "'scope':'Cluster'}}}"),
                               &c, &err),
        err, "name: Invalid value: \"ours\"");
}

/* Whose placement bounds everything inside is found by one name; another FTC for the same objects would not be known as theirs. */
static void namespaces_have_one_type(void **state)
{
#define NAMESPACES(name, kind, plural, scope)                                                                          \
    "{'metadata':{'name':'" name "'},'spec':{'propagation':'Enabled'," FEDERATED ",'targetType':{'version':'v1',"      \
    "'kind':'" kind "','pluralName':'" plural "','scope':'" scope "'}}}"
    static const struct {
        const char *text, *why;
    } rows[] = {
        { NAMESPACES("projects", "Namespace", "projects", "Cluster"),
          "spec.targetType.pluralName: Invalid value: \"projects\": that of Namespace is 'namespaces'" },
        { NAMESPACES("projects", "Namespace", "", "Cluster"), /* from its name */
          "spec.targetType.pluralName: Invalid value: \"projects\": that of Namespace is 'namespaces'" },
        { NAMESPACES("namespaces", "Namespace", "projects", "Cluster"), "name: Invalid value: \"namespaces\"" },
        { NAMESPACES("ours", "Namespace", "namespaces", "Cluster"), "name: Invalid value: \"ours\"" },
        /* The host's own would not be known as such. */
        { NAMESPACES("namespaces", "Project", "namespaces", "Cluster"),
          "spec.targetType.kind: Invalid value: \"Project\": that of namespaces is 'Namespace'" },
        /* They would be placed nowhere, not being in a namespace that is federated. */
        { NAMESPACES("namespaces", "Namespace", "namespaces", "Namespaced"),
          "spec.targetType.scope: Invalid value: \"Namespaced\": that of namespaces is 'Cluster'" },
        { NAMESPACES("namespaces", "", "namespaces", "Cluster"), "spec.targetType.kind: Required value" },
    };
    _cleanup_(fed_type_config_freep) struct fed_type_config *c = NULL, *other = NULL;
    struct error *err = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_refused(fed_type_config_decode(J(rows[i].text), &c, &err), err, rows[i].why);
    assert_ok(fed_type_config_decode(J(NAMESPACES("namespaces", "Namespace", "", "Cluster")), &c, &err), err);
    assert_true(fed_type_is_namespace(c));
    /* In another group the word means something else. */
    other = make_type("example.com", "v1", "Namespace", "projects", true);
    assert_false(fed_type_is_namespace(other));
    /* The webhook says what KubeFed's does. */
    assert_ok(fed_type_config_validate(J(rows[0].text), &err), err);
}

/* An FTC for Deployments. */
static struct fed_type_config *rival(const char *name, const char *created)
{
    struct fed_type_config *c = NULL;
    struct error *err = NULL;

    assert_ok(fed_type_config_decode(
                  JF("{'metadata':{'name':'%s'%s%s%s},'spec':{'propagation':'Enabled'," TARGET "," FEDERATED "}}", name,
                     created[0] ? ",'creationTimestamp':'" : "", created, created[0] ? "'" : ""),
                  &c, &err),
              err);
    return c;
}

static void one_of_rivals_goes_first(void **state)
{
    static const struct {
        const char *name, *created, *other, *other_created;
    } rows[] = {
        /* Age, then the proper name, then the name. */
        { "a", "2023-01-01T00:00:00Z", "deployments.apps", "2024-01-01T00:00:00Z" },
        { "a", "2023-01-01T00:00:00Z", "deployments.apps", "" },
        { "deployments.apps", "2023-01-01T00:00:00Z", "a", "2023-01-01T00:00:00Z" },
        { "deployments.apps", "", "a", "" },
        { "deployments", "2023-01-01T00:00:00Z", "a", "2023-01-01T00:00:01Z" },
        { "a", "2024-01-01T00:00:00Z", "b", "2024-01-01T00:00:00Z" },
        { "b", "2024-01-01T00:00:00Z", "a", "" },
        { "b", "2024-01-01T00:00:00Z", "a", "yesterday" },
        { "a", "", "b", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(fed_type_config_freep) struct fed_type_config *a = rival(rows[i].name, rows[i].created);
        _cleanup_(fed_type_config_freep) struct fed_type_config *b = rival(rows[i].other, rows[i].other_created);

        assert_true(fed_type_config_rivals(a, b) && fed_type_config_rivals(b, a));
        if (!fed_type_config_goes_first(a, b) || fed_type_config_goes_first(b, a))
            fail_msg("row %zu", i);
    }
}

/* Borrowed until the next call. */
static const char *contested(const struct fed_type_config *a, const struct fed_type_config *b)
{
    static char name[100];
    _cleanup_free_ char *text = fed_type_config_contested(a, b);

    snprintf(name, sizeof(name), "%s", text);
    return name;
}

/* Without `namespaces` nothing namespaced is placed: who takes its federated type waits, however old it is. */
static void namespaces_go_first(void **state)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *ours = make_type("", "v1", "Namespace", "namespaces",
                                                                              false);
    _cleanup_(fed_type_config_freep) struct fed_type_config *other = make_type("", "v1", "Thing", "things", true);

    (void)state;
    other->created = 1;
    ours->created = 2;
    assert_true(fed_type_config_goes_first(ours, other));
    assert_false(fed_type_config_goes_first(other, ours));
}

/* Objects of the same URLs, whatever version they are read in and whatever they are called; and both are to be propagated. */
static void rivals(void **state)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *a = make_type("apps", "v1", "Deployment", "deployments",
                                                                           true);
    _cleanup_(fed_type_config_freep) struct fed_type_config *version = make_type("apps", "v2", "Other", "deployments",
                                                                                 true);
    _cleanup_(fed_type_config_freep) struct fed_type_config *group = make_type("", "v1", "Deployment", "deployments",
                                                                               true);
    _cleanup_(fed_type_config_freep) struct fed_type_config *plural = make_type("apps", "v1", "Deployment", "depls",
                                                                                true);

    (void)state;
    free(group->federated.group);
    group->federated.group = mem_strdup("types.example.com");
    assert_true(fed_type_config_rivals(a, version));
    assert_false(fed_type_config_rivals(a, group) || fed_type_config_rivals(a, plural));
    version->propagation_enabled = false;
    assert_false(fed_type_config_rivals(a, version) || fed_type_config_rivals(version, a));
    version->propagation_enabled = true;
    assert_string_equal(contested(a, version), "deployments.apps");
    /* Nor may two share federated objects. */
    free(plural->federated.plural);
    plural->federated.plural = mem_strdup(a->federated.plural);
    assert_true(fed_type_config_rivals(a, plural) && fed_type_config_rivals(plural, a));
    assert_string_equal(contested(plural, a), "federateddeployments.types.kubefed.io");
    assert_true(fed_type_config_same_claim(a, a));
    assert_false(fed_type_config_same_claim(a, plural) || fed_type_config_same_claim(a, group));
}

/* Of one that cannot be used. */
static void claims(void **state)
{
    static const struct {
        const char *name, *spec, *target; /* NULL: none */
    } rows[] = {
        { "ours.apps", "'propagation':'Enabled','targetType':{'group':'apps','pluralName':'deployments'}",
          "apps/deployments" },
        { "ours.apps", "'propagation':'Enabled','targetType':{'group':'apps','kind':7}",
          "apps/ours" }, /* as defaulted */
        { "ours", "'propagation':7,'targetType':{'pluralName':'things','version':[]}", "/things" },
        { "ours", "'targetType':{'pluralName':'namespaces'}", NULL },
        { "ours", "'targetType':{'kind':'Namespace','pluralName':'projects'}", NULL },
        { "namespaces", "'targetType':{'kind':'Namespace','version':7}", "/namespaces" },
        { "ours", "'targetType':{'group':'a.b','kind':'Namespace','pluralName':'projects'}", "a.b/projects" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *text = mem_printf("{'metadata':{'name':'%s'},'spec':{%s}}", rows[i].name, rows[i].spec);
        _cleanup_(fed_type_config_freep) struct fed_type_config *c = fed_type_config_claim(J(text));
        _cleanup_free_ char *target = c ? mem_printf("%s/%s", c->target.group, c->target.plural) : NULL;

        if (!str_eq(str_of(target), str_of(rows[i].target)))
            fail_msg("row %zu: %s", i, target ? target : "none");
    }
    assert_null(fed_type_config_claim(NULL));
    assert_null(fed_type_config_claim(J("{}")));
}

static void status(void **state)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);

    (void)state;
    assert_true(fed_type_config_status_patch(&b, J("{}"), 3, true, false));
    assert_json_text(buf_str(&b), "{'status':{'observedGeneration':3,'propagationController':'Running',"
                                  "'statusController':'NotRunning'}}");
    assert_false(fed_type_config_status_patch(&b, text_val(buf_str(&b)), 3, true, false));
    assert_true(fed_type_config_status_patch(
        &b, J("{'status':{'observedGeneration':3,'propagationController':'Running'}}"), 3, true, false));
}

/* --- scale --- */

/* The path of version v1 in a definition with this list of versions. */
static void check_path(const char *versions, const char *expected)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *c = make_type("example.com", "v1", "Widget", "widgets",
                                                                           true);
    _cleanup_free_ char *path = fed_type_replicas_path(c, JF("{'spec':{'versions':%s}}", versions));

    if (expected ? !path || strcmp(path, expected) != 0 : path != NULL)
        fail_msg("%s: %s", versions, path ? path : "none");
}
#define SCALED(name, path) "{'name':'" name "','subresources':{'scale':{'specReplicasPath':'" path "'}}}"

static void replicas_paths(void **state)
{
    static const char *const bad[] = {
        "",          ".",          "spec.replicas", ".spec",      ".spec.",     ".spec..a",    ".spec.a.",
        ".status.a", ".specs.a",   ".spec.a[0]",    ".spec.a[*]", ".spec['a']", ".spec.a b",   "$.spec.a",
        "..spec.a",  ".spec.a..b", ".Spec.a",       ".spec.a/b",  ".spec.*",    ".metadata.a", "{.spec.a}",
    };

    (void)state;
    check_path("[" SCALED("v1", ".spec.replicas") "]", "spec.replicas");
    check_path("[" SCALED("v1", ".spec.size.wanted") "]", "spec.size.wanted");
    check_path("[" SCALED("v1", ".spec.a_b.c-d.E9") "]", "spec.a_b.c-d.E9");
    /* Each version has its own; the federated one counts. */
    check_path("[" SCALED("v2", ".spec.b") "," SCALED("v1", ".spec.a") "]", "spec.a");
    check_path("[" SCALED("v2", ".spec.b") ",{'name':'v1'}]", NULL);
    check_path("[" SCALED("v2", ".spec.b") "]", NULL);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_free_ char *versions = mem_printf(
            "[{\"name\":\"v1\",\"subresources\":{\"scale\":{\"specReplicasPath\":"
            "\"%s\"}}}]",
            bad[i]);
        _cleanup_(fed_type_config_freep) struct fed_type_config *c = make_type("example.com", "v1", "Widget", "widgets",
                                                                               true);
        _cleanup_free_ char *crd = mem_printf("{\"spec\":{\"versions\":%s}}", versions);
        _cleanup_free_ char *path = fed_type_replicas_path(c, text_val(str_of(crd)));

        if (path)
            fail_msg("%s gives %s", bad[i], path);
    }
}

static void replicas_paths_of_odd_definitions(void **state)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *c = make_type("example.com", "v1", "Widget", "widgets",
                                                                           true);

    (void)state;
    check_path("[]", NULL);
    check_path("{}", NULL);
    check_path("7", NULL);
    check_path("[null,7,{'name':'v1','subresources':{'scale':7}}]", NULL);
    check_path("[{'name':'v1','subresources':{'scale':{'specReplicasPath':['.spec.a']}}}]", NULL);
    assert_null(fed_type_replicas_path(c, NULL));
    assert_null(fed_type_replicas_path(c, J("{}")));
}

/* Version v1 of a definition with that path of the count that there is, and these properties of the status. */
static void check_status_path(const char *path, const char *properties, const char *expected)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *c = make_type("example.com", "v1", "Widget", "widgets",
                                                                           true);
    yyjson_val *crd = JF(
        "{'spec':{'versions':[{'name':'v2','subresources':{'scale':{'statusReplicasPath':'.status.b'}}},"
        "{'name':'v1','subresources':{'scale':{'statusReplicasPath':'%s'}},"
        "'schema':{'openAPIV3Schema':{'properties':{'status':{'properties':%s}}}}}]}}",
        path, properties);
    _cleanup_free_ char *got = fed_type_status_replicas_path(c, crd);

    if (expected ? !got || strcmp(got, expected) != 0 : got != NULL)
        fail_msg("%s with %s: %s", path, properties, got ? got : "none");
}

static void status_replicas_paths(void **state)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *c = make_type("example.com", "v1", "Widget", "widgets",
                                                                           true);

    (void)state;
    check_status_path(".status.size", "{}", "status.size");
    check_status_path(".status.pool.size", "{'size':{}}", "status.pool.size");
    check_status_path(".status.size", "{'readyReplicas':{'type':'integer'}}", NULL);
    check_status_path(".spec.size", "{}", NULL);
    check_status_path("status.size", "{}", NULL);
    check_status_path(".status.", "{}", NULL);
    check_status_path(".status.a[0]", "{}", NULL);
    check_status_path("", "{}", NULL);
    assert_null(fed_type_status_replicas_path(c, NULL));
    assert_null(fed_type_status_replicas_path(c, J("{'spec':{'versions':[{'name':'v1'}]}}")));
}

static void copies_keep_the_path(void **state)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *c = make_type("example.com", "v1", "Widget", "widgets",
                                                                           true),
                                                            *copy = NULL, *without = NULL;

    (void)state;
    without = fed_type_config_copy(c);
    assert_null(without->replicas_path);
    assert_null(without->status_replicas_path);
    c->replicas_path = mem_strdup("spec.size.wanted");
    c->status_replicas_path = mem_strdup("status.size");
    copy = fed_type_config_copy(c);
    assert_string_equal(copy->replicas_path, "spec.size.wanted");
    assert_ptr_not_equal(copy->replicas_path, c->replicas_path);
    assert_string_equal(copy->status_replicas_path, "status.size");
    assert_ptr_not_equal(copy->status_replicas_path, c->status_replicas_path);
    /* The FTC is the same: nothing is to be restarted. */
    assert_true(fed_type_config_equal(c, without));
}

static void scalable_and_custom(void **state)
{
    static const struct {
        const char *group, *kind, *plural;
        bool scalable, custom;
    } types[] = {
        { "apps", "Deployment", "deployments", true, false },
        { "apps", "ReplicaSet", "replicasets", true, false },
        { "apps", "StatefulSet", "statefulsets", true, false },
        { "", "ReplicationController", "replicationcontrollers", true, false },
        { "apps", "DaemonSet", "daemonsets", false, false },
        { "batch", "Job", "jobs", false, false },
        { "", "ConfigMap", "configmaps", false, false },
        { "networking.k8s.io", "Ingress", "ingresses", false, false },
        { "example.com", "Deployment", "deployments", false, true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        _cleanup_(fed_type_config_freep) struct fed_type_config *c = make_type(types[i].group, "v1", types[i].kind,
                                                                               types[i].plural, true);

        if (fed_type_is_scalable(c) != types[i].scalable || fed_type_is_custom(c) != types[i].custom)
            fail_msg("%s.%s", types[i].plural, types[i].group);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete),
        cmocka_unit_test(defaults),
        cmocka_unit_test(namespaces),
        cmocka_unit_test(violations),
        cmocka_unit_test(usable_against_the_rules),
        cmocka_unit_test(namespaces_have_one_type),
        cmocka_unit_test(one_of_rivals_goes_first),
        cmocka_unit_test(rivals),
        cmocka_unit_test(namespaces_go_first),
        cmocka_unit_test(claims),
        cmocka_unit_test(status),
        cmocka_unit_test(replicas_paths),
        cmocka_unit_test(replicas_paths_of_odd_definitions),
        cmocka_unit_test(status_replicas_paths),
        cmocka_unit_test(copies_keep_the_path),
        cmocka_unit_test(scalable_and_custom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
