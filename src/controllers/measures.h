/*
 * What the controllers measure for metrics while they work: one struct, owned by the manager, with a place for each thing. Who measures
 * writes into it; metrics.c reads it. All of it counts from the start of the manager.
 */
#ifndef CONTROLLERS_MEASURES_H
#define CONTROLLERS_MEASURES_H

#include "base/histogram.h"
#include "base/map.h"
#include "net/loop.h"

/* The controllers whose reconciles KubeFed measures one by one (controllers.md 9.1). */
enum measured_controller {
    MEASURED_TYPE_CONFIGS,
    MEASURED_SCHEDULING_MANAGER, /* KubeFed's; there is none here, scheduling sees types as they come and go */
    MEASURED_PREFERENCES,
    MEASURED_STATUS,
    MEASURED_CONTROLLERS, /* how many */
};
extern const char *const measured_controllers[MEASURED_CONTROLLERS]; /* the label */

enum measured_action { MEASURED_CREATE, MEASURED_UPDATE, MEASURED_DELETE, MEASURED_ACTIONS };
extern const char *const measured_actions[MEASURED_ACTIONS];

struct measures {
    struct histogram probes;                            /* of clusters, with the write of their status */
    struct histogram connections;                       /* from reading the Secret to a client */
    struct histogram reconciles;                        /* of federated objects */
    struct histogram operations[MEASURED_ACTIONS];      /* in members, those that succeeded */
    struct histogram controllers[MEASURED_CONTROLLERS]; /* reconciles */
    struct histogram lag;                               /* how late a timer of the event loop is */
    struct map propagation; /* by federated kind: struct histogram; see measures_propagation */
    struct loop *loop;
    struct loop_timer lag_timer;
    uint64_t lag_due_ns;
};

/* Looks at the loop twice a second from now on. */
struct measures *measures_new(struct loop *loop);
void measures_free(struct measures *m); /* after everything that measures; NULL is fine */

/* How long it takes from the moment when a change of a federated object of this kind is seen until all its clusters have it. Lives
 * as long as `m`, so that it goes on when a type is stopped and started; of too many kinds the last ones share "other". */
struct histogram *measures_propagation(struct measures *m, const char *kind);

#endif
