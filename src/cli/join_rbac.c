/*
 * The rights of the control plane in a member (api-and-cli.md 3.2 step 7). Cluster scope: one ClusterRole with everything.
 * Namespaced scope: everything inside the namespace, and a ClusterRole for health checks (with the verb `get`, A-04).
 */
#include <stdlib.h>

#include "cli/join.h"

/* A role and its binding are handled alike in both scopes. */
struct grant {
    bool cluster; /* ClusterRole and ClusterRoleBinding */
    const char *name;
    const char *rules;  /* JSON */
    const char *prefix; /* before "role" in messages */
};

static const char rules_all_cluster[] = "[{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]},"
                                        "{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"*\"]}]";
static const char rules_all_namespace[] = "[{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}]";
static const char rules_health[] = "[{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/healthz\"]},"
                                   "{\"verbs\":[\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"nodes\"]}]";

static const char *role_kind(const struct grant *g)
{
    return g->cluster ? "ClusterRole" : "Role";
}

static const char *binding_kind(const struct grant *g)
{
    return g->cluster ? "ClusterRoleBinding" : "RoleBinding";
}

static struct str grant_ns(const struct join *j, const struct grant *g)
{
    return g->cluster ? STR_NULL : j->ns;
}

static int refuse(struct join *j, const struct grant *g, const char *what, struct error **err)
{
    return error_set(err, -EEXIST, "%s%s for service account %s in joining cluster %s already exists", g->prefix, what,
                     j->names.account, j->names.cluster);
}

/* The object as a document to be changed, or NULL when it is not there. */
static int get_existing(struct join *j, const struct grant *g, const struct kube_resource *res, yyjson_mut_doc **ret,
                        struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    if (remote_get(j->member, res, grant_ns(j, g), str_of(g->name), &doc, &e) < 0) {
        if (!is_not_found(e))
            return error_move(err, &e, "%s", "");
        *ret = NULL;
        return 0;
    }
    *ret = json_mut_doc_of(yyjson_doc_get_root(doc));
    return 0;
}

static void set_rules(yyjson_mut_doc *doc, const struct grant *g)
{
    _cleanup_json_ yyjson_doc *rules = NULL;
    int r = json_parse(str_of(g->rules), &rules, NULL);
    assert(r == 0);
    (void)r;
    json_mut_set(doc, yyjson_mut_doc_get_root(doc), "rules", json_mut_copy(doc, yyjson_doc_get_root(rules)));
}

static int make_role(struct join *j, const struct grant *g, struct error **err)
{
    const struct kube_resource *res = g->cluster ? &res_cluster_roles : &res_roles;
    struct str name = str_of(g->name);
    _cleanup_json_mut_ yyjson_mut_doc *doc = NULL;
    int r = get_existing(j, g, res, &doc, err);
    if (r < 0)
        return r;
    if (doc && j->options->error_on_existing)
        return refuse(j, g, "role", err);
    if (doc) {
        set_rules(doc, g);
        return join_replace(j, j->member, res, role_kind(g), name, doc, err);
    }
    doc = object_new("rbac.authorization.k8s.io/v1", role_kind(g), grant_ns(j, g), name);
    set_rules(doc, g);
    return join_create(j, j->member, res, role_kind(g), name, doc, err);
}

static void set_subjects(struct join *j, yyjson_mut_doc *doc)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *subjects = yyjson_mut_arr(doc);
    yyjson_mut_val *subject = yyjson_mut_arr_add_obj(doc, subjects);
    json_mut_set_str(doc, subject, "kind", STR("ServiceAccount"));
    json_mut_set_str(doc, subject, "name", str_of(j->names.account));
    json_mut_set_str(doc, subject, "namespace", j->ns);
    json_mut_set(doc, root, "subjects", subjects);
}

static void set_role_ref(yyjson_mut_doc *doc, const struct grant *g)
{
    yyjson_mut_val *ref = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "roleRef");
    json_mut_set_str(doc, ref, "apiGroup", STR("rbac.authorization.k8s.io"));
    json_mut_set_str(doc, ref, "kind", str_of(role_kind(g)));
    json_mut_set_str(doc, ref, "name", str_of(g->name));
}

static bool same_role_ref(yyjson_mut_doc *doc, const struct grant *g)
{
    yyjson_mut_val *ref = json_mut_get(yyjson_mut_doc_get_root(doc), "roleRef");
    return str_eqc(json_mut_str(json_mut_get(ref, "apiGroup")), "rbac.authorization.k8s.io") &&
           str_eqc(json_mut_str(json_mut_get(ref, "kind")), role_kind(g)) &&
           str_eqc(json_mut_str(json_mut_get(ref, "name")), g->name);
}

static int make_binding(struct join *j, const struct grant *g, struct error **err)
{
    const struct kube_resource *res = g->cluster ? &res_cluster_role_bindings : &res_role_bindings;
    struct str name = str_of(g->name);
    _cleanup_json_mut_ yyjson_mut_doc *doc = NULL;
    int r = get_existing(j, g, res, &doc, err);
    if (r < 0)
        return r;
    if (doc && j->options->error_on_existing)
        return refuse(j, g, "role binding", err);
    if (doc && same_role_ref(doc, g)) {
        set_subjects(j, doc);
        return join_replace(j, j->member, res, binding_kind(g), name, doc, err);
    }
    if (doc) { /* roleRef cannot be changed */
        r = j->cli->common.dry_run ? 0 : remote_delete(j->member, res, grant_ns(j, g), name, err);
        if (r < 0)
            return r;
        yyjson_mut_doc_free(TAKE_PTR(doc));
    }
    doc = object_new("rbac.authorization.k8s.io/v1", binding_kind(g), grant_ns(j, g), name);
    set_subjects(j, doc);
    set_role_ref(doc, g);
    return join_create(j, j->member, res, binding_kind(g), name, doc, err);
}

int join_rbac(struct join *j, struct error **err)
{
    const struct grant cluster_scope[] = { { true, j->names.role, rules_all_cluster, "cluster " } };
    const struct grant namespaced_scope[] = { { false, j->names.role, rules_all_namespace, "" },
                                              { true, j->names.health_role, rules_health, "health check cluster " } };
    const struct grant *grants = j->namespaced ? namespaced_scope : cluster_scope;
    size_t n = j->namespaced ? ARRAY_SIZE(namespaced_scope) : ARRAY_SIZE(cluster_scope);

    cli_progress(j->cli, "Granting rights to ServiceAccount \"%s\" in cluster \"%s\"", j->names.account,
                 j->names.cluster);
    for (size_t i = 0; i < n; i++) {
        int r = make_role(j, &grants[i], err);
        if (r == 0)
            r = make_binding(j, &grants[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}
