/* The flag parser: every way to write a flag, defaults, errors word for word, and finding the first argument. */
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/flags.h"

struct options {
    const char *name, *context, *ns;
    bool dry, force, strict;
    int v;
    uint64_t size;
    int64_t wait;
    struct flag_list skip;
};

#define AT(f) offsetof(struct options, f)
static const struct flag flags[] = {
    { "name", 0, false, FLAG_STRING, AT(name), "fallback", "" },
    { "host-cluster-context", 0, false, FLAG_STRING, AT(context), NULL, "" },
    { "namespace", 'n', false, FLAG_STRING, AT(ns), NULL, "" },
    { "dry-run", 'd', false, FLAG_BOOL, AT(dry), NULL, "" },
    { "force", 'f', false, FLAG_BOOL, AT(force), NULL, "" },
    { "strict", 0, false, FLAG_BOOL, AT(strict), "true", "" },
    { "v", 'v', false, FLAG_INT, AT(v), "0", "" },
    { "size", 0, false, FLAG_UINT, AT(size), "1800", "" },
    { "wait", 0, false, FLAG_DURATION, AT(wait), "5s", "" },
    { "skip", 's', false, FLAG_LIST, AT(skip), NULL, "" },
};

#define MAX_WORDS 16

/* Splits at spaces; "''" is an empty word. The words live in `text`. */
static int split(char *text, char **argv)
{
    int n = 0;
    char *save = text;
    while (*save) {
        char *end = strchr(save, ' ');
        assert_true(n < MAX_WORDS);
        argv[n++] = save;
        if (!end)
            break;
        *end = '\0';
        save = end + 1;
    }
    for (int i = 0; i < n; i++)
        if (strcmp(argv[i], "''") == 0)
            argv[i][0] = '\0';
    return n;
}

struct parsed {
    struct options o;
    struct flag_args args;
    struct error *err;
    const char *near;
    char *text;
    int result;
};

static void parse(struct parsed *p, const char *line)
{
    char *argv[MAX_WORDS];
    struct flag_set set = { flags, ARRAY_SIZE(flags), &p->o };
    *p = (struct parsed){ .text = mem_strdup(line) };
    int argc = split(p->text, argv);
    flags_defaults(&set, 1);
    p->result = flags_parse(&set, 1, argc, argv, &p->args, &p->near, &p->err);
}

static void parsed_done(struct parsed *p)
{
    struct flag_set set = { flags, ARRAY_SIZE(flags), &p->o };
    flags_done(&set, 1);
    free(p->args.v);
    error_free(p->err);
    free(p->text);
}

static void defaults(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, "");
    assert_int_equal(p.result, 0);
    assert_string_equal(p.o.name, "fallback");
    assert_string_equal(p.o.context, "");
    assert_true(p.o.strict);
    assert_false(p.o.dry);
    assert_int_equal(p.o.size, 1800);
    assert_true(p.o.wait == 5 * NSEC_PER_SEC);
    assert_int_equal(p.args.n, 0);
    parsed_done(&p);
}

/* What the options look like after a line, as one text. */
static void ways_to_write(void **state)
{
    static const struct {
        const char *line, *expected;
    } rows[] = {
        { "--name=x", "name=x ns= dry=0 force=0 strict=1 v=0 skip= args=" },
        { "--name x a", "name=x ns= dry=0 force=0 strict=1 v=0 skip= args=a" },
        { "a --name= b", "name= ns= dry=0 force=0 strict=1 v=0 skip= args=a,b" },
        { "--name ''", "name= ns= dry=0 force=0 strict=1 v=0 skip= args=" },
        { "--name=a=b", "name=a=b ns= dry=0 force=0 strict=1 v=0 skip= args=" },
        { "--name --dry-run", "name=--dry-run ns= dry=0 force=0 strict=1 v=0 skip= args=" },
        { "-n x", "name=fallback ns=x dry=0 force=0 strict=1 v=0 skip= args=" },
        { "-nx", "name=fallback ns=x dry=0 force=0 strict=1 v=0 skip= args=" },
        { "-n=x", "name=fallback ns=x dry=0 force=0 strict=1 v=0 skip= args=" },
        { "-df a", "name=fallback ns= dry=1 force=1 strict=1 v=0 skip= args=a" },
        { "-dn x a", "name=fallback ns=x dry=1 force=0 strict=1 v=0 skip= args=a" },
        { "-dnx", "name=fallback ns=x dry=1 force=0 strict=1 v=0 skip= args=" },
        { "-d=false -f=true", "name=fallback ns= dry=0 force=1 strict=1 v=0 skip= args=" },
        { "--dry-run a", "name=fallback ns= dry=1 force=0 strict=1 v=0 skip= args=a" },
        { "--dry-run=T --strict=0", "name=fallback ns= dry=1 force=0 strict=0 v=0 skip= args=" },
        { "--dry-run false", "name=fallback ns= dry=1 force=0 strict=1 v=0 skip= args=false" },
        { "-v 2 -v=3 --v=4 -v5", "name=fallback ns= dry=0 force=0 strict=1 v=5 skip= args=" },
        { "-v -1", "name=fallback ns= dry=0 force=0 strict=1 v=-1 skip= args=" },
        { "-s a,b -s c --skip=,d,", "name=fallback ns= dry=0 force=0 strict=1 v=0 skip=a,b,c,d args=" },
        { "a - -- --dry-run -n", "name=fallback ns= dry=0 force=0 strict=1 v=0 skip= args=a,-,--dry-run,-n" },
        { "--dry_run --name=n", "name=n ns= dry=1 force=0 strict=1 v=0 skip= args=" },
    };
    int null = open("/dev/null", O_WRONLY);
    (void)state;
    log_set_file(null); /* the warning about underscores */
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct parsed p;
        struct buf b = BUF_INIT(4096);
        parse(&p, rows[i].line);
        assert_ok(p.result, p.err);
        buf_printf(&b, "name=%s ns=%s dry=%d force=%d strict=%d v=%d skip=", p.o.name, p.o.ns, p.o.dry, p.o.force,
                   p.o.strict, p.o.v);
        for (size_t k = 0; k < p.o.skip.n; k++)
            buf_printf(&b, "%s%s", k ? "," : "", p.o.skip.v[k]);
        buf_addz(&b, " args=");
        for (size_t k = 0; k < p.args.n; k++)
            buf_printf(&b, "%s%s", k ? "," : "", p.args.v[k]);
        assert_string_equal(b.p, rows[i].expected);
        buf_done(&b);
        parsed_done(&p);
    }
    log_set_file(2);
    close(null);
}

static void errors(void **state)
{
    static const struct {
        const char *line, *text, *near;
    } rows[] = {
        { "--nosuch", "unknown flag: --nosuch", NULL },
        { "--nosuch=x", "unknown flag: --nosuch", NULL },
        { "--dry-rnu", "unknown flag: --dry-rnu", "dry-run" },
        { "--str", "unknown flag: --str", "strict" }, /* begins so */
        { "--host-cluster", "unknown flag: --host-cluster", "host-cluster-context" },
        { "-x", "unknown shorthand flag: 'x' in -x", NULL },
        { "-dxf", "unknown shorthand flag: 'x' in -dxf", NULL },
        { "--name", "flag needs an argument: --name", NULL },
        { "-n", "flag needs an argument: 'n' in -n", NULL },
        { "-dn", "flag needs an argument: 'n' in -dn", NULL },
        { "--=x", "bad flag syntax: --=x", NULL },
        { "---x", "bad flag syntax: ---x", NULL },
        { "--strict=maybe",
          "invalid argument \"maybe\" for \"--strict\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
          NULL },
        { "-d=2", "invalid argument \"2\" for \"-d, --dry-run\" flag: strconv.ParseBool: parsing \"2\": invalid syntax",
          NULL },
        { "-v x", "invalid argument \"x\" for \"-v, --v\" flag: strconv.ParseInt: parsing \"x\": invalid syntax",
          NULL },
        { "-v 2147483648",
          "invalid argument \"2147483648\" for \"-v, --v\" flag: strconv.ParseInt: parsing \"2147483648\": value out of range",
          NULL },
        { "--size=-1", "invalid argument \"-1\" for \"--size\" flag: strconv.ParseUint: parsing \"-1\": invalid syntax",
          NULL },
        { "--wait=5", "invalid argument \"5\" for \"--wait\" flag: time: missing unit in duration \"5\"", NULL },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct parsed p;
        parse(&p, rows[i].line);
        assert_int_equal(p.result, -EINVAL);
        assert_string_equal(error_msg(p.err), rows[i].text);
        if (rows[i].near)
            assert_string_equal(p.near, rows[i].near);
        else
            assert_null(p.near);
        parsed_done(&p);
    }
}

static void help_stops_reading(void **state)
{
    static const char *const lines[] = { "--help", "-h", "-dh", "a --help --nosuch", "-h -v x" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct parsed p;
        parse(&p, lines[i]);
        assert_ok(p.result, p.err);
        assert_true(p.args.help);
        parsed_done(&p);
    }
}

static void first_argument(void **state)
{
    static const struct {
        const char *line;
        int expected;
    } rows[] = {
        { "", -1 },
        { "join", 0 },
        { "--dry-run join", 1 },
        { "--name x join", 2 },
        { "--name=x join", 1 },
        { "-n x join", 2 },
        { "-nx join", 1 },
        { "-n=x join", 1 },
        { "-d join", 1 },
        { "-dn x join", 2 },
        { "-dnx join", 1 },
        { "-- join", -1 },
        { "--help join", 1 },
        { "-h join", 1 },
        { "--unknown x join", 2 },
        { "--unknown=x join", 1 },
        { "--name", -1 },
        { "- join", 0 },
        { "--dry_run join", 1 },
    };
    struct flag_set set = { flags, ARRAY_SIZE(flags), NULL };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *argv[MAX_WORDS], *text = mem_strdup(rows[i].line);
        int argc = split(text, argv);
        if (flags_first_arg(&set, 1, argc, argv) != rows[i].expected)
            fail_msg("\"%s\": expected %d", rows[i].line, rows[i].expected);
        free(text);
    }
}

/* No sequence of odd words may crash the parser. */
static void random_words(void **state)
{
    static const char *const words[] = { "-",      "--",      "---",    "-=", "--=", "-n",  "-d",
                                         "--name", "--name=", "--skip", ",",  "-v",  "-vv", "''",
                                         "-s",     "a",       "-dh",    "=",  "--_", "-n=", "--strict=" };
    (void)state;
    unit_seed();
    for (int round = 0; round < 5000; round++) {
        struct buf b = BUF_INIT(4096);
        uint64_t n = rand_below(8);
        for (uint64_t i = 0; i < n; i++)
            buf_printf(&b, "%s%s", i ? " " : "", words[rand_below(ARRAY_SIZE(words))]);
        struct parsed p;
        parse(&p, b.p ? b.p : "");
        assert_true(p.result == 0 || (p.result == -EINVAL && p.err));
        parsed_done(&p);
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),           cmocka_unit_test(ways_to_write),  cmocka_unit_test(errors),
        cmocka_unit_test(help_stops_reading), cmocka_unit_test(first_argument), cmocka_unit_test(random_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
