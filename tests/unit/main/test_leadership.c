/* What may be led when: changes of the KubeFedConfig at the worst moments, and any order of events against a model of the world. */
#include "leadership.h"
#include "unit.h"

/* Two changes of the election during one slow release: nothing is led before the lock is held again, and there is one election. */
static void two_changes_during_a_release(void **state)
{
    struct leadership l = { 0 };

    (void)state;
    leadership_began(&l);
    leadership_won(&l);
    struct leadership_change first = leadership_changed(&l, false);
    assert_true(first.release && !first.lead && !l.leading);
    struct leadership_change second = leadership_changed(&l, false);
    assert_true(!second.release && !second.lead && !l.leading && l.releasing);
    struct leadership_change third = leadership_changed(&l, true);
    assert_true(!third.release && !third.lead);
    leadership_released(&l);
    leadership_began(&l);
    assert_false(l.leading);
    leadership_won(&l);
    assert_true(l.leading);
}

/* Other settings than those of the election: who leads goes on leading, who does not goes on waiting. */
static void the_lock_is_kept(void **state)
{
    struct leadership l = { 0 };

    (void)state;
    leadership_began(&l);
    assert_false(leadership_changed(&l, true).lead);
    leadership_won(&l);
    struct leadership_change change = leadership_changed(&l, true);
    assert_true(change.lead && !change.release && l.leading && l.electing);
}

/* A standby asks for another lock; the end may come at any time. */
static void the_end(void **state)
{
    struct leadership l = { 0 };

    (void)state;
    assert_false(leadership_ends(&l));
    leadership_began(&l);
    assert_true(leadership_changed(&l, false).release);
    assert_false(leadership_ends(&l)); /* one is being ended */
    assert_true(l.releasing);
    leadership_released(&l);
    leadership_began(&l);
    leadership_won(&l);
    assert_true(leadership_ends(&l));
    assert_false(leadership_ends(&l) || l.leading);
}

/* The program around it: one election and one manager at most, and a manager is led only while its election is won. */
struct world {
    struct leadership l;
    bool election, won, release; /* there is one; it was won; one is being given back */
    bool led;                    /* the manager */
};

static void step(struct world *w)
{
    switch (rand_below(4)) {
    case 0:
        if (!w->election && !w->release) {
            leadership_began(&w->l);
            w->election = true;
        }
        break;
    case 1:
        if (w->election && !w->won) {
            leadership_won(&w->l);
            assert_false(w->led);
            w->won = w->led = true;
        }
        break;
    case 2: {
        struct leadership_change change = leadership_changed(&w->l, rand_below(2) == 0);
        w->led = change.lead; /* another manager takes the place of the one before */
        if (change.release) {
            assert_true(w->election && !w->release);
            w->election = w->won = false;
            w->release = true;
        }
        break;
    }
    default:
        if (w->release) {
            leadership_released(&w->l);
            w->release = false;
        }
    }
}

static void any_order(void **state)
{
    struct world w = { 0 };

    (void)state;
    unit_seed();
    for (int i = 0; i < 100000; i++) {
        step(&w);
        assert_true(!w.led || (w.won && !w.release));
        assert_int_equal(w.l.leading, w.led);
        assert_int_equal(w.l.electing, w.election);
        assert_int_equal(w.l.releasing, w.release);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_changes_during_a_release),
        cmocka_unit_test(the_lock_is_kept),
        cmocka_unit_test(the_end),
        cmocka_unit_test(any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
