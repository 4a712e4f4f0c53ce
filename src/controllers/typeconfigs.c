/*
 * See typeconfigs.h. One reconcile per FederatedTypeConfig, asynchronous where it writes: finalizer first, then the sync
 * controller is started, stopped or replaced, then the status is written when it differs.
 */
#include "controllers/typeconfigs.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "controllers/typeconfigs_rivals.h"
#include "fed/names.h"
#include "fed/plan.h"
#include "fed/service_status.h"
#include "kube/events.h"
#include "kube/workqueue.h"

#define COMPONENT "federatedtypeconfig-controller"

struct running {
    struct sync *sync;
    struct fed_type_config *type; /* what it was started with */
};

struct type_configs {
    const struct sync_env *env;
    struct kube_informer *informer;
    struct workqueue *queue;
    struct type_rivals rivals;
    struct map running; /* by FTC key: struct running; never two rivals */
    struct map calls;   /* by FTC key: struct step under way */
    bool leads;         /* and the FTCs were listed since */
};

/* One write to an FTC under way. */
struct step {
    struct type_configs *owner;
    char *key;
    struct kube_call *call;
    bool last; /* nothing follows a success */
};

static const struct kube_resource ftc_resource = { STR("core.kubefed.io"), STR("v1beta1"), STR("federatedtypeconfigs"),
                                                   true };

/* --- writes --- */

static void step_free(struct step *st)
{
    map_remove(&st->owner->calls, str_of(st->key));
    if (st->call)
        kube_call_cancel(st->call);
    free(st->key);
    free(st);
}

static void on_step(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct step *st = arg;
    struct type_configs *t = st->owner;
    st->call = NULL;
    _cleanup_free_ char *key = mem_strdup(st->key);
    bool last = st->last;
    step_free(st);
    if (!err) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        if (json_parse(resp->body, &doc, NULL) == 0)
            kube_informer_learn(t->informer, yyjson_doc_get_root(doc));
        workqueue_forget(t->queue, str_of(key));
        if (!last)
            workqueue_add(t->queue, str_of(key));
    } else if (err->code != -ENOENT) {
        log_warning("FederatedTypeConfig \"%s\": cannot write: %s", key, error_msg(err));
        if (error_http(err) == 409)
            workqueue_add_after(t->queue, str_of(key), 100);
        else
            workqueue_add_backoff(t->queue, str_of(key));
    }
    workqueue_done(t->queue, str_of(key));
}

static void patch(struct type_configs *t, const struct kube_object *o, const char *sub, struct str body, bool last)
{
    struct step *st = mem_zalloc(sizeof(*st));
    st->owner = t;
    st->key = str_dup(kube_object_key(o));
    st->last = last;
    map_put(&t->calls, kube_object_key(o), st);
    _cleanup_free_ char *path = kube_path(&ftc_resource, kube_object_ns(o), kube_object_name(o), str_of(sub));
    struct kube_request req = {
        .method = "PATCH", .path = str_of(path), .body = body, .content_type = "application/merge-patch+json"
    };
    st->call = kube_call(t->env->host, &req, on_step, st);
}

static void patch_finalizer(struct type_configs *t, const struct kube_object *o, yyjson_val *root, bool add)
{
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    fed_finalizer_patch(&body, root, FED_TYPE_CONFIG_FINALIZER, add);
    patch(t, o, NULL, buf_str(&body), !add);
}

/* --- sync controllers --- */

static void stop_type(struct type_configs *t, struct str key)
{
    struct running *r = map_get(&t->running, key);
    if (!r)
        return;
    log_info("Stopping controller for \"%" PRIstr "\"", STRARG(key));
    map_remove(&t->running, key); /* ends the life of a key that came from the map itself */
    sync_stop(r->sync);
    if (t->env->watcher)
        t->env->watcher->fn(t->env->watcher->arg, NULL, STR_NULL);
    fed_type_config_free(r->type);
    free(r);
}

static void start_type(struct type_configs *t, struct str key, const struct fed_type_config *type)
{
    struct running *r = mem_zalloc(sizeof(*r));
    r->type = fed_type_config_copy(type);
    r->sync = sync_start(t->env, type);
    map_put(&t->running, key, r);
}

static void enqueue_others(struct type_configs *t, struct str key)
{
    struct kube_object *o;
    for (size_t i = 0; kube_informer_next(t->informer, &i, &o);)
        if (!str_eq(kube_object_key(o), key))
            workqueue_add(t->queue, kube_object_key(o));
}

static int read_type(const struct kube_object *o, yyjson_doc **doc, struct fed_type_config **ret, struct error **err)
{
    int r = json_parse(kube_object_body(o), doc, err);
    return r < 0 ? r : fed_type_config_decode(yyjson_doc_get_root(*doc), ret, err);
}

/* The FTC `namespaces` tells where FederatedNamespaces live, propagated or not; a terminating one counts as absent, and so does
 * one that cannot be used. Follows it as it is in the cache, whoever is looked at, so that no type goes by what it said before; false:
 * there is none. */
static bool follow_namespaces(struct type_configs *t)
{
    _cleanup_free_ char *key = mem_printf("%s/%s", t->env->system_namespace, FED_NAMESPACES_FTC);
    const struct kube_object *o = kube_informer_get(t->informer, str_of(key));
    _cleanup_(fed_type_config_freep) struct fed_type_config *type = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (!o || o->deleting || read_type(o, &doc, &type, NULL) < 0)
        return false;
    if (namespaces_set_type(t->env->namespaces, type))
        enqueue_others(t, str_of(key));
    return true;
}

/* Cluster-scoped types are never run by a namespace-scoped control plane. */
static bool is_out_of_scope(const struct type_configs *t, const struct fed_type_config *type)
{
    return t->env->namespace_scoped && !type->target.namespaced;
}

enum wish {
    WISH_STOPPED,
    WISH_RUNNING,
    WISH_IMPOSSIBLE,
    WISH_INSTEAD, /* a rival goes first */
};

/* placeable: it is known where FederatedNamespaces are */
static enum wish wish_for(const struct type_configs *t, const struct fed_type_config *type, bool placeable)
{
    if (!type->propagation_enabled && !fed_type_collects_service_status(type, t->env->raw_status))
        return WISH_STOPPED;
    if (is_out_of_scope(t, type))
        return WISH_STOPPED;
    if (type_rivals_instead(&t->rivals, type))
        return WISH_INSTEAD;
    if (type->target.namespaced && !placeable)
        return WISH_IMPOSSIBLE;
    return WISH_RUNNING;
}

/* What has to give way may be looked at later than what it gives way to. */
static void stop_rivals(struct type_configs *t, const struct fed_type_config *type)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&t->running, &i, &e);)
        if (fed_type_config_rivals(((struct running *)e.val)->type, type))
            stop_type(t, e.key);
}

static void drive(struct type_configs *t, struct str key, const struct fed_type_config *type, enum wish wish)
{
    struct running *r = map_get(&t->running, key);
    if (wish != WISH_RUNNING) {
        stop_type(t, key);
        return;
    }
    if (r && fed_type_config_equal(r->type, type))
        return;
    if (r) {
        log_info("refreshing sync controller for \"%" PRIstr "\"", STRARG(key));
        stop_type(t, key);
    }
    stop_rivals(t, type);
    start_type(t, key, type);
}

/* Not before its FTC was seen as it is now: it may have been changed or deleted while we were behind. */
static void lead_type(const struct type_configs *t, struct str key)
{
    const struct running *r = t->leads ? map_get(&t->running, key) : NULL;
    if (r)
        sync_lead(r->sync);
}

static bool is_namespaces_key(const struct type_configs *t, struct str key)
{
    struct str ns, name;
    return str_cut(key, '/', &ns, &name) && str_eqc(ns, t->env->system_namespace) && str_eqc(name, FED_NAMESPACES_FTC);
}

/* Without namespace placement every namespaced object would count as placed nowhere: whatever depends on it is stopped
 * before it is forgotten. */
static void abandon_namespaces(struct type_configs *t, struct str key)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&t->running, &i, &e);)
        if (((struct running *)e.val)->type->target.namespaced)
            stop_type(t, e.key);
    (void)namespaces_set_type(t->env->namespaces, NULL);
    enqueue_others(t, key);
}

/* --- reconcile --- */

static void tell_unusable(const struct type_configs *t, const struct kube_object *o, const char *why)
{
    _cleanup_free_ char *text = mem_printf("It is not propagated: %s", why);
    const struct event_object on = { .api_version = STR("core.kubefed.io/v1beta1"),
                                     .kind = STR("FederatedTypeConfig"),
                                     .ns = kube_object_ns(o),
                                     .name = kube_object_name(o),
                                     .uid = kube_object_uid(o),
                                     .resource_version = kube_object_rv(o) };
    event_record(t->env->events, COMPONENT, &on, "Warning", "InvalidTypeConfig", str_of(text));
}

static void tell_rival(const struct type_configs *t, const struct kube_object *o, const struct fed_type_config *type)
{
    const struct fed_type_config *first = type_rivals_instead(&t->rivals, type);
    _cleanup_free_ char *contested = fed_type_config_contested(type, first);
    _cleanup_free_ char *why = mem_printf(
        "FederatedTypeConfig \"%s\" is for %s, too, and goes first. Disable or delete one of them", first->name,
        contested);
    log_warning("FederatedTypeConfig \"%s\" is not propagated: %s", type->name, why);
    tell_unusable(t, o, why);
}

/* Ends the reconcile. What is not as it should be is told when the status has yet to say so, hence once for each change. */
static void show_status(struct type_configs *t, const struct kube_object *o, yyjson_val *root,
                        const struct fed_type_config *type, enum wish wish)
{
    struct str key = kube_object_key(o);
    bool running = map_has(&t->running, key);
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    if (!t->leads ||
        !fed_type_config_status_patch(&body, root, o->generation, running && type->propagation_enabled,
                                      running && fed_type_collects_service_status(type, t->env->raw_status))) {
        workqueue_done(t->queue, key);
        return;
    }
    if (wish == WISH_INSTEAD)
        tell_rival(t, o, type);
    patch(t, o, "status", buf_str(&body), true);
}

static void reconcile_type(struct type_configs *t, struct kube_object *o, yyjson_val *root,
                           const struct fed_type_config *type)
{
    struct str key = kube_object_key(o);
    /* What this control plane never runs needs no clean-up either (controllers.md 3, step 2). */
    if (t->leads && !is_out_of_scope(t, type) && !fed_has_finalizer(root, FED_TYPE_CONFIG_FINALIZER)) {
        patch_finalizer(t, o, root, true);
        return;
    }
    enum wish wish = wish_for(t, type, follow_namespaces(t));
    drive(t, key, type, wish);
    lead_type(t, key);
    if (wish == WISH_IMPOSSIBLE) {
        log_warning("Unable to start sync controller for \"%s\" due to missing FederatedTypeConfig for namespaces",
                    type->federated.kind);
        workqueue_add_backoff(t->queue, key);
    }
    show_status(t, o, root, type, wish);
}

static void stop_and_forget(struct type_configs *t, struct str key)
{
    stop_type(t, key);
    if (is_namespaces_key(t, key))
        abandon_namespaces(t, key);
}

/* Whatever its spec says: nothing else may keep an FTC, and with it its namespace, from going. */
static void let_go(struct type_configs *t, const struct kube_object *o, yyjson_val *root)
{
    stop_and_forget(t, kube_object_key(o));
    if (t->leads && fed_has_finalizer(root, FED_TYPE_CONFIG_FINALIZER))
        patch_finalizer(t, o, root, false);
    else
        workqueue_done(t->queue, kube_object_key(o));
}

/* Told when its status has yet to say so, hence once for each change. */
static void refuse_type(struct type_configs *t, const struct kube_object *o, yyjson_val *root, const struct error *err)
{
    struct str key = kube_object_key(o);
    _cleanup_buf_ struct buf body = BUF_INIT(BUF_MAX_DEFAULT);
    log_error("FederatedTypeConfig \"%" PRIstr "\" cannot be used: %s. Correct it with kubectl edit", STRARG(key),
              error_msg(err));
    stop_and_forget(t, key);
    if (t->leads && fed_type_config_status_patch(&body, root, o->generation, false, false)) {
        tell_unusable(t, o, error_msg(err));
        patch(t, o, "status", buf_str(&body), true);
    } else {
        workqueue_done(t->queue, key);
    }
}

static void process(void *arg, struct str key)
{
    struct type_configs *t = arg;
    struct kube_object *o = kube_informer_get(t->informer, key);
    if (!o) {
        stop_and_forget(t, key);
        workqueue_done(t->queue, key);
        return;
    }
    _cleanup_(kube_object_unrefp) struct kube_object *held = kube_object_ref(o);
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *err = NULL;
    _cleanup_(fed_type_config_freep) struct fed_type_config *type = NULL;
    int r = read_type(held, &doc, &type, &err);
    yyjson_val *root = doc ? yyjson_doc_get_root(doc) : NULL;
    if (held->deleting)
        let_go(t, held, root);
    else if (r < 0)
        refuse_type(t, held, root, err);
    else
        reconcile_type(t, held, root, type);
}

static void enqueue(void *arg, struct str key)
{
    struct type_configs *t = arg;
    workqueue_add(t->queue, key);
}

/* At once, not when its turn comes: whoever is looked at first then knows of all the others. */
static void note_wish(struct type_configs *t, struct str key, const struct kube_object *now)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *type = NULL;
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (now && !now->deleting && read_type(now, &doc, &type, NULL) < 0 && doc)
        type = fed_type_config_claim(yyjson_doc_get_root(doc));
    bool wants = type && type->propagation_enabled && !is_out_of_scope(t, type);
    type_rivals_set(&t->rivals, key, wants ? TAKE_PTR(type) : NULL, enqueue, t);
}

static void on_change(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct type_configs *t = arg;
    struct str key = kube_object_key(kube_object_either(now, old));
    note_wish(t, key, now);
    workqueue_add(t->queue, key);
}

static void enqueue_all(struct type_configs *t)
{
    struct kube_object *o;
    for (size_t i = 0; kube_informer_next(t->informer, &i, &o);)
        workqueue_add(t->queue, kube_object_key(o));
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    struct type_configs *t = arg;
    if (err)
        log_warning("Failed to list FederatedTypeConfigs: %s", error_msg(err));
    if (state != KUBE_INFORMER_SYNCED)
        return;
    log_verbose(1, "FederatedTypeConfigs are known");
    if (!t->env->leading || t->leads)
        return;
    t->leads = true;
    enqueue_all(t);
}

struct type_configs *type_configs_start(const struct sync_env *env)
{
    struct type_configs *t = mem_zalloc(sizeof(*t));
    t->env = env;
    t->queue = workqueue_new(
        &(struct workqueue_config){ .loop = kube_client_loop(env->host),
                                    .max_active = 16,
                                    .process = process,
                                    .arg = t,
                                    .reconcile = &env->measures->controllers[MEASURED_TYPE_CONFIGS],
                                    .controller = measured_controllers[MEASURED_TYPE_CONFIGS] });
    _cleanup_free_ char *path = kube_path(&ftc_resource, str_of(env->system_namespace), STR_NULL, STR_NULL);
    t->informer = kube_informer_start(&(struct kube_informer_config){
        .client = env->host, .path = path, .on_change = on_change, .on_state = on_state, .arg = t });
    return t;
}

struct sync *type_configs_next(const struct type_configs *t, size_t *iter)
{
    struct map_entry e;
    return map_next(&t->running, iter, &e) ? ((const struct running *)e.val)->sync : NULL;
}

const struct workqueue *type_configs_queue(const struct type_configs *t)
{
    return t->queue;
}

static int rank(const struct fed_type_config *type)
{
    return strcmp(type->name, "deployments.apps") == 0 || strcmp(type->name, "replicasets.apps") == 0;
}

struct sync *type_configs_schedulable(const struct type_configs *t, struct str federated_kind)
{
    const struct running *best = NULL;
    struct map_entry e;
    for (size_t i = 0; map_next(&t->running, &i, &e);) {
        const struct running *r = e.val;
        if (!sync_is_schedulable(r->sync) || !str_eqc(federated_kind, r->type->federated.kind))
            continue;
        if (!best || rank(r->type) > rank(best->type) ||
            (rank(r->type) == rank(best->type) && strcmp(r->type->name, best->type->name) < 0))
            best = r;
    }
    return best ? best->sync : NULL;
}

bool type_configs_are_starting(const struct type_configs *t, struct str federated_kind)
{
    struct map_entry e;
    if (kube_informer_state(t->informer) == KUBE_INFORMER_LISTING || !workqueue_idle(t->queue))
        return true;
    for (size_t i = 0; map_next(&t->running, &i, &e);) {
        const struct running *r = e.val;
        if (str_eqc(federated_kind, r->type->federated.kind) && !sync_is_schedulable(r->sync) &&
            sync_is_starting(r->sync))
            return true;
    }
    return false;
}

void type_configs_lead(struct type_configs *t)
{
    struct map_entry e;
    log_info("Starting FederatedTypeConfig controller");
    kube_informer_renew(t->informer);
    for (size_t i = 0; map_next(&t->running, &i, &e);)
        sync_renew(((struct running *)e.val)->sync);
}

void type_configs_poke(struct type_configs *t)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&t->running, &i, &e);)
        sync_poke(((struct running *)e.val)->sync);
}

void type_configs_free(struct type_configs *t)
{
    if (!t)
        return;
    struct map_entry e;
    for (size_t i = 0; map_next(&t->calls, &i, &e);)
        step_free(e.val);
    for (size_t i = 0; map_next(&t->running, &i, &e);)
        stop_type(t, e.key);
    kube_informer_stop(t->informer);
    workqueue_free(t->queue);
    map_done(&t->calls);
    map_done(&t->running);
    type_rivals_done(&t->rivals);
    free(t);
}
