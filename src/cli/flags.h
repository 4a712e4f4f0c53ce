/*
 * Command line flags with the syntax of pflag, which users and scripts of KubeFed know (api-and-cli.md 3.1): --flag=value,
 * --flag value, -n value, -nvalue, -n=value, grouped bool shorthands, bool --flag and --flag=false, anywhere between the
 * arguments; `--` ends them; underscores in long names count as dashes.
 */
#ifndef CLI_FLAGS_H
#define CLI_FLAGS_H

#include "base/error.h"

enum flag_type {
    FLAG_STRING,   /* const char *, borrowed from argv or from the default; never NULL after flags_defaults */
    FLAG_BOOL,     /* bool */
    FLAG_INT,      /* int, the range of int32_t */
    FLAG_UINT,     /* uint64_t */
    FLAG_DURATION, /* int64_t nanoseconds, Go syntax */
    FLAG_LIST,     /* struct flag_list: comma separated, may be repeated */
};

struct flag_list {
    char **v; /* owned, as are the strings; release with flag_list_done */
    size_t n, cap;
};
void flag_list_done(struct flag_list *l);

struct flag {
    const char *name; /* long name with dashes */
    char shorthand;   /* 0: none */
    bool hidden;      /* accepted but not shown */
    enum flag_type type;
    size_t offset;        /* of the value in the options of its set */
    const char *fallback; /* default as text; NULL: the zero value */
    const char *usage;
};

/* Flags that store into one options struct. */
struct flag_set {
    const struct flag *v;
    size_t n;
    void *options;
};

struct flag_args {
    const char **v; /* the arguments that are no flags, in order: borrowed strings, owned array (free()) */
    size_t n;
    bool help; /* -h or --help was given: reading stopped there */
};

/* Stores the defaults of all flags. */
void flags_defaults(const struct flag_set *sets, size_t n_sets);

/* Reads argv[0..argc) (no program name). On error -EINVAL with the text of pflag, such as `unknown flag: --x`,
 * `unknown shorthand flag: 'x' in -x`, `flag needs an argument: --x`, `invalid argument "y" for "--x" flag: ...`; ret is
 * untouched then. For an unknown flag *ret_near (may be NULL) is the name of the nearest known one, or NULL. */
int flags_parse(const struct flag_set *sets, size_t n_sets, int argc, char *const *argv, struct flag_args *ret,
                const char **ret_near, struct error **err);

/* Index in argv[0..argc) of the first argument that is neither a flag nor the value of one; -1 when there is none or `--`
 * comes first. An unknown flag without '=' is taken to have a value, as cobra does. */
int flags_first_arg(const struct flag_set *sets, size_t n_sets, int argc, char *const *argv);

/* What one argument that begins with "-" says: its flag (NULL: unknown; of grouped shorthands the last), the value written
 * into it (absent: none), and whether the next argument is its value. */
struct flag_word {
    const struct flag *flag;
    struct str value;
    bool takes_next;
};
struct flag_word flags_look(const struct flag_set *sets, size_t n_sets, const char *arg);

/* The word for the kind of value in help ("string", "int", ...; "" for a bool). */
const char *flag_type_name(enum flag_type type);

/* Frees the lists of all sets. */
void flags_done(const struct flag_set *sets, size_t n_sets);

#endif
