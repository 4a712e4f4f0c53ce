/* Parts of configuration and connection set-up that tests reach for. For src/kube only. */
#ifndef KUBE_CONFIG_INTERNAL_H
#define KUBE_CONFIG_INTERNAL_H

#include "kube/config.h"
#include "net/url.h"

/* A deep copy, never NULL. */
struct kube_config *kube_config_copy(const struct kube_config *c);

/* kube_config_in_cluster with the service account mounted at `folder`. */
int kube_config_in_cluster_at(const char *folder, struct kube_config **ret, struct error **err);

/* The proxy that the environment names for a server: HTTPS_PROXY or HTTP_PROXY (upper case first), unless NO_PROXY lists
 * the host or it is this machine. *ret is owned, NULL: none. -EINVAL for a proxy URL that cannot be used. */
int kube_proxy_from_env(const struct url *server, char **ret, struct error **err);

#endif
