/*
 * From a context of a kubeconfig to one connection: fields are checked, inline data decoded, files read. Inline data wins
 * over a file. Messages name the entry and the field, never a value that could be a secret.
 */
#include "kube/kubeconfig.h"

#include <stdlib.h>

#include "base/encode.h"
#include "kube/file.h"

#define LIST_MAX 1000u
#define NO_CONFIG                                                                                                      \
    "invalid configuration: no configuration has been provided, try setting KUBERNETES_MASTER environment variable"

/* The entry that is being read, for messages. */
struct reader {
    const struct kubeconfig *k;
    const struct kubeconfig_entry *e;
    const char *what; /* "cluster", "user", "context" */
    const char *name;
};

static _printf_(4, 5) int bad(const struct reader *r, struct error **err, const char *field, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_vset(err, -EINVAL, fmt, ap);
    va_end(ap);
    error_wrap(err, "error loading config file \"%s\": %s \"%s\": %s", r->e->file->path, r->what, r->name, field);
    return -EINVAL;
}

/* Absent, null and "" leave *ret alone. */
static int get_string(const struct reader *r, yyjson_val *obj, const char *field, char **ret, struct error **err)
{
    yyjson_val *v = json_get(obj, field);
    struct str s = json_str(v);

    if (!v || yyjson_is_null(v))
        return 0;
    if (!yyjson_is_str(v))
        return bad(r, err, field, "expected a string");
    if (memchr(s.p, 0, s.n))
        return bad(r, err, field, "holds a NUL character");
    if (s.n) {
        free(*ret);
        *ret = str_dup(s);
    }
    return 0;
}

static int get_bool(const struct reader *r, yyjson_val *obj, const char *field, bool *ret, struct error **err)
{
    yyjson_val *v = json_get(obj, field);

    if (!v || yyjson_is_null(v))
        return 0;
    if (!yyjson_is_bool(v))
        return bad(r, err, field, "expected true or false");
    *ret = yyjson_get_bool(v);
    return 0;
}

/* A list of strings as a NULL-terminated array; absent gives NULL. */
static int get_strings(const struct reader *r, yyjson_val *v, const char *field, char ***ret, struct error **err)
{
    yyjson_val *item;
    size_t i, n;

    if (!v || yyjson_is_null(v))
        return 0;
    if (!yyjson_is_arr(v) || yyjson_arr_size(v) > LIST_MAX)
        return bad(r, err, field, "expected a list of strings");
    yyjson_arr_foreach(v, i, n, item)
    {
        if (!yyjson_is_str(item) || memchr(json_str(item).p, 0, json_str(item).n))
            return bad(r, err, field, "expected a list of strings");
    }
    char **list = mem_array(yyjson_arr_size(v) + 1, sizeof(*list));
    yyjson_arr_foreach(v, i, n, item) list[i] = str_dup(json_str(item));
    *ret = list;
    return 0;
}

/* Relative paths start at the folder of the file that names them. */
static char *resolve_path(const struct reader *r, const char *path)
{
    const char *dir = r->e->file->dir;

    if (path[0] == '/' || !dir[0])
        return mem_strdup(path);
    return mem_printf("%s/%s", dir, path);
}

static int get_path(const struct reader *r, yyjson_val *obj, const char *field, char **ret, struct error **err)
{
    _cleanup_free_ char *raw = NULL;
    int k = get_string(r, obj, field, &raw, err);

    if (k == 0 && raw)
        *ret = resolve_path(r, raw);
    return k;
}

/* PEM text: `<field>-data` in base64, or else the file that `<field>` names. ret_path may be NULL. */
static int get_pem(const struct reader *r, yyjson_val *obj, const char *field, const char *called, struct buf *ret,
                   char **ret_path, struct error **err)
{
    _cleanup_free_ char *data_field = mem_printf("%s-data", field), *path = NULL;
    char *data = NULL;
    _cleanup_buf_ struct buf pem = BUF_SECRET_INIT(KUBE_PEM_MAX);
    _cleanup_error_ struct error *e = NULL;
    size_t offset = 0;
    int k = get_string(r, obj, data_field, &data, err);

    if (k == 0)
        k = get_path(r, obj, field, &path, err);
    if (k == 0 && data) {
        k = base64_decode(&pem, str_of(data), &offset);
        if (k < 0)
            bad(r, err, data_field, "illegal base64 data at input byte %zu", offset);
    } else if (k == 0 && path) {
        k = r->k->read_file(path, KUBE_PEM_MAX, &pem, &e);
        if (k < 0)
            error_set(err, k, "invalid configuration: unable to read %s %s for %s due to %s", called, path, r->name,
                      error_msg(e));
    }
    if (k == 0 && !data && ret_path)
        *ret_path = TAKE_PTR(path);
    kube_secret_free(data);
    if (k < 0)
        return k;
    *ret = pem;
    pem = (struct buf){ 0 };
    return 0;
}

static int invalid(struct error **err, const char *fmt, ...) _printf_(2, 3);
static int invalid(struct error **err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_vset(err, -EINVAL, fmt, ap);
    va_end(ap);
    error_wrap(err, "invalid configuration");
    return -EINVAL;
}

/* --- cluster --- */

/* An empty file is a bundle that got lost: as in Go it would mean every authority of the system, instead of the one that was meant. */
static int check_authority(const struct reader *r, const struct kube_config *c, struct error **err)
{
    if (!c->ca_file || !str_empty(str_trim(buf_str(&c->ca_pem))))
        return 0;
    return invalid(err,
                   "cluster \"%s\": certificate-authority %s is empty: write the certificate into it, or remove the "
                   "field to trust the authorities of the system",
                   r->name, c->ca_file);
}

static int read_cluster(const struct reader *r, bool server_given, struct kube_config *c, struct error **err)
{
    yyjson_val *v = r->e->value;
    bool insecure = false;
    int k = get_string(r, v, "server", &c->server, err);

    if (k == 0)
        k = get_string(r, v, "tls-server-name", &c->tls_server_name, err);
    if (k == 0)
        k = get_string(r, v, "proxy-url", &c->proxy_url, err);
    if (k == 0)
        k = get_bool(r, v, "insecure-skip-tls-verify", &insecure, err);
    if (k == 0)
        k = get_pem(r, v, "certificate-authority", "certificate-authority", &c->ca_pem, &c->ca_file, err);
    if (k < 0)
        return k;
    if (!c->server && !server_given)
        return invalid(err, "no server found for cluster \"%s\"", r->name);
    if (insecure && (c->ca_pem.n || c->ca_file))
        return invalid(err, "cluster \"%s\": specifying a root certificates file with the insecure flag is not allowed",
                       r->name);
    c->tls_skip = insecure ? TLS_SKIP_ALL : 0;
    return check_authority(r, c, err);
}

/* What the cluster wants its credential plugin to know: extensions[name=client.authentication.k8s.io/exec]. */
static void read_exec_extension(yyjson_val *cluster, struct kube_exec *exec)
{
    yyjson_val *list = json_get(cluster, "extensions"), *item;
    struct buf text = BUF_INIT(KUBE_TOKEN_MAX);
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item)
    {
        yyjson_val *extension = json_get(item, "extension");
        if (!extension || !str_eqc(json_str(json_get(item, "name")), "client.authentication.k8s.io/exec"))
            continue;
        if (json_write(&text, extension) == 0)
            exec->cluster_config = buf_take(&text, NULL);
        break;
    }
    buf_done(&text);
}

/* --- user --- */

static int read_exec_env(const struct reader *r, yyjson_val *v, struct kube_exec *x, struct error **err)
{
    yyjson_val *list = json_get(v, "env"), *item;
    size_t i, n, used = 0;

    if (!list || yyjson_is_null(list))
        return 0;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > LIST_MAX)
        return bad(r, err, "exec.env", "expected a list of names and values");
    x->env = mem_array(yyjson_arr_size(list) + 1, sizeof(*x->env));
    yyjson_arr_foreach(list, i, n, item)
    {
        struct kube_exec_env *e = &x->env[used];
        int k = get_string(r, item, "name", &e->name, err);
        if (k < 0)
            return k;
        if (!e->name || strchr(e->name, '='))
            return invalid(err, "env variable name must be specified for %s to use exec authentication plugin",
                           r->name);
        used++;
        k = get_string(r, item, "value", &e->value, err);
        if (k < 0)
            return k;
        if (!e->value)
            e->value = mem_strdup("");
    }
    return 0;
}

static int read_interactive(const struct reader *r, yyjson_val *v, struct kube_exec *x, struct error **err)
{
    static const char *const modes[] = { "Never", "IfAvailable", "Always" };
    _cleanup_free_ char *mode = NULL;
    int k = get_string(r, v, "interactiveMode", &mode, err);

    if (k < 0)
        return k;
    x->interactive = 1;
    if (!mode && str_has_suffix(str_of(x->api_version), STR("/v1")))
        return invalid(err, "interactiveMode must be specified for %s to use exec authentication plugin", r->name);
    if (!mode)
        return 0;
    for (int i = 0; i < 3; i++)
        if (strcmp(mode, modes[i]) == 0) {
            x->interactive = i;
            return 0;
        }
    return invalid(err, "invalid interactiveMode for %s: \"%.64s\"", r->name, mode);
}

static int check_exec_version(const struct reader *r, const struct kube_exec *x, struct error **err)
{
    if (!x->api_version)
        return invalid(err, "apiVersion must be specified for %s to use exec authentication plugin", r->name);
    if (strcmp(x->api_version, "client.authentication.k8s.io/v1") != 0 &&
        strcmp(x->api_version, "client.authentication.k8s.io/v1beta1") != 0)
        return invalid(
            err,
            "exec plugin of %s: unsupported apiVersion \"%.100s\", want client.authentication.k8s.io/v1 or v1beta1",
            r->name, x->api_version);
    return 0;
}

static int read_exec(const struct reader *r, yyjson_val *v, struct kube_config *c, struct error **err)
{
    _cleanup_free_ char *command = NULL;
    struct kube_exec *x;
    int k;

    if (!v || yyjson_is_null(v))
        return 0;
    if (!yyjson_is_obj(v))
        return bad(r, err, "exec", "expected a mapping");
    x = c->exec = mem_zalloc(sizeof(*x));
    k = get_string(r, v, "command", &command, err);
    if (k == 0)
        k = get_string(r, v, "apiVersion", &x->api_version, err);
    if (k == 0)
        k = get_strings(r, json_get(v, "args"), "exec.args", &x->args, err);
    if (k == 0)
        k = get_string(r, v, "installHint", &x->install_hint, err);
    if (k == 0)
        k = get_bool(r, v, "provideClusterInfo", &x->provide_cluster_info, err);
    if (k < 0)
        return k;
    if (!command)
        return invalid(err, "command must be specified for %s to use exec authentication plugin", r->name);
    /* A bare name is looked up in PATH; anything with a slash is a file. */
    x->command = strchr(command, '/') ? resolve_path(r, command) : mem_strdup(command);
    k = check_exec_version(r, x, err);
    if (k == 0)
        k = read_exec_env(r, v, x, err);
    return k < 0 ? k : read_interactive(r, v, x, err);
}

/* as-user-extra: {key: [value, ...]} as "key=value" strings. */
static int read_extra(const struct reader *r, yyjson_val *v, struct kube_config *c, struct error **err)
{
    yyjson_val *key, *values, *item;
    size_t i, n, j, m, used = 0, cap = 0;

    if (!v || yyjson_is_null(v))
        return 0;
    if (!yyjson_is_obj(v))
        return bad(r, err, "as-user-extra", "expected a mapping of lists");
    yyjson_obj_foreach(v, i, n, key, values)
    {
        if (!yyjson_is_arr(values))
            return bad(r, err, "as-user-extra", "expected a mapping of lists");
        yyjson_arr_foreach(values, j, m, item)
        {
            if (!yyjson_is_str(item) || used >= LIST_MAX)
                return bad(r, err, "as-user-extra", "expected lists of strings");
            MEM_GROW(c->as_extra, cap, used + 1);
            c->as_extra[used++] = mem_printf("%" PRIstr "=%" PRIstr, STRARG(json_str(key)), STRARG(json_str(item)));
            c->as_extra[used] = NULL;
        }
    }
    return 0;
}

static int read_impersonation(const struct reader *r, struct kube_config *c, struct error **err)
{
    yyjson_val *v = r->e->value;
    int k = get_string(r, v, "as", &c->as_user, err);

    if (k == 0)
        k = get_string(r, v, "as-uid", &c->as_uid, err);
    if (k == 0)
        k = get_strings(r, json_get(v, "as-groups"), "as-groups", &c->as_groups, err);
    if (k == 0)
        k = read_extra(r, json_get(v, "as-user-extra"), c, err);
    if (k < 0)
        return k;
    if (!c->as_user && (c->as_uid || c->as_groups || c->as_extra))
        return invalid(err, "requesting uid, groups or user-extra for %s without impersonating a user", r->name);
    return 0;
}

static int check_user(const struct reader *r, const struct kube_config *c, struct error **err)
{
    yyjson_val *provider = json_get(r->e->value, "auth-provider");
    struct str name = json_path_str(provider, "name");

    if (provider && !yyjson_is_null(provider))
        return invalid(
            err, "user \"%s\": auth-provider \"%.*s\" is not supported; configure an exec credential plugin instead",
            r->name, (int)MIN(name.n, (size_t)64), name.p ? name.p : "");
    if (c->token && (c->username || c->password))
        return invalid(err,
                       "more than one authentication method found for %s; found [token basicAuth], only one is allowed",
                       r->name);
    if (c->cert_pem.n && !c->key_pem.n)
        return invalid(err,
                       "client-key-data or client-key must be specified for %s to use the clientCert "
                       "authentication method.",
                       r->name);
    if (c->key_pem.n && !c->cert_pem.n)
        return invalid(err,
                       "client-cert-data or client-cert must be specified for %s to use the clientCert "
                       "authentication method.",
                       r->name);
    return 0;
}

static int check_token_file(const struct reader *r, const char *path, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    char *token = NULL;
    int k;

    if (!path || r->k->read_file != kube_file_read)
        return 0;
    k = kube_file_read_token(path, &token, &e);
    kube_secret_free(token);
    return k < 0 ? error_set(err, k, "invalid configuration: unable to read tokenFile %s for %s due to %s", path,
                             r->name, error_msg(e))
                 : 0;
}

static int read_user(const struct reader *r, struct kube_config *c, struct error **err)
{
    yyjson_val *v = r->e->value;
    int k = get_string(r, v, "token", &c->token, err);

    if (k == 0)
        k = get_path(r, v, "tokenFile", &c->token_file, err);
    if (k == 0)
        k = get_string(r, v, "username", &c->username, err);
    if (k == 0)
        k = get_string(r, v, "password", &c->password, err);
    if (k == 0)
        k = get_pem(r, v, "client-certificate", "client-cert", &c->cert_pem, NULL, err);
    if (k == 0)
        k = get_pem(r, v, "client-key", "client-key", &c->key_pem, NULL, err);
    if (k == 0)
        k = read_exec(r, json_get(v, "exec"), c, err);
    if (k == 0)
        k = read_impersonation(r, c, err);
    if (k == 0)
        k = check_user(r, c, err);
    if (k == 0)
        k = check_token_file(r, c->token_file, err);
    return k;
}

/* --- context --- */

static int unknown_context(const struct kubeconfig *k, const char *name, struct error **err)
{
    _cleanup_buf_ struct buf known = BUF_INIT(KUBE_TOKEN_MAX);
    size_t n;
    _cleanup_free_ struct map_entry *v = map_sorted(&k->contexts, &n);

    for (size_t i = 0; i < n && i < 10; i++)
        buf_printf(&known, "%s\"%" PRIstr "\"", i ? ", " : "", STRARG(v[i].key));
    if (n == 0)
        return error_set(
            err, -ENOENT, "context \"%s\" does not exist: %s%s%s defines no context (is it empty, or cut off?)", name,
            k->n_files ? "\"" : "", k->n_files ? k->files[0]->path : "the kubeconfig", k->n_files ? "\"" : "");
    return error_set(err, -ENOENT, "context \"%s\" does not exist in \"%s\" (there is: %s%s)", name, k->files[0]->path,
                     known.p, n > 10 ? ", ..." : "");
}

static int read_context(const struct reader *r, struct kube_config *c, struct error **err)
{
    int k = get_string(r, r->e->value, "cluster", &c->cluster, err);

    if (k == 0)
        k = get_string(r, r->e->value, "user", &c->user, err);
    if (k == 0)
        k = get_string(r, r->e->value, "namespace", &c->namespace_, err);
    return k;
}

static int read_parts(const struct kubeconfig *k, const struct reader *context, bool server_given,
                      struct kube_config *c, struct error **err)
{
    struct reader cluster = { k, NULL, "cluster", c->cluster }, user = { k, NULL, "user", c->user };
    int r;

    if (!c->cluster && !server_given)
        return error_set(err, -EINVAL, "error loading config file \"%s\": context \"%s\" names no cluster",
                         context->e->file->path, context->name);
    cluster.e = c->cluster ? map_get(&k->clusters, str_of(c->cluster)) : NULL;
    if (c->cluster && !cluster.e)
        return error_set(err, -ENOENT, "context \"%s\": cluster \"%s\" does not exist", context->name, c->cluster);
    user.e = c->user ? map_get(&k->users, str_of(c->user)) : NULL;
    if (c->user && !user.e)
        return error_set(err, -ENOENT, "context \"%s\": user \"%s\" does not exist", context->name, c->user);
    r = cluster.e ? read_cluster(&cluster, server_given, c, err) : 0;
    if (r == 0 && user.e)
        r = read_user(&user, c, err);
    if (r == 0 && cluster.e && c->exec && c->exec->provide_cluster_info)
        read_exec_extension(cluster.e->value, c->exec);
    return r;
}

int kubeconfig_resolve(const struct kubeconfig *k, const char *context, bool server_given, struct kube_config **ret,
                       struct error **err)
{
    _cleanup_kube_config_ struct kube_config *c = kube_config_new();
    struct reader r = { k, NULL, "context", context && context[0] ? context : k->current };
    int e;

    if (!r.name)
        return error_set(err, -ENOENT, NO_CONFIG "%s",
                         map_count(&k->contexts) ? " (the kubeconfig sets no current-context)" : "");
    r.e = map_get(&k->contexts, str_of(r.name));
    if (!r.e)
        return unknown_context(k, r.name, err);
    c->context = mem_strdup(r.name);
    e = read_context(&r, c, err);
    if (e == 0)
        e = read_parts(k, &r, server_given, c, err);
    if (e < 0)
        return e;
    *ret = TAKE_PTR(c);
    return 0;
}
