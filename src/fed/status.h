/* Propagation status of federated objects (controllers.md 6). */
#ifndef FED_STATUS_H
#define FED_STATUS_H

#include "fed/object.h"

struct fed_status_cluster {
    struct str name;
    const char *status; /* FED_STATUS_*; NULL is OK */
    yyjson_val *remote; /* the member object's status, or NULL: none known */
};

struct fed_status_input {
    yyjson_val *previous; /* the object's status as stored, or NULL */
    int64_t generation;   /* of the object that this pass worked on */
    const char *reason;   /* FED_REASON_*; NULL is success */
    const struct fed_status_cluster *clusters;
    size_t n_clusters;     /* any order, names unique; the output is sorted by name */
    bool updated;          /* a member object was rewritten in this run */
    const char *contested; /* what others change again and again, for the condition Contested; NULL: nothing */
    bool raw_status;       /* remote statuses are collected for this type */
    int64_t now;           /* seconds since the epoch */
};

/*
 * Decides whether the status is to be written (6.4) and makes it. Returns true with *ret, the whole new status (owned);
 * false when `previous` says it all. Deviations: sets of cluster names are compared; a cluster without remote status
 * is not a difference and does not turn the condition to CheckClusters unless some other entry shows that objects of this
 * type have one; timestamps move only with a real change. Conditions of other types are kept.
 */
bool fed_status_make(const struct fed_status_input *in, yyjson_mut_doc **ret);

/* The object's condition Propagation has this status ("True", "False"). */
bool fed_status_shows_propagation(yyjson_val *object, const char *status);

/* The pass failed in a way that a retry may heal (6.3). NULL and "" are not failures. */
bool fed_status_is_recoverable(const char *status);

#endif
