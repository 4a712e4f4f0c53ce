/*
 * Which of the removals that were put off (removals.h) are of a type: those of its target type, whatever its FederatedTypeConfig is called
 * and was called.
 */
#include "controllers/sync_internal.h"

const struct fed_removal *sync_removal_find(const struct sync *s, struct str cluster, struct str key)
{
    return removals_find(s->env->removals, cluster, str_of(s->removals_of), key);
}

void sync_removal_drop(struct sync *s, struct str cluster, struct str key)
{
    removals_drop(s->env->removals, cluster, str_of(s->removals_of), key);
}

void sync_removal_drop_all(struct sync *s, struct str key)
{
    removals_drop_key(s->env->removals, str_of(s->removals_of), key);
}

static void enqueue(void *arg, struct str key)
{
    sync_enqueue(arg, key);
}

void sync_enqueue_removals(struct sync *s, struct str cluster)
{
    removals_each(s->env->removals, cluster, str_of(s->removals_of), enqueue, s);
}
