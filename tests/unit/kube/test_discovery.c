/* Discovery: what is read from the server, and how a typed name finds its resource (api-and-cli.md 1.9.3). */
#include "kube/discovery.h"
#include "kube_test.h"

static struct kube_client *client;
static struct kube_discovery discovery;
/* A path that is refused this many times. */
static const char *broken_path;
static unsigned broken_times;
static int broken_status;

#define RESOURCE(name, singular, kind, namespaced, shorts)                                                             \
    "{\"name\":\"" name "\",\"singularName\":\"" singular "\",\"kind\":\"" kind "\",\"namespaced\":" namespaced        \
    ",\"verbs\":[\"get\",\"list\"],\"shortNames\":[" shorts "]}"
#define LIST(resources) "{\"kind\":\"APIResourceList\",\"resources\":[" resources "]}"
#define VERSION(v) "{\"version\":\"" v "\"}"
#define GROUP(name, versions, preferred)                                                                               \
    "{\"name\":\"" name "\",\"versions\":[" versions "],\"preferredVersion\":" VERSION(preferred) "}"

static const struct {
    const char *path, *body;
} documents[] = {
    { "/api/v1",
      LIST(RESOURCE("pods", "", "Pod", "true", "\"po\"") "," RESOURCE("pods/log", "", "Pod", "true", "") "," RESOURCE(
          "configmaps", "", "ConfigMap", "true",
          "\"cm\"") "," RESOURCE("events", "", "Event", "true", "\"ev\"") "," RESOURCE("namespaces", "", "Namespace",
                                                                                       "false", "\"ns\"")) },
    { "/apis",
      "{\"groups\":[" GROUP("apps", VERSION("v1") "," VERSION("v1beta1"), "v1") "," GROUP(
          "extensions", VERSION("v1beta1"),
          "v1beta1") "," GROUP("events.k8s.io", VERSION("v1"),
                               "v1") "," GROUP("example.com", VERSION("v2alpha1") "," VERSION("v1"), "v1") "]}" },
    { "/apis/apps/v1", LIST(RESOURCE("deployments", "deployment", "Deployment", "true", "\"deploy\"")) },
    { "/apis/apps/v1beta1", LIST(RESOURCE("deployments", "deployment", "Deployment", "true",
                                          "\"deploy\"") "," RESOURCE("scales", "scale", "Scale", "true", "")) },
    { "/apis/extensions/v1beta1", LIST(RESOURCE("ingresses", "ingress", "Ingress", "true",
                                                "\"ing\"") "," RESOURCE("deployments", "", "Deployment", "true", "")) },
    { "/apis/events.k8s.io/v1", LIST(RESOURCE("events", "event", "Event", "true", "\"ev\"")) },
    { "/apis/example.com/v2alpha1", LIST(RESOURCE("bars", "bar", "Bar", "true", "")) },
    { "/apis/example.com/v1",
      LIST(RESOURCE("bars", "bar", "Bar", "true", "") "," RESOURCE("wides", "wide", "Wide", "false", "\"WD\"")) },
};

static void handle(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    if (broken_path && broken_times && strcmp(req->path, broken_path) == 0) {
        broken_times--;
        fake_refuse(req->conn, broken_status, "x", "broken");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(documents); i++)
        if (strcmp(req->path, documents[i].path) == 0) {
            fake_reply(req->conn, 200, NULL, documents[i].body);
            return;
        }
    fake_refuse(req->conn, 404, "NotFound", "no such path");
}

static int set_up(void **state)
{
    (void)state;
    if (loop_new(&loop, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    client = new_client(NULL);
    discovery = (struct kube_discovery){ 0 };
    broken_path = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kube_discovery_done(&discovery);
    kube_client_free(client);
    fake_api_stop(&api);
    loop_free(loop);
    return 0;
}

static void fetch(void)
{
    struct error *err = NULL;

    assert_ok(kube_discovery_fetch(client, &discovery, &err), err);
}

/* The name finds plural, group and version; empty plural: nothing. */
static void find(const char *key, const char *version, const char *want)
{
    const struct kube_api_resource *r = NULL;
    _cleanup_error_ struct error *err = NULL;
    int k = kube_discovery_find(&discovery, str_of(key), str_of(version), &r, &err);
    _cleanup_free_ char *got = k == 0 ? mem_printf("%s.%s/%s", r->plural, r->group, r->version)
                                      : mem_strdup(error_msg(err));

    if (strcmp(got, want) != 0)
        fail_msg("%s: got \"%s\", expected \"%s\"", key, got, want);
    assert_true(k <= 0 && (k == 0) == (err == NULL));
}

static void everything_is_read(void **state)
{
    (void)state;
    fetch();
    assert_int_equal(discovery.n, 4 + 1 + 2 + 2 + 1 + 1 + 2); /* sub-resources are left out */
    assert_null(discovery.partial_error);
    const struct kube_api_resource *r = &discovery.v[0];
    assert_string_equal(r->plural, "pods"); /* core first */
    assert_string_equal(r->group, "");
    assert_string_equal(r->version, "v1");
    assert_string_equal(r->singular, "");
    assert_string_equal(r->kind, "Pod");
    assert_string_equal(r->short_names[0], "po");
    assert_null(r->short_names[1]);
    assert_string_equal(r->verbs[1], "list");
    assert_true(r->namespaced);
    assert_true(r->preferred);
    assert_false(discovery.v[3].namespaced);
    assert_string_equal(discovery.v[5].version, "v1beta1");
    assert_false(discovery.v[5].preferred);
}

static void names(void **state)
{
    (void)state;
    fetch();
    find("configmaps", "", "configmaps./v1");
    find("ConfigMap", "", "configmaps./v1");
    find("CM", "", "configmaps./v1");
    find("deployment", "",
         "Multiple resources are matched by \"deployment\": deployments.apps, deployments.extensions. A "
         "group-qualified plural name must be provided.");
    find("deploy", "", "deployments.apps/v1");
    find("deployments.apps", "", "deployments.apps/v1");
    find("Deployments.Extensions", "", "deployments.extensions/v1beta1");
    find("deployment.apps", "", "deployments.apps/v1");
    find("deployments.v1beta1.apps", "", "deployments.apps/v1beta1");
    find("ing", "", "ingresses.extensions/v1beta1");
    find("wd", "", "wides.example.com/v1");
    find("pods/log", "", "Unable to find api resource named \"pods/log\".");
    find("nothing", "", "Unable to find api resource named \"nothing\".");
    find("deployments.nowhere", "", "Unable to find api resource named \"deployments.nowhere\".");
    find("", "", "NAME is required"); /* */
}

/* The core group wins at once. */
static void core_wins(void **state)
{
    (void)state;
    fetch();
    find("events", "", "events./v1");
    find("ev", "", "events./v1");
    find("events.events.k8s.io", "", "events.events.k8s.io/v1");
}

static void versions(void **state)
{
    (void)state;
    fetch();
    find("bars", "", "bars.example.com/v1");               /* the preferred one, not the first */
    find("bars", "v2alpha1", "bars.example.com/v2alpha1"); /* any served one */
    find("scales", "", "scales.apps/v1beta1");             /* not in the preferred version */
    find("deployments", "v1", "deployments.apps/v1");
    find("bars", "v3", "Unable to find api resource named \"bars\".");
}

static void one_failure_is_tried_again(void **state)
{
    (void)state;
    broken_path = "/apis/apps/v1";
    broken_times = 1;
    broken_status = 500;
    fetch();
    assert_null(discovery.partial_error);
    find("deploy", "v1", "deployments.apps/v1");
}

/* A group that cannot be read does not hide the others. */
static void broken_group(void **state)
{
    (void)state;
    broken_path = "/apis/example.com/v1";
    broken_times = 2;
    broken_status = 503;
    fetch();
    assert_non_null(strstr(discovery.partial_error, "/apis/example.com/v1"));
    find("deployments.apps", "", "deployments.apps/v1");
    struct error *err = NULL;
    const struct kube_api_resource *r;
    assert_int_equal(kube_discovery_find(&discovery, STR("wides"), STR_NULL, &r, &err), -ENOENT);
    assert_int_equal(err->msg[0], '[');
    assert_non_null(strstr(err->msg, "/apis/example.com/v1"));
    assert_non_null(strstr(err->msg, ", Unable to find api resource named \"wides\".]"));
    error_free(err);
}

static void no_groups(void **state)
{
    (void)state;
    _cleanup_error_ struct error *err = NULL;

    broken_path = "/apis";
    broken_times = 10;
    broken_status = 403;
    assert_int_equal(kube_discovery_fetch(client, &discovery, &err), -EACCES);
    assert_string_equal(err->msg, "broken");
    assert_int_equal(discovery.n, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(everything_is_read),         T(names),        T(core_wins), T(versions),
        T(one_failure_is_tried_again), T(broken_group), T(no_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
