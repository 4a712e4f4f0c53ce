/* See flags.h. */
#include "flags.h"

#include <math.h>
#include <stdlib.h>

#include "base/rtime.h"

#define HELP_COLUMN 42

/* --- values --- */

static int parse_bool(struct str value, bool *ret)
{
    static const char *const yes[] = { "true", "1", "t", "T", "TRUE", "True" };
    static const char *const no[] = { "false", "0", "f", "F", "FALSE", "False" };

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (str_eqc(value, yes[i]) || str_eqc(value, no[i])) {
            *ret = str_eqc(value, yes[i]);
            return 0;
        }
    }
    return -EINVAL;
}

/* 16 and more: no digit. */
static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

/* The base that a number says it has; *s is what follows the prefix. */
static unsigned take_base(struct str *s)
{
    static const struct {
        char letter;
        unsigned base;
    } bases[] = { { 'b', 2 }, { 'o', 8 }, { 'x', 16 } };

    if (s->n < 2 || s->p[0] != '0')
        return 10;
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
        if (s->n > 2 && (s->p[1] | 0x20) == bases[i].letter) {
            *s = str_n(s->p + 2, s->n - 2);
            return bases[i].base;
        }
    }
    *s = str_n(s->p + 1, s->n - 1);
    return 8;
}

/* As Go's strconv.ParseInt with base 0. */
static int parse_int(struct str s, int64_t *ret)
{
    bool negative = s.n && s.p[0] == '-', after_digit;
    uint64_t v = 0, max = (uint64_t)INT64_MAX + (negative ? 1 : 0);

    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_n(s.p + 1, s.n - 1);
    unsigned base = take_base(&s);
    after_digit = base != 10; /* an underscore may follow the prefix */
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = digit_of(s.p[i]);
        if (s.p[i] == '_' ? !after_digit : digit >= base)
            return -EINVAL;
        after_digit = s.p[i] != '_';
        if (!after_digit)
            continue;
        if (v > (max - digit) / base)
            return -ERANGE;
        v = v * base + digit;
    }
    if (!after_digit)
        return -EINVAL;
    *ret = (int64_t)(negative ? 0 - v : v);
    return 0;
}

/* Without the underscores, each of which must stand between two digits. Owned; NULL: one does not. */
static char *join_digits(struct str s, bool hex)
{
    char *text = mem_alloc(s.n + 1), *to = text;
    unsigned base = hex ? 16 : 10;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '_') {
            *to++ = s.p[i];
            continue;
        }
        bool before = i > 0 && (digit_of(s.p[i - 1]) < base || (hex && (s.p[i - 1] | 0x20) == 'x'));
        if (!before || i + 1 == s.n || digit_of(s.p[i + 1]) >= base) {
            free(text);
            return NULL;
        }
    }
    *to = '\0';
    return text;
}

/* As Go's strconv.ParseFloat, but for what is not finite. */
static int parse_number(struct str value, double *ret)
{
    bool hex = value.n && (memchr(value.p, 'x', value.n) || memchr(value.p, 'X', value.n));
    _cleanup_free_ char *text = join_digits(value, hex);
    char *end;

    /* What the C library takes and Go does not: space in front, hexadecimal digits without an exponent. */
    if (!text || !text[0] || strchr(" \t\n\v\f\r", text[0]) || (hex && !strpbrk(text, "pP")))
        return -EINVAL;
    double d = strtod(text, &end);
    if (*end || !isfinite(d))
        return -EINVAL;
    *ret = d;
    return 0;
}

static void show_duration(int64_t ns, char out[static 32])
{
    duration_format(ns, out);
}

static int refuse_range(const struct flag *f, struct error **err)
{
    char low[32], high[32];

    if (f->kind == FLAG_DURATION) {
        show_duration(f->min, low);
        show_duration(f->max, high);
        return error_set(err, -EINVAL, "want a duration from %s to %s", low, high);
    }
    return error_set(err, -EINVAL, "want a number from %lld to %lld", (long long)f->min, (long long)f->max);
}

static int take_int(const struct flag *f, struct str value, struct error **err)
{
    int64_t n;
    int r = f->kind == FLAG_DECIMAL ? str_to_i64(value, &n) : parse_int(value, &n);

    if (r < 0 || n < f->min || n > f->max)
        return refuse_range(f, err);
    *(int64_t *)f->to = n;
    return 0;
}

static int take_number(const struct flag *f, struct str value, struct error **err)
{
    double d;

    if (parse_number(value, &d) < 0 || d < (double)f->min || d > (double)f->max)
        return refuse_range(f, err);
    *(double *)f->to = d;
    return 0;
}

static int take_duration(const struct flag *f, struct str value, struct error **err)
{
    int64_t ns;

    if (duration_parse(value, &ns, err) < 0)
        return error_wrap(err, "want a duration such as 15s or 1m30s");
    if (ns < f->min || ns > f->max)
        return refuse_range(f, err);
    *(int64_t *)f->to = ns;
    return 0;
}

static int take(const struct flag *f, const char *text, struct error **err)
{
    struct str value = str_of(text);

    switch (f->kind) {
    case FLAG_STRING:
        if (f->check && f->check(value, err) < 0)
            return -EINVAL;
        *(const char **)f->to = text;
        return 0;
    case FLAG_BOOL:
    case FLAG_VERSION:
    case FLAG_HELP:
        if (parse_bool(value, f->to) < 0)
            return error_set(err, -EINVAL, "want true or false");
        return 0;
    case FLAG_INT:
    case FLAG_DECIMAL: return take_int(f, value, err);
    case FLAG_NUMBER: return take_number(f, value, err);
    case FLAG_DURATION: return take_duration(f, value, err);
    case FLAG_CUSTOM: return f->parse(f->to, value, err);
    }
    return -EINVAL;
}

static bool is_bool(const struct flag *f)
{
    return f->kind == FLAG_BOOL || f->kind == FLAG_VERSION || f->kind == FLAG_HELP;
}

/* --- arguments --- */

static bool same_name(struct str given, const char *name)
{
    if (given.n != strlen(name))
        return false;
    for (size_t i = 0; i < given.n; i++)
        if (given.p[i] != name[i] && !(given.p[i] == '_' && name[i] == '-') && !(given.p[i] == '-' && name[i] == '_'))
            return false;
    return true;
}

static const struct flag *find(const struct flag *flags, size_t n, struct str name, bool letter)
{
    for (size_t i = 0; i < n; i++)
        if (letter ? (name.n == 1 && flags[i].letter == name.p[0]) : same_name(name, flags[i].name))
            return &flags[i];
    return NULL;
}

/* The arguments as they are read, one after the other. */
struct arguments {
    const struct flag *flags;
    size_t n_flags;
    int argc, at;
    char **argv;
};
struct argument {
    const struct flag *flag;
    const char *value;
};

/* The value is the next argument, whatever it looks like. */
static int take_next(struct arguments *args, struct argument *a, struct error **err)
{
    if (args->at + 1 >= args->argc)
        return error_set(err, -EINVAL, "flag needs an argument: --%s", a->flag->name);
    a->value = args->argv[++args->at];
    return 0;
}

static int refuse(const struct argument *a, struct error **err)
{
    _cleanup_error_ struct error *why = *err;
    char letter[8] = "";

    *err = NULL;
    if (a->flag->letter)
        snprintf(letter, sizeof(letter), "-%c, ", a->flag->letter);
    return error_set(err, -EINVAL, "invalid argument \"%.256s\" for \"%s--%s\" flag: %s",
                     a->flag->secret || a->flag->check ? "..." : a->value, letter, a->flag->name, error_msg(why));
}

/* FLAGS_GO_ON, or what the flag asks for. */
static int apply(const struct argument *a, struct error **err)
{
    if (take(a->flag, a->value, err) < 0)
        return refuse(a, err);
    if (a->flag->kind == FLAG_HELP && *(bool *)a->flag->to)
        return FLAGS_HELP;
    return a->flag->kind == FLAG_VERSION && *(bool *)a->flag->to ? FLAGS_VERSION : FLAGS_GO_ON;
}

static int parse_long(struct arguments *args, const char *text, struct error **err)
{
    struct argument a = { 0 };
    struct str name, value;

    if (!str_cut(str_of(text + 2), '=', &name, &value))
        name = str_of(text + 2);
    a.flag = find(args->flags, args->n_flags, name, false);
    if (!a.flag)
        return error_set(err, -EINVAL, "unknown flag: --%" PRIstr, STRARG(name));
    a.value = value.p ? value.p : is_bool(a.flag) ? "true" : NULL;
    if (!a.value && take_next(args, &a, err) < 0)
        return -EINVAL;
    return apply(&a, err);
}

/* As pflag: letters of booleans may be followed by others; what follows the first that takes a value is that value. */
static int parse_short(struct arguments *args, const char *text, struct error **err)
{
    int r = FLAGS_GO_ON;

    for (const char *p = text + 1; *p && r == FLAGS_GO_ON;) {
        struct argument a = { .flag = find(args->flags, args->n_flags, str_n(p, 1), true) };
        if (!a.flag)
            return error_set(err, -EINVAL, "unknown shorthand flag: '%c' in -%.64s", *p, p);
        p++;
        if (p[0] == '=' && p[1])
            a.value = p + 1;
        else if (!is_bool(a.flag) && *p)
            a.value = p;
        if (a.value)
            p = "";
        else if (is_bool(a.flag))
            a.value = "true";
        else if (take_next(args, &a, err) < 0)
            return -EINVAL;
        r = apply(&a, err);
    }
    return r;
}

int flag_table_parse(const struct flag *flags, size_t n, int argc, char **argv, struct error **err)
{
    struct arguments args = { .flags = flags, .n_flags = n, .argc = argc, .argv = argv, .at = 1 };
    bool ended = false;
    int r = FLAGS_GO_ON;

    for (; args.at < argc && r == FLAGS_GO_ON; args.at++) {
        const char *text = argv[args.at];
        if (ended || text[0] != '-' || !text[1])
            return error_set(err, -EINVAL, "unexpected argument \"%.256s\"", text);
        if (text[1] != '-')
            r = parse_short(&args, text, err);
        else if (text[2])
            r = parse_long(&args, text, err);
        else
            ended = true;
    }
    return r;
}

/* --- showing --- */

void flag_table_help(FILE *out, const struct flag *flags, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct flag *f = &flags[i];
        char head[128], letter[8] = "    ";
        if (!f->help)
            continue;
        if (f->letter)
            snprintf(letter, sizeof(letter), "-%c, ", f->letter);
        snprintf(head, sizeof(head), "  %s--%s %s", letter, f->name, f->value ? f->value : "");
        if (strlen(head) >= HELP_COLUMN) {
            fprintf(out, "%s\n", head);
            head[0] = '\0';
        }
        struct str line, rest = str_of(f->help);
        for (bool more = true, first = true; more; first = false) {
            more = str_cut(rest, '\n', &line, &rest);
            fprintf(out, "%-*s%" PRIstr "\n", HELP_COLUMN, first ? head : "", STRARG(line));
        }
    }
}

static void show_value(const struct flag *f, struct buf *out)
{
    char text[32];

    switch (f->kind) {
    case FLAG_STRING: buf_addz(out, *(const char **)f->to ? *(const char **)f->to : ""); break;
    case FLAG_BOOL:
    case FLAG_VERSION:
    case FLAG_HELP: buf_addz(out, *(bool *)f->to ? "true" : "false"); break;
    case FLAG_INT:
    case FLAG_DECIMAL: buf_printf(out, "%lld", (long long)*(int64_t *)f->to); break;
    case FLAG_NUMBER: buf_printf(out, "%g", *(double *)f->to); break;
    case FLAG_DURATION:
        show_duration(*(int64_t *)f->to, text);
        buf_addz(out, text);
        break;
    case FLAG_CUSTOM: break;
    }
}

void flag_table_list(const struct flag *flags, size_t n, void (*line)(const char *text))
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_buf_ struct buf text = BUF_INIT((size_t)8192);
        if (!flags[i].to || flags[i].kind == FLAG_CUSTOM || flags[i].kind == FLAG_HELP)
            continue;
        buf_printf(&text, "FLAG: --%s=\"", flags[i].name);
        if (flags[i].secret)
            buf_addz(&text, "...");
        else
            show_value(&flags[i], &text);
        buf_addz(&text, "\"");
        line(buf_failed(&text) ? "FLAG: (too long)" : text.p);
    }
}
