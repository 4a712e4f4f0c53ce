/* The heap and the list, the heap against a linear search. */
#include "unit.h"

#include "base/heap.h"
#include "base/list.h"

#define NODES 200

static uint64_t naive_min(const struct heap_node *v)
{
    uint64_t min = UINT64_MAX;

    for (size_t i = 0; i < NODES; i++)
        if (heap_has(&v[i]))
            min = MIN(min, v[i].key);
    return min;
}

static void test_heap_random(void **state)
{
    struct heap_node v[NODES] = { 0 };
    struct heap h = HEAP_INIT;
    size_t in = 0;

    (void)state;
    unit_seed();
    for (int step = 0; step < 20000; step++) {
        struct heap_node *n = &v[rand_below(NODES)];
        uint64_t key = rand_below(100);

        if (!heap_has(n)) {
            heap_push(&h, n, key);
            in++;
        } else if (rand_below(2)) {
            heap_update(&h, n, key);
        } else {
            heap_remove(&h, n);
            in--;
        }
        assert_int_equal(h.n, in);
        if (in)
            assert_int_equal(heap_min(&h)->key, naive_min(v));
        else
            assert_null(heap_min(&h));
    }
    heap_done(&h);
    for (size_t i = 0; i < NODES; i++)
        assert_false(heap_has(&v[i]));
}

static void test_heap_sorts(void **state)
{
    struct heap_node v[NODES] = { 0 };
    struct heap h = HEAP_INIT;
    uint64_t last = 0;

    (void)state;
    unit_seed();
    heap_remove(&h, &v[0]);
    for (size_t i = 0; i < NODES; i++)
        heap_push(&h, &v[i], rand_u64());
    while (heap_min(&h)) {
        assert_true(heap_min(&h)->key >= last);
        last = heap_min(&h)->key;
        heap_remove(&h, heap_min(&h));
    }
    heap_done(&h);
}

struct item {
    int n;
    struct list link;
};

static void test_list(void **state)
{
    struct list head;
    struct item v[5];
    int sum = 0;

    (void)state;
    list_init(&head);
    assert_true(list_empty(&head));
    assert_null(list_pop(&head));
    for (int i = 0; i < 5; i++) {
        v[i].n = i;
        list_add_tail(&head, &v[i].link);
    }
    list_for_each(it, &head) {
        struct item *item = list_entry(it, struct item, link);

        if (item->n % 2)
            list_del(it);
        else
            sum = sum * 10 + item->n;
    }
    assert_int_equal(sum, 24);
    list_del(&v[1].link); /* in no list: nothing happens */
    list_add_head(&head, &v[1].link);
    assert_ptr_equal(list_pop(&head), &v[1].link);
    assert_ptr_equal(list_pop(&head), &v[0].link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_random),
        cmocka_unit_test(test_heap_sorts),
        cmocka_unit_test(test_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
