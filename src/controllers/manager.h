/*
 * The control plane as one object (controllers.md 1.5). It begins as a standby: it connects to the members and fills its caches, but
 * plans and writes nothing. Leadership is one call; what the leader before it knew and did is read from the API.
 */
#ifndef CONTROLLERS_MANAGER_H
#define CONTROLLERS_MANAGER_H

#include "fed/behavior.h"
#include "fed/config.h"
#include "kube/client.h"

struct manager;
/* A standby. host must outlive the manager; the rest is copied. */
struct manager *manager_start(struct kube_client *host, const struct fed_config *config,
                              const struct fed_behavior *behavior, const char *system_namespace);
/* We hold the lock: everything starts, each part as soon as what it goes by was read from the storage of the host since. Once. */
void manager_lead(struct manager *m);
bool manager_leads(const struct manager *m);
void manager_free(struct manager *m); /* stops everything at once; running requests are cancelled */

/* Reads the KubeFedConfig `kubefed`, or creates it with defaults when there is none (controllers.md 1.3), with the scope of the
 * environment variable DEFAULT_KUBEFED_SCOPE; another value than Cluster or Namespaced there is -EINVAL in any case.
 * Sequential. *ret is owned. Errors name the object. */
int manager_load_config(struct kube_client *host, const char *system_namespace, struct fed_config **ret,
                        struct error **err);
/* The same from a file (--kubefed-config): a regular one of at most 1 MiB, and complete (-EINVAL names all fields that are missing). */
int manager_load_config_file(const char *path, const char *system_namespace, struct fed_config **ret,
                             struct error **err);
/* Its two halves, for whoever wants to see whether the bytes have changed. *ret of the first is owned. Neither waits. */
struct buf;
int manager_read_config_file(const char *path, struct buf *ret, struct error **err);
int manager_decode_config_file(struct str text, const char *path, const char *system_namespace, struct fed_config **ret,
                               struct error **err);

/* Prometheus text of what the control plane knows of itself (docs/metrics.md). m NULL: it does not run; then of most families there is
 * the head only. */
void manager_metrics(const struct manager *m, struct buf *out);
/* The families that only the program knows the values of: kubefed_leader and kubefed_config_invalid. With manager_metrics() this is all
 * of /metrics. */
void manager_program_metrics(struct buf *out, bool leads, bool config_is_bad);

#endif
