/* Flags of the long-running programs: every kind, every way to write one, what is refused, and how they are shown. */
#include "unit.h"

#include "flags.h"

struct values {
    const char *text, *token, *url;
    bool on, off, help, version;
    int64_t port, wait, any;
    double rate;
    char *list; /* of the custom one */
};

static struct values v;

static int add(void *to, struct str value, struct error **err)
{
    char **list = to;

    if (str_eqc(value, "bad"))
        return error_set(err, -EINVAL, "want anything but this");
    char *next = mem_printf("%s%" PRIstr ";", *list ? *list : "", STRARG(value));
    free(*list);
    *list = next;
    return 0;
}

static int check(struct str value, struct error **err)
{
    return memchr(value.p, '@', value.n) ? error_set(err, -EINVAL, "want none of these") : 0;
}

static const struct flag flags[] = {
    { .name = "text-of",
      .kind = FLAG_STRING,
      .to = (void *)&v.text,
      .value = "string",
      .help = "some text",
      .letter = 't' },
    { .name = "token",
      .kind = FLAG_STRING,
      .to = (void *)&v.token,
      .value = "string",
      .help = "secret",
      .secret = true },
    { .name = "on", .kind = FLAG_BOOL, .to = &v.on, .help = "on\nand a second line" },
    { .name = "with_underscore", .kind = FLAG_BOOL, .to = &v.off, .letter = 'u' },
    { .name = "port", .kind = FLAG_INT, .to = &v.port, .min = 1, .max = 65535, .value = "int", .help = "a port" },
    { .name = "any", .kind = FLAG_INT, .to = &v.any, .min = INT64_MIN, .max = INT64_MAX, .value = "int" },
    { .name = "verbosity",
      .kind = FLAG_DECIMAL,
      .to = &v.port,
      .min = 0,
      .max = 100,
      .letter = 'v',
      .value = "int",
      .help = "how much",
      .secret = true },
    { .name = "rate", .kind = FLAG_NUMBER, .to = &v.rate, .min = -2, .max = 1000, .value = "float", .help = "a rate" },
    { .name = "wait",
      .kind = FLAG_DURATION,
      .to = &v.wait,
      .min = 1000000000,
      .max = 3600000000000,
      .value = "duration",
      .help = "how long" },
    { .name = "item",
      .kind = FLAG_CUSTOM,
      .to = (void *)&v.list,
      .parse = add,
      .value = "a-value-with-a-very-long-name",
      .help = "may be repeated" },
    { .name = "url", .kind = FLAG_STRING, .to = (void *)&v.url, .check = check },
    { .name = "help", .kind = FLAG_HELP, .to = &v.help, .letter = 'h', .help = "this text" },
    { .name = "version", .kind = FLAG_VERSION, .to = &v.version, .help = "the version" },
};

static int tear_down(void **state)
{
    (void)state;
    free(v.list);
    v = (struct values){ 0 };
    return 0;
}

#define MAX_ARGS 12
/* Arguments separated by spaces; "''" is an empty one. They live as long as *ret. */
static int parse(const char *line, char **ret, struct error **err)
{
    static char program[] = "program", empty[] = "";
    char *argv[MAX_ARGS] = { program }, *next;
    int argc = 1;

    tear_down(NULL);
    *ret = mem_strdup(line);
    for (char *p = *ret; p && *p; p = next) {
        next = strchr(p, ' ');
        if (next)
            *next++ = '\0';
        assert_true(argc < MAX_ARGS - 1);
        argv[argc++] = strcmp(p, "''") == 0 ? empty : p;
    }
    return flag_table_parse(flags, ARRAY_SIZE(flags), argc, argv, err);
}

static void parse_ok(const char *line, char **ret)
{
    struct error *err = NULL;
    int r = parse(line, ret, &err);

    if (r != 0)
        fail_msg("%s: %d %s", line, r, err ? err->msg : "");
}

static void check_text(const char *line, const char *expected)
{
    _cleanup_free_ char *text = NULL;

    parse_ok(line, &text);
    if (!v.text || strcmp(v.text, expected) != 0)
        fail_msg("%s: %s", line, v.text);
}

static void strings(void **state)
{
    (void)state;
    check_text("--text-of=a", "a");
    check_text("--text-of a", "a");
    check_text("--text_of=a", "a");
    check_text("-t a", "a");
    check_text("-t=a", "a");
    check_text("-ta", "a");
    check_text("-t==a", "=a");
    check_text("-t=", "="); /* as pflag */
    check_text("-utx", "x");
    check_text("-ut x", "x");
    check_text("-ut=x", "x");
    check_text("--text-of=a --", "a"); /* no more flags */
    check_text("--text-of -- --on", "--");
    check_text("--text-of=a=b", "a=b");
    check_text("--text-of=", "");
    check_text("--text-of ''", "");
    check_text("--text-of --on", "--on"); /* what follows is its value, whatever it looks like */
    check_text("--text-of --", "--");
    check_text("--text-of=a --text-of b", "b"); /* the last one counts */
    check_text("--on -tx --port 5", "x");
}

static void booleans(void **state)
{
    static const struct {
        const char *line;
        bool on, off;
    } rows[] = {
        { "", false, false },
        { "--on", true, false },
        { "--on=true", true, false },
        { "--on=1", true, false },
        { "--on=t", true, false },
        { "--on=T", true, false },
        { "--on=TRUE", true, false },
        { "--on=True", true, false },
        { "--on --on=false", false, false },
        { "--on --on=0", false, false },
        { "--on --on=f", false, false },
        { "--on --on=F", false, false },
        { "--on --on=FALSE", false, false },
        { "--on --on=False", false, false },
        { "--with-underscore", false, true }, /* either way to write it */
        { "--with_underscore --on", true, true },
        { "-u", false, true },
        { "-u=true -u=false", false, false },
        { "-utrue", false, true }, /* and -t with the value rue, as pflag */
        { "-uu", false, true },
        { "-uv2 --on", true, true },
        { "--on --", true, false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *text = NULL;
        parse_ok(rows[i].line, &text);
        if (v.on != rows[i].on || v.off != rows[i].off)
            fail_msg("%s", rows[i].line);
    }
}

static void numbers(void **state)
{
    _cleanup_free_ char *a = NULL, *b = NULL, *c = NULL, *d = NULL, *e = NULL;
    (void)state;
    parse_ok("--port=1 --rate -2 --wait=1s", &a);
    assert_int_equal(v.port, 1);
    assert_true(v.rate == -2);
    assert_int_equal(v.wait, 1000000000);
    parse_ok("--port 65535 --rate=1e3 --wait 1h", &b);
    assert_int_equal(v.port, 65535);
    assert_true(v.rate == 1000);
    assert_int_equal(v.wait, 3600000000000);
    parse_ok("-v2", &c);
    assert_int_equal(v.port, 2);
    parse_ok("-v=3", &d);
    assert_int_equal(v.port, 3);
    parse_ok("-v 4 --rate .5", &e);
    assert_int_equal(v.port, 4);
    assert_true(v.rate == 0.5);
}

/* Integers as Go's strconv.ParseInt takes them with base 0, which is what pflag calls. */
static void bases(void **state)
{
    static const struct {
        const char *text;
        int64_t value; /* REFUSED: it is none */
    } rows[] = {
#define REFUSED 987654321
        { "0", 0 },
        { "8443", 8443 },
        { "-5", -5 },
        { "+5", 5 },
        { "-0", 0 },
        { "0x20fb", 8443 },
        { "0X20FB", 8443 },
        { "-0x10", -16 },
        { "0b101", 5 },
        { "0B101", 5 },
        { "0o17", 15 },
        { "0O17", 15 },
        { "017", 15 },
        { "-017", -15 },
        { "00", 0 },
        { "000017", 15 },
        { "8_443", 8443 },
        { "1_2_3", 123 },
        { "0_17", 15 },
        { "0x_20_fb", 8443 },
        { "0b_1", 1 },
        { "9223372036854775807", INT64_MAX },
        { "-9223372036854775808", INT64_MIN },
        { "0x7fffffffffffffff", INT64_MAX },
        { "-0x8000000000000000", INT64_MIN },
        { "0777777777777777777777", INT64_MAX },
        { "9223372036854775808", REFUSED },
        { "-9223372036854775809", REFUSED },
        { "0x8000000000000000", REFUSED },
        { "99999999999999999999", REFUSED },
        { "0xfffffffffffffffff", REFUSED },
        { "08", REFUSED },
        { "0b2", REFUSED },
        { "0o8", REFUSED },
        { "0xg", REFUSED },
        { "0x", REFUSED },
        { "0b", REFUSED },
        { "0o", REFUSED },
        { "x10", REFUSED },
        { "10x", REFUSED },
        { "ff", REFUSED },
        { "_1", REFUSED },
        { "1_", REFUSED },
        { "1__2", REFUSED },
        { "0_", REFUSED },
        { "0x_", REFUSED },
        { "0x1_", REFUSED },
        { "_0x1", REFUSED },
        { "0_x1", REFUSED },
        { "-_1", REFUSED },
        { "+-1", REFUSED },
        { "--1", REFUSED },
        { "+", REFUSED },
        { "-", REFUSED },
        { "_", REFUSED },
        { "1e3", REFUSED },
        { "1.0", REFUSED },
        { "0x1p4", REFUSED },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_error_ struct error *err = NULL;
        _cleanup_free_ char *line = mem_printf("--any=%s", rows[i].text), *text = NULL;
        int r = parse(line, &text, &err);
        if (r != (rows[i].value == REFUSED ? -EINVAL : 0) || (r == 0 && v.any != rows[i].value))
            fail_msg("%s: %d, %lld", rows[i].text, r, (long long)v.any);
    }
}

/* klog's flags are not pflag's. */
static void decimals(void **state)
{
    static const char *const refused_texts[] = { "0x2", "1_0", "0b1", "0o7" };
    _cleanup_free_ char *a = NULL;
    (void)state;
    parse_ok("-v 010", &a);
    assert_int_equal(v.port, 10);
    for (size_t i = 0; i < ARRAY_SIZE(refused_texts); i++) {
        _cleanup_error_ struct error *err = NULL;
        _cleanup_free_ char *line = mem_printf("-v=%s", refused_texts[i]), *text = NULL;
        if (parse(line, &text, &err) != -EINVAL)
            fail_msg("%s", refused_texts[i]);
    }
}

/* And strconv.ParseFloat; what is refused here has a value that no row has. */
static void fractions(void **state)
{
    static const struct {
        const char *text;
        double value;
    } rows[] = {
        { "1", 1 },
        { "+1.5", 1.5 },
        { "-1.5", -1.5 },
        { ".5", .5 },
        { "5.", 5 },
        { "1e2", 100 },
        { "1E+2", 100 },
        { "10e-1", 1 },
        { "1_0.5_0", 10.5 },
        { "1e0_1", 10 },
        { "0x1p4", 16 },
        { "0X1.8P1", 3 },
        { "0x_1_0p0", 16 },
        { "010", 10 },
        { "0x10", REFUSED },
        { "0x.p1", REFUSED },
        { "_1", REFUSED },
        { "1_", REFUSED },
        { "1__0", REFUSED },
        { "1_.5", REFUSED },
        { "1._5", REFUSED },
        { "1_e2", REFUSED },
        { "1e_2", REFUSED },
        { "0_x1p1", REFUSED },
        { "0x1_p1", REFUSED },
        { "\t1", REFUSED },
        { "1\t", REFUSED },
        { "1,5", REFUSED },
        { ".", REFUSED },
        { "e1", REFUSED },
        { "NaN", REFUSED },
        { "-Inf", REFUSED },
        { "infinity", REFUSED },
        { "1e400", REFUSED },
        { "nan(1)", REFUSED },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_error_ struct error *err = NULL;
        _cleanup_free_ char *line = mem_printf("--rate=%s", rows[i].text), *text = NULL;
        bool taken = rows[i].value != REFUSED;
        int r = parse(line, &text, &err);
        if (r != (taken ? 0 : -EINVAL) || (taken && v.rate != rows[i].value))
            fail_msg("%s: %d, %g", rows[i].text, r, v.rate);
    }
}

static void repeated(void **state)
{
    _cleanup_free_ char *text = NULL;
    (void)state;
    parse_ok("--item a --item=b=c --item ''", &text);
    assert_string_equal(v.list, "a;b=c;;");
}

static void refused(void **state)
{
    static const struct {
        const char *line, *message;
    } rows[] = {
        { "--unknown", "unknown flag: --unknown" },
        { "--unknown=5", "unknown flag: --unknown" },
        { "--text-o=5", "unknown flag: --text-o" }, /* no abbreviations */
        { "--Text-of=5", "unknown flag: --Text-of" },
        { "--=5", "unknown flag: --" },
        { "---on", "unknown flag: ---on" },
        { "-x", "unknown shorthand flag: 'x' in -x" },
        { "-=", "unknown shorthand flag: '=' in -=" },
        { "text", "unexpected argument \"text\"" },
        { "--on true", "unexpected argument \"true\"" }, /* a boolean takes none that stands alone */
        { "-- --on", "unexpected argument \"--on\"" },
        { "-- --", "unexpected argument \"--\"" },
        { "--on -- text", "unexpected argument \"text\"" },
        { "-", "unexpected argument \"-\"" },
        { "''", "unexpected argument \"\"" },
        { "--text-of", "flag needs an argument: --text-of" },
        { "-t", "flag needs an argument: --text-of" },
        { "--on --port", "flag needs an argument: --port" },
        { "--on=yes", "invalid argument \"yes\" for \"--on\" flag: want true or false" },
        { "--on=", "invalid argument \"\" for \"--on\" flag: want true or false" },
        { "-u=x", "invalid argument \"x\" for \"-u, --with_underscore\" flag: want true or false" },
        { "-u=", "unknown shorthand flag: '=' in -=" },
        { "-ux", "unknown shorthand flag: 'x' in -x" },
        { "-uxv", "unknown shorthand flag: 'x' in -xv" },
        { "-ut", "flag needs an argument: --text-of" },
        { "-uvh", "invalid argument \"...\" for \"-v, --verbosity\" flag: want a number from 0 to 100" },
        { "--url=https://me:s3cret@host", "invalid argument \"...\" for \"--url\" flag: want none of these" },
        { "--port=0", "invalid argument \"0\" for \"--port\" flag: want a number from 1 to 65535" },
        { "--port=65536", "invalid argument \"65536\" for \"--port\" flag: want a number from 1 to 65535" },
        { "--port=", "invalid argument \"\" for \"--port\" flag: want a number from 1 to 65535" },
        { "--port=5x", "invalid argument \"5x\" for \"--port\" flag: want a number from 1 to 65535" },
        { "--port=1.5", "invalid argument \"1.5\" for \"--port\" flag: want a number from 1 to 65535" },
        { "--port=99999999999999999999",
          "invalid argument \"99999999999999999999\" for \"--port\" flag: want a number from 1 to 65535" },
        { "--port=-9223372036854775809",
          "invalid argument \"-9223372036854775809\" for \"--port\" flag: want a number from 1 to 65535" },
        { "--rate=-2.1", "invalid argument \"-2.1\" for \"--rate\" flag: want a number from -2 to 1000" },
        { "--rate=1000.1", "invalid argument \"1000.1\" for \"--rate\" flag: want a number from -2 to 1000" },
        { "--rate=nan", "invalid argument \"nan\" for \"--rate\" flag: want a number from -2 to 1000" },
        { "--rate=inf", "invalid argument \"inf\" for \"--rate\" flag: want a number from -2 to 1000" },
        { "--rate=", "invalid argument \"\" for \"--rate\" flag: want a number from -2 to 1000" },
        { "--rate=1e", "invalid argument \"1e\" for \"--rate\" flag: want a number from -2 to 1000" },
        { "--wait=999ms", "invalid argument \"999ms\" for \"--wait\" flag: want a duration from 1s to 1h0m0s" },
        { "--wait=1h1ns", "invalid argument \"1h1ns\" for \"--wait\" flag: want a duration from 1s to 1h0m0s" },
        { "--item=bad", "invalid argument \"bad\" for \"--item\" flag: want anything but this" },
        { "--help=maybe", "invalid argument \"maybe\" for \"-h, --help\" flag: want true or false" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_error_ struct error *err = NULL;
        _cleanup_free_ char *text = NULL;
        int r = parse(rows[i].line, &text, &err);
        if (r != -EINVAL || strcmp(error_msg(err), rows[i].message) != 0)
            fail_msg("%s: %d %s", rows[i].line, r, error_msg(err));
    }
    _cleanup_error_ struct error *err = NULL, *e2 = NULL;
    _cleanup_free_ char *text = NULL, *t2 = NULL, *longest = mem_alloc(5001);
    assert_int_equal(parse("--wait=5", &text, &err), -EINVAL);
    assert_non_null(strstr(error_msg(err), "want a duration such as 15s or 1m30s"));
    memset(longest, 'x', 5000); /* a message stays short */
    memcpy(longest, "--port=", 7);
    longest[5000] = '\0';
    assert_int_equal(parse(longest, &t2, &e2), -EINVAL);
    assert_true(strlen(error_msg(e2)) < 500);
}

/* What was given is never shown for a secret, also when it is refused. */
static void secrets(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ char *text = NULL;
    (void)state;
    assert_int_equal(parse("--verbosity=s3cret", &text, &err), -EINVAL);
    assert_null(strstr(error_msg(err), "s3cret"));
    assert_non_null(strstr(error_msg(err), "--verbosity"));
}

static void ends(void **state)
{
    static const struct {
        const char *line;
        int result;
    } rows[] = {
        { "--help", FLAGS_HELP },
        { "-h", FLAGS_HELP },
        { "-hv", FLAGS_HELP },
        { "-uh", FLAGS_HELP },
        { "-uv2 -h", FLAGS_HELP },
        { "--", FLAGS_GO_ON },
        { "--on --help --unknown", FLAGS_HELP },
        { "--version", FLAGS_VERSION },
        { "--version --help", FLAGS_VERSION },
        { "--version=false --on", FLAGS_GO_ON },
        { "--help=false", FLAGS_GO_ON },
        { "", FLAGS_GO_ON },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_error_ struct error *err = NULL;
        _cleanup_free_ char *text = NULL;
        if (parse(rows[i].line, &text, &err) != rows[i].result)
            fail_msg("%s", rows[i].line);
        assert_null(err);
    }
}

/* --- showing --- */

static void help(void **state)
{
    static const char expected[] = "  -t, --text-of string                    some text\n"
                                   "      --token string                      secret\n"
                                   "      --on                                on\n"
                                   "                                          and a second line\n"
                                   "      --port int                          a port\n"
                                   "  -v, --verbosity int                     how much\n"
                                   "      --rate float                        a rate\n"
                                   "      --wait duration                     how long\n"
                                   "      --item a-value-with-a-very-long-name\n"
                                   "                                          may be repeated\n"
                                   "  -h, --help                              this text\n"
                                   "      --version                           the version\n";
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    (void)state;
    flag_table_help(f, flags, ARRAY_SIZE(flags));
    fclose(f);
    assert_string_equal(text, expected);
    free(text);
}

static struct buf lines;

static void on_line(const char *text)
{
    buf_addz(&lines, text);
    buf_addc(&lines, '\n');
}

static void list(void **state)
{
    _cleanup_free_ char *text = NULL, *longest = mem_alloc(10001);
    (void)state;
    lines = BUF_INIT((size_t)1 << 20);
    parse_ok("--token=s3cret --on --port 17 --rate=2.5 --wait=90s --item=x --url=https://host", &text);
    flag_table_list(flags, ARRAY_SIZE(flags), on_line);
    assert_string_equal(lines.p, "FLAG: --text-of=\"\"\n"
                                 "FLAG: --token=\"...\"\n"
                                 "FLAG: --on=\"true\"\n"
                                 "FLAG: --with_underscore=\"false\"\n"
                                 "FLAG: --port=\"17\"\n"
                                 "FLAG: --any=\"0\"\n"
                                 "FLAG: --verbosity=\"...\"\n"
                                 "FLAG: --rate=\"2.5\"\n"
                                 "FLAG: --wait=\"1m30s\"\n"
                                 "FLAG: --url=\"https://host\"\n"
                                 "FLAG: --version=\"false\"\n");
    memset(longest, 'x', 10000);
    longest[10000] = '\0';
    v.text = longest;
    buf_reset(&lines);
    flag_table_list(flags, 1, on_line);
    assert_string_equal(lines.p, "FLAG: (too long)\n");
    buf_done(&lines);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, tear_down)
    const struct CMUnitTest tests[] = {
        T(strings),  T(booleans), T(numbers), T(bases), T(decimals), T(fractions),
        T(repeated), T(refused),  T(secrets), T(ends),  T(help),     T(list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
