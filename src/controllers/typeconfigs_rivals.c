/* See typeconfigs_rivals.h. There are as many as there are types: rivals are looked for. */
#include "controllers/typeconfigs_rivals.h"

static void free_type(void *type)
{
    fed_type_config_free(type);
}

static void tell_rivals(const struct type_rivals *r, struct str key, const struct fed_type_config *type,
                        void (*fn)(void *arg, struct str key), void *arg)
{
    struct map_entry e;
    for (size_t i = 0; type && map_next(&r->wanting, &i, &e);)
        if (!str_eq(e.key, key) && fed_type_config_rivals(e.val, type))
            fn(arg, e.key);
}

static bool is_same_wish(const struct fed_type_config *a, const struct fed_type_config *b)
{
    return a && b ? fed_type_config_same_claim(a, b) : a == b;
}

void type_rivals_set(struct type_rivals *r, struct str key, struct fed_type_config *type,
                     void (*fn)(void *arg, struct str key), void *arg)
{
    struct fed_type_config *old = type ? map_put(&r->wanting, key, type) : map_remove(&r->wanting, key);
    if (!is_same_wish(old, type)) {
        tell_rivals(r, key, old, fn, arg);
        tell_rivals(r, key, type, fn, arg);
    }
    fed_type_config_free(old);
}

const struct fed_type_config *type_rivals_instead(const struct type_rivals *r, const struct fed_type_config *type)
{
    const struct fed_type_config *first = type;
    struct map_entry e;
    for (size_t i = 0; map_next(&r->wanting, &i, &e);) {
        const struct fed_type_config *other = e.val;
        if (strcmp(other->name, type->name) != 0 && fed_type_config_rivals(other, type) &&
            fed_type_config_goes_first(other, first))
            first = other;
    }
    return first == type ? NULL : first;
}

void type_rivals_done(struct type_rivals *r)
{
    map_done_values(&r->wanting, free_type);
}
