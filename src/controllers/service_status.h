/*
 * FederatedServiceStatus of every FederatedService (controllers.md 7), on the caches of the sync controller of the same type.
 * For src/controllers/sync*.c only.
 */
#ifndef CONTROLLERS_SERVICE_STATUS_H
#define CONTROLLERS_SERVICE_STATUS_H

#include "base/str.h"

struct sync;
struct service_status;
struct service_status *service_status_start(struct sync *s);
/* We lead: the statuses are listed past the server's cache, and none is written before that is over. NULL is fine. */
void service_status_renew(struct service_status *ss);
void service_status_stop(struct service_status *ss); /* NULL is fine */
/* Something that the status of this federated object is made from changed. NULL is fine. */
void service_status_enqueue(struct service_status *ss, struct str key);
void service_status_enqueue_all(struct service_status *ss);
struct workqueue;
const struct workqueue *service_status_queue(const struct service_status *ss);

#endif
