/* The host's part of explain-schedule: preferences and the federated objects that they steer. */
#include <stdlib.h>

#include "cli/explain.h"
#include "fed/names.h"
#include "fed/schedule_target.h"

/* --- workloads --- */

/* Takes rsp. */
static struct explain_workload *add_workload(struct explain *x, yyjson_doc *rsp)
{
    x->workloads = mem_realloc(x->workloads, (x->n_workloads + 1) * sizeof(*x->workloads));
    struct explain_workload *w = &x->workloads[x->n_workloads++];
    yyjson_val *root = yyjson_doc_get_root(rsp);
    *w = (struct explain_workload){ .ns = json_path_str(root, "metadata.namespace"),
                                    .name = json_path_str(root, "metadata.name"),
                                    .rsp = rsp,
                                    .pods = mem_array(x->world.n_clusters, sizeof(*w->pods)) };
    return w;
}

static struct fed_type_config *enabled_type(const struct explain *x, const char *kind)
{
    for (size_t i = 0; i < x->world.n_types; i++) {
        struct fed_type_config *t = x->world.types[i];
        if (t->propagation_enabled && strcmp(t->federated.kind, kind) == 0)
            return t;
    }
    return NULL;
}

/* The type of a kind, when its objects have a replica count. */
static int find_type(struct explain *x, const char *kind, const struct fed_type_config **ret, struct error **err)
{
    struct fed_type_config *type = enabled_type(x, kind);
    *ret = NULL;
    if (!type)
        return 0;
    int r = world_find_replicas_path(&x->world, type, err);
    if (r == 0 && (fed_type_is_scalable(type) || type->replicas_path))
        *ret = type;
    return r;
}

static struct kube_resource federated_of(const struct fed_type_config *type)
{
    const struct fed_api_resource *f = &type->federated;
    return (struct kube_resource){ str_of(f->group), str_of(f->version), str_of(f->plural), true };
}

/* Takes object. */
static void set_object(struct explain_workload *w, yyjson_doc *object)
{
    yyjson_val *root = yyjson_doc_get_root(object);
    w->object = object;
    (void)fed_overrides_parse(root, &w->overrides, NULL);
}

/* --- the others --- */

struct others {
    struct explain *x;
    struct str ns, name; /* not this one */
    const struct fed_type_config *type;
};

static int add_preference(void *arg, yyjson_val *rsp)
{
    struct others *o = arg;
    struct fed_preference *p = NULL;
    if ((str_eq(json_path_str(rsp, "metadata.namespace"), o->ns) &&
         str_eq(json_path_str(rsp, "metadata.name"), o->name)) ||
        fed_preference_decode(rsp, &p, NULL) < 0)
        return 0;
    if (p->strategy != FED_BY_FREE_RESOURCES) {
        fed_preference_free(p);
        return 0;
    }
    _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(rsp);
    add_workload(o->x, json_freeze(copy))->preference = p;
    return 0;
}

static int add_object(void *arg, yyjson_val *object)
{
    const struct others *o = arg;
    struct str ns = json_path_str(object, "metadata.namespace"), name = json_path_str(object, "metadata.name");
    for (size_t i = 1; i < o->x->n_workloads; i++) {
        struct explain_workload *w = &o->x->workloads[i];
        if (w->type != o->type || w->object || !str_eq(w->ns, ns) || !str_eq(w->name, name))
            continue;
        _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(object);
        set_object(w, json_freeze(copy));
        return 0;
    }
    return 0;
}

static int read_objects(struct explain *x, struct str ns, struct error **err)
{
    for (size_t t = 0; t < x->world.n_types; t++) {
        struct others o = { .x = x, .type = x->world.types[t] };
        bool wanted = false;
        for (size_t i = 1; i < x->n_workloads; i++)
            wanted |= x->workloads[i].type == o.type;
        if (!wanted)
            continue;
        struct kube_resource res = federated_of(o.type);
        int r = remote_list(x->world.host, &res, ns, 500, add_object, &o, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Preferences that go by room, too: what they gave out and does not run yet is not free. */
static int read_others(struct explain *x, struct error **err)
{
    struct others o = { .x = x, .ns = x->workloads[0].ns, .name = x->workloads[0].name };
    struct str everywhere = x->world.config->namespaced ? str_of(x->world.cli->common.ns) : STR_NULL;
    cli_progress(x->world.cli, "Reading the other preferences");
    int r = remote_list(x->world.host, &res_preferences, everywhere, 500, add_preference, &o, err);
    for (size_t i = 1; r == 0 && i < x->n_workloads; i++)
        r = find_type(x, x->workloads[i].preference->target_kind, &x->workloads[i].type, err);
    return r < 0 ? r : read_objects(x, everywhere, err);
}

/* --- the one to explain --- */

static int conclude(struct explain *x, const char *reason, char *message)
{
    x->reason = reason;
    free(x->message);
    x->message = message;
    return 0;
}

static int read_target(struct explain *x, struct error **err)
{
    struct explain_workload *w = &x->workloads[0];
    _cleanup_error_ struct error *e = NULL;
    yyjson_doc *object = NULL;
    int r = find_type(x, w->preference->target_kind, &w->type, err);
    if (r < 0)
        return r;
    if (!w->type)
        return conclude(x, "TypeNotEnabled",
                        mem_printf("spec.targetKind: no enabled type with replicas has the federated kind \"%.128s\"",
                                   w->preference->target_kind));
    struct kube_resource res = federated_of(w->type);
    r = remote_get(x->world.host, &res, w->ns, w->name, &object, &e);
    if (r < 0 && is_not_found(e))
        return conclude(x, "TargetNotFound",
                        mem_printf("spec.targetKind: there is no %s \"%s\"", w->preference->target_kind, x->key));
    if (r < 0)
        return error_move(err, &e, "%s", "");
    set_object(w, object);
    if (w->preference->intersect)
        r = world_federated_namespace(&x->world, w->ns, &x->fed_namespace, err);
    return r == 0 && w->preference->strategy == FED_BY_FREE_RESOURCES ? read_others(x, err) : r;
}

int explain_read_host(struct explain *x, struct str ns, struct str name, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    yyjson_doc *rsp = NULL;
    x->key = mem_printf("%" PRIstr "/%" PRIstr, STRARG(ns), STRARG(name));
    int r = remote_get(x->world.host, &res_preferences, ns, name, &rsp, &e);
    if (r < 0 && is_not_found(e))
        return error_set_http(err, e->code, 404, STR("NotFound"),
                              "ReplicaSchedulingPreference \"%s\" not found: it has the name and the namespace of the "
                              "federated object whose replicas it schedules",
                              x->key);
    if (r < 0)
        return error_move(err, &e, "%s", "");
    struct explain_workload *w = add_workload(x, rsp);
    if (fed_preference_decode(yyjson_doc_get_root(rsp), &w->preference, &e) < 0)
        return conclude(x, "InvalidSpec", mem_strdup(error_msg(e)));
    return read_target(x, err);
}
