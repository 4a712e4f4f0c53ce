/*
 * Scheduling on what users and members may have written. The text is an object: "preference" (a ReplicaSchedulingPreference with its
 * status), "object" (federated), "ready" (only ready pods count), "running" (only they count as current), "clusters": [{"name",
 * "up", "since", "selected", "host", "live" (the workload there), "nodes": [Node], "pods": [Pod]}] in order of the names. Numbers of
 * pods and room must come out as they went in, shares must keep the promises of schedule.h, and nothing is written twice.
 */
#include "fed/pods.h"
#include "fed/room.h"
#include "fed/schedule_target.h"
#include "fed/schedule_write.h"

#include <string.h>

#include "fuzz.h"
#include "json/patch.h"

#define MAX_CLUSTERS 4
#define NOW 1700000000
#define TEXT_MAX ((size_t)4096)
#define POINTER STR("/spec/replicas")
#define WORKLOAD STR("ns/w")
#define OTHER STR("ns/other")

struct world {
    yyjson_val *rsp, *object;
    bool ready_only;
    struct fed_preference *preference;
    struct fed_overrides *overrides; /* or NULL */
    struct fed_room *rooms[MAX_CLUSTERS];
    yyjson_val *items[MAX_CLUSTERS];
    struct fed_schedule_cluster clusters[MAX_CLUSTERS];
    struct fed_schedule_input in;
};

static void world_done(struct world *w)
{
    for (size_t i = 0; i < MAX_CLUSTERS; i++)
        fed_room_free(w->rooms[i]);
    fed_overrides_free(w->overrides);
    fed_preference_free(w->preference);
}

/* Of duplicate keys only the last one counts, so that such a document may differ from itself. */
static bool has_duplicates(yyjson_val *v)
{
    yyjson_val *key, *item;
    size_t i, n;

    if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, i, n, item) if (has_duplicates(item)) return true;
        return false;
    }
    yyjson_obj_foreach(v, i, n, key, item)
    {
        if (json_getn(v, json_str(key)) != item || has_duplicates(item))
            return true;
    }
    return false;
}

/* --- the preference --- */

static void check_share(struct fed_share share, int64_t least)
{
    FUZZ_CHECK(share.value >= least && share.value <= (share.percent ? 100 : INT32_MAX));
    FUZZ_CHECK(fed_share_of(share, INT32_MAX) >= least && fed_share_of(share, 1) >= least);
}

static void check_preference(const struct fed_preference *p)
{
    FUZZ_CHECK(p->target_kind[0] && p->total >= 0 && p->total <= INT32_MAX && p->n_clusters > 0);
    FUZZ_CHECK(p->lost_after_s >= -1 && p->return_after_s >= -1);
    check_share(p->tolerance, 0);
    check_share(p->max_moved, 1);
    for (size_t i = 0; i < p->n_clusters; i++) {
        const struct fed_preference_cluster *c = &p->clusters[i];

        FUZZ_CHECK(c->min >= 0 && c->weight >= 0 && (c->max == -1 || c->max >= c->min));
        FUZZ_CHECK(i == 0 || strcmp(p->clusters[i - 1].name, c->name) <= 0);
        FUZZ_CHECK(strcmp(fed_preference_for(p, str_of(c->name))->name, c->name) == 0);
    }
}

static int read_preference(struct world *w)
{
    _cleanup_error_ struct error *err = NULL;

    if (fed_preference_decode(w->rsp, &w->preference, &err) < 0) {
        FUZZ_CHECK(err && strlen(error_msg(err)) > 0 && !w->preference);
        return -EINVAL;
    }
    FUZZ_CHECK(!err);
    check_preference(w->preference);
    return 0;
}

/* --- nodes and pods --- */

static void set_nodes(struct fed_room *room, yyjson_val *nodes)
{
    yyjson_val *node;
    size_t i, n;

    yyjson_arr_foreach(nodes, i, n, node)
    {
        _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();
        _cleanup_json_ yyjson_doc *projection = NULL;

        fed_node_project(node, out);
        projection = json_freeze(out);
        fed_room_set_node(room, json_path_str(node, "metadata.name"), yyjson_doc_get_root(projection));
    }
}

/* One pod comes (sign 1) or leaves. */
static void move_pod(const struct world *w, struct fed_room *room, struct fed_pod_group *g, yyjson_val *live, int sign)
{
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();
    _cleanup_json_ yyjson_doc *projection = NULL;
    struct fed_amounts request;
    struct fed_pod pod;

    fed_pod_project(live, w->ready_only, out);
    projection = json_freeze(out);
    fed_pod_read(yyjson_doc_get_root(projection), &pod);
    fed_room_request(room, json_get(live, "spec"), &request);
    for (size_t i = 0; i < FED_RESOURCES_MAX; i++)
        FUZZ_CHECK(request.v[i] >= 0);
    FUZZ_CHECK(request.v[FED_RESOURCE_PODS] == 1);
    if (sign > 0)
        fed_pod_group_add(g, &pod);
    else
        fed_pod_group_remove(g, &pod);
    if (pod.node.n)
        fed_room_use(room, pod.node, &request, sign);
}

static void move_pods(const struct world *w, struct fed_room *room, struct fed_pod_group *g, yyjson_val *pods, int sign)
{
    yyjson_val *pod;
    size_t i, n;

    yyjson_arr_foreach(pods, i, n, pod) move_pod(w, room, g, pod, sign);
}

static void check_counts(const struct fed_pod_counts *c, yyjson_val *pods)
{
    int64_t n = (int64_t)yyjson_arr_size(pods);

    FUZZ_CHECK(c->total >= 0 && c->total <= n); /* without those that end */
    FUZZ_CHECK(c->running >= 0 && c->running <= n && c->bound >= 0 && c->bound <= n);
    FUZZ_CHECK(c->unschedulable >= 0 && c->waiting >= 0 && c->unschedulable + c->waiting <= c->total);
    FUZZ_CHECK((c->waiting > 0) == (c->next_s > 0));
}

static char *room_text(const struct fed_room *room)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    _cleanup_buf_ struct buf text = BUF_INIT(BUF_MAX_DEFAULT);
    struct fed_room_totals totals;

    fed_room_totals(room, &totals);
    FUZZ_CHECK(totals.ready_nodes <= totals.nodes);
    for (size_t i = 0; i < FED_RESOURCES_MAX; i++)
        FUZZ_CHECK(totals.free.v[i] >= 0 && totals.free.v[i] <= totals.allocatable.v[i]);
    FUZZ_CHECK(json_mut_write(&text, fed_room_status(room, doc)) == 0);
    return buf_take(&text, NULL);
}

/* What was promised to one workload is not there for another, and is there again when the promise ends. */
static void check_promise(struct fed_room *room, const struct fed_demand *demand, int64_t fits)
{
    FUZZ_CHECK(fits >= 0 && fits <= INT32_MAX);
    fed_room_promise(room, OTHER, demand, fits);
    FUZZ_CHECK(fits == INT32_MAX || fed_room_fits(room, WORKLOAD, demand) == 0);
    FUZZ_CHECK(fed_room_fits(room, OTHER, demand) == fits);
    for (int64_t i = 0; i < MIN(fits, (int64_t)3); i++)
        fed_room_fulfil(room, OTHER, STR("nowhere"));
    fed_room_promise(room, OTHER, NULL, 0);
    FUZZ_CHECK(fed_room_fits(room, WORKLOAD, demand) == fits);
}

/* Once all pods have left it is as if they had never come. */
static void observe_room(struct world *w, size_t i)
{
    struct fed_schedule_cluster *c = &w->clusters[i];
    struct fed_room *room = w->rooms[i] = fed_room_new();
    yyjson_val *pods = json_get(w->items[i], "pods");
    struct fed_pod_counts none = { 0 };
    struct fed_pod_group g = { 0 };
    struct fed_demand *demand;
    _cleanup_free_ char *before = NULL, *between = NULL, *after = NULL;

    set_nodes(room, json_get(w->items[i], "nodes"));
    before = room_text(room);
    move_pods(w, room, &g, pods, 1);
    fed_pod_group_count(&g, NOW, &c->pods);
    check_counts(&c->pods, pods);
    between = room_text(room);
    demand = fed_schedule_demand(room, w->object, w->overrides, c->name);
    c->has_room = demand && json_get(w->items[i], "nodes");
    if (demand) {
        c->room = fed_room_fits(room, WORKLOAD, demand);
        check_promise(room, demand, c->room);
    }
    fed_demand_free(demand);
    move_pods(w, room, &g, pods, -1);
    fed_pod_group_count(&g, NOW, &none);
    FUZZ_CHECK(none.total + none.running + none.bound + none.unschedulable + none.waiting == 0);
    after = room_text(room);
    FUZZ_CHECK(strcmp(before, after) == 0 && strlen(between) > 0);
    fed_pod_group_done(&g);
}

/* --- clusters --- */

static void read_cluster(struct world *w, size_t i)
{
    struct fed_schedule_cluster *c = &w->clusters[i];
    yyjson_val *item = w->items[i], *live = json_get(item, "live");

    c->ready = json_path_bool(item, "up", true);
    c->since_s = MIN(MAX(json_path_i64(item, "since", INT32_MAX), (int64_t)0), (int64_t)INT32_MAX);
    c->selected = json_path_bool(item, "selected", true);
    c->is_host = json_path_bool(item, "host", false);
    c->observed = json_path_bool(item, "observed", true);
    c->has_object = live != NULL;
    c->replicas = fed_replicas(json_path_i64(live, "spec.replicas", 0));
    c->ready_replicas = fed_replicas(json_path_i64(live, "status.readyReplicas", 0));
    c->has_pods = json_get(item, "pods") != NULL;
    observe_room(w, i);
}

static void read_clusters(struct world *w, yyjson_val *list)
{
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item)
    {
        struct str name = json_path_str(item, "name");
        size_t used = w->in.n;

        if (used == MAX_CLUSTERS || name.n == 0 || (used && str_cmp(w->clusters[used - 1].name, name) >= 0))
            continue;
        w->items[used] = item;
        w->clusters[used].name = name;
        read_cluster(w, used);
        w->in.n++;
    }
    fed_schedule_previous(w->object, POINTER, w->clusters, w->in.n);
    fed_schedule_recall(w->rsp, 1, NOW, w->clusters, w->in.n);
}

/* --- decisions --- */

static void check_schedule(const struct world *w, const struct fed_schedule *s)
{
    uint64_t placed = 0;

    FUZZ_CHECK(s->n == w->in.n && s->recheck_s >= 0 && s->put_off >= 0);
    for (size_t i = 0; i < s->n; i++) {
        const struct fed_schedule_share *share = &s->shares[i];

        FUZZ_CHECK(share->replicas >= 0 && (share->placed || share->replicas == 0));
        FUZZ_CHECK(share->role != FED_ROLE_NO_PREFERENCE || share->wanted == 0);
        FUZZ_CHECK(s->outcome == FED_SCHEDULED || !share->placed);
        placed += (uint64_t)share->replicas;
    }
    FUZZ_CHECK(s->outcome != FED_SCHEDULED || (uint64_t)s->placed == placed);
    if (s->outcome == FED_SCHEDULED && placed <= INT64_MAX)
        FUZZ_CHECK(s->unplaced == MAX(w->preference->total - s->placed, (int64_t)0));
}

static void check_words(const struct world *w, const struct fed_schedule *s)
{
    _cleanup_buf_ struct buf doubts = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX);

    fed_schedule_doubts(&w->in, w->object, &doubts);
    FUZZ_CHECK(*fed_schedule_conclusion(&w->in, s, &text) && text.n > 0);
    for (size_t i = 0; s->outcome == FED_SCHEDULED && i < s->n; i++) {
        buf_reset(&text);
        fed_schedule_why(&w->in, s, i, &text);
        FUZZ_CHECK(text.n > 0);
    }
}

static yyjson_doc *apply(yyjson_val *object, struct str steps)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(object);
    _cleanup_json_ yyjson_doc *patch = NULL;
    yyjson_val *step;
    size_t i, n;

    FUZZ_CHECK(json_parse(steps, &patch, NULL) == 0);
    yyjson_arr_foreach(yyjson_doc_get_root(patch), i, n, step)
    {
        struct json_patch_op op = { .op = json_path_str(step, "op"),
                                    .path = json_path_str(step, "path"),
                                    .value = json_get(step, "value"),
                                    .has_value = true };
        FUZZ_CHECK(json_patch_apply(doc, &op, NULL) == 0);
    }
    return json_freeze(doc);
}

/* The object says what was decided, and is not written again. */
static void check_written(const struct world *w, const struct fed_schedule *s, yyjson_val *written)
{
    _cleanup_buf_ struct buf again = BUF_INIT(BUF_MAX_DEFAULT);
    struct fed_schedule_cluster clusters[MAX_CLUSTERS];

    memcpy(clusters, w->clusters, sizeof(clusters));
    fed_schedule_previous(written, POINTER, clusters, s->n);
    for (size_t i = 0; i < s->n; i++) {
        FUZZ_CHECK(clusters[i].has_previous == s->shares[i].placed);
        FUZZ_CHECK(!s->shares[i].placed || clusters[i].previous == s->shares[i].replicas);
    }
    FUZZ_CHECK(fed_schedule_patch(&again, written, POINTER, &w->in, s, NULL) == 0);
}

static void check_patch(const struct world *w, const struct fed_schedule *s)
{
    _cleanup_buf_ struct buf steps = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_json_ yyjson_doc *written = NULL;
    int r = fed_schedule_patch(&steps, w->object, POINTER, &w->in, s, NULL);

    FUZZ_CHECK((r < 0) == (w->overrides == NULL));
    if (r <= 0 || !yyjson_is_obj(json_path(w->object, "spec")) || has_duplicates(w->object))
        return; /* nothing to write, or an object that no API server has */
    written = apply(w->object, buf_str(&steps));
    check_written(w, s, yyjson_doc_get_root(written));
}

/* It says what was decided, and is not written again: neither now nor after the shares were written. */
static void check_status(const struct world *w, const struct fed_schedule *s)
{
    struct fed_schedule_report report = { .generation = 1,
                                          .now = NOW,
                                          .reason = "Scheduled",
                                          .message = STR("m"),
                                          .doubts_reason = "Valid",
                                          .doubts = STR(""),
                                          .input = s->outcome == FED_SCHEDULED ? &w->in : NULL,
                                          .schedule = s->outcome == FED_SCHEDULED ? s : NULL };
    _cleanup_buf_ struct buf patch = BUF_INIT(BUF_MAX_DEFAULT), again = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(w->rsp);
    _cleanup_json_ yyjson_doc *parsed = NULL, *written = NULL;

    if (!fed_schedule_status_patch(&patch, w->rsp, &report) || has_duplicates(w->rsp))
        return;
    FUZZ_CHECK(json_parse(buf_str(&patch), &parsed, NULL) == 0);
    json_merge_apply(doc, yyjson_mut_doc_get_root(doc), yyjson_doc_get_root(parsed));
    written = json_freeze(doc);
    FUZZ_CHECK(!fed_schedule_status_patch(&again, yyjson_doc_get_root(written), &report));
}

static void decide(struct world *w)
{
    _cleanup_free_ struct fed_schedule *s = fed_schedule_make(&w->in), *again = fed_schedule_make(&w->in);

    FUZZ_CHECK(memcmp(s, again, sizeof(*s) + w->in.n * sizeof(s->shares[0])) == 0);
    check_schedule(w, s);
    check_words(w, s);
    if (s->outcome == FED_SCHEDULED)
        check_patch(w, s);
    check_status(w, s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct world w = { 0 };
    yyjson_val *root;

    if (json_parse(str_n((const char *)data, size), &doc, NULL) < 0)
        return 0;
    root = yyjson_doc_get_root(doc);
    w.rsp = json_get(root, "preference");
    w.object = json_get(root, "object");
    w.ready_only = json_path_bool(root, "ready", false);
    (void)fed_overrides_parse(w.object, &w.overrides, NULL);
    read_clusters(&w, json_get(root, "clusters"));
    w.in.clusters = w.clusters;
    w.in.key = WORKLOAD;
    w.in.lost_after_s = w.in.return_after_s = 60;
    w.in.ready_runs_only = json_path_bool(root, "running", false);
    if (read_preference(&w) == 0) {
        w.in.preference = w.preference;
        decide(&w);
    }
    world_done(&w);
    return 0;
}
