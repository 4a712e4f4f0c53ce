/*
 * Leader election (controllers.md 1.4): the record and its keys, acquiring, renewing, taking over, losing, releasing. The
 * fake server keeps one lock object and its version.
 */
#include "json/json.h"
#include "kube/lease.h"
#include "kube_test.h"

#define CONFIGMAP "/api/v1/namespaces/sysns/configmaps"
#define LEASE "/apis/coordination.k8s.io/v1/namespaces/sysns/leases"
#define EVENTS "/api/v1/namespaces/sysns/events"
#define ANNOTATION "control-plane.alpha.kubernetes.io/leader"

static char *stored; /* the lock object as JSON, NULL: none */
static unsigned version, writes;
static struct event_recorder *events;
static struct buf told; /* bodies of the events written */
static enum { WORKS, FAILS, HANGS, CONFLICTS } mode;
static bool changes_after_read; /* somebody writes the lock after it was read, once */

static struct kube_client *client;
static struct lease *lease;
static unsigned started, stopped, released;
static char leader[64];

static void answer_stored(const struct fake_request *req, int status)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_buf_ struct buf out = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_free_ char *rv = mem_printf("%u", version);

    assert_int_equal(json_parse(str_of(stored), &doc, NULL), 0);
    _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(yyjson_doc_get_root(doc));
    yyjson_mut_val *metadata = json_mut_ensure_obj(copy, yyjson_mut_doc_get_root(copy), "metadata");
    json_mut_set_str(copy, metadata, "resourceVersion", str_of(rv));
    json_mut_write(&out, yyjson_mut_doc_get_root(copy));
    fake_reply(req->conn, status, NULL, out.p);
}

static bool version_matches(const struct fake_request *req)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    uint64_t given = 0;

    assert_int_equal(json_parse(str_of(req->body), &doc, NULL), 0);
    return str_to_u64(json_path_str(yyjson_doc_get_root(doc), "metadata.resourceVersion"), &given) == 0 &&
           given == version;
}

static void handle(struct fake_api *a, const struct fake_request *req)
{
    bool get = strcmp(req->method, "GET") == 0, post = strcmp(req->method, "POST") == 0;

    (void)a;
    if (strcmp(req->path, EVENTS) == 0) {
        buf_adds(&told, str_of(req->body));
        fake_reply(req->conn, 201, NULL, "{}");
        return;
    }
    if (mode == HANGS)
        return;
    if (mode == FAILS) {
        fake_refuse(req->conn, 500, "InternalError", "broken");
    } else if (get && !stored) {
        fake_refuse(req->conn, 404, "NotFound", "no lock");
    } else if (get) {
        answer_stored(req, 200);
        version += changes_after_read;
        changes_after_read = false;
    } else if (mode == CONFLICTS || (post && stored) || (!post && !version_matches(req))) {
        fake_refuse(req->conn, 409, post ? "AlreadyExists" : "Conflict", "no");
    } else {
        free(stored);
        stored = mem_strdup(req->body);
        version++;
        writes++;
        answer_stored(req, post ? 201 : 200);
    }
}

static int set_up(void **state)
{
    (void)state;
    if (loop_new(&loop, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    client = new_client(NULL);
    lease = NULL;
    stored = NULL;
    version = 7;
    writes = started = stopped = released = 0;
    mode = WORKS;
    changes_after_read = false;
    leader[0] = '\0';
    return 0;
}

static void on_released(void *arg)
{
    (void)arg;
    released++;
}

static int tear_down(void **state)
{
    (void)state;
    if (lease)
        lease_stop(lease, NULL, NULL);
    event_recorder_free(TAKE_PTR(events));
    buf_done(&told);
    kube_client_free(client);
    fake_api_stop(&api);
    loop_free(loop);
    free(stored);
    return 0;
}

static void on_started(void *arg)
{
    (void)arg;
    started++;
}

static void on_stopped(void *arg)
{
    (void)arg;
    stopped++;
}

static void on_new_leader(void *arg, struct str identity)
{
    (void)arg;
    snprintf(leader, sizeof(leader), "%.*s", (int)identity.n, identity.p);
}

static void start(const char *resource, int64_t duration_ms, int64_t deadline_ms, int64_t retry_ms)
{
    lease = lease_start(&(struct lease_config){ .client = client,
                                                .events = events,
                                                .component = "manager",
                                                .resource = resource,
                                                .ns = "sysns",
                                                .name = "lock",
                                                .identity = "host_me",
                                                .lease_duration_ms = duration_ms,
                                                .renew_deadline_ms = deadline_ms,
                                                .retry_period_ms = retry_ms,
                                                .on_started = on_started,
                                                .on_stopped = on_stopped,
                                                .on_new_leader = on_new_leader });
}

/* The record that is stored. */
static yyjson_doc *record(void)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    yyjson_doc *inner = NULL;

    assert_int_equal(json_parse(str_of(stored), &doc, NULL), 0);
    yyjson_val *annotations = json_path(yyjson_doc_get_root(doc), "metadata.annotations");
    assert_int_equal(json_parse(json_str(json_get(annotations, ANNOTATION)), &inner, NULL), 0);
    return inner;
}

/* The lock as another process left it. */
static void store_record_for(int64_t duration_s, const char *holder, int64_t transitions, const char *renewed)
{
    free(stored);
    stored = mem_printf(
        "{\"kind\":\"ConfigMap\",\"data\":{\"keep\":\"this\"},\"metadata\":{\"name\":\"lock\",\"annotations\":"
        "{\"other\":\"x\",\"" ANNOTATION "\":\"{\\\"holderIdentity\\\":\\\"%s\\\","
        "\\\"leaseDurationSeconds\\\":%lld,\\\"acquireTime\\\":\\\"2020-01-01T00:00:00Z\\\","
        "\\\"renewTime\\\":\\\"%s\\\",\\\"leaderTransitions\\\":%lld}\"}}}",
        holder, (long long)duration_s, renewed, (long long)transitions);
    version++;
}

static void store_record(const char *holder, int64_t transitions, const char *renewed)
{
    store_record_for(15, holder, transitions, renewed);
}

static void creates_the_lock(void **state)
{
    (void)state;
    int64_t at;

    start("configmaps", 15500, 10000, 1000);
    WAIT_FOR(started);
    assert_string_equal(api.log.p, "GET " CONFIGMAP "/lock;POST " CONFIGMAP ";");
    assert_string_equal(leader, "host_me");
    _cleanup_json_ yyjson_doc *object = NULL, *doc = record();
    yyjson_val *r = yyjson_doc_get_root(doc);
    json_parse(str_of(stored), &object, NULL);
    assert_str(json_path_str(yyjson_doc_get_root(object), "kind"), "ConfigMap");
    assert_str(json_path_str(r, "holderIdentity"), "host_me");
    assert_int_equal(json_path_i64(r, "leaseDurationSeconds", 0), 15); /* whole seconds */
    assert_int_equal(json_path_i64(r, "leaderTransitions", -1), 0);
    assert_int_equal(json_path_str(r, "renewTime").n, strlen("2006-01-02T15:04:05Z"));
    assert_int_equal(time_parse_rfc3339(json_path_str(r, "acquireTime"), &at), 0);
    assert_true(at <= time_wall_s() && at >= time_wall_s() - 60);
}

static void renews(void **state)
{
    (void)state;
    store_record("host_me", 4, "2020-01-01T00:00:00Z"); /* of this identity already */
    start("configmaps", 15000, 10000, 10);
    WAIT_FOR(writes >= 3);
    assert_int_equal(started, 1);
    _cleanup_json_ yyjson_doc *object = NULL, *doc = record();
    yyjson_val *r = yyjson_doc_get_root(doc);
    assert_str(json_path_str(r, "acquireTime"), "2020-01-01T00:00:00Z");
    assert_int_equal(json_path_i64(r, "leaderTransitions", -1), 4);
    assert_false(str_eqc(json_path_str(r, "renewTime"), "2020-01-01T00:00:00Z"));
    json_parse(str_of(stored), &object, NULL); /* nothing else of the object is touched */
    assert_str(json_path_str(yyjson_doc_get_root(object), "data.keep"), "this");
    assert_str(json_path_str(yyjson_doc_get_root(object), "metadata.annotations.other"), "x");
}

/* A record counts for its duration from the moment that it was seen to change, whatever times are in it: for as long as it says, not
 * only for our own shorter one. */
static void takes_over(void **state)
{
    (void)state;
    uint64_t begin = time_mono_ms();

    store_record_for(1, "other", 4, "2020-01-01T00:00:00Z");
    start("configmaps", 150, 100, 10);
    WAIT_FOR(strcmp(leader, "other") == 0);
    while (time_mono_ms() - begin < 80)
        turn();
    store_record_for(1, "other", 4, "2020-01-01T00:01:00Z"); /* it lives */
    begin = time_mono_ms();
    WAIT_FOR(started);
    assert_true(time_mono_ms() - begin >= 999);
    _cleanup_json_ yyjson_doc *doc = record();
    assert_int_equal(json_path_i64(yyjson_doc_get_root(doc), "leaderTransitions", -1), 5);
    assert_false(str_eqc(json_path_str(yyjson_doc_get_root(doc), "acquireTime"), "2020-01-01T00:00:00Z"));
    assert_string_equal(leader, "host_me");
}

/* And for ours when that is the longer one. */
static void takes_over_after_our_duration(void **state)
{
    (void)state;
    store_record_for(0, "other", 4, "2020-01-01T00:00:00Z");
    uint64_t begin = time_mono_ms();
    start("configmaps", 150, 100, 10);
    WAIT_FOR(started);
    assert_true(time_mono_ms() - begin >= 149);
}

/* A lock that was released is free at once. */
static void takes_released_lock(void **state)
{
    (void)state;
    store_record("", 4, "2020-01-01T00:00:00Z");
    start("configmaps", 15000, 10000, 1000);
    WAIT_FOR(started);
    assert_int_equal(api.n_requests, 2);
    _cleanup_json_ yyjson_doc *doc = record();
    assert_int_equal(json_path_i64(yyjson_doc_get_root(doc), "leaderTransitions", -1), 5);
}

/* Somebody else's count is no reason to overflow. */
static void count_of_transitions_is_bounded(void **state)
{
    (void)state;
    store_record("", INT64_MAX, "2020-01-01T00:00:00Z");
    start("configmaps", 15000, 10000, 1000);
    WAIT_FOR(started);
    _cleanup_json_ yyjson_doc *doc = record();
    assert_int_equal(json_path_i64(yyjson_doc_get_root(doc), "leaderTransitions", -1), 1);
}

static void object_without_record(void **state)
{
    (void)state;
    stored = mem_strdup("{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"lock\"}}");
    start("configmaps", 15000, 10000, 1000);
    WAIT_FOR(started);
}

static void conflict_is_tried_again(void **state)
{
    (void)state;
    store_record("", 0, "2020-01-01T00:00:00Z");
    mode = CONFLICTS;
    start("configmaps", 15000, 10000, 10);
    WAIT_FOR(api.n_requests >= 4);
    assert_int_equal(started, 0);
    mode = WORKS;
    WAIT_FOR(started);
}

static void lost_when_renewal_fails(void **state)
{
    (void)state;
    start("configmaps", 15000, 100, 10);
    WAIT_FOR(writes >= 2);
    mode = FAILS;
    uint64_t begin = time_mono_ms();
    WAIT_FOR(stopped);
    assert_true(time_mono_ms() - begin >= 50);
    unsigned n = api.n_requests;
    run_for(50);
    assert_int_equal(api.n_requests, n); /* it is over */
    assert_int_equal(stopped, 1);
}

/* The deadline does not wait for an answer that does not come. */
static void lost_when_server_hangs(void **state)
{
    (void)state;
    start("configmaps", 150000, 200, 100000);
    WAIT_FOR(started);
    mode = HANGS;
    WAIT_FOR(stopped); /* 200 from the last success, not 100,000 + 200 */
}

/* A slow write may not stretch leadership beyond what others wait for. */
static void deadline_counts_from_sending(void **state)
{
    (void)state;
    start("configmaps", 60, 100000, 10);
    WAIT_FOR(started);
    mode = HANGS;
    WAIT_FOR(stopped);
}

static void lost_to_another(void **state)
{
    (void)state;
    start("configmaps", 15000, 10000, 10);
    WAIT_FOR(started);
    store_record("other", 1, "2030-01-01T00:00:00Z");
    WAIT_FOR(stopped);
    assert_string_equal(leader, "other");
}

static void release_when_held(void **state)
{
    (void)state;
    start("configmaps", 15000, 10000, 1000);
    WAIT_FOR(started);
    lease_stop(TAKE_PTR(lease), on_released, NULL);
    assert_int_equal(released, 0);
    WAIT_FOR(released);
    _cleanup_json_ yyjson_doc *doc = record();
    assert_str(json_path_str(yyjson_doc_get_root(doc), "holderIdentity"), "");
    assert_int_equal(stopped, 0);
}

/* A renewal that was under way arrives while the lock is released. */
static void release_after_a_late_renewal(void **state)
{
    (void)state;
    start("configmaps", 15000, 10000, 5000);
    WAIT_FOR(started);
    changes_after_read = true;
    lease_stop(TAKE_PTR(lease), on_released, NULL);
    WAIT_FOR(released);
    assert_false(changes_after_read);
    assert_non_null(strstr(stored, "holderIdentity\\\":\\\"\\\""));
}

/* Who is always told of a conflict gives up. */
static void release_in_vain(void **state)
{
    (void)state;
    start("configmaps", 15000, 10000, 5000);
    WAIT_FOR(started);
    mode = CONFLICTS;
    buf_reset(&api.log);
    lease_stop(TAKE_PTR(lease), on_released, NULL);
    WAIT_FOR(released);
    unsigned tries = 0;
    for (const char *at = api.log.p; (at = strstr(at, "PUT ")); at++)
        tries++;
    assert_int_equal(tries, 3);
}

/* What another one holds by now is not touched. */
static void release_when_taken(void **state)
{
    (void)state;
    start("configmaps", 15000, 10000, 1000);
    WAIT_FOR(started);
    store_record("other", 1, "2030-01-01T00:00:00Z");
    writes = 0;
    lease_stop(TAKE_PTR(lease), on_released, NULL);
    WAIT_FOR(released);
    assert_int_equal(writes, 0);
}

static void stop_without_lock(void **state)
{
    (void)state;
    mode = HANGS;
    start("configmaps", 15000, 10000, 1000);
    run_for(5);
    lease_stop(TAKE_PTR(lease), on_released, NULL);
    assert_int_equal(released, 1);
}

static void leases(void **state)
{
    (void)state;
    start("leases", 15000, 10000, 10);
    WAIT_FOR(writes >= 2);
    _cleanup_json_ yyjson_doc *doc = NULL;
    json_parse(str_of(stored), &doc, NULL);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_true(str_has_prefix(buf_str(&api.log), STR("GET " LEASE "/lock;POST " LEASE ";")));
    assert_str(json_path_str(root, "apiVersion"), "coordination.k8s.io/v1");
    assert_str(json_path_str(root, "kind"), "Lease");
    assert_str(json_path_str(root, "spec.holderIdentity"), "host_me");
    assert_int_equal(json_path_i64(root, "spec.leaseTransitions", -1), 0);
    assert_int_equal(json_path_str(root, "spec.renewTime").n, strlen("2006-01-02T15:04:05.000000Z"));
    assert_int_equal(json_path_str(root, "spec.acquireTime").n, strlen("2006-01-02T15:04:05.000000Z"));
    assert_null(json_path(root, "metadata.annotations"));
}

static bool was_told(const char *text)
{
    return told.n && strstr(told.p, text);
}

/* 1.4: events on the lock object. */
static void events_of_leadership(void **state)
{
    (void)state;
    events = event_recorder_new(client);
    told = BUF_INIT(1 << 16);
    stored = mem_strdup("{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"lock\",\"uid\":\"u-1\"}}");
    start("configmaps", 15000, 10000, 1000);
    WAIT_FOR(was_told("\"host_me became leader\""));
    assert_true(was_told("\"involvedObject\":{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"lock\","
                         "\"namespace\":\"sysns\",\"uid\":\"u-1\",\"resourceVersion\":\"8\"}"));
    assert_true(was_told("\"type\":\"Normal\",\"reason\":\"LeaderElection\",\"source\":{\"component\":\"manager\"}"));
    lease_stop(TAKE_PTR(lease), on_released, NULL);
    WAIT_FOR(released && was_told("\"host_me stopped leading\""));
}

static void losing_is_told(void **state)
{
    (void)state;
    events = event_recorder_new(client);
    told = BUF_INIT(1 << 16);
    start("endpoints", 15000, 10000, 10);
    WAIT_FOR(started);
    store_record("other", 1, "2030-01-01T00:00:00Z");
    WAIT_FOR(was_told("\"host_me stopped leading\""));
    assert_true(was_told("\"kind\":\"Endpoints\""));
    assert_int_equal(stopped, 1);
}

static void endpoints(void **state)
{
    (void)state;
    start("endpoints", 15000, 10000, 1000);
    WAIT_FOR(started);
    assert_non_null(strstr(api.log.p, "POST /api/v1/namespaces/sysns/endpoints;"));
    assert_non_null(strstr(stored, "\"Endpoints\""));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(creates_the_lock),
        T(renews),
        T(takes_over),
        T(takes_over_after_our_duration),
        T(takes_released_lock),
        T(count_of_transitions_is_bounded),
        T(object_without_record),
        T(conflict_is_tried_again),
        T(lost_when_renewal_fails),
        T(lost_when_server_hangs),
        T(deadline_counts_from_sending),
        T(lost_to_another),
        T(release_when_held),
        T(release_after_a_late_renewal),
        T(release_in_vain),
        T(release_when_taken),
        T(stop_without_lock),
        T(leases),
        T(endpoints),
        T(events_of_leadership),
        T(losing_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
