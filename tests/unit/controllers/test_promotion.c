/*
 * A standby that becomes the leader while its API server was behind: what the server has cached (resourceVersion=0, and watches) is old,
 * and lists of what is stored are answered when the test likes. Host and member are one fake API server.
 */
#include "controllers/manager.h"
#include "kube/kube_test.h"

#define FED "/apis/types.kubefed.io/v1beta1/federatedclusterroles"
#define CORE "/apis/core.kubefed.io/v1beta1/namespaces/sys/"
#define TARGET "/apis/rbac.authorization.k8s.io/v1/clusterroles"
#define PREFERENCES "/apis/scheduling.kubefed.io/v1alpha1/replicaschedulingpreferences"
#define LIST(items) "{\"metadata\":{\"resourceVersion\":\"50\"},\"items\":[%s]}"
#define HELD_MAX 16u

static struct kube_client *host;
static struct fed_config *config;
static struct manager *manager;
static bool watched; /* the federated objects, by a standby */
static struct {
    char *path;
    struct raw_conn *conn; /* NULL: answered */
} held[HELD_MAX];
static size_t n_held;
static bool holds;
static struct buf created; /* bodies of what was created in the member */

static const char type_json[] =
    "{\"apiVersion\":\"core.kubefed.io/v1beta1\",\"kind\":\"FederatedTypeConfig\",\"metadata\":{\"namespace\":\"sys\","
    "\"name\":\"clusterroles.rbac.authorization.k8s.io\",\"uid\":\"u-t\",\"resourceVersion\":\"9\",\"generation\":1,"
    "\"finalizers\":[\"core.kubefed.io/federated-type-config\"]},\"spec\":{\"propagation\":\"Enabled\","
    "\"targetType\":{\"group\":\"rbac.authorization.k8s.io\",\"version\":\"v1\",\"kind\":\"ClusterRole\","
    "\"pluralName\":\"clusterroles\",\"scope\":\"Cluster\"},\"federatedType\":{\"group\":\"types.kubefed.io\","
    "\"version\":\"v1beta1\",\"kind\":\"FederatedClusterRole\",\"pluralName\":\"federatedclusterroles\","
    "\"scope\":\"Cluster\"}}}";

/* What is stored is newer: generation 2. */
static char *federated_json(bool stored)
{
    return mem_printf("{\"apiVersion\":\"types.kubefed.io/v1beta1\",\"kind\":\"FederatedClusterRole\",\"metadata\":{"
                      "\"name\":\"r\",\"uid\":\"u-r\",\"resourceVersion\":\"%d\",\"generation\":%d,\"finalizers\":["
                      "\"kubefed.io/sync-controller\"]},\"spec\":{\"template\":{\"rules\":[{\"verbs\":[\"%s\"]}]},"
                      "\"placement\":{\"clusters\":[{\"name\":\"c\"}]}}}",
                      stored ? 40 : 10, stored ? 2 : 1, stored ? "stored" : "outdated");
}

static char *items(const char *path, bool stored)
{
    if (strcmp(path, CORE "federatedtypeconfigs") == 0)
        return mem_strdup(type_json);
    if (strcmp(path, FED) == 0)
        return federated_json(stored);
    if (strcmp(path, CORE "kubefedclusters") == 0)
        return mem_printf(
            "{\"apiVersion\":\"core.kubefed.io/v1beta1\",\"kind\":\"KubeFedCluster\",\"metadata\":{"
            "\"namespace\":\"sys\",\"name\":\"c\",\"uid\":\"u-c\",\"resourceVersion\":\"4\"},"
            "\"spec\":{\"apiEndpoint\":\"http://127.0.0.1:%u\",\"secretRef\":{\"name\":\"s\"}},\"status\":{"
            "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
            api.raw.port);
    return mem_strdup("");
}

static void reply_list(struct raw_conn *conn, const char *path, bool stored)
{
    _cleanup_free_ char *what = items(path, stored), *body = mem_printf(LIST("%s"), what);

    fake_reply(conn, 200, NULL, body);
}

static bool is_list(const struct fake_request *req)
{
    return strstr(req->query, "limit=") != NULL;
}

static void serve_read(const struct fake_request *req)
{
    bool stored = is_list(req) && !strstr(req->query, "resourceVersion=0");

    if (strstr(req->query, "watch=true")) {
        fake_stream_begin(req->conn);
        watched |= strcmp(req->path, FED) == 0;
    } else if (stored && holds) {
        assert_true(n_held < HELD_MAX);
        held[n_held].path = mem_strdup(req->path);
        held[n_held++].conn = req->conn;
    } else if (is_list(req)) {
        reply_list(req->conn, req->path, stored);
    } else if (strcmp(req->path, "/healthz") == 0) {
        fake_reply(req->conn, 200, NULL, "ok");
    } else if (strstr(req->path, "/secrets/")) {
        fake_reply(req->conn, 200, NULL, "{\"data\":{\"token\":\"dG9rZW4=\"}}");
    } else {
        fake_refuse(req->conn, 404, "NotFound", "not there");
    }
}

static void handle(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    if (strcmp(req->method, "GET") == 0) {
        serve_read(req);
        return;
    }
    if (strcmp(req->path, TARGET) == 0)
        buf_addz(&created, req->body);
    fake_reply(req->conn, strcmp(req->method, "POST") == 0 ? 201 : 200, NULL, "{}");
}

static int set_up(void **state)
{
    (void)state;
    _cleanup_json_mut_ yyjson_mut_doc *made = fed_config_default_object("sys", "Cluster");
    _cleanup_json_ yyjson_doc *doc = json_freeze(made);

    if (loop_new(&loop, NULL) < 0 || fed_config_decode(yyjson_doc_get_root(doc), &config, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    host = new_client(NULL);
    watched = holds = false;
    n_held = 0;
    created = BUF_INIT(BUF_MAX_DEFAULT);
    buf_addz(&created, "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    manager_free(manager);
    manager = NULL;
    kube_client_free(host);
    fed_config_free(config);
    config = NULL;
    fake_api_stop(&api);
    loop_free(loop);
    for (size_t i = 0; i < n_held; i++)
        free(held[i].path);
    buf_done(&created);
    return 0;
}

static bool is_held(const char *path)
{
    for (size_t i = 0; i < n_held; i++)
        if (held[i].conn && strcmp(held[i].path, path) == 0)
            return true;
    return false;
}

/* Answers all lists that are held but that of `but`. */
static void release(const char *but)
{
    for (size_t i = 0; i < n_held; i++)
        if (held[i].conn && strcmp(held[i].path, but) != 0)
            reply_list(TAKE_PTR(held[i].conn), held[i].path, true);
}

/* A standby with warm caches that just took the lock. */
static void promote(void)
{
    manager = manager_start(host, config, &fed_behavior_default, "sys");
    WAIT_FOR(watched && strstr(api.log.p, "GET " TARGET "?watch=true"));
    assert_null(strstr(api.log.p, "/healthz"));
    holds = true;
    manager_lead(manager);
    WAIT_FOR(is_held(CORE "kubefedclusters") && is_held(CORE "federatedtypeconfigs") && is_held(FED) &&
             is_held("/api/v1/namespaces") && is_held(PREFERENCES));
    assert_null(strstr(api.log.p, "POST "));
    assert_null(strstr(api.log.p, "PATCH "));
    assert_null(strstr(api.log.p, "/healthz"));
}

static void expect_the_stored_state(void)
{
    WAIT_FOR(created.n > 0);
    assert_non_null(strstr(created.p, "stored"));
    assert_null(strstr(created.p, "outdated"));
}

static void objects_come_last(void **state)
{
    (void)state;
    promote();
    release(FED);
    WAIT_FOR(strstr(api.log.p, "/healthz") && strstr(api.log.p, "PATCH " CORE "federatedtypeconfigs"));
    assert_int_equal(created.n, 0);
    release("");
    expect_the_stored_state();
}

static void clusters_come_last(void **state)
{
    (void)state;
    promote();
    release(CORE "kubefedclusters");
    WAIT_FOR(strstr(api.log.p, "PATCH " CORE "federatedtypeconfigs"));
    assert_null(strstr(api.log.p, "/healthz"));
    assert_int_equal(created.n, 0);
    release("");
    expect_the_stored_state();
    WAIT_FOR(strstr(api.log.p, "/healthz"));
}

/* Which types there are may have changed: no type is opened by what is cached. */
static void types_come_last(void **state)
{
    (void)state;
    promote();
    release(CORE "federatedtypeconfigs");
    WAIT_FOR(strstr(api.log.p, "/healthz"));
    assert_int_equal(created.n, 0);
    assert_null(strstr(api.log.p, "PATCH " CORE "federatedtypeconfigs"));
    release("");
    expect_the_stored_state();
}

/* A leader that begins without having been a standby lists what is stored at once. */
static void a_cold_start(void **state)
{
    (void)state;
    manager = manager_start(host, config, &fed_behavior_default, "sys");
    manager_lead(manager);
    expect_the_stored_state();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(objects_come_last),
        T(clusters_come_last),
        T(types_come_last),
        T(a_cold_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
