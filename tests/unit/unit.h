/* What every unit test includes: cmocka and the few checks that it lacks. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* After the four above, which it needs. */
#include <cmocka.h>

#include "base/error.h"
#include "base/rtime.h"
#include "base/str.h"

/* A slice and a C string have the same bytes; shows both when not. */
#define assert_str(slice, expected)                                                                                    \
    do {                                                                                                               \
        struct str _s = (slice);                                                                                       \
        char *_got = str_dup(_s);                                                                                      \
        if (!str_eqc(_s, (expected)))                                                                                  \
            fail_msg("got \"%s\", expected \"%s\"", _got, (expected));                                                 \
        free(_got);                                                                                                    \
    } while (0)

/* A call that must succeed; shows the error when it does not. `err` is a struct error * variable. */
#define assert_ok(call, err)                                                                                           \
    do {                                                                                                               \
        int _r = (call);                                                                                               \
        if (_r != 0)                                                                                                   \
            fail_msg("%s: %d: %s", #call, _r, error_msg(err));                                                         \
    } while (0)

/* The seed of a randomised test: UNIT_SEED from the environment or a new one; printed, so that a failure can be had
 * again. Seeds rand_u64 with it. */
static inline _unused_ uint64_t unit_seed(void)
{
    const char *given = getenv("UNIT_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : rand_u64();

    print_message("# UNIT_SEED=%llu\n", (unsigned long long)seed);
    rand_seed(seed);
    return seed;
}

#endif
