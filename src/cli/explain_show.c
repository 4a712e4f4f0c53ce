/* An explained schedule for eyes and for programs. Pure. */
#include <stdlib.h>

#include "cli/explain.h"
#include "cli/object_state.h"
#include "cli/table.h"

#define MAX_WHY ((size_t)4096)
#define MAX_MESSAGE 2000

static const char *role_of(enum fed_schedule_role role)
{
    static const char *const words[] = {
        [FED_ROLE_CANDIDATE] = "Candidate",
        [FED_ROLE_NO_PREFERENCE] = "NoPreference",
        [FED_ROLE_HELD] = "Held",
        [FED_ROLE_LOST] = "Lost",
        [FED_ROLE_RETURNING] = "Returning",
        [FED_ROLE_UNSEEN] = "Unseen",
        [FED_ROLE_UNSELECTED] = "Unselected",
    };
    return words[role];
}

static bool is_scheduled(const struct explain *x)
{
    return x->schedule && x->schedule->outcome == FED_SCHEDULED;
}

/* The federated object says what the schedule says. */
static bool is_written(const struct explain *x)
{
    for (size_t i = 0; i < x->input.n; i++) {
        const struct fed_schedule_cluster *c = &x->clusters[i];
        const struct fed_schedule_share *share = &x->schedule->shares[i];
        if (share->placed != c->has_previous || (share->placed && share->replicas != c->previous))
            return false;
    }
    return true;
}

/* --- a table --- */

static enum style style_of(const struct fed_schedule_share *share)
{
    switch (share->role) {
    case FED_ROLE_CANDIDATE: return STYLE_PLAIN;
    case FED_ROLE_LOST: return STYLE_BAD;
    case FED_ROLE_UNSELECTED:
    case FED_ROLE_NO_PREFERENCE: return STYLE_DIM;
    default: return STYLE_WARNING;
    }
}

static void add_number(struct table *t, bool known, int64_t value)
{
    if (known)
        table_addf(t, "%lld", (long long)value);
    else
        table_add(t, STR("-"));
}

static void add_running(struct table *t, const struct fed_schedule_cluster *c)
{
    if (!c->observed)
        table_add(t, STR("?"));
    else if (!c->has_object)
        table_add(t, STR("-"));
    else
        table_addf(t, "%lld/%lld", (long long)c->ready_replicas, (long long)c->replicas);
}

static void add_row(const struct explain *x, size_t i, struct table *t)
{
    const struct fed_schedule_cluster *c = &x->clusters[i];
    const struct fed_schedule_share *share = &x->schedule->shares[i];
    _cleanup_buf_ struct buf why = BUF_INIT(MAX_WHY);
    fed_schedule_why(&x->input, x->schedule, i, &why);
    table_add(t, c->name);
    add_number(t, share->placed, share->replicas);
    add_number(t, c->has_previous, c->previous);
    add_running(t, c);
    table_add_styled(t, buf_str(&why), style_of(share));
}

static void show_table(const struct explain *x, struct buf *out)
{
    static const char *const headings[] = { "CLUSTER", "REPLICAS", "WRITTEN", "READY", "WHY" };
    _cleanup_table_ struct table t = { 0 };
    table_init(&t, headings, ARRAY_SIZE(headings));
    for (size_t i = 0; i < x->input.n; i++)
        add_row(x, i, &t);
    table_write(&t, x->world.cli, true, out);
    buf_addc(out, '\n');
}

/* --- the lines around it --- */

static void show_head(const struct explain *x, struct buf *out)
{
    const struct explain_workload *w = &x->workloads[0];
    const struct cli *cli = x->world.cli;
    buf_printf(out, "%sReplicaSchedulingPreference %s%s", style_begin(cli, STYLE_BOLD), x->key,
               style_end(cli, STYLE_BOLD));
    if (w->preference) {
        buf_printf(out, ": %lld %s of the ", (long long)w->preference->total,
                   w->preference->total == 1 ? "replica" : "replicas");
        add_printable(out, str_of(w->preference->target_kind), MAX_MESSAGE);
        buf_printf(out, ", %s%s",
                   w->preference->strategy == FED_BY_FREE_RESOURCES ? "by weights and free resources" : "by weights",
                   w->preference->rebalance ? ", with rebalance" : "");
    }
    buf_addz(out, "\n\n");
}

static void show_line(const struct explain *x, enum style style, const char *head, const char *text, struct buf *out)
{
    buf_printf(out, "%s%s%s", style_begin(x->world.cli, style), head, style_end(x->world.cli, style));
    add_printable(out, str_of(text), MAX_MESSAGE);
    buf_addc(out, '\n');
}

/* What the controller manager made of it, where that is something else. */
static void show_state(const struct explain *x, struct buf *out)
{
    yyjson_val *rsp = yyjson_doc_get_root(x->workloads[0].rsp), *scheduled = condition_of(rsp, "Scheduled");
    struct str reason = json_path_str(scheduled, "reason");
    _cleanup_free_ char *message = str_dup(json_path_str(scheduled, "message"));
    if (!x->world.config->push_reconciler || !x->world.config->scheduler_preferences)
        show_line(x, STYLE_WARNING, "Not in force: ",
                  "the feature gate SchedulerPreferences or PushReconciler of the KubeFedConfig is off", out);
    else if (is_scheduled(x) && !is_written(x))
        show_line(x, STYLE_WARNING, "Not written yet: ", "the federated object says what the column WRITTEN shows",
                  out);
    if (scheduled && !str_eqc(reason, x->reason))
        show_line(x, STYLE_WARNING, "Its status says: ", message, out);
}

static void show_problems(const struct explain *x, struct buf *out)
{
    for (size_t i = 0; x->members && i < x->world.n_clusters; i++) {
        if (!x->members[i].problem)
            continue;
        _cleanup_free_ char *head = mem_printf("Cluster %s: ", x->world.clusters[i].name);
        show_line(x, STYLE_BAD, head, x->members[i].problem, out);
    }
}

void explain_show(const struct explain *x, struct buf *out)
{
    bool well = strcmp(x->reason, "Scheduled") == 0;
    _cleanup_free_ char *head = mem_printf("%s: ", x->reason);
    show_head(x, out);
    if (is_scheduled(x) && x->input.n)
        show_table(x, out);
    show_line(x, well ? STYLE_GOOD : STYLE_BAD, head, x->message, out);
    if (x->doubts && x->doubts[0])
        show_line(x, STYLE_WARNING, "Cannot be fulfilled: ", x->doubts, out);
    show_problems(x, out);
    show_state(x, out);
}

/* --- a document --- */

static void set_if(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, bool known, int64_t value)
{
    if (known)
        json_mut_set_i64(doc, obj, key, value);
}

static yyjson_mut_val *member_of(const struct explain *x, size_t i, yyjson_mut_doc *doc)
{
    const struct fed_schedule_cluster *c = &x->clusters[i];
    yyjson_mut_val *o = yyjson_mut_obj(doc);
    json_mut_set_bool(doc, o, "ready", c->ready);
    json_mut_set_bool(doc, o, "selected", c->selected);
    set_if(doc, o, "replicas", c->has_object, c->replicas);
    set_if(doc, o, "readyReplicas", c->has_object, c->ready_replicas);
    set_if(doc, o, "unschedulablePods", c->has_pods, c->pods.unschedulable);
    set_if(doc, o, "boundPods", c->has_pods, c->pods.bound);
    set_if(doc, o, "room", c->has_room, c->room);
    set_if(doc, o, "limit", c->has_limit, c->limit);
    return o;
}

static yyjson_mut_val *cluster_of(const struct explain *x, size_t i, yyjson_mut_doc *doc)
{
    const struct fed_schedule_cluster *c = &x->clusters[i];
    yyjson_mut_val *o = yyjson_mut_obj(doc);
    json_mut_set_str(doc, o, "name", c->name);
    if (is_scheduled(x)) {
        const struct fed_schedule_share *share = &x->schedule->shares[i];
        _cleanup_buf_ struct buf why = BUF_INIT(MAX_WHY);
        fed_schedule_why(&x->input, x->schedule, i, &why);
        json_mut_set_str(doc, o, "role", str_of(role_of(share->role)));
        set_if(doc, o, "replicas", share->placed, share->replicas);
        set_if(doc, o, "wanted", share->placed && share->wanted != share->replicas, share->wanted);
        json_mut_set_i64(doc, o, "minReplicas", share->min);
        set_if(doc, o, "maxReplicas", share->max >= 0, share->max);
        json_mut_set_i64(doc, o, "weight", share->weight);
        set_if(doc, o, "capacity", share->has_capacity, share->capacity);
        json_mut_set_str(doc, o, "why", buf_str(&why));
    }
    set_if(doc, o, "written", c->has_previous, c->previous);
    json_mut_set(doc, o, "member", member_of(x, i, doc));
    if (x->members[i].problem)
        json_mut_set_str(doc, o, "problem", str_of(x->members[i].problem));
    return o;
}

yyjson_mut_doc *explain_document(const struct explain *x)
{
    const struct fed_preference *p = x->workloads[0].preference;
    yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *clusters = yyjson_mut_arr(doc);
    json_mut_set_str(doc, root, "namespace", x->workloads[0].ns);
    json_mut_set_str(doc, root, "name", x->workloads[0].name);
    if (p) {
        json_mut_set_str(doc, root, "targetKind", str_of(p->target_kind));
        json_mut_set_i64(doc, root, "totalReplicas", p->total);
        json_mut_set_str(doc, root, "strategy",
                         p->strategy == FED_BY_FREE_RESOURCES ? STR("FreeResources") : STR("Weights"));
        json_mut_set_bool(doc, root, "rebalance", p->rebalance);
    }
    json_mut_set_str(doc, root, "reason", str_of(x->reason));
    json_mut_set_str(doc, root, "message", str_of(x->message));
    if (x->doubts && x->doubts[0])
        json_mut_set_str(doc, root, "unfulfillable", str_of(x->doubts));
    if (is_scheduled(x))
        json_mut_set_bool(doc, root, "written", is_written(x));
    for (size_t i = 0; i < x->input.n; i++)
        yyjson_mut_arr_append(clusters, cluster_of(x, i, doc));
    json_mut_set(doc, root, "clusters", clusters);
    return doc;
}
