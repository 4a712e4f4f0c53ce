/* Inside src/cli: making a type federated; used by enable and by federate --enable-type (api-and-cli.md 3.5). */
#ifndef CLI_ENABLE_H
#define CLI_ENABLE_H

#include "cli/types.h"
#include "fed/enable.h"

struct enable_request {
    struct str key;                                /* the type as typed */
    struct str version;                            /* of the target; empty: the preferred one */
    struct str federated_group, federated_version; /* empty: the defaults */
};

/* What enable writes. */
struct enable_objects {
    struct fed_enable_input in; /* borrows from the types it was made from */
    struct str *short_names;    /* owned array */
    char *name, *crd_name;      /* of FTC and CRD; owned */
    yyjson_mut_doc *type_config, *crd;
};
void enable_objects_done(struct enable_objects *o);
#define _cleanup_enable_objects_ _cleanup_(enable_objects_done)

/* Steps 1 to 8 of 1.9.3: finds the type and makes both documents. Nothing is written. `t` must outlive *ret. */
int enable_prepare(struct remote *host, struct types *t, const struct enable_request *req, struct enable_objects *ret,
                   struct error **err);
/* Steps 3 to 7 of 3.5: writes them, prints the lines on stdout, and waits until the new type is served. */
int enable_write(struct remote *host, const struct enable_objects *o, struct error **err);

/* The part of enable_write() for the CRD: creates it with the mark of enable, or replaces its spec. An existing one that is not
 * that of a federated type is refused. */
int enable_write_crd(struct remote *host, const struct enable_objects *o, struct error **err);
/* Waits some seconds until the API server serves the federated type. When it does not, that is only a warning, as both objects
 * are there; the error is -ECANCELED or that of a request. */
int enable_wait_served(struct remote *host, const struct enable_objects *o, struct error **err);

#endif
