/*
 * Kubeconfig files (api-and-cli.md 2.6 and 3.1): which files are read, how they are merged, what a context resolves to, and
 * what errors name. The files are in a folder of their own that each test gets empty.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kube/config_internal.h"
#include "kube/kubeconfig.h"
#include "freed.h"
#include "unit.h"

static char *dir;

static void remove_all(const char *folder)
{
    static const char *const names[] = { "a",      "b",     "c",         "sub/ca.crt",  "sub/config",
                                         "ca.crt", "token", "namespace", ".kube/config" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *path = mem_printf("%s/%s", folder, names[i]);
        unlink(path);
    }
}

static int set_up(void **state)
{
    static const char *const variables[] = { "KUBECONFIG", "KUBERNETES_MASTER", "KUBERNETES_SERVICE_HOST",
                                             "KUBERNETES_SERVICE_PORT" };
    _cleanup_free_ char *sub = NULL, *home = NULL;

    (void)state;
    dir = mem_strdup("/tmp/kubeconfig-test-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    sub = mem_printf("%s/sub", dir);
    home = mem_printf("%s/.kube", dir);
    mkdir(sub, 0700);
    mkdir(home, 0700);
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        unsetenv(variables[i]);
    return setenv("HOME", dir, 1);
}

static int tear_down(void **state)
{
    static const char *const folders[] = { "sub", ".kube" };

    (void)state;
    remove_all(dir);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        _cleanup_free_ char *path = mem_printf("%s/%s", dir, folders[i]);
        rmdir(path);
    }
    rmdir(dir);
    free(dir);
    return 0;
}

/* Owned path of a file in the folder. */
static char *in_dir(const char *name)
{
    return mem_printf("%s/%s", dir, name);
}

static void write_file(const char *name, const char *text)
{
    _cleanup_free_ char *path = in_dir(name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

static struct kube_config *load(const struct kube_config_source *source)
{
    struct kube_config *c = NULL;
    struct error *err = NULL;

    assert_ok(kube_config_load(source, &c, &err), err);
    return c;
}

/* Loading fails with this code and a message that holds both texts. */
static void refuse(const struct kube_config_source *source, int code, const char *text, const char *more)
{
    struct kube_config *c = NULL;
    _cleanup_error_ struct error *err = NULL;

    assert_int_equal(kube_config_load(source, &c, &err), code);
    assert_null(c);
    if (!strstr(err->msg, text) || (more && !strstr(err->msg, more)))
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", err->msg, text, more ? more : "");
}

/* One file "a" with these entries is loaded. */
static struct kube_config *load_text(const char *text)
{
    _cleanup_free_ char *path = in_dir("a");

    write_file("a", text);
    return load(&(struct kube_config_source){ .kubeconfig = path });
}

static void refuse_text(const char *text, int code, const char *expected, const char *more)
{
    _cleanup_free_ char *path = in_dir("a");

    write_file("a", text);
    refuse(&(struct kube_config_source){ .kubeconfig = path }, code, expected, more);
}

#define USE(cluster, user)                                                                                             \
    "current-context: x\ncontexts: [{name: x, context: {cluster: " cluster ", user: " user "}}]\n"
#define CLUSTER(fields) "clusters: [{name: c, cluster: {" fields "}}]\n"
#define USER(fields) "users: [{name: u, user: {" fields "}}]\n"
#define SERVER "server: \"https://api:6443\""

/* --- which files --- */

static void merge_of_a_list(void **state)
{
    (void)state;
    _cleanup_free_ char *list = mem_printf("%s/missing:%s/a::%s/b", dir, dir, dir);

    write_file("a", "clusters: [{name: both, cluster: {server: \"https://first\"}}]\ncontexts: [{name: one, context: "
                    "{cluster: both}}, {name: two, context: {cluster: only-b}}]\n");
    write_file("b", "current-context: two\nclusters: [{name: both, cluster: {server: \"https://second\", "
                    "tls-server-name: ignored}}, {name: only-b, cluster: {server: \"https://b\"}}]\n"
                    "contexts: [{name: one, context: {cluster: only-b}}]\n");
    setenv("KUBECONFIG", list, 1);
    _cleanup_kube_config_ struct kube_config *current = load(&(struct kube_config_source){ 0 });
    _cleanup_kube_config_ struct kube_config *one = load(&(struct kube_config_source){ .context = "one" });
    assert_string_equal(current->context, "two");
    assert_string_equal(current->server, "https://b");
    assert_string_equal(one->server, "https://first"); /* the first file wins, whole entries at a time */
    assert_null(one->tls_server_name);
}

static void first_current_context(void **state)
{
    (void)state;
    _cleanup_free_ char *list = mem_printf("%s/a:%s/b:%s/c", dir, dir, dir);
    _cleanup_free_ char *current = NULL;
    char **names = NULL;
    struct error *err = NULL;

    write_file("a", "current-context: \"\"\ncontexts: [{name: z, context: {cluster: c}}]\n");
    write_file("b", "current-context: b\ncontexts: [{name: b, context: {cluster: c}}]\n");
    write_file("c", "current-context: z\n");
    setenv("KUBECONFIG", list, 1);
    assert_ok(kube_config_contexts(&(struct kube_config_source){ 0 }, &names, &current, &err), err);
    assert_string_equal(current, "b");
    assert_string_equal(names[0], "b");
    assert_string_equal(names[1], "z");
    assert_null(names[2]);
    for (size_t i = 0; names[i]; i++)
        free(names[i]);
    free(names);
}

static void default_file(void **state)
{
    (void)state;
    write_file(".kube/config", USE("c", "\"\"") CLUSTER(SERVER));
    _cleanup_kube_config_ struct kube_config *c = load(&(struct kube_config_source){ 0 });
    assert_string_equal(c->server, "https://api:6443");
    refuse(&(struct kube_config_source){ .no_default_files = true }, -ENOENT, "no configuration has been provided",
           NULL);
}

/* --kubeconfig replaces the list, and must exist. */
static void one_file(void **state)
{
    (void)state;
    _cleanup_free_ char *a = in_dir("a"), *b = in_dir("b"), *missing = in_dir("c");

    write_file("a", USE("c", "\"\"") CLUSTER("server: \"https://a\""));
    write_file("b", USE("c", "\"\"") CLUSTER("server: \"https://b\""));
    setenv("KUBECONFIG", b, 1);
    _cleanup_kube_config_ struct kube_config *c = load(&(struct kube_config_source){ .kubeconfig = a });
    assert_string_equal(c->server, "https://a");
    refuse(&(struct kube_config_source){ .kubeconfig = missing }, -ENOENT, missing, "no such file");
}

static void nothing_configured(void **state)
{
    (void)state;
    static const char text[] =
        "invalid configuration: no configuration has been provided, try setting KUBERNETES_MASTER "
        "environment variable";

    refuse(&(struct kube_config_source){ 0 }, -ENOENT, text, NULL);
    refuse(&(struct kube_config_source){ .in_cluster_fallback = true }, -ENOENT, text, NULL);
    refuse(&(struct kube_config_source){ .context = "x" }, -ENOENT, "context \"x\" does not exist", NULL);
    setenv("KUBERNETES_MASTER", "https://env", 1);
    _cleanup_kube_config_ struct kube_config *env = load(&(struct kube_config_source){ 0 });
    assert_string_equal(env->server, "https://env");
    _cleanup_kube_config_ struct kube_config *master = load(&(struct kube_config_source){ .master = "https://m" });
    assert_string_equal(master->server, "https://m");
}

static void master_replaces_server(void **state)
{
    (void)state;
    _cleanup_free_ char *path = in_dir("a");

    write_file("a", USE("c", "u") CLUSTER("tls-server-name: name") USER("token: secret"));
    _cleanup_kube_config_ struct kube_config *c = load(
        &(struct kube_config_source){ .kubeconfig = path, .master = "https://m" });
    assert_string_equal(c->server, "https://m");
    assert_string_equal(c->token, "secret");
    assert_string_equal(c->tls_server_name, "name");
}

/* --- one context --- */

static void context_fields(void **state)
{
    (void)state;
    _cleanup_kube_config_ struct kube_config *c = load_text(
        "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u, namespace: apps}}]\n" CLUSTER(
            SERVER ", tls-server-name: other, proxy-url: \"socks5://p:1080\"") USER("username: me, password: pw"));

    assert_string_equal(c->context, "x");
    assert_string_equal(c->cluster, "c");
    assert_string_equal(c->user, "u");
    assert_string_equal(c->namespace_, "apps");
    assert_string_equal(c->tls_server_name, "other");
    assert_string_equal(c->proxy_url, "socks5://p:1080");
    assert_string_equal(c->username, "me");
    assert_string_equal(c->password, "pw");
    assert_int_equal(c->tls_skip, 0);
    assert_null(c->token);
}

static void relative_paths(void **state)
{
    (void)state;
    _cleanup_free_ char *path = in_dir("sub/config"), *ca = in_dir("sub/ca.crt"), *token = in_dir("sub/../token");

    write_file("sub/ca.crt", "the CA");
    write_file("token", " the-token \n");
    write_file("sub/config",
               USE("c", "u") CLUSTER(SERVER ", certificate-authority: ca.crt") USER("tokenFile: ../token"));
    _cleanup_kube_config_ struct kube_config *c = load(&(struct kube_config_source){ .kubeconfig = path });
    assert_string_equal(c->ca_file, ca);
    assert_str(buf_str(&c->ca_pem), "the CA");
    assert_string_equal(c->token_file, token);
    assert_null(c->token);
}

/* A file without folder in its name: paths start at the working directory. */
static void relative_to_working_directory(void **state)
{
    (void)state;
    int here = open(".", O_RDONLY | O_DIRECTORY);

    write_file("ca.crt", "here");
    write_file("a", USE("c", "\"\"") CLUSTER(SERVER ", certificate-authority: ca.crt"));
    assert_int_equal(chdir(dir), 0);
    _cleanup_kube_config_ struct kube_config *c = load(&(struct kube_config_source){ .kubeconfig = "a" });
    assert_int_equal(fchdir(here), 0);
    close(here);
    assert_str(buf_str(&c->ca_pem), "here");
}

static void inline_data(void **state)
{
    (void)state;
    _cleanup_kube_config_ struct kube_config *c = load_text(
        USE("c", "u") CLUSTER(SERVER ", certificate-authority: /no/such/file, certificate-authority-data: Q0E=")
            USER("client-certificate-data: Q0VSVA==, client-key-data: S0VZ"));

    assert_str(buf_str(&c->ca_pem), "CA"); /* wins over the file */
    assert_null(c->ca_file);
    assert_str(buf_str(&c->cert_pem), "CERT");
    assert_str(buf_str(&c->key_pem), "KEY");
}

static void impersonation(void **state)
{
    (void)state;
    _cleanup_kube_config_ struct kube_config *c = load_text(USE("c", "u") CLUSTER(SERVER)
                                                                USER("as: jane, as-uid: \"7\", as-groups: [g1, g2], "
                                                                     "as-user-extra: {reason: [a, b], scope: [c]}"));

    assert_string_equal(c->as_user, "jane");
    assert_string_equal(c->as_uid, "7");
    assert_string_equal(c->as_groups[1], "g2");
    assert_null(c->as_groups[2]);
    assert_string_equal(c->as_extra[0], "reason=a");
    assert_string_equal(c->as_extra[1], "reason=b");
    assert_string_equal(c->as_extra[2], "scope=c");
    assert_null(c->as_extra[3]);
    refuse_text(USE("c", "u") CLUSTER(SERVER) USER("as-groups: [g]"), -EINVAL, "without impersonating a user", "u");
}

#define EXEC(fields) USE("c", "u") CLUSTER(SERVER) USER("exec: {" fields "}")
#define V1 "apiVersion: client.authentication.k8s.io/v1"
#define V1BETA1 "apiVersion: client.authentication.k8s.io/v1beta1"

static void exec_plugin(void **state)
{
    (void)state;
    _cleanup_free_ char *beside = in_dir("./bin/plugin");
    _cleanup_kube_config_ struct kube_config *c = load_text(
        EXEC(V1 ", command: get-token, args: [--a, b], env: [{name: A, value: b}, {name: EMPTY}], "
                "installHint: install it, interactiveMode: Never, provideClusterInfo: true"));
    _cleanup_kube_config_ struct kube_config *relative = load_text(
        EXEC(V1BETA1 ", command: ./bin/plugin, interactiveMode: Always"));
    _cleanup_kube_config_ struct kube_config *plain = load_text(EXEC(V1BETA1 ", command: get-token"));

    assert_string_equal(c->exec->api_version, "client.authentication.k8s.io/v1");
    assert_string_equal(c->exec->command, "get-token"); /* a bare name is looked up in PATH */
    assert_string_equal(c->exec->args[1], "b");
    assert_null(c->exec->args[2]);
    assert_string_equal(c->exec->env[0].value, "b");
    assert_string_equal(c->exec->env[1].name, "EMPTY");
    assert_string_equal(c->exec->env[1].value, "");
    assert_null(c->exec->env[2].name);
    assert_string_equal(c->exec->install_hint, "install it");
    assert_true(c->exec->provide_cluster_info);
    assert_int_equal(c->exec->interactive, 0);
    assert_string_equal(relative->exec->command, beside);
    assert_int_equal(relative->exec->interactive, 2);
    assert_int_equal(plain->exec->interactive, 1); /* v1beta1 has a default, v1 has none */
}

static void exec_errors(void **state)
{
    (void)state;
    refuse_text(EXEC(V1 ", interactiveMode: Never"), -EINVAL, "command must be specified for u", NULL);
    refuse_text(EXEC("command: x"), -EINVAL, "apiVersion must be specified for u", NULL);
    refuse_text(EXEC(V1 ", command: x"), -EINVAL, "interactiveMode must be specified for u", NULL);
    refuse_text(EXEC(V1 ", command: x, interactiveMode: Maybe"), -EINVAL, "interactiveMode", "Maybe");
    refuse_text(EXEC("apiVersion: client.authentication.k8s.io/v1alpha1, command: x"), -EINVAL, "v1alpha1", "u");
    refuse_text(EXEC(V1BETA1 ", command: x, env: [{value: b}]"), -EINVAL, "env variable name", "u");
    refuse_text(EXEC(V1BETA1 ", command: x, args: b"), -EINVAL, "exec.args", "\"u\"");
}

static void exec_extension(void **state)
{
    (void)state;
    _cleanup_kube_config_ struct kube_config *c = load_text(
        USE("c", "u") CLUSTER(SERVER ", extensions: [{name: other, extension: {x: 1}}, {name: "
                                     "client.authentication.k8s.io/exec, extension: {audience: aud}}]")
            USER("exec: {" V1BETA1 ", command: x, provideClusterInfo: true}"));

    assert_string_equal(c->exec->cluster_config, "{\"audience\":\"aud\"}");
}

static void insecure(void **state)
{
    (void)state;
    _cleanup_kube_config_ struct kube_config *c = load_text(USE("c", "\"\"")
                                                                CLUSTER(SERVER ", insecure-skip-tls-verify: true"));

    assert_int_equal(c->tls_skip, TLS_SKIP_ALL);
    refuse_text(USE("c", "\"\"") CLUSTER(SERVER ", insecure-skip-tls-verify: true, certificate-authority-data: Q0E="),
                -EINVAL, "insecure flag", "\"c\"");
}

/* --- errors --- */

static void missing_entries(void **state)
{
    (void)state;
    _cleanup_free_ char *path = in_dir("a");

    write_file("a", USE("nowhere", "u") CLUSTER(SERVER));
    refuse(&(struct kube_config_source){ .kubeconfig = path, .context = "y" }, -ENOENT, "context \"y\" does not exist",
           "\"x\"");
    refuse(&(struct kube_config_source){ .kubeconfig = path }, -ENOENT, "context \"x\"",
           "cluster \"nowhere\" does not exist");
    refuse_text(USE("c", "nobody") CLUSTER(SERVER), -ENOENT, "context \"x\"", "user \"nobody\" does not exist");
    refuse_text("contexts: [{name: x, context: {cluster: c}}]\n" CLUSTER(SERVER), -ENOENT, "no configuration",
                "current-context");
    refuse_text("current-context: x\ncontexts: [{name: x, context: {user: u}}]\n" USER("token: t"), -EINVAL,
                "context \"x\"", "no cluster");
    refuse_text(USE("c", "\"\"") CLUSTER("tls-server-name: name"), -EINVAL, "no server found for cluster \"c\"", NULL);
}

static void unreadable_files(void **state)
{
    (void)state;
    _cleanup_free_ char *folder = in_dir("sub"), *missing = in_dir("gone");

    refuse_text(USE("c", "\"\"") CLUSTER(SERVER ", certificate-authority: gone"), -ENOENT,
                "unable to read certificate-authority", missing);
    refuse_text(USE("c", "u") CLUSTER(SERVER) USER("client-certificate: gone, client-key: gone"), -ENOENT,
                "unable to read client-cert", "for u");
    refuse_text(USE("c", "u") CLUSTER(SERVER) USER("tokenFile: gone"), -ENOENT, "tokenFile", missing);
    refuse(&(struct kube_config_source){ .kubeconfig = folder }, -EISDIR, "error loading config file", folder);
}

static void malformed_files(void **state)
{
    (void)state;
    _cleanup_free_ char *path = in_dir("a"), *list = mem_printf("%s/b:%s/a", dir, dir);

    refuse_text("a: [\n", -EINVAL, "error loading config file", path);
    refuse_text("- a\n- b\n", -EINVAL, "error loading config file", path);
    refuse_text("clusters: {c: d}\n", -EINVAL, "clusters", "list");
    refuse_text("clusters: [{cluster: {}}]\n", -EINVAL, "clusters[0]", "name");
    refuse_text("users: [{name: u, user: text}]\n", -EINVAL, "users[0].user", NULL);
    refuse_text("users: [{name: u}, {name: u}]\n", -EINVAL, "duplicate name \"u\"", "users");
    refuse_text("apiVersion: v2\n", -EINVAL, "apiVersion", "v2");
    refuse_text("kind: Pod\n", -EINVAL, "kind", "Pod");
    refuse_text("current-context: 7\n", -EINVAL, "current-context", NULL);
    refuse_text("a: b\n a: c\n", -EINVAL, "line 2", path);
    /* A file that cannot be read right spoils the whole list: a context of the wrong file would be worse. */
    write_file("b", USE("c", "\"\"") CLUSTER(SERVER));
    setenv("KUBECONFIG", list, 1);
    refuse(&(struct kube_config_source){ 0 }, -EINVAL, "error loading config file", path);
}

static void bad_fields(void **state)
{
    (void)state;
    refuse_text(USE("c", "\"\"") CLUSTER("server: 7"), -EINVAL, "cluster \"c\": server: expected a string", NULL);
    refuse_text(USE("c", "\"\"") CLUSTER(SERVER ", insecure-skip-tls-verify: \"yes\""), -EINVAL,
                "insecure-skip-tls-verify", NULL);
    refuse_text(USE("c", "\"\"") CLUSTER(SERVER ", certificate-authority-data: \"Q0E=!\""), -EINVAL,
                "certificate-authority-data", "base64");
    refuse_text(USE("c", "u") CLUSTER(SERVER) USER("as: x, as-groups: g"), -EINVAL, "user \"u\": as-groups", NULL);
    refuse_text(USE("c", "u") CLUSTER(SERVER) USER("as: x, as-user-extra: {a: b}"), -EINVAL, "as-user-extra", NULL);
}

static void credentials_that_do_not_go_together(void **state)
{
    (void)state;
    refuse_text(USE("c", "u") CLUSTER(SERVER) USER("token: hush-hush, username: me"), -EINVAL,
                "more than one authentication", "u");
    refuse_text(USE("c", "u") CLUSTER(SERVER) USER("client-certificate-data: QQ=="), -EINVAL, "client-key", "u");
    refuse_text(USE("c", "u") CLUSTER(SERVER) USER("client-key-data: QQ=="), -EINVAL, "client-cert", "u");
    refuse_text(USE("c", "u") CLUSTER(SERVER) USER("auth-provider: {name: gcp}"), -EINVAL, "gcp", "exec");
}

/* Messages never repeat values that may be secret. */
static void no_secrets_in_messages(void **state)
{
    (void)state;
    static const char *const users[] = { USER("token: [hush-hush]"), USER("client-key-data: \"hush-hush!\""),
                                         USER("token: hush-hush, username: me"), USER("password: {a: hush-hush}") };

    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        _cleanup_free_ char *path = in_dir("a"), *text = mem_printf("%s%s", USE("c", "u") CLUSTER(SERVER), users[i]);
        _cleanup_error_ struct error *err = NULL;
        struct kube_config *c = NULL;

        write_file("a", text);
        assert_int_equal(kube_config_load(&(struct kube_config_source){ .kubeconfig = path }, &c, &err), -EINVAL);
        assert_null(strstr(err->msg, "hush"));
    }
}

/* An entry that no context uses may be broken. */
static void unused_entries(void **state)
{
    (void)state;
    _cleanup_kube_config_ struct kube_config *c = load_text(
        "clusters: [{name: c, cluster: {" SERVER "}}, {name: bad, cluster: {server: 7}}]\n" USE("c", "\"\""));

    assert_string_equal(c->server, "https://api:6443");
}

/* A bundle that got lost does not become trust in everybody. */
static void empty_authority(void **state)
{
    static const char *const texts[] = { "", "\n \n" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_free_ char *path = in_dir("ca.crt");
        write_file("ca.crt", texts[i]);
        refuse_text(USE("c", "\"\"") CLUSTER(SERVER ", certificate-authority: ca.crt"), -EINVAL, path,
                    "remove the field");
        refuse_text(USE("c", "\"\"") CLUSTER(SERVER ", insecure-skip-tls-verify: true, certificate-authority: ca.crt"),
                    -EINVAL, "with the insecure flag is not allowed", NULL);
    }
    /* Without the field, and with one that is not used, it is as it was. */
    _cleanup_kube_config_ struct kube_config *none = load_text(USE("c", "\"\"")
                                                                   CLUSTER(SERVER ", certificate-authority: \"\""));
    assert_int_equal(none->ca_pem.n, 0);
    _cleanup_kube_config_ struct kube_config *data = load_text(
        USE("c", "\"\"") CLUSTER(SERVER ", certificate-authority: ca.crt, certificate-authority-data: Q0E="));
    assert_str(buf_str(&data->ca_pem), "CA");
}

/* What was decoded: the document itself is that of libyaml's text. */
static void keys_are_cleared(void **state)
{
    (void)state;
    write_file("a",
               USE("c", "u") CLUSTER(SERVER) USER(
                   "client-certificate-data: Q0E=, client-key-data: YSBrZXkgb2Ygc29tZSBsZW5ndGgsIG5vdCB0byBiZSBzZWVu"));
    _cleanup_free_ char *path = in_dir("a");
    freed_watch("a key of some length, not to be seen");
    struct kube_config *c = load(&(struct kube_config_source){ .kubeconfig = path }), *copy = kube_config_copy(c);
    assert_true(str_eqc(buf_str(&copy->key_pem), "a key of some length, not to be seen"));
    kube_config_free(c);
    kube_config_free(copy);
    assert_int_equal(freed_stop(), 0);
}

/* --- in a cluster --- */

static void in_cluster(void **state)
{
    (void)state;
    struct kube_config *none = NULL;
    _cleanup_error_ struct error *err = NULL;
    _cleanup_kube_config_ struct kube_config *c = NULL;
    _cleanup_free_ char *token = in_dir("token");

    assert_int_equal(kube_config_in_cluster_at(dir, &none, &err), -ENOENT);
    assert_non_null(strstr(err->msg, "KUBERNETES_SERVICE_HOST"));
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    assert_int_equal(kube_config_in_cluster_at(dir, &none, &err), -ENOENT);
    assert_non_null(strstr(err->msg, token));
    write_file("token", "tok\n");
    write_file("ca.crt", "PEM");
    write_file("namespace", "kube-federation-system\n");
    assert_int_equal(kube_config_in_cluster_at(dir, &c, NULL), 0);
    assert_string_equal(c->server, "https://[fd00::1]:443");
    assert_string_equal(c->token_file, token);
    assert_str(buf_str(&c->ca_pem), "PEM");
    assert_string_equal(c->namespace_, "kube-federation-system");
    assert_null(c->context);
}

static void in_cluster_without_authority(void **state)
{
    static const char *const texts[] = { "", "\n" };
    _cleanup_free_ char *path = in_dir("ca.crt");
    (void)state;
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    write_file("token", "tok\n");
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct kube_config *none = NULL;
        _cleanup_error_ struct error *err = NULL;
        write_file("ca.crt", texts[i]);
        assert_int_equal(kube_config_in_cluster_at(dir, &none, &err), -EINVAL);
        assert_null(none);
        assert_non_null(strstr(error_msg(err), path));
        assert_non_null(strstr(error_msg(err), "kube-root-ca.crt"));
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(merge_of_a_list),
        T(first_current_context),
        T(default_file),
        T(one_file),
        T(nothing_configured),
        T(master_replaces_server),
        T(context_fields),
        T(relative_paths),
        T(relative_to_working_directory),
        T(inline_data),
        T(impersonation),
        T(exec_plugin),
        T(exec_errors),
        T(exec_extension),
        T(insecure),
        T(missing_entries),
        T(unreadable_files),
        T(malformed_files),
        T(bad_fields),
        T(credentials_that_do_not_go_together),
        T(no_secrets_in_messages),
        T(unused_entries),
        T(empty_authority),
        T(keys_are_cleared),
        T(in_cluster),
        T(in_cluster_without_authority),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
