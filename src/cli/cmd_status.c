/*
 * status [TYPE [NAME]]: which federated objects are where, what is wrong and since when; once, or again with each change.
 */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/map.h"
#include "base/rtime.h"
#include "cli/status.h"
#include "fed/names.h"

/* Ages move on also when nothing else does. */
#define REFRESH_MS 5000u
#define MAX_SCREEN ((size_t)64 << 20)

struct status_options {
    const char *ns, *output;
    bool all_namespaces, watch, problems;
};

struct status {
    struct cli *cli;
    const struct status_options *options;
    struct remote *host; /* owned */
    struct board_query query;
    struct status_view view;
    char *type; /* name of the FTC, or NULL */
    struct str ns, name;
    struct map printed; /* --watch without a terminal: key of a row -> its text without ages */
    bool first;
};

/* --- one screen --- */

/* At most as many lines as the terminal has; the rest is counted. */
static void cut_to_screen(struct buf *text, unsigned lines)
{
    size_t n = 0, at = 0, more = 0;
    for (size_t i = 0; i < text->n; i++) {
        if (text->p[i] != '\n')
            continue;
        if (++n == lines - 2)
            at = i + 1;
        if (n > lines - 2 && at)
            more++;
    }
    if (!more)
        return;
    text->n = at;
    buf_printf(text, "... %zu more lines\n", more);
}

static void show(struct status *s, struct buf *text)
{
    struct winsize w = { 0 };
    if (s->options->watch && isatty(STDOUT_FILENO) == 1) {
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 4)
            cut_to_screen(text, w.ws_row);
        cli_print_text(s->cli, STR("\033[H\033[2J"));
    }
    cli_print_text(s->cli, buf_str(text));
}

/* Rows that are new or differ in more than their ages, as kubectl get --watch prints them. */
static void show_changed_rows(struct status *s, const struct table *t, struct buf *out)
{
    size_t since = s->view.all_namespaces ? 5 : 4;
    for (size_t row = 0; row < table_rows(t); row++) {
        const struct table_cell *cells = t->cells + (row + 1) * t->n_columns;
        _cleanup_buf_ struct buf key = BUF_INIT(1 << 16), text = BUF_INIT(1 << 20);
        for (size_t i = 0; i < t->n_columns; i++) {
            if (i + 2 < since)
                buf_printf(&key, "%s\n", cells[i].text);
            if (i != since && !(s->view.output == OUTPUT_WIDE && i == since + 1))
                buf_printf(&text, "%s\n", cells[i].text);
        }
        char *before = map_get(&s->printed, buf_str(&key));
        if (before && str_eqc(buf_str(&text), before))
            continue;
        free(before);
        map_put(&s->printed, buf_str(&key), str_dup(buf_str(&text)));
        table_write_row(t, s->cli, row, out);
    }
}

static void render_table(struct status *s)
{
    _cleanup_table_ struct table t = { 0 };
    struct status_counts counts;
    _cleanup_buf_ struct buf out = BUF_INIT(MAX_SCREEN);
    bool appending = s->options->watch && isatty(STDOUT_FILENO) != 1;
    status_table(&s->view, &t, &counts);
    if (!appending || s->first)
        status_head(&s->view, &out);
    if (appending) {
        if (s->first)
            table_write_headings(&t, s->cli, &out);
        show_changed_rows(s, &t, &out);
    } else if (counts.objects == 0) {
        buf_printf(&out, "No federated objects found%s%" PRIstr "%s\n", s->query.ns.n ? " in namespace \"" : "",
                   STRARG(s->query.ns), s->query.ns.n ? "\"" : "");
    } else {
        if (table_rows(&t))
            table_write(&t, s->cli, true, &out);
        status_foot(&s->view, &counts, &out);
    }
    show(s, &out);
}

static int render(struct status *s, struct error **err)
{
    s->view.now = time_wall_s();
    cli_progress_end(s->cli);
    if (s->view.output == OUTPUT_JSON || s->view.output == OUTPUT_YAML) {
        _cleanup_json_mut_ yyjson_mut_doc *doc = status_document(&s->view);
        if (s->view.output == OUTPUT_YAML && s->options->watch)
            cli_print_text(s->cli, STR("---\n"));
        cli_print_document(s->cli, s->view.output, doc);
    } else if (s->name.n) {
        _cleanup_buf_ struct buf out = BUF_INIT(MAX_SCREEN);
        int r = status_detail(&s->view, s->ns, s->name, &out, err);
        if (r < 0)
            return r;
        show(s, &out);
    } else {
        render_table(s);
    }
    s->first = false;
    return 0;
}

/* --- from the command line to the screen --- */

static int check_exists(struct status *s, const struct board *b, struct error **err)
{
    if (!s->name.n || kube_informer_count(b->types[0].informer))
        return 0;
    const struct fed_api_resource *f = &b->types[0].config->federated;
    _cleanup_free_ char *shown = qualified_name(f->namespaced ? s->ns : STR_NULL, s->name);
    return error_set_http(err, -ENOENT, 404, STR("NotFound"), "%s \"%s\" not found: it was not created, or deleted",
                          f->kind, shown);
}

/* Until FederatedTypeConfigs change, so that there is something else to watch. */
static int follow(struct status *s, struct error **err)
{
    struct board board;
    int r = board_open(s->host, &s->query, &board, err);
    if (r < 0)
        return r;
    s->view.board = &board; /* until this returns */
    r = board_wait(&board, &s->query, err);
    if (r == 0)
        r = check_exists(s, &board, err);
    while (r == 0) {
        r = render(s, err);
        if (r < 0 || !s->options->watch || board.outdated || s->cli->out_failed)
            break;
        r = board_wait_change(&board, isatty(STDOUT_FILENO) == 1 ? REFRESH_MS : UINT32_MAX, err);
    }
    bool again = r == 0 && s->options->watch && !s->cli->out_failed;
    board_close(&board);
    s->view.board = NULL;
    return again ? 1 : r;
}

static int prepare(struct status *s, struct verb_args args, struct error **err)
{
    const struct status_options *o = s->options;
    int r = cli_output_parse(o->output, OUTPUT_WIDE | OUTPUT_JSON | OUTPUT_YAML, &s->view.output, err);
    if (r == 0 && args.n > 2)
        r = error_set(err, -EINVAL, "status takes at most a type and a name. Got args: %s %s %s ...", args.v[0],
                      args.v[1], args.v[2]);
    if (r == 0 && args.n == 2 && o->all_namespaces)
        r = error_set(err, -EINVAL,
                      "a resource cannot be retrieved by name across all namespaces: leave out -A or the name");
    if (r == 0)
        r = remote_host(s->cli, &s->host, err);
    if (r == 0 && args.n >= 1)
        r = board_find_type(s->host, str_of(args.v[0]), &s->type, err);
    if (r < 0)
        return r;
    s->ns = str_of(o->ns);
    if (str_empty(s->ns))
        s->ns = s->host->config->namespace_ ? str_of(s->host->config->namespace_) : STR("default");
    s->name = args.n == 2 ? str_of(args.v[1]) : STR_NULL;
    if (s->name.n && strcmp(s->type, FED_NAMESPACES_FTC) == 0 && !o->ns[0])
        s->ns = s->name; /* where a FederatedNamespace always lives */
    s->query = (struct board_query){
        .objects = true, .ns = o->all_namespaces ? STR_NULL : s->ns, .type = str_of(s->type), .name = s->name
    };
    s->view.all_namespaces = o->all_namespaces;
    s->view.problems = o->problems;
    s->first = true;
    cli_progress(s->cli, "Reading federated objects from the %s", s->host->where);
    return 0;
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    struct status s = { .cli = cli, .options = options };
    int r = prepare(&s, args, err);
    do {
        if (r >= 0)
            r = follow(&s, err);
    } while (r > 0);
    map_done_values(&s.printed, free);
    remote_free(s.host);
    free(s.type);
    if (r == -ECANCELED && s.options->watch && cli->interrupted) {
        cli->interrupted = false; /* that is how a watch ends */
        error_free(TAKE_PTR(*err));
        r = 0;
    }
    return r;
}

static const struct flag flags[] = {
    { "all-namespaces", 'A', false, FLAG_BOOL, offsetof(struct status_options, all_namespaces), NULL,
      "objects of all namespaces" },
    { "namespace", 'n', false, FLAG_STRING, offsetof(struct status_options, ns), NULL,
      "namespace of the objects (default: that of the host's context, else default)" },
    { "output", 'o', false, FLAG_STRING, offsetof(struct status_options, output), NULL, "wide, json or yaml" },
    { "problems", 0, false, FLAG_BOOL, offsetof(struct status_options, problems), NULL,
      "only objects with which something is wrong" },
    { "watch", 'w', false, FLAG_BOOL, offsetof(struct status_options, watch), NULL,
      "show it again whenever something changes, until Ctrl-C" },
};

const struct verb verb_status = {
    .name = "status",
    .args = "[TYPE [NAME]]",
    .summary = "Show which federated objects are where, and what is wrong",
    .description =
        "Shows federated objects: in how many of their clusters all is well, what is wrong and since when. With TYPE only\n"
        "objects of that type, with NAME one object with each of its clusters and the last event about what is wrong there.\n"
        "TYPE is a name of the target or the federated type: deployments, deploy, federateddeployments, fdeploy.",
    .examples = "# Everything, in all namespaces\n"
                "kubefedctl status -A\n\n"
                "# One Deployment, cluster by cluster, and again whenever something changes\n"
                "kubefedctl status deployments web -n shop --watch\n",
    .groups = VERB_HOST,
    .flags = flags,
    .n_flags = ARRAY_SIZE(flags),
    .options_size = sizeof(struct status_options),
    .run = run,
    .complete = { COMPLETE_FEDERATED_TYPES, COMPLETE_FEDERATED_NAMES },
    .outputs = "json wide yaml",
};
