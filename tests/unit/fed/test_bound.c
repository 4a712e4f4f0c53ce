/*
 * Fields that a member keeps (docs/propagation.md, Q-21), row by row of the table there; that the projection of a
 * member object says as much about them as the complete object.
 */
#include "fed_test.h"

#include "fed/plan.h"
#include "fed/retain.h"

struct kind {
    const char *group, *kind, *plural;
    bool namespaced;
};
static const struct kind claim = { "", "PersistentVolumeClaim", "persistentvolumeclaims", true },
                         volume = { "", "PersistentVolume", "persistentvolumes", false },
                         service = { "", "Service", "services", true },
                         account = { "", "ServiceAccount", "serviceaccounts", true }, pod = { "", "Pod", "pods", true },
                         job = { "batch", "Job", "jobs", true }, cron_job = { "batch", "CronJob", "cronjobs", true },
                         deployment = { "apps", "Deployment", "deployments", true },
                         ingress = { "networking.k8s.io", "Ingress", "ingresses", true },
                         cluster_role = { "rbac.authorization.k8s.io", "ClusterRole", "clusterroles", false },
                         api_service = { "apiregistration.k8s.io", "APIService", "apiservices", false },
                         definition = { "apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions",
                                        false },
                         mutating = { "admissionregistration.k8s.io", "MutatingWebhookConfiguration",
                                      "mutatingwebhookconfigurations", false },
                         validating = { "admissionregistration.k8s.io", "ValidatingWebhookConfiguration",
                                        "validatingwebhookconfigurations", false };

/* --- what an update writes --- */

static yyjson_val *retain_from(const struct fed_type_config *type, yyjson_val *live, yyjson_val *desired,
                               const struct fed_behavior *behavior)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(desired);
    _cleanup_error_ struct error *err = NULL;
    struct fed_retain_input in = {
        .type = type, .fed_object = J("{}"), .live = live, .resource_version = STR("42"), .behavior = behavior
    };

    assert_ok(fed_retain(&in, doc, &err), err);
    json_mut_remove(json_mut_path(yyjson_mut_doc_get_root(doc), "metadata"), STR("resourceVersion"));
    return keep(json_freeze(doc));
}

/* From the complete object and from its projection: both must say the same. */
static yyjson_val *retain_with(const struct kind *k, const char *live, const char *desired,
                               const struct fed_behavior *behavior)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *type = make_type(k->group, "v1", k->kind, k->plural,
                                                                              k->namespaced);
    _cleanup_json_mut_ yyjson_mut_doc *projected = json_mut_doc_new();
    yyjson_val *a = retain_from(type, J(live), J(desired), behavior), *b;

    fed_member_project(type, false, J(live), projected);
    b = retain_from(type, keep(json_freeze(projected)), J(desired), behavior);
    if (!json_equal(a, b))
        fail_msg("%s %s: projection and object disagree", k->kind, live);
    return a;
}

/* Live object and desired one are without metadata; so is what is expected. */
static void check(const struct kind *k, const char *live, const char *desired, const char *expected, const char *file,
                  int line)
{
    _cleanup_free_ char *live_text = mem_printf("{'metadata':{'name':'x'}%s%s}", live[0] ? "," : "", live);
    _cleanup_free_ char *text = mem_printf("{'metadata':{'name':'x'}%s%s}", desired[0] ? "," : "", desired);
    _cleanup_free_ char *want = mem_printf("{'metadata':{'name':'x'}%s%s}", expected[0] ? "," : "", expected);

    check_json(retain_with(k, live_text, text, NULL), J(want), file, line);
}
#define kept(k, live, desired, expected) check(k, live, desired, expected, __FILE__, __LINE__)
#define not_kept(k, live, desired) check(k, live, desired, desired, __FILE__, __LINE__)

/* --- every plain field of the table --- */

static const struct {
    const struct kind *kind;
    const char *parent, *key; /* parent: dotted, "" for the root */
    const char *value, *other;
} fields[] = {
    { &claim, "spec", "volumeName", "'pv-1'", "'mine'" },
    { &claim, "spec", "storageClassName", "'fast'", "'mine'" },
    { &claim, "spec", "volumeMode", "'Filesystem'", "'Block'" },
    { &claim, "spec", "dataSource", "{'kind':'VolumeSnapshot','name':'s'}", "{'name':'mine'}" },
    { &claim, "spec", "dataSourceRef", "{'kind':'VolumeSnapshot','name':'s'}", "{'name':'mine'}" },
    { &volume, "spec", "claimRef", "{'namespace':'n','name':'c','uid':'u'}", "{'name':'mine'}" },
    { &volume, "spec", "storageClassName", "'fast'", "'mine'" },
    { &volume, "spec", "volumeMode", "'Filesystem'", "'Block'" },
    { &volume, "spec", "nodeAffinity", "{'required':{'nodeSelectorTerms':[{'a':1}]}}", "{'required':{'mine':1}}" },
    { &job, "spec", "selector", "{'matchLabels':{'controller-uid':'u'}}", "{'matchLabels':{'mine':'1'}}" },
    { &service, "spec", "ipFamilies", "['IPv4','IPv6']", "['IPv6']" },
    { &service, "spec", "ipFamilyPolicy", "'SingleStack'", "'PreferDualStack'" },
    { &service, "spec", "ipFamily", "'IPv4'", "'IPv6'" },
    { &service, "spec", "loadBalancerClass", "'a.b/c'", "'mine'" },
    { &ingress, "spec", "ingressClassName", "'nginx'", "'mine'" },
    { &account, "", "imagePullSecrets", "[{'name':'registry'}]", "[{'name':'mine'}]" },
    { &api_service, "spec", "caBundle", "'Q0E='", "'bWluZQ=='" },
    { &definition, "spec.conversion.webhook.clientConfig", "caBundle", "'Q0E='", "'bWluZQ=='" },
    { &definition, "spec.conversion.webhookClientConfig", "caBundle", "'Q0E='", "'bWluZQ=='" },
};

/* `inner` as members of the object at `parent`, beside what says that the parent is there. Owned. */
static char *nest(const char *parent, const char *inner)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    struct str head, rest = str_of(parent);
    size_t depth = 0;

    while (rest.n) {
        str_cut(rest, '.', &head, &rest);
        buf_printf(&b, "'%" PRIstr "':{", STRARG(head));
        depth++;
    }
    buf_printf(&b, "'there':1%s%s", inner[0] ? "," : "", inner);
    for (; depth; depth--)
        buf_addc(&b, '}');
    return buf_take(&b, NULL);
}

static char *field(size_t i, const char *value)
{
    _cleanup_free_ char *inner = value ? mem_printf("'%s':%s", fields[i].key, value) : mem_strdup("");

    return nest(fields[i].parent, inner);
}

static void kept_where_open(void **state)
{
    static const char *const open[] = { NULL, "null", "''", "{}", "[]" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        for (size_t k = 0; k < ARRAY_SIZE(open); k++) {
            _cleanup_free_ char *live = field(i, fields[i].value), *desired = field(i, open[k]);

            if (strcmp(fields[i].key, "storageClassName") == 0 && open[k] && strcmp(open[k], "''") == 0)
                not_kept(fields[i].kind, live, desired); /* an empty class says: none */
            else
                kept(fields[i].kind, live, desired, live);
        }
}

static void template_wins(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        _cleanup_free_ char *live = field(i, fields[i].value), *desired = field(i, fields[i].other);

        not_kept(fields[i].kind, live, desired);
    }
}

static void nothing_to_keep(void **state)
{
    static const char *const empty[] = { NULL, "null", "''", "{}", "[]" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        for (size_t k = 0; k < ARRAY_SIZE(empty); k++) {
            _cleanup_free_ char *live = field(i, empty[k]), *desired = field(i, NULL);

            not_kept(fields[i].kind, live, desired);
        }
}

/* What would be the object around it is missing, or something else: it is not made. */
static void missing_parents(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        _cleanup_free_ char *live = field(i, fields[i].value);

        if (fields[i].parent[0] == '\0' || fields[i].kind == &service)
            continue;
        not_kept(fields[i].kind, live, "");
        not_kept(fields[i].kind, live, "'spec':null");
        not_kept(fields[i].kind, live, "'spec':7");
        not_kept(fields[i].kind, live, "'spec':[]");
    }
    not_kept(&definition, "'spec':{'conversion':{'webhook':{'clientConfig':{'caBundle':'Q0E='}}}}",
             "'spec':{'conversion':{'strategy':'None'}}");
    not_kept(&definition, "'spec':{'conversion':{'webhook':{'clientConfig':{'caBundle':'Q0E='}}}}",
             "'spec':{'conversion':{'webhook':{}}}");
}

/* A member that answers with nonsense is not copied from. */
static void surprising_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        static const char *const odd[] = { "7", "true", "[1]", "{'a':1}", "'text'" };
        _cleanup_free_ char *desired = field(i, NULL);

        for (size_t k = 0; k < ARRAY_SIZE(odd); k++) {
            _cleanup_free_ char *live = field(i, odd[k]);

            if (yyjson_get_type(J(odd[k])) != yyjson_get_type(J(fields[i].value)))
                not_kept(fields[i].kind, live, desired);
        }
    }
    not_kept(&claim, "'spec':7", "'spec':{'there':1}");
    not_kept(&claim, "'spec':[{'volumeName':'v'}]", "'spec':{'there':1}");
    not_kept(&pod, "'spec':[1]", "'spec':{'there':1}");
    not_kept(&pod, "'spec':'x'", "'spec':{'there':1}");
}

/* The rows are about their own kinds: other kinds, and the same names in other groups, are as the template says. */
static void other_kinds(void **state)
{
    static const struct kind custom = { "example.com", "PersistentVolumeClaim", "persistentvolumeclaims", true },
                             old_ingress = { "extensions", "Ingress", "ingresses", true };
    static const char live[] =
        "'spec':{'volumeName':'v','selector':{'a':'b'},'ingressClassName':'c','caBundle':'d',"
        "'strategy':'RollingUpdate','suspend':false},'rules':[1],'imagePullSecrets':[{'name':'s'}]";

    (void)state;
    not_kept(&custom, live, "'spec':{'there':1}");
    not_kept(&old_ingress, live, "'spec':{'there':1}");
    not_kept(&cron_job, live, "'spec':{'there':1}");
    not_kept(&deployment, live, "'spec':{'there':1}");
}

/* --- rows with a rule of their own --- */

#define JOB_LABELS                                                                                                     \
    "'controller-uid':'u','job-name':'x','batch.kubernetes.io/controller-uid':'u','batch.kubernetes.io/job-name':'x'"
#define POD_LABELS(labels) "'spec':{'template':{'metadata':{'labels':{" labels "}}}}"

static void job_labels(void **state)
{
    (void)state;
    kept(&job, POD_LABELS(JOB_LABELS ",'theirs':'1'"), POD_LABELS("'mine':'1'"), POD_LABELS("'mine':'1'," JOB_LABELS));
    kept(&job, POD_LABELS(JOB_LABELS), "'spec':{'template':{'spec':{}}}",
         "'spec':{'template':{'spec':{},'metadata':{'labels':{" JOB_LABELS "}}}}");
    kept(&job, POD_LABELS(JOB_LABELS), POD_LABELS("'job-name':'mine','controller-uid':''"),
         POD_LABELS("'job-name':'mine','controller-uid':'u','batch.kubernetes.io/controller-uid':'u',"
                    "'batch.kubernetes.io/job-name':'x'"));
    not_kept(&job, POD_LABELS(JOB_LABELS), "'spec':{'there':1}");
    not_kept(&job, POD_LABELS(JOB_LABELS), "'spec':{'template':null}");
    not_kept(&job, POD_LABELS(JOB_LABELS), "'spec':{'template':7}");
    not_kept(&job, POD_LABELS(JOB_LABELS), "'spec':{'template':{'metadata':{'labels':[]}}}");
    not_kept(&job, POD_LABELS("'job-name':7,'controller-uid':null"), "'spec':{'template':{'spec':{}}}");
    not_kept(&deployment, POD_LABELS(JOB_LABELS), POD_LABELS("'mine':'1'"));
}

#define HOOK(name, config) "{'name':'" name "','clientConfig':{" config "}}"

static void webhooks(void **state)
{
    static const struct kind *const kinds[] = { &mutating, &validating };
    static const char live[] = "'webhooks':[" HOOK("b", "'caBundle':'Qg=='") "," HOOK(
        "a", "'caBundle':'QQ=='") "," HOOK("c",
                                           "'caBundle':''") ",{'name':'d'},7,{'clientConfig':{'caBundle':'bm8='}}]";

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        /* By name, whatever the order and number. */
        kept(kinds[i], live, "'webhooks':[" HOOK("a", "'url':'u'") "," HOOK("b", "'url':'v'") "]",
             "'webhooks':[" HOOK("a", "'url':'u','caBundle':'QQ=='") "," HOOK("b", "'url':'v','caBundle':'Qg=='") "]");
        kept(kinds[i], live, "'webhooks':[" HOOK("a", "'caBundle':'bWluZQ=='") "," HOOK("b", "'caBundle':''") "]",
             "'webhooks':[" HOOK("a", "'caBundle':'bWluZQ=='") "," HOOK("b", "'caBundle':'Qg=='") "]");
        not_kept(kinds[i], live, "'webhooks':[" HOOK("new", "'url':'u'") "," HOOK("c", "'url':'u'") ",{'name':'a'},7]");
        not_kept(kinds[i], live, "'webhooks':[]");
        not_kept(kinds[i], live, "");
        not_kept(kinds[i], "'webhooks':{'a':1}", "'webhooks':[" HOOK("a", "'url':'u'") "]");
        not_kept(kinds[i], "'webhooks':[" HOOK("a", "'caBundle':7") "]", "'webhooks':[" HOOK("a", "'url':'u'") "]");
    }
}

/* Very many webhooks are no reason to compare each with each. */
static void many_webhooks(void **state)
{
    _cleanup_buf_ struct buf live = BUF_INIT((size_t)1 << 26), desired = BUF_INIT((size_t)1 << 26);
    yyjson_val *got;

    (void)state;
    buf_addz(&live, "{'metadata':{},'webhooks':[");
    buf_addz(&desired, "{'metadata':{},'webhooks':[");
    for (int i = 0; i < 50000; i++) {
        buf_printf(&live, "%s" HOOK("h%d", "'caBundle':'QQ=='"), i ? "," : "", i);
        buf_printf(&desired, "%s" HOOK("h%d", "'url':'u'"), i ? "," : "", 49999 - i);
    }
    buf_addz(&live, "]}");
    buf_addz(&desired, "]}");
    got = retain_with(&mutating, live.p, desired.p, NULL);
    assert_str(json_path_str(yyjson_arr_get_last(json_get(got, "webhooks")), "clientConfig.caBundle"), "QQ==");
}

/* Rules are somebody else's only where a rule aggregates them. */
static void cluster_roles(void **state)
{
#define AGGREGATION "'aggregationRule':{'clusterRoleSelectors':[{'matchLabels':{'a':'b'}}]}"
    (void)state;
    kept(&cluster_role, AGGREGATION ",'rules':[{'verbs':['get']}]", AGGREGATION,
         AGGREGATION ",'rules':[{'verbs':['get']}]");
    kept(&cluster_role, AGGREGATION ",'rules':[{'verbs':['get']}]", AGGREGATION ",'rules':[]",
         AGGREGATION ",'rules':[{'verbs':['get']}]");
    not_kept(&cluster_role, AGGREGATION ",'rules':[{'verbs':['get']}]", AGGREGATION ",'rules':[{'verbs':['mine']}]");
    /* The template of today counts: yesterday's aggregation is over. */
    not_kept(&cluster_role, AGGREGATION ",'rules':[{'verbs':['get']}]", "");
    not_kept(&cluster_role, "'rules':[{'verbs':['get']}]", "'rules':[]");
    not_kept(&cluster_role, AGGREGATION ",'rules':'all'", AGGREGATION);
}

/* --- Pod --- */

#define TOKEN "{'name':'kube-api-access-1','mountPath':'/var/run/secrets'}"

static void pods(void **state)
{
    (void)state;
    kept(&pod, "'spec':{'nodeName':'node-1','priority':0,'securityContext':{'fsGroup':7},'tolerations':[{'key':'k'}]}",
         "'spec':{'there':1,'securityContext':{}}",
         "'spec':{'there':1,'nodeName':'node-1','priority':0,'securityContext':{'fsGroup':7},"
         "'tolerations':[{'key':'k'}]}");
    /* Open members are filled in at any depth; what the template says stays. */
    kept(&pod, "'spec':{'securityContext':{'fsGroup':7,'runAsUser':1,'seLinux':{'level':'l','role':'r'}}}",
         "'spec':{'securityContext':{'runAsUser':2,'seLinux':{'role':'mine'}}}",
         "'spec':{'securityContext':{'runAsUser':2,'seLinux':{'role':'mine','level':'l'},'fsGroup':7}}");
    kept(&pod, "'spec':{'nodeName':'node-1'}", "", "'spec':{'nodeName':'node-1'}");
    not_kept(&pod, "'spec':{'nodeName':'node-1'}", "'spec':7");
    not_kept(&pod, "'spec':{'a':{'b':1},'c':[1]}", "'spec':{'a':[2],'c':{'d':2}}");
}

/* Items of lists are known by name or mount path, not by their place. */
static void pod_lists(void **state)
{
    (void)state;
    kept(&pod,
         "'spec':{'containers':[{'name':'b','image':'b:1','pull':'Always'},{'name':'a','image':'a:1','pull':'Never',"
         "'env':[{'name':'E','value':'v'},{'name':'F','value':'w'}]}]}",
         "'spec':{'containers':[{'name':'a','image':'a:2','env':[{'name':'F','value':'mine'}]},{'name':'b'}]}",
         "'spec':{'containers':[{'name':'a','image':'a:2','env':[{'name':'F','value':'mine'},{'name':'E','value':'v'}],"
         "'pull':'Never'},{'name':'b','image':'b:1','pull':'Always'}]}");
    /* One volume mounted twice: the mount path tells the mounts apart. */
    kept(
        &pod,
        "'spec':{'vm':[{'name':'v','mountPath':'/b','readOnly':true},{'name':'v','mountPath':'/a','readOnly':false}]}",
        "'spec':{'vm':[{'name':'v','mountPath':'/a'},{'name':'v','mountPath':'/b'}]}",
        "'spec':{'vm':[{'name':'v','mountPath':'/a','readOnly':false},{'name':'v','mountPath':'/b','readOnly':true}]}");
    kept(&pod, "'spec':{'ports':[{'containerPort':80,'protocol':'TCP'}]}", "'spec':{'ports':[{'containerPort':80}]}",
         "'spec':{'ports':[{'containerPort':80,'protocol':'TCP'}]}");
    /* Lists of plain values are the template's. */
    not_kept(&pod, "'spec':{'args':['a','b'],'n':[1,2,3]}", "'spec':{'args':['a'],'n':[3]}");
}

static void injected(void **state)
{
    (void)state;
    kept(&pod,
         "'spec':{'containers':[{'name':'app','image':'i','volumeMounts':[" TOKEN "]},{'name':'sidecar','image':'s'}],"
         "'volumes':[{'name':'data','emptyDir':{}},{'name':'kube-api-access-1','projected':{'sources':[1]}}]}",
         "'spec':{'containers':[{'name':'app','image':'i','volumeMounts':[{'name':'data','mountPath':'/d'}]}],"
         "'volumes':[{'name':'data','emptyDir':{}}]}",
         "'spec':{'containers':[{'name':'app','image':'i','volumeMounts':[{'name':'data','mountPath':'/d'}," TOKEN
         "]},{'name':'sidecar','image':'s'}],"
         "'volumes':[{'name':'data','emptyDir':{}},{'name':'kube-api-access-1','projected':{'sources':[1]}}]}");
}

/* What a member sends is bounded work. */
static void deep_and_wide_pods(void **state)
{
    _cleanup_buf_ struct buf live = BUF_INIT((size_t)1 << 26);

    (void)state;
    buf_addz(&live, "{'metadata':{},'spec':{'a':");
    for (int i = 0; i < 5000; i++)
        buf_addz(&live, "{'a':");
    buf_addz(&live, "1");
    for (int i = 0; i < 5000; i++)
        buf_addz(&live, "}");
    buf_addz(&live, ",'items':[{'name':'0'}");
    for (int i = 1; i < 100000; i++)
        buf_printf(&live, ",{'name':'%d'}", i);
    buf_addz(&live, "]}}");
    retain_with(&pod, live.p, live.p, NULL);
}

/* --- all of it can be switched off --- */

static void switched_off(void **state)
{
    struct fed_behavior off = fed_behavior_default;

    (void)state;
    off.retain_bound_fields = false;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        _cleanup_free_ char *live = field(i, fields[i].value), *desired = field(i, NULL);
        _cleanup_free_ char *live_text = mem_printf("{'metadata':{'name':'x'},%s}", live);
        _cleanup_free_ char *text = mem_printf("{'metadata':{'name':'x'},%s}", desired);

        assert_json(retain_with(fields[i].kind, live_text, text, &off), text);
    }
    assert_json(retain_with(&pod, "{'metadata':{},'spec':{'nodeName':'n'}}", "{'metadata':{},'spec':{'a':1}}", &off),
                "{'metadata':{},'spec':{'a':1}}");
    assert_json(
        retain_with(&job, "{'metadata':{}," POD_LABELS(JOB_LABELS) "}", "{'metadata':{},'spec':{'template':{}}}", &off),
        "{'metadata':{},'spec':{'template':{}}}");
    assert_json(retain_with(&mutating, "{'metadata':{},'webhooks':[" HOOK("a", "'caBundle':'QQ=='") "]}",
                            "{'metadata':{},'webhooks':[" HOOK("a", "'url':'u'") "]}", &off),
                "{'metadata':{},'webhooks':[" HOOK("a", "'url':'u'") "]}");
    assert_json(
        retain_with(&deployment, "{'metadata':{},'spec':{'replicas':4}}", "{'metadata':{},'spec':{'a':1}}", &off),
        "{'metadata':{},'spec':{'a':1}}");
    /* KubeFed's own list is not part of it. */
    assert_json(retain_with(&account, "{'metadata':{},'secrets':[{'name':'t'}]}", "{'metadata':{}}", &off),
                "{'metadata':{},'secrets':[{'name':'t'}]}");
}

/* A second update finds nothing to do: what was kept is as the member has it. */
static void settles(void **state)
{
    static const char live[] = "{'metadata':{'name':'x'},'spec':{'nodeName':'n','containers':[{'name':'a','image':'i',"
                               "'volumeMounts':[" TOKEN "]},{'name':'s'}]}}";
    static const char desired[] = "{'metadata':{'name':'x'},'spec':{'containers':[{'name':'a','image':'i'}]}}";
    yyjson_val *once;

    (void)state;
    once = retain_with(&pod, live, desired, NULL);
    assert_json(once, live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_where_open),
        cmocka_unit_test(template_wins),
        cmocka_unit_test(nothing_to_keep),
        cmocka_unit_test(missing_parents),
        cmocka_unit_test(surprising_shapes),
        cmocka_unit_test(other_kinds),
        cmocka_unit_test(job_labels),
        cmocka_unit_test(webhooks),
        cmocka_unit_test(many_webhooks),
        cmocka_unit_test(cluster_roles),
        cmocka_unit_test(pods),
        cmocka_unit_test(pod_lists),
        cmocka_unit_test(injected),
        cmocka_unit_test(deep_and_wide_pods),
        cmocka_unit_test(switched_off),
        cmocka_unit_test(settles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
