/*
 * Propagation status (controllers.md 6.4): compares what a run found with what the object shows, and builds the new status
 * only when something differs. Lists are brought into the order of names first, so that every comparison is one walk.
 */
#include "fed/status.h"

#include <stdlib.h>

#include "base/rtime.h"
#include "fed/names.h"

bool fed_status_is_recoverable(const char *status)
{
    static const char *const recoverable[] = {
        FED_STATUS_CREATION_FAILED,         FED_STATUS_UPDATE_FAILED,    FED_STATUS_DELETION_FAILED,
        FED_STATUS_LABEL_REMOVAL_FAILED,    FED_STATUS_RETRIEVAL_FAILED, FED_STATUS_CLIENT_RETRIEVAL_FAILED,
        FED_STATUS_CREATION_TIMED_OUT,      FED_STATUS_UPDATE_TIMED_OUT, FED_STATUS_DELETION_TIMED_OUT,
        FED_STATUS_LABEL_REMOVAL_TIMED_OUT,
    };

    for (size_t i = 0; status && i < ARRAY_SIZE(recoverable); i++)
        if (strcmp(status, recoverable[i]) == 0)
            return true;
    return false;
}

/* One cluster of the new status. `remote` lives in the document under construction. */
struct entry {
    struct str name, status;
    yyjson_mut_val *remote;
};

struct work {
    const struct fed_status_input *in;
    yyjson_mut_doc *doc;
    struct entry *entries; /* sorted by name */
    const char *reason;
    bool any_remote;
};

/* --- inputs --- */

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return str_cmp(x->name, y->name);
}

/* A copy without null members: an API server that merges a patch drops them, and the next comparison must not differ. */
static yyjson_mut_val *copy_without_nulls(yyjson_mut_doc *doc, yyjson_val *v)
{
    yyjson_val *key, *item;
    yyjson_mut_val *out;
    size_t i, n;

    if (yyjson_is_obj(v)) {
        out = yyjson_mut_obj(doc);
        yyjson_obj_foreach(v, i, n, key, item)
        {
            if (!yyjson_is_null(item))
                yyjson_mut_obj_add(out, json_mut_copy(doc, key), copy_without_nulls(doc, item));
        }
        return out;
    }
    if (yyjson_is_arr(v)) {
        out = yyjson_mut_arr(doc);
        yyjson_arr_foreach(v, i, n, item) yyjson_mut_arr_append(out, copy_without_nulls(doc, item));
        return out;
    }
    return json_mut_copy(doc, v);
}

static void gather(struct work *w)
{
    const struct fed_status_input *in = w->in;

    w->entries = mem_array(in->n_clusters + 1, sizeof(*w->entries));
    for (size_t i = 0; i < in->n_clusters; i++) {
        const struct fed_status_cluster *c = &in->clusters[i];
        bool has_remote = c->remote && !yyjson_is_null(c->remote);

        w->entries[i] = (struct entry){ .name = c->name, .status = str_of(c->status ? c->status : FED_STATUS_OK) };
        if (has_remote)
            w->entries[i].remote = copy_without_nulls(w->doc, c->remote);
        w->any_remote |= has_remote;
    }
    qsort(w->entries, in->n_clusters, sizeof(*w->entries), compare_entries);
}

/* that no member has a status says something about the kind, not about the propagation. */
static const char *aggregate_reason(const struct work *w)
{
    const struct fed_status_input *in = w->in;

    if (in->reason && in->reason[0])
        return in->reason;
    for (size_t i = 0; i < in->n_clusters; i++) {
        bool lacks_remote = in->raw_status && w->any_remote && !w->entries[i].remote;

        if (w->entries[i].status.n || lacks_remote)
            return FED_REASON_CHECK_CLUSTERS;
    }
    return FED_REASON_SUCCESS;
}

/* --- comparison --- */

static bool entry_differs(const struct work *w, const struct entry *e, yyjson_val *stored)
{
    yyjson_val *remote = json_get(stored, "remoteStatus");

    if (!str_eq(json_path_str(stored, "name"), e->name) || !str_eq(json_path_str(stored, "status"), e->status))
        return true;
    if (e->remote)
        return !json_mut_equal(e->remote, remote);
    return w->in->raw_status && remote;
}

struct stored_entry {
    struct str name;
    yyjson_val *val;
};

static int compare_stored(const void *a, const void *b)
{
    const struct stored_entry *x = a, *y = b;

    return str_cmp(x->name, y->name);
}

static bool clusters_differ(const struct work *w)
{
    yyjson_val *list = json_get(w->in->previous, "clusters"), *item;
    _cleanup_free_ struct stored_entry *stored = NULL;
    size_t i, n;

    if (yyjson_arr_size(list) != w->in->n_clusters)
        return true;
    stored = mem_array(w->in->n_clusters + 1, sizeof(*stored));
    yyjson_arr_foreach(list, i, n, item) stored[i] = (struct stored_entry){ json_path_str(item, "name"), item };
    qsort(stored, w->in->n_clusters, sizeof(*stored), compare_stored);
    for (i = 0; i < w->in->n_clusters; i++)
        if (entry_differs(w, &w->entries[i], stored[i].val))
            return true;
    return false;
}

static yyjson_val *find_condition(yyjson_val *previous, const char *type)
{
    yyjson_val *list = json_get(previous, "conditions"), *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item) if (str_eqc(json_path_str(item, "type"), type)) return item;
    return NULL;
}

static const char *condition_status(const struct work *w)
{
    return w->reason[0] ? "False" : "True";
}

static bool condition_differs(const struct work *w, yyjson_val *condition)
{
    return !condition || !str_eqc(json_path_str(condition, "status"), condition_status(w)) ||
           !str_eqc(json_path_str(condition, "reason"), w->reason);
}

static bool contest_differs(const struct work *w)
{
    yyjson_val *shown = find_condition(w->in->previous, FED_CONDITION_CONTESTED);

    return (shown != NULL) != (w->in->contested != NULL) ||
           (shown && !str_eqc(json_path_str(shown, "reason"), w->in->contested));
}

/* --- output --- */

static void set_time(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, int64_t now)
{
    char text[21];

    time_rfc3339(now, text);
    json_mut_set_str(doc, obj, key, str_of(text));
}

static yyjson_mut_val *build_condition(const struct work *w, yyjson_val *old, bool transition, bool touched)
{
    yyjson_mut_val *c = old ? json_mut_copy(w->doc, old) : yyjson_mut_obj(w->doc);

    json_mut_set_str(w->doc, c, "type", STR(FED_CONDITION_PROPAGATION));
    json_mut_set_str(w->doc, c, "status", str_of(condition_status(w)));
    if (w->reason[0])
        json_mut_set_str(w->doc, c, "reason", str_of(w->reason));
    else
        json_mut_remove(c, STR("reason"));
    if (touched)
        set_time(w->doc, c, "lastUpdateTime", w->in->now);
    if (transition)
        set_time(w->doc, c, "lastTransitionTime", w->in->now);
    return c;
}

static void build_contest(const struct work *w, yyjson_mut_val *out)
{
    yyjson_val *shown = find_condition(w->in->previous, FED_CONDITION_CONTESTED);
    yyjson_mut_val *c;

    if (!w->in->contested)
        return;
    c = shown ? json_mut_copy(w->doc, shown) : yyjson_mut_obj(w->doc);
    json_mut_set_str(w->doc, c, "type", STR(FED_CONDITION_CONTESTED));
    json_mut_set_str(w->doc, c, "status", STR("True"));
    json_mut_set_str(w->doc, c, "reason", str_of(w->in->contested));
    if (contest_differs(w))
        set_time(w->doc, c, "lastUpdateTime", w->in->now);
    if (!shown)
        set_time(w->doc, c, "lastTransitionTime", w->in->now);
    yyjson_mut_arr_append(out, c);
}

static yyjson_mut_val *build_conditions(const struct work *w, yyjson_val *ours, bool transition, bool touched)
{
    yyjson_val *list = json_get(w->in->previous, "conditions"), *item;
    yyjson_mut_val *out = yyjson_mut_arr(w->doc);
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item)
    {
        if (item == ours)
            yyjson_mut_arr_append(out, build_condition(w, item, transition, touched));
        else if (yyjson_is_obj(item) && !str_eqc(json_path_str(item, "type"), FED_CONDITION_PROPAGATION) &&
                 !str_eqc(json_path_str(item, "type"), FED_CONDITION_CONTESTED))
            yyjson_mut_arr_append(out, json_mut_copy(w->doc, item));
    }
    if (!ours)
        yyjson_mut_arr_append(out, build_condition(w, NULL, true, true));
    build_contest(w, out);
    return out;
}

static yyjson_mut_val *build_clusters(const struct work *w)
{
    yyjson_mut_val *out = yyjson_mut_arr(w->doc);

    for (size_t i = 0; i < w->in->n_clusters; i++) {
        const struct entry *e = &w->entries[i];
        yyjson_mut_val *c = yyjson_mut_obj(w->doc);

        json_mut_set_str(w->doc, c, "name", e->name);
        if (e->status.n)
            json_mut_set_str(w->doc, c, "status", e->status);
        if (e->remote)
            json_mut_set(w->doc, c, "remoteStatus", e->remote);
        yyjson_mut_arr_append(out, c);
    }
    return out;
}

static void build(const struct work *w, yyjson_val *condition, bool transition, bool touched, bool clusters_changed)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(w->doc);
    yyjson_val *stored = json_get(w->in->previous, "clusters");

    if (w->in->generation)
        json_mut_set_i64(w->doc, root, "observedGeneration", w->in->generation);
    json_mut_set(w->doc, root, "conditions", build_conditions(w, condition, transition, touched));
    if (w->in->n_clusters)
        json_mut_set(w->doc, root, "clusters", clusters_changed ? build_clusters(w) : json_mut_copy(w->doc, stored));
}

bool fed_status_make(const struct fed_status_input *in, yyjson_mut_doc **ret)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    struct work w = { .in = in, .doc = doc };
    yyjson_val *condition = find_condition(in->previous, FED_CONDITION_PROPAGATION);
    bool clusters_changed, propagated, transition, changed;

    gather(&w);
    w.reason = aggregate_reason(&w);
    clusters_changed = clusters_differ(&w);
    propagated = clusters_changed || (in->n_clusters && w.any_remote && in->updated);
    transition = condition_differs(&w, condition);
    changed = json_path_i64(in->previous, "observedGeneration", 0) != in->generation || propagated || transition ||
              contest_differs(&w);
    if (changed)
        build(&w, condition, transition, propagated || transition, clusters_changed);
    free(w.entries);
    if (!changed)
        return false;
    *ret = TAKE_PTR(doc);
    return true;
}

bool fed_status_shows_propagation(yyjson_val *object, const char *status)
{
    return str_eqc(json_path_str(find_condition(json_get(object, "status"), FED_CONDITION_PROPAGATION), "status"),
                   status);
}
