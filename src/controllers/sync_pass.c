/*
 * One pass over one federated object: gather snapshots from the caches, plan, hand the operations to the executor. What
 * follows is in sync_finish.c (sync) and sync_delete.c (deletion, objects without federated object).
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "controllers/sync_internal.h"
#include "fed/names.h"

#define CONFLICT_RETRY_MS 50u
#define RECHECK_MS 10000u

/* --- life of a pass --- */

static struct pass *pass_new(struct sync *s, struct str key, struct kube_object *object)
{
    struct pass *p = mem_zalloc(sizeof(*p));
    p->sync = s;
    p->key = str_dup(key);
    p->began_ns = time_mono_ns();
    p->object = object ? kube_object_ref(object) : NULL;
    list_init(&p->verifications);
    map_put(&s->passes, key, p);
    return p;
}

static void pass_clear_gathered(struct pass *p)
{
    for (size_t i = 0; p->clusters && i < p->clusters->n; i++) {
        yyjson_doc_free(p->member_docs[i]);
        kube_object_unref(p->member_objects[i]);
        free(p->results[i].error);
        free(p->results[i].version);
        yyjson_doc_free(p->results[i].remote);
    }
    free(p->member_docs);
    free(p->member_objects);
    free(p->members);
    free(p->views);
    free(p->results);
    free(p->left_behind);
    fed_plan_free(p->plan);
    fed_versions_free(p->versions);
    yyjson_doc_free(p->versions_doc);
    yyjson_doc_free(p->namespace_doc);
    cluster_snapshot_unref(p->clusters);
}

/* One of 64 bits: should two clusters share theirs, an event is repeated once. */
static uintptr_t bit_of(struct str cluster)
{
    return (uintptr_t)1 << (str_hash_keyed(cluster) % (8 * sizeof(uintptr_t)));
}

static bool is_untold(const struct pass *p, struct str cluster)
{
    return ((uintptr_t)map_get(&p->sync->untold, str_of(p->key)) & bit_of(cluster)) != 0;
}

/* Without a plan nothing is known anew. */
static void note_untold(const struct pass *p)
{
    uintptr_t bits = 0;
    if (!p->plan)
        return;
    for (size_t i = 0; i < p->plan->n_clusters; i++)
        bits |= p->plan->clusters[i].untold ? bit_of(p->views[i].name) : 0;
    if (bits)
        map_put(&p->sync->untold, str_of(p->key), (void *)bits);
    else
        map_remove(&p->sync->untold, str_of(p->key));
}

void pass_end(struct pass *p, enum pass_outcome outcome)
{
    struct sync *s = p->sync;
    note_untold(p);
    pass_measure_end(p);
    apply_release(p);
    pass_cancel_verifications(p);
    removals_unwait(&p->stored);
    if (p->host_call)
        kube_call_cancel(p->host_call);
    _cleanup_free_ char *key = TAKE_PTR(p->key);
    map_remove(&s->passes, str_of(key));
    pass_clear_gathered(p);
    yyjson_doc_free(p->doc);
    kube_object_unref(p->object);
    free(p);
    if (outcome == PASS_DONE) {
        map_remove(&s->failing, str_of(key));
        workqueue_forget(s->queue, str_of(key));
    } else if (outcome == PASS_RETRY) {
        map_put(&s->failing, str_of(key), s);
        uint64_t ms = workqueue_add_backoff(s->queue, str_of(key));
        log_verbose(4, "%s \"%s\" is tried again in %llu ms", s->type->federated.kind, key, (unsigned long long)ms);
    } else {
        workqueue_add_after(s->queue, str_of(key), outcome == PASS_RECHECK ? RECHECK_MS : CONFLICT_RETRY_MS);
    }
    workqueue_done(s->queue, str_of(key));
}

static bool pass_parse(struct pass *p)
{
    yyjson_doc_free(p->doc);
    p->doc = NULL;
    _cleanup_error_ struct error *err = NULL;
    if (json_parse(kube_object_body(p->object), &p->doc, &err) == 0)
        return true;
    log_error("%s \"%s\" in the cache cannot be read: %s", p->sync->type->federated.kind, p->key, error_msg(err));
    return false;
}

void sync_event(struct sync *s, const struct kube_object *object, const char *type, const char *reason,
                struct str message)
{
    _cleanup_free_ char *api_version = mem_printf("%s/%s", s->type->federated.group, s->type->federated.version);
    struct event_object on = {
        .api_version = str_of(api_version),
        .kind = str_of(s->type->federated.kind),
        .ns = kube_object_ns(object),
        .name = kube_object_name(object),
        .uid = kube_object_uid(object),
        .resource_version = kube_object_rv(object),
    };
    event_record(s->env->events, s->component, &on, type, reason, message);
}

void pass_event(struct pass *p, const char *type, const char *reason, struct str message)
{
    if (p->object)
        sync_event(p->sync, p->object, type, reason, message);
}

/* --- gather --- */

static void gather_member(struct pass *p, size_t i)
{
    struct sync *s = p->sync;
    struct fed_cluster_view *v = &p->views[i];
    const struct cluster_entry *entry = &p->clusters->v[i];
    v->name = str_of(entry->name);
    v->labels = entry->labels_doc ? yyjson_doc_get_root(entry->labels_doc) : NULL;
    v->ready = entry->ready;
    v->untold = is_untold(p, v->name);
    v->unready_since = entry->ready ? 0 : entry->since;
    if (!p->object)
        v->removal = sync_removal_find(s, v->name, str_of(p->key));
    struct sync_member *m = sync_member_find(s, v->name);
    struct cluster *c = clusters_find(s->env->clusters, v->name);
    if (!m && sync_member_is_starting(s, v->name)) {
        v->store_status = FED_STATUS_CACHED_RETRIEVAL_FAILED;
        v->store_error = STR("the cache of this cluster is not complete yet");
        v->store_filling = true;
        return;
    }
    if (!m) {
        v->store_status = FED_STATUS_CLIENT_RETRIEVAL_FAILED;
        v->store_error = c && c->problem ? str_of(c->problem) : STR("there is no connection to the cluster");
        return;
    }
    if (kube_informer_state(m->informer) != KUBE_INFORMER_SYNCED) {
        const struct error *err = kube_informer_error(m->informer);
        v->store_status = FED_STATUS_CACHED_RETRIEVAL_FAILED;
        v->store_filling = kube_informer_state(m->informer) == KUBE_INFORMER_LISTING;
        v->store_error = err ? str_of(error_msg(err)) : STR("the cache of this cluster is not complete yet");
        return;
    }
    v->store_ready = true;
    _cleanup_free_ char *member_key = sync_member_key(s, str_of(p->key));
    struct kube_object *o = kube_informer_get(m->informer, str_of(member_key));
    if (!o || json_parse(kube_object_body(o), &p->member_docs[i], NULL) < 0)
        return;
    p->member_objects[i] = kube_object_ref(o);
    p->members[i] = (struct fed_member_obj){
        .uid = kube_object_uid(o),
        .resource_version = kube_object_rv(o),
        .generation = o->generation,
        .deleting = o->deleting,
        .autoscaled = sync_is_autoscaled(s, v->name, str_of(member_key)),
        .same_but_scaled = sync_member_scaled_since(m, str_of(member_key)),
        .root = yyjson_doc_get_root(p->member_docs[i]),
    };
    v->obj = &p->members[i];
}

static struct version_id pass_version_id(const struct pass *p, char **name)
{
    struct str ns, object_name;
    if (!str_cut(str_of(p->key), '/', &ns, &object_name)) {
        object_name = ns;
        ns = STR_NULL;
    }
    *name = fed_version_name(p->sync->type, object_name);
    return (struct version_id){ ns, str_of(*name), str_of(p->sync->owner) };
}

static void gather_versions(struct pass *p)
{
    _cleanup_free_ char *name = NULL;
    struct version_id id = pass_version_id(p, &name);
    struct str status = version_store_get(p->sync->env->versions, &id);
    if (status.n && json_parse(status, &p->versions_doc, NULL) == 0)
        p->versions = fed_versions_decode(yyjson_doc_get_root(p->versions_doc));
}

static void gather_namespace(struct pass *p)
{
    struct sync *s = p->sync;
    struct str ns, name;
    if (!str_cut(str_of(p->key), '/', &ns, &name))
        return;
    if (s->is_namespace) {
        struct kube_object *host = namespaces_host(s->env->namespaces, name);
        p->input.host_namespace_uid = host ? kube_object_uid(host) : STR_NULL;
        return;
    }
    struct kube_object *fed = namespaces_federated(s->env->namespaces, ns);
    if (fed && json_parse(kube_object_body(fed), &p->namespace_doc, NULL) == 0)
        p->input.fed_namespace = yyjson_doc_get_root(p->namespace_doc);
}

static void gather(struct pass *p)
{
    struct sync *s = p->sync;
    pass_clear_gathered(p);
    p->plan = NULL;
    p->versions = NULL;
    p->versions_doc = p->namespace_doc = NULL;
    p->clusters = clusters_snapshot(s->env->clusters);
    size_t n = p->clusters->n;
    p->views = mem_array(n, sizeof(*p->views));
    p->members = mem_array(n, sizeof(*p->members));
    p->member_docs = mem_array(n, sizeof(*p->member_docs));
    p->member_objects = mem_array(n, sizeof(*p->member_objects));
    p->results = mem_array(n, sizeof(*p->results));
    p->left_behind = mem_array(n, sizeof(*p->left_behind));
    p->input = (struct fed_plan_input){
        .type = s->type,
        .namespace_scoped = s->env->namespace_scoped,
        .key = str_of(p->key),
        .object = p->doc ? yyjson_doc_get_root(p->doc) : NULL,
        .clusters = p->views,
        .n_clusters = n,
        .adopt = s->env->adopt,
        .raw_status = s->env->raw_status && s->type->status_collection,
        .behavior = &s->env->behavior,
    };
    for (size_t i = 0; i < n; i++)
        gather_member(p, i);
    gather_versions(p);
    p->input.versions = p->versions;
    gather_namespace(p);
}

/* --- finalizer --- */

static void on_finalizer(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct pass *p = arg;
    p->host_call = NULL;
    void (*then)(struct pass *) = p->then;
    if (err && err->code == -ENOENT) {
        pass_end(p, PASS_DONE);
        return;
    }
    if (err && error_http(err) == 409) {
        pass_end(p, PASS_AGAIN_SOON);
        return;
    }
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    if (err || json_parse(resp->body, &doc, &e) < 0) {
        _cleanup_free_ char *message = mem_printf("Failed to ensure finalizer: %s", error_msg(err ? err : e));
        pass_event(p, "Warning", "EnsureFinalizerError", str_of(message));
        log_warning("%s \"%s\": %s", p->sync->type->federated.kind, p->key, message);
        pass_end(p, PASS_RETRY);
        return;
    }
    kube_informer_learn(p->sync->objects, yyjson_doc_get_root(doc));
    /* The newest that is known: deleted or recreated meanwhile, or changed once more. */
    struct kube_object *now = kube_informer_get(p->sync->objects, str_of(p->key));
    if (!now || !str_eq(kube_object_uid(now), kube_object_uid(p->object))) {
        pass_end(p, now ? PASS_AGAIN_SOON : PASS_DONE);
        return;
    }
    kube_object_ref(now);
    kube_object_unref(p->object);
    p->object = now;
    then(p);
}

void pass_patch_finalizer(struct pass *p, bool add, void (*then)(struct pass *p))
{
    struct sync *s = p->sync;
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    fed_finalizer_patch(&body, yyjson_doc_get_root(p->doc), FED_SYNC_FINALIZER, add);
    _cleanup_free_ char *path = kube_path(&s->federated, kube_object_ns(p->object), kube_object_name(p->object),
                                          STR_NULL);
    struct kube_request req = {
        .method = "PATCH", .path = str_of(path), .body = buf_str(&body), .content_type = "application/merge-patch+json"
    };
    p->then = then;
    p->host_call = kube_call(s->env->host, &req, on_finalizer, p);
}

/* --- plan --- */

static void record_plan_events(struct pass *p)
{
    for (size_t i = 0; i < p->plan->n_events; i++) {
        const struct fed_event *e = &p->plan->events[i];
        pass_event(p, e->type, e->reason, str_of(e->message));
    }
}

/* What the plan already knows of clusters without an operation. */
static void take_known_results(struct pass *p)
{
    for (size_t i = 0; i < p->clusters->n; i++) {
        const struct fed_plan_cluster *known = &p->plan->clusters[i];
        struct pass_result *r = &p->results[i];
        r->status = known->status;
        r->version = mem_strdup(known->recorded_version);
        r->error = mem_strdup(known->error);
        if (known->remote) {
            _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(known->remote);
            r->remote = json_freeze(copy);
        }
        if (known->error)
            log_verbose(1, "%s \"%s\", cluster \"%s\": %s", p->sync->type->federated.kind, p->key,
                        p->clusters->v[i].name, known->error);
    }
}

/* An operation of an earlier pass is still under way: this pass leaves the pair alone. */
static void mark_blocked(struct pass *p)
{
    for (size_t i = 0; i < p->clusters->n; i++) {
        const char *status = apply_in_flight(p->sync, str_of(p->clusters->v[i].name), str_of(p->key));
        if (!status)
            continue;
        p->results[i].blocked = true;
        p->results[i].status = status;
    }
}

void pass_plan(struct pass *p, void (*planner)(const struct fed_plan_input *, struct fed_plan **),
               void (*applied)(struct pass *p))
{
    gather(p);
    planner(&p->input, &p->plan);
    take_known_results(p);
    record_plan_events(p);
    mark_blocked(p);
    pass_mark_fights(p);
    p->applied = applied;
    apply_start(p);
}

/* An unknown placement must not look like an empty one, nor may a placement of now be applied to an object as it was before the host was
 * restored from a backup: the pass ends, and comes again. Asked before each plan, as another type may have taken over meanwhile. */
static bool waits_for_caches(struct pass *p)
{
    const struct sync *s = p->sync;
    const struct namespaces *n = s->env->namespaces;
    enum kube_informer_state objects = kube_informer_state(s->objects);
    bool placed = (!s->is_namespace && !s->target.namespaced) || namespaces_synced(n);
    bool listed = objects == KUBE_INFORMER_SYNCED;
    if (placed && listed)
        return false;
    bool fails = (!listed && objects != KUBE_INFORMER_LISTING) || (!placed && namespaces_failing(n));
    pass_end(p, fails ? PASS_RECHECK : PASS_AGAIN_SOON);
    return true;
}

/* With its finalizer. */
static void pass_sync(struct pass *p)
{
    if (waits_for_caches(p))
        return;
    if (!pass_parse(p)) {
        pass_end(p, PASS_DONE);
        return;
    }
    if (p->object->deleting) {
        pass_delete(p);
        return;
    }
    pass_plan(p, fed_plan_sync, pass_finish);
}

/* A namespace that must not be federated, a FederatedNamespace in the wrong place, or one whose HOST namespace does not
 * exist (controllers.md 5.3) is left alone. */
static bool ignored(struct pass *p)
{
    struct sync *s = p->sync;
    struct str ns, name;
    if (!s->is_namespace || !str_cut(str_of(p->key), '/', &ns, &name))
        return false;
    if (fed_namespace_is_protected(name, str_of(s->env->system_namespace)))
        return true;
    if (!str_eq(ns, name)) {
        pass_event(p, "Warning", "InvalidName",
                   STR("The name of a federated namespace must match the name of its containing namespace."));
        return true;
    }
    return !s->env->namespace_scoped && !namespaces_host(s->env->namespaces, name);
}

void sync_process(void *arg, struct str key)
{
    struct sync *s = arg;
    struct kube_object *o = kube_informer_get(s->objects, key);
    struct kube_object *vanished = o ? NULL : map_get(&s->vanished, key);
    if (o)
        kube_object_unref(map_remove(&s->vanished, key)); /* there is a successor */
    struct pass *p = pass_new(s, key, o ? o : vanished);
    if (waits_for_caches(p))
        return;
    if (o && !o->deleting)
        sync_removal_drop_all(s, key); /* it decides what happens there now */
    if (vanished && pass_parse(p)) {
        pass_remains(p);
    } else if (!o) {
        pass_orphan(p);
    } else if (ignored(p) || !pass_parse(p)) {
        pass_end(p, PASS_DONE);
    } else if (o->deleting) {
        pass_delete(p);
    } else if (!fed_has_finalizer(yyjson_doc_get_root(p->doc), FED_SYNC_FINALIZER)) {
        pass_patch_finalizer(p, true, pass_sync);
    } else {
        pass_plan(p, fed_plan_sync, pass_finish);
    }
}
