/* Names made from names. */
#include "fed/names.h"
#include "fed_test.h"

static void check_owned(char *got, const char *expected)
{
    assert_string_equal(got, expected);
    free(got);
}

static void plural_of_defaulting(void **state)
{
    static const char *const cases[][2] = {
        { "Deployment", "deployments" },
        { "Ingress", "ingresses" },
        { "NetworkPolicy", "networkpolicies" },
        { "Fox", "foxes" },
        { "Church", "churches" },
        { "Bush", "bushes" },
        { "Quiz", "quizes" },
        { "Hero", "heroes" },
        { "Day", "daies" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check_owned(fed_plural(str_of(cases[i][0])), cases[i][1]);
    check_owned(fed_plural(STR("")), "s");
}

static void plural_of_file(void **state)
{
    static const char *const cases[][2] = {
        { "Namespace", "namespaces" },
        { "Endpoints", "endpoints" },
        { "Ingress", "ingresses" },
        { "NetworkPolicy", "networkpolicies" },
        { "Fox", "foxs" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check_owned(fed_plural_of_file(str_of(cases[i][0])), cases[i][1]);
}

static void composed(void **state)
{
    (void)state;
    check_owned(fed_federated_kind(STR("ConfigMap")), "FederatedConfigMap");
    check_owned(fed_federated_plural(STR("configmaps")), "federatedconfigmaps");
    check_owned(fed_type_config_name(STR("configmaps"), STR("")), "configmaps");
    check_owned(fed_type_config_name(STR("deployments"), STR("apps")), "deployments.apps");
    check_owned(fed_api_version(STR(""), STR("v1")), "v1");
    check_owned(fed_api_version(STR("apps"), STR("v1")), "apps/v1");
    check_owned(fed_version_name_of(STR("ConfigMap"), STR("greet")), "configmap-greet");
}

static void protected_namespaces(void **state)
{
    static const char *const names[] = { "kube-system", "kube-public", "kube-node-lease", "default", "sys" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_true(fed_namespace_is_protected(str_of(names[i]), STR("sys")));
    assert_false(fed_namespace_is_protected(STR("shop"), STR("sys")));
    assert_false(fed_namespace_is_protected(STR(""), STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plural_of_defaulting),
        cmocka_unit_test(plural_of_file),
        cmocka_unit_test(composed),
        cmocka_unit_test(protected_namespaces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
