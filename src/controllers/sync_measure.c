/*
 * What a sync controller measures: how long a change of a federated object takes to reach all its clusters, how long passes take, and
 * what is under way in members.
 */
#include "base/rtime.h"
#include "controllers/sync_internal.h"
#include "fed/names.h"

/* When it was seen is remembered as a pointer; of several changes the first one counts until all clusters have the last. */
void sync_measure_change(struct sync *s, struct str key, const struct kube_object *now)
{
    if (!now || now->deleting)
        map_remove(&s->changes, key);
    else if (s->open && s->propagates && !map_has(&s->changes, key))
        map_put(&s->changes, key, (void *)(uintptr_t)time_mono_ns());
}

static bool is_everywhere(const struct pass *p)
{
    for (size_t i = 0; i < p->clusters->n; i++) {
        const struct pass_result *r = &p->results[i];

        if (r->waiting || r->blocked || (r->status && strcmp(r->status, FED_STATUS_OK) != 0))
            return false;
    }
    return true;
}

void pass_measure_propagation(const struct pass *p)
{
    struct sync *s = p->sync;
    const struct kube_object *now = kube_informer_get(s->objects, str_of(p->key));
    uint64_t since = (uintptr_t)map_get(&s->changes, str_of(p->key));

    if (since == 0 || !now || now->generation != p->object->generation || !is_everywhere(p))
        return;
    histogram_observe(s->propagation, time_mono_ns() - since);
    map_remove(&s->changes, str_of(p->key));
}

void pass_measure_end(const struct pass *p)
{
    if (p->object)
        histogram_observe(&p->sync->env->measures->reconciles, time_mono_ns() - p->began_ns);
}

void sync_each_queue(const struct sync *s, void (*fn)(void *arg, const char *kind, const struct workqueue *q),
                     void *arg)
{
    fn(arg, s->type->federated.kind, s->queue);
    if (s->service_status)
        fn(arg, s->type->status.kind, service_status_queue(s->service_status));
}
