/* See admission.h. The rules of specs are with their decoders; those of statuses, which nothing else needs, are here. */
#include "fed/admission.h"

#include "base/rtime.h"
#include "fed/cluster.h"
#include "fed/config.h"
#include "fed/names.h"
#include "fed/typeconfig.h"
#include "fed/violations.h"

static const char *const running[] = { FED_RUNNING, FED_NOT_RUNNING };
static const char *const condition_types[] = { FED_CLUSTER_READY, FED_CLUSTER_OFFLINE, FED_CLUSTER_CONFIG_MALFORMED };
static const char *const condition_statuses[] = { "True", "False", "Unknown" };

/* Seconds since the epoch of Go's zero time, 0001-01-01T00:00:00Z, which counts as absent. */
#define ZERO_TIME (-62135596800LL)

/* --- FederatedTypeConfig --- */

static void check_generation(struct violations *v, yyjson_val *status)
{
    static const char path[] = "status.observedGeneration";
    int64_t n = 0;

    if (json_i64(json_get(status, "observedGeneration"), &n) == -EINVAL)
        violations_malformed(v, path, "Invalid value: must be an integer");
    else if (n < 0)
        violations_add(v, path, "Invalid value: %lld: must be greater than or equal to 0", (long long)n);
}

static void check_controller(struct violations *v, yyjson_val *status, const char *key, const char *path, bool required)
{
    yyjson_val *val = json_get(status, key);

    if (required || (val && !yyjson_is_null(val)))
        violations_enum(v, path, violations_str(v, status, key, path), running, ARRAY_SIZE(running));
}

static int admit_type_status(yyjson_val *object, struct error **err)
{
    _cleanup_violations_ struct violations v = VIOLATIONS_INIT;
    yyjson_val *status = violations_obj(&v, object, "status", "status");

    check_generation(&v, status);
    check_controller(&v, status, "propagationController", "status.propagationController", true);
    check_controller(&v, status, "statusController", "status.statusController", false);
    return violations_verdict(&v, err);
}

int fed_admit_type_config(yyjson_val *object, bool status, struct error **err)
{
    if (!yyjson_is_obj(object))
        return error_set(err, -EBADMSG, "a FederatedTypeConfig must be an object");
    return status ? admit_type_status(object, err) : fed_type_config_validate(object, err);
}

/* --- KubeFedCluster --- */

static void check_probe_time(struct violations *v, yyjson_val *condition, const char *path)
{
    yyjson_val *val = json_get(condition, "lastProbeTime");
    int64_t at = ZERO_TIME;

    if (val && !yyjson_is_null(val) && time_parse_rfc3339(json_str(val), &at) < 0)
        violations_malformed(v, path, "Invalid value: must be a time such as \"2006-01-02T15:04:05Z\"");
    else if (at == ZERO_TIME)
        violations_required(v, path);
}

static void check_condition(struct violations *v, yyjson_val *condition, size_t i)
{
    char path[64];

    if (!yyjson_is_obj(condition) && !yyjson_is_null(condition)) {
        snprintf(path, sizeof(path), "status.conditions[%zu]", i);
        violations_malformed(v, path, "Invalid value: must be an object");
        return;
    }
    snprintf(path, sizeof(path), "status.conditions[%zu].type", i);
    violations_enum(v, path, violations_str(v, condition, "type", path), condition_types, ARRAY_SIZE(condition_types));
    snprintf(path, sizeof(path), "status.conditions[%zu].status", i);
    violations_enum(v, path, violations_str(v, condition, "status", path), condition_statuses,
                    ARRAY_SIZE(condition_statuses));
    snprintf(path, sizeof(path), "status.conditions[%zu].lastProbeTime", i);
    check_probe_time(v, condition, path);
}

static int admit_cluster_status(yyjson_val *object, struct error **err)
{
    _cleanup_violations_ struct violations v = VIOLATIONS_INIT;
    yyjson_val *status = violations_obj(&v, object, "status", "status");
    yyjson_val *list = violations_list(&v, status, "conditions", "status.conditions"), *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item) check_condition(&v, item, i);
    return violations_verdict(&v, err);
}

int fed_admit_cluster(yyjson_val *object, bool status, struct error **err)
{
    if (!yyjson_is_obj(object))
        return error_set(err, -EBADMSG, "a KubeFedCluster must be an object");
    return status ? admit_cluster_status(object, err) : fed_cluster_validate(object, err);
}

/* --- KubeFedConfig --- */

int fed_admit_config(yyjson_val *object, yyjson_val *old, struct error **err)
{
    return fed_config_validate(object, yyjson_is_null(old) ? NULL : old, err);
}
