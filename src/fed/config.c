/*
 * KubeFedConfig: one table describes every field with its default, so that decoding, defaulting and the default object
 * cannot disagree (api-and-cli.md 1.4). A control plane without admission webhook gets the defaults here.
 */
#include "fed/config.h"

#include <stdlib.h>

#include "base/rtime.h"
#include "fed/names.h"
#include "fed/violations.h"

#define JITTER_FACTOR 1.2
#define SECOND NSEC_PER_SEC

static const char *const scopes[] = { FED_SCOPE_CLUSTER, FED_SCOPE_NAMESPACED };
static const char *const modes[] = { FED_ENABLED, FED_DISABLED };
static const char *const locks[] = { "configmaps", "endpoints" };

enum field_kind { DURATION, COUNT };

/* Integers of both kinds are int64_t members; durations in nanoseconds. */
static const struct field {
    const char *section, *name;
    enum field_kind kind;
    size_t offset;
    int64_t initial;
} fields[] = {
    { "controllerDuration", "availableDelay", DURATION, offsetof(struct fed_config, available_delay_ns), 20 * SECOND },
    { "controllerDuration", "unavailableDelay", DURATION, offsetof(struct fed_config, unavailable_delay_ns),
      60 * SECOND },
    { "controllerDuration", "cacheSyncTimeout", DURATION, offsetof(struct fed_config, cache_sync_timeout_ns),
      300 * SECOND },
    { "leaderElect", "leaseDuration", DURATION, offsetof(struct fed_config, lease_duration_ns), 15 * SECOND },
    { "leaderElect", "renewDeadline", DURATION, offsetof(struct fed_config, renew_deadline_ns), 10 * SECOND },
    { "leaderElect", "retryPeriod", DURATION, offsetof(struct fed_config, retry_period_ns), 5 * SECOND },
    { "clusterHealthCheck", "period", DURATION, offsetof(struct fed_config, health_period_ns), 10 * SECOND },
    { "clusterHealthCheck", "failureThreshold", COUNT, offsetof(struct fed_config, failure_threshold), 3 },
    { "clusterHealthCheck", "successThreshold", COUNT, offsetof(struct fed_config, success_threshold), 1 },
    { "clusterHealthCheck", "timeout", DURATION, offsetof(struct fed_config, health_timeout_ns), 3 * SECOND },
    { "syncController", "maxConcurrentReconciles", COUNT, offsetof(struct fed_config, sync_max_concurrent), 1 },
    { "statusController", "maxConcurrentReconciles", COUNT, offsetof(struct fed_config, status_max_concurrent), 1 },
};

static const struct gate {
    const char *name;
    size_t offset; /* of a bool */
    bool initial;
} gates[] = {
    { "PushReconciler", offsetof(struct fed_config, push_reconciler), true },
    { "RawResourceStatusCollection", offsetof(struct fed_config, raw_status_collection), false },
    { "SchedulerPreferences", offsetof(struct fed_config, scheduler_preferences), true },
};

static int64_t *number_at(struct fed_config *c, const struct field *f)
{
    return (int64_t *)(void *)((char *)c + f->offset);
}

static bool *gate_at(struct fed_config *c, const struct gate *g)
{
    return (bool *)(void *)((char *)c + g->offset);
}

static bool is_absent(yyjson_val *v)
{
    return !v || yyjson_is_null(v);
}

/* --- decoding --- */

static void must_be_positive(struct violations *v, const char *path, const struct field *f, int64_t n)
{
    char text[32];

    if (n > 0)
        return;
    if (f->kind == DURATION)
        duration_format(n, text);
    else
        snprintf(text, sizeof(text), "%lld", (long long)n);
    violations_add(v, path, "Invalid value: %s: should be greater than 0", text);
}

static void decode_field(struct violations *v, yyjson_val *spec, const struct field *f, struct fed_config *c)
{
    yyjson_val *val = json_get(json_get(spec, f->section), f->name);
    _cleanup_error_ struct error *e = NULL;
    char path[96];
    int64_t n = f->initial;

    snprintf(path, sizeof(path), "spec.%s.%s", f->section, f->name);
    if (is_absent(val)) {
        *number_at(c, f) = n;
        return;
    }
    if (f->kind == COUNT && json_i64(val, &n) < 0) {
        violations_add(v, path, "Invalid value: must be an integer");
        return;
    }
    if (f->kind == DURATION && !yyjson_is_str(val)) {
        violations_add(v, path, "Invalid value: must be a duration in quotes, such as \"20s\"");
        return;
    }
    if (f->kind == DURATION && duration_parse(json_str(val), &n, &e) < 0) {
        violations_add(v, path, "Invalid value: %.256s", e->msg);
        return;
    }
    must_be_positive(v, path, f, n);
    *number_at(c, f) = n;
}

static struct str text_or(struct violations *v, yyjson_val *obj, const char *key, const char *path,
                          const char *fallback)
{
    yyjson_val *val = json_get(obj, key);

    return is_absent(val) ? str_of(fallback) : violations_str(v, obj, key, path);
}

static void decode_lock(struct violations *v, yyjson_val *spec, struct fed_config *c)
{
    static const char path[] = "spec.leaderElect.resourceLock";
    struct str lock = text_or(v, json_get(spec, "leaderElect"), "resourceLock", path, locks[0]);

    violations_enum(v, path, lock, locks, ARRAY_SIZE(locks));
    c->resource_lock = str_dup(lock);
}

/* In floating point and truncated, as users of the original know it; without overflow. */
static int64_t with_jitter(int64_t period)
{
    return period > INT64_MAX / 2 ? INT64_MAX : (int64_t)(JITTER_FACTOR * (double)period);
}

/* The comparisons of leader election: a lease must outlive its renewal, a renewal more than one try. A duration that is
 * wrong in itself is not compared. */
static void check_lease(struct violations *v, const struct fed_config *c)
{
    char text[32];

    if (c->lease_duration_ns > 0 && c->renew_deadline_ns > 0 && c->lease_duration_ns <= c->renew_deadline_ns) {
        duration_format(c->lease_duration_ns, text);
        violations_add(v, "spec.leaderElect.leaseDuration",
                       "Invalid value: %s: leaseDuration must be greater than renewDeadline", text);
    }
    if (c->renew_deadline_ns > 0 && c->retry_period_ns > 0 && c->renew_deadline_ns <= with_jitter(c->retry_period_ns)) {
        duration_format(c->renew_deadline_ns, text);
        violations_add(v, "spec.leaderElect.renewDeadline",
                       "Invalid value: %s: renewDeadline must be greater than retryPeriod*JitterFactor(1.2)", text);
    }
}

static void decode_gate(struct violations *v, yyjson_val *item, bool *seen, struct fed_config *c)
{
    static const char name_path[] = "spec.featureGates.name", mode_path[] = "spec.featureGates.configuration";
    const char *names[ARRAY_SIZE(gates)];
    struct str name = violations_str(v, item, "name", name_path);
    struct str mode;

    for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
        names[i] = gates[i].name;
        if (!str_eqc(name, gates[i].name))
            continue;
        if (seen[i]) {
            violations_add(v, name_path, "Duplicate value: \"%s\"", gates[i].name);
            return;
        }
        seen[i] = true;
    }
    violations_enum(v, name_path, name, names, ARRAY_SIZE(names));
    mode = violations_str(v, item, "configuration", mode_path);
    violations_enum(v, mode_path, mode, modes, ARRAY_SIZE(modes));
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
        if (str_eqc(name, gates[i].name))
            *gate_at(c, &gates[i]) = str_eqc(mode, FED_ENABLED);
}

static void decode_gates(struct violations *v, yyjson_val *spec, struct fed_config *c)
{
    yyjson_val *list = json_get(spec, "featureGates"), *item;
    bool seen[ARRAY_SIZE(gates)] = { false };
    size_t i, n;

    for (i = 0; i < ARRAY_SIZE(gates); i++)
        *gate_at(c, &gates[i]) = gates[i].initial;
    if (!is_absent(list) && !yyjson_is_arr(list))
        violations_add(v, "spec.featureGates", "Invalid value: must be a list");
    yyjson_arr_foreach(list, i, n, item) decode_gate(v, item, seen, c);
}

static void decode_sections(struct violations *v, yyjson_val *spec, const char *section, struct fed_config *c)
{
    yyjson_val *val = json_get(spec, section);
    char path[64];

    if (!is_absent(val) && !yyjson_is_obj(val)) {
        snprintf(path, sizeof(path), "spec.%s", section);
        violations_add(v, path, "Invalid value: must be an object");
    }
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (strcmp(fields[i].section, section) == 0)
            decode_field(v, spec, &fields[i], c);
}

static void decode_spec(struct violations *v, yyjson_val *spec, struct fed_config *c)
{
    struct str scope = violations_str(v, spec, "scope", "spec.scope"), adopt;

    violations_enum(v, "spec.scope", scope, scopes, ARRAY_SIZE(scopes));
    c->namespaced = str_eqc(scope, FED_SCOPE_NAMESPACED);
    decode_sections(v, spec, "controllerDuration", c);
    decode_sections(v, spec, "leaderElect", c);
    check_lease(v, c);
    decode_lock(v, spec, c);
    decode_gates(v, spec, c);
    decode_sections(v, spec, "clusterHealthCheck", c);
    decode_sections(v, spec, "syncController", c);
    adopt = text_or(v, json_get(spec, "syncController"), "adoptResources", "spec.syncController.adoptResources",
                    FED_ENABLED);
    violations_enum(v, "spec.syncController.adoptResources", adopt, modes, ARRAY_SIZE(modes));
    c->adopt_resources = str_eqc(adopt, FED_ENABLED);
    decode_sections(v, spec, "statusController", c);
}

int fed_config_decode(yyjson_val *object, struct fed_config **ret, struct error **err)
{
    _cleanup_(fed_config_freep) struct fed_config *c = mem_zalloc(sizeof(*c));
    _cleanup_violations_ struct violations v = VIOLATIONS_INIT;
    int r;

    if (!yyjson_is_obj(object))
        return error_set(err, -EINVAL, "a KubeFedConfig must be an object");
    c->name = str_dup(json_path_str(object, "metadata.name"));
    decode_spec(&v, json_get(object, "spec"), c);
    r = violations_error(&v, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(c);
    return 0;
}

struct fed_config *fed_config_copy(const struct fed_config *c)
{
    struct fed_config *copy = mem_alloc(sizeof(*copy));

    *copy = *c;
    copy->name = mem_strdup(c->name);
    copy->resource_lock = mem_strdup(c->resource_lock);
    return copy;
}

void fed_config_free(struct fed_config *c)
{
    if (!c)
        return;
    free(c->name);
    free(c->resource_lock);
    free(c);
}

/* --- the default object --- */

static void set_default(yyjson_mut_doc *doc, yyjson_mut_val *spec, const struct field *f)
{
    yyjson_mut_val *section = json_mut_ensure_obj(doc, spec, f->section);
    char text[32];

    if (f->kind == COUNT) {
        json_mut_set_i64(doc, section, f->name, f->initial);
        return;
    }
    duration_format(f->initial, text);
    json_mut_set_str(doc, section, f->name, str_of(text));
}

yyjson_mut_doc *fed_config_default_object(const char *ns, const char *scope)
{
    yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *metadata, *spec, *list;

    json_mut_set_str(doc, root, "apiVersion", STR(FED_CORE_API_VERSION));
    json_mut_set_str(doc, root, "kind", STR(FED_CONFIG_KIND));
    metadata = json_mut_ensure_obj(doc, root, "metadata");
    json_mut_set_str(doc, metadata, "name", STR(FED_CONFIG_NAME));
    json_mut_set_str(doc, metadata, "namespace", str_of(ns));
    spec = json_mut_ensure_obj(doc, root, "spec");
    json_mut_set_str(doc, spec, "scope", str_of(scope));
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        set_default(doc, spec, &fields[i]);
    json_mut_set_str(doc, json_mut_ensure_obj(doc, spec, "leaderElect"), "resourceLock", str_of(locks[0]));
    json_mut_set_str(doc, json_mut_ensure_obj(doc, spec, "syncController"), "adoptResources", STR(FED_ENABLED));
    list = yyjson_mut_arr(doc);
    json_mut_set(doc, spec, "featureGates", list);
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
        yyjson_mut_val *gate = yyjson_mut_obj(doc);

        json_mut_set_str(doc, gate, "name", str_of(gates[i].name));
        json_mut_set_str(doc, gate, "configuration", str_of(gates[i].initial ? FED_ENABLED : FED_DISABLED));
        yyjson_mut_arr_append(list, gate);
    }
    return doc;
}
