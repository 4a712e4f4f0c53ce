/*
 * KubeFedCluster: decoding with the rules of the validating webhook (api-and-cli.md 4.4). Health is in health.c, endpoints
 * are in endpoint.c.
 */
#include "fed/cluster.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/rtime.h"
#include "fed/names.h"
#include "fed/violations.h"

static const struct {
    const char *name;
    unsigned bit;
} tls_checks[] = { { "*", FED_TLS_SKIP_ALL },
                   { "SubjectName", FED_TLS_SKIP_NAME },
                   { "ValidityPeriod", FED_TLS_SKIP_VALIDITY } };

static void decode_endpoint(struct violations *v, yyjson_val *spec, struct fed_cluster *c)
{
    _cleanup_error_ struct error *e = NULL;
    struct str endpoint = violations_str(v, spec, "apiEndpoint", "spec.apiEndpoint");

    if (fed_endpoint_parse(endpoint, &c->api_endpoint, &e) < 0)
        violations_add(v, "spec.apiEndpoint", "%s", e->msg);
    c->scheme_assumed = c->api_endpoint && !str_contains(endpoint, STR("://"));
}

static void decode_ca(struct violations *v, yyjson_val *spec, struct fed_cluster *c)
{
    _cleanup_buf_ struct buf pem = BUF_INIT(BUF_MAX_DEFAULT);
    struct str text = violations_str(v, spec, "caBundle", "spec.caBundle");
    size_t at = 0, n;

    if (text.n == 0)
        return;
    if (base64_decode(&pem, text, &at) < 0) {
        violations_add(v, "spec.caBundle", "illegal base64 data at input byte %zu", at);
        return;
    }
    c->ca_pem.p = buf_take(&pem, &n);
    c->ca_pem.n = n;
}

static void decode_secret(struct violations *v, yyjson_val *spec, struct fed_cluster *c)
{
    struct str name = violations_str(v, json_get(spec, "secretRef"), "name", "spec.secretRef.name");

    if (str_empty(name))
        violations_required(v, "spec.secretRef.name");
    else
        violations_subdomain(v, "spec.secretRef.name", name);
    c->secret_name = str_dup(name);
}

static unsigned tls_bit(struct violations *v, struct str value)
{
    const char *names[ARRAY_SIZE(tls_checks)];

    for (size_t i = 0; i < ARRAY_SIZE(tls_checks); i++) {
        if (str_eqc(value, tls_checks[i].name))
            return tls_checks[i].bit;
        names[i] = tls_checks[i].name;
    }
    violations_enum(v, "spec.disabledTLSValidations", value, names, ARRAY_SIZE(names));
    return 0;
}

static void decode_tls(struct violations *v, yyjson_val *spec, struct fed_cluster *c)
{
    yyjson_val *list = json_get(spec, "disabledTLSValidations"), *item;
    size_t i, n, known = 0;

    if (list && !yyjson_is_null(list) && !yyjson_is_arr(list))
        violations_add(v, "spec.disabledTLSValidations", "Invalid value: must be a list");
    yyjson_arr_foreach(list, i, n, item)
    {
        unsigned bit = tls_bit(v, json_str(item));

        known += bit != 0;
        c->tls_skip |= bit;
    }
    if ((c->tls_skip & FED_TLS_SKIP_ALL) && known > 1) {
        _cleanup_buf_ struct buf b = BUF_INIT((size_t)256);

        json_write(&b, list);
        violations_add(v, "spec.disabledTLSValidations",
                       "Invalid value: %s: when * is specified, it is expected to be the only option in list",
                       buf_failed(&b) || !b.p ? "[...]" : b.p);
    }
}

/* "scheme:..." with a scheme that can be a proxy. Whether the rest makes sense shows when it is used. */
static void decode_proxy(struct violations *v, yyjson_val *spec, struct fed_cluster *c)
{
    static const char *const schemes[] = { "http", "https", "socks5" };
    struct str url = violations_str(v, spec, "proxyURL", "spec.proxyURL"), scheme, rest;
    bool known = false;

    if (str_empty(url))
        return;
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] < ' ' || url.p[i] == 0x7f) {
            violations_add(v, "spec.proxyURL", "Invalid value: error parsing the proxy URL");
            return;
        }
    if (str_cut(url, ':', &scheme, &rest))
        for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
            known |= str_ieq(scheme, str_of(schemes[i]));
    if (!known) {
        /* The URL may carry a password: only its scheme is shown when it has one. */
        violations_invalid(v, "spec.proxyURL", memchr(url.p, '@', url.n) ? scheme : url,
                           "proxy URL scheme must be one of: [http, https, socks5]");
        return;
    }
    c->proxy_url = str_dup(url);
}

int fed_cluster_decode(yyjson_val *kfc, struct fed_cluster **ret, struct error **err)
{
    _cleanup_(fed_cluster_freep) struct fed_cluster *c = mem_zalloc(sizeof(*c));
    _cleanup_violations_ struct violations v = VIOLATIONS_INIT;
    yyjson_val *spec = json_get(kfc, "spec");
    int r;

    c->name = str_dup(json_path_str(kfc, "metadata.name"));
    decode_endpoint(&v, spec, c);
    decode_secret(&v, spec, c);
    decode_tls(&v, spec, c);
    decode_proxy(&v, spec, c);
    decode_ca(&v, spec, c);
    r = violations_error(&v, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(c);
    return 0;
}

void fed_cluster_free(struct fed_cluster *c)
{
    if (!c)
        return;
    free(c->name);
    free(c->api_endpoint);
    free(c->secret_name);
    free(c->proxy_url);
    free((char *)c->ca_pem.p);
    free(c);
}

bool fed_cluster_is_ready(yyjson_val *kfc)
{
    yyjson_val *list = json_path(kfc, "status.conditions"), *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item)
    {
        if (str_eqc(json_path_str(item, "type"), FED_CLUSTER_READY) && str_eqc(json_path_str(item, "status"), "True"))
            return true;
    }
    return false;
}

int64_t fed_cluster_since(yyjson_val *kfc)
{
    yyjson_val *list = json_path(kfc, "status.conditions"), *item;
    int64_t latest = 0, at;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item)
    {
        if (time_parse_rfc3339(json_path_str(item, "lastTransitionTime"), &at) == 0)
            latest = MAX(latest, at);
    }
    return latest;
}
