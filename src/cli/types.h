/* Inside src/cli: API types by the names people type, and the FederatedTypeConfigs of the control plane. */
#ifndef CLI_TYPES_H
#define CLI_TYPES_H

#include "cli/remote.h"
#include "fed/typeconfig.h"

/* What the host serves; read at the first use. Zero it before, types_done() after. */
struct types {
    struct kube_discovery found;
    bool read;
};
void types_done(struct types *t);
#define _cleanup_types_ _cleanup_(types_done)

/* Reads the host's API types unless that was done. A part that fails is only logged. */
int types_read(struct remote *host, struct types *t, struct error **err);
/* A type by key and optional version ("" for any): api-and-cli.md 1.9.3. *ret is borrowed from t. */
int types_find(struct remote *host, struct types *t, struct str key, struct str version,
               const struct kube_api_resource **ret, struct error **err);
/* The matching rule of 1.9.3 step 3 for one type: plural, singular, kind, "<plural>.<group>", short names. */
bool types_match(const struct kube_api_resource *r, struct str key);

/* The FTC `name` in the control plane's namespace. *ret_doc (may be NULL) is the object. Errors are those of the API, or
 * of the decoder. */
int types_get_config(struct remote *host, struct str name, yyjson_doc **ret_doc, struct fed_type_config **ret,
                     struct error **err);

/* "deployments.apps/v1", core: "pods/v1". Owned. */
char *types_shown(struct str plural, struct str group, struct str version);
/* "ns/name", or "name" when ns is empty. Owned. */
char *qualified_name(struct str ns, struct str name);

#endif
