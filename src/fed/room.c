/*
 * See room.h. Each node has three sums: what it can hold, what pods use, what is promised. A promise remembers which node holds how
 * much of it, so that it can be replaced.
 */
#include "fed/room.h"

#include <stdlib.h>

#include "fed/quantity.h"
#include "fed/room_internal.h"

struct part {
    char *node;
    int64_t replicas;
};

struct promise {
    struct fed_amounts request;
    struct part *parts;
    size_t n, cap;
};

int64_t room_add(int64_t a, int64_t b)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return a > 0 ? INT64_MAX : 0;
    return MAX(sum, (int64_t)0);
}

/* --- names --- */

/* A node with more labels or taints than that is not used: each template would be held against all of them. */
#define NODE_LABELS_MAX 512u

static const char *const fixed[FED_RESOURCES_FIXED] = { [FED_RESOURCE_CPU] = "cpu",
                                                        [FED_RESOURCE_MEMORY] = "memory",
                                                        [FED_RESOURCE_PODS] = "pods",
                                                        [FED_RESOURCE_STORAGE] = "ephemeral-storage" };

int room_fixed_place(struct str resource)
{
    for (size_t i = 0; i < FED_RESOURCES_FIXED; i++)
        if (str_eqc(resource, fixed[i]))
            return (int)i;
    return -1;
}

int room_find_place(const struct fed_room *r, struct str resource)
{
    int place = room_fixed_place(resource);

    if (place >= 0)
        return place;
    for (size_t i = FED_RESOURCES_FIXED; i < r->n_names; i++)
        if (str_eqc(resource, r->names[i]))
            return (int)i;
    return -1;
}

/* Gives it one if there is one left. Volumes are not counted. */
static int new_place(struct fed_room *r, struct str resource)
{
    if (r->n_names == FED_RESOURCES_MAX || str_has_prefix(resource, STR("attachable-volumes-")))
        return -1;
    r->names[r->n_names] = str_dup(resource);
    return (int)r->n_names++;
}

struct str fed_room_resource(const struct fed_room *r, size_t place)
{
    if (place < FED_RESOURCES_FIXED)
        return str_of(fixed[place]);
    return place < r->n_names ? str_of(r->names[place]) : STR_NULL;
}

/* --- nodes --- */

void fed_node_project(yyjson_val *live, yyjson_mut_doc *out)
{
    yyjson_mut_val *root = yyjson_mut_obj(out);
    yyjson_val *const kept[] = { json_path(live, "metadata.labels"), json_path(live, "spec.taints"),
                                 json_path(live, "status.allocatable") };
    static const char *const names[] = { "labels", "taints", "allocatable" };
    yyjson_val *c;
    size_t i, n;

    yyjson_mut_doc_set_root(out, root);
    for (size_t k = 0; k < ARRAY_SIZE(kept); k++)
        if (kept[k])
            json_mut_set(out, root, names[k], json_mut_copy(out, kept[k]));
    if (json_path_bool(live, "spec.unschedulable", false))
        json_mut_set_bool(out, root, "cordoned", true);
    yyjson_arr_foreach(json_path(live, "status.conditions"), i, n,
                       c) if (str_eqc(json_path_str(c, "type"), "Ready") && str_eqc(json_path_str(c, "status"), "True"))
        json_mut_set_bool(out, root, "ready", true);
}

static struct room_node *node_new(struct str name)
{
    struct room_node *node = mem_zalloc(sizeof(*node));

    node->name = str_n(str_dup(name), name.n);
    return node;
}

static void node_free(void *p)
{
    struct room_node *node = p;

    yyjson_doc_free(node->node);
    free((char *)node->name.p);
    free(node);
}

/* A stranger becomes known, with what pods use there. */
static struct room_node *known_node(struct fed_room *r, struct str name)
{
    struct room_node *node = map_get(&r->nodes, name);

    if (node)
        return node;
    node = map_remove(&r->strangers, name);
    if (!node)
        node = node_new(name);
    node->known = true;
    map_put(&r->nodes, name, node);
    return node;
}

static void read_allocatable(struct fed_room *r, yyjson_val *list, struct fed_amounts *ret)
{
    yyjson_val *key, *value;
    size_t i, n;

    *ret = (struct fed_amounts){ { 0 } };
    if (!yyjson_is_obj(list))
        return;
    yyjson_obj_foreach(list, i, n, key, value)
    {
        int place = room_find_place(r, json_str(key));
        int64_t amount = 0;

        if (fed_quantity_read(value, place == FED_RESOURCE_CPU ? 1000 : 1, &amount) < 0)
            continue;
        if (place < 0 && amount > 0)
            place = new_place(r, json_str(key));
        if (place >= 0)
            ret->v[place] = MAX(amount, (int64_t)0);
    }
}

bool fed_room_set_node(struct fed_room *r, struct str name, yyjson_val *projection)
{
    struct room_node *node = known_node(r, name);
    _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(projection);
    size_t n_names = r->n_names;

    yyjson_doc_free(node->node);
    node->node = json_freeze(copy);
    node->ready = json_path_bool(projection, "ready", false) && !json_path_bool(projection, "cordoned", false) &&
                  yyjson_obj_size(json_get(projection, "labels")) <= NODE_LABELS_MAX &&
                  yyjson_arr_size(json_get(projection, "taints")) <= NODE_LABELS_MAX;
    read_allocatable(r, json_get(projection, "allocatable"), &node->allocatable);
    return r->n_names > n_names;
}

static bool is_unused(const struct room_node *node)
{
    for (size_t i = 0; i < FED_RESOURCES_MAX; i++)
        if (node->used.v[i] != 0)
            return false;
    return true;
}

static void forget_parts(struct fed_room *r, struct str node)
{
    struct map_entry e;

    for (size_t i = 0; map_next(&r->promises, &i, &e);) {
        struct promise *p = e.val;

        for (size_t k = 0; k < p->n; k++)
            if (str_eqc(node, p->parts[k].node)) {
                free(p->parts[k].node);
                p->parts[k--] = p->parts[--p->n];
            }
    }
}

/* What pods use there stays: they may be told to have left later, or the node comes back. */
void fed_room_remove_node(struct fed_room *r, struct str name)
{
    struct room_node *node = map_remove(&r->nodes, name), *stranger;

    if (!node)
        return;
    forget_parts(r, name);
    if (!is_unused(node)) {
        stranger = node_new(name);
        stranger->used = node->used;
        map_put(&r->strangers, name, stranger);
    }
    node_free(node);
}

void fed_room_use(struct fed_room *r, struct str name, const struct fed_amounts *request, int sign)
{
    struct room_node *node = map_get(&r->nodes, name);

    if (!node)
        node = map_get(&r->strangers, name);
    if (!node) {
        node = node_new(name);
        map_put(&r->strangers, name, node);
    }
    for (size_t i = 0; i < FED_RESOURCES_MAX; i++)
        node->used.v[i] += sign > 0 ? request->v[i] : -(__int128)request->v[i];
    if (!node->known && is_unused(node))
        node_free(map_remove(&r->strangers, name));
}

void fed_room_forget_use(struct fed_room *r)
{
    struct map_entry e;

    for (size_t i = 0; map_next(&r->nodes, &i, &e);)
        ((struct room_node *)e.val)->used = (struct room_sums){ { 0 } };
    map_done_values(&r->strangers, node_free);
}

/* --- fitting --- */

static int64_t left_of(const struct room_node *node, size_t k, __int128 taken)
{
    __int128 left = node->allocatable.v[k] - MAX(taken, (__int128)0);

    return (int64_t)MAX(left, (__int128)0);
}

static int64_t fits_on(const struct room_node *node, const struct fed_amounts *request)
{
    int64_t most = INT32_MAX;

    for (size_t i = 0; i < FED_RESOURCES_MAX; i++)
        if (request->v[i] > 0)
            most = MIN(most, left_of(node, i, node->used.v[i] + node->promised.v[i]) / request->v[i]);
    return most;
}

static bool is_usable(const struct room_node *node, const struct fed_demand *d)
{
    return node->ready && room_demand_matches(d, node);
}

static void add_part(struct fed_room *r, const struct promise *p, const struct part *part, int sign)
{
    struct room_node *node = map_get(&r->nodes, str_of(part->node));

    for (size_t k = 0; node && k < FED_RESOURCES_MAX; k++)
        node->promised.v[k] += sign * (__int128)p->request.v[k] * part->replicas;
}

static void add_promise(struct fed_room *r, const struct promise *p, int sign)
{
    for (size_t i = 0; p && i < p->n; i++)
        add_part(r, p, &p->parts[i], sign);
}

int64_t fed_room_fits(struct fed_room *r, struct str workload, const struct fed_demand *d)
{
    const struct fed_amounts *request = room_demand_request(d);
    const struct promise *own = map_get(&r->promises, workload);
    int64_t sum = 0;
    struct map_entry e;

    add_promise(r, own, -1);
    for (size_t i = 0; request && map_next(&r->nodes, &i, &e);)
        if (is_usable(e.val, d))
            sum += fits_on(e.val, request);
    add_promise(r, own, 1);
    return MIN(sum, (int64_t)INT32_MAX);
}

/* --- promises --- */

static void promise_clear(struct promise *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->parts[i].node);
    p->n = 0;
}

static void promise_free(void *v)
{
    struct promise *p = v;

    promise_clear(p);
    free(p->parts);
    free(p);
}

static void give(struct fed_room *r, struct promise *p, const struct room_node *node, int64_t replicas)
{
    MEM_GROW(p->parts, p->cap, p->n);
    p->parts[p->n] = (struct part){ str_dup(node->name), replicas };
    add_part(r, p, &p->parts[p->n++], 1);
}

static struct room_sums sums_of(const struct promise *p)
{
    struct room_sums sums = { { 0 } };

    for (size_t i = 0; p && i < p->n; i++)
        for (size_t k = 0; k < FED_RESOURCES_MAX; k++)
            sums.v[k] += (__int128)p->request.v[k] * p->parts[i].replicas;
    return sums;
}

static bool is_less(const struct room_sums *a, const struct room_sums *b)
{
    for (size_t k = 0; k < FED_RESOURCES_MAX; k++)
        if (a->v[k] < b->v[k])
            return true;
    return false;
}

static void give_all(struct fed_room *r, struct promise *p, const struct fed_demand *d, int64_t replicas)
{
    struct map_entry e;

    for (size_t i = 0; replicas > 0 && map_next(&r->nodes, &i, &e);) {
        struct room_node *node = e.val;
        int64_t n = is_usable(node, d) ? MIN(fits_on(node, &p->request), replicas) : 0;

        if (n <= 0)
            continue;
        give(r, p, node, n);
        replicas -= n;
    }
}

bool fed_room_promise(struct fed_room *r, struct str workload, const struct fed_demand *d, int64_t replicas)
{
    const struct fed_amounts *request = d ? room_demand_request(d) : NULL;
    struct promise *p = map_get(&r->promises, workload);
    struct room_sums before = sums_of(p), now;

    if (p) {
        add_promise(r, p, -1);
        promise_clear(p);
    }
    if (!request || replicas <= 0) {
        if (p)
            promise_free(map_remove(&r->promises, workload));
        p = NULL;
    } else {
        if (!p) {
            p = mem_zalloc(sizeof(*p));
            map_put(&r->promises, workload, p);
        }
        p->request = *request;
        give_all(r, p, d, replicas);
    }
    now = sums_of(p);
    return is_less(&now, &before);
}

void fed_room_fulfil(struct fed_room *r, struct str workload, struct str node)
{
    struct promise *p = map_get(&r->promises, workload);
    size_t at = 0;

    if (!p || p->n == 0)
        return;
    for (size_t i = 0; i < p->n; i++)
        if (str_eqc(node, p->parts[i].node))
            at = i;
    add_part(r, p, &p->parts[at], -1);
    p->parts[at].replicas--;
    add_part(r, p, &p->parts[at], 1);
    if (p->parts[at].replicas > 0)
        return;
    free(p->parts[at].node);
    p->parts[at] = p->parts[--p->n];
}

/* --- totals --- */

void fed_room_totals(const struct fed_room *r, struct fed_room_totals *ret)
{
    struct map_entry e;

    *ret = (struct fed_room_totals){ 0 };
    for (size_t i = 0; map_next(&r->nodes, &i, &e);) {
        const struct room_node *node = e.val;

        ret->nodes++;
        if (!node->ready)
            continue;
        ret->ready_nodes++;
        for (size_t k = 0; k < FED_RESOURCES_MAX; k++) {
            ret->allocatable.v[k] = room_add(ret->allocatable.v[k], node->allocatable.v[k]);
            ret->free.v[k] = room_add(ret->free.v[k], left_of(node, k, node->used.v[k]));
        }
    }
}

static yyjson_mut_val *amounts_text(const struct fed_room *r, yyjson_mut_doc *doc, const struct fed_amounts *amounts,
                                    const struct fed_amounts *there)
{
    yyjson_mut_val *obj = yyjson_mut_obj(doc);

    for (size_t k = 0; k < r->n_names; k++) {
        _cleanup_buf_ struct buf text = BUF_INIT((size_t)64);

        if (there->v[k] == 0)
            continue;
        if (k == FED_RESOURCE_CPU)
            fed_quantity_add_milli(&text, amounts->v[k]);
        else if (k == FED_RESOURCE_MEMORY || k == FED_RESOURCE_STORAGE)
            fed_quantity_add_bytes(&text, amounts->v[k]);
        else
            buf_printf(&text, "%lld", (long long)amounts->v[k]);
        json_mut_setn(doc, obj, fed_room_resource(r, k), json_mut_new_str(doc, buf_str(&text)));
    }
    return obj;
}

yyjson_mut_val *fed_room_status(const struct fed_room *r, yyjson_mut_doc *doc)
{
    yyjson_mut_val *status = yyjson_mut_obj(doc);
    struct fed_room_totals totals;

    fed_room_totals(r, &totals);
    json_mut_set_i64(doc, status, "nodes", (int64_t)totals.nodes);
    json_mut_set_i64(doc, status, "readyNodes", (int64_t)totals.ready_nodes);
    json_mut_set(doc, status, "allocatable", amounts_text(r, doc, &totals.allocatable, &totals.allocatable));
    json_mut_set(doc, status, "free", amounts_text(r, doc, &totals.free, &totals.allocatable));
    return status;
}

/* --- life --- */

struct fed_room *fed_room_new(void)
{
    struct fed_room *r = mem_zalloc(sizeof(*r));

    r->n_names = FED_RESOURCES_FIXED;
    return r;
}

void fed_room_free(struct fed_room *r)
{
    if (!r)
        return;
    map_done_values(&r->nodes, node_free);
    map_done_values(&r->strangers, node_free);
    map_done_values(&r->promises, promise_free);
    for (size_t i = FED_RESOURCES_FIXED; i < r->n_names; i++)
        free(r->names[i]);
    free(r);
}
