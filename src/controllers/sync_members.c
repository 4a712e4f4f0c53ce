/*
 * Caches of the labelled target objects in each ready member, one informer per cluster (controllers.md 2.4). A cache whose
 * cluster turned unready stays: it is resumed when the cluster comes back, without a relist.
 */
#include <stdlib.h>

#include "base/log.h"
#include "controllers/sync_internal.h"
#include "fed/names.h"

/* A workload that is being rolled out changes its status many times a second: what is written about that to the host (raw
 * collection) waits for more of it. */
#define STATUS_PAUSE_MS 100u

char *sync_fed_key(const struct sync *s, struct str member_key)
{
    if (!s->is_namespace)
        return str_dup(member_key);
    return mem_printf("%" PRIstr "/%" PRIstr, STRARG(member_key), STRARG(member_key));
}

char *sync_member_key(const struct sync *s, struct str fed_key)
{
    struct str ns, name;
    if (s->is_namespace && str_cut(fed_key, '/', &ns, &name))
        return str_dup(name);
    return str_dup(fed_key);
}

char *sync_target_path(const struct sync *s, struct str fed_key, bool collection)
{
    _cleanup_free_ char *target = sync_member_key(s, fed_key);
    struct str ns, name;
    if (!str_cut(str_of(target), '/', &ns, &name)) {
        name = ns;
        ns = STR_NULL;
    }
    return kube_path(&s->target, ns, collection ? STR_NULL : name, STR_NULL);
}

/* Its status moved, or its metadata. */
static bool same_generation(const struct kube_object *a, const struct kube_object *b)
{
    return a->generation != 0 && a->generation == b->generation && a->deleting == b->deleting &&
           str_eq(kube_object_uid(a), kube_object_uid(b));
}

static bool only_version_differs(const struct kube_object *a, const struct kube_object *b)
{
    return same_generation(a, b) && a->hash == b->hash;
}

/* --- objects of which only the replica count changed --- */

/* Who else than federation may scale an object, does so often: that must not look like drift each time. */
struct since {
    char *version;
};

static void since_free(void *p)
{
    struct since *since = p;
    free(since->version);
    free(since);
}

void sync_member_set_scaled(struct sync_member *m, struct str member_key, struct str version)
{
    struct since *since = map_get(&m->scaled, member_key);
    if (!since || version.n == 0)
        return;
    free(since->version);
    since->version = str_dup(version);
}

struct str sync_member_scaled_since(const struct sync_member *m, struct str member_key)
{
    const struct since *since = map_count(&m->scaled) ? map_get(&m->scaled, member_key) : NULL;
    return since ? str_of(since->version) : STR_NULL;
}

static bool is_scaled(const struct kube_object *old, const struct kube_object *now)
{
    _cleanup_json_ yyjson_doc *a = NULL, *b = NULL;
    return str_eq(kube_object_uid(old), kube_object_uid(now)) && json_parse(kube_object_body(old), &a, NULL) == 0 &&
           json_parse(kube_object_body(now), &b, NULL) == 0 &&
           fed_member_scaled(yyjson_doc_get_root(a), yyjson_doc_get_root(b));
}

static void note_scaling(struct sync_member *m, struct kube_object *old, struct kube_object *now)
{
    struct str key = kube_object_key(kube_object_either(now, old));
    if (old && now && old->generation == now->generation)
        return;
    if (old && now && is_scaled(old, now)) {
        if (map_has(&m->scaled, key))
            return;
        struct since *since = mem_zalloc(sizeof(*since));
        since->version = fed_version_of(old->generation, kube_object_rv(old));
        map_put(&m->scaled, key, since);
    } else if (map_count(&m->scaled)) {
        struct since *since = map_remove(&m->scaled, key);
        if (since)
            since_free(since);
    }
}

/* --- events --- */

static bool is_schedules_alone(const struct sync *s, const struct kube_object *old, const struct kube_object *now)
{
    return sync_is_schedulable(s) && same_generation(old, now) &&
           fed_member_same_but_schedule(kube_object_body(old), kube_object_body(now));
}

static void on_change(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct sync_member *m = arg;
    struct sync *s = m->sync;
    note_scaling(m, old, now);
    if (!old || !now || old->hash != now->hash)
        service_status_enqueue(s->service_status, kube_object_key(kube_object_either(now, old)));
    if (old && now && only_version_differs(old, now))
        return; /* its status moved; nothing here depends on that */
    _cleanup_free_ char *key = sync_fed_key(s, kube_object_key(kube_object_either(now, old)));
    sync_tell_watcher(s, str_of(key));
    if (old && now && is_schedules_alone(s, old, now))
        return;
    if (!now)
        sync_settle(s, m, str_of(key), NULL, NULL); /* gone, or not ours any more */
    if (apply_in_flight(s, str_of(m->name), str_of(key)))
        return; /* most likely our own write; its end looks at what is there */
    bool raw = s->env->raw_status && s->type->status_collection;
    if (raw && old && now && same_generation(old, now))
        sync_enqueue_soon(s, str_of(key), STATUS_PAUSE_MS);
    else
        sync_enqueue(s, str_of(key));
}

static void ask_for_crd(struct sync_member *m);

/* The definition may have reached the member after it was asked for, or there may be another one now. */
static void ask_again(struct sync_member *m, enum kube_informer_state state)
{
    const struct fed_type_config *type = m->sync->type;
    if (state == KUBE_INFORMER_MISSING)
        m->crd_known = false;
    if (state == KUBE_INFORMER_SYNCED && !m->crd_known && !m->crd_call && fed_type_is_custom(type) &&
        !type->replicas_path)
        ask_for_crd(m);
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    struct sync_member *m = arg;
    struct sync *s = m->sync;
    if (err)
        log_warning("Cluster %s: cannot list %s: %s", m->name, s->type->target.plural, error_msg(err));
    if (state == KUBE_INFORMER_LISTING)
        return;
    ask_again(m, state);
    if (!s->open) {
        sync_poke(s);
        return;
    }
    service_status_enqueue_all(s->service_status);
    sync_enqueue_cluster(s, str_of(m->name));
    sync_tell_watcher(s, STR_NULL);
}

/* Objects that opted out, or are not ours, cannot be seen: they may be gone. */
static void on_relisted(void *arg)
{
    struct sync_member *m = arg;
    sync_enqueue_cluster(m->sync, str_of(m->name));
}

static void project(void *arg, yyjson_val *live, yyjson_mut_doc *out)
{
    const struct sync *s = ((struct sync_member *)arg)->sync;
    fed_member_project(s->type, s->env->raw_status || s->service_status, live, out);
    if (sync_is_schedulable(s))
        fed_member_project_schedule(s->type, live, out);
}

struct sync_member *sync_member_find(const struct sync *s, struct str cluster)
{
    struct sync_member *m = map_get(&s->members, cluster);
    return m && m->informer ? m : NULL;
}

bool sync_member_is_starting(const struct sync *s, struct str cluster)
{
    const struct sync_member *m = map_get(&s->members, cluster);
    return m && (!m->informer || kube_informer_state(m->informer) == KUBE_INFORMER_LISTING);
}

/* --- starting and stopping --- */

static void start_informer(struct sync_member *m)
{
    struct sync *s = m->sync;
    struct cluster *c = clusters_find(s->env->clusters, str_of(m->name));
    struct str ns = s->env->namespace_scoped ? str_of(s->env->system_namespace) : STR_NULL;
    _cleanup_free_ char *path = kube_path(&s->target, s->target.namespaced ? ns : STR_NULL, STR_NULL, STR_NULL);
    m->informer = kube_informer_start(&(struct kube_informer_config){
        .client = c->client,
        .path = path,
        .may_vanish = true,
        .label_selector = FED_MANAGED_LABEL "=" FED_MANAGED_TRUE,
        .project = project,
        .on_change = on_change,
        .on_relisted = on_relisted,
        .on_state = on_state,
        .arg = m,
    });
}

/* Caches that were filled without knowing the path have the wrong replica count, or none, and nothing for scheduling. */
static void restart_informers(struct sync *s)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&s->members, &i, &e);) {
        struct sync_member *m = e.val;
        if (!m->informer)
            continue;
        kube_informer_stop(m->informer);
        start_informer(m);
    }
}

/* All members are taken to agree about the paths: the first definition that is found says them. */
static void take_crd(struct sync_member *m, yyjson_val *crd)
{
    struct sync *s = m->sync;
    struct fed_type_config *type = s->type;
    m->crd_known = true;
    if (type->replicas_path)
        return;
    type->replicas_path = fed_type_replicas_path(type, crd);
    if (!type->replicas_path)
        return;
    type->status_replicas_path = fed_type_status_replicas_path(type, crd);
    sync_scale_enable(s);
    if (strcmp(type->replicas_path, "spec.replicas") != 0 || s->env->watcher)
        restart_informers(s);
}

static void on_crd(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct sync_member *m = arg;
    _cleanup_json_ yyjson_doc *doc = NULL;
    m->crd_call = NULL;
    if (!err && json_parse(resp->body, &doc, NULL) == 0)
        take_crd(m, yyjson_doc_get_root(doc));
    if (!m->informer)
        start_informer(m);
}

static void ask_for_crd(struct sync_member *m)
{
    static const struct kube_resource crds = { STR("apiextensions.k8s.io"), STR("v1"), STR("customresourcedefinitions"),
                                               false };
    const struct cluster *c = clusters_find(m->sync->env->clusters, str_of(m->name));
    _cleanup_free_ char *name = mem_printf("%s.%s", m->sync->type->target.plural, m->sync->type->target.group);
    _cleanup_free_ char *path = kube_path(&crds, STR_NULL, str_of(name), STR_NULL);
    struct kube_request req = { .method = "GET", .path = str_of(path), .timeout_ms = MEMBER_TIMEOUT_MS };
    m->crd_call = kube_call(c->client, &req, on_crd, m);
}

void sync_member_connect(struct sync *s, struct cluster *c)
{
    sync_member_disconnect(s, str_of(c->name));
    struct sync_member *m = mem_zalloc(sizeof(*m));
    m->sync = s;
    m->name = mem_strdup(c->name);
    map_put(&s->members, str_of(m->name), m);
    if (fed_type_is_custom(s->type) && !s->type->replicas_path)
        ask_for_crd(m);
    else
        start_informer(m);
}

static void member_free(struct sync_member *m)
{
    if (m->crd_call)
        kube_call_cancel(m->crd_call);
    kube_informer_stop(m->informer);
    map_done_values(&m->scaled, since_free);
    free(m->name);
    free(m);
}

void sync_member_disconnect(struct sync *s, struct str name)
{
    struct sync_member *m = map_remove(&s->members, name);
    if (m)
        member_free(m);
    sync_unsettle(s, name);
}

void sync_members_start(struct sync *s)
{
    struct cluster *c;
    for (size_t i = 0; (c = clusters_next(s->env->clusters, &i));)
        if (c->ready && c->client)
            sync_member_connect(s, c);
}

void sync_members_stop(struct sync *s)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&s->members, &i, &e);)
        member_free(e.val);
}

bool sync_members_settled(const struct sync *s)
{
    struct cluster *c;
    for (size_t i = 0; (c = clusters_next(s->env->clusters, &i));) {
        if (!c->ready || (!c->client && !c->connecting))
            continue;
        struct sync_member *m = sync_member_find(s, str_of(c->name));
        if (!m || kube_informer_state(m->informer) == KUBE_INFORMER_LISTING)
            return false;
    }
    return true;
}
