/*
 * /metrics of the controller manager: the names of KubeFed with their meaning (controllers.md 9), and what operators miss there under
 * kubefed_. docs/metrics.md describes each; a test holds the two together. Here are the clusters; the rest is in metrics_*.c.
 */
#include "controllers/metrics_internal.h"

#include <stdlib.h>

#include "controllers/renewal.h"

/* A standby does not probe: what the leader reports counts. */
static const char *reported_state(const struct cluster *c)
{
    _cleanup_json_ yyjson_doc *doc = NULL;

    if (c->ready)
        return "ready";
    return json_parse(kube_object_body(c->object), &doc, NULL) == 0 && fed_cluster_is_offline(yyjson_doc_get_root(doc))
               ? "offline"
               : "notready";
}

/* The probe's own words where there was one, as in KubeFed; thresholds show in the condition Ready. */
static const char *state_of(const struct cluster *c)
{
    const char *last = health_last(c);

    return last ? last : reported_state(c);
}

static void cluster_states(const struct manager *m, struct buf *out)
{
    static const char name[] = "kubefedcluster_total", *const states[] = { "ready", "offline", "notready" };
    const struct cluster *c;
    size_t joined = 0;

    metric_head(out, name, "gauge", "Number of total kubefed cluster in a specific state.");
    for (size_t i = 0; (c = metrics_next_cluster(m, &i)); joined++)
        for (size_t k = 0; k < ARRAY_SIZE(states); k++) {
            _cleanup_free_ char *labels = metric_labels("cluster", c->name, "state", states[k]);
            metric_count(out, name, labels, strcmp(state_of(c), states[k]) == 0);
        }
    metric_head(out, "joined_cluster_total", "gauge", "Number of total joined clusters.");
    if (m)
        metric_count(out, "joined_cluster_total", NULL, joined);
}

static void cluster_ready(const struct manager *m, struct buf *out)
{
    static const char name[] = "kubefed_cluster_ready";
    const struct cluster *c;

    metric_head(out, name, "gauge", "1 when the condition Ready of the KubeFedCluster is True.");
    for (size_t i = 0; (c = metrics_next_cluster(m, &i));) {
        _cleanup_free_ char *labels = metric_labels("cluster", c->name);
        metric_count(out, name, labels, c->ready);
    }
}

static void expiry(struct buf *out, const char *name, const char *cluster, const char *credential, int64_t ends)
{
    _cleanup_free_ char *labels = metric_labels("cluster", cluster, "credential", credential);

    if (ends > 0)
        metric_count(out, name, labels, (uint64_t)ends);
}

static void credentials(const struct manager *m, struct buf *out)
{
    static const char name[] = "kubefed_cluster_credential_expiry_seconds";
    const struct cluster *c;

    metric_head(out, name, "gauge",
                "When the token, or the first certificate of the CA bundle, of a cluster ends, in seconds since the "
                "epoch; nothing when it has no end.");
    for (size_t i = 0; (c = metrics_next_cluster(m, &i));) {
        if (!c->client)
            continue;
        expiry(out, name, c->name, "token", c->token_ends);
        expiry(out, name, c->name, "ca", c->ca_ends);
    }
}

static void renewals(const struct manager *m, struct buf *out)
{
    static const char name[] = "kubefed_cluster_token_renewal_seconds";
    const struct cluster *c;

    metric_head(
        out, name, "gauge",
        "When the token of a cluster is due to be renewed, in seconds since the epoch; nothing when that is not ours "
        "to do.");
    for (size_t i = 0; (c = metrics_next_cluster(m, &i));) {
        _cleanup_free_ char *labels = metric_labels("cluster", c->name);
        if (c->client && renewal_planned(c) > 0)
            metric_count(out, name, labels, (uint64_t)renewal_planned(c));
    }
}

static void removals(const struct manager *m, struct buf *out)
{
    static const char name[] = "kubefed_removals_put_off";
    const struct cluster *c;

    metric_head(out, name, "gauge", "Objects left behind in a cluster that could not be reached, to be removed later.");
    for (size_t i = 0; m && m->env.removals && (c = metrics_next_cluster(m, &i));) {
        _cleanup_free_ char *labels = metric_labels("cluster", c->name);
        metric_count(out, name, labels, removals_count(m->env.removals, str_of(c->name)));
    }
}

/* --- operations in members --- */

struct operations {
    size_t sent, waiting;
};

static void count_operation(void *arg, const char *cluster, bool sent)
{
    struct map *counts = arg;
    struct operations *o = map_get(counts, str_of(cluster));

    if (!o) {
        o = mem_zalloc(sizeof(*o));
        map_put(counts, str_of(cluster), o);
    }
    o->sent += sent;
    o->waiting += !sent;
}

static void operations(const struct manager *m, struct buf *out)
{
    static const char name[] = "kubefed_member_operations";
    static const struct operations none;
    struct map counts = MAP_INIT;
    const struct sync *s;
    const struct cluster *c;

    metric_head(out, name, "gauge",
                "Creations, updates and deletions in a cluster: waiting to be sent, and in flight.");
    for (size_t i = 0; m && m->types && (s = type_configs_next(m->types, &i));)
        sync_each_operation(s, count_operation, &counts);
    for (size_t i = 0; (c = metrics_next_cluster(m, &i));) {
        const struct operations *o = map_get(&counts, str_of(c->name));
        _cleanup_free_ char *waiting = metric_labels("cluster", c->name, "state", "waiting");
        _cleanup_free_ char *sent = metric_labels("cluster", c->name, "state", "in_flight");

        o = o ? o : &none;
        metric_count(out, name, waiting, o->waiting);
        metric_count(out, name, sent, o->sent);
    }
    map_done_values(&counts, free);
}

static void versions(const struct manager *m, struct buf *out)
{
    static const char name[] = "kubefed_versions_pending";

    metric_head(out, name, "gauge", "Version records not yet stored on the host.");
    if (m && m->env.versions)
        metric_count(out, name, NULL, version_store_pending(m->env.versions));
}

void manager_metrics(const struct manager *m, struct buf *out)
{
    cluster_states(m, out);
    metrics_durations(m, out);
    metrics_requests(m, out);
    metrics_reflectors(m, out);
    metrics_queues(m, out);
    cluster_ready(m, out);
    credentials(m, out);
    renewals(m, out);
    metrics_caches(m, out);
    operations(m, out);
    metrics_types(m, out);
    removals(m, out);
    versions(m, out);
    scheduling_metrics(m ? m->scheduling : NULL, out);
    metrics_process(out);
}

void manager_program_metrics(struct buf *out, bool leads, bool config_is_bad)
{
    metric_head(out, "kubefed_leader", "gauge", "1 when this process leads; the others stand by.");
    metric_count(out, "kubefed_leader", NULL, leads);
    metric_head(out, "kubefed_config_invalid", "gauge",
                "1 while the KubeFedConfig cannot be used and the last good one is in force.");
    metric_count(out, "kubefed_config_invalid", NULL, config_is_bad);
}
