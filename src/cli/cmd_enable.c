/* enable (NAME | -f FILENAME): makes a type federated (api-and-cli.md 3.4, 3.5). */
#include "cli/enable.h"
#include "json/yaml.h"

struct enable_options {
    const char *federated_group, *federated_version, *version, *output, *filename;
};

/* An EnableTypeDirective from a file, or from stdin. */
static int read_directive(const char *filename, struct fed_enable_directive *ret, struct error **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT(BUF_MAX_DEFAULT);
    _cleanup_json_ yyjson_doc *doc = NULL;
    int r = cli_read_file(filename, &text, err);
    if (r == 0)
        r = yaml_parse(buf_str(&text), &doc, err);
    if (r < 0)
        return error_wrap(err, "Failed to load yaml from file \"%s\"", filename);
    return fed_enable_directive_decode(yyjson_doc_get_root(doc), ret, err);
}

static int enable(struct cli *cli, const struct enable_options *o, const struct enable_request *req, struct error **err)
{
    _cleanup_remote_ struct remote *host = NULL;
    _cleanup_types_ struct types types = { 0 };
    _cleanup_enable_objects_ struct enable_objects objects = { 0 };
    int r = remote_host(cli, &host, err);
    if (r < 0)
        return error_wrap(err, "Failed to get host cluster config");
    r = enable_prepare(host, &types, req, &objects, err);
    if (r < 0)
        return r;
    if (o->output[0]) {
        cli_print_yaml_mut(cli, yyjson_mut_doc_get_root(objects.type_config));
        cli_print_yaml_mut(cli, yyjson_mut_doc_get_root(objects.crd));
        return 0;
    }
    return enable_write(host, &objects, err);
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    const struct enable_options *o = options;
    int r = cli_check_output(o->output, err);
    if (r < 0)
        return r;
    if (o->filename[0]) {
        struct fed_enable_directive d = { 0 };
        r = read_directive(o->filename, &d, err);
        if (r < 0)
            return r;
        struct enable_request req = { str_of(d.name), str_of(d.target_version), str_of(d.federated_group),
                                      str_of(d.federated_version) };
        r = enable(cli, o, &req, err);
        fed_enable_directive_done(&d);
        return r;
    }
    if (args.n == 0 || !args.v[0][0])
        return error_set(err, -EINVAL, "NAME is required");
    struct enable_request req = { str_of(args.v[0]), str_of(o->version), str_of(o->federated_group),
                                  str_of(o->federated_version) };
    return enable(cli, o, &req, err);
}

#define AT(field) offsetof(struct enable_options, field)
static const struct flag flags[] = {
    { "federated-group", 0, false, FLAG_STRING, AT(federated_group), "types.kubefed.io",
      "API group of the federated type" },
    { "federated-version", 0, false, FLAG_STRING, AT(federated_version), "v1beta1",
      "API version of the federated type" },
    { "filename", 'f', false, FLAG_STRING, AT(filename), NULL,
      "file with an EnableTypeDirective instead of NAME, --version and --federated-*; - reads stdin" },
    { "output", 'o', false, FLAG_STRING, AT(output), NULL, "yaml: print what would be written and write nothing" },
    { "version", 0, false, FLAG_STRING, AT(version), NULL,
      "API version of the target type (default: the one that the host cluster prefers)" },
};

const struct verb verb_enable = {
    .name = "enable",
    .args = "(NAME | -f FILENAME)",
    .summary = "Make a type of objects federated",
    .description =
        "Makes an API type federated: creates the CustomResourceDefinition of its federated type and the\n"
        "FederatedTypeConfig that links both. NAME is a plural (deployments.apps when the group matters), a singular,\n"
        "a kind or a short name. A type that is federated already is brought up to date.",
    .examples = "# Federate Deployments\n"
                "kubefedctl enable deployments.apps --host-cluster-context host\n\n"
                "# Only show what would be created\n"
                "kubefedctl enable configmaps -o yaml\n",
    .groups = VERB_COMMON,
    .flags = flags,
    .n_flags = ARRAY_SIZE(flags),
    .options_size = sizeof(struct enable_options),
    .run = run,
    .complete = { COMPLETE_NEW_TYPES },
};
