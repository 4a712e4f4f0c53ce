/* The registry of clusters against a fake host: U-08, U-21, Q-05 to Q-07, and what a connection depends on (2.4, P-11). */
#include "controllers/clusters.h"
#include "kube/kube_test.h"

#define CLUSTERS "/apis/core.kubefed.io/v1beta1/namespaces/sys/kubefedclusters"
#define SECRETS "/api/v1/namespaces/sys/secrets/"
#define CLUSTER(name, rv, meta, spec, status)                                                                          \
    "{\"apiVersion\":\"core.kubefed.io/v1beta1\",\"kind\":\"KubeFedCluster\",\"metadata\":{\"namespace\":\"sys\","     \
    "\"name\":\"" name "\",\"uid\":\"u-" name "\",\"resourceVersion\":\"" rv "\"" meta "},\"spec\":{" spec             \
    "\"secretRef\":{\"name\":\"s-" name "\"}},\"status\":{" status "}}"
#define AT(url) "\"apiEndpoint\":\"" url "\","
#define READY(value, probed)                                                                                           \
    "\"conditions\":[{\"type\":\"Ready\",\"status\":\"" value "\",\"lastProbeTime\":\"2024-01-01T00:00:" probed "Z\"}]"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define LIST(rv, items) "{\"metadata\":{\"resourceVersion\":\"" rv "\"},\"items\":[" items "]}"
#define EXPIRED EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}")

static struct kube_client *host;
static struct event_recorder *recorder;
static struct clusters *registry;
static struct clusters_listener listener;
static struct raw_conn *watching;
static const char *list_body;
static const char *missing_secret; /* this one does not exist */
static unsigned n_secrets;
static bool standby, hold_newest; /* hold_newest: lists past the server's cache are not answered */
static struct raw_conn *held;     /* such a list */
static struct buf trace;          /* "<event> <cluster>;" */

static void handle(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    if (strcmp(req->path, CLUSTERS) == 0 && strstr(req->query, "watch=true")) {
        fake_stream_begin(req->conn);
        watching = req->conn;
    } else if (strcmp(req->path, CLUSTERS) == 0 && hold_newest && !strstr(req->query, "resourceVersion=0")) {
        held = req->conn;
    } else if (strcmp(req->path, CLUSTERS) == 0) {
        fake_reply(req->conn, 200, NULL, list_body);
    } else if (str_has_prefix(str_of(req->path), STR(SECRETS))) {
        n_secrets++;
        if (missing_secret && strcmp(req->path + strlen(SECRETS), missing_secret) == 0)
            fake_refuse(req->conn, 404, "NotFound", "not there");
        else
            fake_reply(req->conn, 200, NULL, "{\"data\":{\"token\":\"dG9rZW4=\"}}");
    } else {
        fake_reply(req->conn, 201, NULL, "{}");
    }
}

static void gone(void *arg, struct raw_conn *c)
{
    (void)arg;
    if (c == watching)
        watching = NULL;
}

static void on_cluster(void *arg, struct cluster *c, enum cluster_event event)
{
    static const char *const names[] = {
        [CLUSTER_ADDED] = "added",     [CLUSTER_CONNECTED] = "connected", [CLUSTER_DISCONNECTED] = "disconnected",
        [CLUSTER_READY] = "ready",     [CLUSTER_UNREADY] = "unready",     [CLUSTER_RELABELLED] = "relabelled",
        [CLUSTER_REMOVED] = "removed",
    };

    (void)arg;
    buf_printf(&trace, "%s %s;", names[event], c->name);
}

static void on_synced(void *arg)
{
    (void)arg;
}

static void start(const char *list, bool plain_http)
{
    list_body = list;
    registry = clusters_start(&(struct clusters_config){ .host = host,
                                                         .events = recorder,
                                                         .system_namespace = "sys",
                                                         .standby = standby,
                                                         .plain_http_default = plain_http,
                                                         .on_synced = on_synced });
    listener = (struct clusters_listener){ .fn = on_cluster };
    clusters_listen(registry, &listener);
    WAIT_FOR(watching);
}

static int set_up(void **state)
{
    (void)state;
    if (loop_new(&loop, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    api.raw.gone = gone;
    host = new_client(NULL);
    recorder = event_recorder_new(host);
    watching = held = NULL;
    missing_secret = NULL;
    standby = hold_newest = false;
    n_secrets = 0;
    trace = BUF_INIT(BUF_MAX_DEFAULT);
    buf_addz(&trace, "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clusters_free(registry);
    registry = NULL;
    event_recorder_free(recorder);
    kube_client_free(host);
    fake_api_stop(&api);
    loop_free(loop);
    buf_done(&trace);
    return 0;
}

static struct cluster *find(const char *name)
{
    return clusters_find(registry, str_of(name));
}

/* Everything that was told since the last call is this. */
static void expect_trace(const char *want)
{
    assert_string_equal(trace.p, want);
    buf_reset(&trace);
    buf_addz(&trace, "");
}

/* Sends a change and another one of cluster "mark", so that everything of the first was told when this returns. */
static void send(const char *event)
{
    static int n;
    _cleanup_free_ char *mark = mem_printf(
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"namespace\":\"sys\",\"name\":\"mark%d\",\"uid\":\"m%d\","
        "\"resourceVersion\":\"1\"}}}\n",
        n + 1, n + 1);
    n++;
    _cleanup_free_ char *name = mem_printf("mark%d", n);
    _cleanup_free_ char *told = mem_printf("added %s;", name);

    fake_stream_send(watching, event);
    fake_stream_send(watching, mark);
    WAIT_FOR(find(name));
    /* The mark itself is taken out of the trace. */
    char *at = strstr(trace.p, told);
    assert_non_null(at);
    _cleanup_free_ char *rest = mem_printf("%.*s%s", (int)(at - trace.p), trace.p, at + strlen(told));
    buf_reset(&trace);
    buf_addz(&trace, rest);
}

static size_t snapshot_size(void)
{
    _cleanup_(cluster_snapshot_unrefp) struct cluster_snapshot *s = clusters_snapshot(registry);

    return s->n;
}

static void u21(void **state)
{
    (void)state;
    start(LIST("1", ""), false);
    assert_null(find("c1"));
    send(EVENT("ADDED", CLUSTER("c1", "2", "", AT("https://a:6443"), "")));
    WAIT_FOR(find("c1") && find("c1")->client);
    assert_string_equal(find("c1")->spec->api_endpoint, "https://a:6443");
    expect_trace("added c1;connected c1;");
    send(EVENT("MODIFIED", CLUSTER("c1", "3", "", AT("https://b:6443"), "")));
    WAIT_FOR(find("c1")->client);
    assert_string_equal(find("c1")->spec->api_endpoint, "https://b:6443");
    expect_trace("disconnected c1;connected c1;");
    send(EVENT("DELETED", CLUSTER("c1", "4", "", AT("https://b:6443"), "")));
    assert_null(find("c1"));
    expect_trace("disconnected c1;removed c1;");
}

/* Added, deleted, and changes that matter are told; a probe time that moves, or the same object again, is not. */
static void u08(void **state)
{
    (void)state;
    start(LIST("1", ""), false);
    send(EVENT("ADDED", CLUSTER("c1", "2", "", AT("https://a"), READY("True", "01"))));
    WAIT_FOR(find("c1")->client);
    expect_trace("added c1;connected c1;");
    send(EVENT("MODIFIED", CLUSTER("c1", "2", "", AT("https://a"), READY("True", "01"))));
    expect_trace("");
    send(EVENT("MODIFIED", CLUSTER("c1", "3", "", AT("https://a"), READY("True", "11"))));
    expect_trace("");
    send(EVENT("MODIFIED", CLUSTER("c1", "4", "", AT("https://a"), READY("False", "21"))));
    expect_trace("unready c1;");
    send(EVENT("MODIFIED", CLUSTER("c1", "5", "", AT("https://a"), READY("True", "31"))));
    expect_trace("ready c1;");
    /* Listed anew: what is as before is silent, what is missing was deleted. */
    send(EVENT("ADDED", CLUSTER("c2", "6", "", AT("https://a"), "")));
    WAIT_FOR(find("c2")->client);
    expect_trace("added c2;connected c2;");
    list_body = LIST("20", CLUSTER("c1", "5", "", AT("https://a"), READY("True", "31")));
    fake_stream_send(TAKE_PTR(watching), EXPIRED);
    WAIT_FOR(!find("c2"));
    assert_non_null(strstr(trace.p, "disconnected c2;removed c2;"));
    assert_null(strstr(trace.p, "c1"));
}

/* The deletion itself was missed: the list tells it, and nobody waits for that cluster any longer. */
static void q05(void **state)
{
    (void)state;
    start(LIST("1", CLUSTER("c1", "1", "", AT("https://a"), READY("True", "01"))), false);
    WAIT_FOR(find("c1") && find("c1")->client);
    assert_int_equal(snapshot_size(), 1);
    list_body = LIST("20", "");
    fake_stream_send(TAKE_PTR(watching), EXPIRED);
    WAIT_FOR(!find("c1"));
    expect_trace("added c1;connected c1;disconnected c1;removed c1;");
    assert_int_equal(snapshot_size(), 0);
}

/* A Secret that is not there yet is asked for again, and holds up its own cluster only. */
static void q06(void **state)
{
    (void)state;
    missing_secret = "s-c1";
    start(LIST("1", CLUSTER("c1", "1", "", AT("https://a"), "") "," CLUSTER("c2", "1", "", AT("https://a"), "")),
          false);
    WAIT_FOR(find("c2") && find("c2")->client && find("c1")->problem);
    assert_null(find("c1")->client);
    assert_non_null(strstr(find("c1")->problem, "s-c1"));
    missing_secret = NULL;
    WAIT_FOR(find("c1")->client);
    assert_null(find("c1")->problem);
}

/* A request through the client of c1, whose endpoint is the fake server without a scheme. */
static bool is_called_in_plain_text(bool plain_http)
{
    _cleanup_free_ char *list = mem_printf(LIST("1", CLUSTER("c1", "1", "", AT("127.0.0.1:%u"), "")),
                                           (unsigned)api.raw.port);
    _cleanup_answer_ struct answer a = { 0 };

    start(list, plain_http);
    WAIT_FOR(find("c1") && find("c1")->client);
    kube_call(find("c1")->client,
              &(struct kube_request){ .method = "GET", .path = STR("/probe"), .timeout_ms = 500, .no_retry = true },
              on_answer, &a);
    WAIT_FOR(a.done);
    assert_int_equal(a.code == 0, plain_http);
    return strstr(api.log.p, "GET /probe") != NULL;
}

static void q07(void **state)
{
    (void)state;
    assert_false(is_called_in_plain_text(false));
}

static void q07_as_kubefed(void **state)
{
    (void)state;
    assert_true(is_called_in_plain_text(true));
}

/* Labels, annotations and readiness do not make a new connection; endpoint, Secret, proxy and TLS checks do. */
static void connection_follows_the_spec(void **state)
{
    (void)state;
    start(LIST("1", CLUSTER("c1", "1", "", AT("https://a"), "")), false);
    WAIT_FOR(find("c1") && find("c1")->client);
    expect_trace("added c1;connected c1;");
    assert_int_equal(n_secrets, 1);
    send(EVENT("MODIFIED", CLUSTER("c1", "2", ",\"labels\":{\"a\":\"b\"}", AT("https://a"), "")));
    expect_trace("relabelled c1;");
    send(EVENT("MODIFIED",
               CLUSTER("c1", "3", ",\"labels\":{\"a\":\"b\"},\"annotations\":{\"a\":\"b\"}", AT("https://a"), "")));
    expect_trace("");
    send(EVENT("MODIFIED", CLUSTER("c1", "4", ",\"labels\":{\"a\":\"b\"}", AT("https://a"), READY("True", "01"))));
    expect_trace("ready c1;");
    assert_int_equal(n_secrets, 1);
    send(EVENT("MODIFIED", CLUSTER("c1", "5", ",\"labels\":{\"a\":\"b\"}",
                                   AT("https://a") "\"proxyURL\":\"http://p:1\",", READY("True", "01"))));
    WAIT_FOR(find("c1")->client);
    expect_trace("disconnected c1;connected c1;");
    send(EVENT("MODIFIED", CLUSTER("c1", "6", ",\"labels\":{\"a\":\"b\"}",
                                   AT("https://a") "\"disabledTLSValidations\":[\"*\"],", READY("True", "01"))));
    WAIT_FOR(find("c1")->client);
    expect_trace("disconnected c1;connected c1;");
    assert_int_equal(n_secrets, 3);
}

/* --- leading --- */

/* The caches of a standby may be behind what the leader before it wrote: nothing is done by them before a list of what is stored. */
static void promotion_waits_for_the_newest(void **state)
{
    (void)state;
    standby = hold_newest = true;
    start(LIST("1", CLUSTER("c1", "1", "", AT("https://a"), "")), false);
    WAIT_FOR(find("c1")->client);
    assert_int_equal(n_secrets, 1);
    clusters_lead(registry);
    assert_false(clusters_synced(registry));
    WAIT_FOR(held);
    assert_int_equal(n_secrets, 1);
    fake_reply(held, 200, NULL, LIST("20", CLUSTER("c2", "15", "", AT("https://b"), "")));
    WAIT_FOR(clusters_synced(registry));
    WAIT_FOR(find("c2")->client);
    assert_null(find("c1"));
}

static unsigned n_events(void)
{
    unsigned n = 0;

    for (const char *at = api.log.p; (at = strstr(at, "POST /api/v1/namespaces/sys/events")); at++)
        n++;
    return n;
}

/* What a standby kept to itself is told by a leader: also what is wrong with the specification. */
static void problems_are_told_by_the_leader(void **state)
{
    (void)state;
    standby = true;
    missing_secret = "s-c2";
    start(LIST("1", CLUSTER("c1", "1", "", "", "") "," CLUSTER("c2", "1", "", AT("https://a"), "")), false);
    WAIT_FOR(find("c1")->problem && find("c2")->problem);
    _cleanup_free_ char *before = mem_strdup(find("c1")->problem);
    assert_int_equal(n_events(), 0);
    clusters_lead(registry);
    WAIT_FOR(clusters_synced(registry) && n_events() == 2);
    assert_string_equal(find("c1")->problem, before);
}

/* The Secret is gone for a moment while its token is in use: that is no malformed cluster, and over when the Secret is back. */
static void a_problem_of_a_connected_cluster(void **state)
{
    (void)state;
    start(LIST("1", CLUSTER("c1", "1", "", AT("https://a"), "")), false);
    WAIT_FOR(find("c1")->client);
    missing_secret = "s-c1";
    clusters_read_secret(find("c1"));
    WAIT_FOR(find("c1")->problem);
    assert_non_null(find("c1")->client);
    missing_secret = NULL;
    WAIT_FOR(!find("c1")->problem);
    assert_non_null(find("c1")->client);
    assert_int_equal(n_events(), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(u21),
        T(u08),
        T(q05),
        T(q06),
        T(q07),
        T(q07_as_kubefed),
        T(connection_follows_the_spec),
        T(promotion_waits_for_the_newest),
        T(problems_are_told_by_the_leader),
        T(a_problem_of_a_connected_cluster),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
