/*
 * The end of a sync pass: remember the versions, write the status when it differs, decide what next (controllers.md 5.9, 6,
 * 5.14).
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "controllers/sync_internal.h"
#include "fed/names.h"
#include "fed/status.h"

/* --- versions --- */

/* Where objects were only scaled, the version that is recorded now is as good as the one before. */
static void note_versions(const struct pass *p, const struct fed_cluster_version *list, size_t n)
{
    _cleanup_free_ char *member_key = sync_member_key(p->sync, str_of(p->key));
    for (size_t i = 0; i < n; i++) {
        struct sync_member *m = sync_member_find(p->sync, list[i].cluster);
        if (m)
            sync_member_set_scaled(m, str_of(member_key), list[i].version);
    }
}

static void remember_versions(struct pass *p)
{
    struct sync *s = p->sync;
    size_t n = p->clusters->n;
    struct fed_cluster_version *list = mem_array(n, sizeof(*list));
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (p->plan->clusters[i].selected && p->results[i].version && p->results[i].version[0])
            list[kept++] = (struct fed_cluster_version){ p->views[i].name, str_of(p->results[i].version) };
    note_versions(p, list, kept);
    _cleanup_buf_ struct buf status = BUF_INIT(BUF_MAX_DEFAULT);
    fed_versions_encode(&status, str_of(p->plan->template_hash), str_of(p->plan->overrides_hash), list, kept);
    free(list);
    _cleanup_free_ char *name = fed_version_name(s->type, kube_object_name(p->object));
    _cleanup_free_ char *api_version = mem_printf("%s/%s", s->type->federated.group, s->type->federated.version);
    struct version_id id = { kube_object_ns(p->object), str_of(name), str_of(s->owner) };
    struct version_owner owner = { str_of(api_version), str_of(s->type->federated.kind), kube_object_name(p->object),
                                   kube_object_uid(p->object) };
    version_store_set(s->env->versions, &id, &owner, buf_str(&status));
}

/* --- status --- */

/* How many are to be tried again; conflicts: only those that lost against another write. */
static size_t count_retries(const struct pass *p, bool conflicts)
{
    size_t n = 0;
    for (size_t i = 0; i < p->clusters->n; i++) {
        const struct pass_result *r = &p->results[i];
        n += !r->blocked && !r->waiting && fed_status_is_recoverable(r->status) && (!conflicts || r->conflict);
    }
    return n;
}

/* Controllers in the members write status all the time: the first conflict is no reason to wait. */
static enum pass_outcome outcome_of(const struct pass *p)
{
    size_t n = count_retries(p, false);
    if (n == 0)
        return PASS_DONE;
    if (n > count_retries(p, true) || map_has(&p->sync->failing, str_of(p->key)))
        return PASS_RETRY;
    map_put(&p->sync->failing, str_of(p->key), p->sync);
    return PASS_AGAIN_SOON;
}

static void on_status(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct pass *p = arg;
    p->host_call = NULL;
    if (err && err->code == -ENOENT) {
        pass_end(p, PASS_DONE);
        return;
    }
    if (err) {
        log_warning("%s \"%s\": cannot write the status: %s", p->sync->type->federated.kind, p->key, error_msg(err));
        pass_end(p, error_http(err) == 409 ? PASS_AGAIN_SOON : PASS_RETRY);
        return;
    }
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (json_parse(resp->body, &doc, NULL) == 0)
        kube_informer_learn(p->sync->objects, yyjson_doc_get_root(doc));
    pass_end(p, p->outcome);
}

static void send_status(struct pass *p, yyjson_mut_doc *status)
{
    struct sync *s = p->sync;
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    fed_status_patch(&body, status);
    _cleanup_free_ char *path = kube_path(&s->federated, kube_object_ns(p->object), kube_object_name(p->object),
                                          STR("status"));
    struct kube_request req = {
        .method = "PATCH", .path = str_of(path), .body = buf_str(&body), .content_type = "application/merge-patch+json"
    };
    p->host_call = kube_call(s->env->host, &req, on_status, p);
}

/* The object changed while this pass ran: its status would describe the past. The next pass is queued already. */
static bool superseded(const struct pass *p)
{
    const struct kube_object *now = kube_informer_get(p->sync->objects, str_of(p->key));
    return !now || now->generation != p->object->generation || now->deleting ||
           !str_eq(kube_object_uid(now), kube_object_uid(p->object));
}

static yyjson_val *newest_status(struct pass *p)
{
    struct kube_object *now = kube_informer_get(p->sync->objects, str_of(p->key));
    if (now && now != p->object) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        if (json_parse(kube_object_body(now), &doc, NULL) == 0) {
            yyjson_doc_free(p->doc);
            p->doc = TAKE_PTR(doc);
        }
    }
    return json_get(yyjson_doc_get_root(p->doc), "status");
}

void pass_write_status(struct pass *p, enum pass_outcome outcome)
{
    _cleanup_free_ char *contested = p->deletion ? NULL : pass_contested(p);
    size_t n = p->clusters->n, used = 0;
    struct fed_status_cluster *list = mem_array(n, sizeof(*list));
    bool updated = false;
    for (size_t i = 0; i < n; i++) {
        struct pass_result *r = &p->results[i];
        updated |= r->wrote;
        if (r->status)
            list[used++] = (struct fed_status_cluster){ p->views[i].name, r->status,
                                                        r->remote ? yyjson_doc_get_root(r->remote) : NULL };
    }
    struct fed_status_input in = {
        .previous = newest_status(p),
        .generation = p->object->generation,
        .reason = p->plan->reason,
        .clusters = list,
        .n_clusters = used,
        .updated = updated,
        .contested = contested,
        .raw_status = p->input.raw_status,
        .now = time_wall_s(),
    };
    _cleanup_json_mut_ yyjson_mut_doc *status = NULL;
    bool changed = fed_status_make(&in, &status);
    free(list);
    p->outcome = outcome;
    if (changed)
        send_status(p, status);
    else
        pass_end(p, outcome);
}

void pass_finish(struct pass *p)
{
    if (kube_informer_get(p->sync->objects, str_of(p->key)))
        remember_versions(p);
    pass_measure_propagation(p);
    if (superseded(p))
        pass_end(p, outcome_of(p));
    else
        pass_write_status(p, outcome_of(p));
}
