/*
 * Inside src/cli: what the status of one federated object says, in words for people (controllers.md 6). Pure: documents in,
 * words out.
 */
#ifndef CLI_OBJECT_STATE_H
#define CLI_OBJECT_STATE_H

#include "cli/style.h"
#include "json/json.h"

struct object_state {
    char *
        word; /* "Propagated", "NotPlaced", "Pending", "Deleting", "NotRunning", or the reason of the condition Propagation */
    enum style style;
    bool problem;              /* somebody should look at it; not while it is only a matter of time */
    struct str since;          /* RFC 3339, borrowed from the object; or empty */
    size_t n_clusters, n_good; /* placed in; where all is well */
    char *where;               /* names of clusters where all is well, "a,b,c" */
    char *why;                 /* what is wrong, "" when nothing is */
};

/* object: a federated object. running: a sync controller propagates its type. *ret is to be released with object_state_done. */
void object_state_of(yyjson_val *object, bool running, struct object_state *ret);
void object_state_done(struct object_state *s);
#define _cleanup_object_state_ _cleanup_(object_state_done)

/* The condition of that type in `status.conditions`, or NULL. */
yyjson_val *condition_of(yyjson_val *object, const char *type);

/* "a,b,c", shortened to the first `most` names and "+N" for the rest. Owned. */
char *names_shortened(const char *names, size_t most);

#endif
