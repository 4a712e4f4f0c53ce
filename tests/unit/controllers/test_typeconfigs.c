/* FederatedTypeConfigs that no webhook has judged, against a fake host: what can be run is, what cannot is told, and none is kept
 * from going (controllers.md 3). */
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "controllers/manager.h"
#include "kube/kube_test.h"

#define FTCS "/apis/core.kubefed.io/v1beta1/namespaces/sys/federatedtypeconfigs"
#define TARGET(kind, plural)                                                                                           \
    "\"targetType\":{\"version\":\"v1\",\"kind\":\"" kind "\",\"pluralName\":\"" plural "\",\"scope\":\"Namespaced\"}"
#define FEDERATED                                                                                                      \
    "\"federatedType\":{\"group\":\"types.kubefed.io\",\"version\":\"v1beta1\",\"kind\":\"FederatedConfigMap\","       \
    "\"pluralName\":\"federatedconfigmaps\",\"scope\":\"Namespaced\"}"
#define FEDERATED_AS(kind)                                                                                             \
    "\"federatedType\":{\"group\":\"types.kubefed.io\",\"version\":\"v1beta1\",\"kind\":\"" kind "\"}"
#define FTC(name, meta, spec)                                                                                           \
    "{\"apiVersion\":\"core.kubefed.io/v1beta1\",\"kind\":\"FederatedTypeConfig\",\"metadata\":{\"namespace\":\"sys\"," \
    "\"name\":\"" name "\",\"uid\":\"u-" name "\",\"resourceVersion\":\"5\",\"generation\":2," meta                     \
    "\"finalizers\":[\"core.kubefed.io/federated-type-config\"]},\"spec\":{" spec "},\"status\":{"                      \
    "\"observedGeneration\":1,\"propagationController\":\"Running\",\"statusController\":\"NotRunning\"}}"
#define CREATED(year) "\"creationTimestamp\":\"" year "-01-01T00:00:00Z\","
#define DELETED "\"deletionTimestamp\":\"2024-01-01T00:00:00Z\","
#define NAMESPACES                                                                                                     \
    FTC("namespaces", "",                                                                                              \
        "\"propagation\":\"Enabled\",\"targetType\":{\"version\":\"v1\",\"kind\":\"Namespace\",\"pluralName\":"        \
        "\"namespaces\",\"scope\":\"Cluster\"},\"federatedType\":{\"group\":\"types.kubefed.io\",\"version\":"         \
        "\"v1beta1\",\"kind\":\"FederatedNamespace\",\"pluralName\":\"federatednamespaces\",\"scope\":\"Namespaced\"}")
#define BAD_NAMESPACES                                                                                                 \
    FTC("namespaces", "", "\"propagation\":\"Enabled\"," TARGET("ConfigMap", "configmaps") "," FEDERATED)
#define ENABLED "\"propagation\":\"Enabled\","

static struct kube_client *host;
static struct manager *manager;
static struct fed_config *config;
static const char *items;
static struct raw_conn *watch; /* of the FTCs */
static struct buf writes;      /* "PATCH path body;" */

static void handle(struct fake_api *a, const struct fake_request *req)
{
    (void)a;
    if (strcmp(req->method, "PATCH") == 0) {
        buf_printf(&writes, "%s %s;", req->path, req->body);
        fake_reply(req->conn, 200, NULL, "{}");
    } else if (strcmp(req->method, "POST") == 0) {
        if (strstr(req->path, "/events"))
            buf_printf(&writes, "event %s;", req->body);
        fake_reply(req->conn, 201, NULL, "{}");
    } else if (strstr(req->query, "watch=true")) {
        fake_stream_begin(req->conn);
        watch = strcmp(req->path, FTCS) == 0 ? req->conn : watch;
    } else {
        _cleanup_free_ char *list = mem_printf("{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[%s]}",
                                               strcmp(req->path, FTCS) == 0 ? items : "");
        fake_reply(req->conn, 200, NULL, list);
    }
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
    watch = NULL;
    writes = BUF_INIT(BUF_MAX_DEFAULT);
    buf_addz(&writes, "");
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
    buf_done(&writes);
    return 0;
}

static void lead(const char *list)
{
    items = list;
    manager = manager_start(host, config, &fed_behavior_default, "sys");
    manager_lead(manager);
}

static bool wrote(const char *name, const char *sub, const char *words)
{
    _cleanup_free_ char *start = mem_printf(FTCS "/%s%s {", name, sub);
    const char *at = strstr(writes.p, start), *end = at ? strchr(at, ';') : NULL;

    return end && memmem(at, (size_t)(end - at), words, strlen(words));
}

#define RUNS "\"observedGeneration\":2,\"propagationController\":\"Running\""
#define RUNS_NOT "\"observedGeneration\":2,\"propagationController\":\"NotRunning\""

/* Another name than the webhook wants, and an empty statusCollection: KubeFed propagates both. */
static void runs_what_can_be_run(void **state)
{
    (void)state;
    lead(NAMESPACES "," FTC("my-cms", "", ENABLED TARGET("ConfigMap", "configmaps") "," FEDERATED) "," FTC(
        "secrets", "",
        ENABLED "\"statusCollection\":\"\"," TARGET("Secret", "secrets") "," FEDERATED_AS("FederatedSecret")));
    WAIT_FOR(wrote("my-cms", "/status", "observedGeneration") && wrote("secrets", "/status", "observedGeneration"));
    assert_true(wrote("my-cms", "/status", RUNS));
    assert_true(wrote("secrets", "/status", RUNS));
    assert_null(strstr(writes.p, "InvalidTypeConfig"));
}

/* --- several for one target --- */

#define OURS(name, year) FTC(name, CREATED(year), ENABLED TARGET("ConfigMap", "configmaps") "," FEDERATED)
#define MINE(name, meta, mode, kind)                                                                                   \
    FTC(name, meta, "\"propagation\":\"" mode "\"," TARGET(kind, kind "s") "," FEDERATED_AS("FederatedMine"))

/* Something happened to an FTC. */
static void tell(const char *type, const char *object)
{
    static unsigned version = 100;
    _cleanup_free_ char *text = mem_strdup(object);
    char *at = strstr(text, "\"resourceVersion\":\"5\"");

    WAIT_FOR(watch);
    buf_consume(&writes, writes.n);
    buf_addz(&writes, "");
    *at = '\0';
    _cleanup_free_ char *event = mem_printf("{\"type\":\"%s\",\"object\":%s\"resourceVersion\":\"%u\"%s}\n", type, text,
                                            version++, at + strlen("\"resourceVersion\":\"5\""));
    fake_stream_send(watch, event);
}

static void expect_running(const char *name, bool runs)
{
    WAIT_FOR(wrote(name, "/status", runs ? RUNS : RUNS_NOT));
}

/* The older one, and it is said who that is; when it goes, the other one has its turn, and keeps it. */
static void one_runs_for_each_target(void **state)
{
    (void)state;
    lead(NAMESPACES "," MINE("my-cms", CREATED("2023"), "Enabled", "configmap") "," OURS("configmaps", "2022"));
    expect_running("configmaps", true);
    expect_running("my-cms", false);
    WAIT_FOR(strstr(writes.p, "InvalidTypeConfig"));
    assert_non_null(strstr(writes.p, "FederatedTypeConfig \\\"configmaps\\\" is for configmaps, too"));
    assert_null(strstr(api.log.p, "/federatedmines"));
    tell("DELETED", OURS("configmaps", "2022"));
    expect_running("my-cms", true);
    tell("ADDED", OURS("configmaps", "2024"));
    expect_running("configmaps", false);
    assert_false(wrote("my-cms", "/status", RUNS_NOT));
}

/* Two targets of the same federated objects: the older one, also when the other one is made for something else and back. */
static void one_runs_for_each_federated_type(void **state)
{
    (void)state;
    lead(NAMESPACES "," MINE("configmaps", CREATED("2023"), "Enabled", "configmap") "," MINE("secrets", CREATED("2022"),
                                                                                             "Enabled", "secret"));
    expect_running("secrets", true);
    expect_running("configmaps", false);
    WAIT_FOR(strstr(writes.p, "\\\"secrets\\\" is for federatedmines.types.kubefed.io, too"));
    tell("MODIFIED", FTC("secrets", CREATED("2022"), ENABLED TARGET("secret", "secrets") "," FEDERATED));
    expect_running("configmaps", true);
    tell("MODIFIED", MINE("secrets", CREATED("2022"), "Enabled", "secret"));
    expect_running("configmaps", false);
    expect_running("secrets", true);
}

/* Disabled, terminating: the next one. */
static void who_does_not_run_is_no_hindrance(void **state)
{
    (void)state;
    lead(NAMESPACES
         "," MINE("my-cms", CREATED("2023"), "Disabled", "configmap") "," OURS("a", "2022") "," OURS("b", "2021"));
    expect_running("b", true);
    expect_running("a", false);
    expect_running("my-cms", false);
    assert_null(strstr(writes.p, "\\\"my-cms\\\" is for"));
    tell("MODIFIED", FTC("b", CREATED("2021"), TARGET("ConfigMap", "configmaps") "," FEDERATED));
    expect_running("a", true);
    tell("MODIFIED", MINE("my-cms", CREATED("2020"), "Enabled", "configmap"));
    expect_running("a", false);
    expect_running("my-cms", true);
    tell("MODIFIED", MINE("my-cms", CREATED("2020") DELETED, "Enabled", "configmap"));
    expect_running("a", true);
    tell("MODIFIED", FTC("a", CREATED("2022"), ENABLED FEDERATED ",\"targetType\":{\"pluralName\":\"configmaps\"}"));
    expect_running("a", false);
    tell("MODIFIED", OURS("b", "2021"));
    expect_running("b", true);
}

/* What it has labelled in members must not be let go while somebody corrects it; until then nobody runs, and that is said. */
static void who_cannot_be_used_keeps_its_place(void **state)
{
    (void)state;
    lead(NAMESPACES "," OURS("ours", "2021") "," MINE("my-cms", CREATED("2023"), "Enabled", "configmap"));
    expect_running("ours", true);
    expect_running("my-cms", false);
    tell("MODIFIED", FTC("ours", CREATED("2021"), ENABLED FEDERATED ",\"targetType\":{\"pluralName\":\"configmaps\"}"));
    expect_running("ours", false);
    tell("MODIFIED", MINE("my-cms", CREATED("2023") "\"labels\":{\"a\":\"b\"},", "Enabled", "configmap"));
    WAIT_FOR(strstr(writes.p, "/my-cms/status"));
    assert_false(wrote("my-cms", "/status", RUNS));
    assert_null(strstr(api.log.p, "/federatedmines"));
    tell("MODIFIED", OURS("ours", "2021"));
    expect_running("ours", true);
}

static size_t log_of(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);

    assert_true(n >= 0);
    text[n] = '\0';
    return (size_t)n;
}

/* Who changes its target makes room for the other, which begins when the first has ended and not before. */
static void never_two_at_once(void **state)
{
    char path[] = "/tmp/kubefed-log-XXXXXX", text[8192];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    unlink(path);
    lead(NAMESPACES "," MINE("configmaps", CREATED("2023"), "Enabled", "configmap") "," OURS("ours", "2024"));
    expect_running("configmaps", true);
    expect_running("ours", false);
    log_set_file(fd);
    tell("MODIFIED", MINE("configmaps", CREATED("2023"), "Enabled", "secret"));
    expect_running("ours", true);
    expect_running("configmaps", true);
    log_set_file(STDERR_FILENO);
    log_of(fd, text, sizeof(text));
    close(fd);
    const char *ends = strstr(text, "Stopping controller for \"sys/configmaps\"");
    const char *begins = strstr(text, "Starting sync controller for \"FederatedConfigMap\"");
    assert_true(ends && begins && ends < begins);
}

/* Its status says so, and an event tells why. */
static void tells_what_cannot(void **state)
{
    (void)state;
    lead(NAMESPACES "," FTC("odds", "", ENABLED TARGET("O/D", "odds") "," FEDERATED));
    WAIT_FOR(wrote("odds", "/status", RUNS_NOT));
    WAIT_FOR(strstr(writes.p, "InvalidTypeConfig"));
    assert_non_null(strstr(writes.p, "spec.targetType.kind"));
}

static void lets_go_whatever_the_spec_is(void **state)
{
    (void)state;
    lead(NAMESPACES "," FTC("odds", DELETED, ENABLED TARGET("O/D", "..") "," FEDERATED) "," FTC("empty", DELETED, ""));
    WAIT_FOR(wrote("odds", "", "\"finalizers\":[]") && wrote("empty", "", "\"finalizers\":[]"));
    assert_false(wrote("odds", "/status", ""));
}

/* Without the placement of namespaces nothing namespaced may run: it would count as placed nowhere. */
static void an_unusable_namespaces_type_is_none(void **state)
{
    (void)state;
    lead(FTC("configmaps", "", ENABLED TARGET("ConfigMap", "configmaps") "," FEDERATED) "," BAD_NAMESPACES);
    WAIT_FOR(wrote("namespaces", "/status", RUNS_NOT) && wrote("configmaps", "/status", "observedGeneration"));
    assert_true(wrote("configmaps", "/status", RUNS_NOT));
}

/* Nobody but the FTC `namespaces` says where FederatedNamespaces are: by another one everything would be placed nowhere. */
static void nobody_else_has_namespaces(void **state)
{
    (void)state;
    lead(NAMESPACES
         "," FTC("projects", "",
                 ENABLED "\"targetType\":{\"version\":\"v1\",\"kind\":\"Namespace\",\"scope\":\"Cluster\"},"
                         "\"federatedType\":{\"group\":\"types.kubefed.io\",\"version\":\"v1beta1\",\"kind\":"
                         "\"FederatedProject\"}"));
    WAIT_FOR(wrote("projects", "/status", RUNS_NOT) && wrote("namespaces", "/status", RUNS));
    WAIT_FOR(strstr(writes.p, "InvalidTypeConfig"));
    assert_non_null(strstr(writes.p, "that of Namespace is 'namespaces'"));
    assert_null(strstr(api.log.p, "/federatedprojects"));
}

/* Scheduling works on what propagation knows: that nothing happens is told. */
static void scheduling_without_propagation_is_told(void **state)
{
    char path[] = "/tmp/kubefed-log-XXXXXX", text[8192];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0 && config->scheduler_preferences);
    unlink(path);
    config->push_reconciler = false;
    log_set_file(fd);
    lead(NAMESPACES);
    log_set_file(STDERR_FILENO);
    assert_true(log_of(fd, text, sizeof(text)) > 0);
    close(fd);
    assert_non_null(strstr(text, "ReplicaSchedulingPreferences are not followed"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(runs_what_can_be_run),
        T(one_runs_for_each_target),
        T(one_runs_for_each_federated_type),
        T(who_does_not_run_is_no_hindrance),
        T(who_cannot_be_used_keeps_its_place),
        T(never_two_at_once),
        T(tells_what_cannot),
        T(lets_go_whatever_the_spec_is),
        T(an_unusable_namespaces_type_is_none),
        T(nobody_else_has_namespaces),
        T(scheduling_without_propagation_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
