/* The ConfigMap of removals that were put off: nothing is lost that was in it, whenever it can be read. */
#include "controllers/removals.h"
#include "kube/kube_test.h"

#define MAPS "/api/v1/namespaces/sys/configmaps"
#define MAP MAPS "/" FED_REMOVALS_CONFIGMAP
#define OLD "[{\\\"type\\\":\\\"t\\\",\\\"key\\\":\\\"old\\\",\\\"uid\\\":\\\"u1\\\",\\\"clusterUID\\\":\\\"u-c\\\"}]"
#define TYPE STR("t")

static struct kube_client *host;
static struct clusters *clusters;
static struct removals *removals;
static int read_status, post_status; /* of the ConfigMap */
static const char *read_body;
static unsigned reads, loads;
static char *written; /* body of the last write */

static void read_map(const struct fake_request *req)
{
    reads++;
    if (read_status == 200)
        fake_reply(req->conn, 200, NULL, read_body);
    else
        fake_refuse(req->conn, read_status, "Refused", "refused");
}

static void write_map(const struct fake_request *req)
{
    free(written);
    written = mem_strdup(req->body);
    if (post_status == 409 && strcmp(req->method, "POST") == 0)
        fake_refuse(req->conn, 409, "AlreadyExists", "there already");
    else
        fake_reply(req->conn, 200, NULL, "{}");
}

static void handle(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    if (str_has_prefix(str_of(req->path), STR(MAPS)))
        (strcmp(req->method, "GET") == 0 ? read_map : write_map)(req);
    else if (strstr(req->query, "watch=true"))
        fake_stream_begin(req->conn);
    else if (strstr(req->query, "limit="))
        fake_reply(
            req->conn, 200, NULL,
            "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[{\"metadata\":{\"namespace\":\"sys\",\"name\":\"c\","
            "\"uid\":\"u-c\",\"resourceVersion\":\"4\"}}]}");
    else
        fake_refuse(req->conn, 404, "NotFound", "not there");
}

static void on_synced(void *arg)
{
    (void)arg;
}

static int set_up(void **state)
{
    (void)state;
    if (loop_new(&loop, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    host = new_client(NULL);
    clusters = clusters_start(
        &(struct clusters_config){ .host = host, .system_namespace = "sys", .standby = true, .on_synced = on_synced });
    read_status = 200;
    post_status = 201;
    read_body = "{\"data\":{\"c\":\"" OLD "\"}}";
    reads = loads = 0;
    written = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    removals_free(removals);
    clusters_free(clusters);
    kube_client_free(host);
    fake_api_stop(&api);
    loop_free(loop);
    free(written);
    return 0;
}

static void on_loaded(void *arg)
{
    (void)arg;
    loads++;
}

static void start(void)
{
    WAIT_FOR(clusters_synced(clusters));
    removals = removals_start(&(struct removals_config){
        .host = host, .clusters = clusters, .system_namespace = "sys", .retry_ms = 20, .on_loaded = on_loaded });
}

static void put(const char *key, const char *uid)
{
    struct fed_removal *entry = mem_zalloc(sizeof(*entry));

    entry->type = str_dup(TYPE);
    entry->key = mem_strdup(key);
    entry->uid = mem_strdup(uid);
    entry->cluster_uid = mem_strdup("u-c");
    removals_put(removals, STR("c"), entry);
}

static const char *uid_of(const char *key)
{
    const struct fed_removal *entry = removals_find(removals, STR("c"), TYPE, str_of(key));

    return entry ? entry->uid : "none";
}

/* The outcome of a store: 1: not known yet. */
static void on_stored(void *arg, const struct error *err)
{
    *(int *)arg = err ? err->code : 0;
}

static void a_start(void **state)
{
    (void)state;
    int code = 1;
    struct removals_waiter w = { .fn = on_stored, .arg = &code };

    start();
    assert_false(removals_answered(removals));
    WAIT_FOR(removals_loaded(removals));
    assert_true(removals_answered(removals));
    assert_string_equal(uid_of("old"), "u1");
    put("new", "u2");
    removals_store(removals, &w);
    WAIT_FOR(code != 1);
    assert_int_equal(code, 0);
    assert_true(strstr(written, "old") && strstr(written, "new"));
}

/* An API server that starts refuses for a moment: that says nothing about what is stored. */
static void refused_for_a_moment(int status)
{
    int code = 1;
    struct removals_waiter w = { .fn = on_stored, .arg = &code };

    read_status = status;
    start();
    WAIT_FOR(reads >= 3);
    assert_false(removals_loaded(removals));
    WAIT_FOR(removals_answered(removals));
    put("new", "u2");
    removals_store(removals, &w);
    WAIT_FOR(code != 1);
    assert_true(code < 0); /* who waits is told at once, and nothing was written */
    assert_null(written);
    assert_int_equal(loads, 0);
    read_status = 200;
    WAIT_FOR(removals_loaded(removals));
    assert_int_equal(loads, 1);
    assert_string_equal(uid_of("old"), "u1");
    assert_string_equal(uid_of("new"), "u2");
    WAIT_FOR(written);
    assert_true(strstr(written, "old") && strstr(written, "new"));
}

static void forbidden_for_a_moment(void **state)
{
    (void)state;
    refused_for_a_moment(403);
}

static void failing_for_a_moment(void **state)
{
    (void)state;
    refused_for_a_moment(500);
}

static void malformed_for_a_moment(void **state)
{
    (void)state;
    const char *good = read_body;

    read_body = "{\"data\":";
    start();
    WAIT_FOR(reads >= 2);
    assert_false(removals_loaded(removals));
    read_body = good;
    WAIT_FOR(removals_loaded(removals));
    assert_string_equal(uid_of("old"), "u1");
}

/* What was put before it was read is newer than what is read. */
static void put_before_read(void **state)
{
    (void)state;
    start();
    put("old", "u9");
    WAIT_FOR(removals_loaded(removals));
    assert_string_equal(uid_of("old"), "u9");
    WAIT_FOR(written);
    assert_non_null(strstr(written, "u9"));
    assert_null(strstr(written, "u1"));
}

/* Not there when it was read, and there when it is to be made. */
static void made_by_somebody_else(void **state)
{
    (void)state;
    int code = 1;
    struct removals_waiter w = { .fn = on_stored, .arg = &code };

    read_status = 404;
    post_status = 409;
    start();
    WAIT_FOR(removals_loaded(removals));
    read_status = 200;
    put("new", "u2");
    removals_store(removals, &w);
    WAIT_FOR(code != 1);
    assert_int_equal(code, 0);
    assert_int_equal(loads, 2);
    assert_non_null(strstr(api.log.p, "PATCH " MAP));
    assert_true(strstr(written, "old") && strstr(written, "new"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_start),         T(forbidden_for_a_moment), T(failing_for_a_moment), T(malformed_for_a_moment),
        T(put_before_read), T(made_by_somebody_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
