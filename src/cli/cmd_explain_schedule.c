/* explain-schedule NAME: why each cluster gets its number of replicas. See explain.h for how. */
#include <stdlib.h>

#include "cli/explain.h"

#define MAX_TEXT ((size_t)64 << 20)

struct explain_options {
    const char *ns, *output, *behavior;
};

/* Of the flag, or the host's context. */
static struct str namespace_of(const struct remote *host, const char *flag)
{
    if (flag[0])
        return str_of(flag);
    return host->config->namespace_ ? str_of(host->config->namespace_) : STR("default");
}

static int explain_all(struct explain *x, struct remote *host, const char *ns_flag, struct str name, struct error **err)
{
    struct str ns = namespace_of(host, ns_flag);
    int r = world_read(host, &x->world, err);
    if (r < 0)
        return r;
    x->members = mem_array(x->world.n_clusters, sizeof(*x->members));
    x->clusters = mem_array(x->world.n_clusters, sizeof(*x->clusters));
    r = explain_read_host(x, ns, name, err);
    if (r < 0 || x->reason)
        return r;
    r = explain_read_members(x, err);
    if (r == 0)
        explain_decide(x);
    return r;
}

static void print(const struct explain *x, enum cli_output output)
{
    struct cli *cli = x->world.cli;
    cli_progress_end(cli);
    if (output != OUTPUT_TABLE) {
        _cleanup_json_mut_ yyjson_mut_doc *doc = explain_document(x);
        cli_print_document(cli, output, doc);
        return;
    }
    _cleanup_buf_ struct buf text = BUF_INIT(MAX_TEXT);
    explain_show(x, &text);
    cli_print_text(cli, buf_str(&text));
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    const struct explain_options *o = options;
    struct explain x = { .world = { .cli = cli, .behavior = fed_behavior_default } };
    _cleanup_remote_ struct remote *host = NULL;
    enum cli_output output = OUTPUT_TABLE;
    int r = 0;
    if (args.n != 1 || !args.v[0][0])
        r = error_set(err, -EINVAL, "NAME of one ReplicaSchedulingPreference is required");
    if (r == 0)
        r = cli_output_parse(o->output, OUTPUT_JSON | OUTPUT_YAML, &output, err);
    if (r == 0 && o->behavior[0])
        r = fed_behavior_parse(str_of(o->behavior), &x.world.behavior, err);
    if (r == 0)
        r = remote_host(cli, &host, err);
    if (r == 0 && host)
        r = explain_all(&x, host, o->ns, str_of(args.v[0]), err);
    if (r == 0)
        print(&x, output);
    explain_done(&x);
    return r;
}

static const struct flag flags[] = {
    { "behavior", 0, false, FLAG_STRING, offsetof(struct explain_options, behavior), NULL,
      "NAME=BOOL,...: as the controller manager is started with" },
    { "namespace", 'n', false, FLAG_STRING, offsetof(struct explain_options, ns), NULL,
      "namespace of the preference (default: that of the host's context, else default)" },
    { "output", 'o', false, FLAG_STRING, offsetof(struct explain_options, output), NULL, "json or yaml" },
};

const struct verb verb_explain_schedule = {
    .name = "explain-schedule",
    .args = "NAME",
    .summary = "Say why each cluster gets its number of replicas",
    .description =
        "Says how many replicas each cluster gets by a ReplicaSchedulingPreference, and why: weights and limits, pods that could not\n"
        "be scheduled, room on the nodes, clusters that are lost or on their way back. It is worked out with the rules of the\n"
        "controller manager from what the host and the members say now; nothing is changed. The column WRITTEN is what the\n"
        "federated object says, READY what runs in the member.",
    .examples = "# Why does each cluster have the replicas of \"web\" that it has?\n"
                "kubefedctl explain-schedule web -n shop\n\n"
                "# The same for programs, with the numbers that it is made of\n"
                "kubefedctl explain-schedule web -n shop -o json\n",
    .groups = VERB_HOST,
    .flags = flags,
    .n_flags = ARRAY_SIZE(flags),
    .options_size = sizeof(struct explain_options),
    .run = run,
    .complete = { COMPLETE_PREFERENCES },
    .outputs = "json yaml",
};
