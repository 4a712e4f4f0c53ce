/*
 * KubeFedConfig: one table describes every field with its default, so that decoding, validation and defaulting cannot disagree
 * (api-and-cli.md 1.4, 4.4). A control plane without admission webhook gets the defaults here; the webhook has written them
 * into the object (config_default.c) and then insists on every field.
 */
#include <stdlib.h>

#include "base/map.h"
#include "base/rtime.h"
#include "fed/config_internal.h"
#include "fed/names.h"
#include "fed/violations.h"

#define JITTER_FACTOR 1.2
#define SECOND NSEC_PER_SEC

static const char *const scopes[] = { FED_SCOPE_CLUSTER, FED_SCOPE_NAMESPACED };
static const char *const modes[] = { FED_ENABLED, FED_DISABLED };
const char *const fed_config_locks[FED_CONFIG_LOCKS] = { "configmaps", "endpoints" };

#define DURATION(section, name, member, initial)                                                                       \
    {                                                                                                                  \
        section, name, FED_CONFIG_DURATION, offsetof(struct fed_config, member), (initial)*SECOND                      \
    }
#define OTHER(section, name, kind, member, initial)                                                                    \
    {                                                                                                                  \
        section, name, FED_CONFIG_##kind, offsetof(struct fed_config, member), initial                                 \
    }

const struct fed_config_field fed_config_fields[FED_CONFIG_FIELDS] = {
    DURATION("controllerDuration", "availableDelay", available_delay_ns, 20),
    DURATION("controllerDuration", "unavailableDelay", unavailable_delay_ns, 60),
    DURATION("controllerDuration", "cacheSyncTimeout", cache_sync_timeout_ns, 300),
    DURATION("leaderElect", "leaseDuration", lease_duration_ns, 15),
    DURATION("leaderElect", "renewDeadline", renew_deadline_ns, 10),
    DURATION("leaderElect", "retryPeriod", retry_period_ns, 5),
    OTHER("leaderElect", "resourceLock", LOCK, resource_lock, 0),
    DURATION("clusterHealthCheck", "period", health_period_ns, 10),
    OTHER("clusterHealthCheck", "failureThreshold", COUNT, failure_threshold, 3),
    OTHER("clusterHealthCheck", "successThreshold", COUNT, success_threshold, 1),
    DURATION("clusterHealthCheck", "timeout", health_timeout_ns, 3),
    OTHER("syncController", "maxConcurrentReconciles", COUNT, sync_max_concurrent, 1),
    OTHER("syncController", "adoptResources", SWITCH, adopt_resources, true),
    OTHER("statusController", "maxConcurrentReconciles", COUNT, status_max_concurrent, 1),
};

const struct fed_config_gate fed_config_gates[FED_CONFIG_GATES] = {
    { "PushReconciler", offsetof(struct fed_config, push_reconciler), true },
    { "RawResourceStatusCollection", offsetof(struct fed_config, raw_status_collection), false },
    { "SchedulerPreferences", offsetof(struct fed_config, scheduler_preferences), true },
};

const char *const fed_config_sections[FED_CONFIG_SECTIONS] = { "controllerDuration", "leaderElect",
                                                               "clusterHealthCheck", "syncController",
                                                               "statusController" };

/* One reading of an object. Strict: what is absent is missing; else it is as its default. */
struct reader {
    struct violations v;
    yyjson_val *spec;
    bool strict;
    struct fed_config *c; /* fields that cannot be read stay 0 */
};

static int64_t *number_at(struct fed_config *c, size_t offset)
{
    return (int64_t *)(void *)((char *)c + offset);
}

static bool *bool_at(struct fed_config *c, size_t offset)
{
    return (bool *)(void *)((char *)c + offset);
}

static bool is_absent(yyjson_val *v)
{
    return !v || yyjson_is_null(v);
}

/* --- single fields --- */

static void set_default(struct fed_config *c, const struct fed_config_field *f)
{
    switch (f->kind) {
    case FED_CONFIG_DURATION:
    case FED_CONFIG_COUNT: *number_at(c, f->offset) = f->initial; break;
    case FED_CONFIG_SWITCH: *bool_at(c, f->offset) = f->initial; break;
    case FED_CONFIG_LOCK: c->resource_lock = mem_strdup(fed_config_locks[f->initial]); break;
    }
}

/* KubeFed takes any positive value, so there is no upper bound: who uses one converts and adds without overflow. */
static void must_be_positive(struct reader *r, const char *path, const struct fed_config_field *f, int64_t n)
{
    char text[32];

    *number_at(r->c, f->offset) = n;
    if (n > 0)
        return;
    if (f->kind == FED_CONFIG_DURATION)
        duration_format(n, text);
    else
        snprintf(text, sizeof(text), "%lld", (long long)n);
    violations_add(&r->v, path, "Invalid value: %s: should be greater than 0", text);
}

static void read_duration(struct reader *r, yyjson_val *val, const char *path, const struct fed_config_field *f)
{
    _cleanup_error_ struct error *e = NULL;
    int64_t n = 0;

    if (!yyjson_is_str(val))
        violations_malformed(&r->v, path, "Invalid value: must be a duration in quotes, such as \"20s\"");
    else if (duration_parse(json_str(val), &n, &e) < 0)
        violations_malformed(&r->v, path, "Invalid value: %s", e->msg);
    else
        must_be_positive(r, path, f, n);
}

static void read_count(struct reader *r, yyjson_val *val, const char *path, const struct fed_config_field *f)
{
    int64_t n = 0;

    if (json_i64(val, &n) < 0)
        violations_malformed(&r->v, path, "Invalid value: must be an integer");
    else
        must_be_positive(r, path, f, n);
}

static void read_field(struct reader *r, yyjson_val *section, const struct fed_config_field *f)
{
    yyjson_val *val = json_get(section, f->name);
    struct str text;
    char path[96];

    snprintf(path, sizeof(path), "spec.%s.%s", f->section, f->name);
    if (is_absent(val)) {
        if (r->strict)
            violations_required(&r->v, path);
        else
            set_default(r->c, f);
        return;
    }
    switch (f->kind) {
    case FED_CONFIG_DURATION: read_duration(r, val, path, f); break;
    case FED_CONFIG_COUNT: read_count(r, val, path, f); break;
    case FED_CONFIG_SWITCH:
        text = violations_str(&r->v, section, f->name, path);
        violations_enum(&r->v, path, text, modes, ARRAY_SIZE(modes));
        *bool_at(r->c, f->offset) = str_eqc(text, FED_ENABLED);
        break;
    case FED_CONFIG_LOCK:
        text = violations_str(&r->v, section, f->name, path);
        violations_enum(&r->v, path, text, fed_config_locks, ARRAY_SIZE(fed_config_locks));
        r->c->resource_lock = str_dup(text);
        break;
    }
}

/* --- sections --- */

/* In floating point and truncated, as users of the original know it; without overflow. */
static int64_t with_jitter(int64_t period)
{
    return period > INT64_MAX / 2 ? INT64_MAX : (int64_t)(JITTER_FACTOR * (double)period);
}

/* The comparisons of leader election: a lease must outlive its renewal, a renewal more than one try. A duration that is
 * missing or wrong in itself is not compared. */
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

/* As the original: of a syncController without adoptResources nothing else is said. */
static bool lacks_adoption(struct reader *r, yyjson_val *section, const struct fed_config_field *f)
{
    return r->strict && strcmp(f->section, "syncController") == 0 && f->kind != FED_CONFIG_SWITCH &&
           is_absent(json_get(section, "adoptResources"));
}

static void read_section(struct reader *r, const char *name)
{
    yyjson_val *section;
    char path[64];

    snprintf(path, sizeof(path), "spec.%s", name);
    section = violations_obj(&r->v, r->spec, name, path);
    if (r->strict && is_absent(json_get(r->spec, name))) {
        violations_required(&r->v, path);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(fed_config_fields); i++) {
        const struct fed_config_field *f = &fed_config_fields[i];

        if (strcmp(f->section, name) != 0 || lacks_adoption(r, section, f))
            continue;
        if (f->kind == FED_CONFIG_LOCK) /* the durations come first */
            check_lease(&r->v, r->c);
        read_field(r, section, f);
    }
}

/* Any name may come once, also one that is not known, in its exact spelling. */
static bool is_duplicate(struct reader *r, const char *path, struct str name, struct map *seen)
{
    _cleanup_buf_ struct buf quoted = BUF_INIT((size_t)4096);

    if (!map_has(seen, name)) {
        map_put(seen, name, r);
        return false;
    }
    violations_quote(&quoted, name);
    violations_add(&r->v, path, "Duplicate value: %s", quoted.p);
    return true;
}

static void read_gate(struct reader *r, yyjson_val *item, struct map *seen)
{
    static const char list_path[] = "spec.featureGates", name_path[] = "spec.featureGates.name";
    static const char mode_path[] = "spec.featureGates.configuration";
    const char *names[ARRAY_SIZE(fed_config_gates)];
    const struct fed_config_gate *found = NULL;
    struct str name, mode;

    if (!yyjson_is_obj(item) && !yyjson_is_null(item)) {
        violations_malformed(&r->v, list_path, "Invalid value: must be objects");
        return;
    }
    name = violations_str(&r->v, item, "name", name_path);
    if (is_duplicate(r, name_path, name, seen))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(fed_config_gates); i++) {
        names[i] = fed_config_gates[i].name;
        if (str_eqc(name, names[i]))
            found = &fed_config_gates[i];
    }
    violations_enum(&r->v, name_path, name, names, ARRAY_SIZE(names));
    mode = violations_str(&r->v, item, "configuration", mode_path);
    violations_enum(&r->v, mode_path, mode, modes, ARRAY_SIZE(modes));
    if (found)
        *bool_at(r->c, found->offset) = str_eqc(mode, FED_ENABLED);
}

static void read_gates(struct reader *r)
{
    static const char path[] = "spec.featureGates";
    yyjson_val *list = violations_list(&r->v, r->spec, "featureGates", path), *item;
    struct map seen = MAP_INIT;
    size_t i, n;

    for (i = 0; i < ARRAY_SIZE(fed_config_gates); i++)
        *bool_at(r->c, fed_config_gates[i].offset) = fed_config_gates[i].initial;
    if (r->strict && is_absent(json_get(r->spec, "featureGates")))
        violations_required(&r->v, path);
    yyjson_arr_foreach(list, i, n, item) read_gate(r, item, &seen);
    map_done(&seen);
}

/* --- whole objects --- */

static void read_scope(struct reader *r, yyjson_val *old)
{
    static const char path[] = "spec.scope";
    struct str scope = violations_str(&r->v, r->spec, "scope", path);

    violations_enum(&r->v, path, scope, scopes, ARRAY_SIZE(scopes));
    if (old && !str_eq(scope, json_path_str(old, path)))
        violations_invalid(&r->v, path, scope, "field is immutable");
    r->c->namespaced = str_eqc(scope, FED_SCOPE_NAMESPACED);
}

/* In the order of api-and-cli.md 4.4. `old` is NULL unless an update is judged. */
static void read_object(struct reader *r, yyjson_val *object, yyjson_val *old)
{
    r->c->name = str_dup(json_path_str(object, "metadata.name"));
    r->spec = violations_obj(&r->v, object, "spec", "spec");
    read_scope(r, old);
    read_section(r, "controllerDuration");
    read_section(r, "leaderElect");
    read_gates(r);
    read_section(r, "clusterHealthCheck");
    read_section(r, "syncController");
    read_section(r, "statusController");
}

int fed_config_decode(yyjson_val *object, struct fed_config **ret, struct error **err)
{
    _cleanup_(fed_config_freep) struct fed_config *c = mem_zalloc(sizeof(*c));
    struct reader r = { .v = VIOLATIONS_INIT, .c = c };
    int res;

    if (!yyjson_is_obj(object))
        return error_set(err, -EINVAL, "a KubeFedConfig must be an object");
    read_object(&r, object, NULL);
    res = violations_error(&r.v, err);
    violations_done(&r.v);
    if (res < 0)
        return res;
    *ret = TAKE_PTR(c);
    return 0;
}

int fed_config_validate(yyjson_val *object, yyjson_val *old, struct error **err)
{
    _cleanup_(fed_config_freep) struct fed_config *c = mem_zalloc(sizeof(*c));
    struct reader r = { .v = VIOLATIONS_INIT, .strict = true, .c = c };
    int res;

    if (!yyjson_is_obj(object))
        return error_set(err, -EBADMSG, "a KubeFedConfig must be an object");
    read_object(&r, object, old);
    res = violations_verdict(&r.v, err);
    violations_done(&r.v);
    return res;
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
