/*
 * Scheduling decisions around the planner (docs/scheduling.md): lost clusters, room, moves that are held back; and a world in which
 * clusters come and go at random, shares are carried out, and everything comes to rest. UNIT_SEED=<number> repeats a run.
 */
#include "fed/schedule.h"

#include "fed_test.h"

#define CLUSTERS 5
#define WORLDS 2000
#define STEPS 40
#define REST 40 /* steps within which a world that stands still comes to rest */

/* A member as it is, besides what scheduling is told. */
struct world {
    struct fed_preference *pref;
    struct fed_schedule_cluster c[CLUSTERS];
    int64_t holds[CLUSTERS]; /* so many replicas find room there */
    size_t n;
    struct fed_schedule_input in;
};

static const char *const names[CLUSTERS] = { "c1", "c2", "c3", "c4", "c5" };

static void world_done(struct world *w)
{
    fed_preference_free(w->pref);
    w->pref = NULL;
}

static void world_prefer(struct world *w, const char *spec)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ char *json = mem_printf("{'spec':{'targetKind':'K',%s}}", spec);

    world_done(w);
    assert_ok(fed_preference_decode(JF("%s", json), &w->pref, &err), err);
    w->in.preference = w->pref;
}

static void world_init(struct world *w, size_t n, const char *spec)
{
    *w = (struct world){ .n = n };
    for (size_t i = 0; i < n; i++) {
        w->c[i] = (struct fed_schedule_cluster){ .name = str_of(names[i]),
                                                 .ready = true,
                                                 .since_s = 9999,
                                                 .selected = true,
                                                 .observed = true,
                                                 .has_pods = true };
        w->holds[i] = 1000;
    }
    w->in = (struct fed_schedule_input){
        .key = STR("ns/w"), .clusters = w->c, .n = n, .lost_after_s = 60, .return_after_s = 20
    };
    world_prefer(w, spec);
}

/* Pods as the clusters that can be reached would have them. */
static void world_run(struct world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct fed_schedule_cluster *c = &w->c[i];

        if (!c->ready)
            continue;
        c->has_object = c->has_previous;
        c->replicas = c->has_previous ? c->previous : 0;
        c->ready_replicas = MIN(c->replicas, w->holds[i]);
        c->pods = (struct fed_pod_counts){ .total = c->replicas,
                                           .running = c->ready_replicas,
                                           .bound = c->ready_replicas,
                                           .unschedulable = c->replicas - c->ready_replicas };
    }
}

static void look_at_room(struct world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        w->c[i].has_room = true;
        w->c[i].room = MAX(w->holds[i] - w->c[i].pods.bound, (int64_t)0);
    }
}

static bool carry_out(struct world *w, const struct fed_schedule *s)
{
    bool changed = false;

    for (size_t i = 0; s->outcome == FED_SCHEDULED && i < w->n; i++) {
        struct fed_schedule_cluster *c = &w->c[i];
        const struct fed_schedule_share *share = &s->shares[i];

        changed |= c->has_previous != share->placed || (share->placed && c->previous != share->replicas);
        if (s->keep_before && c->has_previous) {
            c->has_before = true;
            c->before = c->previous;
        }
        c->was_lost = share->lost;
        if (s->forget_before)
            c->has_before = false;
        c->has_previous = c->has_given = share->placed;
        c->previous = c->given = share->placed ? share->replicas : 0;
    }
    return changed;
}

static bool step(struct world *w)
{
    look_at_room(w);
    _cleanup_free_ struct fed_schedule *s = fed_schedule_make(&w->in);

    return carry_out(w, s);
}

static void rest(struct world *w)
{
    for (int i = 0; i < REST; i++) {
        bool changed = step(w);

        world_run(w);
        if (!changed && !step(w))
            return;
    }
    fail_msg("replicas wander for ever");
}

static void check_shares(const struct world *w, const int64_t *expected, int line)
{
    for (size_t i = 0; i < w->n; i++)
        if ((w->c[i].has_previous ? w->c[i].previous : -1) != expected[i])
            fail_msg("line %d: %s has %lld, not %lld", line, names[i],
                     (long long)(w->c[i].has_previous ? w->c[i].previous : -1), (long long)expected[i]);
}
/* -1: not placed */
#define assert_shares(w, ...) check_shares((w), (const int64_t[CLUSTERS]){ __VA_ARGS__ }, __LINE__)

static enum fed_schedule_outcome outcome(struct world *w)
{
    look_at_room(w);
    _cleanup_free_ struct fed_schedule *s = fed_schedule_make(&w->in);

    return s->outcome;
}

static void turn(struct fed_schedule_cluster *c, bool ready, int64_t since)
{
    c->ready = ready;
    c->since_s = since;
}

/* --- lost clusters --- */

static void a_lost_cluster_is_held_then_left(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':9");
    rest(&w);
    assert_shares(&w, 3, 3, 3);
    turn(&w.c[2], false, 59);
    assert_false(step(&w));
    turn(&w.c[2], false, 60);
    rest(&w);
    assert_int_equal(w.c[0].previous + w.c[1].previous, 9);
    assert_false(w.c[2].has_previous);
    turn(&w.c[2], true, 19);
    assert_false(step(&w));
    world_run(&w);
    turn(&w.c[2], true, 20); /* without failover what runs stays where it runs, as in KubeFed */
    rest(&w);
    assert_int_equal(w.c[2].previous, 0);
    world_done(&w);
}

static void a_held_cluster_gets_no_more(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 2, "'totalReplicas':4,'rebalance':true");
    rest(&w);
    turn(&w.c[1], false, 5);
    world_prefer(&w, "'totalReplicas':10,'rebalance':true");
    rest(&w);
    assert_shares(&w, 8, 2);
    world_done(&w);
}

static void with_failover_they_come_back(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':9,'failover':{}");
    rest(&w);
    turn(&w.c[2], false, 60);
    rest(&w);
    assert_int_equal(w.c[2].has_previous, false);
    turn(&w.c[2], true, 5);
    rest(&w);
    assert_int_equal(w.c[2].has_previous, false);
    turn(&w.c[2], true, 20);
    rest(&w);
    assert_shares(&w, 3, 3, 3);
    assert_false(w.c[0].has_before || w.c[2].has_before);
    world_done(&w);
}

static void members_that_are_slow_to_follow_cause_no_flapping(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':9,'failover':{}");
    rest(&w);
    turn(&w.c[2], false, 60);
    rest(&w);
    turn(&w.c[2], true, 20);
    assert_true(step(&w));
    assert_shares(&w, 3, 3, 3);
    assert_false(step(&w)); /* nothing was carried out yet */
    world_run(&w);
    assert_false(step(&w));
    world_done(&w);
}

static void all_lost_is_our_fault(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':9,'failover':{}");
    w.c[0].is_host = true;
    rest(&w);
    turn(&w.c[1], false, 300);
    turn(&w.c[2], false, 300);
    assert_int_equal(outcome(&w), FED_SCHEDULE_ALL_LOST);
    turn(&w.c[1], true, 3); /* they come back one after the other */
    assert_int_equal(outcome(&w), FED_SCHEDULE_ALL_LOST);
    turn(&w.c[1], true, 20);
    assert_int_equal(outcome(&w), FED_SCHEDULED);
    for (size_t i = 0; i < 3; i++)
        turn(&w.c[i], false, 300);
    assert_int_equal(outcome(&w), FED_SCHEDULE_NO_CLUSTERS);
    for (size_t i = 0; i < 3; i++) {
        turn(&w.c[i], true, 300);
        w.c[i].selected = false;
    }
    assert_int_equal(outcome(&w), FED_SCHEDULE_NONE_SELECTED);
    world_done(&w);
}

/* That clusters are to be ready for long before replicas return to them does not make the loss of one look like that of all. */
static void a_long_return_hides_no_loss(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':9,'failover':{'after':'30s','returnAfter':'1h'}");
    rest(&w);
    for (size_t i = 0; i < 2; i++)
        turn(&w.c[i], true, 100);
    turn(&w.c[2], false, 40);
    assert_int_equal(outcome(&w), FED_SCHEDULED);
    world_done(&w);
}

static void no_more_move_at_once_than_allowed(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':12,'failover':{'maxMoved':'25%'}");
    rest(&w);
    assert_shares(&w, 4, 4, 4);
    turn(&w.c[2], false, 60);
    step(&w);
    assert_int_equal(w.c[2].previous, 1);
    assert_int_equal(w.c[0].previous + w.c[1].previous, 11);
    assert_false(step(&w)); /* until those run */
    world_run(&w);
    assert_true(step(&w));
    assert_false(w.c[2].has_previous);
    world_done(&w);
}

static void lose(struct world *w, size_t i)
{
    turn(&w->c[i], false, 9999);
}

/* A cluster is lost while the one that was lost before is just back: its replicas must not go before somebody takes them. */
static void two_that_are_lost_in_turn_leave_no_gap(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 2, "'totalReplicas':10,'failover':{'after':'5m','returnAfter':'10m'}");
    rest(&w);
    turn(&w.c[1], false, 300);
    rest(&w);
    assert_shares(&w, 10, -1);
    turn(&w.c[1], true, 240);
    turn(&w.c[0], false, 300);
    assert_int_equal(outcome(&w), FED_SCHEDULE_ALL_LOST);
    turn(&w.c[1], true, 360); /* better back for a moment than nothing */
    assert_true(step(&w));
    assert_shares(&w, -1, 10);
    turn(&w.c[0], true, 600);
    rest(&w);
    assert_shares(&w, 5, 5);
    world_done(&w);
}

static void what_nobody_takes_stays_in_a_lost_cluster(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 2, "'totalReplicas':10,'clusters':{'c1':{'weight':1,'maxReplicas':7},'c2':{'weight':1}}");
    rest(&w);
    assert_shares(&w, 5, 5);
    lose(&w, 1);
    rest(&w);
    assert_shares(&w, 7, 3);
    look_at_room(&w);
    _cleanup_free_ struct fed_schedule *s = fed_schedule_make(&w.in);
    assert_int_equal(s->stranded, 3);
    world_prefer(&w, "'totalReplicas':10,'clusters':{'c1':{'weight':1}}"); /* given up by its owner */
    rest(&w);
    assert_shares(&w, 10, -1);
    world_done(&w);
}

static void replicas_that_do_not_run_hold_nothing_up(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':12,'failover':{'maxMoved':2}");
    rest(&w);
    w.holds[0] = 4;
    lose(&w, 2);
    rest(&w); /* what c1 is given does not run there, and goes on to c2 */
    assert_shares(&w, 4, 8, -1);
    world_done(&w);
    world_init(&w, 3, "'totalReplicas':12,'failover':{'maxMoved':'25%'}");
    rest(&w);
    w.c[0].ready_replicas = w.c[0].pods.running = 1; /* three crash there all the time: nobody moved them */
    lose(&w, 2);
    assert_true(step(&w));
    assert_shares(&w, 5, 6, 1);
    world_run(&w);
    w.c[0].ready_replicas = w.c[0].pods.running = 2;
    assert_true(step(&w));
    assert_false(w.c[2].has_previous);
    world_done(&w);
}

static void arrivals_are_shared(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':30,'failover':{'maxMoved':4}");
    rest(&w);
    assert_shares(&w, 10, 10, 10);
    lose(&w, 2);
    step(&w);
    assert_shares(&w, 12, 12, 6);
    world_done(&w);
}

/* While a cluster is lost the others are left alone, however little room they have. */
static void a_loss_makes_nothing_else_wander(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':12,'failover':{'maxMoved':'25%'}");
    rest(&w);
    w.holds[0] = 4;
    lose(&w, 2);
    rest(&w);
    for (int i = 0; i < 5; i++) {
        world_run(&w);
        assert_false(step(&w));
    }
    assert_shares(&w, 4, 8, -1);
    turn(&w.c[2], true, 9999);
    rest(&w);
    assert_shares(&w, 4, 4, 4);
    world_done(&w);
}

static void a_smaller_total_during_a_loss_is_shared_afterwards(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 2, "'totalReplicas':30,'failover':{}");
    rest(&w);
    lose(&w, 0);
    rest(&w);
    assert_shares(&w, -1, 30);
    world_prefer(&w, "'totalReplicas':12,'failover':{}");
    rest(&w);
    assert_shares(&w, -1, 12);
    turn(&w.c[0], true, 9999);
    rest(&w);
    assert_shares(&w, 6, 6);
    world_done(&w);
}

static void a_lost_cluster_that_is_taken_out_is_forgotten(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':30,'failover':{}");
    rest(&w);
    lose(&w, 2);
    rest(&w);
    assert_shares(&w, 15, 15, -1);
    assert_true(w.c[0].has_before && w.c[2].was_lost);
    world_prefer(&w, "'totalReplicas':30,'failover':{},'clusters':{'c1':{'weight':1},'c2':{'weight':1}}");
    rest(&w);
    assert_shares(&w, 15, 15, -1);
    assert_false(w.c[0].has_before || w.c[2].was_lost);
    world_done(&w);
}

/* It came back before all of its replicas had left: time alone decides when it gets the others again. */
static void a_half_lost_cluster_is_looked_at_again(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':9,'failover':{'maxMoved':1,'returnAfter':'10m'}");
    rest(&w);
    lose(&w, 2);
    step(&w);
    assert_int_equal(w.c[2].previous, 2);
    turn(&w.c[2], true, 30);
    world_run(&w);
    assert_false(step(&w));
    _cleanup_free_ struct fed_schedule *s = fed_schedule_make(&w.in);
    assert_int_equal(s->recheck_s, 570);
    turn(&w.c[2], true, 600);
    rest(&w);
    assert_shares(&w, 3, 3, 3);
    world_done(&w);
}

/* What keeps a cluster from its share when it comes back may pass: it is not forgotten that it is owed. */
static void what_is_owed_is_not_forgotten(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 4, "'totalReplicas':12,'failover':{},'strategy':'FreeResources'");
    rest(&w);
    assert_shares(&w, 3, 3, 3, 3);
    lose(&w, 0);
    rest(&w);
    assert_shares(&w, -1, 4, 4, 4);
    w.holds[0] = 0; /* its nodes come later than its API server */
    turn(&w.c[0], true, 20);
    world_run(&w);
    rest(&w);
    assert_shares(&w, 0, 4, 4, 4);
    w.holds[0] = 100;
    rest(&w);
    assert_shares(&w, 3, 3, 3, 3);
    assert_false(w.c[0].has_before);
    world_done(&w);
}

static void what_returns_takes_nothing_from_those_that_were_not_lost(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 4,
               "'totalReplicas':24,'failover':{},'clusters':{'*':{'weight':1},'c3':{'weight':2},'c4':{'weight':2}}");
    rest(&w);
    assert_shares(&w, 4, 4, 8, 8);
    lose(&w, 3);
    rest(&w);
    assert_shares(&w, 6, 6, 12, -1);
    turn(&w.c[3], true, 9999);
    turn(&w.c[2], false, 1); /* what it has too much cannot be taken now */
    rest(&w);
    assert_shares(&w, 4, 4, 12, 4);
    turn(&w.c[2], true, 9999);
    rest(&w);
    assert_shares(&w, 4, 4, 8, 8);
    world_done(&w);
}

/* --- KubeFed's observations --- */

static void unschedulable_pods_limit_a_cluster(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 2, "'totalReplicas':10");
    rest(&w);
    w.holds[1] = 2;
    world_run(&w);
    assert_true(step(&w));
    assert_shares(&w, 8, 2);
    world_done(&w);
}

/* The workload has been scaled down, its surplus pods are not gone yet. */
static void what_was_taken_away_does_not_count_twice(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 2, "'totalReplicas':8");
    rest(&w);
    w.holds[0] = 2;
    world_run(&w);
    assert_true(step(&w));
    assert_shares(&w, 2, 6);
    w.c[0].replicas = 2;
    assert_false(step(&w));
    world_run(&w);
    assert_false(step(&w));
    world_done(&w);
}

/* 4 and 4 were given, 2 and 3 are ready, the others start. */
static void pods_that_start_are_not_moved(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 2, "'totalReplicas':8");
    rest(&w);
    assert_shares(&w, 4, 4);
    w.c[0].ready_replicas = w.c[0].pods.running = 2;
    w.c[1].ready_replicas = w.c[1].pods.running = 3;
    assert_false(step(&w));
    w.in.ready_runs_only = true; /* as in KubeFed */
    assert_true(step(&w));
    assert_int_equal(w.c[0].previous + w.c[1].previous, 8);
    world_done(&w);
}

/* The total was made smaller; the pods that are too many still run. */
static void what_is_on_its_way_out_does_not_count(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 2, "'totalReplicas':8");
    rest(&w);
    world_prefer(&w, "'totalReplicas':4,'rebalance':true");
    assert_true(step(&w));
    assert_shares(&w, 2, 2);
    world_prefer(&w, "'totalReplicas':4");
    for (size_t i = 0; i < 2; i++)
        w.c[i].replicas = 2;
    w.c[1].ready_replicas = w.c[1].pods.running = w.c[1].pods.total = w.c[1].pods.bound = 2;
    assert_false(step(&w));
    world_done(&w);
}

/* Somebody wrote 100 into the object, which has reached the member: that they start there takes nothing from the other. */
static void numbers_of_others_do_not_count(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 2, "'totalReplicas':6");
    rest(&w);
    w.c[1].previous = w.c[1].replicas = 100;
    assert_true(step(&w));
    assert_shares(&w, 3, 3);
    world_done(&w);
}

static void what_cannot_be_seen_keeps_its_share(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 2, "'totalReplicas':10,'rebalance':true");
    w.c[1].observed = false;
    rest(&w);
    assert_shares(&w, 10, -1);
    w.c[1].observed = true;
    rest(&w);
    assert_shares(&w, 5, 5);
    w.c[1].observed = false;
    rest(&w);
    assert_shares(&w, 5, 5);
    world_done(&w);
}

/* --- room --- */

#define ROOM "'strategy':'FreeResources'"

/* Neither a moment of silence nor nodes that cannot be seen take replicas away, also where others have more room. */
static void what_cannot_be_judged_keeps_its_share(void **state)
{
    struct world w;

    (void)state;
    for (int silent = 0; silent < 2; silent++) {
        world_init(&w, 2, "'totalReplicas':20,'rebalance':true," ROOM);
        w.holds[0] = w.holds[1] = 100;
        rest(&w);
        assert_shares(&w, 10, 10);
        w.c[0].ready = !silent;
        w.c[0].observed = silent;
        w.c[0].since_s = silent ? 1 : 9999;
        assert_false(step(&w));
        assert_shares(&w, 10, 10);
        world_prefer(&w, "'totalReplicas':6,'rebalance':true," ROOM);
        rest(&w);
        assert_shares(&w, 6, 0);
        world_done(&w);
    }
}

/* A workload that runs everywhere gets a preference, and what the clusters have cannot be seen yet: nothing is taken away. */
static void what_runs_before_the_first_schedule_stays(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':9," ROOM);
    for (size_t i = 0; i < 3; i++) {
        w.c[i].has_previous = w.c[i].has_object = true;
        w.c[i].previous = w.c[i].replicas = w.c[i].ready_replicas = 3;
        w.c[i].observed = false;
    }
    assert_false(step(&w));
    assert_shares(&w, 3, 3, 3);
    world_done(&w);
}

static void shares_follow_room(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3, "'totalReplicas':12," ROOM);
    w.holds[0] = 10;
    w.holds[1] = 20;
    w.holds[2] = 0;
    rest(&w);
    assert_shares(&w, 4, 8, 0);
    world_prefer(&w, "'totalReplicas':40," ROOM);
    rest(&w);
    assert_shares(&w, 10, 20, 0);
    look_at_room(&w);
    _cleanup_free_ struct fed_schedule *s = fed_schedule_make(&w.in);
    assert_int_equal(s->unplaced, 10);
    world_done(&w);
}

static void room_respects_limits_and_weights(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 3,
               "'totalReplicas':12," ROOM
               ",'clusters':{'*':{'weight':1},'c2':{'weight':1,'maxReplicas':2},'c3':{'weight':1,'minReplicas':5}}");
    for (size_t i = 0; i < 3; i++)
        w.holds[i] = 20;
    rest(&w);
    assert_true(w.c[1].previous <= 2);
    assert_true(w.c[2].previous >= 5);
    assert_int_equal(w.c[0].previous + w.c[1].previous + w.c[2].previous, 12);
    world_done(&w);
}

static void small_improvements_move_nothing(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 2, "'totalReplicas':20,'rebalance':true," ROOM);
    w.holds[0] = w.holds[1] = 100;
    rest(&w);
    assert_shares(&w, 10, 10);
    w.holds[0] = 120;
    assert_false(step(&w));
    w.holds[0] = 300;
    rest(&w);
    assert_shares(&w, 15, 5);
    world_prefer(&w, "'totalReplicas':20," ROOM);
    w.holds[0] = 20;
    rest(&w); /* without rebalance what runs stays */
    assert_shares(&w, 15, 5);
    world_done(&w);
}

/* However little it is: there are to be none. */
static void an_unwanted_cluster_is_not_tolerated(void **state)
{
    static const char *const wanted[] = { "'c1':{'weight':1}", "'c1':{'weight':1},'c2':{'weight':0}" };
    struct world w;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        char spec[256];

        world_init(&w, 2, "'totalReplicas':20,'rebalance':true,'clusters':{'c1':{'weight':9},'c2':{'weight':1}}," ROOM);
        w.holds[0] = w.holds[1] = 100;
        rest(&w);
        assert_shares(&w, 18, 2);
        snprintf(spec, sizeof(spec), "'totalReplicas':20,'rebalance':true,'clusters':{%s}," ROOM, wanted[i]);
        world_prefer(&w, spec);
        rest(&w);
        assert_shares(&w, 20, 0);
        world_done(&w);
    }
}

/* An object was placed by a selector a moment ago, or is not there at all: the number of its template takes nothing from others. */
static void a_number_that_runs_nowhere_takes_nothing(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, 4, "'totalReplicas':6," ROOM);
    for (size_t i = 0; i < 4; i++) {
        w.c[i].has_previous = w.c[i].by_template = true;
        w.c[i].has_object = i < 3;
        w.c[i].previous = 5;
        w.c[i].replicas = w.c[i].ready_replicas = i < 3 ? 5 : 0;
        w.c[i].pods.bound = w.c[i].pods.running = w.c[i].pods.total = w.c[i].ready_replicas;
    }
    turn(&w.c[3], false, 1);
    assert_true(step(&w));
    assert_int_equal(w.c[3].previous, 0);
    assert_int_equal(w.c[0].previous + w.c[1].previous + w.c[2].previous, 6);
    world_done(&w);
}

/* --- at random --- */

static void prefer_at_random(struct world *w)
{
    char spec[1024], clusters[512] = "'*':{'weight':1}";
    int64_t total = (int64_t)rand_below(40), least = (int64_t)rand_below(4);

    if (rand_below(2))
        snprintf(clusters, sizeof(clusters),
                 "'*':{'weight':%u},'c1':{'weight':%u,'minReplicas':%lld,'maxReplicas':%lld}", (unsigned)rand_below(3),
                 (unsigned)rand_below(5), (long long)least, (long long)(least + (int64_t)rand_below(10)));
    snprintf(spec, sizeof(spec), "'totalReplicas':%lld,'rebalance':%s,%s'clusters':{%s}%s", (long long)total,
             rand_below(2) ? "true" : "false", rand_below(2) ? ROOM "," : "", clusters,
             rand_below(2)   ? ",'failover':{'maxMoved':3}"
             : rand_below(2) ? ",'failover':{}"
                             : "");
    world_prefer(w, spec);
}

static void happen(struct world *w)
{
    struct fed_schedule_cluster *c = &w->c[rand_below(w->n)];

    switch (rand_below(10)) {
    case 0: turn(c, !c->ready, 0); break;
    case 1:
    case 2:
        for (size_t i = 0; i < w->n; i++)
            w->c[i].since_s += 15;
        break;
    case 3: w->holds[rand_below(w->n)] = (int64_t)rand_below(40); break;
    case 4: world_run(w); break;
    case 5: c->observed = !c->observed || rand_below(2); break;
    case 6: c->selected = !c->selected || rand_below(3) > 0; break;
    case 7: c->has_given = c->has_given && rand_below(2); break; /* the status was lost */
    default:
        if (rand_below(8) == 0)
            prefer_at_random(w);
    }
}

/* What is lost gives up only what others take, and what cannot be judged nothing. */
static void check_what_stays(const struct world *w, const struct fed_schedule *s)
{
    int64_t placed = 0, had = 0, frozen = 0;

    for (size_t i = 0; i < w->n; i++) {
        enum fed_schedule_role role = s->shares[i].role;
        int64_t has = w->c[i].has_previous ? w->c[i].previous : 0;

        placed += s->shares[i].replicas;
        had += has;
        if (role == FED_ROLE_HELD || role == FED_ROLE_UNSEEN || role == FED_ROLE_RETURNING)
            frozen += has;
    }
    for (size_t i = 0; i < w->n; i++) {
        const struct fed_schedule_share *share = &s->shares[i];
        int64_t has = w->c[i].has_previous ? w->c[i].previous : 0;
        bool wanted = fed_preference_for(w->pref, w->c[i].name);

        if (share->max >= 0)
            has = MIN(has, share->max);
        if (share->role == FED_ROLE_LOST && wanted && share->replicas < has)
            assert_true(placed >= MIN(had, w->pref->total));
        if (frozen <= w->pref->total &&
            (share->role == FED_ROLE_HELD || share->role == FED_ROLE_UNSEEN || share->role == FED_ROLE_RETURNING))
            assert_true(share->replicas >= has);
    }
}

static void check_decision(const struct world *w, const struct fed_schedule *s)
{
    int64_t placed = 0, had = 0, moved = 0, overflow = 0, idle = 0;
    bool room = w->pref->strategy == FED_BY_FREE_RESOURCES, lost = false, before = false, any = false;

    for (size_t i = 0; i < w->n; i++) {
        const struct fed_schedule_share *share = &s->shares[i];

        placed += share->replicas;
        had += w->c[i].has_previous ? w->c[i].previous : 0;
        any |= w->c[i].has_previous;
        moved += MAX((w->c[i].has_previous ? w->c[i].previous : 0) - share->replicas, (int64_t)0);
        overflow += share->overflow;
        if (share->role != FED_ROLE_LOST && w->c[i].has_previous)
            idle += MAX(w->c[i].previous - (w->c[i].ready ? w->c[i].ready_replicas : 0), (int64_t)0);
        lost |= share->role == FED_ROLE_LOST && w->c[i].has_previous;
        before |= w->c[i].has_before;
        assert_true(share->replicas >= 0 && (share->placed || share->replicas == 0));
        assert_true(w->c[i].ready || share->replicas <= (w->c[i].has_previous ? w->c[i].previous : 0));
        if (room && share->role == FED_ROLE_CANDIDATE && share->has_capacity)
            assert_true(share->wanted <= MAX(share->capacity, (int64_t)0));
    }
    assert_true(placed - overflow <= w->pref->total || (w->pref->has_failover && placed <= MAX(had, w->pref->total)));
    if (w->pref->has_failover && any && (lost || before))
        assert_true(moved - idle <= fed_share_of(w->pref->max_moved, w->pref->total) + MAX(had - placed, (int64_t)0));
    check_what_stays(w, s);
}

/* Time passes, and nothing happens any more. Some clusters may stay lost, or full when scheduling goes by room: by weight full
 * clusters may exchange replicas for ever, as in KubeFed. */
static void come_to_rest(struct world *w)
{
    bool room = w->pref->strategy == FED_BY_FREE_RESOURCES;

    for (size_t i = 0; i < w->n; i++) {
        turn(&w->c[i], i == 0 || rand_below(4) > 0, 9999);
        w->c[i].observed = w->c[i].selected = true;
        w->holds[i] = room && rand_below(3) == 0 ? (int64_t)rand_below(8) : 50;
    }
    world_run(w);
    rest(w);
    look_at_room(w);
    _cleanup_free_ struct fed_schedule *s = fed_schedule_make(&w->in);
    assert_int_equal(s->put_off, 0);
    if (s->outcome == FED_SCHEDULED)
        check_what_stays(w, s);
}

static void every_world_comes_to_rest(void **state)
{
    (void)state;
    unit_seed();
    for (int i = 0; i < WORLDS; i++) {
        struct world w;

        world_init(&w, 1 + (size_t)rand_below(CLUSTERS), "'totalReplicas':10");
        prefer_at_random(&w);
        for (int k = 0; k < STEPS; k++) {
            happen(&w);
            look_at_room(&w);
            _cleanup_free_ struct fed_schedule *s = fed_schedule_make(&w.in), *again = fed_schedule_make(&w.in);

            assert_memory_equal(s, again, sizeof(*s) + w.n * sizeof(s->shares[0]));
            if (s->outcome == FED_SCHEDULED)
                check_decision(&w, s);
            carry_out(&w, s);
        }
        come_to_rest(&w);
        world_done(&w);
    }
}

static void why_and_doubts(void **state)
{
    struct world w;
    _cleanup_buf_ struct buf text = BUF_INIT((size_t)4096);

    (void)state;
    world_init(&w, 2, "'totalReplicas':9,'clusters':{'c1':{'weight':1,'maxReplicas':4},'zz':{}}");
    look_at_room(&w);
    _cleanup_free_ struct fed_schedule *s = fed_schedule_make(&w.in);
    fed_schedule_why(&w.in, s, 0, &text);
    assert_string_equal(text.p, "weight 1 of 1; at most 4 (maxReplicas)");
    buf_reset(&text);
    fed_schedule_why(&w.in, s, 1, &text);
    assert_string_equal(text.p, "no preference for it, and none for \"*\"");
    buf_reset(&text);
    fed_schedule_doubts(&w.in, NULL, &text);
    assert_string_equal(text.p,
                        "spec.clusters[zz]: there is no such cluster, spec.clusters: the maxReplicas of the ready "
                        "clusters add up to 4, less than totalReplicas, 9");
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_cluster_is_held_then_left),
        cmocka_unit_test(a_held_cluster_gets_no_more),
        cmocka_unit_test(with_failover_they_come_back),
        cmocka_unit_test(members_that_are_slow_to_follow_cause_no_flapping),
        cmocka_unit_test(all_lost_is_our_fault),
        cmocka_unit_test(a_long_return_hides_no_loss),
        cmocka_unit_test(no_more_move_at_once_than_allowed),
        cmocka_unit_test(two_that_are_lost_in_turn_leave_no_gap),
        cmocka_unit_test(what_nobody_takes_stays_in_a_lost_cluster),
        cmocka_unit_test(replicas_that_do_not_run_hold_nothing_up),
        cmocka_unit_test(arrivals_are_shared),
        cmocka_unit_test(a_loss_makes_nothing_else_wander),
        cmocka_unit_test(a_smaller_total_during_a_loss_is_shared_afterwards),
        cmocka_unit_test(a_lost_cluster_that_is_taken_out_is_forgotten),
        cmocka_unit_test(a_half_lost_cluster_is_looked_at_again),
        cmocka_unit_test(what_is_owed_is_not_forgotten),
        cmocka_unit_test(what_returns_takes_nothing_from_those_that_were_not_lost),
        cmocka_unit_test(an_unwanted_cluster_is_not_tolerated),
        cmocka_unit_test(a_number_that_runs_nowhere_takes_nothing),
        cmocka_unit_test(what_cannot_be_judged_keeps_its_share),
        cmocka_unit_test(what_runs_before_the_first_schedule_stays),
        cmocka_unit_test(unschedulable_pods_limit_a_cluster),
        cmocka_unit_test(what_was_taken_away_does_not_count_twice),
        cmocka_unit_test(pods_that_start_are_not_moved),
        cmocka_unit_test(what_is_on_its_way_out_does_not_count),
        cmocka_unit_test(numbers_of_others_do_not_count),
        cmocka_unit_test(what_cannot_be_seen_keeps_its_share),
        cmocka_unit_test(shares_follow_room),
        cmocka_unit_test(room_respects_limits_and_weights),
        cmocka_unit_test(small_improvements_move_nothing),
        cmocka_unit_test(why_and_doubts),
        cmocka_unit_test(every_world_comes_to_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
