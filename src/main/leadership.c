/* See leadership.h. */
#include "leadership.h"

#include <assert.h>

void leadership_began(struct leadership *l)
{
    assert(!l->electing && !l->releasing);
    l->electing = true;
}

void leadership_won(struct leadership *l)
{
    assert(l->electing && !l->leading);
    l->leading = true;
}

struct leadership_change leadership_changed(struct leadership *l, bool same_election)
{
    struct leadership_change change = { .lead = l->leading && same_election, .release = l->electing && !same_election };

    l->leading = change.lead;
    if (change.release) {
        l->electing = false;
        l->releasing = true;
    }
    return change;
}

void leadership_released(struct leadership *l)
{
    assert(l->releasing && !l->leading);
    l->releasing = false;
}

bool leadership_ends(struct leadership *l)
{
    bool elected = l->electing;

    l->electing = l->leading = false;
    return elected;
}
