/* help [command]: the same texts as --help (api-and-cli.md 3.1). */
#include "cli/session.h"

static const struct verb *find_topic(struct verb_args args)
{
    const struct verb *v = verb_find(str_of(args.v[0]));
    for (size_t i = 0; v && args.n > 1 && i < v->n_children; i++)
        if (strcmp(v->children[i].name, args.v[1]) == 0)
            return &v->children[i];
    return v;
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    const struct verb *v = args.n ? find_topic(args) : NULL;
    (void)options;
    (void)err;
    if (args.n && !v) {
        cli_note(cli, "Unknown help topic `%s`", args.v[0]);
        help_usage(&cli->out, cli->name, cli->name, NULL);
        return 0;
    }
    bool child = v && args.n > 1 && strcmp(v->name, args.v[1]) == 0;
    _cleanup_free_ char *path = !v      ? mem_strdup(cli->name)
                                : child ? mem_printf("%s %s %s", cli->name, args.v[0], v->name)
                                        : mem_printf("%s %s", cli->name, v->name);
    help_full(&cli->out, cli->name, path, v);
    return 0;
}

const struct verb verb_help = {
    .name = "help",
    .args = "[command]",
    .summary = "Help about any command",
    .description = "Shows the help of a command, or of kubefedctl as a whole.",
    .examples = "# What there is\nkubefedctl help\n\n# How to join a cluster\nkubefedctl help join\n",
    .run = run,
    .complete = { COMPLETE_VERBS, COMPLETE_VERBS },
};
