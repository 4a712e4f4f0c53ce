/*
 * Replica counts that belong to a member: which objects have an autoscaler there, and whether the target type can be scaled at
 * all. See docs/propagation.md.
 */
#include "controllers/sync_internal.h"

static bool targets_us(const struct sync *s, const struct autoscaled *target)
{
    return str_eqc(target->group, s->type->target.group) && str_eqc(target->kind, s->type->target.kind);
}

static void on_autoscaler(void *arg, struct str cluster, const struct autoscaled *target)
{
    struct sync *s = arg;
    (void)cluster;
    if (!target)
        sync_enqueue_all(s);
    else if (targets_us(s, target) && kube_informer_get(s->objects, target->key))
        sync_enqueue(s, target->key);
}

void sync_scale_enable(struct sync *s)
{
    if (s->scales || !s->env->autoscalers)
        return;
    s->scales = true;
    s->autoscalers_listener = (struct autoscalers_listener){ .fn = on_autoscaler, .arg = s };
    autoscalers_listen(s->env->autoscalers, &s->autoscalers_listener);
    autoscalers_hold(s->env->autoscalers);
}

void sync_scale_start(struct sync *s)
{
    if (fed_type_is_scalable(s->type))
        sync_scale_enable(s);
}

void sync_scale_stop(struct sync *s)
{
    if (!s->scales)
        return;
    autoscalers_unlisten(&s->autoscalers_listener);
    autoscalers_release(s->env->autoscalers);
    s->scales = false;
}

bool sync_is_autoscaled(const struct sync *s, struct str cluster, struct str member_key)
{
    if (!s->scales)
        return false;
    struct autoscaled target = { str_of(s->type->target.group), str_of(s->type->target.kind), member_key };
    return autoscalers_own(s->env->autoscalers, cluster, &target);
}
