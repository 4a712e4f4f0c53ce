/*
 * What join reads before it writes: does anything exist already, and may the users of both contexts do what will be needed?
 * Rights are asked for with SelfSubjectAccessReviews, which change nothing; an API server that does not answer them is
 * not held against anybody.
 */
#include <stdlib.h>

#include "cli/join.h"

struct right {
    const char *verb;
    const struct kube_resource *resource;
};

/* true also when it cannot be known. A negative value: interrupted. */
static int allowed(struct remote *r, const struct right *right, struct str ns, struct error **err)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = object_new("authorization.k8s.io/v1", "SelfSubjectAccessReview", STR_NULL,
                                                        STR_NULL);
    _cleanup_json_ yyjson_doc *answer = NULL;
    _cleanup_error_ struct error *e = NULL;
    yyjson_mut_val *a = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "spec.resourceAttributes");
    json_mut_set_str(doc, a, "verb", str_of(right->verb));
    json_mut_set_str(doc, a, "group", right->resource->group);
    json_mut_set_str(doc, a, "resource", right->resource->plural);
    if (right->resource->namespaced)
        json_mut_set_str(doc, a, "namespace", ns);
    if (remote_create(r, &res_access_reviews, STR_NULL, yyjson_mut_doc_get_root(doc), &answer, &e) < 0)
        return e->code == -ECANCELED ? error_move(err, &e, "%s", "") : 1;
    return json_path_bool(yyjson_doc_get_root(answer), "status.allowed", true);
}

static int check_rights(struct join *j, struct remote *r, const struct right *rights, size_t n, struct error **err)
{
    _cleanup_buf_ struct buf missing = BUF_INIT(4096);
    for (size_t i = 0; i < n; i++) {
        int ok = allowed(r, &rights[i], j->ns, err);
        if (ok < 0)
            return ok;
        if (ok)
            continue;
        _cleanup_free_ char *resource = res_name(rights[i].resource);
        buf_printf(&missing, "%s%s %s", missing.n ? ", " : "", rights[i].verb, resource);
        if (rights[i].resource->namespaced)
            buf_printf(&missing, " in namespace \"%" PRIstr "\"", STRARG(j->ns));
    }
    if (!missing.n)
        return 0;
    return error_set(err, -EACCES,
                     "the user \"%s\" lacks rights in the %s: %" PRIstr ". Grant them, or use a context of an "
                     "administrator; nothing was changed",
                     r->config->user ? r->config->user : "of this program", r->where, STRARG(buf_str(&missing)));
}

static int check_member_rights(struct join *j, struct error **err)
{
    struct right rights[8];
    size_t n = 0;
    if (!j->has_namespace)
        rights[n++] = (struct right){ "create", &res_namespaces };
    rights[n++] = (struct right){ "create", &res_service_accounts };
    rights[n++] = (struct right){ "get", &res_secrets };
    if (j->namespaced) {
        rights[n++] = (struct right){ "create", &res_roles };
        rights[n++] = (struct right){ "create", &res_role_bindings };
    }
    rights[n++] = (struct right){ "create", &res_cluster_roles };
    rights[n++] = (struct right){ "create", &res_cluster_role_bindings };
    return check_rights(j, j->member, rights, n, err);
}

static int check_host_rights(struct join *j, struct error **err)
{
    static const struct right rights[] = { { "create", &res_secrets }, { "create", &res_kubefed_clusters } };
    return check_rights(j, j->host, rights, ARRAY_SIZE(rights), err);
}

/* 1: exists, 0: does not. */
static int exists(struct remote *r, const struct kube_resource *res, struct str ns, struct str name, yyjson_doc **ret,
                  struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    if (remote_get(r, res, ns, name, ret, &e) == 0)
        return 1;
    return is_not_found(e) ? 0 : error_move(err, &e, "%s", "");
}

static int refuse_existing(struct join *j, struct error **err, const char *fmt, ...) _printf_(3, 4);
static int refuse_existing(struct join *j, struct error **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    error_vset(err, -EEXIST, fmt, ap);
    va_end(ap);
    cli_hint(j->cli, "Use --error-on-existing=false to update what exists, or unjoin the cluster first.");
    return -EEXIST;
}

/* Cluster a of host b-c and cluster a-b of host c have the same account: that one is never taken over. */
static int look_at_account(struct join *j, bool strict, struct error **err)
{
    static const char exists_text[] = "service account: %s already exists in joining cluster: %s";
    _cleanup_json_ yyjson_doc *present = NULL;
    int r = exists(j->member, &res_service_accounts, j->ns, str_of(j->names.account), &present, err);
    if (r <= 0)
        return r;
    yyjson_val *root = yyjson_doc_get_root(present);
    bool foreign = membership_is_of_other(&j->names, root);
    if (strict && !foreign)
        return refuse_existing(j, err, exists_text, j->names.account, j->names.cluster);
    if (!foreign)
        return 0;
    cli_hint(j->cli,
             "It belongs to another registration (cluster/host \"%" PRIstr "\"): give another --host-cluster-name, or "
             "another name of the cluster.",
             STRARG(json_str(json_get(json_path(root, "metadata.annotations"), JOINED_AS))));
    if (strict)
        return error_set(err, -EEXIST, exists_text, j->names.account, j->names.cluster);
    return error_set(
        err, -EEXIST,
        "ServiceAccount \"%s\" of the %s belongs to another registration, whose names happen to join to the "
        "same; nothing was changed",
        j->names.account, j->member->where);
}

int join_look(struct join *j, struct error **err)
{
    struct str cluster = str_of(j->names.cluster);
    const char *secret = j->options->secret_name;
    bool strict = j->options->error_on_existing;

    int r = look_at_account(j, strict, err);
    if (r < 0)
        return r;
    r = exists(j->host, &res_kubefed_clusters, j->ns, cluster, &j->registered, err);
    if (r > 0 && strict)
        return refuse_existing(j, err, "federated cluster %s already exists in host cluster", j->names.cluster);
    if (r < 0)
        return r;
    if (secret[0] && strict) {
        r = exists(j->host, &res_secrets, j->ns, str_of(secret), NULL, err);
        if (r > 0)
            return refuse_existing(j, err, "host cluster secret %s already exists", secret);
        if (r < 0)
            return r;
    }
    r = exists(j->member, &res_namespaces, STR_NULL, j->ns, NULL, err);
    if (r < 0)
        return r;
    j->has_namespace = r;
    r = check_member_rights(j, err);
    return r < 0 ? r : check_host_rights(j, err);
}
