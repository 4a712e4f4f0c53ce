/*
 * What a bearer token says of itself, when it is a JSON web token (RFC 7519), as the tokens of ServiceAccounts are. Nothing is
 * verified: this is for knowing when to renew it, not for trusting it.
 */
#ifndef KUBE_JWT_H
#define KUBE_JWT_H

#include "base/buf.h"

struct jwt_claims {
    int64_t issued_at, expires_at;              /* seconds since the epoch; 0: the token does not say */
    char *service_account_ns, *service_account; /* of "system:serviceaccount:<ns>:<name>"; NULL: another subject */
};

/* *ret is to be released with jwt_claims_done. -EINVAL: it is no such token (and may be any other valid one). */
int jwt_read(struct str token, struct jwt_claims *ret);
void jwt_claims_done(struct jwt_claims *c);
#define _cleanup_jwt_claims_ _cleanup_(jwt_claims_done)

#endif
