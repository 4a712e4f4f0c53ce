/* completion SHELL: prints what makes a shell ask `__complete` for its candidates (complete.h). */
#include "cli/complete_scripts.h"
#include "cli/session.h"

static const struct {
    const char *shell, *script;
} scripts[] = { { "bash", complete_script_bash }, { "fish", complete_script_fish }, { "zsh", complete_script_zsh } };

/* The program as the shell knows it: "kubectl fed" is kubectl-fed there. As a name of functions it has no dashes. */
static char *program_name(const struct cli *cli, bool function)
{
    char *name = mem_strdup(cli->name);
    for (char *p = name; *p; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (function && !letter)
            *p = '_';
        else if (*p == ' ')
            *p = '-';
    }
    return name;
}

/* Puts the names in for @NAME@ and @FUNCTION@. */
static void write_script(struct buf *out, const struct cli *cli, const char *script)
{
    _cleanup_free_ char *name = program_name(cli, false), *function = program_name(cli, true);
    const struct {
        struct str mark;
        const char *text;
    } marks[] = { { STR("@NAME@"), name }, { STR("@FUNCTION@"), function } };
    for (struct str rest = str_of(script); !str_empty(rest);) {
        size_t n = 1;
        const char *text = NULL;
        for (size_t i = 0; i < ARRAY_SIZE(marks) && !text; i++)
            if (str_has_prefix(rest, marks[i].mark)) {
                text = marks[i].text;
                n = marks[i].mark.n;
            }
        if (text)
            buf_addz(out, text);
        else
            buf_addc(out, rest.p[0]);
        rest = str_n(rest.p + n, rest.n - n);
    }
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    (void)options;
    if (args.n == 0 || !args.v[0][0])
        return error_set(err, -EINVAL, "the name of the shell is required: bash, fish or zsh");
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
        if (strcmp(args.v[0], scripts[i].shell) != 0)
            continue;
        write_script(&cli->out, cli, scripts[i].script);
        return 0;
    }
    return error_set(err, -EINVAL, "there is no completion for \"%s\": bash, fish and zsh have one", args.v[0]);
}

const struct verb verb_completion = {
    .name = "completion",
    .args = "(bash | fish | zsh)",
    .summary = "Print a script that lets a shell complete commands",
    .description =
        "Prints a script for bash, fish or zsh. With it, the Tab key completes commands and flags of kubefedctl, and\n"
        "the names of contexts, clusters, types, namespaces and objects, for which the host cluster is asked. The flags\n"
        "--kubeconfig, --host-cluster-context, --kubefed-namespace and -n that were typed before are honoured.\n"
        "In fish: kubefedctl completion fish | source. In zsh, after compinit: source <(kubefedctl completion zsh).",
    .examples = "# For this bash; the same line in ~/.bashrc is for every one\n"
                "source <(kubefedctl completion bash)\n\n"
                "# For every zsh: a file in a folder of $fpath\n"
                "kubefedctl completion zsh > \"${fpath[1]}/_kubefedctl\"\n",
    .run = run,
    .complete = { COMPLETE_WORDS },
    .words = "bash fish zsh",
};
