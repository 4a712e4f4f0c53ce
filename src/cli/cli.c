/*
 * Entry of the command line: finds the verb, reads its flags, runs it, and turns the result into output and exit status
 * (api-and-cli.md 3.1, A-01).
 */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/complete.h"
#include "cli/man.h"
#include "cli/session.h"
#include "cli/suggest.h"

#define EXIT_USAGE 1
#define EXIT_INTERRUPTED 130
#define EXIT_COMMAND 255
#define MAX_HELP ((size_t)256 << 10)

/* The command line without the words that name the verb. */
struct words {
    char **v; /* owned array of borrowed strings */
    int n;
};

static void words_remove(struct words *w, int index)
{
    for (int i = index; i + 1 < w->n; i++)
        w->v[i] = w->v[i + 1];
    w->n--;
}

static void print_help(FILE *to, const char *self, const char *path, const struct verb *v, bool usage_only)
{
    _cleanup_buf_ struct buf b = BUF_INIT(MAX_HELP);
    if (usage_only)
        help_usage(&b, self, path, v);
    else
        help_full(&b, self, path, v);
    fwrite(b.p, 1, b.n, to);
    fflush(to);
}

static int unknown_verb(const char *self, struct str typed)
{
    _cleanup_buf_ struct buf b = BUF_INIT(MAX_HELP);
    bool first = true;
    buf_printf(&b, "unknown command \"%" PRIstr "\" for \"%s\"", STRARG(typed), self);
    for (size_t i = 0; i < n_verbs; i++)
        if (suggest_is_near(typed, verbs[i]->name)) {
            buf_printf(&b, "%s\t%s\n", first ? "\n\nDid you mean this?\n" : "", verbs[i]->name);
            first = false;
        }
    fprintf(stderr, "Error: %" PRIstr "\nRun '%s --help' for usage.\n%" PRIstr "\n", STRARG(buf_str(&b)), self,
            STRARG(buf_str(&b)));
    return EXIT_USAGE;
}

static int usage_error(const char *self, const char *path, const struct verb *v, const char *near,
                       const struct error *e)
{
    fprintf(stderr, "Error: %s\n", error_msg(e));
    if (near)
        fprintf(stderr, "\nDid you mean this?\n\t--%s\n\n", near);
    print_help(stderr, self, path, v, true);
    fprintf(stderr, "\n%s\n", error_msg(e));
    return EXIT_USAGE;
}

/* What a failed or interrupted run leaves behind. */
static void report_steps(const struct cli *cli)
{
    if (cli->steps.n)
        fprintf(stderr, "Done before that:\n%" PRIstr, STRARG(buf_str(&cli->steps)));
}

static int finish(struct cli *cli, int result, const struct error *e)
{
    if (result == 0 && cli->plan.n)
        buf_adds(&cli->out, buf_str(&cli->plan));
    int flushed = cli_flush(cli);
    if (cli->interrupted) {
        fprintf(stderr, "%s %s was interrupted.\n", cli->name, cli->verb->name);
        report_steps(cli);
        if (cli->unsure)
            fprintf(stderr, "Under way at that moment, and perhaps done: %s.\n", cli->unsure);
        else if (!cli->steps.n)
            fputs("Nothing was changed.\n", stderr);
        fprintf(stderr, "%" PRIstr, STRARG(buf_str(&cli->hints)));
        return EXIT_INTERRUPTED;
    }
    if (result < 0) {
        fprintf(stderr, "Error: %s\n", error_msg(e));
        report_steps(cli);
        if (cli->hints.n)
            fprintf(stderr, "%" PRIstr, STRARG(buf_str(&cli->hints)));
        return EXIT_COMMAND;
    }
    if (flushed < 0) {
        fputs("Error: cannot write the output: stdout does not take it\n", stderr);
        return EXIT_COMMAND;
    }
    return cli->success;
}

static int run_parsed(const char *self, const struct verb *v, const struct verb_options *o,
                      const struct flag_args *args)
{
    struct cli cli;
    _cleanup_error_ struct error *err = NULL;
    cli_init(&cli, self);
    cli.verb = v;
    cli.common = o->common;
    cli.member = o->member;
    int r = v->run(&cli, o->own, (struct verb_args){ args->v, args->n }, &err);
    int status = finish(&cli, r, err);
    cli_done(&cli);
    return status;
}

static int run_verb(const char *self, const char *path, const struct verb *v, const struct words *w)
{
    struct verb_options options = { .own = v && v->options_size ? mem_zalloc(v->options_size) : NULL };
    struct flag_set sets[VERB_MAX_SETS];
    size_t n_sets = verb_flag_sets(v, &options, sets);
    struct flag_args args = { 0 };
    const char *near = NULL;
    _cleanup_error_ struct error *err = NULL;
    int status = 0;

    flags_defaults(sets, n_sets);
    if (flags_parse(sets, n_sets, w->n, w->v, &args, &near, &err) < 0) {
        status = usage_error(self, path, v, near, err);
    } else {
        log_init(options.logging.verbosity);
        if (args.help || !v || !v->run)
            print_help(stdout, self, path, v, false);
        else
            status = run_parsed(self, v, &options, &args);
    }
    flags_done(sets, n_sets);
    free(args.v);
    free(options.own);
    return status;
}

/* A verb with sub-commands: an unknown one shows the help, as does none (api-and-cli.md 3.1). */
static const struct verb *find_child(const struct verb *v, struct words *w)
{
    struct flag_set sets[VERB_MAX_SETS];
    size_t n_sets = verb_flag_sets(&v->children[0], NULL, sets);
    int at = flags_first_arg(sets, n_sets, w->n, w->v);
    for (size_t i = 0; at >= 0 && i < v->n_children; i++)
        if (verb_is_called(&v->children[i], str_of(w->v[at]))) {
            words_remove(w, at);
            return &v->children[i];
        }
    return NULL;
}

static int dispatch(const char *self, struct words *w)
{
    int at = verb_word(w->n, w->v);
    if (at < 0)
        return run_verb(self, self, NULL, w);
    const struct verb *v = verb_find(str_of(w->v[at]));
    if (!v)
        return unknown_verb(self, str_of(w->v[at]));
    words_remove(w, at);
    _cleanup_free_ char *path = mem_printf("%s %s", self, v->name);
    const struct verb *child = v->n_children ? find_child(v, w) : NULL;
    if (!child)
        return run_verb(self, path, v, w);
    _cleanup_free_ char *child_path = mem_printf("%s %s", path, child->name);
    return run_verb(self, child_path, child, w);
}

/* Called by shells and by the build, not by people: their words are no flags of the command line. */
static const struct {
    const char *name;
    int (*run)(int n, char *const *words);
} hidden[] = { { "__complete", complete_main }, { "__man", man_main } };

/* The program as it is called by hand: the base name, and "kubectl fed" for kubectl's plugin kubectl-fed. */
static char *shown_name(const char *arg)
{
    const char *slash = arg ? strrchr(arg, '/') : NULL;
    char *name = mem_strdup(slash ? slash + 1 : arg ? arg : "kubefedctl");
    if (str_has_prefix(str_of(name), STR("kubectl-")))
        name[strlen("kubectl")] = ' ';
    return name;
}

int cli_main(int argc, char **argv)
{
    _cleanup_free_ char *self = shown_name(argc > 0 ? argv[0] : NULL);
    int n = argc > 1 ? argc - 1 : 0;
    struct words w = { mem_array((size_t)n + 1, sizeof(char *)), n };
    int status = -1;

    signal(SIGPIPE, SIG_IGN);
    log_init(0);
    for (int i = 0; i < n; i++)
        w.v[i] = argv[i + 1];
    for (size_t i = 0; n && i < ARRAY_SIZE(hidden); i++)
        if (strcmp(w.v[0], hidden[i].name) == 0)
            status = hidden[i].run(n - 1, w.v + 1);
    if (status < 0)
        status = dispatch(self, &w);
    free(w.v);
    return status;
}
