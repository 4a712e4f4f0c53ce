/* PropagatedVersion records against a fake host (controllers.md 5.9): how they are written, P-14. */
#include "controllers/versions.h"

#include "json/json.h"
#include "kube/kube_test.h"

#define RECORDS "/apis/core.kubefed.io/v1alpha1/propagatedversions"
#define CLUSTER_RECORDS "/apis/core.kubefed.io/v1alpha1/clusterpropagatedversions"
#define IN_NS "/apis/core.kubefed.io/v1alpha1/namespaces/ns/propagatedversions"
#define ONE IN_NS "/configmap-one"
#define STATUS(versions) "{\"templateVersion\":\"t\",\"overridesVersion\":\"o\"" versions "}"
#define AT_1 STATUS(",\"clusterVersions\":[{\"clusterName\":\"c1\",\"version\":\"rv:1\"}]")
#define AT_2 STATUS(",\"clusterVersions\":[{\"clusterName\":\"c1\",\"version\":\"rv:2\"}]")

static struct kube_client *client;
static struct version_store *store;
static const char *items;  /* of the list of namespaced records */
static int refuse_next;    /* status of the next answer to a write, or 0 */
static const char *reason; /* of that refusal */
static bool hold;          /* writes are not answered */
static struct raw_conn *held;
static struct buf writes; /* "POST /path;" */
static char *last_body;
static unsigned n_lists;

static void handle_write(const struct fake_request *req)
{
    buf_printf(&writes, "%s %s;", req->method, req->path);
    free(last_body);
    last_body = mem_strdup(req->body);
    if (hold) {
        held = req->conn;
    } else if (refuse_next) {
        fake_refuse(req->conn, refuse_next, reason, "refused");
        refuse_next = 0;
    } else {
        fake_reply(req->conn, strcmp(req->method, "POST") == 0 ? 201 : 200, NULL, "{}");
    }
}

static void handle(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    if (strcmp(req->method, "GET") != 0) {
        handle_write(req);
    } else if (strstr(req->query, "watch=true")) {
        fake_stream_begin(req->conn);
    } else {
        bool namespaced = strcmp(req->path, RECORDS) == 0;
        _cleanup_free_ char *body = mem_printf("{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[%s]}",
                                               namespaced ? items : "");

        assert_true(namespaced || strcmp(req->path, CLUSTER_RECORDS) == 0);
        assert_non_null(strstr(req->query, "limit=500"));
        n_lists++;
        fake_reply(req->conn, 200, NULL, body);
    }
}

static void on_loaded(void *arg)
{
    (void)arg;
}

static int set_up(void **state)
{
    (void)state;
    if (loop_new(&loop, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    client = new_client(NULL);
    items = "";
    refuse_next = 0;
    hold = false;
    held = NULL;
    n_lists = 0;
    last_body = NULL;
    writes = BUF_INIT(BUF_MAX_DEFAULT);
    buf_addz(&writes, "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    version_store_free(store);
    store = NULL;
    kube_client_free(client);
    fake_api_stop(&api);
    loop_free(loop);
    buf_done(&writes);
    free(last_body);
    return 0;
}

static void start(const char *records)
{
    items = records;
    store = version_store_start(
        &(struct version_store_config){ .client = client, .ns = STR_NULL, .on_loaded = on_loaded });
    WAIT_FOR(version_store_loaded(store));
}

static const struct version_id one = { { "ns", 2 }, { "configmap-one", 13 } };
static const struct version_owner owner = {
    { "types.kubefed.io/v1beta1", 24 }, { "FederatedConfigMap", 18 }, { "one", 3 }, { "u1", 2 }
};

static void set(const char *status)
{
    version_store_set(store, &one, &owner, str_of(status));
}

/* Everything is stored; since the last call these were the writes. */
static void expect_writes(const char *want)
{
    WAIT_FOR(version_store_pending(store) == 0);
    run_for(20);
    assert_string_equal(writes.p, want);
    buf_reset(&writes);
    buf_addz(&writes, "");
}

static void check_body(const char *expected)
{
    _cleanup_json_ yyjson_doc *got = NULL, *want = NULL;

    assert_int_equal(json_parse(str_of(last_body), &got, NULL), 0);
    assert_int_equal(json_parse(str_of(expected), &want, NULL), 0);
    if (!json_equal(yyjson_doc_get_root(got), yyjson_doc_get_root(want)))
        fail_msg("got %s, expected %s", last_body, expected);
}

static void a_record_is_created_then_filled(void **state)
{
    (void)state;
    start("");
    hold = true;
    set(AT_1);
    WAIT_FOR(held);
    check_body(
        "{\"apiVersion\":\"core.kubefed.io/v1alpha1\",\"kind\":\"PropagatedVersion\",\"metadata\":{\"name\":"
        "\"configmap-one\",\"namespace\":\"ns\",\"ownerReferences\":[{\"apiVersion\":\"types.kubefed.io/v1beta1\","
        "\"kind\":\"FederatedConfigMap\",\"name\":\"one\",\"uid\":\"u1\"}]}}");
    hold = false;
    fake_reply(held, 201, NULL, "{}");
    expect_writes("POST " IN_NS ";PATCH " ONE "/status;");
    check_body("{\"status\":" AT_1 "}");
    set(AT_1); /* nothing new */
    expect_writes("");
    set(AT_2);
    expect_writes("PATCH " ONE "/status;");
    check_body("{\"status\":" AT_2 "}");
    assert_str(version_store_get(store, &one), AT_2);
    /* An empty list is left out of the record, and must go from the one that is there. */
    set(STATUS(""));
    expect_writes("PATCH " ONE "/status;");
    check_body("{\"status\":{\"templateVersion\":\"t\",\"overridesVersion\":\"o\",\"clusterVersions\":null}}");
}

/* A record that is there already gets its owner first. */
static void an_existing_record_is_taken_over(void **state)
{
    (void)state;
    start("");
    refuse_next = 409;
    reason = "AlreadyExists";
    set(AT_1);
    expect_writes("POST " IN_NS ";PATCH " ONE ";PATCH " ONE "/status;");
}

/* In a namespace that is being terminated nothing can be created. */
static void forbidden_gives_up(void **state)
{
    (void)state;
    start("");
    refuse_next = 403;
    reason = "Forbidden";
    set(AT_1);
    expect_writes("POST " IN_NS ";");
    assert_str(version_store_get(store, &one), AT_1); /* what is known stays known */
}

static void a_lost_record_is_made_again(void **state)
{
    (void)state;
    start("");
    set(AT_1);
    expect_writes("POST " IN_NS ";PATCH " ONE "/status;");
    refuse_next = 404;
    reason = "NotFound";
    set(AT_2);
    expect_writes("PATCH " ONE "/status;POST " IN_NS ";PATCH " ONE "/status;");
    check_body("{\"status\":" AT_2 "}");
}

/* Any other failure is tried again. */
static void a_failed_write_is_tried_again(void **state)
{
    (void)state;
    start("");
    refuse_next = 500;
    reason = "InternalError";
    set(AT_1);
    expect_writes("POST " IN_NS ";POST " IN_NS ";PATCH " ONE "/status;");
}

#define RECORD(status)                                                                                                 \
    "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"configmap-one\",\"uid\":\"x\",\"resourceVersion\":\"1\"},"         \
    "\"status\":" status "}"

/* A record without versions is the same as one with an empty list, however the host shows it. */
static void check_known(const char *record, const char *status)
{
    start(record);
    set(status);
    expect_writes("");
    version_store_free(TAKE_PTR(store));
}

static void q45(void **state)
{
    (void)state;
    check_known(RECORD(STATUS("")), STATUS(""));
    check_known(RECORD(STATUS(",\"clusterVersions\":null")), STATUS(""));
    check_known(RECORD(STATUS(",\"clusterVersions\":[]")), STATUS(""));
    check_known(
        RECORD("{\"overridesVersion\":\"o\",\"templateVersion\":\"t\",\"clusterVersions\":[{\"version\":\"rv:1\","
               "\"clusterName\":\"c1\"}]}"),
        AT_1);
}

/* A host that does not answer holds nobody up; what changes meanwhile is written once. */
static void q63(void **state)
{
    (void)state;
    start(RECORD(STATUS("")));
    hold = true;
    set(AT_1);
    WAIT_FOR(held);
    for (int i = 0; i < 100; i++) {
        set(i % 2 ? AT_1 : STATUS(""));
        set(AT_2);
    }
    assert_str(version_store_get(store, &one), AT_2);
    assert_int_equal(version_store_pending(store), 1);
    hold = false;
    fake_reply(held, 200, NULL, "{}");
    expect_writes("PATCH " ONE "/status;PATCH " ONE "/status;");
    check_body("{\"status\":" AT_2 "}");
}

/* One list per kind of record, whatever types there are. */
static void p14(void **state)
{
    (void)state;
    start(RECORD(AT_1));
    for (int i = 0; i < 10; i++) {
        _cleanup_free_ char *name = mem_printf("kind%d-one", i);
        struct version_id id = { STR("ns"), str_of(name) };

        assert_int_equal(version_store_get(store, &id).n, 0);
    }
    run_for(20);
    assert_int_equal(n_lists, 2);
    assert_str(version_store_get(store, &one), AT_1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_record_is_created_then_filled),
        T(an_existing_record_is_taken_over),
        T(forbidden_gives_up),
        T(a_lost_record_is_made_again),
        T(a_failed_write_is_tried_again),
        T(q45),
        T(q63),
        T(p14),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
