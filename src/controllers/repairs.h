/*
 * Fights: another writer in a member changes what federation keeps in place, again and again. The first repairs are made at
 * once; then each waits longer, so that two stubborn writers do not keep an API server busy.
 */
#ifndef CONTROLLERS_REPAIRS_H
#define CONTROLLERS_REPAIRS_H

#include "base/map.h"

#define REPAIRS_FREE 5u
#define REPAIRS_WAIT_MS 1000u /* after the first that was not free; doubles */
#define REPAIRS_WAIT_MAX_MS 64000u
/* A pair that was quiet for this long, and for twice its last wait, has made peace. */
#define REPAIRS_PEACE_MS 60000u

/* By "<cluster>\n<key>". Zero before first use. */
struct repairs {
    struct map fights;
    size_t sweep_at;
};
void repairs_done(struct repairs *r);
/* May the object `key` be repaired in `cluster` at now_ms (monotonic)? 0: yes, and it is counted. Otherwise the number of
 * milliseconds to wait before asking again. */
uint64_t repairs_ask(struct repairs *r, struct str cluster, struct str key, uint64_t now_ms);

#endif
