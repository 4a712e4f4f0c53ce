/* Rules for names. See names.h. */
#include "fed/names.h"

static char *with_prefix(const char *prefix, struct str s)
{
    return mem_printf("%s%" PRIstr, prefix, STRARG(s));
}

bool fed_namespace_is_protected(struct str name, struct str system_namespace)
{
    static const char *const names[] = { "kube-system", "kube-public", "kube-node-lease", "default" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_eqc(name, names[i]))
            return true;
    return !str_empty(system_namespace) && str_eq(name, system_namespace);
}

char *fed_federated_kind(struct str target_kind)
{
    return with_prefix("Federated", target_kind);
}

char *fed_federated_plural(struct str target_plural)
{
    return with_prefix("federated", target_plural);
}

char *fed_type_config_name(struct str plural, struct str group)
{
    return mem_printf("%" PRIstr "%s%" PRIstr, STRARG(plural), group.n ? "." : "", STRARG(group));
}

char *fed_api_version(struct str group, struct str version)
{
    return mem_printf("%" PRIstr "%s%" PRIstr, STRARG(group), group.n ? "/" : "", STRARG(version));
}

/* Puts `suffix` in the place of the last `cut` bytes of a lower-case copy. */
static char *lower_with_suffix(struct str kind, size_t cut, const char *suffix)
{
    _cleanup_free_ char *lower = str_lower(kind);

    return mem_printf("%" PRIstr "%s", STRARG(str_n(lower, kind.n - cut)), suffix);
}

static bool ends_with(struct str lower, const char *suffix)
{
    return str_has_suffix(lower, str_of(suffix));
}

char *fed_plural(struct str kind)
{
    static const char *const sibilants[] = { "s", "x", "ch", "sh", "z", "o" };
    _cleanup_free_ char *lower = str_lower(kind);

    for (size_t i = 0; i < ARRAY_SIZE(sibilants); i++)
        if (ends_with(str_of(lower), sibilants[i]))
            return lower_with_suffix(kind, 0, "es");
    if (ends_with(str_of(lower), "y"))
        return lower_with_suffix(kind, 1, "ies");
    return lower_with_suffix(kind, 0, "s");
}

char *fed_plural_of_file(struct str kind)
{
    _cleanup_free_ char *lower = str_lower(kind);

    if (ends_with(str_of(lower), "endpoints"))
        return TAKE_PTR(lower);
    if (ends_with(str_of(lower), "s"))
        return lower_with_suffix(kind, 0, "es");
    if (ends_with(str_of(lower), "y"))
        return lower_with_suffix(kind, 1, "ies");
    return lower_with_suffix(kind, 0, "s");
}

char *fed_version_name_of(struct str target_kind, struct str name)
{
    _cleanup_free_ char *lower = str_lower(target_kind);

    return mem_printf("%s-%" PRIstr, lower, STRARG(name));
}
