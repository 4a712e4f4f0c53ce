/*
 * See health.h. One `struct patient` per cluster, hung on cluster->health. A probe is GET /healthz, and GET /version when the
 * cluster has just become ready or the last look is older than VERSION_EVERY_MS.
 */
#include "controllers/health.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "fed/names.h"

#define VERSION_EVERY_MS 60000u

struct health {
    struct health_config config;
    struct clusters_listener listener;
};

struct patient {
    struct health *health;
    struct cluster *cluster;
    struct loop_timer timer;
    struct kube_call *call;        /* probe to the member */
    struct kube_call *write;       /* status to the host */
    struct fed_health *state;      /* thresholds and what was reported last */
    struct fed_health_probe probe; /* the one under way */
    char *version;                 /* last known gitVersion, or NULL */
    uint64_t version_ms;
    uint64_t began_ns; /* the probe under way, until its report is written */
    bool probed;
    enum fed_probe_kind last; /* when probed */
    bool changed;             /* connected anew, or no longer, since the last report */
};

static void probe_start(void *arg);

static struct loop *health_loop(const struct health *h)
{
    return kube_client_loop(h->config.host);
}

static void schedule(struct patient *p, uint64_t delay_ms)
{
    loop_timer_start(health_loop(p->health), &p->timer, delay_ms, probe_start, p);
}

static void event(const struct patient *p, const char *reason, const char *text)
{
    const struct kube_object *o = p->cluster->object;
    struct event_object on = {
        .api_version = STR("core.kubefed.io/v1beta1"),
        .kind = STR("KubeFedCluster"),
        .ns = kube_object_ns(o),
        .name = kube_object_name(o),
        .uid = kube_object_uid(o),
        .resource_version = kube_object_rv(o),
    };
    event_record(p->health->config.events, "kubefedcluster-controller", &on, "Warning", reason, str_of(text));
}

/* --- report --- */

static void measure(struct patient *p)
{
    if (p->began_ns && p->health->config.probes)
        histogram_observe(p->health->config.probes, time_mono_ns() - p->began_ns);
    p->began_ns = 0;
}

static void on_written(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct patient *p = arg;
    p->write = NULL;
    measure(p);
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (err)
        log_error("Failed to update the status of cluster \"%s\": %s", p->cluster->name, error_msg(err));
    else if (json_parse(resp->body, &doc, NULL) == 0)
        clusters_learn(p->health->config.clusters, yyjson_doc_get_root(doc));
}

static void write_status(struct patient *p, yyjson_mut_doc *status)
{
    struct health *h = p->health;
    static const struct kube_resource res = { STR("core.kubefed.io"), STR("v1beta1"), STR("kubefedclusters"), true };
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    fed_status_patch(&body, status);
    _cleanup_free_ char *path = kube_path(&res, str_of(h->config.system_namespace), str_of(p->cluster->name),
                                          STR("status"));
    struct kube_request req = { .method = "PATCH",
                                .path = str_of(path),
                                .body = buf_str(&body),
                                .content_type = "application/merge-patch+json",
                                .priority = KUBE_PRIO_HIGH };
    if (p->write)
        kube_call_cancel(p->write);
    p->write = kube_call(h->config.host, &req, on_written, p);
}

static void report(struct patient *p)
{
    struct health *h = p->health;
    p->probe.now = time_wall_s();
    p->probe.version = str_of(p->version);
    p->probed = true;
    p->last = p->probe.kind;
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (json_parse(kube_object_body(p->cluster->object), &doc, NULL) == 0) {
        _cleanup_json_mut_ yyjson_mut_doc *status = NULL;
        yyjson_val *stored = json_get(yyjson_doc_get_root(doc), "status");
        /* After a change of the connection even the message alone is news. */
        struct fed_health_settings settings = {
            .failure_threshold = h->config.failure_threshold,
            .success_threshold = h->config.success_threshold,
            .by_age_of_report = h->config.by_age_of_report,
            .heartbeat_s = p->changed ? 0 : h->config.heartbeat_s,
        };
        p->changed = false;
        if (fed_health_report(p->state, &settings, &p->probe, stored, &status))
            write_status(p, status);
    }
    if (!p->write)
        measure(p);
    schedule(p, h->config.period_ms);
}

/* --- probes --- */

static void on_version(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct patient *p = arg;
    p->call = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (err) {
        log_warning("Cluster %s: cannot read its version: %s", p->cluster->name, error_msg(err));
    } else if (json_parse(resp->body, &doc, NULL) == 0) {
        struct str version = json_path_str(yyjson_doc_get_root(doc), "gitVersion");
        free(p->version);
        p->version = version.n ? str_dup(version) : NULL;
        p->version_ms = time_mono_ms();
    }
    report(p);
}

static struct kube_call *get(struct patient *p, struct str path, kube_done_fn *fn)
{
    struct kube_request req = {
        .method = "GET",
        .path = path,
        .accept = "*/*",
        .timeout_ms = p->health->config.timeout_ms,
        .priority = KUBE_PRIO_HIGH,
        .no_retry = true,
        .max_body = 1u << 20,
    };
    return kube_call(p->cluster->client, &req, fn, p);
}

static void on_healthz(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct patient *p = arg;
    p->call = NULL;
    p->probe = (struct fed_health_probe){ .kind = FED_PROBE_OFFLINE };
    if (err) {
        p->probe.error = str_of(error_msg(err));
        _cleanup_free_ char *text = mem_printf("Failed to retrieve health of the cluster: %s", error_msg(err));
        event(p, "RetrievingClusterHealthFailed", text);
        report(p);
        return;
    }
    bool ok = str_ieq(resp->body, STR("ok"));
    p->probe.kind = ok ? FED_PROBE_OK : FED_PROBE_NOT_OK;
    bool stale = !p->version || !p->cluster->ready || time_mono_ms() - p->version_ms >= VERSION_EVERY_MS;
    if (ok && stale)
        p->call = get(p, STR("/version"), on_version);
    else
        report(p);
}

static void probe_start(void *arg)
{
    struct patient *p = arg;
    if (p->call)
        return;
    p->began_ns = time_mono_ns();
    if (p->cluster->client) {
        p->call = get(p, STR("/healthz"), on_healthz);
    } else if (p->cluster->connecting) {
        schedule(p, 200);
    } else {
        p->probe = (struct fed_health_probe){ .kind = FED_PROBE_MALFORMED };
        report(p);
    }
}

/* --- clusters come and go --- */

static void admit(struct health *h, struct cluster *c)
{
    struct patient *p = mem_zalloc(sizeof(*p));
    p->health = h;
    p->cluster = c;
    p->state = fed_health_new();
    c->health = p;
    schedule(p, 0);
}

static void stop_probe(struct patient *p)
{
    loop_timer_stop(&p->timer);
    if (p->call)
        kube_call_cancel(p->call);
    p->call = NULL;
}

static void discharge(struct cluster *c)
{
    struct patient *p = c->health;
    if (!p)
        return;
    c->health = NULL;
    stop_probe(p);
    if (p->write)
        kube_call_cancel(p->write);
    fed_health_free(p->state);
    free(p->version);
    free(p);
}

static void on_cluster(void *arg, struct cluster *c, enum cluster_event e)
{
    struct health *h = arg;
    struct patient *p = c->health;
    if (e == CLUSTER_ADDED && !p) {
        admit(h, c);
    } else if (e == CLUSTER_REMOVED) {
        discharge(c);
    } else if (p && (e == CLUSTER_CONNECTED || e == CLUSTER_DISCONNECTED)) {
        stop_probe(p);
        p->changed = true;
        free(TAKE_PTR(p->version)); /* it may be another API server now */
        schedule(p, 0);
    }
}

const char *health_last(const struct cluster *c)
{
    const struct patient *p = c->health;
    if (!p || !p->probed)
        return NULL;
    return p->last == FED_PROBE_OK ? "ready" : p->last == FED_PROBE_OFFLINE ? "offline" : "notready";
}

struct health *health_start(const struct health_config *config)
{
    struct health *h = mem_zalloc(sizeof(*h));
    h->config = *config;
    h->listener = (struct clusters_listener){ .fn = on_cluster, .arg = h };
    log_info("Starting cluster controller");
    clusters_listen(config->clusters, &h->listener);
    struct cluster *c;
    for (size_t i = 0; (c = clusters_next(config->clusters, &i));)
        admit(h, c);
    return h;
}

void health_free(struct health *h)
{
    if (!h)
        return;
    clusters_unlisten(&h->listener);
    struct cluster *c;
    for (size_t i = 0; (c = clusters_next(h->config.clusters, &i));)
        discharge(c);
    free(h);
}
