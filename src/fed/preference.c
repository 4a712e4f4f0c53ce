/* See preference.h. Every field is looked at, so that a user sees all that is wrong at once. */
#include "fed/preference.h"

#include <stdlib.h>

#include "base/rtime.h"
#include "fed/planner.h"
#include "fed/violations.h"

#define PATH_MAX_SHOWN 160
#define TOLERANCE_PERCENT 10
/* Ten years: what is longer than that means never, and sums of it fit. */
#define DELAY_MAX_S ((int64_t)10 * 366 * 86400)

static bool is_absent(yyjson_val *v)
{
    return !v || yyjson_is_null(v);
}

static int64_t decode_count(struct violations *v, yyjson_val *obj, const char *key, const char *path, int64_t absent)
{
    yyjson_val *val = json_get(obj, key);
    int64_t n;

    if (is_absent(val))
        return absent;
    if (json_i64(val, &n) < 0)
        violations_add(v, path, "Invalid value: must be an integer");
    else if (n < 0)
        violations_add(v, path, "Invalid value: %lld: must not be negative", (long long)n);
    else if (n > FED_PLANNER_MAX)
        violations_add(v, path, "Invalid value: %lld: must not be greater than %d", (long long)n, FED_PLANNER_MAX);
    else
        return n;
    return absent;
}

static bool decode_bool(struct violations *v, yyjson_val *obj, const char *key, const char *path)
{
    yyjson_val *val = json_get(obj, key);

    if (!is_absent(val) && !yyjson_is_bool(val))
        violations_add(v, path, "Invalid value: must be true or false");
    return yyjson_is_true(val);
}

/* --- shares and delays --- */

static bool parse_percent(struct str text, int64_t *ret)
{
    if (!str_has_suffix(text, STR("%")))
        return false;
    text.n--;
    return str_to_i64(text, ret) == 0 && *ret >= 0 && *ret <= 100;
}

static struct fed_share decode_share(struct violations *v, yyjson_val *obj, const char *key, const char *path,
                                     int64_t absent_percent, int64_t least)
{
    yyjson_val *val = json_get(obj, key);
    struct fed_share share = { .percent = true, .value = absent_percent };
    int64_t n = -1;

    if (is_absent(val))
        return share;
    share.percent = yyjson_is_str(val) && parse_percent(json_str(val), &n);
    if (!share.percent && json_i64(val, &n) < 0)
        n = -1;
    if (n < least || n > FED_PLANNER_MAX)
        violations_add(v, path, "Invalid value: must be a number of replicas or a percentage such as \"25%%\"%s",
                       least > 0 ? ", and not 0" : "");
    share.value = n;
    return share;
}

static int64_t decode_delay(struct violations *v, yyjson_val *obj, const char *key, const char *path)
{
    yyjson_val *val = json_get(obj, key);
    int64_t ns;

    if (is_absent(val))
        return -1;
    if (!yyjson_is_str(val) || duration_parse(json_str(val), &ns, NULL) < 0 || ns < 0) {
        violations_add(v, path, "Invalid value: must be a duration in quotes, such as \"5m\"");
        return -1;
    }
    return MIN(ns / NSEC_PER_SEC + (ns % NSEC_PER_SEC != 0), DELAY_MAX_S);
}

int64_t fed_share_of(struct fed_share share, int64_t total)
{
    if (!share.percent)
        return share.value;
    return (share.value * total + 99) / 100;
}

/* --- clusters --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct fed_preference_cluster *)a)->name, ((const struct fed_preference_cluster *)b)->name);
}

static void decode_cluster(struct violations *v, struct str name, yyjson_val *obj, struct fed_preference_cluster *c)
{
    char path[PATH_MAX_SHOWN], full[PATH_MAX_SHOWN + 16];

    snprintf(path, sizeof(path), "spec.clusters[%.*s]", (int)MIN(name.n, (size_t)64), name.p);
    *c = (struct fed_preference_cluster){ .name = str_dup(name), .max = -1 };
    if (!is_absent(obj) && !yyjson_is_obj(obj)) {
        violations_add(v, path, "Invalid value: must be an object");
        return;
    }
    snprintf(full, sizeof(full), "%s.minReplicas", path);
    c->min = decode_count(v, obj, "minReplicas", full, 0);
    snprintf(full, sizeof(full), "%s.weight", path);
    c->weight = decode_count(v, obj, "weight", full, 0);
    snprintf(full, sizeof(full), "%s.maxReplicas", path);
    c->max = decode_count(v, obj, "maxReplicas", full, -1);
    if (c->max >= 0 && c->max < c->min)
        violations_add(v, full, "Invalid value: %lld: must not be less than minReplicas, %lld", (long long)c->max,
                       (long long)c->min);
}

static void decode_clusters(struct violations *v, yyjson_val *spec, struct fed_preference *p)
{
    yyjson_val *map = json_get(spec, "clusters"), *key, *value;
    size_t i, n;

    if (!is_absent(map) && !yyjson_is_obj(map))
        violations_add(v, "spec.clusters", "Invalid value: must be an object");
    p->clusters = mem_array(yyjson_obj_size(map) + 1, sizeof(*p->clusters));
    if (yyjson_is_obj(map))
        yyjson_obj_foreach(map, i, n, key, value)
            decode_cluster(v, json_str(key), value, &p->clusters[p->n_clusters++]);
    if (p->n_clusters == 0)
        p->clusters[p->n_clusters++] = (struct fed_preference_cluster){ mem_strdup("*"), 0, 1, -1 };
    qsort(p->clusters, p->n_clusters, sizeof(*p->clusters), by_name);
}

/* --- the whole --- */

static const char *const strategies[] = { [FED_BY_WEIGHTS] = "Weights", [FED_BY_FREE_RESOURCES] = "FreeResources" };

bool fed_preference_is_by_room(yyjson_val *rsp)
{
    return str_eqc(json_path_str(rsp, "spec.strategy"), strategies[FED_BY_FREE_RESOURCES]);
}

static void decode_strategy(struct violations *v, yyjson_val *spec, struct fed_preference *p)
{
    struct str s = violations_str(v, spec, "strategy", "spec.strategy");

    if (s.n)
        violations_enum(v, "spec.strategy", s, strategies, ARRAY_SIZE(strategies));
    p->strategy = str_eqc(s, strategies[FED_BY_FREE_RESOURCES]) ? FED_BY_FREE_RESOURCES : FED_BY_WEIGHTS;
    p->tolerance = decode_share(v, spec, "rebalanceTolerance", "spec.rebalanceTolerance", TOLERANCE_PERCENT, 0);
}

static void decode_failover(struct violations *v, yyjson_val *spec, struct fed_preference *p)
{
    yyjson_val *f = json_get(spec, "failover");

    p->has_failover = yyjson_is_obj(f);
    if (!is_absent(f) && !p->has_failover)
        violations_add(v, "spec.failover", "Invalid value: must be an object");
    p->lost_after_s = decode_delay(v, f, "after", "spec.failover.after");
    p->return_after_s = decode_delay(v, f, "returnAfter", "spec.failover.returnAfter");
    p->max_moved = decode_share(v, f, "maxMoved", "spec.failover.maxMoved", 100, 1);
}

int fed_preference_decode(yyjson_val *rsp, struct fed_preference **ret, struct error **err)
{
    _cleanup_violations_ struct violations v = VIOLATIONS_INIT;
    _cleanup_(fed_preference_freep) struct fed_preference *p = mem_zalloc(sizeof(*p));
    yyjson_val *spec = json_get(rsp, "spec");
    int r;

    if (is_absent(json_get(spec, "totalReplicas")))
        violations_required(&v, "spec.totalReplicas");
    p->target_kind = str_dup(violations_str(&v, spec, "targetKind", "spec.targetKind"));
    if (p->target_kind[0] == '\0')
        violations_required(&v, "spec.targetKind");
    p->total = decode_count(&v, spec, "totalReplicas", "spec.totalReplicas", 0);
    p->rebalance = decode_bool(&v, spec, "rebalance", "spec.rebalance");
    p->intersect = decode_bool(&v, spec, "intersectWithClusterSelector", "spec.intersectWithClusterSelector");
    decode_strategy(&v, spec, p);
    decode_failover(&v, spec, p);
    decode_clusters(&v, spec, p);
    r = violations_error(&v, err);
    if (r == 0)
        *ret = TAKE_PTR(p);
    return r;
}

void fed_preference_free(struct fed_preference *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_clusters; i++)
        free(p->clusters[i].name);
    free(p->clusters);
    free(p->target_kind);
    free(p);
}

static int find(const void *name, const void *entry)
{
    return str_cmp(*(const struct str *)name, str_of(((const struct fed_preference_cluster *)entry)->name));
}

const struct fed_preference_cluster *fed_preference_for(const struct fed_preference *p, struct str cluster)
{
    static const struct str any = STR("*");
    const struct fed_preference_cluster *c = bsearch(&cluster, p->clusters, p->n_clusters, sizeof(*c), find);

    return c ? c : bsearch(&any, p->clusters, p->n_clusters, sizeof(*c), find);
}
