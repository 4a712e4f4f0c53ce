/* Room that is set aside for what was given to workloads and does not run yet. See scheduling_internal.h. */
#include <stdlib.h>

#include "base/rtime.h"
#include "controllers/scheduling_internal.h"
#include "fed/schedule_target.h"

/* decided: the shares of the pass; otherwise what the object says. */
static bool promise(struct sched_pass *p, bool decided)
{
    _cleanup_(fed_overrides_freep) struct fed_overrides *overrides = NULL;
    yyjson_val *object = yyjson_doc_get_root(p->target_doc);
    bool freed = false;
    (void)fed_overrides_parse(object, &overrides, NULL);
    for (size_t i = 0; i < p->snapshot->n; i++) {
        const struct fed_schedule_cluster *c = &p->clusters[i];
        struct fed_room *room = workloads_room(p->owner->workloads, c->name);
        if (!room)
            continue;
        int64_t had = c->has_previous ? c->previous : 0;
        int64_t share = decided ? p->schedule->shares[i].replicas : had;
        struct fed_demand *demand = fed_schedule_demand(room, object, overrides, c->name);
        int64_t missing = demand ? fed_schedule_missing(object, c, share) : 0;
        freed |= fed_room_promise(room, str_of(p->key), demand, missing);
        fed_demand_free(demand);
    }
    return freed;
}

void sched_promise(struct sched_pass *p)
{
    uint64_t began = time_mono_ns();
    if (promise(p, true))
        sched_room_changed(p->owner);
    p->owner->room_spent_ns += time_mono_ns() - began;
}

void sched_unpromise(struct scheduling *s, struct str key)
{
    struct cluster *c;
    bool freed = false;
    for (size_t i = 0; (c = clusters_next(s->config.env->clusters, &i));) {
        struct fed_room *room = workloads_any_room(s->workloads, str_of(c->name));
        if (room)
            freed |= fed_room_promise(room, key, NULL, 0);
    }
    if (freed)
        sched_room_changed(s);
}

static bool find(struct sched_pass *p)
{
    if (json_parse(kube_object_body(p->object), &p->doc, NULL) < 0 ||
        fed_preference_decode(yyjson_doc_get_root(p->doc), &p->preference, NULL) < 0)
        return false;
    p->sync = type_configs_schedulable(p->owner->types, str_of(p->preference->target_kind));
    const struct kube_object *o = p->sync && sync_is_open(p->sync) ? sync_object(p->sync, str_of(p->key)) : NULL;
    return o && !o->deleting && json_parse(kube_object_body(o), &p->target_doc, NULL) == 0;
}

static void promise_one(struct scheduling *s, struct kube_object *o)
{
    struct sched_pass p = { .owner = s, .key = str_dup(kube_object_key(o)), .object = o };
    if (find(&p)) {
        sched_gather_clusters(&p);
        (void)promise(&p, false);
    }
    sched_gather_done(&p);
    fed_preference_free(p.preference);
    yyjson_doc_free(p.doc);
    free(p.key);
}

void sched_promise_all(struct scheduling *s)
{
    struct kube_object *o;
    if (!s->rooms_new)
        return;
    s->rooms_new = false;
    /* Those whose write is under way have promised more than their objects say. */
    for (size_t i = 0; kube_informer_next(s->preferences, &i, &o);)
        if (!map_has(&s->passes, kube_object_key(o)))
            promise_one(s, o);
}
