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

static int64_t heartbeat_s(const struct fed_config *config)
{
    int64_t period = MAX(config->health_period_ns / (1000 * NSEC_PER_MS), (int64_t)1);
    return MAX(MIN(HEARTBEAT_PROBES * period, (int64_t)HEARTBEAT_MAX_S), period);
}

static void start_health(struct manager *m)
{
    const struct fed_config *config = m->config;
    m->health = health_start(&(struct health_config){
        .host = m->env.host,
        .clusters = m->env.clusters,
        .events = m->env.events,
        .system_namespace = m->system_namespace,
        .period_ms = (uint64_t)fed_config_ms(config->health_period_ns),
        .timeout_ms = (uint64_t)fed_config_ms(config->health_timeout_ns),
        .failure_threshold = config->failure_threshold,
        .success_threshold = config->success_threshold,
        .heartbeat_s = heartbeat_s(config),
        .by_age_of_report = !m->env.behavior.consecutive_probes,
        .probes = &m->env.measures->probes,
    });
}

/* As a leader: listed since we are one. A report that goes by an older status could take back what the one before us said. */
static void on_clusters_synced(void *arg)
{
    struct manager *m = arg;
    if (m->env.leading && !m->health)
        start_health(m);
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

static struct str limited_to(const struct manager *m)
{
    return m->env.namespace_scoped ? str_of(m->system_namespace) : STR_NULL;
}

static void start_shared(struct manager *m, struct kube_client *host)
{
    m->env.measures = measures_new(kube_client_loop(host));
    m->env.events = event_recorder_new(host);
    m->env.clusters = clusters_start(&(struct clusters_config){ .host = host,
                                                                .events = m->env.events,
                                                                .system_namespace = m->system_namespace,
                                                                .plain_http_default = !m->env.behavior.https_by_default,
                                                                .standby = true,
                                                                .connections = &m->env.measures->connections,
                                                                .on_synced = on_clusters_synced,
                                                                .arg = m });
    m->env.namespaces = namespaces_start(host, limited_to(m));
    if (m->env.behavior.yield_to_autoscalers)
        m->env.autoscalers = autoscalers_new(m->env.clusters, limited_to(m));
}

static void start_scheduling(struct manager *m)
{
    m->scheduling = scheduling_start(&(struct scheduling_config){
        .env = &m->env,
        .lost_after_ms = (uint64_t)fed_config_ms(m->config->unavailable_delay_ns),
        .return_after_ms = (uint64_t)fed_config_ms(m->config->available_delay_ns),
    });
    m->env.watcher = scheduling_watcher(m->scheduling);
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
        .unavailable_delay_ms = (uint64_t)fed_config_ms(config->unavailable_delay_ns),
    };
    start_shared(m, host);
    if (config->push_reconciler && config->scheduler_preferences)
        start_scheduling(m);
    else if (config->scheduler_preferences)
        log_warning(
            "ReplicaSchedulingPreferences are not followed: replicas are scheduled with what propagation knows, and the "
            "feature gate PushReconciler is Disabled. Enable it, or disable SchedulerPreferences too");
    if (config->push_reconciler)
        m->types = type_configs_start(&m->env);
    if (m->scheduling)
        scheduling_set_types(m->scheduling, m->types);
    return m;
}

/* What only one may keep: it is read when we lead, and written by nobody else from then on. */
static void start_records(struct manager *m)
{
    m->env.versions = version_store_start(&(struct version_store_config){
        .client = m->env.host, .ns = limited_to(m), .on_loaded = on_versions_loaded, .arg = m });
    m->env.removals = removals_start(&(struct removals_config){ .host = m->env.host,
                                                                .clusters = m->env.clusters,
                                                                .system_namespace = m->system_namespace,
                                                                .on_loaded = on_removals_loaded,
                                                                .arg = m });
}

/* The API server that the caches were filled from may be behind what the leader before us wrote. Each cache of the host is therefore
 * listed anew, and whoever decides by it waits for that. */
void manager_lead(struct manager *m)
{
    assert(!m->env.leading);
    m->env.leading = true;
    namespaces_lead(m->env.namespaces);
    clusters_lead(m->env.clusters);
    start_records(m);
    if (m->scheduling)
        scheduling_lead(m->scheduling);
    if (m->types)
        type_configs_lead(m->types);
}

bool manager_leads(const struct manager *m)
{
    return m->env.leading;
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
    measures_free(m->env.measures);
    fed_config_free(m->config);
    free(m->system_namespace);
    free(m);
}
