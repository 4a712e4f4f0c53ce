/*
 * join CLUSTER_NAME: registers a member cluster (api-and-cli.md 3.2). Order: read everything, then write the member, then
 * the host, so that a failure leaves no half registered cluster behind in the host and a repetition can go on.
 */
#include <stdlib.h>

#include "base/log.h"
#include "cli/join.h"

#define NAMESPACE_GONE_MS 30000u
#define NAMESPACE_POLL_MS 250u

void join_done(struct join *j)
{
    membership_done(&j->names);
    remote_free(j->host);
    remote_free(j->member);
    yyjson_doc_free(j->registered);
    if (j->token)
        explicit_bzero(j->token, strlen(j->token));
    free(j->token);
    free(j->token_ca);
    free(j->secret_name);
    free(j->target.endpoint);
    free(j->target.url);
    free(j->target.proxy_url);
    buf_done(&j->target.ca_pem);
    for (struct join_made *m; (m = j->made);) {
        j->made = m->older;
        free(m->name);
        free(m);
    }
}

yyjson_mut_doc *object_new(const char *api_version, const char *kind, struct str ns, struct str name)
{
    yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    json_mut_set_str(doc, root, "apiVersion", str_of(api_version));
    json_mut_set_str(doc, root, "kind", str_of(kind));
    yyjson_mut_val *metadata = json_mut_ensure_obj(doc, root, "metadata");
    if (!str_empty(name))
        json_mut_set_str(doc, metadata, "name", name);
    if (!str_empty(ns))
        json_mut_set_str(doc, metadata, "namespace", ns);
    return doc;
}

/* Says what happened, or in a dry run what would. */
static void report(struct join *j, const struct remote *r, const struct kube_resource *res, const char *kind,
                   const char *did, struct str name)
{
    const char *cluster = r == j->host ? "the host cluster" : "the joining cluster";
    _cleanup_free_ char *resource = res_name(res);
    if (j->cli->common.dry_run)
        cli_print(j->cli, "%s/%" PRIstr " %s in %s%s", resource, STRARG(name), did, cluster, cli_dry(j->cli));
    else
        cli_did(j->cli, "%s \"%" PRIstr "\" %s in %s", kind, STRARG(name), did, cluster);
}

int join_create(struct join *j, struct remote *r, const struct kube_resource *res, const char *kind, struct str name,
                yyjson_mut_doc *object, struct error **err)
{
    struct str ns = res->namespaced ? j->ns : STR_NULL;
    if (j->cli->common.dry_run) {
        cli_plan(j->cli, yyjson_mut_doc_get_root(object));
    } else {
        int k = remote_create(r, res, ns, yyjson_mut_doc_get_root(object), NULL, err);
        if (k < 0)
            return k;
        join_note_made(j, r, res, kind, name);
    }
    report(j, r, res, kind, "created", name);
    return 0;
}

int join_replace(struct join *j, struct remote *r, const struct kube_resource *res, const char *kind, struct str name,
                 yyjson_mut_doc *object, struct error **err)
{
    struct str ns = res->namespaced ? j->ns : STR_NULL;
    if (j->cli->common.dry_run) {
        cli_plan(j->cli, yyjson_mut_doc_get_root(object));
    } else {
        int k = remote_replace(r, res, ns, name, yyjson_mut_doc_get_root(object), err);
        if (k < 0)
            return k;
    }
    report(j, r, res, kind, "updated", name);
    return 0;
}

/* Step 5. The namespace may still be on its way out after an unjoin: nothing can be created in it until it is gone. */
static int make_namespace(struct join *j, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    for (unsigned waited = 0;; waited += NAMESPACE_POLL_MS) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        int r = remote_get(j->member, &res_namespaces, STR_NULL, j->ns, &doc, &e);
        if (r < 0 && !is_not_found(e))
            return error_move(err, &e, "%s", "");
        if (r < 0)
            break;
        if (!json_path(yyjson_doc_get_root(doc), "metadata.deletionTimestamp") || j->cli->common.dry_run)
            return 0;
        if (waited >= NAMESPACE_GONE_MS)
            return error_set(err, -ETIMEDOUT,
                             "namespace \"%" PRIstr "\" of the %s is being deleted and does not go away: see "
                             "its status for what holds it",
                             STRARG(j->ns), j->member->where);
        cli_progress(j->cli, "Waiting until the old namespace \"%" PRIstr "\" is gone from cluster \"%s\"",
                     STRARG(j->ns), j->names.cluster);
        r = cli_wait(j->cli, NAMESPACE_POLL_MS, err);
        if (r < 0)
            return r;
    }
    _cleanup_json_mut_ yyjson_mut_doc *doc = object_new("v1", "Namespace", STR_NULL, j->ns);
    yyjson_mut_val *notes = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "metadata.annotations");
    json_mut_set_str(doc, notes, CREATED_BY_JOIN, STR("true"));
    error_free(TAKE_PTR(e));
    if (join_create(j, j->member, &res_namespaces, "Namespace", j->ns, doc, &e) < 0 && !is_already_exists(e))
        return error_move(err, &e, "%s", "");
    return 0;
}

/* Step 6. */
static int make_account(struct join *j, struct error **err)
{
    struct str name = str_of(j->names.account);
    _cleanup_error_ struct error *e = NULL;
    _cleanup_json_mut_ yyjson_mut_doc *doc = object_new("v1", "ServiceAccount", j->ns, name);
    _cleanup_free_ char *as = mem_printf("%s/%s", j->names.cluster, j->names.host);
    yyjson_mut_val *notes = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "metadata.annotations");
    json_mut_set_str(doc, notes, JOINED_AS, str_of(as));
    if (j->cli->common.dry_run) { /* nothing would tell that it exists */
        int r = remote_get(j->member, &res_service_accounts, j->ns, name, NULL, &e);
        if (r == 0)
            return 0;
        if (!is_not_found(e))
            return error_move(err, &e, "%s", "");
        error_free(TAKE_PTR(e));
    }
    if (join_create(j, j->member, &res_service_accounts, "ServiceAccount", name, doc, &e) < 0) {
        if (is_already_exists(e) && !j->options->error_on_existing)
            return 0;
        return error_move(err, &e, "%s", "");
    }
    return 0;
}

/* Step 2: the scope decides what rights the control plane gets in the member. */
static int read_scope(struct join *j, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    if (remote_get(j->host, &res_kubefed_configs, j->ns, STR("kubefed"), &doc, &e) < 0) {
        if (e->code == -ECANCELED)
            return error_move(err, &e, "%s", "");
        if (is_not_found(e))
            return error_set_http(err, e->code, 404, STR("NotFound"),
                                  "A KubeFedConfig named \"kubefed\" was not found in "
                                  "namespace \"%" PRIstr "\". Is a KubeFed control plane running in this namespace?",
                                  STRARG(j->ns));
        if (!e->http_status)
            return error_move(err, &e, "Failed to get kubefed clientset: ");
        return error_move(err, &e, "Error retrieving KubeFedConfig \"%" PRIstr "/kubefed\": ", STRARG(j->ns));
    }
    j->namespaced = str_eq(json_path_str(yyjson_doc_get_root(doc), "spec.scope"), STR("Namespaced"));
    return 0;
}

static int join_all(struct join *j, struct error **err)
{
    struct cli *cli = j->cli;
    const char *name = j->names.cluster;
    cli_progress(cli, "Reading the control plane's configuration from the %s", j->host->where);
    int r = read_scope(j, err);
    if (r == 0)
        r = remote_member(cli, "joining cluster", name, j->names.context, &j->member, err);
    if (r < 0)
        return r;
    cli_progress(cli, "Looking at the %s", j->member->where);
    r = join_target(j, err);
    if (r == 0)
        r = join_look(j, err);
    if (r == 0)
        r = join_preflight(j, err);
    if (r < 0)
        return r;
    cli_progress(cli, "Creating namespace and ServiceAccount in cluster \"%s\"", name);
    r = make_namespace(j, err);
    if (r == 0)
        r = make_account(j, err);
    if (r == 0)
        r = join_rbac(j, err);
    if (r == 0)
        r = join_token(j, err);
    if (r == 0)
        r = join_verify(j, err);
    bool undone = r < 0 && !j->made && r != -ECANCELED;
    if (r == 0)
        r = join_register(j, err);
    if (r == 0)
        return join_wait_ready(j, err);
    if (cli->steps.n && j->options->error_on_existing && !undone)
        cli_hint(cli, "To continue from here, run the same command with --error-on-existing=false.");
    return r;
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    struct join j = { .cli = cli, .options = options, .ns = str_of(cli->common.ns) };
    struct join_options own = *(const struct join_options *)options;
    const char *secret = own.secret_name, *skip = getenv("KUBEFEDCTL_SKIP_PREFLIGHT");
    own.skip_preflight |= skip && (strcmp(skip, "true") == 0 || strcmp(skip, "1") == 0);
    j.options = &own;
    int r = membership_init(cli, args, &j.names, &j.host, err);
    if (r == 0 && secret[0] && !str_is_dns1123_subdomain(str_of(secret)))
        r = error_set(err, -EINVAL, "\"%s\" cannot be the name of a Secret: check --secret-name", secret);
    if (r == 0)
        r = join_all(&j, err);
    join_done(&j);
    return r;
}

static const struct flag flags[] = {
    { "cluster-certificate-authority", 0, false, FLAG_STRING, offsetof(struct join_options, ca_file), NULL,
      "file (PEM) with the authority that the control plane trusts for the member (default: that of the kubeconfig)" },
    { "cluster-disabled-tls-validations", 0, false, FLAG_LIST, offsetof(struct join_options, skip_checks), NULL,
      "checks of the member's certificate that the control plane leaves out: SubjectName, ValidityPeriod, or *" },
    { "cluster-endpoint", 0, false, FLAG_STRING, offsetof(struct join_options, endpoint), NULL,
      "URL under which the control plane reaches the member's API server (default: the server of the kubeconfig)" },
    { "cluster-proxy-url", 0, false, FLAG_STRING, offsetof(struct join_options, proxy_url), NULL,
      "proxy through which the control plane reaches the member (default: that of the kubeconfig)" },
    { "cluster-token", 0, false, FLAG_STRING, offsetof(struct join_options, token_kind), "auto",
      "where the token comes from: a lasting one of a secret, one of a request that expires and is renewed by the "
      "controller manager, or auto: the first of these that works" },
    { "error-on-existing", 0, false, FLAG_BOOL, offsetof(struct join_options, error_on_existing), "true",
      "fail when something that join creates exists; false: bring it up to date" },
    { "secret-name", 0, false, FLAG_STRING, offsetof(struct join_options, secret_name), NULL,
      "name of the Secret in the host cluster that holds the member's token (default: CLUSTER_NAME and five characters)" },
    { "skip-preflight", 0, false, FLAG_BOOL, offsetof(struct join_options, skip_preflight), NULL,
      "do not try whether the control plane will reach the member (environment: KUBEFEDCTL_SKIP_PREFLIGHT=true)" },
    { "wait", 0, false, FLAG_DURATION, offsetof(struct join_options, wait_ns), NULL,
      "wait that long, such as 30s, until the control plane finds the cluster ready; 0: do not wait" },
};

const struct verb verb_join = {
    .name = "join",
    .args = "CLUSTER_NAME",
    .summary = "Register a cluster with the control plane",
    .description =
        "Registers a member cluster: creates a ServiceAccount with the rights that the control plane needs in the\n"
        "member, and a KubeFedCluster with its token in the host cluster. Before anything is changed it tries to reach the\n"
        "member as the control plane will. Prints nothing when all went well. A join that failed half-way is continued with\n"
        "--error-on-existing=false.",
    .examples =
        "# Register the cluster of context member1 under that name\n"
        "kubefedctl join member1 --host-cluster-context host\n\n"
        "# Another name than the context's, an address that pods of the host cluster can reach, and wait until it is ready\n"
        "kubefedctl join edge-1 --cluster-context kind-edge --cluster-endpoint https://172.18.0.3:6443 --wait 1m\n",
    .groups = VERB_COMMON | VERB_MEMBER,
    .flags = flags,
    .n_flags = ARRAY_SIZE(flags),
    .options_size = sizeof(struct join_options),
    .run = run,
    .complete = { COMPLETE_CONTEXTS },
};
