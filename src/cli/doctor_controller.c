/* The controller manager: does one lead, and may it do what it must? */
#include <stdlib.h>

#include "cli/doctor.h"
#include "fed/names.h"

#define SUBJECT "Controller manager"
#define LEADER_NOTE "control-plane.alpha.kubernetes.io/leader"
#define ACCOUNT "kubefed-controller"

static const struct kube_resource res_deployments = { STR("apps"), STR("v1"), STR("deployments"), true };
static const struct kube_resource res_configmaps = { STR(""), STR("v1"), STR("configmaps"), true };
static const struct kube_resource res_endpoints = { STR(""), STR("v1"), STR("endpoints"), true };
static const struct kube_resource res_reviews = { STR("authorization.k8s.io"), STR("v1"), STR("subjectaccessreviews"),
                                                  false };

static int check_lock(struct doctor *d, struct error **err)
{
    bool endpoints = d->config && strcmp(d->config->resource_lock, "endpoints") == 0;
    _cleanup_error_ struct error *e = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_free_ char *text = NULL;
    if (remote_get(d->host, endpoints ? &res_endpoints : &res_configmaps, d->ns, STR(FED_LOCK_NAME), &doc, &e) < 0) {
        if (!is_not_found(e))
            return doctor_unreadable(d, SUBJECT, "leader", &e, err);
        doctor_add(d, SUBJECT, "leader", DOCTOR_FAILURE, "no controller manager has ever led here",
                   "Start the controller manager, and look at its log.");
        return 0;
    }
    struct str record = json_str(json_get(json_path(yyjson_doc_get_root(doc), "metadata.annotations"), LEADER_NOTE));
    enum doctor_verdict v = doctor_judge_lock(record, d->now, &text);
    doctor_add(d, SUBJECT, "leader", v, text,
               v == DOCTOR_OK ? NULL
                              : "Nothing is propagated meanwhile. Start the controller manager, and look at its log.");
    return 0;
}

static int check_deployment(struct doctor *d, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (remote_get(d->host, &res_deployments, d->ns, STR(FED_LOCK_NAME), &doc, &e) < 0)
        return is_not_found(e) ? 0 : doctor_unreadable(d, SUBJECT, "Deployment", &e, err); /* it may run elsewhere */
    yyjson_val *root = yyjson_doc_get_root(doc);
    int64_t wanted = json_path_i64(root, "spec.replicas", 1), ready = json_path_i64(root, "status.readyReplicas", 0);
    d->in_pod = !json_path_bool(root, "spec.template.spec.hostNetwork", false);
    enum doctor_verdict v = ready > 0 && ready >= wanted ? DOCTOR_OK : ready > 0 ? DOCTOR_WARNING : DOCTOR_FAILURE;
    doctor_addf(d, SUBJECT, "Deployment", v,
                v == DOCTOR_OK ? NULL : "kubectl describe deployment kubefed-controller-manager and its pods show why.",
                "%lld of %lld replicas are ready", (long long)ready, (long long)wanted);
    return 0;
}

int doctor_controller(struct doctor *d, struct error **err)
{
    int r = check_lock(d, err);
    return r == 0 ? check_deployment(d, err) : r;
}

/* --- rights --- */

struct needed {
    const char *verb, *group, *resource, *sub;
    bool in_system; /* in the system namespace, else everywhere in cluster scope */
};

/* What the controller manager of the chart's ServiceAccount must be allowed (controllers.md 1.7). */
static const struct needed needed[] = {
    { "list", FED_CORE_GROUP, FED_CLUSTER_PLURAL, "", true },
    { "watch", FED_CORE_GROUP, FED_CLUSTER_PLURAL, "", true },
    { "patch", FED_CORE_GROUP, FED_CLUSTER_PLURAL, "status", true },
    { "list", FED_CORE_GROUP, FED_TYPE_CONFIG_PLURAL, "", true },
    { "watch", FED_CORE_GROUP, FED_TYPE_CONFIG_PLURAL, "", true },
    { "patch", FED_CORE_GROUP, FED_TYPE_CONFIG_PLURAL, "", true },
    { "patch", FED_CORE_GROUP, FED_TYPE_CONFIG_PLURAL, "status", true },
    { "get", FED_CORE_GROUP, FED_CONFIG_PLURAL, "", true },
    { "list", FED_CORE_GROUP, FED_VERSION_PLURAL, "", false },
    { "create", FED_CORE_GROUP, FED_VERSION_PLURAL, "", false },
    { "patch", FED_CORE_GROUP, FED_VERSION_PLURAL, "status", false },
    { "get", "", "secrets", "", true },
    { "get", "", "configmaps", "", true },
    { "create", "", "configmaps", "", true },
    { "update", "", "configmaps", "", true },
    { "create", "", "events", "", false },
    { "patch", "", "events", "", false },
};
static const char *const type_verbs[] = { "get", "list", "watch", "update", "patch" };

struct review {
    struct needed what;
    yyjson_mut_doc *body;
};

static void ask(struct doctor *d, const struct needed *n, struct review *r, struct remote_batch *b)
{
    bool everywhere = !n->in_system && !(d->config && d->config->namespaced);
    _cleanup_free_ char *user = mem_printf("system:serviceaccount:%" PRIstr ":" ACCOUNT, STRARG(d->ns));
    _cleanup_free_ char *group = mem_printf("system:serviceaccounts:%" PRIstr, STRARG(d->ns));
    yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *spec = json_mut_ensure_obj(doc, root, "spec");
    yyjson_mut_val *a = json_mut_ensure_obj(doc, spec, "resourceAttributes"), *groups = yyjson_mut_arr(doc);
    json_mut_set_str(doc, root, "apiVersion", STR("authorization.k8s.io/v1"));
    json_mut_set_str(doc, root, "kind", STR("SubjectAccessReview"));
    json_mut_set_str(doc, spec, "user", str_of(user));
    yyjson_mut_arr_append(groups, json_mut_new_str(doc, str_of(group)));
    yyjson_mut_arr_append(groups, json_mut_new_str(doc, STR("system:serviceaccounts")));
    yyjson_mut_arr_append(groups, json_mut_new_str(doc, STR("system:authenticated")));
    json_mut_set(doc, spec, "groups", groups);
    json_mut_set_str(doc, a, "verb", str_of(n->verb));
    json_mut_set_str(doc, a, "group", str_of(n->group));
    json_mut_set_str(doc, a, "resource", str_of(n->resource));
    if (n->sub[0])
        json_mut_set_str(doc, a, "subresource", str_of(n->sub));
    if (!everywhere)
        json_mut_set_str(doc, a, "namespace", d->ns);
    *r = (struct review){ *n, doc };
    *b = (struct remote_batch){ .to = d->host, .req = { .method = "POST", .resource = &res_reviews, .body = root } };
}

static void tell_missing(struct doctor *d, struct buf *missing)
{
    if (!missing->n) {
        doctor_add(d, SUBJECT, "rights", DOCTOR_OK, "ServiceAccount " ACCOUNT " may do what it must", NULL);
        return;
    }
    _cleanup_free_ char *message = mem_printf("ServiceAccount " ACCOUNT " may not: %" PRIstr, STRARG(buf_str(missing)));
    doctor_add(
        d, SUBJECT, "rights", DOCTOR_FAILURE, message,
        "Add them to the role kubefed-role, or for the system namespace kubefed-config-role. A federated group of your own "
        "needs get, list, watch, update and patch.");
}

static int judge_reviews(struct doctor *d, const struct review *reviews, struct remote_batch *batch, size_t n,
                         struct error **err)
{
    _cleanup_buf_ struct buf missing = BUF_INIT(1 << 16);
    for (size_t i = 0; i < n; i++) {
        if (batch[i].error)
            return doctor_unreadable(d, SUBJECT, "rights", &batch[i].error, err);
        if (json_path_bool(yyjson_doc_get_root(batch[i].answer), "status.allowed", false))
            continue;
        const struct needed *w = &reviews[i].what;
        buf_printf(&missing, "%s%s %s%s%s%s%s", missing.n ? ", " : "", w->verb, w->resource, w->group[0] ? "." : "",
                   w->group, w->sub[0] ? "/" : "", w->sub);
    }
    tell_missing(d, &missing);
    return 0;
}

/* When the controller manager runs with the account of the chart. Federated groups are asked for once each. */
int doctor_rights(struct doctor *d, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    if (remote_get(d->host, &res_service_accounts, d->ns, STR(ACCOUNT), NULL, &e) < 0)
        return is_not_found(e) ? 0 : doctor_unreadable(d, SUBJECT, "rights", &e, err);
    size_t most = ARRAY_SIZE(needed) + d->n_types * (ARRAY_SIZE(type_verbs) + 1), n = 0;
    _cleanup_free_ struct review *reviews = mem_array(most, sizeof(*reviews));
    struct remote_batch *batch = mem_array(most, sizeof(*batch));
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++, n++)
        ask(d, &needed[i], &reviews[n], &batch[n]);
    for (size_t i = 0; i < d->n_types; i++) {
        const struct fed_api_resource *f = &d->types[i]->federated;
        for (size_t k = 0; k < ARRAY_SIZE(type_verbs); k++, n++)
            ask(d, &(struct needed){ type_verbs[k], f->group, f->plural, "", false }, &reviews[n], &batch[n]);
        ask(d, &(struct needed){ "patch", f->group, f->plural, "status", false }, &reviews[n], &batch[n]);
        n++;
    }
    int r = remote_do_all(d->cli, batch, n, err);
    if (r == 0)
        r = judge_reviews(d, reviews, batch, n, err);
    for (size_t i = 0; i < n; i++)
        yyjson_mut_doc_free(reviews[i].body);
    remote_batch_done(batch, n);
    return r;
}
