/*
 * Manual pages in the man macros, made from the same tables as help. Dashes are written so that they stay what they are
 * when a line of the page is copied into a shell.
 */
#include "cli/man.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rtime.h"
#include "cli/verb.h"

#define MAX_PAGE ((size_t)1 << 20)
#define WIDTH 78

/* One page: the root (verb NULL), a verb, or a sub-command. */
struct page {
    struct buf out;
    const struct verb *verb, *parent; /* parent NULL: none */
    char *name;                       /* "kubefedctl-join"; owned */
    char *command;                    /* "kubefedctl join"; owned */
};

/* --- text --- */

static void add_escaped(struct buf *out, struct str text)
{
    static const struct {
        char c;
        const char *name;
    } special[] = { { '\\', "\\(rs" }, { '-', "\\-" },   { '\'', "\\(aq" }, { '"', "\\(dq" },
                    { '`', "\\(ga" },  { '^', "\\(ha" }, { '~', "\\(ti" } };
    if (text.n && text.p[0] == '.')
        buf_addz(out, "\\&");
    for (size_t i = 0; i < text.n; i++) {
        const char *name = NULL;
        for (size_t k = 0; k < ARRAY_SIZE(special) && !name; k++)
            if (special[k].c == text.p[i])
                name = special[k].name;
        if (name)
            buf_addz(out, name);
        else
            buf_addc(out, text.p[i]);
    }
}

static void add_escapedz(struct buf *out, const char *text)
{
    add_escaped(out, str_of(text));
}

/* One paragraph, broken into lines between words. */
static void add_paragraph(struct buf *out, struct str text)
{
    size_t column = 0;
    while (!str_empty(text)) {
        size_t n = 0;
        while (n < text.n && text.p[n] != ' ' && text.p[n] != '\n')
            n++;
        size_t before = out->n;
        if (n && column)
            buf_addc(out, ' ');
        add_escaped(out, str_n(text.p, n));
        column += out->n - before;
        if (n && column > WIDTH && before && out->p[before] == ' ') {
            out->p[before] = '\n';
            column = out->n - before - 1;
        }
        n = MIN(n + 1, text.n);
        text = str_n(text.p + n, text.n - n);
    }
    buf_addc(out, '\n');
}

/* Paragraphs with empty lines between them. */
static void add_text(struct buf *out, const char *text)
{
    bool first = true;
    while (*text) {
        const char *end = strstr(text, "\n\n");
        struct str paragraph = str_trim(end ? str_n(text, (size_t)(end - text)) : str_of(text));
        if (!first)
            buf_addz(out, ".PP\n");
        if (!str_empty(paragraph))
            add_paragraph(out, paragraph);
        first = false;
        text = end ? end + 2 : text + strlen(text);
    }
}

/* Lines as they are, to be copied. */
static void add_lines(struct buf *out, struct str lines)
{
    buf_addz(out, ".PP\n.RS 4\n.nf\n");
    for (struct str line; !str_empty(lines);) {
        str_cut(lines, '\n', &line, &lines);
        if (!str_empty(line)) {
            add_escaped(out, line);
            buf_addc(out, '\n');
        }
    }
    buf_addz(out, ".fi\n.RE\n");
}

/* --- sections --- */

/* The day that the page is of: SOURCE_DATE_EPOCH makes builds that can be repeated. */
static void add_title(struct page *p)
{
    const char *given = getenv("SOURCE_DATE_EPOCH");
    int64_t epoch;
    char date[32] = "";
    struct tm tm;
    time_t now = given && str_to_i64(str_of(given), &epoch) == 0 ? (time_t)epoch : time(NULL);
    if (gmtime_r(&now, &tm))
        strftime(date, sizeof(date), "%Y-%m-%d", &tm);
    buf_addz(&p->out, ".TH ");
    for (const char *c = p->name; *c; c++)
        buf_printf(&p->out, "%s%c", *c == '-' ? "\\" : "", *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    buf_printf(&p->out, " 1 %s \"kubefed %s\" \"Manual of kubefed\"\n", date, KUBEFED_VERSION);
}

static void add_name(struct page *p)
{
    const char *summary = p->verb ? p->verb->summary : "Control a KubeFed control plane";
    char first = summary[0];
    if (first >= 'A' && first <= 'Z')
        first = (char)(first - 'A' + 'a');
    _cleanup_free_ char *line = mem_printf("%s - %c%s", p->name, first, summary + 1);
    buf_addz(&p->out, ".SH NAME\n");
    add_paragraph(&p->out, str_of(line));
}

static bool is_parent(const struct page *p)
{
    return !p->verb || p->verb->n_children;
}

static void add_synopsis(struct page *p)
{
    buf_addz(&p->out, ".SH SYNOPSIS\n\\fB");
    add_escapedz(&p->out, p->command);
    buf_addz(&p->out, "\\fR ");
    if (is_parent(p)) {
        buf_addz(&p->out, "\\fICOMMAND\\fR ");
    } else if (p->verb->args[0]) {
        add_escapedz(&p->out, p->verb->args);
        buf_addc(&p->out, ' ');
    }
    buf_addz(&p->out, "[\\fIOPTION\\fR]...\n");
}

static void add_commands(struct page *p)
{
    size_t n = p->verb ? p->verb->n_children : n_verbs;
    buf_addz(&p->out, ".SH COMMANDS\n");
    for (size_t i = 0; i < n; i++) {
        const struct verb *v = p->verb ? &p->verb->children[i] : verbs[i];
        buf_addz(&p->out, ".TP\n\\fB");
        add_escapedz(&p->out, v->name);
        buf_addz(&p->out, "\\fR\n");
        add_paragraph(&p->out, str_of(v->summary));
    }
}

static void add_option(struct buf *out, const struct flag *f)
{
    const char *type = flag_type_name(f->type);
    buf_addz(out, ".TP\n");
    if (f->shorthand)
        buf_printf(out, "\\fB\\-%c\\fR, ", f->shorthand);
    buf_addz(out, "\\fB\\-\\-");
    add_escapedz(out, f->name);
    buf_addz(out, "\\fR");
    if (type[0])
        buf_printf(out, " \\fI%s\\fR", type);
    buf_addc(out, '\n');
    if (f->fallback && f->type != FLAG_LIST && !(f->type == FLAG_INT && strcmp(f->fallback, "0") == 0)) {
        _cleanup_free_ char *usage = mem_printf("%s (default %s)", f->usage, f->fallback);
        add_paragraph(out, str_of(usage));
    } else {
        add_paragraph(out, str_of(f->usage));
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct flag *const *)a)->name, (*(const struct flag *const *)b)->name);
}

static void add_flag_sets(struct buf *out, const struct flag_set *sets, size_t n_sets, const struct flag *more)
{
    size_t n = more ? 1 : 0;
    for (size_t s = 0; s < n_sets; s++)
        n += sets[s].n;
    _cleanup_free_ const struct flag **v = mem_array(n, sizeof(*v));
    n = 0;
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; i < sets[s].n; i++)
            if (!sets[s].v[i].hidden)
                v[n++] = &sets[s].v[i];
    if (more)
        v[n++] = more;
    qsort(v, n, sizeof(*v), by_name);
    for (size_t i = 0; i < n; i++)
        add_option(out, v[i]);
}

static void add_options(struct page *p)
{
    static const struct flag help_flag = { "help", 'h', false, FLAG_BOOL, 0, NULL, "show a summary of this page" };
    struct flag_set sets[VERB_MAX_SETS];
    size_t n = verb_flag_sets(p->verb, NULL, sets);
    buf_addz(&p->out, ".SH OPTIONS\n");
    add_flag_sets(&p->out, sets, n - 1, &help_flag);
    buf_addz(&p->out, ".SH \"OPTIONS OF ALL COMMANDS\"\n");
    add_flag_sets(&p->out, sets + n - 1, 1, NULL);
}

/* Each example is a line "# what it does" and the commands below it. */
static void add_examples(struct page *p)
{
    if (!p->verb || !p->verb->examples)
        return;
    buf_addz(&p->out, ".SH EXAMPLES\n");
    for (const char *text = p->verb->examples; *text;) {
        const char *end = strstr(text, "\n\n");
        struct str lines = end ? str_n(text, (size_t)(end - text)) : str_of(text), title;
        if (text != p->verb->examples)
            buf_addz(&p->out, ".PP\n");
        if (str_has_prefix(lines, STR("# "))) {
            str_cut(str_n(lines.p + 2, lines.n - 2), '\n', &title, &lines);
            add_paragraph(&p->out, title);
        }
        add_lines(&p->out, lines);
        text = end ? end + 2 : text + strlen(text);
    }
}

struct entry {
    const char *term, *text;
};

static void add_entries(struct page *p, const struct entry *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_addz(&p->out, ".TP\n\\fB");
        add_escapedz(&p->out, v[i].term);
        buf_addz(&p->out, "\\fR\n");
        add_paragraph(&p->out, str_of(v[i].text));
    }
}

static void add_exits(struct page *p)
{
    static const struct entry low[] = {
        { "0", "Success." },
        { "1", "The command line was wrong: an unknown command, option or value." },
    };
    static const struct entry high[] = {
        { "130", "Interrupted from the keyboard. What was done until then is said on stderr." },
        { "255", "The command failed. stderr says why, what was done before, and what may help." },
    };
    buf_addz(&p->out, ".SH \"EXIT STATUS\"\n");
    add_entries(p, low, ARRAY_SIZE(low));
    if (p->verb && p->verb->exits) {
        struct str number, text;
        str_cut(str_of(p->verb->exits), ' ', &number, &text);
        _cleanup_free_ char *term = str_dup(number), *meaning = str_dup(text);
        add_entries(p, &(struct entry){ term, meaning }, 1);
    }
    add_entries(p, high, ARRAY_SIZE(high));
}

static void add_surroundings(struct page *p)
{
    static const struct entry variables[] = {
        { "KUBECONFIG", "kubeconfig files, separated by colons and merged; --kubeconfig goes before it." },
        { "HTTPS_PROXY, HTTP_PROXY, NO_PROXY",
          "Proxies on the way to clusters whose kubeconfig entry names none, and where none is used." },
    };
    static const struct entry files[] = {
        { "~/.kube/config", "The kubeconfig when neither --kubeconfig nor KUBECONFIG names one." },
        { "/var/run/secrets/kubernetes.io/serviceaccount",
          "Inside a cluster, the credentials when there is no kubeconfig at all." },
    };
    if (p->verb && !(p->verb->groups & VERB_COMMON))
        return;
    buf_addz(&p->out, ".SH ENVIRONMENT\n");
    add_entries(p, variables, ARRAY_SIZE(variables));
    buf_addz(&p->out, ".SH FILES\n");
    add_entries(p, files, ARRAY_SIZE(files));
}

static void add_reference(struct buf *out, bool first, const char *name, const char *child)
{
    if (!first)
        buf_addz(out, ",\n");
    buf_addz(out, "\\fB");
    add_escapedz(out, name);
    if (child) {
        buf_addz(out, "\\-");
        add_escapedz(out, child);
    }
    buf_addz(out, "\\fR(1)");
}

static void add_see_also(struct page *p)
{
    struct buf *out = &p->out;
    size_t n = p->verb ? p->verb->n_children : n_verbs;
    buf_addz(out, ".SH \"SEE ALSO\"\n");
    add_reference(out, true, p->verb ? "kubefedctl" : "kubectl", NULL);
    if (p->parent)
        add_reference(out, false, "kubefedctl", p->parent->name);
    for (size_t i = 0; i < n; i++)
        add_reference(out, false, p->name, p->verb ? p->verb->children[i].name : verbs[i]->name);
    if (p->verb)
        add_reference(out, false, "kubectl", NULL);
    buf_addc(out, '\n');
}

static void write_page(struct page *p)
{
    add_title(p);
    add_name(p);
    add_synopsis(p);
    buf_addz(&p->out, ".SH DESCRIPTION\n");
    add_text(&p->out, p->verb ? p->verb->description : help_root);
    if (is_parent(p))
        add_commands(p);
    add_options(p);
    add_examples(p);
    add_exits(p);
    add_surroundings(p);
    add_see_also(p);
}

/* --- which page --- */

static bool find_page(struct page *p, int n, char *const *words)
{
    if (n == 0)
        return true;
    p->verb = verb_find(str_of(words[0]));
    if (n == 1 || !p->verb)
        return p->verb != NULL;
    p->parent = p->verb;
    p->verb = NULL;
    for (size_t i = 0; i < p->parent->n_children; i++)
        if (verb_is_called(&p->parent->children[i], str_of(words[1])))
            p->verb = &p->parent->children[i];
    return p->verb && n == 2;
}

/* "kubefedctl" and the names of verb and sub-command. Owned. */
static char *join_names(const struct page *p, char between)
{
    struct buf b = BUF_INIT(MAX_PAGE);
    buf_addz(&b, "kubefedctl");
    if (p->parent)
        buf_printf(&b, "%c%s", between, p->parent->name);
    if (p->verb)
        buf_printf(&b, "%c%s", between, p->verb->name);
    return buf_take(&b, NULL);
}

int man_main(int n, char *const *words)
{
    struct page p = { .out = BUF_INIT(MAX_PAGE) };
    if (!find_page(&p, n, words)) {
        fputs("Error: there is no such command\n", stderr);
        return 1;
    }
    p.name = join_names(&p, '-');
    p.command = join_names(&p, ' ');
    write_page(&p);
    bool written = !buf_failed(&p.out) && fwrite(p.out.p, 1, p.out.n, stdout) == p.out.n && fflush(stdout) == 0;
    buf_done(&p.out);
    free(p.name);
    free(p.command);
    return written ? 0 : 1;
}
