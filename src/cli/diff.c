/*
 * See diff.h. The greedy algorithm of Myers on lines between a common head and tail; the furthest points of each round are kept so
 * that the way can be walked back. Beyond MAX_ROUNDS differences the middle is replaced as a whole.
 */
#include "cli/diff.h"

#include <stdlib.h>

#define CONTEXT 3
#define MAX_ROUNDS 1500

struct lines {
    struct str *v;
    size_t n;
};

/* One line of the result. */
struct edit {
    char kind; /* ' ', '-', '+' */
    struct str line;
};
struct edits {
    struct edit *v;
    size_t n, cap;
};

static struct lines split(struct str text)
{
    struct lines l = { mem_array(text.n + 1, sizeof(struct str)), 0 };
    for (struct str head, rest = text; !str_empty(rest);) {
        str_cut(rest, '\n', &head, &rest);
        l.v[l.n++] = head;
    }
    return l;
}

static void add(struct edits *e, char kind, struct str line)
{
    MEM_GROW(e->v, e->cap, e->n);
    e->v[e->n++] = (struct edit){ kind, line };
}

static void replace_all(const struct lines *a, const struct lines *b, struct edits *e)
{
    for (size_t i = 0; i < a->n; i++)
        add(e, '-', a->v[i]);
    for (size_t i = 0; i < b->n; i++)
        add(e, '+', b->v[i]);
}

/* Is the step to diagonal k of round d made down (a line of b) rather than to the right (a line of a)? */
static bool goes_down(const ptrdiff_t *v, ptrdiff_t k, ptrdiff_t d)
{
    return k == -d || (k != d && v[k - 1] < v[k + 1]);
}

/* One round: the furthest points with d differences. true: the end is reached. */
static bool advance(const struct lines *a, const struct lines *b, ptrdiff_t *v, ptrdiff_t d)
{
    for (ptrdiff_t k = -d; k <= d; k += 2) {
        ptrdiff_t x = goes_down(v, k, d) ? v[k + 1] : v[k - 1] + 1, y = x - k;
        while (x < (ptrdiff_t)a->n && y < (ptrdiff_t)b->n && str_eq(a->v[x], b->v[y])) {
            x++;
            y++;
        }
        v[k] = x;
        if (x >= (ptrdiff_t)a->n && y >= (ptrdiff_t)b->n)
            return true;
    }
    return false;
}

/* From the end back to the start; edits come out in reverse. saved[d]: the points before round d, for diagonals -d-1..d+1. */
static void walk_back(const struct lines *a, const struct lines *b, ptrdiff_t *const *saved, ptrdiff_t rounds,
                      struct edits *e)
{
    ptrdiff_t x = (ptrdiff_t)a->n, y = (ptrdiff_t)b->n;
    for (ptrdiff_t d = rounds; d >= 0; d--) {
        const ptrdiff_t *v = saved[d] + d + 1;
        ptrdiff_t k = x - y;
        ptrdiff_t from_k = d == 0 ? 0 : goes_down(v, k, d) ? k + 1 : k - 1;
        ptrdiff_t from_x = d == 0 ? 0 : v[from_k], from_y = from_x - from_k;
        while (x > from_x && y > from_y && x > 0 && y > 0) {
            add(e, ' ', a->v[x - 1]);
            x--;
            y--;
        }
        if (d == 0)
            return;
        if (x == from_x)
            add(e, '+', b->v[--y]);
        else
            add(e, '-', a->v[--x]);
    }
}

static void reverse(struct edits *e, size_t from)
{
    for (size_t i = from, j = e->n; i + 1 < j; i++) {
        struct edit t = e->v[i];
        e->v[i] = e->v[--j];
        e->v[j] = t;
    }
}

static void compare_middle(const struct lines *a, const struct lines *b, struct edits *e)
{
    size_t most = MIN(a->n + b->n, (size_t)MAX_ROUNDS), from = e->n;
    ptrdiff_t *all = mem_array(2 * most + 3, sizeof(*all)), *v = all + most + 1,
              **saved = mem_array(most + 1, sizeof(*saved));
    ptrdiff_t d = 0;
    bool found = false;
    for (; !found && d <= (ptrdiff_t)most; d++) {
        size_t n = 2 * (size_t)d + 3;
        saved[d] = mem_array(n, sizeof(*v));
        memcpy(saved[d], v - d - 1, n * sizeof(*v));
        found = advance(a, b, v, d);
    }
    if (found) {
        walk_back(a, b, saved, d - 1, e);
        reverse(e, from);
    } else {
        replace_all(a, b, e);
    }
    for (ptrdiff_t i = 0; i < d; i++)
        free(saved[i]);
    free(saved);
    free(all);
}

static void compare(const struct lines *a, const struct lines *b, struct edits *e)
{
    size_t head = 0, tail = 0;
    while (head < a->n && head < b->n && str_eq(a->v[head], b->v[head]))
        head++;
    while (tail < a->n - head && tail < b->n - head && str_eq(a->v[a->n - 1 - tail], b->v[b->n - 1 - tail]))
        tail++;
    struct lines x = { a->v + head, a->n - head - tail }, y = { b->v + head, b->n - head - tail };
    for (size_t i = 0; i < head; i++)
        add(e, ' ', a->v[i]);
    compare_middle(&x, &y, e);
    for (size_t i = a->n - tail; i < a->n; i++)
        add(e, ' ', a->v[i]);
}

/* --- hunks --- */

/* The end of the hunk that begins at `from`: behind it more than twice the context is unchanged. */
static size_t hunk_end(const struct edits *e, size_t from)
{
    size_t end = from, unchanged = 0;
    for (size_t i = from; i < e->n && unchanged <= (size_t)2 * CONTEXT; i++) {
        unchanged = e->v[i].kind == ' ' ? unchanged + 1 : 0;
        if (!unchanged)
            end = i + 1;
    }
    return MIN(end + CONTEXT, e->n);
}

static void write_hunk(const struct edits *e, size_t from, size_t to, size_t line_a, size_t line_b, const char *indent,
                       const struct cli *cli, struct buf *out)
{
    size_t n_a = 0, n_b = 0;
    for (size_t i = from; i < to; i++) {
        n_a += e->v[i].kind != '+';
        n_b += e->v[i].kind != '-';
    }
    buf_printf(out, "%s@@ -%zu,%zu +%zu,%zu @@\n", indent, n_a ? line_a : line_a - 1, n_a, n_b ? line_b : line_b - 1,
               n_b);
    for (size_t i = from; i < to; i++) {
        enum style s = e->v[i].kind == '+' ? STYLE_ADDED : e->v[i].kind == '-' ? STYLE_REMOVED : STYLE_PLAIN;
        buf_printf(out, "%s%s%c%" PRIstr "%s\n", indent, cli ? style_begin(cli, s) : "", e->v[i].kind,
                   STRARG(e->v[i].line), cli ? style_end(cli, s) : "");
    }
}

void diff_unified(struct str before, struct str after, const char *indent, const struct cli *cli, struct buf *out)
{
    struct lines a = split(before), b = split(after);
    struct edits e = { 0 };
    size_t line_a = 1, line_b = 1;
    compare(&a, &b, &e);
    for (size_t i = 0; i < e.n;) {
        size_t next = i;
        while (next < e.n && e.v[next].kind == ' ')
            next++;
        if (next == e.n)
            break;
        size_t from = next - i > CONTEXT ? next - CONTEXT : i, to = hunk_end(&e, next);
        line_a += from - i;
        line_b += from - i;
        write_hunk(&e, from, to, line_a, line_b, indent, cli, out);
        for (i = from; i < to; i++) {
            line_a += e.v[i].kind != '+';
            line_b += e.v[i].kind != '-';
        }
    }
    free(e.v);
    free(a.v);
    free(b.v);
}
