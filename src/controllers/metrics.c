/* What the control plane tells of itself, in the Prometheus text format (names of KubeFed where it had one). */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/rtime.h"
#include "controllers/manager_internal.h"

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void clusters_metrics(const struct manager *m, struct buf *out)
{
    const struct cluster *c;
    size_t joined = 0;

    head(out, "kubefedcluster_total", "gauge", "Number of total kubefed cluster in a specific state.");
    for (size_t i = 0; (c = clusters_next(m->env.clusters, &i)); joined++) {
        bool offline = !c->ready && c->client;
        buf_printf(out, "kubefedcluster_total{cluster=\"%s\",state=\"ready\"} %d\n", c->name, c->ready);
        buf_printf(out, "kubefedcluster_total{cluster=\"%s\",state=\"offline\"} %d\n", c->name, offline);
        buf_printf(out, "kubefedcluster_total{cluster=\"%s\",state=\"notready\"} %d\n", c->name, !c->ready && !offline);
    }
    head(out, "joined_cluster_total", "gauge", "Number of total joined clusters.");
    buf_printf(out, "joined_cluster_total %zu\n", joined);
}

static void client_metrics(struct buf *out, const char *name, const struct kube_client *client)
{
    static const char *const codes[] = { "error", "1xx", "2xx", "3xx", "4xx", "5xx" };
    struct kube_client_stats s;

    kube_client_get_stats(client, &s);
    buf_printf(out, "kubefed_api_requests_sent_total{cluster=\"%s\"} %llu\n", name, (unsigned long long)s.requests);
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        buf_printf(out, "kubefed_api_responses_total{cluster=\"%s\",code=\"%s\"} %llu\n", name, codes[i],
                   (unsigned long long)s.by_code[i]);
    buf_printf(out, "kubefed_api_requests_in_flight{cluster=\"%s\"} %u\n", name, s.in_flight);
    buf_printf(out, "kubefed_api_requests_limit{cluster=\"%s\"} %u\n", name, s.limit);
    buf_printf(out, "kubefed_api_requests_waiting{cluster=\"%s\"} %u\n", name, s.waiting);
}

static void requests_metrics(const struct manager *m, struct buf *out)
{
    const struct cluster *c;

    head(out, "kubefed_api_requests_sent_total", "counter",
         "Requests sent to an API server; the host's cluster label is empty.");
    client_metrics(out, "", m->env.host);
    for (size_t i = 0; (c = clusters_next(m->env.clusters, &i));)
        if (c->client)
            client_metrics(out, c->name, c->client);
}

/* Resident memory from /proc, in bytes; 0 when it cannot be read. */
static unsigned long long resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (fscanf(f, "%*u %llu", &pages) != 1) /* NOLINT(cert-err34-c): the kernel writes it */
        pages = 0;
    fclose(f);
    return pages * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static void process_metrics(struct buf *out)
{
    struct timespec cpu = { 0 };

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    head(out, "process_cpu_seconds_total", "counter", "User and system time of this process.");
    buf_printf(out, "process_cpu_seconds_total %.3f\n", (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    head(out, "process_resident_memory_bytes", "gauge", "Resident memory of this process.");
    buf_printf(out, "process_resident_memory_bytes %llu\n", resident_bytes());
}

void manager_metrics(const struct manager *m, struct buf *out)
{
    clusters_metrics(m, out);
    head(out, "kubefed_versions_pending", "gauge", "Version records not yet stored on the host.");
    buf_printf(out, "kubefed_versions_pending %zu\n", version_store_pending(m->env.versions));
    if (m->types)
        type_configs_metrics(m->types, out);
    if (m->scheduling)
        scheduling_metrics(m->scheduling, out);
    requests_metrics(m, out);
    process_metrics(out);
}
