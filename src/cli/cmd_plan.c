/*
 * plan (-f FILE | TYPE NAME): what the controller manager would change in which member, as a diff per cluster, without changing
 * anything. See plan.h for how.
 */
#include <stdlib.h>

#include "cli/board.h"
#include "cli/plan.h"
#include "fed/names.h"
#include "json/yaml.h"

#define MAX_TEXT ((size_t)256 << 20)
#define EXIT_CHANGES 2

struct plan_options {
    const char *ns, *filename, *output, *behavior;
    bool deletion, no_diff, exit_code;
};

struct plan_run {
    struct cli *cli;
    const struct plan_options *options;
    struct remote *host; /* owned */
    struct world world;
    enum cli_output output;
    struct plan_counts counts;
    struct buf text;
    yyjson_mut_doc *doc; /* -o json, yaml */
    yyjson_mut_val *list;
    size_t skipped, failed;
};

static struct str default_namespace(const struct plan_run *p)
{
    if (p->options->ns[0])
        return str_of(p->options->ns);
    return p->host->config->namespace_ ? str_of(p->host->config->namespace_) : STR("default");
}

/* --- one object --- */

static void show(struct plan_run *p, const struct plan_object *o)
{
    plan_count(o, &p->counts);
    if (p->list) {
        plan_document(&p->world, o, !p->options->no_diff, p->doc, p->list);
        return;
    }
    plan_show(&p->world, o, !p->options->no_diff, &p->text);
    buf_addc(&p->text, '\n');
}

/* Takes doc: the federated object as it would be. */
static int plan_one(struct plan_run *p, const struct fed_type_config *type, yyjson_doc *doc, struct error **err)
{
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct plan_object o = { .type = type, .doc = doc, .name = json_path_str(root, "metadata.name") };
    struct plan_live *live = NULL;
    o.ns = type->federated.namespaced ? json_path_str(root, "metadata.namespace") : STR_NULL;
    cli_progress(p->cli, "Planning %s \"%" PRIstr "\"", type->federated.kind, STRARG(o.name));
    bool deletion = p->options->deletion || json_path(root, "metadata.deletionTimestamp");
    int r = plan_gather(&p->world, &o, &live, err);
    if (r == 0)
        r = plan_try(&p->world, &o, live, deletion, err);
    if (r == 0)
        show(p, &o);
    plan_live_free(live, p->world.n_clusters);
    plan_object_done(&o);
    return r;
}

/* --- TYPE NAME --- */

static int plan_named(struct plan_run *p, struct verb_args args, struct error **err)
{
    _cleanup_free_ char *name = NULL;
    yyjson_doc *doc = NULL;
    int r = board_find_type(p->host, str_of(args.v[0]), &name, err);
    if (r < 0)
        return r;
    const struct fed_type_config *type = world_named(&p->world, str_of(name));
    if (!type)
        return error_set(err, -EINVAL, "FederatedTypeConfig \"%s\" is invalid: see kubefedctl doctor", name);
    const struct fed_api_resource *f = &type->federated;
    struct kube_resource res = { str_of(f->group), str_of(f->version), str_of(f->plural), f->namespaced };
    struct str ns = default_namespace(p);
    if (fed_type_is_namespace(type) && !p->options->ns[0])
        ns = str_of(args.v[1]);
    r = remote_get(p->host, &res, f->namespaced ? ns : STR_NULL, str_of(args.v[1]), &doc, err);
    return r < 0 ? r : plan_one(p, type, doc, err);
}

/* --- -f --- */

/* An object as a file has it. 0 also when it is passed over. */
static int plan_file_object(struct plan_run *p, yyjson_val *object, bool namespaces, struct error **err)
{
    const struct fed_type_config *type = world_type(&p->world, object);
    struct str kind = json_path_str(object, "kind"), name = json_path_str(object, "metadata.name");
    struct str ns = json_path_str(object, "metadata.namespace");
    _cleanup_error_ struct error *e = NULL;
    yyjson_doc *doc = NULL;
    if (type ? fed_type_is_namespace(type) != namespaces : namespaces)
        return 0;
    if (!type || str_empty(name)) {
        p->skipped++;
        cli_note(p->cli, "%" PRIstr " \"%" PRIstr "\" is passed over: it is %s.", STRARG(kind), STRARG(name),
                 type ? "without a name" : "not of a federated type that is enabled");
        return 0;
    }
    if (str_empty(ns))
        ns = default_namespace(p);
    if (!type->federated.namespaced)
        ns = STR_NULL;
    int r = plan_apply(&p->world, type, object, ns, &doc, &e);
    if (r == -ECANCELED)
        return error_move(err, &e, "%s", "");
    if (r < 0) { /* one that is refused does not hide the others */
        p->failed++;
        cli_progress_clear(p->cli);
        cli_note(p->cli, "Error: %" PRIstr " \"%" PRIstr "\": %s", STRARG(kind), STRARG(name), error_msg(e));
        return 0;
    }
    if (namespaces) {
        _cleanup_json_mut_ yyjson_mut_doc *copy = json_mut_doc_of(yyjson_doc_get_root(doc));
        yyjson_doc_free(map_put(&p->world.namespaces, ns, json_freeze(copy)));
    }
    return plan_one(p, type, doc, err);
}

/* Documents, and the items of lists. FederatedNamespaces come first: they bound the placement of the others. */
static int plan_documents(struct plan_run *p, yyjson_doc **docs, size_t n, struct error **err)
{
    int r = 0;
    for (int namespaces = 1; namespaces >= 0; namespaces--) {
        for (size_t i = 0; r == 0 && i < n; i++) {
            yyjson_val *root = yyjson_doc_get_root(docs[i]), *items = json_get(root, "items"), *item;
            size_t k, m;
            if (!yyjson_is_arr(items)) {
                r = plan_file_object(p, root, namespaces, err);
                continue;
            }
            yyjson_arr_foreach(items, k, m, item)
            {
                if (r == 0)
                    r = plan_file_object(p, item, namespaces, err);
            }
        }
    }
    return r;
}

static int plan_file(struct plan_run *p, struct error **err)
{
    _cleanup_buf_ struct buf text = BUF_INIT(0);
    yyjson_doc **docs = NULL;
    size_t n = 0;
    int r = cli_read_file(p->options->filename, &text, err);
    if (r == 0)
        r = yaml_parse_all(buf_str(&text), &docs, &n, err);
    if (r < 0)
        return error_wrap(err, "Failed to load yaml from file \"%s\"", p->options->filename);
    r = plan_documents(p, docs, n, err);
    yaml_docs_free(docs, n);
    if (r == 0 && p->counts.objects == 0 && !p->failed)
        cli_note(p->cli, "There is no federated object in \"%s\".", p->options->filename);
    return r;
}

/* --- all --- */

static int check(const struct plan_options *o, struct verb_args args, struct error **err)
{
    if (o->filename[0] && args.n)
        return error_set(err, -EINVAL, "Flag '--filename' does not take any args. Got args: [%s]", args.v[0]);
    if (!o->filename[0] && (args.n < 1 || !args.v[0][0]))
        return error_set(err, -EINVAL, "TYPE-NAME is required, or --filename");
    if (!o->filename[0] && (args.n < 2 || !args.v[1][0]))
        return error_set(err, -EINVAL, "RESOURCE-NAME is required");
    return 0;
}

static void print(struct plan_run *p)
{
    cli_progress_end(p->cli);
    if (p->list) {
        yyjson_mut_val *root = yyjson_mut_doc_get_root(p->doc);
        json_mut_set(p->doc, root, "objects", p->list);
        cli_print_document(p->cli, p->output, p->doc);
        return;
    }
    if (p->counts.objects)
        plan_show_counts(&p->counts, &p->text);
    cli_print_text(p->cli, buf_str(&p->text));
}

static int plan_all(struct plan_run *p, struct verb_args args, struct error **err)
{
    int r = remote_host(p->cli, &p->host, err);
    if (r == 0)
        r = world_read(p->host, &p->world, err);
    if (r == 0)
        r = p->options->filename[0] ? plan_file(p, err) : plan_named(p, args, err);
    if (r < 0)
        return r;
    print(p);
    if (p->failed)
        return error_set(err, -EINVAL, "%zu %s cannot be planned", p->failed, p->failed == 1 ? "object" : "objects");
    if (p->options->exit_code && p->counts.create + p->counts.update + p->counts.remove)
        p->cli->success = EXIT_CHANGES;
    return 0;
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    struct plan_run p = { .cli = cli, .options = options, .text = BUF_INIT(MAX_TEXT) };
    int r = check(p.options, args, err);
    if (r == 0)
        r = cli_output_parse(p.options->output, OUTPUT_JSON | OUTPUT_YAML, &p.output, err);
    p.world.behavior = fed_behavior_default;
    if (r == 0 && p.options->behavior[0])
        r = fed_behavior_parse(str_of(p.options->behavior), &p.world.behavior, err);
    if (r == 0 && p.output != OUTPUT_TABLE) {
        p.doc = json_mut_doc_new();
        p.list = yyjson_mut_arr(p.doc);
    }
    if (r == 0)
        r = plan_all(&p, args, err);
    world_done(&p.world);
    remote_free(p.host);
    yyjson_mut_doc_free(p.doc);
    buf_done(&p.text);
    return r;
}

static const struct flag flags[] = {
    { "behavior", 0, false, FLAG_STRING, offsetof(struct plan_options, behavior), NULL,
      "NAME=BOOL,...: as the controller manager is started with" },
    { "delete", 0, false, FLAG_BOOL, offsetof(struct plan_options, deletion), NULL,
      "plan for the deletion of the federated object" },
    { "exit-code", 0, false, FLAG_BOOL, offsetof(struct plan_options, exit_code), NULL,
      "exit with 2 when something would change" },
    { "filename", 'f', false, FLAG_STRING, offsetof(struct plan_options, filename), NULL,
      "plan as if the documents of this file were applied; - is stdin" },
    { "namespace", 'n', false, FLAG_STRING, offsetof(struct plan_options, ns), NULL,
      "namespace of the federated objects (default: that of the host's context, else default)" },
    { "no-diff", 0, false, FLAG_BOOL, offsetof(struct plan_options, no_diff), NULL,
      "only say what would be done where" },
    { "output", 'o', false, FLAG_STRING, offsetof(struct plan_options, output), NULL, "json or yaml" },
};

const struct verb verb_plan = {
    .name = "plan",
    .args = "(TYPE-NAME RESOURCE-NAME | -f FILENAME)",
    .summary = "Show what would change in which cluster",
    .description =
        "Shows what the controller manager would change in each member for a federated object as it is, or as it would be if a\n"
        "file were applied, and changes nothing. It plans as the controller does, with the token and the endpoint that the\n"
        "controller uses, and lets the members try each change with a dry run, so that their validation and admission speak.\n"
        "Values of Secrets are not shown.",
    .examples = "# What would applying this file change?\n"
                "kubefedctl plan -f federated-web.yaml\n\n"
                "# What is still to be done for this object, and where?\n"
                "kubefedctl plan deployments web -n shop\n",
    .groups = VERB_HOST,
    .flags = flags,
    .n_flags = ARRAY_SIZE(flags),
    .options_size = sizeof(struct plan_options),
    .run = run,
    .complete = { COMPLETE_FEDERATED_TYPES, COMPLETE_FEDERATED_NAMES },
    .outputs = "json yaml",
    .exits = "2 With --exit-code, when something would change.",
};
