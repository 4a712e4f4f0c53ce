/*
 * What a pod asks for, and which nodes its template accepts: requests (controllers.md does not know them; the rules are those of the
 * Kubernetes scheduler), nodeSelector, required node affinity, tolerations.
 */
#include <stdlib.h>

#include "fed/quantity.h"
#include "fed/room_internal.h"
#include "fed/selector.h"

struct fed_demand {
    yyjson_doc *spec; /* nodeSelector, nodeAffinity, tolerations */
    struct fed_amounts request;
    bool impossible; /* it asks for something that cannot be counted */
};

/* --- requests --- */

/* What is asked of one resource: by containers together, by the init containers that need most, by sidecars. */
struct ask {
    int64_t together, first, sidecars, overhead;
    int64_t one; /* of the container that is being read */
    bool is_named;
};

struct asks {
    struct ask fixed[FED_RESOURCES_FIXED];
    struct map extended; /* by name: struct ask */
};

enum kind { CONTAINER, INIT_CONTAINER, SIDECAR };

static void asks_done(struct asks *a)
{
    map_done_values(&a->extended, free);
}

static struct ask *ask_of(struct asks *a, struct str resource)
{
    int place = room_fixed_place(resource);
    struct ask *ask = place >= 0 ? &a->fixed[place] : map_get(&a->extended, resource);

    if (ask)
        return ask;
    ask = mem_zalloc(sizeof(*ask));
    map_put(&a->extended, resource, ask);
    return ask;
}

static int64_t amount(yyjson_val *v, struct str resource)
{
    int64_t n = 0;

    if (fed_quantity_read(v, room_fixed_place(resource) == FED_RESOURCE_CPU ? 1000 : 1, &n) < 0)
        return 0;
    return MAX(n, (int64_t)0);
}

static void name_all(struct asks *a, yyjson_val *list)
{
    yyjson_val *key, *value;
    size_t i, n;

    if (!yyjson_is_obj(list))
        return;
    yyjson_obj_foreach(list, i, n, key, value)
    {
        struct ask *ask = ask_of(a, json_str(key));

        ask->one = amount(value, json_str(key));
        ask->is_named = true;
    }
}

static void add_one(struct ask *ask, enum kind kind)
{
    if (kind == CONTAINER) {
        ask->together = room_add(ask->together, ask->one);
    } else if (kind == SIDECAR) {
        ask->sidecars = room_add(ask->sidecars, ask->one);
        ask->first = MAX(ask->first, ask->sidecars);
    } else {
        ask->first = MAX(ask->first, room_add(ask->sidecars, ask->one));
    }
}

static void add_all(struct asks *a, yyjson_val *list, enum kind kind)
{
    yyjson_val *key, *value;
    size_t i, n;

    if (!yyjson_is_obj(list))
        return;
    yyjson_obj_foreach(list, i, n, key, value)
    {
        struct ask *ask = ask_of(a, json_str(key));

        if (ask->is_named)
            add_one(ask, kind);
        ask->is_named = false;
    }
}

/* A request counts; a limit only for what has no request. */
static void read_container(struct asks *a, yyjson_val *container, enum kind kind)
{
    yyjson_val *requests = json_path(container, "resources.requests"),
               *limits = json_path(container, "resources.limits");

    name_all(a, limits);
    name_all(a, requests);
    add_all(a, limits, kind);
    add_all(a, requests, kind);
}

static void read_asks(yyjson_val *spec, struct asks *ret)
{
    yyjson_val *container, *overhead = json_get(spec, "overhead"), *key, *value;
    size_t i, n;

    *ret = (struct asks){ 0 };
    yyjson_arr_foreach(json_get(spec, "initContainers"), i, n, container) read_container(
        ret, container, str_eqc(json_path_str(container, "restartPolicy"), "Always") ? SIDECAR : INIT_CONTAINER);
    yyjson_arr_foreach(json_get(spec, "containers"), i, n, container) read_container(ret, container, CONTAINER);
    if (yyjson_is_obj(overhead))
        yyjson_obj_foreach(overhead, i, n, key, value) ask_of(ret, json_str(key))->overhead = amount(value,
                                                                                                     json_str(key));
}

static int64_t total(const struct ask *ask)
{
    return room_add(MAX(room_add(ask->together, ask->sidecars), ask->first), ask->overhead);
}

static void fixed_totals(const struct asks *a, int64_t ret[static FED_RESOURCES_FIXED])
{
    for (size_t i = 0; i < FED_RESOURCES_FIXED; i++)
        ret[i] = i == FED_RESOURCE_PODS ? 1 : total(&a->fixed[i]);
}

/* false: it asks for something that no node has. */
static bool request_of(const struct fed_room *r, yyjson_val *spec, struct fed_amounts *ret)
{
    bool is_there = true;
    struct map_entry e;
    struct asks a;

    *ret = (struct fed_amounts){ { 0 } };
    read_asks(spec, &a);
    fixed_totals(&a, ret->v);
    for (size_t i = 0; map_next(&a.extended, &i, &e);) {
        int place = room_find_place(r, e.key);

        if (place >= 0)
            ret->v[place] = total(e.val);
        else if (total(e.val) > 0)
            is_there = false;
    }
    asks_done(&a);
    return is_there;
}

void fed_room_request(const struct fed_room *r, yyjson_val *spec, struct fed_amounts *ret)
{
    (void)request_of(r, spec, ret);
}

void fed_pod_project_request(yyjson_val *spec, yyjson_mut_doc *out)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(out), *list = yyjson_mut_arr(out), *extended = yyjson_mut_obj(out);
    int64_t fixed[FED_RESOURCES_FIXED];
    size_t n = FED_RESOURCES_FIXED;
    struct map_entry e;
    struct asks a;

    read_asks(spec, &a);
    fixed_totals(&a, fixed);
    while (fixed[n - 1] == 0)
        n--;
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(list, yyjson_mut_sint(out, fixed[i]));
    json_mut_set(out, root, "request", list);
    for (size_t i = 0; map_next(&a.extended, &i, &e);)
        if (total(e.val) > 0)
            yyjson_mut_obj_add(extended, json_mut_new_str(out, e.key), yyjson_mut_sint(out, total(e.val)));
    if (yyjson_mut_obj_size(extended) > 0)
        json_mut_set(out, root, "extended", extended);
    asks_done(&a);
}

void fed_room_read_request(const struct fed_room *r, yyjson_val *projection, struct fed_amounts *ret)
{
    yyjson_val *extended = json_get(projection, "extended"), *key, *value;
    size_t i, n;

    *ret = (struct fed_amounts){ { 0 } };
    yyjson_arr_foreach(json_get(projection, "request"), i, n, value)
    {
        if (i < FED_RESOURCES_FIXED)
            (void)json_i64(value, &ret->v[i]);
    }
    if (!yyjson_is_obj(extended))
        return;
    yyjson_obj_foreach(extended, i, n, key, value)
    {
        int place = room_find_place(r, json_str(key));

        if (place >= 0)
            (void)json_i64(value, &ret->v[place]);
    }
}

/* --- templates --- */

static bool is_too_long(yyjson_val *const *parts, size_t n)
{
    _cleanup_buf_ struct buf text = BUF_INIT((size_t)FED_MATCHING_MAX);

    for (size_t i = 0; i < n; i++)
        if (parts[i] && json_write(&text, parts[i]) < 0)
            return true;
    return false;
}

struct fed_demand *fed_demand_new(const struct fed_room *r, yyjson_val *spec)
{
    static const char *const names[] = { "nodeSelector", "nodeAffinity", "tolerations" };
    yyjson_val *const parts[] = { json_get(spec, "nodeSelector"), json_path(spec, "affinity.nodeAffinity"),
                                  json_get(spec, "tolerations") };
    _cleanup_json_mut_ yyjson_mut_doc *doc = NULL;
    struct fed_demand *d;

    if (is_too_long(parts, ARRAY_SIZE(parts)))
        return NULL;
    doc = json_mut_doc_new();
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (parts[i])
            json_mut_set(doc, yyjson_mut_doc_get_root(doc), names[i], json_mut_copy(doc, parts[i]));
    d = mem_zalloc(sizeof(*d));
    d->spec = json_freeze(doc);
    d->impossible = !request_of(r, spec, &d->request);
    return d;
}

void fed_demand_free(struct fed_demand *d)
{
    if (!d)
        return;
    yyjson_doc_free(d->spec);
    free(d);
}

const struct fed_amounts *room_demand_request(const struct fed_demand *d)
{
    return d->impossible ? NULL : &d->request;
}

/* --- taints --- */

static bool tolerates(yyjson_val *toleration, yyjson_val *taint)
{
    struct str op = json_path_str(toleration, "operator"), key = json_path_str(toleration, "key");
    struct str effect = json_path_str(toleration, "effect");
    bool exists = str_eqc(op, "Exists");

    if (effect.n && !str_eq(effect, json_path_str(taint, "effect")))
        return false;
    if (key.n == 0)
        return exists;
    if (!str_eq(key, json_path_str(taint, "key")))
        return false;
    return exists || ((op.n == 0 || str_eqc(op, "Equal")) &&
                      str_eq(json_path_str(toleration, "value"), json_path_str(taint, "value")));
}

static bool is_tolerated(yyjson_val *taint, yyjson_val *tolerations)
{
    struct str effect = json_path_str(taint, "effect");
    yyjson_val *t;
    size_t i, n;

    if (!str_eqc(effect, "NoSchedule") && !str_eqc(effect, "NoExecute"))
        return true;
    yyjson_arr_foreach(tolerations, i, n, t) if (tolerates(t, taint)) return true;
    return false;
}

/* --- labels --- */

static bool has_labels(yyjson_val *labels, yyjson_val *wanted)
{
    yyjson_val *key, *value;
    size_t i, n;

    if (!yyjson_is_obj(wanted))
        return true;
    yyjson_obj_foreach(wanted, i, n, key, value)
    {
        yyjson_val *has = json_getn(labels, json_str(key));

        if (!yyjson_is_str(has) || !str_eq(json_str(has), json_str(value)))
            return false;
    }
    return true;
}

static bool is_among(struct str s, yyjson_val *values)
{
    yyjson_val *v;
    size_t i, n;

    yyjson_arr_foreach(values, i, n, v) if (str_eq(json_str(v), s)) return true;
    return false;
}

static bool compares(struct str has, yyjson_val *values, bool greater)
{
    int64_t a, b;

    if (yyjson_arr_size(values) != 1 || str_to_i64(has, &a) < 0 ||
        str_to_i64(json_str(yyjson_arr_get_first(values)), &b) < 0)
        return false;
    return greater ? a > b : a < b;
}

static bool holds(yyjson_val *expression, bool is_there, struct str has)
{
    struct str op = json_path_str(expression, "operator");
    yyjson_val *values = json_get(expression, "values");

    if (str_eqc(op, "In"))
        return is_there && is_among(has, values);
    if (str_eqc(op, "NotIn"))
        return !is_there || !is_among(has, values);
    if (str_eqc(op, "Exists"))
        return is_there;
    if (str_eqc(op, "DoesNotExist"))
        return !is_there;
    if (str_eqc(op, "Gt") || str_eqc(op, "Lt"))
        return is_there && compares(has, values, str_eqc(op, "Gt"));
    return false;
}

static bool term_holds(yyjson_val *term, struct str name, yyjson_val *labels)
{
    yyjson_val *expressions = json_get(term, "matchExpressions"), *fields = json_get(term, "matchFields"), *e;
    size_t i, n;

    if (yyjson_arr_size(expressions) + yyjson_arr_size(fields) == 0)
        return false;
    yyjson_arr_foreach(expressions, i, n, e)
    {
        yyjson_val *has = json_getn(labels, json_path_str(e, "key"));

        if (!holds(e, yyjson_is_str(has), json_str(has)))
            return false;
    }
    yyjson_arr_foreach(fields, i, n,
                       e) if (!str_eqc(json_path_str(e, "key"), "metadata.name") || !holds(e, true, name)) return false;
    return true;
}

static bool affinity_holds(yyjson_val *spec, struct str name, yyjson_val *labels)
{
    yyjson_val *required = json_path(spec,
                                     "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
    yyjson_val *term;
    size_t i, n;

    if (!required)
        return true;
    yyjson_arr_foreach(required, i, n, term) if (term_holds(term, name, labels)) return true;
    return false;
}

bool room_demand_matches(const struct fed_demand *d, const struct room_node *node)
{
    yyjson_val *spec = yyjson_doc_get_root(d->spec), *root = yyjson_doc_get_root(node->node), *taint;
    yyjson_val *labels = json_get(root, "labels");
    size_t i, n;

    yyjson_arr_foreach(json_get(root, "taints"), i, n,
                       taint) if (!is_tolerated(taint, json_get(spec, "tolerations"))) return false;
    return has_labels(labels, json_get(spec, "nodeSelector")) && affinity_holds(spec, node->name, labels);
}
