/* See table.h. Width is counted in code points: names of Kubernetes are ASCII, and messages stand in the last column. */
#include "cli/table.h"

#include <stdlib.h>

#include "base/utf8.h"

#define GAP 3
#define MAX_CELL ((size_t)1 << 16)

void table_init(struct table *t, const char *const *headings, size_t n)
{
    *t = (struct table){ .n_columns = n };
    for (size_t i = 0; i < n; i++)
        table_add_styled(t, str_of(headings[i]), STYLE_BOLD);
}

void table_done(struct table *t)
{
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i].text);
    free(t->cells);
    *t = (struct table){ 0 };
}

/* Orders to the terminal, and marks that make text run the other way. */
static bool is_unfit(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void add_printable(struct buf *out, struct str text, size_t max)
{
    size_t from = out->n, i = 0;
    while (i < text.n && out->n - from < max) {
        uint32_t c;
        size_t n = utf8_decode(str_n(text.p + i, text.n - i), &c);
        if (n == 0)
            buf_addz(out, "\xef\xbf\xbd");
        else if (is_unfit(c))
            buf_addc(out, ' ');
        else
            buf_add(out, text.p + i, n);
        i += n ? n : 1;
    }
    if (i < text.n)
        buf_addz(out, "...");
}

void table_add_styled(struct table *t, struct str text, enum style style)
{
    struct buf b = BUF_INIT(4 * MAX_CELL);
    add_printable(&b, text, MAX_CELL);
    MEM_GROW(t->cells, t->cap_cells, t->n_cells);
    t->cells[t->n_cells++] = (struct table_cell){ buf_take(&b, NULL), style };
}

void table_add(struct table *t, struct str text)
{
    table_add_styled(t, text, STYLE_PLAIN);
}

void table_addf(struct table *t, const char *fmt, ...)
{
    _cleanup_buf_ struct buf b = BUF_INIT(MAX_CELL);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    table_add(t, buf_str(&b));
}

void table_end_row(struct table *t)
{
    while (t->n_cells % t->n_columns)
        table_add(t, STR(""));
}

size_t table_rows(const struct table *t)
{
    return t->n_cells / t->n_columns - 1;
}

static size_t width_of(const char *text)
{
    size_t n = 0;
    for (const char *p = text; *p; p++)
        n += ((unsigned char)*p & 0xc0) != 0x80;
    return n;
}

static size_t column_width(const struct table *t, size_t column)
{
    size_t width = 0;
    for (size_t i = column; i < t->n_cells; i += t->n_columns)
        width = MAX(width, width_of(t->cells[i].text));
    return width;
}

/* The last cell that is not empty ends its line. */
static void write_row(const struct table *t, const struct cli *cli, size_t row, const size_t *widths, struct buf *out)
{
    const struct table_cell *cells = t->cells + row * t->n_columns;
    size_t n = t->n_columns;
    while (n && !cells[n - 1].text[0])
        n--;
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%s%s%s", style_begin(cli, cells[i].style), cells[i].text, style_end(cli, cells[i].style));
        if (i + 1 < n)
            buf_printf(out, "%*s", (int)(widths[i] - width_of(cells[i].text) + GAP), "");
    }
    buf_addc(out, '\n');
}

static size_t *all_widths(const struct table *t)
{
    size_t *widths = mem_array(t->n_columns, sizeof(*widths));
    for (size_t i = 0; i < t->n_columns; i++)
        widths[i] = column_width(t, i);
    return widths;
}

void table_write(const struct table *t, const struct cli *cli, bool headings, struct buf *out)
{
    _cleanup_free_ size_t *widths = all_widths(t);
    for (size_t row = headings ? 0 : 1; row <= table_rows(t); row++)
        write_row(t, cli, row, widths, out);
}

void table_write_row(const struct table *t, const struct cli *cli, size_t row, struct buf *out)
{
    _cleanup_free_ size_t *widths = all_widths(t);
    write_row(t, cli, row + 1, widths, out);
}

void table_write_headings(const struct table *t, const struct cli *cli, struct buf *out)
{
    _cleanup_free_ size_t *widths = all_widths(t);
    write_row(t, cli, 0, widths, out);
}
