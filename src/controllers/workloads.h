/*
 * What runs in the members, for the scheduling of replicas (docs/scheduling.md): pods, summed up by namespace and labels, and
 * nodes with the room on them. Members are watched while somebody holds on; of a pod some 200 bytes are kept.
 */
#ifndef CONTROLLERS_WORKLOADS_H
#define CONTROLLERS_WORKLOADS_H

#include "base/list.h"
#include "controllers/clusters.h"
#include "fed/pods.h"
#include "fed/room.h"

struct workloads;
struct workloads_config {
    struct kube_client *host;
    struct clusters *clusters;
    const char *system_namespace; /* of the KubeFedClusters; borrowed, outlives this */
    struct str limited_to;        /* the namespace of a namespace-scoped control plane, or empty */
    bool ready_pods_only;         /* */
};
struct workloads *workloads_new(const struct workloads_config *config);
void workloads_free(struct workloads *w); /* before clusters_free; NULL is fine */
/* Pods are watched while somebody holds on; each hold needs its release. */
void workloads_hold(struct workloads *w);
void workloads_release(struct workloads *w);
/* Nodes as well, in all namespaces the pods on them. */
void workloads_hold_nodes(struct workloads *w);
void workloads_release_nodes(struct workloads *w);
bool workloads_nodes_are_held(const struct workloads *w);

/* All its pods are known; false also when they may not be seen. */
bool workloads_know_pods(const struct workloads *w, struct str cluster);
/* Neither list nor refusal has come yet, or it was not answered yet whether it is the host. */
bool workloads_are_starting(const struct workloads *w, struct str cluster);
/* Sums of the pods in `ns` that have all of `labels` (an object; NULL matches none). now: seconds since the epoch. */
void workloads_count(const struct workloads *w, struct str cluster, struct str ns, yyjson_val *labels, int64_t now,
                     struct fed_pod_counts *ret);
/* Room on the nodes of a cluster; NULL: not known (yet), or nobody holds nodes. Borrowed until the next event. */
struct fed_room *workloads_room(const struct workloads *w, struct str cluster);
/* The same also when a list is not complete at present, for taking promises back; NULL: the cluster is not watched. */
struct fed_room *workloads_any_room(const struct workloads *w, struct str cluster);
/* The cluster is the one that the control plane's objects are in: asked for the KubeFedCluster of its own name, it has that very one.
 * false as long as that is not known; listeners are told when it is. */
bool workloads_is_host(const struct workloads *w, struct str cluster);

struct workloads_listener {
    struct list link;
    /* Pods with these labels in this namespace changed; ns empty: anything may have. May be NULL. */
    void (*fn)(void *arg, struct str cluster, struct str ns, yyjson_val *labels);
    /* The nodes of the cluster, or what is used on them; while nodes are held, and when that ends. May be NULL. */
    void (*room)(void *arg, struct str cluster);
    /* A pod with these labels was bound to a node; told at once, while the other changes are told in batches. May be NULL. */
    void (*bound)(void *arg, struct str cluster, struct str ns, yyjson_val *labels, struct str node);
    void *arg;
};
void workloads_listen(struct workloads *w, struct workloads_listener *l);
void workloads_unlisten(struct workloads_listener *l);
/* Appends the family kubefed_member_pods in the Prometheus text format; NULL: its head only. */
void workloads_metrics(const struct workloads *w, struct buf *out);

#endif
