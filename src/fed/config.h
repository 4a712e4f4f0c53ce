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

/* A duration in whole milliseconds, rounded up: one that is positive stays so, since a timer of 0 ms does not wait. */
static inline int64_t fed_config_ms(int64_t ns)
{
    return ns / 1000000 + (ns % 1000000 > 0);
}

/* Decodes a KubeFedConfig object, with the defaults of api-and-cli.md 1.4 for absent fields other than spec.scope, and
 * checks it. *ret is owned; all durations and counts are positive. -EINVAL: the message lists all violations as
 * "<path>: <violation>", in brackets when several. */
int fed_config_decode(yyjson_val *object, struct fed_config **ret, struct error **err);
/* The rules of api-and-cli.md 4.4 without defaults, for admission.h: -EINVAL, or -EBADMSG when a field of spec cannot be read.
 * `old` is the object before an update, or NULL: the scope must not change. */
int fed_config_validate(yyjson_val *object, yyjson_val *old, struct error **err);
struct fed_config *fed_config_copy(const struct fed_config *c);
/* Is there nothing to change when one follows the other? */
bool fed_config_equal(const struct fed_config *a, const struct fed_config *b);
/* Do both elect their leader in the same way? */
bool fed_config_same_election(const struct fed_config *a, const struct fed_config *b);
void fed_config_free(struct fed_config *c); /* NULL is fine */
DEFINE_CLEANUP(struct fed_config *, fed_config_free)

/* A complete KubeFedConfig "kubefed" in namespace `ns` with every default and this scope. Owned. */
yyjson_mut_doc *fed_config_default_object(const char *ns, const char *scope);
/* Appends to `out` the JSON patch (RFC 6902, `add` only) that gives the object what it leaves out, or null, of the fields of 1.4
 * but spec.scope, as fed_config_decode reads it (4.5; A-27): values that are there keep their spelling and gates their order,
 * missing gates follow sorted by name. Returns false, with nothing appended, when nothing is missing or what is missing cannot be
 * added because something on the way is of another type. The patch has less than 4 KiB. */
bool fed_config_default_patch(yyjson_val *object, struct buf *out);

#endif
