/*
 * The registered clusters (KubeFedCluster objects of the system namespace): what they say, whether they are ready, and the
 * one connection to each. A connection is made as soon as the cluster is registered: its Secret is read live (the chart
 * grants no list or watch on secrets), retried with backoff, read again after a 401 (controllers.md 2.5, Q-06, Q-66).
 */
#ifndef CONTROLLERS_CLUSTERS_H
#define CONTROLLERS_CLUSTERS_H

#include "base/histogram.h"
#include "base/list.h"
#include "fed/cluster.h"
#include "kube/events.h"
#include "kube/informer.h"

struct cluster {
    char *name;
    struct kube_object *object; /* the KubeFedCluster as cached; a reference */
    struct fed_cluster *spec;   /* decoded; NULL when it cannot be */
    bool ready;                 /* condition Ready is True */
    bool removed;               /* being taken out of the registry */
    struct kube_client *client; /* NULL while there is no usable connection */
    char *problem;              /* why there is no client, or none with the Secret as it is now; or NULL */
    uint64_t connection_hash;   /* of what the connection is made from */
    struct clusters *registry;
    struct kube_call *secret_call;
    struct loop_timer retry;
    uint64_t retry_ms;
    bool connecting;             /* the first attempt for this specification is not over yet */
    struct renewal *renewal;     /* of a token that expires (controllers/renewal.h), or NULL */
    struct kube_client *host;    /* the registry's */
    void *health;                /* owned by controllers/health */
    uint64_t connect_ns;         /* when the connection was begun that is not there yet; 0: none */
    int64_t token_ends, ca_ends; /* seconds since the epoch; 0: never, or it does not say */
};

/* What passes work with: immutable, reference counted, sorted by name. */
struct cluster_entry {
    char *name;
    yyjson_doc *labels_doc; /* its root is metadata.labels; NULL: none */
    bool ready;
    int64_t since; /* it became ready, or not: seconds since the epoch, or 0 */
};
struct cluster_snapshot {
    unsigned refs;
    size_t n;
    struct cluster_entry v[];
};
void cluster_snapshot_unref(struct cluster_snapshot *s);
DEFINE_CLEANUP(struct cluster_snapshot *, cluster_snapshot_unref)

enum cluster_event {
    CLUSTER_ADDED,
    CLUSTER_CONNECTED,    /* `client` is new: start what uses it */
    CLUSTER_DISCONNECTED, /* `client` is about to be freed: stop what uses it, now */
    CLUSTER_READY,
    CLUSTER_UNREADY,
    CLUSTER_RELABELLED,
    CLUSTER_REMOVED, /* already out of the registry */
};
struct clusters_listener {
    struct list link;
    void (*fn)(void *arg, struct cluster *c, enum cluster_event event);
    void *arg;
};

struct clusters_config {
    struct kube_client *host;
    struct event_recorder *events;
    const char *system_namespace;
    bool standby;            /* until clusters_lead: no events, and tokens are renewed by somebody else */
    bool plain_http_default; /* Q-07 as in KubeFed: an endpoint without scheme and CA bundle is dialled in plain text */
    struct histogram *connections; /* gets how long each took to be made; NULL: nobody asks */
    void (*on_synced)(void *arg);  /* it is known which there are; after clusters_lead once more */
    void *arg;
};
struct clusters;
struct clusters *clusters_start(const struct clusters_config *config);
/* We lead: the clusters are listed past the server's cache, and are not synced until then. After that the Secrets are read again,
 * since who led before may have written them, problems are told, and tokens are renewed. Once. */
void clusters_lead(struct clusters *c);
void clusters_free(struct clusters *c); /* listeners get DISCONNECTED for connected clusters */
bool clusters_synced(const struct clusters *c);
void clusters_listen(struct clusters *c, struct clusters_listener *l);
void clusters_unlisten(struct clusters_listener *l);
struct cluster *clusters_find(const struct clusters *c, struct str name); /* or NULL */
/* A new reference to the current snapshot. */
struct cluster_snapshot *clusters_snapshot(struct clusters *c);
/* for (size_t i = 0; (m = clusters_next(c, &i));) in no particular order */
struct cluster *clusters_next(const struct clusters *c, size_t *iter);
/* Reads the Secret of a connected cluster again; its token is used from then on. */
void clusters_read_secret(struct cluster *c);
/* An event about a KubeFedCluster, by the component that KubeFed uses for these. */
void clusters_event(const struct cluster *c, const char *type, const char *reason, const char *message);
/* The answer to an own write of a KubeFedCluster (its status): readiness takes effect at once. */
void clusters_learn(struct clusters *c, yyjson_val *live);

#endif
