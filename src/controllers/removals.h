/*
 * Removals that were put off because a member could not be reached when a federated object went (fed/removal.h): one
 * ConfigMap of the system namespace, read once at the start, kept in memory, written before a finalizer goes. One write at a
 * time, so that a later state never loses to an earlier one.
 *
 * Until the ConfigMap was read (the right to get it may be missing, for a moment while an API server starts, or for good) nothing is
 * written to it, and whoever would let go of an object because nothing was put off there must wait: let go, it would be forgotten.
 * Everything else goes on without. Reading is tried again, after 2 s and then ever more rarely, up to once a minute, with a warning.
 */
#ifndef CONTROLLERS_REMOVALS_H
#define CONTROLLERS_REMOVALS_H

#include "base/list.h"
#include "controllers/clusters.h"
#include "fed/removal.h"

struct removals;
struct removals_config {
    struct kube_client *host;
    struct clusters *clusters; /* entries of clusters that are unregistered, or registered anew, are dropped */
    const char *system_namespace;
    uint64_t retry_ms; /* until it is read a second time, when it could not be; 0: 2 s */
    /* Entries are known: as soon as they were read, and once more should they have had to be read again. */
    void (*on_loaded)(void *arg);
    void *arg;
};
struct removals *removals_start(const struct removals_config *config);
void removals_free(struct removals *r); /* before clusters_free; changes that are not stored are dropped */
/* What is on the HOST is known. false once more while it is read again, as somebody else made the ConfigMap. */
bool removals_loaded(const struct removals *r);
/* How often it was read: what somebody knows of it is out of date when this changed. */
unsigned removals_reads(const struct removals *r);
/* Known, or it could not be read: nobody needs to wait for the first answer any longer. */
bool removals_answered(const struct removals *r);

/* The removal put off in `cluster`, or NULL. Borrowed until the next call that changes something. */
const struct fed_removal *removals_find(const struct removals *r, struct str cluster, struct str type, struct str key);
/* Calls fn for each key of the type that was put off in the cluster; STR_NULL: in any (a key may come several times). fn must not
 * change anything here. */
void removals_each(const struct removals *r, struct str cluster, struct str type, void (*fn)(void *arg, struct str key),
                   void *arg);

/* How many are put off in the cluster. */
size_t removals_count(const struct removals *r, struct str cluster);

/* Takes `entry` over. It counts from now on; removals_store says when it is on the HOST. */
void removals_put(struct removals *r, struct str cluster, struct fed_removal *entry);
/* Forgets an entry, stored in the background. Nothing when there is none. */
void removals_drop(struct removals *r, struct str cluster, struct str type, struct str key);
/* The same in all clusters. */
void removals_drop_key(struct removals *r, struct str type, struct str key);

/* Somebody who waits until everything put so far is stored. */
struct removals_waiter {
    struct list link;
    void (*fn)(void *arg, const struct error *err);
    void *arg;
};
/* fn is called once (never from inside): NULL when stored; otherwise why not, and nothing is promised. -EFBIG: the ConfigMap
 * would be too large. An error of reading while it could not be read. */
void removals_store(struct removals *r, struct removals_waiter *w);
void removals_unwait(struct removals_waiter *w); /* fn will not be called; fine when it was, or never waited */

#endif
