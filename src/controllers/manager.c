/* See manager.h: owns the shared parts (clusters, namespaces, versions, events) and the controllers on top of them. */
#include "controllers/manager.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "controllers/manager_internal.h"

/* lastProbeTime of an unchanged cluster is written every so many probes, but at least once a minute (P-09). */
#define HEARTBEAT_PROBES 6
#define HEARTBEAT_MAX_S 60
/* Passes of one type under way at once: bounds memory, not throughput (the clients limit their requests themselves). */
#define MAX_PASSES 128u

static void on_clusters_synced(void *arg)
{
    struct manager *m = arg;
    if (m->types)
        type_configs_poke(m->types);
}

static void on_versions_loaded(void *arg)
{
    struct manager *m = arg;
    log_verbose(1, "Propagated versions are known");
    if (m->types)
        type_configs_poke(m->types);
}

static void on_removals_loaded(void *arg)
{
    struct manager *m = arg;
    if (m->types)
        type_configs_poke(m->types);
}

static void start_shared(struct manager *m, struct kube_client *host)
{
    m->env.events = event_recorder_new(host);
    m->env.clusters = clusters_start(&(struct clusters_config){ .host = host,
                                                                .events = m->env.events,
                                                                .system_namespace = m->system_namespace,
                                                                .plain_http_default = !m->env.behavior.https_by_default,
                                                                .on_synced = on_clusters_synced,
                                                                .arg = m });
    struct str limited = m->env.namespace_scoped ? str_of(m->system_namespace) : STR_NULL;
    m->env.namespaces = namespaces_start(host, limited);
    m->env.versions = version_store_start(
        &(struct version_store_config){ .client = host, .ns = limited, .on_loaded = on_versions_loaded, .arg = m });
    if (m->env.behavior.yield_to_autoscalers)
        m->env.autoscalers = autoscalers_new(m->env.clusters, limited);
    m->env.removals = removals_start(&(struct removals_config){ .host = host,
                                                                .clusters = m->env.clusters,
                                                                .system_namespace = m->system_namespace,
                                                                .on_loaded = on_removals_loaded,
                                                                .arg = m });
}

static void start_scheduling(struct manager *m)
{
    m->scheduling = scheduling_start(&(struct scheduling_config){
        .env = &m->env,
        .lost_after_ms = (uint64_t)(m->config->unavailable_delay_ns / NSEC_PER_MS),
        .return_after_ms = (uint64_t)(m->config->available_delay_ns / NSEC_PER_MS),
    });
    m->env.watcher = scheduling_watcher(m->scheduling);
}

static int64_t heartbeat_s(const struct fed_config *config)
{
    int64_t period = MAX(config->health_period_ns / (1000 * NSEC_PER_MS), (int64_t)1);
    return MAX(MIN(HEARTBEAT_PROBES * period, (int64_t)HEARTBEAT_MAX_S), period);
}

struct manager *manager_start(struct kube_client *host, const struct fed_config *config,
                              const struct fed_behavior *behavior, const char *system_namespace)
{
    struct manager *m = mem_zalloc(sizeof(*m));
    m->system_namespace = mem_strdup(system_namespace);
    m->config = fed_config_copy(config);
    m->env = (struct sync_env){
        .host = host,
        .system_namespace = m->system_namespace,
        .namespace_scoped = config->namespaced,
        .adopt = config->adopt_resources,
        .raw_status = config->raw_status_collection,
        .behavior = *behavior,
        .max_passes = MAX_PASSES,
        .unavailable_delay_ms = (uint64_t)(config->unavailable_delay_ns / NSEC_PER_MS),
    };
    start_shared(m, host);
    m->health = health_start(&(struct health_config){
        .host = host,
        .clusters = m->env.clusters,
        .events = m->env.events,
        .system_namespace = m->system_namespace,
        .period_ms = (uint64_t)(config->health_period_ns / NSEC_PER_MS),
        .timeout_ms = (uint64_t)(config->health_timeout_ns / NSEC_PER_MS),
        .failure_threshold = config->failure_threshold,
        .success_threshold = config->success_threshold,
        .heartbeat_s = heartbeat_s(config),
        .by_age_of_report = !behavior->consecutive_probes,
    });
    if (config->push_reconciler && config->scheduler_preferences)
        start_scheduling(m);
    if (config->push_reconciler)
        m->types = type_configs_start(&m->env);
    if (m->scheduling)
        scheduling_set_types(m->scheduling, m->types);
    return m;
}

void manager_free(struct manager *m)
{
    if (!m)
        return;
    if (m->scheduling)
        scheduling_set_types(m->scheduling, NULL); /* types that stop now are not news */
    type_configs_free(m->types);
    scheduling_free(m->scheduling);
    health_free(m->health);
    autoscalers_free(m->env.autoscalers);
    removals_free(m->env.removals);
    version_store_free(m->env.versions);
    namespaces_free(m->env.namespaces);
    clusters_free(m->env.clusters);
    event_recorder_free(m->env.events);
    fed_config_free(m->config);
    free(m->system_namespace);
    free(m);
}
