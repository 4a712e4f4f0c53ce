/* Many federated objects at a glance: which are where, what is wrong, since when. */
#include <stdlib.h>

#include "cli/status.h"

#define WHERE_NAMES 4
#define MAX_WHY 400

typedef void row_fn(void *arg, const struct board_type *t, yyjson_val *object, const struct object_state *s);

/* Calls fn for each object that is to be shown, by namespace, type and name. */
struct shown {
    const struct board_type *type;
    struct kube_object *object;
};

static int in_order(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    int k = str_cmp(kube_object_ns(x->object), kube_object_ns(y->object));
    if (k == 0)
        k = strcmp(x->type->config->name, y->type->config->name);
    return k ? k : str_cmp(kube_object_name(x->object), kube_object_name(y->object));
}

static void for_each(const struct status_view *v, row_fn *fn, void *arg)
{
    size_t n = 0, total = 0;
    struct kube_object *o;
    for (size_t i = 0; i < v->board->n_types; i++)
        total += kube_informer_count(v->board->types[i].informer);
    _cleanup_free_ struct shown *all = mem_array(total, sizeof(*all));
    for (size_t i = 0; i < v->board->n_types; i++)
        for (size_t iter = 0; kube_informer_next(v->board->types[i].informer, &iter, &o);)
            all[n++] = (struct shown){ &v->board->types[i], o };
    if (n)
        qsort(all, n, sizeof(*all), in_order);
    for (size_t i = 0; i < n; i++) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        _cleanup_object_state_ struct object_state s = { 0 };
        if (json_parse(kube_object_body(all[i].object), &doc, NULL) < 0)
            continue;
        object_state_of(yyjson_doc_get_root(doc), all[i].type->running, &s);
        fn(arg, all[i].type, yyjson_doc_get_root(doc), &s);
    }
}

/* --- table --- */

struct rows {
    const struct status_view *view;
    struct table *table;
    struct status_counts *counts;
};

static void add_row(void *arg, const struct board_type *type, yyjson_val *object, const struct object_state *s)
{
    struct rows *r = arg;
    struct table *t = r->table;
    char since[24] = "";
    bool wide = r->view->output == OUTPUT_WIDE;
    r->counts->objects++;
    r->counts->problems += s->problem;
    r->counts->pending += !s->problem && s->style == STYLE_WARNING;
    if (r->view->problems && !s->problem)
        return;
    _cleanup_free_ char *where = names_shortened(s->where, wide ? SIZE_MAX : WHERE_NAMES);
    _cleanup_buf_ struct buf why = BUF_INIT(1 << 20);
    add_printable(&why, str_of(s->why), wide ? SIZE_MAX / 2 : MAX_WHY);
    if (!str_empty(s->since))
        age_of(s->since, r->view->now, since);
    if (r->view->all_namespaces)
        table_add(t, json_path_str(object, "metadata.namespace"));
    table_add(t, str_of(type->config->name));
    table_add(t, json_path_str(object, "metadata.name"));
    table_addf(t, "%zu/%zu", s->n_good, s->n_clusters);
    table_add_styled(t, str_of(s->word), s->style);
    table_add(t, str_of(since));
    if (wide) {
        char age[24] = "";
        age_of(json_path_str(object, "metadata.creationTimestamp"), r->view->now, age);
        table_add(t, str_of(age));
        table_addf(t, "%lld/%lld", (long long)json_path_i64(object, "status.observedGeneration", 0),
                   (long long)json_path_i64(object, "metadata.generation", 0));
    }
    table_add(t, str_of(where[0] ? where : "-"));
    table_add_styled(t, buf_str(&why), s->problem ? STYLE_BAD : STYLE_PLAIN);
    table_end_row(t);
}

void status_table(const struct status_view *v, struct table *ret, struct status_counts *counts)
{
    const char *headings[16];
    size_t n = 0;
    if (v->all_namespaces)
        headings[n++] = "NAMESPACE";
    headings[n++] = "TYPE";
    headings[n++] = "NAME";
    headings[n++] = "CLUSTERS";
    headings[n++] = "STATUS";
    headings[n++] = "SINCE";
    if (v->output == OUTPUT_WIDE) {
        headings[n++] = "AGE";
        headings[n++] = "OBSERVED";
    }
    headings[n++] = "WHERE";
    headings[n++] = "PROBLEM";
    table_init(ret, headings, n);
    *counts = (struct status_counts){ 0 };
    struct rows r = { v, ret, counts };
    for_each(v, add_row, &r);
}

/* --- lines around it --- */

static void add_cluster(const struct status_view *v, yyjson_val *kfc, struct buf *bad, size_t *n_bad)
{
    struct cluster_line c;
    char since[24];
    cluster_line_of(kfc, &c);
    if (cluster_style(&c) == STYLE_GOOD)
        return;
    age_of(c.since, v->now, since);
    buf_printf(bad, "%s%" PRIstr " (", (*n_bad)++ ? ", " : "", STRARG(c.name));
    add_printable(bad, c.reason, 100);
    buf_printf(bad, " for %s)", since);
}

void status_head(const struct status_view *v, struct buf *out)
{
    _cleanup_buf_ struct buf bad = BUF_INIT(1 << 20);
    size_t n, n_bad = 0;
    _cleanup_free_ struct kube_object **all = board_sorted(v->board->clusters, &n);
    for (size_t i = 0; i < n; i++) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        if (json_parse(kube_object_body(all[i]), &doc, NULL) == 0)
            add_cluster(v, yyjson_doc_get_root(doc), &bad, &n_bad);
    }
    if (n_bad)
        buf_printf(out, "%zu of %zu clusters %s not ready: %s%" PRIstr "%s\n\n", n_bad, n, n_bad == 1 ? "is" : "are",
                   style_begin(v->board->cli, STYLE_BAD), STRARG(buf_str(&bad)), style_end(v->board->cli, STYLE_BAD));
}

void status_foot(const struct status_view *v, const struct status_counts *c, struct buf *out)
{
    const char *what = c->objects == 1 ? "object" : "objects";
    buf_printf(out, "\n%zu federated %s", c->objects, what);
    if (c->problems)
        buf_printf(out, ", %s%zu with problems%s", style_begin(v->board->cli, STYLE_BAD), c->problems,
                   style_end(v->board->cli, STYLE_BAD));
    if (c->pending)
        buf_printf(out, ", %zu under way", c->pending);
    buf_addz(out, c->problems || c->pending || !c->objects ? "\n" : ", no problems\n");
}

/* --- document --- */

static void set_str(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, struct str s)
{
    if (!str_empty(s))
        json_mut_set_str(doc, obj, key, s);
}

struct document {
    const struct status_view *view;
    yyjson_mut_doc *doc;
    yyjson_mut_val *list;
    size_t problems;
};

static void add_object(void *arg, const struct board_type *type, yyjson_val *object, const struct object_state *s)
{
    struct document *d = arg;
    const struct fed_api_resource *f = &type->config->federated;
    d->problems += s->problem;
    if (d->view->problems && !s->problem)
        return;
    yyjson_mut_val *o = yyjson_mut_obj(d->doc);
    _cleanup_free_ char *api = mem_printf("%s/%s", f->group, f->version);
    json_mut_set_str(d->doc, o, "type", str_of(type->config->name));
    json_mut_set_str(d->doc, o, "apiVersion", str_of(api));
    json_mut_set_str(d->doc, o, "kind", str_of(f->kind));
    set_str(d->doc, o, "namespace", json_path_str(object, "metadata.namespace"));
    json_mut_set_str(d->doc, o, "name", json_path_str(object, "metadata.name"));
    json_mut_set_str(d->doc, o, "state", str_of(s->word));
    json_mut_set_bool(d->doc, o, "problem", s->problem);
    set_str(d->doc, o, "since", s->since);
    set_str(d->doc, o, "message", str_of(s->why));
    json_mut_set_i64(d->doc, o, "generation", json_path_i64(object, "metadata.generation", 0));
    json_mut_set_i64(d->doc, o, "observedGeneration", json_path_i64(object, "status.observedGeneration", 0));
    yyjson_val *clusters = json_path(object, "status.clusters");
    json_mut_set(d->doc, o, "clusters",
                 yyjson_is_arr(clusters) ? json_mut_copy(d->doc, clusters) : yyjson_mut_arr(d->doc));
    yyjson_mut_arr_append(d->list, o);
}

static void add_cluster_document(yyjson_mut_doc *doc, yyjson_mut_val *list, yyjson_val *kfc)
{
    struct cluster_line c;
    cluster_line_of(kfc, &c);
    yyjson_mut_val *o = yyjson_mut_obj(doc);
    json_mut_set_str(doc, o, "name", c.name);
    json_mut_set_str(doc, o, "ready", str_of(c.ready));
    set_str(doc, o, "reason", c.reason);
    set_str(doc, o, "message", c.message);
    set_str(doc, o, "since", c.since);
    set_str(doc, o, "kubernetesVersion", c.version);
    yyjson_mut_arr_append(list, o);
}

yyjson_mut_doc *status_document(const struct status_view *v)
{
    yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *clusters = yyjson_mut_arr(doc);
    size_t n;
    _cleanup_free_ struct kube_object **all = board_sorted(v->board->clusters, &n);
    for (size_t i = 0; i < n; i++) {
        _cleanup_json_ yyjson_doc *kfc = NULL;
        if (json_parse(kube_object_body(all[i]), &kfc, NULL) == 0)
            add_cluster_document(doc, clusters, yyjson_doc_get_root(kfc));
    }
    struct document d = { v, doc, yyjson_mut_arr(doc), 0 };
    for_each(v, add_object, &d);
    json_mut_set(doc, root, "clusters", clusters);
    json_mut_set(doc, root, "objects", d.list);
    json_mut_set_i64(doc, root, "problems", (int64_t)d.problems);
    return doc;
}
