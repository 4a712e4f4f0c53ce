/* KubeFedCluster: how a member is reached, and its health (controllers.md 2.5, 4; api-and-cli.md 1.3). */
#ifndef FED_CLUSTER_H
#define FED_CLUSTER_H

#include "fed/object.h"

/* TLS checks to skip: spec.disabledTLSValidations. The bits are those of the TLS client's setting. */
enum fed_tls_skip {
    FED_TLS_SKIP_ALL = 1,      /* "*" */
    FED_TLS_SKIP_NAME = 2,     /* "SubjectName" */
    FED_TLS_SKIP_VALIDITY = 4, /* "ValidityPeriod" */
};

struct fed_cluster {
    char *name;          /* metadata.name, "" when absent */
    char *api_endpoint;  /* URL with scheme http or https; "https://" is put before an endpoint without one */
    bool scheme_assumed; /* the endpoint had none */
    char *secret_name;   /* in the system namespace */
    char *proxy_url;     /* NULL: none */
    struct str ca_pem;   /* owned with the rest; empty: the system's roots */
    unsigned tls_skip;   /* enum fed_tls_skip bits */
};

/* Decodes and checks spec with the rules of api-and-cli.md 4.4; *ret is owned. -EINVAL: the message lists all violations
 * as "<path>: <violation>". */
int fed_cluster_decode(yyjson_val *kfc, struct fed_cluster **ret, struct error **err);
/* The same without result, for admission.h: -EBADMSG when a field of spec cannot be read. */
int fed_cluster_validate(yyjson_val *kfc, struct error **err);
void fed_cluster_free(struct fed_cluster *c); /* NULL is fine */
DEFINE_CLEANUP(struct fed_cluster *, fed_cluster_free)

/* Condition Ready is True. */
bool fed_cluster_is_ready(yyjson_val *kfc);
/* Condition Offline is True. */
bool fed_cluster_is_offline(yyjson_val *kfc);

/* When a cluster that is not ready was lost, or one that is ready became so: the latest lastTransitionTime of its conditions, in
 * seconds since the epoch; 0 when there is none. */
int64_t fed_cluster_since(yyjson_val *kfc);

/* Endpoint rule of api-and-cli.md 1.3: a URL, host or host:port; a path only with a scheme; port 1 to 65535; IPv6 in
 * brackets. *ret_url is owned: scheme in lower case, the rest as given. -EINVAL with the text that follows
 * "spec.apiEndpoint: ". */
int fed_endpoint_parse(struct str endpoint, char **ret_url, struct error **err);
/* Rule of spec.proxyURL: a URL as Go's parser takes it, with scheme http, https or socks5. -EINVAL with the text that follows
 * "spec.proxyURL: "; user information is not repeated. */
int fed_proxy_check(struct str url, struct error **err);

/* What one probe of a member saw. */
enum fed_probe_kind {
    FED_PROBE_OK,        /* /healthz said ok */
    FED_PROBE_NOT_OK,    /* it answered something else */
    FED_PROBE_OFFLINE,   /* no answer, or an HTTP error */
    FED_PROBE_MALFORMED, /* no client can be built from the KubeFedCluster */
};
struct fed_health_probe {
    enum fed_probe_kind kind;
    struct str error;   /* FED_PROBE_OFFLINE: why */
    struct str version; /* gitVersion as last known, or STR_NULL */
    int64_t now;        /* seconds since the epoch */
};
struct fed_health_settings {
    int64_t failure_threshold, success_threshold; /* probes in a row, at least 1 */
    /* As KubeFed counts: the thresholds measure for how many probes the reported state has been reported. */
    bool by_age_of_report;
    int64_t heartbeat_s; /* lastProbeTime of an unchanged status is written when it moved by this much */
};

/* The memory of one cluster's probes: how many in a row contradict what is reported. */
struct fed_health;
struct fed_health *fed_health_new(void);
void fed_health_free(struct fed_health *h); /* NULL is fine */

/*
 * What to report after a probe. `stored` is the status that the KubeFedCluster shows, or NULL: it is the history, also
 * across restarts. The reported readiness changes after failure_threshold (to not ready) or success_threshold (to
 * ready) contradicting probes in a row (Q-11, unless by_age_of_report); the first report of a cluster needs none. A tolerated failure keeps
 * conditions and kubernetesVersion and moves lastProbeTime. lastTransitionTime of a condition stays while its
 * status does.
 *
 * Returns true when the status is to be written: types, statuses, reasons or kubernetesVersion differ from `stored`, or
 * the heartbeat is due; *ret_status is then the new status (owned). A new message alone waits for the heartbeat.
 */
bool fed_health_report(struct fed_health *h, const struct fed_health_settings *settings,
                       const struct fed_health_probe *probe, yyjson_val *stored, yyjson_mut_doc **ret_status);

#endif
