/*
 * The planner on what users and members may have written. The text is an object: "type" (a FederatedTypeConfig), "crd" (its
 * definition), "object" (federated), "namespace" (FederatedNamespace), "host" (uid), "limited", "adopt", "raw", "behavior"
 * and "patience" (as on the command line), "contested" (text), "versions" (status of a record), "clusters": [{"name",
 * "labels", "ready", "cached", "live", "since", "autoscaled", "scaled", "removal"}] in order of the names. All three plans and
 * adoption are made; they must keep the promises of plan.h, and a status made from a plan must not be written twice.
 */
#include "fed/names.h"
#include "fed/plan.h"
#include "fed/status.h"
#include "fuzz.h"

#define MAX_CLUSTERS 4

struct world {
    struct fed_type_config *type;
    struct fed_versions *versions;
    yyjson_doc *projections[MAX_CLUSTERS];
    struct fed_member_obj objects[MAX_CLUSTERS];
    yyjson_val *live[MAX_CLUSTERS]; /* or NULL */
    struct fed_removal *removals[MAX_CLUSTERS];
    struct fed_cluster_view views[MAX_CLUSTERS];
    struct fed_behavior behavior;
    const char *contested; /* or NULL */
    char *key;
    struct fed_plan_input in;
};

static void world_done(struct world *w)
{
    for (size_t i = 0; i < MAX_CLUSTERS; i++) {
        yyjson_doc_free(w->projections[i]);
        fed_removal_free(w->removals[i]);
    }
    fed_versions_free(w->versions);
    fed_type_config_free(w->type);
    free(w->key);
}

/* --- input --- */

/* One that was written must read the same again. */
static void read_removal(struct world *w, size_t i, yyjson_val *item)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    _cleanup_json_ yyjson_doc *written = NULL;
    _cleanup_(fed_removal_freep) struct fed_removal *again = NULL;

    if (!item || fed_removal_decode(item, &w->removals[i], NULL) < 0)
        return;
    fed_removal_encode(w->removals[i], doc, list);
    written = json_freeze_val(list);
    FUZZ_CHECK(fed_removal_decode(yyjson_arr_get_first(yyjson_doc_get_root(written)), &again, NULL) == 0);
    FUZZ_CHECK(strcmp(again->key, w->removals[i]->key) == 0 && strcmp(again->uid, w->removals[i]->uid) == 0);
    FUZZ_CHECK(json_equal(yyjson_doc_get_root(again->options), yyjson_doc_get_root(w->removals[i]->options)));
    w->views[i].removal = w->removals[i];
}

static void read_member(struct world *w, size_t i, yyjson_val *item)
{
    yyjson_val *live = json_get(item, "live");
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();

    if (!live)
        return;
    fed_member_project(w->type, w->in.raw_status, live, out);
    w->projections[i] = json_freeze(out);
    w->live[i] = live;
    w->objects[i] = (struct fed_member_obj){ .uid = json_path_str(live, "metadata.uid"),
                                             .resource_version = json_path_str(live, "metadata.resourceVersion"),
                                             .generation = json_path_i64(live, "metadata.generation", 0),
                                             .deleting = json_path(live, "metadata.deletionTimestamp") != NULL,
                                             .autoscaled = json_path_bool(item, "autoscaled", false),
                                             .same_but_scaled = json_path_str(item, "scaled"),
                                             .root = yyjson_doc_get_root(w->projections[i]) };
    w->views[i].obj = &w->objects[i];
}

static void read_clusters(struct world *w, yyjson_val *list)
{
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item)
    {
        struct str name = json_path_str(item, "name");
        size_t used = w->in.n_clusters;

        if (used == MAX_CLUSTERS || name.n == 0 || (used && str_cmp(w->views[used - 1].name, name) >= 0))
            continue;
        w->views[used] = (struct fed_cluster_view){ .name = name,
                                                    .labels = json_get(item, "labels"),
                                                    .ready = json_path_bool(item, "ready", true),
                                                    .store_ready = json_path_bool(item, "cached", true),
                                                    .store_status = FED_STATUS_CACHED_RETRIEVAL_FAILED,
                                                    .store_error = STR("why"),
                                                    .unready_since = json_path_i64(item, "since", 0) };
        read_member(w, used, item);
        read_removal(w, used, json_get(item, "removal"));
        w->in.n_clusters++;
    }
}

static int read_world(struct world *w, yyjson_val *root)
{
    struct str ns, name;

    *w = (struct world){ 0 };
    if (fed_type_config_decode(json_get(root, "type"), &w->type, NULL) < 0)
        return -EINVAL;
    w->type->replicas_path = fed_type_replicas_path(w->type, json_get(root, "crd"));
    w->behavior = fed_behavior_default;
    (void)fed_behavior_parse(json_path_str(root, "behavior"), &w->behavior, NULL);
    (void)fed_orphan_after_parse(json_path_str(root, "patience"), &w->behavior.orphan_unreachable_after_s, NULL);
    w->contested = json_path_str(root, "contested").p;
    w->versions = fed_versions_decode(json_get(root, "versions"));
    w->in = (struct fed_plan_input){ .type = w->type,
                                     .namespace_scoped = json_path_bool(root, "limited", false),
                                     .object = json_get(root, "object"),
                                     .fed_namespace = json_get(root, "namespace"),
                                     .host_namespace_uid = json_path_str(root, "host"),
                                     .clusters = w->views,
                                     .versions = w->versions,
                                     .adopt = json_path_bool(root, "adopt", true),
                                     .raw_status = json_path_bool(root, "raw", false),
                                     .behavior = &w->behavior };
    ns = json_path_str(w->in.object, "metadata.namespace");
    name = json_path_str(w->in.object, "metadata.name");
    w->key = mem_printf("%" PRIstr "%s%" PRIstr, STRARG(ns), ns.n ? "/" : "", STRARG(name));
    w->in.key = str_of(w->key);
    read_clusters(w, json_get(root, "clusters"));
    return 0;
}

/* --- promises --- */

/* What is written carries the label and is called as the federated object is. */
static void check_object(const struct world *w, struct str text)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    yyjson_val *body;

    FUZZ_CHECK(json_parse(text, &doc, NULL) == 0);
    body = yyjson_doc_get_root(doc);
    FUZZ_CHECK(fed_object_is_managed(body));
    FUZZ_CHECK(str_eqc(json_path_str(body, "kind"), w->type->target.kind));
    FUZZ_CHECK(str_eq(json_path_str(body, "metadata.name"), json_path_str(w->in.object, "metadata.name")));
}

/* A DELETE is for what was seen, unless the user says otherwise, and never for the HOST's own namespace. */
static void check_delete(const struct world *w, const struct fed_cluster_view *c, yyjson_val *body)
{
    FUZZ_CHECK(!fed_type_is_namespace(w->type) || !w->in.host_namespace_uid.n ||
               !str_eq(c->obj->uid, w->in.host_namespace_uid));
    FUZZ_CHECK(!c->obj->uid.n || json_path(body, "preconditions.uid"));
    FUZZ_CHECK(w->in.object || c->removal);
}

static void check_op(const struct world *w, const struct fed_op *op, bool removal)
{
    const struct fed_cluster_view *c = &w->views[op->cluster];
    _cleanup_json_ yyjson_doc *doc = NULL;

    FUZZ_CHECK(op->cluster < w->in.n_clusters && c->ready && c->store_ready);
    FUZZ_CHECK(json_parse(fed_body_str(op->body), &doc, NULL) == 0);
    if (op->kind == FED_OP_CREATE || op->kind == FED_OP_UPDATE) {
        FUZZ_CHECK(!removal && (op->kind == FED_OP_CREATE) == (c->obj == NULL));
        check_object(w, fed_body_str(op->body));
    } else {
        FUZZ_CHECK(c->obj && !c->obj->deleting && fed_object_is_managed(c->obj->root));
        if (op->kind == FED_OP_DELETE)
            check_delete(w, c, yyjson_doc_get_root(doc));
    }
}

static void check_plan(const struct world *w, const struct fed_plan *p, bool removal)
{
    FUZZ_CHECK(p->reason && p->template_hash && p->overrides_hash && p->n_clusters == w->in.n_clusters);
    for (size_t i = 0; i < p->n_ops; i++) {
        check_op(w, &p->ops[i], removal);
        FUZZ_CHECK(i == 0 || p->ops[i - 1].cluster < p->ops[i].cluster);
        FUZZ_CHECK(!p->clusters[p->ops[i].cluster].status);
    }
    for (size_t i = 0; i < p->n_events; i++)
        FUZZ_CHECK(p->events[i].type && p->events[i].reason && p->events[i].message);
}

static void check_same(const struct fed_plan *a, const struct fed_plan *b)
{
    FUZZ_CHECK(a->n_ops == b->n_ops && a->n_events == b->n_events);
    for (size_t i = 0; i < a->n_ops; i++) {
        FUZZ_CHECK(a->ops[i].kind == b->ops[i].kind && a->ops[i].cluster == b->ops[i].cluster);
        FUZZ_CHECK(str_eq(fed_body_str(a->ops[i].body), fed_body_str(b->ops[i].body)));
    }
    FUZZ_CHECK(strcmp(a->template_hash, b->template_hash) == 0 && strcmp(a->overrides_hash, b->overrides_hash) == 0);
}

static void try_adoption(const struct world *w, const struct fed_plan *p)
{
    for (size_t i = 0; i < w->in.n_clusters; i++) {
        struct fed_adoption a;

        if (!w->live[i])
            continue;
        fed_plan_adopt(p, &w->in, i, w->live[i], &a);
        FUZZ_CHECK(a.op || a.status);
        if (a.op)
            check_object(w, fed_body_str(a.op->body));
        fed_adoption_done(&a);
    }
}

static void try_status(const struct world *w, const struct fed_plan *p)
{
    struct fed_status_cluster clusters[MAX_CLUSTERS];
    struct fed_status_input in = { .previous = json_get(w->in.object, "status"),
                                   .generation = json_path_i64(w->in.object, "metadata.generation", 0),
                                   .reason = p->reason,
                                   .clusters = clusters,
                                   .contested = w->contested,
                                   .raw_status = w->in.raw_status };
    _cleanup_json_mut_ yyjson_mut_doc *status = NULL, *again = NULL;
    _cleanup_json_ yyjson_doc *written = NULL;

    for (size_t i = 0; i < p->n_clusters; i++)
        if (p->clusters[i].status)
            clusters[in.n_clusters++] = (struct fed_status_cluster){ w->views[i].name, p->clusters[i].status,
                                                                     p->clusters[i].remote };
    if (!fed_status_make(&in, &status))
        return;
    written = json_freeze(status);
    in.previous = yyjson_doc_get_root(written);
    FUZZ_CHECK(!fed_status_make(&in, &again));
}

static void try_planner(const struct world *w, void (*planner)(const struct fed_plan_input *, struct fed_plan **),
                        bool removal)
{
    _cleanup_(fed_plan_freep) struct fed_plan *p = NULL, *again = NULL;

    planner(&w->in, &p);
    planner(&w->in, &again);
    check_plan(w, p, removal);
    check_same(p, again);
    if (removal)
        return;
    try_adoption(w, p);
    try_status(w, p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct world w;

    if (json_parse(str_n((const char *)data, size), &doc, NULL) < 0)
        return 0;
    if (read_world(&w, yyjson_doc_get_root(doc)) < 0)
        return 0;
    if (w.in.object) {
        try_planner(&w, fed_plan_sync, false);
        try_planner(&w, fed_plan_delete, true);
    }
    try_planner(&w, fed_plan_orphan, true);
    w.in.object = NULL;
    try_planner(&w, fed_plan_orphan, true);
    world_done(&w);
    return 0;
}
