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

/* --- who fights about what --- */

static void explain(struct repairs *r, const char *cluster, const char *key, const char *field)
{
    struct fed_contest c = { mem_strdup(field), mem_strdup("kubectl") };

    repairs_explain(r, str_of(cluster), str_of(key), &c);
    assert_null(c.field); /* taken over */
    assert_null(c.manager);
}

/* Milliseconds to peace, or 0 when there is no explanation. */
static uint64_t until_peace(const struct repairs *r, const char *key, uint64_t now_ms, const char *field)
{
    uint64_t ms = 0;
    const struct fed_contest *c = repairs_contest(r, STR("c1"), str_of(key), now_ms, &ms);

    if (!c)
        return 0;
    assert_string_equal(c->field, field);
    assert_string_equal(c->manager, "kubectl");
    assert_true(ms > 0);
    return ms;
}

static void explained_until_peace(void **state)
{
    struct repairs r = { 0 };
    uint64_t now = 1000000;

    (void)state;
    for (unsigned i = 0; i < REPAIRS_FREE; i++)
        assert_int_equal(ask(&r, "n/a", now), 0);
    assert_int_equal(until_peace(&r, "n/a", now, ""), 0); /* not explained yet */
    explain(&r, "c1", "n/a", "spec.replicas");
    /* Quiet for a minute: that is peace. */
    assert_int_equal(until_peace(&r, "n/a", now, "spec.replicas"), REPAIRS_PEACE_MS);
    assert_int_equal(until_peace(&r, "n/a", now + 1000, "spec.replicas"), REPAIRS_PEACE_MS - 1000);
    assert_int_equal(until_peace(&r, "n/a", now + REPAIRS_PEACE_MS - 1, "spec.replicas"), 1);
    assert_int_equal(until_peace(&r, "n/a", now + REPAIRS_PEACE_MS, ""), 0);
    /* Others are not concerned. */
    assert_int_equal(until_peace(&r, "n/b", now, ""), 0);
    assert_null(repairs_contest(&r, STR("c2"), STR("n/a"), now, &(uint64_t){ 0 }));
    repairs_done(&r);
}

/* Each repair puts peace off; so does a long wait. A later explanation takes the place of the first. */
static void peace_is_put_off(void **state)
{
    struct repairs r = { 0 };
    uint64_t now = 1000000, wait;

    (void)state;
    for (unsigned i = 0; i < REPAIRS_FREE; i++)
        assert_int_equal(ask(&r, "n/a", now), 0);
    explain(&r, "c1", "n/a", "spec.replicas");
    now += 30000;
    assert_int_equal(ask(&r, "n/a", now), 0);
    assert_int_equal(until_peace(&r, "n/a", now, "spec.replicas"), REPAIRS_PEACE_MS);
    explain(&r, "c1", "n/a", "metadata.labels.l");
    assert_int_equal(until_peace(&r, "n/a", now, "metadata.labels.l"), REPAIRS_PEACE_MS);
    /* Twice the last wait, once that is more: nobody is at peace who is about to be asked again. */
    for (int i = 0; i < 10; i++) {
        wait = ask(&r, "n/a", now);
        now += wait;
        assert_int_equal(ask(&r, "n/a", now), 0);
    }
    wait = ask(&r, "n/a", now);
    assert_int_equal(wait, REPAIRS_WAIT_MAX_MS);
    assert_int_equal(until_peace(&r, "n/a", now, "metadata.labels.l"), 2 * REPAIRS_WAIT_MAX_MS);
    /* Asking too early changes nothing. */
    assert_int_not_equal(ask(&r, "n/a", now + 10), 0);
    assert_int_equal(until_peace(&r, "n/a", now + 10, "metadata.labels.l"), 2 * REPAIRS_WAIT_MAX_MS - 10);
    repairs_done(&r);
}

/* A fight that begins anew after peace is not explained by the old one. */
static void new_fights_are_not_explained(void **state)
{
    struct repairs r = { 0 };
    uint64_t now = 1000000;

    (void)state;
    assert_int_equal(ask(&r, "n/a", now), 0);
    explain(&r, "c1", "n/a", "spec.replicas");
    now += REPAIRS_PEACE_MS;
    assert_int_equal(ask(&r, "n/a", now), 0);
    assert_int_equal(until_peace(&r, "n/a", now, ""), 0);
    repairs_done(&r);
}

static void nothing_to_explain(void **state)
{
    struct fed_contest c = { mem_strdup("f"), mem_strdup("m") };
    struct repairs r = { 0 };

    (void)state;
    repairs_explain(&r, STR("c1"), STR("n/a"), &c); /* stays with us */
    assert_string_equal(c.field, "f");
    assert_int_equal(ask(&r, "n/b", 1), 0);
    repairs_explain(&r, STR("c1"), STR("n/a"), &c);
    assert_string_equal(c.field, "f");
    assert_int_equal(until_peace(&r, "n/a", 1, ""), 0);
    fed_contest_done(&c);
    repairs_done(&r);
}

static void note(void *arg, struct str cluster, const struct fed_contest *contest)
{
    struct map *seen = arg;
    _cleanup_free_ char *text = mem_printf("%" PRIstr " %s", STRARG(cluster), contest->field);

    assert_false(map_has(seen, str_of(text)));
    map_put(seen, str_of(text), seen);
}

/* Those that are explained and not over, each once. */
static void each_fight(void **state)
{
    _cleanup_(map_done) struct map seen = MAP_INIT;
    struct repairs r = { 0 };
    uint64_t now = 1000000;

    (void)state;
    repairs_each(&r, now, note, &seen);
    assert_int_equal(map_count(&seen), 0);
    repairs_ask(&r, STR("c1"), STR("n/old"), now - REPAIRS_PEACE_MS);
    explain(&r, "c1", "n/old", "f.old");
    repairs_ask(&r, STR("c1"), STR("n/a"), now);
    explain(&r, "c1", "n/a", "f.a");
    repairs_ask(&r, STR("c2"), STR("n/a"), now);
    explain(&r, "c2", "n/a", "f.a");
    repairs_ask(&r, STR("c2"), STR("cluster-scoped"), now);
    explain(&r, "c2", "cluster-scoped", "f.b");
    repairs_ask(&r, STR("c3"), STR("n/silent"), now);
    repairs_each(&r, now, note, &seen);
    assert_int_equal(map_count(&seen), 3);
    assert_true(map_has(&seen, STR("c1 f.a")) && map_has(&seen, STR("c2 f.a")) && map_has(&seen, STR("c2 f.b")));
    repairs_done(&r);
}

/* What was allowed counts, what was put off does not. */
static void total(void **state)
{
    struct repairs r = { 0 };
    uint64_t now = 1000000;

    (void)state;
    for (unsigned i = 0; i < REPAIRS_FREE; i++)
        assert_int_equal(ask(&r, "n/a", now), 0);
    assert_int_equal(r.total, REPAIRS_FREE);
    assert_int_not_equal(ask(&r, "n/a", now), 0);
    assert_int_equal(r.total, REPAIRS_FREE);
    assert_int_equal(ask(&r, "n/b", now), 0);
    assert_int_equal(ask(&r, "n/a", now + REPAIRS_WAIT_MS), 0);
    assert_int_equal(r.total, REPAIRS_FREE + 2);
    /* Peace forgets the fight, not the work. */
    assert_int_equal(ask(&r, "n/a", now + (uint64_t)10 * REPAIRS_PEACE_MS), 0);
    assert_int_equal(r.total, REPAIRS_FREE + 3);
    repairs_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double),
        cmocka_unit_test(peace_forgets),
        cmocka_unit_test(bounded),
        cmocka_unit_test(explained_until_peace),
        cmocka_unit_test(peace_is_put_off),
        cmocka_unit_test(new_fights_are_not_explained),
        cmocka_unit_test(nothing_to_explain),
        cmocka_unit_test(each_fight),
        cmocka_unit_test(total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
