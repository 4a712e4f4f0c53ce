/*
 * Notices changes of the KubeFedConfig while the control plane runs (KubeFed needed a restart): the object by a watch, a file by
 * reading it again every few seconds; what two looks running found alike counts. What is invalid is told once, as an error in the
 * log, and the last good settings stay. The informer keeps older states of the object out, as an API server that is behind would show
 * them, and knows when they count all the same: after a restore of the storage, or when the object was made anew.
 */
#ifndef CONTROLLERS_CONFIG_WATCH_H
#define CONTROLLERS_CONFIG_WATCH_H

#include "fed/config.h"
#include "kube/client.h"

struct config_watch_config {
    struct kube_client *host;
    const char *system_namespace;
    const char *file;                 /* NULL: the object */
    uint64_t look_ms;                 /* between two looks at the file; 0: 5 s */
    const struct fed_config *current; /* what runs; copied */
    /* Valid settings that are not those that run; the callee takes `config` over. */
    void (*on_change)(void *arg, struct fed_config *config);
    /* The present ones are no longer what the object or file says: it is invalid or gone (false: it is good again). For metrics. */
    void (*on_bad)(void *arg, bool bad);
    void *arg;
};
struct config_watch;
struct config_watch *config_watch_start(const struct config_watch_config *config);
void config_watch_free(struct config_watch *w); /* NULL is fine; not from inside a callback */

#endif
