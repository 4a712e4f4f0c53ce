/*
 * What a client shows to its API server: a fixed token, a token file, a credential plugin, a user name with password, a client
 * certificate, or nothing. For src/kube only.
 *
 * Each set of credentials has a generation. A call remembers the generation it was sent with; when it is answered by 401,
 * it asks for newer ones with credentials_reject.
 */
#ifndef KUBE_CREDENTIALS_H
#define KUBE_CREDENTIALS_H

#include "base/list.h"
#include "kube/exec.h"

struct credentials;
struct credentials_handlers {
    /* A plugin handed out a client certificate (or took it back: both NULL). -EINVAL when it cannot be used. */
    int (*on_certificate)(void *arg, const char *cert_pem, const char *key_pem, struct error **err);
    /* A fixed token was refused; may be NULL. */
    void (*on_unauthorized)(void *arg);
    void *arg;
};
/* Reads the token file if there is one. Errors: unreadable token file, values that no header can carry. */
int credentials_new(struct loop *loop, const struct kube_config *config, const struct credentials_handlers *h,
                    struct credentials **ret, struct error **err);
/* Waiters are forgotten without a callback. */
void credentials_free(struct credentials *c);
/* A new fixed token; waiting calls go on with it. */
void credentials_set_token(struct credentials *c, struct str token);

/* Intrusive; zero it before first use. fn is called once, later; err NULL: try again with what is there now. */
struct credentials_wait {
    struct list link;
    void (*fn)(void *arg, const struct error *err);
    void *arg;
    uint64_t until_ms; /* 0: no limit of its own */
    bool waiting;
};
/* 0: ready, *ret_header is the value of Authorization or NULL for none (borrowed until the loop goes on). -EAGAIN: being
 * fetched, w->fn will be called. Anything else: *err says why. */
int credentials_get(struct credentials *c, struct credentials_wait *w, const char **ret_header,
                    uint64_t *ret_generation, struct error **err);
/* A 401 was received with `generation`. 0: newer ones are there, try again; -EAGAIN: w->fn will be called when there are;
 * -EACCES: there is nothing newer to be had. */
int credentials_reject(struct credentials *c, uint64_t generation, struct credentials_wait *w);
void credentials_wait_cancel(struct credentials_wait *w);
/* Does the text hold the secret that is in use? Such texts must not be shown. */
bool credentials_leak(const struct credentials *c, const char *text);

#endif
