/*
 * Hash set of elements that carry their own key: open addressing, linear probing, tombstones, one pointer per slot.
 * Invariants as in map.c. The hash of an element is computed from its key again when the table grows, which costs less
 * over a life than keeping it. The set owns only the array.
 */
#include <stdlib.h>

#include "base/map.h"

#define SET_MIN_CAP 8

static char tomb;
#define TOMB ((void *)&tomb)

static bool is_live(const void *slot)
{
    return slot && slot != TOMB;
}

static void **find(const struct set *s, struct str key)
{
    if (s->used == 0)
        return NULL;
    for (size_t i = (size_t)str_hash_keyed(key) & (s->cap - 1);; i = (i + 1) & (s->cap - 1)) {
        if (!s->slots[i])
            return NULL;
        if (s->slots[i] != TOMB && str_eq(s->key_of(s->slots[i]), key))
            return &s->slots[i];
    }
}

static void **free_slot(const struct set *s, struct str key)
{
    size_t i = (size_t)str_hash_keyed(key) & (s->cap - 1);

    while (is_live(s->slots[i]))
        i = (i + 1) & (s->cap - 1);
    return &s->slots[i];
}

static void grow(struct set *s)
{
    struct set old = *s;

    if ((s->used + s->tombs + 1) * 4 <= s->cap * 3)
        return;
    s->cap = SET_MIN_CAP;
    while (s->cap < (old.used + 1) * 2)
        s->cap *= 2;
    s->slots = mem_array(s->cap, sizeof(*s->slots));
    s->tombs = 0;
    for (size_t i = 0; i < old.cap; i++)
        if (is_live(old.slots[i]))
            *free_slot(s, s->key_of(old.slots[i])) = old.slots[i];
    free(old.slots);
}

void set_done(struct set *s)
{
    free(s->slots);
    *s = SET_INIT(s->key_of);
}

void *set_get(const struct set *s, struct str key)
{
    void **slot = find(s, key);

    return slot ? *slot : NULL;
}

void *set_put(struct set *s, void *elem)
{
    struct str key = s->key_of(elem);
    void **slot = find(s, key), *old;

    assert(elem);
    if (slot) {
        old = *slot;
        *slot = elem;
        return old;
    }
    grow(s);
    slot = free_slot(s, key);
    if (*slot == TOMB)
        s->tombs--;
    *slot = elem;
    s->used++;
    return NULL;
}

void *set_remove(struct set *s, struct str key)
{
    void **slot = find(s, key), *elem;

    if (!slot)
        return NULL;
    elem = *slot;
    *slot = TOMB;
    s->used--;
    s->tombs++;
    return elem;
}

bool set_next(const struct set *s, size_t *iter, void **ret)
{
    for (; *iter < s->cap; (*iter)++) {
        if (!is_live(s->slots[*iter]))
            continue;
        *ret = s->slots[(*iter)++];
        return true;
    }
    return false;
}
