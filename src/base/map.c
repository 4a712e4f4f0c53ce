/*
 * Hash map with copied keys: open addressing, linear probing, tombstones. Invariants: cap is 0 or a power of two;
 * used + tombs < cap, so every probe meets an empty slot; removing never moves a slot, so that iteration may remove.
 * The map owns its keys, the caller owns the values.
 */
#include <stdlib.h>

#include "base/map.h"

#define MAP_MIN_CAP 8

struct map_slot {
    char *key; /* NULL: never used; TOMB: removed */
    size_t key_n;
    uint64_t hash;
    void *val;
};

static char tomb;
#define TOMB (&tomb)

static bool is_live(const struct map_slot *s)
{
    return s->key && s->key != TOMB;
}

/* The live slot of key, or NULL. */
static struct map_slot *find(const struct map *m, struct str key, uint64_t hash)
{
    if (m->cap == 0)
        return NULL;
    for (size_t i = (size_t)hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slots[i];

        if (!s->key)
            return NULL;
        if (s->key != TOMB && s->hash == hash && str_eq(str_n(s->key, s->key_n), key))
            return s;
    }
}

static struct map_slot *free_slot(const struct map *m, uint64_t hash)
{
    size_t i = (size_t)hash & (m->cap - 1);

    while (is_live(&m->slots[i]))
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

/* Makes room for one more key; also gets rid of tombstones. */
static void grow(struct map *m)
{
    struct map old = *m;

    if ((m->used + m->tombs + 1) * 4 <= m->cap * 3)
        return;
    m->cap = MAP_MIN_CAP;
    while (m->cap < (old.used + 1) * 2)
        m->cap *= 2;
    m->slots = mem_array(m->cap, sizeof(*m->slots));
    m->tombs = 0;
    for (size_t i = 0; i < old.cap; i++)
        if (is_live(&old.slots[i]))
            *free_slot(m, old.slots[i].hash) = old.slots[i];
    free(old.slots);
}

void map_done(struct map *m)
{
    map_done_values(m, NULL);
}

void map_done_values(struct map *m, void (*free_value)(void *))
{
    for (size_t i = 0; i < m->cap; i++) {
        if (!is_live(&m->slots[i]))
            continue;
        free(m->slots[i].key);
        if (free_value)
            free_value(m->slots[i].val);
    }
    free(m->slots);
    *m = MAP_INIT;
}

void *map_get(const struct map *m, struct str key)
{
    const struct map_slot *s = m->used ? find(m, key, str_hash_keyed(key)) : NULL;

    return s ? s->val : NULL;
}

bool map_has(const struct map *m, struct str key)
{
    return m->used && find(m, key, str_hash_keyed(key));
}

void *map_put(struct map *m, struct str key, void *val)
{
    uint64_t hash = str_hash_keyed(key);
    struct map_slot *s = find(m, key, hash);
    void *old;

    if (s) {
        old = s->val;
        s->val = val;
        return old;
    }
    grow(m);
    s = free_slot(m, hash);
    if (s->key == TOMB)
        m->tombs--;
    *s = (struct map_slot){ .key = str_dup(key), .key_n = key.n, .hash = hash, .val = val };
    m->used++;
    return NULL;
}

void *map_remove(struct map *m, struct str key)
{
    struct map_slot *s = m->used ? find(m, key, str_hash_keyed(key)) : NULL;
    void *val;

    if (!s)
        return NULL;
    val = s->val;
    free(s->key);
    *s = (struct map_slot){ .key = TOMB };
    m->used--;
    m->tombs++;
    return val;
}

bool map_next(const struct map *m, size_t *iter, struct map_entry *ret)
{
    for (; *iter < m->cap; (*iter)++) {
        const struct map_slot *s = &m->slots[*iter];

        if (!is_live(s))
            continue;
        *ret = (struct map_entry){ str_n(s->key, s->key_n), s->val };
        (*iter)++;
        return true;
    }
    return false;
}

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct map_entry *)a)->key, ((const struct map_entry *)b)->key);
}

struct map_entry *map_sorted(const struct map *m, size_t *ret_n)
{
    struct map_entry *v = mem_array(m->used, sizeof(*v));
    size_t n = 0;

    for (size_t i = 0; n < m->used && map_next(m, &i, &v[n]);)
        n++;
    qsort(v, n, sizeof(*v), by_key);
    *ret_n = n;
    return v;
}
