/* See repairs.h. Entries of pairs that made peace are swept out when the map has doubled. */
#include "controllers/repairs.h"

#include <stdlib.h>

#define SWEEP_MIN 256u

struct fight {
    unsigned count; /* repairs made since peace */
    uint64_t last_ms;
    struct fed_contest contest; /* empty: not explained */
};

static void fight_free(void *p)
{
    struct fight *f = p;

    fed_contest_done(&f->contest);
    free(f);
}

static struct fight *find(const struct repairs *r, struct str cluster, struct str key)
{
    if (map_count(&r->fights) == 0)
        return NULL;
    _cleanup_free_ char *id = mem_printf("%" PRIstr "\n%" PRIstr, STRARG(cluster), STRARG(key));

    return map_get(&r->fights, str_of(id));
}

static uint64_t wait_of(const struct fight *f)
{
    if (f->count < REPAIRS_FREE)
        return 0;
    return MIN((uint64_t)REPAIRS_WAIT_MS << MIN(f->count - REPAIRS_FREE, 16u), (uint64_t)REPAIRS_WAIT_MAX_MS);
}

static uint64_t peace_after(const struct fight *f)
{
    return MAX((uint64_t)REPAIRS_PEACE_MS, 2 * wait_of(f));
}

static bool at_peace(const struct fight *f, uint64_t now_ms)
{
    return now_ms - f->last_ms >= peace_after(f);
}

static void sweep(struct repairs *r, uint64_t now_ms)
{
    struct map_entry e;

    for (size_t i = 0; map_next(&r->fights, &i, &e);)
        if (at_peace(e.val, now_ms))
            fight_free(map_remove(&r->fights, e.key));
    r->sweep_at = MAX(2 * map_count(&r->fights), (size_t)SWEEP_MIN);
}

void repairs_done(struct repairs *r)
{
    map_done_values(&r->fights, fight_free);
}

uint64_t repairs_ask(struct repairs *r, struct str cluster, struct str key, uint64_t now_ms)
{
    _cleanup_free_ char *id = mem_printf("%" PRIstr "\n%" PRIstr, STRARG(cluster), STRARG(key));
    struct fight *f = map_get(&r->fights, str_of(id));
    uint64_t wait;

    if (!f) {
        if (map_count(&r->fights) >= MAX(r->sweep_at, (size_t)SWEEP_MIN))
            sweep(r, now_ms);
        f = mem_zalloc(sizeof(*f));
        map_put(&r->fights, str_of(id), f);
    } else if (at_peace(f, now_ms)) {
        fed_contest_done(&f->contest);
        *f = (struct fight){ 0 };
    }
    wait = wait_of(f);
    if (wait && now_ms - f->last_ms < wait)
        return f->last_ms + wait - now_ms;
    r->total++;
    f->count++;
    f->last_ms = now_ms;
    return 0;
}

void repairs_explain(struct repairs *r, struct str cluster, struct str key, struct fed_contest *contest)
{
    struct fight *f = find(r, cluster, key);

    if (f) {
        fed_contest_done(&f->contest);
        f->contest = *contest;
        *contest = (struct fed_contest){ 0 };
    }
}

const struct fed_contest *repairs_contest(const struct repairs *r, struct str cluster, struct str key, uint64_t now_ms,
                                          uint64_t *ret_peace_ms)
{
    const struct fight *f = find(r, cluster, key);

    if (!f || !f->contest.field || at_peace(f, now_ms))
        return NULL;
    *ret_peace_ms = f->last_ms + peace_after(f) - now_ms;
    return &f->contest;
}

void repairs_each(const struct repairs *r, uint64_t now_ms,
                  void (*fn)(void *arg, struct str cluster, const struct fed_contest *contest), void *arg)
{
    struct map_entry e;

    for (size_t i = 0; map_next(&r->fights, &i, &e);) {
        const struct fight *f = e.val;
        struct str cluster, key;

        if (f->contest.field && !at_peace(f, now_ms) && str_cut(e.key, '\n', &cluster, &key))
            fn(arg, cluster, &f->contest);
    }
}
