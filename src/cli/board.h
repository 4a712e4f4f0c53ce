/*
 * Inside src/cli: federated objects and clusters as they are now, kept up to date by watches. What status and get show, once or
 * again and again.
 */
#ifndef CLI_BOARD_H
#define CLI_BOARD_H

#include "cli/types.h"
#include "kube/informer.h"

struct board;

struct board_type {
    struct board *board;
    struct fed_type_config *config; /* owned */
    bool running;                   /* a sync controller propagates it */
    struct kube_informer *informer; /* of its federated objects */
};

struct board {
    struct cli *cli;
    struct remote *host; /* borrowed */
    struct str name;     /* only objects of this name; or empty */
    struct kube_informer *clusters, *configs;
    struct board_type *types; /* by FTC name */
    size_t n_types;
    bool settled;  /* everything was read once, or cannot be */
    bool changed;  /* since board_wait_change() returned last */
    bool outdated; /* FederatedTypeConfigs changed: open a new one */
};

/* What to look at. */
struct board_query {
    struct str ns;            /* of objects; empty: all */
    struct str name;          /* empty: all */
    struct str type;          /* name of a FederatedTypeConfig; empty: all. Ignored without `objects` */
    struct str cluster_label; /* label selector for clusters; empty: all */
    bool objects;             /* federated objects too, not only clusters */
};

/* Starts reading; *ret must be closed before its host is freed. */
int board_open(struct remote *host, const struct board_query *q, struct board *ret, struct error **err);
void board_close(struct board *b);
/* Waits until everything was read once. What cannot be read is an error for the clusters when they are all that was asked for and
 * for a type that was asked for, and otherwise told on stderr. */
int board_wait(struct board *b, const struct board_query *q, struct error **err);
/* Waits for the next change, some more of them shortly after, or until `ms` have passed. -ECANCELED: interrupted. */
int board_wait_change(struct board *b, uint64_t ms, struct error **err);

/* The FTC that a word on the command line means: its name, or plural, kind or short name of its target or federated type. Owned
 * by the caller (its name). -ENOENT with a next step. */
int board_find_type(struct remote *host, struct str word, char **ret, struct error **err);

/* Objects of an informer in the order of their keys. Owned array (free()) of borrowed objects. */
struct kube_object **board_sorted(const struct kube_informer *i, size_t *ret_n);

#endif
