/* The host's API server, and what the control plane keeps there: namespace, definitions, settings. */
#include <stdlib.h>

#include "base/rtime.h"
#include "cli/doctor.h"
#include "cli/object_state.h"
#include "fed/names.h"

#define SUBJECT "Host"
#define SKEW_S 60

static void judge_version(struct doctor *d, struct str version)
{
    const char *server = kube_client_server(d->host->client);
    switch (doctor_judge_versions(version, version)) {
    case DOCTOR_OK:
        doctor_addf(d, SUBJECT, "API server", DOCTOR_OK, NULL, "%" PRIstr " at %s", STRARG(version), server);
        break;
    case DOCTOR_UNKNOWN:
        doctor_addf(d, SUBJECT, "API server", DOCTOR_WARNING,
                    "Is that the API server of a Kubernetes cluster? --host-cluster-context names another one.",
                    "what answers at %s does not say its version", server);
        break;
    default:
        doctor_addf(d, SUBJECT, "API server", DOCTOR_WARNING, "Upgrade the host cluster to 1.16 or later.",
                    "%" PRIstr " at %s is too old: definitions need Kubernetes 1.16", STRARG(version), server);
    }
}

static void judge_clock(struct doctor *d)
{
    int64_t ahead;
    d->now = time_wall_s();
    if (kube_client_clock(d->host->client, &ahead) < 0) {
        doctor_add(d, SUBJECT, "clock", DOCTOR_UNKNOWN,
                   "the host does not tell its time: ages are by the clock of this machine", NULL);
        return;
    }
    d->now += ahead;
    if (ahead > SKEW_S || ahead < -SKEW_S)
        doctor_addf(d, SUBJECT, "clock", DOCTOR_WARNING, "Check the time service here and on the host's machines.",
                    "the host's clock is %lld s %s that of this machine", (long long)(ahead < 0 ? -ahead : ahead),
                    ahead > 0 ? "ahead of" : "behind");
}

static int check_version(struct doctor *d, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    if (remote_get_raw(d->host, "/version", &doc, &e) == 0) {
        struct str version = json_path_str(yyjson_doc_get_root(doc), "gitVersion");
        d->version = str_dup(version);
        judge_version(d, version);
    } else if (error_http(e) == 403) {
        doctor_unreadable(d, SUBJECT, "API server", &e, err);
    } else {
        /* Without it there is nothing to examine. */
        doctor_add(d, SUBJECT, "API server", DOCTOR_FAILURE, error_msg(e),
                   "Examine the host cluster first, or name another one with --host-cluster-context.");
        return error_move(err, &e, "%s", "");
    }
    judge_clock(d);
    return 0;
}

static int check_namespace(struct doctor *d, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (remote_get(d->host, &res_namespaces, STR_NULL, d->ns, &doc, &e) < 0) {
        if (!is_not_found(e))
            return doctor_unreadable(d, SUBJECT, "system namespace", &e, err);
        doctor_addf(d, SUBJECT, "system namespace", DOCTOR_FAILURE,
                    "Install the control plane, or name its namespace with --kubefed-namespace.",
                    "namespace \"%" PRIstr "\" does not exist", STRARG(d->ns));
        return 0;
    }
    bool ends = json_path(yyjson_doc_get_root(doc), "metadata.deletionTimestamp") != NULL;
    doctor_addf(d, SUBJECT, "system namespace", ends ? DOCTOR_FAILURE : DOCTOR_OK,
                ends ? "Its status says what holds it; nothing can be created in it any more." : NULL, "%" PRIstr "%s",
                STRARG(d->ns), ends ? " is being deleted" : "");
    return 0;
}

/* Definitions, and the fields that are read and written: old releases lack some, and what is written there vanishes. */
static const struct definition {
    const char *name, *version, *fields[8];
} definitions[] = {
    { "kubefedclusters.core.kubefed.io",
      "v1beta1",
      { "spec.apiEndpoint", "spec.caBundle", "spec.secretRef.name", "spec.disabledTLSValidations", "spec.proxyURL",
        "status.conditions", "status.kubernetesVersion" } },
    { "kubefedconfigs.core.kubefed.io",
      "v1beta1",
      { "spec.scope", "spec.controllerDuration.cacheSyncTimeout", "spec.leaderElect.resourceLock", "spec.featureGates",
        "spec.clusterHealthCheck.period", "spec.syncController.maxConcurrentReconciles",
        "spec.syncController.adoptResources", "spec.statusController" } },
    { "federatedtypeconfigs.core.kubefed.io",
      "v1beta1",
      { "spec.targetType", "spec.federatedType", "spec.statusType", "spec.propagation", "spec.statusCollection",
        "status.observedGeneration", "status.propagationController", "status.statusController" } },
    { "propagatedversions.core.kubefed.io",
      "v1alpha1",
      { "status.templateVersion", "status.overridesVersion", "status.clusterVersions" } },
    { "clusterpropagatedversions.core.kubefed.io",
      "v1alpha1",
      { "status.templateVersion", "status.overridesVersion", "status.clusterVersions" } },
    { "federatedservicestatuses.core.kubefed.io", "v1alpha1", { "clusterStatus" } },
    { "replicaschedulingpreferences.scheduling.kubefed.io", "v1alpha1", { "spec.intersectWithClusterSelector" } },
};

static bool is_served(yyjson_val *crd, struct str version)
{
    yyjson_val *item;
    size_t i, n;
    yyjson_arr_foreach(json_path(crd, "spec.versions"), i, n, item)
    {
        if (str_eq(json_path_str(item, "name"), version))
            return json_path_bool(item, "served", false);
    }
    return false;
}

static void judge_schema(struct doctor *d, const char *shown, const struct definition *c, yyjson_val *crd)
{
    _cleanup_buf_ struct buf missing = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_SIZE(c->fields) && c->fields[i]; i++)
        if (!doctor_schema_has(crd, str_of(c->version), c->fields[i]))
            buf_printf(&missing, "%s%s", missing.n ? ", " : "", c->fields[i]);
    if (missing.n)
        doctor_addf(d, SUBJECT, shown, DOCTOR_WARNING, DOCTOR_APPLY_CRDS,
                    "it is of an older release: what is written to %" PRIstr " vanishes", STRARG(buf_str(&missing)));
    else
        doctor_addf(d, SUBJECT, shown, DOCTOR_OK, NULL, "%s is served", c->version);
}

static int check_definition(struct doctor *d, const struct definition *c, struct error **err)
{
    _cleanup_free_ char *shown = mem_strndup(c->name, strcspn(c->name, "."));
    _cleanup_error_ struct error *e = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (remote_get(d->host, &res_crds, STR_NULL, str_of(c->name), &doc, &e) < 0) {
        if (!is_not_found(e))
            return doctor_unreadable(d, SUBJECT, shown, &e, err);
        doctor_add(d, SUBJECT, shown, DOCTOR_FAILURE, "the definition does not exist", DOCTOR_APPLY_CRDS);
        return 0;
    }
    yyjson_val *crd = yyjson_doc_get_root(doc);
    if (!str_eqc(json_path_str(condition_of(crd, "Established"), "status"), "True"))
        doctor_add(d, SUBJECT, shown, DOCTOR_FAILURE, "the definition is not established",
                   "kubectl describe customresourcedefinition shows why (conditions NamesAccepted, Established).");
    else if (!is_served(crd, str_of(c->version)))
        doctor_addf(d, SUBJECT, shown, DOCTOR_FAILURE, DOCTOR_APPLY_CRDS, "version %s is not served", c->version);
    else
        judge_schema(d, shown, c, crd);
    return 0;
}

static int check_config(struct doctor *d, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (remote_get(d->host, &res_kubefed_configs, d->ns, STR(FED_CONFIG_NAME), &doc, &e) < 0) {
        if (!is_not_found(e))
            return doctor_unreadable(d, SUBJECT, "KubeFedConfig", &e, err);
        doctor_addf(
            d, SUBJECT, "KubeFedConfig", DOCTOR_FAILURE,
            "Is it the right namespace (--kubefed-namespace)? A KubeFedConfig named kubefed with spec.scope must be "
            "there.",
            "\"%" PRIstr "/kubefed\" does not exist", STRARG(d->ns));
        return 0;
    }
    if (fed_config_decode(yyjson_doc_get_root(doc), &d->config, &e) < 0)
        doctor_addf(
            d, SUBJECT, "KubeFedConfig", DOCTOR_FAILURE,
            "Correct these fields: kubectl edit kubefedconfig kubefed. The controller manager does not start with "
            "them.",
            "it is invalid: %s", error_msg(e));
    else
        doctor_addf(d, SUBJECT, "KubeFedConfig", DOCTOR_OK, NULL, "scope %s",
                    d->config->namespaced ? FED_SCOPE_NAMESPACED : FED_SCOPE_CLUSTER);
    return 0;
}

int doctor_host(struct doctor *d, struct error **err)
{
    cli_progress(d->cli, "Examining the %s", d->host->where);
    int r = check_version(d, err);
    if (r == 0)
        r = check_namespace(d, err);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(definitions); i++)
        r = check_definition(d, &definitions[i], err);
    return r == 0 ? check_config(d, err) : r;
}
