/* Flags of the long-running programs: arguments separated by newlines. What is taken is within its range, and what is not is said. */
#include <math.h>

#include "flags.h"
#include "fuzz.h"
#include "logging.h"

#define MAX_ARGS 64

static struct {
    const char *text, *token;
    bool on, help, version;
    int64_t port, wait;
    double rate;
    unsigned items;
    struct logging logging;
} v;

static int add(void *to, struct str value, struct error **err)
{
    if (str_eqc(value, "bad"))
        return error_set(err, -EINVAL, "want anything but this");
    ++*(unsigned *)to;
    return 0;
}

static void on_line(const char *text)
{
    FUZZ_CHECK(strncmp(text, "FLAG: ", 6) == 0 && strlen(text) < 8300);
    FUZZ_CHECK(strncmp(text, "FLAG: --token=", 14) != 0 || strcmp(text, "FLAG: --token=\"...\"") == 0);
}

static void check_values(void)
{
    FUZZ_CHECK(v.port >= 0 && v.port <= 65535);
    FUZZ_CHECK(v.wait >= 0 && v.wait <= 3600000000000);
    FUZZ_CHECK(isfinite(v.rate) && v.rate >= -5 && v.rate <= 5);
    FUZZ_CHECK(v.logging.verbosity >= 0 && v.logging.verbosity <= 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct flag flags[] = {
        { .name = "text", .kind = FLAG_STRING, .to = (void *)&v.text, .letter = 't', .help = "a\nb" },
        { .name = "token", .kind = FLAG_STRING, .to = (void *)&v.token, .secret = true },
        { .name = "on-off", .kind = FLAG_BOOL, .to = &v.on, .letter = 'o', .help = "" },
        { .name = "port", .kind = FLAG_INT, .to = &v.port, .max = 65535, .letter = 'p', .value = "int", .help = "x" },
        { .name = "wait",
          .kind = FLAG_DURATION,
          .to = &v.wait,
          .max = 3600000000000,
          .value = "duration",
          .help = "x" },
        { .name = "rate", .kind = FLAG_NUMBER, .to = &v.rate, .min = -5, .max = 5, .value = "float", .help = "x" },
        { .name = "item", .kind = FLAG_CUSTOM, .to = &v.items, .parse = add },
        { .name = "help", .kind = FLAG_HELP, .to = &v.help, .letter = 'h', .help = "x" },
        { .name = "version", .kind = FLAG_VERSION, .to = &v.version, .help = "x" },
        LOGGING_FLAGS(&v.logging),
    };
    _cleanup_free_ char *text = mem_strndup((const char *)data, size), *shown = NULL;
    static char program[] = "program";
    char *argv[MAX_ARGS] = { program };
    struct error *err = NULL;
    size_t n = 0;
    int argc = 1;

    memset(&v, 0, sizeof(v));
    for (char *p = text, *next; p && argc < MAX_ARGS - 1; p = next) {
        next = strchr(p, '\n');
        if (next)
            *next++ = '\0';
        argv[argc++] = p;
    }
    int r = flag_table_parse(flags, ARRAY_SIZE(flags), argc, argv, &err);
    FUZZ_CHECK(r == FLAGS_GO_ON || r == FLAGS_HELP || r == FLAGS_VERSION || r == -EINVAL);
    FUZZ_CHECK((r < 0) == (err != NULL) && (!err || err->msg[0]));
    FUZZ_CHECK((r == FLAGS_HELP) <= v.help && (r == FLAGS_VERSION) <= v.version);
    error_free(err);
    check_values();
    flag_table_list(flags, ARRAY_SIZE(flags), on_line);
    FILE *f = open_memstream(&shown, &n);
    flag_table_help(f, flags, ARRAY_SIZE(flags));
    fclose(f);
    FUZZ_CHECK(n > 0);
    return 0;
}
