/*
 * Shares as a federated object and a preference show them: placement and overrides (controllers.md 8.6), status and conditions.
 */
#ifndef FED_SCHEDULE_WRITE_H
#define FED_SCHEDULE_WRITE_H

#include "fed/schedule.h"

/* Sets `previous` of clusters, which are sorted by name: the number that the federated object says for a cluster that it is placed in,
 * by the override of the replica count if that is a number, else by the template (1 when that says nothing). `path` is the JSON
 * pointer of the count ("/spec/replicas"). */
void fed_schedule_previous(yyjson_val *fed_object, struct str path, struct fed_schedule_cluster *clusters, size_t n);

/* Appends the JSON patch (RFC 6902) of spec.placement.clusters and spec.overrides that makes the shares of `s` those of the
 * object, with metadata.resourceVersion as precondition (409 when it changed), and returns 1; 0 when the object has them already.
 * Overrides of others and their order stay, new clusters follow in order of their names. -EINVAL: the overrides cannot be
 * understood (duplicates, forbidden paths). */
int fed_schedule_patch(struct buf *out, yyjson_val *fed_object, struct str path, const struct fed_schedule_input *in,
                       const struct fed_schedule *s, struct error **err);

/* What a preference's status says. */
struct fed_schedule_report {
    int64_t generation, now;
    bool memory_only; /* not the conditions: what has to be remembered before the shares are written */
    yyjson_val *
        memory; /* a preference whose status says what is remembered, where that is another than the one shown; or NULL */
    const char *reason; /* of the condition Scheduled; "Scheduled": True, all others: False */
    struct str message;
    const char *doubts_reason; /* of the condition Valid; "Valid": True */
    struct str doubts;
    const struct fed_schedule_input *input; /* with the schedule, or NULL: the clusters stay as they are */
    const struct fed_schedule *schedule;
};
/* Appends {"status": ...}, a merge patch, and returns true; false when `rsp` says all that already. */
bool fed_schedule_status_patch(struct buf *out, yyjson_val *rsp, const struct fed_schedule_report *report);

/* Sets `given`, `before`, `was_lost` and `limit` of clusters, which are sorted by name: what the status remembers. A cluster in which
 * the object is not placed any more, though it was given replicas by the present specification (`generation`), is taken to have
 * them: somebody else removed them, or the object was made anew. now: seconds since the epoch. */
void fed_schedule_recall(yyjson_val *rsp, int64_t generation, int64_t now, struct fed_schedule_cluster *clusters,
                         size_t n);

#endif
