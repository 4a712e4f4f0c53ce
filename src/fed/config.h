/* KubeFedConfig: the settings of the control plane (api-and-cli.md 1.4, 4.4, 4.5; controllers.md 1.3). */
#ifndef FED_CONFIG_H
#define FED_CONFIG_H

#include "json/json.h"

struct fed_config {
    char *name;      /* metadata.name, "" when absent */
    bool namespaced; /* scope: Namespaced */
    int64_t available_delay_ns, unavailable_delay_ns, cache_sync_timeout_ns;
    int64_t lease_duration_ns, renew_deadline_ns, retry_period_ns;
    char *resource_lock;                                                /* "configmaps" or "endpoints" */
    bool push_reconciler, scheduler_preferences, raw_status_collection; /* feature gates */
    int64_t health_period_ns, health_timeout_ns;
    int64_t failure_threshold, success_threshold;
    bool adopt_resources;
    int64_t sync_max_concurrent, status_max_concurrent;
};

/* Decodes a KubeFedConfig object, with the defaults of api-and-cli.md 1.4 for absent fields other than spec.scope, and
 * checks it. *ret is owned; all durations and counts are positive. -EINVAL: the message lists all violations as
 * "<path>: <violation>", in brackets when several. */
int fed_config_decode(yyjson_val *object, struct fed_config **ret, struct error **err);
struct fed_config *fed_config_copy(const struct fed_config *c);
void fed_config_free(struct fed_config *c); /* NULL is fine */
DEFINE_CLEANUP(struct fed_config *, fed_config_free)

/* A complete KubeFedConfig "kubefed" in namespace `ns` with every default and this scope. Owned. */
yyjson_mut_doc *fed_config_default_object(const char *ns, const char *scope);

#endif
