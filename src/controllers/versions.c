/*
 * See versions.h. One `struct record` per object, keyed "ns/name" or "name", holding the status as compact JSON.
 *
 * Writing: a changed record becomes dirty and joins the queue; at most MAX_WRITERS records are written at once. A record
 * that is known to exist gets a merge PATCH of its status (no resourceVersion to track, no conflicts); otherwise POST, then
 * the PATCH, since the status of a POST is ignored by the server. 404 on PATCH: created again. 409 on POST: it was left
 * by an object of the same name: its owner reference is corrected before the status. Forbidden (a terminating namespace)
 * gives up; anything else is tried again after a delay.
 */
#include "controllers/versions.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/rtime.h"
#include "fed/version.h"
#include "json/json.h"
#include "kube/informer.h"

#define MAX_WRITERS 8u
#define RETRY_INITIAL_MS 500u
#define RETRY_MAX_MS 30000u

enum write_step { STEP_NONE, STEP_POST, STEP_OWNER, STEP_STATUS };

/* What a write needs beyond the record; exists only while the record is dirty. */
struct pending {
    struct list link; /* in store->queue while waiting, in store->writing while under way */
    struct version_store *store;
    struct record *record;
    char *api_version, *kind, *name, *uid;
    struct kube_call *call;
    struct loop_timer retry;
    uint64_t retry_ms;
    enum write_step step;
    bool changed_meanwhile; /* the record changed while its PATCH was under way */
    bool fix_owner;         /* the stored owner reference names an object that is gone */
};

/* There are as many as objects: kept small, hence hashes of 31 and 32 bits instead of texts. */
struct record {
    uint32_t key_len, body_len;
    uint32_t owner;           /* hash of the owner's "<group>/<kind>"; 0: not known */
    uint32_t exists : 1;      /* known to be on the HOST */
    uint32_t loaded_uid : 31; /* hash of the owner's uid as it was loaded, until the first version_store_set; or 0 */
    char *body;               /* compact JSON of status */
    struct pending *pending;
    char key[];
};

/* Never 0. */
static uint32_t short_hash(struct str s)
{
    return (uint32_t)(str_hash(s) & INT32_MAX) | 1u;
}

struct version_store {
    struct version_store_config config;
    char *ns;
    struct set records;
    struct kube_informer *loaders[2]; /* namespaced kind, cluster kind; NULL once loaded */
    struct loop_task loaded_task[2];
    bool loaded[2];
    struct list queue; /* of pending */
    struct list writing;
    unsigned n_writing;
    size_t n_pending;
};

static struct str record_key(const void *elem)
{
    const struct record *r = elem;
    return str_n(r->key, r->key_len);
}

static void pending_free(struct pending *p)
{
    if (p->call)
        kube_call_cancel(p->call);
    loop_timer_stop(&p->retry);
    list_del(&p->link);
    free(p->api_version);
    free(p->kind);
    free(p->name);
    free(p->uid);
    free(p);
}

static void record_free(struct record *r)
{
    if (r->pending)
        pending_free(r->pending);
    free(r->body);
    free(r);
}

static char *id_key(const struct version_id *id)
{
    if (id->ns.n == 0)
        return str_dup(id->name);
    return mem_printf("%" PRIstr "/%" PRIstr, STRARG(id->ns), STRARG(id->name));
}

static bool is_anothers(const struct record *r, const struct version_id *id)
{
    return r->owner && r->owner != short_hash(id->owner);
}

/* Key of the record that is kept in memory because the name is another's. */
static char *spare_key(const struct version_id *id)
{
    _cleanup_free_ char *key = id_key(id);
    return mem_printf("%s\n%" PRIstr, key, STRARG(id->owner));
}

static struct record *record_find(const struct version_store *v, const struct version_id *id)
{
    _cleanup_free_ char *key = id_key(id);
    struct record *r = set_get(&v->records, str_of(key));
    if (!r || !is_anothers(r, id))
        return r;
    _cleanup_free_ char *spare = spare_key(id);
    return set_get(&v->records, str_of(spare));
}

static struct record *record_add(struct version_store *v, struct str key)
{
    struct record *r = mem_zalloc(sizeof(*r) + key.n + 1);
    if (key.n)
        memcpy(r->key, key.p, key.n);
    r->key_len = (uint32_t)key.n;
    set_put(&v->records, r);
    return r;
}

static void record_set_body(struct record *r, struct str body)
{
    free(r->body);
    r->body = str_dup(body);
    r->body_len = (uint32_t)body.n;
}

/* --- loading --- */

static void project_owner(yyjson_val *live, yyjson_mut_doc *out)
{
    yyjson_val *owner = yyjson_arr_get_first(json_path(live, "metadata.ownerReferences"));
    struct str group, version;
    if (!str_cut(json_path_str(owner, "apiVersion"), '/', &group, &version))
        return;
    _cleanup_free_ char *text = mem_printf("%" PRIstr "/%" PRIstr, STRARG(group), STRARG(json_path_str(owner, "kind")));
    json_mut_set_str(out, yyjson_mut_doc_get_root(out), "owner", str_of(text));
    json_mut_set_str(out, yyjson_mut_doc_get_root(out), "uid", json_path_str(owner, "uid"));
}

/* Keeps status and owner only. */
static void project_status(void *arg, yyjson_val *live, yyjson_mut_doc *out)
{
    (void)arg;
    yyjson_val *status = json_get(live, "status");
    if (status)
        json_mut_set(out, yyjson_mut_doc_get_root(out), "status", json_mut_copy(out, status));
    project_owner(live, out);
}

static void adopt_loaded(struct version_store *v, const struct kube_object *o)
{
    if (set_get(&v->records, kube_object_key(o)))
        return;
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (json_parse(kube_object_body(o), &doc, NULL) < 0)
        return;
    yyjson_val *status = json_get(yyjson_doc_get_root(doc), "status");
    struct str owner = json_path_str(yyjson_doc_get_root(doc), "owner");
    struct record *r = record_add(v, kube_object_key(o));
    r->exists = true;
    r->owner = owner.n ? short_hash(owner) : 0;
    struct str uid = json_path_str(yyjson_doc_get_root(doc), "uid");
    r->loaded_uid = uid.n ? short_hash(uid) & INT32_MAX : 0;
    _cleanup_buf_ struct buf text = BUF_INIT(BUF_MAX_DEFAULT);
    if (status && json_write(&text, status) == 0)
        record_set_body(r, buf_str(&text));
}

/* Outside the informer's callback, since the informer ends here. */
static void finish_loading(void *arg, size_t which)
{
    struct version_store *v = arg;
    if (!v->loaders[which])
        return;
    struct kube_object *o;
    for (size_t i = 0; kube_informer_next(v->loaders[which], &i, &o);)
        adopt_loaded(v, o);
    kube_informer_stop(v->loaders[which]);
    v->loaders[which] = NULL;
    v->loaded[which] = true;
    if (v->loaded[0] && v->loaded[1])
        v->config.on_loaded(v->config.arg);
}

static void finish_namespaced(void *arg)
{
    finish_loading(arg, 0);
}
static void finish_cluster(void *arg)
{
    finish_loading(arg, 1);
}

static void on_loader_state(struct version_store *v, size_t which, enum kube_informer_state state,
                            const struct error *err)
{
    if (state == KUBE_INFORMER_SYNCED)
        loop_defer(kube_client_loop(v->config.client), &v->loaded_task[which],
                   which == 0 ? finish_namespaced : finish_cluster, v);
    else if (err)
        log_warning("Failed to list propagated versions: %s", error_msg(err));
}

static void on_namespaced_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    on_loader_state(arg, 0, state, err);
}

static void on_cluster_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    on_loader_state(arg, 1, state, err);
}

static const struct kube_resource pv_resource = { STR("core.kubefed.io"), STR("v1alpha1"), STR("propagatedversions"),
                                                  true };
static const struct kube_resource cpv_resource = { STR("core.kubefed.io"), STR("v1alpha1"),
                                                   STR("clusterpropagatedversions"), false };

struct version_store *version_store_start(const struct version_store_config *config)
{
    struct version_store *v = mem_zalloc(sizeof(*v));
    v->config = *config;
    v->ns = str_dup(config->ns);
    v->records = SET_INIT(record_key);
    list_init(&v->queue);
    list_init(&v->writing);
    v->loaded[1] = !str_empty(
        config->ns); /* a control plane of one namespace has no types without, nor the right to look */
    for (size_t i = 0; i < 2 && !v->loaded[i]; i++) {
        _cleanup_free_ char *path = kube_path(i == 0 ? &pv_resource : &cpv_resource, i == 0 ? str_of(v->ns) : STR_NULL,
                                              STR_NULL, STR_NULL);
        v->loaders[i] = kube_informer_start(&(struct kube_informer_config){
            .client = config->client,
            .path = path,
            .newest = true, /* who led before may have written a moment ago */
            .project = project_status,
            .on_state = i == 0 ? on_namespaced_state : on_cluster_state,
            .arg = v,
        });
    }
    return v;
}

void version_store_free(struct version_store *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < 2; i++) {
        kube_informer_stop(v->loaders[i]);
        loop_task_cancel(&v->loaded_task[i]);
    }
    void *r;
    for (size_t i = 0; set_next(&v->records, &i, &r);)
        record_free(r);
    set_done(&v->records);
    free(v->ns);
    free(v);
}

bool version_store_loaded(const struct version_store *v)
{
    return v->loaded[0] && v->loaded[1];
}

size_t version_store_pending(const struct version_store *v)
{
    return v->n_pending;
}

/* --- writing --- */

static void write_next(struct version_store *v);
static void write_step(struct pending *p);

static void pending_finish(struct pending *p)
{
    struct version_store *v = p->store;
    p->record->pending = NULL;
    p->call = NULL;
    v->n_writing--;
    v->n_pending--;
    pending_free(p);
    write_next(v);
}

static void on_retry(void *arg)
{
    write_step(arg);
}

static void retry_later(struct pending *p, const struct error *err)
{
    p->retry_ms = p->retry_ms ? MIN(p->retry_ms * 2, (uint64_t)RETRY_MAX_MS) : RETRY_INITIAL_MS;
    log_verbose(2, "Failed to store version of %s: %s; next try in %llu ms", p->record->key, error_msg(err),
                (unsigned long long)p->retry_ms);
    loop_timer_start(kube_client_loop(p->store->config.client), &p->retry, p->retry_ms, on_retry, p);
}

static void on_written(void *arg, const struct kube_response *resp, const struct error *err)
{
    (void)resp;
    struct pending *p = arg;
    p->call = NULL;
    if (err && err->code == -ECANCELED)
        return; /* the client is going away, and so are we */
    if (err && err->code == -EACCES) {
        pending_finish(p);
        return;
    }
    if (err && p->step == STEP_POST && err->code == -EEXIST) {
        p->step = STEP_OWNER;
    } else if (err && p->step != STEP_POST && err->code == -ENOENT) {
        p->record->exists = false;
        p->step = STEP_POST;
    } else if (err && p->step == STEP_POST && err->code == -ENOENT) {
        pending_finish(p); /* the namespace is gone, and with it the federated object */
        return;
    } else if (err) {
        retry_later(p, err);
        return;
    } else if (p->step != STEP_STATUS || p->changed_meanwhile) {
        p->record->exists = true;
        p->step = STEP_STATUS;
    } else {
        pending_finish(p);
        return;
    }
    write_step(p);
}

static void add_owner(yyjson_mut_doc *doc, yyjson_mut_val *metadata, const struct pending *p)
{
    yyjson_mut_val *refs = yyjson_mut_arr(doc);
    yyjson_mut_val *ref = yyjson_mut_arr_add_obj(doc, refs);
    json_mut_set_str(doc, ref, "apiVersion", str_of(p->api_version));
    json_mut_set_str(doc, ref, "kind", str_of(p->kind));
    json_mut_set_str(doc, ref, "name", str_of(p->name));
    json_mut_set_str(doc, ref, "uid", str_of(p->uid));
    json_mut_set(doc, metadata, "ownerReferences", refs);
}

static int write_object(struct buf *out, const struct pending *p, bool whole, struct str ns, struct str name)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    if (whole) {
        json_mut_set_str(doc, root, "apiVersion", STR("core.kubefed.io/v1alpha1"));
        json_mut_set_str(doc, root, "kind", ns.n ? STR("PropagatedVersion") : STR("ClusterPropagatedVersion"));
    }
    yyjson_mut_val *metadata = json_mut_ensure_obj(doc, root, "metadata");
    if (whole) {
        json_mut_set_str(doc, metadata, "name", name);
        if (ns.n)
            json_mut_set_str(doc, metadata, "namespace", ns);
    }
    add_owner(doc, metadata, p);
    return json_mut_write(out, root);
}

/* A merge patch keeps what it does not name: an omitted list must be named as null. */
static void write_status(struct buf *out, struct str status)
{
    buf_addz(out, "{\"status\":{");
    if (!str_contains(status, STR("\"clusterVersions\"")))
        buf_addz(out, "\"clusterVersions\":null,");
    buf_adds(out, str_n(status.p + 1, status.n - 1));
    buf_addc(out, '}');
}

static void write_step(struct pending *p)
{
    struct version_store *v = p->store;
    struct str ns, name;
    if (!str_cut(record_key(p->record), '/', &ns, &name)) {
        name = ns;
        ns = STR_NULL;
    }
    const struct kube_resource *res = ns.n ? &pv_resource : &cpv_resource;
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    struct kube_request req = { .method = "PATCH",
                                .content_type = "application/merge-patch+json",
                                .priority = KUBE_PRIO_BACKGROUND };
    _cleanup_free_ char *path = NULL;
    if (p->step == STEP_POST) {
        req.method = "POST";
        req.content_type = NULL;
        path = kube_path(res, ns, STR_NULL, STR_NULL);
        write_object(&body, p, true, ns, name);
    } else if (p->step == STEP_OWNER) {
        path = kube_path(res, ns, name, STR_NULL);
        write_object(&body, p, false, ns, name);
    } else {
        p->changed_meanwhile = false;
        path = kube_path(res, ns, name, STR("status"));
        write_status(&body, str_n(p->record->body, p->record->body_len));
    }
    req.path = str_of(path);
    req.body = buf_str(&body);
    p->call = kube_call(v->config.client, &req, on_written, p);
}

static void write_next(struct version_store *v)
{
    while (v->n_writing < MAX_WRITERS && !list_empty(&v->queue)) {
        struct pending *p = list_entry(list_pop(&v->queue), struct pending, link);
        list_add_tail(&v->writing, &p->link);
        v->n_writing++;
        p->step = !p->record->exists ? STEP_POST : p->fix_owner ? STEP_OWNER : STEP_STATUS;
        write_step(p);
    }
}

/* --- access --- */

struct str version_store_get(const struct version_store *v, const struct version_id *id)
{
    struct record *r = record_find(v, id);
    return r && r->body ? str_n(r->body, r->body_len) : STR_NULL;
}

/* The server gives members back in an order of its own. */
static bool same_status(struct str a, struct str b)
{
    _cleanup_json_ yyjson_doc *x = NULL, *y = NULL;
    _cleanup_(fed_versions_freep) struct fed_versions *v = NULL, *w = NULL;

    if (str_eq(a, b))
        return true;
    if (json_parse(a, &x, NULL) < 0 || json_parse(b, &y, NULL) < 0)
        return false;
    v = fed_versions_decode(yyjson_doc_get_root(x));
    w = fed_versions_decode(yyjson_doc_get_root(y));
    return fed_versions_equal(v, w);
}

void version_store_set(struct version_store *v, const struct version_id *id, const struct version_owner *owner,
                       struct str status)
{
    _cleanup_free_ char *key = id_key(id);
    struct record *r = set_get(&v->records, str_of(key));
    bool spare = r && is_anothers(r, id);
    if (spare) {
        free(key);
        key = spare_key(id);
        r = set_get(&v->records, str_of(key));
    }
    /* Made anew since the record was stored: the garbage collector would take the record along with its old owner. */
    bool fix_owner = r && r->loaded_uid && r->loaded_uid != short_hash(owner->uid);
    bool same = r && r->body && same_status(str_n(r->body, r->body_len), status);
    if (!r)
        r = record_add(v, str_of(key));
    r->owner = short_hash(id->owner);
    r->loaded_uid = 0;
    if (!same || !str_eq(str_n(r->body, r->body_len), status))
        record_set_body(r, status);
    if ((same && !fix_owner) || spare)
        return;
    if (r->pending) {
        r->pending->changed_meanwhile = true;
        return;
    }
    struct pending *p = mem_zalloc(sizeof(*p));
    p->store = v;
    p->record = r;
    p->api_version = str_dup(owner->api_version);
    p->kind = str_dup(owner->kind);
    p->name = str_dup(owner->name);
    p->uid = str_dup(owner->uid);
    p->fix_owner = fix_owner;
    r->pending = p;
    v->n_pending++;
    list_add_tail(&v->queue, &p->link);
    write_next(v);
}

void version_store_drop(struct version_store *v, const struct version_id *id)
{
    struct record *r = record_find(v, id);
    if (!r)
        return;
    set_remove(&v->records, record_key(r));
    if (r->pending) {
        bool under_way = r->pending->step != STEP_NONE;
        v->n_pending--;
        if (under_way)
            v->n_writing--;
    }
    record_free(r);
    write_next(v);
}
