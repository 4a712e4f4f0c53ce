/*
 * doctor: examines an installation, from the host's definitions to the certificates of members, and says what is wrong
 * and what to do. It reads only.
 */
#include <stdlib.h>

#include "cli/doctor.h"
#include "cli/table.h"

#define MAX_TEXT ((size_t)16 << 20)
#define MAX_MESSAGE 1500

struct doctor_options {
    const char *output;
    bool skip_members, problems;
};

/* --- findings --- */

static char *printable(const char *text)
{
    struct buf b = BUF_INIT(MAX_TEXT);
    add_printable(&b, str_of(text), MAX_MESSAGE);
    return buf_take(&b, NULL);
}

/* Commands are there to be copied: what a server calls its objects must not add anything to them. */
static char *advice_about(const char *advice, const char *name)
{
    static const char mark[] = "{name}";
    struct buf b = BUF_INIT(MAX_TEXT);
    for (const char *at; (at = strstr(advice, mark)); advice = at + strlen(mark)) {
        buf_adds(&b, str_n(advice, (size_t)(at - advice)));
        buf_addz(&b, doctor_word(name));
    }
    add_printable(&b, str_of(advice), MAX_MESSAGE);
    return buf_take(&b, NULL);
}

/* Behind the last finding of the same subject, or at the end. */
static size_t place_for(const struct doctor *d, const char *subject)
{
    for (size_t i = d->n_findings; i > 0; i--)
        if (strcmp(d->findings[i - 1].subject, subject) == 0)
            return i;
    return d->n_findings;
}

void doctor_add(struct doctor *d, const char *subject, const char *name, enum doctor_verdict verdict,
                const char *message, const char *advice)
{
    MEM_GROW(d->findings, d->cap_findings, d->n_findings);
    size_t at = place_for(d, subject);
    memmove(&d->findings[at + 1], &d->findings[at], (d->n_findings - at) * sizeof(*d->findings));
    d->n_findings++;
    d->findings[at] = (struct doctor_finding){ .subject = subject,
                                               .name = printable(name),
                                               .message = printable(message),
                                               .advice = advice ? advice_about(advice, name) : NULL,
                                               .verdict = verdict };
}

void doctor_addf(struct doctor *d, const char *subject, const char *name, enum doctor_verdict verdict,
                 const char *advice, const char *fmt, ...)
{
    struct buf b = BUF_INIT(MAX_TEXT);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    _cleanup_free_ char *message = buf_take(&b, NULL);
    doctor_add(d, subject, name, verdict, message, advice);
}

int doctor_unreadable(struct doctor *d, const char *subject, const char *name, struct error **e, struct error **err)
{
    assert(*e);
    if ((*e)->code == -ECANCELED)
        return error_move(err, e, "%s", "");
    switch (error_http(*e)) {
    case 401:
        doctor_add(d, subject, name, DOCTOR_UNKNOWN, error_msg(*e), "Renew the credentials in the kubeconfig.");
        break;
    case 403:
        doctor_add(d, subject, name, DOCTOR_UNKNOWN, error_msg(*e), "Run doctor with an account that may read it.");
        break;
    case 404: doctor_add(d, subject, name, DOCTOR_FAILURE, error_msg(*e), DOCTOR_APPLY_CRDS); break;
    default:
        doctor_add(d, subject, name, DOCTOR_FAILURE, error_msg(*e),
                   "Run doctor again; when that says the same, the log of the host's API server says more.");
    }
    error_free(TAKE_PTR(*e));
    return 0;
}

/* --- report --- */

static size_t count(const struct doctor *d, enum doctor_verdict v)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_findings; i++)
        n += d->findings[i].verdict == v;
    return n;
}

static const char *const words[] = {
    [DOCTOR_OK] = "OK", [DOCTOR_WARNING] = "WARN", [DOCTOR_FAILURE] = "FAIL", [DOCTOR_UNKNOWN] = "????"
};
static const enum style styles[] = { [DOCTOR_OK] = STYLE_GOOD,
                                     [DOCTOR_WARNING] = STYLE_WARNING,
                                     [DOCTOR_FAILURE] = STYLE_BAD,
                                     [DOCTOR_UNKNOWN] = STYLE_WARNING };

static int name_width(const struct doctor *d, const char *subject)
{
    size_t width = 0;
    for (size_t i = 0; i < d->n_findings; i++)
        if (strcmp(d->findings[i].subject, subject) == 0)
            width = MAX(width, strlen(d->findings[i].name));
    return (int)MIN(width, (size_t)60);
}

static void show_finding(const struct doctor *d, const struct doctor_finding *f, int width, struct buf *out)
{
    buf_printf(out, "  %s%-4s%s  %-*s  %s\n", style_begin(d->cli, styles[f->verdict]), words[f->verdict],
               style_end(d->cli, styles[f->verdict]), width, f->name, f->message);
    if (f->advice)
        buf_printf(out, "        -> %s\n", f->advice);
}

static void show(const struct doctor *d, bool problems, struct buf *out)
{
    const char *subject = NULL;
    int width = 0;
    size_t failures = count(d, DOCTOR_FAILURE), warnings = count(d, DOCTOR_WARNING), unknown = count(d, DOCTOR_UNKNOWN);
    for (size_t i = 0; i < d->n_findings; i++) {
        const struct doctor_finding *f = &d->findings[i];
        if (problems && f->verdict == DOCTOR_OK)
            continue;
        if (!subject || strcmp(f->subject, subject) != 0) {
            buf_printf(out, "%s%s%s%s\n", subject ? "\n" : "", style_begin(d->cli, STYLE_BOLD), f->subject,
                       style_end(d->cli, STYLE_BOLD));
            width = name_width(d, f->subject);
        }
        subject = f->subject;
        show_finding(d, f, width, out);
    }
    buf_printf(out, "%s%zu %s, %zu %s, %zu %s", subject ? "\n" : "", d->n_findings,
               d->n_findings == 1 ? "check" : "checks", warnings, warnings == 1 ? "warning" : "warnings", failures,
               failures == 1 ? "failure" : "failures");
    if (unknown)
        buf_printf(out, ", %zu could not be made", unknown);
    buf_addc(out, '\n');
}

static yyjson_mut_doc *document(const struct doctor *d, bool problems)
{
    static const char *const results[] = {
        [DOCTOR_OK] = "ok", [DOCTOR_WARNING] = "warning", [DOCTOR_FAILURE] = "failure", [DOCTOR_UNKNOWN] = "unknown"
    };
    yyjson_mut_doc *doc = json_mut_doc_new();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *list = yyjson_mut_arr(doc);
    for (size_t i = 0; i < d->n_findings; i++) {
        const struct doctor_finding *f = &d->findings[i];
        if (problems && f->verdict == DOCTOR_OK)
            continue;
        yyjson_mut_val *o = yyjson_mut_obj(doc);
        json_mut_set_str(doc, o, "subject", str_of(f->subject));
        json_mut_set_str(doc, o, "name", str_of(f->name));
        json_mut_set_str(doc, o, "result", str_of(results[f->verdict]));
        json_mut_set_str(doc, o, "message", str_of(f->message));
        if (f->advice)
            json_mut_set_str(doc, o, "advice", str_of(f->advice));
        yyjson_mut_arr_append(list, o);
    }
    json_mut_set(doc, root, "checks", list);
    yyjson_mut_val *summary = json_mut_ensure_obj(doc, root, "summary");
    json_mut_set_i64(doc, summary, "checks", (int64_t)d->n_findings);
    json_mut_set_i64(doc, summary, "warnings", (int64_t)count(d, DOCTOR_WARNING));
    json_mut_set_i64(doc, summary, "failures", (int64_t)count(d, DOCTOR_FAILURE));
    json_mut_set_i64(doc, summary, "unknown", (int64_t)count(d, DOCTOR_UNKNOWN));
    return doc;
}

static void print(const struct doctor *d, enum cli_output output, bool problems)
{
    _cleanup_buf_ struct buf text = BUF_INIT(MAX_TEXT);
    cli_progress_end(d->cli);
    if (output != OUTPUT_TABLE) {
        _cleanup_json_mut_ yyjson_mut_doc *doc = document(d, problems);
        cli_print_document(d->cli, output, doc);
        return;
    }
    show(d, problems, &text);
    cli_print_text(d->cli, buf_str(&text));
}

/* --- all --- */

static void doctor_done(struct doctor *d)
{
    for (size_t i = 0; i < d->n_findings; i++) {
        free(d->findings[i].name);
        free(d->findings[i].message);
        free(d->findings[i].advice);
    }
    free(d->findings);
    for (size_t i = 0; i < d->n_clusters; i++) {
        remote_free(d->clusters[i].member);
        fed_cluster_free(d->clusters[i].spec);
        yyjson_doc_free(d->clusters[i].kfc);
        free(d->clusters[i].name);
    }
    free(d->clusters);
    for (size_t i = 0; i < d->n_types; i++)
        fed_type_config_free(d->types[i]);
    free(d->types);
    fed_config_free(d->config);
    free(d->version);
}

static int examine(struct doctor *d, const struct doctor_options *o, struct error **err)
{
    int r = doctor_host(d, err);
    if (r == 0)
        r = doctor_controller(d, err);
    if (r == 0)
        r = doctor_webhook(d, err);
    if (r == 0)
        r = doctor_types(d, err);
    if (r == 0)
        r = doctor_clusters(d, err);
    if (r == 0)
        r = doctor_rights(d, err);
    if (r == 0 && !o->skip_members)
        r = doctor_members(d, err);
    return r == 0 ? doctor_stuck(d, err) : r;
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    const struct doctor_options *o = options;
    struct doctor d = { .cli = cli, .ns = str_of(cli->common.ns) };
    _cleanup_remote_ struct remote *host = NULL;
    enum cli_output output = OUTPUT_TABLE;
    (void)args;
    int r = cli_output_parse(o->output, OUTPUT_JSON | OUTPUT_YAML, &output, err);
    if (r == 0)
        r = remote_host(cli, &host, err);
    d.host = host;
    if (r == 0)
        r = examine(&d, o, err);
    /* A script gets its document also when the host gives no answer. */
    if (r == 0 || (r != -ECANCELED && d.n_findings && output != OUTPUT_TABLE))
        print(&d, output, o->problems);
    size_t failures = count(&d, DOCTOR_FAILURE), all = d.n_findings;
    doctor_done(&d);
    if (r == 0 && failures)
        return error_set(err, -EINVAL, "%zu of %zu checks failed", failures, all);
    return r;
}

static const struct flag flags[] = {
    { "output", 'o', false, FLAG_STRING, offsetof(struct doctor_options, output), NULL, "json or yaml" },
    { "problems", 0, false, FLAG_BOOL, offsetof(struct doctor_options, problems), NULL, "leave out what is well" },
    { "skip-members", 0, false, FLAG_BOOL, offsetof(struct doctor_options, skip_members), NULL,
      "do not connect to members; only look at what the host has" },
};

const struct verb verb_doctor = {
    .name = "doctor",
    .args = "",
    .summary = "Examine the installation and say what to do",
    .description =
        "Examines the control plane and its clusters: definitions, settings, leader, rights, webhook and its certificates, types,\n"
        "credentials of clusters and when they end, versions and clocks, deletions that do not end. Members are reached as the\n"
        "controller manager reaches them. Nothing is changed. Where something is wrong, the line below says what to do.",
    .examples = "# Is everything well?\n"
                "kubefedctl doctor --host-cluster-context host\n\n"
                "# Only what is not, for a script\n"
                "kubefedctl doctor --problems -o json\n",
    .groups = VERB_HOST,
    .flags = flags,
    .n_flags = ARRAY_SIZE(flags),
    .options_size = sizeof(struct doctor_options),
    .run = run,
    .outputs = "json yaml",
};
