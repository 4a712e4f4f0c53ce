/* One federated object: each of its clusters, and of those where something is wrong what the last event says about it. */
#include <stdlib.h>

#include "cli/status.h"
#include "fed/names.h"

#define MAX_EVENTS 500u
#define MAX_MESSAGE 600

static const struct kube_resource res_events = { STR(""), STR("v1"), STR("events"), true };

struct event {
    char *reason, *message, *at;
};

/* The newest warnings about the object. */
struct events {
    struct event *v;
    size_t n, cap;
};

static void events_done(struct events *e)
{
    for (size_t i = 0; i < e->n; i++) {
        free(e->v[i].reason);
        free(e->v[i].message);
        free(e->v[i].at);
    }
    free(e->v);
}

static int keep_event(void *arg, yyjson_val *item)
{
    struct events *e = arg;
    struct str at = json_path_str(item, "lastTimestamp");
    if (str_eqc(json_path_str(item, "type"), "Normal"))
        return 0;
    if (str_empty(at))
        at = json_path_str(item, "metadata.creationTimestamp");
    MEM_GROW(e->v, e->cap, e->n);
    e->v[e->n++] = (struct event){ str_dup(json_path_str(item, "reason")), str_dup(json_path_str(item, "message")),
                                   str_dup(at) };
    return e->n >= MAX_EVENTS ? 1 : 0;
}

/* What cannot be read is not there: events are a comfort. */
static int read_events(struct remote *host, const char *kind, struct str ns, struct str name, struct events *ret,
                       struct error **err)
{
    _cleanup_buf_ struct buf query = BUF_INIT(4096);
    _cleanup_free_ char *by_name = field_selector("involvedObject.name", name);
    _cleanup_free_ char *selector = mem_printf("involvedObject.kind=%s,%s", kind, by_name);
    struct remote_request req = { .method = "GET", .resource = &res_events, .ns = ns };
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    buf_printf(&query, "limit=%u&fieldSelector=", MAX_EVENTS);
    buf_add_urlencoded(&query, str_of(selector));
    req.query = buf_str(&query);
    if (str_empty(ns))
        req.ns = STR("default");
    if (remote_do(host, &req, &doc, &e) < 0)
        return e->code == -ECANCELED ? error_move(err, &e, "%s", "") : 0;
    yyjson_val *item;
    size_t i, n;
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "items"), i, n, item)
    {
        if (keep_event(ret, item))
            break;
    }
    return 0;
}

/* The newest event that names the cluster; with an empty one, that names none of them. */
static const struct event *newest(const struct events *e, struct str cluster)
{
    const struct event *best = NULL;
    _cleanup_free_ char *words = mem_printf("cluster \"%" PRIstr "\"", STRARG(cluster));
    for (size_t i = 0; i < e->n; i++) {
        bool fits = str_empty(cluster) ? !str_contains(str_of(e->v[i].message), STR("cluster \""))
                                       : str_contains(str_of(e->v[i].message), str_of(words));
        if (fits && (!best || strcmp(e->v[i].at, best->at) > 0))
            best = &e->v[i];
    }
    return best;
}

/* --- lines --- */

static void add_placement(yyjson_val *object, struct buf *out)
{
    yyjson_val *placement = json_path(object, "spec.placement"), *names = json_get(placement, "clusters"), *item;
    size_t i, n;
    if (yyjson_is_arr(names)) {
        buf_addz(out, yyjson_arr_size(names) ? "clusters" : "no clusters");
        yyjson_arr_foreach(names, i, n, item)
        {
            buf_addz(out, i ? ", " : " ");
            add_printable(out, json_path_str(item, "name"), 253);
        }
    } else if (yyjson_is_obj(json_get(placement, "clusterSelector"))) {
        _cleanup_buf_ struct buf text = BUF_INIT(1 << 20);
        json_write(&text, json_get(placement, "clusterSelector"));
        buf_addz(out, "clusterSelector ");
        add_printable(out, buf_str(&text), MAX_MESSAGE);
    } else {
        buf_addz(out, "none");
    }
    buf_addc(out, '\n');
}

static void add_head(const struct status_view *v, const struct board_type *t, yyjson_val *object,
                     const struct object_state *s, struct buf *out)
{
    struct cli *cli = v->board->cli;
    struct str ns = json_path_str(object, "metadata.namespace"), name = json_path_str(object, "metadata.name");
    yyjson_val *notes = json_path(object, "metadata.annotations");
    char since[24];
    _cleanup_free_ char *shown = qualified_name(ns, name);
    buf_printf(out, "%s %s\n", t->config->federated.kind, shown);
    buf_printf(out, "Status:      %s%s%s", style_begin(cli, s->style), s->word, style_end(cli, s->style));
    if (!str_empty(s->since)) {
        age_of(s->since, v->now, since);
        buf_printf(out, " for %s", since);
    }
    buf_printf(out, "\nGeneration:  %lld, observed %lld\nPlacement:   ",
               (long long)json_path_i64(object, "metadata.generation", 0),
               (long long)json_path_i64(object, "status.observedGeneration", 0));
    add_placement(object, out);
    if (str_eqc(json_str(json_get(notes, FED_ORPHAN_ANNOTATION)), FED_ORPHAN_TRUE))
        buf_addz(out, "On deletion: the objects in members stay (orphaning is enabled)\n");
    if (s->why[0] && !s->n_clusters) {
        buf_addz(out, "Problem:     ");
        add_printable(out, str_of(s->why), MAX_MESSAGE);
        buf_addc(out, '\n');
    }
}

static void add_contest(yyjson_val *object, struct buf *out)
{
    yyjson_val *contested = condition_of(object, FED_CONDITION_CONTESTED);
    if (!contested)
        return;
    buf_addz(out, "Contested:   ");
    add_printable(out, json_path_str(contested, "reason"), MAX_MESSAGE);
    buf_addc(out, '\n');
}

static bool has_failure(yyjson_val *object)
{
    yyjson_val *item;
    size_t i, n;
    yyjson_arr_foreach(json_path(object, "status.clusters"), i, n, item)
    {
        if (!str_empty(json_path_str(item, "status")))
            return true;
    }
    return false;
}

static void add_clusters(const struct status_view *v, yyjson_val *object, const struct events *events, struct buf *out)
{
    static const char *const headings[] = { "CLUSTER", "STATUS", "LAST EVENT", "MESSAGE" };
    _cleanup_table_ struct table t = { 0 };
    yyjson_val *item;
    size_t i, n;
    table_init(&t, headings, has_failure(object) ? ARRAY_SIZE(headings) : 2);
    yyjson_arr_foreach(json_path(object, "status.clusters"), i, n, item)
    {
        struct str status = json_path_str(item, "status"), name = json_path_str(item, "name");
        const struct event *e = str_empty(status) ? NULL : newest(events, name);
        char age[24] = "";
        table_add(&t, name);
        table_add_styled(&t, str_empty(status) ? STR("OK") : status, str_empty(status) ? STYLE_GOOD : STYLE_BAD);
        if (e) {
            _cleanup_buf_ struct buf message = BUF_INIT(1 << 20);
            age_of(str_of(e->at), v->now, age);
            table_addf(&t, "%s ago", age);
            add_printable(&message, str_of(e->message), MAX_MESSAGE);
            table_add(&t, buf_str(&message));
        }
        table_end_row(&t);
    }
    if (!table_rows(&t))
        return;
    buf_addc(out, '\n');
    table_write(&t, v->board->cli, true, out);
}

static void add_other_event(const struct status_view *v, const struct events *events, struct buf *out)
{
    const struct event *e = newest(events, STR_NULL);
    char age[24];
    if (!e)
        return;
    age_of(str_of(e->at), v->now, age);
    buf_printf(out, "\nLast warning, %s ago: ", age);
    add_printable(out, str_of(e->message), MAX_MESSAGE);
    buf_addc(out, '\n');
}

int status_detail(const struct status_view *v, struct str ns, struct str name, struct buf *out, struct error **err)
{
    assert(v->board->n_types == 1);
    const struct board_type *t = &v->board->types[0];
    _cleanup_free_ char *key = qualified_name(t->config->federated.namespaced ? ns : STR_NULL, name);
    struct kube_object *o = kube_informer_get(t->informer, str_of(key));
    _cleanup_json_ yyjson_doc *doc = NULL;
    struct events events = { 0 };
    if (!o)
        return error_set_http(err, -ENOENT, 404, STR("NotFound"), "%s \"%s\" not found", t->config->federated.kind,
                              key);
    int r = json_parse(kube_object_body(o), &doc, err);
    if (r < 0)
        return r;
    _cleanup_object_state_ struct object_state s = { 0 };
    yyjson_val *object = yyjson_doc_get_root(doc);
    object_state_of(object, t->running, &s);
    r = s.problem ? read_events(v->board->host, t->config->federated.kind, kube_object_ns(o), name, &events, err) : 0;
    if (r == 0) {
        add_head(v, t, object, &s, out);
        add_contest(object, out);
        add_clusters(v, object, &events, out);
        if (s.problem)
            add_other_event(v, &events, out);
    }
    events_done(&events);
    return r;
}
