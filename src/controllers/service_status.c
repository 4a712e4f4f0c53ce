/*
 * See service_status.h. A pass gathers the statuses of the service in all ready clusters from the caches of the sync
 * controller, compares with the stored status object and writes at most once. A server that prunes what it was sent must not
 * be sent it again with every event: the last write of each object is remembered by hash and resourceVersion.
 */
#include "controllers/service_status.h"

#include <stdlib.h>

#include "base/log.h"
#include "controllers/sync_internal.h"
#include "fed/service_status.h"

#define CONCURRENT 16u

/* What was sent last, and what it became. */
struct sent {
    uint64_t hash;
    char *rv;
};

struct status_pass {
    struct service_status *owner;
    char *key;
    uint64_t hash;
    struct kube_call *call;
};

struct service_status {
    struct sync *sync;
    struct kube_resource resource;
    struct kube_informer *informer; /* the status objects */
    struct workqueue *queue;
    struct map passes; /* by key: running */
    struct map sent;   /* by key */
    bool is_refused;   /* an old CRD wants a status of every cluster; it was told */
};

static void free_sent(void *p)
{
    struct sent *s = p;
    free(s->rv);
    free(s);
}

/* --- writing --- */

static void pass_done(struct status_pass *p)
{
    struct service_status *ss = p->owner;
    _cleanup_free_ char *key = TAKE_PTR(p->key);
    map_remove(&ss->passes, str_of(key));
    free(p);
    workqueue_done(ss->queue, str_of(key));
}

static void remember(struct status_pass *p, const struct kube_response *resp)
{
    struct service_status *ss = p->owner;
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (json_parse(resp->body, &doc, NULL) < 0)
        return;
    yyjson_val *live = yyjson_doc_get_root(doc);
    kube_informer_learn_new(ss->informer, live);
    struct sent *sent = mem_zalloc(sizeof(*sent));
    sent->hash = p->hash;
    sent->rv = str_dup(json_path_str(live, "metadata.resourceVersion"));
    struct sent *old = map_put(&ss->sent, str_of(p->key), sent);
    if (old)
        free_sent(old);
}

/* KubeFed's CRD takes no cluster without the service: as long as it is there, each of them fails again and again. */
static void tell(const struct status_pass *p, const struct error *err)
{
    struct service_status *ss = p->owner;
    const char *kind = ss->sync->type->status.kind;
    bool is_refusal = err->code == -EBADMSG;

    if (is_refusal && ss->is_refused)
        log_verbose(2, "%s \"%s\": cannot write: %s", kind, p->key, error_msg(err));
    else
        log_warning("%s \"%s\": cannot write: %s%s", kind, p->key, error_msg(err),
                    is_refusal ? "; if their CRD is an old one, apply the present one" : "");
    ss->is_refused |= is_refusal;
}

static void on_written(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct status_pass *p = arg;
    struct service_status *ss = p->owner;
    p->call = NULL;
    if (!err) {
        remember(p, resp);
        workqueue_forget(ss->queue, str_of(p->key));
    } else {
        tell(p, err);
        workqueue_add_backoff(ss->queue, str_of(p->key));
    }
    pass_done(p);
}

static void send(struct status_pass *p, enum fed_service_status_step step, struct str body)
{
    struct service_status *ss = p->owner;
    struct str ns, name;
    bool create = step == FED_SERVICE_STATUS_CREATE;
    str_cut(str_of(p->key), '/', &ns, &name);
    _cleanup_free_ char *path = kube_path(&ss->resource, ns, create ? STR_NULL : name, STR_NULL);
    struct kube_request req = {
        .method = create ? "POST" : "PATCH",
        .path = str_of(path),
        .body = body,
        .content_type = create ? NULL : "application/merge-patch+json",
    };
    p->call = kube_call(ss->sync->env->host, &req, on_written, p);
}

static bool was_sent(const struct service_status *ss, const struct status_pass *p, const struct kube_object *stored)
{
    const struct sent *sent = map_get(&ss->sent, str_of(p->key));
    return sent && stored && sent->hash == p->hash && str_eqc(kube_object_rv(stored), sent->rv);
}

/* --- gathering --- */

/* Documents that the gathered statuses point into. */
struct gathered {
    size_t n;
    struct fed_service_cluster *clusters;
    yyjson_doc **docs;
};

static void gathered_done(struct gathered *g)
{
    for (size_t i = 0; i < g->n; i++)
        yyjson_doc_free(g->docs[i]);
    free(g->clusters);
    free(g->docs);
}

static void gather(const struct service_status *ss, struct str key, const struct cluster_snapshot *clusters,
                   struct gathered *g)
{
    g->clusters = mem_array(clusters->n, sizeof(*g->clusters));
    g->docs = mem_array(clusters->n, sizeof(yyjson_doc *));
    for (size_t i = 0; i < clusters->n; i++) {
        if (!clusters->v[i].ready)
            continue;
        struct str name = str_of(clusters->v[i].name);
        const struct sync_member *m = sync_member_find(ss->sync, name);
        bool known = m && m->informer && kube_informer_state(m->informer) == KUBE_INFORMER_SYNCED;
        const struct kube_object *o = known ? kube_informer_get(m->informer, key) : NULL;
        struct fed_service_cluster *c = &g->clusters[g->n];
        *c = (struct fed_service_cluster){ .name = name, .unknown = !known };
        if (o && json_parse(kube_object_body(o), &g->docs[g->n], NULL) == 0)
            c->status = json_get(yyjson_doc_get_root(g->docs[g->n]), "status");
        g->n++;
    }
}

static enum fed_service_status_step make(const struct service_status *ss, struct kube_object *object,
                                         struct kube_object *stored, struct buf *body)
{
    _cleanup_(cluster_snapshot_unrefp) struct cluster_snapshot *clusters = clusters_snapshot(ss->sync->env->clusters);
    _cleanup_(gathered_done) struct gathered g = { 0 };
    _cleanup_json_ yyjson_doc *doc = NULL, *previous = NULL;
    if (json_parse(kube_object_body(object), &doc, NULL) < 0)
        return FED_SERVICE_STATUS_SAME;
    if (stored)
        (void)json_parse(kube_object_body(stored), &previous, NULL);
    gather(ss, kube_object_key(object), clusters, &g);
    return fed_service_status_make(
        &(struct fed_service_status_input){
            .type = ss->sync->type,
            .object = yyjson_doc_get_root(doc),
            .previous = previous ? yyjson_doc_get_root(previous) : NULL,
            .clusters = g.clusters,
            .n_clusters = g.n,
        },
        body);
}

static void process(void *arg, struct str key)
{
    struct service_status *ss = arg;
    struct kube_object *object = kube_informer_get(ss->sync->objects, key);
    struct kube_object *stored = kube_informer_get(ss->informer, key);
    if (!object || object->deleting || kube_informer_state(ss->informer) != KUBE_INFORMER_SYNCED) {
        struct sent *old = map_remove(&ss->sent, key);
        if (old)
            free_sent(old);
        workqueue_done(ss->queue, key);
        return;
    }
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    enum fed_service_status_step step = make(ss, object, stored, &body);
    struct status_pass *p = mem_zalloc(sizeof(*p));
    p->owner = ss;
    p->key = str_dup(key);
    p->hash = str_hash(buf_str(&body));
    map_put(&ss->passes, key, p);
    if (step == FED_SERVICE_STATUS_SAME || was_sent(ss, p, stored))
        pass_done(p);
    else
        send(p, step, buf_str(&body));
}

/* --- triggers --- */

void service_status_enqueue(struct service_status *ss, struct str key)
{
    if (ss && ss->sync->open)
        workqueue_add(ss->queue, key);
}

void service_status_enqueue_all(struct service_status *ss)
{
    struct kube_object *o;
    if (!ss)
        return;
    for (size_t i = 0; kube_informer_next(ss->sync->objects, &i, &o);)
        service_status_enqueue(ss, kube_object_key(o));
}

static void on_change(void *arg, struct kube_object *old, struct kube_object *now)
{
    service_status_enqueue(arg, kube_object_key(kube_object_either(now, old)));
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    struct service_status *ss = arg;
    if (err)
        log_warning("Failed to list %s: %s", ss->sync->type->status.kind, error_msg(err));
    if (state == KUBE_INFORMER_SYNCED)
        service_status_enqueue_all(ss);
}

/* --- life --- */

struct service_status *service_status_start(struct sync *s)
{
    const struct fed_api_resource *status = &s->type->status;
    struct service_status *ss = mem_zalloc(sizeof(*ss));
    ss->sync = s;
    ss->resource = (struct kube_resource){ str_of(status->group), str_of(status->version), str_of(status->plural),
                                           true };
    log_info("Starting status controller for \"%s\"", s->type->federated.kind);
    ss->queue = workqueue_new(&(struct workqueue_config){ .loop = kube_client_loop(s->env->host),
                                                          .max_active = CONCURRENT,
                                                          .process = process,
                                                          .arg = ss,
                                                          .reconcile = &s->env->measures->controllers[MEASURED_STATUS],
                                                          .controller = measured_controllers[MEASURED_STATUS] });
    struct str ns = s->env->namespace_scoped ? str_of(s->env->system_namespace) : STR_NULL;
    _cleanup_free_ char *path = kube_path(&ss->resource, ns, STR_NULL, STR_NULL);
    ss->informer = kube_informer_start(&(struct kube_informer_config){ .client = s->env->host,
                                                                       .path = path,
                                                                       .newest = s->env->leading,
                                                                       .on_change = on_change,
                                                                       .on_state = on_state,
                                                                       .arg = ss });
    return ss;
}

const struct workqueue *service_status_queue(const struct service_status *ss)
{
    return ss->queue;
}

void service_status_renew(struct service_status *ss)
{
    if (ss)
        kube_informer_renew(ss->informer);
}

void service_status_stop(struct service_status *ss)
{
    struct map_entry e;
    if (!ss)
        return;
    for (size_t i = 0; map_next(&ss->passes, &i, &e);) {
        struct status_pass *p = e.val;
        if (p->call)
            kube_call_cancel(p->call);
        free(p->key);
        free(p);
    }
    map_done(&ss->passes);
    map_done_values(&ss->sent, free_sent);
    kube_informer_stop(ss->informer);
    workqueue_free(ss->queue);
    free(ss);
}
