/* The control plane as one object: everything that runs under leadership (controllers.md 1.5). */
#ifndef CONTROLLERS_MANAGER_H
#define CONTROLLERS_MANAGER_H

#include "fed/behavior.h"
#include "fed/config.h"
#include "kube/client.h"

struct manager;
/* host must outlive the manager; the rest is copied. */
struct manager *manager_start(struct kube_client *host, const struct fed_config *config,
                              const struct fed_behavior *behavior, const char *system_namespace);
void manager_free(struct manager *m); /* stops everything at once; running requests are cancelled */

/* Reads the KubeFedConfig `kubefed`, or creates it with defaults when there is none (controllers.md 1.3). Sequential. */
int manager_load_config(struct kube_client *host, const char *system_namespace, struct fed_config **ret,
                        struct error **err);
/* The same from a file (--kubefed-config). */
int manager_load_config_file(const char *path, const char *system_namespace, struct fed_config **ret,
                             struct error **err);

/* Prometheus text of what the control plane knows of itself. */
struct buf;
void manager_metrics(const struct manager *m, struct buf *out);

#endif
