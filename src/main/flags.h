/*
 * Flags of the long-running programs, in one table each: parsing, --help and the FLAG lines of the log come from it. As pflag
 * parses: `--name value`, `--name=value`, `-v 2`, `-v=2`, `-v2`, `-hv2` (letters of booleans in front); a boolean stands alone or with
 * `=true|false`; `--` ends the flags; dashes and underscores in names are the same. Integers are those of Go: decimal, 0x20fb,
 * 0b101, 0o17, 017 (octal, too), with underscores between digits (8_443); other numbers likewise: 1.5, 1e3, 0x1p4, 1_000.5. What has
 * no end (NaN, Inf) is refused.
 */
#ifndef MAIN_FLAGS_H
#define MAIN_FLAGS_H

#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"

enum flag_kind {
    FLAG_STRING,   /* const char **: the argument itself */
    FLAG_BOOL,     /* bool * */
    FLAG_INT,      /* int64_t *, from min to max */
    FLAG_DECIMAL,  /* the same, of decimal digits only: klog's -v is no flag of pflag's */
    FLAG_NUMBER,   /* double *, from min to max */
    FLAG_DURATION, /* int64_t *: nanoseconds, from min to max (which are nanoseconds too) */
    FLAG_CUSTOM,   /* whatever parse() makes of it; may be repeated */
    FLAG_HELP,     /* ends with FLAGS_HELP */
    FLAG_VERSION,  /* ends with FLAGS_VERSION; a boolean */
};

struct flag {
    const char *name;
    enum flag_kind kind;
    void *to;
    int64_t min, max;
    const char *value; /* how --help calls the argument: "string", "int" */
    const char *help;  /* lines separated by \n; NULL: accepted, not shown */
    char letter;       /* short form, or 0 */
    int (*parse)(void *to, struct str value, struct error **err);
    bool secret; /* its value is not logged */
    /* FLAG_STRING: refuses a value that must not be logged, and which is not repeated in the message. NULL: any is taken. */
    int (*check)(struct str value, struct error **err);
};

enum { FLAGS_GO_ON = 0, FLAGS_HELP = 1, FLAGS_VERSION = 2 };
/* One of the above, or -EINVAL: the message names the flag, what it was given, and what it takes. Arguments that are no flags are
 * an error. err must not be NULL. */
int flag_table_parse(const struct flag *flags, size_t n, int argc, char **argv, struct error **err);
/* The table of flags, sorted as given. */
void flag_table_help(FILE *out, const struct flag *flags, size_t n);
/* Calls line(text) with `FLAG: --name="value"` for each flag that has a value (controllers.md 1.2). */
void flag_table_list(const struct flag *flags, size_t n, void (*line)(const char *text));

#endif
