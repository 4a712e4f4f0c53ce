/* See namespaces.h. Two informers, and a third while another federated type takes over; a HOST Namespace is kept as metadata and phase
 * only. */
#include "controllers/namespaces.h"

#include <stdlib.h>

#include "base/log.h"

struct namespaces {
    struct kube_client *host;
    char *limited_to;
    bool leading; /* lists are not from the server's cache */
    struct kube_informer *federated, *hosts;
    struct kube_informer *next; /* takes the place of `federated` as soon as it is complete; or NULL */
    char *followed_path;        /* of the newer of the two */
    struct list listeners;
};

static void notify(struct namespaces *n, struct str ns, enum namespace_event event)
{
    list_for_each(it, &n->listeners) {
        struct namespaces_listener *l = list_entry(it, struct namespaces_listener, link);
        l->fn(l->arg, ns, event);
    }
}

static void on_federated(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct kube_object *o = kube_object_either(now, old);
    bool placement = !old || !now || old->generation != now->generation || old->deleting != now->deleting ||
                     kube_object_went_back(old, now);
    if (str_eq(kube_object_ns(o), kube_object_name(o)))
        notify(arg, kube_object_ns(o), placement ? NAMESPACE_PLACEMENT : NAMESPACE_STATUS);
}

static void on_host(void *arg, struct kube_object *old, struct kube_object *now)
{
    if (old && now && old->hash == now->hash && old->deleting == now->deleting)
        return;
    notify(arg, kube_object_name(kube_object_either(now, old)), NAMESPACE_HOST);
}

static void notify_all(struct namespaces *n, const struct kube_informer *informer)
{
    struct kube_object *o;
    for (size_t i = 0; kube_informer_next(informer, &i, &o);)
        if (str_eq(kube_object_ns(o), kube_object_name(o)))
            notify(n, kube_object_ns(o), NAMESPACE_PLACEMENT);
}

/* Placements may differ wherever the old type or the new one has something to say. */
static void take_over(struct namespaces *n)
{
    struct kube_informer *old = n->federated;
    n->federated = TAKE_PTR(n->next);
    notify_all(n, old);
    notify_all(n, n->federated);
    kube_informer_stop(old);
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    struct namespaces *n = arg;
    (void)state;
    if (err)
        log_warning("Failed to list namespaces: %s", error_msg(err));
    if (!namespaces_synced(n))
        return;
    if (n->next)
        take_over(n);
    list_for_each(it, &n->listeners) {
        struct namespaces_listener *l = list_entry(it, struct namespaces_listener, link);
        l->on_synced(l->arg);
    }
}

static void project_host(void *arg, yyjson_val *live, yyjson_mut_doc *out)
{
    (void)arg;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(out);
    yyjson_mut_val *metadata = json_mut_ensure_obj(out, root, "metadata");
    yyjson_val *labels = json_path(live, "metadata.labels");
    json_mut_set_str(out, metadata, "name", json_path_str(live, "metadata.name"));
    if (labels)
        json_mut_set(out, metadata, "labels", json_mut_copy(out, labels));
}

struct namespaces *namespaces_start(struct kube_client *host, struct str limited_to)
{
    struct namespaces *n = mem_zalloc(sizeof(*n));
    n->host = host;
    n->limited_to = limited_to.n ? str_dup(limited_to) : NULL;
    list_init(&n->listeners);
    if (!n->limited_to)
        n->hosts = kube_informer_start(&(struct kube_informer_config){ .client = host,
                                                                       .path = "/api/v1/namespaces",
                                                                       .project = project_host,
                                                                       .on_change = on_host,
                                                                       .on_state = on_state,
                                                                       .arg = n });
    return n;
}

void namespaces_free(struct namespaces *n)
{
    if (!n)
        return;
    kube_informer_stop(n->federated);
    kube_informer_stop(n->next);
    kube_informer_stop(n->hosts);
    free(n->followed_path);
    free(n->limited_to);
    free(n);
}

static char *path_of(const struct namespaces *n, const struct fed_type_config *type)
{
    struct kube_resource res = { str_of(type->federated.group), str_of(type->federated.version),
                                 str_of(type->federated.plural), true };
    return kube_path(&res, str_of(n->limited_to), STR_NULL, STR_NULL);
}

static struct kube_informer *start_federated(struct namespaces *n)
{
    return kube_informer_start(&(struct kube_informer_config){ .client = n->host,
                                                               .path = n->followed_path,
                                                               .newest = n->leading,
                                                               .on_change = on_federated,
                                                               .on_state = on_state,
                                                               .arg = n });
}

bool namespaces_set_type(struct namespaces *n, const struct fed_type_config *type)
{
    _cleanup_free_ char *path = type ? path_of(n, type) : NULL;
    if (str_eq(str_of(path), str_of(n->followed_path)))
        return false;
    free(n->followed_path);
    n->followed_path = TAKE_PTR(path);
    kube_informer_stop(TAKE_PTR(n->next));
    if (!n->followed_path)
        kube_informer_stop(TAKE_PTR(n->federated));
    else if (n->federated)
        n->next = start_federated(n);
    else
        n->federated = start_federated(n);
    return true;
}

/* What is followed, complete or not. */
static struct kube_informer *followed(const struct namespaces *n)
{
    return n->next ? n->next : n->federated;
}

void namespaces_lead(struct namespaces *n)
{
    n->leading = true;
    if (n->hosts)
        kube_informer_renew(n->hosts);
    if (followed(n))
        kube_informer_renew(followed(n));
}

bool namespaces_synced(const struct namespaces *n)
{
    if (n->hosts && kube_informer_state(n->hosts) != KUBE_INFORMER_SYNCED)
        return false;
    if (!followed(n))
        return false;
    enum kube_informer_state state = kube_informer_state(followed(n));
    /* A namespace-scoped control plane works without FederatedNamespaces (controllers.md 5.5). Not after it had some: another version
     * of them may be served in a moment. */
    return state == KUBE_INFORMER_SYNCED || (n->limited_to && !n->next && state == KUBE_INFORMER_MISSING);
}

static bool is_failing(const struct kube_informer *i)
{
    return i && (kube_informer_state(i) == KUBE_INFORMER_MISSING || kube_informer_state(i) == KUBE_INFORMER_FAILING);
}

bool namespaces_failing(const struct namespaces *n)
{
    return !namespaces_synced(n) && (is_failing(n->hosts) || is_failing(followed(n)));
}

struct kube_object *namespaces_federated(const struct namespaces *n, struct str ns)
{
    if (!n->federated)
        return NULL;
    _cleanup_free_ char *key = mem_printf("%" PRIstr "/%" PRIstr, STRARG(ns), STRARG(ns));
    return kube_informer_get(n->federated, str_of(key));
}

struct kube_object *namespaces_host(const struct namespaces *n, struct str name)
{
    return n->hosts ? kube_informer_get(n->hosts, name) : NULL;
}

void namespaces_listen(struct namespaces *n, struct namespaces_listener *l)
{
    list_add_tail(&n->listeners, &l->link);
}

void namespaces_unlisten(struct namespaces_listener *l)
{
    list_del(&l->link);
}
