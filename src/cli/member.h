/*
 * Inside src/cli: members as the control plane reaches them: endpoint, trust and proxy of the KubeFedCluster, token of its
 * Secret. Never the credentials of a kubeconfig.
 */
#ifndef CLI_MEMBER_H
#define CLI_MEMBER_H

#include "cli/remote.h"
#include "fed/cluster.h"

/* A client for the member that `kfc` describes; its Secret is read from the host. No request goes to the member. Errors say what is
 * wrong with the KubeFedCluster or its Secret. */
int member_open(struct remote *host, yyjson_val *kfc, struct remote **ret, struct error **err);
/* The same from parts, for a cluster that is not registered yet. token empty: no credentials. */
int member_open_with(struct cli *cli, const char *name, const struct kube_config_parts *parts, struct remote **ret,
                     struct error **err);

/* Several requests at the same time, to the same or different clusters. */
struct remote_batch {
    struct remote *to;
    struct remote_request req; /* resource NULL: name is a path */
    uint64_t timeout_ms;       /* 0: 10 s */
    yyjson_doc *answer;        /* owned by the caller afterwards; NULL after a failure, or when there was no body */
    struct error *error;       /* as of remote_do, or NULL */
};
/* Returns when all have ended. -ECANCELED: interrupted; else 0, and each request tells for itself. */
int remote_do_all(struct cli *cli, struct remote_batch *v, size_t n, struct error **err);
void remote_batch_done(struct remote_batch *v, size_t n);

#endif
