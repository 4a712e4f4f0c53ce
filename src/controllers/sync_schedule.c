/* What the scheduling of replicas sees of a type: federated objects and the labelled objects in members. See sync.h. */
#include "controllers/sync_internal.h"

const struct fed_type_config *sync_type(const struct sync *s)
{
    return s->type;
}

/* Custom resources turn out to have a replica count when a member has told its definition (sync_members.c). */
bool sync_is_schedulable(const struct sync *s)
{
    return s->env->watcher && s->propagates && s->target.namespaced &&
           (fed_type_is_scalable(s->type) || s->type->replicas_path);
}

bool sync_is_starting(const struct sync *s)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&s->members, &i, &e);)
        if (((const struct sync_member *)e.val)->crd_call)
            return true;
    return !s->open;
}

bool sync_is_settled(const struct sync *s)
{
    return sync_members_settled(s);
}

bool sync_is_open(const struct sync *s)
{
    return s->open;
}

struct kube_object *sync_object(const struct sync *s, struct str key)
{
    return kube_informer_get(s->objects, key);
}

char *sync_object_path(const struct sync *s, struct str key)
{
    struct str ns, name;

    str_cut(key, '/', &ns, &name);
    return kube_path(&s->federated, ns, name, STR_NULL);
}

void sync_learn_object(struct sync *s, yyjson_val *live)
{
    kube_informer_learn(s->objects, live);
}

bool sync_sees(const struct sync *s, struct str cluster)
{
    const struct sync_member *m = sync_member_find(s, cluster);

    return m && kube_informer_state(m->informer) == KUBE_INFORMER_SYNCED;
}

struct kube_object *sync_target(const struct sync *s, struct str cluster, struct str key)
{
    const struct sync_member *m = sync_member_find(s, cluster);

    return m ? kube_informer_get(m->informer, key) : NULL;
}

void sync_tell_watcher(struct sync *s, struct str key)
{
    if (s->open && sync_is_schedulable(s))
        s->env->watcher->fn(s->env->watcher->arg, s, key);
}
