/*
 * What goes on inside, as JSON for people who look for the cause of something: state per cluster, contents of the queues, memory. Never
 * secrets, never contents of objects; names of objects, though, which is why it is not for the network.
 */
#ifndef CONTROLLERS_INSIGHT_H
#define CONTROLLERS_INSIGHT_H

#include "base/buf.h"

struct manager;
/* path: "/debug/" (what there is), "/debug/clusters", "/debug/queues", "/debug/memory". m NULL: only what the process knows. Appends
 * one JSON object and a line's end. Bounded: a list shows at most 1000 entries, all lists of an answer together 10000, and a number beside
 * it says how many there are ("clusterCount", "keys" of a queue, ...); messages are cut after 1 KiB. false: no such path. */
bool manager_insight(const struct manager *m, struct str path, struct buf *out);

#endif
