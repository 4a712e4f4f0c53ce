/* See suggest.h. The classic table of edit distances, three rows of it at a time, for short words. */
#include "cli/suggest.h"

#define MAX_WORD 64u

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

size_t suggest_distance(struct str a, struct str b)
{
    size_t rows[3][MAX_WORD + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    if (a.n > MAX_WORD || b.n > MAX_WORD)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.n; j++)
        above[j] = before[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            char x = lower(a.p[i - 1]), y = lower(b.p[j - 1]);
            size_t best = MIN(above[j] + 1, row[j - 1] + 1);
            best = MIN(best, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b.p[j - 2]) && y == lower(a.p[i - 2]))
                best = MIN(best, before[j - 2] + 1);
            row[j] = best;
        }
        size_t *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[b.n];
}

static bool begins_with(const char *word, struct str typed)
{
    size_t n = strlen(word);
    return typed.n > 0 && typed.n <= n && str_ieq(str_n(word, typed.n), typed);
}

bool suggest_is_near(struct str typed, const char *word)
{
    return begins_with(word, typed) || suggest_distance(typed, str_of(word)) <= SUGGEST_MAX_DISTANCE;
}

struct suggest suggest_begin(struct str typed)
{
    return (struct suggest){ .typed = typed, .distance = SIZE_MAX };
}

void suggest_offer(struct suggest *s, const char *word)
{
    size_t d = suggest_distance(s->typed, str_of(word));
    if (!suggest_is_near(s->typed, word) || (s->best && d >= s->distance))
        return;
    s->best = word;
    s->distance = d;
}
