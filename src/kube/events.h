/*
 * Records Kubernetes Events with the correlation of client-go (controllers.md 2.7): identical events raise `count` by
 * PATCH, many similar ones are combined, a token bucket per (source, object), a queue of 1000 that drops the newest,
 * asynchronous BACKGROUND writes, up to 12 tries. Never blocks, never fails the caller.
 */
#ifndef KUBE_EVENTS_H
#define KUBE_EVENTS_H

#include "kube/client.h"

struct event_recorder;
struct event_recorder *event_recorder_new(struct kube_client *c);
void event_recorder_free(struct event_recorder *r);
struct event_object {
    struct str api_version, kind, ns, name, uid, resource_version;
};
/* type: "Normal" or "Warning". Everything is copied. */
void event_record(struct event_recorder *r, const char *component, const struct event_object *on, const char *type,
                  const char *reason, struct str message);
size_t event_recorder_pending(const struct event_recorder *r);

#endif
