/* KubeFedCluster: endpoints and rules (api-and-cli.md 1.3, 4.4, 9.1, 9.4). */
#include "fed/cluster.h"

#include "fed_test.h"

#define T1123 "a lowercase RFC 1123 subdomain must consist of"

static void endpoints(void **state)
{
    static const char *const accepted[][2] = {
        { "h", "https://h" },
        { "http://h", "http://h" },
        { "HTTPS://h", "https://h" },
        { "[::1]:6443", "https://[::1]:6443" },
        { "https://h:6443/k8s/clusters/c", "https://h:6443/k8s/clusters/c" },
        { "example.com/", "https://example.com" },
        { "10.0.0.1:6443", "https://10.0.0.1:6443" },
        { "https://[fe80::1]/p", "https://[fe80::1]/p" },
        { "localhost:1", "https://localhost:1" },
        { "h:65535", "https://h:65535" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
        _cleanup_error_ struct error *err = NULL;
        _cleanup_free_ char *url = NULL;

        assert_ok(fed_endpoint_parse(str_of(accepted[i][0]), &url, &err), err);
        assert_string_equal(url, accepted[i][1]);
    }
}

static void every_combination(void **state)
{
    static const char *const schemes[] = { "", "http://", "https://" };
    static const char *const hosts[] = { "name", "dotted.name", "10.1.2.3", "[fd00::1]" };
    static const char *const ports[] = { "", ":1", ":80", ":8080", ":65535" };
    static const char *const paths[] = { "", "/", "/a/b" };

    (void)state;
    for (size_t s = 0; s < ARRAY_SIZE(schemes); s++)
        for (size_t h = 0; h < ARRAY_SIZE(hosts); h++)
            for (size_t p = 0; p < ARRAY_SIZE(ports); p++)
                for (size_t q = 0; q < ARRAY_SIZE(paths); q++) {
                    _cleanup_free_ char *text = mem_printf("%s%s%s%s", schemes[s], hosts[h], ports[p], paths[q]);
                    _cleanup_free_ char *url = NULL;

                    assert_int_equal(fed_endpoint_parse(str_of(text), &url, NULL), s == 0 && q == 2 ? -EINVAL : 0);
                }
}

static void bad_endpoints(void **state)
{
    static const char *const refused[][2] = {
        { "", "Required value" },
        { "https://", "Invalid value: \"https://\": host must be a URL or a host:port pair: \"https://\"" },
        { "example.com/p",
          "Invalid value: \"example.com/p\": host must be a URL or a host:port pair: \"example.com/p\"" },
        { "tcp://x", "Unsupported value: \"tcp\": supported values: \"http\", \"https\"" },
        { "x:port", "Invalid value: \"x:port\": parse \"https://x:port\": invalid port \":port\" after host" },
        { "x:0", "Invalid value: 0: must be between 1 and 65535, inclusive" },
        { "x:70000", "Invalid value: 70000: must be between 1 and 65535, inclusive" },
        { "x:99999999999999999999", "must be between 1 and 65535, inclusive" },
        { "::1", "must be in brackets" },
        { "[::1", "missing ']'" },
        { "[]:1", "host must be" },
        { "[::1]x", "end after" },
        { "x:", "port is missing" },
        { ":1", "host must be" },
        { "https://u:p@h", "user information" },
        { "https://h/?q", "query" },
        { "https://h h", "character" },
        { "https:///p", "host must be" },
    };
    struct error *err = NULL;
    char *url = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        assert_refused(fed_endpoint_parse(str_of(refused[i][0]), &url, &err), err, refused[i][1]);
    assert_refused(fed_endpoint_parse(str_n("h\0x", 3), &url, &err), err, "character");
}

static void complete(void **state)
{
    _cleanup_(fed_cluster_freep) struct fed_cluster *c = NULL;
    _cleanup_error_ struct error *err = NULL;

    (void)state;
    assert_ok(fed_cluster_decode(J("{'metadata':{'name':'c1'},'spec':{'apiEndpoint':'h:6443','secretRef':{'name':'s'},"
                                   "'caBundle':'UEVN','proxyURL':'socks5://p:1',"
                                   "'disabledTLSValidations':['SubjectName','ValidityPeriod']}}"),
                                 &c, &err),
              err);
    assert_string_equal(c->name, "c1");
    assert_string_equal(c->api_endpoint, "https://h:6443");
    assert_string_equal(c->secret_name, "s");
    assert_string_equal(c->proxy_url, "socks5://p:1");
    assert_str(c->ca_pem, "PEM");
    assert_int_equal(c->tls_skip, FED_TLS_SKIP_NAME | FED_TLS_SKIP_VALIDITY);
}

static int decode_with(const char *field, struct fed_cluster **ret, struct error **err)
{
    return fed_cluster_decode(
        JF("{'spec':{'apiEndpoint':'h','secretRef':{'name':'s'}%s%s}}", field[0] ? "," : "", field), ret, err);
}

static void accepted(void **state)
{
    static const char *const fields[] = {
        "",
        "'disabledTLSValidations':[]",
        "'disabledTLSValidations':['*']",
        "'disabledTLSValidations':['SubjectName','SubjectName']",
        "'proxyURL':'http:x'",
        "'proxyURL':'socks5://h:1'",
        "'proxyURL':''",
        "'caBundle':null",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        _cleanup_(fed_cluster_freep) struct fed_cluster *c = NULL;
        _cleanup_error_ struct error *err = NULL;

        assert_ok(decode_with(fields[i], &c, &err), err);
    }
}

static void violations(void **state)
{
    static const char *const cases[][2] = {
        { "'apiEndpoint':''", "spec.apiEndpoint: Required value" },
        { "'apiEndpoint':1", "spec.apiEndpoint" },
        { "'secretRef':{'name':'a_b'}", "spec.secretRef.name: Invalid value: \"a_b\": " T1123 },
        { "'secretRef':{'name':'A'}", "spec.secretRef.name: Invalid value: \"A\": " T1123 },
        { "'secretRef':null", "spec.secretRef.name: Required value" },
        { "'disabledTLSValidations':['SubjectName','*']",
          "spec.disabledTLSValidations: Invalid value: [\"SubjectName\",\"*\"]: when * is specified, it is expected to be "
          "the only option in list" },
        { "'disabledTLSValidations':['x']",
          "spec.disabledTLSValidations: Unsupported value: \"x\": supported values: \"*\", \"SubjectName\", "
          "\"ValidityPeriod\"" },
        { "'disabledTLSValidations':['']", "spec.disabledTLSValidations: Required value" },
        { "'disabledTLSValidations':[1]", "spec.disabledTLSValidations: Invalid value: must be strings" },
        { "'proxyURL':'ftp://x'", "proxy URL scheme must be one of: [http, https, socks5]" },
        { "'proxyURL':'x'", "spec.proxyURL: Invalid value: \"x\": proxy URL scheme must be one of" },
        { "'proxyURL':'http://\\u0001'",
          "spec.proxyURL: Invalid value: \"http://\\x01\": error parsing the proxy URL" },
        { "'caBundle':'%%%%'", "illegal base64 data at input byte 0" },
    };
    struct fed_cluster *c = NULL;
    struct error *err = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_refused(decode_with(cases[i][0], &c, &err), err, cases[i][1]);
    /* A password in a proxy URL is not repeated. */
    assert_int_equal(decode_with("'proxyURL':'ftp://u:geheim@x'", &c, &err), -EINVAL);
    assert_false(str_contains(str_of(err->msg), STR("geheim")));
    error_free(err);
    err = NULL;
    assert_refused(fed_cluster_decode(NULL, &c, &err), err, "[spec.apiEndpoint: Required value, spec.secretRef.name");
}

static void ready(void **state)
{
    (void)state;
    assert_true(fed_cluster_is_ready(J("{'status':{'conditions':[{'type':'Offline','status':'False'},"
                                       "{'type':'Ready','status':'True'}]}}")));
    assert_false(fed_cluster_is_ready(J("{'status':{'conditions':[{'type':'Ready','status':'False'}]}}")));
    assert_false(fed_cluster_is_ready(J("{'status':{'conditions':[{'type':'Offline','status':'True'}]}}")));
    assert_false(fed_cluster_is_ready(J("{}")));
    assert_false(fed_cluster_is_ready(J("{'status':{'conditions':{'type':'Ready'}}}")));
}

/* The latest transition of any condition; what has no time says nothing. */
static void unready_since(void **state)
{
    static const struct {
        const char *conditions;
        int64_t since;
    } rows[] = {
        { "[{'type':'Offline','status':'True','lastTransitionTime':'2023-11-14T22:13:20Z'}]", 1700000000 },
        { "[{'type':'Ready','status':'False','lastTransitionTime':'2023-11-14T22:13:20Z'},"
          "{'type':'Offline','status':'False','lastTransitionTime':'2023-11-14T22:13:30Z'}]",
          1700000010 },
        { "[{'type':'Ready','lastTransitionTime':'2023-11-14T22:13:30Z'},"
          "{'type':'Offline','lastTransitionTime':'2023-11-14T22:13:20Z'}]",
          1700000010 },
        { "[{'type':'Offline','lastProbeTime':'2023-11-14T22:13:20Z'}]", 0 },
        { "[{'type':'Offline','lastTransitionTime':'yesterday'},{'type':'Ready','lastTransitionTime':7},null,7]", 0 },
        { "[{'type':'Ready','lastTransitionTime':'x'},{'lastTransitionTime':'2023-11-15T00:13:20+02:00'}]",
          1700000000 },
        { "[]", 0 },
        { "{'lastTransitionTime':'2023-11-14T22:13:20Z'}", 0 },
        { "null", 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (fed_cluster_since(JF("{'status':{'conditions':%s}}", rows[i].conditions)) != rows[i].since)
            fail_msg("%s", rows[i].conditions);
    assert_int_equal(fed_cluster_since(J("{}")), 0);
    assert_int_equal(fed_cluster_since(NULL), 0);
}

/* only an endpoint without a scheme leaves the choice to us. */
static void assumed_schemes(void **state)
{
    static const struct {
        const char *endpoint;
        bool assumed;
    } rows[] = {
        { "h", true },          { "h:6443", true },         { "10.0.0.1:6443", true },     { "[::1]:6443", true },
        { "https://h", false }, { "http://h:8080", false }, { "HTTPS://h:6443/p", false }, { "Http://h", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(fed_cluster_freep) struct fed_cluster *c = NULL;
        _cleanup_error_ struct error *err = NULL;

        assert_ok(fed_cluster_decode(JF("{'spec':{'apiEndpoint':'%s','secretRef':{'name':'s'}}}", rows[i].endpoint), &c,
                                     &err),
                  err);
        if (c->scheme_assumed != rows[i].assumed)
            fail_msg("%s", rows[i].endpoint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints), cmocka_unit_test(every_combination), cmocka_unit_test(bad_endpoints),
        cmocka_unit_test(complete),  cmocka_unit_test(accepted),          cmocka_unit_test(violations),
        cmocka_unit_test(ready),     cmocka_unit_test(unready_since),     cmocka_unit_test(assumed_schemes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
