/*
 * The planner in random worlds: objects, placements and members change at random, plans are carried out. Whatever happens,
 * the same input gives the same plan, a plan that was carried out leaves nothing to do, members are then as the federated
 * object says, and what cannot be seen is not touched. UNIT_SEED=<number> repeats a run.
 */
#include "plan_world.h"

#define WORLDS 150
#define STEPS 30

enum overrides { PLAIN, EMPTY, ADDS_IN_C1, VARIES, FAILS_IN_C1, BROKEN, N_OVERRIDES };

/* What is to be, told without the code under test. */
struct wish {
    unsigned k, label;
    unsigned placed;    /* bit i: cluster i; own placement and namespace together */
    unsigned overrides; /* enum overrides */
    bool broken_placement;
};

struct simulation {
    struct world w;
    struct wish wish;
    const char *body; /* the member of the object that the template fills */
    unsigned bounds;  /* placement of the namespace */
    int step;
};

/* --- random federated objects --- */

static const struct {
    const char *text;
    unsigned clusters;
    bool broken;
} placements[] = {
    { "", 0, false },
    { "'clusters':[]", 0, false },
    { "'clusters':[],'clusterSelector':{}", 0, false },
    { "'clusters':[{'name':'c1'}]", 1, false },
    { "'clusterSelector':{}", 7, false },
    { "'clusters':[{'name':'c2'},{'name':'c3'},{'name':'nowhere'}]", 6, false },
    { "'clusterSelector':{'matchLabels':{'-':'x'}}", 0, true },
};

static const char *overrides_text(const struct simulation *s, char *out, size_t size)
{
    static const char *const formats[N_OVERRIDES] = {
        [PLAIN] = "",
        [EMPTY] = ",'overrides':[]",
        [ADDS_IN_C1] = ",'overrides':[{'clusterName':'c1','clusterOverrides':[{'path':'/%s/o','value':'1'}]}]",
        [VARIES] = (",'overrides':[{'clusterName':'c2','clusterOverrides':[{'op':'remove','path':'/%s/k'}]},"
                    "{'clusterName':'c3','clusterOverrides':[{'path':'/metadata/labels','value':{'l':'1'}}]}]"),
        [FAILS_IN_C1] = ",'overrides':[{'clusterName':'c1','clusterOverrides':[{'op':'remove','path':'/%s/no'}]}]",
        [BROKEN] = ",'overrides':[{'clusterName':'c1'},{'clusterName':'c1'}]",
    };
    const char *format = formats[s->wish.overrides], *mark = strstr(format, "%s");

    if (mark)
        snprintf(out, size, "%.*s%s%s", (int)(mark - format), format, s->body, mark + 2);
    else
        snprintf(out, size, "%s", format);
    return out;
}

static void wish_anew(struct simulation *s)
{
    size_t p = (size_t)rand_below(ARRAY_SIZE(placements));
    char overrides[512], spec[1024];

    s->wish = (struct wish){ .k = (unsigned)rand_below(3),
                             .label = (unsigned)rand_below(2),
                             .placed = placements[p].clusters & s->bounds,
                             .overrides = (unsigned)rand_below(N_OVERRIDES),
                             .broken_placement = placements[p].broken };
    snprintf(spec, sizeof(spec), "{'template':{'metadata':{'labels':{'t':'%u'}},'%s':{'k':'%u'}},'placement':{%s}%s}",
             s->wish.label, s->body, s->wish.k, placements[p].text, overrides_text(s, overrides, sizeof(overrides)));
    describe(&s->w, "", spec);
}

static void start(struct simulation *s)
{
    static const char *const namespaces[] = { NULL, "'clusterSelector':{}",
                                              "'clusters':[{'name':'c1'},{'name':'c3'}]" };
    static const unsigned bounds[] = { 0, 7, 5 };
    size_t b = (size_t)rand_below(ARRAY_SIZE(bounds));
    bool deployment = rand_below(2) == 0;

    *s = (struct simulation){ .body = deployment ? "spec" : "data", .bounds = bounds[b] };
    world_of(&s->w,
             deployment ? make_type("apps", "v1", "Deployment", "deployments", true)
                        : make_type("", "v1", "ConfigMap", "configmaps", true),
             "{}");
    s->w.forbid_adoption = rand_below(4) == 0;
    s->w.fed_namespace = namespaces[b] ? JF("{'spec':{'placement':{%s}}}", namespaces[b]) : NULL;
    wish_anew(s);
}

/* --- random changes in members --- */

static void change_object(struct simulation *s, size_t i)
{
    static const char *const patches[] = {
        "{'metadata':{'labels':{'kubefed.io/managed':null}}}",
        "{'metadata':{'labels':{'kubefed.io/managed':'false'}}}",
        "{'metadata':{'labels':{'t':'theirs'}}}",
        "{'metadata':{'labels':{'more':'1'}}}",
        "{'metadata':{'annotations':{'theirs':'1'}}}",
        "{'metadata':{'finalizers':['theirs']}}",
        "{'status':{'readyReplicas':2}}",
        "{'spec':{'replicas':5}}",
        "{'data':{'k':'drift'}}",
        "{'spec':{'k':'drift','strategy':'Recreate'}}",
    };

    alter(&s->w, i, patches[rand_below(ARRAY_SIZE(patches))]);
}

static void finish_deletion(struct simulation *s, size_t i)
{
    if (json_path(live_of_member(&s->w, i), "metadata.deletionTimestamp"))
        drop_live(&s->w.members[i]);
}

static void disturb(struct simulation *s)
{
    size_t i = (size_t)rand_below(N);
    struct member *m = &s->w.members[i];

    switch (rand_below(9)) {
    case 0: store_text(&s->w, i, "{'metadata':{'name':'x','namespace':'n','labels':{'theirs':'1'}}}"); break;
    case 1: m->ready = !m->ready; break;
    case 2: m->cached = !m->cached; break;
    case 3: forget_versions(&s->w); break;
    case 4: finish_deletion(s, i); break;
    case 5: wish_anew(s); break;
    case 6:
        if (m->live)
            delete_live(&s->w, i);
        break;
    default:
        if (m->live)
            change_object(s, i);
    }
}

/* --- what must hold --- */

static void assert_same_plan(const struct fed_plan *a, const struct fed_plan *b)
{
    assert_int_equal(a->n_ops, b->n_ops);
    for (size_t i = 0; i < a->n_ops; i++) {
        assert_int_equal(a->ops[i].kind, b->ops[i].kind);
        assert_int_equal(a->ops[i].cluster, b->ops[i].cluster);
        assert_true(str_eq(fed_body_str(a->ops[i].body), fed_body_str(b->ops[i].body)));
    }
    assert_int_equal(a->n_events, b->n_events);
    for (size_t i = 0; i < a->n_events; i++)
        assert_string_equal(a->events[i].message, b->events[i].message);
    assert_string_equal(a->reason, b->reason);
    assert_string_equal(a->template_hash, b->template_hash);
    assert_string_equal(a->overrides_hash, b->overrides_hash);
}

/* In order of the clusters, one each, and only where the member can be seen. */
static void check_ops(const struct world *w, const struct fed_plan *p)
{
    for (size_t i = 0; i < p->n_ops; i++) {
        assert_true(i == 0 || p->ops[i - 1].cluster < p->ops[i].cluster);
        assert_true(w->members[p->ops[i].cluster].ready && w->members[p->ops[i].cluster].cached);
    }
}

static bool is_ending(const struct world *w, size_t i)
{
    return json_path(live_of_member(w, i), "metadata.deletionTimestamp") != NULL;
}

/* Objects that no plan may change: they end, their owner opted out, or they are not ours to take. */
static bool is_out_of_reach(const struct world *w, size_t i)
{
    yyjson_val *live = live_of_member(w, i);

    return live &&
           (is_ending(w, i) || fed_object_opted_out(live) || (w->forbid_adoption && !fed_object_is_managed(live)));
}

static bool fails_in(const struct wish *wish, size_t i)
{
    return wish->broken_placement || wish->overrides == BROKEN || (wish->overrides == FAILS_IN_C1 && i == 0);
}

static void check_placed(const struct simulation *s, size_t i)
{
    yyjson_val *live = live_of_member(&s->w, i), *labels = json_path(live, "metadata.labels");
    yyjson_val *body = json_get(live, s->body);
    bool removed = s->wish.overrides == VARIES && i == 1, relabelled = s->wish.overrides == VARIES && i == 2;
    char k[16], t[16];

    snprintf(k, sizeof(k), "%u", s->wish.k);
    snprintf(t, sizeof(t), "%u", s->wish.label);
    assert_non_null(live);
    assert_true(fed_object_is_managed(live));
    assert_int_equal(yyjson_obj_size(labels), 2);
    if (relabelled)
        assert_str(json_path_str(labels, "l"), "1");
    else
        assert_str(json_path_str(labels, "t"), t);
    if (removed)
        assert_null(json_get(body, "k"));
    else
        assert_str(json_path_str(body, "k"), k);
    assert_int_equal(json_get(body, "o") != NULL, s->wish.overrides == ADDS_IN_C1 && i == 0);
}

static void check_members(const struct simulation *s)
{
    const struct world *w = &s->w;

    for (size_t i = 0; i < N; i++) {
        if (!w->members[i].ready || !w->members[i].cached || is_out_of_reach(w, i))
            continue;
        if (s->wish.broken_placement)
            continue;
        if (!(s->wish.placed & (1u << i)))
            assert_false(fed_object_is_managed(live_of_member(w, i)));
        else if (!fails_in(&s->wish, i))
            check_placed(s, i);
    }
}

/* A create goes on failing where the object is out of reach: the cache does not show it. */
static void check_done(struct simulation *s)
{
    struct fed_plan *p = plan(&s->w);

    for (size_t i = 0; i < p->n_ops; i++)
        if (p->ops[i].kind != FED_OP_CREATE || !is_out_of_reach(&s->w, p->ops[i].cluster))
            fail_msg("step %d: cluster %zu: something is left after the plan was carried out", s->step,
                     p->ops[i].cluster);
    fed_plan_free(p);
}

/* --- one step --- */

struct seen {
    char *rv[N];
};

static void remember(const struct world *w, struct seen *seen)
{
    for (size_t i = 0; i < N; i++)
        seen->rv[i] = str_dup(json_path_str(live_of_member(w, i), "metadata.resourceVersion"));
}

/* Clusters out of sight and all clusters of an object whose placement is unknown stay as they were. Frees `seen`. */
static void check_untouched(const struct simulation *s, struct seen *seen)
{
    for (size_t i = 0; i < N; i++) {
        const struct member *m = &s->w.members[i];

        if (!m->ready || !m->cached || s->wish.broken_placement)
            assert_str(json_path_str(live_of_member(&s->w, i), "metadata.resourceVersion"), seen->rv[i]);
        free(seen->rv[i]);
    }
}

static void run_step(struct simulation *s)
{
    struct fed_plan *p = plan(&s->w), *again = plan(&s->w);
    struct seen seen;

    assert_same_plan(p, again);
    check_ops(&s->w, p);
    remember(&s->w, &seen);
    carry_out(&s->w, p);
    check_untouched(s, &seen);
    fed_plan_free(p);
    fed_plan_free(again);
    check_members(s);
    check_done(s);
}

/* The federated object goes, with its objects or without. Afterwards no member in sight has an object with our label. */
static void run_end(struct simulation *s, void (*planner)(const struct fed_plan_input *, struct fed_plan **))
{
    struct fed_plan *p = plan_by(&s->w, planner), *again = plan_by(&s->w, planner);

    assert_same_plan(p, again);
    check_ops(&s->w, p);
    carry_out(&s->w, p);
    fed_plan_free(p);
    fed_plan_free(again);
    p = plan_by(&s->w, planner);
    assert_int_equal(p->n_ops, 0);
    for (size_t i = 0; i < N; i++) {
        bool labelled = fed_object_is_managed(live_of_member(&s->w, i)), seen = s->w.members[i].cached;

        if (s->w.members[i].ready && seen)
            assert_true(!labelled || is_ending(&s->w, i));
        if (!s->w.members[i].ready && seen && labelled)
            assert_true(p->clusters[i].blocks);
    }
    fed_plan_free(p);
}

static void simulate(void **state)
{
    (void)state;
    unit_seed();
    for (int i = 0; i < WORLDS; i++) {
        struct simulation s;

        start(&s);
        for (s.step = 0; s.step < STEPS; s.step++) {
            run_step(&s);
            disturb(&s);
        }
        run_end(&s, rand_below(2) == 0 ? fed_plan_delete : fed_plan_orphan);
        world_done(&s.w);
        literals_free();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(simulate) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
