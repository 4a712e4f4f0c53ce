/* Changes of the KubeFedConfig: what is older than what was seen is no change, unless the storage was restored or the object made anew. */
#include "controllers/config_watch.h"
#include "kube/kube_test.h"

static struct kube_client *host;
static struct fed_config *current;
static struct config_watch *watch;
static struct raw_conn *watching;
static struct buf trace; /* the scopes that were told */

static char *object(const char *uid, int version, const char *scope)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = fed_config_default_object("sys", scope);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    _cleanup_free_ char *rv = mem_printf("%d", version);
    struct buf text = BUF_INIT(BUF_MAX_DEFAULT);

    json_mut_set_str(doc, json_mut_get(root, "metadata"), "uid", str_of(uid));
    json_mut_set_str(doc, json_mut_get(root, "metadata"), "resourceVersion", str_of(rv));
    json_mut_write(&text, root);
    return buf_take(&text, NULL);
}

static void handle(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    if (strstr(req->query, "watch=true")) {
        fake_stream_begin(req->conn);
        watching = req->conn;
        return;
    }
    _cleanup_free_ char *o = object("u1", 10, "Cluster"),
                        *list = mem_printf("{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":[%s]}", o);
    fake_reply(req->conn, 200, NULL, list);
}

static void send(const char *type, const char *uid, int version, const char *scope)
{
    _cleanup_free_ char *o = object(uid, version, scope),
                        *event = mem_printf("{\"type\":\"%s\",\"object\":%s}\n", type, o);

    fake_stream_send(watching, event);
}

static void on_change(void *arg, struct fed_config *config)
{
    (void)arg;
    buf_addz(&trace, config->namespaced ? "Namespaced;" : "Cluster;");
    fed_config_free(config);
}

static void on_bad(void *arg, bool bad)
{
    (void)arg;
    (void)bad;
}

static void older_is_ignored(void **state)
{
    (void)state;
    WAIT_FOR(watching);
    send("MODIFIED", "u1", 20, "Namespaced");
    send("MODIFIED", "u1", 15, "Cluster");
    send("MODIFIED", "u1", 30, "Namespaced");
    send("MODIFIED", "u1", 31, "Cluster");
    WAIT_FOR(strstr(trace.p, "Cluster;"));
    assert_string_equal(trace.p, "Namespaced;Cluster;");
}

/* The API server lost what it knew of the watch, and its storage is one of a backup. */
static void restored_counts(void **state)
{
    (void)state;
    WAIT_FOR(watching);
    send("MODIFIED", "u1", 20, "Namespaced");
    fake_stream_send(TAKE_PTR(watching), "{\"type\":\"ERROR\",\"object\":{\"code\":410,\"reason\":\"Expired\"}}\n");
    WAIT_FOR(watching);
    assert_string_equal(trace.p, "Namespaced;Cluster;");
    send("MODIFIED", "u1", 15, "Namespaced");
    WAIT_FOR(strcmp(trace.p, "Namespaced;Cluster;Namespaced;") == 0);
}

static void made_anew_counts(void **state)
{
    (void)state;
    WAIT_FOR(watching);
    send("MODIFIED", "u1", 20, "Namespaced");
    send("DELETED", "u1", 21, "Namespaced");
    send("ADDED", "u2", 15, "Cluster");
    WAIT_FOR(strstr(trace.p, "Cluster;"));
    assert_string_equal(trace.p, "Namespaced;Cluster;");
}

static int set_up(void **state)
{
    (void)state;
    _cleanup_json_mut_ yyjson_mut_doc *made = fed_config_default_object("sys", "Cluster");
    _cleanup_json_ yyjson_doc *doc = json_freeze(made);

    if (loop_new(&loop, NULL) < 0 || fed_config_decode(yyjson_doc_get_root(doc), &current, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    host = new_client(NULL);
    watching = NULL;
    trace = BUF_INIT(BUF_MAX_DEFAULT);
    buf_addz(&trace, "");
    watch = config_watch_start(&(struct config_watch_config){
        .host = host, .system_namespace = "sys", .current = current, .on_change = on_change, .on_bad = on_bad });
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    config_watch_free(watch);
    kube_client_free(host);
    fed_config_free(current);
    fake_api_stop(&api);
    loop_free(loop);
    buf_done(&trace);
    return 0;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = { T(older_is_ignored), T(restored_counts), T(made_anew_counts) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
