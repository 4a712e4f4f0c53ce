/* Inside of fed/room: nodes with their sums, names of resources, templates. For room.c, room_node.c and room_demand.c only. */
#ifndef FED_ROOM_INTERNAL_H
#define FED_ROOM_INTERNAL_H

#include "base/map.h"
#include "fed/room.h"

struct room_node {
    struct str name;  /* owned */
    bool known;       /* set, and not removed since; otherwise only pods are known */
    bool ready;       /* and not cordoned */
    yyjson_doc *node; /* its projection, for labels and taints */
    struct fed_amounts allocatable, used, promised;
};

struct fed_room {
    char *names[FED_RESOURCES_MAX]; /* owned from FED_RESOURCES_FIXED on */
    size_t n_names;
    struct map nodes;    /* by name: struct room_node */
    struct map promises; /* by workload: struct promise of room.c */
};

/* Where the resource is counted; it gets a place when it has none. -1: there is none left, or it is never counted. */
int room_place(struct fed_room *r, struct str resource);
/* The same without giving it one: what a template names must not take the places of what nodes have. */
int room_find_place(struct fed_room *r, struct str resource);

/* room_demand.c */
/* The node takes such pods. */
bool room_demand_matches(const struct fed_demand *d, const struct room_node *node);
const struct fed_amounts *room_demand_request(const struct fed_demand *d); /* NULL: it fits nowhere */

/* a + b, from 0 to INT64_MAX. */
int64_t room_add(int64_t a, int64_t b);

#endif
