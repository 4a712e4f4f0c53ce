/*
 * orphaning-deletion enable|disable|status TYPE NAME: whether the objects in members stay when their federated object is
 * deleted (api-and-cli.md 3.8). That is one annotation of the federated object.
 */
#include "base/log.h"
#include "cli/types.h"
#include "fed/names.h"

struct orphaning_options {
    const char *ns;
};

struct target {
    struct remote *host; /* owned */
    struct types types;
    struct kube_resource resource; /* borrows from types */
    const char *kind;
    struct str ns, name;
    char *shown;
    yyjson_doc *object;
};

static void target_done(struct target *t)
{
    yyjson_doc_free(t->object);
    types_done(&t->types);
    remote_free(t->host);
    mem_freep(&t->shown);
}

static int note_type(void *arg, yyjson_val *ftc)
{
    const struct kube_api_resource *r = arg;
    yyjson_val *type = json_path(ftc, "spec.federatedType");
    return str_eqc(json_path_str(type, "pluralName"), r->plural) && str_eqc(json_path_str(type, "group"), r->group);
}

/* On stderr, so that the output of status stays clean. Groups of one's own are known by their FTC. */
static int warn_if_not_federated(struct target *t, const struct kube_api_resource *r, struct error **err)
{
    _cleanup_error_ struct error *e = NULL;
    bool usual = strcmp(r->group, FED_TYPES_GROUP) == 0;
    if (str_has_prefix(str_of(r->kind), STR("Federated")) && usual)
        return 0;
    int k = remote_list(t->host, &res_type_configs, str_of(t->host->cli->common.ns), 500, note_type,
                        (void *)(uintptr_t)r, &e);
    if (k == -ECANCELED)
        return error_move(err, &e, "%s", "");
    if (k > 0)
        return 0;
    _cleanup_free_ char *shown = types_shown(str_of(r->plural), str_of(r->group), str_of(r->version));
    cli_note(t->host->cli, "Warning: %s might not be a federated resource", shown);
    return 0;
}

static int find(struct cli *cli, const struct orphaning_options *o, struct verb_args args, struct target *t,
                struct error **err)
{
    const struct kube_api_resource *r = NULL;
    if (args.n < 1 || !args.v[0][0])
        return error_set(err, -EINVAL, "resource type is required");
    if (args.n < 2 || !args.v[1][0])
        return error_set(err, -EINVAL, "resource name is required");
    int k = remote_host(cli, &t->host, err);
    if (k < 0)
        return error_wrap(err, "Unable to load configuration for cluster context \"%s\" in kubeconfig \"%s\"",
                          cli->common.host_context, cli->common.kubeconfig);
    k = types_find(t->host, &t->types, str_of(args.v[0]), STR_NULL, &r, err);
    if (k < 0)
        return error_wrap(err, "Failed to find targeted %s type", args.v[0]);
    k = warn_if_not_federated(t, r, err);
    if (k < 0)
        return k;
    t->resource = res_of(r);
    t->kind = r->kind;
    t->name = str_of(args.v[1]);
    t->ns = str_of(o->ns);
    if (str_empty(t->ns))
        t->ns = t->host->config->namespace_ ? str_of(t->host->config->namespace_) : STR("default");
    if (!r->namespaced)
        t->ns = STR_NULL;
    t->shown = qualified_name(t->ns, t->name);
    k = remote_get(t->host, &t->resource, t->ns, t->name, &t->object, err);
    return k < 0 ? error_wrap(err, "Failed to retrieve resource: \"%s\"", t->shown) : 0;
}

static bool is_orphaning(const struct target *t)
{
    yyjson_val *notes = json_path(yyjson_doc_get_root(t->object), "metadata.annotations");
    return str_eqc(json_str(json_get(notes, FED_ORPHAN_ANNOTATION)), FED_ORPHAN_TRUE);
}

static int change(struct cli *cli, struct target *t, bool on, struct error **err)
{
    if (is_orphaning(t) == on)
        return 0;
    if (cli->common.dry_run) { /* */
        cli_print(cli, "orphaning deletion of %s \"%s\" %s%s", t->kind, t->shown, on ? "enabled" : "disabled",
                  cli_dry(cli));
        return 0;
    }
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(yyjson_doc_get_root(t->object));
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_val *notes = json_mut_ensure_obj(doc, root, "metadata.annotations");
    if (on)
        json_mut_set_str(doc, notes, FED_ORPHAN_ANNOTATION, STR(FED_ORPHAN_TRUE));
    else
        json_mut_remove(notes, STR(FED_ORPHAN_ANNOTATION));
    int r = remote_replace(t->host, &t->resource, t->ns, t->name, root, err);
    return r < 0 ? error_wrap(err, "Failed to update resource %s \"%s\"", t->kind, t->shown) : 0;
}

static int run_change(struct cli *cli, const void *options, struct verb_args args, bool on, struct error **err)
{
    struct target t = { 0 };
    int r = find(cli, options, args, &t, err);
    if (r == 0)
        r = change(cli, &t, on, err);
    target_done(&t);
    return r;
}

static int run_enable(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    return run_change(cli, options, args, true, err);
}

static int run_disable(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    return run_change(cli, options, args, false, err);
}

static int run_status(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    struct target t = { 0 };
    int r = find(cli, options, args, &t, err);
    if (r == 0)
        cli_print(cli, "%s", is_orphaning(&t) ? FED_ENABLED : FED_DISABLED);
    target_done(&t);
    return r;
}

static const struct flag flags[] = {
    { "namespace", 'n', false, FLAG_STRING, offsetof(struct orphaning_options, ns), NULL,
      "namespace of the federated object (default: that of the host's context, else default)" },
};

#define CHILD(word, fn, line, text, sample)                                                                            \
    {                                                                                                                  \
        .name = (word), .args = "TYPE-NAME RESOURCE-NAME", .summary = (line), .description = (text),                   \
        .examples = (sample), .groups = VERB_COMMON, .flags = flags, .n_flags = ARRAY_SIZE(flags),                     \
        .options_size = sizeof(struct orphaning_options), .run = (fn),                                                 \
        .complete = { COMPLETE_FEDERATED_TYPES, COMPLETE_FEDERATED_NAMES },                                            \
    }

static const struct verb children[] = {
    CHILD("disable", run_disable, "Delete the objects in members with their federated object",
          "Objects in member clusters are deleted together with this federated object (the default).",
          "# Back to the default\n"
          "kubefedctl orphaning-deletion disable federatedconfigmaps greet -n shop\n\n"
          "# By short name\n"
          "kubefedctl orphaning-deletion disable fdeploy web -n shop\n"),
    CHILD("enable", run_enable, "Keep the objects in members when their federated object is deleted",
          "Objects in member clusters stay when this federated object is deleted; they are no longer managed then.",
          "# Keep the copies of this ConfigMap\n"
          "kubefedctl orphaning-deletion enable federatedconfigmaps greet -n shop\n\n"
          "# By short name\n"
          "kubefedctl orphaning-deletion enable fdeploy web -n shop\n"),
    CHILD("status", run_status, "Say whether orphaning is enabled",
          "Prints Enabled when the objects in members stay after the deletion of this federated object, else Disabled.",
          "# What happens on deletion?\n"
          "kubefedctl orphaning-deletion status federatedconfigmaps greet -n shop\n\n"
          "# By short name\n"
          "kubefedctl orphaning-deletion status fdeploy web -n shop\n"),
};

const struct verb verb_orphaning = {
    .name = "orphaning-deletion",
    .args = "",
    .summary = "Keep or delete the objects in members when their federated object is deleted",
    .description = "Says whether the objects in member clusters are kept when their federated object is deleted.",
    .examples = "# Keep the copies of this ConfigMap\n"
                "kubefedctl orphaning-deletion enable federatedconfigmaps greet -n shop\n\n"
                "# What is set?\n"
                "kubefedctl orphaning-deletion status federatedconfigmaps greet -n shop\n",
    .children = children,
    .n_children = ARRAY_SIZE(children),
};
