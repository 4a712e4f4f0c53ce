/* Time: monotonic for durations, wall clock for API objects; Go durations and RFC 3339 in and out. */
#ifndef BASE_RTIME_H
#define BASE_RTIME_H

#include "base/buf.h"
#include "base/error.h"

#define NSEC_PER_MS 1000000LL
#define NSEC_PER_SEC 1000000000LL

uint64_t time_mono_ms(void);
uint64_t time_mono_ns(void);
int64_t time_wall_s(void); /* seconds since the epoch */

/* "2006-01-02T15:04:05Z", as metav1.Time prints. buf of 21 bytes. */
void time_rfc3339(int64_t wall_s, char out[static 21]);
/* Accepts fractions and offsets. Returns 0 or -EINVAL. */
int time_parse_rfc3339(struct str s, int64_t *ret_wall_s);
/* The date of an HTTP header, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7, the form that is sent). Returns 0 or -EINVAL. */
int time_parse_http(struct str s, int64_t *ret_wall_s);

/* Go duration syntax (api-and-cli.md 1.2); result in nanoseconds. Error texts as Go's. */
int duration_parse(struct str s, int64_t *ret_ns, struct error **err);
/* Canonical Go form: "20s", "1m0s", "1.5s", "0s". buf of 32 bytes. */
void duration_format(int64_t ns, char out[static 32]);

/* Exponential backoff with jitter: initial, doubling to max. */
struct backoff {
    uint64_t initial_ms, max_ms, current_ms;
};
uint64_t backoff_next(struct backoff *b); /* ms to wait now: in [current, current*2) with jitter */
static inline void backoff_reset(struct backoff *b)
{
    b->current_ms = 0;
}

/* Not for secrets: seeded from the kernel once, or by rand_seed in tests. */
void rand_seed(uint64_t seed);
uint64_t rand_u64(void);
uint64_t rand_below(uint64_t n); /* [0, n), n > 0 */
/* n random characters of the set Kubernetes uses for generated names ("bcdfghjklmnpqrstvwxz2456789"). */
void rand_name(char *out, size_t n); /* writes n bytes and a NUL */

#endif
