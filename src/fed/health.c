/*
 * Health of a member: from probes to the status of its KubeFedCluster (controllers.md 4.2 to 4.4). The stored status is the
 * history; the only thing kept in memory is how many probes in a row contradicted it, so a restart loses at most a few
 * tolerated failures.
 */
#include <stdlib.h>

#include "base/rtime.h"
#include "fed/cluster.h"
#include "fed/names.h"

struct fed_health {
    int64_t contradicting; /* probes in a row that say otherwise than what is reported */
    int64_t run;           /* by_age_of_report: probes since the last reported change; 0: none yet */
};

#define ERROR_MAX ((size_t)1024)

struct condition {
    const char *type, *status, *reason;
    const char *message; /* NULL: see the probe's error */
};

/* By enum fed_probe_kind; the second place may be empty. */
static const struct condition conditions[][2] = {
    [FED_PROBE_OK] = { { FED_CLUSTER_READY, "True", "ClusterReady", "/healthz responded with ok" } },
    [FED_PROBE_NOT_OK] = { { FED_CLUSTER_READY, "False", "ClusterNotReady", "/healthz responded without ok" },
                           { FED_CLUSTER_OFFLINE, "False", "ClusterReachable", "cluster is reachable" } },
    [FED_PROBE_OFFLINE] = { { FED_CLUSTER_OFFLINE, "True", "ClusterNotReachable", NULL } },
    [FED_PROBE_MALFORMED] = { { FED_CLUSTER_CONFIG_MALFORMED, "True", "ClusterConfigMalformed",
                                "cluster's configuration may be malformed" } },
};

struct fed_health *fed_health_new(void)
{
    return mem_zalloc(sizeof(struct fed_health));
}

void fed_health_free(struct fed_health *h)
{
    free(h);
}

/* --- the stored status --- */

static yyjson_val *stored_condition(yyjson_val *stored, const char *type)
{
    yyjson_val *list = json_get(stored, "conditions"), *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item) if (str_eqc(json_path_str(item, "type"), type)) return item;
    return NULL;
}

static bool stored_is_history(yyjson_val *stored)
{
    return stored_condition(stored, FED_CLUSTER_READY) || stored_condition(stored, FED_CLUSTER_OFFLINE) ||
           stored_condition(stored, FED_CLUSTER_CONFIG_MALFORMED);
}

static bool stored_is_ready(yyjson_val *stored)
{
    return str_eqc(json_path_str(stored_condition(stored, FED_CLUSTER_READY), "status"), "True");
}

/* The last probe is this old or in the future, or its time cannot be read. */
static bool heartbeat_is_due(yyjson_val *stored, int64_t now, int64_t heartbeat)
{
    yyjson_val *first = yyjson_arr_get_first(json_get(stored, "conditions"));
    int64_t last;

    if (time_parse_rfc3339(json_path_str(first, "lastProbeTime"), &last) < 0)
        return true;
    return last > now + heartbeat || now - last >= heartbeat;
}

/* --- the new status --- */

static void set_time(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, int64_t at)
{
    char text[21];

    time_rfc3339(at, text);
    json_mut_set_str(doc, obj, key, str_of(text));
}

static void set_transition(yyjson_mut_doc *doc, yyjson_mut_val *c, const struct condition *from, yyjson_val *stored,
                           int64_t now)
{
    yyjson_val *before = stored_condition(stored, from->type);
    struct str since = json_path_str(before, "lastTransitionTime");

    if (since.n && str_eqc(json_path_str(before, "status"), from->status))
        json_mut_set_str(doc, c, "lastTransitionTime", since);
    else
        set_time(doc, c, "lastTransitionTime", now);
}

/* Names of hosts and answers of servers are as long as others make them. */
static struct str shortened(struct str s)
{
    if (s.n <= ERROR_MAX)
        return s;
    s.n = ERROR_MAX;
    while (s.n && (s.p[s.n] & 0xc0) == 0x80) /* not within a character */
        s.n--;
    return s;
}

static yyjson_mut_val *build_condition(yyjson_mut_doc *doc, const struct condition *from,
                                       const struct fed_health_probe *probe, yyjson_val *stored)
{
    yyjson_mut_val *c = yyjson_mut_obj(doc);

    json_mut_set_str(doc, c, "type", str_of(from->type));
    json_mut_set_str(doc, c, "status", str_of(from->status));
    set_time(doc, c, "lastProbeTime", probe->now);
    set_transition(doc, c, from, stored, probe->now);
    json_mut_set_str(doc, c, "reason", str_of(from->reason));
    if (from->message) {
        json_mut_set_str(doc, c, "message", str_of(from->message));
    } else {
        struct str error = shortened(probe->error);
        _cleanup_free_ char *message = mem_printf("cluster is not reachable: %" PRIstr, STRARG(error));

        json_mut_set_str(doc, c, "message", str_of(message));
    }
    return c;
}

static yyjson_mut_doc *build_new(const struct fed_health_probe *probe, yyjson_val *stored)
{
    yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *list = yyjson_mut_arr(doc);
    struct str version = probe->version.n ? probe->version : json_path_str(stored, "kubernetesVersion");

    json_mut_set(doc, root, "conditions", list);
    for (size_t i = 0; i < ARRAY_SIZE(conditions[0]) && conditions[probe->kind][i].type; i++)
        yyjson_mut_arr_append(list, build_condition(doc, &conditions[probe->kind][i], probe, stored));
    if (probe->kind == FED_PROBE_OK && version.n)
        json_mut_set_str(doc, root, "kubernetesVersion", version);
    return doc;
}

/* What is reported stays, only the time of the probe moves. */
static yyjson_mut_doc *build_tolerated(const struct fed_health_probe *probe, yyjson_val *stored)
{
    yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *list = yyjson_mut_arr(doc);
    struct str version = json_path_str(stored, "kubernetesVersion");
    yyjson_val *item;
    size_t i, n;

    json_mut_set(doc, root, "conditions", list);
    yyjson_arr_foreach(json_get(stored, "conditions"), i, n, item)
    {
        yyjson_mut_val *c;

        if (!yyjson_is_obj(item))
            continue;
        c = json_mut_copy(doc, item);
        set_time(doc, c, "lastProbeTime", probe->now);
        yyjson_mut_arr_append(list, c);
    }
    if (version.n)
        json_mut_set_str(doc, root, "kubernetesVersion", version);
    return doc;
}

/* Something that matters differs; times and messages do not matter by themselves. */
static bool differs(yyjson_mut_doc *status, yyjson_val *stored)
{
    static const char *const telling[] = { "type", "status", "reason" };
    _cleanup_json_ yyjson_doc *frozen = json_freeze(status);
    yyjson_val *root = yyjson_doc_get_root(frozen), *item;
    yyjson_val *old = json_get(stored, "conditions"), *now = json_get(root, "conditions");
    size_t i, n;

    if (!str_eq(json_path_str(root, "kubernetesVersion"), json_path_str(stored, "kubernetesVersion")) ||
        yyjson_arr_size(old) != yyjson_arr_size(now))
        return true;
    yyjson_arr_foreach(now, i, n, item)
    {
        yyjson_val *before = yyjson_arr_get(old, i);

        for (size_t k = 0; k < ARRAY_SIZE(telling); k++)
            if (!str_eq(json_path_str(item, telling[k]), json_path_str(before, telling[k])))
                return true;
    }
    return false;
}

/* controllers.md 4.3 to the letter, and U-20: the change is reported once the reported state is old enough. */
static bool is_tolerated_by_age(struct fed_health *h, bool has_history, bool contradicts, int64_t threshold)
{
    bool tolerated = has_history && h->run > 0 && h->run < threshold;

    h->run = contradicts && !tolerated ? 1 : h->run + 1;
    return tolerated;
}

static bool is_tolerated_by_count(struct fed_health *h, bool contradicts, int64_t threshold)
{
    h->contradicting = contradicts ? h->contradicting + 1 : 0;
    if (contradicts && h->contradicting < threshold)
        return true;
    h->contradicting = contradicts ? threshold : 0; /* until `stored` shows the change */
    return false;
}

bool fed_health_report(struct fed_health *h, const struct fed_health_settings *settings,
                       const struct fed_health_probe *probe, yyjson_val *stored, yyjson_mut_doc **ret_status)
{
    _cleanup_json_mut_ yyjson_mut_doc *status = NULL;
    bool ready = probe->kind == FED_PROBE_OK;
    bool contradicts = stored_is_history(stored) && ready != stored_is_ready(stored);
    int64_t threshold = ready ? settings->success_threshold : settings->failure_threshold;
    bool tolerated = settings->by_age_of_report
                         ? is_tolerated_by_age(h, stored_is_history(stored), contradicts, threshold)
                         : is_tolerated_by_count(h, contradicts, threshold);

    status = tolerated ? build_tolerated(probe, stored) : build_new(probe, stored);
    if (!differs(status, stored) && !heartbeat_is_due(stored, probe->now, settings->heartbeat_s))
        return false;
    *ret_status = TAKE_PTR(status);
    return true;
}
