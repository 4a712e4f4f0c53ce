/* Fights with another writer: five repairs are free, then the waits double, and peace forgets. */
#include "controllers/repairs.h"

#include "unit.h"

static uint64_t ask(struct repairs *r, const char *key, uint64_t now_ms)
{
    return repairs_ask(r, STR("c1"), str_of(key), now_ms);
}

static void waits_double(void **state)
{
    struct repairs r = { 0 };
    uint64_t now = 1000000, want = REPAIRS_WAIT_MS;

    (void)state;
    for (unsigned i = 0; i < REPAIRS_FREE; i++)
        assert_int_equal(ask(&r, "n/a", now), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(ask(&r, "n/a", now), want);
        /* Asking early changes nothing. */
        assert_int_equal(ask(&r, "n/a", now + 1), want - 1);
        now += want;
        assert_int_equal(ask(&r, "n/a", now), 0);
        want = MIN(2 * want, (uint64_t)REPAIRS_WAIT_MAX_MS);
    }
    /* Others are not concerned. */
    assert_int_equal(ask(&r, "n/b", now), 0);
    assert_int_equal(repairs_ask(&r, STR("c2"), STR("n/a"), now), 0);
    repairs_done(&r);
}

static void peace_forgets(void **state)
{
    struct repairs r = { 0 };
    uint64_t now = 1000000;

    (void)state;
    for (unsigned i = 0; i < REPAIRS_FREE; i++)
        assert_int_equal(ask(&r, "n/a", now), 0);
    assert_int_not_equal(ask(&r, "n/a", now), 0);
    now += REPAIRS_PEACE_MS;
    for (unsigned i = 0; i < REPAIRS_FREE; i++)
        assert_int_equal(ask(&r, "n/a", now), 0);
    assert_int_not_equal(ask(&r, "n/a", now), 0);
    repairs_done(&r);
}

/* One repair of each of very many objects does not stay in memory. */
static void bounded(void **state)
{
    struct repairs r = { 0 };

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        _cleanup_free_ char *key = mem_printf("n/%u", i);

        assert_int_equal(ask(&r, key, (uint64_t)i * 1000), 0);
    }
    assert_true(map_count(&r.fights) < 1000);
    repairs_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(waits_double), cmocka_unit_test(peace_forgets),
                                        cmocka_unit_test(bounded) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
