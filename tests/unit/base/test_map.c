/* Map and set against a naive model. */
#include "unit.h"

#include "base/map.h"

#define KEYS 300

struct elem {
    char key[16];
    bool in; /* the model: is it in the table? */
};

static struct str key_of(const void *p)
{
    return str_of(((const struct elem *)p)->key);
}

static void make_elems(struct elem *v)
{
    for (int i = 0; i < KEYS; i++)
        v[i] = (struct elem){ .in = false };
    for (int i = 0; i < KEYS; i++)
        snprintf(v[i].key, sizeof(v[i].key), "key-%d", i);
    v[0].key[0] = '\0'; /* the empty key is a key */
}

static void check_map(const struct map *m, const struct elem *v, const void *const *vals)
{
    struct map_entry e;
    size_t n = 0, seen = 0;

    for (int i = 0; i < KEYS; i++) {
        n += v[i].in;
        assert_int_equal(map_has(m, key_of(&v[i])), v[i].in);
        assert_ptr_equal(map_get(m, key_of(&v[i])), v[i].in ? vals[i] : NULL);
    }
    assert_int_equal(map_count(m), n);
    for (size_t i = 0; map_next(m, &i, &e);)
        seen++;
    assert_int_equal(seen, n);
}

static void test_map_random(void **state)
{
    struct map m = MAP_INIT;
    struct elem v[KEYS];
    const void *vals[KEYS] = { NULL };

    (void)state;
    unit_seed();
    make_elems(v);
    for (int step = 0; step < 20000; step++) {
        size_t i = rand_below(KEYS);
        void *val = rand_below(10) ? &v[rand_below(KEYS)] : NULL;

        if (rand_below(100) < (step / 2000 % 2 ? 30 : 70)) {
            assert_ptr_equal(map_put(&m, key_of(&v[i]), val), v[i].in ? vals[i] : NULL);
            v[i].in = true;
            vals[i] = val;
        } else {
            assert_ptr_equal(map_remove(&m, key_of(&v[i])), v[i].in ? vals[i] : NULL);
            v[i].in = false;
        }
        if (step % 100 == 0)
            check_map(&m, v, vals);
    }
    map_done(&m);
    assert_int_equal(map_count(&m), 0);
}

static void test_map_copies_keys(void **state)
{
    struct map m = MAP_INIT;
    char key[] = "abc";
    int x = 0;

    (void)state;
    map_put(&m, str_of(key), &x);
    key[0] = 'z';
    assert_ptr_equal(map_get(&m, STR("abc")), &x);
    assert_null(map_get(&m, STR("zbc")));
    map_put(&m, str_n("a\0b", 3), &x);
    assert_true(map_has(&m, str_n("a\0b", 3)));
    assert_false(map_has(&m, STR("a")));
    assert_false(map_has(&m, STR_NULL));
    map_put(&m, STR_NULL, &x);
    assert_true(map_has(&m, STR("")));
    map_done(&m);
}

static void test_map_remove_while_walking(void **state)
{
    struct map m = MAP_INIT;
    struct elem v[KEYS];
    struct map_entry e;
    size_t n = 0;

    (void)state;
    make_elems(v);
    for (int i = 0; i < KEYS; i++)
        map_put(&m, key_of(&v[i]), &v[i]);
    for (size_t i = 0; map_next(&m, &i, &e); n++)
        assert_ptr_equal(map_remove(&m, key_of(e.val)), e.val);
    assert_int_equal(n, KEYS);
    assert_int_equal(map_count(&m), 0);
    map_done(&m);
}

static void test_map_sorted(void **state)
{
    struct map m = MAP_INIT;
    struct elem v[KEYS];
    size_t n = 0;

    (void)state;
    make_elems(v);
    for (int i = 0; i < KEYS; i++)
        map_put(&m, key_of(&v[i]), &v[i]);
    struct map_entry *sorted = map_sorted(&m, &n);
    assert_int_equal(n, KEYS);
    for (size_t i = 1; i < n; i++)
        assert_true(str_cmp(sorted[i - 1].key, sorted[i].key) < 0);
    free(sorted);
    map_done(&m);
    sorted = map_sorted(&m, &n);
    assert_int_equal(n, 0);
    free(sorted);
}

static void test_map_done_values(void **state)
{
    struct map m = MAP_INIT;

    (void)state;
    for (int i = 0; i < 100; i++) {
        _cleanup_free_ char *key = mem_printf("%d", i);

        map_put(&m, str_of(key), mem_strdup("value"));
    }
    map_done_values(&m, free);
    assert_null(map_get(&m, STR("1")));
}

static void check_set(const struct set *s, struct elem *v)
{
    size_t n = 0, seen = 0;
    void *e;

    for (int i = 0; i < KEYS; i++) {
        n += v[i].in;
        assert_ptr_equal(set_get(s, key_of(&v[i])), v[i].in ? &v[i] : NULL);
    }
    assert_int_equal(set_count(s), n);
    for (size_t i = 0; set_next(s, &i, &e); seen++)
        assert_true(((struct elem *)e)->in);
    assert_int_equal(seen, n);
}

static void test_set_random(void **state)
{
    struct set s = SET_INIT(key_of);
    struct elem v[KEYS];

    (void)state;
    unit_seed();
    make_elems(v);
    for (int step = 0; step < 20000; step++) {
        struct elem *e = &v[rand_below(KEYS)];

        if (rand_below(100) < (step / 2000 % 2 ? 30 : 70)) {
            assert_ptr_equal(set_put(&s, e), e->in ? e : NULL);
            e->in = true;
        } else {
            assert_ptr_equal(set_remove(&s, key_of(e)), e->in ? e : NULL);
            e->in = false;
        }
        if (step % 100 == 0)
            check_set(&s, v);
    }
    set_done(&s);
    assert_int_equal(set_count(&s), 0);
    assert_null(set_get(&s, STR("key-1")));
}

static void test_set_replaces(void **state)
{
    struct set s = SET_INIT(key_of);
    struct elem a = { .key = "same" }, b = { .key = "same" };

    (void)state;
    assert_null(set_put(&s, &a));
    assert_ptr_equal(set_put(&s, &b), &a);
    assert_ptr_equal(set_get(&s, STR("same")), &b);
    assert_int_equal(set_count(&s), 1);
    set_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_random),
        cmocka_unit_test(test_map_copies_keys),
        cmocka_unit_test(test_map_remove_while_walking),
        cmocka_unit_test(test_map_sorted),
        cmocka_unit_test(test_map_done_values),
        cmocka_unit_test(test_set_random),
        cmocka_unit_test(test_set_replaces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
