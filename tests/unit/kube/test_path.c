/* URL paths of API resources. */
#include "kube/path.h"
#include "unit.h"

static const struct kube_resource deployments = { { "apps", 4 }, { "v1", 2 }, { "deployments", 11 }, true };
static const struct kube_resource pods = { { "", 0 }, { "v1", 2 }, { "pods", 4 }, true };
static const struct kube_resource nodes = { { NULL, 0 }, { "v1", 2 }, { "nodes", 5 }, false };

static void check(const struct kube_resource *r, const char *ns, const char *name, const char *sub, const char *want)
{
    _cleanup_free_ char *got = kube_path(r, str_of(ns), str_of(name), str_of(sub));

    assert_string_equal(got, want);
}

static void shapes(void **state)
{
    (void)state;
    check(&deployments, "ns", "web", "status", "/apis/apps/v1/namespaces/ns/deployments/web/status");
    check(&deployments, "ns", "web", NULL, "/apis/apps/v1/namespaces/ns/deployments/web");
    check(&deployments, "ns", "", "", "/apis/apps/v1/namespaces/ns/deployments");
    check(&deployments, "", "", "", "/apis/apps/v1/deployments");
    check(&pods, "ns", "p", NULL, "/api/v1/namespaces/ns/pods/p");
    check(&nodes, NULL, "n1", NULL, "/api/v1/nodes/n1");
    check(&nodes, "ns", "n1", NULL, "/api/v1/nodes/n1"); /* it has no namespace */
}

/* No name may leave its segment or start a query. */
static void encoding(void **state)
{
    (void)state;
    check(&pods, "a/b", "../c", NULL, "/api/v1/namespaces/a%2Fb/pods/..%2Fc");
    check(&pods, "..", ".", NULL, "/api/v1/namespaces/%2E%2E/pods/%2E");
    check(&pods, "ns", "x?y#z %", "log", "/api/v1/namespaces/ns/pods/x%3Fy%23z%20%25/log");
    check(&pods, "ns", "system:node\xc3\xa9\r\n", NULL, "/api/v1/namespaces/ns/pods/system%3Anode%C3%A9%0D%0A");
    check(&pods, "ns", "a.b-c_d~e", NULL, "/api/v1/namespaces/ns/pods/a.b-c_d~e");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(shapes), cmocka_unit_test(encoding) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
