/* See object_state.h. */
#include "cli/object_state.h"

#include <stdlib.h>

#include "fed/names.h"

#define MAX_WORDS ((size_t)1 << 20)

void object_state_done(struct object_state *s)
{
    free(s->word);
    free(s->where);
    free(s->why);
    *s = (struct object_state){ 0 };
}

yyjson_val *condition_of(yyjson_val *object, const char *type)
{
    yyjson_val *item;
    size_t i, n;
    yyjson_arr_foreach(json_path(object, "status.conditions"), i, n, item)
    {
        if (str_eqc(json_path_str(item, "type"), type))
            return item;
    }
    return NULL;
}

static bool is_good(yyjson_val *cluster)
{
    return str_empty(json_path_str(cluster, "status"));
}

static void add_name(struct buf *b, struct str name)
{
    if (b->n && b->p[b->n - 1] != ' ')
        buf_addc(b, ',');
    buf_adds(b, name);
}

/* Did an earlier cluster of the list have this status? */
static bool seen_before(yyjson_val *clusters, size_t index, struct str status)
{
    yyjson_val *item;
    size_t i, n;
    yyjson_arr_foreach(clusters, i, n, item)
    {
        if (i >= index)
            return false;
        if (str_eq(json_path_str(item, "status"), status))
            return true;
    }
    return false;
}

/* "UpdateFailed: a,b; ClusterNotReady: c". */
static void add_failures(struct buf *b, yyjson_val *clusters)
{
    yyjson_val *item, *other;
    size_t i, n, k, m;
    yyjson_arr_foreach(clusters, i, n, item)
    {
        struct str status = json_path_str(item, "status");
        if (str_empty(status) || seen_before(clusters, i, status))
            continue;
        buf_printf(b, "%s%" PRIstr ": ", b->n ? "; " : "", STRARG(status));
        yyjson_arr_foreach(clusters, k, m, other)
        {
            if (str_eq(json_path_str(other, "status"), status))
                add_name(b, json_path_str(other, "name"));
        }
    }
}

static void count_clusters(yyjson_val *clusters, struct object_state *s)
{
    struct buf where = BUF_INIT(MAX_WORDS);
    yyjson_val *item;
    size_t i, n;
    s->n_clusters = yyjson_arr_size(clusters);
    yyjson_arr_foreach(clusters, i, n, item)
    {
        if (!is_good(item))
            continue;
        s->n_good++;
        add_name(&where, json_path_str(item, "name"));
    }
    s->where = buf_take(&where, NULL);
}

static const char *meaning_of(struct str reason)
{
    static const struct {
        const char *reason, *meaning;
    } meanings[] = {
        { FED_REASON_NAMESPACE_NOT_FEDERATED, "there is no FederatedNamespace in this namespace" },
        { FED_REASON_COMPUTE_PLACEMENT_FAILED, "the placement cannot be computed" },
        { FED_REASON_CLUSTER_RETRIEVAL_FAILED, "the clusters cannot be read" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
        if (str_eqc(reason, meanings[i].reason))
            return meanings[i].meaning;
    return NULL;
}

static void set(struct object_state *s, const char *word, enum style style, bool problem, struct str since)
{
    s->word = mem_strdup(word);
    s->style = style;
    s->problem = problem;
    s->since = since;
}

static bool is_behind(yyjson_val *object)
{
    return json_path_i64(object, "status.observedGeneration", 0) < json_path_i64(object, "metadata.generation", 0);
}

static void judge_condition(yyjson_val *object, yyjson_val *condition, struct object_state *s, struct buf *why)
{
    struct str since = json_path_str(condition, "lastTransitionTime"), reason = json_path_str(condition, "reason");
    if (str_eqc(json_path_str(condition, "status"), "True")) {
        set(s, s->n_clusters ? "Propagated" : "NotPlaced", s->n_clusters ? STYLE_GOOD : STYLE_DIM, false, since);
        return;
    }
    _cleanup_free_ char *word = str_dup(str_empty(reason) ? STR("NotPropagated") : reason);
    const char *meaning = meaning_of(reason);
    set(s, word, STYLE_BAD, true, since);
    add_failures(why, json_path(object, "status.clusters"));
    if (meaning)
        buf_printf(why, "%s%s", why->n ? "; " : "", meaning);
}

static void judge(yyjson_val *object, bool running, struct object_state *s, struct buf *why)
{
    yyjson_val *condition = condition_of(object, FED_CONDITION_PROPAGATION);
    struct str deleted = json_path_str(object, "metadata.deletionTimestamp");
    if (!str_empty(deleted)) {
        set(s, "Deleting", STYLE_WARNING, s->n_good < s->n_clusters, deleted);
        add_failures(why, json_path(object, "status.clusters"));
        if (!running)
            buf_printf(why, "%sthe propagation of this type is not running", why->n ? "; " : "");
    } else if (!running) {
        set(s, "NotRunning", STYLE_WARNING, true, STR_NULL);
        buf_addz(why, "the propagation of this type is not running");
    } else if (!condition || is_behind(object)) {
        set(s, "Pending", STYLE_WARNING, false, json_path_str(object, "metadata.creationTimestamp"));
        if (condition)
            s->since = STR_NULL;
    } else {
        judge_condition(object, condition, s, why);
    }
}

void object_state_of(yyjson_val *object, bool running, struct object_state *ret)
{
    struct buf why = BUF_INIT(MAX_WORDS);
    yyjson_val *contested = condition_of(object, FED_CONDITION_CONTESTED);
    *ret = (struct object_state){ 0 };
    count_clusters(json_path(object, "status.clusters"), ret);
    judge(object, running, ret, &why);
    if (contested && str_eqc(json_path_str(contested, "status"), "True")) {
        struct str text = json_path_str(contested, "reason");
        buf_printf(&why, "%scontested: %" PRIstr, why.n ? "; " : "", STRARG(text));
        ret->problem = true;
        if (ret->style == STYLE_GOOD)
            ret->style = STYLE_WARNING;
    }
    ret->why = buf_take(&why, NULL);
}

char *names_shortened(const char *names, size_t most)
{
    struct buf b = BUF_INIT(MAX_WORDS);
    size_t n = 0, left = 0;
    for (struct str head, rest = str_of(names); !str_empty(rest); n++) {
        str_cut(rest, ',', &head, &rest);
        if (n < most)
            buf_printf(&b, "%s%" PRIstr, n ? "," : "", STRARG(head));
        else
            left++;
    }
    if (left)
        buf_printf(&b, ",+%zu", left);
    return buf_take(&b, NULL);
}
