/*
 * Inside src/cli: the completion of shells, in the protocol of cobra, which kubectl speaks too. `__complete WORD...`
 * gets the words after the program's name, the last of which, maybe empty, is being completed. Three parts: what is
 * asked for, pure (complete_words.c); the candidates, from the tables and the kubeconfig (complete_offer.c) or from the
 * host cluster (complete_cluster.c, complete_types.c); the answer (complete.c, complete_list.c).
 */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "cli/remote.h"

/* Most candidates in an answer. */
#define COMPLETE_MAX 500
/* What a cluster may take in all. */
#define COMPLETE_DEADLINE_MS 3000u

/* What is to be completed. Strings are borrowed from the words. */
struct complete_ask {
    enum complete_kind kind;
    bool flags;                                              /* the name of a flag, instead of kind */
    const char *prefix;                                      /* what is typed of it */
    const struct verb *verb;                                 /* that the words name; NULL: none yet */
    const struct verb *topic;                                /* COMPLETE_VERBS: whose sub-commands; NULL: verbs */
    const char *type;                                        /* COMPLETE_*_NAMES: the TYPE that was typed */
    const char *words;                                       /* COMPLETE_WORDS */
    const char *kubeconfig, *host_context, *kubefed_ns, *ns; /* "" when not given */
    const struct flag **given;                               /* flags among the words before; owned array */
    size_t n_given, cap_given;
};
/* Reads the words; n may be 0. Never fails: what makes no sense is completed with nothing. Release with
 * complete_ask_done. */
void complete_ask_read(int n, char *const *words, struct complete_ask *ret);
void complete_ask_done(struct complete_ask *ask);

/* --- candidates (complete_list.c) --- */

struct complete_item {
    char *word, *description; /* owned; description "" for none */
};
struct complete_list {
    const char *prefix; /* others are left out */
    struct complete_item *v;
    size_t n, cap;
};
void complete_list_done(struct complete_list *l);
/* Adds a copy of a word with this prefix. Words that would break the protocol or the terminal are left out. */
void complete_add(struct complete_list *l, struct str word, const char *description);
/* The same for names that servers send, and without what a shell does not take for a plain word. */
void complete_add_name(struct complete_list *l, struct str name, const char *description);
/* At most COMPLETE_MAX lines, sorted, each word once. */
void complete_list_write(struct complete_list *l, struct buf *out);

/* --- where they come from --- */

/* Verbs, flags, fixed words, contexts: no cluster is asked. */
void complete_offer(const struct complete_ask *ask, struct complete_list *l);
/* Asks the host cluster, for COMPLETE_DEADLINE_MS at most. On failure, a negative errno, the list is of no use. */
int complete_ask_cluster(const struct complete_ask *ask, struct complete_list *l);
/* COMPLETE_NEW_TYPES (complete_types.c). */
int complete_new_types(struct remote *host, struct complete_list *l);
/* --kubeconfig as a shell would have passed it: with ~/ and $HOME/ replaced. Owned. */
char *complete_kubeconfig(const struct complete_ask *ask);

/* The hidden verb: prints candidates and the directive, whatever happens. Returns the exit status, 0. */
int complete_main(int n, char *const *words);

#endif
