/*
 * The whole /metrics text of a control plane that runs against a fake API server, which is host and member at once: read by a strict
 * parser, and numbers that must be exact. The cluster has the worst name that a user could think of.
 */
#include <unistd.h>

#include "base/cgroup.h"
#include "base/encode.h"
#include "controllers/manager.h"
#include "exposition_parser.h"
#include "kube/kube_test.h"
#include "net/tls_issue.h"

#define NAME_JSON "a\\\"b\\\\c\\nd"  /* in JSON */
#define NAME_LABEL "a\\\"b\\\\c\\nd" /* in a label: the same */
#define FED "/apis/types.kubefed.io/v1beta1/federatedclusterroles"
#define CORE "/apis/core.kubefed.io/v1beta1/namespaces/sys/"
#define TARGET "/apis/rbac.authorization.k8s.io/v1/clusterroles"
#define ENDS 2000000000
/* Of a JSON web token that ends at 4000000000. */
#define TOKEN "ZXlKaGJHY2lPaUp1YjI1bEluMC5leUpsZUhBaU9qUXdNREF3TURBd01EQjkuYzJsbg=="
#define LIST(items) "{\"metadata\":{\"resourceVersion\":\"50\"},\"items\":[%s]}"

static struct kube_client *host;
static struct fed_config *config;
static struct manager *manager;
static char *cluster_json;
static int generation, target_rv;
static struct raw_conn *watching; /* federated objects */

static const char type_json[] =
    "{\"apiVersion\":\"core.kubefed.io/v1beta1\",\"kind\":\"FederatedTypeConfig\",\"metadata\":{\"namespace\":\"sys\","
    "\"name\":\"clusterroles.rbac.authorization.k8s.io\",\"uid\":\"u-t\",\"resourceVersion\":\"9\",\"generation\":1,"
    "\"finalizers\":[\"core.kubefed.io/federated-type-config\"]},\"spec\":{\"propagation\":\"Enabled\","
    "\"targetType\":{\"group\":\"rbac.authorization.k8s.io\",\"version\":\"v1\",\"kind\":\"ClusterRole\","
    "\"pluralName\":\"clusterroles\",\"scope\":\"Cluster\"},\"federatedType\":{\"group\":\"types.kubefed.io\","
    "\"version\":\"v1beta1\",\"kind\":\"FederatedClusterRole\",\"pluralName\":\"federatedclusterroles\","
    "\"scope\":\"Cluster\"}}}";

static char *federated_json(int rv)
{
    return mem_printf("{\"apiVersion\":\"types.kubefed.io/v1beta1\",\"kind\":\"FederatedClusterRole\",\"metadata\":{"
                      "\"name\":\"r\",\"uid\":\"u-r\",\"resourceVersion\":\"%d\",\"generation\":%d,\"finalizers\":["
                      "\"kubefed.io/sync-controller\"]},\"spec\":{\"template\":{\"rules\":[{\"verbs\":[\"v%d\"]}]},"
                      "\"placement\":{\"clusters\":[{\"name\":\"" NAME_JSON "\"}]}}}",
                      rv, generation, generation);
}

static char *target_json(void)
{
    target_rv++;
    return mem_printf("{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRole\",\"metadata\":{"
                      "\"name\":\"r\",\"uid\":\"u-x\",\"resourceVersion\":\"%d\",\"labels\":{"
                      "\"kubefed.io/managed\":\"true\"}},\"rules\":[{\"verbs\":[\"v%d\"]}]}",
                      target_rv, generation);
}

static void reply_list(const struct fake_request *req, const char *item)
{
    _cleanup_free_ char *body = mem_printf(LIST("%s"), item);
    fake_reply(req->conn, 200, NULL, body);
}

static void serve_read(const struct fake_request *req)
{
    if (strstr(req->query, "watch=true")) {
        fake_stream_begin(req->conn);
        if (strcmp(req->path, FED) == 0)
            watching = req->conn;
    } else if (strcmp(req->path, CORE "kubefedclusters") == 0) {
        reply_list(req, cluster_json);
    } else if (strcmp(req->path, CORE "federatedtypeconfigs") == 0) {
        reply_list(req, type_json);
    } else if (strcmp(req->path, "/healthz") == 0) {
        fake_reply(req->conn, 200, NULL, "ok");
    } else if (strcmp(req->path, "/version") == 0) {
        fake_reply(req->conn, 200, NULL, "{\"gitVersion\":\"v1.20.2\"}");
    } else if (strstr(req->path, "/secrets/")) {
        fake_reply(req->conn, 200, NULL,
                   "{\"metadata\":{\"resourceVersion\":\"3\"},\"data\":{\"token\":\"" TOKEN "\"}}");
    } else if (strstr(req->path, "/configmaps/")) {
        fake_refuse(req->conn, 404, "NotFound", "not there");
    } else {
        reply_list(req, "");
    }
}

static void handle(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    _cleanup_free_ char *body = NULL;
    if (strcmp(req->method, "GET") == 0) {
        serve_read(req);
        return;
    }
    if (str_has_prefix(str_of(req->path), STR(TARGET)))
        body = target_json();
    else if (str_has_prefix(str_of(req->path), STR(FED)))
        body = federated_json(60 + target_rv);
    fake_reply(req->conn, strcmp(req->method, "POST") == 0 ? 201 : 200, NULL, body ? body : "{}");
}

static void gone(void *arg, struct raw_conn *c)
{
    (void)arg;
    if (c == watching)
        watching = NULL;
}

static char *make_cluster(void)
{
    struct tls_pair ca = { 0 }, late = { 0 };
    struct error *err = NULL;
    _cleanup_buf_ struct buf bundle = BUF_INIT(1 << 16);
    assert_ok(tls_issue_authority("early", 1, ENDS, &ca, &err), err);
    assert_ok(tls_issue_authority("late", 1, ENDS + 1, &late, &err), err);
    _cleanup_free_ char *pem = mem_printf("%s%s", late.cert_pem, ca.cert_pem);
    base64_encode(&bundle, str_of(pem));
    tls_pair_done(&ca);
    tls_pair_done(&late);
    return mem_printf("{\"apiVersion\":\"core.kubefed.io/v1beta1\",\"kind\":\"KubeFedCluster\",\"metadata\":{"
                      "\"namespace\":\"sys\",\"name\":\"" NAME_JSON "\",\"uid\":\"u-c\",\"resourceVersion\":\"4\"},"
                      "\"spec\":{\"apiEndpoint\":\"http://127.0.0.1:%u\",\"caBundle\":\"%s\",\"secretRef\":{"
                      "\"name\":\"s\"}},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
                      api.raw.port, bundle.p);
}

static int set_up(void **state)
{
    (void)state;
    _cleanup_json_mut_ yyjson_mut_doc *made = fed_config_default_object("sys", "Cluster");
    _cleanup_json_ yyjson_doc *doc = json_freeze(made);
    if (loop_new(&loop, NULL) < 0 || fed_config_decode(yyjson_doc_get_root(doc), &config, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    api.raw.gone = gone;
    cluster_json = make_cluster();
    generation = 1;
    target_rv = 100;
    watching = NULL;
    host = new_client(NULL);
    manager = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    manager_free(manager);
    kube_client_free(host);
    fed_config_free(config);
    config = NULL;
    free(cluster_json);
    fake_api_stop(&api);
    loop_free(loop);
    return 0;
}

static void read_metrics(struct exposition *x)
{
    _cleanup_buf_ struct buf out = BUF_INIT(BUF_MAX_DEFAULT);
    manager_metrics(manager, &out);
    manager_program_metrics(&out, manager != NULL, false);
    exposition_read(x, buf_str(&out));
    const char *keep = getenv("METRICS_OUT");
    FILE *f = keep ? fopen(keep, "we") : NULL;
    if (f) {
        fwrite(out.p, 1, out.n, f);
        fclose(f);
    }
}

#define EXPECT(series, value) assert_string_equal(exposition_value(&x, series), value)

static bool has_count(const char *series, const char *value)
{
    _cleanup_exposition_ struct exposition x;
    read_metrics(&x);
    return strcmp(exposition_value(&x, series), value) == 0;
}

static void change_federated(const char *type)
{
    _cleanup_free_ char *json = federated_json(200 + generation);
    _cleanup_free_ char *event = mem_printf("{\"type\":\"%s\",\"object\":%s}\n", type, json);
    fake_stream_send(watching, event);
}

#define PROPAGATED "kubefed_propagation_duration_seconds_count{kind=\"FederatedClusterRole\"}"
#define DISPATCHED(action) "dispatch_operation_duration_seconds_count{action=\"" action "\"}"
#define CLUSTER "cluster=\"" NAME_LABEL "\""

/* Until the type is open and the cluster was probed. */
static void start(void)
{
    manager = manager_start(host, config, &fed_behavior_default, "sys");
    manager_lead(manager);
    WAIT_FOR(watching);
    WAIT_FOR(has_count("cluster_health_status_duration_seconds_count", "1"));
    WAIT_FOR(has_count("cluster_client_connection_duration_seconds_count", "1"));
    run_for(400); /* the gate opens */
}

static void expect_rest(const struct exposition *all)
{
    struct exposition x = *all;
    _cleanup_free_ char *created = mem_printf(
        "rest_client_requests_total{code=\"201\",method=\"POST\",host=\"127.0.0.1:%u\"}", api.raw.port);
    assert_true(strtoul(exposition_value(&x, created), NULL, 10) >= 1);
    EXPECT("reflector_items_per_list_sum{name=\"federatedtypeconfigs.core.kubefed.io\"}", "1");
    EXPECT("reflector_lists_total{name=\"clusterroles.rbac.authorization.k8s.io\"}", "1");
    EXPECT("workqueue_depth{name=\"federatedclusterrole\"}", "0");
    EXPECT("workqueue_adds_total{name=\"schedulingmanager\"}", "0");
    EXPECT("workqueue_adds_total{name=\"replicaschedulingpreference\"}", "0");
    assert_string_not_equal(exposition_value(&x, "workqueue_adds_total{name=\"federatedtypeconfig\"}"), "(none)");
    EXPECT("controller_runtime_reconcile_duration_seconds_count{controller=\"schedulingmanagercontroller\"}", "0");
    assert_string_not_equal(
        exposition_value(
            &x, "controller_runtime_reconcile_quantile_seconds_count{controller=\"federatedtypeconfigcontroller\"}"),
        "0");
    EXPECT("join_cluster_duration_seconds_bucket{le=\"1000\"}", "0");
    assert_true(map_has(&x.families, STR("kubefed_build_info")));
    EXPECT("kubefed_log_lines_dropped_total", "0");
    EXPECT("kubefed_leader", "1");
    EXPECT("kubefed_config_invalid", "0");
}

static void the_whole_text(void **state)
{
    (void)state;
    start();
    change_federated("ADDED");
    WAIT_FOR(has_count(PROPAGATED, "1"));
    generation = 2;
    change_federated("MODIFIED");
    WAIT_FOR(has_count(PROPAGATED, "2"));
    _cleanup_exposition_ struct exposition x;
    read_metrics(&x);
    EXPECT(DISPATCHED("create"), "1");
    EXPECT(DISPATCHED("update"), "1");
    EXPECT(DISPATCHED("delete"), "0");
    EXPECT("kubefedcluster_total{" CLUSTER ",state=\"ready\"}", "1");
    EXPECT("kubefedcluster_total{" CLUSTER ",state=\"offline\"}", "0");
    EXPECT("joined_cluster_total", "1");
    EXPECT("kubefed_cluster_ready{" CLUSTER "}", "1");
    EXPECT("kubefed_cluster_credential_expiry_seconds{" CLUSTER ",credential=\"token\"}", "4000000000");
    EXPECT("kubefed_cluster_credential_expiry_seconds{" CLUSTER ",credential=\"ca\"}", "2000000000");
    EXPECT("kubefed_cache_objects{" CLUSTER "}", "1");
    EXPECT("kubefed_cache_objects{cluster=\"\"}", "3");
    EXPECT("kubefed_member_operations{" CLUSTER ",state=\"in_flight\"}", "0");
    EXPECT("kubefed_removals_put_off{" CLUSTER "}", "0");
    EXPECT("kubefed_objects{kind=\"FederatedClusterRole\",state=\"all\"}", "1");
    EXPECT("kubefed_objects{kind=\"FederatedClusterRole\",state=\"retrying\"}", "0");
    expect_rest(&x);
}

/* Also what does not run has its HELP and TYPE, and the families are the same. */
static void without_a_manager(void **state)
{
    (void)state;
    _cleanup_exposition_ struct exposition x, y;
    read_metrics(&x);
    EXPECT("kubefed_leader", "0");
    EXPECT("joined_cluster_total", "(none)");
    start();
    read_metrics(&y);
    assert_int_equal(map_count(&x.families), map_count(&y.families));
    struct map_entry e;
    for (size_t i = 0; map_next(&y.families, &i, &e);)
        assert_true(map_has(&x.families, e.key));
}

static void the_process(void **state)
{
    (void)state;
    _cleanup_exposition_ struct exposition x;
    read_metrics(&x);
    double began = strtod(exposition_value(&x, "process_start_time_seconds"), NULL), now = (double)time_wall_s();
    assert_true(began > now - 600 && began < now + 2);
    uint64_t fds = strtoul(exposition_value(&x, "process_open_fds"), NULL, 10);
    assert_true(fds >= 3 && fds < strtoul(exposition_value(&x, "process_max_fds"), NULL, 10));
    uint64_t resident = strtoul(exposition_value(&x, "process_resident_memory_bytes"), NULL, 10);
    uint64_t virtual = strtoul(exposition_value(&x, "process_virtual_memory_bytes"), NULL, 10);
    assert_true(resident > 100000 && virtual > resident);
    uint64_t limit = 0;
    _cleanup_free_ char *told = cgroup_memory_limit("", &limit) ? mem_printf("%llu", (unsigned long long)limit) : NULL;
    EXPECT("kubefed_memory_limit_bytes", told ? told : "(none)");
    int fd = dup(0);
    if (fd < 0)
        return;
    _cleanup_exposition_ struct exposition y;
    read_metrics(&y);
    assert_int_equal(strtoul(exposition_value(&y, "process_open_fds"), NULL, 10), fds + 1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_manager, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_whole_text, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
