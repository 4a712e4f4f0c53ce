/*
 * Health of the registered clusters (controllers.md 4): each is probed on its own timer, at once when it is registered or
 * its connection changed; conditions go to KubeFedCluster.status when they change, and as a heartbeat.
 */
#ifndef CONTROLLERS_HEALTH_H
#define CONTROLLERS_HEALTH_H

#include "base/histogram.h"
#include "controllers/clusters.h"

struct health_config {
    struct kube_client *host;
    struct clusters *clusters;
    struct event_recorder *events;
    const char *system_namespace;
    uint64_t period_ms, timeout_ms;
    int64_t failure_threshold, success_threshold;
    bool by_age_of_report;    /* Q-11 as in KubeFed, see fed_health_settings */
    int64_t heartbeat_s;      /* lastProbeTime is written at least this often (P-09) */
    struct histogram *probes; /* gets what each probe took, its report included; NULL: nobody asks */
};
struct health;
struct health *health_start(const struct health_config *config);
void health_free(struct health *h); /* before clusters_free */

/* What the last probe of the cluster saw, before any threshold: "ready", "offline" or "notready"; NULL: there was none yet. */
const char *health_last(const struct cluster *c);

#endif
