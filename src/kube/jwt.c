/* See jwt.h. The payload is the part between the two dots, base64 with the URL alphabet and without padding. */
#include "kube/jwt.h"

#include <stdlib.h>

#include "base/encode.h"
#include "json/json.h"

#define MAX_TOKEN ((size_t)64 << 10)
#define SUBJECT "system:serviceaccount:"

void jwt_claims_done(struct jwt_claims *c)
{
    free(c->service_account_ns);
    free(c->service_account);
    *c = (struct jwt_claims){ 0 };
}

static int decode_payload(struct str payload, struct buf *ret)
{
    _cleanup_buf_ struct buf standard = BUF_INIT(MAX_TOKEN + 4);
    for (size_t i = 0; i < payload.n; i++) {
        char c = payload.p[i];
        if (c == '+' || c == '/' || c == '=' || c == '\r' || c == '\n')
            return -EINVAL;
        buf_addc(&standard, c == '-' ? '+' : c == '_' ? '/' : c);
    }
    while (standard.n % 4)
        buf_addc(&standard, '=');
    return base64_decode(ret, buf_str(&standard), NULL);
}

/* NumericDate: seconds, maybe with a fraction. Anything else counts as not said. */
static int64_t date_of(yyjson_val *v)
{
    int64_t n;
    if (json_i64(v, &n) == 0)
        return n > 0 ? n : 0;
    double d = yyjson_is_real(v) ? yyjson_get_real(v) : 0;
    return d > 0 && d < 1e15 ? (int64_t)d : 0;
}

static void take_subject(struct str subject, struct jwt_claims *ret)
{
    struct str rest, ns, name;
    if (!str_has_prefix(subject, STR(SUBJECT)))
        return;
    rest = str_n(subject.p + strlen(SUBJECT), subject.n - strlen(SUBJECT));
    if (!str_cut(rest, ':', &ns, &name) || !str_is_dns1123_label(ns) || !str_is_dns1123_subdomain(name))
        return;
    ret->service_account_ns = str_dup(ns);
    ret->service_account = str_dup(name);
}

int jwt_read(struct str token, struct jwt_claims *ret)
{
    struct str header, rest, payload, signature;
    _cleanup_buf_ struct buf text = BUF_INIT(MAX_TOKEN);
    _cleanup_json_ yyjson_doc *doc = NULL;
    if (token.n > MAX_TOKEN || !str_cut(token, '.', &header, &rest) || !str_cut(rest, '.', &payload, &signature) ||
        str_empty(header) || str_empty(payload) || memchr(signature.p, '.', signature.n))
        return -EINVAL;
    if (decode_payload(payload, &text) < 0 || json_parse(buf_str(&text), &doc, NULL) < 0)
        return -EINVAL;
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(root))
        return -EINVAL;
    *ret = (struct jwt_claims){ .issued_at = date_of(json_get(root, "iat")),
                                .expires_at = date_of(json_get(root, "exp")) };
    take_subject(json_str(json_get(root, "sub")), ret);
    return 0;
}
