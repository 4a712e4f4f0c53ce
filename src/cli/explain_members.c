/*
 * The members' part of explain-schedule: the workload's object, pods and nodes, of all members at the same time, page by page, and
 * of each only the sums that scheduling goes by.
 */
#include <stdlib.h>

#include "base/rtime.h"
#include "cli/explain.h"
#include "fed/object.h"
#include "fed/plan.h"
#include "fed/schedule_target.h"

#define PAGE "500"

static const struct kube_resource res_pods = { STR(""), STR("v1"), STR("pods"), true };
static const struct kube_resource res_nodes = { STR(""), STR("v1"), STR("nodes"), false };

static bool by_room(const struct explain *x)
{
    return x->workloads[0].preference->strategy == FED_BY_FREE_RESOURCES;
}

static void problem(struct explain_member *m, const char *what, const struct error *e)
{
    if (!m->problem)
        m->problem = mem_printf("its %s cannot be read: %s", what, error_msg(e));
}

/* --- objects and identity --- */

static void take_object(const struct explain *x, struct explain_member *m, const struct remote_batch *b)
{
    yyjson_val *live = yyjson_doc_get_root(b->answer);
    m->sees_object = !b->error || is_not_found(b->error);
    if (!m->sees_object)
        problem(m, "object", b->error);
    /* As in the controller's caches, which hold labelled objects only. */
    if (b->error || !fed_object_is_managed(live))
        return;
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();
    fed_member_project(x->workloads[0].type, false, live, out);
    fed_member_project_schedule(x->workloads[0].type, live, out);
    m->projection = json_freeze(out);
}

static int read_objects(struct explain *x, struct error **err)
{
    const struct explain_workload *w = &x->workloads[0];
    const struct fed_api_resource *t = &w->type->target;
    struct kube_resource target = { str_of(t->group), str_of(t->version), str_of(t->plural), true };
    size_t n = 0;
    struct remote_batch *batch = mem_array(2 * x->world.n_clusters + 1, sizeof(*batch));
    batch[n++] = (struct remote_batch){
        .to = x->world.host, .req = { .method = "GET", .resource = &res_namespaces, .name = STR("kube-system") }
    };
    for (size_t i = 0; i < x->world.n_clusters; i++) {
        struct remote *to = x->world.clusters[i].member;
        if (!x->members[i].asked)
            continue;
        batch[n] = batch[0];
        batch[n++].to = to;
        batch[n++] = (struct remote_batch){
            .to = to, .req = { .method = "GET", .resource = &target, .ns = w->ns, .name = w->name }
        };
    }
    int r = remote_do_all(x->world.cli, batch, n, err);
    struct str host = json_path_str(yyjson_doc_get_root(batch[0].answer), "metadata.uid");
    n = 1;
    for (size_t i = 0; r == 0 && i < x->world.n_clusters; i++) {
        if (!x->members[i].asked)
            continue;
        struct str uid = json_path_str(yyjson_doc_get_root(batch[n++].answer), "metadata.uid");
        x->members[i].is_host = host.n && str_eq(uid, host);
        take_object(x, &x->members[i], &batch[n++]);
    }
    remote_batch_done(batch, n);
    return r;
}

/* --- labels of the pods --- */

static void set_labels(struct explain_workload *w, yyjson_val *labels)
{
    if (!labels || w->labels)
        return;
    _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(labels);
    w->labels = json_freeze(copy);
}

/* As the members have them; of the other workloads as their templates say. */
static void find_labels(struct explain *x)
{
    for (size_t i = 0; i < x->world.n_clusters; i++)
        set_labels(&x->workloads[0], json_path(yyjson_doc_get_root(x->members[i].projection), "schedule.labels"));
    for (size_t i = x->workloads[0].labels ? 1 : 0; i < x->n_workloads; i++)
        set_labels(&x->workloads[i], fed_schedule_labels(yyjson_doc_get_root(x->workloads[i].object)));
}

static bool has_all(yyjson_val *labels, yyjson_val *wanted)
{
    yyjson_val *key, *value;
    size_t i, n;
    yyjson_obj_foreach(wanted, i, n, key, value)
    {
        if (!json_equal(json_getn(labels, json_str(key)), value))
            return false;
    }
    return wanted != NULL;
}

/* --- pods and nodes --- */

static void take_pod(struct explain *x, size_t cluster, yyjson_val *live)
{
    struct explain_member *m = &x->members[cluster];
    yyjson_val *labels = json_path(live, "metadata.labels");
    struct str ns = json_path_str(live, "metadata.namespace");
    struct fed_amounts request;
    struct fed_pod pod;
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();
    fed_pod_project(live, x->world.behavior.ready_pods_only, out);
    _cleanup_json_ yyjson_doc *projection = json_freeze(out);
    fed_pod_read(yyjson_doc_get_root(projection), &pod);
    for (size_t i = 0; i < x->n_workloads; i++)
        if (str_eq(ns, x->workloads[i].ns) && has_all(labels, yyjson_doc_get_root(x->workloads[i].labels)))
            fed_pod_group_add(&x->workloads[i].pods[cluster], &pod);
    if (!pod.node.n || !by_room(x))
        return;
    fed_room_request(m->room, json_get(live, "spec"), &request);
    fed_room_use(m->room, pod.node, &request, 1);
}

static void take_node(struct explain_member *m, yyjson_val *live)
{
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();
    fed_node_project(live, out);
    _cleanup_json_ yyjson_doc *projection = json_freeze(out);
    fed_room_set_node(m->room, json_path_str(live, "metadata.name"), yyjson_doc_get_root(projection));
}

/* One list that is being read. */
struct pages {
    size_t cluster;
    bool nodes, more;
    char *next; /* owned; the token of the next page, or NULL */
};

static char *query_of(const struct pages *p)
{
    struct buf query = BUF_INIT(1 << 16);
    buf_addz(&query, "limit=" PAGE);
    if (!p->nodes) {
        buf_addz(&query, "&fieldSelector=");
        buf_add_urlencoded(&query, STR(FED_PODS_FIELD_SELECTOR));
    }
    if (p->next) {
        buf_addz(&query, "&continue=");
        buf_add_urlencoded(&query, str_of(p->next));
    }
    return buf_take(&query, NULL);
}

static void take_page(struct explain *x, struct pages *p, const struct remote_batch *b)
{
    struct explain_member *m = &x->members[p->cluster];
    yyjson_val *root = yyjson_doc_get_root(b->answer), *item;
    struct str next = json_path_str(root, "metadata.continue");
    size_t i, n;
    p->more = false;
    if (b->error) {
        problem(m, p->nodes ? "nodes" : "pods", b->error);
        return;
    }
    yyjson_arr_foreach(json_get(root, "items"), i, n, item)
    {
        if (p->nodes)
            take_node(m, item);
        else
            take_pod(x, p->cluster, item);
    }
    /* A server that hands out the same token again would never end. */
    p->more = next.n && !(p->next && str_eqc(next, p->next));
    if (!p->more && p->nodes)
        m->sees_nodes = true;
    else if (!p->more)
        m->sees_pods = true;
    free(p->next);
    p->next = p->more ? str_dup(next) : NULL;
}

/* The next page of each list that has one. */
static int read_pages(struct explain *x, struct pages *pages, size_t n, struct str ns, struct error **err)
{
    struct remote_batch *batch = mem_array(n, sizeof(*batch));
    char **queries = mem_array(n, sizeof(*queries));
    size_t *at = mem_array(n, sizeof(*at)), open = 0;
    for (size_t i = 0; i < n; i++) {
        if (!pages[i].more)
            continue;
        queries[open] = query_of(&pages[i]);
        at[open] = i;
        batch[open] = (struct remote_batch){ .to = x->world.clusters[pages[i].cluster].member,
                                             .req = { .method = "GET",
                                                      .resource = pages[i].nodes ? &res_nodes : &res_pods,
                                                      .ns = pages[i].nodes ? STR_NULL : ns,
                                                      .query = str_of(queries[open]) } };
        open++;
    }
    int r = remote_do_all(x->world.cli, batch, open, err);
    for (size_t i = 0; i < open; i++) {
        if (r == 0)
            take_page(x, &pages[at[i]], &batch[i]);
        free(queries[i]);
    }
    remote_batch_done(batch, open);
    free(queries);
    free(at);
    return r < 0 ? r : (int)open;
}

static int read_all_pages(struct explain *x, bool nodes, struct error **err)
{
    size_t n = 0;
    struct pages *pages = mem_array(x->world.n_clusters, sizeof(*pages));
    struct str ns = by_room(x) ? STR_NULL : x->workloads[0].ns;
    for (size_t i = 0; i < x->world.n_clusters; i++)
        if (x->members[i].asked)
            pages[n++] = (struct pages){ .cluster = i, .nodes = nodes, .more = true };
    int r = (int)n;
    while (r > 0)
        r = read_pages(x, pages, n, ns, err);
    for (size_t i = 0; i < n; i++)
        free(pages[i].next);
    free(pages);
    return r;
}

/* Nodes first: of what pods ask for, what no node has does not count. */
static int read_pods_and_nodes(struct explain *x, struct error **err)
{
    int r = by_room(x) ? read_all_pages(x, true, err) : 0;
    return r < 0 ? r : read_all_pages(x, false, err);
}

int explain_read_members(struct explain *x, struct error **err)
{
    cli_progress(x->world.cli, "Reading %s", by_room(x) ? "pods and nodes of the members" : "the members");
    for (size_t i = 0; i < x->world.n_clusters; i++) {
        const struct world_cluster *c = &x->world.clusters[i];
        x->members[i].asked = c->member != NULL;
        x->members[i].room = fed_room_new();
        if (c->problem)
            x->members[i].problem = mem_strdup(c->problem);
    }
    int r = read_objects(x, err);
    if (r < 0)
        return r;
    find_labels(x);
    return read_pods_and_nodes(x, err);
}

/* --- what scheduling makes of it --- */

/* What the others were given and does not run yet is set aside. */
static void promise_others(struct explain *x, size_t cluster, int64_t now)
{
    struct fed_room *room = x->members[cluster].room;
    for (size_t i = 1; i < x->n_workloads; i++) {
        const struct explain_workload *w = &x->workloads[i];
        struct str name = str_of(x->world.clusters[cluster].name);
        yyjson_val *labels = json_path(yyjson_doc_get_root(x->world.clusters[cluster].kfc), "metadata.labels");
        struct fed_schedule_cluster given = { .name = name, .labels = labels };
        if (!w->object || !w->type)
            continue;
        _cleanup_free_ char *pointer = fed_schedule_pointer(w->type);
        fed_schedule_previous(yyjson_doc_get_root(w->object), str_of(pointer), &given, 1);
        if (!given.has_previous)
            continue;
        _cleanup_free_ char *key = mem_printf("%" PRIstr "/%" PRIstr, STRARG(w->ns), STRARG(w->name));
        struct fed_demand *demand = fed_schedule_demand(room, yyjson_doc_get_root(w->object), w->overrides, name);
        given.has_pods = true;
        fed_pod_group_count(&w->pods[cluster], now, &given.pods);
        int64_t missing = demand ? fed_schedule_missing(yyjson_doc_get_root(w->object), &given, given.previous) : 0;
        fed_room_promise(room, str_of(key), demand, missing);
        fed_demand_free(demand);
    }
}

static void observe_room(struct explain *x, size_t i, int64_t now)
{
    const struct explain_workload *w = &x->workloads[0];
    struct fed_schedule_cluster *c = &x->clusters[i];
    struct explain_member *m = &x->members[i];
    if (!m->sees_pods || !m->sees_nodes)
        return;
    promise_others(x, i, now);
    if (!c->has_pods)
        fed_schedule_count_by_object(c);
    struct fed_demand *demand = fed_schedule_demand(m->room, yyjson_doc_get_root(w->object), w->overrides, c->name);
    c->has_room = demand != NULL;
    if (demand)
        c->room = fed_room_fits(m->room, str_of(x->key), demand);
    fed_demand_free(demand);
}

static void fill(struct explain *x, size_t i, int64_t now)
{
    const struct explain_workload *w = &x->workloads[0];
    const struct world_cluster *from = &x->world.clusters[i];
    const struct explain_member *m = &x->members[i];
    struct fed_schedule_cluster *c = &x->clusters[i];
    yyjson_val *projection = yyjson_doc_get_root(m->projection);
    int64_t since = fed_cluster_since(yyjson_doc_get_root(from->kfc));
    c->name = str_of(from->name);
    c->labels = json_path(yyjson_doc_get_root(from->kfc), "metadata.labels");
    c->ready = from->ready;
    c->since_s = since > 0 ? MAX(now - since, (int64_t)0) : INT32_MAX;
    c->selected = true;
    c->is_host = m->is_host;
    c->observed = m->sees_object;
    c->has_object = projection != NULL;
    c->replicas = fed_replicas(json_path_i64(projection, "spec.replicas", 0));
    c->ready_replicas = fed_replicas(json_path_i64(projection, "schedule.ready", 0));
    c->has_pods = m->sees_pods && w->labels;
    if (c->has_pods)
        fed_pod_group_count(&w->pods[i], now, &c->pods);
    if (by_room(x))
        observe_room(x, i, now);
}

static void select_clusters(struct explain *x)
{
    size_t n = x->world.n_clusters;
    struct fed_placement_cluster *clusters = mem_array(n, sizeof(*clusters));
    bool *selected = mem_array(n, sizeof(*selected));
    for (size_t i = 0; i < n; i++) {
        clusters[i].name = str_of(x->world.clusters[i].name);
        clusters[i].labels = json_path(yyjson_doc_get_root(x->world.clusters[i].kfc), "metadata.labels");
    }
    fed_schedule_select(&(struct fed_placement_input){ .object = yyjson_doc_get_root(x->workloads[0].object),
                                                       .namespace_scoped = x->world.config->namespaced,
                                                       .fed_namespace = yyjson_doc_get_root(x->fed_namespace),
                                                       .clusters = clusters,
                                                       .n_clusters = n },
                        x->world.behavior.whole_namespace_placement, selected);
    for (size_t i = 0; i < n; i++)
        x->clusters[i].selected = selected[i];
    free(clusters);
    free(selected);
}

static int64_t seconds_of(int64_t ns)
{
    return ns / NSEC_PER_SEC + (ns % NSEC_PER_SEC > 0);
}

void explain_decide(struct explain *x)
{
    const struct explain_workload *w = &x->workloads[0];
    const struct fed_config *config = x->world.config;
    struct buf message = BUF_INIT(BUF_MAX_DEFAULT), doubts = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_free_ char *pointer = fed_schedule_pointer(w->type);
    int64_t now = time_wall_s();
    for (size_t i = 0; i < x->world.n_clusters; i++)
        fill(x, i, now);
    fed_schedule_previous(yyjson_doc_get_root(w->object), str_of(pointer), x->clusters, x->world.n_clusters);
    fed_schedule_recall(yyjson_doc_get_root(w->rsp),
                        json_path_i64(yyjson_doc_get_root(w->rsp), "metadata.generation", 0), now, x->clusters,
                        x->world.n_clusters);
    if (w->preference->intersect)
        select_clusters(x);
    x->input = (struct fed_schedule_input){ .preference = w->preference,
                                            .key = str_of(x->key),
                                            .clusters = x->clusters,
                                            .n = x->world.n_clusters,
                                            .lost_after_s = seconds_of(config->unavailable_delay_ns),
                                            .return_after_s = seconds_of(config->available_delay_ns),
                                            .ready_runs_only = !x->world.behavior.starting_pods_count };
    x->schedule = fed_schedule_make(&x->input);
    x->reason = fed_schedule_conclusion(&x->input, x->schedule, &message);
    x->message = buf_take(&message, NULL);
    fed_schedule_doubts(&x->input, yyjson_doc_get_root(w->object), &doubts);
    x->doubts = buf_take(&doubts, NULL);
}

/* --- the end --- */

static void workload_done(struct explain_workload *w, size_t n_clusters)
{
    for (size_t i = 0; i < n_clusters; i++)
        fed_pod_group_done(&w->pods[i]);
    free(w->pods);
    fed_overrides_free(w->overrides);
    fed_preference_free(w->preference);
    yyjson_doc_free(w->labels);
    yyjson_doc_free(w->object);
    yyjson_doc_free(w->rsp);
}

void explain_done(struct explain *x)
{
    for (size_t i = 0; i < x->n_workloads; i++)
        workload_done(&x->workloads[i], x->world.n_clusters);
    for (size_t i = 0; x->members && i < x->world.n_clusters; i++) {
        free(x->members[i].problem);
        yyjson_doc_free(x->members[i].projection);
        fed_room_free(x->members[i].room);
    }
    free(x->workloads);
    free(x->members);
    free(x->clusters);
    free(x->schedule);
    free(x->key);
    free(x->message);
    free(x->doubts);
    yyjson_doc_free(x->fed_namespace);
    world_done(&x->world);
}
