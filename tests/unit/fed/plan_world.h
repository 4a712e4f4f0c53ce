/*
 * A host and three members for the tests of the planner: members store objects as API servers do (uid, resourceVersion,
 * generation, defaults, finalizers), caches show labelled objects only, and a plan can be carried out.
 */
#ifndef PLAN_WORLD_H
#define PLAN_WORLD_H

#include "fed/names.h"
#include "fed/plan.h"
#include "fed_test.h"
#include "json/patch.h"

#define N 3

#define META "'name':'x','namespace':'n','labels':{'kubefed.io/managed':'true'}"
#define MANAGED "'metadata':{" META "}"

struct member {
    yyjson_doc *live; /* or NULL */
    yyjson_doc *projection;
    bool ready, cached, filling, untold;
    struct fed_member_obj obj;
};

struct world {
    struct fed_type_config *type;
    struct member members[N];
    uint64_t revision;
    yyjson_doc *versions_doc;
    struct fed_versions *versions;
    yyjson_val *object, *fed_namespace;
    bool raw, forbid_adoption;
    struct str host_uid;
    struct fed_cluster_view views[N];
    struct fed_plan_input in;
};

static inline _unused_ struct str name_of(size_t i)
{
    static const struct str names[N] = { STR("c1"), STR("c2"), STR("c3") };

    return names[i];
}

/* --- the federated object --- */

/* `more` goes into its metadata, or is "". */
static inline _unused_ void describe(struct world *w, const char *more, const char *spec)
{
    bool namespaced = w->type->federated.namespaced;

    w->object = JF("{'apiVersion':'types.kubefed.io/v1beta1','kind':'%s','metadata':{'name':'x'%s,'generation':1,"
                   "'uid':'u','finalizers':['kubefed.io/sync-controller']%s},'spec':%s}",
                   w->type->federated.kind,
                   !namespaced                      ? ""
                   : fed_type_is_namespace(w->type) ? ",'namespace':'x'"
                                                    : ",'namespace':'n'",
                   more, spec);
}

/* Takes the type. */
static inline _unused_ void world_of(struct world *w, struct fed_type_config *type, const char *spec)
{
    *w = (struct world){ .type = type, .revision = 100 };
    describe(w, "", spec);
    w->fed_namespace = J("{'metadata':{'name':'n','namespace':'n'},'spec':{'placement':{'clusterSelector':{}}}}");
    for (size_t i = 0; i < N; i++)
        w->members[i].ready = w->members[i].cached = true;
}

static inline _unused_ void world_init(struct world *w, const char *spec)
{
    world_of(w, make_type("", "v1", "ConfigMap", "configmaps", true), spec);
}

static inline _unused_ void drop_live(struct member *m)
{
    yyjson_doc_free(m->live);
    yyjson_doc_free(m->projection);
    m->live = m->projection = NULL;
}

static inline _unused_ void forget_versions(struct world *w)
{
    fed_versions_free(w->versions);
    yyjson_doc_free(w->versions_doc);
    w->versions = NULL;
    w->versions_doc = NULL;
}

static inline _unused_ void world_done(struct world *w)
{
    for (size_t i = 0; i < N; i++)
        drop_live(&w->members[i]);
    forget_versions(w);
    fed_type_config_free(w->type);
}

/* --- a member's API server --- */

static inline _unused_ yyjson_val *live_of_member(const struct world *w, size_t i)
{
    return yyjson_doc_get_root(w->members[i].live);
}

static inline _unused_ bool has_generations(const struct world *w)
{
    return strcmp(w->type->target.group, "apps") == 0;
}

static inline _unused_ void set_defaults(const struct world *w, yyjson_mut_doc *doc)
{
    yyjson_mut_val *spec;

    if (!has_generations(w))
        return;
    spec = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "spec");
    if (!json_mut_get(spec, "replicas") && strcmp(w->type->target.kind, "Deployment") == 0)
        json_mut_set_i64(doc, spec, "replicas", 1);
    if (!json_mut_get(spec, "strategy"))
        json_mut_set_str(doc, spec, "strategy", STR("RollingUpdate"));
}

/* What a server says about an object: kept from `old`, or new. */
static inline _unused_ void set_server_fields(struct world *w, yyjson_mut_doc *doc, yyjson_val *old)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *metadata = json_mut_ensure_obj(doc, root, "metadata");
    yyjson_val *status = json_get(old, "status"), *deleting = json_path(old, "metadata.deletionTimestamp");
    _cleanup_free_ char *uid = mem_printf("uid-%llu", (unsigned long long)w->revision);
    int64_t generation = json_path_i64(old, "metadata.generation", 0);

    if (old || !json_mut_get(metadata, "uid"))
        json_mut_set_str(doc, metadata, "uid", old ? json_path_str(old, "metadata.uid") : str_of(uid));
    if (old && deleting)
        json_mut_set(doc, metadata, "deletionTimestamp", json_mut_copy(doc, deleting));
    if (old && status)
        json_mut_set(doc, root, "status", json_mut_copy(doc, status));
    if (has_generations(w))
        json_mut_set_i64(doc, metadata, "generation",
                         generation + (json_mut_equal(json_mut_get(root, "spec"), json_get(old, "spec")) ? 0 : 1));
}

static inline _unused_ void keep_live(struct world *w, size_t i, yyjson_mut_doc *doc)
{
    struct member *m = &w->members[i];
    _cleanup_json_mut_ yyjson_mut_doc *out = json_mut_doc_new();

    drop_live(m);
    m->live = json_freeze(doc);
    fed_member_project(w->type, w->raw, yyjson_doc_get_root(m->live), out);
    m->projection = json_freeze(out);
}

/* POST or PUT. A PUT that changes nothing leaves the resourceVersion as it is. */
static inline _unused_ void store(struct world *w, size_t i, yyjson_val *object)
{
    yyjson_val *old = live_of_member(w, i);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(object);
    _cleanup_free_ char *rv = mem_printf("%llu", (unsigned long long)++w->revision);
    yyjson_mut_val *metadata;

    set_defaults(w, doc);
    set_server_fields(w, doc, old);
    metadata = json_mut_path(yyjson_mut_doc_get_root(doc), "metadata");
    json_mut_set_str(doc, metadata, "resourceVersion", json_path_str(old, "metadata.resourceVersion"));
    if (!old || !json_mut_equal(yyjson_mut_doc_get_root(doc), old))
        json_mut_set_str(doc, metadata, "resourceVersion", str_of(rv));
    keep_live(w, i, doc);
}

/* What is there is replaced by another object. */
static inline _unused_ void store_text(struct world *w, size_t i, const char *text)
{
    drop_live(&w->members[i]);
    store(w, i, J(text));
}

/* Somebody changes what is there by a merge patch. */
static inline _unused_ void alter(struct world *w, size_t i, const char *patch)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(live_of_member(w, i));

    json_merge_apply(doc, yyjson_mut_doc_get_root(doc), J(patch));
    store(w, i, keep(json_freeze(doc)));
}

/* Finalizers delay the end of an object. */
static inline _unused_ void delete_live(struct world *w, size_t i)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = NULL;

    if (yyjson_arr_size(json_path(live_of_member(w, i), "metadata.finalizers")) == 0) {
        drop_live(&w->members[i]);
        return;
    }
    doc = json_mut_doc_of(live_of_member(w, i));
    json_mut_set_str(doc, json_mut_path(yyjson_mut_doc_get_root(doc), "metadata"), "deletionTimestamp",
                     STR("2023-11-14T22:13:20Z"));
    keep_live(w, i, doc);
}

/* --- planning --- */

static inline _unused_ void look(struct world *w)
{
    for (size_t i = 0; i < N; i++) {
        struct member *m = &w->members[i];
        yyjson_val *live = live_of_member(w, i);

        w->views[i] = (struct fed_cluster_view){
            .name = name_of(i), .ready = m->ready, .store_ready = m->cached, .untold = m->untold
        };
        if (!m->cached) {
            w->views[i].store_status = FED_STATUS_CACHED_RETRIEVAL_FAILED;
            w->views[i].store_error = STR("why");
            w->views[i].store_filling = m->filling;
        } else if (str_eqc(json_str(json_get(json_path(live, "metadata.labels"), FED_MANAGED_LABEL)), "true")) {
            m->obj = (struct fed_member_obj){ .uid = json_path_str(live, "metadata.uid"),
                                              .resource_version = json_path_str(live, "metadata.resourceVersion"),
                                              .generation = json_path_i64(live, "metadata.generation", 0),
                                              .deleting = json_path(live, "metadata.deletionTimestamp") != NULL,
                                              .root = yyjson_doc_get_root(m->projection) };
            w->views[i].obj = &m->obj;
        }
    }
    w->in = (struct fed_plan_input){ .type = w->type,
                                     .key = !w->type->federated.namespaced   ? STR("x")
                                            : fed_type_is_namespace(w->type) ? STR("x/x")
                                                                             : STR("n/x"),
                                     .object = w->object,
                                     .fed_namespace = w->fed_namespace,
                                     .host_namespace_uid = w->host_uid,
                                     .clusters = w->views,
                                     .n_clusters = N,
                                     .versions = w->versions,
                                     .raw_status = w->raw,
                                     .adopt = !w->forbid_adoption };
}

static inline _unused_ struct fed_plan *plan_by(struct world *w,
                                                void (*planner)(const struct fed_plan_input *, struct fed_plan **))
{
    struct fed_plan *p = NULL;

    look(w);
    planner(&w->in, &p);
    assert_non_null(p);
    return p;
}

static inline _unused_ struct fed_plan *plan(struct world *w)
{
    return plan_by(w, fed_plan_sync);
}

static inline _unused_ const struct fed_op *op_of(const struct fed_plan *p, size_t cluster)
{
    for (size_t i = 0; i < p->n_ops; i++)
        if (p->ops[i].cluster == cluster)
            return &p->ops[i];
    return NULL;
}

#define assert_op(p, i, wanted)                                                                                        \
    do {                                                                                                               \
        assert_non_null(op_of(p, i));                                                                                  \
        assert_int_equal(op_of(p, i)->kind, wanted);                                                                   \
    } while (0)

static inline _unused_ yyjson_val *body_at(const struct fed_plan *p, size_t cluster)
{
    return text_val(fed_body_str(op_of(p, cluster)->body));
}

static inline _unused_ bool has_event(const struct fed_plan *p, const char *reason, const char *fragment)
{
    for (size_t i = 0; i < p->n_events; i++)
        if (strcmp(p->events[i].reason, reason) == 0 && strstr(p->events[i].message, fragment))
            return true;
    return false;
}

/* --- carrying out --- */

static inline _unused_ void put(struct world *w, const struct fed_op *op, char **version)
{
    yyjson_val *body = text_val(fed_body_str(op->body));

    /* The update was made for the object that is there. */
    assert_true(str_eq(json_path_str(body, "metadata.resourceVersion"),
                       json_path_str(live_of_member(w, op->cluster), "metadata.resourceVersion")));
    store(w, op->cluster, body);
    free(*version);
    *version = fed_object_version(live_of_member(w, op->cluster));
}

/* POST; an object that exists already may be adopted. */
static inline _unused_ void post(struct world *w, const struct fed_plan *p, const struct fed_op *op, char **version)
{
    struct fed_adoption a;

    if (!w->members[op->cluster].live) {
        store(w, op->cluster, text_val(fed_body_str(op->body)));
        free(*version);
        *version = fed_object_version(live_of_member(w, op->cluster));
        return;
    }
    fed_plan_adopt(p, &w->in, op->cluster, live_of_member(w, op->cluster), &a);
    if (a.op)
        put(w, a.op, version);
    fed_adoption_done(&a);
}

static inline _unused_ void carry_out_op(struct world *w, const struct fed_plan *p, const struct fed_op *op,
                                         char **version)
{
    yyjson_val *body = text_val(fed_body_str(op->body));

    switch (op->kind) {
    case FED_OP_CREATE: post(w, p, op, version); break;
    case FED_OP_UPDATE: put(w, op, version); break;
    case FED_OP_DELETE:
        assert_true(str_eq(json_path_str(body, "preconditions.uid"),
                           json_path_str(live_of_member(w, op->cluster), "metadata.uid")));
        delete_live(w, op->cluster);
        break;
    case FED_OP_UNLABEL: alter(w, op->cluster, "{'metadata':{'labels':{'kubefed.io/managed':null}}}"); break;
    }
}

static inline _unused_ void record(struct world *w, const struct fed_plan *p, char *const *versions)
{
    struct fed_cluster_version list[N];
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    size_t n = 0;

    for (size_t i = 0; i < N; i++)
        if (p->clusters[i].selected && versions[i])
            list[n++] = (struct fed_cluster_version){ name_of(i), str_of(versions[i]) };
    fed_versions_encode(&b, str_of(p->template_hash), str_of(p->overrides_hash), list, n);
    forget_versions(w);
    assert_int_equal(json_parse(buf_str(&b), &w->versions_doc, NULL), 0);
    w->versions = fed_versions_decode(yyjson_doc_get_root(w->versions_doc));
}

/* Carries a plan out in the members and records the versions, as the controller does. */
static inline _unused_ void carry_out(struct world *w, const struct fed_plan *p)
{
    char *versions[N] = { 0 };

    for (size_t i = 0; i < N; i++)
        versions[i] = p->clusters[i].recorded_version ? mem_strdup(p->clusters[i].recorded_version) : NULL;
    for (size_t i = 0; i < p->n_ops; i++)
        carry_out_op(w, p, &p->ops[i], &versions[p->ops[i].cluster]);
    record(w, p, versions);
    for (size_t i = 0; i < N; i++)
        free(versions[i]);
}

/* Plans, carries out, and finds nothing more to do. */
static inline _unused_ void settle(struct world *w)
{
    struct fed_plan *p = plan(w);

    carry_out(w, p);
    fed_plan_free(p);
    p = plan(w);
    assert_int_equal(p->n_ops, 0);
    fed_plan_free(p);
}

#endif
