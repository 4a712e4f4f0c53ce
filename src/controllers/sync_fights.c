/*
 * Repairs of what somebody else changed in a member, and fights (docs/propagation.md): when repairs.h makes a repair wait for
 * the first time, the live object is read once, to say which field is contested by whom. The answer goes into events, the
 * status and the metrics.
 */
#include <stdlib.h>

#include "base/exposition.h"
#include "base/log.h"
#include "base/rtime.h"
#include "controllers/sync_internal.h"
#include "fed/contest.h"
#include "fed/names.h"

/* Series of the metric per type; what is more is counted together. */
#define SERIES_MAX 100u
/* A condition's text is for people. */
#define TEXT_MAX ((size_t)1024)

/* One look at a live object. */
struct look {
    struct sync *sync;
    char *key, *cluster;
    struct fed_body *desired;
    struct kube_call *call;
};

/* An update that changed nothing, since admission in the member made of it what was there before. */
struct settled {
    uint64_t hash; /* of the body, which carries the resourceVersion */
    struct fed_contest contest;
};

static void settled_free(void *p)
{
    struct settled *settled = p;
    fed_contest_done(&settled->contest);
    free(settled);
}

/* --- looking --- */

static char *look_id(struct str cluster, struct str key)
{
    return mem_printf("%" PRIstr "\n%" PRIstr, STRARG(cluster), STRARG(key));
}

static void look_free(struct look *l)
{
    _cleanup_free_ char *id = look_id(str_of(l->cluster), str_of(l->key));
    map_remove(&l->sync->looks, str_of(id));
    if (l->call)
        kube_call_cancel(l->call);
    fed_body_unref(l->desired);
    free(l->key);
    free(l->cluster);
    free(l);
}

void sync_fights_stop(struct sync *s)
{
    struct map_entry e;
    for (size_t i = 0; map_next(&s->looks, &i, &e);)
        look_free(e.val);
    map_done(&s->looks);
    map_done_values(&s->settled, settled_free);
    repairs_done(&s->repairs);
}

static void announce(struct sync *s, struct str cluster, struct str key, const struct fed_contest *contest,
                     const char *consequence)
{
    struct kube_object *o = kube_informer_get(s->objects, key);
    _cleanup_free_ char *who = contest->manager[0] ? mem_printf(" (manager \"%s\")", contest->manager) : mem_strdup("");
    _cleanup_free_ char *target = sync_member_key(s, key);
    _cleanup_free_ char *message = mem_printf(
        "Another writer in cluster \"%" PRIstr "\" changes %s of %s \"%s\" again and again%s; %s", STRARG(cluster),
        contest->field, s->type->target.kind, target, who, consequence);
    log_warning("%s", message);
    if (o)
        sync_event(s, o, "Warning", "FieldContested", str_of(message));
}

static void explain(const struct look *l, yyjson_val *live)
{
    _cleanup_json_ yyjson_doc *desired = NULL;
    _cleanup_(fed_contest_done) struct fed_contest contest = { 0 };
    if (json_parse(fed_body_str(l->desired), &desired, NULL) < 0)
        return;
    if (!live)
        contest = (struct fed_contest){ mem_strdup("the whole object"), mem_strdup("") };
    else if (!fed_contest_find(yyjson_doc_get_root(desired), live, STR(KUBE_FIELD_MANAGER), &contest))
        return;
    announce(l->sync, str_of(l->cluster), str_of(l->key), &contest, "it is repaired ever more slowly");
    repairs_explain(&l->sync->repairs, str_of(l->cluster), str_of(l->key), &contest);
    sync_enqueue(l->sync, str_of(l->key));
}

static void on_live(void *arg, const struct kube_response *resp, const struct error *err)
{
    struct look *l = arg;
    _cleanup_json_ yyjson_doc *doc = NULL;
    l->call = NULL;
    if (err && err->code == -ENOENT)
        explain(l, NULL);
    else if (!err && json_parse(resp->body, &doc, NULL) == 0)
        explain(l, yyjson_doc_get_root(doc));
    look_free(l);
}

static void look_at(struct sync *s, struct str cluster, struct str key, const struct fed_op *op)
{
    struct cluster *c = clusters_find(s->env->clusters, cluster);
    _cleanup_free_ char *id = look_id(cluster, key);
    if (!c || !c->client || map_has(&s->looks, str_of(id)))
        return;
    struct look *l = mem_zalloc(sizeof(*l));
    l->sync = s;
    l->key = str_dup(key);
    l->cluster = str_dup(cluster);
    l->desired = fed_body_ref(op->body);
    map_put(&s->looks, str_of(id), l);
    _cleanup_free_ char *path = sync_target_path(s, key, false);
    struct kube_request req = { .method = "GET", .path = str_of(path), .timeout_ms = MEMBER_TIMEOUT_MS };
    l->call = kube_call(c->client, &req, on_live, l);
}

/* --- updates that change nothing --- */

void sync_settle(struct sync *s, const struct sync_member *m, struct str key, struct fed_body *body, yyjson_val *live)
{
    if (!body && map_count(&s->settled) == 0)
        return;
    _cleanup_free_ char *id = look_id(str_of(m->name), key), *member_key = sync_member_key(s, key);
    _cleanup_json_ yyjson_doc *desired = NULL;
    const struct kube_object *cached = kube_informer_get(m->informer, str_of(member_key));
    bool same = body && cached && str_eq(kube_object_rv(cached), json_path_str(live, "metadata.resourceVersion"));
    if (!same) {
        struct settled *old = map_count(&s->settled) ? map_remove(&s->settled, str_of(id)) : NULL;
        if (old)
            settled_free(old);
        return;
    }
    struct settled *settled = mem_zalloc(sizeof(*settled));
    settled->hash = str_hash(fed_body_str(body));
    if (json_parse(fed_body_str(body), &desired, NULL) == 0 &&
        fed_contest_find(yyjson_doc_get_root(desired), live, STR(KUBE_FIELD_MANAGER), &settled->contest))
        announce(s, str_of(m->name), key, &settled->contest, "it is left so");
    struct settled *old = map_put(&s->settled, str_of(id), settled);
    if (old)
        settled_free(old);
}

void sync_unsettle(struct sync *s, struct str cluster)
{
    struct map_entry e;
    struct str name, key;
    for (size_t i = 0; map_next(&s->settled, &i, &e);)
        if (str_cut(e.key, '\n', &name, &key) && str_eq(name, cluster))
            settled_free(map_remove(&s->settled, e.key));
}

static const struct settled *find_settled(const struct sync *s, struct str cluster, struct str key)
{
    if (map_count(&s->settled) == 0)
        return NULL;
    _cleanup_free_ char *id = look_id(cluster, key);
    return map_get(&s->settled, str_of(id));
}

/* This very update was sent and changed nothing: sending it again would not either. */
static bool leave_settled(struct pass *p, const struct fed_op *op)
{
    struct pass_result *r = &p->results[op->cluster];
    const struct fed_member_obj *obj = p->views[op->cluster].obj;
    const struct settled *settled = find_settled(p->sync, p->views[op->cluster].name, str_of(p->key));
    if (!settled || op->kind != FED_OP_UPDATE || !obj || settled->hash != str_hash(fed_body_str(op->body)))
        return false;
    r->blocked = true;
    r->status = FED_STATUS_OK;
    free(r->version);
    r->version = fed_version_of(obj->generation, obj->resource_version);
    return true;
}

/* --- repairs --- */

/* The template and overrides are in place there already, so that somebody else must have changed or removed the object. */
static bool is_repair(const struct pass *p, const struct fed_op *op)
{
    return (op->kind == FED_OP_UPDATE || op->kind == FED_OP_CREATE) && p->versions &&
           fed_versions_get(p->versions, p->views[op->cluster].name).n > 0 &&
           fed_versions_match(p->versions, str_of(p->plan->template_hash), str_of(p->plan->overrides_hash));
}

void pass_mark_fights(struct pass *p)
{
    struct sync *s = p->sync;
    for (size_t i = 0; i < p->plan->n_ops; i++) {
        const struct fed_op *op = &p->plan->ops[i];
        struct str cluster = p->views[op->cluster].name;
        struct pass_result *r = &p->results[op->cluster];
        uint64_t now = time_mono_ms(), peace;
        if (r->blocked || leave_settled(p, op) || !is_repair(p, op))
            continue;
        uint64_t wait = repairs_ask(&s->repairs, cluster, str_of(p->key), now);
        if (!wait)
            continue;
        r->blocked = true;
        r->status = op->kind == FED_OP_UPDATE ? FED_STATUS_UPDATE_FAILED : FED_STATUS_CREATION_FAILED;
        workqueue_add_after(s->queue, str_of(p->key), wait);
        if (!repairs_contest(&s->repairs, cluster, str_of(p->key), now, &peace))
            look_at(s, cluster, str_of(p->key), op);
        log_verbose(
            1, "%s \"%s\", cluster \"%" PRIstr "\": another writer changes it again and again; repaired in %llu ms",
            s->type->federated.kind, p->key, STRARG(cluster), (unsigned long long)wait);
    }
}

/* --- telling --- */

static void add_contest(struct buf *text, struct str cluster, const struct fed_contest *c)
{
    buf_printf(text, "%s%" PRIstr ": %s", text->n ? "; " : "", STRARG(cluster), c->field);
    if (c->manager[0])
        buf_printf(text, " (manager \"%s\")", c->manager);
}

char *pass_contested(struct pass *p)
{
    _cleanup_buf_ struct buf text = BUF_INIT(TEXT_MAX);
    uint64_t now = time_mono_ms(), peace, first = UINT64_MAX;
    for (size_t i = 0; i < p->clusters->n; i++) {
        const struct fed_contest *c = repairs_contest(&p->sync->repairs, p->views[i].name, str_of(p->key), now, &peace);
        const struct settled *settled = c ? NULL : find_settled(p->sync, p->views[i].name, str_of(p->key));
        if (c)
            first = MIN(first, peace);
        else if (settled && settled->contest.field)
            c = &settled->contest;
        if (c)
            add_contest(&text, p->views[i].name, c);
    }
    if (first != UINT64_MAX) /* then the condition goes */
        workqueue_add_after(p->sync->queue, str_of(p->key), first + 1);
    if (buf_failed(&text))
        return mem_strdup("fields in many clusters");
    return text.n ? buf_take(&text, NULL) : NULL;
}

struct series {
    struct map *counts; /* by labels: number of objects, as a pointer */
    const char *kind;
    size_t n; /* that this type has added */
};

static void count_contest(void *arg, struct str cluster, const struct fed_contest *contest)
{
    struct series *series = arg;
    struct buf labels = BUF_INIT((size_t)4096);
    metric_label(&labels, "kind", str_of(series->kind));
    metric_label(&labels, "cluster", cluster);
    metric_label(&labels, "field", str_of(contest->field));
    metric_label(&labels, "manager", str_of(contest->manager));
    bool failed = buf_failed(&labels);
    _cleanup_free_ char *id = buf_take(&labels, NULL);
    if (failed || (!map_has(series->counts, str_of(id)) && series->n >= SERIES_MAX)) {
        free(id);
        id = metric_labels("kind", series->kind, "cluster", "other", "field", "other", "manager", "other");
    }
    series->n += !map_has(series->counts, str_of(id));
    map_put(series->counts, str_of(id), (void *)((intptr_t)map_get(series->counts, str_of(id)) + 1));
}

void sync_count_fights(const struct sync *s, struct map *counts)
{
    struct series series = { counts, s->type->federated.kind, 0 };
    struct map_entry e;
    struct str cluster, key;
    repairs_each(&s->repairs, time_mono_ms(), count_contest, &series);
    for (size_t i = 0; map_next(&s->settled, &i, &e);) {
        const struct settled *settled = e.val;
        if (settled->contest.field && str_cut(e.key, '\n', &cluster, &key))
            count_contest(&series, cluster, &settled->contest);
    }
}

uint64_t sync_repairs(const struct sync *s)
{
    return s->repairs.total;
}
