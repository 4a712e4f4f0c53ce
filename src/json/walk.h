/*
 * Inside src/json: one way to walk the children of immutable and mutable containers. yyjson lays them out differently
 * (an array in memory, a ring of links), but both kinds of value begin with the same tag and payload, so that yyjson's
 * own unsafe_ accessors for scalars take either.
 */
#ifndef JSON_WALK_H
#define JSON_WALK_H

#include "json/json.h"

struct json_node {
    const void *val; /* yyjson_val or yyjson_mut_val; NULL: absent */
    bool mut;
};

/* One member of an object, see json_members. */
struct json_member {
    struct str key;
    struct json_node val;
    size_t index; /* position in the document */
};

static inline struct json_node json_node_of(const yyjson_val *v)
{
    return (struct json_node){ v, false };
}

static inline struct json_node json_node_of_mut(const yyjson_mut_val *v)
{
    return (struct json_node){ v, true };
}

static inline yyjson_type json_node_type(struct json_node n)
{
    return n.val ? unsafe_yyjson_get_type((void *)n.val) : YYJSON_TYPE_NONE;
}

/* Children of an array, or members of an object. */
static inline size_t json_node_count(struct json_node n)
{
    return unsafe_yyjson_get_len((void *)n.val);
}

static inline struct str json_node_str(struct json_node n)
{
    return str_n(unsafe_yyjson_get_str((void *)n.val), unsafe_yyjson_get_len((void *)n.val));
}

/* First element of a container that has one; for an object its first key. */
static inline struct json_node json_node_first(struct json_node n)
{
    const yyjson_mut_val *last;

    if (!n.mut)
        return json_node_of(unsafe_yyjson_get_first((void *)n.val));
    /* The payload of a mutable container is its last element, or its last key. */
    last = ((const yyjson_mut_val *)n.val)->uni.ptr;
    return json_node_of_mut(json_node_type(n) == YYJSON_TYPE_OBJ ? last->next->next : last->next);
}

/* The value after n in memory order: from a key to its value, from a value to the next key or element. The caller
 * counts: there is no end mark. */
static inline struct json_node json_node_next(struct json_node n)
{
    if (!n.mut)
        return json_node_of(unsafe_yyjson_get_next((void *)n.val));
    return json_node_of_mut(((const yyjson_mut_val *)n.val)->next);
}

/* The members of an object sorted by key in byte order, without the duplicates that a later one overrides. Owned
 * (free()), never NULL; *ret_n is their number. Anything but an object has none. Keys point into the document. */
struct json_member *json_members(struct json_node obj, size_t *ret_n);

/* Equality as json_equal, for any two nodes. */
bool json_node_equal(struct json_node a, struct json_node b);

#endif
