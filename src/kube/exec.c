/*
 * Credential plugins. The command gets its arguments as they are (no shell), our environment plus what the kubeconfig adds,
 * and KUBERNETES_EXEC_INFO; its stderr is ours. Output is bounded; nothing of it is ever logged or put into a message.
 */
#include "kube/exec.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/rtime.h"
#include "json/json.h"
#include "kube/file.h"
#include "net/process.h"

#define OUTPUT_MAX ((size_t)4 << 20)
#define TIMEOUT_MS 60000u
#define TIMEOUT_INTERACTIVE_MS 600000u /* somebody may have to type a code */

struct exec_run {
    struct process *process;
    exec_done_fn *fn;
    void *arg;
    char *command, *install_hint, *api_version;
};

void exec_credential_done(struct exec_credential *c)
{
    kube_secret_free(c->token);
    free(c->cert_pem);
    kube_secret_free(c->key_pem);
    *c = (struct exec_credential){ 0 };
}

/* --- reading what it printed --- */

static int take_string(yyjson_val *status, const char *key, char **ret, struct error **err)
{
    yyjson_val *v = json_get(status, key);
    struct str s = json_str(v);

    if (!v || yyjson_is_null(v))
        return 0;
    if (!yyjson_is_str(v) || memchr(s.p, 0, s.n))
        return error_set(err, -EINVAL, "status.%s is no string", key);
    if (s.n)
        *ret = str_dup(s);
    return 0;
}

static int take_expiry(yyjson_val *status, int64_t *ret, struct error **err)
{
    yyjson_val *v = json_get(status, "expirationTimestamp");

    if (!v || yyjson_is_null(v))
        return 0;
    if (time_parse_rfc3339(json_str(v), ret) < 0)
        return error_set(err, -EINVAL, "status.expirationTimestamp is no RFC 3339 time");
    if (*ret <= 0)
        *ret = 1;
    return 0;
}

static int check_header(yyjson_val *root, const char *api_version, struct error **err)
{
    struct str version = json_str(json_get(root, "apiVersion")), kind = json_str(json_get(root, "kind"));

    if (!yyjson_is_obj(root) || !str_eqc(kind, "ExecCredential"))
        return error_set(err, -EINVAL, "the output is no ExecCredential");
    if (!str_eqc(version, api_version))
        return error_set(err, -EINVAL, "it is configured for API version %s, plugin returned version %.*s", api_version,
                         (int)MIN(version.n, (size_t)100), version.p ? version.p : "");
    if (!yyjson_is_obj(json_get(root, "status")))
        return error_set(err, -EINVAL, "the plugin didn't return a status field");
    return 0;
}

int exec_credential_parse(struct str output, const char *api_version, struct exec_credential *ret, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_(exec_credential_done) struct exec_credential c = { 0 };
    yyjson_val *status;
    int r;

    if (json_parse(output, &doc, NULL) < 0)
        return error_set(err, -EINVAL, "the output is no JSON");
    r = check_header(yyjson_doc_get_root(doc), api_version, err);
    if (r < 0)
        return r;
    status = json_get(yyjson_doc_get_root(doc), "status");
    r = take_string(status, "token", &c.token, err);
    if (r == 0)
        r = take_string(status, "clientCertificateData", &c.cert_pem, err);
    if (r == 0)
        r = take_string(status, "clientKeyData", &c.key_pem, err);
    if (r == 0)
        r = take_expiry(status, &c.expires_s, err);
    if (r < 0)
        return r;
    if (!c.token && !c.cert_pem && !c.key_pem)
        return error_set(err, -EINVAL, "the plugin didn't return a token or cert/key pair");
    if (!c.cert_pem != !c.key_pem)
        return error_set(err, -EINVAL, "the plugin returned only certificate or key, not both");
    if (c.token && !kube_header_ok(str_of(c.token)))
        return error_set(err, -EINVAL, "the plugin's token holds control characters");
    *ret = c;
    c = (struct exec_credential){ 0 };
    return 0;
}

/* --- what it is told --- */

static void add_cluster(yyjson_mut_doc *doc, yyjson_mut_val *spec, const struct kube_config *config)
{
    yyjson_mut_val *cluster = yyjson_mut_obj(doc);
    _cleanup_buf_ struct buf ca = BUF_INIT(KUBE_PEM_MAX * 2);
    _cleanup_json_ yyjson_doc *extra = NULL;

    json_mut_set_str(doc, cluster, "server", str_of(config->server));
    if (config->tls_server_name)
        json_mut_set_str(doc, cluster, "tls-server-name", str_of(config->tls_server_name));
    if (config->tls_skip)
        json_mut_set_bool(doc, cluster, "insecure-skip-tls-verify", true);
    if (config->ca_pem.n && base64_encode(&ca, buf_str(&config->ca_pem)) == 0)
        json_mut_set_str(doc, cluster, "certificate-authority-data", buf_str(&ca));
    if (config->proxy_url)
        json_mut_set_str(doc, cluster, "proxy-url", str_of(config->proxy_url));
    if (config->exec->cluster_config && json_parse(str_of(config->exec->cluster_config), &extra, NULL) == 0)
        json_mut_set(doc, cluster, "config", json_mut_copy(doc, yyjson_doc_get_root(extra)));
    json_mut_set(doc, spec, "cluster", cluster);
}

char *exec_info(const struct kube_config *config, bool interactive)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *spec = yyjson_mut_obj(doc);
    struct buf out = BUF_INIT(KUBE_PEM_MAX * 4);

    json_mut_set_str(doc, root, "apiVersion", str_of(config->exec->api_version));
    json_mut_set_str(doc, root, "kind", STR("ExecCredential"));
    if (config->exec->provide_cluster_info)
        add_cluster(doc, spec, config);
    json_mut_set_bool(doc, spec, "interactive", interactive);
    json_mut_set(doc, root, "spec", spec);
    json_mut_write(&out, root);
    return buf_take(&out, NULL);
}

/* --- running it --- */

static void run_free(struct exec_run *x)
{
    free(x->command);
    free(x->install_hint);
    free(x->api_version);
    free(x);
}

/* "exec: executable <command> ...", with the hint of the kubeconfig when the program is missing. */
static int explain(const struct exec_run *x, int code, const char *what, struct error **err)
{
    if (code == -ENOENT && x->install_hint)
        return error_set(err, code, "exec: executable %s not found\n\n%s", x->command, x->install_hint);
    if (code == -ENOENT)
        return error_set(err, code, "exec: executable %s not found", x->command);
    return error_set(err, code, "exec: executable %s failed: %s", x->command, what);
}

static void on_process(void *arg, int exit_status, struct str output, const struct error *failure)
{
    struct exec_run *x = arg;
    _cleanup_error_ struct error *err = NULL;
    _cleanup_(exec_credential_done) struct exec_credential c = { 0 };
    _cleanup_error_ struct error *cause = NULL;
    exec_done_fn *fn = x->fn;
    void *fn_arg = x->arg;

    if (failure)
        explain(x, failure->code, failure->msg, &err);
    else if (exit_status != 0)
        error_set(&err, -EACCES, "exec: executable %s failed with exit code %d", x->command, exit_status);
    else if (exec_credential_parse(output, x->api_version, &c, &cause) < 0)
        explain(x, -EINVAL, error_msg(cause), &err);
    run_free(x);
    fn(fn_arg, err ? NULL : &c, err);
}

static char **build_argv(const struct kube_exec *e)
{
    size_t n = 0;

    while (e->args && e->args[n])
        n++;
    char **argv = mem_array(n + 2, sizeof(*argv));
    argv[0] = e->command;
    for (size_t i = 0; i < n; i++)
        argv[i + 1] = e->args[i];
    return argv;
}

/* NULL-terminated "NAME=value" strings. */
static char **build_env(const struct kube_config *config, bool interactive)
{
    const struct kube_exec_env *env = config->exec->env;
    _cleanup_free_ char *info = exec_info(config, interactive);
    size_t n = 0;

    while (env && env[n].name)
        n++;
    char **v = mem_array(n + 2, sizeof(*v));
    for (size_t i = 0; i < n; i++)
        v[i] = mem_printf("%s=%s", env[i].name, env[i].value);
    v[n] = mem_printf("KUBERNETES_EXEC_INFO=%s", info);
    return v;
}

struct exec_run *exec_start(struct loop *loop, const struct kube_config *config, exec_done_fn *fn, void *arg,
                            struct error **err)
{
    const struct kube_exec *e = config->exec;
    bool terminal = isatty(STDIN_FILENO) == 1, interactive = e->interactive > 0 && terminal;
    _cleanup_error_ struct error *cause = NULL;

    if (e->interactive == 2 && !terminal) {
        error_set(err, -EINVAL, "exec plugin cannot support interactive mode: standard input is not a terminal");
        return NULL;
    }
    struct exec_run *x = mem_zalloc(sizeof(*x));
    *x = (struct exec_run){ .fn = fn,
                            .arg = arg,
                            .command = mem_strdup(e->command),
                            .install_hint = mem_strdup(e->install_hint),
                            .api_version = mem_strdup(e->api_version) };
    _cleanup_free_ char **argv = build_argv(e);
    char **env = build_env(config, interactive);
    struct process_spec spec = { .argv = (const char *const *)argv,
                                 .extra_env = (const char *const *)env,
                                 .timeout_ms = interactive ? TIMEOUT_INTERACTIVE_MS : TIMEOUT_MS,
                                 .max_output = OUTPUT_MAX,
                                 .stdin_inherit = interactive };
    int r = process_start(loop, &spec, on_process, x, &x->process, &cause);
    for (size_t i = 0; env[i]; i++)
        kube_secret_free(env[i]);
    free(env);
    if (r < 0) {
        explain(x, r, error_msg(cause), err);
        run_free(x);
        return NULL;
    }
    return x;
}

void exec_cancel(struct exec_run *x)
{
    if (!x)
        return;
    process_cancel(x->process);
    run_free(x);
}
