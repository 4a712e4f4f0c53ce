/* Inside src/cli: the parts of status: cmd_status.c drives, status_view.c shows many objects, status_detail.c one. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include "cli/board.h"
#include "cli/object_state.h"
#include "cli/table.h"

struct status_view {
    struct board *board;
    enum cli_output output;
    bool all_namespaces; /* with a column for the namespace */
    bool problems;       /* only objects that somebody should look at */
    int64_t now;         /* seconds since the epoch */
};

/* Objects as rows. counts: how many there are, and of which a problem is known. */
struct status_counts {
    size_t objects, problems, pending, clusters, not_ready;
};
void status_table(const struct status_view *v, struct table *ret, struct status_counts *counts);
/* The lines above and below the table. */
void status_head(const struct status_view *v, struct buf *out);
void status_foot(const struct status_view *v, const struct status_counts *counts, struct buf *out);
/* All of it as a document. */
yyjson_mut_doc *status_document(const struct status_view *v);

/* One object: its clusters, what is wrong there and why. -ENOENT when it does not exist. */
int status_detail(const struct status_view *v, struct str ns, struct str name, struct buf *out, struct error **err);

/* One cluster of a board, decoded for people. */
struct cluster_line {
    struct str name, version, reason, message, since, probed, created, endpoint;
    const char *ready; /* "True", "False", "Unknown" */
};
/* Borrows from the document. */
void cluster_line_of(yyjson_val *kfc, struct cluster_line *ret);
enum style cluster_style(const struct cluster_line *c);

#endif
