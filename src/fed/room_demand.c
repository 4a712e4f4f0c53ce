/*
 * What a pod asks for, and which nodes its template accepts: requests (controllers.md does not know them; the rules are those of the
 * Kubernetes scheduler), nodeSelector, required node affinity, tolerations.
 */
#include <stdlib.h>

#include "fed/quantity.h"
#include "fed/room_internal.h"
#include "fed/selector.h"

struct fed_demand {
    yyjson_doc *spec; /* nodeSelector, affinity, tolerations */
    struct fed_amounts request;
    bool impossible; /* it asks for something that cannot be counted */
};

/* --- requests --- */

static int64_t amount(yyjson_val *v, int place)
{
    int64_t n = 0;

    if (fed_quantity_read(v, place == FED_RESOURCE_CPU ? 1000 : 1, &n) < 0)
        return 0;
    return MAX(n, (int64_t)0);
}

typedef int place_fn(struct fed_room *r, struct str resource);

/* A request counts; a limit only for what has no request. */
static void container_request(struct fed_room *r, place_fn *place_of, yyjson_val *container, struct fed_amounts *ret,
                              bool *impossible)
{
    yyjson_val *requests = json_path(container, "resources.requests"),
               *limits = json_path(container, "resources.limits");
    yyjson_val *const lists[] = { limits, requests };
    yyjson_val *key, *value;
    size_t i, n;

    *ret = (struct fed_amounts){ { 0 } };
    for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
        if (!yyjson_is_obj(lists[k]))
            continue;
        yyjson_obj_foreach(lists[k], i, n, key, value)
        {
            int place = place_of(r, json_str(key));
            int64_t wanted = place >= 0 ? amount(value, place) : amount(value, FED_RESOURCE_MEMORY);

            if (place >= 0)
                ret->v[place] = wanted;
            else if (wanted > 0)
                *impossible = true;
        }
    }
}

static void add(struct fed_amounts *to, const struct fed_amounts *what)
{
    for (size_t i = 0; i < FED_RESOURCES_MAX; i++)
        to->v[i] = room_add(to->v[i], what->v[i]);
}

static void raise_to(struct fed_amounts *to, const struct fed_amounts *what)
{
    for (size_t i = 0; i < FED_RESOURCES_MAX; i++)
        to->v[i] = MAX(to->v[i], what->v[i]);
}

static bool request_of(struct fed_room *r, place_fn *place_of, yyjson_val *spec, struct fed_amounts *ret)
{
    struct fed_amounts together = { { 0 } }, first = { { 0 } }, sidecars = { { 0 } }, one, overhead = { { 0 } };
    yyjson_val *container, *extra = json_get(spec, "overhead"), *key, *value;
    bool impossible = false;
    size_t i, n;

    yyjson_arr_foreach(json_get(spec, "initContainers"), i, n, container)
    {
        container_request(r, place_of, container, &one, &impossible);
        if (str_eqc(json_path_str(container, "restartPolicy"), "Always")) {
            add(&sidecars, &one);
            raise_to(&first, &sidecars);
        } else {
            add(&one, &sidecars);
            raise_to(&first, &one);
        }
    }
    yyjson_arr_foreach(json_get(spec, "containers"), i, n, container)
    {
        container_request(r, place_of, container, &one, &impossible);
        add(&together, &one);
    }
    add(&together, &sidecars);
    raise_to(&together, &first);
    if (yyjson_is_obj(extra))
        yyjson_obj_foreach(extra, i, n, key, value)
        {
            int place = place_of(r, json_str(key));

            if (place >= 0)
                overhead.v[place] = amount(value, place);
        }
    add(&together, &overhead);
    together.v[FED_RESOURCE_PODS] = 1;
    *ret = together;
    return !impossible;
}

void fed_room_request(struct fed_room *r, yyjson_val *spec, struct fed_amounts *ret)
{
    (void)request_of(r, room_place, spec, ret);
}

/* --- templates --- */

struct fed_demand *fed_demand_new(struct fed_room *r, yyjson_val *spec)
{
    static const char *const kept[] = { "nodeSelector", "affinity", "tolerations" };
    struct fed_demand *d = mem_zalloc(sizeof(*d));
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();

    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        yyjson_val *v = json_get(spec, kept[i]);

        if (v)
            json_mut_set(doc, yyjson_mut_doc_get_root(doc), kept[i], json_mut_copy(doc, v));
    }
    d->spec = json_freeze(doc);
    d->impossible = !request_of(r, room_find_place, spec, &d->request);
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
    yyjson_val *required = json_path(
        spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
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
