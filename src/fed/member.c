/*
 * Projections of member objects, and when a projection shows that a write would change nothing. What is not kept is
 * represented by a hash, so that also data that is never held in memory can be compared.
 */
#include "fed/plan_internal.h"

#include <stdlib.h>

#include "fed/bound.h"
#include "fed/retain.h"

static bool is_core_kind(const struct fed_type_config *type, const char *kind)
{
    return type->target.group[0] == '\0' && strcmp(type->target.kind, kind) == 0;
}

static bool is_empty(yyjson_val *v)
{
    return !v || yyjson_is_null(v) || (yyjson_is_ctn(v) && unsafe_yyjson_get_len(v) == 0);
}

/* --- comparison --- */

/* Members that say nothing about a difference. For the kinds built into Kubernetes empty means absent. */
static bool is_content(const struct fed_type_config *type, struct str key, yyjson_val *value)
{
    static const char *const apart[] = { "apiVersion", "kind", "metadata", "status" };

    for (size_t i = 0; i < ARRAY_SIZE(apart); i++)
        if (str_eqc(key, apart[i]))
            return false;
    if (!fed_type_keeps_status(type) && is_empty(value))
        return false;
    if (is_core_kind(type, "Namespace") && str_eqc(key, "spec"))
        return false; /* only finalizers, which an update cannot change */
    if (is_core_kind(type, "Secret") && str_eqc(key, "type"))
        return !str_eqc(json_str(value), "Opaque"); /* the default */
    return true;
}

static uint64_t hash_pair(struct str key, uint64_t value)
{
    uint64_t pair[2] = { str_hash(key), value };

    return str_hash(str_n((const char *)pair, sizeof(pair)));
}

/* Hash of a value without the member at `path` below it: the replica count is looked at by itself. */
static uint64_t hash_without(yyjson_val *v, struct str path)
{
    struct str head, rest;
    bool deeper = str_cut(path, '.', &head, &rest);
    yyjson_val *key, *value;
    uint64_t sum = 0;
    size_t i, n;

    if (!yyjson_is_obj(v))
        return json_hash(v);
    yyjson_obj_foreach(v, i, n, key, value)
    {
        if (!str_eq(json_str(key), head))
            sum += hash_pair(json_str(key), json_hash(value));
        else if (deeper)
            sum += hash_pair(json_str(key), hash_without(value, rest));
    }
    return sum;
}

uint64_t member_content(const struct fed_type_config *type, yyjson_val *object)
{
    struct str head, rest;
    yyjson_val *key, *value;
    size_t i, n;
    uint64_t sum = 0;

    str_cut(str_of(member_replicas_path(type)), '.', &head, &rest);
    yyjson_obj_foreach(object, i, n, key, value)
    {
        if (is_content(type, json_str(key), value))
            sum += hash_pair(json_str(key), str_eq(json_str(key), head) ? hash_without(value, rest) : json_hash(value));
    }
    return sum;
}

const char *member_replicas_path(const struct fed_type_config *type)
{
    return type->replicas_path ? type->replicas_path : "spec.replicas";
}

static bool replicas_are_equal(const struct fed_type_config *type, yyjson_val *desired, yyjson_val *projection)
{
    return json_equal(json_path(desired, member_replicas_path(type)), json_path(projection, "spec.replicas"));
}

bool member_metadata_equal(yyjson_val *desired, yyjson_val *projection)
{
    static const char *const parts[] = { "labels", "annotations", "finalizers", "ownerReferences" };
    yyjson_val *a = json_get(desired, "metadata"), *b = json_get(projection, "metadata");

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        yyjson_val *x = json_get(a, parts[i]), *y = json_get(b, parts[i]);

        if (is_empty(x) || is_empty(y) ? !is_empty(x) || !is_empty(y) : !json_equal(x, y))
            return false;
    }
    return true;
}

/* A status in the template may be meant to be written; one that was carried over is the member's own. */
static bool status_is_equal(yyjson_val *desired, yyjson_val *projection)
{
    yyjson_val *wanted = json_get(desired, "status");

    return !wanted || json_equal(wanted, json_get(projection, "status"));
}

/* Members are read and written at the type's own version: only they can say what another would mean. */
static bool has_own_version(const struct fed_type_config *type, yyjson_val *desired)
{
    struct str version = json_path_str(desired, "apiVersion"), group = str_of(type->target.group), head, tail;

    if (!str_cut(version, '/', &head, &tail))
        return group.n == 0 && str_eqc(version, type->target.version);
    return str_eq(head, group) && str_eqc(tail, type->target.version);
}

bool member_is_as_desired(const struct fed_type_config *type, yyjson_val *desired, yyjson_val *projection)
{
    yyjson_val *content = json_get(projection, "content");

    return yyjson_is_uint(content) && has_own_version(type, desired) && member_metadata_equal(desired, projection) &&
           replicas_are_equal(type, desired, projection) && status_is_equal(desired, projection) &&
           yyjson_get_uint(content) == member_content(type, desired);
}

/* --- projection --- */

static void project_metadata(yyjson_val *live, yyjson_mut_doc *out, yyjson_mut_val *root)
{
    static const char *const kept[] = { "labels", "annotations", "finalizers", "ownerReferences" };
    yyjson_mut_val *metadata = yyjson_mut_obj(out);
    yyjson_val *from = json_get(live, "metadata");

    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        yyjson_val *v = json_get(from, kept[i]);

        if (!is_empty(v))
            json_mut_set(out, metadata, kept[i], json_mut_copy(out, v));
    }
    json_mut_set(out, root, "metadata", metadata);
}

/* A value that retention will refuse needs no more than its type. */
static void project_replicas(const struct fed_type_config *type, yyjson_val *live, yyjson_mut_doc *out,
                             yyjson_mut_val *root)
{
    yyjson_val *replicas = json_path(live, member_replicas_path(type));

    if (replicas)
        json_mut_set(out, json_mut_ensure_obj(out, root, "spec"), "replicas",
                     yyjson_is_int(replicas) ? json_mut_copy(out, replicas) : yyjson_mut_null(out));
}

static void project_member(yyjson_val *live, const char *key, yyjson_mut_doc *out, yyjson_mut_val *root)
{
    yyjson_val *v = json_get(live, key);

    if (v)
        json_mut_set(out, root, key, json_mut_copy(out, v));
}

bool fed_member_scaled(yyjson_val *old, yyjson_val *now)
{
    yyjson_val *a = json_get(old, "content"), *b = json_get(now, "content");

    return yyjson_is_uint(a) && yyjson_is_uint(b) && yyjson_get_uint(a) == yyjson_get_uint(b) &&
           !json_equal(json_path(old, "spec.replicas"), json_path(now, "spec.replicas"));
}

void fed_member_project(const struct fed_type_config *type, bool raw, yyjson_val *live, yyjson_mut_doc *out)
{
    yyjson_mut_val *root = yyjson_mut_obj(out);

    yyjson_mut_doc_set_root(out, root);
    project_metadata(live, out, root);
    json_mut_set(out, root, "content", yyjson_mut_uint(out, member_content(type, live)));
    if (is_core_kind(type, "Service"))
        project_member(live, "spec", out, root);
    else if (is_core_kind(type, "ServiceAccount"))
        project_member(live, "secrets", out, root);
    else
        project_replicas(type, live, out, root);
    bound_project(type, live, out, root);
    if ((raw && type->status_collection) || fed_type_keeps_status(type))
        project_member(live, "status", out, root);
}

/* --- scheduling --- */

/* Types of Kubernetes itself leave out what is 0. */
static yyjson_val *ready_replicas(const struct fed_type_config *type, yyjson_val *live)
{
    yyjson_val *ready = json_path(live, "status.readyReplicas");

    if (ready || !type->status_replicas_path || !fed_type_is_custom(type))
        return ready;
    return json_path(live, type->status_replicas_path);
}

void fed_member_project_schedule(const struct fed_type_config *type, yyjson_val *live, yyjson_mut_doc *out)
{
    yyjson_mut_val *schedule = yyjson_mut_obj(out);
    yyjson_val *ready = ready_replicas(type, live), *labels = json_path(live, "spec.selector.matchLabels");

    if (yyjson_is_int(ready))
        json_mut_set(out, schedule, "ready", json_mut_copy(out, ready));
    if (yyjson_is_obj(labels))
        json_mut_set(out, schedule, "labels", json_mut_copy(out, labels));
    json_mut_set(out, yyjson_mut_doc_get_root(out), "schedule", schedule); /* the last member: see below */
}

/* Up to `schedule`, which is the last member: inside of strings its quotes would be escaped. */
static struct str without_schedule(struct str text)
{
    static const char mark[] = ",\"schedule\":{";
    size_t n = sizeof(mark) - 1;

    for (size_t i = text.n >= n ? text.n - n + 1 : 0; i-- > 0;)
        if (memcmp(text.p + i, mark, n) == 0)
            return str_n(text.p, i);
    return text;
}

bool fed_member_same_but_schedule(struct str old, struct str now)
{
    return str_eq(without_schedule(old), without_schedule(now));
}
