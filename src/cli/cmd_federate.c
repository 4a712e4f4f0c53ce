/*
 * federate TYPE-NAME RESOURCE-NAME: makes federated objects from objects of the host cluster, or from files
 * (api-and-cli.md 3.7). Everything is read and converted before the first object is written.
 */
#include "cli/federate.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "fed/federate.h"
#include "fed/names.h"

#define CREATE_RETRY_MS 10000u
#define CREATE_POLL_MS 1000u
#define MAX_WARNINGS ((size_t)1 << 20)

void federate_warn(struct cli *cli, const struct buf *warnings)
{
    for (struct str line, rest = buf_str(warnings); !str_empty(rest);) {
        str_cut(rest, '\n', &line, &rest);
        if (!str_empty(line))
            cli_warning(cli, "%" PRIstr, STRARG(line));
    }
}

static int check_arguments(const struct federate_options *o, struct verb_args args, struct error **err)
{
    int r = cli_check_output(o->output, err);
    if (r < 0)
        return r;
    if (o->filename[0] && args.n) {
        _cleanup_buf_ struct buf b = BUF_INIT(BUF_MAX_DEFAULT);
        for (size_t i = 0; i < args.n; i++)
            buf_printf(&b, "%s%s", i ? " " : "", args.v[i]);
        return error_set(err, -EINVAL, "Flag '--filename' does not take any args. Got args: [%" PRIstr "]",
                         STRARG(buf_str(&b)));
    }
    if (o->filename[0])
        return 0;
    if (args.n < 1 || !args.v[0][0])
        return error_set(err, -EINVAL, "TYPE-NAME is required");
    if (args.n < 2 || !args.v[1][0])
        return error_set(err, -EINVAL, "RESOURCE-NAME is required");
    if (o->enable_type && o->output[0])
        return error_set(err, -EINVAL, "Flag '--enable-type' cannot be used with '--output [yaml]'");
    return 0;
}

/* --- types --- */

/* The FTC that enable makes with its defaults; the schema plays no part in it. */
static int default_config(const struct kube_api_resource *r, struct fed_type_config **ret, struct error **err)
{
    struct fed_enable_input in = { .group = str_of(r->group),
                                   .version = str_of(r->version),
                                   .kind = str_of(r->kind),
                                   .plural = str_of(r->plural),
                                   .namespaced = r->namespaced };
    _cleanup_json_mut_ yyjson_mut_doc *doc = fed_enable_type_config(&in);
    _cleanup_json_ yyjson_doc *frozen = json_freeze(doc);
    return fed_type_config_decode(yyjson_doc_get_root(frozen), ret, err);
}

int federate_type(struct federate *f, const struct kube_api_resource *r, struct federated_type **ret,
                  struct error **err)
{
    _cleanup_free_ char *name = fed_type_config_name(str_of(r->plural), str_of(r->group));
    struct federated_type type = { .enabled = true };
    struct error *e = NULL;
    if (types_get_config(f->host, str_of(name), NULL, &type.config, &e) < 0) {
        _cleanup_error_ struct error *cause = e;
        bool print = f->options->output[0], missing = is_not_found(cause);
        if (cause->code == -ECANCELED || (!missing && !print))
            return error_move(err, &cause, "%s", "");
        if (missing && !print && !f->options->enable_type)
            return error_set_http(err, cause->code, 404, STR("NotFound"),
                                  "%s. Consider using '--enable-type' to optionally "
                                  "enable type while federating the resource",
                                  cause->msg);
        type.enabled = false;
        int k = default_config(r, &type.config, err);
        if (k < 0)
            return k;
    }
    MEM_GROW(f->v, f->cap, f->n);
    f->v[f->n] = type;
    *ret = &f->v[f->n++];
    return 0;
}

int federate_add(struct federate *f, struct federated_type *type, yyjson_val *target, struct error **err)
{
    const struct fed_type_config *c = type->config;
    _cleanup_free_ char *api_version = fed_api_version(str_of(c->federated.group), str_of(c->federated.version));
    _cleanup_free_ char *shown = qualified_name(json_path_str(target, "metadata.namespace"),
                                                json_path_str(target, "metadata.name"));
    _cleanup_buf_ struct buf warnings = BUF_INIT(MAX_WARNINGS);
    struct fed_federate_input in = { .api_version = str_of(api_version),
                                     .kind = str_of(c->federated.kind),
                                     .namespaced = c->federated.namespaced,
                                     .target_group = str_of(c->target.group),
                                     .target_kind = str_of(c->target.kind) };
    yyjson_mut_doc *doc = NULL;
    int r = fed_federate(&in, target, &doc, &warnings, err);
    if (r < 0)
        return error_wrap(err, "Error getting %s from %s \"%s\"", c->federated.kind, c->target.kind, shown);
    federate_warn(f->cli, &warnings);
    MEM_GROW(type->objects, type->cap, type->n);
    type->objects[type->n++] = doc;
    return 0;
}

/* --- reading --- */

static int read_target(struct federate *f, struct federated_type *type, struct str ns, struct str name,
                       struct error **err)
{
    const struct fed_api_resource *t = &type->config->target;
    struct kube_resource res = { str_of(t->group), str_of(t->version), str_of(t->plural), t->namespaced };
    _cleanup_json_ yyjson_doc *doc = NULL;
    _cleanup_error_ struct error *e = NULL;
    struct str in = t->namespaced ? ns : STR_NULL;
    if (remote_get(f->host, &res, in, name, &doc, &e) < 0) {
        _cleanup_free_ char *shown = qualified_name(in, name);
        return error_move(err, &e, "Error retrieving target %s \"%s\": ", t->kind, shown);
    }
    return federate_add(f, type, yyjson_doc_get_root(doc), err);
}

static int collect(struct federate *f, struct str key, struct str name, struct error **err)
{
    const struct kube_api_resource *r = NULL;
    struct federated_type *type = NULL;
    struct str ns = str_of(f->options->ns);
    if (str_empty(ns))
        ns = f->host->config->namespace_ ? str_of(f->host->config->namespace_) : STR("default");
    int k = types_find(f->host, &f->types, key, STR_NULL, &r, err);
    if (k < 0)
        return error_wrap(err, "Failed to find target API resource %" PRIstr, STRARG(key));
    k = federate_type(f, r, &type, err);
    if (k < 0)
        return k;
    assert(type);
    k = read_target(f, type, ns, name, err);
    if (k < 0 || !f->options->contents)
        return k;
    if (!str_eqc(str_of(type->config->target.kind), "Namespace") || type->config->target.group[0])
        return error_set(err, -EINVAL, "Flag '--contents' can only be used with type 'namespaces'.");
    return federate_contents(f, name, err);
}

/* --- writing --- */

static int enable_first(struct federate *f, const struct federated_type *type, struct error **err)
{
    _cleanup_enable_objects_ struct enable_objects objects = { 0 };
    struct enable_request req = { .key = str_of(type->config->name), .version = str_of(type->config->target.version) };
    int r = enable_prepare(f->host, &f->types, &req, &objects, err);
    return r < 0 ? r : enable_write(f->host, &objects, err);
}

/* A type that was enabled a moment ago is not served yet: not found is tried again for a while. */
static int create_one(struct federate *f, const struct kube_resource *res, struct str ns, yyjson_mut_val *object,
                      struct error **err)
{
    uint64_t deadline = time_mono_ms() + CREATE_RETRY_MS;
    if (f->cli->common.dry_run) {
        cli_plan(f->cli, object);
        return 0;
    }
    for (;;) {
        _cleanup_error_ struct error *e = NULL;
        int r = remote_create(f->host, res, ns, object, NULL, &e);
        if (r == 0)
            return 0;
        if (!is_not_found(e) || time_mono_ms() >= deadline)
            return error_move(err, &e, "%s", "");
        r = cli_wait(f->cli, CREATE_POLL_MS, err);
        if (r < 0)
            return r;
    }
}

static int create_all(struct federate *f, const struct federated_type *type, struct error **err)
{
    const struct fed_api_resource *r = &type->config->federated;
    struct kube_resource res = { str_of(r->group), str_of(r->version), str_of(r->plural), r->namespaced };
    for (size_t i = 0; i < type->n; i++) {
        yyjson_mut_val *object = yyjson_mut_doc_get_root(type->objects[i]);
        struct str ns = json_mut_str(json_mut_path(object, "metadata.namespace"));
        _cleanup_free_ char *shown = qualified_name(ns, json_mut_str(json_mut_path(object, "metadata.name")));
        _cleanup_error_ struct error *e = NULL;
        cli_progress(f->cli, "Creating %s \"%s\"", r->kind, shown);
        int k = create_one(f, &res, ns, object, &e);
        if (k == -ECANCELED)
            return error_move(err, &e, "%s", "");
        if (k < 0)
            return error_move(err, &e, "Error creating federated resource \"%s\": ", shown);
        cli_info(f->cli, "Successfully created %s \"%s\" from %s%s", r->kind, shown, type->config->target.kind,
                 cli_dry(f->cli));
        if (!f->cli->common.dry_run)
            buf_printf(&f->cli->steps, "  %s \"%s\" created\n", r->kind, shown);
    }
    return 0;
}

static int write_out(struct federate *f, struct error **err)
{
    for (size_t i = 0; i < f->n; i++) {
        int r = f->v[i].enabled ? 0 : enable_first(f, &f->v[i], err);
        if (r == 0)
            r = create_all(f, &f->v[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

static void print_out(struct federate *f)
{
    for (size_t i = 0; i < f->n; i++)
        for (size_t k = 0; k < f->v[i].n; k++)
            cli_print_yaml_mut(f->cli, yyjson_mut_doc_get_root(f->v[i].objects[k]));
}

static void federate_done(struct federate *f)
{
    for (size_t i = 0; i < f->n; i++) {
        for (size_t k = 0; k < f->v[i].n; k++)
            yyjson_mut_doc_free(f->v[i].objects[k]);
        free(f->v[i].objects);
        fed_type_config_free(f->v[i].config);
    }
    free(f->v);
    types_done(&f->types);
    remote_free(f->host);
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    struct federate f = { .cli = cli, .options = options };
    int r = check_arguments(f.options, args, err);
    if (r < 0)
        return r;
    if (f.options->filename[0])
        return federate_file(cli, f.options, err);
    r = remote_host(cli, &f.host, err);
    if (r < 0)
        error_wrap(err, "Failed to get host cluster config");
    if (r == 0)
        r = collect(&f, str_of(args.v[0]), str_of(args.v[1]), err);
    if (r == 0 && f.options->output[0])
        print_out(&f);
    else if (r == 0)
        r = write_out(&f, err);
    federate_done(&f);
    return r;
}

#define AT(field) offsetof(struct federate_options, field)
static const struct flag flags[] = {
    { "contents", 'c', false, FLAG_BOOL, AT(contents), NULL, "for a namespace: federate the objects in it too" },
    { "enable-type", 't', false, FLAG_BOOL, AT(enable_type), NULL, "enable the type first if it is not federated yet" },
    { "filename", 'f', false, FLAG_STRING, AT(filename), NULL,
      "convert the documents of this file and print the result; - reads stdin; no cluster is asked" },
    { "namespace", 'n', false, FLAG_STRING, AT(ns), NULL,
      "namespace of the object (default: that of the host's context, else default)" },
    { "output", 'o', false, FLAG_STRING, AT(output), NULL, "yaml: print the federated objects and write nothing" },
    { "skip-api-resources", 's', false, FLAG_LIST, AT(skip), NULL,
      "types or whole groups that --contents leaves out, separated by commas" },
};

const struct verb verb_federate = {
    .name = "federate",
    .args = "(TYPE-NAME RESOURCE-NAME | -f FILENAME)",
    .summary = "Make a federated object from an object",
    .description =
        "Creates a federated object with the content of an object of the host cluster, placed in all clusters. With -f,\n"
        "objects are read from a file and the federated objects are printed. An existing federated object is never\n"
        "changed. --contents leaves out what controllers create by themselves: objects owned by others, token Secrets,\n"
        "the default ServiceAccount, the ConfigMap kube-root-ca.crt.",
    .examples = "# Spread the ConfigMap greet of namespace shop over all clusters\n"
                "kubefedctl federate configmaps greet -n shop --enable-type\n\n"
                "# Convert manifests\n"
                "kubefedctl federate -f app.yaml | kubectl create -f -\n",
    .groups = VERB_COMMON,
    .flags = flags,
    .n_flags = ARRAY_SIZE(flags),
    .options_size = sizeof(struct federate_options),
    .run = run,
    .complete = { COMPLETE_TARGET_TYPES, COMPLETE_TARGET_NAMES },
};
