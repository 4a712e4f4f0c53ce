/*
 * Caches of the labelled target objects in each ready member, one informer per cluster (controllers.md 2.4). A cache whose
 * cluster turned unready stays: it is resumed when the cluster comes back, without a relist.
 */
#include <stdlib.h>

#include "base/log.h"
#include "controllers/sync_internal.h"
#include "fed/names.h"

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

static bool only_version_differs(const struct kube_object *a, const struct kube_object *b)
{
    return a->generation != 0 && a->generation == b->generation && a->hash == b->hash && a->deleting == b->deleting &&
           str_eq(kube_object_uid(a), kube_object_uid(b));
}

static void on_change(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct sync_member *m = arg;
    struct sync *s = m->sync;
    if (!old || !now || old->hash != now->hash)
        service_status_enqueue(s->service_status, kube_object_key(kube_object_either(now, old)));
    if (old && now && only_version_differs(old, now))
        return; /* its status moved; nothing here depends on that */
    _cleanup_free_ char *key = sync_fed_key(s, kube_object_key(kube_object_either(now, old)));
    if (apply_in_flight(s, str_of(m->name), str_of(key)))
        return; /* most likely our own write; its end looks at what is there */
    sync_enqueue(s, str_of(key));
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    struct sync_member *m = arg;
    struct sync *s = m->sync;
    if (err)
        log_warning("Cluster %s: cannot list %s: %s", m->name, s->type->target.plural, error_msg(err));
    if (state == KUBE_INFORMER_LISTING)
        return;
    if (!s->open) {
        sync_poke(s);
        return;
    }
    service_status_enqueue_all(s->service_status);
    sync_enqueue_all(s);
    sync_enqueue_removals(s, str_of(m->name));
}

static void project(void *arg, yyjson_val *live, yyjson_mut_doc *out)
{
    const struct sync *s = ((struct sync_member *)arg)->sync;
    fed_member_project(s->type, s->env->raw_status || s->service_status, live, out);
}

struct sync_member *sync_member_find(const struct sync *s, struct str cluster)
{
    return map_get(&s->members, cluster);
}

void sync_member_connect(struct sync *s, struct cluster *c)
{
    sync_member_disconnect(s, str_of(c->name));
    struct sync_member *m = mem_zalloc(sizeof(*m));
    m->sync = s;
    m->name = mem_strdup(c->name);
    map_put(&s->members, str_of(m->name), m);
    struct str ns = s->env->namespace_scoped ? str_of(s->env->system_namespace) : STR_NULL;
    _cleanup_free_ char *path = kube_path(&s->target, s->target.namespaced ? ns : STR_NULL, STR_NULL, STR_NULL);
    m->informer = kube_informer_start(&(struct kube_informer_config){
        .client = c->client,
        .path = path,
        .label_selector = FED_MANAGED_LABEL "=" FED_MANAGED_TRUE,
        .project = project,
        .on_change = on_change,
        .on_state = on_state,
        .arg = m,
    });
}

void sync_member_disconnect(struct sync *s, struct str name)
{
    struct sync_member *m = map_remove(&s->members, name);
    if (!m)
        return;
    kube_informer_stop(m->informer);
    free(m->name);
    free(m);
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
    for (size_t i = 0; map_next(&s->members, &i, &e);) {
        struct sync_member *m = e.val;
        kube_informer_stop(m->informer);
        free(m->name);
        free(m);
    }
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
