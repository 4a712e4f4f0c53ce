/* Inside src/cli: the names that join and unjoin derive from cluster and host (api-and-cli.md 2.5). */
#ifndef CLI_MEMBERSHIP_H
#define CLI_MEMBERSHIP_H

#include "cli/remote.h"

struct membership {
    const char *cluster; /* C; borrowed */
    const char *context; /* of the member in the kubeconfig; borrowed */
    char *host;          /* H */
    char *account;       /* C-H: ServiceAccount in the member */
    char *role;          /* kubefed-controller-manager:C-H */
    char *health_role;   /* kubefed-controller-manager:NS:healthcheck-C-H */
};
#define MEMBER_ROLE_PREFIX "kubefed-controller-manager:"
/* Marks the member's namespace as made by join, so that unjoin may delete it. */
/* Annotation on the ServiceAccount that join creates: "<cluster>/<host>". Cluster "a" of host "b-c" and cluster "a-b" of host "c"
 * would have the same. */
#define JOINED_AS "kubefed.io/joined-as"
#define CREATED_BY_JOIN "kubefed.io/created-by-join"

/* Reads the argument and loads the host's configuration, in the order of api-and-cli.md 3.2 step 1, and checks the names
 * before anything is written. *ret_host is owned by the caller, *ret is released with membership_done(). */
int membership_init(struct cli *cli, struct verb_args args, struct membership *ret, struct remote **ret_host,
                    struct error **err);
/* Was this ServiceAccount made by the join of another cluster or host? One without the annotation was not. */
bool membership_is_of_other(const struct membership *m, yyjson_val *account);
void membership_done(struct membership *m);
#define _cleanup_membership_ _cleanup_(membership_done)

#endif
