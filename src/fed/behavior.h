/*
 * Switches between corrected behaviour and that of KubeFed v0.9.2, where users may depend on the old one (the quirks judged
 * "fix+opt"), and for additions. docs/propagation.md describes each for users.
 */
#ifndef FED_BEHAVIOR_H
#define FED_BEHAVIOR_H

#include "base/error.h"
#include "base/str.h"

/* `orphan_unreachable_after_s` when a deletion waits for a member as long as it takes. */
#define FED_WAIT_FOR_EVER INT64_MAX

struct fed_behavior {
    bool https_by_default;            /* */
    bool consecutive_probes;          /* */
    bool delete_options_on_placement; /* */
    bool delete_unselected_clusters;  /* */
    bool keep_host_namespace_labels;  /* */
    bool keep_owners_and_status;      /* */
    bool jobs_in_background;          /* */
    bool retain_bound_fields;         /* */
    bool yield_to_autoscalers;
    bool whole_namespace_placement; /* */
    bool starting_pods_count;
    bool collect_resources;             /* also while nothing is scheduled by room */
    bool ready_pods_only;               /* */
    int64_t orphan_unreachable_after_s; /* or FED_WAIT_FOR_EVER */
};

extern const struct fed_behavior fed_behavior_default;

/* Applies "Name=true|false,..." (spaces around names allowed, empty items not). -EINVAL: the message names the item and, for
 * an unknown name, all that there are; *b is then unchanged. */
int fed_behavior_parse(struct str text, struct fed_behavior *b, struct error **err);

/* "never" or a Go duration of 0 or more, as of the annotation FED_ORPHAN_UNREACHABLE_ANNOTATION; *ret in seconds, rounded
 * up. -EINVAL otherwise. */
int fed_orphan_after_parse(struct str text, int64_t *ret, struct error **err);

#endif
