/* The controller manager: does one lead, and may it do what it must? */
#include <stdlib.h>

#include "cli/doctor.h"
#include "fed/names.h"

#define SUBJECT "Controller manager"
#define LEADER_NOTE "control-plane.alpha.kubernetes.io/leader"
#define ACCOUNT "kubefed-controller"
#define CLUSTER_VERSIONS "clusterpropagatedversions"

static const struct kube_resource res_deployments = { STR("apps"), STR("v1"), STR("deployments"), true };
static const struct kube_resource res_configmaps = { STR(""), STR("v1"), STR("configmaps"), true };
static const struct kube_resource res_endpoints = { STR(""), STR("v1"), STR("endpoints"), true };
static const struct kube_resource res_reviews = { STR("authorization.k8s.io"), STR("v1"), STR("subjectaccessreviews"),
                                                  false };

static bool locks_endpoints(const struct doctor *d)
{
    return d->config && strcmp(d->config->resource_lock, "endpoints") == 0;
}

static int check_lock(struct doctor *d, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_free_ char *text = NULL;
    if (remote_get(d->host, locks_endpoints(d) ? &res_endpoints : &res_configmaps, d->ns, STR(FED_LOCK_NAME), &doc,
                   &e) < 0) {
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
               : v == DOCTOR_WARNING
                   ? "That is longer than its lease lasts: another one leads soon, or clocks differ. "
                     "Run doctor again in a minute."
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
    _cleanup_free_ char *advice = mem_printf("This says why: kubectl describe deployment,pods -n %" PRIstr,
                                             STRARG(d->ns));
    doctor_addf(d, SUBJECT, "Deployment", v, v == DOCTOR_OK ? NULL : advice, "%lld of %lld replicas are ready",
                (long long)ready, (long long)wanted);
    return 0;
}

int doctor_controller(struct doctor *d, struct error **err)
{
    int r = check_lock(d, err);
    return r == 0 ? check_deployment(d, err) : r;
}

/* --- rights --- */

/* When a right is needed. */
enum needed_when { ALWAYS, IN_CLUSTER_SCOPE, FOR_ENDPOINTS_LOCK, FOR_CONFIGMAPS_LOCK, FOR_RENEWAL };

struct needed {
    const char *verb, *group, *resource, *sub;
    bool in_system; /* in the system namespace, else everywhere in cluster scope */
    enum needed_when when;
};

/* What the controller manager of the chart's ServiceAccount must be allowed (controllers.md 1.7). */
static const struct needed needed[] = {
    { "list", FED_CORE_GROUP, FED_CLUSTER_PLURAL, "", true, ALWAYS },
    { "watch", FED_CORE_GROUP, FED_CLUSTER_PLURAL, "", true, ALWAYS },
    { "patch", FED_CORE_GROUP, FED_CLUSTER_PLURAL, "status", true, ALWAYS },
    { "list", FED_CORE_GROUP, FED_TYPE_CONFIG_PLURAL, "", true, ALWAYS },
    { "watch", FED_CORE_GROUP, FED_TYPE_CONFIG_PLURAL, "", true, ALWAYS },
    { "patch", FED_CORE_GROUP, FED_TYPE_CONFIG_PLURAL, "", true, ALWAYS },
    { "patch", FED_CORE_GROUP, FED_TYPE_CONFIG_PLURAL, "status", true, ALWAYS },
    { "get", FED_CORE_GROUP, FED_CONFIG_PLURAL, "", true, ALWAYS },
    { "list", FED_CORE_GROUP, FED_VERSION_PLURAL, "", false, ALWAYS },
    { "create", FED_CORE_GROUP, FED_VERSION_PLURAL, "", false, ALWAYS },
    { "patch", FED_CORE_GROUP, FED_VERSION_PLURAL, "", false, ALWAYS },
    { "patch", FED_CORE_GROUP, FED_VERSION_PLURAL, "status", false, ALWAYS },
    { "list", FED_CORE_GROUP, CLUSTER_VERSIONS, "", false, IN_CLUSTER_SCOPE },
    { "create", FED_CORE_GROUP, CLUSTER_VERSIONS, "", false, IN_CLUSTER_SCOPE },
    { "patch", FED_CORE_GROUP, CLUSTER_VERSIONS, "", false, IN_CLUSTER_SCOPE },
    { "patch", FED_CORE_GROUP, CLUSTER_VERSIONS, "status", false, IN_CLUSTER_SCOPE },
    { "get", "", "secrets", "", true, ALWAYS },
    { "patch", "", "secrets", "", true, FOR_RENEWAL },
    { "get", "", "configmaps", "", true, ALWAYS },
    { "create", "", "configmaps", "", true, ALWAYS },
    { "patch", "", "configmaps", "", true, ALWAYS },
    { "update", "", "configmaps", "", true, FOR_CONFIGMAPS_LOCK },
    { "get", "", "endpoints", "", true, FOR_ENDPOINTS_LOCK },
    { "create", "", "endpoints", "", true, FOR_ENDPOINTS_LOCK },
    { "update", "", "endpoints", "", true, FOR_ENDPOINTS_LOCK },
    { "create", "", "events", "", false, ALWAYS },
    { "patch", "", "events", "", false, ALWAYS },
};
static const char *const type_verbs[] = { "get", "list", "watch", "update", "patch" };

static bool is_needed(const struct doctor *d, const struct needed *n)
{
    switch (n->when) {
    case IN_CLUSTER_SCOPE: return !(d->config && d->config->namespaced);
    case FOR_ENDPOINTS_LOCK: return locks_endpoints(d);
    case FOR_CONFIGMAPS_LOCK: return !locks_endpoints(d);
    case FOR_RENEWAL: return d->renews;
    default: return true;
    }
}

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
    doctor_add(d, SUBJECT, "rights", DOCTOR_FAILURE, message,
               "Add them to the role kubefed-role, or for secrets, configmaps and endpoints kubefed-config-role (patch "
               "secrets: to renew tokens). A federated group of your own needs get, list, watch, update and patch.");
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

/* The next right is asked for. */
struct asking {
    struct doctor *d;
    struct review *reviews;
    struct remote_batch *batch;
    size_t n;
};

static void ask_next(struct asking *a, const struct needed *n)
{
    ask(a->d, n, &a->reviews[a->n], &a->batch[a->n]);
    a->n++;
}

static void ask_all(struct asking *a)
{
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        if (is_needed(a->d, &needed[i]))
            ask_next(a, &needed[i]);
    for (size_t i = 0; i < a->d->n_types; i++) {
        const struct fed_type_config *t = a->d->types[i];
        if (!doctor_is_propagated(a->d, t))
            continue;
        for (size_t k = 0; k < ARRAY_SIZE(type_verbs); k++)
            ask_next(a, &(struct needed){ type_verbs[k], t->federated.group, t->federated.plural, "", false, ALWAYS });
        ask_next(a, &(struct needed){ "patch", t->federated.group, t->federated.plural, "status", false, ALWAYS });
    }
}

/* When the controller manager runs with the account of the chart. */
int doctor_rights(struct doctor *d, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    if (remote_get(d->host, &res_service_accounts, d->ns, STR(ACCOUNT), NULL, &e) < 0)
        return is_not_found(e) ? 0 : doctor_unreadable(d, SUBJECT, "rights", &e, err);
    size_t most = ARRAY_SIZE(needed) + d->n_types * (ARRAY_SIZE(type_verbs) + 1);
    _cleanup_free_ struct review *reviews = mem_array(most, sizeof(*reviews));
    struct asking a = { .d = d, .reviews = reviews, .batch = mem_array(most, sizeof(struct remote_batch)) };
    ask_all(&a);
    int r = remote_do_all(d->cli, a.batch, a.n, err);
    if (r == 0)
        r = judge_reviews(d, reviews, a.batch, a.n, err);
    for (size_t i = 0; i < a.n; i++)
        yyjson_mut_doc_free(reviews[i].body);
    remote_batch_done(a.batch, a.n);
    return r;
}
