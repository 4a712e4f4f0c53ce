/*
 * FederatedTypeConfig: defaulting, the rules of the validating webhook, and the status (controllers.md 3, api-and-cli.md
 * 1.5, 4.4). Decoding works on slices of the document; only what passed is copied.
 */
#include "fed/typeconfig.h"

#include <stdlib.h>

#include "base/rtime.h"
#include "fed/names.h"
#include "fed/violations.h"

#define NAMESPACE_KIND "Namespace"

/* One APIResource as written, or as defaulted: slices of the document or of `owned`. */
struct resource {
    struct str group, version, kind, plural, scope;
    char *owned_plural;
};

struct decoded {
    struct str name;
    struct resource target, federated, status;
    bool has_status;
    struct str propagation, status_collection;
    bool has_status_collection;
};

static const char *const scopes[] = { FED_SCOPE_CLUSTER, FED_SCOPE_NAMESPACED };
static const char *const modes[] = { FED_ENABLED, FED_DISABLED };

static void resource_done(struct resource *r)
{
    free(r->owned_plural);
}

static void decoded_done(struct decoded *d)
{
    resource_done(&d->target);
    resource_done(&d->federated);
    resource_done(&d->status);
}

/* --- reading --- */

static void read_resource(struct violations *v, yyjson_val *spec, const char *name, struct resource *r)
{
    static const char *const keys[] = { "group", "version", "kind", "pluralName", "scope" };
    struct str *const places[] = { &r->group, &r->version, &r->kind, &r->plural, &r->scope };
    yyjson_val *obj;
    char path[64];

    snprintf(path, sizeof(path), "spec.%s", name);
    obj = violations_obj(v, spec, name, path);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        snprintf(path, sizeof(path), "spec.%s.%s", name, keys[i]);
        *places[i] = violations_str(v, obj, keys[i], path);
    }
}

static void read_all(struct violations *v, yyjson_val *ftc, struct decoded *d)
{
    yyjson_val *spec = violations_obj(v, ftc, "spec", "spec");
    yyjson_val *status_type = json_get(spec, "statusType");
    yyjson_val *collection = json_get(spec, "statusCollection");

    d->name = json_path_str(ftc, "metadata.name");
    read_resource(v, spec, "targetType", &d->target);
    read_resource(v, spec, "federatedType", &d->federated);
    d->has_status = status_type && !yyjson_is_null(status_type);
    if (d->has_status)
        read_resource(v, spec, "statusType", &d->status);
    d->propagation = violations_str(v, spec, "propagation", "spec.propagation");
    d->has_status_collection = collection && !yyjson_is_null(collection);
    d->status_collection = violations_str(v, spec, "statusCollection", "spec.statusCollection");
}

static void default_plural(struct resource *r)
{
    if (!str_empty(r->plural) || str_empty(r->kind))
        return;
    r->owned_plural = fed_plural(r->kind);
    r->plural = str_of(r->owned_plural);
}

static void apply_defaults(struct decoded *d)
{
    struct str plural, group;

    str_cut(d->name, '.', &plural, &group);
    if (str_empty(d->target.plural))
        d->target.plural = plural;
    if (str_empty(d->target.group))
        d->target.group = group;
    default_plural(&d->federated);
    if (!d->has_status)
        return;
    default_plural(&d->status);
    if (str_empty(d->status.group))
        d->status.group = d->federated.group;
    if (str_empty(d->status.version))
        d->status.version = d->federated.version;
}

/* --- rules --- */

static void check_label(struct violations *v, const char *path, struct str value)
{
    if (str_empty(value))
        violations_required(v, path);
    else
        violations_dns1035(v, path, value);
}

static void check_kind(struct violations *v, const char *path, struct str value)
{
    _cleanup_free_ char *lower = str_lower(value);

    if (str_empty(value))
        violations_required(v, path);
    else
        violations_dns1035(v, path, str_n(lower, value.n));
}

static void check_group(struct violations *v, const char *path, struct str group, bool federated)
{
    if (federated && str_empty(group))
        violations_required(v, path);
    else if (federated && !memchr(group.p, '.', group.n))
        violations_invalid(v, path, group, "should be a domain with at least one dot");
    if (!str_empty(group))
        violations_subdomain(v, path, group);
}

/* What makes the URLs of a type. */
static void check_path(struct violations *v, const char *name, const struct resource *r, bool federated)
{
    char path[64];

    snprintf(path, sizeof(path), "spec.%s.group", name);
    check_group(v, path, r->group, federated);
    snprintf(path, sizeof(path), "spec.%s.version", name);
    check_label(v, path, r->version);
    snprintf(path, sizeof(path), "spec.%s.kind", name);
    check_kind(v, path, r->kind);
    snprintf(path, sizeof(path), "spec.%s.pluralName", name);
    check_label(v, path, r->plural);
}

static void check_resource(struct violations *v, const char *name, const struct resource *r, bool federated)
{
    char path[64];

    check_path(v, name, r, federated);
    snprintf(path, sizeof(path), "spec.%s.scope", name);
    violations_enum(v, path, r->scope, scopes, ARRAY_SIZE(scopes));
}

static void check_name(struct violations *v, const struct decoded *d)
{
    _cleanup_free_ char *name = fed_type_config_name(d->target.plural, d->target.group);

    if (!str_eqc(d->name, name))
        violations_invalid(v, "name", d->name, "name must be 'TARGET_PLURAL_NAME(.TARGET_GROUP_NAME)'");
}

static void check_all(struct violations *v, const struct decoded *d)
{
    check_name(v, d);
    check_resource(v, "targetType", &d->target, false);
    violations_enum(v, "spec.propagation", d->propagation, modes, ARRAY_SIZE(modes));
    check_resource(v, "federatedType", &d->federated, true);
    if (d->has_status)
        check_resource(v, "statusType", &d->status, true);
    if (d->has_status_collection)
        violations_enum(v, "spec.statusCollection", d->status_collection, modes, ARRAY_SIZE(modes));
}

/* --- what can be run --- */

/* Namespaces decide where everything inside them is placed, and those of the host are never deleted: an FTC that has anything to do
 * with them has to be the one that is found by its name, and to say what they are. */
static void check_namespaces(struct violations *v, const struct decoded *d)
{
    const struct resource *t = &d->target;
    bool by_plural = str_empty(t->group) && str_eqc(t->plural, FED_NAMESPACES_FTC);
    bool by_kind = str_empty(t->group) && str_eqc(t->kind, NAMESPACE_KIND);

    if (by_plural || by_kind || str_eqc(d->name, FED_NAMESPACES_FTC))
        check_name(v, d);
    if (by_kind && !by_plural)
        violations_invalid(v, "spec.targetType.pluralName", t->plural, "that of Namespace is 'namespaces'");
    if (by_plural && !by_kind && !str_empty(t->kind))
        violations_invalid(v, "spec.targetType.kind", t->kind, "that of namespaces is 'Namespace'");
    if (by_plural && str_eqc(t->scope, FED_SCOPE_NAMESPACED))
        violations_invalid(v, "spec.targetType.scope", t->scope, "that of namespaces is 'Cluster'");
}

/* The rules without which nothing could be run: KubeFed's controller does not look at those of its webhook, and there are FTCs that
 * no webhook saw. What is not "Enabled" is off, the scope of the federated type is not used, and any name will do but for
 * namespaces, which are found by theirs. */
static void check_usable(struct violations *v, struct decoded *d)
{
    _cleanup_violations_ struct violations of_status = VIOLATIONS_INIT;

    check_namespaces(v, d);
    check_resource(v, "targetType", &d->target, false);
    check_path(v, "federatedType", &d->federated, true);
    if (d->has_status)
        check_path(&of_status, "statusType", &d->status, true);
    if (of_status.all.n > 0) /* no status is collected, which is no reason not to propagate */
        d->has_status = false;
}

int fed_type_config_check(yyjson_val *ftc, struct error **err)
{
    _cleanup_violations_ struct violations v = VIOLATIONS_INIT;
    _cleanup_(decoded_done) struct decoded d = { 0 };

    if (!yyjson_is_obj(ftc))
        return error_set(err, -EINVAL, "a FederatedTypeConfig must be an object");
    read_all(&v, ftc, &d);
    apply_defaults(&d);
    if (v.all.n == 0) /* rules are applied to what can be read as a whole only */
        check_all(&v, &d);
    return violations_error(&v, err);
}

int fed_type_config_validate(yyjson_val *ftc, struct error **err)
{
    _cleanup_violations_ struct violations v = VIOLATIONS_INIT;
    _cleanup_(decoded_done) struct decoded d = { 0 };

    if (!yyjson_is_obj(ftc))
        return error_set(err, -EBADMSG, "a FederatedTypeConfig must be an object");
    read_all(&v, ftc, &d);
    if (v.all.n == 0)
        check_all(&v, &d);
    return violations_verdict(&v, err);
}

/* --- the result --- */

static struct fed_api_resource resource_new(const struct resource *r)
{
    return (struct fed_api_resource){ .group = str_dup(r->group),
                                      .version = str_dup(r->version),
                                      .kind = str_dup(r->kind),
                                      .plural = str_dup(r->plural),
                                      .namespaced = str_eqc(r->scope, FED_SCOPE_NAMESPACED) };
}

static struct fed_type_config *config_new(yyjson_val *ftc, const struct decoded *d)
{
    struct fed_type_config *c = mem_zalloc(sizeof(*c));

    c->name = str_dup(d->name);
    c->target = resource_new(&d->target);
    c->federated = resource_new(&d->federated);
    c->federated.namespaced = c->target.namespaced || str_eqc(d->name, FED_NAMESPACES_FTC);
    c->has_status_type = d->has_status;
    if (d->has_status)
        c->status = resource_new(&d->status);
    c->propagation_enabled = str_eqc(d->propagation, FED_ENABLED);
    c->status_collection = str_eqc(d->status_collection, FED_ENABLED);
    if (time_parse_rfc3339(json_path_str(ftc, "metadata.creationTimestamp"), &c->created) < 0)
        c->created = INT64_MAX;
    return c;
}

int fed_type_config_decode(yyjson_val *ftc, struct fed_type_config **ret, struct error **err)
{
    _cleanup_violations_ struct violations v = VIOLATIONS_INIT;
    _cleanup_(decoded_done) struct decoded d = { 0 };
    int r;

    if (!yyjson_is_obj(ftc))
        return error_set(err, -EINVAL, "a FederatedTypeConfig must be an object");
    read_all(&v, ftc, &d);
    apply_defaults(&d);
    if (v.all.n == 0)
        check_usable(&v, &d);
    r = violations_error(&v, err);
    if (r < 0)
        return r;
    *ret = config_new(ftc, &d);
    return 0;
}

struct fed_type_config *fed_type_config_claim(yyjson_val *ftc)
{
    _cleanup_violations_ struct violations v = VIOLATIONS_INIT;
    _cleanup_(decoded_done) struct decoded d = { 0 };

    if (!yyjson_is_obj(ftc))
        return NULL;
    read_all(&v, ftc, &d);
    apply_defaults(&d);
    bool others = str_empty(d.target.group) && !str_eqc(d.name, FED_NAMESPACES_FTC);
    if (str_empty(d.target.plural) ||
        (others && (str_eqc(d.target.plural, FED_NAMESPACES_FTC) || str_eqc(d.target.kind, NAMESPACE_KIND))))
        return NULL;
    return config_new(ftc, &d);
}

static struct fed_api_resource api_resource_copy(const struct fed_api_resource *r)
{
    return (struct fed_api_resource){ mem_strdup(r->group), mem_strdup(r->version), mem_strdup(r->kind),
                                      mem_strdup(r->plural), r->namespaced };
}

static void api_resource_done(struct fed_api_resource *r)
{
    free(r->group);
    free(r->version);
    free(r->kind);
    free(r->plural);
}

struct fed_type_config *fed_type_config_copy(const struct fed_type_config *c)
{
    struct fed_type_config *copy = mem_zalloc(sizeof(*copy));

    *copy = *c;
    copy->name = mem_strdup(c->name);
    copy->target = api_resource_copy(&c->target);
    copy->federated = api_resource_copy(&c->federated);
    copy->status = api_resource_copy(&c->status);
    copy->replicas_path = mem_strdup(c->replicas_path);
    copy->status_replicas_path = mem_strdup(c->status_replicas_path);
    return copy;
}

void fed_type_config_free(struct fed_type_config *c)
{
    if (!c)
        return;
    free(c->name);
    api_resource_done(&c->target);
    api_resource_done(&c->federated);
    api_resource_done(&c->status);
    free(c->replicas_path);
    free(c->status_replicas_path);
    free(c);
}

static bool text_equal(const char *a, const char *b)
{
    return str_eq(str_of(a), str_of(b));
}

static bool resources_equal(const struct fed_api_resource *a, const struct fed_api_resource *b)
{
    return text_equal(a->group, b->group) && text_equal(a->version, b->version) && text_equal(a->kind, b->kind) &&
           text_equal(a->plural, b->plural) && a->namespaced == b->namespaced;
}

bool fed_type_config_equal(const struct fed_type_config *a, const struct fed_type_config *b)
{
    return text_equal(a->name, b->name) && resources_equal(&a->target, &b->target) &&
           resources_equal(&a->federated, &b->federated) && a->has_status_type == b->has_status_type &&
           (!a->has_status_type || resources_equal(&a->status, &b->status)) &&
           a->propagation_enabled == b->propagation_enabled && a->status_collection == b->status_collection;
}

bool fed_type_is_namespace(const struct fed_type_config *c)
{
    return c->target.group[0] == '\0' && strcmp(c->target.kind, NAMESPACE_KIND) == 0;
}

/* --- rivals --- */

static bool same_urls(const struct fed_api_resource *a, const struct fed_api_resource *b)
{
    return a->plural && a->plural[0] && text_equal(a->plural, b->plural) && text_equal(a->group, b->group);
}

bool fed_type_config_rivals(const struct fed_type_config *a, const struct fed_type_config *b)
{
    return a->propagation_enabled && b->propagation_enabled &&
           (same_urls(&a->target, &b->target) || same_urls(&a->federated, &b->federated));
}

bool fed_type_config_same_claim(const struct fed_type_config *a, const struct fed_type_config *b)
{
    return fed_type_config_rivals(a, b) && same_urls(&a->target, &b->target) &&
           same_urls(&a->federated, &b->federated) && a->created == b->created;
}

char *fed_type_config_contested(const struct fed_type_config *a, const struct fed_type_config *b)
{
    const struct fed_api_resource *r = same_urls(&a->target, &b->target) ? &a->target : &a->federated;

    return fed_type_config_name(str_of(r->plural), str_of(r->group));
}

static bool has_its_name(const struct fed_type_config *c)
{
    _cleanup_free_ char *name = fed_type_config_name(str_of(c->target.plural), str_of(c->target.group));

    return strcmp(c->name, name) == 0;
}

bool fed_type_config_goes_first(const struct fed_type_config *a, const struct fed_type_config *b)
{
    bool its = has_its_name(a);

    if (fed_type_is_namespace(a) != fed_type_is_namespace(b))
        return fed_type_is_namespace(a);
    if (a->created != b->created)
        return a->created < b->created;
    if (its != has_its_name(b))
        return its;
    return strcmp(a->name, b->name) < 0;
}

/* --- scale --- */

bool fed_type_is_scalable(const struct fed_type_config *c)
{
    static const struct {
        const char *group, *kind;
    } scalable[] = {
        { "apps", "Deployment" }, { "apps", "ReplicaSet" }, { "apps", "StatefulSet" }, { "", "ReplicationController" }
    };

    for (size_t i = 0; i < ARRAY_SIZE(scalable); i++)
        if (strcmp(c->target.group, scalable[i].group) == 0 && strcmp(c->target.kind, scalable[i].kind) == 0)
            return true;
    return false;
}

bool fed_type_is_custom(const struct fed_type_config *c)
{
    struct str group = str_of(c->target.group);

    return strchr(c->target.group, '.') && !str_has_suffix(group, STR(".k8s.io"));
}

/* ".spec.a.b" as custom resources may have it: names of letters, digits, "_" and "-", without list indices. */
static bool is_path_below(struct str path, struct str prefix)
{
    size_t run = 0;

    if (!str_has_prefix(path, prefix))
        return false;
    for (size_t i = prefix.n; i < path.n; i++) {
        char c = path.p[i];
        bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '-';

        if (!word && (c != '.' || run == 0))
            return false;
        run = word ? run + 1 : 0;
    }
    return run > 0;
}

/* What the definition says about the version that is federated; or NULL. */
static yyjson_val *federated_version(const struct fed_type_config *c, yyjson_val *crd)
{
    yyjson_val *list = json_path(crd, "spec.versions"), *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item)
    {
        if (str_eqc(json_path_str(item, "name"), c->target.version))
            return item;
    }
    return NULL;
}

/* Without its leading dot. */
static char *path_below(struct str path, struct str prefix)
{
    return is_path_below(path, prefix) ? str_dup(str_n(path.p + 1, path.n - 1)) : NULL;
}

char *fed_type_replicas_path(const struct fed_type_config *c, yyjson_val *crd)
{
    yyjson_val *version = federated_version(c, crd);

    return path_below(json_path_str(version, "subresources.scale.specReplicasPath"), STR(".spec."));
}

char *fed_type_status_replicas_path(const struct fed_type_config *c, yyjson_val *crd)
{
    static const char ready[] = "schema.openAPIV3Schema.properties.status.properties.readyReplicas";
    yyjson_val *version = federated_version(c, crd);

    if (json_path(version, ready))
        return NULL;
    return path_below(json_path_str(version, "subresources.scale.statusReplicasPath"), STR(".status."));
}

/* --- status --- */

bool fed_type_config_status_patch(struct buf *out, yyjson_val *ftc, int64_t generation, bool sync_running,
                                  bool status_running)
{
    const char *sync = sync_running ? FED_RUNNING : FED_NOT_RUNNING;
    const char *status = status_running ? FED_RUNNING : FED_NOT_RUNNING;
    int64_t observed = 0;

    if (json_i64(json_path(ftc, "status.observedGeneration"), &observed) == 0 && observed == generation &&
        str_eqc(json_path_str(ftc, "status.propagationController"), sync) &&
        str_eqc(json_path_str(ftc, "status.statusController"), status))
        return false;
    buf_printf(
        out, "{\"status\":{\"observedGeneration\":%lld,\"propagationController\":\"%s\",\"statusController\":\"%s\"}}",
        (long long)generation, sync, status);
    return true;
}
