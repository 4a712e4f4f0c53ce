/*
 * See autoscalers.h. Of a HorizontalPodAutoscaler only its target is kept, as "<group>/<kind>/<name>"; per member a map counts
 * the autoscalers of each target.
 */
#include "controllers/autoscalers.h"

#include <stdlib.h>

#include "base/log.h"

struct watched {
    struct autoscalers *owner;
    char *cluster;
    struct kube_informer *informer;
    struct map targets; /* by target_id: number of autoscalers, as a pointer */
};

struct autoscalers {
    struct clusters *clusters;
    struct clusters_listener listener;
    struct list listeners;
    char *ns; /* or NULL */
    unsigned holds;
    struct map watched; /* by cluster */
};

static const struct kube_resource resource = { STR("autoscaling"), STR("v1"), STR("horizontalpodautoscalers"), true };

/* --- targets --- */

static char *target_id(const struct autoscaled *t)
{
    return mem_printf("%" PRIstr "/%" PRIstr "/%" PRIstr, STRARG(t->group), STRARG(t->kind), STRARG(t->key));
}

static void project(void *arg, yyjson_val *live, yyjson_mut_doc *out)
{
    yyjson_val *ref = json_path(live, "spec.scaleTargetRef");
    struct str group, version, api = json_path_str(ref, "apiVersion");
    yyjson_mut_val *root = yyjson_mut_doc_get_root(out);

    (void)arg;
    if (!root) {
        root = yyjson_mut_obj(out);
        yyjson_mut_doc_set_root(out, root);
    }
    if (!str_cut(api, '/', &group, &version))
        group = STR("");
    json_mut_set_str(out, root, "group", group);
    json_mut_set_str(out, root, "kind", json_path_str(ref, "kind"));
    json_mut_set_str(out, root, "name", json_path_str(ref, "name"));
}

/* What the autoscaler scales; `*ret_key` (owned) holds the key that *ret points to. */
static bool target_of(const struct kube_object *o, yyjson_doc **ret_doc, char **ret_key, struct autoscaled *ret)
{
    if (json_parse(kube_object_body(o), ret_doc, NULL) < 0)
        return false;
    yyjson_val *root = yyjson_doc_get_root(*ret_doc);
    struct str ns = kube_object_ns(o), name = json_path_str(root, "name");
    *ret_key = mem_printf("%" PRIstr "/%" PRIstr, STRARG(ns), STRARG(name));
    *ret = (struct autoscaled){ json_path_str(root, "group"), json_path_str(root, "kind"), str_of(*ret_key) };
    return true;
}

static void notify(const struct watched *w, const struct autoscaled *target)
{
    list_for_each(it, &w->owner->listeners) {
        struct autoscalers_listener *l = list_entry(it, struct autoscalers_listener, link);
        l->fn(l->arg, str_of(w->cluster), target);
    }
}

static void count(struct watched *w, const struct kube_object *o, int by)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_free_ char *key = NULL;
    struct autoscaled target;
    if (!target_of(o, &doc, &key, &target))
        return;
    _cleanup_free_ char *id = target_id(&target);
    intptr_t n = (intptr_t)map_get(&w->targets, str_of(id)) + by;
    if (n > 0)
        map_put(&w->targets, str_of(id), (void *)n);
    else
        map_remove(&w->targets, str_of(id));
    notify(w, &target);
}

static void on_change(void *arg, struct kube_object *old, struct kube_object *now)
{
    if (old && now && old->hash == now->hash)
        return;
    if (now)
        count(arg, now, 1);
    if (old)
        count(arg, old, -1);
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    const struct watched *w = arg;
    if (err)
        log_verbose(1, "Cluster %s: cannot list HorizontalPodAutoscalers: %s", w->cluster, error_msg(err));
    if (state != KUBE_INFORMER_LISTING)
        notify(w, NULL);
}

/* --- members --- */

static void watch_cluster(struct autoscalers *a, struct cluster *c)
{
    if (a->holds == 0 || !c->client || !c->ready || map_has(&a->watched, str_of(c->name)))
        return;
    struct watched *w = mem_zalloc(sizeof(*w));
    w->owner = a;
    w->cluster = mem_strdup(c->name);
    map_put(&a->watched, str_of(w->cluster), w);
    _cleanup_free_ char *path = kube_path(&resource, str_of(a->ns), STR_NULL, STR_NULL);
    w->informer = kube_informer_start(&(struct kube_informer_config){ .client = c->client,
                                                                      .path = path,
                                                                      .project = project,
                                                                      .on_change = on_change,
                                                                      .on_state = on_state,
                                                                      .arg = w });
}

static void unwatch(struct autoscalers *a, struct str cluster)
{
    struct watched *w = map_remove(&a->watched, cluster);
    if (!w)
        return;
    kube_informer_stop(w->informer);
    map_done(&w->targets);
    free(w->cluster);
    free(w);
}

static void on_cluster(void *arg, struct cluster *c, enum cluster_event event)
{
    if (event == CLUSTER_DISCONNECTED)
        unwatch(arg, str_of(c->name));
    else if (event == CLUSTER_CONNECTED || event == CLUSTER_READY)
        watch_cluster(arg, c);
}

void autoscalers_hold(struct autoscalers *a)
{
    struct cluster *c;
    if (a->holds++ > 0)
        return;
    for (size_t i = 0; (c = clusters_next(a->clusters, &i));)
        watch_cluster(a, c);
}

void autoscalers_release(struct autoscalers *a)
{
    struct map_entry e;
    if (--a->holds > 0)
        return;
    for (size_t i = 0; map_next(&a->watched, &i, &e);)
        unwatch(a, e.key);
}

bool autoscalers_own(const struct autoscalers *a, struct str cluster, const struct autoscaled *target)
{
    const struct watched *w = map_get(&a->watched, cluster);
    if (!w || kube_informer_state(w->informer) == KUBE_INFORMER_LISTING)
        return true;
    if (map_count(&w->targets) == 0)
        return false;
    _cleanup_free_ char *id = target_id(target);
    return map_has(&w->targets, str_of(id));
}

/* --- life --- */

void autoscalers_listen(struct autoscalers *a, struct autoscalers_listener *l)
{
    list_add_tail(&a->listeners, &l->link);
}

void autoscalers_unlisten(struct autoscalers_listener *l)
{
    list_del(&l->link);
}

struct autoscalers *autoscalers_new(struct clusters *clusters, struct str limited_to)
{
    struct autoscalers *a = mem_zalloc(sizeof(*a));
    a->clusters = clusters;
    a->ns = limited_to.n ? str_dup(limited_to) : NULL;
    list_init(&a->listeners);
    a->listener = (struct clusters_listener){ .fn = on_cluster, .arg = a };
    clusters_listen(clusters, &a->listener);
    return a;
}

void autoscalers_free(struct autoscalers *a)
{
    struct map_entry e;
    if (!a)
        return;
    clusters_unlisten(&a->listener);
    for (size_t i = 0; map_next(&a->watched, &i, &e);)
        unwatch(a, e.key);
    map_done(&a->watched);
    free(a->ns);
    free(a);
}
