/* Inside src/cli: tables made for eyes: columns as wide as their widest cell, three spaces apart, no lines, as kubectl. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/style.h"

struct table_cell {
    char *text; /* owned, printable */
    enum style style;
};
struct table {
    size_t n_columns;
    struct table_cell *cells; /* row by row; the first row are the headings */
    size_t n_cells, cap_cells;
};

/* headings: constant strings. Free with table_done. */
void table_init(struct table *t, const char *const *headings, size_t n);
void table_done(struct table *t);
#define _cleanup_table_ _cleanup_(table_done)
/* The next cell; rows fill from left to right. The text is copied with control characters made harmless. */
void table_add(struct table *t, struct str text);
void table_add_styled(struct table *t, struct str text, enum style style);
void table_addf(struct table *t, const char *fmt, ...) _printf_(2, 3);
/* Fills the row that was begun with empty cells. */
void table_end_row(struct table *t);
/* Rows without the headings. */
size_t table_rows(const struct table *t);
/* Appends the table to `out`; styles only when cli is coloured. headings: with their line. */
void table_write(const struct table *t, const struct cli *cli, bool headings, struct buf *out);
void table_write_headings(const struct table *t, const struct cli *cli, struct buf *out);
/* One row, with the widths of the whole table. */
void table_write_row(const struct table *t, const struct cli *cli, size_t row, struct buf *out);

/* Appends text that may come from a server: control characters and broken UTF-8 become spaces or U+FFFD, so that a terminal takes
 * no orders from it. At most max bytes, then "...". */
void add_printable(struct buf *out, struct str text, size_t max);

#endif
