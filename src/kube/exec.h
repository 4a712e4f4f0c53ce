/*
 * Credential plugins: programs that print an ExecCredential (client.authentication.k8s.io/v1 and v1beta1). For src/kube only.
 */
#ifndef KUBE_EXEC_H
#define KUBE_EXEC_H

#include "kube/config.h"
#include "net/loop.h"

struct exec_credential {
    char *token;              /* or NULL */
    char *cert_pem, *key_pem; /* both or neither */
    int64_t expires_s;        /* wall clock; 0: never */
};
void exec_credential_done(struct exec_credential *c);

/* Reads a plugin's output. Pure. api_version: what was asked for. -EINVAL with the reason; never repeats a value. */
int exec_credential_parse(struct str output, const char *api_version, struct exec_credential *ret, struct error **err);
/* The value of KUBERNETES_EXEC_INFO for the plugin of this connection. Owned. */
char *exec_info(const struct kube_config *config, bool interactive);

/* cred NULL: err says why. Its contents are borrowed; may be taken over by clearing the struct. */
typedef void exec_done_fn(void *arg, struct exec_credential *cred, const struct error *err);
struct exec_run;
/* Runs the plugin once; 60 s at most without a terminal. Never calls fn from inside. Returns a handle for exec_cancel,
 * valid until the callback; NULL when it could not be started (err set). */
struct exec_run *exec_start(struct loop *loop, const struct kube_config *config, exec_done_fn *fn, void *arg,
                            struct error **err);
void exec_cancel(struct exec_run *x); /* kills the plugin; no callback */

#endif
