/*
 * Asking members before a finalizer goes, or a remembered removal is forgotten: one live GET per cluster. The caches may lag
 * behind a write that an earlier process made.
 */
#include <stdlib.h>

#include "base/log.h"
#include "controllers/sync_internal.h"
#include "fed/names.h"

/* One live GET before the finalizer goes. */
struct verification {
    struct list link;
    struct pass *pass;
    struct kube_call *call;
    size_t cluster;
};

static void verification_free(struct verification *v)
{
    if (v->call)
        kube_call_cancel(v->call);
    list_del(&v->link);
    free(v);
}

void pass_cancel_verifications(struct pass *p)
{
    list_for_each(it, &p->verifications)
        verification_free(list_entry(it, struct verification, link));
}

/* The host's own namespace, seen through a member that is the host itself: it goes after the federated object, label or not
 * (a terminating namespace waits for it). */
static bool is_host_namespace(const struct pass *p, yyjson_val *live)
{
    struct kube_object *host = NULL;
    if (p->sync->is_namespace)
        host = namespaces_host(p->sync->env->namespaces, json_path_str(live, "metadata.name"));
    return host && str_eq(kube_object_uid(host), json_path_str(live, "metadata.uid"));
}

static bool is_left(const struct pass *p, const struct kube_response *resp)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (json_parse(resp->body, &doc, NULL) < 0)
        return true;
    yyjson_val *live = yyjson_doc_get_root(doc);
    return fed_object_is_managed(live) && !is_host_namespace(p, live);
}

static void on_verified(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct verification *v = arg;
    struct pass *p = v->pass;
    struct pass_result *r = &p->results[v->cluster];
    v->call = NULL;
    verification_free(v);
    if (err && err->code != -ENOENT) {
        p->still_there = true;
        r->status = FED_STATUS_RETRIEVAL_FAILED;
        log_warning("%s \"%s\": cannot verify its removal: %s", p->sync->type->federated.kind, p->key, error_msg(err));
    } else if (!err && is_left(p, resp)) {
        p->still_there = true;
        r->status = FED_STATUS_DELETION_FAILED;
        log_verbose(1, "%s \"%s\": a member still has its object", p->sync->type->federated.kind, p->key);
    }
    if (--p->verifying == 0)
        p->verified(p);
}

static void verify_cluster(struct pass *p, size_t i)
{
    struct sync *s = p->sync;
    struct cluster *c = clusters_find(s->env->clusters, str_of(p->clusters->v[i].name));
    if (!c || !c->client) {
        p->still_there = true;
        p->results[i].status = FED_STATUS_CLIENT_RETRIEVAL_FAILED;
        return;
    }
    _cleanup_free_ char *path = sync_target_path(s, str_of(p->key), false);
    struct kube_request req = { .method = "GET", .path = str_of(path), .timeout_ms = MEMBER_TIMEOUT_MS };
    struct verification *v = mem_zalloc(sizeof(*v));
    v->pass = p;
    v->cluster = i;
    list_add_tail(&p->verifications, &v->link);
    p->verifying++;
    v->call = kube_call(c->client, &req, on_verified, v);
}

void pass_verify(struct pass *p, bool (*want)(const struct pass *p, size_t i), void (*verified)(struct pass *p))
{
    p->verified = verified;
    p->verifying = 1;
    for (size_t i = 0; i < p->clusters->n; i++)
        if (want(p, i) && !p->results[i].confirmed)
            verify_cluster(p, i);
    if (--p->verifying == 0)
        verified(p);
}
