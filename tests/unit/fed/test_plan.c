/*
 * The planner (controllers.md 5.4 to 5.12): single decisions, and a simulation of members in which plans are carried out,
 * with random changes: the same input gives the same plan, and a plan that was carried out leaves nothing to do.
 */
#include "fed/plan.h"

#include "fed/names.h"
#include "fed/object.h"
#include "fed_test.h"

#define N 3

/* What a simulated member holds. */
struct member {
    yyjson_doc *live; /* or NULL */
    yyjson_doc *projection;
    bool ready, cached;
    struct fed_member_obj obj;
};

struct world {
    struct fed_type_config *type;
    struct member members[N];
    uint64_t revision;
    yyjson_doc *versions_doc;
    struct fed_versions *versions;
    yyjson_val *object, *fed_namespace;
    struct fed_cluster_view views[N];
    struct fed_plan_input in;
};

static struct str name_of(size_t i)
{
    static const struct str names[N] = { STR("c1"), STR("c2"), STR("c3") };

    return names[i];
}

static void world_init(struct world *w, const char *spec)
{
    *w = (struct world){ .type = make_type("", "v1", "ConfigMap", "configmaps", true), .revision = 100 };
    w->object = JF("{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedConfigMap','metadata':{'name':'x',"
                   "'namespace':'n','generation':1,'uid':'u','finalizers':['kubefed.io/sync-controller']},'spec':%s}",
                   spec);
    w->fed_namespace = J("{'metadata':{'name':'n','namespace':'n'},'spec':{'placement':{'clusterSelector':{}}}}");
    for (size_t i = 0; i < N; i++)
        w->members[i].ready = w->members[i].cached = true;
}

static void drop_live(struct member *m)
{
    yyjson_doc_free(m->live);
    yyjson_doc_free(m->projection);
    m->live = m->projection = NULL;
}

static void world_done(struct world *w)
{
    for (size_t i = 0; i < N; i++)
        drop_live(&w->members[i]);
    fed_versions_free(w->versions);
    yyjson_doc_free(w->versions_doc);
    fed_type_config_free(w->type);
}

/* The member stores the object as an API server would: with uid and resourceVersion of its own. */
static void store(struct world *w, size_t i, yyjson_val *object)
{
    struct member *m = &w->members[i];
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(object), *out = json_mut_doc_new();
    yyjson_mut_val *metadata = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "metadata");
    _cleanup_free_ char *rv = mem_printf("%llu", (unsigned long long)++w->revision);

    if (!json_mut_get(metadata, "uid"))
        json_mut_set_str(doc, metadata, "uid", STR("member-uid"));
    json_mut_set_str(doc, metadata, "resourceVersion", str_of(rv));
    drop_live(m);
    m->live = json_freeze(doc);
    fed_member_project(w->type, false, yyjson_doc_get_root(m->live), out);
    m->projection = json_freeze(out);
}

static void store_text(struct world *w, size_t i, const char *text)
{
    store(w, i, J(text));
}

static void look(struct world *w)
{
    for (size_t i = 0; i < N; i++) {
        struct member *m = &w->members[i];
        yyjson_val *live = yyjson_doc_get_root(m->live);
        /* Caches hold labelled objects only. */
        bool seen = m->live &&
                    str_eqc(json_str(json_get(json_path(live, "metadata.labels"), FED_MANAGED_LABEL)), "true");

        w->views[i] = (struct fed_cluster_view){ .name = name_of(i), .ready = m->ready, .store_ready = m->cached };
        if (!m->cached) {
            w->views[i].store_status = FED_STATUS_CACHED_RETRIEVAL_FAILED;
            w->views[i].store_error = STR("why");
        } else if (seen) {
            m->obj = (struct fed_member_obj){ .uid = json_path_str(live, "metadata.uid"),
                                              .resource_version = json_path_str(live, "metadata.resourceVersion"),
                                              .deleting = json_path(live, "metadata.deletionTimestamp") != NULL,
                                              .root = yyjson_doc_get_root(m->projection) };
            w->views[i].obj = &m->obj;
        }
    }
    w->in = (struct fed_plan_input){ .type = w->type,
                                     .key = STR("n/x"),
                                     .object = w->object,
                                     .fed_namespace = w->fed_namespace,
                                     .clusters = w->views,
                                     .n_clusters = N,
                                     .versions = w->versions,
                                     .adopt = true };
}

static struct fed_plan *plan(struct world *w)
{
    struct fed_plan *p = NULL;

    look(w);
    fed_plan_sync(&w->in, &p);
    return p;
}

static void carry_out_op(struct world *w, const struct fed_op *op, char **version)
{
    struct member *m = &w->members[op->cluster];

    if (op->kind == FED_OP_DELETE) {
        drop_live(m);
    } else if (op->kind == FED_OP_UNLABEL) {
        store_text(w, op->cluster, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n'}}");
    } else {
        if (op->kind == FED_OP_CREATE)
            assert_null(m->live);
        store(w, op->cluster, text_val(fed_body_str(op->body)));
        free(*version);
        *version = fed_object_version(yyjson_doc_get_root(m->live));
    }
}

/* Carries a plan out in the members and records the versions, as the controller does. */
static void carry_out(struct world *w, const struct fed_plan *p)
{
    char *versions[N] = { 0 };
    struct fed_cluster_version list[N];
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    size_t n = 0;

    for (size_t i = 0; i < N; i++)
        versions[i] = p->clusters[i].recorded_version ? mem_strdup(p->clusters[i].recorded_version) : NULL;
    for (size_t i = 0; i < p->n_ops; i++)
        carry_out_op(w, &p->ops[i], &versions[p->ops[i].cluster]);
    for (size_t i = 0; i < N; i++)
        if (p->clusters[i].selected && versions[i])
            list[n++] = (struct fed_cluster_version){ name_of(i), str_of(versions[i]) };
    fed_versions_encode(&b, str_of(p->template_hash), str_of(p->overrides_hash), list, n);
    fed_versions_free(w->versions);
    yyjson_doc_free(w->versions_doc);
    w->versions_doc = NULL;
    assert_int_equal(json_parse(buf_str(&b), &w->versions_doc, NULL), 0);
    w->versions = fed_versions_decode(yyjson_doc_get_root(w->versions_doc));
    for (size_t i = 0; i < N; i++)
        free(versions[i]);
}

static const struct fed_op *op_of(const struct fed_plan *p, size_t cluster)
{
    for (size_t i = 0; i < p->n_ops; i++)
        if (p->ops[i].cluster == cluster)
            return &p->ops[i];
    return NULL;
}

#define SPEC(placement, rest) "{'template':{'data':{'k':'v'}},'placement':{" placement "}" rest "}"
#define TWO SPEC("'clusters':[{'name':'c1'},{'name':'c2'}]", "")

/* --- single decisions --- */

static void creates_where_placed(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, SPEC("'clusters':[{'name':'c1'},{'name':'c2'}]",
                        ",'overrides':[{'clusterName':'c2','clusterOverrides':[{'path':'/data/k','value':'w'}]}]"));
    p = plan(&w);
    assert_int_equal(p->n_ops, 2);
    assert_int_equal(op_of(p, 0)->kind, FED_OP_CREATE);
    assert_json_text(fed_body_str(op_of(p, 0)->body),
                     "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n',"
                     "'labels':{'kubefed.io/managed':'true'}},'data':{'k':'v'}}");
    assert_json_text(fed_body_str(op_of(p, 1)->body),
                     "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n',"
                     "'labels':{'kubefed.io/managed':'true'}},'data':{'k':'w'}}");
    assert_null(op_of(p, 2));
    assert_null(p->clusters[2].status);
    fed_plan_free(p);
    world_done(&w);
}

static void settles(struct world *w)
{
    struct fed_plan *p = plan(w);

    carry_out(w, p);
    fed_plan_free(p);
    p = plan(w);
    assert_int_equal(p->n_ops, 0);
    fed_plan_free(p);
}

static void repairs_and_removes(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, TWO);
    settles(&w);
    /* Somebody changes the object in c1; the object in c3 belongs nowhere. */
    store_text(&w, 0,
               "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n','labels':"
               "{'kubefed.io/managed':'true'}},'data':{'k':'other'}}");
    store_text(&w, 2,
               "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n','uid':'third',"
               "'labels':{'kubefed.io/managed':'true'}}}");
    p = plan(&w);
    assert_int_equal(p->n_ops, 2);
    assert_int_equal(op_of(p, 0)->kind, FED_OP_UPDATE);
    assert_json(json_path(text_val(fed_body_str(op_of(p, 0)->body)), "data"), "{'k':'v'}");
    assert_int_equal(op_of(p, 2)->kind, FED_OP_DELETE);
    assert_json(json_path(text_val(fed_body_str(op_of(p, 2)->body)), "preconditions"), "{'uid':'third'}");
    fed_plan_free(p);
    settles(&w);
    world_done(&w);
}

static void unready_and_uncached_clusters_are_left_alone(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, TWO);
    w.members[0].ready = false;
    w.members[1].cached = false;
    p = plan(&w);
    assert_int_equal(p->n_ops, 0);
    assert_string_equal(p->clusters[0].status, FED_STATUS_CLUSTER_NOT_READY);
    assert_string_equal(p->clusters[1].status, FED_STATUS_CACHED_RETRIEVAL_FAILED);
    fed_plan_free(p);
    world_done(&w);
}

static void errors_stay_with_what_they_concern(void **state)
{
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, SPEC("'clusters':[{'name':'c1'},{'name':'c2'}]",
                        ",'overrides':[{'clusterName':'c2','clusterOverrides':[{'op':'remove','path':'/no/such'}]}]"));
    p = plan(&w);
    assert_int_equal(p->n_ops, 1);
    assert_int_equal(op_of(p, 0)->kind, FED_OP_CREATE);
    assert_string_equal(p->clusters[1].status, FED_STATUS_APPLY_OVERRIDES_FAILED);
    assert_non_null(p->clusters[1].error);
    fed_plan_free(p);
    world_done(&w);
    /* A placement that cannot be computed removes nothing. */
    world_init(&w, SPEC("'clusterSelector':{'matchLabels':{'-':'x'}}", ""));
    store_text(&w, 0,
               "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n','labels':"
               "{'kubefed.io/managed':'true'}},'data':{'k':'v'}}");
    p = plan(&w);
    assert_int_equal(p->n_ops, 0);
    assert_string_equal(p->reason, FED_REASON_COMPUTE_PLACEMENT_FAILED);
    fed_plan_free(p);
    world_done(&w);
}

static void deletion_counts_every_labelled_object(void **state)
{
    static const char *const object = "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n',"
                                      "'uid':'old','labels':{'kubefed.io/managed':'true'}}}";
    struct world w;
    struct fed_plan *p;

    (void)state;
    world_init(&w, SPEC("'clusters':[{'name':'c1'}]", ""));
    store_text(&w, 0, object);
    store_text(&w, 2, object); /* no longer placed there */
    w.members[1].ready = false;
    look(&w);
    fed_plan_delete(&w.in, &p);
    assert_int_equal(p->n_ops, 2);
    assert_int_equal(op_of(p, 0)->kind, FED_OP_DELETE);
    assert_int_equal(op_of(p, 2)->kind, FED_OP_DELETE);
    assert_false(p->clusters[1].blocks);
    fed_plan_free(p);
    /* An unready cluster that is selected may have it. */
    w.members[0].ready = false;
    look(&w);
    fed_plan_delete(&w.in, &p);
    assert_true(p->clusters[0].blocks);
    fed_plan_free(p);
    look(&w);
    w.members[0].ready = true;
    look(&w);
    fed_plan_orphan(&w.in, &p);
    assert_int_equal(op_of(p, 0)->kind, FED_OP_UNLABEL);
    assert_int_equal(op_of(p, 2)->kind, FED_OP_UNLABEL);
    assert_json_text(fed_body_str(op_of(p, 0)->body), "{'metadata':{'labels':{'kubefed.io/managed':null}}}");
    fed_plan_free(p);
    world_done(&w);
}

static void adoption(void **state)
{
    struct world w;
    struct fed_plan *p;
    struct fed_adoption a;

    (void)state;
    world_init(&w, TWO);
    p = plan(&w);
    yyjson_val *foreign = J("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n','uid':'f',"
                            "'resourceVersion':'7','annotations':{'theirs':'1'}},'data':{'k':'theirs'}}");
    fed_plan_adopt(p, &w.in, 0, foreign, &a);
    assert_non_null(a.op);
    assert_int_equal(a.op->kind, FED_OP_UPDATE);
    assert_json(json_path(text_val(fed_body_str(a.op->body)), "metadata"),
                "{'name':'x','namespace':'n','labels':{'kubefed.io/managed':'true'},'annotations':{'theirs':'1'},"
                "'resourceVersion':'7'}");
    fed_adoption_done(&a);
    yyjson_val *opted_out = J("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n','uid':'f',"
                              "'resourceVersion':'7','labels':{'kubefed.io/managed':'false'}}}");
    fed_plan_adopt(p, &w.in, 0, opted_out, &a);
    assert_null(a.op);
    assert_string_equal(a.status, FED_STATUS_MANAGED_LABEL_FALSE);
    fed_adoption_done(&a);
    w.in.adopt = false;
    fed_plan_adopt(p, &w.in, 0, foreign, &a);
    assert_null(a.op);
    assert_string_equal(a.status, FED_STATUS_ALREADY_EXISTS);
    fed_adoption_done(&a);
    fed_plan_free(p);
    world_done(&w);
}

/* --- the simulation --- */

static const char *random_spec(char *text, size_t size)
{
    static const char *const placements[] = { "", "'clusters':[]", "'clusters':[{'name':'c1'}]", "'clusterSelector':{}",
                                              "'clusters':[{'name':'c2'},{'name':'c3'},{'name':'nowhere'}]" };
    static const char *const overrides[] = {
        "", ",'overrides':[]",
        ",'overrides':[{'clusterName':'c1','clusterOverrides':[{'path':'/data/o','value':'1'}]}]",
        (",'overrides':[{'clusterName':'c2','clusterOverrides':[{'op':'remove','path':'/data/k'}]},"
         "{'clusterName':'c3','clusterOverrides':[{'op':'add','path':'/metadata/labels','value':{'l':'1'}}]}]")
    };

    snprintf(text, size, "{'template':{'metadata':{'labels':{'t':'%u'}},'data':{'k':'%u'}},'placement':{%s}%s}",
             (unsigned)rand_below(2), (unsigned)rand_below(3), placements[rand_below(ARRAY_SIZE(placements))],
             overrides[rand_below(ARRAY_SIZE(overrides))]);
    return text;
}

static void disturb(struct world *w)
{
    size_t i = (size_t)rand_below(N);
    struct member *m = &w->members[i];

    switch (rand_below(6)) {
    case 0: drop_live(m); break;
    case 1:
        store_text(w, i,
                   "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n','labels':"
                   "{'kubefed.io/managed':'true'}},'data':{'k':'drift'}}");
        break;
    case 2: m->ready = !m->ready; break;
    case 3: m->cached = !m->cached; break;
    default: break;
    }
    if (rand_below(3) == 0) {
        char text[1024];
        w->object = JF("{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedConfigMap','metadata':{'name':'x',"
                       "'namespace':'n','generation':2,'uid':'u'},'spec':%s}",
                       random_spec(text, sizeof(text)));
    }
}

static void assert_same_plan(const struct fed_plan *a, const struct fed_plan *b)
{
    assert_int_equal(a->n_ops, b->n_ops);
    for (size_t i = 0; i < a->n_ops; i++) {
        assert_int_equal(a->ops[i].kind, b->ops[i].kind);
        assert_int_equal(a->ops[i].cluster, b->ops[i].cluster);
        assert_true(str_eq(a->ops[i].body ? fed_body_str(a->ops[i].body) : STR(""),
                           b->ops[i].body ? fed_body_str(b->ops[i].body) : STR("")));
    }
    assert_string_equal(a->reason, b->reason);
    assert_string_equal(a->template_hash, b->template_hash);
    assert_string_equal(a->overrides_hash, b->overrides_hash);
}

static void never_touches_the_unknown(const struct world *w, const struct fed_plan *p)
{
    for (size_t i = 0; i < p->n_ops; i++) {
        assert_true(w->members[p->ops[i].cluster].ready);
        assert_true(w->members[p->ops[i].cluster].cached);
    }
}

static void simulation(void **state)
{
    char text[1024];
    struct world w;

    (void)state;
    unit_seed();
    world_init(&w, random_spec(text, sizeof(text)));
    for (int step = 0; step < 2000; step++) {
        disturb(&w);
        struct fed_plan *p = plan(&w), *again = plan(&w);
        assert_same_plan(p, again);
        never_touches_the_unknown(&w, p);
        carry_out(&w, p);
        fed_plan_free(p);
        fed_plan_free(again);
        p = plan(&w);
        if (p->n_ops)
            fail_msg("step %d: there is still something to do after the plan was carried out", step);
        fed_plan_free(p);
    }
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creates_where_placed),
        cmocka_unit_test(repairs_and_removes),
        cmocka_unit_test(unready_and_uncached_clusters_are_left_alone),
        cmocka_unit_test(errors_stay_with_what_they_concern),
        cmocka_unit_test(deletion_counts_every_labelled_object),
        cmocka_unit_test(adoption),
        cmocka_unit_test(simulation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
