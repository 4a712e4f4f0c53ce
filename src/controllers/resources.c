/*
 * See resources.h. What pods use changes all the time: a status is written when it differs, and no more often than every PERIOD_MS per
 * cluster. One timer looks at the clusters that changed since. When nobody needs the numbers any longer they are taken back: nobody
 * would keep them true.
 */
#include "controllers/resources.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "fed/names.h"

#define PERIOD_MS 10000u
/* The first news of a cluster wait for more of them. */
#define SOON_MS 500u
/* A definition that does not keep the numbers is not tried again before. */
#define PRUNED_MS 600000u

struct resources {
    struct kube_client *host;
    struct clusters *clusters;
    struct workloads *workloads;
    const char *system_namespace;
    struct workloads_listener listener;
    struct clusters_listener clusters_listener;
    struct loop_timer timer;
    struct map changed; /* names of clusters */
    struct map calls;   /* by cluster: struct write */
    uint64_t pruned_ms; /* until then nothing is written, since it was not kept; 0: it was */
    bool wrote;         /* a write within the last period */
    bool settled;       /* it is known whether somebody needs the numbers */
    bool leading;
};

struct write {
    struct resources *owner;
    char *cluster;
    struct kube_call *call;
    bool removes;
};

static void on_timer(void *arg);

static void look_again(struct resources *r, uint64_t ms)
{
    if (!loop_timer_active(&r->timer))
        loop_timer_start(kube_client_loop(r->host), &r->timer, ms, on_timer, r);
}

static void write_free(struct write *w)
{
    if (w->call)
        kube_call_cancel(w->call);
    map_remove(&w->owner->calls, str_of(w->cluster));
    free(w->cluster);
    free(w);
}

static void look_later_at(struct resources *r, struct str cluster)
{
    map_put(&r->changed, cluster, r);
    look_again(r, PERIOD_MS);
}

/* An old definition drops the numbers, without an error. Without this they would be written again and again. */
static void check_kept(const struct write *w, yyjson_val *answer)
{
    struct resources *r = w->owner;
    if (yyjson_is_obj(json_path(answer, "status.resources"))) {
        r->pruned_ms = 0;
        return;
    }
    if (!r->pruned_ms)
        log_warning(
            "The resources of clusters cannot be published in KubeFedClusters: their CRD is an old one. Please apply the "
            "present one");
    r->pruned_ms = time_mono_ms() + PRUNED_MS;
    look_later_at(r, str_of(w->cluster));
}

static void on_written(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct write *w = arg;
    _cleanup_json_ yyjson_doc *doc = NULL;
    w->call = NULL;
    if (err) {
        log_verbose(1, "Cluster %s: its resources cannot be written: %s", w->cluster, error_msg(err));
        look_later_at(w->owner, str_of(w->cluster));
    } else if (json_parse(resp->body, &doc, NULL) == 0) {
        clusters_learn(w->owner->clusters, yyjson_doc_get_root(doc));
        if (!w->removes)
            check_kept(w, yyjson_doc_get_root(doc));
    }
    write_free(w);
}

static void send(struct resources *r, const struct cluster *c, yyjson_mut_doc *patch)
{
    static const struct kube_resource resource = { STR(FED_CORE_GROUP), STR(FED_CORE_VERSION), STR(FED_CLUSTER_PLURAL),
                                                   true };
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    struct write *w = mem_zalloc(sizeof(*w));
    w->owner = r;
    w->cluster = mem_strdup(c->name);
    w->removes = !workloads_nodes_are_held(r->workloads);
    map_put(&r->calls, str_of(c->name), w);
    json_mut_write(&body, yyjson_mut_doc_get_root(patch));
    _cleanup_free_ char *path = kube_path(&resource, str_of(r->system_namespace), str_of(c->name), STR("status"));
    struct kube_request req = {
        .method = "PATCH", .path = str_of(path), .body = buf_str(&body), .content_type = "application/merge-patch+json"
    };
    w->call = kube_call(r->host, &req, on_written, w);
}

/* Resources that are gone are told to go: a merge patch leaves alone what it does not name. */
static void drop_others(yyjson_mut_doc *doc, yyjson_mut_val *now, yyjson_val *stored, const char *key)
{
    yyjson_mut_val *list = json_mut_get(now, key);
    yyjson_val *name, *value;
    size_t i, n;
    yyjson_obj_foreach(json_get(stored, key), i, n, name,
                       value) if (!yyjson_mut_obj_getn(list, yyjson_get_str(name), yyjson_get_len(name)))
        json_mut_setn(doc, list, json_str(name), yyjson_mut_null(doc));
}

/* Puts into the patch what makes the stored resources true. false: they are, or it is not known. */
static bool put_difference(const struct resources *r, const struct cluster *c, yyjson_val *stored,
                           yyjson_mut_doc *patch)
{
    struct fed_room *room = workloads_room(r->workloads, str_of(c->name));
    yyjson_mut_val *now = NULL, *status = json_mut_ensure_obj(patch, yyjson_mut_doc_get_root(patch), "status");
    if (!workloads_nodes_are_held(r->workloads)) {
        if (!r->settled || !yyjson_is_obj(stored))
            return false;
        json_mut_set(patch, status, "resources", yyjson_mut_null(patch));
        return true;
    }
    if (!room || !c->ready)
        return false;
    now = fed_room_status(room, patch);
    if (json_mut_equal(now, stored))
        return false;
    drop_others(patch, now, stored, "allocatable");
    drop_others(patch, now, stored, "free");
    json_mut_set(patch, status, "resources", now);
    return true;
}

static void publish(struct resources *r, const struct cluster *c)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_json_mut_ yyjson_mut_doc *patch = json_mut_doc_new();
    if (json_parse(kube_object_body(c->object), &doc, NULL) < 0)
        return;
    yyjson_val *status = json_get(yyjson_doc_get_root(doc), "status");
    if (!json_get(status, "conditions") || !put_difference(r, c, json_get(status, "resources"), patch))
        return;
    send(r, c, patch);
    r->wrote = true;
}

static void on_timer(void *arg)
{
    struct resources *r = arg;
    struct map_entry e;
    uint64_t now = time_mono_ms();
    if (!r->leading)
        return;
    if (!clusters_synced(r->clusters)) {
        look_again(r, SOON_MS);
        return;
    }
    if (now < r->pruned_ms && workloads_nodes_are_held(r->workloads)) {
        look_again(r, r->pruned_ms - now);
        return;
    }
    r->wrote = false;
    for (size_t i = 0; map_next(&r->changed, &i, &e);) {
        const struct cluster *c = clusters_find(r->clusters, e.key);
        if (c && map_has(&r->calls, e.key))
            continue;
        if (c)
            publish(r, c);
        map_remove(&r->changed, e.key);
    }
    if (map_count(&r->changed) > 0 || r->wrote)
        look_again(r, PERIOD_MS);
}

static void on_room(void *arg, struct str cluster)
{
    struct resources *r = arg;
    map_put(&r->changed, cluster, r);
    look_again(r, SOON_MS);
}

/* It may come with numbers of an earlier time, and those of a cluster that is not ready are not written. */
static void on_cluster(void *arg, struct cluster *c, enum cluster_event event)
{
    if (event == CLUSTER_ADDED || event == CLUSTER_READY)
        on_room(arg, str_of(c->name));
}

void resources_lead(struct resources *r)
{
    r->leading = true;
    look_again(r, SOON_MS);
}

void resources_settle(struct resources *r)
{
    struct cluster *c;
    if (r->settled)
        return;
    r->settled = true;
    for (size_t i = 0; (c = clusters_next(r->clusters, &i));)
        on_room(r, str_of(c->name));
}

struct resources *resources_start(struct kube_client *host, struct clusters *clusters, struct workloads *workloads,
                                  const char *system_namespace)
{
    struct resources *r = mem_zalloc(sizeof(*r));
    r->host = host;
    r->clusters = clusters;
    r->workloads = workloads;
    r->system_namespace = system_namespace;
    r->listener = (struct workloads_listener){ .room = on_room, .arg = r };
    workloads_listen(workloads, &r->listener);
    r->clusters_listener = (struct clusters_listener){ .fn = on_cluster, .arg = r };
    clusters_listen(clusters, &r->clusters_listener);
    return r;
}

void resources_free(struct resources *r)
{
    struct map_entry e;
    if (!r)
        return;
    workloads_unlisten(&r->listener);
    clusters_unlisten(&r->clusters_listener);
    loop_timer_stop(&r->timer);
    for (size_t i = 0; map_next(&r->calls, &i, &e);)
        write_free(e.val);
    map_done(&r->calls);
    map_done(&r->changed);
    free(r);
}
