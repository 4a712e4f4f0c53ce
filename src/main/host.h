/*
 * The host cluster as the long-running programs reach it: --kubeconfig, --master, or in-cluster (api-and-cli.md 5.2). In three steps, of
 * which only the first reads files: a kubeconfig may be a pipe, and what rights are given up follows from what is connected with.
 */
#ifndef MAIN_HOST_H
#define MAIN_HOST_H

#include "kube/client.h"

struct host_options {
    const char *kubeconfig, *master, *system_namespace; /* as given; NULL or "": not given */
};

/* *ret is owned. Waits for whoever writes into a pipe (kube/file.h). Errors are those of kube_config_load or kube_config_in_cluster. */
int host_load(const struct host_options *o, struct kube_config **ret, struct error **err);

/* Gives up rights (sandbox_enter) as far as the way to the host allows: a user of a kubeconfig with a credential plugin needs programs,
 * which is told in the log. config NULL: no host is reached. Before the loop: libuv asks for io_uring when it is made, and aborts when
 * that is taken away later. Errors are those of sandbox_enter. */
int host_limit_rights(const struct kube_config *config, struct error **err);

/* config: as loaded; copied. *ret_namespace is owned: the namespace given, else the pod's own. The message of a missing one is
 * KubeFed's. */
int host_connect(const struct host_options *o, const struct kube_config *config, struct loop *loop,
                 const char *user_agent, struct kube_client **ret, char **ret_namespace, struct error **err);

/* --master is logged with the other flags: -EINVAL when it carries a user name or password. */
int host_check_master(struct str value, struct error **err);

#endif
