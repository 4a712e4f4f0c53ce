/*
 * Pseudo-random numbers for jitter and generated names, never for secrets; and exponential backoff. The generator is
 * splitmix64, one state per thread, so that no lock is needed. A test that calls rand_seed gets the same sequence
 * again.
 */
#include <sys/random.h>

#include "base/rtime.h"

static _Thread_local uint64_t state;
static _Thread_local bool seeded;

void rand_seed(uint64_t seed)
{
    state = seed;
    seeded = true;
}

uint64_t rand_u64(void)
{
    uint64_t seed, z;

    if (!seeded) {
        if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
            seed = time_mono_ns();
        rand_seed(seed);
    }
    state += 0x9e3779b97f4a7c15u;
    z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t rand_below(uint64_t n)
{
    uint64_t limit, v;

    assert(n > 0);
    /* Values beyond the last whole multiple of n would favour small results. */
    limit = UINT64_MAX - UINT64_MAX % n;
    do
        v = rand_u64();
    while (v >= limit);
    return v % n;
}

void rand_name(char *out, size_t n)
{
    static const char set[] = "bcdfghjklmnpqrstvwxz2456789";

    for (size_t i = 0; i < n; i++)
        out[i] = set[rand_below(sizeof(set) - 1)];
    out[n] = '\0';
}

uint64_t backoff_next(struct backoff *b)
{
    uint64_t max = MAX(b->max_ms, (uint64_t)1);

    if (b->current_ms == 0)
        b->current_ms = MIN(MAX(b->initial_ms, (uint64_t)1), max);
    else
        b->current_ms = b->current_ms > max / 2 ? max : b->current_ms * 2;
    return b->current_ms + rand_below(b->current_ms);
}
