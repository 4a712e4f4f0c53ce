/*
 * The division of replicas: the tables of controllers.md 8.5, what holds for any input, and a second implementation of
 * the pseudo code to compare with. UNIT_SEED=<number> repeats a run.
 */
#include "fed/planner.h"

#include "fed_test.h"

#define NAME_SIZE 40
#define FEW 8 /* clusters of a scene to compare with the second implementation */

struct scene {
    struct fed_planner_cluster *clusters;
    struct fed_planner_share *got;
    char (*names)[NAME_SIZE];
    char key[32];
    struct fed_planner_input in;
};

static void scene_init(struct scene *s, size_t n)
{
    *s = (struct scene){ .clusters = mem_array(n + 1, sizeof(struct fed_planner_cluster)),
                         .got = mem_array(n + 1, sizeof(struct fed_planner_share)),
                         .names = mem_array(n + 1, NAME_SIZE) };
    s->in.clusters = s->clusters;
    s->in.n = n;
}

static void scene_done(struct scene *s)
{
    free(s->clusters);
    free(s->got);
    free(s->names);
}

static void plan(struct scene *s)
{
    fed_planner_plan(&s->in, s->got);
}

/* --- the tables --- */

/* The column "rebal." */
enum { n, y };

/* "A w2 M10; * m1": preferences as in the specification. "A16 B17", "cluster1:3": numbers of clusters. "-": none. */
struct row {
    bool rebalance;
    int64_t total;
    const char *preferences, *available, *current, *capacity, *plan, *overflow, *key;
};

static const struct row worked[] = {
    { n, 50, "* w1", "A B C", "-", "-", "A16 B17 C17", "-", "" },
    { n, 50, "* w1", "A B", "-", "-", "A25 B25", "-", "" },
    { n, 1, "* w1", "A B", "-", "-", "A0 B1", "-", "" },
    { n, 1, "* w1", "A B C D", "-", "-", "A0 B0 C0 D1", "-", "" },
    { n, 1, "* w1", "A", "-", "-", "A1", "-", "" },
    { n, 1, "* w1", "", "-", "-", "-", "-", "" },
    { n, 50, "* w1", "A B C", "C30", "-", "A10 B10 C30", "-", "" },
    { n, 50, "* w1", "A B", "A30", "-", "A30 B20", "-", "" },
    { n, 15, "* w1", "A B", "A0 B8", "-", "A7 B8", "-", "" },
    { n, 15, "* w1", "A B", "A1 B8", "-", "A7 B8", "-", "" },
    { n, 15, "* w1", "A B", "A4 B8", "-", "A7 B8", "-", "" },
    { n, 15, "* w1", "A B", "A5 B8", "-", "A7 B8", "-", "" },
    { n, 15, "* w1", "A B", "A6 B8", "-", "A7 B8", "-", "" },
    { n, 15, "* w1", "A B", "A7 B8", "-", "A7 B8", "-", "" },
    { n, 500000, "* w1", "A B", "A300000", "-", "A300000 B200000", "-", "" },
    { n, 50, "* w1", "A B", "A10", "-", "A25 B25", "-", "" },
    { n, 50, "* w1", "A B", "A10 B70", "-", "A0 B50", "-", "" },
    { n, 1, "* w1", "A B", "A30", "-", "A1 B0", "-", "" },
    { n, 50, "* w1", "A B", "A10 B20", "-", "A25 B25", "-", "" },
    { y, 50, "* w1", "A B C", "-", "C10", "A20 B20 C10", "C7", "" },
    { y, 50, "A w10000; B w1", "B C", "-", "B10", "B10 C0", "B40", "" },
    { y, 60, "A w1; B w2", "A B C", "-", "B10", "A50 B10 C0", "B30", "" },
    { y, 71, "A w10000 M10; B w1; C w1 M21; D w1 M10", "A B C D", "-", "C10", "A10 B41 C10 D10", "C11", "" },
    { n, 60, "A w1; B w1", "A B C", "-", "A10 B10", "A10 B10 C0", "A20 B20", "" },
    { n, 60, "A w1; B w5", "A B C", "-", "B10", "A50 B10 C0", "-", "" },
    { n, 50, "* m20 w0", "A B C", "-", "B10", "A20 B10 C20", "-", "" },
    { y, 60, "* m20 w1", "A B", "-", "B10", "A50 B10", "B15", "" },
    { n, 50, "* m2 w0", "A B C", "-", "-", "A2 B2 C2", "-", "" },
    { n, 50, "* m20 w0", "A B C", "-", "-", "A10 B20 C20", "-", "" },
    { n, 50, "* m20 w0; A m100 w1", "A B C", "-", "-", "A50 B0 C0", "-", "" },
    { n, 50, "* m10 w1 M12", "A B C", "-", "-", "A12 B12 C12", "-", "" },
    { n, 50, "* w1 M2", "A B C", "-", "-", "A2 B2 C2", "-", "" },
    { n, 50, "* w0 M2", "A B C", "-", "-", "A0 B0 C0", "-", "" },
    { n, 60, "A w1; B w2", "A B C", "-", "-", "A20 B40 C0", "-", "" },
    { n, 50, "A w10000; B w1", "A B C", "-", "-", "A50 B0 C0", "-", "" },
    { n, 50, "A w10000; B w1", "B C", "-", "-", "B50 C0", "-", "" },
    { n, 50, "A w10000 M10; B w1; C w1", "A B C", "-", "-", "A10 B20 C20", "-", "" },
    { n, 50, "A w10000 M10; B w1; C w1 M10", "A B C", "-", "-", "A10 B30 C10", "-", "" },
    { n, 71, "A w10000 M10; B w1; C w1 M21; D w1 M10", "A B C D", "-", "-", "A10 B30 C21 D10", "-", "" },
    { n, 91, "A w10000 M10; B w1; C w1 M21; D w1 M10; E w1", "A B C D E", "-", "-", "A10 B25 C21 D10 E25", "-", "" },
};

#define TEST_NS "test-ns/test-deployment"
#define WEB "default/web"

static const struct row realistic[] = {
    { n, 10, "* w1", "A B C", "-", "-", "A4 B4 C2", "-", TEST_NS },
    { n, 9, "A w1 m4 M6; B w2 m4 M8", "A B C", "-", "-", "A4 B5 C0", "-", TEST_NS },
    { n, 50, "* w1; C w1 M20", "A B C", "-", "-", "A17 B17 C16", "-", TEST_NS },
    { n, 50, "* w1; C w1 M20", "A C", "-", "-", "A30 C20", "-", TEST_NS },
    { y, 50, "* w1; C w1 M20", "A B C", "-", "B0", "A30 B0 C20", "B17", TEST_NS },
    { n, 7, "* w1", "cluster1 cluster2", "cluster1:7", "-", "cluster1:7 cluster2:0", "-", WEB },
    { y, 7, "* w1", "cluster1 cluster2", "cluster1:7", "-", "cluster1:3 cluster2:4", "-", WEB },
    { n, 7, "* w1", "cluster1 cluster2 cluster3", "-", "-", "cluster1:3 cluster2:3 cluster3:1", "-", WEB },
    { n, 1, "* w1", "cluster1 cluster2 cluster3", "-", "-", "cluster1:0 cluster2:1 cluster3:0", "-", WEB },
    { n, 6, "cluster1 w2 m3; cluster2 w1 m3", "cluster1", "-", "-", "cluster1:6", "-", WEB },
    { n, 100, "A w3; B w3; C w1", "A B C", "A90", "A60", "A60 B29 C11", "-", WEB },
    { y, 100, "A w3; B w3; C w1", "A B C", "A90", "A60", "A43 B43 C14", "-", WEB },
    { n, 10, "A w0 m2 M5; B w0 m1", "A B C", "A4", "-", "A4 B1 C0", "-", WEB },
};

/* What follows from the pseudo code of 8.5 by hand, where the tables show nothing. */
static const struct row derived[] = {
    /* Equal weight and hash: the name decides. */
    { n, 1, "* w1", "c9trfgq2 cans1us4", "-", "-", "c9trfgq2:1 cans1us4:0", "-", "" },
    { n, 1, "* w1", "cans1us4 c9trfgq2", "-", "-", "cans1us4:0 c9trfgq2:1", "-", "" },
    /* A minimum above the maximum is given, and taken back in a round; without weights there is none. */
    { n, 5, "A m9 M2 w1", "A", "-", "-", "A5", "-", "" },
    { n, 20, "A m9 M2 w1; B w1", "A B", "-", "-", "A2 B18", "-", "" },
    { n, 20, "A m9 M2 w0", "A", "-", "-", "A9", "-", "" },
    { n, 20, "A m9 M2 w0; B w1", "A B", "-", "-", "A2 B18", "-", "" },
    { n, 20, "A m9 M2 w0; B w1 M5", "A B", "-", "-", "A2 B5", "-", "" },
    { n, 20, "A m9 M12 w0; B w1", "A B", "A11", "-", "A11 B9", "-", "" },
    /* Capacity below 0: the plan is, too, and the others get more. */
    { y, 10, "* w1", "A B", "-", "A-4", "A-4 B14", "A7", "" },
    /* What runs counts only in addition to the minimum, and within the maximum and the capacity. */
    { n, 10, "* m4 w0", "A", "A6", "-", "A6", "-", "" },
    { n, 10, "* M5 w0", "A", "A8", "-", "A5", "-", "" },
    { n, 10, "* w0", "A", "A8", "A3", "A3", "-", "" },
    /* Overflow goes only where it was cut off by capacity, after the maximum. */
    { y, 10, "* w1 M6", "A", "-", "A2", "A2", "A4", "" },
    { n, 10, "* w1 M6", "A", "-", "A2", "A2", "A4", "" },
    { y, 0, "* w1 m1", "A B", "A1", "B0", "A0 B0", "-", "" },
};

/* Takes the next part up to `separator` off the front, trimmed. false: nothing is left. */
static bool next(struct str *list, char separator, struct str *ret)
{
    *list = str_trim(*list);
    if (str_empty(*list))
        return false;
    str_cut(*list, separator, ret, list);
    *ret = str_trim(*ret);
    return true;
}

static int64_t number(struct str text)
{
    int64_t v = 0;

    if (str_to_i64(text, &v) < 0)
        fail_msg("\"%.*s\" is no number", STRARG(text));
    return v;
}

/* Of "A16 cluster1:-3". */
static bool find_number(const char *list, struct str name, int64_t *ret)
{
    struct str rest = str_of(list), word, tail;

    while (next(&rest, ' ', &word)) {
        if (!str_has_prefix(word, name))
            continue;
        tail = str_n(word.p + name.n, word.n - name.n);
        if (str_has_prefix(tail, STR(":")))
            tail = str_n(tail.p + 1, tail.n - 1);
        *ret = number(tail);
        return true;
    }
    return false;
}

static bool find_preference(const char *list, struct str name, struct str *ret)
{
    struct str rest = str_of(list), preference, word, fields;

    while (next(&rest, ';', &preference)) {
        fields = preference;
        if (!next(&fields, ' ', &word) || !str_eq(word, name))
            continue;
        *ret = fields;
        return true;
    }
    return false;
}

static void set_preference(struct fed_planner_cluster *c, const char *list)
{
    struct str fields, word;

    c->max = -1;
    c->has_preference = find_preference(list, c->name, &fields) || find_preference(list, STR("*"), &fields);
    while (c->has_preference && next(&fields, ' ', &word)) {
        int64_t v = number(str_n(word.p + 1, word.n - 1));

        switch (word.p[0]) {
        case 'm': c->min = v; break;
        case 'M': c->max = v; break;
        case 'w': c->weight = v; break;
        default: fail_msg("\"%.*s\" is no preference", STRARG(word));
        }
    }
}

static void scene_of(struct scene *s, const struct row *row)
{
    struct str rest = str_of(row->available), name;

    scene_init(s, FEW);
    s->in.n = 0;
    while (next(&rest, ' ', &name)) {
        struct fed_planner_cluster *c = &s->clusters[s->in.n++];

        c->name = name;
        set_preference(c, row->preferences);
        c->has_current = find_number(row->current, name, &c->current);
        c->has_capacity = find_number(row->capacity, name, &c->capacity);
    }
    s->in.key = str_of(row->key);
    s->in.total = row->total;
    s->in.rebalance = row->rebalance;
}

static void add_number(struct buf *out, struct str name, int64_t v)
{
    bool digit = name.p[name.n - 1] >= '0' && name.p[name.n - 1] <= '9';

    buf_printf(out, "%s%.*s%s%lld", out->n ? " " : "", STRARG(name), digit ? ":" : "", (long long)v);
}

static void add_results(const struct scene *s, struct buf *plans, struct buf *overflows)
{
    for (size_t i = 0; i < s->in.n; i++) {
        add_number(plans, s->clusters[i].name, s->got[i].plan);
        if (s->got[i].overflow)
            add_number(overflows, s->clusters[i].name, s->got[i].overflow);
    }
    if (plans->n == 0)
        buf_addc(plans, '-');
    if (overflows->n == 0)
        buf_addc(overflows, '-');
}

static bool row_holds(const struct row *row, size_t i)
{
    _cleanup_buf_ struct buf plans = BUF_INIT(SIZE_MAX), overflows = BUF_INIT(SIZE_MAX);
    struct scene s;
    bool ok;

    scene_of(&s, row);
    plan(&s);
    add_results(&s, &plans, &overflows);
    ok = str_eqc(buf_str(&plans), row->plan) && str_eqc(buf_str(&overflows), row->overflow);
    if (!ok)
        print_error("row %zu: plan %s, overflow %s; expected %s, %s\n", i + 1, plans.p, overflows.p, row->plan,
                    row->overflow);
    scene_done(&s);
    return ok;
}

static void check_rows(const struct row *rows, size_t count, size_t expected)
{
    size_t failed = 0;

    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++)
        failed += !row_holds(&rows[i], i);
    assert_int_equal(failed, 0);
}

static void worked_table(void **state)
{
    (void)state;
    check_rows(worked, ARRAY_SIZE(worked), 40);
}

static void realistic_keys(void **state)
{
    (void)state;
    check_rows(realistic, ARRAY_SIZE(realistic), 13);
}

static void corners_of_the_pseudo_code(void **state)
{
    (void)state;
    check_rows(derived, ARRAY_SIZE(derived), 15);
}

static void hashes(void **state)
{
    static const struct {
        const char *name, *key;
        uint32_t hash;
    } known[] = {
        { "", "", 2166136261u },          { "A", "", 0x050c5d5eu },         { "B", "", 84696413u },
        { "C", "", 84696412u },           { "D", "", 84696411u },           { "E", "", 84696410u },
        { "cluster1", WEB, 0x8adfbdeau }, { "cluster2", WEB, 0x6ef3f053u }, { "cluster3", WEB, 0xb45c4e2cu },
        { "A", TEST_NS, 1330018495u },    { "B", TEST_NS, 1063602982u },    { "C", TEST_NS, 4038548405u },
        { "c9trfgq2", "", 3148884727u },  { "cans1us4", "", 3148884727u },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        assert_int_equal(fed_planner_hash(str_of(known[i].name), str_of(known[i].key)), known[i].hash);
    assert_int_equal(fed_planner_hash(STR("\xff\x80"), STR("x")), fed_planner_hash(STR("\xff"), STR("\x80x")));
}

/* --- random scenes --- */

struct shape {
    size_t clusters; /* at most */
    int64_t most;    /* the largest number of replicas */
    bool capacity;   /* some clusters have one */
    bool crossed;    /* a maximum may be below its minimum */
    bool extreme;    /* any number of 64 bits */
};

static int64_t extreme_number(void)
{
    static const int64_t numbers[] = {
        INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1, INT32_MIN, INT32_MAX, UINT32_MAX, -1, 0, 1
    };
    uint64_t which = rand_below(ARRAY_SIZE(numbers) + 3);

    if (which < ARRAY_SIZE(numbers))
        return numbers[which];
    return (int64_t)rand_u64() >> rand_below(64);
}

static int64_t some(const struct shape *shape, int64_t below)
{
    return shape->extreme ? extreme_number() : (int64_t)rand_below((uint64_t)below);
}

static int64_t some_weight(const struct shape *shape)
{
    static const int64_t weights[] = { 0, 0, 1, 1, 1, 2, 3, 7, 10000 };

    return shape->extreme ? extreme_number() : weights[rand_below(ARRAY_SIZE(weights))];
}

static int64_t some_maximum(const struct shape *shape, int64_t min)
{
    if (shape->extreme)
        return extreme_number();
    if (rand_below(2) == 0)
        return -1;
    return shape->crossed ? some(shape, shape->most) : min + some(shape, shape->most);
}

static void random_cluster(struct scene *s, size_t i, const struct shape *shape)
{
    struct fed_planner_cluster *c = &s->clusters[i];

    snprintf(s->names[i], NAME_SIZE, "%c%u-%zu", (char)('a' + rand_below(26)), (unsigned)rand_below(100), i);
    *c = (struct fed_planner_cluster){ .name = str_of(s->names[i]), .has_preference = rand_below(8) != 0 };
    c->min = rand_below(2) ? 0 : some(shape, shape->most / 3 + 1);
    c->max = some_maximum(shape, c->min);
    c->weight = some_weight(shape);
    c->has_current = rand_below(2) == 0;
    c->current = some(shape, shape->most);
    c->has_capacity = shape->capacity && rand_below(3) == 0;
    c->capacity = some(shape, shape->most) - (rand_below(8) == 0 && !shape->extreme ? shape->most / 2 : 0);
}

static void random_scene(struct scene *s, const struct shape *shape)
{
    scene_init(s, (size_t)rand_below(shape->clusters + 1));
    for (size_t i = 0; i < s->in.n; i++)
        random_cluster(s, i, shape);
    snprintf(s->key, sizeof(s->key), "ns-%u/web", (unsigned)rand_below(100000));
    s->in.key = str_of(s->key);
    s->in.total = some(shape, shape->most * 3);
    s->in.rebalance = rand_below(2) == 0;
}

/* Shows at most a few clusters of a scene that fails. */
static void show(const struct scene *s)
{
    print_error("total %lld, rebalance %d, key %s, %zu clusters\n", (long long)s->in.total, s->in.rebalance, s->key,
                s->in.n);
    for (size_t i = 0; i < MIN(s->in.n, (size_t)FEW); i++) {
        const struct fed_planner_cluster *c = &s->clusters[i];

        print_error(
            "%s: preference %d m%lld M%lld w%lld, current %d %lld, capacity %d %lld: plan %lld, overflow %lld\n",
            s->names[i], c->has_preference, (long long)c->min, (long long)c->max, (long long)c->weight, c->has_current,
            (long long)c->current, c->has_capacity, (long long)c->capacity, (long long)s->got[i].plan,
            (long long)s->got[i].overflow);
    }
}

#define HOLDS(s, cond)                                                                                                 \
    do {                                                                                                               \
        if (!(cond)) {                                                                                                 \
            show(s);                                                                                                   \
            fail_msg("does not hold: %s", #cond);                                                                      \
        }                                                                                                              \
    } while (0)

static void in_random_scenes(const struct shape *shape, int count, void (*check)(struct scene *))
{
    for (int i = 0; i < count; i++) {
        struct scene s;

        random_scene(&s, shape);
        plan(&s);
        check(&s);
        scene_done(&s);
    }
}

/* --- what always holds --- */

/* A maximum below the minimum limits only what is added to the minimum, so the larger of them is the limit then. */
static void check_cluster(const struct scene *s, size_t i)
{
    const struct fed_planner_cluster *c = &s->clusters[i];
    int64_t planned = s->got[i].plan, overflow = s->got[i].overflow;

    HOLDS(s, c->has_preference || (planned == 0 && overflow == 0));
    if (!c->has_preference)
        return;
    HOLDS(s, c->max < 0 || planned + overflow <= MAX(c->max, c->min));
    HOLDS(s, !c->has_capacity || planned <= c->capacity);
    HOLDS(s, planned >= 0 || (c->has_capacity && planned >= c->capacity));
    HOLDS(s, overflow >= 0);
    HOLDS(s, overflow == 0 || (c->has_capacity && planned == c->capacity));
}

/* What a cluster has for certain while the minimums do not exceed the total. */
static int64_t guaranteed(const struct fed_planner_cluster *c)
{
    int64_t least = c->max < 0 ? c->min : MIN(c->min, c->max);

    return c->has_capacity ? MIN(least, c->capacity) : least;
}

static void check_minimums(const struct scene *s)
{
    int64_t minimums = 0;

    for (size_t i = 0; i < s->in.n; i++)
        minimums += s->clusters[i].has_preference ? s->clusters[i].min : 0;
    for (size_t i = 0; i < s->in.n && minimums <= s->in.total; i++)
        HOLDS(s, !s->clusters[i].has_preference || s->got[i].plan >= guaranteed(&s->clusters[i]));
}

static bool takes_any_number(const struct fed_planner_cluster *c)
{
    return c->has_preference && c->weight > 0 && c->max < 0 && !c->has_capacity;
}

static void check_total(const struct scene *s)
{
    bool any = false, negative = false;
    int64_t sum = 0;

    for (size_t i = 0; i < s->in.n; i++) {
        sum += s->got[i].plan;
        any |= takes_any_number(&s->clusters[i]);
        negative |= s->got[i].plan < 0;
    }
    HOLDS(s, sum <= s->in.total);
    HOLDS(s, !any || sum == s->in.total);
    for (size_t i = 0; i < s->in.n; i++) {
        HOLDS(s, s->in.rebalance || s->got[i].overflow == 0 || sum + s->got[i].overflow <= s->in.total);
        HOLDS(s, negative || s->got[i].plan + s->got[i].overflow <= s->in.total);
    }
}

static void check_limits(struct scene *s)
{
    for (size_t i = 0; i < s->in.n; i++)
        check_cluster(s, i);
    check_minimums(s);
    check_total(s);
}

static void limits_hold(void **state)
{
    static const struct shape small = { .clusters = 6, .most = 12, .capacity = true, .crossed = true },
                              large = { .clusters = 40, .most = 100000, .capacity = true };

    (void)state;
    unit_seed();
    in_random_scenes(&small, 50000, check_limits);
    in_random_scenes(&large, 5000, check_limits);
}

/* Without capacities, what was planned and then runs is planned again. */
static void check_stable(struct scene *s)
{
    _cleanup_free_ struct fed_planner_share *before = mem_array(s->in.n + 1, sizeof(*before));

    s->in.rebalance = false;
    plan(s);
    for (size_t i = 0; i < s->in.n; i++) {
        before[i] = s->got[i];
        s->clusters[i].has_current = true;
        s->clusters[i].current = s->got[i].plan;
    }
    plan(s);
    for (size_t i = 0; i < s->in.n; i++)
        HOLDS(s, s->got[i].plan == before[i].plan && s->got[i].overflow == 0);
}

static void a_plan_that_runs_stays(void **state)
{
    static const struct shape small = { .clusters = 6, .most = 12 }, large = { .clusters = 40, .most = 100000 };

    (void)state;
    unit_seed();
    in_random_scenes(&small, 20000, check_stable);
    in_random_scenes(&large, 2000, check_stable);
}

static void swap(struct scene *s, size_t *origin, size_t i, size_t j)
{
    struct fed_planner_cluster c = s->clusters[i];
    size_t o = origin[i];

    s->clusters[i] = s->clusters[j];
    s->clusters[j] = c;
    origin[i] = origin[j];
    origin[j] = o;
}

static void check_order(struct scene *s)
{
    _cleanup_free_ struct fed_planner_share *before = mem_array(s->in.n + 1, sizeof(*before));
    _cleanup_free_ size_t *origin = mem_array(s->in.n + 1, sizeof(*origin));

    for (size_t i = 0; i < s->in.n; i++) {
        before[i] = s->got[i];
        origin[i] = i;
    }
    for (size_t i = s->in.n; i > 1; i--)
        swap(s, origin, i - 1, (size_t)rand_below(i));
    plan(s);
    for (size_t i = 0; i < s->in.n; i++) {
        HOLDS(s, s->got[i].plan == before[origin[i]].plan);
        HOLDS(s, s->got[i].overflow == before[origin[i]].overflow);
    }
}

static void the_order_of_clusters_does_not_matter(void **state)
{
    static const struct shape shape = { .clusters = 10, .most = 20, .capacity = true, .crossed = true };

    (void)state;
    unit_seed();
    in_random_scenes(&shape, 20000, check_order);
}

/* --- the pseudo code again, with maps by name --- */

struct map {
    size_t n;
    struct {
        struct str name;
        int64_t v;
    } entries[FEW];
};

static int64_t *map_find(struct map *m, struct str name)
{
    for (size_t i = 0; i < m->n; i++)
        if (str_eq(m->entries[i].name, name))
            return &m->entries[i].v;
    return NULL;
}

static int64_t *map_at(struct map *m, struct str name)
{
    int64_t *v = map_find(m, name);

    if (v)
        return v;
    m->entries[m->n].name = name;
    m->entries[m->n].v = 0;
    return &m->entries[m->n++].v;
}

struct names {
    size_t n;
    struct str at[FEW];
};

struct oracle {
    const struct fed_planner_input *in;
    struct map min, max, weight, current, capacity; /* by name; max, current, capacity: only where set */
    struct names p;
    struct map plan, pre, over;
    int64_t rem;
};

static uint64_t fnv(struct str name, struct str key)
{
    uint64_t h = 2166136261;

    for (size_t i = 0; i < name.n + key.n; i++)
        h = (h * 16777619 % ((uint64_t)1 << 32)) ^ (unsigned char)(i < name.n ? name.p[i] : key.p[i - name.n]);
    return h;
}

static bool goes_first(struct oracle *o, struct str a, struct str b)
{
    int64_t wa = *map_find(&o->weight, a), wb = *map_find(&o->weight, b);
    uint64_t ha = fnv(a, o->in->key), hb = fnv(b, o->in->key);

    return wa != wb ? wa > wb : ha != hb ? ha < hb : str_cmp(a, b) < 0;
}

/* Inserts where it belongs among those that are there. */
static void oracle_add(struct oracle *o, const struct fed_planner_cluster *c)
{
    size_t i = o->p.n++;

    *map_at(&o->min, c->name) = c->min;
    *map_at(&o->weight, c->name) = c->weight;
    if (c->max >= 0)
        *map_at(&o->max, c->name) = c->max;
    if (c->has_current)
        *map_at(&o->current, c->name) = c->current;
    if (c->has_capacity)
        *map_at(&o->capacity, c->name) = c->capacity;
    for (; i > 0 && goes_first(o, c->name, o->p.at[i - 1]); i--)
        o->p.at[i] = o->p.at[i - 1];
    o->p.at[i] = c->name;
}

static int64_t limit(struct map *limits, struct str name, int64_t v)
{
    const int64_t *most = map_find(limits, name);

    return most && *most < v ? *most : v;
}

static void oracle_minimums(struct oracle *o)
{
    for (size_t i = 0; i < o->p.n; i++) {
        struct str c = o->p.at[i];
        int64_t m = limit(&o->capacity, c, limit(&o->min, c, o->rem));

        o->rem -= m;
        *map_at(&o->plan, c) = m;
    }
}

static void oracle_keep(struct oracle *o)
{
    for (size_t i = 0; i < o->p.n; i++) {
        struct str c = o->p.at[i];
        const int64_t *current = map_find(&o->current, c);
        int64_t e, *planned = map_find(&o->plan, c);

        if (!current || *current <= *planned)
            continue;
        e = limit(&o->capacity, c, limit(&o->max, c, *current)) - *planned;
        e = e > o->rem ? o->rem : e;
        e = e < 0 ? 0 : e;
        o->rem -= e;
        *map_at(&o->pre, c) = e;
        *planned += e;
    }
}

/* One cluster in one round: whether it stays for the next one. */
static bool oracle_step(struct oracle *o, struct str c, int64_t e, bool *modified)
{
    int64_t *planned = map_find(&o->plan, c), *pre = map_at(&o->pre, c), start = *planned, u, t;
    const int64_t *capacity = map_find(&o->capacity, c);
    bool full;

    e = e > o->rem ? o->rem : e;
    u = e < *pre ? e : *pre;
    *pre -= u;
    t = limit(&o->max, c, start + e - u);
    full = t < start + e - u;
    if (capacity && t > *capacity) {
        *map_at(&o->over, c) = t - *capacity;
        t = *capacity;
        full = true;
    }
    o->rem -= t - start;
    *planned = t;
    *modified = *modified || u > 0 || t > start;
    return !full;
}

static bool oracle_round(struct oracle *o)
{
    int64_t weights = 0, whole = o->rem;
    struct names stay = { 0 };
    bool modified = false;

    for (size_t i = 0; i < o->p.n; i++)
        weights += *map_find(&o->weight, o->p.at[i]);
    for (size_t i = 0; i < o->p.n && weights > 0; i++) {
        struct str c = o->p.at[i];
        int64_t product = whole * *map_find(&o->weight, c), up = product % weights > 0;

        if (oracle_step(o, c, product / weights + up, &modified))
            stay.at[stay.n++] = c;
    }
    o->p = stay;
    return modified;
}

static void oracle_run(struct oracle *o)
{
    for (size_t i = 0; i < o->in->n; i++) {
        if (o->in->clusters[i].has_preference)
            oracle_add(o, &o->in->clusters[i]);
        else
            *map_at(&o->plan, o->in->clusters[i].name) = 0;
    }
    o->rem = o->in->total;
    oracle_minimums(o);
    if (!o->in->rebalance)
        oracle_keep(o);
    for (bool modified = true; modified && o->rem > 0;)
        modified = oracle_round(o);
    for (size_t i = 0; i < o->over.n && !o->in->rebalance; i++)
        if (o->over.entries[i].v > o->rem)
            o->over.entries[i].v = o->rem;
}

static void check_oracle(struct scene *s)
{
    struct oracle o = { .in = &s->in };

    oracle_run(&o);
    for (size_t i = 0; i < s->in.n; i++) {
        struct str name = s->clusters[i].name;
        const int64_t *over = map_find(&o.over, name);

        HOLDS(s, s->got[i].plan == *map_find(&o.plan, name));
        HOLDS(s, s->got[i].overflow == (over && *over > 0 ? *over : 0));
    }
}

static void agrees_with_a_second_implementation(void **state)
{
    static const struct shape tiny = { .clusters = 4, .most = 4, .capacity = true, .crossed = true },
                              small = { .clusters = FEW, .most = 30, .capacity = true, .crossed = true },
                              plain = { .clusters = FEW, .most = 30 },
                              large = { .clusters = FEW, .most = 5000, .capacity = true };

    (void)state;
    unit_seed();
    in_random_scenes(&tiny, 20000, check_oracle);
    in_random_scenes(&small, 20000, check_oracle);
    in_random_scenes(&plain, 20000, check_oracle);
    in_random_scenes(&large, 5000, check_oracle);
}

/* --- extreme numbers --- */

static int64_t nearest(int64_t v, int64_t least)
{
    return v > FED_PLANNER_MAX ? FED_PLANNER_MAX : v < least ? least : v;
}

/* The numbers that count according to planner.h. */
static void bring_into_range(struct scene *s)
{
    s->in.total = nearest(s->in.total, 0);
    for (size_t i = 0; i < s->in.n; i++) {
        struct fed_planner_cluster *c = &s->clusters[i];

        c->min = nearest(c->min, 0);
        c->max = nearest(c->max, -1);
        c->weight = nearest(c->weight, 0);
        c->current = nearest(c->current, 0);
        c->capacity = nearest(c->capacity, -(int64_t)FED_PLANNER_MAX);
    }
}

static void check_extremes(struct scene *s)
{
    _cleanup_free_ struct fed_planner_share *before = mem_array(s->in.n + 1, sizeof(*before));

    memcpy(before, s->got, s->in.n * sizeof(*before));
    bring_into_range(s);
    plan(s);
    for (size_t i = 0; i < s->in.n; i++)
        HOLDS(s, s->got[i].plan == before[i].plan && s->got[i].overflow == before[i].overflow);
    check_limits(s);
}

static void extreme_numbers(void **state)
{
    static const struct shape few = { .clusters = 5, .most = 1, .capacity = true, .extreme = true },
                              many = { .clusters = 1000, .most = 1, .capacity = true, .extreme = true };

    (void)state;
    unit_seed();
    in_random_scenes(&few, 20000, check_extremes);
    in_random_scenes(&many, 40, check_extremes);
}

/* Capacities below 0 raise what is left beyond the total: all of it goes to the one that can take it. */
static void negative_capacities_of_many(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s, 1000);
    for (size_t i = 0; i < s.in.n; i++) {
        snprintf(s.names[i], NAME_SIZE, "c%zu", i);
        s.clusters[i] = (struct fed_planner_cluster){ .name = str_of(s.names[i]),
                                                      .has_preference = true,
                                                      .max = -1,
                                                      .weight = INT32_MAX,
                                                      .has_capacity = i > 0,
                                                      .capacity = INT64_MIN };
    }
    s.in.total = INT64_MAX;
    s.in.rebalance = true;
    plan(&s);
    assert_true(s.got[0].plan == (int64_t)INT32_MAX * 1000);
    for (size_t i = 1; i < s.in.n; i++)
        assert_true(s.got[i].plan == -(int64_t)INT32_MAX);
    bring_into_range(&s);
    check_total(&s);
    scene_done(&s);
}

/* What runs counts against the shares of each round: by share alone these would be a thousand million rounds. */
static void large_numbers_take_few_rounds(void **state)
{
    static const struct row rows[] = {
        { n, 2000000001, "* w1 M2000000000", "A", "A2000000000", "-", "A2000000000", "-", "" },
        { n, 2000000002, "A w1 M1000000000; B w3 M1000000000", "A B", "A1000000000 B1000000000", "-",
          "A1000000000 B1000000000", "-", "" },
        { n, 2000000001, "A w1; B w0 M1", "A B", "A2000000000", "-", "A2000000001 B0", "-", "" },
    };

    (void)state;
    check_rows(rows, ARRAY_SIZE(rows), 3);
}

/* The longest way that is known: the shares of those that run are a little less than all of each round. */
static void a_thousand_clusters_that_run(void **state)
{
    const int64_t current = (INT32_MAX - 46000) / 999;
    struct scene s;

    (void)state;
    scene_init(&s, 1000);
    for (size_t i = 0; i < s.in.n; i++) {
        snprintf(s.names[i], NAME_SIZE, "c%zu", i);
        s.clusters[i] = (struct fed_planner_cluster){ .name = str_of(s.names[i]),
                                                      .has_preference = true,
                                                      .max = -1,
                                                      .weight = i > 0 ? INT32_MAX : 1,
                                                      .has_current = i > 0,
                                                      .current = i > 0 ? current : 0 };
    }
    s.in.total = INT32_MAX;
    plan(&s);
    check_limits(&s);
    for (size_t i = 1; i < s.in.n; i++)
        HOLDS(&s, s.got[i].plan >= current);
    HOLDS(&s, s.got[0].plan > 0);
    scene_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),
        cmocka_unit_test(worked_table),
        cmocka_unit_test(realistic_keys),
        cmocka_unit_test(corners_of_the_pseudo_code),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_plan_that_runs_stays),
        cmocka_unit_test(the_order_of_clusters_does_not_matter),
        cmocka_unit_test(agrees_with_a_second_implementation),
        cmocka_unit_test(extreme_numbers),
        cmocka_unit_test(negative_capacities_of_many),
        cmocka_unit_test(large_numbers_take_few_rounds),
        cmocka_unit_test(a_thousand_clusters_that_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
