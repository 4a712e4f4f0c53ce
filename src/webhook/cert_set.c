/* See cert_set.h. */
#include "webhook/cert_set.h"

#include <stdlib.h>

#include "base/encode.h"
#include "net/tls.h"
#include "net/tls_issue.h"
#include "net/tls_pem.h"
#include "net/tls_server.h"

/* Clocks differ: what is issued now must be valid a little earlier elsewhere. */
#define BACKDATE_S 3600
#define PEM_MAX ((size_t)256 << 10)
#define AUTHORITY_NAME "kubefed-admission-webhook-ca"

static void clear(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void cert_set_done(struct cert_set *s)
{
    free(s->ca_crt);
    clear(s->ca_key);
    free(s->tls_crt);
    clear(s->tls_key);
    *s = (struct cert_set){ 0 };
}

/* --- the Secret --- */

static const struct {
    const char *key;
    size_t offset;
} members[] = {
    { "ca.crt", offsetof(struct cert_set, ca_crt) },
    { "ca.key", offsetof(struct cert_set, ca_key) },
    { "tls.crt", offsetof(struct cert_set, tls_crt) },
    { "tls.key", offsetof(struct cert_set, tls_key) },
};

static char **at(struct cert_set *s, size_t i)
{
    return (char **)(void *)((char *)s + members[i].offset);
}

static int decode_member(yyjson_val *data, size_t i, struct cert_set *s, struct error **err)
{
    _cleanup_buf_ struct buf pem = BUF_SECRET_INIT(PEM_MAX);
    struct str text = json_str(json_get(data, members[i].key));

    if (str_empty(text))
        return error_set(err, -ENOENT, "it has no %s", members[i].key);
    if (base64_decode(&pem, text, NULL) < 0 || pem.n == 0 || memchr(pem.p, '\0', pem.n))
        return error_set(err, -EINVAL, "its %s cannot be read", members[i].key);
    *at(s, i) = buf_take(&pem, NULL);
    return 0;
}

int cert_set_decode(yyjson_val *secret, struct cert_set *ret, struct error **err)
{
    _cleanup_cert_set_ struct cert_set s = { 0 };
    _cleanup_(tls_server_unrefp) struct tls_server *usable = NULL;
    int64_t unused;
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(members) && r == 0; i++)
        r = decode_member(json_get(secret, "data"), i, &s, err);
    if (r == 0)
        r = tls_server_new(str_of(s.tls_crt), str_of(s.tls_key), &usable, err);
    if (r == 0)
        r = tls_pem_validity(str_of(s.tls_crt), &unused, &s.serving_until, err);
    if (r == 0)
        r = tls_pem_validity(str_of(s.ca_crt), &unused, &s.authority_until, err);
    if (r < 0)
        return r;
    *ret = s;
    s = (struct cert_set){ 0 };
    return 0;
}

void cert_set_encode(struct buf *out, const struct cert_set *s)
{
    buf_addz(out, "{");
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        buf_printf(out, "%s\"%s\":\"", i ? "," : "", members[i].key);
        base64_encode(out, str_of(*at((struct cert_set *)(uintptr_t)s, i)));
        buf_addz(out, "\"");
    }
    buf_addz(out, "}");
}

/* --- renewal --- */

static bool lasts(int64_t until, int64_t life, int64_t now)
{
    return until - now > life / 3;
}

static bool names_fit(const char *tls_crt, const char *ca_crt, const char *const *dns_names, size_t n, int64_t now)
{
    for (size_t i = 0; i < n; i++)
        if (tls_pem_verify(str_of(tls_crt), str_of(ca_crt), dns_names[i], now, NULL) < 0)
            return false;
    return true;
}

/* The first certificate of a bundle. */
static struct str first_of(const char *bundle)
{
    static const char end[] = "-----END CERTIFICATE-----";
    const char *p = strstr(bundle, end);

    return p ? str_n(bundle, (size_t)(p - bundle) + strlen(end)) : str_of(bundle);
}

static int new_authority(const struct cert_set *old, int64_t now, struct tls_pair *ret, char **ret_bundle,
                         struct error **err)
{
    struct buf bundle = BUF_INIT(PEM_MAX);
    int r = tls_issue_authority(AUTHORITY_NAME, now - BACKDATE_S, now + CERT_AUTHORITY_LIFE_S, ret, err);

    if (r < 0)
        return r;
    buf_addz(&bundle, ret->cert_pem);
    if (old && old->authority_until > now) { /* others may serve with it for a moment yet */
        buf_adds(&bundle, first_of(old->ca_crt));
        buf_addz(&bundle, "\n");
    }
    *ret_bundle = buf_take(&bundle, NULL);
    return 0;
}

int cert_set_renew(const struct cert_set *old, const char *const *dns_names, size_t n, int64_t now,
                   struct cert_set *ret, struct error **err)
{
    struct tls_pair authority = { 0 }, serving = { 0 };
    _cleanup_free_ char *bundle = NULL;
    bool keep = old && lasts(old->authority_until, CERT_AUTHORITY_LIFE_S, now);
    int r = -EINVAL;

    if (keep && lasts(old->serving_until, CERT_SERVING_LIFE_S, now) &&
        names_fit(old->tls_crt, old->ca_crt, dns_names, n, now))
        return 0;
    if (keep) {
        authority = (struct tls_pair){ str_dup(first_of(old->ca_crt)), mem_strdup(old->ca_key) };
        bundle = mem_strdup(old->ca_crt);
        r = tls_issue_serving(&authority, dns_names, n, now - BACKDATE_S, now + CERT_SERVING_LIFE_S, &serving, NULL);
        if (r == 0 && !names_fit(serving.cert_pem, bundle, dns_names, n, now)) {
            tls_pair_done(&serving);
            r = -EKEYREJECTED;
        }
    }
    if (r < 0) { /* there is none, or it cannot sign, or nobody would take what it signs */
        tls_pair_done(&authority);
        free(TAKE_PTR(bundle));
        r = new_authority(old, now, &authority, &bundle, err);
        if (r == 0)
            r = tls_issue_serving(&authority, dns_names, n, now - BACKDATE_S, now + CERT_SERVING_LIFE_S, &serving, err);
    }
    if (r == 0) {
        *ret = (struct cert_set){ .ca_crt = TAKE_PTR(bundle),
                                  .ca_key = TAKE_PTR(authority.key_pem),
                                  .tls_crt = TAKE_PTR(serving.cert_pem),
                                  .tls_key = TAKE_PTR(serving.key_pem),
                                  .serving_until = now + CERT_SERVING_LIFE_S };
        int64_t unused;
        tls_pem_validity(str_of(ret->ca_crt), &unused, &ret->authority_until, NULL);
    }
    tls_pair_done(&authority);
    tls_pair_done(&serving);
    return r < 0 ? r : 1;
}
