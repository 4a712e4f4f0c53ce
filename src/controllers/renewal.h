/*
 * Tokens of members that expire (from the TokenRequest API): each is renewed when four fifths of its life are over, with itself, and
 * stored in the Secret of its KubeFedCluster. Tokens without an end, and those of others than ServiceAccounts, are left alone.
 */
#ifndef CONTROLLERS_RENEWAL_H
#define CONTROLLERS_RENEWAL_H

#include "controllers/clusters.h"

struct renewal; /* one cluster's; owned by struct cluster */

/* The cluster connects with this token from now on; secret_version: resourceVersion of its Secret. Replaces what was watched before. */
void renewal_watch(struct cluster *c, struct str token, struct str secret_version);
void renewal_stop(struct cluster *c); /* nothing happens any more; frees */

/* When the cluster's token is to be renewed, in seconds since the epoch; 0: it is not, since it has no end or cannot renew itself. */
int64_t renewal_planned(const struct cluster *c);

/* Pure: when a token is to be renewed, in seconds since the epoch; 0: never. */
int64_t renewal_due(int64_t issued_at, int64_t expires_at, int64_t now);

#endif
