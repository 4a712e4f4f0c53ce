/* Inside of fed/room: nodes with their sums, names of resources, templates. For room.c and room_demand.c only. */
#ifndef FED_ROOM_INTERNAL_H
#define FED_ROOM_INTERNAL_H

#include "base/map.h"
#include "fed/room.h"

/* So wide that what was added can be taken away again, whatever members say: sums have no limit that is ever reached. */
struct room_sums {
    __int128 v[FED_RESOURCES_MAX];
};

struct room_node {
    struct str name;  /* owned */
    bool known;       /* set, and not removed since; otherwise only pods are known */
    bool ready;       /* and not cordoned */
    yyjson_doc *node; /* its projection, for labels and taints */
    struct fed_amounts allocatable;
    struct room_sums used, promised;
};

struct fed_room {
    char *names[FED_RESOURCES_MAX]; /* owned from FED_RESOURCES_FIXED on */
    size_t n_names;
    struct map nodes;     /* by name: struct room_node */
    struct map strangers; /* the same of nodes that only pods name; none without use */
    struct map promises;  /* by workload: struct promise of room.c */
};

/* Where the resource is counted. -1: nowhere, no node has any. */
int room_find_place(const struct fed_room *r, struct str resource);
int room_fixed_place(struct str resource); /* the same of the resources that every room has */

/* room_demand.c */
/* The node takes such pods. */
bool room_demand_matches(const struct fed_demand *d, const struct room_node *node);
const struct fed_amounts *room_demand_request(const struct fed_demand *d); /* NULL: it fits nowhere */

/* a + b, from 0 to INT64_MAX. */
int64_t room_add(int64_t a, int64_t b);

#endif
