/*
 * KubeFedCluster: decoding with the rules of the validating webhook (api-and-cli.md 4.4). Health is in health.c, its URLs
 * are in endpoint.c and proxy.c.
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
        violations_malformed(v, "spec.caBundle", "illegal base64 data at input byte %zu", at);
        return;
    }
    c->ca_pem.p = buf_take(&pem, &n);
    c->ca_pem.n = n;
}

static void decode_secret(struct violations *v, yyjson_val *spec, struct fed_cluster *c)
{
    yyjson_val *ref = violations_obj(v, spec, "secretRef", "spec.secretRef");
    struct str name = violations_str(v, ref, "name", "spec.secretRef.name");

    if (str_empty(name))
        violations_required(v, "spec.secretRef.name");
    else
        violations_subdomain(v, "spec.secretRef.name", name);
    c->secret_name = str_dup(name);
}

static unsigned tls_bit(struct violations *v, yyjson_val *item)
{
    static const char path[] = "spec.disabledTLSValidations";
    const char *names[ARRAY_SIZE(tls_checks)];

    if (!yyjson_is_str(item) && !yyjson_is_null(item)) {
        violations_malformed(v, path, "Invalid value: must be strings");
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(tls_checks); i++) {
        if (str_eqc(json_str(item), tls_checks[i].name))
            return tls_checks[i].bit;
        names[i] = tls_checks[i].name;
    }
    violations_enum(v, path, json_str(item), names, ARRAY_SIZE(names));
    return 0;
}

#define MAX_CHECKS 64

static void decode_tls(struct violations *v, yyjson_val *spec, struct fed_cluster *c)
{
    static const char path[] = "spec.disabledTLSValidations";
    yyjson_val *list = violations_list(v, spec, "disabledTLSValidations", path), *item;
    size_t i, n;

    /* There are three; whoever lists more has been told by then. */
    yyjson_arr_foreach(list, i, n, item)
    {
        if (i == MAX_CHECKS)
            break;
        c->tls_skip |= tls_bit(v, item);
    }
    if ((c->tls_skip & FED_TLS_SKIP_ALL) && yyjson_arr_size(list) > 1) {
        _cleanup_buf_ struct buf b = BUF_INIT((size_t)256);

        json_write(&b, list);
        violations_add(v, path, "Invalid value: %s: when * is specified, it is expected to be the only option in list",
                       buf_failed(&b) || !b.p ? "[...]" : b.p);
    }
}

static void decode_proxy(struct violations *v, yyjson_val *spec, struct fed_cluster *c)
{
    _cleanup_error_ struct error *e = NULL;
    struct str url = violations_str(v, spec, "proxyURL", "spec.proxyURL");

    if (str_empty(url))
        return;
    if (fed_proxy_check(url, &e) < 0)
        violations_add(v, "spec.proxyURL", "%s", e->msg);
    else
        c->proxy_url = str_dup(url);
}

static struct fed_cluster *decode_spec(struct violations *v, yyjson_val *kfc)
{
    struct fed_cluster *c = mem_zalloc(sizeof(*c));
    yyjson_val *spec = violations_obj(v, kfc, "spec", "spec");

    c->name = str_dup(json_path_str(kfc, "metadata.name"));
    decode_endpoint(v, spec, c);
    decode_secret(v, spec, c);
    decode_tls(v, spec, c);
    decode_proxy(v, spec, c);
    decode_ca(v, spec, c);
    return c;
}

int fed_cluster_decode(yyjson_val *kfc, struct fed_cluster **ret, struct error **err)
{
    _cleanup_violations_ struct violations v = VIOLATIONS_INIT;
    _cleanup_(fed_cluster_freep) struct fed_cluster *c = decode_spec(&v, kfc);
    int r = violations_error(&v, err);

    if (r < 0)
        return r;
    *ret = TAKE_PTR(c);
    return 0;
}

int fed_cluster_validate(yyjson_val *kfc, struct error **err)
{
    _cleanup_violations_ struct violations v = VIOLATIONS_INIT;
    _cleanup_(fed_cluster_freep) struct fed_cluster *c = NULL;

    if (!yyjson_is_obj(kfc))
        return error_set(err, -EBADMSG, "a KubeFedCluster must be an object");
    c = decode_spec(&v, kfc);
    return violations_verdict(&v, err);
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

static bool is_true(yyjson_val *kfc, const char *type)
{
    yyjson_val *list = json_path(kfc, "status.conditions"), *item;
    size_t i, n;

    yyjson_arr_foreach(list, i, n, item)
    {
        if (str_eqc(json_path_str(item, "type"), type) && str_eqc(json_path_str(item, "status"), "True"))
            return true;
    }
    return false;
}

bool fed_cluster_is_ready(yyjson_val *kfc)
{
    return is_true(kfc, FED_CLUSTER_READY);
}

bool fed_cluster_is_offline(yyjson_val *kfc)
{
    return is_true(kfc, FED_CLUSTER_OFFLINE);
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
