/* What is shown of the inside is valid JSON, and bounded, whatever there is: very many clusters, very long messages. */
#include "controllers/insight.h"
#include "controllers/manager.h"
#include "kube/kube_test.h"

#define CLUSTERS "/apis/core.kubefed.io/v1beta1/namespaces/sys/kubefedclusters"
#define MANY 1005

static struct kube_client *host;
static struct fed_config *config;
static struct manager *manager;
static struct buf clusters;
static const char *secret_answer; /* of status 400 */

static void add_cluster(const char *name, const char *spec)
{
    buf_printf(&clusters,
               "%s{\"metadata\":{\"namespace\":\"sys\",\"name\":\"%s\",\"uid\":\"u-%s\",\"resourceVersion\":\"4\"},"
               "\"spec\":{%s}}",
               clusters.p[clusters.n - 1] == '[' ? "" : ",", name, name, spec);
}

static void handle(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    if (strstr(req->query, "watch=true"))
        fake_stream_begin(req->conn);
    else if (strcmp(req->path, CLUSTERS) == 0)
        fake_reply(req->conn, 200, NULL, clusters.p);
    else if (strstr(req->path, "/secrets/"))
        fake_reply(req->conn, 400, NULL, secret_answer);
    else
        fake_reply(req->conn, 200, NULL, "{\"metadata\":{\"resourceVersion\":\"50\"},\"items\":[]}");
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
    clusters = BUF_INIT(BUF_MAX_DEFAULT);
    buf_addz(&clusters, "{\"metadata\":{\"resourceVersion\":\"50\"},\"items\":[");
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
    buf_done(&clusters);
    return 0;
}

static yyjson_doc *look(const char *path)
{
    _cleanup_buf_ struct buf out = BUF_INIT(BUF_MAX_DEFAULT);
    yyjson_doc *doc = NULL;
    struct error *err = NULL;

    assert_true(manager_insight(manager, str_of(path), &out));
    assert_false(buf_failed(&out));
    assert_ok(json_parse(buf_str(&out), &doc, &err), err); /* refuses what is no UTF-8 */
    return doc;
}

static void start(void)
{
    buf_addz(&clusters, "]}");
    manager = manager_start(host, config, &fed_behavior_default, "sys");
}

static int64_t n_clusters(void)
{
    _cleanup_json_ yyjson_doc *doc = look("/debug/clusters");

    return json_path_i64(yyjson_doc_get_root(doc), "clusterCount", 0);
}

static void bounded(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++) {
        _cleanup_free_ char *name = mem_printf("c%d", i);
        add_cluster(name, "");
    }
    start();
    WAIT_FOR(n_clusters() == MANY);
    _cleanup_json_ yyjson_doc *doc = look("/debug/clusters"), *queues = look("/debug/queues"),
                              *memory = look("/debug/memory");
    assert_int_equal(yyjson_arr_size(json_get(yyjson_doc_get_root(doc), "clusters")), 1000);
    assert_int_equal(json_path_i64(yyjson_doc_get_root(queues), "memberOperationCount", -1), 0);
    assert_int_equal(json_path_i64(yyjson_doc_get_root(queues), "queueCount", -1), 2);
    assert_int_equal(json_path_i64(yyjson_doc_get_root(memory), "cacheCount", -1), 1);
}

static struct str problem_of(yyjson_doc *doc)
{
    return json_path_str(yyjson_arr_get_first(json_get(yyjson_doc_get_root(doc), "clusters")), "problem");
}

static bool has_problem(void)
{
    _cleanup_json_ yyjson_doc *doc = look("/debug/clusters");

    return problem_of(doc).n > 0;
}

static void long_text(void **state)
{
    _cleanup_buf_ struct buf answer = BUF_INIT(1 << 16);

    (void)state;
    buf_addz(&answer, "{\"kind\":\"Status\",\"message\":\"odd");
    for (int i = 0; i < 2000; i++)
        buf_addz(&answer, "\xc3\xa4"); /* cut somewhere */
    buf_addz(&answer, "\"}");
    secret_answer = answer.p;
    add_cluster("c", "\"apiEndpoint\":\"https://a\",\"secretRef\":{\"name\":\"s\"}");
    start();
    WAIT_FOR(has_problem());
    _cleanup_json_ yyjson_doc *doc = look("/debug/clusters");
    assert_true(problem_of(doc).n >= 1000 && problem_of(doc).n <= 1024 + 2);
    assert_true(str_has_suffix(problem_of(doc), STR("\xef\xbf\xbd"))); /* what was cut in two */
}

static void nothing_runs(void **state)
{
    static const char *const paths[] = { "/debug", "/debug/", "/debug/clusters", "/debug/queues", "/debug/memory" };
    struct buf out = BUF_INIT(BUF_MAX_DEFAULT);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        yyjson_doc_free(look(paths[i]));
    assert_false(manager_insight(NULL, STR("/debug/other"), &out));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = { T(bounded), T(long_text), T(nothing_runs) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
