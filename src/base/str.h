/*
 * A slice of bytes, passed by value, not NUL-terminated, not owned. Text is UTF-8 unless said otherwise.
 * A NULL slice (p == NULL) means "absent"; it compares equal to the empty slice.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <string.h>

#include "base/base.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(lit) ((struct str){ "" lit, sizeof(lit) - 1 })
#define STR_NULL ((struct str){ NULL, 0 })
/* For printf: printf("%" PRIstr, STRARG(s)) */
#define PRIstr ".*s"
#define STRARG(s) ((int)(s).n), ((s).p ? (s).p : "")

static inline struct str str_of(const char *cstr)
{
    return cstr ? (struct str){ cstr, strlen(cstr) } : STR_NULL;
}
static inline struct str str_n(const char *p, size_t n)
{
    return (struct str){ p, n };
}
static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_eqc(struct str a, const char *cstr)
{
    return str_eq(a, str_of(cstr));
}
static inline bool str_empty(struct str s)
{
    return s.n == 0;
}

/* Bytewise order, as Go and Kubernetes sort strings. Returns <0, 0, >0. */
int str_cmp(struct str a, struct str b);
bool str_ieq(struct str a, struct str b); /* ASCII case-insensitive */
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
bool str_contains(struct str s, struct str needle);
struct str str_trim(struct str s); /* ASCII white space at both ends */
/* Cuts at the first `sep`: *head before it, *tail after it. false (head = s, tail = absent) when there is none. */
bool str_cut(struct str s, char sep, struct str *head, struct str *tail);
/* Same at the last `sep`. */
bool str_rcut(struct str s, char sep, struct str *head, struct str *tail);
/* Decimal integers with optional sign, whole slice. Returns 0, -EINVAL, -ERANGE. */
int str_to_i64(struct str s, int64_t *ret);
int str_to_u64(struct str s, uint64_t *ret);
/* Owned, NUL-terminated copies. */
char *str_dup(struct str s);
char *str_lower(struct str s);   /* ASCII */
uint64_t str_hash(struct str s); /* XXH3, seed 0; stable within a build */
/* The same with a seed drawn once per process: for tables whose keys others choose. */
uint64_t str_hash_keyed(struct str s);

/* RFC 1123 subdomain (<=253) and label (<=63), RFC 1035 label: the rules of Kubernetes object names. */
bool str_is_dns1123_subdomain(struct str s);
bool str_is_dns1123_label(struct str s);
bool str_is_dns1035_label(struct str s);

#endif
