/* get clusters [NAME...]: the registered clusters and their health; once, or again with each change. */
#include <stdlib.h>
#include <unistd.h>

#include "base/rtime.h"
#include "cli/status.h"
#include "fed/names.h"

#define REFRESH_MS 5000u
#define MAX_TEXT ((size_t)64 << 20)

struct get_options {
    const char *output, *selector;
    bool watch, no_headers;
};

struct get {
    struct cli *cli;
    const struct get_options *options;
    struct verb_args names;
    enum cli_output output;
    struct remote *host; /* owned */
};

static bool is_wanted(const struct get *g, const struct kube_object *o)
{
    for (size_t i = 0; i < g->names.n; i++)
        if (str_eqc(kube_object_name(o), g->names.v[i]))
            return true;
    return g->names.n == 0;
}

static void add_labels(yyjson_val *kfc, struct buf *out)
{
    yyjson_val *key, *value;
    size_t i, n;
    yyjson_obj_foreach(json_path(kfc, "metadata.labels"), i, n, key, value)
    {
        buf_printf(out, "%s%" PRIstr "=%" PRIstr, i ? "," : "", STRARG(json_str(key)), STRARG(json_str(value)));
    }
    if (!out->n)
        buf_addz(out, "<none>");
}

static void add_age(struct table *t, struct str time, int64_t now)
{
    char age[24] = "";
    if (!str_empty(time))
        age_of(time, now, age);
    table_add(t, str_of(age));
}

static void add_row(const struct get *g, yyjson_val *kfc, int64_t now, struct table *t)
{
    struct cluster_line c;
    cluster_line_of(kfc, &c);
    bool good = cluster_style(&c) == STYLE_GOOD, wide = g->output == OUTPUT_WIDE;
    table_add(t, c.name);
    add_age(t, c.created, now);
    table_add_styled(t, str_of(c.ready), cluster_style(&c));
    table_add(t, c.version);
    add_age(t, c.since, now);
    if (wide) {
        _cleanup_buf_ struct buf labels = BUF_INIT(1 << 20);
        add_labels(kfc, &labels);
        add_age(t, c.probed, now);
        table_add(t, c.endpoint);
        table_add(t, buf_str(&labels));
    }
    if (!good) {
        _cleanup_buf_ struct buf problem = BUF_INIT(1 << 20);
        buf_printf(&problem, "%" PRIstr ": ", STRARG(c.reason));
        add_printable(&problem, c.message, wide ? 4096 : 200);
        table_add(t, buf_str(&problem));
    }
    table_end_row(t);
}

static void init_table(const struct get *g, struct table *t)
{
    static const char *const plain[] = { "NAME", "AGE", "READY", "KUBERNETES-VERSION", "SINCE", "PROBLEM" };
    static const char *const wide[] = { "NAME",     "AGE",    "READY",  "KUBERNETES-VERSION", "SINCE", "LAST-PROBE",
                                        "ENDPOINT", "LABELS", "PROBLEM" };
    if (g->output == OUTPUT_WIDE)
        table_init(t, wide, ARRAY_SIZE(wide));
    else
        table_init(t, plain, ARRAY_SIZE(plain));
}

static void print_table(const struct get *g, const struct board *b)
{
    _cleanup_table_ struct table t = { 0 };
    _cleanup_buf_ struct buf out = BUF_INIT(MAX_TEXT);
    size_t n;
    int64_t now = time_wall_s();
    _cleanup_free_ struct kube_object **all = board_sorted(b->clusters, &n);
    init_table(g, &t);
    for (size_t i = 0; i < n; i++) {
        _cleanup_json_ yyjson_doc *doc = NULL;
        if (is_wanted(g, all[i]) && json_parse(kube_object_body(all[i]), &doc, NULL) == 0)
            add_row(g, yyjson_doc_get_root(doc), now, &t);
    }
    if (g->options->watch && isatty(STDOUT_FILENO) == 1)
        buf_addz(&out, "\033[H\033[2J");
    if (table_rows(&t))
        table_write(&t, g->cli, !g->options->no_headers, &out);
    else
        cli_note(g->cli, "No clusters are registered in namespace \"%s\". To register one: %s join CLUSTER_NAME",
                 g->cli->common.ns, g->cli->name);
    cli_print_text(g->cli, buf_str(&out));
}

static void print_names(const struct get *g, const struct board *b)
{
    size_t n;
    _cleanup_free_ struct kube_object **all = board_sorted(b->clusters, &n);
    for (size_t i = 0; i < n; i++)
        if (is_wanted(g, all[i]))
            cli_print(g->cli, "kubefedcluster.core.kubefed.io/%" PRIstr, STRARG(kube_object_name(all[i])));
}

/* A List of KubeFedClusters, or the one that was asked for, as kubectl prints them. */
static void print_document(const struct get *g, const struct board *b)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *items = yyjson_mut_arr(doc);
    size_t n;
    _cleanup_free_ struct kube_object **all = board_sorted(b->clusters, &n);
    json_mut_set_str(doc, root, "apiVersion", STR("v1"));
    json_mut_set_str(doc, root, "kind", STR("List"));
    for (size_t i = 0; i < n; i++) {
        _cleanup_json_ yyjson_doc *one = NULL;
        if (!is_wanted(g, all[i]) || json_parse(kube_object_body(all[i]), &one, NULL) < 0)
            continue;
        yyjson_mut_val *item = json_mut_copy(doc, yyjson_doc_get_root(one));
        json_mut_set_str(doc, item, "apiVersion", STR(FED_CORE_API_VERSION));
        json_mut_set_str(doc, item, "kind", STR(FED_CLUSTER_KIND));
        if (g->names.n == 1) {
            yyjson_mut_doc_set_root(doc, item);
            cli_print_document(g->cli, g->output, doc);
            return;
        }
        yyjson_mut_arr_append(items, item);
    }
    json_mut_set(doc, root, "items", items);
    cli_print_document(g->cli, g->output, doc);
}

static void print(const struct get *g, const struct board *b)
{
    cli_progress_end(g->cli);
    if (g->output == OUTPUT_NAME)
        print_names(g, b);
    else if (g->output == OUTPUT_JSON || g->output == OUTPUT_YAML)
        print_document(g, b);
    else
        print_table(g, b);
}

static int check_names(const struct get *g, const struct board *b, struct error **err)
{
    for (size_t i = 0; i < g->names.n; i++) {
        _cleanup_free_ char *key = mem_printf("%s/%s", g->cli->common.ns, g->names.v[i]);
        if (!kube_informer_get(b->clusters, str_of(key)))
            return error_set_http(err, -ENOENT, 404, STR("NotFound"),
                                  "kubefedclusters.core.kubefed.io \"%s\" not found", g->names.v[i]);
    }
    return 0;
}

static int follow(struct get *g, struct error **err)
{
    struct board_query q = { .cluster_label = str_of(g->options->selector) };
    struct board b;
    bool terminal = isatty(STDOUT_FILENO) == 1;
    cli_progress(g->cli, "Reading clusters from the %s", g->host->where);
    int r = board_open(g->host, &q, &b, err);
    if (r < 0)
        return r;
    r = board_wait(&b, &q, err);
    if (r == 0)
        r = check_names(g, &b, err);
    while (r == 0) {
        print(g, &b);
        if (!g->options->watch || g->cli->out_failed)
            break;
        r = board_wait_change(&b, terminal ? REFRESH_MS : UINT32_MAX, err);
    }
    board_close(&b);
    return r;
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    struct get g = { .cli = cli, .options = options, .names = args };
    int r = cli_output_parse(g.options->output, OUTPUT_WIDE | OUTPUT_NAME | OUTPUT_JSON | OUTPUT_YAML, &g.output, err);
    if (r == 0)
        r = remote_host(cli, &g.host, err);
    if (r == 0)
        r = follow(&g, err);
    remote_free(g.host);
    if (r == -ECANCELED && g.options->watch && cli->interrupted) {
        cli->interrupted = false; /* that is how a watch ends */
        error_free(TAKE_PTR(*err));
        r = 0;
    }
    return r;
}

static const struct flag flags[] = {
    { "no-headers", 0, false, FLAG_BOOL, offsetof(struct get_options, no_headers), NULL,
      "leave out the line of headings" },
    { "output", 'o', false, FLAG_STRING, offsetof(struct get_options, output), NULL, "wide, name, json or yaml" },
    { "selector", 'l', false, FLAG_STRING, offsetof(struct get_options, selector), NULL,
      "only clusters with these labels, as region=eu,tier!=edge" },
    { "watch", 'w', false, FLAG_BOOL, offsetof(struct get_options, watch), NULL,
      "show it again whenever something changes, until Ctrl-C" },
};

static const struct verb children[] = {
    {
        .name = "clusters",
        .alias = "cluster",
        .args = "[NAME...]",
        .summary = "Show the registered clusters and their health",
        .description = "Shows the clusters of the control plane: whether each is ready, since when, and if not, why.",
        .examples = "# All clusters\n"
                    "kubefedctl get clusters\n\n"
                    "# With endpoints and labels, and again whenever something changes\n"
                    "kubefedctl get clusters -o wide --watch\n",
        .groups = VERB_HOST,
        .flags = flags,
        .n_flags = ARRAY_SIZE(flags),
        .options_size = sizeof(struct get_options),
        .run = run,
        .complete = { COMPLETE_CLUSTERS, COMPLETE_CLUSTERS },
        .outputs = "json name wide yaml",
    },
};

const struct verb verb_get = {
    .name = "get",
    .args = "",
    .summary = "Show the clusters of the control plane",
    .description = "Shows what belongs to the control plane.",
    .examples = "# All clusters\n"
                "kubefedctl get clusters\n\n"
                "# One of them, as YAML\n"
                "kubefedctl get clusters member1 -o yaml\n",
    .children = children,
    .n_children = ARRAY_SIZE(children),
};
