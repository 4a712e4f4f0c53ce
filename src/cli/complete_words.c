/* What is to be completed, by the words of a command line alone: the rules of the flag parser without its errors. */
#include <stdlib.h>

#include "cli/complete.h"

#define MAX_ARGS 4

struct reader {
    struct complete_ask *ask;
    const struct flag_set *sets;
    size_t n_sets;
    const char *args[MAX_ARGS]; /* the first of those that are no flags */
    size_t n_args;
    bool only_args;          /* after "--" */
    bool pending;            /* the last word is the value of `flag` */
    const struct flag *flag; /* NULL: of an unknown one */
};

void complete_ask_done(struct complete_ask *ask)
{
    free(ask->given);
    *ask = (struct complete_ask){ 0 };
}

/* --- flags --- */

static const struct {
    const char *flag;
    enum complete_kind kind;
} flag_kinds[] = {
    { "cluster-context", COMPLETE_CONTEXTS },
    { "filename", COMPLETE_FILES },
    { "host-cluster-context", COMPLETE_CONTEXTS },
    { "kubeconfig", COMPLETE_FILES },
    { "kubefed-namespace", COMPLETE_NAMESPACES },
    { "log-dir", COMPLETE_FILES },
    { "log-file", COMPLETE_FILES },
    { "namespace", COMPLETE_NAMESPACES },
};

static void ask_value(struct complete_ask *ask, const struct flag *flag, const char *prefix)
{
    ask->prefix = prefix;
    if (!flag)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(flag_kinds); i++)
        if (strcmp(flag_kinds[i].flag, flag->name) == 0)
            ask->kind = flag_kinds[i].kind;
    if (flag->type == FLAG_BOOL)
        ask->words = "false true";
    else if (strcmp(flag->name, "output") == 0)
        ask->words = ask->verb && ask->verb->outputs ? ask->verb->outputs : "yaml";
    if (ask->words)
        ask->kind = COMPLETE_WORDS;
}

/* Flags that say where the candidates are. */
static void note_flag(struct complete_ask *ask, const struct flag *flag, const char *value)
{
    const struct {
        const char *name, **at;
    } places[] = { { "kubeconfig", &ask->kubeconfig },
                   { "host-cluster-context", &ask->host_context },
                   { "kubefed-namespace", &ask->kubefed_ns },
                   { "namespace", &ask->ns } };
    if (!flag)
        return;
    MEM_GROW(ask->given, ask->cap_given, ask->n_given);
    ask->given[ask->n_given++] = flag;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        if (value && strcmp(places[i].name, flag->name) == 0)
            *places[i].at = value;
}

/* --- the words before the last --- */

static void read_words(struct reader *r, int n, char *const *words)
{
    for (int i = 0; i < n; i++) {
        if (r->only_args || words[i][0] != '-' || !words[i][1]) {
            if (r->n_args < MAX_ARGS)
                r->args[r->n_args] = words[i];
            r->n_args++;
        } else if (strcmp(words[i], "--") == 0) {
            r->only_args = true;
        } else {
            struct flag_word w = flags_look(r->sets, r->n_sets, words[i]);
            r->pending = w.takes_next && i + 1 == n;
            r->flag = w.flag;
            if (w.takes_next && i + 1 < n)
                note_flag(r->ask, w.flag, words[++i]);
            else if (!r->pending)
                note_flag(r->ask, w.flag, w.value.p);
        }
    }
}

/* Takes the word at `at` out. */
static int take_word(char **words, int n, int at)
{
    for (int i = at; i + 1 < n; i++)
        words[i] = words[i + 1];
    return n - 1;
}

/* Finds verb and sub-command and takes their names out of the words. false: there is no such verb. */
static bool find_verb(struct complete_ask *ask, char **words, int *n)
{
    struct flag_set sets[VERB_MAX_SETS];
    int at = verb_word(*n, words);
    if (at < 0)
        return true;
    const struct verb *v = verb_find(str_of(words[at]));
    if (!v)
        return false;
    ask->verb = v;
    *n = take_word(words, *n, at);
    if (!v->n_children)
        return true;
    at = flags_first_arg(sets, verb_flag_sets(&v->children[0], NULL, sets), *n, words);
    if (at < 0)
        return true;
    for (size_t i = 0; i < v->n_children; i++) {
        if (!verb_is_called(&v->children[i], str_of(words[at])))
            continue;
        ask->verb = &v->children[i];
        *n = take_word(words, *n, at);
        return true;
    }
    return false;
}

/* --- the last word --- */

static void ask_argument(struct reader *r)
{
    struct complete_ask *ask = r->ask;
    const struct verb *v = ask->verb;
    if (!v || v->n_children) {
        ask->kind = r->n_args ? COMPLETE_NOTHING : COMPLETE_VERBS;
        ask->topic = v;
        return;
    }
    if (r->n_args >= VERB_MAX_COMPLETE)
        return;
    ask->kind = v->complete[r->n_args];
    ask->words = v->words;
    ask->type = r->n_args ? r->args[0] : NULL;
    if (ask->kind != COMPLETE_VERBS || !r->n_args)
        return;
    ask->topic = verb_find(str_of(r->args[0]));
    if (!ask->topic || !ask->topic->n_children)
        ask->kind = COMPLETE_NOTHING;
}

static void ask_last(struct reader *r, const char *last)
{
    r->ask->prefix = last;
    if (r->pending) {
        ask_value(r->ask, r->flag, last);
    } else if (r->only_args || last[0] != '-') {
        ask_argument(r);
    } else if (strchr(last, '=') && strcmp(last, "--") != 0) {
        struct flag_word w = flags_look(r->sets, r->n_sets, last);
        ask_value(r->ask, w.flag, strchr(last, '=') + 1);
    } else {
        r->ask->flags = true;
    }
}

void complete_ask_read(int n, char *const *words, struct complete_ask *ret)
{
    int before = n ? n - 1 : 0;
    char **v = mem_array((size_t)before + 1, sizeof(*v));
    struct flag_set own[VERB_MAX_SETS], *all = NULL;
    struct reader r = { .ask = ret, .sets = own };

    *ret = (struct complete_ask){ .kubeconfig = "", .host_context = "", .kubefed_ns = "", .ns = "", .prefix = "" };
    for (int i = 0; i < before; i++)
        v[i] = words[i];
    if (find_verb(ret, v, &before)) {
        if (ret->verb)
            r.n_sets = verb_flag_sets(ret->verb, NULL, own);
        else
            r.sets = all = verb_all_flag_sets(&r.n_sets);
        read_words(&r, before, v);
        ask_last(&r, n ? words[n - 1] : "");
    }
    free(all);
    free(v);
}
