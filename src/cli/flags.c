/*
 * See flags.h. Values are stored by offset into the options struct of the set that a flag belongs to, so a verb's options
 * are plain C structs and its flags one constant table. Strings are borrowed from argv.
 */
#include "cli/flags.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/rtime.h"
#include "cli/suggest.h"

/* A flag found on the command line: its definition and where the value goes. */
struct found {
    const struct flag *flag;
    void *options;
};

struct reader {
    const struct flag_set *sets;
    size_t n_sets;
    int argc;
    char *const *argv;
    int pos;
    const char **args;
    size_t n_args, cap_args;
    bool help;
    const char *near;
};

void flag_list_done(struct flag_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct flag_list){ 0 };
}

const char *flag_type_name(enum flag_type type)
{
    switch (type) {
    case FLAG_STRING: return "string";
    case FLAG_BOOL: return "";
    case FLAG_INT: return "int";
    case FLAG_UINT: return "uint";
    case FLAG_DURATION: return "duration";
    case FLAG_LIST: return "strings";
    }
    return "";
}

static void *value_of(struct found f)
{
    return (char *)f.options + f.flag->offset;
}

static void list_add(struct flag_list *l, struct str item)
{
    if (str_empty(item))
        return;
    MEM_GROW(l->v, l->cap, l->n);
    l->v[l->n++] = str_dup(item);
}

static int parse_bool(struct str s, bool *ret)
{
    static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
    static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (str_eqc(s, yes[i]) || str_eqc(s, no[i])) {
            *ret = str_eqc(s, yes[i]);
            return 0;
        }
    }
    return -EINVAL;
}

static int number_error(int code, const char *function, const char *text, struct error **err)
{
    return error_set(err, -EINVAL, "strconv.%s: parsing \"%s\": %s", function, text,
                     code == -ERANGE ? "value out of range" : "invalid syntax");
}

/* Stores a value given as text; the error is only the cause. */
static int store(struct found f, const char *text, struct error **err)
{
    struct str s = str_of(text);
    int64_t i = 0;
    int r;

    switch (f.flag->type) {
    case FLAG_STRING: *(const char **)value_of(f) = text; return 0;
    case FLAG_BOOL: r = parse_bool(s, value_of(f)); return r < 0 ? number_error(r, "ParseBool", text, err) : 0;
    case FLAG_INT:
        r = str_to_i64(s, &i);
        if (r == 0 && (i < INT32_MIN || i > INT32_MAX))
            r = -ERANGE;
        if (r < 0)
            return number_error(r, "ParseInt", text, err);
        *(int *)value_of(f) = (int)i;
        return 0;
    case FLAG_UINT:
        r = s.n && (s.p[0] == '-' || s.p[0] == '+') ? -EINVAL : str_to_u64(s, value_of(f));
        return r < 0 ? number_error(r, "ParseUint", text, err) : 0;
    case FLAG_DURATION: return duration_parse(s, value_of(f), err);
    case FLAG_LIST:
        for (struct str head, rest = s; !str_empty(rest);) {
            str_cut(rest, ',', &head, &rest);
            list_add(value_of(f), head);
        }
        return 0;
    }
    return -EINVAL;
}

void flags_defaults(const struct flag_set *sets, size_t n_sets)
{
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; i < sets[s].n; i++) {
            struct found f = { &sets[s].v[i], sets[s].options };
            const char *text = f.flag->fallback;
            if (!text && f.flag->type == FLAG_STRING)
                text = "";
            if (text) {
                int r = store(f, text, NULL);
                assert(r == 0);
                (void)r;
            }
        }
}

void flags_done(const struct flag_set *sets, size_t n_sets)
{
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; i < sets[s].n; i++)
            if (sets[s].v[i].type == FLAG_LIST)
                flag_list_done(value_of((struct found){ &sets[s].v[i], sets[s].options }));
}

/* Long names compare with '_' and '-' as the same character. */
static bool name_matches(const char *flag, struct str given)
{
    if (strlen(flag) != given.n)
        return false;
    for (size_t i = 0; i < given.n; i++)
        if ((given.p[i] == '_' ? '-' : given.p[i]) != flag[i])
            return false;
    return true;
}

static bool find_long(const struct flag_set *sets, size_t n_sets, struct str name, struct found *ret)
{
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; i < sets[s].n; i++)
            if (name_matches(sets[s].v[i].name, name)) {
                *ret = (struct found){ &sets[s].v[i], sets[s].options };
                return true;
            }
    return false;
}

static bool find_short(const struct flag_set *sets, size_t n_sets, char c, struct found *ret)
{
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; i < sets[s].n; i++)
            if (sets[s].v[i].shorthand && sets[s].v[i].shorthand == c) {
                *ret = (struct found){ &sets[s].v[i], sets[s].options };
                return true;
            }
    return false;
}

/* One that begins so, else the one that is written most alike. */
static const char *nearest(const struct reader *r, struct str name)
{
    struct suggest s = suggest_begin(name);
    for (size_t i = 0; i < r->n_sets; i++)
        for (size_t k = 0; k < r->sets[i].n; k++) {
            const struct flag *f = &r->sets[i].v[k];
            if (f->hidden)
                continue;
            if (name.n >= 2 && str_has_prefix(str_of(f->name), name))
                return f->name;
            suggest_offer(&s, f->name);
        }
    return s.best;
}

static int set_value(struct found f, const char *text, struct error **err)
{
    _cleanup_error_ struct error *cause = NULL;
    if (store(f, text, &cause) == 0)
        return 0;
    if (f.flag->shorthand)
        return error_set(err, -EINVAL, "invalid argument \"%s\" for \"-%c, --%s\" flag: %s", text, f.flag->shorthand,
                         f.flag->name, error_msg(cause));
    return error_set(err, -EINVAL, "invalid argument \"%s\" for \"--%s\" flag: %s", text, f.flag->name,
                     error_msg(cause));
}

static void warn_underscores(const struct flag *flag, struct str given)
{
    if (memchr(given.p, '_', given.n))
        log_warning("using an underscore in a flag name is not supported. %" PRIstr " has been converted to %s.",
                    STRARG(given), flag->name);
}

/* text is what follows "--". */
static int read_long(struct reader *r, const char *text, struct error **err)
{
    struct str name, value;
    bool has_value = str_cut(str_of(text), '=', &name, &value);
    struct found f;

    if (str_empty(name) || name.p[0] == '-')
        return error_set(err, -EINVAL, "bad flag syntax: --%s", text);
    if (!find_long(r->sets, r->n_sets, name, &f)) {
        if (str_eq(name, STR("help"))) {
            r->help = true;
            return 0;
        }
        r->near = nearest(r, name);
        return error_set(err, -EINVAL, "unknown flag: --%" PRIstr, STRARG(name));
    }
    warn_underscores(f.flag, name);
    if (has_value)
        return set_value(f, value.p, err);
    if (f.flag->type == FLAG_BOOL)
        return set_value(f, "true", err);
    if (r->pos >= r->argc)
        return error_set(err, -EINVAL, "flag needs an argument: --%" PRIstr, STRARG(name));
    return set_value(f, r->argv[r->pos++], err);
}

/* text is what follows the single "-": one or more letters, the last of which may have a value. */
static int read_short(struct reader *r, const char *text, struct error **err)
{
    for (const char *p = text; *p; p++) {
        struct found f;
        if (!find_short(r->sets, r->n_sets, *p, &f)) {
            if (*p == 'h') {
                r->help = true;
                return 0;
            }
            return error_set(err, -EINVAL, "unknown shorthand flag: '%c' in -%s", *p, text);
        }
        if (p[1] == '=')
            return set_value(f, p + 2, err);
        if (f.flag->type == FLAG_BOOL) {
            int k = set_value(f, "true", err);
            if (k < 0)
                return k;
            continue;
        }
        if (p[1])
            return set_value(f, p + 1, err);
        if (r->pos >= r->argc)
            return error_set(err, -EINVAL, "flag needs an argument: '%c' in -%s", *p, text);
        return set_value(f, r->argv[r->pos++], err);
    }
    return 0;
}

static void add_arg(struct reader *r, const char *arg)
{
    MEM_GROW(r->args, r->cap_args, r->n_args);
    r->args[r->n_args++] = arg;
}

int flags_parse(const struct flag_set *sets, size_t n_sets, int argc, char *const *argv, struct flag_args *ret,
                const char **ret_near, struct error **err)
{
    struct reader r = { .sets = sets, .n_sets = n_sets, .argc = argc, .argv = argv };
    int k = 0;

    if (ret_near)
        *ret_near = NULL;
    while (k == 0 && !r.help && r.pos < argc) {
        const char *arg = argv[r.pos++];
        if (arg[0] != '-' || !arg[1]) {
            add_arg(&r, arg);
        } else if (strcmp(arg, "--") == 0) {
            while (r.pos < argc)
                add_arg(&r, argv[r.pos++]);
        } else {
            k = arg[1] == '-' ? read_long(&r, arg + 2, err) : read_short(&r, arg + 1, err);
        }
    }
    if (k < 0) {
        if (ret_near)
            *ret_near = r.near;
        free(r.args);
        return k;
    }
    *ret = (struct flag_args){ r.args, r.n_args, r.help };
    return 0;
}

static struct flag_word look_long(const struct flag_set *sets, size_t n_sets, const char *text)
{
    struct flag_word w = { 0 };
    struct str name;
    struct found f;
    bool has_value = str_cut(str_of(text), '=', &name, &w.value);
    if (find_long(sets, n_sets, name, &f))
        w.flag = f.flag;
    w.takes_next = !has_value && !str_eq(name, STR("help")) && !(w.flag && w.flag->type == FLAG_BOOL);
    return w;
}

struct flag_word flags_look(const struct flag_set *sets, size_t n_sets, const char *arg)
{
    if (arg[1] == '-')
        return look_long(sets, n_sets, arg + 2);
    for (const char *p = arg + 1; *p; p++) {
        struct flag_word w = { 0 };
        struct found f;
        if (find_short(sets, n_sets, *p, &f))
            w.flag = f.flag;
        if (p[1] == '=') {
            w.value = str_of(p + 2);
            return w;
        }
        if (*p == 'h' && !w.flag)
            return w;
        if (!w.flag || w.flag->type != FLAG_BOOL) {
            w.takes_next = !p[1];
            w.value = p[1] ? str_of(p + 1) : STR_NULL;
            return w;
        }
        if (!p[1])
            return w;
    }
    return (struct flag_word){ 0 };
}

int flags_first_arg(const struct flag_set *sets, size_t n_sets, int argc, char *const *argv)
{
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] != '-' || !argv[i][1])
            return i;
        if (strcmp(argv[i], "--") == 0)
            return -1;
        if (flags_look(sets, n_sets, argv[i]).takes_next)
            i++;
    }
    return -1;
}
