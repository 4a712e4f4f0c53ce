/*
 * Which of the removals that were put off (removals.h) are of a type: those of its target type, whatever its FederatedTypeConfig is called
 * and was called. By the name of the FederatedTypeConfig they were kept before, which is mostly the same.
 */
#include "controllers/sync_internal.h"

static bool has_other_name(const struct sync *s)
{
    return strcmp(s->type->name, s->removals_of) != 0;
}

const struct fed_removal *sync_removal_find(const struct sync *s, struct str cluster, struct str key)
{
    const struct removals *r = s->env->removals;
    const struct fed_removal *found = removals_find(r, cluster, str_of(s->removals_of), key);

    return found || !has_other_name(s) ? found : removals_find(r, cluster, str_of(s->type->name), key);
}

void sync_removal_drop(struct sync *s, struct str cluster, struct str key)
{
    removals_drop(s->env->removals, cluster, str_of(s->removals_of), key);
    if (has_other_name(s))
        removals_drop(s->env->removals, cluster, str_of(s->type->name), key);
}

void sync_removal_drop_all(struct sync *s, struct str key)
{
    removals_drop_key(s->env->removals, str_of(s->removals_of), key);
    if (has_other_name(s))
        removals_drop_key(s->env->removals, str_of(s->type->name), key);
}

static void enqueue(void *arg, struct str key)
{
    sync_enqueue(arg, key);
}

void sync_enqueue_removals(struct sync *s, struct str cluster)
{
    removals_each(s->env->removals, cluster, str_of(s->removals_of), enqueue, s);
    if (has_other_name(s))
        removals_each(s->env->removals, cluster, str_of(s->type->name), enqueue, s);
}
