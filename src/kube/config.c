/*
 * Connections: the struct itself, in-cluster settings, and where a configuration is looked for (api-and-cli.md 2.6 and 3.1).
 * Kubeconfig files are read by kubeconfig.c and turned into a connection by kubeconfig_resolve.c.
 */
#include "kube/config.h"

#include <stdlib.h>

#include "kube/config_internal.h"
#include "kube/file.h"
#include "kube/kubeconfig.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define NAMESPACE_MAX ((size_t)4096)

struct kube_config *kube_config_new(void)
{
    struct kube_config *c = mem_zalloc(sizeof(*c));

    c->ca_pem = BUF_INIT(KUBE_PEM_MAX);
    c->cert_pem = BUF_INIT(KUBE_PEM_MAX);
    c->key_pem = BUF_SECRET_INIT(KUBE_PEM_MAX);
    return c;
}

static void strings_free(char **v)
{
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
}

static void exec_free(struct kube_exec *x)
{
    if (!x)
        return;
    free(x->api_version);
    free(x->command);
    strings_free(x->args);
    for (size_t i = 0; x->env && x->env[i].name; i++) {
        free(x->env[i].name);
        kube_secret_free(x->env[i].value);
    }
    free(x->env);
    free(x->install_hint);
    free(x->cluster_config);
    free(x);
}

void kube_config_free(struct kube_config *c)
{
    if (!c)
        return;
    buf_done(&c->ca_pem);
    buf_done(&c->cert_pem);
    buf_done(&c->key_pem);
    free(c->server);
    free(c->proxy_url);
    free(c->tls_server_name);
    free(c->ca_file);
    kube_secret_free(c->token);
    free(c->token_file);
    free(c->username);
    kube_secret_free(c->password);
    exec_free(c->exec);
    free(c->as_user);
    free(c->as_uid);
    strings_free(c->as_groups);
    strings_free(c->as_extra);
    free(c->namespace_);
    free(c->context);
    free(c->cluster);
    free(c->user);
    free(c);
}

static char **strings_copy(char **v)
{
    size_t n = 0;

    if (!v)
        return NULL;
    while (v[n])
        n++;
    char **copy = mem_array(n + 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = mem_strdup(v[i]);
    return copy;
}

static struct kube_exec *exec_copy(const struct kube_exec *x)
{
    size_t n = 0;

    if (!x)
        return NULL;
    struct kube_exec *c = mem_zalloc(sizeof(*c));
    *c = (struct kube_exec){ .api_version = mem_strdup(x->api_version),
                             .command = mem_strdup(x->command),
                             .args = strings_copy(x->args),
                             .install_hint = mem_strdup(x->install_hint),
                             .cluster_config = mem_strdup(x->cluster_config),
                             .provide_cluster_info = x->provide_cluster_info,
                             .interactive = x->interactive };
    while (x->env && x->env[n].name)
        n++;
    c->env = mem_array(n + 1, sizeof(*c->env));
    for (size_t i = 0; i < n; i++)
        c->env[i] = (struct kube_exec_env){ mem_strdup(x->env[i].name), mem_strdup(x->env[i].value) };
    return c;
}

struct kube_config *kube_config_copy(const struct kube_config *c)
{
    struct kube_config *n = kube_config_new();

    n->server = mem_strdup(c->server);
    n->proxy_url = mem_strdup(c->proxy_url);
    n->tls_server_name = mem_strdup(c->tls_server_name);
    n->tls_skip = c->tls_skip;
    n->verify_at = c->verify_at;
    buf_adds(&n->ca_pem, buf_str(&c->ca_pem));
    buf_adds(&n->cert_pem, buf_str(&c->cert_pem));
    buf_adds(&n->key_pem, buf_str(&c->key_pem));
    n->ca_file = mem_strdup(c->ca_file);
    n->token = mem_strdup(c->token);
    n->token_file = mem_strdup(c->token_file);
    n->username = mem_strdup(c->username);
    n->password = mem_strdup(c->password);
    n->exec = exec_copy(c->exec);
    n->as_user = mem_strdup(c->as_user);
    n->as_uid = mem_strdup(c->as_uid);
    n->as_groups = strings_copy(c->as_groups);
    n->as_extra = strings_copy(c->as_extra);
    n->namespace_ = mem_strdup(c->namespace_);
    n->context = mem_strdup(c->context);
    n->cluster = mem_strdup(c->cluster);
    n->user = mem_strdup(c->user);
    return n;
}

/* --- in a cluster --- */

static char *service_url(void)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");

    if (!host || !host[0] || !port || !port[0])
        return NULL;
    return mem_printf(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
}

static void read_namespace(struct kube_config *c, const char *folder)
{
    _cleanup_free_ char *path = mem_printf("%s/namespace", folder);
    _cleanup_buf_ struct buf b = { 0 };
    struct str name;

    if (kube_file_read(path, NAMESPACE_MAX, &b, NULL) < 0)
        return;
    name = str_trim(buf_str(&b));
    if (str_is_dns1123_label(name))
        c->namespace_ = str_dup(name);
}

int kube_config_in_cluster_at(const char *folder, struct kube_config **ret, struct error **err)
{
    _cleanup_kube_config_ struct kube_config *c = kube_config_new();
    char *token = NULL;
    int r;

    c->server = service_url();
    if (!c->server)
        return error_set(err, -ENOENT,
                         "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and "
                         "KUBERNETES_SERVICE_PORT must be defined");
    c->token_file = mem_printf("%s/token", folder);
    r = kube_file_read_token(c->token_file, &token, err);
    kube_secret_free(token);
    if (r < 0) {
        error_wrap(err, "unable to load in-cluster configuration");
        return r;
    }
    c->ca_file = mem_printf("%s/ca.crt", folder);
    r = kube_file_read(c->ca_file, KUBE_PEM_MAX, &c->ca_pem, err);
    if (r == 0 &&
        str_empty(str_trim(buf_str(&c->ca_pem)))) /* otherwise every authority of the system would be trusted */
        r = error_set(err, -EINVAL,
                      "%s is empty: see to the ConfigMap kube-root-ca.crt of this namespace, or give a kubeconfig "
                      "with --kubeconfig",
                      c->ca_file);
    if (r < 0) {
        error_wrap(err, "unable to load in-cluster configuration");
        return r;
    }
    read_namespace(c, folder);
    *ret = TAKE_PTR(c);
    return 0;
}

int kube_config_in_cluster(struct kube_config **ret, struct error **err)
{
    return kube_config_in_cluster_at(SERVICE_ACCOUNT, ret, err);
}

/* --- anywhere --- */

static bool given(const char *s)
{
    return s && s[0];
}

/* Nothing but a server: no credentials. */
static struct kube_config *config_of_server(const char *server)
{
    struct kube_config *c = kube_config_new();

    c->server = mem_strdup(server);
    return c;
}

int kube_config_from_parts(const struct kube_config_parts *parts, struct kube_config **ret, struct error **err)
{
    _cleanup_kube_config_ struct kube_config *c = config_of_server(parts->server);

    if (given(parts->proxy_url))
        c->proxy_url = mem_strdup(parts->proxy_url);
    c->tls_skip = parts->tls_skip;
    c->verify_at = parts->verify_at;
    c->ca_pem = BUF_INIT(BUF_MAX_DEFAULT);
    if (buf_adds(&c->ca_pem, parts->ca_pem) < 0)
        return error_set(err, -EFBIG, "the certificate authorities are too large");
    if (parts->token.n)
        c->token = str_dup(parts->token);
    *ret = TAKE_PTR(c);
    return 0;
}

static int without_kubeconfig(const struct kube_config_source *source, struct kube_config **ret, struct error **err)
{
    const char *env = source->no_default_files ? NULL : getenv("KUBERNETES_MASTER");

    if (given(source->master) || given(env)) {
        *ret = config_of_server(given(source->master) ? source->master : env);
        return 0;
    }
    if (source->in_cluster_fallback) {
        _cleanup_free_ char *url = service_url();
        if (url)
            return kube_config_in_cluster(ret, err);
    }
    return error_set(err, -ENOENT,
                     "invalid configuration: no configuration has been provided, try setting "
                     "KUBERNETES_MASTER environment variable");
}

int kube_config_load(const struct kube_config_source *source, struct kube_config **ret, struct error **err)
{
    _cleanup_kubeconfig_ struct kubeconfig k;
    _cleanup_kube_config_ struct kube_config *c = NULL;
    int r;

    kubeconfig_init(&k);
    r = kubeconfig_read(&k, source, err);
    if (r < 0)
        return r;
    if (kubeconfig_is_empty(&k) && !given(source->context))
        return without_kubeconfig(source, ret, err);
    if (!given(source->context) && !k.current && given(source->master)) {
        *ret = config_of_server(source->master);
        return 0;
    }
    r = kubeconfig_resolve(&k, source->context, given(source->master), &c, err);
    if (r < 0)
        return r;
    if (given(source->master)) {
        free(c->server);
        c->server = mem_strdup(source->master);
    }
    *ret = TAKE_PTR(c);
    return 0;
}

int kube_config_contexts(const struct kube_config_source *source, char ***ret, char **ret_current, struct error **err)
{
    _cleanup_kubeconfig_ struct kubeconfig k;
    size_t n;
    int r;

    kubeconfig_init(&k);
    r = kubeconfig_read(&k, source, err);
    if (r < 0)
        return r;
    _cleanup_free_ struct map_entry *v = map_sorted(&k.contexts, &n);
    char **names = mem_array(n + 1, sizeof(*names));
    for (size_t i = 0; i < n; i++)
        names[i] = str_dup(v[i].key);
    *ret = names;
    if (ret_current)
        *ret_current = mem_strdup(k.current);
    return 0;
}
