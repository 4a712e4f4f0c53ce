/* See board.h. One informer each for KubeFedClusters and FederatedTypeConfigs, and one per federated type. */
#include "cli/board.h"

#include <stdlib.h>

#include "base/rtime.h"
#include "fed/names.h"

#define FIRST_MS 60000u
#define SETTLE_MS 300u

/* --- changes --- */

static void touch(struct board *b)
{
    b->changed = true;
    if (b->settled)
        loop_stop(b->cli->loop);
}

static void on_object(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct board_type *t = arg;
    if (!old || !now || old->hash != now->hash)
        touch(t->board);
}

static void on_object_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    (void)state;
    (void)err;
    loop_stop(((struct board_type *)arg)->board->cli->loop);
}

static void on_cluster(void *arg, struct kube_object *old, struct kube_object *now)
{
    if (!old || !now || old->hash != now->hash)
        touch(arg);
}

/* Types that come, go, start or stop change what there is to watch. */
static void on_config(void *arg, struct kube_object *old, struct kube_object *now)
{
    struct board *b = arg;
    if (b->settled && (!old || !now || old->hash != now->hash)) {
        b->outdated = true;
        touch(b);
    }
}

static void on_state(void *arg, enum kube_informer_state state, const struct error *err)
{
    (void)state;
    (void)err;
    loop_stop(((struct board *)arg)->cli->loop);
}

/* --- what is kept --- */

static void keep(yyjson_val *live, yyjson_mut_doc *out, const char *path)
{
    yyjson_val *v = json_path(live, path);
    const char *dot = strrchr(path, '.');
    if (!v)
        return;
    _cleanup_free_ char *parent = str_dup(str_n(path, (size_t)(dot - path)));
    json_mut_set(out, json_mut_ensure_obj(out, yyjson_mut_doc_get_root(out), parent), dot + 1, json_mut_copy(out, v));
}

/* Templates and statuses of members are large, and not shown. */
static void project(void *arg, yyjson_val *live, yyjson_mut_doc *out)
{
    static const char *const paths[] = {
        "metadata.name",        "metadata.namespace",         "metadata.generation", "metadata.uid",
        "metadata.annotations", "metadata.creationTimestamp", "spec.placement",      "metadata.deletionTimestamp",
        "metadata.finalizers",  "status.observedGeneration",  "status.conditions",   "status.clusters",
    };
    (void)arg;
    if (!yyjson_mut_doc_get_root(out))
        yyjson_mut_doc_set_root(out, yyjson_mut_obj(out));
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        keep(live, out, paths[i]);
    yyjson_mut_val *clusters = json_mut_path(yyjson_mut_doc_get_root(out), "status.clusters"), *item;
    size_t i, n;
    yyjson_mut_arr_foreach(clusters, i, n, item)
    {
        if (yyjson_mut_is_obj(item))
            json_mut_remove(item, STR("remoteStatus"));
    }
}

/* --- opening --- */

static int add_type(void *arg, yyjson_val *ftc)
{
    struct board *b = arg;
    struct fed_type_config *config = NULL;
    if (fed_type_config_decode(ftc, &config, NULL) < 0)
        return 0; /* nothing runs for it; doctor tells */
    b->types = mem_realloc(b->types, (b->n_types + 1) * sizeof(*b->types));
    b->types[b->n_types++] = (struct board_type){
        .config = config,
        .running = config->propagation_enabled &&
                   str_eqc(json_path_str(ftc, "status.propagationController"), FED_RUNNING),
    };
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct board_type *x = a, *y = b;
    return strcmp(x->config->name, y->config->name);
}

static int read_types(struct board *b, const struct board_query *q, struct error **err)
{
    int r = remote_list(b->host, &res_type_configs, str_of(b->cli->common.ns), 500, add_type, b, err);
    if (r < 0)
        return r;
    if (b->n_types)
        qsort(b->types, b->n_types, sizeof(*b->types), by_name);
    for (size_t i = 0; q->type.n && i < b->n_types;) {
        if (str_eqc(q->type, b->types[i].config->name)) {
            i++;
            continue;
        }
        fed_type_config_free(b->types[i].config);
        b->n_types--;
        memmove(&b->types[i], &b->types[i + 1], (b->n_types - i) * sizeof(*b->types));
    }
    return 0;
}

static void start_type(struct board *b, struct board_type *t, const struct board_query *q)
{
    const struct fed_api_resource *f = &t->config->federated;
    struct kube_resource res = { str_of(f->group), str_of(f->version), str_of(f->plural), f->namespaced };
    _cleanup_free_ char *path = kube_path(&res, f->namespaced ? q->ns : STR_NULL, STR_NULL, STR_NULL);
    _cleanup_free_ char *field = q->name.n ? field_selector("metadata.name", q->name) : NULL;
    t->board = b;
    t->informer = kube_informer_start(&(struct kube_informer_config){ .client = b->host->client,
                                                                      .path = path,
                                                                      .field_selector = field,
                                                                      .may_vanish = true,
                                                                      .project = project,
                                                                      .on_change = on_object,
                                                                      .on_state = on_object_state,
                                                                      .arg = t });
}

static struct kube_informer *start(struct board *b, const struct kube_resource *res, struct str labels,
                                   void (*on_change)(void *, struct kube_object *, struct kube_object *))
{
    _cleanup_free_ char *path = kube_path(res, str_of(b->cli->common.ns), STR_NULL, STR_NULL);
    _cleanup_free_ char *selector = labels.n ? str_dup(labels) : NULL;
    return kube_informer_start(&(struct kube_informer_config){ .client = b->host->client,
                                                               .path = path,
                                                               .label_selector = selector,
                                                               .may_vanish = true,
                                                               .on_change = on_change,
                                                               .on_state = on_state,
                                                               .arg = b });
}

int board_open(struct remote *host, const struct board_query *q, struct board *ret, struct error **err)
{
    *ret = (struct board){ .cli = host->cli, .host = host, .name = q->name };
    int r = q->objects ? read_types(ret, q, err) : 0;
    if (r < 0) {
        board_close(ret);
        return r;
    }
    ret->clusters = start(ret, &res_kubefed_clusters, q->cluster_label, on_cluster);
    if (q->objects)
        ret->configs = start(ret, &res_type_configs, STR_NULL, on_config);
    for (size_t i = 0; i < ret->n_types; i++)
        start_type(ret, &ret->types[i], q);
    return 0;
}

void board_close(struct board *b)
{
    for (size_t i = 0; i < b->n_types; i++) {
        kube_informer_stop(b->types[i].informer);
        fed_type_config_free(b->types[i].config);
    }
    free(b->types);
    kube_informer_stop(b->clusters);
    kube_informer_stop(b->configs);
    *b = (struct board){ 0 };
}

/* --- waiting --- */

static bool is_settled(const struct kube_informer *i)
{
    return !i || kube_informer_state(i) != KUBE_INFORMER_LISTING;
}

static bool all_settled(const struct board *b)
{
    bool all = is_settled(b->clusters) && is_settled(b->configs);
    for (size_t i = 0; i < b->n_types; i++)
        all = all && is_settled(b->types[i].informer);
    return all;
}

/* A word about what cannot be read, or the end. */
static int judge(struct board *b, const struct kube_informer *i, const char *what, bool fatal, struct error **err)
{
    const struct error *cause = i ? kube_informer_error(i) : NULL;
    if (!i || kube_informer_state(i) == KUBE_INFORMER_SYNCED)
        return 0;
    _cleanup_free_ char *right = mem_printf("list %s", what);
    _cleanup_error_ struct error *e = NULL;
    if (cause)
        error_set_http(&e, cause->code, cause->http_status, str_of(cause->reason), "%s", cause->msg);
    else
        error_set(&e, -ETIMEDOUT, "no answer in %u s", FIRST_MS / 1000);
    remote_explain(b->host, right, &e);
    if (fatal || !e->http_status)
        return error_move(err, &e, "cannot read %s: ", what);
    cli_note(b->cli, "Warning: cannot read %s: %s", what, error_msg(e));
    return 0;
}

static int judge_all(struct board *b, const struct board_query *q, struct error **err)
{
    int r = judge(b, b->clusters, FED_CLUSTER_PLURAL "." FED_CORE_GROUP, !q->objects, err);
    for (size_t i = 0; r == 0 && i < b->n_types; i++) {
        const struct fed_api_resource *f = &b->types[i].config->federated;
        _cleanup_free_ char *what = mem_printf("%s.%s", f->plural, f->group);
        r = judge(b, b->types[i].informer, what, q->type.n > 0, err);
    }
    return r;
}

static void end_wait(void *arg)
{
    loop_stop(arg);
}

int board_wait(struct board *b, const struct board_query *q, struct error **err)
{
    uint64_t deadline = time_mono_ms() + FIRST_MS;
    struct loop_timer timer = { 0 };
    loop_timer_start(b->cli->loop, &timer, FIRST_MS, end_wait, b->cli->loop);
    while (!all_settled(b) && !b->cli->interrupted && time_mono_ms() < deadline)
        loop_run(b->cli->loop, &b->cli->interrupted);
    loop_timer_stop(&timer);
    if (b->cli->interrupted)
        return error_set(err, -ECANCELED, "interrupted");
    b->settled = true;
    b->changed = false;
    return judge_all(b, q, err);
}

int board_wait_change(struct board *b, uint64_t ms, struct error **err)
{
    struct loop_timer timer = { 0 };
    if (!b->changed && !b->cli->interrupted) {
        loop_timer_start(b->cli->loop, &timer, ms, end_wait, b->cli->loop);
        loop_run(b->cli->loop, &b->changed);
        loop_timer_stop(&timer);
    }
    int r = b->changed ? cli_wait(b->cli, SETTLE_MS, err) : 0;
    b->changed = false;
    if (r == 0 && b->cli->interrupted)
        r = error_set(err, -ECANCELED, "interrupted");
    return r;
}

/* --- objects --- */

static int by_key(const void *a, const void *b)
{
    const struct kube_object *const *x = a, *const *y = b;
    return str_cmp(kube_object_key(*x), kube_object_key(*y));
}

struct kube_object **board_sorted(const struct kube_informer *i, size_t *ret_n)
{
    struct kube_object **all = mem_array(i ? kube_informer_count(i) : 0, sizeof(struct kube_object *)), *o;
    size_t n = 0;
    for (size_t iter = 0; i && kube_informer_next(i, &iter, &o);)
        all[n++] = o;
    if (n)
        qsort(all, n, sizeof(struct kube_object *), by_key);
    *ret_n = n;
    return all;
}

/* --- types by name --- */

struct wanted {
    struct str word; /* in lower case */
    const struct kube_api_resource *resource;
    char *found;
    struct buf names; /* of what there is, for people */
};

static bool is_called(const struct fed_api_resource *t, struct str word)
{
    _cleanup_free_ char *kind = str_lower(str_of(t->kind)), *full = mem_printf("%s.%s", t->plural, t->group);
    return str_eqc(word, t->plural) || str_eqc(word, kind) || str_eqc(word, full);
}

static bool is_type(const struct fed_api_resource *t, const struct kube_api_resource *r)
{
    return r && strcmp(t->plural, r->plural) == 0 && strcmp(t->group, r->group) == 0;
}

static int match_type(void *arg, yyjson_val *ftc)
{
    struct wanted *w = arg;
    struct fed_type_config *c = NULL;
    if (fed_type_config_decode(ftc, &c, NULL) < 0)
        return 0;
    if (w->resource ? is_type(&c->target, w->resource) || is_type(&c->federated, w->resource)
                    : str_eqc(w->word, c->name) || is_called(&c->target, w->word) || is_called(&c->federated, w->word))
        w->found = mem_strdup(c->name);
    if (!w->resource)
        buf_printf(&w->names, "%s%s", w->names.n ? ", " : "", c->name);
    fed_type_config_free(c);
    return w->found ? 1 : 0;
}

static void hint_types(struct remote *host, const struct wanted *w)
{
    if (w->names.n && !buf_failed(&w->names))
        cli_hint(host->cli, "Types that are enabled: %" PRIstr, STRARG(buf_str(&w->names)));
    else
        cli_hint(host->cli, "No type is enabled yet: %s enable NAME", host->cli->name);
}

/* Short names are known to the server only. */
static int find_by_short_name(struct remote *host, struct str word, struct wanted *w, struct error **err)
{
    _cleanup_types_ struct types types = { 0 };
    struct str ns = str_of(host->cli->common.ns);
    int r = types_find(host, &types, word, STR_NULL, &w->resource, err);
    if (r < 0) {
        hint_types(host, w);
        return r;
    }
    r = remote_list(host, &res_type_configs, ns, 500, match_type, w, err);
    if (r < 0 || w->found)
        return r;
    _cleanup_free_ char *name = types_shown(str_of(w->resource->plural), str_of(w->resource->group), STR(""));
    name[strlen(name) - 1] = 0; /* the slash before no version */
    cli_hint(host->cli, "To enable it: %s enable %s", host->cli->name, name);
    return error_set_http(err, -ENOENT, 404, STR("NotFound"),
                          "\"%s\" is not federated: no FederatedTypeConfig in namespace \"%" PRIstr "\" names it", name,
                          STRARG(ns));
}

int board_find_type(struct remote *host, struct str word, char **ret, struct error **err)
{
    _cleanup_free_ char *lower = str_lower(word);
    struct wanted w = { .word = str_of(lower), .names = BUF_INIT(4096) };
    int r = remote_list(host, &res_type_configs, str_of(host->cli->common.ns), 500, match_type, &w, err);
    if (r == 0)
        r = find_by_short_name(host, word, &w, err);
    buf_done(&w.names);
    if (r < 0)
        return r;
    *ret = w.found;
    return 0;
}
