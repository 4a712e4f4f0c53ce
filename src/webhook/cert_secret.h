/*
 * Certificates that the webhook makes, renews and announces by itself. They live in one Secret, so that all replicas serve the same;
 * the authority goes into clientConfig.caBundle of every webhook that calls our Service, in the webhook configurations named.
 *
 * One round: read the Secret; when a renewal is due, write it (with its resourceVersion: one replica wins, the others take what it
 * wrote); see that the configurations trust the authority; then serve. Rounds come every 15 s, and sooner after a failure.
 *
 * No call fails while an authority is replaced, be it by us, by a backup that came back, or by somebody who emptied the Secret:
 * - what is served is announced beside what the Secret says, for as long as it is served;
 * - a certificate that those who were told before would not take is served one round after its authority was announced;
 * - what else is trusted and valid, for other replicas may serve with it, is taken away only after CERT_SECRET_KEEP_ROUNDS rounds in
 *   each of which the Secret did not have it.
 * So an authority whose key has leaked is given up within two minutes after the Secret was emptied.
 */
#ifndef WEBHOOK_CERT_SECRET_H
#define WEBHOOK_CERT_SECRET_H

#include "kube/client.h"
#include "webhook/cert_files.h"

#define CERT_SECRET_KEEP_ROUNDS 4

struct cert_secret_config {
    struct kube_client *client;
    const char *ns, *secret, *service;
    const char *validating, *mutating; /* names of the webhook configurations */
    cert_fn *fn;
    void *arg;
    uint64_t round_ms, retry_ms; /* between rounds, after a first failure; 0: 15 s and 1 s. For tests */
};
struct cert_secret;
struct cert_secret *cert_secret_start(const struct cert_secret_config *config);
/* Serving, and the configurations trust what is served. */
bool cert_secret_ready(const struct cert_secret *s);
void cert_secret_free(struct cert_secret *s); /* NULL is fine */

#endif
