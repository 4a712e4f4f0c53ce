/* Whether settings differ (fed/config.h), field by field by the table. */
#include "fed/config_internal.h"

static const void *at(const struct fed_config *c, size_t offset)
{
    return (const char *)c + offset;
}

static bool same_field(const struct fed_config *a, const struct fed_config *b, const struct fed_config_field *f)
{
    const void *x = at(a, f->offset), *y = at(b, f->offset);

    switch (f->kind) {
    case FED_CONFIG_DURATION:
    case FED_CONFIG_COUNT: return *(const int64_t *)x == *(const int64_t *)y;
    case FED_CONFIG_SWITCH: return *(const bool *)x == *(const bool *)y;
    case FED_CONFIG_LOCK: return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    }
    return false;
}

static bool same_section(const struct fed_config *a, const struct fed_config *b, const char *section)
{
    for (size_t i = 0; i < FED_CONFIG_FIELDS; i++) {
        const struct fed_config_field *f = &fed_config_fields[i];

        if ((!section || strcmp(f->section, section) == 0) && !same_field(a, b, f))
            return false;
    }
    return true;
}

bool fed_config_same_election(const struct fed_config *a, const struct fed_config *b)
{
    return same_section(a, b, "leaderElect");
}

bool fed_config_equal(const struct fed_config *a, const struct fed_config *b)
{
    for (size_t i = 0; i < FED_CONFIG_GATES; i++)
        if (*(const bool *)at(a, fed_config_gates[i].offset) != *(const bool *)at(b, fed_config_gates[i].offset))
            return false;
    return a->namespaced == b->namespaced && same_section(a, b, NULL);
}
