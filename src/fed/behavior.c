/* See behavior.h. The table is the only place that knows the names. */
#include "fed/behavior.h"

#include <stddef.h>

#include "base/rtime.h"

const struct fed_behavior fed_behavior_default = {
    .https_by_default = true,
    .consecutive_probes = true,
    .delete_unselected_clusters = true,
    .keep_host_namespace_labels = true,
    .keep_owners_and_status = true,
    .jobs_in_background = true,
    .retain_bound_fields = true,
    .yield_to_autoscalers = true,
    .whole_namespace_placement = true,
    .ready_pods_only = true,
    .starting_pods_count = true,
    .orphan_unreachable_after_s = FED_WAIT_FOR_EVER,
};

static const struct {
    const char *name;
    size_t offset;
} switches[] = {
    { "HTTPSByDefault", offsetof(struct fed_behavior, https_by_default) },
    { "ConsecutiveProbes", offsetof(struct fed_behavior, consecutive_probes) },
    { "DeleteOptionsOnPlacement", offsetof(struct fed_behavior, delete_options_on_placement) },
    { "DeleteUnselectedClusters", offsetof(struct fed_behavior, delete_unselected_clusters) },
    { "KeepHostNamespaceLabels", offsetof(struct fed_behavior, keep_host_namespace_labels) },
    { "KeepOwnersAndStatus", offsetof(struct fed_behavior, keep_owners_and_status) },
    { "JobsInBackground", offsetof(struct fed_behavior, jobs_in_background) },
    { "RetainBoundFields", offsetof(struct fed_behavior, retain_bound_fields) },
    { "YieldToAutoscalers", offsetof(struct fed_behavior, yield_to_autoscalers) },
    { "WholeNamespacePlacement", offsetof(struct fed_behavior, whole_namespace_placement) },
    { "StartingPodsCount", offsetof(struct fed_behavior, starting_pods_count) },
    { "CollectResources", offsetof(struct fed_behavior, collect_resources) },
    { "ReadyPodsOnly", offsetof(struct fed_behavior, ready_pods_only) },
};

static bool *find(struct fed_behavior *b, struct str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
        if (str_eqc(name, switches[i].name))
            return (bool *)((char *)b + switches[i].offset);
    return NULL;
}

static int unknown(struct str name, struct error **err)
{
    _cleanup_buf_ struct buf names = BUF_INIT((size_t)1024);

    for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", switches[i].name);
    return error_set(err, -EINVAL, "unknown behavior \"%.*s\" (there are: %s)", (int)MIN(name.n, (size_t)64), name.p,
                     names.p);
}

static int parse_item(struct str item, struct fed_behavior *b, struct error **err)
{
    struct str name, value;
    bool *field;

    if (!str_cut(item, '=', &name, &value))
        return error_set(err, -EINVAL, "\"%.*s\" is not NAME=true or NAME=false", (int)MIN(item.n, (size_t)64), item.p);
    name = str_trim(name);
    value = str_trim(value);
    field = find(b, name);
    if (!field)
        return unknown(name, err);
    if (!str_eqc(value, "true") && !str_eqc(value, "false"))
        return error_set(err, -EINVAL, "behavior \"%" PRIstr "\" must be true or false", STRARG(name));
    *field = str_eqc(value, "true");
    return 0;
}

int fed_behavior_parse(struct str text, struct fed_behavior *b, struct error **err)
{
    struct fed_behavior parsed = *b;
    struct str item, rest = text;
    bool more;

    do {
        more = str_cut(rest, ',', &item, &rest);
        int r = parse_item(item, &parsed, err);

        if (r < 0)
            return r;
    } while (more);
    *b = parsed;
    return 0;
}

int fed_orphan_after_parse(struct str text, int64_t *ret, struct error **err)
{
    int64_t ns;
    int r;

    if (str_eqc(text, "never")) {
        *ret = FED_WAIT_FOR_EVER;
        return 0;
    }
    r = duration_parse(text, &ns, err);
    if (r < 0)
        return r;
    if (ns < 0)
        return error_set(err, -EINVAL, "the duration must not be negative");
    *ret = ns / NSEC_PER_SEC + (ns % NSEC_PER_SEC != 0);
    return 0;
}
