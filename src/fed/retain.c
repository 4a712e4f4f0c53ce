/*
 * Retention: see retain.h. `desired` is a fresh document that nobody else looks at, so errors may leave it half changed.
 * Integers and strings are told apart strictly, as the original does: a live object of a surprising shape is reported, not
 * overwritten.
 */
#include "fed/retain.h"

#include <stdlib.h>

#include "base/map.h"
#include "fed/bound.h"
#include "fed/plan_internal.h"

/* Kubernetes puts it on every Namespace and would put it back. */
#define NAME_LABEL "kubernetes.io/metadata.name"

static bool is_core_kind(const struct fed_type_config *type, const char *kind)
{
    return type->target.group[0] == '\0' && strcmp(type->target.kind, kind) == 0;
}

static bool is_absent(yyjson_val *v)
{
    return !v || yyjson_is_null(v);
}

static bool is_empty(yyjson_val *v)
{
    return is_absent(v) || (yyjson_is_ctn(v) && unsafe_yyjson_get_len(v) == 0);
}

bool fed_type_keeps_status(const struct fed_type_config *type)
{
    return fed_type_is_custom(type);
}

static const struct fed_behavior *behavior_of(const struct fed_retain_input *in)
{
    return in->behavior ? in->behavior : &fed_behavior_default;
}

/* --- metadata --- */

/* The member's value, or none. */
static void take_over(yyjson_mut_doc *doc, yyjson_mut_val *metadata, yyjson_val *live, const char *key)
{
    yyjson_val *v = json_get(live, key);

    if (is_empty(v))
        json_mut_remove(metadata, str_of(key));
    else
        json_mut_set(doc, metadata, key, json_mut_copy(doc, v));
}

/* Labels that only the member object has: all, or one. Those present are looked up in a map: there may be many. */
static int add_labels(yyjson_mut_doc *doc, yyjson_mut_val *root, yyjson_val *live_labels, const char *only,
                      struct error **err)
{
    _cleanup_(map_done) struct map present = MAP_INIT;
    yyjson_mut_val *labels, *own_key, *own_value;
    yyjson_val *key, *value;
    size_t i, n;

    if (yyjson_obj_size(live_labels) == 0 || (only && !json_get(live_labels, only)))
        return 0;
    labels = json_mut_ensure_obj(doc, root, "metadata.labels");
    if (!labels)
        return error_set(err, -EINVAL, "spec.template.metadata.labels must be an object");
    yyjson_mut_obj_foreach(labels, i, n, own_key, own_value) map_put(&present, json_mut_str(own_key), own_value);
    yyjson_obj_foreach(live_labels, i, n, key, value)
    {
        if ((only && !str_eqc(json_str(key), only)) || map_has(&present, json_str(key)))
            continue;
        yyjson_mut_obj_add(labels, json_mut_new_str(doc, json_str(key)), json_mut_copy(doc, value));
        map_put(&present, json_str(key), value);
    }
    return 0;
}

static int retain_metadata(const struct fed_retain_input *in, yyjson_mut_doc *doc, struct error **err)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_val *metadata = json_mut_ensure_obj(doc, root, "metadata");
    yyjson_val *live = json_get(in->live, "metadata"), *labels = json_get(live, "labels");

    if (!metadata)
        return error_set(err, -EINVAL, "spec.template.metadata must be an object");
    json_mut_set_str(doc, metadata, "resourceVersion", in->resource_version);
    take_over(doc, metadata, live, "finalizers");
    take_over(doc, metadata, live, "annotations");
    if (behavior_of(in)->keep_owners_and_status && !json_mut_get(metadata, "ownerReferences"))
        take_over(doc, metadata, live, "ownerReferences");
    if (in->host_namespace && behavior_of(in)->keep_host_namespace_labels)
        return add_labels(doc, root, labels, NULL, err);
    if (is_core_kind(in->type, "Namespace"))
        return add_labels(doc, root, labels, NAME_LABEL, err);
    return 0;
}

/* --- Service --- */

static yyjson_mut_val *desired_spec(yyjson_mut_doc *doc, struct error **err)
{
    yyjson_mut_val *spec = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), "spec");

    if (!spec)
        error_set(err, -EINVAL, "spec.template.spec must be an object");
    return spec;
}

static int retain_health_port(yyjson_mut_doc *doc, yyjson_val *live, struct error **err)
{
    yyjson_val *v = json_get(live, "healthCheckNodePort");
    yyjson_mut_val *spec;
    int64_t port;

    if (!v)
        return 0;
    if (json_i64(v, &port) < 0)
        return error_set(err, -EINVAL, "spec.healthCheckNodePort of the service is not an integer");
    if (port <= 0)
        return 0;
    spec = desired_spec(doc, err);
    if (!spec)
        return -EINVAL;
    json_mut_set_i64(doc, spec, "healthCheckNodePort", port);
    return 0;
}

static int retain_cluster_ip(yyjson_mut_doc *doc, yyjson_val *live, struct error **err)
{
    yyjson_val *ip = json_get(live, "clusterIP"), *ips = json_get(live, "clusterIPs"), *item;
    yyjson_mut_val *spec;
    size_t i, n;

    if (ip && !yyjson_is_str(ip))
        return error_set(err, -EINVAL, "spec.clusterIP of the service is not a string");
    if (ips && !yyjson_is_arr(ips))
        return error_set(err, -EINVAL, "spec.clusterIPs of the service is not a list");
    yyjson_arr_foreach(ips, i, n, item)
    {
        if (!yyjson_is_str(item))
            return error_set(err, -EINVAL, "spec.clusterIPs of the service is not a list of strings");
    }
    if (json_str(ip).n == 0 && yyjson_arr_size(ips) == 0)
        return 0;
    spec = desired_spec(doc, err);
    if (!spec)
        return -EINVAL;
    if (json_str(ip).n)
        json_mut_set(doc, spec, "clusterIP", json_mut_copy(doc, ip));
    if (yyjson_arr_size(ips))
        json_mut_set(doc, spec, "clusterIPs", json_mut_copy(doc, ips));
    return 0;
}

/* Ports are the same when name, protocol and port are; an absent protocol is TCP. */
static void port_key(struct buf *key, yyjson_val *port)
{
    yyjson_val *name = json_get(port, "name"), *protocol = json_get(port, "protocol"), *number = json_get(port, "port");

    buf_reset(key);
    if (name)
        json_write(key, name);
    buf_addc(key, '\n');
    if (protocol)
        json_write(key, protocol);
    else
        buf_addz(key, "\"TCP\"");
    buf_addc(key, '\n');
    if (number)
        json_write(key, number);
}

/* Gives desired ports the node ports of the live ports that are the same. */
static void copy_node_ports(yyjson_mut_doc *doc, yyjson_mut_val *ports, const struct map *live_ports)
{
    _cleanup_buf_ struct buf key = BUF_INIT(SIZE_MAX);
    yyjson_mut_val *port;
    size_t i, n;

    yyjson_mut_arr_foreach(ports, i, n, port)
    {
        _cleanup_json_ yyjson_doc *frozen = json_freeze_val(port);
        yyjson_val *live, *node_port;

        port_key(&key, yyjson_doc_get_root(frozen));
        live = map_get(live_ports, buf_str(&key));
        node_port = json_get(live, "nodePort");
        if (node_port)
            json_mut_set(doc, port, "nodePort", json_mut_copy(doc, node_port));
    }
}

static int check_ports(yyjson_mut_val *desired, yyjson_val *live, struct error **err)
{
    yyjson_mut_val *port;
    yyjson_val *live_port;
    size_t i, n;

    if (desired && !yyjson_mut_is_null(desired) && !yyjson_mut_is_arr(desired))
        return error_set(err, -EINVAL, "spec.template.spec.ports must be a list");
    if (!yyjson_is_arr(live))
        return error_set(err, -EINVAL, "spec.ports of the service is not a list");
    yyjson_mut_arr_foreach(desired, i, n, port)
    {
        if (!yyjson_mut_is_obj(port))
            return error_set(err, -EINVAL, "spec.template.spec.ports[%zu] must be an object", i);
    }
    yyjson_arr_foreach(live, i, n, live_port)
    {
        if (!yyjson_is_obj(live_port))
            return error_set(err, -EINVAL, "spec.ports[%zu] of the service is not an object", i);
    }
    return 0;
}

static int retain_node_ports(yyjson_mut_doc *doc, yyjson_val *live_spec, struct error **err)
{
    _cleanup_(map_done) struct map live_ports = MAP_INIT;
    _cleanup_buf_ struct buf key = BUF_INIT(SIZE_MAX);
    yyjson_val *live = json_get(live_spec, "ports"), *port;
    yyjson_mut_val *spec, *ports;
    size_t i, n;

    if (!live)
        return 0;
    spec = desired_spec(doc, err);
    if (!spec)
        return -EINVAL;
    ports = json_mut_get(spec, "ports");
    if (check_ports(ports, live, err) < 0)
        return -EINVAL;
    if (!yyjson_mut_is_arr(ports)) {
        json_mut_set(doc, spec, "ports", yyjson_mut_arr(doc));
        return 0;
    }
    yyjson_arr_foreach(live, i, n, port)
    {
        port_key(&key, port);
        map_put(&live_ports, buf_str(&key), port);
    }
    copy_node_ports(doc, ports, &live_ports);
    return 0;
}

static int retain_service(const struct fed_retain_input *in, yyjson_mut_doc *doc, struct error **err)
{
    yyjson_val *live = json_get(in->live, "spec");
    int r;

    if (!is_absent(live) && !yyjson_is_obj(live))
        return error_set(err, -EINVAL, "spec of the service is not an object");
    r = retain_health_port(doc, live, err);
    if (r == 0)
        r = retain_cluster_ip(doc, live, err);
    if (r == 0)
        r = retain_node_ports(doc, live, err);
    return r;
}

/* --- other kinds --- */

static int retain_secrets(const struct fed_retain_input *in, yyjson_mut_doc *doc, struct error **err)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *desired = json_mut_get(root, "secrets");
    yyjson_val *live = json_get(in->live, "secrets");

    if (desired && !yyjson_mut_is_null(desired) && !yyjson_mut_is_arr(desired))
        return error_set(err, -EINVAL, "spec.template.secrets must be a list");
    if (!is_absent(live) && !yyjson_is_arr(live))
        return error_set(err, -EINVAL, "secrets of the service account is not a list");
    if (yyjson_mut_arr_size(desired) == 0 && yyjson_arr_size(live) > 0)
        json_mut_set(doc, root, "secrets", json_mut_copy(doc, live));
    return 0;
}

/* A template without replica count leaves it to others. */
static bool replicas_are_open(const struct fed_retain_input *in, yyjson_mut_doc *doc)
{
    yyjson_mut_val *v = json_mut_path(yyjson_mut_doc_get_root(doc), member_replicas_path(in->type));

    return behavior_of(in)->retain_bound_fields && (!v || yyjson_mut_is_null(v));
}

static int set_replicas(yyjson_mut_doc *doc, const char *path, int64_t replicas, struct error **err)
{
    const char *dot = strrchr(path, '.');
    _cleanup_free_ char *parent = str_dup(str_n(path, (size_t)(dot - path)));
    yyjson_mut_val *obj = json_mut_ensure_obj(doc, yyjson_mut_doc_get_root(doc), parent);

    if (!obj)
        return error_set(err, -EINVAL, "spec.template.%s must be an object", parent);
    json_mut_set_i64(doc, obj, dot + 1, replicas);
    return 0;
}

int fed_retain_replicas(const struct fed_retain_input *in, yyjson_mut_doc *doc, struct error **err)
{
    yyjson_val *wanted = json_path(in->fed_object, "spec.retainReplicas");
    yyjson_val *live = json_path(in->live, "spec.replicas");
    const char *path = member_replicas_path(in->type);
    int64_t replicas;
    bool must;

    if (!is_absent(wanted) && !yyjson_is_bool(wanted))
        return error_set(err, -EINVAL, "spec.retainReplicas must be true or false");
    must = yyjson_is_true(wanted) || in->autoscaled;
    if (!live || !(must || replicas_are_open(in, doc)))
        return 0;
    if (json_i64(live, &replicas) < 0 && !must)
        return 0; /* no replica count after all */
    if (json_i64(live, &replicas) < 0)
        return error_set(err, -EINVAL, "%s of the cluster object is not an integer", path);
    return set_replicas(doc, path, replicas, err);
}

static void retain_status(const struct fed_retain_input *in, yyjson_mut_doc *doc)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_val *live = json_get(in->live, "status");

    if (live && behavior_of(in)->keep_owners_and_status && fed_type_keeps_status(in->type) &&
        !json_mut_get(root, "status"))
        json_mut_set(doc, root, "status", json_mut_copy(doc, live));
}

int fed_retain(const struct fed_retain_input *in, yyjson_mut_doc *desired, struct error **err)
{
    int r = retain_metadata(in, desired, err);

    if (r < 0)
        return r;
    if (is_core_kind(in->type, "Service"))
        r = retain_service(in, desired, err);
    else if (is_core_kind(in->type, "ServiceAccount"))
        r = retain_secrets(in, desired, err);
    else
        r = fed_retain_replicas(in, desired, err);
    if (r < 0)
        return r;
    retain_status(in, desired);
    if (behavior_of(in)->retain_bound_fields)
        bound_retain(in->type, in->live, desired);
    return 0;
}
