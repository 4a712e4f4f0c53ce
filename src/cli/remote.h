/*
 * Inside src/cli: a cluster that a verb talks to, and blocking requests to it whose errors say where they happened and what
 * to do. Every request has a deadline of 30 s.
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "cli/session.h"
#include "json/json.h"
#include "kube/config.h"
#include "kube/discovery.h"
#include "kube/path.h"

struct remote {
    struct cli *cli;
    struct kube_config *config;
    struct kube_client *client;
    char *where; /* `host cluster (context "a", server https://...)` */
};
void remote_free(struct remote *r);
DEFINE_CLEANUP(struct remote *, remote_free)
#define _cleanup_remote_ _cleanup_(remote_freep)

/* The host cluster of --kubeconfig and --host-cluster-context. No request is made. Errors: texts of api-and-cli.md 3.1. */
int remote_host(struct cli *cli, struct remote **ret, struct error **err);
/* The member `name` through a context of the same kubeconfig. role: "joining cluster" or "unjoining cluster". */
int remote_member(struct cli *cli, const char *role, const char *name, const char *context, struct remote **ret,
                  struct error **err);

/* Resources of the API that the verbs use. */
extern const struct kube_resource res_namespaces, res_service_accounts, res_secrets, res_cluster_roles,
    res_cluster_role_bindings, res_roles, res_role_bindings, res_crds, res_kubefed_configs, res_kubefed_clusters,
    res_type_configs, res_preferences, res_access_reviews;
/* For a resource found by discovery. Borrows its strings. */
struct kube_resource res_of(const struct kube_api_resource *r);
/* "deployments.apps", "pods": owned. */
char *res_name(const struct kube_resource *r);

struct remote_request {
    const char *method;
    const struct kube_resource *resource;
    struct str ns, name, sub, query; /* may be empty */
    const char *content_type;        /* NULL: JSON */
    const yyjson_mut_val *body;      /* or NULL */
};
/* Sends and waits. *ret (may be NULL) is the parsed answer. An answer of the server becomes an error with its message, its
 * HTTP status and reason; 401, 403 and failures to reach the server are explained. -ECANCELED when interrupted. */
/* Makes an error of a request that went past this file say the same: *e is replaced. what: what was to be done. */
void remote_explain(const struct remote *r, const char *what, struct error **e);
int remote_do(struct remote *r, const struct remote_request *req, yyjson_doc **ret, struct error **err);

/* Short forms. ret may be NULL. */
int remote_get(struct remote *r, const struct kube_resource *res, struct str ns, struct str name, yyjson_doc **ret,
               struct error **err);
int remote_create(struct remote *r, const struct kube_resource *res, struct str ns, const yyjson_mut_val *object,
                  yyjson_doc **ret, struct error **err);
int remote_replace(struct remote *r, const struct kube_resource *res, struct str ns, struct str name,
                   const yyjson_mut_val *object, struct error **err);
int remote_merge_patch(struct remote *r, const struct kube_resource *res, struct str ns, struct str name,
                       const yyjson_mut_val *patch, struct error **err);
int remote_delete(struct remote *r, const struct kube_resource *res, struct str ns, struct str name,
                  struct error **err);
/* Reads a collection in pages and calls fn for each item until it returns non-zero, which is returned. limit: page size. */
int remote_list(struct remote *r, const struct kube_resource *res, struct str ns, unsigned limit,
                int (*fn)(void *arg, yyjson_val *item), void *arg, struct error **err);
/* A document that is no resource, such as /openapi/v2. */
int remote_get_raw(struct remote *r, const char *path, yyjson_doc **ret, struct error **err);

/* "<field>=<value>" with the value escaped as field selectors want it. Owned. */
char *field_selector(const char *field, struct str value);

static inline bool is_not_found(const struct error *e)
{
    return error_http(e) == 404;
}
static inline bool is_already_exists(const struct error *e)
{
    return error_http(e) == 409 && error_is_reason(e, "AlreadyExists");
}

/* Moves *from (set) into err with more text before it; keeps code, HTTP status and reason. Returns the code. */
int error_move(struct error **err, struct error **from, const char *fmt, ...) _printf_(3, 4);

#endif
