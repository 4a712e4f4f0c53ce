/* Inside src/cli: the parts of join (api-and-cli.md 3.2). cmd_join.c calls them in order; each may be repeated. */
#ifndef CLI_JOIN_H
#define CLI_JOIN_H

#include "cli/membership.h"

enum join_token_kind {
    JOIN_TOKEN_AUTO,    /* a lasting one from a Secret, else one that expires */
    JOIN_TOKEN_SECRET,  /* only from a Secret */
    JOIN_TOKEN_REQUEST, /* only from the TokenRequest API */
};

struct join_options {
    const char *secret_name;
    bool error_on_existing;
    /* Additions to KubeFed. */
    const char *endpoint, *ca_file, *proxy_url, *token_kind;
    struct flag_list skip_checks; /* spec.disabledTLSValidations */
    bool skip_preflight;
    int64_t wait_ns;
};

/* How the control plane will reach the member: what goes into the KubeFedCluster. */
struct join_target {
    char *endpoint;  /* as it is stored */
    char *url;       /* as it is dialled: with a scheme */
    char *proxy_url; /* or NULL */
    struct buf ca_pem;
    bool
        ca_known; /* from the kubeconfig or a flag; otherwise found out by join_preflight, or taken from beside the token */
    unsigned skip;  /* enum fed_tls_skip */
    bool unchecked; /* it cannot be reached from here, which was told */
    bool chosen;    /* endpoint or proxy were given: they may be for the control plane's network only */
};

/* An object that this run created, to be taken back. */
struct join_made {
    struct join_made *older;
    struct remote *in; /* borrowed */
    const struct kube_resource *resource;
    const char *kind;
    char *name;
};

struct join {
    struct cli *cli;
    const struct join_options *options;
    struct membership names;
    struct str ns;                /* of the control plane */
    struct remote *host, *member; /* owned */
    struct join_target target;
    bool namespaced; /* scope of the control plane */
    enum join_token_kind token_kind;
    struct join_made *made; /* what this run created, newest first; owned list */
    bool has_namespace;     /* the member has the namespace already */
    yyjson_doc *registered; /* the KubeFedCluster found in the host, or NULL */
    char *token;            /* base64; erased when freed */
    char *token_ca;         /* base64 of ca.crt beside the token, or NULL */
    char *secret_name;      /* of the Secret in the host, once written */
    bool secret_created;    /* by this run */
};
void join_done(struct join *j);

/* Creates an object, or says in a dry run that it would be created. `kind` is the word for people. */
int join_create(struct join *j, struct remote *r, const struct kube_resource *res, const char *kind, struct str name,
                yyjson_mut_doc *object, struct error **err);
/* The same for PUT of a complete object. */
int join_replace(struct join *j, struct remote *r, const struct kube_resource *res, const char *kind, struct str name,
                 yyjson_mut_doc *object, struct error **err);

/* Steps 4 and more: everything that can be known without writing. Errors mean that nothing was changed. */
int join_look(struct join *j, struct error **err);
/* Fills j->target from kubeconfig and flags. Errors name the flag or the entry. */
int join_target(struct join *j, struct error **err);
/* Dials the member as the control plane will, without credentials: endpoint, proxy, trust, clocks. Errors say how to mend it; nothing
 * was changed. --skip-preflight: does nothing. */
int join_preflight(struct join *j, struct error **err);
/* The same with the token: is it accepted, and does it have the rights? On failure everything that this run created is taken back. */
int join_verify(struct join *j, struct error **err);
/* Waits until the control plane reports the cluster as ready, as long as --wait says. */
int join_wait_ready(struct join *j, struct error **err);
/* Notes an object for join_undo. */
void join_note_made(struct join *j, struct remote *in, const struct kube_resource *res, const char *kind,
                    struct str name);
/* Deletes what this run created, newest first. */
void join_undo(struct join *j);
/* Step 7. */
int join_rbac(struct join *j, struct error **err);
/* Step 8 with A-05: sets token and token_ca. */
int join_token(struct join *j, struct error **err);
/* Steps 9 to 11: Secret and KubeFedCluster in the host. */
int join_register(struct join *j, struct error **err);

/* {apiVersion, kind, metadata: {name[, namespace]}}; empty ns or name: left out. */
yyjson_mut_doc *object_new(const char *api_version, const char *kind, struct str ns, struct str name);

#endif
