/* See session.h. Everything that a run takes is in struct cli and given back by cli_done(). */
#include "cli/session.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rtime.h"
#include "cli/style.h"
#include "json/json.h"
#include "json/yaml.h"

#define MAX_TEXT ((size_t)1 << 20)
#define MAX_FILE ((size_t)64 << 20)
#define OUT_PIECE ((size_t)64 << 10)
#define PROGRESS_AFTER_MS 1000u
#define PROGRESS_EVERY_MS 500u

void cli_init(struct cli *cli, const char *name)
{
    *cli = (struct cli){ .name = name,
                         .terminal = isatty(STDERR_FILENO) == 1,
                         .coloured = style_wanted(),
                         .steps = BUF_INIT(MAX_TEXT),
                         .hints = BUF_INIT(MAX_TEXT),
                         .out = BUF_INIT(BUF_MAX_DEFAULT),
                         .plan = BUF_INIT(BUF_MAX_DEFAULT) };
}

void cli_done(struct cli *cli)
{
    cli_progress_clear(cli);
    loop_timer_stop(&cli->progress_timer);
    if (cli->loop)
        loop_free(cli->loop);
    buf_done(&cli->steps);
    buf_done(&cli->hints);
    buf_done(&cli->out);
    buf_done(&cli->plan);
    free(cli->progress);
    free(cli->unsure);
    *cli = (struct cli){ 0 };
}

/* --- loop --- */

static void on_signal(void *arg, int signum)
{
    struct cli *cli = arg;
    (void)signum;
    if (cli->interrupted)
        _exit(130);
    cli->interrupted = true;
    loop_stop(cli->loop);
}

int cli_loop(struct cli *cli, struct loop **ret, struct error **err)
{
    if (!cli->loop) {
        struct loop *l = NULL;
        int r = loop_new(&l, err);
        if (r < 0)
            return r;
        cli->loop = l;
        r = loop_signal(l, SIGINT, on_signal, cli, err);
        if (r < 0)
            return r;
    }
    *ret = cli->loop;
    return 0;
}

static void set_true(void *arg)
{
    *(bool *)arg = true;
}

int cli_wait(struct cli *cli, uint64_t ms, struct error **err)
{
    struct loop *l = NULL;
    struct loop_timer timer = { 0 };
    bool over = false;
    int r = cli_loop(cli, &l, err);
    if (r < 0)
        return r;
    if (!cli->interrupted) {
        loop_timer_start(l, &timer, ms, set_true, &over);
        loop_run(l, &over);
        loop_timer_stop(&timer);
    }
    return cli->interrupted ? error_set(err, -ECANCELED, "interrupted") : 0;
}

/* --- progress and reports --- */

static void show_progress(void *arg)
{
    struct cli *cli = arg;
    uint64_t spent_s = (time_mono_ms() - cli->progress_ms) / 1000;
    if (cli->progress) {
        fprintf(stderr, "\r\033[K%s (%llu s)", cli->progress, (unsigned long long)spent_s);
        cli->progress_shown = true;
    }
    loop_timer_start(cli->loop, &cli->progress_timer, PROGRESS_EVERY_MS, show_progress, cli);
}

void cli_progress_clear(struct cli *cli)
{
    if (cli->progress_shown)
        fputs("\r\033[K", stderr);
    cli->progress_shown = false;
}

void cli_progress_end(struct cli *cli)
{
    cli_progress_clear(cli);
    loop_timer_stop(&cli->progress_timer);
    free(TAKE_PTR(cli->progress));
}

static char *format(const char *fmt, va_list ap) _printf_(1, 0);
static char *format(const char *fmt, va_list ap)
{
    struct buf b = BUF_INIT(MAX_TEXT);
    buf_vprintf(&b, fmt, ap);
    return buf_take(&b, NULL);
}

/* Text from servers may end up on a terminal: control characters are made harmless. */
static void make_printable(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            *p = ' ';
}

void cli_progress(struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = format(fmt, ap);
    va_end(ap);
    make_printable(text);
    free(cli->progress);
    cli->progress = text;
    cli->progress_ms = time_mono_ms();
    log_verbose(2, "%s", text);
    if (cli->terminal && cli->loop && !log_v(1) && !loop_timer_active(&cli->progress_timer))
        loop_timer_start(cli->loop, &cli->progress_timer, PROGRESS_AFTER_MS, show_progress, cli);
}

void cli_did(struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    _cleanup_free_ char *text = format(fmt, ap);
    va_end(ap);
    log_verbose(2, "%s", text);
    buf_printf(&cli->steps, "  %s\n", text);
}

void cli_hint(struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&cli->hints, fmt, ap);
    va_end(ap);
    buf_addc(&cli->hints, '\n');
}

void cli_note(struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    _cleanup_free_ char *text = format(fmt, ap);
    va_end(ap);
    cli_progress_clear(cli);
    fprintf(stderr, "%s\n", text);
}

/* --- stdout --- */

int cli_flush(struct cli *cli)
{
    struct str s = buf_str(&cli->out);
    cli_progress_clear(cli);
    if (buf_failed(&cli->out))
        cli->out_failed = true;
    if (s.n && !cli->out_failed && fwrite(s.p, 1, s.n, stdout) != s.n)
        cli->out_failed = true;
    buf_reset(&cli->out);
    if (fflush(stdout) != 0)
        cli->out_failed = true;
    return cli->out_failed ? -EIO : 0;
}

void cli_print(struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&cli->out, fmt, ap);
    va_end(ap);
    buf_addc(&cli->out, '\n');
    cli_flush(cli);
}

static void add_yaml(struct buf *out, yyjson_val *object)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(object);
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *metadata;
    if (yyjson_mut_is_obj(root)) {
        json_mut_remove(root, STR("status"));
        metadata = json_mut_get(root, "metadata");
        if (yyjson_mut_is_obj(metadata))
            json_mut_remove(metadata, STR("creationTimestamp"));
    }
    _cleanup_json_ yyjson_doc *frozen = json_freeze(doc);
    buf_addz(out, "---\n");
    yaml_write(out, yyjson_doc_get_root(frozen));
}

void cli_print_yaml(struct cli *cli, yyjson_val *object)
{
    add_yaml(&cli->out, object);
    if (cli->out.n > OUT_PIECE || buf_failed(&cli->out))
        cli_flush(cli);
}

void cli_print_yaml_mut(struct cli *cli, const yyjson_mut_val *object)
{
    _cleanup_json_ yyjson_doc *doc = json_freeze_val(object);
    cli_print_yaml(cli, yyjson_doc_get_root(doc));
}

void cli_plan(struct cli *cli, const yyjson_mut_val *object)
{
    _cleanup_json_ yyjson_doc *doc = json_freeze_val(object);
    add_yaml(&cli->plan, yyjson_doc_get_root(doc));
}

const char *cli_dry(const struct cli *cli)
{
    return cli->common.dry_run ? " (dry run)" : "";
}

/* --- input --- */

/* The texts that Go programs give for the usual failures, in lower case. */
static int file_error(const char *what, const char *path, int code, struct error **err)
{
    _cleanup_free_ char *cause = str_lower(str_of(strerror(code)));
    return error_set(err, -code, "%s %s: %s", what, path, cause);
}

int cli_read_file(const char *path, struct buf *ret, struct error **err)
{
    bool in = strcmp(path, "-") == 0;
    int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), r = 0;
    struct buf b = BUF_INIT(MAX_FILE);

    if (fd < 0)
        return file_error("open", path, errno, err);
    for (;;) {
        char piece[16384];
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = file_error("read", in ? "stdin" : path, errno, err);
        if (n <= 0)
            break;
        if (buf_add(&b, piece, (size_t)n) < 0) {
            r = error_set(err, -EFBIG, "read %s: larger than %zu MiB", in ? "stdin" : path, MAX_FILE >> 20);
            break;
        }
    }
    if (!in)
        close(fd);
    if (r < 0) {
        buf_done(&b);
        return r;
    }
    *ret = b;
    return 0;
}

int cli_check_output(const char *output, struct error **err)
{
    if (output[0] && strcmp(output, "yaml") != 0)
        return error_set(err, -EINVAL, "Invalid value for --output: %s", output);
    return 0;
}

int cli_output_parse(const char *output, unsigned allowed, enum cli_output *ret, struct error **err)
{
    static const struct {
        const char *word;
        enum cli_output value;
    } words[] = { { "json", OUTPUT_JSON }, { "name", OUTPUT_NAME }, { "wide", OUTPUT_WIDE }, { "yaml", OUTPUT_YAML } };
    _cleanup_buf_ struct buf all = BUF_INIT(256);

    *ret = OUTPUT_TABLE;
    if (!output[0])
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (!(allowed & words[i].value))
            continue;
        buf_printf(&all, "%s%s", all.n ? ", " : "", words[i].word);
        if (strcmp(output, words[i].word) == 0) {
            *ret = words[i].value;
            return 0;
        }
    }
    return error_set(err, -EINVAL, "Invalid value for --output: %s (one of: %" PRIstr ")", output,
                     STRARG(buf_str(&all)));
}

void cli_print_text(struct cli *cli, struct str text)
{
    buf_adds(&cli->out, text);
    cli_flush(cli);
}

void cli_print_document(struct cli *cli, enum cli_output format, const yyjson_mut_doc *doc)
{
    _cleanup_json_ yyjson_doc *frozen = json_freeze(doc);
    if (format == OUTPUT_YAML) {
        yaml_write(&cli->out, yyjson_doc_get_root(frozen));
    } else {
        json_write_pretty(&cli->out, yyjson_doc_get_root(frozen));
        buf_addc(&cli->out, '\n');
    }
    cli_flush(cli);
}
