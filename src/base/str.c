/*
 * Operations on byte slices, and the name rules of Kubernetes (apimachinery's validation of RFC 1123 and 1035 names).
 * Nothing here owns memory except what str_dup and str_lower return.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/str.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/random.h>

#define DNS_SUBDOMAIN_MAX 253
#define DNS_LABEL_MAX 63

int str_cmp(struct str a, struct str b)
{
    size_t n = MIN(a.n, b.n);
    int r = n ? memcmp(a.p, b.p, n) : 0;

    if (r)
        return r;
    return a.n < b.n ? -1 : a.n > b.n;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_ieq(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool str_has_prefix(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq(str_n(s.p, prefix.n), prefix);
}

bool str_has_suffix(struct str s, struct str suffix)
{
    if (s.n < suffix.n)
        return false;
    return suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0;
}

bool str_contains(struct str s, struct str needle)
{
    if (needle.n == 0)
        return true;
    return s.n >= needle.n && memmem(s.p, s.n, needle.p, needle.n) != NULL;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.n && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool cut_at(struct str s, const char *at, struct str *head, struct str *tail)
{
    if (!at) {
        *head = s;
        *tail = STR_NULL;
        return false;
    }
    *head = str_n(s.p, (size_t)(at - s.p));
    *tail = str_n(at + 1, s.n - head->n - 1);
    return true;
}

bool str_cut(struct str s, char sep, struct str *head, struct str *tail)
{
    return cut_at(s, s.n ? memchr(s.p, sep, s.n) : NULL, head, tail);
}

bool str_rcut(struct str s, char sep, struct str *head, struct str *tail)
{
    return cut_at(s, s.n ? memrchr(s.p, sep, s.n) : NULL, head, tail);
}

/* Digits only, at least one. A syntax error anywhere wins over a range error. */
static int digits_to_u64(struct str s, uint64_t *ret)
{
    uint64_t v = 0;
    bool overflow = false;

    if (s.n == 0)
        return -EINVAL;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -EINVAL;
        overflow |= __builtin_mul_overflow(v, 10, &v);
        overflow |= __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v);
    }
    if (overflow)
        return -ERANGE;
    *ret = v;
    return 0;
}

static struct str take_sign(struct str s, bool *negative)
{
    *negative = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        return str_n(s.p + 1, s.n - 1);
    return s;
}

int str_to_i64(struct str s, int64_t *ret)
{
    bool negative;
    uint64_t v;
    int r = digits_to_u64(take_sign(s, &negative), &v);

    if (r < 0)
        return r;
    if (v > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return -ERANGE;
    *ret = (int64_t)(negative ? 0 - v : v);
    return 0;
}

int str_to_u64(struct str s, uint64_t *ret)
{
    bool negative;
    uint64_t v;
    int r = digits_to_u64(take_sign(s, &negative), &v);

    if (r < 0)
        return r;
    if (negative && v)
        return -ERANGE;
    *ret = v;
    return 0;
}

char *str_dup(struct str s)
{
    return mem_strndup(s.p, s.n);
}

char *str_lower(struct str s)
{
    char *p = str_dup(s);

    for (size_t i = 0; i < s.n; i++)
        p[i] = lower(p[i]);
    return p;
}

uint64_t str_hash(struct str s)
{
    return XXH3_64bits(s.n ? s.p : "", s.n);
}

/* Two threads that draw at the same time agree on the first value stored. */
static uint64_t process_seed(void)
{
    static _Atomic uint64_t seed;
    uint64_t now = seed, drawn = 0;

    if (now)
        return now;
    if (getrandom(&drawn, sizeof(drawn), 0) != (ssize_t)sizeof(drawn))
        drawn = (uint64_t)(uintptr_t)&drawn;
    drawn |= 1;
    return atomic_compare_exchange_strong(&seed, &now, drawn) ? drawn : now;
}

uint64_t str_hash_keyed(struct str s)
{
    return XXH3_64bits_withSeed(s.n ? s.p : "", s.n, process_seed());
}

static bool is_lower_alpha(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_lower_alnum(char c)
{
    return is_lower_alpha(c) || (c >= '0' && c <= '9');
}

/* Letters, digits and inner dashes; any length but zero. */
static bool is_dns_part(struct str s)
{
    if (s.n == 0 || !is_lower_alnum(s.p[0]) || !is_lower_alnum(s.p[s.n - 1]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_lower_alnum(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

bool str_is_dns1123_label(struct str s)
{
    return s.n <= DNS_LABEL_MAX && is_dns_part(s);
}

bool str_is_dns1035_label(struct str s)
{
    return str_is_dns1123_label(s) && is_lower_alpha(s.p[0]);
}

bool str_is_dns1123_subdomain(struct str s)
{
    struct str part;
    bool more = true;

    if (s.n == 0 || s.n > DNS_SUBDOMAIN_MAX)
        return false;
    /* Kubernetes does not limit the length of the parts. */
    while (more) {
        more = str_cut(s, '.', &part, &s);
        if (!is_dns_part(part))
            return false;
    }
    return true;
}
