/*
 * Inside src/cli: what a verb is and what it gets to work with. One verb, one file cmd_<verb>.c, one entry in the table of
 * verbs.c. A verb returns 0 or a negative errno with an error; cli_main() makes output and exit status of it.
 */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include "base/buf.h"
#include "base/error.h"
#include "cli/flags.h"

struct cli;

struct common_options {
    const char *kubeconfig, *host_context, *ns;
    bool dry_run;
};
/* Flags that join and unjoin share. */
struct member_options {
    const char *cluster_context, *host_cluster_name;
};

struct verb_args {
    const char *const *v;
    size_t n;
};

enum verb_groups {
    VERB_COMMON = 1, /* the flags of common_options */
    VERB_MEMBER = 2, /* the flags of member_options */
    VERB_HOST = 4,   /* those of common_options but --dry-run: verbs that only read */
};

/* What an argument or the value of a flag is, for the completion of shells (complete.h). */
enum complete_kind {
    COMPLETE_NOTHING, /* only the user can know it */
    COMPLETE_FILES,
    COMPLETE_WORDS,           /* those of the verb's `words` */
    COMPLETE_VERBS,           /* a verb; as second argument a sub-command of it */
    COMPLETE_CONTEXTS,        /* of the kubeconfig */
    COMPLETE_NAMESPACES,      /* of the host cluster */
    COMPLETE_CLUSTERS,        /* KubeFedClusters */
    COMPLETE_NEW_TYPES,       /* API types of the host cluster that are no federated types */
    COMPLETE_TYPE_CONFIGS,    /* FederatedTypeConfigs */
    COMPLETE_TARGET_TYPES,    /* types that are federated */
    COMPLETE_TARGET_NAMES,    /* objects of the type that the argument before names */
    COMPLETE_FEDERATED_TYPES, /* their federated types */
    COMPLETE_PREFERENCES,     /* ReplicaSchedulingPreferences */
    COMPLETE_FEDERATED_NAMES, /* objects of the type that the argument before names */
};
#define VERB_MAX_COMPLETE 2

struct verb {
    const char *name;
    const char *alias;       /* another name that is understood and not shown, or NULL */
    const char *args;        /* as shown in usage, "" for none */
    const char *summary;     /* one line */
    const char *description; /* lines without indentation */
    const char *examples;    /* lines without indentation; they say kubefedctl (see help_full) */
    unsigned groups;         /* enum verb_groups */
    const struct flag *flags;
    size_t n_flags;
    size_t options_size; /* of the verb's own options struct; 0: none */
    int (*run)(struct cli *cli, const void *options, struct verb_args args, struct error **err);
    const struct verb *children; /* sub-commands instead of run */
    size_t n_children;
    enum complete_kind complete[VERB_MAX_COMPLETE]; /* what its arguments are, in order */
    const char *words;                              /* for COMPLETE_WORDS, separated by spaces */
    const char *outputs;                            /* values of --output, separated by spaces; NULL: yaml */
    const char *exits;                              /* its own exit status for the manual: "2 When ...", or NULL */
};

extern const struct verb verb_doctor, verb_explain_schedule, verb_get, verb_plan, verb_status, verb_join, verb_unjoin,
    verb_enable, verb_disable, verb_federate, verb_orphaning, verb_version, verb_help, verb_completion;

/* All verbs sorted by name. */
extern const struct verb *const verbs[];
extern const size_t n_verbs;
bool verb_is_called(const struct verb *v, struct str name);
/* NULL when there is none of that name. */
const struct verb *verb_find(struct str name);

/* Most flag sets that a verb can have. */
#define VERB_MAX_SETS 4

/* The flags of all verbs and their sub-commands, for words that may stand before the verb: owned array, free(). */
struct flag_set *verb_all_flag_sets(size_t *ret_n);
/* Position of the verb's name among the words of a command line, -1 when there is none. */
int verb_word(int n, char *const *words);

/* --- help (help.c) --- */

/* The flags of a verb for help and parsing: logging flags last. options may be NULL when only names are wanted. Returns
 * how many sets were filled in. */
struct verb_options {
    struct common_options common;
    struct member_options member;
    struct logging_options {
        int verbosity;
        bool add_dir_header, alsologtostderr, logtostderr, one_output, skip_headers, skip_log_headers;
        const char *log_backtrace_at, *log_dir, *log_file, *stderrthreshold, *vmodule;
        uint64_t log_file_max_size;
        int64_t log_flush_frequency;
    } logging;
    void *own;
};
size_t verb_flag_sets(const struct verb *v, struct verb_options *options, struct flag_set ret[static VERB_MAX_SETS]);

/* Full help or, for usage errors, only usage lines, examples and flags. self: the name of the program, which takes the place
 * of "kubefedctl" in texts; path: the command as typed, "kubefedctl join". v NULL: the root. */
void help_full(struct buf *out, const char *self, const char *path, const struct verb *v);
void help_usage(struct buf *out, const char *self, const char *path, const struct verb *v);
/* What help says about the program as a whole. */
extern const char help_root[];

#endif
