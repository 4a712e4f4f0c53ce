/* Inside src/cli: unified differences between two texts, line by line. Pure. */
#ifndef CLI_DIFF_H
#define CLI_DIFF_H

#include "cli/style.h"

/* Appends the hunks that turn `before` into `after` ("@@ -1,3 +1,4 @@" and lines that begin with ' ', '-' or '+'), three lines of
 * context, each line after `indent`. Nothing when they are equal. Texts too different for an exact answer at a reasonable cost get
 * a correct, longer one. cli: for colours; NULL: none. */
void diff_unified(struct str before, struct str after, const char *indent, const struct cli *cli, struct buf *out);

#endif
