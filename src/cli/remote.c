/* See remote.h. Credentials stay inside kube/; messages name contexts, users and servers only. */
#include "cli/remote.h"

#include <stdlib.h>

#define MAX_BODY ((size_t)64 << 20)
#define USER_AGENT "kubefedctl"
#define EMPTY_PAGES_MAX 100u

const struct kube_resource res_namespaces = { STR(""), STR("v1"), STR("namespaces"), false };
const struct kube_resource res_service_accounts = { STR(""), STR("v1"), STR("serviceaccounts"), true };
const struct kube_resource res_secrets = { STR(""), STR("v1"), STR("secrets"), true };
#define RBAC STR("rbac.authorization.k8s.io"), STR("v1")
const struct kube_resource res_cluster_roles = { RBAC, STR("clusterroles"), false };
const struct kube_resource res_cluster_role_bindings = { RBAC, STR("clusterrolebindings"), false };
const struct kube_resource res_roles = { RBAC, STR("roles"), true };
const struct kube_resource res_role_bindings = { RBAC, STR("rolebindings"), true };
const struct kube_resource res_crds = { STR("apiextensions.k8s.io"), STR("v1"), STR("customresourcedefinitions"),
                                        false };
#define CORE STR("core.kubefed.io"), STR("v1beta1")
const struct kube_resource res_kubefed_configs = { CORE, STR("kubefedconfigs"), true };
const struct kube_resource res_kubefed_clusters = { CORE, STR("kubefedclusters"), true };
const struct kube_resource res_type_configs = { CORE, STR("federatedtypeconfigs"), true };
const struct kube_resource res_preferences = { STR("scheduling.kubefed.io"), STR("v1alpha1"),
                                               STR("replicaschedulingpreferences"), true };
const struct kube_resource res_access_reviews = { STR("authorization.k8s.io"), STR("v1"),
                                                  STR("selfsubjectaccessreviews"), false };

struct kube_resource res_of(const struct kube_api_resource *r)
{
    return (struct kube_resource){ str_of(r->group), str_of(r->version), str_of(r->plural), r->namespaced };
}

char *res_name(const struct kube_resource *r)
{
    if (str_empty(r->group))
        return str_dup(r->plural);
    return mem_printf("%" PRIstr ".%" PRIstr, STRARG(r->plural), STRARG(r->group));
}

void remote_free(struct remote *r)
{
    if (!r)
        return;
    kube_client_free(r->client);
    kube_config_free(r->config);
    free(r->where);
    free(r);
}

int error_move(struct error **err, struct error **from, const char *fmt, ...)
{
    _cleanup_error_ struct error *e = TAKE_PTR(*from);
    va_list ap;
    assert(e);
    va_start(ap, fmt);
    struct buf b = BUF_INIT(BUF_MAX_DEFAULT);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    _cleanup_free_ char *prefix = buf_take(&b, NULL);
    return error_set_http(err, e->code, e->http_status, str_of(e->reason), "%s%s", prefix, e->msg);
}

/* --- connecting --- */

/* What is wrong in an entry of the kubeconfig: said with the context that it is of. */
static int make_client(const char *role, const struct kube_config *config, const struct kube_client_options *options,
                       struct kube_client **ret, struct error **err)
{
    int k = kube_client_new(config, options, ret, err);
    if (k < 0)
        return config->context ? error_wrap(err, "%s (context \"%s\")", role, config->context)
                               : error_wrap(err, "%s", role);
    return 0;
}

static int connect_to(struct cli *cli, const char *role, const char *context, struct remote **ret, struct error **err)
{
    _cleanup_remote_ struct remote *r = mem_zalloc(sizeof(*r));
    struct kube_config_source source = { .kubeconfig = cli->common.kubeconfig,
                                         .context = context,
                                         .in_cluster_fallback = !context[0] };
    struct kube_client_options options = { .user_agent = USER_AGENT };
    int k = cli_loop(cli, &options.loop, err);
    if (k == 0)
        k = kube_config_load(&source, &r->config, err);
    if (k == 0)
        k = make_client(role, r->config, &options, &r->client, err);
    if (k < 0)
        return k;
    r->cli = cli;
    r->where = r->config->context ? mem_printf("%s (context \"%s\", server %s)", role, r->config->context,
                                               kube_client_server(r->client))
                                  : mem_printf("%s (server %s)", role, kube_client_server(r->client));
    *ret = TAKE_PTR(r);
    return 0;
}

int remote_host(struct cli *cli, struct remote **ret, struct error **err)
{
    return connect_to(cli, "host cluster", cli->common.host_context, ret, err);
}

int remote_member(struct cli *cli, const char *role, const char *name, const char *context, struct remote **ret,
                  struct error **err)
{
    _cleanup_free_ char *who = mem_printf("%s \"%s\"", role, name);
    int k = connect_to(cli, who, context, ret, err);
    if (k == -ECANCELED)
        return k;
    if (k < 0 && strcmp(name, context) == 0)
        cli_hint(cli,
                 "The kubeconfig context of the cluster is taken from its name; --cluster-context names another one.");
    return k;
}

/* --- errors --- */

static const char *right_of(const struct remote_request *req)
{
    static const struct {
        const char *method, *object, *collection;
    } rights[] = {
        { "GET", "get", "list" },
        { "POST", "create", "create" },
        { "PUT", "update", "update" },
        { "PATCH", "patch", "patch" },
        { "DELETE", "delete", "deletecollection" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rights); i++)
        if (strcmp(rights[i].method, req->method) == 0)
            return str_empty(req->name) ? rights[i].collection : rights[i].object;
    return req->method;
}

static const char *advice(int code)
{
    switch (-code) {
    case EKEYREJECTED: return "Check certificate-authority(-data) and server of this cluster in the kubeconfig.";
    case ETIMEDOUT: return "The server does not answer in time: is it overloaded, or behind a proxy or firewall?";
    default: return "Is the API server running, and can it be reached from here?";
    }
}

/* What the server refused, in words: `create "deployments.apps" in namespace "x"`. Owned. */
static char *wanted(const struct remote_request *req)
{
    _cleanup_free_ char *resource = req->resource ? res_name(req->resource) : mem_strdup("this path");
    if (str_empty(req->ns))
        return mem_printf("%s \"%s\"", right_of(req), resource);
    return mem_printf("%s \"%s\" in namespace \"%" PRIstr "\"", right_of(req), resource, STRARG(req->ns));
}

/* Adds to an error what the person in front of it needs; *e is replaced. */
void remote_explain(const struct remote *r, const char *right, struct error **e)
{
    const char *user = r->config->user ? r->config->user : "of this program";
    int status = (*e)->http_status, code = (*e)->code;
    if (code == -ECANCELED || (status && status != 401 && status != 403))
        return;
    _cleanup_error_ struct error *old = TAKE_PTR(*e);
    if (status == 403)
        error_set_http(e, code, status, str_of(old->reason),
                       "%s: the %s does not allow the user \"%s\" to %s: grant that right, or use another context",
                       old->msg, r->where, user, right);
    else if (status == 401)
        error_set_http(
            e, code, status, str_of(old->reason),
            "%s: the %s does not accept the credentials of the user \"%s\": renew the token or certificate in the "
            "kubeconfig",
            old->msg, r->where, user);
    else if (r->config->exec && str_contains(str_of(old->msg), STR("getting credentials: ")))
        error_set(e, code,
                  "no credentials for the %s: %s. Check the exec plugin \"%s\" of the user \"%s\" in the kubeconfig",
                  r->where, old->msg, r->config->exec->command, user);
    else
        error_set(e, code, "cannot reach the %s: %s. %s", r->where, old->msg, advice(code));
}

/* --- requests --- */

static void explain(const struct remote *r, const struct remote_request *req, struct error **e)
{
    _cleanup_free_ char *right = wanted(req);
    remote_explain(r, right, e);
}

static bool is_write(const struct remote_request *req)
{
    return strcmp(req->method, "GET") != 0 && req->resource != &res_access_reviews;
}

/* Whether a write was carried out whose answer was not waited for is not known. One that was answered counts as done, also
 * when Ctrl-C came meanwhile: the next request ends the run. */
static void note_unsure(struct remote *r, const struct remote_request *req)
{
    _cleanup_free_ char *what = wanted(req);
    free(r->cli->unsure);
    r->cli->unsure = mem_printf("%s in the %s", what, r->where);
}

static int send_request(struct remote *r, const struct remote_request *req, const char *path, yyjson_doc **ret,
                        struct error **err)
{
    _cleanup_buf_ struct buf body = BUF_INIT(MAX_BODY), answer = BUF_INIT(MAX_BODY);
    _cleanup_error_ struct error *e = NULL;
    int k = 0;

    if (r->cli->interrupted)
        return error_set(err, -ECANCELED, "interrupted");
    if (req->body)
        k = json_mut_write(&body, req->body);
    if (k < 0)
        return error_set(err, k, "the object is too large to be sent");
    struct kube_request request = { .method = req->method,
                                    .path = str_of(path),
                                    .query = req->query,
                                    .content_type = req->content_type,
                                    .body = buf_str(&body) };
    k = kube_do(r->client, &request, &answer, NULL, &e);
    if (k == 0 && r->cli->interrupted && !is_write(req))
        return error_set(err, -ECANCELED, "interrupted");
    if (k < 0) {
        if (r->cli->interrupted && is_write(req) && !error_http(e))
            note_unsure(r, req);
        if (e)
            explain(r, req, &e);
        else
            error_set(&e, k, "%s %s: %s", req->method, path, strerror(-k));
        return error_move(err, &e, "%s", "");
    }
    if (!ret)
        return 0;
    k = json_parse(buf_str(&answer), ret, &e);
    if (k == 0 && !yyjson_is_obj(yyjson_doc_get_root(*ret))) {
        yyjson_doc_free(TAKE_PTR(*ret));
        k = error_set(&e, -EPROTO, "it is no object");
    }
    if (k < 0)
        return error_set(err, k, "the %s answered %s %s with something that is no Kubernetes object: %s", r->where,
                         req->method, path, error_msg(e));
    return 0;
}

int remote_do(struct remote *r, const struct remote_request *req, yyjson_doc **ret, struct error **err)
{
    _cleanup_free_ char *path = kube_path(req->resource, req->ns, req->name, req->sub);
    return send_request(r, req, path, ret, err);
}

int remote_get_raw(struct remote *r, const char *path, yyjson_doc **ret, struct error **err)
{
    struct remote_request req = { .method = "GET", .name = str_of(path) };
    return send_request(r, &req, path, ret, err);
}

int remote_get(struct remote *r, const struct kube_resource *res, struct str ns, struct str name, yyjson_doc **ret,
               struct error **err)
{
    struct remote_request req = { .method = "GET", .resource = res, .ns = ns, .name = name };
    return remote_do(r, &req, ret, err);
}

int remote_create(struct remote *r, const struct kube_resource *res, struct str ns, const yyjson_mut_val *object,
                  yyjson_doc **ret, struct error **err)
{
    struct remote_request req = { .method = "POST", .resource = res, .ns = ns, .body = object };
    return remote_do(r, &req, ret, err);
}

int remote_replace(struct remote *r, const struct kube_resource *res, struct str ns, struct str name,
                   const yyjson_mut_val *object, struct error **err)
{
    struct remote_request req = { .method = "PUT", .resource = res, .ns = ns, .name = name, .body = object };
    return remote_do(r, &req, NULL, err);
}

int remote_merge_patch(struct remote *r, const struct kube_resource *res, struct str ns, struct str name,
                       const yyjson_mut_val *patch, struct error **err)
{
    struct remote_request req = { .method = "PATCH",
                                  .resource = res,
                                  .ns = ns,
                                  .name = name,
                                  .content_type = "application/merge-patch+json",
                                  .body = patch };
    return remote_do(r, &req, NULL, err);
}

int remote_delete(struct remote *r, const struct kube_resource *res, struct str ns, struct str name, struct error **err)
{
    struct remote_request req = { .method = "DELETE", .resource = res, .ns = ns, .name = name };
    return remote_do(r, &req, NULL, err);
}

int remote_list(struct remote *r, const struct kube_resource *res, struct str ns, unsigned limit,
                int (*fn)(void *arg, yyjson_val *item), void *arg, struct error **err)
{
    _cleanup_buf_ struct buf query = BUF_INIT(MAX_BODY);
    _cleanup_free_ char *before = NULL; /* a server that goes in circles must not keep us */
    unsigned empty = 0;
    struct remote_request req = { .method = "GET", .resource = res, .ns = ns };
    buf_printf(&query, "limit=%u", limit);
    for (;;) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        req.query = buf_str(&query);
        int k = remote_do(r, &req, &doc, err);
        if (k < 0)
            return k;
        yyjson_val *root = yyjson_doc_get_root(doc), *item;
        size_t i, n;
        yyjson_arr_foreach(json_get(root, "items"), i, n, item)
        {
            k = fn(arg, item);
            if (k)
                return k;
        }
        struct str next = json_path_str(root, "metadata.continue");
        if (str_empty(next))
            return 0;
        empty = yyjson_arr_size(json_get(root, "items")) ? 0 : empty + 1;
        if (empty > EMPTY_PAGES_MAX)
            return error_set(err, -EPROTO, "the %s lists nothing and does not come to an end", r->where);
        buf_reset(&query);
        buf_printf(&query, "limit=%u&continue=", limit);
        buf_add_urlencoded(&query, next);
        if (str_eqc(buf_str(&query), before ? before : ""))
            return error_set(err, -EPROTO, "the %s gives the same page of a list again and again", r->where);
        free(before);
        before = str_dup(buf_str(&query));
    }
}

char *field_selector(const char *field, struct str value)
{
    struct buf b = BUF_INIT(BUF_MAX_DEFAULT);
    buf_printf(&b, "%s=", field);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\\' || value.p[i] == ',' || value.p[i] == '=')
            buf_addc(&b, '\\');
        buf_addc(&b, value.p[i]);
    }
    return buf_take(&b, NULL);
}
