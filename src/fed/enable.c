/*
 * FTC and CRD of a federated type. The CRD's schema is the same for every type (api-and-cli.md 1.9.1), so it is written here
 * as JSON text; only retainReplicas depends on the target.
 */
#include "fed/enable.h"

#include <stdlib.h>

#include "fed/names.h"

/* How deep $ref chains of an OpenAPI document are followed. */
#define REF_MAX 16

#define STRING "{\"type\":\"string\"}"
#define DATE_TIME "{\"format\":\"date-time\",\"type\":\"string\"}"
#define OPEN_OBJECT "{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}"

static const char placement_schema[] = "{\"properties\":{"
                                       "\"clusterSelector\":{\"properties\":{"
                                       "\"matchExpressions\":{\"items\":{\"properties\":{\"key\":" STRING
                                       ",\"operator\":" STRING ",\"values\":{\"items\":" STRING
                                       ",\"type\":\"array\"}},\"required\":[\"key\",\"operator\"],\"type\":\"object\"},"
                                       "\"type\":\"array\"},"
                                       "\"matchLabels\":{\"additionalProperties\":" STRING
                                       ",\"type\":\"object\"}},\"type\":\"object\"},"
                                       "\"clusters\":{\"items\":{\"properties\":{\"name\":" STRING
                                       "},\"required\":[\"name\"],\"type\":\"object\"},"
                                       "\"type\":\"array\"}},\"type\":\"object\"}";

static const char overrides_schema[] =
    "{\"items\":{\"properties\":{"
    "\"clusterName\":" STRING ","
    "\"clusterOverrides\":{\"items\":{\"properties\":{"
    "\"op\":{\"pattern\":\"^(add|remove|replace)?$\",\"type\":\"string\"},"
    "\"path\":" STRING ","
    "\"value\":{\"x-kubernetes-preserve-unknown-fields\":true}},\"required\":[\"path\"],\"type\":\"object\"},"
    "\"type\":\"array\"}},\"type\":\"object\"},\"type\":\"array\"}";

static const char status_schema[] =
    "{\"properties\":{"
    "\"clusters\":{\"items\":{\"properties\":{\"name\":" STRING ",\"remoteStatus\":" OPEN_OBJECT ",\"status\":" STRING
    "},\"required\":[\"name\"],\"type\":\"object\"},\"type\":\"array\"},"
    "\"conditions\":{\"items\":{\"properties\":{\"lastTransitionTime\":" DATE_TIME ",\"lastUpdateTime\":" DATE_TIME
    ",\"reason\":" STRING ",\"status\":" STRING ",\"type\":" STRING
    "},\"required\":[\"type\",\"status\"],\"type\":\"object\"},\"type\":\"array\"},"
    "\"observedGeneration\":{\"format\":\"int64\",\"type\":\"integer\"}},\"type\":\"object\"}";

/* --- small builders --- */

static yyjson_mut_val *constant(yyjson_mut_doc *doc, const char *json)
{
    _cleanup_json_ yyjson_doc *parsed = NULL;
    int r = json_parse(str_of(json), &parsed, NULL);

    assert(r == 0);
    (void)r;
    return json_mut_copy(doc, yyjson_doc_get_root(parsed));
}

static struct str group_of(const struct fed_enable_input *in)
{
    return in->federated_group.n ? in->federated_group : STR(FED_TYPES_GROUP);
}

static struct str version_of(const struct fed_enable_input *in)
{
    return in->federated_version.n ? in->federated_version : STR(FED_TYPES_VERSION);
}

bool fed_enable_federated_namespaced(const struct fed_enable_input *in)
{
    return in->namespaced || (str_empty(in->group) && str_eqc(in->plural, FED_NAMESPACES_FTC));
}

static struct str scope_of(bool namespaced)
{
    return namespaced ? STR(FED_SCOPE_NAMESPACED) : STR(FED_SCOPE_CLUSTER);
}

char *fed_enable_crd_name(const struct fed_enable_input *in)
{
    _cleanup_free_ char *plural = fed_federated_plural(in->plural);

    return mem_printf("%s.%" PRIstr, plural, STRARG(group_of(in)));
}

static yyjson_mut_val *named_object(yyjson_mut_doc *doc, const char *api_version, const char *kind, struct str name)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);

    json_mut_set_str(doc, root, "apiVersion", str_of(api_version));
    json_mut_set_str(doc, root, "kind", str_of(kind));
    json_mut_set_str(doc, json_mut_ensure_obj(doc, root, "metadata"), "name", name);
    return json_mut_ensure_obj(doc, root, "spec");
}

/* --- FTC --- */

static void set_resource(yyjson_mut_doc *doc, yyjson_mut_val *spec, const char *key, struct str group,
                         struct str version, struct str kind, struct str plural, bool namespaced)
{
    yyjson_mut_val *r = json_mut_ensure_obj(doc, spec, key);

    if (group.n)
        json_mut_set_str(doc, r, "group", group);
    json_mut_set_str(doc, r, "kind", kind);
    json_mut_set_str(doc, r, "pluralName", plural);
    json_mut_set_str(doc, r, "scope", scope_of(namespaced));
    json_mut_set_str(doc, r, "version", version);
}

yyjson_mut_doc *fed_enable_type_config(const struct fed_enable_input *in)
{
    _cleanup_free_ char *name = fed_type_config_name(in->plural, in->group);
    _cleanup_free_ char *kind = fed_federated_kind(in->kind), *plural = fed_federated_plural(in->plural);
    yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *spec = named_object(doc, FED_CORE_API_VERSION, FED_TYPE_CONFIG_KIND, str_of(name));

    set_resource(doc, spec, "federatedType", group_of(in), version_of(in), str_of(kind), str_of(plural),
                 fed_enable_federated_namespaced(in));
    json_mut_set_str(doc, spec, "propagation", STR(FED_ENABLED));
    set_resource(doc, spec, "targetType", in->group, in->version, in->kind, in->plural, in->namespaced);
    return doc;
}

/* --- CRD --- */

static yyjson_mut_val *build_names(yyjson_mut_doc *doc, const struct fed_enable_input *in)
{
    _cleanup_free_ char *kind = fed_federated_kind(in->kind), *plural = fed_federated_plural(in->plural);
    yyjson_mut_val *names = yyjson_mut_obj(doc), *list;

    json_mut_set_str(doc, names, "kind", str_of(kind));
    json_mut_set_str(doc, names, "plural", str_of(plural));
    if (in->n_short_names == 0)
        return names;
    list = yyjson_mut_arr(doc);
    json_mut_set(doc, names, "shortNames", list);
    for (size_t i = 0; i < in->n_short_names; i++) {
        _cleanup_free_ char *name = mem_printf("f%" PRIstr, STRARG(in->short_names[i]));

        yyjson_mut_arr_append(list, json_mut_new_str(doc, str_of(name)));
    }
    return names;
}

static yyjson_mut_val *build_schema(yyjson_mut_doc *doc, const struct fed_enable_input *in)
{
    yyjson_mut_val *schema = constant(doc, "{\"properties\":{},\"required\":[\"spec\"],\"type\":\"object\"}");
    yyjson_mut_val *properties = json_mut_get(schema, "properties"), *spec = yyjson_mut_obj(doc);
    yyjson_mut_val *fields = yyjson_mut_obj(doc);

    json_mut_set(doc, fields, "overrides", constant(doc, overrides_schema));
    json_mut_set(doc, fields, "placement", constant(doc, placement_schema));
    if (in->retain_replicas)
        json_mut_set(doc, fields, "retainReplicas", constant(doc, "{\"type\":\"boolean\"}"));
    json_mut_set(doc, fields, "template", constant(doc, OPEN_OBJECT));
    json_mut_set(doc, spec, "properties", fields);
    json_mut_set_str(doc, spec, "type", STR("object"));
    json_mut_set(doc, properties, "apiVersion", constant(doc, STRING));
    json_mut_set(doc, properties, "kind", constant(doc, STRING));
    json_mut_set(doc, properties, "metadata", constant(doc, "{\"type\":\"object\"}"));
    json_mut_set(doc, properties, "spec", spec);
    json_mut_set(doc, properties, "status", constant(doc, status_schema));
    return schema;
}

static yyjson_mut_val *build_version(yyjson_mut_doc *doc, const struct fed_enable_input *in)
{
    yyjson_mut_val *version = yyjson_mut_obj(doc);

    json_mut_set_str(doc, version, "name", version_of(in));
    json_mut_set(doc, json_mut_ensure_obj(doc, version, "schema"), "openAPIV3Schema", build_schema(doc, in));
    json_mut_set_bool(doc, version, "served", true);
    json_mut_set_bool(doc, version, "storage", true);
    json_mut_ensure_obj(doc, version, "subresources.status");
    return version;
}

yyjson_mut_doc *fed_enable_crd(const struct fed_enable_input *in)
{
    _cleanup_free_ char *name = fed_enable_crd_name(in);
    yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *spec = named_object(doc, "apiextensions.k8s.io/v1", "CustomResourceDefinition", str_of(name));
    yyjson_mut_val *versions = yyjson_mut_arr(doc);

    json_mut_set_str(doc, spec, "group", group_of(in));
    json_mut_set(doc, spec, "names", build_names(doc, in));
    json_mut_set_str(doc, spec, "scope", scope_of(fed_enable_federated_namespaced(in)));
    json_mut_set(doc, spec, "versions", versions);
    yyjson_mut_arr_append(versions, build_version(doc, in));
    return doc;
}

/* --- existing CRDs --- */

static bool has_federated_schema(yyjson_val *crd)
{
    yyjson_val *version;
    size_t i, n;

    yyjson_arr_foreach(json_path(crd, "spec.versions"), i, n, version)
    {
        yyjson_val *fields = json_path(version, "schema.openAPIV3Schema.properties.spec.properties");

        if (json_get(fields, "placement") && json_get(fields, "overrides"))
            return true;
    }
    return false;
}

const char *fed_enable_crd_mismatch(const struct fed_enable_input *in, yyjson_val *crd)
{
    _cleanup_free_ char *kind = fed_federated_kind(in->kind);
    yyjson_val *labels = json_path(crd, "metadata.labels");

    if (str_eqc(json_str(json_get(labels, FED_ENABLED_LABEL)), "true"))
        return NULL;
    if (!str_eqc(json_path_str(crd, "spec.names.kind"), kind))
        return "its kind is another one";
    return has_federated_schema(crd) ? NULL : "its schema has no spec.placement and spec.overrides";
}

/* --- the target's schema --- */

/* Follows "#/definitions/<name>"; bounded, as a document may refer to itself. */
static yyjson_val *resolve(yyjson_val *schema, yyjson_val *definitions)
{
    static const struct str prefix = { "#/definitions/", 14 };

    for (unsigned i = 0; i < REF_MAX; i++) {
        struct str ref = json_str(json_get(schema, "$ref"));

        if (!ref.p || !str_has_prefix(ref, prefix))
            return schema;
        schema = json_getn(definitions, str_n(ref.p + prefix.n, ref.n - prefix.n));
    }
    return NULL;
}

bool fed_schema_has_replicas(yyjson_val *properties, yyjson_val *definitions)
{
    yyjson_val *spec = resolve(json_get(properties, "spec"), definitions);
    yyjson_val *replicas = resolve(json_path(spec, "properties.replicas"), definitions);

    return str_eqc(json_path_str(replicas, "type"), "integer") && str_eqc(json_path_str(replicas, "format"), "int32");
}

/* --- equivalent types --- */

static const struct {
    const char *plural;
    const char *api_versions[4];
} shared_storage[] = {
    { "deployments", { "apps/v1", "apps/v1beta1", "apps/v1beta2", "extensions/v1beta1" } },
    { "daemonsets", { "apps/v1", "apps/v1beta1", "apps/v1beta2", "extensions/v1beta1" } },
    { "replicasets", { "apps/v1", "apps/v1beta1", "apps/v1beta2", "extensions/v1beta1" } },
    { "statefulsets", { "apps/v1", "apps/v1beta1", "apps/v1beta2" } },
    { "networkpolicies", { "networking.k8s.io/v1", "extensions/v1beta1" } },
    { "podsecuritypolicies", { "policy/v1beta1", "extensions/v1beta1" } },
    { "ingresses", { "networking.k8s.io/v1", "networking.k8s.io/v1beta1", "extensions/v1beta1" } },
};

static bool in_row(size_t row, struct str api_version)
{
    for (size_t i = 0; i < ARRAY_SIZE(shared_storage[row].api_versions) && shared_storage[row].api_versions[i]; i++)
        if (str_eqc(api_version, shared_storage[row].api_versions[i]))
            return true;
    return false;
}

bool fed_types_equivalent(struct str plural, struct str api_version_a, struct str api_version_b)
{
    if (str_eq(api_version_a, api_version_b))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(shared_storage); i++)
        if (str_eqc(plural, shared_storage[i].plural) && in_row(i, api_version_a) && in_row(i, api_version_b))
            return true;
    return false;
}

/* --- EnableTypeDirective --- */

static int directive_text(yyjson_val *spec, const char *key, const char *fallback, char **ret, struct error **err)
{
    yyjson_val *v = json_get(spec, key);

    if (v && !yyjson_is_null(v) && !yyjson_is_str(v))
        return error_set(err, -EINVAL, "spec.%s must be a string", key);
    *ret = v && !yyjson_is_null(v) ? str_dup(json_str(v)) : mem_strdup(fallback);
    return 0;
}

int fed_enable_directive_decode(yyjson_val *v, struct fed_enable_directive *ret, struct error **err)
{
    _cleanup_(fed_enable_directive_done) struct fed_enable_directive d = { 0 };
    yyjson_val *spec = json_get(v, "spec");
    struct str name = json_path_str(v, "metadata.name");
    int r;

    if (name.n == 0)
        return error_set(err, -EINVAL, "NAME is required: metadata.name of the directive names the type");
    d.name = str_dup(name);
    r = directive_text(spec, "targetVersion", "", &d.target_version, err);
    if (r == 0)
        r = directive_text(spec, "federatedGroup", FED_TYPES_GROUP, &d.federated_group, err);
    if (r == 0)
        r = directive_text(spec, "federatedVersion", FED_TYPES_VERSION, &d.federated_version, err);
    if (r < 0)
        return r;
    *ret = d;
    d = (struct fed_enable_directive){ 0 };
    return 0;
}

void fed_enable_directive_done(struct fed_enable_directive *d)
{
    free(d->name);
    free(d->target_version);
    free(d->federated_group);
    free(d->federated_version);
    *d = (struct fed_enable_directive){ 0 };
}
