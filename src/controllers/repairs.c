/* See repairs.h. Entries of pairs that made peace are swept out when the map has doubled. */
#include "controllers/repairs.h"

#include <stdlib.h>

#define SWEEP_MIN 256u

struct fight {
    unsigned count; /* repairs made since peace */
    uint64_t last_ms;
};

static uint64_t wait_of(const struct fight *f)
{
    if (f->count < REPAIRS_FREE)
        return 0;
    return MIN((uint64_t)REPAIRS_WAIT_MS << MIN(f->count - REPAIRS_FREE, 16u), (uint64_t)REPAIRS_WAIT_MAX_MS);
}

static bool at_peace(const struct fight *f, uint64_t now_ms)
{
    return now_ms - f->last_ms >= MAX((uint64_t)REPAIRS_PEACE_MS, 2 * wait_of(f));
}

static void sweep(struct repairs *r, uint64_t now_ms)
{
    struct map_entry e;

    for (size_t i = 0; map_next(&r->fights, &i, &e);)
        if (at_peace(e.val, now_ms))
            free(map_remove(&r->fights, e.key));
    r->sweep_at = MAX(2 * map_count(&r->fights), (size_t)SWEEP_MIN);
}

void repairs_done(struct repairs *r)
{
    map_done_values(&r->fights, free);
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
        *f = (struct fight){ 0 };
    }
    wait = wait_of(f);
    if (wait && now_ms - f->last_ms < wait)
        return f->last_ms + wait - now_ms;
    f->count++;
    f->last_ms = now_ms;
    return 0;
}
