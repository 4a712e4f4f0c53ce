/* Inside src/cli: the parts of join (api-and-cli.md 3.2). cmd_join.c calls them in order; each may be repeated. */
#ifndef CLI_JOIN_H
#define CLI_JOIN_H

#include "cli/membership.h"

struct join_options {
    const char *secret_name;
    bool error_on_existing;
};

struct join {
    struct cli *cli;
    const struct join_options *options;
    struct membership names;
    struct str ns;                /* of the control plane */
    struct remote *host, *member; /* owned */
    bool namespaced;              /* scope of the control plane */
    bool has_namespace;           /* the member has the namespace already */
    yyjson_doc *registered;       /* the KubeFedCluster found in the host, or NULL */
    char *token;                  /* base64; erased when freed */
    char *token_ca;               /* base64 of ca.crt beside the token, or NULL */
    char *secret_name;            /* of the Secret in the host, once written */
    bool secret_created;          /* by this run */
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
/* Step 7. */
int join_rbac(struct join *j, struct error **err);
/* Step 8 with A-05: sets token and token_ca. */
int join_token(struct join *j, struct error **err);
/* Steps 9 to 11: Secret and KubeFedCluster in the host. */
int join_register(struct join *j, struct error **err);

/* {apiVersion, kind, metadata: {name[, namespace]}}; empty ns or name: left out. */
yyjson_mut_doc *object_new(const char *api_version, const char *kind, struct str ns, struct str name);

#endif
