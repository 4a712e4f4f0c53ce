/* Finds the known word nearest to a mistyped one: for "did you mean" after an unknown verb or flag. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include "base/str.h"

#define SUGGEST_MAX_DISTANCE 2u

/* Edits (insert, delete, replace, swap of neighbours) from a to b, ignoring ASCII case. Words longer than 64 bytes are
 * infinitely far from everything (SIZE_MAX). */
size_t suggest_distance(struct str a, struct str b);

/* Is `word` worth suggesting for `typed`: at most SUGGEST_MAX_DISTANCE edits away, or begins with it? */
bool suggest_is_near(struct str typed, const char *word);

/* Keeps the nearest of the words offered; best stays NULL when none is near. */
struct suggest {
    struct str typed;
    const char *best; /* borrowed */
    size_t distance;
};
struct suggest suggest_begin(struct str typed);
void suggest_offer(struct suggest *s, const char *word);

#endif
