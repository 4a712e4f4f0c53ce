/*
 * Objects in members whose federated object is gone: removed or let go, by how it went and by what was put off; and what is told of
 * members that cannot be asked. Host and member are one fake API server with one type, ClusterRole, and one member, c.
 */
#include "base/rtime.h"
#include "controllers/manager.h"
#include "kube/kube_test.h"

#define FED "/apis/types.kubefed.io/v1beta1/federatedclusterroles"
#define CORE "/apis/core.kubefed.io/v1beta1/namespaces/sys/"
#define TARGET "/apis/rbac.authorization.k8s.io/v1/clusterroles"
#define TYPE "clusterroles.rbac.authorization.k8s.io"
#define PUT_OFF "/api/v1/namespaces/sys/configmaps/kubefed-pending-removals"
#define LIST(items) "{\"metadata\":{\"resourceVersion\":\"%s\"},\"items\":[%s]}"
#define REMOVED "DELETE " TARGET "/r;"
#define LET_GO "PATCH " TARGET "/r;"

static struct kube_client *host;
static struct fed_config *config;
static struct manager *manager;
static const char *ftc;               /* name of the FederatedTypeConfig */
static char *cached, *stored;         /* federated objects: in the server's cache, and in its storage */
static const char *version;           /* of lists */
static bool in_member;                /* the member has a labelled object r */
static struct raw_conn *watch_of_fed; /* the watch of federated objects that is open */
static bool reachable;                /* the member */
static bool may_read;                 /* the removals that were put off */
static const char *put_off_as;        /* type of the one of r; NULL: there is none */
static char *created;                 /* a creationTimestamp of now */
static const char *more;              /* goes into metadata of federated objects, "" or with a comma at its end */
static const char *status;            /* of federated objects, "{}" */
static bool is_held;                  /* a list of the member waits in `held` */
static struct raw_conn *held;
static struct buf told; /* bodies of events */

static char *type_json(void)
{
    return mem_printf(
        "{\"apiVersion\":\"core.kubefed.io/v1beta1\",\"kind\":\"FederatedTypeConfig\",\"metadata\":{\"namespace\":\"sys\","
        "\"name\":\"%s\",\"uid\":\"u-t\",\"resourceVersion\":\"9\",\"generation\":1,"
        "\"finalizers\":[\"core.kubefed.io/federated-type-config\"]},\"spec\":{\"propagation\":\"Enabled\","
        "\"targetType\":{\"group\":\"rbac.authorization.k8s.io\",\"version\":\"v1\",\"kind\":\"ClusterRole\","
        "\"pluralName\":\"clusterroles\",\"scope\":\"Cluster\"},\"federatedType\":{\"group\":\"types.kubefed.io\","
        "\"version\":\"v1beta1\",\"kind\":\"FederatedClusterRole\",\"pluralName\":\"federatedclusterroles\","
        "\"scope\":\"Cluster\"}}}",
        ftc);
}

static char *cluster_json(void)
{
    return mem_printf("{\"apiVersion\":\"core.kubefed.io/v1beta1\",\"kind\":\"KubeFedCluster\",\"metadata\":{"
                      "\"namespace\":\"sys\",\"name\":\"c\",\"uid\":\"u-c\",\"resourceVersion\":\"4\"},"
                      "\"spec\":{\"apiEndpoint\":\"http://127.0.0.1:%u\",\"secretRef\":{\"name\":\"s\"}},\"status\":{"
                      "\"conditions\":[{\"type\":\"%s\",\"status\":\"True\"}]}}",
                      api.raw.port, reachable ? "Ready" : "Offline");
}

/* A federated object that was made just now. verb: what its template says. */
static char *federated(const char *name, const char *rv, bool finalizer, const char *verb)
{
    return mem_printf(
        "{\"apiVersion\":\"types.kubefed.io/v1beta1\",\"kind\":\"FederatedClusterRole\",\"metadata\":{"
        "\"name\":\"%s\",\"uid\":\"u-%s\",\"resourceVersion\":\"%s\",\"generation\":2,"
        "\"creationTimestamp\":\"%s\",%s\"finalizers\":[%s]},\"spec\":{\"template\":{\"rules\":[{\"verbs\":["
        "\"%s\"]}]},\"placement\":{\"clusters\":[{\"name\":\"c\"}]}},\"status\":%s}",
        name, name, rv, created, more, finalizer ? "\"kubefed.io/sync-controller\"" : "", verb, status);
}

static char *items(const char *path, bool from_storage)
{
    if (strcmp(path, CORE "federatedtypeconfigs") == 0)
        return type_json();
    if (strcmp(path, FED) == 0)
        return mem_strdup(from_storage ? stored : cached);
    if (strcmp(path, CORE "kubefedclusters") == 0)
        return cluster_json();
    if (strcmp(path, TARGET) == 0 && in_member)
        return mem_strdup("{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"ClusterRole\",\"metadata\":{"
                          "\"name\":\"r\",\"uid\":\"u-m\",\"resourceVersion\":\"5\",\"labels\":{\"kubefed.io/managed\":"
                          "\"true\"}},\"rules\":[{\"verbs\":[\"get\"]}]}");
    return mem_strdup("");
}

static void serve_list(const struct fake_request *req)
{
    _cleanup_free_ char *what = items(req->path, !strstr(req->query, "resourceVersion=0"));
    _cleanup_free_ char *body = mem_printf(LIST("%s"), version, what);

    fake_reply(req->conn, 200, NULL, body);
}

/* In the member c the removal of r was put off. */
static void serve_removals(struct raw_conn *conn)
{
    _cleanup_free_ char *body = mem_printf("{\"data\":{\"c\":\"[{\\\"type\\\":\\\"%s\\\",\\\"key\\\":\\\"r\\\","
                                           "\\\"uid\\\":\\\"u-m\\\",\\\"clusterUID\\\":\\\"u-c\\\"}]\"}}",
                                           put_off_as ? put_off_as : "");

    if (!may_read)
        fake_refuse(conn, 403, "Forbidden", "not allowed");
    else if (!put_off_as)
        fake_refuse(conn, 404, "NotFound", "not there");
    else
        fake_reply(conn, 200, NULL, body);
}

static void serve_read(const struct fake_request *req)
{
    if (strstr(req->query, "watch=true")) {
        fake_stream_begin(req->conn);
        if (strcmp(req->path, FED) == 0)
            watch_of_fed = req->conn;
    } else if (is_held && strcmp(req->path, TARGET) == 0) {
        held = req->conn;
    } else if (strstr(req->query, "limit=")) {
        serve_list(req);
    } else if (strcmp(req->path, PUT_OFF) == 0) {
        serve_removals(req->conn);
    } else if (strcmp(req->path, "/healthz") == 0) {
        fake_reply(req->conn, reachable ? 200 : 500, NULL, "ok");
    } else if (strstr(req->path, "/secrets/")) {
        fake_reply(req->conn, 200, NULL, "{\"data\":{\"token\":\"dG9rZW4=\"}}");
    } else {
        fake_refuse(req->conn, 404, "NotFound", "not there");
    }
}

static void handle(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    if (str_has_suffix(str_of(req->path), STR("/events")))
        buf_addz(&told, req->body);
    if (strcmp(req->method, "GET") == 0)
        serve_read(req);
    else
        fake_reply(req->conn, strcmp(req->method, "POST") == 0 ? 201 : 200, NULL, "{}");
}

static int set_up(void **state)
{
    (void)state;
    _cleanup_json_mut_ yyjson_mut_doc *made = fed_config_default_object("sys", "Cluster");
    _cleanup_json_ yyjson_doc *doc = json_freeze(made);
    char now[21];

    if (loop_new(&loop, NULL) < 0 || fed_config_decode(yyjson_doc_get_root(doc), &config, NULL) < 0)
        return -1;
    fake_api_start(&api, loop, handle);
    host = new_client(NULL);
    time_rfc3339(time_wall_s(), now);
    created = mem_strdup(now);
    cached = mem_strdup("");
    stored = mem_strdup("");
    ftc = TYPE;
    version = "50";
    in_member = may_read = reachable = true;
    put_off_as = NULL;
    more = "";
    status = "{}";
    is_held = false;
    held = NULL;
    told = BUF_INIT(BUF_MAX_DEFAULT);
    buf_addz(&told, "");
    watch_of_fed = NULL;
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
    free(cached);
    free(stored);
    free(created);
    buf_done(&told);
    return 0;
}

static void set(char **to, char *value)
{
    free(*to);
    *to = value;
}

static bool happened(const char *request)
{
    return strstr(api.log.p, request) != NULL;
}

static void lead(void)
{
    manager = manager_start(host, config, &fed_behavior_default, "sys");
    manager_lead(manager);
}

/* Leads, with r in the caches and in the member. */
static void lead_with_r(void)
{
    set(&stored, federated("r", "40", true, "get"));
    lead();
    WAIT_FOR(watch_of_fed && happened("GET " TARGET "?watch=true") && happened("PATCH " FED "/r/status"));
}

static void send_deleted(char *last)
{
    _cleanup_free_ char *object = last, *event = mem_printf("{\"type\":\"DELETED\",\"object\":%s}\n", object);

    fake_stream_send(watch_of_fed, event);
}

/* What is under way comes to its end. */
static void go_on(void)
{
    for (int i = 0; i < 50; i++)
        turn();
}

/* --- how it went --- */

/* The API server let it go in the moment when it got its finalizer. */
static void vanished(void **state)
{
    (void)state;
    lead_with_r();
    send_deleted(federated("r", "60", true, "get"));
    WAIT_FOR(happened(REMOVED));
    assert_false(happened(LET_GO));
}

/* The last state counts, which the event has, not the one in the cache. */
static void finalizer_taken_away(void **state)
{
    (void)state;
    lead_with_r();
    send_deleted(federated("r", "60", false, "get"));
    WAIT_FOR(happened(LET_GO));
    assert_false(happened(REMOVED));
}

/* A standby was behind when it became the leader: what it did not see may have been an orphaning deletion. */
static void gone_when_promoted(void **state)
{
    (void)state;
    set(&cached, federated("r", "40", true, "get"));
    manager = manager_start(host, config, &fed_behavior_default, "sys");
    WAIT_FOR(watch_of_fed && happened("GET " TARGET "?watch=true"));
    manager_lead(manager);
    WAIT_FOR(happened(LET_GO) || happened(REMOVED));
    assert_false(happened(REMOVED));
}

/* --- what was put off --- */

static void put_off(void **state)
{
    (void)state;
    put_off_as = TYPE;
    lead();
    WAIT_FOR(happened(REMOVED) || happened(LET_GO));
    assert_false(happened(LET_GO));
}

/* The FederatedTypeConfig was deleted and made anew under another name: what it federates is the same. */
static void put_off_under_another_name(void **state)
{
    (void)state;
    ftc = "roles-of-mine";
    put_off(state);
}

/* What was put off for another type is none of this one, even where its FederatedTypeConfig is called like that type. */
static void put_off_of_another_type(void **state)
{
    (void)state;
    ftc = put_off_as = "secrets";
    lead();
    WAIT_FOR(happened(REMOVED) || happened(LET_GO));
    go_on();
    assert_false(happened(REMOVED));
    assert_false(happened("PATCH " PUT_OFF));
}

static void not_put_off(void **state)
{
    (void)state;
    lead();
    WAIT_FOR(happened(REMOVED) || happened(LET_GO));
    assert_false(happened(REMOVED));
}

/* While what was put off cannot be read, types run, but nothing is let go that might have been put off. */
static void put_off_where_it_cannot_be_read(void **state)
{
    (void)state;
    put_off_as = TYPE;
    may_read = false;
    set(&stored, federated("other", "40", true, "get"));
    lead();
    WAIT_FOR(happened("POST " TARGET ";") && happened("PATCH " FED "/other/status"));
    assert_false(happened(LET_GO) || happened(REMOVED));
    may_read = true;
    WAIT_FOR(happened(REMOVED) || happened(LET_GO));
    assert_false(happened(LET_GO));
}

/* Its object was made again while nobody could read what was put off, nor reach the member. */
static void put_off_and_made_again(void **state)
{
    (void)state;
    put_off_as = TYPE;
    may_read = reachable = false;
    set(&stored, federated("r", "40", true, "get"));
    lead();
    WAIT_FOR(happened("PATCH " FED "/r/status"));
    assert_false(happened("PATCH " PUT_OFF));
    may_read = true;
    WAIT_FOR(happened("PATCH " PUT_OFF));
    assert_false(happened(REMOVED) || happened(LET_GO));
}

/* --- what is told --- */

#define STATUS(generation)                                                                                             \
    "{\"observedGeneration\":" generation                                                                              \
    ",\"conditions\":[{\"type\":\"Propagation\",\"status\":\"False\",\"reason\":"                                      \
    "\"CheckClusters\"}],\"clusters\":[{\"name\":\"c\",\"status\":\"ClusterNotReady\"}]}"
#define WAITS "\"reason\":\"WaitForRemovalInCluster\""

/* It was not propagated before either; what deletion waits for is told nevertheless, once. */
static void deletion_waits(void **state)
{
    (void)state;
    reachable = false;
    more = "\"deletionTimestamp\":\"2024-01-01T00:00:00Z\",";
    status = STATUS("1");
    set(&stored, federated("r", "40", true, "get"));
    lead();
    WAIT_FOR(strstr(told.p, WAITS));
    WAIT_FOR(happened("PATCH " FED "/r/status"));
    manager_free(manager);
    buf_consume(&told, told.n);
    buf_addz(&told, "");
    buf_reset(&api.log);
    buf_addz(&api.log, "");
    status = STATUS("2");
    _cleanup_free_ char *other = federated("other", "41", true, "get"), *known = federated("r", "42", true, "get");
    more = "";
    status = "{}";
    _cleanup_free_ char *last = federated("s", "43", true, "get");
    set(&stored, mem_printf("%s,%s,%s", other, known, last));
    lead();
    WAIT_FOR(happened("PATCH " FED "/s/status") && strstr(told.p, "Cluster not ready: c"));
    go_on();
    assert_null(strstr(told.p, WAITS));
}

/* The status had to say something before the member had answered; what its answer was is told. */
static void told_when_it_is_known(void **state)
{
    (void)state;
    is_held = true;
    set(&stored, federated("r", "40", true, "get"));
    lead();
    WAIT_FOR(held && happened("PATCH " FED "/r/status"));
    assert_null(strstr(told.p, "RetrievalFailed"));
    status = "{\"observedGeneration\":2,\"conditions\":[{\"type\":\"Propagation\",\"status\":\"False\"}],"
             "\"clusters\":[{\"name\":\"c\",\"status\":\"CachedRetrievalFailed\"}]}";
    _cleanup_free_ char *shown = federated("r", "60", true, "get");
    _cleanup_free_ char *event = mem_printf("{\"type\":\"MODIFIED\",\"object\":%s}\n", shown);
    fake_stream_send(watch_of_fed, event);
    go_on();
    fake_refuse(held, 404, "NotFound", "the server could not find the requested resource");
    WAIT_FOR(strstr(told.p, "\"reason\":\"CachedRetrievalFailed\""));
    assert_non_null(strstr(told.p, "could not find"));
}

/* --- a host that was restored from a backup --- */

/* The same generation of another history. */
static void restored(void **state)
{
    (void)state;
    lead_with_r();
    version = "30";
    set(&stored, federated("r", "20", true, "list"));
    buf_reset(&api.log);
    buf_addz(&api.log, "");
    fake_stream_send(watch_of_fed, "{\"type\":\"ERROR\",\"object\":{\"code\":410,\"reason\":\"Expired\"}}\n");
    WAIT_FOR(happened("PUT " TARGET "/r") || happened("PATCH " TARGET "/r"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(vanished),
        T(finalizer_taken_away),
        T(gone_when_promoted),
        T(put_off),
        T(put_off_under_another_name),
        T(put_off_of_another_type),
        T(not_put_off),
        T(put_off_where_it_cannot_be_read),
        T(put_off_and_made_again),
        T(deletion_waits),
        T(told_when_it_is_known),
        T(restored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
