/* Candidates that need no cluster: verbs, flags, fixed words, contexts of the kubeconfig. */
#include <stdlib.h>

#include "cli/complete.h"

static void offer_verbs(const struct complete_ask *ask, struct complete_list *l)
{
    const struct verb *parent = ask->topic;
    for (size_t i = 0; i < (parent ? parent->n_children : n_verbs); i++) {
        const struct verb *v = parent ? &parent->children[i] : verbs[i];
        complete_add(l, str_of(v->name), v->summary);
    }
}

static void offer_words(const char *words, struct complete_list *l)
{
    for (struct str word, rest = str_of(words); !str_empty(rest);) {
        str_cut(rest, ' ', &word, &rest);
        complete_add(l, word, "");
    }
}

static bool is_given(const struct complete_ask *ask, const struct flag *f)
{
    for (size_t i = 0; i < ask->n_given; i++)
        if (ask->given[i] == f)
            return f->type != FLAG_LIST;
    return false;
}

static void offer_flag(struct complete_list *l, char shorthand, const char *name, const char *usage)
{
    _cleanup_free_ char *full = mem_printf("--%s", name);
    complete_add(l, str_of(full), usage);
    if (shorthand)
        complete_add(l, str_n((char[]){ '-', shorthand }, 2), usage);
}

/* The flags of logging, which every verb has, only when a letter was typed: nobody looks for them. */
static void offer_flags(const struct complete_ask *ask, struct complete_list *l)
{
    struct flag_set sets[VERB_MAX_SETS];
    size_t n = verb_flag_sets(ask->verb, NULL, sets);
    bool letter = strcmp(l->prefix, "-") != 0 && strcmp(l->prefix, "--") != 0;
    for (size_t s = 0; s < n; s++)
        for (size_t i = 0; i < sets[s].n && (s + 1 < n || letter); i++) {
            const struct flag *f = &sets[s].v[i];
            if (!f->hidden && !is_given(ask, f))
                offer_flag(l, f->shorthand, f->name, f->usage);
        }
    offer_flag(l, 'h', "help", "this text");
}

char *complete_kubeconfig(const struct complete_ask *ask)
{
    static const char *const marks[] = { "~", "$HOME", "${HOME}" };
    const char *home = getenv("HOME");
    for (size_t i = 0; i < ARRAY_SIZE(marks) && home; i++) {
        size_t n = strlen(marks[i]);
        if (strncmp(ask->kubeconfig, marks[i], n) == 0 && ask->kubeconfig[n] == '/')
            return mem_printf("%s%s", home, ask->kubeconfig + n);
    }
    return mem_strdup(ask->kubeconfig);
}

static void offer_contexts(const struct complete_ask *ask, struct complete_list *l)
{
    _cleanup_free_ char *path = complete_kubeconfig(ask), *current = NULL;
    struct kube_config_source source = { .kubeconfig = path };
    char **names = NULL;
    if (kube_config_contexts(&source, &names, &current, NULL) < 0)
        return;
    for (size_t i = 0; names[i]; i++) {
        bool is_current = current && strcmp(current, names[i]) == 0;
        if (names[i][0] != '-')
            complete_add(l, str_of(names[i]), is_current ? "current context" : "");
        free(names[i]);
    }
    free(names);
}

void complete_offer(const struct complete_ask *ask, struct complete_list *l)
{
    if (ask->flags)
        offer_flags(ask, l);
    else if (ask->kind == COMPLETE_VERBS)
        offer_verbs(ask, l);
    else if (ask->kind == COMPLETE_WORDS)
        offer_words(ask->words, l);
    else if (ask->kind == COMPLETE_CONTEXTS)
        offer_contexts(ask, l);
}
