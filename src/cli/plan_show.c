/* A plan for eyes and for programs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/diff.h"
#include "cli/plan.h"
#include "cli/table.h"
#include "fed/names.h"
#include "json/yaml.h"

#define MAX_TEXT ((size_t)64 << 20)
#define MAX_MESSAGE 1000

/* --- what may be shown --- */

/* Only the API server writes these; they differ between any two answers. */
static void remove_server_fields(yyjson_mut_val *root)
{
    static const char *const fields[] = { "resourceVersion", "managedFields", "generation",
                                          "selfLink",        "uid",           "creationTimestamp" };
    yyjson_mut_val *metadata = json_mut_get(root, "metadata");
    for (size_t i = 0; yyjson_mut_is_obj(metadata) && i < ARRAY_SIZE(fields); i++)
        json_mut_remove(metadata, str_of(fields[i]));
    json_mut_remove(root, STR("status"));
}

/* Equal values stay equal, and nothing can be read: as kubectl diff shows Secrets. */
static void mask(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *field, yyjson_val *other, bool is_after)
{
    yyjson_mut_val *values = json_mut_get(root, field), *key, *value;
    yyjson_val *others = json_get(other, field);
    _cleanup_json_mut_ yyjson_mut_doc *names = json_mut_doc_new();
    size_t i, n;
    if (!yyjson_mut_is_obj(values)) {
        json_mut_remove(root, str_of(field));
        return;
    }
    yyjson_mut_obj_foreach(values, i, n, key, value)
    {
        struct str name = json_mut_str(key);
        yyjson_val *there = json_getn(others, name);
        bool same = !there || json_mut_equal(value, there);
        json_mut_setn(names, yyjson_mut_doc_get_root(names), name,
                      json_mut_new_str(names, same       ? STR("***")
                                              : is_after ? STR("*** (after)")
                                                         : STR("*** (before)")));
    }
    _cleanup_json_ yyjson_doc *frozen = json_freeze(names);
    json_mut_set(doc, root, field, json_mut_copy(doc, yyjson_doc_get_root(frozen)));
}

/* The annotation of kubectl apply quotes the whole object. */
static void mask_last_applied(yyjson_mut_val *root)
{
    yyjson_mut_val *notes = json_mut_path(root, "metadata.annotations");
    if (yyjson_mut_is_obj(notes))
        json_mut_remove(notes, STR("kubectl.kubernetes.io/last-applied-configuration"));
}

yyjson_doc *plan_presentable(const struct fed_type_config *type, yyjson_val *object, yyjson_val *other, bool is_after)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(object);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    if (!yyjson_mut_is_obj(root))
        return json_freeze(doc);
    /* Items of lists lack them. */
    _cleanup_free_ char *api = fed_api_version(str_of(type->target.group), str_of(type->target.version));
    if (!json_mut_get(root, "apiVersion"))
        json_mut_set_str(doc, root, "apiVersion", str_of(api));
    if (!json_mut_get(root, "kind"))
        json_mut_set_str(doc, root, "kind", str_of(type->target.kind));
    remove_server_fields(root);
    if (!type->target.group[0] && strcmp(type->target.kind, "Secret") == 0) {
        mask(doc, root, "data", other, is_after);
        mask(doc, root, "stringData", other, is_after);
        mask_last_applied(root);
    }
    return json_freeze(doc);
}

/* --- words --- */

static const char *word_of(enum plan_action a)
{
    static const char *const words[] = {
        [PLAN_NONE] = "none",   [PLAN_UNCHANGED] = "unchanged", [PLAN_CREATE] = "create",   [PLAN_UPDATE] = "update",
        [PLAN_ADOPT] = "adopt", [PLAN_DELETE] = "delete",       [PLAN_UNLABEL] = "release", [PLAN_PROBLEM] = "problem",
    };
    return words[a];
}

static const char *phrase_of(const struct plan_result *r)
{
    switch (r->action) {
    case PLAN_ADOPT: return "adopt: it exists without being managed, and is taken over";
    case PLAN_UNLABEL: return "release: it stays and is no longer managed";
    default: return word_of(r->action);
    }
}

static char sign_of(enum plan_action a)
{
    static const char signs[] = {
        [PLAN_NONE] = ' ',  [PLAN_UNCHANGED] = '=', [PLAN_CREATE] = '+',  [PLAN_UPDATE] = '~',
        [PLAN_ADOPT] = '~', [PLAN_DELETE] = '-',    [PLAN_UNLABEL] = '~', [PLAN_PROBLEM] = '!'
    };
    return signs[a];
}

static enum style style_of(enum plan_action a)
{
    switch (a) {
    case PLAN_CREATE: return STYLE_GOOD;
    case PLAN_UPDATE:
    case PLAN_ADOPT:
    case PLAN_UNLABEL: return STYLE_WARNING;
    case PLAN_DELETE:
    case PLAN_PROBLEM: return STYLE_BAD;
    default: return STYLE_DIM;
    }
}

void plan_count(const struct plan_object *p, struct plan_counts *c)
{
    c->objects++;
    c->problems += p->message != NULL || (p->reason && p->reason[0]);
    for (size_t i = 0; i < p->n_results; i++) {
        switch (p->results[i].action) {
        case PLAN_CREATE: c->create++; break;
        case PLAN_UPDATE:
        case PLAN_ADOPT:
        case PLAN_UNLABEL: c->update++; break;
        case PLAN_DELETE: c->remove++; break;
        case PLAN_UNCHANGED: c->unchanged++; break;
        case PLAN_PROBLEM: c->problems++; break;
        case PLAN_NONE: break;
        }
    }
}

void plan_show_counts(const struct plan_counts *c, struct buf *out)
{
    buf_printf(out, "Plan for %zu %s: %zu to create, %zu to update, %zu to delete, %zu unchanged", c->objects,
               c->objects == 1 ? "object" : "objects", c->create, c->update, c->remove, c->unchanged);
    if (c->problems)
        buf_printf(out, ", %zu %s", c->problems, c->problems == 1 ? "problem" : "problems");
    buf_addz(out, "\n");
}

/* --- lines --- */

static void add_yaml(struct buf *out, yyjson_doc *doc)
{
    if (doc)
        yaml_write(out, yyjson_doc_get_root(doc));
}

/* What is shown for one cluster below its name. */
static void add_details(const struct world *w, const struct plan_result *r, bool diffs, struct buf *out)
{
    if (r->message && r->message[0]) {
        buf_addz(out, "    ");
        add_printable(out, str_of(r->message), MAX_MESSAGE);
        buf_addc(out, '\n');
    }
    if (!diffs || r->action == PLAN_DELETE || r->action == PLAN_UNCHANGED || r->action == PLAN_PROBLEM)
        return;
    _cleanup_buf_ struct buf before = BUF_INIT(MAX_TEXT), after = BUF_INIT(MAX_TEXT);
    add_yaml(&before, r->before);
    add_yaml(&after, r->after);
    diff_unified(buf_str(&before), buf_str(&after), "    ", w->cli, out);
}

static bool same_line(const struct plan_result *a, const struct plan_result *b)
{
    return a->action == b->action && strcmp(a->status, b->status) == 0;
}

/* Clusters for which the same happens stand in one line. */
static void show_clusters(const struct world *w, const struct plan_object *p, bool diffs, struct buf *out)
{
    _cleanup_free_ struct buf *details = mem_array(p->n_results, sizeof(*details));
    _cleanup_free_ bool *shown = mem_array(p->n_results, sizeof(*shown));
    for (size_t i = 0; i < p->n_results; i++) {
        details[i] = BUF_INIT(MAX_TEXT);
        add_details(w, &p->results[i], diffs, &details[i]);
    }
    for (size_t i = 0; i < p->n_results; i++) {
        const struct plan_result *r = &p->results[i];
        if (shown[i] || r->action == PLAN_NONE)
            continue;
        buf_printf(out, "  %s%c %s", style_begin(w->cli, style_of(r->action)), sign_of(r->action), w->clusters[i].name);
        for (size_t k = i + 1; k < p->n_results; k++) {
            if (!same_line(r, &p->results[k]) || !str_eq(buf_str(&details[i]), buf_str(&details[k])))
                continue;
            shown[k] = true;
            buf_printf(out, ", %s", w->clusters[k].name);
        }
        buf_printf(out, ": %s%s\n", r->action == PLAN_PROBLEM ? r->status : phrase_of(r),
                   style_end(w->cli, style_of(r->action)));
        buf_adds(out, buf_str(&details[i]));
    }
    for (size_t i = 0; i < p->n_results; i++)
        buf_done(&details[i]);
}

void plan_show(const struct world *w, const struct plan_object *p, bool diffs, struct buf *out)
{
    bool nothing = true;
    buf_printf(out, "%s%s %" PRIstr "%s%" PRIstr "%s\n", style_begin(w->cli, STYLE_BOLD), p->type->federated.kind,
               STRARG(p->ns), p->ns.n ? "/" : "", STRARG(p->name), style_end(w->cli, STYLE_BOLD));
    if (p->message) {
        buf_printf(out, "  %s! not propagated:%s ", style_begin(w->cli, STYLE_BAD), style_end(w->cli, STYLE_BAD));
        add_printable(out, str_of(p->message), MAX_MESSAGE);
        buf_addc(out, '\n');
        return;
    }
    if (p->reason[0])
        buf_printf(out, "  %s! %s%s\n", style_begin(w->cli, STYLE_BAD), p->reason, style_end(w->cli, STYLE_BAD));
    for (size_t i = 0; i < p->n_results; i++)
        nothing = nothing && p->results[i].action == PLAN_NONE;
    if (nothing && !p->reason[0])
        buf_addz(out, "  its placement selects no cluster, and nothing of it is in any\n");
    show_clusters(w, p, diffs, out);
}

/* --- document --- */

static void set_doc(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, yyjson_doc *value)
{
    if (value)
        json_mut_set(doc, obj, key, json_mut_copy(doc, yyjson_doc_get_root(value)));
}

static void add_result(const struct world_cluster *c, const struct plan_result *r, bool diffs, yyjson_mut_doc *doc,
                       yyjson_mut_val *list)
{
    yyjson_mut_val *o = yyjson_mut_obj(doc);
    json_mut_set_str(doc, o, "name", str_of(c->name));
    json_mut_set_str(doc, o, "action", str_of(word_of(r->action)));
    if (r->status[0])
        json_mut_set_str(doc, o, "status", str_of(r->status));
    if (r->message && r->message[0])
        json_mut_set_str(doc, o, "message", str_of(r->message));
    if (diffs) {
        set_doc(doc, o, "before", r->before);
        set_doc(doc, o, "after", r->after);
    }
    yyjson_mut_arr_append(list, o);
}

void plan_document(const struct world *w, const struct plan_object *p, bool diffs, yyjson_mut_doc *doc,
                   yyjson_mut_val *list)
{
    yyjson_mut_val *o = yyjson_mut_obj(doc), *clusters = yyjson_mut_arr(doc);
    json_mut_set_str(doc, o, "type", str_of(p->type->name));
    json_mut_set_str(doc, o, "kind", str_of(p->type->federated.kind));
    if (p->ns.n)
        json_mut_set_str(doc, o, "namespace", p->ns);
    json_mut_set_str(doc, o, "name", p->name);
    if (p->reason && p->reason[0])
        json_mut_set_str(doc, o, "reason", str_of(p->reason));
    if (p->message)
        json_mut_set_str(doc, o, "message", str_of(p->message));
    for (size_t i = 0; i < p->n_results; i++)
        add_result(&w->clusters[i], &p->results[i], diffs, doc, clusters);
    json_mut_set(doc, o, "clusters", clusters);
    yyjson_mut_arr_append(list, o);
}
