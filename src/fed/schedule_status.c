/*
 * The preference's side of a schedule: conditions, what each cluster got, and what is remembered from one schedule to the next.
 * Written only when something but times differs. See schedule_write.h.
 */
#include <stdlib.h>

#include "base/map.h"
#include "base/rtime.h"
#include "fed/schedule_write.h"

/* How long a cluster gets no more than it could schedule; doubled with each try that failed. */
#define LIMIT_S 600
#define LIMIT_DOUBLINGS 6

static yyjson_val *entry_of(yyjson_val *list, const char *key, struct str name)
{
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item) if (str_eq(json_path_str(item, key), name)) return item;
    return NULL;
}

static int64_t time_of(yyjson_val *v)
{
    int64_t t;

    return time_parse_rfc3339(json_str(v), &t) == 0 ? t : 0;
}

static void recall_limit(yyjson_val *limit, int64_t now, struct fed_schedule_cluster *c)
{
    int64_t until = time_of(json_get(limit, "until"));

    c->has_limit = json_i64(json_get(limit, "replicas"), &c->limit) == 0 && until > now;
    c->limit = fed_replicas(c->limit);
    c->limit_left_s = c->has_limit ? until - now : 0;
}

static void recall_share(yyjson_val *item, bool present, int64_t now, struct fed_schedule_cluster *c)
{
    c->has_given = json_i64(json_get(item, "replicas"), &c->given) == 0;
    recall_limit(json_get(item, "limit"), now, c);
    if (!present || c->has_previous || !c->has_given || c->given <= 0)
        return;
    c->has_previous = true;
    c->by_template = false;
    c->previous = fed_replicas(c->given);
}

static void recall_before(yyjson_val *item, struct fed_schedule_cluster *c)
{
    c->has_before = json_i64(json_get(item, "replicas"), &c->before) == 0;
    c->before = fed_replicas(c->before);
    c->was_lost = json_path_bool(item, "lost", false);
}

void fed_schedule_recall(yyjson_val *rsp, int64_t generation, int64_t now, struct fed_schedule_cluster *clusters,
                         size_t n)
{
    bool present = json_path_i64(rsp, "status.observedGeneration", -1) == generation;
    yyjson_val *item;
    size_t i, count;

    for (size_t k = 0; k < n; k++)
        clusters[k].has_before = clusters[k].was_lost = clusters[k].has_limit = clusters[k].has_given = false;
    yyjson_arr_foreach(json_path(rsp, "status.beforeLoss"), i, count, item)
    {
        size_t at = fed_schedule_find(clusters, n, json_path_str(item, "name"));

        if (at < n)
            recall_before(item, &clusters[at]);
    }
    yyjson_arr_foreach(json_path(rsp, "status.clusters"), i, count, item)
    {
        size_t at = fed_schedule_find(clusters, n, json_path_str(item, "name"));

        if (at < n)
            recall_share(item, present, now, &clusters[at]);
    }
}

/* --- limits --- */

static yyjson_mut_val *new_limit(yyjson_mut_doc *doc, int64_t replicas, int64_t tries, int64_t now)
{
    yyjson_mut_val *limit = yyjson_mut_obj(doc);
    char until[21];

    time_rfc3339(now + ((int64_t)LIMIT_S << MIN(tries, (int64_t)LIMIT_DOUBLINGS)), until);
    json_mut_set_i64(doc, limit, "replicas", replicas);
    json_mut_set_i64(doc, limit, "tries", MIN(tries, (int64_t)FED_REPLICAS_MAX) + 1);
    json_mut_set_str(doc, limit, "until", str_of(until));
    return limit;
}

/* A limit that ran out is forgotten when more than that could be scheduled since. */
static yyjson_mut_val *limit_of(yyjson_mut_doc *doc, yyjson_val *old, const struct fed_schedule_cluster *c,
                                const struct fed_schedule_share *share, int64_t now)
{
    bool running = time_of(json_get(old, "until")) > now; /* maybe since this very schedule: memory goes first */
    int64_t replicas = json_path_i64(old, "replicas", 0);
    yyjson_mut_val *copy;

    if (share->set_limit && !running)
        return new_limit(doc, share->limit, MAX(json_path_i64(old, "tries", 0), (int64_t)0), now);
    if (!old || (!running && (c->has_pods ? c->pods.bound : 0) > replicas))
        return NULL;
    copy = json_mut_copy(doc, old);
    if (share->set_limit && share->limit < replicas)
        json_mut_set_i64(doc, copy, "replicas", share->limit);
    return copy;
}

/* --- lists --- */

static yyjson_mut_val *clusters_of(yyjson_mut_doc *doc, yyjson_val *rsp, const struct fed_schedule_report *r)
{
    _cleanup_(map_done) struct map stored = MAP_INIT;
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    yyjson_val *entry;
    size_t k, n;

    yyjson_arr_foreach(json_path(rsp, "status.clusters"), k, n, entry)
        map_put(&stored, json_path_str(entry, "name"), entry);
    for (size_t i = 0; i < r->schedule->n; i++) {
        const struct fed_schedule_cluster *c = &r->input->clusters[i];
        const struct fed_schedule_share *share = &r->schedule->shares[i];
        yyjson_mut_val *item = yyjson_mut_obj(doc), *limit;

        limit = limit_of(doc, json_get(map_get(&stored, c->name), "limit"), c, share, r->now);

        if (!share->placed && !limit)
            continue;
        json_mut_set_str(doc, item, "name", c->name);
        json_mut_set_i64(doc, item, "replicas", share->replicas);
        if (limit)
            json_mut_set(doc, item, "limit", limit);
        yyjson_mut_arr_append(list, item);
    }
    return list;
}

/* Clusters that are not registered any more are forgotten; nothing else is before the shares are written. */
static yyjson_mut_val *before_of(yyjson_mut_doc *doc, const struct fed_schedule_report *r)
{
    yyjson_mut_val *list = yyjson_mut_arr(doc);

    for (size_t i = 0; i < r->input->n; i++) {
        const struct fed_schedule_cluster *c = &r->input->clusters[i];
        yyjson_mut_val *item;

        if (r->schedule->keep_before ? !c->has_previous : !c->has_before)
            continue;
        item = yyjson_mut_obj(doc);
        json_mut_set_str(doc, item, "name", c->name);
        json_mut_set_i64(doc, item, "replicas", r->schedule->keep_before ? c->previous : c->before);
        if (r->schedule->shares[i].lost || (r->memory_only && c->was_lost))
            json_mut_set_bool(doc, item, "lost", true);
        yyjson_mut_arr_append(list, item);
    }
    return (r->schedule->forget_before && !r->memory_only) || yyjson_mut_arr_size(list) == 0 ? NULL : list;
}

/* --- conditions --- */

static yyjson_mut_val *condition_of(yyjson_mut_doc *doc, yyjson_val *rsp, const char *type, const char *reason,
                                    struct str message, int64_t now)
{
    yyjson_val *old = entry_of(json_path(rsp, "status.conditions"), "type", str_of(type));
    const char *status = strcmp(type, reason) == 0 ? "True" : "False";
    yyjson_mut_val *c = yyjson_mut_obj(doc);
    struct str since = json_path_str(old, "lastTransitionTime");
    char text[21];

    time_rfc3339(now, text);
    json_mut_set_str(doc, c, "type", str_of(type));
    json_mut_set_str(doc, c, "status", str_of(status));
    json_mut_set_str(doc, c, "reason", str_of(reason));
    json_mut_set_str(doc, c, "message", message);
    json_mut_set_str(doc, c, "lastTransitionTime",
                     since.n && str_eqc(json_path_str(old, "status"), status) ? since : str_of(text));
    return c;
}

static yyjson_mut_val *conditions_of(yyjson_mut_doc *doc, yyjson_val *rsp, const struct fed_schedule_report *r)
{
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    yyjson_val *item;
    size_t i, n;

    yyjson_mut_arr_append(list, condition_of(doc, rsp, "Scheduled", r->reason, r->message, r->now));
    yyjson_mut_arr_append(list, condition_of(doc, rsp, "Valid", r->doubts_reason, r->doubts, r->now));
    yyjson_arr_foreach(json_path(rsp, "status.conditions"), i, n, item)
    {
        struct str type = json_path_str(item, "type");

        if (!str_eqc(type, "Scheduled") && !str_eqc(type, "Valid"))
            yyjson_mut_arr_append(list, json_mut_copy(doc, item));
    }
    return list;
}

static void put(yyjson_mut_doc *doc, yyjson_mut_val *status, yyjson_val *old, const char *key, yyjson_mut_val *v)
{
    if (v)
        json_mut_set(doc, status, key, v);
    else if (old && json_get(old, key))
        json_mut_set(doc, status, key, yyjson_mut_null(doc));
}

/* A null in the patch stands for something that is there, and is a difference. */
static bool differs(const yyjson_mut_val *patch, yyjson_val *old)
{
    _cleanup_json_ yyjson_doc *frozen = json_freeze_val(patch);
    yyjson_val *key, *value;
    size_t i, n;

    yyjson_obj_foreach(yyjson_doc_get_root(frozen), i, n, key,
                       value) if (!json_equal(value, json_getn(old, json_str(key)))) return true;
    return false;
}

bool fed_schedule_status_patch(struct buf *out, yyjson_val *rsp, const struct fed_schedule_report *r)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *status = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "status");
    yyjson_val *old = json_get(rsp, "status");

    if (!r->memory_only) {
        json_mut_set_i64(doc, status, "observedGeneration", r->generation);
        json_mut_set(doc, status, "conditions", conditions_of(doc, rsp, r));
    }
    if (r->schedule) {
        put(doc, status, old, "clusters", clusters_of(doc, r->memory ? r->memory : rsp, r));
        put(doc, status, old, "beforeLoss", before_of(doc, r));
    }
    if (!differs(status, old))
        return false;
    json_mut_write(out, yyjson_mut_doc_get_root(doc));
    return true;
}
