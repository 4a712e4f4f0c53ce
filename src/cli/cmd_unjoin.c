/*
 * unjoin CLUSTER_NAME: takes back what join made (api-and-cli.md 3.3). The registration is looked up before anything is
 * deleted, so that a mistyped name costs nothing. Then member first, host last, so that a failed run can be repeated. What is
 * gone already counts as done. Propagated objects stay.
 */
#include <stdlib.h>

#include "base/log.h"
#include "cli/membership.h"

struct unjoin_options {
    bool force;
    bool delete_namespace;
};

struct unjoin {
    struct cli *cli;
    const struct unjoin_options *options;
    struct membership names;
    struct str ns;
    struct remote *host, *member; /* owned; member NULL: cannot be reached, and --force says to go on */
    yyjson_doc *registered;       /* owned; the KubeFedCluster; NULL: there is none, and --force says to go on */
};

/* One object to delete and how a failure is told. */
struct victim {
    struct remote *from;
    const struct kube_resource *resource;
    const char *kind;
    struct str ns, name;
};

/* Fails the step, or with --force notes the failure and goes on. Takes e. An unreachable member is not tried again. */
static int failed(struct unjoin *u, const struct remote *from, struct error *e, struct error **err)
{
    _cleanup_error_ struct error *mine = e;
    if (mine->code == -ECANCELED || !u->options->force)
        return error_move(err, &mine, "%s", "");
    cli_progress_clear(u->cli);
    log_verbose(2, "%s", mine->msg);
    if (!mine->http_status && from == u->member) {
        cli_note(u->cli, "Cluster \"%s\" is left as it is (--force): %s", u->names.cluster, mine->msg);
        remote_free(TAKE_PTR(u->member));
    }
    return 0;
}

/* Deletes; not found is success. In a dry run only says what exists and would be deleted. *e: why not. */
static int delete_object(struct unjoin *u, const struct victim *v, struct error **e)
{
    const char *where = v->from == u->host ? "the host cluster" : "the unjoining cluster";
    _cleanup_error_ struct error *cause = NULL;
    bool dry = u->cli->common.dry_run;
    int r = dry ? remote_get(v->from, v->resource, v->ns, v->name, NULL, &cause)
                : remote_delete(v->from, v->resource, v->ns, v->name, &cause);
    if (r < 0)
        return is_not_found(cause) ? 0 : error_move(e, &cause, "%s", "");
    if (dry) {
        _cleanup_free_ char *resource = res_name(v->resource);
        cli_print(u->cli, "%s/%" PRIstr " deleted in %s%s", resource, STRARG(v->name), where, cli_dry(u->cli));
    } else {
        cli_did(u->cli, "%s \"%" PRIstr "\" deleted in %s", v->kind, STRARG(v->name), where);
    }
    return 0;
}

/* --- member --- */

static int delete_right(struct unjoin *u, const struct kube_resource *res, const char *kind, const char *words,
                        struct str name, struct error **err)
{
    struct error *e = NULL;
    struct str ns = res->namespaced ? u->ns : STR_NULL;
    struct victim v = { u->member, res, kind, ns, name };
    if (!u->member || delete_object(u, &v, &e) == 0)
        return 0;
    _cleanup_free_ char *qualified = res->namespaced ? mem_printf("%" PRIstr "/%" PRIstr, STRARG(ns), STRARG(name))
                                                     : str_dup(name);
    error_wrap(&e, "Could not delete %s \"%s\" for service account \"%s\" in unjoining cluster \"%s\"", words,
               qualified, u->names.account, u->names.cluster);
    return failed(u, u->member, e, err);
}

static int delete_account(struct unjoin *u, struct error **err)
{
    struct error *e = NULL;
    struct victim v = { u->member, &res_service_accounts, "ServiceAccount", u->ns, str_of(u->names.account) };
    if (!u->member || delete_object(u, &v, &e) == 0)
        return 0;
    error_wrap(&e, "Could not delete service account \"%" PRIstr "/%s\"", STRARG(u->ns), u->names.account);
    return failed(u, u->member, e, err);
}

/* The account of another cluster or host whose names happen to join to the same stays, and so do its rights. */
static int check_account(struct unjoin *u, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct error *e = NULL;
    if (!u->member)
        return 0;
    int r = remote_get(u->member, &res_service_accounts, u->ns, str_of(u->names.account), &doc, &e);
    if (r < 0) {
        if (!is_not_found(e) && error_http(e) != 403)
            return failed(u, u->member, e, err);
        error_free(e);
        return 0;
    }
    if (!membership_is_of_other(&u->names, yyjson_doc_get_root(doc)))
        return 0;
    error_set(&e, -EEXIST, "ServiceAccount \"%" PRIstr "/%s\" of the %s belongs to another registration", STRARG(u->ns),
              u->names.account, u->member->where);
    if (u->options->force) {
        cli_note(u->cli, "Cluster \"%s\" is left as it is (--force): %s", u->names.cluster, error_msg(e));
        error_free(e);
        remote_free(TAKE_PTR(u->member));
        return 0;
    }
    return error_move(err, &e, "%s", "");
}

static bool is_subject(yyjson_val *binding, struct str ns)
{
    yyjson_val *subject;
    size_t i, n;
    yyjson_arr_foreach(json_get(binding, "subjects"), i, n, subject)
    {
        if (str_eq(json_path_str(subject, "namespace"), ns))
            return true;
    }
    return false;
}

/* The namespace is not part of this name: a control plane in another namespace of the same host may have joined the cluster under the
 * same name, and live by these rights. Who may not read them may not delete them either. */
static int rights_are_of_other(struct unjoin *u, struct str role, bool *ret, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct error *e = NULL;
    *ret = false;
    if (!u->member)
        return 0;
    if (remote_get(u->member, &res_cluster_role_bindings, STR_NULL, role, &doc, &e) < 0) {
        if (!is_not_found(e) && error_http(e) != 403)
            return failed(u, u->member, e, err);
        error_free(e);
        return 0;
    }
    yyjson_val *binding = yyjson_doc_get_root(doc);
    struct str of = json_path_str(yyjson_arr_get_first(json_get(binding, "subjects")), "namespace");
    *ret = !str_empty(of) && !is_subject(binding, u->ns);
    if (*ret)
        cli_note(u->cli,
                 "ClusterRole and ClusterRoleBinding \"%s\" of cluster \"%s\" are kept: the control plane in namespace "
                 "\"%" PRIstr "\" uses them.",
                 u->names.role, u->names.cluster, STRARG(of));
    return 0;
}

static int delete_cluster_role(struct unjoin *u, struct str name, struct error **err)
{
    int r = delete_right(u, &res_cluster_role_bindings, "ClusterRoleBinding", "cluster role binding", name, err);
    return r == 0 ? delete_right(u, &res_cluster_roles, "ClusterRole", "cluster role", name, err) : r;
}

/* Both scopes are tried: the control plane may have changed its scope since the join. */
static int delete_member_objects(struct unjoin *u, struct error **err)
{
    struct str role = str_of(u->names.role), health = str_of(u->names.health_role);
    bool kept;
    int r = rights_are_of_other(u, role, &kept, err);
    if (r == 0 && !kept)
        r = delete_cluster_role(u, role, err);
    if (r == 0)
        r = delete_cluster_role(u, health, err);
    if (r == 0)
        r = delete_right(u, &res_role_bindings, "RoleBinding", "role binding", role, err);
    if (r == 0)
        r = delete_right(u, &res_roles, "Role", "role", role, err);
    return r == 0 ? delete_account(u, err) : r;
}

/* --- namespace of the member (A-13) --- */

/* Looks for a binding of another registration: `found` is its name. */
struct other {
    struct unjoin *u;
    char *found; /* owned */
};

static int note_other(void *arg, yyjson_val *item)
{
    struct other *o = arg;
    struct str name = json_path_str(item, "metadata.name");
    yyjson_val *subject;
    size_t i, n;
    if (!str_has_prefix(name, STR(MEMBER_ROLE_PREFIX)) || str_eqc(name, o->u->names.role) ||
        str_eqc(name, o->u->names.health_role))
        return 0;
    yyjson_arr_foreach(json_get(item, "subjects"), i, n, subject)
    {
        if (str_eq(json_path_str(subject, "namespace"), o->u->ns)) {
            o->found = str_dup(name);
            return 1;
        }
    }
    return 0;
}

/* Why the namespace must stay, or NULL. Owned. A negative *ret_code: interrupted. */
static char *reason_to_keep(struct unjoin *u, yyjson_val *ns, struct error **err, int *ret_code)
{
    struct str mark = json_str(json_get(json_path(ns, "metadata.annotations"), CREATED_BY_JOIN));
    struct other o = { .u = u };
    _cleanup_error_ struct error *e = NULL;
    int r;

    if (u->options->delete_namespace)
        return NULL;
    if (!str_eqc(mark, "true"))
        return mem_strdup("it was not created by join (--delete-namespace deletes it all the same)");
    r = remote_list(u->member, &res_cluster_role_bindings, STR_NULL, 500, note_other, &o, &e);
    if (r == 0)
        r = remote_list(u->member, &res_role_bindings, u->ns, 500, note_other, &o, &e);
    if (r == -ECANCELED)
        *ret_code = error_move(err, &e, "%s", "");
    if (r < 0)
        return mem_printf("whether another control plane uses it cannot be found out: %s", error_msg(e));
    if (!o.found)
        return NULL;
    char *reason = mem_printf("another registration of this cluster uses it (binding \"%s\")", o.found);
    free(o.found);
    return reason;
}

static int delete_namespace(struct unjoin *u, yyjson_val *ns, struct error **err)
{
    int code = 0;
    struct error *e = NULL;
    _cleanup_free_ char *keep = reason_to_keep(u, ns, err, &code);
    if (code < 0)
        return code;
    if (keep) {
        cli_note(u->cli, "Namespace \"%" PRIstr "\" of cluster \"%s\" is kept: %s.", STRARG(u->ns), u->names.cluster,
                 keep);
        return 0;
    }
    struct victim v = { u->member, &res_namespaces, "Namespace", STR_NULL, u->ns };
    if (delete_object(u, &v, &e) == 0)
        return 0;
    error_wrap(&e, "Could not delete kubefed namespace \"%" PRIstr "\" from unjoining cluster \"%s\"", STRARG(u->ns),
               u->names.cluster);
    return failed(u, u->member, e, err);
}

static int clean_namespace(struct unjoin *u, struct error **err)
{
    _cleanup_json_ yyjson_doc *host = NULL, *member = NULL;
    struct error *e = NULL;
    if (!u->member)
        return 0;
    if (remote_get(u->host, &res_namespaces, STR_NULL, u->ns, &host, &e) < 0) {
        error_wrap(&e, "Error retrieving namespace \"%" PRIstr "\" from host cluster", STRARG(u->ns));
        return failed(u, u->host, e, err);
    }
    if (remote_get(u->member, &res_namespaces, STR_NULL, u->ns, &member, &e) < 0) {
        if (is_not_found(e)) {
            error_free(e);
            return 0;
        }
        error_wrap(&e, "Error retrieving namespace \"%" PRIstr "\" from unjoining cluster \"%s\"", STRARG(u->ns),
                   u->names.cluster);
        return failed(u, u->member, e, err);
    }
    yyjson_val *root = yyjson_doc_get_root(member);
    struct str uid = json_path_str(root, "metadata.uid");
    if (str_eq(uid, json_path_str(yyjson_doc_get_root(host), "metadata.uid")))
        return 0; /* the member is the host */
    if (json_path(root, "metadata.deletionTimestamp"))
        return 0; /* on its way out already */
    return delete_namespace(u, root, err);
}

/* --- host --- */

static int delete_host_object(struct unjoin *u, const struct victim *v, const char *words, const char *shown,
                              struct error **err)
{
    struct error *e = NULL;
    if (delete_object(u, v, &e) == 0)
        return 0;
    error_wrap(&e, "Failed to delete %s \"%s\" for unjoin cluster \"%s\"", words, shown, u->names.cluster);
    return failed(u, u->host, e, err);
}

/* Without --force a missing registration is an error, as what is asked for cannot be done. */
static int find_registration(struct unjoin *u, struct error **err)
{
    _cleanup_free_ char *qualified = mem_printf("%" PRIstr "/%s", STRARG(u->ns), u->names.cluster);
    _cleanup_error_ struct error *e = NULL;
    if (remote_get(u->host, &res_kubefed_clusters, u->ns, str_of(u->names.cluster), &u->registered, &e) == 0)
        return 0;
    if (!is_not_found(e))
        return error_move(err, &e, "Failed to get kubefed cluster \"%s\": ", qualified);
    if (!u->options->force) {
        cli_hint(u->cli, "Nothing was deleted. --force deletes what a join that did not finish left in the cluster.");
        return error_move(err, &e, "Failed to get kubefed cluster \"%s\": ", qualified);
    }
    cli_note(u->cli, "KubeFedCluster \"%s\" does not exist; a Secret of it, if one is left, has to be deleted by hand.",
             qualified);
    return 0;
}

static int clean_host(struct unjoin *u, struct error **err)
{
    if (!u->registered)
        return 0;
    _cleanup_free_ char *qualified = mem_printf("%" PRIstr "/%s", STRARG(u->ns), u->names.cluster);
    struct str secret = json_path_str(yyjson_doc_get_root(u->registered), "spec.secretRef.name");
    if (!str_empty(secret)) {
        _cleanup_free_ char *shown = mem_printf("%" PRIstr "/%" PRIstr, STRARG(u->ns), STRARG(secret));
        struct victim v = { u->host, &res_secrets, "Secret", u->ns, secret };
        int r = delete_host_object(u, &v, "secret", shown, err);
        if (r < 0)
            return r;
    }
    struct victim v = { u->host, &res_kubefed_clusters, "KubeFedCluster", u->ns, str_of(u->names.cluster) };
    return delete_host_object(u, &v, "kubefed cluster", qualified, err);
}

/* --- all --- */

static int connect_member(struct unjoin *u, struct error **err)
{
    struct error *e = NULL;
    if (remote_member(u->cli, "unjoining cluster", u->names.cluster, u->names.context, &u->member, &e) == 0)
        return 0;
    if (!u->options->force) {
        cli_hint(u->cli, "If the cluster is gone for good, --force removes only its registration in the host cluster.");
        return error_move(err, &e, "%s", "");
    }
    cli_note(u->cli, "Cluster \"%s\" is left as it is (--force): %s", u->names.cluster, error_msg(e));
    error_free(e);
    return 0;
}

static int unjoin_all(struct unjoin *u, struct error **err)
{
    int r = connect_member(u, err);
    if (r == 0)
        r = find_registration(u, err);
    if (r < 0)
        return r;
    if (u->member)
        cli_progress(u->cli, "Removing what join created from the %s", u->member->where);
    r = check_account(u, err);
    if (r == 0)
        r = delete_member_objects(u, err);
    if (r == 0)
        r = clean_namespace(u, err);
    if (r < 0) {
        cli_hint(u->cli,
                 "The cluster is still registered; repeat the command, or use --force to go on without this cluster.");
        return r;
    }
    cli_progress(u->cli, "Removing cluster \"%s\" from the %s", u->names.cluster, u->host->where);
    return clean_host(u, err);
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    struct unjoin u = { .cli = cli, .options = options, .ns = str_of(cli->common.ns) };
    int r = membership_init(cli, args, &u.names, &u.host, err);
    if (r == 0)
        r = unjoin_all(&u, err);
    membership_done(&u.names);
    yyjson_doc_free(u.registered);
    remote_free(u.member);
    remote_free(u.host);
    return r;
}

static const struct flag flags[] = {
    { "delete-namespace", 0, false, FLAG_BOOL, offsetof(struct unjoin_options, delete_namespace), NULL,
      "delete the KubeFed namespace of the member even if join did not create it or others use it" },
    { "force", 0, false, FLAG_BOOL, offsetof(struct unjoin_options, force), NULL,
      "remove the registration even if the member cannot be reached or cleaned up" },
};

const struct verb verb_unjoin = {
    .name = "unjoin",
    .args = "CLUSTER_NAME",
    .summary = "Remove a cluster from the control plane",
    .description =
        "Removes a member cluster: deletes what join created in the member and its KubeFedCluster in the host cluster.\n"
        "Objects that were propagated to the member stay there. Prints nothing when all went well.",
    .examples = "# Remove the cluster member1\n"
                "kubefedctl unjoin member1 --host-cluster-context host\n\n"
                "# Remove the registration of a cluster that does not exist any more\n"
                "kubefedctl unjoin member1 --host-cluster-context host --force\n",
    .groups = VERB_COMMON | VERB_MEMBER,
    .flags = flags,
    .n_flags = ARRAY_SIZE(flags),
    .options_size = sizeof(struct unjoin_options),
    .run = run,
    .complete = { COMPLETE_CLUSTERS },
};
