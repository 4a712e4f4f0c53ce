/*
 * Credentials: fixed ones, token files that change, plugins (small shell scripts in a folder that each test gets empty),
 * and what happens after a 401.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "json/json.h"
#include "kube/credentials.h"
#include "kube_test.h"

static char *dir;
static struct kube_config *config;
static struct credentials *credentials;

static char *in_dir(const char *name)
{
    return mem_printf("%s/%s", dir, name);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    _cleanup_free_ char *path = in_dir(name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fchmod(fileno(f), mode), 0);
    fclose(f);
}

/* Owned text of a file, "" when there is none. */
static char *read_file(const char *name)
{
    _cleanup_free_ char *path = in_dir(name);
    FILE *f = fopen(path, "r");
    char text[8192];
    size_t n = f ? fread(text, 1, sizeof(text), f) : 0;

    if (f)
        fclose(f);
    return mem_strndup(text, n);
}

static int set_up(void **state)
{
    (void)state;
    dir = mem_strdup("/tmp/credentials-test-XXXXXX");
    config = kube_config_new();
    config->server = mem_strdup("https://api.example");
    credentials = NULL;
    return mkdtemp(dir) ? loop_new(&loop, NULL) : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "token", "plugin", "runs", "info", "args" };

    (void)state;
    credentials_free(credentials);
    kube_config_free(config);
    loop_free(loop);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *path = in_dir(names[i]);
        unlink(path);
    }
    rmdir(dir);
    free(dir);
    return 0;
}

static char *certificate;
static unsigned asked;

static int on_certificate(void *arg, const char *cert_pem, const char *key_pem, struct error **err)
{
    (void)arg;
    assert_int_equal(cert_pem == NULL, key_pem == NULL);
    free(certificate);
    certificate = mem_strdup(cert_pem);
    return cert_pem && strstr(cert_pem, "BAD") ? error_set(err, -EINVAL, "the client certificate cannot be used") : 0;
}

static void on_unauthorized(void *arg)
{
    (void)arg;
    asked++;
}

static void open_credentials(bool renewable)
{
    struct credentials_handlers h = { .on_certificate = on_certificate,
                                      .on_unauthorized = renewable ? on_unauthorized : NULL };
    struct error *err = NULL;

    asked = 0;
    assert_ok(credentials_new(loop, config, &h, &credentials, &err), err);
}

struct waiter {
    struct credentials_wait wait;
    bool done;
    char *msg;
    int code;
};

static void on_wait(void *arg, const struct error *err)
{
    struct waiter *w = arg;

    assert_false(w->done);
    w->done = true;
    w->code = err ? err->code : 0;
    w->msg = err ? mem_strdup(err->msg) : NULL;
}

static int get_header(struct waiter *w, const char **ret, uint64_t *ret_generation)
{
    *w = (struct waiter){ .wait = { .fn = on_wait, .arg = w } };
    return credentials_get(credentials, &w->wait, ret, ret_generation, NULL);
}

/* The value of Authorization now; waits for a plugin. */
static const char *header(uint64_t *ret_generation)
{
    struct waiter w;
    const char *h = NULL;
    int r = get_header(&w, &h, ret_generation);

    if (r == -EAGAIN) {
        assert_false(w.done);
        WAIT_FOR(w.done);
        if (w.code)
            fail_msg("%s", w.msg);
        r = get_header(&w, &h, ret_generation);
    }
    assert_int_equal(r, 0);
    return h;
}

/* --- fixed --- */

static void fixed(void **state)
{
    (void)state;
    uint64_t g;

    open_credentials(false);
    assert_null(header(&g));
    credentials_free(credentials);
    config->username = mem_strdup("user");
    config->password = mem_strdup("pass:word");
    open_credentials(false);
    assert_string_equal(header(&g), "Basic dXNlcjpwYXNzOndvcmQ=");
    credentials_free(credentials);
    config->token = mem_strdup("  abcdefgh\n");
    open_credentials(false);
    assert_string_equal(header(&g), "Bearer abcdefgh");
    assert_true(credentials_leak(credentials, "the token abcdefgh is bad"));
    assert_false(credentials_leak(credentials, "the token abcdefg is bad"));
}

static void values_that_no_header_can_carry(void **state)
{
    (void)state;
    struct credentials_handlers h = { 0 };
    _cleanup_error_ struct error *err = NULL;

    config->username = mem_strdup("a:b");
    assert_int_equal(credentials_new(loop, config, &h, &credentials, &err), -EINVAL);
    config->token = mem_strdup("hush\rhush");
    assert_int_equal(credentials_new(loop, config, &h, &credentials, &err), -EINVAL);
    assert_null(strstr(err->msg, "hush"));
}

/* --- token file --- */

static void use_token_file(const char *text)
{
    write_file("token", text, 0600);
    config->token_file = in_dir("token");
}

static void file_is_read_again_after_401(void **state)
{
    (void)state;
    struct waiter w = { 0 };
    uint64_t g1, g2;

    use_token_file("first-token\n");
    open_credentials(true);
    assert_string_equal(header(&g1), "Bearer first-token");
    assert_int_equal(credentials_reject(credentials, g1, &w.wait), -EACCES); /* the file did not change */
    write_file("token", "second-token\n", 0600);
    assert_string_equal(header(&g2), "Bearer first-token"); /* not read for every call */
    assert_int_equal(g1, g2);
    assert_int_equal(credentials_reject(credentials, g1, &w.wait), 0);
    assert_string_equal(header(&g2), "Bearer second-token");
    assert_int_not_equal(g1, g2);
    assert_int_equal(credentials_reject(credentials, g1, &w.wait), 0); /* a late 401: newer ones are there */
    write_file("token", "", 0600);                                     /* being replaced: the last one stays in use */
    assert_int_equal(credentials_reject(credentials, g2, &w.wait), -EACCES);
    assert_string_equal(header(&g2), "Bearer second-token");
    assert_int_equal(asked, 0);
}

static void file_and_token(void **state)
{
    (void)state;
    struct credentials_handlers h = { 0 };
    _cleanup_error_ struct error *err = NULL;
    uint64_t g;

    config->token_file = in_dir("token");
    assert_int_equal(credentials_new(loop, config, &h, &credentials, &err), -ENOENT);
    assert_non_null(strstr(err->msg, config->token_file));
    config->token = mem_strdup("value");
    open_credentials(false); /* the value bridges the time until there is a file */
    assert_string_equal(header(&g), "Bearer value");
    credentials_free(credentials);
    write_file("token", "of-the-file", 0600);
    open_credentials(false);
    assert_string_equal(header(&g), "Bearer of-the-file");
}

/* --- a token that comes from outside --- */

static void token_from_outside(void **state)
{
    (void)state;
    struct waiter a = { .wait = { .fn = on_wait, .arg = &a } }, b = { .wait = { .fn = on_wait, .arg = &b } },
                  c = { .wait = { .fn = on_wait, .arg = &c } };
    uint64_t g1, g2;

    config->token = mem_strdup("old-token");
    open_credentials(true);
    header(&g1);
    assert_int_equal(credentials_reject(credentials, g1, &a.wait), -EAGAIN);
    assert_int_equal(credentials_reject(credentials, g1, &b.wait), -EAGAIN);
    assert_int_equal(credentials_reject(credentials, g1, &c.wait), -EAGAIN);
    assert_int_equal(asked, 1);
    credentials_wait_cancel(&b.wait);
    credentials_set_token(credentials, STR(" new-token "));
    assert_false(a.done);
    WAIT_FOR(a.done && c.done);
    assert_false(b.done);
    assert_int_equal(a.code, 0);
    assert_string_equal(header(&g2), "Bearer new-token");
    assert_int_not_equal(g1, g2);
    credentials_set_token(credentials, STR("bad\ntoken"));
    assert_string_equal(header(&g2), "Bearer new-token");
}

static void nobody_to_ask(void **state)
{
    (void)state;
    struct waiter w = { 0 };
    uint64_t g;

    config->token = mem_strdup("old-token");
    open_credentials(false);
    header(&g);
    assert_int_equal(credentials_reject(credentials, g, &w.wait), -EACCES);
}

/* --- plugins --- */

#define V1 "client.authentication.k8s.io/v1"
#define CREDENTIAL(status) "'{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":{" status "}}'"

/* The plugin: notes that it ran, then does what the script says. $n: how many times it ran before. */
static void use_plugin(const char *script)
{
    _cleanup_free_ char *text = mem_printf("#!/bin/sh\ncd %s\necho run >> runs\nn=$(wc -l < runs)\n%s\n", dir, script);

    write_file("plugin", text, 0700);
    config->exec = mem_zalloc(sizeof(*config->exec));
    config->exec->api_version = mem_strdup(V1);
    config->exec->command = in_dir("plugin");
}

static size_t n_runs(void)
{
    _cleanup_free_ char *text = read_file("runs");

    return strlen(text) / strlen("run\n");
}

#define TOKENS "printf '%s' " CREDENTIAL("\"token\":\"token-N\"") " | sed s/N/$n/"

static void plugin_gives_a_token(void **state)
{
    (void)state;
    struct waiter a, b;
    const char *h;
    uint64_t g1, g2;

    use_plugin(TOKENS);
    open_credentials(true);
    assert_int_equal(get_header(&a, &h, &g1), -EAGAIN);
    assert_int_equal(get_header(&b, &h, &g1), -EAGAIN); /* waits for the same run */
    assert_false(a.done);
    WAIT_FOR(a.done && b.done);
    assert_int_equal(a.code, 0);
    assert_string_equal(header(&g1), "Bearer token-1");
    assert_int_equal(n_runs(), 1);
    assert_int_equal(credentials_reject(credentials, g1, &a.wait), -EAGAIN);
    a.done = b.done = false;
    assert_int_equal(credentials_reject(credentials, g1, &b.wait), -EAGAIN);
    WAIT_FOR(a.done && b.done);
    assert_string_equal(header(&g2), "Bearer token-2");
    assert_int_equal(n_runs(), 2);
    assert_int_equal(credentials_reject(credentials, g1, &a.wait), 0);
    assert_int_equal(asked, 0);
}

/* Credentials that are old already must not start the plugin in a circle. */
static void expired_credentials(void **state)
{
    (void)state;
    uint64_t g;

    use_plugin("printf '%s' " CREDENTIAL("\"token\":\"t\",\"expirationTimestamp\":\"2001-01-01T00:00:00Z\""));
    open_credentials(false);
    assert_string_equal(header(&g), "Bearer t");
    assert_string_equal(header(&g), "Bearer t");
    assert_int_equal(n_runs(), 1);
}

static void what_the_plugin_is_told(void **state)
{
    (void)state;
    uint64_t g;
    struct kube_exec *x;
    _cleanup_free_ char *info = NULL, *args = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;

    use_plugin("printf '%s' \"$KUBERNETES_EXEC_INFO\" > info\nprintf '<%s>' \"$@\" \"$EXTRA\" > args\n" TOKENS);
    x = config->exec;
    x->args = mem_array(3, sizeof(char *));
    x->args[0] = mem_strdup("a b");
    x->args[1] = mem_strdup("$HOME;*");
    x->env = mem_array(2, sizeof(*x->env));
    x->env[0] = (struct kube_exec_env){ mem_strdup("EXTRA"), mem_strdup("e f") };
    x->provide_cluster_info = true;
    x->cluster_config = mem_strdup("{\"audience\":\"x\"}");
    buf_addz(&config->ca_pem, "CA");
    config->tls_server_name = mem_strdup("name");
    open_credentials(false);
    header(&g);
    args = read_file("args");
    assert_string_equal(args, "<a b><$HOME;*><e f>"); /* no shell in between */
    info = read_file("info");
    assert_int_equal(json_parse(str_of(info), &doc, NULL), 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_str(json_path_str(root, "apiVersion"), V1);
    assert_str(json_path_str(root, "kind"), "ExecCredential");
    assert_false(json_path_bool(root, "spec.interactive", true));
    assert_str(json_path_str(root, "spec.cluster.server"), "https://api.example");
    assert_str(json_path_str(root, "spec.cluster.tls-server-name"), "name");
    assert_str(json_path_str(root, "spec.cluster.certificate-authority-data"), "Q0E=");
    assert_str(json_path_str(root, "spec.cluster.config.audience"), "x");
}

static void no_cluster_info_unasked(void **state)
{
    (void)state;
    _cleanup_free_ char *info = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;

    use_plugin(TOKENS);
    info = exec_info(config, true);
    assert_int_equal(json_parse(str_of(info), &doc, NULL), 0);
    assert_null(json_path(yyjson_doc_get_root(doc), "spec.cluster"));
    assert_true(json_path_bool(yyjson_doc_get_root(doc), "spec.interactive", false));
}

/* A plugin that must fail with a message that names it and holds the text. */
static void plugin_fails(const char *text)
{
    struct waiter w;
    const char *h;
    uint64_t g;
    _cleanup_error_ struct error *err = NULL;

    open_credentials(false);
    assert_int_equal(get_header(&w, &h, &g), -EAGAIN);
    WAIT_FOR(w.done);
    assert_true(w.code < 0);
    assert_non_null(strstr(w.msg, "getting credentials: exec: executable "));
    assert_non_null(strstr(w.msg, config->exec->command));
    if (!strstr(w.msg, text))
        fail_msg("\"%s\" lacks \"%s\"", w.msg, text);
    assert_null(strstr(w.msg, "hush"));
    free(w.msg);
    /* It is not started again for every call. */
    assert_true(credentials_get(credentials, &w.wait, &h, &g, &err) < 0);
    assert_non_null(strstr(err->msg, text));
    assert_int_equal(n_runs(), 1);
}

static void plugin_exits_with_error(void **state)
{
    (void)state;
    use_plugin("echo hush; exit 7");
    plugin_fails("exit code 7");
}

static void plugin_prints_nonsense(void **state)
{
    (void)state;
    use_plugin("echo hush-hush");
    plugin_fails("no JSON");
}

static void plugin_speaks_another_version(void **state)
{
    (void)state;
    use_plugin("printf '%s' '{\"apiVersion\":\"" V1
               "beta1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"hush\"}}'");
    plugin_fails("v1beta1");
}

static void plugin_is_missing(void **state)
{
    (void)state;
    struct waiter w;
    const char *h;
    uint64_t g;
    _cleanup_error_ struct error *err = NULL;

    config->exec = mem_zalloc(sizeof(*config->exec));
    config->exec->api_version = mem_strdup(V1);
    config->exec->command = mem_strdup("no-such-plugin-anywhere");
    config->exec->install_hint = mem_strdup("get it from the shop");
    open_credentials(false);
    w = (struct waiter){ .wait = { .fn = on_wait, .arg = &w } };
    assert_int_equal(credentials_get(credentials, &w.wait, &h, &g, &err), -ENOENT);
    assert_non_null(strstr(err->msg, "exec: executable no-such-plugin-anywhere not found"));
    assert_non_null(strstr(err->msg, "get it from the shop"));
}

static void plugin_gives_a_certificate(void **state)
{
    (void)state;
    uint64_t g1, g2;
    struct waiter w;

    use_plugin("if [ $n = 1 ]; then printf '%s' " CREDENTIAL(
        "\"clientCertificateData\":\"CERT\",\"clientKeyData\":\"KEY\"") "; else printf '%s' " CREDENTIAL("\"token\":\"t\"") "; fi");
    open_credentials(false);
    assert_null(header(&g1));
    assert_string_equal(certificate, "CERT");
    w = (struct waiter){ .wait = { .fn = on_wait, .arg = &w } };
    assert_int_equal(credentials_reject(credentials, g1, &w.wait), -EAGAIN);
    WAIT_FOR(w.done);
    assert_string_equal(header(&g2), "Bearer t");
    assert_null(certificate); /* taken back */
}

static void plugin_gives_an_unusable_certificate(void **state)
{
    (void)state;
    use_plugin("printf '%s' " CREDENTIAL("\"clientCertificateData\":\"BAD\",\"clientKeyData\":\"hush\""));
    plugin_fails("cannot be used");
    free(TAKE_PTR(certificate));
}

/* Freed while a plugin runs: nobody is called. */
static void freed_early(void **state)
{
    (void)state;
    struct waiter w;
    const char *h;
    uint64_t g;

    use_plugin("exec sleep 60");
    open_credentials(false);
    assert_int_equal(get_header(&w, &h, &g), -EAGAIN);
    credentials_free(TAKE_PTR(credentials));
    run_for(5);
    assert_false(w.done);
    assert_false(w.wait.waiting);
}

/* --- with a server --- */

static void want_second_token(struct fake_api *a, const struct fake_request *req)
{
    _cleanup_free_ char *h = fake_header(req, "authorization");

    (void)a;
    if (h && strcmp(h, "Bearer token-2") == 0)
        fake_reply(req->conn, 200, NULL, "{}");
    else
        fake_refuse(req->conn, 401, "Unauthorized", "Unauthorized");
}

static void renewed_by_plugin(void **state)
{
    (void)state;
    _cleanup_answer_ struct answer a = { 0 }, b = { 0 };
    struct kube_client *c = NULL;
    struct error *err = NULL;

    fake_api_start(&api, loop, want_second_token);
    use_plugin(TOKENS);
    free(config->server);
    config->server = mem_printf("http://127.0.0.1:%u", api.raw.port);
    assert_ok(kube_client_new(config, &(struct kube_client_options){ .loop = loop }, &c, &err), err);
    get(c, "/a", &a);
    get(c, "/b", &b);
    WAIT_FOR(a.done && b.done);
    assert_int_equal(a.code, 0);
    assert_int_equal(b.code, 0);
    assert_int_equal(n_runs(), 2);
    assert_int_equal(api.n_requests, 4);
    kube_client_free(c);
    fake_api_stop(&api);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(fixed),
        T(values_that_no_header_can_carry),
        T(file_is_read_again_after_401),
        T(file_and_token),
        T(token_from_outside),
        T(nobody_to_ask),
        T(plugin_gives_a_token),
        T(expired_credentials),
        T(what_the_plugin_is_told),
        T(no_cluster_info_unasked),
        T(plugin_exits_with_error),
        T(plugin_prints_nonsense),
        T(plugin_speaks_another_version),
        T(plugin_is_missing),
        T(plugin_gives_a_certificate),
        T(plugin_gives_an_unusable_certificate),
        T(freed_early),
        T(renewed_by_plugin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
