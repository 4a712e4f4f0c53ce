/*
 * See enable.h. The order of requests: everything that can refuse comes before the first write. Of an FTC that exists only
 * target type, federated type and propagation are set; statusType and statusCollection stay.
 */
#include "cli/enable.h"

#include <stdlib.h>

#include "base/log.h"
#include "fed/names.h"
#include "json/patch.h"

void enable_objects_done(struct enable_objects *o)
{
    free(o->short_names);
    free(o->name);
    free(o->crd_name);
    yyjson_mut_doc_free(o->type_config);
    yyjson_mut_doc_free(o->crd);
    *o = (struct enable_objects){ 0 };
}

/* --- schema of the target: does it have spec.replicas? (1.9.3 step 7) --- */

/* In the target's own CRD, at the version that was chosen. -ENOENT: it is no CRD-defined type. */
static int crd_has_replicas(struct remote *host, const struct kube_api_resource *r, bool *ret, struct error **err)
{
    _cleanup_free_ char *name = mem_printf("%s.%s", r->plural, r->group);
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    yyjson_val *version;
    size_t i, n;
    if (remote_get(host, &res_crds, STR_NULL, str_of(name), &doc, &e) < 0)
        return is_not_found(e) ? -ENOENT : error_move(err, &e, "%s", "");
    *ret = false;
    yyjson_arr_foreach(json_path(yyjson_doc_get_root(doc), "spec.versions"), i, n, version)
    {
        if (str_eqc(json_path_str(version, "name"), r->version))
            *ret = fed_schema_has_replicas(json_path(version, "schema.openAPIV3Schema.properties"), NULL);
    }
    return 0;
}

static bool defines(yyjson_val *definition, const struct kube_api_resource *r)
{
    yyjson_val *kind;
    size_t i, n;
    yyjson_arr_foreach(json_get(definition, "x-kubernetes-group-version-kind"), i, n, kind)
    {
        if (str_eqc(json_path_str(kind, "group"), r->group) && str_eqc(json_path_str(kind, "version"), r->version) &&
            str_eqc(json_path_str(kind, "kind"), r->kind))
            return true;
    }
    return false;
}

static int openapi_has_replicas(struct remote *host, const struct kube_api_resource *r, bool *ret, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    yyjson_val *definitions, *key, *definition;
    size_t i, n;
    int k = remote_get_raw(host, "/openapi/v2", &doc, err);
    if (k < 0)
        return k;
    definitions = json_get(yyjson_doc_get_root(doc), "definitions");
    yyjson_obj_foreach(definitions, i, n, key, definition)
    {
        if (defines(definition, r)) {
            *ret = fed_schema_has_replicas(json_get(definition, "properties"), definitions);
            return 0;
        }
    }
    return error_set(err, -ENOENT, "Unable to find openapi schema for \"%s/%s, Kind=%s\"", r->group, r->version,
                     r->kind);
}

static int has_replicas(struct remote *host, const struct kube_api_resource *r, bool *ret, struct error **err)
{
    int k = -ENOENT;
    _cleanup_error_ struct error *e = NULL;
    cli_progress(host->cli, "Reading the schema of \"%s\" from the %s", r->plural, host->where);
    if (r->group[0])
        k = crd_has_replicas(host, r, ret, &e);
    if (k == -ENOENT && !e)
        k = openapi_has_replicas(host, r, ret, &e);
    if (k == -ECANCELED)
        return error_move(err, &e, "%s", "");
    return k < 0 ? error_move(err, &e, "Error initializing validation schema accessor: ") : 0;
}

/* What would make documents that no API server takes. */
static int check_request(const struct enable_request *req, struct error **err)
{
    if (req->federated_group.n && !str_is_dns1123_subdomain(req->federated_group))
        return error_set(err, -EINVAL, "the federated group \"%" PRIstr "\" is no DNS name such as types.kubefed.io",
                         STRARG(req->federated_group));
    if (req->federated_version.n && !str_is_dns1123_label(req->federated_version))
        return error_set(err, -EINVAL, "the federated version \"%" PRIstr "\" is no API version such as v1beta1",
                         STRARG(req->federated_version));
    return 0;
}

static int check_target(const struct enable_request *req, const struct kube_api_resource *r, struct error **err)
{
    if (r->group[0] && (str_eqc(req->federated_group, r->group) || strcmp(r->group, FED_TYPES_GROUP) == 0))
        return error_set(err, -EINVAL, "%s.%s is a federated type itself; enable the type that it federates", r->plural,
                         r->group);
    return 0;
}

int enable_prepare(struct remote *host, struct types *t, const struct enable_request *req, struct enable_objects *ret,
                   struct error **err)
{
    const struct kube_api_resource *r = NULL;
    bool replicas = false;
    size_t n = 0;
    int k = check_request(req, err);
    if (k == 0)
        k = types_find(host, t, req->key, req->version, &r, err);
    if (k == 0)
        k = check_target(req, r, err);
    if (k < 0)
        return k;
    assert(r);
    if (r->group[0])
        cli_info(host->cli, "Api resource found.");
    k = has_replicas(host, r, &replicas, err);
    if (k < 0)
        return k;
    while (r->short_names[n])
        n++;
    struct str *short_names = mem_array(n + 1, sizeof(*short_names));
    for (size_t i = 0; i < n; i++)
        short_names[i] = str_of(r->short_names[i]);
    struct fed_enable_input in = { .group = str_of(r->group),
                                   .version = str_of(r->version),
                                   .kind = str_of(r->kind),
                                   .plural = str_of(r->plural),
                                   .namespaced = r->namespaced,
                                   .short_names = short_names,
                                   .n_short_names = n,
                                   .federated_group = req->federated_group,
                                   .federated_version = req->federated_version,
                                   .retain_replicas = replicas };
    *ret = (struct enable_objects){ .in = in,
                                    .short_names = short_names,
                                    .name = fed_type_config_name(in.plural, in.group),
                                    .crd_name = fed_enable_crd_name(&in),
                                    .type_config = fed_enable_type_config(&in),
                                    .crd = fed_enable_crd(&in) };
    return 0;
}

/* --- checks against what exists --- */

/* Identity of a type inside an FTC's spec. */
struct type_ref {
    struct str plural, group, version;
};

static struct type_ref ref_of(yyjson_val *v)
{
    return (struct type_ref){ json_path_str(v, "pluralName"), json_path_str(v, "group"), json_path_str(v, "version") };
}

static char *ref_shown(struct type_ref r)
{
    return types_shown(r.plural, r.group, r.version);
}

static struct type_ref new_target(const struct enable_objects *o)
{
    return (struct type_ref){ o->in.plural, o->in.group, o->in.version };
}

static struct type_ref new_federated(const struct enable_objects *o)
{
    yyjson_mut_val *v = json_mut_path(yyjson_mut_doc_get_root(o->type_config), "spec.federatedType");
    return (struct type_ref){ json_mut_str(json_mut_get(v, "pluralName")), json_mut_str(json_mut_get(v, "group")),
                              json_mut_str(json_mut_get(v, "version")) };
}

static int check_same_federated(const struct enable_objects *o, yyjson_val *existing, struct error **err)
{
    struct type_ref old = ref_of(json_path(existing, "spec.federatedType")), now = new_federated(o);
    if (str_eq(old.plural, now.plural) && str_eq(old.group, now.group) && str_eq(old.version, now.version))
        return 0;
    _cleanup_free_ char *target = ref_shown(new_target(o)), *was = ref_shown(old), *is = ref_shown(now);
    return error_set(err, -EEXIST,
                     "Federation is already enabled for \"%s\" with federated type \"%s\". Changing the federated "
                     "type to \"%s\" is not supported.",
                     target, was, is);
}

struct conflict_check {
    const struct enable_objects *o;
    const char *ns;
    struct error *found;
};

static int check_conflict(void *arg, yyjson_val *ftc)
{
    struct conflict_check *c = arg;
    struct str name = json_path_str(ftc, "metadata.name");
    struct type_ref target = ref_of(json_path(ftc, "spec.targetType")), mine = new_target(c->o);
    struct type_ref federated = ref_of(json_path(ftc, "spec.federatedType"));
    _cleanup_free_ char *theirs_version = fed_api_version(target.group, target.version);
    _cleanup_free_ char *mine_version = fed_api_version(mine.group, mine.version);
    _cleanup_free_ char *crd = mem_printf("%" PRIstr ".%" PRIstr, STRARG(federated.plural), STRARG(federated.group));
    const char *me = c->o->name;

    if (str_eq(target.plural, mine.plural) &&
        fed_types_equivalent(mine.plural, str_of(mine_version), str_of(theirs_version))) {
        _cleanup_free_ char *now = ref_shown(mine), *was = ref_shown(target);
        error_set(&c->found, -EEXIST,
                  "Failed to enable \"%s\". Federation of this type is already enabled for equivalent type "
                  "\"%s\" by FederatedTypeConfig \"%s/%" PRIstr "\"",
                  now, was, c->ns, STRARG(name));
        return 1;
    }
    if (str_eqc(name, me) || strcmp(crd, c->o->crd_name) != 0)
        return 0;
    error_set(
        &c->found, -EEXIST,
        "Failed to enable federation of \"%s\" due to the FederatedTypeConfig for \"%" PRIstr
        "\" already referencing a federated type CRD named \"%s\". If these target types are distinct despite sharing the "
        "same kind, specifying a non-default --federated-group should allow \"%s\" to be enabled.",
        me, STRARG(name), crd, me);
    return 1;
}

static int check_others(struct remote *host, const struct enable_objects *o, struct error **err)
{
    struct conflict_check c = { o, host->cli->common.ns, NULL };
    _cleanup_error_ struct error *e = NULL;
    int r = remote_list(host, &res_type_configs, str_of(c.ns), 500, check_conflict, &c, &e);
    if (r > 0)
        return error_move(err, &c.found, "%s", "");
    if (r < 0 && is_not_found(e))
        cli_hint(host->cli,
                 "The CustomResourceDefinitions of KubeFed are not installed: apply deploy/crds to the host cluster.");
    return r < 0 ? error_move(err, &e, "Error getting FederatedTypeConfig list: ") : 0;
}

static int check_namespace(struct remote *host, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    const char *ns = host->cli->common.ns;
    if (remote_get(host, &res_namespaces, STR_NULL, str_of(ns), NULL, &e) == 0)
        return 0;
    if (is_not_found(e))
        return error_move(err, &e, "KubeFed system namespace \"%s\" does not exist: ", ns);
    return error_move(err, &e, "Error attempting to determine whether KubeFed system namespace \"%s\" exists: ", ns);
}

/* --- writing --- */

static int create_type_config(struct remote *host, const struct enable_objects *o, struct error **err)
{
    struct str ns = str_of(host->cli->common.ns);
    _cleanup_json_ yyjson_doc *frozen = json_freeze(o->type_config);
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(yyjson_doc_get_root(frozen));
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    json_mut_set_str(doc, json_mut_get(root, "metadata"), "namespace", ns);
    return remote_create(host, &res_type_configs, ns, root, NULL, err);
}

static int update_type_config(struct remote *host, const struct enable_objects *o, yyjson_val *live, struct error **err)
{
    static const char *const members[] = { "targetType", "federatedType", "propagation" };
    yyjson_val *old = json_get(live, "spec");
    _cleanup_json_mut_ yyjson_mut_doc *wanted = json_mut_doc_of(old), *patch = json_mut_doc_new();
    yyjson_mut_val *spec = json_mut_path(yyjson_mut_doc_get_root(o->type_config), "spec");
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        json_mut_set(wanted, yyjson_mut_doc_get_root(wanted), members[i],
                     yyjson_mut_val_mut_copy(wanted, json_mut_get(spec, members[i])));
    _cleanup_json_ yyjson_doc *frozen = json_freeze(wanted);
    if (json_equal(old, yyjson_doc_get_root(frozen)))
        return 0;
    if (str_eqc(json_path_str(old, "propagation"), FED_DISABLED))
        cli_info(host->cli, "Propagation of \"%s\" was disabled and is switched on again", o->name);
    json_mut_set(patch, yyjson_mut_doc_get_root(patch), "spec",
                 json_merge_diff(patch, old, yyjson_doc_get_root(frozen)));
    return remote_merge_patch(host, &res_type_configs, str_of(host->cli->common.ns), str_of(o->name),
                              yyjson_mut_doc_get_root(patch), err);
}

static int write_type_config(struct remote *host, const struct enable_objects *o, yyjson_val *live, struct error **err)
{
    struct cli *cli = host->cli;
    _cleanup_error_ struct error *e = NULL;
    int r = 0;
    if (!cli->common.dry_run)
        r = live ? update_type_config(host, o, live, &e) : create_type_config(host, o, &e);
    if (r < 0)
        return error_move(err, &e, "Error %s FederatedTypeConfig \"%s\": ", live ? "updating" : "creating", o->name);
    cli_print(cli, "federatedtypeconfig.core.kubefed.io/%s %s in namespace %s%s", o->name, live ? "updated" : "created",
              cli->common.ns, cli_dry(cli));
    if (!cli->common.dry_run)
        cli_did(cli, "FederatedTypeConfig \"%s\" %s", o->name, live ? "updated" : "created");
    return 0;
}

int enable_write(struct remote *host, const struct enable_objects *o, struct error **err)
{
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    cli_progress(host->cli, "Enabling \"%s\" in the %s", o->name, host->where);
    int r = check_namespace(host, err);
    if (r < 0)
        return r;
    if (remote_get(host, &res_type_configs, str_of(host->cli->common.ns), str_of(o->name), &doc, &e) < 0 &&
        !is_not_found(e))
        return error_move(err, &e, "Error retrieving FederatedTypeConfig \"%s\": ", o->name);
    yyjson_val *live = doc ? yyjson_doc_get_root(doc) : NULL;
    if (live)
        r = check_same_federated(o, live, err);
    if (r == 0)
        r = check_others(host, o, err);
    if (r == 0)
        r = enable_write_crd(host, o, err);
    if (r == 0)
        r = write_type_config(host, o, live, err);
    if (r == 0 && host->cli->common.dry_run) {
        cli_plan(host->cli, yyjson_mut_doc_get_root(o->type_config));
        cli_plan(host->cli, yyjson_mut_doc_get_root(o->crd));
        return 0;
    }
    return r == 0 ? enable_wait_served(host, o, err) : r;
}
