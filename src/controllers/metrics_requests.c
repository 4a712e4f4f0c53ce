/* See metrics_internal.h: requests, lists and watches, and what is cached. The host has an empty cluster label. */
#include "controllers/metrics_internal.h"

#include <stdio.h>

/* --- by server, as client-go counts --- */

static void by_server(const struct manager *m, struct buf *out)
{
    static const char name[] = "rest_client_requests_total";
    const struct kube_host_tally *h;

    metric_head(out, name, "counter", "Number of HTTP requests, partitioned by status code, method, and host.");
    for (size_t i = 0; m && (h = kube_tally_next_host(kube_client_tally(m->env.host), &i));) {
        for (size_t k = 0; k < h->n; k++) {
            char code[12] = "<error>";

            if (h->v[k].code)
                snprintf(code, sizeof(code), "%d", h->v[k].code);
            _cleanup_free_ char *labels = metric_labels("code", code, "method", h->v[k].method, "host", h->host);
            metric_count(out, name, labels, h->v[k].n);
        }
        _cleanup_free_ char *rest = metric_labels("code", "other", "method", "other", "host", h->host);
        if (h->other)
            metric_count(out, name, rest, h->other);
    }
}

/* --- by cluster --- */

enum field { SENT, RESPONSES, IN_FLIGHT, LIMIT, WAITING };

static void client_samples(const char *cluster, const struct kube_client *client, enum field field, const char *name,
                           struct buf *out)
{
    static const char *const codes[] = { "error", "1xx", "2xx", "3xx", "4xx", "5xx" };
    _cleanup_free_ char *labels = metric_labels("cluster", cluster);
    struct kube_client_stats s;

    kube_client_get_stats(client, &s);
    switch (field) {
    case SENT: metric_count(out, name, labels, s.requests); break;
    case IN_FLIGHT: metric_count(out, name, labels, s.in_flight); break;
    case LIMIT: metric_count(out, name, labels, s.limit); break;
    case WAITING: metric_count(out, name, labels, s.waiting); break;
    case RESPONSES:
        for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
            _cleanup_free_ char *with_code = metric_labels("cluster", cluster, "code", codes[i]);
            metric_count(out, name, with_code, s.by_code[i]);
        }
        break;
    }
}

void metrics_requests(const struct manager *m, struct buf *out)
{
    static const struct {
        enum field field;
        const char *name, *type, *help;
    } families[] = {
        { SENT, "kubefed_api_requests_sent_total", "counter",
          "Requests sent to an API server; the host's cluster label is empty." },
        { RESPONSES, "kubefed_api_responses_total", "counter",
          "Answers of an API server by class of code; error: there was none." },
        { IN_FLIGHT, "kubefed_api_requests_in_flight", "gauge", "Requests under way, watches not counted." },
        { LIMIT, "kubefed_api_requests_limit", "gauge",
          "How many requests may be under way at once; adapts to what the API server bears." },
        { WAITING, "kubefed_api_requests_waiting", "gauge", "Requests that wait for a place under the limit." },
    };
    const struct cluster *c;

    by_server(m, out);
    for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
        metric_head(out, families[f].name, families[f].type, families[f].help);
        if (m)
            client_samples("", m->env.host, families[f].field, families[f].name, out);
        for (size_t i = 0; (c = metrics_next_cluster(m, &i));)
            if (c->client)
                client_samples(c->name, c->client, families[f].field, families[f].name, out);
    }
}

/* --- lists and watches --- */

enum reflector_field { LISTS, LIST_TIME, LIST_ITEMS, WATCHES, SHORT_WATCHES, WATCH_TIME, WATCH_ITEMS, VERSION };

static void reflector_sample(const struct kube_reflector_tally *r, enum reflector_field field, const char *name,
                             struct buf *out)
{
    _cleanup_free_ char *labels = metric_labels("name", r->name);
    _cleanup_free_ char *sum = mem_printf("%s_sum", name), *count = mem_printf("%s_count", name);

    switch (field) {
    case LISTS: metric_count(out, name, labels, r->lists); break;
    case WATCHES: metric_count(out, name, labels, r->watches); break;
    case SHORT_WATCHES: metric_count(out, name, labels, r->short_watches); break;
    case VERSION: metric_count(out, name, labels, r->version); break;
    case LIST_TIME: metric_seconds(out, sum, labels, r->list_ns); break;
    case LIST_ITEMS: metric_count(out, sum, labels, r->list_items); break;
    case WATCH_TIME: metric_seconds(out, sum, labels, r->watch_ns); break;
    case WATCH_ITEMS: metric_count(out, sum, labels, r->watch_items); break;
    }
    if (field == LIST_TIME || field == LIST_ITEMS)
        metric_count(out, count, labels, r->lists_done);
    if (field == WATCH_TIME || field == WATCH_ITEMS)
        metric_count(out, count, labels, r->watches_done);
}

void metrics_reflectors(const struct manager *m, struct buf *out)
{
    static const struct {
        enum reflector_field field;
        const char *name, *type, *help;
    } families[] = {
        { LISTS, "reflector_lists_total", "counter", "Total number of API lists done by the reflectors" },
        { LIST_TIME, "reflector_list_duration_seconds", "summary",
          "How long an API list takes to return and decode for the reflectors" },
        { LIST_ITEMS, "reflector_items_per_list", "summary", "How many items an API list returns to the reflectors" },
        { WATCHES, "reflector_watches_total", "counter", "Total number of API watches done by the reflectors" },
        { SHORT_WATCHES, "reflector_short_watches_total", "counter",
          "Total number of short API watches done by the reflectors" },
        { WATCH_TIME, "reflector_watch_duration_seconds", "summary",
          "How long an API watch takes to return and decode for the reflectors" },
        { WATCH_ITEMS, "reflector_items_per_watch", "summary",
          "How many items an API watch returns to the reflectors" },
        { VERSION, "reflector_last_resource_version", "gauge", "Last resource version seen for the reflectors" },
    };
    const struct kube_reflector_tally *r;

    for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
        metric_head(out, families[f].name, families[f].type, families[f].help);
        for (size_t i = 0; m && (r = kube_tally_next_reflector(kube_client_tally(m->env.host), &i));)
            reflector_sample(r, families[f].field, families[f].name, out);
    }
}

/* --- caches --- */

static void cache_sample(const char *cluster, struct kube_client *client, bool bytes, const char *name, struct buf *out)
{
    _cleanup_free_ char *labels = metric_labels("cluster", cluster);
    const struct kube_cache *cache = kube_client_cache(client);

    metric_count(out, name, labels, bytes ? cache->bytes : cache->objects);
}

static void cache_family(const struct manager *m, bool bytes, const char *name, struct buf *out)
{
    const struct cluster *c;

    if (m)
        cache_sample("", m->env.host, bytes, name, out);
    for (size_t i = 0; (c = metrics_next_cluster(m, &i));)
        if (c->client)
            cache_sample(c->name, c->client, bytes, name, out);
}

void metrics_caches(const struct manager *m, struct buf *out)
{
    metric_head(out, "kubefed_cache_objects", "gauge", "Objects in the caches of a cluster, or of the host.");
    cache_family(m, false, "kubefed_cache_objects", out);
    metric_head(out, "kubefed_cache_bytes", "gauge", "What these objects take, without the tables that hold them.");
    cache_family(m, true, "kubefed_cache_bytes", out);
}
