/* What a KubeFedCluster says of its health, in one line (api-and-cli.md 1.3). */
#include "cli/status.h"
#include "fed/names.h"

static void take_condition(yyjson_val *condition, struct cluster_line *ret)
{
    ret->reason = json_path_str(condition, "reason");
    ret->message = json_path_str(condition, "message");
    ret->since = json_path_str(condition, "lastTransitionTime");
    ret->probed = json_path_str(condition, "lastProbeTime");
}

void cluster_line_of(yyjson_val *kfc, struct cluster_line *ret)
{
    yyjson_val *ready = condition_of(kfc, FED_CLUSTER_READY), *offline = condition_of(kfc, FED_CLUSTER_OFFLINE);
    yyjson_val *malformed = condition_of(kfc, FED_CLUSTER_CONFIG_MALFORMED);
    *ret = (struct cluster_line){
        .name = json_path_str(kfc, "metadata.name"),
        .version = json_path_str(kfc, "status.kubernetesVersion"),
        .created = json_path_str(kfc, "metadata.creationTimestamp"),
        .endpoint = json_path_str(kfc, "spec.apiEndpoint"),
        .ready = "Unknown",
    };
    if (str_eqc(json_path_str(ready, "status"), "True")) {
        take_condition(ready, ret);
        ret->ready = "True";
    } else if (malformed && str_eqc(json_path_str(malformed, "status"), "True")) {
        take_condition(malformed, ret);
        ret->ready = "False";
    } else if (offline && str_eqc(json_path_str(offline, "status"), "True")) {
        take_condition(offline, ret);
        ret->ready = "False";
    } else if (ready) {
        take_condition(ready, ret);
        ret->ready = str_eqc(json_path_str(ready, "status"), "False") ? "False" : "Unknown";
    } else {
        ret->reason = STR("NotProbed");
        ret->message = STR("no controller manager has looked at it yet");
        ret->since = ret->created;
    }
}

enum style cluster_style(const struct cluster_line *c)
{
    return strcmp(c->ready, "True") == 0 ? STYLE_GOOD : strcmp(c->ready, "False") == 0 ? STYLE_BAD : STYLE_WARNING;
}
