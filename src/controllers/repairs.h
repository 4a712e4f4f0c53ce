/*
 * Fights: another writer in a member changes what federation keeps in place, again and again. The first repairs are made at
 * once; then each waits longer, so that two stubborn writers do not keep an API server busy.
 */
#ifndef CONTROLLERS_REPAIRS_H
#define CONTROLLERS_REPAIRS_H

#include "base/map.h"
#include "fed/contest.h"

#define REPAIRS_FREE 5u
#define REPAIRS_WAIT_MS 1000u /* after the first that was not free; doubles */
#define REPAIRS_WAIT_MAX_MS 64000u
/* A pair that was quiet for this long, and for twice its last wait, has made peace. */
#define REPAIRS_PEACE_MS 60000u

/* By "<cluster>\n<key>". Zero before first use. */
struct repairs {
    struct map fights;
    size_t sweep_at;
    uint64_t total; /* repairs made */
};
void repairs_done(struct repairs *r);
/* May the object `key` be repaired in `cluster` at now_ms (monotonic)? 0: yes, and it is counted. Otherwise the number of
 * milliseconds to wait before asking again. */
uint64_t repairs_ask(struct repairs *r, struct str cluster, struct str key, uint64_t now_ms);

/* Says who fights about what; takes over what is in `contest`. Nothing when there is no such fight. */
void repairs_explain(struct repairs *r, struct str cluster, struct str key, struct fed_contest *contest);
/* The explanation while there is no peace, or NULL. Borrowed. *ret_peace_ms: in how many milliseconds there will be, should
 * nothing happen. */
const struct fed_contest *repairs_contest(const struct repairs *r, struct str cluster, struct str key, uint64_t now_ms,
                                          uint64_t *ret_peace_ms);
/* Calls fn for each fight that is explained and not over. */
void repairs_each(const struct repairs *r, uint64_t now_ms,
                  void (*fn)(void *arg, struct str cluster, const struct fed_contest *contest), void *arg);

#endif
