/* See pods.h. */
#include "fed/pods.h"

#include <stdlib.h>

#include "base/rtime.h"

static yyjson_val *condition_of(yyjson_val *pod, const char *type)
{
    yyjson_val *c;
    size_t i, n;

    yyjson_arr_foreach(json_path(pod, "status.conditions"), i, n,
                       c) if (str_eqc(json_path_str(c, "type"), type)) return c;
    return NULL;
}

static bool is_running(yyjson_val *pod, bool must_be_ready)
{
    yyjson_val *ready = condition_of(pod, "Ready");

    return str_eqc(json_path_str(pod, "status.phase"), "Running") && ready &&
           (!must_be_ready || str_eqc(json_path_str(ready, "status"), "True"));
}

static bool is_ending(yyjson_val *pod)
{
    return json_path_str(pod, "metadata.deletionTimestamp").n > 0;
}

/* A time that cannot be read counts as long ago: it is the scheduler's word that matters. */
static int64_t unschedulable_since(yyjson_val *pod)
{
    yyjson_val *c = condition_of(pod, "PodScheduled");
    int64_t since = 1;

    if (str_eqc(json_path_str(pod, "status.phase"), "Running") || !str_eqc(json_path_str(c, "status"), "False") ||
        !str_eqc(json_path_str(c, "reason"), "Unschedulable"))
        return 0;
    (void)time_parse_rfc3339(json_path_str(c, "lastTransitionTime"), &since);
    return MAX(since, (int64_t)1);
}

void fed_pod_project(yyjson_val *live, bool must_be_ready, yyjson_mut_doc *out)
{
    yyjson_mut_val *root = yyjson_mut_obj(out);
    yyjson_val *labels = json_path(live, "metadata.labels");
    struct str node = json_path_str(live, "spec.nodeName");
    bool ending = is_ending(live);
    int64_t since = ending ? 0 : unschedulable_since(live);

    yyjson_mut_doc_set_root(out, root);
    if (yyjson_obj_size(labels))
        json_mut_set(out, root, "labels", json_mut_copy(out, labels));
    if (node.n)
        json_mut_set_str(out, root, "node", node);
    if (is_running(live, must_be_ready))
        json_mut_set_bool(out, root, "running", true);
    if (ending)
        json_mut_set_bool(out, root, "ending", true);
    if (since)
        json_mut_set_i64(out, root, "since", since);
}

void fed_pod_read(yyjson_val *projection, struct fed_pod *ret)
{
    ret->node = json_path_str(projection, "node");
    ret->running = json_path_bool(projection, "running", false);
    ret->ending = json_path_bool(projection, "ending", false);
    ret->unschedulable_since = json_path_i64(projection, "since", 0);
}

void fed_pod_group_done(struct fed_pod_group *g)
{
    free(g->since);
    *g = (struct fed_pod_group){ 0 };
}

void fed_pod_group_add(struct fed_pod_group *g, const struct fed_pod *pod)
{
    g->total++;
    g->running += pod->running;
    g->ending += pod->ending;
    g->bound += pod->node.n > 0;
    if (!pod->unschedulable_since)
        return;
    MEM_GROW(g->since, g->cap, g->n);
    g->since[g->n++] = pod->unschedulable_since;
}

void fed_pod_group_remove(struct fed_pod_group *g, const struct fed_pod *pod)
{
    g->total--;
    g->running -= pod->running;
    g->ending -= pod->ending;
    g->bound -= pod->node.n > 0;
    for (size_t i = 0; pod->unschedulable_since && i < g->n; i++)
        if (g->since[i] == pod->unschedulable_since) {
            g->since[i] = g->since[--g->n];
            return;
        }
}

void fed_pod_group_count(const struct fed_pod_group *g, int64_t now, struct fed_pod_counts *counts)
{
    counts->total += g->total - g->ending;
    counts->running += g->running;
    counts->bound += g->bound;
    for (size_t i = 0; i < g->n; i++) {
        int64_t left = g->since[i] + FED_UNSCHEDULABLE_S - now;

        if (left < 0) {
            counts->unschedulable++;
            continue;
        }
        counts->waiting++;
        counts->next_s = counts->next_s > 0 ? MIN(counts->next_s, left + 1) : left + 1;
    }
}
