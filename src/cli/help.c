/* Help texts: made from the table of verbs and their flags, in the layout that users of kubefedctl and kubectl know. */
#include <stdlib.h>

#include "cli/verb.h"

struct row {
    char *head; /* owned */
    const struct flag *flag;
};

struct table {
    struct row *v;
    size_t n, cap, width;
};

static void table_add(struct table *t, const struct flag *f)
{
    const char *type = flag_type_name(f->type);
    char shorthand[8] = "    ";
    if (f->shorthand)
        memcpy(shorthand, (char[]){ '-', f->shorthand, ',', ' ', '\0' }, 5);
    MEM_GROW(t->v, t->cap, t->n);
    struct row *r = &t->v[t->n++];
    r->head = mem_printf("  %s--%s%s%s", shorthand, f->name, type[0] ? " " : "", type);
    r->flag = f;
    t->width = MAX(t->width, strlen(r->head));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->flag->name, ((const struct row *)b)->flag->name);
}

static void write_default(struct buf *out, const struct flag *f)
{
    if (!f->fallback || f->type == FLAG_LIST || (f->type == FLAG_INT && strcmp(f->fallback, "0") == 0))
        return;
    if (f->type == FLAG_STRING)
        buf_printf(out, " (default \"%s\")", f->fallback);
    else
        buf_printf(out, " (default %s)", f->fallback);
}

static void table_write(struct buf *out, struct table *t)
{
    if (t->n > 1)
        qsort(t->v, t->n, sizeof(t->v[0]), by_name);
    for (size_t i = 0; i < t->n; i++) {
        const struct flag *f = t->v[i].flag;
        buf_printf(out, "%-*s   %s", (int)t->width, t->v[i].head, f->usage);
        write_default(out, f);
        buf_addc(out, '\n');
        free(t->v[i].head);
    }
    free(t->v);
    *t = (struct table){ 0 };
}

static void write_flags(struct buf *out, const struct verb *v)
{
    static const struct flag help_flag = { "help", 'h', false, FLAG_BOOL, 0, NULL, "this text" };
    struct flag_set sets[VERB_MAX_SETS];
    size_t n = verb_flag_sets(v, NULL, sets);
    struct table own = { 0 }, global = { 0 };

    for (size_t s = 0; s < n; s++)
        for (size_t i = 0; i < sets[s].n; i++)
            if (!sets[s].v[i].hidden)
                table_add(s + 1 < n ? &own : &global, &sets[s].v[i]);
    table_add(&own, &help_flag);
    buf_addz(out, "\nFlags:\n");
    table_write(out, &own);
    buf_addz(out, "\nGlobal Flags:\n");
    table_write(out, &global);
}

/* Text that says kubefedctl, with the name that the program has here. */
static void write_text(struct buf *out, const char *self, struct str text)
{
    static const struct str usual = { "kubefedctl", sizeof("kubefedctl") - 1 };
    while (!str_empty(text)) {
        const char *at = memmem(text.p, text.n, usual.p, usual.n);
        size_t n = at ? (size_t)(at - text.p) : text.n;
        buf_add(out, text.p, n);
        if (at) {
            buf_addz(out, self);
            n += usual.n;
        }
        text = str_n(text.p + n, text.n - n);
    }
}

/* Text with two spaces before each line that is not empty. */
static void write_indented(struct buf *out, const char *self, const char *text)
{
    for (struct str line, rest = str_of(text); !str_empty(rest);) {
        str_cut(rest, '\n', &line, &rest);
        if (!str_empty(line))
            buf_addz(out, "  ");
        write_text(out, self, line);
        buf_addc(out, '\n');
    }
}

static void write_commands(struct buf *out, const struct verb *v)
{
    size_t n = v ? v->n_children : n_verbs, width = 0;
    for (size_t i = 0; i < n; i++)
        width = MAX(width, strlen(v ? v->children[i].name : verbs[i]->name));
    buf_addz(out, "\nAvailable Commands:\n");
    for (size_t i = 0; i < n; i++) {
        const struct verb *c = v ? &v->children[i] : verbs[i];
        buf_printf(out, "  %-*s  %s\n", (int)width, c->name, c->summary);
    }
}

void help_usage(struct buf *out, const char *self, const char *path, const struct verb *v)
{
    bool parent = !v || v->n_children;
    buf_addz(out, "Usage:\n");
    if (parent)
        buf_printf(out, "  %s [command]\n", path);
    else
        buf_printf(out, "  %s%s%s [flags]\n", path, v->args[0] ? " " : "", v->args);
    if (v && v->examples) {
        buf_addz(out, "\nExamples:\n");
        write_indented(out, self, v->examples);
    }
    if (parent)
        write_commands(out, v);
    write_flags(out, v);
    if (parent)
        buf_printf(out, "\nUse \"%s [command] --help\" for more information about a command.\n", path);
}

const char help_root[] =
    "kubefedctl controls a KubeFed control plane: which clusters belong to it, which types of\n"
    "Kubernetes objects it spreads over them, and which objects.\n\n"
    "First steps: kubefedctl join a cluster, kubefedctl enable a type, kubefedctl federate an object.";

void help_full(struct buf *out, const char *self, const char *path, const struct verb *v)
{
    write_text(out, self, str_of(v ? v->description : help_root));
    buf_addz(out, "\n\n");
    help_usage(out, self, path, v);
}
