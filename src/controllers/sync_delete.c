/*
 * Deletion of a federated object, and member objects without a federated object (controllers.md 5.11). The finalizer goes
 * only when every member is known to be clean: its labelled object was seen to go, or the member was asked and has none.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "controllers/sync_internal.h"
#include "fed/names.h"

/* How old an object may be of which sync_vanished is said. */
#define VANISHED_MAX_S 60
#define NOT_READY_MESSAGE "the following clusters were not ready: "

/* One live GET before the finalizer goes. */
struct verification {
    struct list link;
    struct pass *pass;
    struct kube_call *call;
    bool failed;
};

static void deletion_applied(struct pass *p);

static void drop_versions(const struct pass *p)
{
    _cleanup_free_ char *name = fed_version_name(p->sync->type, kube_object_name(p->object));
    struct version_id id = { kube_object_ns(p->object), str_of(name) };
    version_store_drop(p->sync->env->versions, &id);
}

static void finalizer_removed(struct pass *p)
{
    log_verbose(2, "%s \"%s\" is gone from all clusters", p->sync->type->federated.kind, p->key);
    pass_end(p, PASS_DONE);
}

static void remove_finalizer(struct pass *p)
{
    pass_patch_finalizer(p, false, finalizer_removed);
}

/* --- verification --- */

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

static void verified(struct pass *p)
{
    if (p->still_there)
        pass_end(p, PASS_RETRY);
    else
        remove_finalizer(p);
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
    v->call = NULL;
    verification_free(v);
    if (err && err->code != -ENOENT) {
        p->still_there = true;
        log_warning("%s \"%s\": cannot verify its removal: %s", p->sync->type->federated.kind, p->key, error_msg(err));
    } else if (!err && is_left(p, resp)) {
        p->still_there = true;
        log_verbose(1, "%s \"%s\": a member still has its object", p->sync->type->federated.kind, p->key);
    }
    if (--p->verifying == 0)
        verified(p);
}

static void verify_cluster(struct pass *p, size_t i)
{
    struct sync *s = p->sync;
    struct cluster *c = clusters_find(s->env->clusters, str_of(p->clusters->v[i].name));
    if (!c || !c->client) {
        p->still_there = true;
        return;
    }
    _cleanup_free_ char *target = sync_member_key(s, str_of(p->key));
    struct str ns, name;
    if (!str_cut(str_of(target), '/', &ns, &name)) {
        name = ns;
        ns = STR_NULL;
    }
    _cleanup_free_ char *path = kube_path(&s->target, ns, name, STR_NULL);
    struct kube_request req = { .method = "GET", .path = str_of(path), .timeout_ms = MEMBER_TIMEOUT_MS };
    struct verification *v = mem_zalloc(sizeof(*v));
    v->pass = p;
    list_add_tail(&p->verifications, &v->link);
    p->verifying++;
    v->call = kube_call(c->client, &req, on_verified, v);
}

/* Clusters whose object this very pass saw go need no question; the others' caches may lag behind a write that an earlier
 * process made. */
static void verify(struct pass *p)
{
    p->verifying = 1;
    for (size_t i = 0; i < p->clusters->n; i++)
        if (p->plan->clusters[i].selected && !p->results[i].confirmed)
            verify_cluster(p, i);
    if (--p->verifying == 0)
        verified(p);
}

/* --- deletion --- */

/* Names of clusters for which `want` holds, joined by ", ". Owned; NULL when there is none. */
static char *name_list(const struct pass *p, bool (*want)(const struct pass *p, size_t i))
{
    _cleanup_buf_ struct buf names = BUF_INIT(BUF_MAX_DEFAULT);
    for (size_t i = 0; i < p->clusters->n; i++)
        if (want(p, i))
            buf_printf(&names, "%s%s", names.n ? ", " : "", p->clusters->v[i].name);
    return names.n ? buf_take(&names, NULL) : NULL;
}

static bool is_blocked(const struct pass *p, size_t i)
{
    return p->plan->clusters[i].blocks;
}

static bool is_remaining(const struct pass *p, size_t i)
{
    const char *status = p->results[i].status;
    return status && strcmp(status, FED_STATUS_WAITING_FOR_REMOVAL) == 0;
}

static bool is_failed(const struct pass *p, size_t i)
{
    const char *status = p->results[i].status;
    return status && status[0] && !is_remaining(p, i) && !is_blocked(p, i);
}

static void deletion_applied(struct pass *p)
{
    _cleanup_free_ char *blocked = name_list(p, is_blocked);
    _cleanup_free_ char *failed = name_list(p, is_failed);
    _cleanup_free_ char *remaining = name_list(p, is_remaining);
    if (blocked) {
        log_warning("Deletion of %s \"%s\" waits: " NOT_READY_MESSAGE "%s", p->sync->type->federated.kind, p->key,
                    blocked);
        pass_end(p, PASS_RETRY);
    } else if (failed) {
        log_warning("Deletion of %s \"%s\" failed in: %s", p->sync->type->federated.kind, p->key, failed);
        pass_end(p, PASS_RETRY);
    } else if (remaining) {
        _cleanup_free_ char *message = mem_printf(
            "Waiting for managed resources to be removed from the following clusters: %s", remaining);
        pass_event(p, "Normal", "WaitForRemovalInCluster", str_of(message));
        pass_end(p, PASS_RECHECK);
    } else {
        verify(p);
    }
}

static void orphaned(struct pass *p)
{
    _cleanup_free_ char *blocked = name_list(p, is_blocked);
    _cleanup_free_ char *failed = name_list(p, is_failed);
    if (blocked || failed) {
        log_warning("%s \"%s\": the managed label could not be removed in: %s%s%s", p->sync->type->federated.kind,
                    p->key, blocked ? blocked : "", blocked && failed ? ", " : "", failed ? failed : "");
        pass_end(p, PASS_RETRY);
    } else if (p->object) {
        remove_finalizer(p);
    } else {
        pass_end(p, PASS_DONE);
    }
}

void pass_delete(struct pass *p)
{
    p->deletion = true;
    drop_versions(p);
    yyjson_val *object = yyjson_doc_get_root(p->doc);
    if (!fed_has_finalizer(object, FED_SYNC_FINALIZER))
        pass_end(p, PASS_DONE);
    else if (fed_wants_orphaning(object))
        pass_plan(p, fed_plan_orphan, orphaned);
    else
        pass_plan(p, fed_plan_delete, deletion_applied);
}

/* --- vanished --- */

/* An API server lets an object go that gets its finalizer in the very moment of its deletion: nothing would clean up after
 * it. The finalizer of a user who takes it away by hand is seen to go first, and an object that was lost otherwise (a host
 * restored from a backup) is older: what belongs to such objects is only let go. */
bool sync_vanished(const struct kube_object *last)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    int64_t created;

    if (last->deleting || json_parse(kube_object_body(last), &doc, NULL) < 0)
        return false;
    yyjson_val *root = yyjson_doc_get_root(doc);
    return fed_has_finalizer(root, FED_SYNC_FINALIZER) && !fed_wants_orphaning(root) &&
           time_parse_rfc3339(json_path_str(root, "metadata.creationTimestamp"), &created) == 0 &&
           time_wall_s() - created <= VANISHED_MAX_S;
}

static void remains_removed(struct pass *p)
{
    struct sync *s = p->sync;
    bool left = false;
    for (size_t i = 0; i < p->clusters->n; i++)
        left |= is_blocked(p, i) || is_failed(p, i) || is_remaining(p, i);
    if (!left)
        kube_object_unref(map_remove(&s->vanished, str_of(p->key)));
    pass_end(p, left ? PASS_RETRY : PASS_DONE);
}

void pass_remains(struct pass *p)
{
    log_verbose(1, "%s \"%s\" was deleted while it got its finalizer: its objects are removed",
                p->sync->type->federated.kind, p->key);
    p->deletion = true;
    drop_versions(p);
    pass_plan(p, fed_plan_delete, remains_removed);
}

/* --- without federated object --- */

void pass_orphan(struct pass *p)
{
    p->deletion = true;
    pass_plan(p, fed_plan_orphan, orphaned);
}
