/* Inside src/cli: the parts of federate (api-and-cli.md 3.7). */
#ifndef CLI_FEDERATE_H
#define CLI_FEDERATE_H

#include "cli/enable.h"

struct federate_options {
    const char *ns, *output, *filename;
    bool enable_type, contents;
    struct flag_list skip;
};

/* All federated objects of one target type that a run makes. */
struct federated_type {
    struct fed_type_config *config; /* owned */
    bool enabled;                   /* an FTC exists in the host */
    yyjson_mut_doc **objects;       /* owned */
    size_t n, cap;
};

struct federate {
    struct cli *cli;
    const struct federate_options *options;
    struct remote *host; /* owned */
    struct types types;
    struct federated_type *v; /* owned; in the order of creation */
    size_t n, cap;
};

/* The FTC of a target type, or, where --enable-type or -o yaml allow it, the one that enable would create. Appends an entry
 * to f->v and returns it, borrowed until the next call. */
int federate_type(struct federate *f, const struct kube_api_resource *r, struct federated_type **ret,
                  struct error **err);
/* Converts one object of the host and adds it to the type; things that are lost are logged. */
int federate_add(struct federate *f, struct federated_type *type, yyjson_val *target, struct error **err);
/* --contents: everything inside the namespace. */
int federate_contents(struct federate *f, struct str ns, struct error **err);
/* --filename: converts the documents and prints them. Needs no cluster. */
int federate_file(struct cli *cli, const struct federate_options *options, struct error **err);
/* Logs each line as a warning. */
void federate_warn(struct cli *cli, const struct buf *warnings);

#endif
