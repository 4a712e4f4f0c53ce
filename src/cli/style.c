/* See style.h. */
#include "cli/style.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rtime.h"

#define MINUTE INT64_C(60)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

bool style_wanted(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && !(no && no[0]) && term && term[0] && strcmp(term, "dumb") != 0;
}

const char *style_begin(const struct cli *cli, enum style s)
{
    static const char *const codes[] = {
        [STYLE_PLAIN] = "",      [STYLE_GOOD] = "\033[32m", [STYLE_WARNING] = "\033[33m", [STYLE_BAD] = "\033[31m",
        [STYLE_DIM] = "\033[2m", [STYLE_BOLD] = "\033[1m",  [STYLE_ADDED] = "\033[32m",   [STYLE_REMOVED] = "\033[31m",
    };
    return cli->coloured ? codes[s] : "";
}

const char *style_end(const struct cli *cli, enum style s)
{
    return cli->coloured && s != STYLE_PLAIN ? "\033[0m" : "";
}

/* "3m20s": the smaller unit is left out when it is 0. */
static void two_units(int64_t n, int64_t unit, char name, int64_t small, char small_name, char out[static 24])
{
    int64_t rest = n % unit / small;
    if (rest)
        snprintf(out, 24, "%d%c%d%c", (int)(n / unit), name, (int)rest, small_name);
    else
        snprintf(out, 24, "%d%c", (int)(n / unit), name);
}

void age_format(int64_t seconds, char out[static 24])
{
    int64_t s = seconds < 0 ? 0 : MIN(seconds, (int64_t)1000 * YEAR);
    if (s < 2 * MINUTE)
        snprintf(out, 24, "%" PRId64 "s", s);
    else if (s < 10 * MINUTE)
        two_units(s, MINUTE, 'm', 1, 's', out);
    else if (s < 3 * HOUR)
        snprintf(out, 24, "%" PRId64 "m", s / MINUTE);
    else if (s < 8 * HOUR)
        two_units(s, HOUR, 'h', MINUTE, 'm', out);
    else if (s < 2 * DAY)
        snprintf(out, 24, "%" PRId64 "h", s / HOUR);
    else if (s < 8 * DAY)
        two_units(s, DAY, 'd', HOUR, 'h', out);
    else if (s < 2 * YEAR)
        snprintf(out, 24, "%" PRId64 "d", s / DAY);
    else if (s < 8 * (int64_t)YEAR)
        two_units(s, YEAR, 'y', DAY, 'd', out);
    else
        snprintf(out, 24, "%" PRId64 "y", s / YEAR);
}

void age_of(struct str rfc3339, int64_t now, char out[static 24])
{
    int64_t then;
    if (time_parse_rfc3339(rfc3339, &then) < 0)
        snprintf(out, 24, "<unknown>");
    else
        age_format(now - then, out);
}
