/* disable NAME: ends the propagation of a type (api-and-cli.md 3.6). Federated objects and their copies stay. */
#include <stdlib.h>

#include "base/rtime.h"
#include "cli/enable.h"
#include "fed/names.h"

#define STOP_POLL_MS 100u

struct disable_options {
    const char *federated_group, *version;
    bool delete_crd;
    int64_t timeout_ns; /* */
};

struct disable {
    struct cli *cli;
    const struct disable_options *options;
    struct remote *host;
    struct types types;
    struct str ns;
    char *name;                     /* of the FTC */
    char *shown;                    /* ns/name */
    struct fed_type_config *config; /* NULL: there is none */
    char *crd_name;
    struct kube_resource instances; /* of the federated type; borrows from config or from owned strings below */
    char *plural;
};

static int check_arguments(const struct disable_options *o, struct verb_args args, struct error **err)
{
    if (args.n == 0 || !args.v[0][0])
        return error_set(err, -EINVAL, "NAME is required");
    if (o->timeout_ns < 0)
        return error_set(err, -EINVAL, "--timeout cannot be negative");
    if (!o->delete_crd && o->version[0])
        return error_set(err, -EINVAL, "--version flag valid only with --delete-crd");
    if (!o->delete_crd && strcmp(o->federated_group, FED_TYPES_GROUP) != 0)
        return error_set(err, -EINVAL, "--federated-group flag valid only with --delete-crd");
    return 0;
}

/* Step 1: a name with a dot is meant literally, so that it works when the target type is gone. */
static int find_name(struct disable *d, const char *arg, struct error **err)
{
    const struct kube_api_resource *r = NULL;
    if (strchr(arg, '.')) {
        d->name = mem_strdup(arg);
    } else {
        int k = types_find(d->host, &d->types, str_of(arg), STR_NULL, &r, err);
        if (k < 0)
            return k;
        d->name = fed_type_config_name(str_of(r->plural), str_of(r->group));
    }
    d->shown = mem_printf("%" PRIstr "/%s", STRARG(d->ns), d->name);
    return 0;
}

/* Step 2. */
static int get_config(struct disable *d, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    if (types_get_config(d->host, str_of(d->name), NULL, &d->config, &e) < 0) {
        if (!is_not_found(e))
            return error_move(err, &e, "Error retrieving FederatedTypeConfig \"%s\": ", d->shown);
        cli_print(d->cli, "FederatedTypeConfig \"%s\" does not exist", d->shown);
        return 0;
    }
    const struct fed_api_resource *f = &d->config->federated;
    d->crd_name = mem_printf("%s.%s", f->plural, f->group);
    d->instances = (struct kube_resource){ str_of(f->group), str_of(f->version), str_of(f->plural), f->namespaced };
    return 0;
}

/* Step 7, when no FTC says it. */
static int derive_crd(struct disable *d, const char *arg, struct error **err)
{
    const struct kube_api_resource *r = NULL;
    int k = types_find(d->host, &d->types, str_of(arg), str_of(d->options->version), &r, err);
    if (k < 0)
        return k;
    d->plural = fed_federated_plural(str_of(r->plural));
    d->crd_name = mem_printf("%s.%s", d->plural, d->options->federated_group);
    d->instances = (struct kube_resource){ str_of(d->options->federated_group), STR(FED_TYPES_VERSION),
                                           str_of(d->plural), r->namespaced };
    return 0;
}

static int any_item(void *arg, yyjson_val *item)
{
    (void)arg;
    (void)item;
    return 1;
}

/* Step 4. */
static int check_instances(struct disable *d, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    int r = remote_list(d->host, &d->instances, STR_NULL, 1, any_item, NULL, &e);
    if (r == 0 || (r < 0 && is_not_found(e)))
        return 0;
    if (r < 0)
        return error_move(err, &e, "Error finding instances of \"%s\": ", d->crd_name);
    return error_set(err, -EBUSY,
                     "Cannot delete CRD \"%s\" while resource instances exist. Please try kubefedctl disable again "
                     "after removing the resource instances or without the '--delete-crd' option",
                     d->crd_name);
}

/* Step 5. */
static int switch_off(struct disable *d, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    if (!d->config->propagation_enabled)
        return 0;
    _cleanup_json_mut_ yyjson_mut_doc *patch = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(patch);
    json_mut_set_str(patch, json_mut_ensure_obj(patch, root, "spec"), "propagation", STR(FED_DISABLED));
    if (remote_merge_patch(d->host, &res_type_configs, d->ns, str_of(d->name), root, &e) < 0)
        return error_move(err, &e, "Error disabling propagation for FederatedTypeConfig \"%s\": ", d->shown);
    cli_print(d->cli, "Disabled propagation for FederatedTypeConfig \"%s\"", d->shown);
    cli_did(d->cli, "FederatedTypeConfig \"%s\" disabled", d->shown);
    return 0;
}

/* Step 6. */
static int wait_stopped(struct disable *d, struct error **err)
{
    uint64_t deadline = time_mono_ms() + (uint64_t)(d->options->timeout_ns / NSEC_PER_MS);
    cli_print(d->cli, "Verifying propagation controller is stopped for FederatedTypeConfig \"%s\"", d->shown);
    cli_progress(d->cli, "Waiting until the controller manager stops propagating \"%s\"", d->name);
    for (;;) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        int r = remote_get(d->host, &res_type_configs, d->ns, str_of(d->name), &doc, err);
        if (r < 0)
            return error_wrap(err, "Unable to verify propagation controller for FederatedTypeConfig \"%s\" is stopped",
                              d->shown);
        if (str_eqc(json_path_str(yyjson_doc_get_root(doc), "status.propagationController"), FED_NOT_RUNNING))
            break;
        if (time_mono_ms() >= deadline) {
            cli_hint(d->cli,
                     "Is the controller manager running, with the feature gate PushReconciler? The type stays disabled "
                     "until it is enabled again. Repeat the command, with a longer --timeout if the controller manager "
                     "is busy, or delete the FederatedTypeConfig by hand.");
            return error_set(err, -ETIMEDOUT,
                             "Unable to verify propagation controller for FederatedTypeConfig \"%s\" is stopped: "
                             "timed out waiting for the condition",
                             d->shown);
        }
        r = cli_wait(d->cli, STOP_POLL_MS, err);
        if (r < 0)
            return r;
    }
    cli_print(d->cli, "Propagation controller for FederatedTypeConfig \"%s\" is stopped", d->shown);
    return 0;
}

static int delete_crd(struct disable *d, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    int r = check_instances(d, err);
    if (r < 0)
        return r;
    r = remote_delete(d->host, &res_crds, STR_NULL, str_of(d->crd_name), &e);
    if (r < 0 && !is_not_found(e))
        return error_move(err, &e, "Error deleting crd \"%s\": ", d->crd_name);
    cli_print(d->cli, "customresourcedefinition \"%s\" %s", d->crd_name, r < 0 ? "does not exist" : "deleted");
    if (r == 0)
        cli_did(d->cli, "CustomResourceDefinition \"%s\" deleted", d->crd_name);
    return 0;
}

static int delete_config(struct disable *d, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    if (remote_delete(d->host, &res_type_configs, d->ns, str_of(d->name), &e) < 0 && !is_not_found(e))
        return error_move(err, &e, "Error deleting FederatedTypeConfig \"%s\": ", d->shown);
    cli_print(d->cli, "federatedtypeconfig \"%s\" deleted", d->shown);
    return 0;
}

/* What a real run would do, as far as it can be known. */
static int plan_only(struct disable *d, const char *arg, struct error **err)
{
    int r = 0;
    if (d->config && d->config->propagation_enabled)
        cli_print(d->cli, "Disabled propagation for FederatedTypeConfig \"%s\"%s", d->shown, cli_dry(d->cli));
    if (d->options->delete_crd) {
        r = d->config ? 0 : derive_crd(d, arg, err);
        if (r == 0)
            r = check_instances(d, err);
        if (r < 0)
            return r;
        cli_print(d->cli, "customresourcedefinition \"%s\" deleted%s", d->crd_name, cli_dry(d->cli));
    }
    if (d->config)
        cli_print(d->cli, "federatedtypeconfig \"%s\" deleted%s", d->shown, cli_dry(d->cli));
    return 0;
}

static int disable(struct disable *d, const char *arg, struct error **err)
{
    bool crd = d->options->delete_crd;
    int r = remote_host(d->cli, &d->host, err);
    if (r < 0)
        return error_wrap(err, "Failed to get host cluster config");
    r = find_name(d, arg, err);
    if (r == 0)
        r = get_config(d, err);
    if (r < 0)
        return r;
    if (d->cli->common.dry_run)
        return plan_only(d, arg, err);
    if (d->config && crd)
        r = check_instances(d, err);
    if (r == 0 && d->config)
        r = switch_off(d, err);
    if (r == 0 && d->config)
        r = wait_stopped(d, err);
    if (r == 0 && crd && !d->config)
        r = derive_crd(d, arg, err);
    if (r == 0 && crd)
        r = delete_crd(d, err);
    if (r == 0 && d->config)
        r = delete_config(d, err);
    return r;
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    struct disable d = { .cli = cli, .options = options, .ns = str_of(cli->common.ns) };
    int r = check_arguments(d.options, args, err);
    if (r < 0)
        return r;
    r = disable(&d, args.v[0], err);
    fed_type_config_free(d.config);
    types_done(&d.types);
    remote_free(d.host);
    free(d.name);
    free(d.shown);
    free(d.crd_name);
    free(d.plural);
    return r;
}

static const struct flag flags[] = {
    { "delete-crd", 0, false, FLAG_BOOL, offsetof(struct disable_options, delete_crd), NULL,
      "delete the CustomResourceDefinition of the federated type too; refused while federated objects exist" },
    { "federated-group", 0, false, FLAG_STRING, offsetof(struct disable_options, federated_group), FED_TYPES_GROUP,
      "API group of the federated type; only with --delete-crd" },
    { "timeout", 0, false, FLAG_DURATION, offsetof(struct disable_options, timeout_ns), "30s",
      "how long to wait until the controller manager has stopped the propagation" },
    { "version", 0, false, FLAG_STRING, offsetof(struct disable_options, version), NULL,
      "API version of the target type; only with --delete-crd" },
};

const struct verb verb_disable = {
    .name = "disable",
    .args = "NAME",
    .summary = "End the propagation of a type",
    .description =
        "Ends the propagation of a type and deletes its FederatedTypeConfig. Federated objects and the objects in member\n"
        "clusters stay. NAME is the name of the FederatedTypeConfig, or any name that enable understands.",
    .examples = "# No longer propagate Secrets\n"
                "kubefedctl disable secrets --host-cluster-context host\n\n"
                "# The same, and delete the federated type\n"
                "kubefedctl disable deployments.apps --delete-crd\n",
    .groups = VERB_COMMON,
    .flags = flags,
    .n_flags = ARRAY_SIZE(flags),
    .options_size = sizeof(struct disable_options),
    .run = run,
    .complete = { COMPLETE_TYPE_CONFIGS },
};
