/* What admission webhooks say (api-and-cli.md 4.3, 4.4, vectors in 9.1), and the defaulting of KubeFedConfig (4.5). */
#include "fed/admission.h"

#include "fed/config.h"
#include "fed/names.h"
#include "fed_test.h"
#include "json/patch.h"

#define T1123                                                                                                          \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "   \
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "                        \
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define T1035                                                                                                          \
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, " \
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "             \
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* One row of a table: a member of spec or status, and the whole message; NULL: allowed. */
struct row {
    const char *field, *message;
};

/* The verdict is `code` with exactly this message. Takes err. */
static void check(const char *what, int r, struct error *err, int code, const char *message)
{
    if (r != code || (code < 0 && (!err || err->code != code || strcmp(err->msg, message) != 0)))
        fail_msg("%s: %d, \"%s\"; expected %d, \"%s\"", what, r, error_msg(err), code, message ? message : "");
    if (code == 0)
        assert_null(err);
    error_free(err);
}

static int verdict(const struct row *row)
{
    return row->message ? -EINVAL : 0;
}

/* --- KubeFedCluster --- */

static void check_cluster(const char *field, int code, const char *message)
{
    struct error *err = NULL;
    /* Of duplicate keys the last one counts. */
    yyjson_val *kfc = JF("{'spec':{'apiEndpoint':'h','secretRef':{'name':'s'}%s%s}}", field[0] ? "," : "", field);
    int r = fed_admit_cluster(kfc, false, &err);

    check(field, r, err, code, message);
    assert_int_equal(fed_admit_cluster(kfc, false, NULL), code);
}

#define UNSUPPORTED_TLS "supported values: \"*\", \"SubjectName\", \"ValidityPeriod\""
#define ALONE "when * is specified, it is expected to be the only option in list"

static void cluster_rules(void **state)
{
    static const struct row rows[] = {
        { "", NULL },
        { "'apiEndpoint':''", "spec.apiEndpoint: Required value" },
        { "'apiEndpoint':null", "spec.apiEndpoint: Required value" },
        { "'apiEndpoint':'https://'",
          "spec.apiEndpoint: Invalid value: \"https://\": host must be a URL or a host:port pair: \"https://\"" },
        { "'apiEndpoint':'example.com/p'",
          "spec.apiEndpoint: Invalid value: \"example.com/p\": host must be a URL or a host:port pair: "
          "\"example.com/p\"" },
        { "'apiEndpoint':'tcp://x'",
          "spec.apiEndpoint: Unsupported value: \"tcp\": supported values: \"http\", \"https\"" },
        { "'apiEndpoint':'x:port'",
          "spec.apiEndpoint: Invalid value: \"x:port\": parse \"https://x:port\": invalid port \":port\" after host" },
        { "'apiEndpoint':'https://x:port'",
          "spec.apiEndpoint: Invalid value: \"https://x:port\": host must be a URL or "
          "a host:port pair: \"https://x:port\"" },
        { "'apiEndpoint':'x:0'", "spec.apiEndpoint: Invalid value: 0: must be between 1 and 65535, inclusive" },
        { "'apiEndpoint':'x:70000'", "spec.apiEndpoint: Invalid value: 70000: must be between 1 and 65535, inclusive" },
        { "'apiEndpoint':'::1'", "spec.apiEndpoint: Invalid value: \"::1\": an IPv6 address must be in brackets" },
        { "'apiEndpoint':'h'", NULL },
        { "'apiEndpoint':'http://h'", NULL },
        { "'apiEndpoint':'HTTPS://h'", NULL },
        { "'apiEndpoint':'[::1]:6443'", NULL },
        { "'apiEndpoint':'https://h:6443/k8s/clusters/c'", NULL },
        { "'apiEndpoint':'example.com/'", NULL },
        { "'secretRef':{'name':'a_b'}", "spec.secretRef.name: Invalid value: \"a_b\": " T1123 },
        { "'secretRef':{'name':'A'}", "spec.secretRef.name: Invalid value: \"A\": " T1123 },
        { "'secretRef':{'name':''}", "spec.secretRef.name: Required value" },
        { "'secretRef':{}", "spec.secretRef.name: Required value" },
        { "'secretRef':null", "spec.secretRef.name: Required value" },
        { "'disabledTLSValidations':[]", NULL },
        { "'disabledTLSValidations':null", NULL },
        { "'disabledTLSValidations':['*']", NULL },
        { "'disabledTLSValidations':['SubjectName','SubjectName']", NULL },
        { "'disabledTLSValidations':['SubjectName','*']",
          "spec.disabledTLSValidations: Invalid value: [\"SubjectName\",\"*\"]: " ALONE },
        { "'disabledTLSValidations':['*','*']", "spec.disabledTLSValidations: Invalid value: [\"*\",\"*\"]: " ALONE },
        { "'disabledTLSValidations':['*','x']",
          "[spec.disabledTLSValidations: Unsupported value: \"x\": " UNSUPPORTED_TLS
          ", spec.disabledTLSValidations: Invalid value: [\"*\",\"x\"]: " ALONE "]" },
        { "'disabledTLSValidations':['x']", "spec.disabledTLSValidations: Unsupported value: \"x\": " UNSUPPORTED_TLS },
        { "'disabledTLSValidations':['']", "spec.disabledTLSValidations: Required value" },
        /* Duplicates once. */
        { "'disabledTLSValidations':['x','x',null,'']",
          "[spec.disabledTLSValidations: Unsupported value: \"x\": " UNSUPPORTED_TLS
          ", spec.disabledTLSValidations: Required value]" },
        { "'disabledTLSValidations':['x','x']",
          "spec.disabledTLSValidations: Unsupported value: \"x\": " UNSUPPORTED_TLS },
        { "'caBundle':'UEVN'", NULL },
        { "'caBundle':null", NULL },
        { "'unknown':7", NULL },
    };
    struct error *err = NULL;
    int r;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check_cluster(rows[i].field, verdict(&rows[i]), rows[i].message);
    r = fed_admit_cluster(J("{}"), false, &err);
    check("{}", r, err, -EINVAL, "[spec.apiEndpoint: Required value, spec.secretRef.name: Required value]");
}

/* A-26; as Go's parser judges. */
static void proxies(void **state)
{
    static const char *const good[] = {
        "",
        "http:x",
        "http:",
        "http://",
        "socks5://h:1",
        "HTTPS://h",
        "Socks5://h",
        "http://u:p@h:8080/a%20b?q=%zz#f",
        "http://[::1]",
        "http://[::1]:3128/",
        "http://[fe80::1%25eth0]:1",
        "http://[fe80::1%25e%41]:1",
        "http://h:",
        "http:///p",
        "http://\xc3\xa4.example",
        "http:%zz",
        "http://h%C3%A4",
        "http://u%40x@h",
    };
    static const char *const other_schemes[] = { "ftp://x", "x",      "x:80",  "h.example/p",
                                                 "//h:1",   "///h:1", "proxy", "a%20b" };
    static const char *const unparsable[] = {
        ":80",           "10.0.0.1:3128", "1:2",         "http://h:port", "http://[::1",
        "http://[::1]x", "http://h/%zz",  "http://h/%a", "http://%zz",    "http://h%20x",
        "http://a b",    "http://h#%zz",  "//h:x",       "http://[%zz]",  "http://[a b]",
        "http://h:1:x",  "a_b:c",         "http://h^",   "x%zz",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        _cleanup_free_ char *field = mem_printf("'proxyURL':'%s'", good[i]);

        check_cluster(field, 0, NULL);
    }
    for (size_t i = 0; i < ARRAY_SIZE(other_schemes); i++) {
        _cleanup_free_ char *field = mem_printf("'proxyURL':'%s'", other_schemes[i]);
        _cleanup_free_ char *message = mem_printf(
            "spec.proxyURL: Invalid value: \"%s\": proxy URL scheme must be one of: [http, https, socks5]",
            other_schemes[i]);

        check_cluster(field, -EINVAL, message);
    }
    for (size_t i = 0; i < ARRAY_SIZE(unparsable); i++) {
        _cleanup_free_ char *field = mem_printf("'proxyURL':'%s'", unparsable[i]);
        _cleanup_free_ char *message = mem_printf("spec.proxyURL: Invalid value: \"%s\": error parsing the proxy URL",
                                                  unparsable[i]);

        check_cluster(field, -EINVAL, message);
    }
}

/* Go's escapes; no part of what may be a password; a long value in part, cut between characters. */
static void shown_values(void **state)
{
    static const struct row rows[] = {
        { "'proxyURL':'http://a\\u0001\\n\\u007f\\u0000\\\"\\\\\\u0085\xc3\xa4'",
          "spec.proxyURL: Invalid value: \"http://a\\x01\\n\\x7f\\x00\\\"\\\\\\u0085\xc3\xa4\": error parsing the proxy "
          "URL" },
        { "'proxyURL':'ftp://u:geheim@x'",
          "spec.proxyURL: Invalid value: \"ftp://...@x\": proxy URL scheme must be one "
          "of: [http, https, socks5]" },
        { "'proxyURL':'http://u:ge@he@x:y'",
          "spec.proxyURL: Invalid value: \"http://...@x:y\": error parsing the proxy URL" },
        { "'proxyURL':'http://u:gehei%m@x'",
          "spec.proxyURL: Invalid value: \"http://...@x\": error parsing the proxy URL" },
        { "'proxyURL':'u:p://geheim@x'", "spec.proxyURL: Invalid value: \"...@x\": proxy URL scheme must be one of: "
                                         "[http, https, socks5]" },
        { "'apiEndpoint':'https://u:geheim@x'",
          "spec.apiEndpoint: Invalid value: the endpoint must not carry user information" },
        { "'apiEndpoint':'u:geheim@x/p'",
          "spec.apiEndpoint: Invalid value: \"...@x/p\": host must be a URL or a host:port pair: \"...@x/p\"" },
        { "'apiEndpoint':'https://u:ge heim@x'",
          "spec.apiEndpoint: Invalid value: \"https://...@x\": it contains a character that a URL cannot have" },
        { "'secretRef':{'name':'a\\tb'}", "spec.secretRef.name: Invalid value: \"a\\tb\": " T1123 },
    };
    _cleanup_buf_ struct buf field = BUF_INIT(4096), message = BUF_INIT(4096);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check_cluster(rows[i].field, -EINVAL, rows[i].message);
    buf_addz(&field, "'disabledTLSValidations':['");
    buf_addz(&message, "spec.disabledTLSValidations: Unsupported value: \"a");
    buf_addc(&field, 'a');
    for (int i = 0; i < 128; i++)
        buf_addz(&field, "\xc3\xa4");
    for (int i = 0; i < 127; i++)
        buf_addz(&message, "\xc3\xa4");
    buf_addz(&field, "']");
    buf_addz(&message, "...\": " UNSUPPORTED_TLS);
    check_cluster(field.p, -EINVAL, message.p);
}

static void unreadable_clusters(void **state)
{
    static const struct row rows[] = {
        { "'caBundle':'%%'", "spec.caBundle: illegal base64 data at input byte 0" },
        { "'caBundle':7", "spec.caBundle: Invalid value: must be a string" },
        { "'apiEndpoint':1", "spec.apiEndpoint: Invalid value: must be a string" },
        { "'proxyURL':[]", "spec.proxyURL: Invalid value: must be a string" },
        { "'secretRef':'s'", "spec.secretRef: Invalid value: must be an object" },
        { "'secretRef':{'name':true}", "spec.secretRef.name: Invalid value: must be a string" },
        { "'disabledTLSValidations':'*'", "spec.disabledTLSValidations: Invalid value: must be a list" },
        { "'disabledTLSValidations':[1,[],{}]", "spec.disabledTLSValidations: Invalid value: must be strings" },
        /* Rules are not mentioned then. */
        { "'apiEndpoint':'','caBundle':'%%','proxyURL':7",
          "[spec.proxyURL: Invalid value: must be a string, spec.caBundle: illegal base64 data at input byte 0]" },
    };
    static const char *const others[] = { "null", "[]", "7", "'x'" };
    struct error *err = NULL;
    int r;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check_cluster(rows[i].field, -EBADMSG, rows[i].message);
    r = fed_admit_cluster(J("{'spec':[]}"), false, &err);
    check("spec", r, err, -EBADMSG, "spec: Invalid value: must be an object");
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        for (int status = 0; status < 2; status++) {
            err = NULL;
            r = fed_admit_cluster(J(others[i]), status, &err);
            check(others[i], r, err, -EBADMSG, "a KubeFedCluster must be an object");
        }
    assert_int_equal(fed_admit_cluster(NULL, true, NULL), -EBADMSG);
}

#define TYPES "supported values: \"Ready\", \"Offline\", \"ConfigMalformed\""
#define STATUSES "supported values: \"True\", \"False\", \"Unknown\""
#define GOOD_CONDITION "{'type':'Ready','status':'True','lastProbeTime':'2023-11-14T22:13:20Z'}"

static void cluster_statuses(void **state)
{
    static const struct {
        const char *status;
        int code;
        const char *message;
    } rows[] = {
        { "{}", 0, NULL },
        { "null", 0, NULL },
        { "{'conditions':null}", 0, NULL },
        { "{'conditions':[]}", 0, NULL },
        { "{'conditions':[" GOOD_CONDITION ",{'type':'Offline','status':'Unknown','lastProbeTime':"
          "'2023-11-14T22:13:20.5+01:00','reason':7},{'type':'ConfigMalformed','status':'False','lastProbeTime':"
          "'1969-01-01T00:00:00Z'}]}",
          0, NULL },
        { "{'conditions':[{'type':'Foo','status':'x'}]}", -EINVAL,
          "[status.conditions[0].type: Unsupported value: \"Foo\": " TYPES
          ", status.conditions[0].status: Unsupported value: \"x\": " STATUSES
          ", status.conditions[0].lastProbeTime: Required value]" },
        { "{'conditions':[" GOOD_CONDITION ",null]}", -EINVAL,
          "[status.conditions[1].type: Required value, status.conditions[1].status: Required value, "
          "status.conditions[1].lastProbeTime: Required value]" },
        { "{'conditions':[{'type':'Ready','status':'True','lastProbeTime':'0001-01-01T00:00:00Z'}]}", -EINVAL,
          "status.conditions[0].lastProbeTime: Required value" },
        { "{'conditions':[{'type':'Ready','status':'True','lastProbeTime':null}]}", -EINVAL,
          "status.conditions[0].lastProbeTime: Required value" },
        { "{'conditions':[{'type':'Ready','status':'True','lastProbeTime':'yesterday'}]}", -EBADMSG,
          "status.conditions[0].lastProbeTime: Invalid value: must be a time such as \"2006-01-02T15:04:05Z\"" },
        { "{'conditions':[{'type':'','status':7,'lastProbeTime':8},'x']}", -EBADMSG,
          "[status.conditions[0].status: Invalid value: must be a string, status.conditions[0].lastProbeTime: Invalid "
          "value: must be a time such as \"2006-01-02T15:04:05Z\", status.conditions[1]: Invalid value: must be an "
          "object]" },
        { "{'conditions':{}}", -EBADMSG, "status.conditions: Invalid value: must be a list" },
        { "[]", -EBADMSG, "status: Invalid value: must be an object" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error *err = NULL;
        int r = fed_admit_cluster(JF("{'status':%s}", rows[i].status), true, &err);

        check(rows[i].status, r, err, rows[i].code, rows[i].message);
    }
    /* Each judges its own half. */
    assert_int_equal(fed_admit_cluster(J("{'spec':7,'status':{}}"), true, NULL), 0);
    assert_int_equal(
        fed_admit_cluster(J("{'spec':{'apiEndpoint':'h','secretRef':{'name':'s'}},'status':7}"), false, NULL), 0);
}

/* As many violations as somebody likes: bounded text, and its end is told. */
static void many_violations(void **state)
{
    _cleanup_buf_ struct buf text = BUF_INIT(SIZE_MAX);
    _cleanup_error_ struct error *err = NULL;

    (void)state;
    buf_addz(&text, "{\"status\":{\"conditions\":[null");
    for (int i = 0; i < 200000; i++)
        buf_addz(&text, ",null");
    buf_addz(&text, "]}}");
    assert_int_equal(fed_admit_cluster(text_val(buf_str(&text)), true, &err), -EINVAL);
    assert_true(strlen(err->msg) > 4096 && strlen(err->msg) <= 16384);
    assert_true(str_has_prefix(str_of(err->msg), STR("[status.conditions[0].type: Required value, ")));
    assert_true(str_has_suffix(str_of(err->msg), STR(": Required value, and more]")));
}

/* --- FederatedTypeConfig --- */

#define RESOURCE(name, group, version, kind, plural, scope)                                                            \
    "'" name "':{'group':'" group "','version':'" version "','kind':'" kind "','pluralName':'" plural                  \
    "','scope':'" scope "'}"
#define TARGET RESOURCE("targetType", "apps", "v1", "Deployment", "deployments", "Namespaced")
#define FEDERATED                                                                                                      \
    RESOURCE("federatedType", "types.kubefed.io", "v1beta1", "FederatedDeployment", "federateddeployments",            \
             "Namespaced")
#define MODES "supported values: \"Enabled\", \"Disabled\""
#define SCOPES "supported values: \"Cluster\", \"Namespaced\""
#define NAME_RULE "name must be 'TARGET_PLURAL_NAME(.TARGET_GROUP_NAME)'"

static void type_rules(void **state)
{
    static const struct row rows[] = {
        { "'unknown':1", NULL },
        { "'statusCollection':'Enabled'", NULL },
        { "'statusCollection':null", NULL },
        { "'statusCollection':''", "spec.statusCollection: Required value" },
        { "'statusCollection':'On'", "spec.statusCollection: Unsupported value: \"On\": " MODES },
        { "'propagation':'Disabled'", NULL },
        { "'propagation':''", "spec.propagation: Required value" },
        { "'propagation':'enabled'", "spec.propagation: Unsupported value: \"enabled\": " MODES },
        { RESOURCE("targetType", "", "v1", "Deployment", "deployments", "Namespaced"),
          "name: Invalid value: \"deployments.apps\": " NAME_RULE },
        { RESOURCE("targetType", "Apps", "v1", "Deployment", "deployments", "Cluster"),
          "[name: Invalid value: \"deployments.apps\": " NAME_RULE
          ", spec.targetType.group: Invalid value: \"Apps\": " T1123 "]" },
        { RESOURCE("targetType", "apps", "", "Deployment", "deployments", "Cluster"),
          "spec.targetType.version: Required value" },
        { RESOURCE("targetType", "apps", "1v", "Deployment", "deployments", "Cluster"),
          "spec.targetType.version: Invalid value: \"1v\": " T1035 },
        { RESOURCE("targetType", "apps", "v1", "", "deployments", "Cluster"), "spec.targetType.kind: Required value" },
        { RESOURCE("targetType", "apps", "v1", "a_b", "deployments", "Cluster"),
          "spec.targetType.kind: Invalid value: \"a_b\": " T1035 },
        { RESOURCE("targetType", "apps", "v1", "Deployment", "deployments", ""),
          "spec.targetType.scope: Required value" },
        { RESOURCE("targetType", "apps", "v1", "Deployment", "deployments", "cluster"),
          "spec.targetType.scope: Unsupported value: \"cluster\": " SCOPES },
        { RESOURCE("federatedType", "types", "v1", "F", "fs", "Cluster"),
          "spec.federatedType.group: Invalid value: \"types\": should be a domain with at least one dot" },
        { RESOURCE("federatedType", "", "v1", "F", "fs", "Cluster"), "spec.federatedType.group: Required value" },
        /* Reported twice. */
        { RESOURCE("federatedType", "Types", "v1", "F", "fs", "Cluster"),
          "[spec.federatedType.group: Invalid value: \"Types\": should be a domain with at least one dot, "
          "spec.federatedType.group: Invalid value: \"Types\": " T1123 "]" },
        { RESOURCE("federatedType", "a.b", "v1", "F", A64, "Cluster"),
          "spec.federatedType.pluralName: Invalid value: \"" A64 "\": must be no more than 63 characters" },
        { RESOURCE("federatedType", "a.b", "v1", "F", "-" A64, "Cluster"),
          "spec.federatedType.pluralName: Invalid value: \"-" A64 "\": must be no more than 63 characters," T1035 },
        { RESOURCE("statusType", "a.b", "v1", "F", "fs", "Cluster"), NULL },
        { "'statusType':null", NULL },
        { "'statusType':{}", "[spec.statusType.group: Required value, spec.statusType.version: Required value, "
                             "spec.statusType.kind: Required value, spec.statusType.pluralName: Required value, "
                             "spec.statusType.scope: Required value]" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error *err = NULL;
        int r = fed_admit_type_config(
            JF("{'metadata':{'name':'deployments.apps'},'spec':{'propagation':'Enabled'," TARGET "," FEDERATED ",%s}}",
               rows[i].field),
            false, &err);

        check(rows[i].field, r, err, verdict(&rows[i]), rows[i].message);
    }
}

static void other_types(void **state)
{
    static const char empty[] =
        "[name: Invalid value: \"x\": " NAME_RULE
        ", spec.targetType.version: Required value, spec.targetType.kind: Required value, "
        "spec.targetType.pluralName: Required value, spec.targetType.scope: Required value, "
        "spec.propagation: Required value, spec.federatedType.group: Required value, "
        "spec.federatedType.version: Required value, spec.federatedType.kind: Required value, "
        "spec.federatedType.pluralName: Required value, spec.federatedType.scope: Required value]";
    static const struct {
        const char *object;
        int code;
        const char *message;
    } rows[] = {
        { "{'metadata':{'name':'x'},'spec':{}}", -EINVAL, empty },
        { "{'metadata':{'name':'x'}}", -EINVAL, empty },
        { "{'metadata':{'name':'x'},'spec':{'targetType':1,'propagation':2,'statusType':{'kind':[]}}}", -EBADMSG,
          "[spec.targetType: Invalid value: must be an object, spec.statusType.kind: Invalid value: must be a string, "
          "spec.propagation: Invalid value: must be a string]" },
        { "{'spec':[]}", -EBADMSG, "spec: Invalid value: must be an object" },
        { "[]", -EBADMSG, "a FederatedTypeConfig must be an object" },
        { "null", -EBADMSG, "a FederatedTypeConfig must be an object" },
        /* nothing is filled in. */
        { "{'metadata':{'name':'configmaps'},'spec':{'propagation':'Enabled','targetType':{'version':'v1','kind':"
          "'ConfigMap','scope':'Namespaced'}," FEDERATED "}}",
          -EINVAL, "[name: Invalid value: \"configmaps\": " NAME_RULE ", spec.targetType.pluralName: Required value]" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error *err = NULL;
        int r = fed_admit_type_config(J(rows[i].object), false, &err);

        check(rows[i].object, r, err, rows[i].code, rows[i].message);
    }
    assert_int_equal(fed_admit_type_config(NULL, false, NULL), -EBADMSG);
    assert_int_equal(fed_admit_type_config(NULL, true, NULL), -EBADMSG);
}

#define RUNNING "supported values: \"Running\", \"NotRunning\""

static void type_statuses(void **state)
{
    static const struct {
        const char *status;
        int code;
        const char *message;
    } rows[] = {
        { "{'observedGeneration':0,'propagationController':'Running'}", 0, NULL },
        { "{'propagationController':'NotRunning','statusController':null}", 0, NULL },
        { "{'observedGeneration':7,'propagationController':'Running','statusController':'NotRunning'}", 0, NULL },
        { "{'observedGeneration':-1,'propagationController':'Running'}", -EINVAL,
          "status.observedGeneration: Invalid value: -1: must be greater than or equal to 0" },
        { "{'observedGeneration':-1,'propagationController':'x','statusController':''}", -EINVAL,
          "[status.observedGeneration: Invalid value: -1: must be greater than or equal to 0, "
          "status.propagationController: Unsupported value: \"x\": " RUNNING
          ", status.statusController: Required value]" },
        { "{'propagationController':'Running','statusController':'On'}", -EINVAL,
          "status.statusController: Unsupported value: \"On\": " RUNNING },
        { "{}", -EINVAL, "status.propagationController: Required value" },
        { "null", -EINVAL, "status.propagationController: Required value" },
        { "{'observedGeneration':1.5,'propagationController':7,'statusController':{}}", -EBADMSG,
          "[status.observedGeneration: Invalid value: must be an integer, status.propagationController: Invalid value: "
          "must be a string, status.statusController: Invalid value: must be a string]" },
        { "7", -EBADMSG, "status: Invalid value: must be an object" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error *err = NULL;
        int r = fed_admit_type_config(JF("{'spec':7,'status':%s}", rows[i].status), true, &err);

        check(rows[i].status, r, err, rows[i].code, rows[i].message);
    }
}

/* --- KubeFedConfig --- */

/* The default object with some members of spec replaced: "'a':1,'b.c':2" as list of dotted paths and values. */
static yyjson_val *config_with(const char *changes)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = fed_config_default_object("sys", "Cluster");
    yyjson_mut_val *spec = json_mut_path(yyjson_mut_doc_get_root(doc), "spec");
    yyjson_val *list = JF("{%s}", changes), *key, *val;
    size_t i, n;

    yyjson_obj_foreach(list, i, n, key, val)
    {
        struct str section, name;
        yyjson_mut_val *to = spec;

        if (str_rcut(json_str(key), '.', &section, &name)) {
            _cleanup_free_ char *path = str_dup(section);

            to = json_mut_path(spec, path);
        } else {
            name = json_str(key);
        }
        json_mut_setn(doc, to, name, json_mut_copy(doc, val));
    }
    return keep(json_freeze(doc));
}

#define LOCKS "supported values: \"configmaps\", \"endpoints\""
#define GATES "supported values: \"PushReconciler\", \"RawResourceStatusCollection\", \"SchedulerPreferences\""
#define POSITIVE ": should be greater than 0"

static const struct row config_rows[] = {
    { "", NULL },
    { "'unknown':7,'leaderElect.unknown':7", NULL },
    { "'scope':'Namespaced'", NULL },
    { "'scope':'X'", "spec.scope: Unsupported value: \"X\": " SCOPES },
    { "'scope':''", "spec.scope: Required value" },
    { "'scope':null", "spec.scope: Required value" },
    { "'controllerDuration':null", "spec.controllerDuration: Required value" },
    { "'controllerDuration':{}",
      "[spec.controllerDuration.availableDelay: Required value, spec.controllerDuration.unavailableDelay: Required "
      "value, spec.controllerDuration.cacheSyncTimeout: Required value]" },
    { "'controllerDuration.availableDelay':'-5s'",
      "spec.controllerDuration.availableDelay: Invalid value: -5s" POSITIVE },
    { "'controllerDuration.unavailableDelay':'0'",
      "spec.controllerDuration.unavailableDelay: Invalid value: 0s" POSITIVE },
    { "'controllerDuration.cacheSyncTimeout':'0s'",
      "spec.controllerDuration.cacheSyncTimeout: Invalid value: 0s" POSITIVE },
    { "'controllerDuration.cacheSyncTimeout':'1ns','controllerDuration.availableDelay':'2562047h47m16.854775807s'",
      NULL },
    { "'leaderElect':null", "spec.leaderElect: Required value" },
    { "'leaderElect':{}",
      "[spec.leaderElect.leaseDuration: Required value, spec.leaderElect.renewDeadline: Required value, "
      "spec.leaderElect.retryPeriod: Required value, spec.leaderElect.resourceLock: Required value]" },
    { "'leaderElect.leaseDuration':'0s'", "spec.leaderElect.leaseDuration: Invalid value: 0s" POSITIVE },
    { "'leaderElect.renewDeadline':'-1ms'", "spec.leaderElect.renewDeadline: Invalid value: -1ms" POSITIVE },
    { "'leaderElect.retryPeriod':'-1m30s'", "spec.leaderElect.retryPeriod: Invalid value: -1m30s" POSITIVE },
    { "'leaderElect.leaseDuration':'10s'",
      "spec.leaderElect.leaseDuration: Invalid value: 10s: leaseDuration must be greater than renewDeadline" },
    { "'leaderElect.leaseDuration':'10.000000001s'", NULL },
    { "'leaderElect.retryPeriod':'9s'",
      "spec.leaderElect.renewDeadline: Invalid value: 10s: renewDeadline must be greater than "
      "retryPeriod*JitterFactor(1.2)" },
    { "'leaderElect.retryPeriod':'8s'", NULL },
    { "'leaderElect.retryPeriod':'10ns','leaderElect.renewDeadline':'12ns'",
      "spec.leaderElect.renewDeadline: Invalid value: 12ns: renewDeadline must be greater than "
      "retryPeriod*JitterFactor(1.2)" },
    { "'leaderElect.retryPeriod':'10ns','leaderElect.renewDeadline':'13ns'", NULL },
    { "'leaderElect.leaseDuration':'1s','leaderElect.retryPeriod':'1h','leaderElect.resourceLock':'x'",
      "[spec.leaderElect.leaseDuration: Invalid value: 1s: leaseDuration must be greater than renewDeadline, "
      "spec.leaderElect.renewDeadline: Invalid value: 10s: renewDeadline must be greater than "
      "retryPeriod*JitterFactor(1.2), spec.leaderElect.resourceLock: Unsupported value: \"x\": " LOCKS "]" },
    { "'leaderElect.resourceLock':'leases'", "spec.leaderElect.resourceLock: Unsupported value: \"leases\": " LOCKS },
    { "'leaderElect.resourceLock':'endpoints'", NULL },
    { "'leaderElect.resourceLock':''", "spec.leaderElect.resourceLock: Required value" },
    { "'leaderElect.resourceLock':null", "spec.leaderElect.resourceLock: Required value" },
    { "'featureGates':null", "spec.featureGates: Required value" },
    { "'featureGates':[]", NULL },
    { "'featureGates':[{'name':'PushReconciler','configuration':'Disabled'}]", NULL },
    { "'featureGates':[{'name':'X','configuration':'Y'}]",
      "[spec.featureGates.name: Unsupported value: \"X\": " GATES
      ", spec.featureGates.configuration: Unsupported value: \"Y\": " MODES "]" },
    { "'featureGates':[{},null]",
      "[spec.featureGates.name: Required value, spec.featureGates.configuration: Required value, "
      "spec.featureGates.name: Duplicate value: \"\"]" },
    { "'featureGates':[{'name':'PushReconciler','configuration':'Enabled'},{'name':'PushReconciler'}]",
      "spec.featureGates.name: Duplicate value: \"PushReconciler\"" },
    { "'featureGates':[{'name':'X','configuration':'Enabled'},{'name':'X','configuration':'Y'},{'name':'X'}]",
      "[spec.featureGates.name: Unsupported value: \"X\": " GATES ", spec.featureGates.name: Duplicate value: \"X\"]" },
    { "'featureGates':[{'name':'PushReconciler','configuration':'Enabled'},{'name':'pushReconciler','configuration':"
      "'Enabled'}]",
      "spec.featureGates.name: Unsupported value: \"pushReconciler\": " GATES },
    { "'clusterHealthCheck':null", "spec.clusterHealthCheck: Required value" },
    { "'clusterHealthCheck':{}",
      "[spec.clusterHealthCheck.period: Required value, spec.clusterHealthCheck.failureThreshold: Required value, "
      "spec.clusterHealthCheck.successThreshold: Required value, spec.clusterHealthCheck.timeout: Required value]" },
    { "'clusterHealthCheck':{'period':'-1s','failureThreshold':-1,'successThreshold':0,'timeout':'0'}",
      "[spec.clusterHealthCheck.period: Invalid value: -1s" POSITIVE
      ", spec.clusterHealthCheck.failureThreshold: Invalid value: -1" POSITIVE
      ", spec.clusterHealthCheck.successThreshold: Invalid value: 0" POSITIVE
      ", spec.clusterHealthCheck.timeout: Invalid value: 0s" POSITIVE "]" },
    { "'clusterHealthCheck.failureThreshold':9223372036854775807", NULL },
    { "'syncController':null", "spec.syncController: Required value" },
    { "'syncController':{}", "spec.syncController.adoptResources: Required value" },
    { "'syncController':{'maxConcurrentReconciles':0}", "spec.syncController.adoptResources: Required value" },
    { "'syncController':{'adoptResources':'Disabled'}", "spec.syncController.maxConcurrentReconciles: Required value" },
    { "'syncController':{'adoptResources':'','maxConcurrentReconciles':0}",
      "[spec.syncController.maxConcurrentReconciles: Invalid value: 0" POSITIVE
      ", spec.syncController.adoptResources: Required value]" },
    { "'syncController.adoptResources':'Yes'",
      "spec.syncController.adoptResources: Unsupported value: \"Yes\": " MODES },
    { "'statusController':null", "spec.statusController: Required value" },
    { "'statusController':{}", "spec.statusController.maxConcurrentReconciles: Required value" },
    { "'statusController.maxConcurrentReconciles':-3",
      "spec.statusController.maxConcurrentReconciles: Invalid value: -3" POSITIVE },
};

static void config_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(config_rows); i++) {
        yyjson_val *object = config_with(config_rows[i].field);
        struct error *err = NULL;
        int r = fed_admit_config(object, NULL, &err);

        check(config_rows[i].field, r, err, verdict(&config_rows[i]), config_rows[i].message);
        assert_int_equal(fed_admit_config(object, J("null"), NULL), r);
    }
}

/* Nothing is defaulted; all at once, in the order of 4.4. */
static void bare_configs(void **state)
{
    static const char missing[] =
        "spec.controllerDuration: Required value, spec.leaderElect: Required value, spec.featureGates: Required value, "
        "spec.clusterHealthCheck: Required value, spec.syncController: Required value, spec.statusController: Required "
        "value]";
    _cleanup_free_ char *unknown = mem_printf("[spec.scope: Unsupported value: \"X\": " SCOPES ", %s", missing);
    _cleanup_free_ char *none = mem_printf("[spec.scope: Required value, %s", missing);
    static const char *const without[] = { "{}", "{'spec':null}", "{'spec':{}}" };
    struct error *err = NULL;
    int r = fed_admit_config(J("{'spec':{'scope':'X'}}"), NULL, &err);

    (void)state;
    check("scope X", r, err, -EINVAL, unknown);
    for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
        err = NULL;
        r = fed_admit_config(J(without[i]), NULL, &err);
        check(without[i], r, err, -EINVAL, none);
    }
}

static void unreadable_configs(void **state)
{
    static const struct row rows[] = {
        { "'scope':7", "spec.scope: Invalid value: must be a string" },
        { "'leaderElect':[]", "spec.leaderElect: Invalid value: must be an object" },
        { "'leaderElect.leaseDuration':'abc'",
          "spec.leaderElect.leaseDuration: Invalid value: time: invalid duration \"abc\"" },
        { "'leaderElect.leaseDuration':'5'",
          "spec.leaderElect.leaseDuration: Invalid value: time: missing unit in duration \"5\"" },
        { "'leaderElect.leaseDuration':'9223372037s'",
          "spec.leaderElect.leaseDuration: Invalid value: time: invalid duration \"9223372037s\"" },
        { "'leaderElect.leaseDuration':''",
          "spec.leaderElect.leaseDuration: Invalid value: time: invalid duration \"\"" },
        { "'controllerDuration.availableDelay':20",
          "spec.controllerDuration.availableDelay: Invalid value: must be a duration in quotes, such as \"20s\"" },
        { "'clusterHealthCheck.failureThreshold':1.5",
          "spec.clusterHealthCheck.failureThreshold: Invalid value: must be an integer" },
        { "'clusterHealthCheck.failureThreshold':9223372036854775808",
          "spec.clusterHealthCheck.failureThreshold: Invalid value: must be an integer" },
        { "'featureGates':{}", "spec.featureGates: Invalid value: must be a list" },
        { "'featureGates':[1,'x']", "spec.featureGates: Invalid value: must be objects" },
        { "'featureGates':[{'name':1,'configuration':2}]",
          "[spec.featureGates.name: Invalid value: must be a string, spec.featureGates.configuration: Invalid value: "
          "must be a string]" },
        { "'syncController.adoptResources':true",
          "spec.syncController.adoptResources: Invalid value: must be a string" },
        { "'leaderElect.resourceLock':1,'scope':'X'",
          "spec.leaderElect.resourceLock: Invalid value: must be a string" },
    };
    static const char *const others[] = { "null", "[]", "7", "'x'" };
    struct error *err = NULL;
    int r;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        err = NULL;
        r = fed_admit_config(config_with(rows[i].field), NULL, &err);
        check(rows[i].field, r, err, -EBADMSG, rows[i].message);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        err = NULL;
        r = fed_admit_config(J(others[i]), NULL, &err);
        check(others[i], r, err, -EBADMSG, "a KubeFedConfig must be an object");
    }
    assert_int_equal(fed_admit_config(NULL, NULL, NULL), -EBADMSG);
}

static void immutable_scope(void **state)
{
    static const struct {
        const char *scope, *old, *message;
    } rows[] = {
        { "Cluster", "{'spec':{'scope':'Cluster'}}", NULL },
        { "Namespaced", "{'spec':{'scope':'Cluster'}}",
          "spec.scope: Invalid value: \"Namespaced\": field is immutable" },
        { "Cluster", "{'spec':{'scope':'Namespaced'}}", "spec.scope: Invalid value: \"Cluster\": field is immutable" },
        { "Cluster", "{}", "spec.scope: Invalid value: \"Cluster\": field is immutable" },
        { "X", "{'spec':{'scope':'Cluster'}}",
          "[spec.scope: Unsupported value: \"X\": " SCOPES ", spec.scope: Invalid value: \"X\": field is immutable]" },
        { "", "{'spec':{'scope':'Cluster'}}",
          "[spec.scope: Required value, spec.scope: Invalid value: \"\": field is immutable]" },
        { "X", "{'spec':{'scope':'X'}}", "spec.scope: Unsupported value: \"X\": " SCOPES },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *change = mem_printf("'scope':'%s'", rows[i].scope);
        struct error *err = NULL;
        int r = fed_admit_config(config_with(change), J(rows[i].old), &err);

        check(rows[i].old, r, err, rows[i].message ? -EINVAL : 0, rows[i].message);
    }
}

/* --- defaulting --- */

/* Applies the patch of `object`, if any, which has only operations that RFC 6902 and the API server's library have. */
static yyjson_val *defaulted(yyjson_val *object)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(object);
    _cleanup_buf_ struct buf out = BUF_INIT(4096);
    yyjson_val *patch, *op;
    size_t i, n;

    if (!fed_config_default_patch(object, &out)) {
        assert_int_equal(out.n, 0);
        return object;
    }
    assert_false(buf_failed(&out));
    patch = text_val(buf_str(&out));
    assert_true(yyjson_arr_size(patch) > 0);
    yyjson_arr_foreach(patch, i, n, op)
    {
        struct json_patch_op o = { json_path_str(op, "op"), json_path_str(op, "path"), json_get(op, "value"), true };
        _cleanup_error_ struct error *err = NULL;

        assert_str(o.op, "add");
        assert_int_equal(yyjson_obj_size(op), 3);
        assert_ok(json_patch_apply(doc, &o, &err), err);
    }
    return keep(json_freeze(doc));
}

/* 9.1, "Default spec produced for {}". */
#define DEFAULT_DURATIONS                                                                                              \
    "'controllerDuration':{'availableDelay':'20s','unavailableDelay':'1m0s','cacheSyncTimeout':'5m0s'}"
#define DEFAULT_ELECTION                                                                                               \
    "'leaderElect':{'leaseDuration':'15s','renewDeadline':'10s','retryPeriod':'5s','resourceLock':'configmaps'}"
#define GATE(name, mode) "{'name':'" name "','configuration':'" mode "'}"
#define DEFAULT_GATES                                                                                                  \
    "'featureGates':[" GATE("PushReconciler", "Enabled") "," GATE("RawResourceStatusCollection", "Disabled") "," GATE( \
        "SchedulerPreferences", "Enabled") "]"
#define DEFAULT_HEALTH "'clusterHealthCheck':{'period':'10s','failureThreshold':3,'successThreshold':1,'timeout':'3s'}"
#define DEFAULT_REST                                                                                                   \
    "'syncController':{'maxConcurrentReconciles':1,'adoptResources':'Enabled'},"                                       \
    "'statusController':{'maxConcurrentReconciles':1}"
#define DEFAULT_ALL DEFAULT_DURATIONS "," DEFAULT_ELECTION "," DEFAULT_GATES "," DEFAULT_HEALTH "," DEFAULT_REST

static void default_vectors(void **state)
{
    static const char *const rows[][2] = {
        { "{}", "{'spec':{" DEFAULT_ALL "}}" },
        { "{'spec':null}", "{'spec':{" DEFAULT_ALL "}}" },
        { "{'spec':{}}", "{'spec':{" DEFAULT_ALL "}}" },
        { "{'kind':'KubeFedConfig','spec':{'scope':'Cluster','unknown':[1]}}",
          "{'kind':'KubeFedConfig','spec':{'scope':'Cluster','unknown':[1]," DEFAULT_ALL "}}" },
        { "{'spec':{'scope':7}}", "{'spec':{'scope':7," DEFAULT_ALL "}}" },
        /* the spelling stays. */
        { "{'spec':{'controllerDuration':{'unavailableDelay':'60s'}," DEFAULT_ELECTION "," DEFAULT_GATES
          "," DEFAULT_HEALTH "," DEFAULT_REST "}}",
          "{'spec':{'controllerDuration':{'unavailableDelay':'60s','availableDelay':'20s','cacheSyncTimeout':'5m0s'}"
          "," DEFAULT_ELECTION "," DEFAULT_GATES "," DEFAULT_HEALTH "," DEFAULT_REST "}}" },
        /* Gates stay in order, also odd ones. */
        { "{'spec':{" DEFAULT_DURATIONS "," DEFAULT_ELECTION ",'featureGates':[" GATE(
              "SchedulerPreferences", "Disabled") ",{'name':'X'},null,7]," DEFAULT_HEALTH "," DEFAULT_REST "}}",
          "{'spec':{" DEFAULT_DURATIONS "," DEFAULT_ELECTION
          ",'featureGates':[" GATE("SchedulerPreferences", "Disabled") ",{'name':'X'},null,7," GATE(
              "PushReconciler", "Enabled") "," GATE("RawResourceStatusCollection", "Disabled") "]," DEFAULT_HEALTH
                                                                                               "," DEFAULT_REST "}}" },
        { "{'spec':{'featureGates':[],'leaderElect':null,'syncController':{'adoptResources':null}}}",
          "{'spec':{" DEFAULT_ALL "}}" },
        /* Of another type: the API server's business. */
        { "{'spec':{'featureGates':{},'leaderElect':7," DEFAULT_DURATIONS "," DEFAULT_HEALTH "," DEFAULT_REST "}}",
          NULL },
        { "{'spec':[]}", NULL },
        { "[]", NULL },
        { "null", NULL },
        { "{'spec':{" DEFAULT_ALL "}}", NULL },
        { "{'spec':{'controllerDuration':{'availableDelay':'','unavailableDelay':false,'cacheSyncTimeout':[]},"
          "'leaderElect':{'leaseDuration':0,'renewDeadline':'-1s','retryPeriod':'x','resourceLock':''}," DEFAULT_GATES
          "," DEFAULT_HEALTH "," DEFAULT_REST "}}",
          NULL },
    };
    _cleanup_buf_ struct buf out = BUF_INIT(4096);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        yyjson_val *object = J(rows[i][0]), *got = defaulted(object);

        if (rows[i][1] ? !json_equal(got, J(rows[i][1])) : got != object) {
            json_write(&out, got);
            fail_msg("%s becomes %s", rows[i][0], out.p);
        }
    }
    assert_false(fed_config_default_patch(NULL, &out));
    /* Only what is missing is in the patch, in the order of the table. */
    assert_true(fed_config_default_patch(
        J("{'spec':{'controllerDuration':{'availableDelay':'1s'},'leaderElect':{}," DEFAULT_GATES "," DEFAULT_HEALTH
          "}}"),
        &out));
    assert_json_text(buf_str(&out),
                     "[{'op':'add','path':'/spec/controllerDuration/unavailableDelay','value':'1m0s'},"
                     "{'op':'add','path':'/spec/controllerDuration/cacheSyncTimeout','value':'5m0s'},"
                     "{'op':'add','path':'/spec/leaderElect/leaseDuration','value':'15s'},"
                     "{'op':'add','path':'/spec/leaderElect/renewDeadline','value':'10s'},"
                     "{'op':'add','path':'/spec/leaderElect/retryPeriod','value':'5s'},"
                     "{'op':'add','path':'/spec/leaderElect/resourceLock','value':'configmaps'},"
                     "{'op':'add','path':'/spec/syncController','value':{'maxConcurrentReconciles':1,"
                     "'adoptResources':'Enabled'}},"
                     "{'op':'add','path':'/spec/statusController','value':{'maxConcurrentReconciles':1}}]");
}

/* --- random objects --- */

static const struct {
    const char *section, *name;
    const char *values[5]; /* the last one or two violate a rule, by themselves or with others */
} random_fields[] = {
    { "controllerDuration", "availableDelay", { "'20s'", "'1h'", "'1ns'", "'90s'", "'-5s'" } },
    { "controllerDuration", "unavailableDelay", { "'60s'", "'1m'", "'2540400h'", "'90s'", "'0'" } },
    { "controllerDuration", "cacheSyncTimeout", { "'300s'", "'1h'", "'1ns'", "'90s'", "'0s'" } },
    { "leaderElect", "leaseDuration", { "'15s'", "'20s'", "'15000ms'", "'1h'", "'10s'" } },
    { "leaderElect", "renewDeadline", { "'10s'", "'10000ms'", "'9s'", "'11s'", "'1h'" } },
    { "leaderElect", "retryPeriod", { "'5s'", "'1s'", "'5000ms'", "'1ns'", "'9s'" } },
    { "leaderElect", "resourceLock", { "'configmaps'", "'endpoints'", "'endpoints'", "'configmaps'", "'leases'" } },
    { "clusterHealthCheck", "period", { "'10s'", "'1h'", "'1ns'", "'90s'", "'-5s'" } },
    { "clusterHealthCheck", "failureThreshold", { "3", "1", "9223372036854775807", "7", "0" } },
    { "clusterHealthCheck", "successThreshold", { "3", "1", "9223372036854775807", "7", "-1" } },
    { "clusterHealthCheck", "timeout", { "'3s'", "'1h'", "'1ns'", "'90s'", "'-5s'" } },
    { "syncController", "maxConcurrentReconciles", { "3", "1", "9223372036854775807", "7", "-1" } },
    { "syncController", "adoptResources", { "'Enabled'", "'Disabled'", "'Enabled'", "'Disabled'", "''" } },
    { "statusController", "maxConcurrentReconciles", { "3", "1", "9223372036854775807", "7", "0" } },
};
static const char *const random_sections[] = { "controllerDuration", "leaderElect", "clusterHealthCheck",
                                               "syncController", "statusController" };

static bool chance(uint64_t one_in)
{
    return rand_below(one_in) == 0;
}

static const char *pick(const char *const *from, size_t n, uint64_t odd)
{
    return chance(odd) ? from[n - 1] : from[rand_below(n - 1)];
}

static void random_section(struct buf *b, const char *name, uint64_t odd)
{
    if (chance(4))
        return;
    buf_printf(b, ",'%s':", name);
    if (chance(8)) {
        buf_addz(b, "null");
        return;
    }
    buf_addz(b, "{'unknown':[]");
    for (size_t i = 0; i < ARRAY_SIZE(random_fields); i++)
        if (strcmp(random_fields[i].section, name) == 0 && !chance(3))
            buf_printf(b, ",'%s':%s", random_fields[i].name,
                       chance(10) ? "null" : pick(random_fields[i].values, ARRAY_SIZE(random_fields[i].values), odd));
    buf_addc(b, '}');
}

static void random_gates(struct buf *b, uint64_t odd)
{
    static const char *names[] = { "PushReconciler", "SchedulerPreferences", "RawResourceStatusCollection", "X" };
    static const char *const texts[] = { FED_ENABLED, FED_DISABLED, "On" };
    uint64_t n = rand_below(4);

    if (chance(4))
        return;
    if (chance(8)) {
        buf_addz(b, ",'featureGates':null");
        return;
    }
    buf_addz(b, ",'featureGates':[");
    for (uint64_t i = 0, first = rand_below(3); i < n; i++)
        buf_printf(b, "%s{'name':'%s','configuration':'%s'}", i ? "," : "",
                   chance(odd) ? names[rand_below(4)] : names[(first + i) % 3], pick(texts, ARRAY_SIZE(texts), odd));
    buf_addc(b, ']');
}

/* What a user may leave out, and now and then a violation. */
static char *random_config(void)
{
    static const char *const scopes[] = { "'Cluster'", "'Namespaced'", "''" };
    struct buf b = BUF_INIT(SIZE_MAX);
    uint64_t odd = chance(2) ? 20 : UINT64_MAX;

    buf_printf(&b, "{'metadata':{'name':'kubefed'},'spec':{'scope':%s", pick(scopes, ARRAY_SIZE(scopes), odd));
    for (size_t i = 0; i < ARRAY_SIZE(random_sections); i++)
        random_section(&b, random_sections[i], odd);
    random_gates(&b, odd);
    buf_addz(&b, "}}");
    return buf_take(&b, NULL);
}

/* Everything of `before` but nulls is in `after` at its place. */
static bool contains(yyjson_val *after, yyjson_val *before)
{
    yyjson_val *key, *item;
    size_t i, n;

    if (yyjson_is_arr(before)) {
        yyjson_arr_foreach(before, i, n, item) if (!contains(yyjson_arr_get(after, i), item)) return false;
        return true;
    }
    if (!yyjson_is_obj(before))
        return yyjson_is_null(before) || json_equal(before, after);
    yyjson_obj_foreach(before, i, n, key, item)
    {
        if (!contains(json_getn(after, json_str(key)), item))
            return false;
    }
    return true;
}

/* Defaulted in the webhook and then judged strictly is the same as read with defaults; a second time changes nothing. */
static void check_random(const char *text, size_t *ret_allowed)
{
    yyjson_val *object = J(text), *after = defaulted(object);
    _cleanup_error_ struct error *lenient = NULL, *strict = NULL;
    _cleanup_(fed_config_freep) struct fed_config *c = NULL;
    _cleanup_buf_ struct buf none = BUF_INIT(4096);
    int r = fed_config_decode(object, &c, &lenient);

    if (fed_config_default_patch(after, &none))
        fail_msg("%s: defaults are still missing after defaulting", text);
    if (!contains(after, object))
        fail_msg("%s: defaulting changed a value", text);
    if (fed_admit_config(after, NULL, &strict) != r)
        fail_msg("%s: decoded %d, %s; admitted: %s", text, r, error_msg(lenient), error_msg(strict));
    if (r < 0)
        assert_string_equal(strict->msg, lenient->msg);
    *ret_allowed += r == 0;
}

static void random_configs(void **state)
{
    size_t allowed = 0, total = 3000;

    (void)state;
    unit_seed();
    for (size_t i = 0; i < total; i++) {
        _cleanup_free_ char *text = random_config();

        check_random(text, &allowed);
        literals_free();
    }
    /* Both kinds were seen. */
    assert_in_range(allowed, total / 4, total - total / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster_rules),       cmocka_unit_test(proxies),          cmocka_unit_test(shown_values),
        cmocka_unit_test(unreadable_clusters), cmocka_unit_test(cluster_statuses), cmocka_unit_test(many_violations),
        cmocka_unit_test(type_rules),          cmocka_unit_test(other_types),      cmocka_unit_test(type_statuses),
        cmocka_unit_test(config_rules),        cmocka_unit_test(bare_configs),     cmocka_unit_test(unreadable_configs),
        cmocka_unit_test(immutable_scope),     cmocka_unit_test(default_vectors),  cmocka_unit_test(random_configs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
