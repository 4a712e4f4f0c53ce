/*
 * The FederatedTypeConfig `namespaces` is changed while everything runs: placement follows it, and as long as it is not known anew,
 * nothing is planned. Host and member are one fake API server, in which a ConfigMap is propagated.
 */
#include "controllers/insight.h"
#include "controllers/manager.h"
#include "controllers/namespaces.h"
#include "kube/kube_test.h"

#define TYPES "/apis/types.kubefed.io/"
#define FED TYPES "v1beta1/federatedconfigmaps"
#define FED_OBJECT TYPES "v1beta1/namespaces/shop/federatedconfigmaps/cm"
#define CORE "/apis/core.kubefed.io/v1beta1/namespaces/sys/"
#define FTCS CORE "federatedtypeconfigs"
#define TARGET "/api/v1/namespaces/shop/configmaps/cm"
#define LIST "{\"metadata\":{\"resourceVersion\":\"%u\"},\"items\":[%s]}"
#define HELD_MAX 4u
#define HERE "{\"name\":\"c\"}"

static struct kube_client *host;
static struct fed_config *config;
static struct manager *manager;
static struct raw_conn *ftc_watch, *fed_watch, *placement_watch;
static const char *type_version; /* of FederatedNamespace, in what is stored */
static const char *old_placed,
    *new_placed;         /* clusters of the FederatedNamespaces of v1beta1 and v1beta2; NULL: there is none */
static bool finalized;   /* the federated object has its finalizer */
static const char *hold; /* path of requests that are not answered yet */
static struct raw_conn *held[HELD_MAX];
static size_t n_held;
static bool served; /* v1beta2 */
static bool stored; /* the federated object */
static unsigned list_version;
static unsigned version;

/* --- what there is --- */

static char *ftc_json(const char *name, const char *mode, const char *kind, const char *scope, const char *fed_version)
{
    return mem_printf(
        "{\"apiVersion\":\"core.kubefed.io/v1beta1\",\"kind\":\"FederatedTypeConfig\",\"metadata\":{\"namespace\":\"sys\","
        "\"name\":\"%s\",\"uid\":\"u-%s\",\"resourceVersion\":\"%u\",\"generation\":%u,"
        "\"finalizers\":[\"core.kubefed.io/federated-type-config\"]},\"spec\":{\"propagation\":\"%s\","
        "\"targetType\":{\"version\":\"v1\",\"kind\":\"%s\",\"scope\":\"%s\"},\"federatedType\":{"
        "\"group\":\"types.kubefed.io\",\"version\":\"%s\",\"kind\":\"Federated%s\"}}}",
        name, name, version, version, mode, kind, scope, fed_version, kind);
}

static char *types_json(void)
{
    _cleanup_free_ char *namespaces = ftc_json("namespaces", "Enabled", "Namespace", "Cluster", type_version);
    _cleanup_free_ char *configmaps = ftc_json("configmaps", "Enabled", "ConfigMap", "Namespaced", "v1beta1");

    return mem_printf("%s,%s", configmaps, namespaces);
}

static char *federated_json(void)
{
    return mem_printf(
        "{\"apiVersion\":\"types.kubefed.io/v1beta1\",\"kind\":\"FederatedConfigMap\",\"metadata\":{"
        "\"namespace\":\"shop\",\"name\":\"cm\",\"uid\":\"u-fcm\",\"resourceVersion\":\"%u\",\"generation\":%u%s},"
        "\"spec\":{\"template\":{\"data\":{\"at\":\"%u\"}},\"placement\":{\"clusters\":[" HERE "]}}}",
        version, version, finalized ? ",\"finalizers\":[\"kubefed.io/sync-controller\"]" : "", version);
}

static char *placement_json(const char *clusters)
{
    if (!clusters)
        return mem_strdup("");
    return mem_printf(
        "{\"kind\":\"FederatedNamespace\",\"metadata\":{\"namespace\":\"shop\",\"name\":\"shop\",\"uid\":\"u-fns\","
        "\"resourceVersion\":\"11\",\"generation\":1},\"spec\":{\"placement\":{\"clusters\":[%s]}}}",
        clusters);
}

static char *items(const char *path)
{
    if (strcmp(path, FTCS) == 0)
        return types_json();
    if (strcmp(path, FED) == 0)
        return stored ? federated_json() : mem_strdup("");
    if (strcmp(path, TYPES "v1beta1/federatednamespaces") == 0)
        return placement_json(old_placed);
    if (strcmp(path, TYPES "v1beta2/federatednamespaces") == 0)
        return placement_json(new_placed);
    if (strcmp(path, "/api/v1/configmaps") == 0)
        return mem_strdup(
            "{\"metadata\":{\"namespace\":\"shop\",\"name\":\"cm\",\"uid\":\"u-cm\",\"resourceVersion\":\"7\","
            "\"labels\":{\"kubefed.io/managed\":\"true\"}},\"data\":{\"at\":\"0\"}}");
    if (strcmp(path, CORE "kubefedclusters") == 0)
        return mem_printf(
            "{\"metadata\":{\"namespace\":\"sys\",\"name\":\"c\",\"uid\":\"u-c\",\"resourceVersion\":\"4\"},"
            "\"spec\":{\"apiEndpoint\":\"http://127.0.0.1:%u\",\"secretRef\":{\"name\":\"s\"}},\"status\":{"
            "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
            api.raw.port);
    return mem_strdup("");
}

/* --- the server --- */

static void reply_list(struct raw_conn *conn, const char *path)
{
    _cleanup_free_ char *what = items(path), *body = mem_printf(LIST, list_version, what);

    fake_reply(conn, 200, NULL, body);
}

static void serve_read(const struct fake_request *req)
{
    if (strstr(req->path, "/v1beta2/") && !served) {
        fake_refuse(req->conn, 404, "NotFound", "there is no such version");
    } else if (strstr(req->query, "watch=true")) {
        fake_stream_begin(req->conn);
        ftc_watch = strcmp(req->path, FTCS) == 0 ? req->conn : ftc_watch;
        fed_watch = strcmp(req->path, FED) == 0 ? req->conn : fed_watch;
        placement_watch = strcmp(req->path, TYPES "v1beta1/federatednamespaces") == 0 ? req->conn : placement_watch;
    } else if (strstr(req->query, "limit=")) {
        reply_list(req->conn, req->path);
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
    if (hold && strcmp(req->path, hold) == 0 && !strstr(req->query, "watch=true")) {
        assert_true(n_held < HELD_MAX);
        held[n_held++] = req->conn;
        return;
    }
    if (strcmp(req->method, "GET") == 0)
        serve_read(req);
    else if (strcmp(req->method, "PUT") == 0)
        fake_reply(req->conn, 200, NULL, req->body);
    else
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
    manager = NULL;
    ftc_watch = fed_watch = placement_watch = NULL;
    stored = true;
    list_version = 50;
    n_held = 0;
    type_version = "v1beta1";
    old_placed = new_placed = HERE;
    hold = NULL;
    finalized = served = true;
    version = 10;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    manager_free(manager);
    kube_client_free(host);
    fed_config_free(config);
    config = NULL;
    fake_api_stop(&api);
    loop_free(loop);
    return 0;
}

/* --- what happens --- */

static void forget_requests(void)
{
    buf_consume(&api.log, api.log.n);
    buf_addz(&api.log, "");
}

static void tell(struct raw_conn *watch, char *object)
{
    _cleanup_free_ char *owned = object, *event = mem_printf("{\"type\":\"MODIFIED\",\"object\":%s}\n", owned);

    fake_stream_send(watch, event);
}

static bool updates(void)
{
    return strstr(api.log.p, "PUT " TARGET ";") != NULL;
}

static bool creates(void)
{
    return strstr(api.log.p, "POST /api/v1/namespaces/shop/configmaps;") != NULL;
}

static bool deletes(void)
{
    return strstr(api.log.p, "DELETE " TARGET) != NULL;
}

/* The object has to wait for its next pass. */
static bool waits(void)
{
    _cleanup_buf_ struct buf out = BUF_INIT(BUF_MAX_DEFAULT);

    assert_true(manager_insight(manager, STR("/debug/queues"), &out));
    return str_contains(buf_str(&out), STR("{\"key\":\"shop/cm\",\"state\":\"delayed\""));
}

static void start(void)
{
    manager = manager_start(host, config, &fed_behavior_default, "sys");
    manager_lead(manager);
    WAIT_FOR(ftc_watch && fed_watch);
}

static void start_and_settle(void)
{
    start();
    WAIT_FOR(updates() && strstr(api.log.p, "PATCH " FED_OBJECT "/status"));
    assert_false(deletes());
    forget_requests();
}

static void edit_type(const char *fed_version)
{
    version++;
    type_version = fed_version;
    tell(ftc_watch, ftc_json("namespaces", "Enabled", "Namespace", "Cluster", fed_version));
}

static void change_object(void)
{
    version++;
    tell(fed_watch, federated_json());
}

static void release(void)
{
    _cleanup_free_ char *path = mem_strdup(hold);

    hold = NULL;
    while (n_held > 0)
        reply_list(held[--n_held], path);
}

/* --- */

/* Nothing else happens to the object: its namespace is placed nowhere in the eyes of the new type. */
static void placement_follows(void **state)
{
    (void)state;
    new_placed = "";
    start_and_settle();
    edit_type("v1beta2");
    WAIT_FOR(deletes());
}

/* The old one knew the namespace, the new one does not. */
static void what_is_known_no_more_follows(void **state)
{
    (void)state;
    new_placed = NULL;
    start_and_settle();
    edit_type("v1beta2");
    WAIT_FOR(deletes());
}

/* And the other way round. */
static void what_was_unknown_follows(void **state)
{
    (void)state;
    old_placed = NULL;
    start();
    WAIT_FOR(deletes());
    forget_requests();
    edit_type("v1beta2");
    WAIT_FOR(creates());
}

/* Placed nowhere by the old type, and nowhere as long as the new one is not known. */
static void unknown_is_not_nowhere(void **state)
{
    (void)state;
    start_and_settle();
    old_placed = NULL;
    hold = TYPES "v1beta2/federatednamespaces";
    edit_type("v1beta2");
    WAIT_FOR(n_held > 0);
    change_object();
    WAIT_FOR(waits());
    assert_false(updates() || deletes());
    release();
    WAIT_FOR(updates());
    assert_false(deletes());
}

/* A version that is not served: what is there stays, until the type is put right. */
static void not_served_is_not_nowhere(void **state)
{
    (void)state;
    start_and_settle();
    served = false;
    edit_type("v1beta2");
    WAIT_FOR(strstr(api.log.p, "GET " TYPES "v1beta2/federatednamespaces"));
    change_object();
    WAIT_FOR(waits());
    assert_false(updates() || deletes());
    edit_type("v1beta1");
    WAIT_FOR(updates());
    assert_false(deletes());
}

/* The type was changed while the finalizer was written. */
static void a_plan_comes_after_the_finalizer(void **state)
{
    (void)state;
    finalized = false;
    hold = FED_OBJECT;
    start();
    WAIT_FOR(n_held > 0);
    struct raw_conn *patch = held[--n_held];
    forget_requests();
    hold = TYPES "v1beta2/federatednamespaces";
    edit_type("v1beta2");
    WAIT_FOR(n_held > 0);
    finalized = true;
    version++;
    _cleanup_free_ char *object = federated_json();
    fake_reply(patch, 200, NULL, object);
    WAIT_FOR(waits());
    assert_false(updates() || deletes());
    release();
    WAIT_FOR(updates());
    assert_false(deletes());
}

/* A standby that has not seen the edit becomes the leader: what the old type says does not count. */
static void a_new_leader_goes_by_the_type_that_is_stored(void **state)
{
    (void)state;
    manager = manager_start(host, config, &fed_behavior_default, "sys");
    WAIT_FOR(ftc_watch && fed_watch && strstr(api.log.p, TYPES "v1beta1/federatednamespaces?watch=true"));
    version++;
    type_version = "v1beta2";
    old_placed = NULL;
    manager_lead(manager);
    WAIT_FOR(updates());
    assert_false(deletes());
}

/* Host restored to a time before both, which only one of the watches shows: the object is let go, and not taken for one whose namespace
 * is placed nowhere. */
static void a_restored_host_is_read_as_a_whole(void **state)
{
    (void)state;
    start_and_settle();
    list_version = 40;
    old_placed = NULL;
    stored = false;
    hold = FED;
    fake_stream_send(placement_watch, "{\"type\":\"ERROR\",\"object\":{\"code\":410,\"reason\":\"Expired\"}}\n");
    WAIT_FOR(n_held > 0 && waits());
    assert_false(updates() || deletes());
    release();
    WAIT_FOR(strstr(api.log.p, "PATCH " TARGET));
    assert_false(deletes());
}

/* Neither its generation nor its time of deletion tells that a FederatedNamespace is another one than before. */
static void a_restored_placement_is_one(void **state)
{
    (void)state;
    start_and_settle();
    list_version = 40;
    old_placed = "";
    fake_stream_send(placement_watch, "{\"type\":\"ERROR\",\"object\":{\"code\":410,\"reason\":\"Expired\"}}\n");
    WAIT_FOR(deletes());
}

static struct fed_type_config *type_of(const char *fed_version)
{
    _cleanup_free_ char *text = ftc_json("namespaces", "Enabled", "Namespace", "Cluster", fed_version);
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct fed_type_config *type = NULL;

    assert_int_equal(json_parse(str_of(text), &doc, NULL), 0);
    assert_int_equal(fed_type_config_decode(yyjson_doc_get_root(doc), &type, NULL), 0);
    return type;
}

/* In one namespace there may be no such type at all, but what is known of one is not given up for another that is not served. */
static void no_type_in_one_namespace(void **state)
{
    (void)state;
    _cleanup_(fed_type_config_freep) struct fed_type_config *is = type_of("v1beta1"), *is_not = type_of("v1beta2");
    struct namespaces *n = namespaces_start(host, STR("sys"));

    served = false;
    assert_true(namespaces_set_type(n, is_not));
    WAIT_FOR(namespaces_synced(n));
    assert_true(namespaces_set_type(n, NULL));
    assert_true(namespaces_set_type(n, is));
    WAIT_FOR(namespaces_synced(n));
    assert_true(namespaces_set_type(n, is_not));
    WAIT_FOR(namespaces_failing(n));
    assert_false(namespaces_synced(n));
    assert_true(namespaces_set_type(n, is));
    WAIT_FOR(namespaces_synced(n));
    namespaces_free(n);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(placement_follows),
        T(what_is_known_no_more_follows),
        T(what_was_unknown_follows),
        T(unknown_is_not_nowhere),
        T(not_served_is_not_nowhere),
        T(a_plan_comes_after_the_finalizer),
        T(a_new_leader_goes_by_the_type_that_is_stored),
        T(a_restored_host_is_read_as_a_whole),
        T(a_restored_placement_is_one),
        T(no_type_in_one_namespace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
