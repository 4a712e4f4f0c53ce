/*
 * Target to federated object (api-and-cli.md 3.7). The template is what a user would have written: what a server assigned
 * to the one object that exists must not reach other clusters.
 */
#include "fed/federate.h"

#include <stdlib.h>

#include "fed/names.h"

/* Annotations listed in a warning: names only, their values may be long or secret. */
#define NAMES_SHOWN 1024

static bool is_filled_object(yyjson_val *v)
{
    return yyjson_is_obj(v) && yyjson_obj_size(v) > 0;
}

/* --- clean-up by kind --- */

static void clean_namespace(yyjson_mut_val *template)
{
    json_mut_remove(json_mut_get(template, "spec"), STR("finalizers"));
}

static void clean_service_account(yyjson_mut_val *template)
{
    json_mut_remove(template, STR("secrets"));
}

static void clean_service(yyjson_mut_val *template)
{
    static const char *const assigned[] = { "clusterIP", "clusterIPs", "healthCheckNodePort", "ipFamilies" };
    yyjson_mut_val *spec = json_mut_get(template, "spec"), *ports = json_mut_get(spec, "ports"), *port;
    bool headless = str_eqc(json_mut_str(json_mut_get(spec, "clusterIP")), "None");
    size_t i, n;

    if (!yyjson_mut_is_obj(spec))
        return;
    for (i = headless ? 2 : 0; i < ARRAY_SIZE(assigned); i++)
        json_mut_remove(spec, str_of(assigned[i]));
    yyjson_mut_arr_foreach(ports, i, n, port)
    {
        if (yyjson_mut_is_obj(port))
            json_mut_remove(port, STR("nodePort"));
    }
}

/* With manualSelector the selector is the user's own. */
static void clean_job(yyjson_mut_val *template)
{
    static const char *const generated[] = { "controller-uid", "job-name", "batch.kubernetes.io/controller-uid",
                                             "batch.kubernetes.io/job-name" };
    yyjson_mut_val *spec = json_mut_get(template, "spec");
    yyjson_mut_val *maps[] = { json_mut_path(template, "metadata.labels"),
                               json_mut_path(spec, "template.metadata.labels") };

    if (!yyjson_mut_is_obj(spec) || yyjson_mut_is_true(json_mut_get(spec, "manualSelector")))
        return;
    json_mut_remove(spec, STR("selector"));
    for (size_t m = 0; m < ARRAY_SIZE(maps); m++)
        for (size_t i = 0; yyjson_mut_is_obj(maps[m]) && i < ARRAY_SIZE(generated); i++)
            json_mut_remove(maps[m], str_of(generated[i]));
}

static void clean_volume_claim(yyjson_mut_val *template)
{
    json_mut_remove(json_mut_get(template, "spec"), STR("volumeName"));
}

static bool is_token_volume(yyjson_mut_val *item)
{
    struct str name = json_mut_str(yyjson_mut_obj_get(item, "name"));
    return str_has_prefix(name, STR("kube-api-access-")) || str_contains(name, STR("-token-"));
}

/* Where the admission plugin for ServiceAccounts mounts what it adds. */
static bool is_token_mount(yyjson_mut_val *item)
{
    return str_eq(json_mut_str(yyjson_mut_obj_get(item, "mountPath")),
                  STR("/var/run/secrets/kubernetes.io/serviceaccount"));
}

static void remove_items(yyjson_mut_val *owner, const char *list, bool (*unwanted)(yyjson_mut_val *item))
{
    yyjson_mut_val *array = json_mut_get(owner, list);
    for (size_t i = yyjson_mut_is_arr(array) ? yyjson_mut_arr_size(array) : 0; i-- > 0;)
        if (unwanted(yyjson_mut_arr_get(array, i)))
            yyjson_mut_arr_remove(array, i);
    if (yyjson_mut_is_arr(array) && yyjson_mut_arr_size(array) == 0)
        json_mut_remove(owner, str_of(list));
}

static bool has_token_mounts(yyjson_mut_val *spec, const char *list)
{
    yyjson_mut_val *container, *mount;
    size_t i, n, k, m;
    yyjson_mut_arr_foreach(json_mut_get(spec, list), i, n, container)
    {
        yyjson_mut_arr_foreach(json_mut_get(container, "volumeMounts"), k, m, mount)
        {
            if (is_token_mount(mount))
                return true;
        }
    }
    return false;
}

/* The node is the host's, and so is the token that admission mounted: each member mounts its own. */
static void clean_pod(yyjson_mut_val *template)
{
    static const char *const lists[] = { "containers", "initContainers" };
    yyjson_mut_val *spec = json_mut_get(template, "spec"), *container;
    size_t i, n;
    json_mut_remove(spec, STR("nodeName"));
    if (has_token_mounts(spec, lists[0]) || has_token_mounts(spec, lists[1]))
        remove_items(spec, "volumes", is_token_volume);
    for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
        yyjson_mut_arr_foreach(json_mut_get(spec, lists[l]), i, n, container)
            remove_items(container, "volumeMounts", is_token_mount);
}

static const struct {
    const char *group, *kind;
    void (*clean)(yyjson_mut_val *template);
} rules[] = {
    { "", "Namespace", clean_namespace },
    { "", "ServiceAccount", clean_service_account },
    { "", "Service", clean_service },
    { "batch", "Job", clean_job },
    { "", "PersistentVolumeClaim", clean_volume_claim },
    { "", "Pod", clean_pod },
};

/* --- conversion --- */

static void make_template(const struct fed_federate_input *in, yyjson_val *target, yyjson_mut_doc *doc,
                          yyjson_mut_val *spec)
{
    static const char *const dropped[] = { "apiVersion", "kind", "status", "metadata" };
    yyjson_val *labels = json_path(target, "metadata.labels");
    yyjson_mut_val *template = json_mut_copy(doc, target);

    for (size_t i = 0; i < ARRAY_SIZE(dropped); i++)
        json_mut_remove(template, str_of(dropped[i]));
    if (is_filled_object(labels))
        json_mut_set(doc, json_mut_ensure_obj(doc, template, "metadata"), "labels", json_mut_copy(doc, labels));
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (str_eqc(in->target_group, rules[i].group) && str_eqc(in->target_kind, rules[i].kind))
            rules[i].clean(template);
    if (yyjson_mut_obj_size(json_mut_path(template, "metadata.labels")) == 0)
        json_mut_remove(template, STR("metadata"));
    json_mut_set(doc, spec, "template", template);
}

static void warn_of_annotations(const struct fed_federate_input *in, yyjson_val *target, struct buf *warnings)
{
    _cleanup_buf_ struct buf names = BUF_INIT((size_t)NAMES_SHOWN);
    yyjson_val *annotations = json_path(target, "metadata.annotations"), *key, *value;
    struct str ns = json_path_str(target, "metadata.namespace");
    size_t i, n;

    if (!warnings || !is_filled_object(annotations))
        return;
    yyjson_obj_foreach(annotations, i, n, key, value)
    {
        (void)value;
        buf_printf(&names, "%s%" PRIstr, i ? " " : "", STRARG(json_str(key)));
    }
    buf_printf(warnings,
               "Annotations defined for %" PRIstr " \"%" PRIstr "%s%" PRIstr
               "\" will not appear in the template of the federated resource: [%s%s]",
               STRARG(in->target_kind), STRARG(ns), ns.n ? "/" : "", STRARG(json_path_str(target, "metadata.name")),
               names.p ? names.p : "", buf_failed(&names) ? " ..." : "");
}

static void name_it(const struct fed_federate_input *in, yyjson_val *target, yyjson_mut_doc *doc, yyjson_mut_val *root)
{
    struct str name = json_path_str(target, "metadata.name"), ns = json_path_str(target, "metadata.namespace");
    yyjson_mut_val *metadata;

    json_mut_set_str(doc, root, "apiVersion", in->api_version);
    json_mut_set_str(doc, root, "kind", in->kind);
    metadata = json_mut_ensure_obj(doc, root, "metadata");
    json_mut_set_str(doc, metadata, "name", name);
    if (str_empty(in->target_group) && str_eqc(in->target_kind, "Namespace"))
        json_mut_set_str(doc, metadata, "namespace", name);
    else if (in->namespaced && ns.n)
        json_mut_set_str(doc, metadata, "namespace", ns);
}

/* YAML 1.1 reads an unquoted y, n, on or off as a boolean. */
static int check_name(yyjson_val *target, struct error **err)
{
    yyjson_val *name = json_path(target, "metadata.name");
    const char *type = yyjson_is_bool(name)  ? "boolean"
                       : yyjson_is_num(name) ? "number"
                       : yyjson_is_arr(name) ? "list"
                       : yyjson_is_obj(name) ? "map"
                                             : NULL;

    if (type)
        return error_set(err, -EINVAL, "metadata.name is no string but a %s: put it in quotes", type);
    if (json_str(name).n == 0)
        return error_set(err, -EINVAL, "the resource has no metadata.name");
    return 0;
}

int fed_federate(const struct fed_federate_input *in, yyjson_val *target, yyjson_mut_doc **ret, struct buf *warnings,
                 struct error **err)
{
    yyjson_mut_doc *doc;
    yyjson_mut_val *root, *spec;
    int r;

    if (!yyjson_is_obj(target))
        return error_set(err, -EINVAL, "the resource is not an object");
    r = check_name(target, err);
    if (r < 0)
        return r;
    doc = json_mut_doc_new();
    root = yyjson_mut_doc_get_root(doc);
    name_it(in, target, doc, root);
    spec = json_mut_ensure_obj(doc, root, "spec");
    json_mut_ensure_obj(doc, spec, "placement.clusterSelector.matchLabels");
    make_template(in, target, doc, spec);
    warn_of_annotations(in, target, warnings);
    *ret = doc;
    return 0;
}

int fed_federate_document(yyjson_val *document, yyjson_mut_doc **ret, struct buf *warnings, struct error **err)
{
    struct str api_version = json_path_str(document, "apiVersion"), kind = json_path_str(document, "kind");
    _cleanup_free_ char *federated_kind = fed_federated_kind(kind);
    struct fed_federate_input in = { .api_version = STR(FED_TYPES_GROUP "/" FED_TYPES_VERSION),
                                     .kind = str_of(federated_kind),
                                     .target_kind = kind };
    struct str group, version;

    if (api_version.n == 0 || kind.n == 0)
        return error_set(err, -EINVAL, "the document has no %s", api_version.n ? "kind" : "apiVersion");
    if (str_cut(api_version, '/', &group, &version))
        in.target_group = group;
    in.namespaced = json_path_str(document, "metadata.namespace").n > 0 ||
                    (str_empty(in.target_group) && str_eqc(kind, "Namespace"));
    return fed_federate(&in, document, ret, warnings, err);
}
