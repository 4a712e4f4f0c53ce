/* The table of KubeFedConfig's fields, for src/fed/config.c and config_default.c only (api-and-cli.md 1.4). */
#ifndef FED_CONFIG_INTERNAL_H
#define FED_CONFIG_INTERNAL_H

#include "fed/config.h"

enum fed_config_kind {
    FED_CONFIG_DURATION, /* int64_t, nanoseconds */
    FED_CONFIG_COUNT,    /* int64_t */
    FED_CONFIG_SWITCH,   /* bool: "Enabled" or "Disabled" */
    FED_CONFIG_LOCK,     /* char *: a member of fed_config_locks */
};
struct fed_config_field {
    const char *section, *name;
    enum fed_config_kind kind;
    size_t offset;
    int64_t initial; /* the default; of a lock its index */
};
struct fed_config_gate {
    const char *name;
    size_t offset; /* of a bool */
    bool initial;
};

#define FED_CONFIG_FIELDS 14
#define FED_CONFIG_GATES 3
#define FED_CONFIG_SECTIONS 5
#define FED_CONFIG_LOCKS 2
/* Section by section, in the order of the sections. */
extern const struct fed_config_field fed_config_fields[FED_CONFIG_FIELDS];
extern const struct fed_config_gate fed_config_gates[FED_CONFIG_GATES]; /* sorted by name */
extern const char *const fed_config_sections[FED_CONFIG_SECTIONS];
extern const char *const fed_config_locks[FED_CONFIG_LOCKS];

#endif
