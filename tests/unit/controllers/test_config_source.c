/* Where the settings come from: the object of a fake host, or a file that somebody is writing (controllers.md 1.3). */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "controllers/config_watch.h"
#include "controllers/manager.h"
#include "kube/kube_test.h"

#define CONFIGS "/apis/core.kubefed.io/v1beta1/namespaces/sys/kubefedconfigs"

static struct kube_client *host;
static char folder[] = "/tmp/kubefed-config-XXXXXX";
static char *file, *log_file;
static const char *first_get, *post; /* answers: a body, or a status and reason as "404 NotFound" */
static unsigned n_gets;
static unsigned n_changes, n_bad;
static bool adopts;

static void answer(struct raw_conn *c, const char *what)
{
    struct str status, reason;
    int code = (int)strtol(what, NULL, 10);

    if (what[0] < '1' || what[0] > '9')
        fake_reply(c, 200, NULL, what);
    else if (str_cut(str_of(what), ' ', &status, &reason))
        fake_refuse(c, code, reason.p, "refused");
    else
        fake_reply(c, code, "Content-Type: text/plain\r\n", "404 page not found\n");
}

static void handle(struct fake_api *a, const struct fake_request *req)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = fed_config_default_object("sys", "Namespaced");
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);

    (void)a;
    json_mut_write(&body, yyjson_mut_doc_get_root(doc));
    if (strcmp(req->method, "POST") == 0 && strcmp(req->path, CONFIGS) == 0)
        answer(req->conn, post);
    else if (strcmp(req->path, CONFIGS "/kubefed") == 0)
        answer(req->conn, n_gets++ == 0 && first_get ? first_get : body.p);
    else
        fake_refuse(req->conn, 500, "InternalError", "an unexpected path");
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/kubefed-config-XXXXXX");
    if (loop_new(&loop, NULL) < 0 || !mkdtemp(folder))
        return -1;
    fake_api_start(&api, loop, handle);
    host = new_client(NULL);
    file = mem_printf("%s/config.yaml", folder);
    log_file = mem_printf("%s/log", folder);
    first_get = NULL;
    post = "500 InternalError";
    n_gets = n_changes = n_bad = 0;
    unsetenv("DEFAULT_KUBEFED_SCOPE");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(file);
    unlink(log_file);
    rmdir(folder);
    free(file);
    free(log_file);
    kube_client_free(host);
    fake_api_stop(&api);
    loop_free(loop);
    return 0;
}

/* --- the object --- */

static void check_error(const char *words, const char *more)
{
    _cleanup_error_ struct error *err = NULL;
    struct fed_config *config = NULL;

    assert_true(manager_load_config(host, "sys", &config, &err) < 0);
    if (!strstr(error_msg(err), words) || !strstr(error_msg(err), more))
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", error_msg(err), words, more);
}

static void somebody_creates_it_first(void **state)
{
    _cleanup_(fed_config_freep) struct fed_config *config = NULL;
    _cleanup_error_ struct error *err = NULL;

    (void)state;
    first_get = "404 NotFound";
    post = "409 AlreadyExists";
    assert_ok(manager_load_config(host, "sys", &config, &err), err);
    assert_true(config->namespaced); /* as the one that is there, not as ours */
    assert_int_equal(n_gets, 2);
}

static void no_definition(void **state)
{
    (void)state;
    first_get = "404";
    check_error("Error retrieving KubeFedConfig \"sys/kubefed\": ", "are the CRDs of core.kubefed.io installed?");
    assert_null(strstr(api.log.p, "POST"));
    first_get = "404 NotFound";
    post = "404";
    n_gets = 0;
    check_error("Error creating KubeFedConfig \"sys/kubefed\": ", "are the CRDs of core.kubefed.io installed?");
}

static void not_json(void **state)
{
    (void)state;
    first_get = "{nope";
    check_error("Error retrieving KubeFedConfig \"sys/kubefed\": the answer is not JSON: ", "line 1");
    first_get = "";
    n_gets = 0;
    check_error("Error retrieving KubeFedConfig \"sys/kubefed\": the answer is not JSON: ", "");
}

static char *log_of(void (*fn)(void))
{
    int fd = open(log_file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char text[8192];

    assert_true(fd >= 0);
    log_set_file(fd);
    fn();
    log_set_file(STDERR_FILENO);
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    close(fd);
    return mem_strdup(text);
}

static void load_it(void)
{
    _cleanup_(fed_config_freep) struct fed_config *config = NULL;
    _cleanup_error_ struct error *err = NULL;

    assert_ok(manager_load_config(host, "sys", &config, &err), err);
    assert_true(config->namespaced);
}

/* The variable is for a new object only, but what is wrong with it is told at once. */
static void default_scope(void **state)
{
    (void)state;
    setenv("DEFAULT_KUBEFED_SCOPE", "Garbage", 1);
    check_error("DEFAULT_KUBEFED_SCOPE is \"Garbage\"", "want Cluster or Namespaced");
    setenv("DEFAULT_KUBEFED_SCOPE", "Cluster", 1);
    _cleanup_free_ char *other = log_of(load_it);
    assert_non_null(strstr(other, "DEFAULT_KUBEFED_SCOPE is \"Cluster\""));
    setenv("DEFAULT_KUBEFED_SCOPE", "Namespaced", 1);
    _cleanup_free_ char *same = log_of(load_it);
    assert_null(strstr(same, "DEFAULT_KUBEFED_SCOPE"));
    unsetenv("DEFAULT_KUBEFED_SCOPE");
}

/* --- the file --- */

static char *complete(const char *adopt)
{
    return mem_printf(
        "{\"spec\":{\"scope\":\"Cluster\",\"controllerDuration\":{\"availableDelay\":\"20s\",\"unavailableDelay\":\"60s\","
        "\"cacheSyncTimeout\":\"5m\"},\"leaderElect\":{\"leaseDuration\":\"15s\",\"renewDeadline\":\"10s\","
        "\"retryPeriod\":\"5s\",\"resourceLock\":\"configmaps\"},\"featureGates\":[{\"name\":\"PushReconciler\","
        "\"configuration\":\"Enabled\"}],\"clusterHealthCheck\":{\"period\":\"10s\",\"failureThreshold\":3,"
        "\"successThreshold\":1,\"timeout\":\"3s\"},\"statusController\":{\"maxConcurrentReconciles\":1},"
        "\"syncController\":{\"maxConcurrentReconciles\":1,\"adoptResources\":\"%s\"}}}",
        adopt);
}

static void write_text(const char *text)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void check_file(int code, const char *words)
{
    _cleanup_(fed_config_freep) struct fed_config *config = NULL;
    _cleanup_error_ struct error *err = NULL;

    assert_int_equal(manager_load_config_file(file, "sys", &config, &err), code);
    if (code < 0 && !strstr(error_msg(err), words))
        fail_msg("\"%s\" lacks \"%s\"", error_msg(err), words);
}

/* It has all fields (api-and-cli.md 5.3): nobody fills them in, and one that is cut off is not one that says less. */
static void a_file_is_complete(void **state)
{
    _cleanup_free_ char *text = complete("Disabled");

    (void)state;
    write_text(text);
    check_file(0, NULL);
    write_text("spec:\n  scope: Cluster\n");
    check_file(-EINVAL, "Error: invalid KubeFedConfig \"sys/kubefed\": [");
    check_file(-EINVAL, "spec.syncController: Required value");
    write_text("");
    assert_int_not_equal(truncate(file, 0), -1);
    check_file(-EBADMSG, "must be an object");
}

static void a_file_is_regular(void **state)
{
    (void)state;
    check_file(-ENOENT, "Cannot open KubeFedConfig from file");
    assert_int_equal(mkfifo(file, 0600), 0);
    check_file(-EINVAL, "not a regular file");
}

static void on_file_change(void *arg, struct fed_config *config)
{
    (void)arg;
    n_changes++;
    adopts = config->adopt_resources;
    fed_config_free(config);
}

static void on_file_bad(void *arg, bool is_bad)
{
    (void)arg;
    n_bad += is_bad;
}

static struct config_watch *watch_file(uint64_t look_ms)
{
    _cleanup_(fed_config_freep) struct fed_config *config = NULL;
    _cleanup_error_ struct error *err = NULL;

    assert_ok(manager_load_config_file(file, "sys", &config, &err), err);
    return config_watch_start(&(struct config_watch_config){ .host = host,
                                                             .system_namespace = "sys",
                                                             .file = file,
                                                             .look_ms = look_ms,
                                                             .current = config,
                                                             .on_change = on_file_change,
                                                             .on_bad = on_file_bad });
}

/* Somebody writes all the time: no two looks find the same, so nothing is taken, right or wrong, until he is done. */
static void a_file_that_is_being_written(void **state)
{
    _cleanup_free_ char *old = complete("Enabled"), *new = complete("Disabled");

    (void)state;
    write_text(old);
    struct config_watch *w = watch_file(200);
    uint64_t until = time_mono_ms() + 1000;
    for (int i = 0; time_mono_ms() < until; i++) {
        _cleanup_free_ char *valid = mem_printf("%s%*s", new, i + 1, " "), *broken = mem_printf("{%d", i);

        write_text(i % 2 ? valid : broken);
        turn();
    }
    assert_int_equal(n_changes, 0);
    assert_int_equal(n_bad, 0);
    write_text(new);
    WAIT_FOR(n_changes == 1);
    assert_false(adopts);
    write_text("{");
    WAIT_FOR(n_bad == 1);
    unlink(file);
    assert_int_equal(mkfifo(file, 0600), 0);
    WAIT_FOR(n_bad == 2);
    assert_int_equal(n_changes, 1);
    config_watch_free(w);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(somebody_creates_it_first),
        T(no_definition),
        T(not_json),
        T(default_scope),
        T(a_file_is_complete),
        T(a_file_is_regular),
        T(a_file_that_is_being_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
