/* Inside src/cli: colours on stdout, and ages as kubectl shows them. */
#ifndef CLI_STYLE_H
#define CLI_STYLE_H

#include "cli/session.h"

enum style { STYLE_PLAIN, STYLE_GOOD, STYLE_WARNING, STYLE_BAD, STYLE_DIM, STYLE_BOLD, STYLE_ADDED, STYLE_REMOVED };

/* The escape sequence that begins a style, and the one that ends it; "" unless stdout is a terminal with colours and NO_COLOR is
 * not set (no-color.org). */
const char *style_begin(const struct cli *cli, enum style s);
const char *style_end(const struct cli *cli, enum style s);

/* Is stdout for eyes in colour? TERM=dumb and any non-empty NO_COLOR say no. */
bool style_wanted(void);

/* "5s", "3m20s", "47m", "5h10m", "23h", "2d3h", "40d", "2y30d": as kubectl. Negative: "0s". buf of 24 bytes. */
void age_format(int64_t seconds, char out[static 24]);
/* The age at `now` of an RFC 3339 time; "<unknown>" when it is none. */
void age_of(struct str rfc3339, int64_t now, char out[static 24]);

#endif
