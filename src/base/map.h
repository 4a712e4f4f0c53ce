/*
 * Hash map from byte strings to pointers. Keys are copied; values belong to the caller. Open addressing,
 * XXH3. Iteration order is unspecified: sort where order can be seen.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_entry {
    struct str key;
    void *val;
};

struct map {
    struct map_slot *slots;
    size_t cap, used, tombs;
};

#define MAP_INIT ((struct map){ 0 })
void map_done(struct map *m); /* frees keys, not values */
void map_done_values(struct map *m, void (*free_value)(void *));
void *map_get(const struct map *m, struct str key); /* NULL when absent */
bool map_has(const struct map *m, struct str key);
void *map_put(struct map *m, struct str key, void *val); /* returns the value replaced, or NULL */
void *map_remove(struct map *m, struct str key);         /* returns the value removed, or NULL */
static inline size_t map_count(const struct map *m)
{
    return m->used;
}
/* for (size_t i = 0; map_next(m, &i, &e);) { e.key, e.val }  The current entry may be removed meanwhile. */
bool map_next(const struct map *m, size_t *iter, struct map_entry *ret);
/* Owned array of entries sorted by key (free()); keys stay owned by the map. */
struct map_entry *map_sorted(const struct map *m, size_t *ret_n);

/* Hash set with intrusive string keys: the element itself carries its key, so an entry costs one pointer.
 * key_of must be stable while the element is in the set. Used for object stores. */
struct set {
    void **slots;
    size_t cap, used, tombs;
    struct str (*key_of)(const void *elem);
};
#define SET_INIT(fn) ((struct set){ .key_of = (fn) })
void set_done(struct set *s); /* elements stay the caller's */
void *set_get(const struct set *s, struct str key);
void *set_put(struct set *s, void *elem);        /* returns the element replaced, or NULL */
void *set_remove(struct set *s, struct str key); /* returns it, or NULL */
static inline size_t set_count(const struct set *s)
{
    return s->used;
}
bool set_next(const struct set *s, size_t *iter, void **ret); /* the current one may be removed meanwhile */

#endif
