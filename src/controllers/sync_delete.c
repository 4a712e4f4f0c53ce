/*
 * Deletion of a federated object, and member objects without a federated object (controllers.md 5.11). The finalizer goes
 * only when every member is known to be clean: its labelled object was seen to go, or the member was asked and has none.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "controllers/sync_internal.h"
#include "fed/names.h"
#include "fed/status.h"

/* How old an object may be of which sync_vanished is said. */
#define VANISHED_MAX_S 60
/* A removal that takes longer than this is shown in the status. */
#define REMAINING_SHOWN_S 10
#define NOT_READY_MESSAGE "the following clusters were not ready: "

static void drop_versions(const struct pass *p)
{
    _cleanup_free_ char *name = fed_version_name(p->sync->type, kube_object_name(p->object));
    struct version_id id = { kube_object_ns(p->object), str_of(name), str_of(p->sync->owner) };
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

/* --- names --- */

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
    return p->plan->clusters[i].blocks && !p->left_behind[i];
}

static bool is_remaining(const struct pass *p, size_t i)
{
    const char *status = p->results[i].status;
    return status && strcmp(status, FED_STATUS_WAITING_FOR_REMOVAL) == 0;
}

static bool is_failed(const struct pass *p, size_t i)
{
    const char *status = p->results[i].status;
    return status && status[0] && !is_remaining(p, i) && !p->plan->clusters[i].blocks && !p->left_behind[i];
}

static bool is_left_behind(const struct pass *p, size_t i)
{
    return p->left_behind[i];
}

static bool holds_up(const struct pass *p, size_t i)
{
    return is_blocked(p, i) || is_failed(p, i) || is_remaining(p, i);
}

/* --- members that cannot be reached (docs/propagation.md) --- */

/* Puts the removal off where that is due; says when it will be for the next of the others, or FED_WAIT_FOR_EVER. */
static int64_t leave_behind(struct pass *p)
{
    int64_t now = time_wall_s(), next = FED_WAIT_FOR_EVER;
    for (size_t i = 0; i < p->clusters->n; i++) {
        if (!is_blocked(p, i) && !is_failed(p, i))
            continue;
        p->left_behind[i] = p->plan->clusters[i].leave_at <= now;
        if (!p->left_behind[i])
            next = MIN(next, p->plan->clusters[i].leave_at);
    }
    return next;
}

static void announce(struct pass *p, const char *names)
{
    _cleanup_free_ char *message = mem_printf(
        "Waiting for managed resources to be removed from the following clusters: %s", names);
    pass_event(p, "Normal", "WaitForRemovalInCluster", str_of(message));
}

/* The status was written since the deletion, which is a generation of its own (Kubernetes, markAsDeleting), and says what is missing. */
static bool is_told(const struct pass *p)
{
    yyjson_val *object = yyjson_doc_get_root(p->doc);
    return json_path_i64(object, "status.observedGeneration", 0) == p->object->generation &&
           fed_status_shows_propagation(object, "False");
}

/* Something is still there or unknown: the status says where, and the pass comes again. */
static void hold(struct pass *p, int64_t next)
{
    _cleanup_free_ char *names = name_list(p, holds_up);
    int64_t now = time_wall_s();
    if (names && !is_told(p))
        announce(p, names); /* said once, not with every attempt */
    if (next != FED_WAIT_FOR_EVER)
        workqueue_add_after(p->sync->queue, str_of(p->key), (uint64_t)MAX(next - now, (int64_t)1) * 1000);
    pass_write_status(p, PASS_RETRY);
}

static struct fed_removal *removal_of(const struct pass *p, size_t i)
{
    struct cluster *c = clusters_find(p->sync->env->clusters, str_of(p->clusters->v[i].name));
    struct fed_removal *entry = mem_zalloc(sizeof(*entry));
    entry->type = mem_strdup(p->sync->removals_of);
    entry->key = mem_strdup(p->key);
    entry->uid = str_dup(p->views[i].obj ? p->views[i].obj->uid : STR(""));
    entry->cluster_uid = str_dup(c ? kube_object_uid(c->object) : STR(""));
    (void)fed_delete_options(yyjson_doc_get_root(p->doc), &entry->options, NULL);
    entry->since = time_wall_s();
    return entry;
}

static void on_remembered(void *arg, const struct error *err)
{
    struct pass *p = arg;
    _cleanup_free_ char *names = name_list(p, is_left_behind);
    if (!err) {
        _cleanup_free_ char *message = mem_printf(
            "Left behind in clusters that cannot be reached: %s; removed there when they return", names);
        log_warning("%s \"%s\": %s", p->sync->type->federated.kind, p->key, message);
        pass_event(p, "Warning", "LeftInUnreachableCluster", str_of(message));
        remove_finalizer(p);
        return;
    }
    log_warning("%s \"%s\": its removal from %s cannot be put off: %s", p->sync->type->federated.kind, p->key, names,
                error_msg(err));
    for (size_t i = 0; i < p->clusters->n; i++)
        if (p->left_behind[i])
            sync_removal_drop(p->sync, str_of(p->clusters->v[i].name), str_of(p->key));
    pass_end(p, PASS_RETRY);
}

/* Every member that answered is clean: what is put off must be remembered before the finalizer goes. */
static void conclude(struct pass *p)
{
    bool any = false;
    for (size_t i = 0; i < p->clusters->n; i++) {
        if (!p->left_behind[i])
            continue;
        any = true;
        removals_put(p->sync->env->removals, str_of(p->clusters->v[i].name), removal_of(p, i));
    }
    if (!any) {
        remove_finalizer(p);
        return;
    }
    p->stored = (struct removals_waiter){ .fn = on_remembered, .arg = p };
    removals_store(p->sync->env->removals, &p->stored);
}

/* --- removals that were put off --- */

static bool is_done(const struct pass *p, size_t i)
{
    return p->views[i].removal && p->views[i].ready && p->views[i].store_ready && !is_failed(p, i) &&
           !is_remaining(p, i);
}

/* The federated object is gone and every member that can be asked has answered. */
static void settle_removals(struct pass *p)
{
    bool left = false;
    for (size_t i = 0; i < p->clusters->n; i++) {
        left |= is_blocked(p, i) || is_failed(p, i);
        if (!is_done(p, i))
            continue;
        log_info("%s \"%s\": its removal from cluster \"%s\", which was put off, is done",
                 p->sync->type->federated.kind, p->key, p->clusters->v[i].name);
        sync_removal_drop(p->sync, str_of(p->clusters->v[i].name), str_of(p->key));
    }
    pass_end(p, left ? PASS_RETRY : PASS_DONE);
}

/* --- verification --- */

static void verified(struct pass *p)
{
    int64_t next = p->still_there ? leave_behind(p) : FED_WAIT_FOR_EVER;
    _cleanup_free_ char *left = name_list(p, holds_up);
    if (left)
        hold(p, next);
    else
        conclude(p);
}

/* Clusters whose object this very pass saw go need no question. */
static bool is_asked(const struct pass *p, size_t i)
{
    return p->plan->clusters[i].selected && !p->left_behind[i];
}

/* --- deletion --- */

/* A member takes its time (finalizers of others, a namespace with content). Who waits for long sees it in the status. */
static void recheck(struct pass *p, const char *remaining)
{
    int64_t since = time_wall_s();
    (void)time_parse_rfc3339(json_path_str(yyjson_doc_get_root(p->doc), "metadata.deletionTimestamp"), &since);
    announce(p, remaining);
    if (time_wall_s() - since >= REMAINING_SHOWN_S)
        pass_write_status(p, PASS_RECHECK);
    else
        pass_end(p, PASS_RECHECK);
}

static void deletion_applied(struct pass *p)
{
    int64_t next = leave_behind(p);
    _cleanup_free_ char *blocked = name_list(p, is_blocked);
    _cleanup_free_ char *failed = name_list(p, is_failed);
    _cleanup_free_ char *remaining = name_list(p, is_remaining);
    if (blocked) {
        log_warning("Deletion of %s \"%s\" waits: " NOT_READY_MESSAGE "%s", p->sync->type->federated.kind, p->key,
                    blocked);
        hold(p, next);
    } else if (failed) {
        log_warning("Deletion of %s \"%s\" failed in: %s", p->sync->type->federated.kind, p->key, failed);
        hold(p, next);
    } else if (remaining) {
        recheck(p, remaining);
    } else {
        pass_verify(p, is_asked, verified);
    }
}

/* Nothing holds a federated object that asks for orphaning (5.11 step 3): where the label could not be removed now, the pass
 * for the object that is gone removes it as soon as the member can be reached. */
static void orphaned(struct pass *p)
{
    _cleanup_free_ char *blocked = name_list(p, is_blocked);
    _cleanup_free_ char *failed = name_list(p, is_failed);
    if (blocked || failed)
        log_warning("%s \"%s\": the managed label could not be removed in: %s%s%s", p->sync->type->federated.kind,
                    p->key, blocked ? blocked : "", blocked && failed ? ", " : "", failed ? failed : "");
    if (p->object)
        remove_finalizer(p);
    else
        pass_verify(p, is_done, settle_removals); /* a cache may not show what was created when its member was lost */
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

/* Whether what is there is to be removed or only to be let go is not known before the removals are: sync_poke brings it back. */
void pass_orphan(struct pass *p)
{
    if (!removals_loaded(p->sync->env->removals)) {
        pass_end(p, PASS_DONE);
        return;
    }
    p->deletion = true;
    pass_plan(p, fed_plan_orphan, orphaned);
}
