/*
 * See bound.h. One table says which fields of which kind; only the kinds whose fields sit in lists have code of their own.
 * A field is open when it is absent, null or empty while the object around it is there.
 */
#include "fed/bound.h"

#include <stdlib.h>

#include "base/map.h"

#define CORE ""
#define ADMISSION "admissionregistration.k8s.io"

/* Shapes of fields: what is of another is not kept. */
#define TEXT YYJSON_TYPE_STR
#define LIST YYJSON_TYPE_ARR
#define OBJECT YYJSON_TYPE_OBJ

static const struct {
    const char *group, *kind, *path;
    yyjson_type shape;
    const char *only_with; /* a member of the desired root, or NULL */
} fields[] = {
    { CORE, "PersistentVolumeClaim", "spec.volumeName", TEXT, NULL },
    { CORE, "PersistentVolumeClaim", "spec.storageClassName", TEXT, NULL },
    { CORE, "PersistentVolumeClaim", "spec.volumeMode", TEXT, NULL },
    { CORE, "PersistentVolumeClaim", "spec.dataSource", OBJECT, NULL },
    { CORE, "PersistentVolumeClaim", "spec.dataSourceRef", OBJECT, NULL },
    { CORE, "PersistentVolume", "spec.claimRef", OBJECT, NULL },
    { CORE, "PersistentVolume", "spec.storageClassName", TEXT, NULL },
    { CORE, "PersistentVolume", "spec.volumeMode", TEXT, NULL },
    { CORE, "PersistentVolume", "spec.nodeAffinity", OBJECT, NULL },
    { CORE, "Service", "spec.ipFamily", TEXT, NULL },
    { CORE, "Service", "spec.ipFamilies", LIST, NULL },
    { CORE, "Service", "spec.ipFamilyPolicy", TEXT, NULL },
    { CORE, "Service", "spec.loadBalancerClass", TEXT, NULL },
    { CORE, "ServiceAccount", "imagePullSecrets", LIST, NULL },
    { CORE, "Pod", "spec", OBJECT, NULL }, /* filled in, see below */
    { "batch", "Job", "spec.selector", OBJECT, NULL },
    { "networking.k8s.io", "Ingress", "spec.ingressClassName", TEXT, NULL },
    { "rbac.authorization.k8s.io", "ClusterRole", "rules", LIST, "aggregationRule" },
    { "apiregistration.k8s.io", "APIService", "spec.caBundle", TEXT, NULL },
    { "apiextensions.k8s.io", "CustomResourceDefinition", "spec.conversion.webhook.clientConfig.caBundle", TEXT, NULL },
    { "apiextensions.k8s.io", "CustomResourceDefinition", "spec.conversion.webhookClientConfig.caBundle", TEXT, NULL },
};

/* What the API server puts on the pods of a Job so that its selector finds them. */
static const char *const job_labels[] = { "controller-uid", "job-name", "batch.kubernetes.io/controller-uid",
                                          "batch.kubernetes.io/job-name" };
#define POD_LABELS "spec.template.metadata.labels"

static bool is_kind(const struct fed_type_config *type, const char *group, const char *kind)
{
    return strcmp(type->target.group, group) == 0 && strcmp(type->target.kind, kind) == 0;
}

static bool has_webhooks(const struct fed_type_config *type)
{
    return is_kind(type, ADMISSION, "MutatingWebhookConfiguration") ||
           is_kind(type, ADMISSION, "ValidatingWebhookConfiguration");
}

static bool is_open(yyjson_mut_val *v)
{
    return !v || yyjson_mut_is_null(v) || (yyjson_mut_is_ctn(v) && unsafe_yyjson_get_len(v) == 0) ||
           (yyjson_mut_is_str(v) && json_mut_str(v).n == 0);
}

/* The member says something of this shape. All shapes have a length. */
static bool says(yyjson_val *v, yyjson_type shape)
{
    return yyjson_get_type(v) == shape && unsafe_yyjson_get_len(v) > 0;
}

/* "a.b.c" as parent "a.b" and key "c"; without a dot the parent is the root. */
static const char *split_path(const char *path, char parent[static 96])
{
    const char *dot = strrchr(path, '.');
    size_t n = dot ? (size_t)(dot - path) : 0;

    assert(n < 96);
    memcpy(parent, path, n);
    parent[n] = '\0';
    return dot ? dot + 1 : path;
}

/* --- filling in a whole object --- */

/* Far deeper and wider than Kubernetes' own types are: what a member may cost. */
#define FILL_DEPTH 32
#define FILL_WIDTH 2048u

static void fill(yyjson_mut_doc *doc, yyjson_mut_val *desired, yyjson_val *live, unsigned depth);

/* What tells items of a list apart: the first of these that both have. */
static bool same_item(yyjson_mut_val *a, yyjson_val *b)
{
    static const char *const keys[] = { "mountPath", "name", "containerPort", "key" };

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        yyjson_mut_val *x = json_mut_get(a, keys[i]);
        yyjson_val *y = json_get(b, keys[i]);

        if (x && y)
            return json_mut_equal(x, y) && json_mut_equal(json_mut_get(a, "effect"), json_get(b, "effect"));
    }
    return json_mut_equal(a, b);
}

static yyjson_mut_val *find_item(yyjson_mut_val *list, yyjson_val *wanted)
{
    yyjson_mut_val *item;
    size_t i, n;

    yyjson_mut_arr_foreach(list, i, n, item)
    {
        if (same_item(item, wanted))
            return item;
    }
    return NULL;
}

/* Lists of objects only; others are as the template says. */
static void fill_list(yyjson_mut_doc *doc, yyjson_mut_val *desired, yyjson_val *live, unsigned depth)
{
    yyjson_val *item;
    size_t i, n;

    if (yyjson_arr_size(live) > FILL_WIDTH || yyjson_mut_arr_size(desired) > FILL_WIDTH)
        return;
    yyjson_arr_foreach(live, i, n, item)
    {
        yyjson_mut_val *mine = yyjson_is_obj(item) ? find_item(desired, item) : NULL;

        if (mine)
            fill(doc, mine, item, depth);
        else if (yyjson_is_obj(item))
            yyjson_mut_arr_append(desired, json_mut_copy(doc, item));
    }
}

static void fill(yyjson_mut_doc *doc, yyjson_mut_val *desired, yyjson_val *live, unsigned depth)
{
    yyjson_val *key, *value;
    size_t i, n;

    if (depth == 0)
        return;
    if (yyjson_mut_is_arr(desired) && yyjson_is_arr(live)) {
        fill_list(doc, desired, live, depth - 1);
        return;
    }
    if (!yyjson_mut_is_obj(desired) || !yyjson_is_obj(live) || yyjson_obj_size(live) > FILL_WIDTH)
        return;
    yyjson_obj_foreach(live, i, n, key, value)
    {
        _cleanup_free_ char *name = str_dup(json_str(key));
        yyjson_mut_val *mine = json_mut_get(desired, name);

        if (is_open(mine))
            json_mut_set(doc, desired, name, json_mut_copy(doc, value));
        else
            fill(doc, mine, value, depth - 1);
    }
}

/* --- lists with a rule of their own --- */

static void keep_job_labels(yyjson_mut_doc *doc, yyjson_val *live)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);

    if (!yyjson_mut_is_obj(json_mut_path(root, "spec.template")))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(job_labels); i++) {
        yyjson_val *v = json_get(json_path(live, POD_LABELS), job_labels[i]);
        yyjson_mut_val *labels = says(v, TEXT) ? json_mut_ensure_obj(doc, root, POD_LABELS) : NULL;

        if (labels && is_open(json_mut_get(labels, job_labels[i])))
            json_mut_set(doc, labels, job_labels[i], json_mut_copy(doc, v));
    }
}

static void keep_webhook_bundles(yyjson_mut_doc *doc, yyjson_val *live)
{
    _cleanup_(map_done) struct map bundles = MAP_INIT;
    yyjson_mut_val *hook;
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(json_get(live, "webhooks"), i, n, item)
    {
        yyjson_val *bundle = json_path(item, "clientConfig.caBundle");

        if (yyjson_is_obj(item) && says(bundle, TEXT))
            map_put(&bundles, json_path_str(item, "name"), bundle);
    }
    yyjson_mut_arr_foreach(json_mut_get(yyjson_mut_doc_get_root(doc), "webhooks"), i, n, hook)
    {
        yyjson_mut_val *config = json_mut_get(hook, "clientConfig");
        yyjson_val *bundle = map_get(&bundles, json_mut_str(json_mut_get(hook, "name")));

        if (bundle && yyjson_mut_is_obj(config) && is_open(json_mut_get(config, "caBundle")))
            json_mut_set(doc, config, "caBundle", json_mut_copy(doc, bundle));
    }
}

/* --- retention --- */

static void keep_field(yyjson_mut_doc *doc, yyjson_val *live, const char *path, yyjson_type shape)
{
    char parent_path[96];
    const char *key = split_path(path, parent_path);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_val *parent = parent_path[0] ? json_mut_path(root, parent_path) : root;
    yyjson_val *v = json_path(live, path);

    if (strcmp(key, "storageClassName") == 0 && yyjson_mut_is_str(parent ? json_mut_get(parent, key) : NULL))
        return; /* an empty one says: no class */
    if (says(v, shape) && yyjson_mut_is_obj(parent) && is_open(json_mut_get(parent, key)))
        json_mut_set(doc, parent, key, json_mut_copy(doc, v));
}

void bound_retain(const struct fed_type_config *type, yyjson_val *live, yyjson_mut_doc *desired)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(desired);

    if (is_kind(type, CORE, "Pod"))
        fill(desired, json_mut_get(root, "spec"), json_get(live, "spec"), FILL_DEPTH);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (is_kind(type, fields[i].group, fields[i].kind) &&
            (!fields[i].only_with || json_mut_get(root, fields[i].only_with)))
            keep_field(desired, live, fields[i].path, fields[i].shape);
    if (is_kind(type, "batch", "Job"))
        keep_job_labels(desired, live);
    if (has_webhooks(type))
        keep_webhook_bundles(desired, live);
}

/* --- projection --- */

static void project_field(yyjson_val *live, size_t field, yyjson_mut_doc *out, yyjson_mut_val *root)
{
    char parent_path[96];
    const char *key = split_path(fields[field].path, parent_path);
    yyjson_val *v = json_path(live, fields[field].path);
    yyjson_mut_val *parent;

    if (!says(v, fields[field].shape))
        return;
    parent = parent_path[0] ? json_mut_ensure_obj(out, root, parent_path) : root;
    if (parent && !json_mut_get(parent, key))
        json_mut_set(out, parent, key, json_mut_copy(out, v));
}

static void project_webhooks(yyjson_val *live, yyjson_mut_doc *out, yyjson_mut_val *root)
{
    yyjson_mut_val *hooks = yyjson_mut_arr(out);
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(json_get(live, "webhooks"), i, n, item)
    {
        yyjson_val *bundle = json_path(item, "clientConfig.caBundle");
        yyjson_mut_val *hook;

        if (!says(bundle, TEXT))
            continue;
        hook = yyjson_mut_arr_add_obj(out, hooks);
        json_mut_set_str(out, hook, "name", json_path_str(item, "name"));
        json_mut_set(out, json_mut_ensure_obj(out, hook, "clientConfig"), "caBundle", json_mut_copy(out, bundle));
    }
    json_mut_set(out, root, "webhooks", hooks);
}

void bound_project(const struct fed_type_config *type, yyjson_val *live, yyjson_mut_doc *out, yyjson_mut_val *root)
{
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (is_kind(type, fields[i].group, fields[i].kind))
            project_field(live, i, out, root);
    if (is_kind(type, "batch", "Job"))
        for (size_t i = 0; i < ARRAY_SIZE(job_labels); i++) {
            yyjson_val *v = json_get(json_path(live, POD_LABELS), job_labels[i]);

            if (says(v, TEXT))
                json_mut_set(out, json_mut_ensure_obj(out, root, POD_LABELS), job_labels[i], json_mut_copy(out, v));
        }
    if (has_webhooks(type))
        project_webhooks(live, out, root);
}
