/* FederatedServiceStatus (controllers.md 7). */
#include "fed/service_status.h"

#include "fed_test.h"

#define MAX_CLUSTERS 4

static struct fed_type_config *services(void)
{
    _cleanup_error_ struct error *err = NULL;
    struct fed_type_config *type = NULL;

    assert_ok(
        fed_type_config_decode(
            J("{'metadata':{'name':'services'},'spec':{'propagation':'Enabled','statusCollection':'Enabled',"
              "'targetType':{'version':'v1','kind':'Service','scope':'Namespaced'},'federatedType':{'group':"
              "'types.kubefed.io','version':'v1beta1','kind':'FederatedService','scope':'Namespaced'},'statusType':"
              "{'group':'core.kubefed.io','version':'v1alpha1','kind':'FederatedServiceStatus','scope':"
              "'Namespaced'}}}"),
            &type, &err),
        err);
    return type;
}

/* `clusters`: [{name, status, unknown}]. What is to be written; NULL for SAME. */
static yyjson_val *make(const char *previous, const char *clusters, enum fed_service_status_step want)
{
    struct fed_service_cluster list[MAX_CLUSTERS];
    _cleanup_(fed_type_config_freep) struct fed_type_config *type = services();
    _cleanup_buf_ struct buf out = BUF_INIT(65536);
    struct fed_service_status_input in = {
        .type = type,
        .object = J("{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedService',"
                    "'metadata':{'name':'x','namespace':'n','uid':'fed-uid','labels':{'l':'1'}}}"),
        .previous = previous ? J(previous) : NULL,
        .clusters = list,
    };
    enum fed_service_status_step step;
    yyjson_val *item;
    size_t i, n;

    yyjson_arr_foreach(J(clusters), i, n, item)
    {
        assert_true(i < MAX_CLUSTERS);
        list[in.n_clusters++] = (struct fed_service_cluster){ .name = json_path_str(item, "name"),
                                                              .status = json_get(item, "status"),
                                                              .unknown = json_path_bool(item, "unknown", false) };
    }
    step = fed_service_status_make(&in, &out);
    if (step != want)
        fail_msg("%s over %s: step %d", clusters, previous ? previous : "nothing", step);
    if (step == FED_SERVICE_STATUS_SAME)
        assert_int_equal(out.n, 0);
    return step == FED_SERVICE_STATUS_SAME ? NULL : text_val(buf_str(&out));
}

#define OWNED                                                                                                          \
    "'apiVersion':'core.kubefed.io/v1alpha1','kind':'FederatedServiceStatus','metadata':{'name':'x','namespace':'n',"  \
    "'ownerReferences':[{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedService','name':'x','uid':"          \
    "'fed-uid'}]}"
#define IP(ip) "{'loadBalancer':{'ingress':[{'ip':'" ip "'}]}}"
#define STORED(list) "{" OWNED ",'clusterStatus':" list "}"

static void created(void **state)
{
    (void)state;
    assert_json(make(NULL, "[{'name':'c1','status':" IP("1.1.1.1") "},{'name':'c2','status':{'loadBalancer':{}}}]",
                     FED_SERVICE_STATUS_CREATE),
                "{" OWNED ",'clusterStatus':[{'clusterName':'c1','status':" IP(
                    "1.1.1.1") "},"
                               "{'clusterName':'c2','status':{'loadBalancer':{}}}]}");
    /* Every ready cluster is listed, with or without a service; with none the list is left out. */
    assert_json(make(NULL, "[{'name':'c1'},{'name':'c2','unknown':true}]", FED_SERVICE_STATUS_CREATE),
                "{" OWNED ",'clusterStatus':[{'clusterName':'c1'},{'clusterName':'c2'}]}");
    assert_json(make(NULL, "[]", FED_SERVICE_STATUS_CREATE), "{" OWNED "}");
}

/* .status is a map, or omitted. */
static void odd_statuses(void **state)
{
    (void)state;
    assert_json(json_get(make(NULL, "[{'name':'c1','status':7},{'name':'c2','status':null},{'name':'c3','status':[]}]",
                              FED_SERVICE_STATUS_CREATE),
                         "clusterStatus"),
                "[{'clusterName':'c1'},{'clusterName':'c2'},{'clusterName':'c3'}]");
}

static void patched(void **state)
{
    static const char stored[] = STORED("[{'clusterName':'c1','status':" IP("1.1.1.1") "},{'clusterName':'c2'}]");

    (void)state;
    assert_json(make(stored, "[{'name':'c1','status':" IP("2.2.2.2") "},{'name':'c2'}]", FED_SERVICE_STATUS_PATCH),
                "{'clusterStatus':[{'clusterName':'c1','status':" IP("2.2.2.2") "},{'clusterName':'c2'}]}");
    assert_json(make(stored, "[{'name':'c1'},{'name':'c2'}]", FED_SERVICE_STATUS_PATCH),
                "{'clusterStatus':[{'clusterName':'c1'},{'clusterName':'c2'}]}");
    assert_json(make(stored, "[{'name':'c2'}]", FED_SERVICE_STATUS_PATCH), "{'clusterStatus':[{'clusterName':'c2'}]}");
    assert_json(make(stored, "[]", FED_SERVICE_STATUS_PATCH), "{'clusterStatus':[]}");
    assert_json(make("{" OWNED "}", "[{'name':'c1'}]", FED_SERVICE_STATUS_PATCH),
                "{'clusterStatus':[{'clusterName':'c1'}]}");
}

static void same(void **state)
{
    (void)state;
    make(STORED("[{'clusterName':'c1','status':" IP("1.1.1.1") "},{'clusterName':'c2'}]"),
         "[{'name':'c1','status':" IP("1.1.1.1") "},{'name':'c2'}]", FED_SERVICE_STATUS_SAME);
    /* The order of keys does not matter, nor how a number is written. */
    make(STORED("[{'status':{'b':1.0,'a':{'y':1,'x':2}},'clusterName':'c1'}]"),
         "[{'name':'c1','status':{'a':{'x':2,'y':1},'b':1}}]", FED_SERVICE_STATUS_SAME);
    /* Absent and empty lists are the same. */
    make("{" OWNED "}", "[]", FED_SERVICE_STATUS_SAME);
    make(STORED("[]"), "[]", FED_SERVICE_STATUS_SAME);
    make(STORED("null"), "[]", FED_SERVICE_STATUS_SAME);
}

/* What was said of a cluster that cannot be asked stays, while the others go on. */
static void unknown_clusters(void **state)
{
    static const char stored[] = STORED("[{'clusterName':'c1','status':" IP("1.1.1.1") "},{'clusterName':'c2'}]");

    (void)state;
    make(stored, "[{'name':'c1','unknown':true},{'name':'c2','unknown':true}]", FED_SERVICE_STATUS_SAME);
    assert_json(make(stored, "[{'name':'c1','unknown':true},{'name':'c2','status':" IP("2.2.2.2") "}]",
                     FED_SERVICE_STATUS_PATCH),
                "{'clusterStatus':[{'clusterName':'c1','status':" IP("1.1.1.1") "},"
                                                                                "{'clusterName':'c2','status':" IP(
                                                                                    "2.2.2.2") "}]}");
    assert_json(make(stored, "[{'name':'c1','unknown':true},{'name':'c3','unknown':true}]", FED_SERVICE_STATUS_PATCH),
                "{'clusterStatus':[{'clusterName':'c1','status':" IP("1.1.1.1") "},{'clusterName':'c3'}]}");
}

static void odd_stored_objects(void **state)
{
    static const char *const odd[] = { "{}", "{'clusterStatus':7}", "{'clusterStatus':{'a':1}}",
                                       "{'clusterStatus':[7,null,{'clusterName':7}]}" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
        assert_json(make(odd[i], "[{'name':'c1','unknown':true}]", FED_SERVICE_STATUS_PATCH),
                    "{'clusterStatus':[{'clusterName':'c1'}]}");
}

/* What was written is not written again. */
static void written_once(void **state)
{
    static const char *const lists[] = { "[]", "[{'name':'c1'}]", "[{'name':'c1','status':{'a':1}},{'name':'c2'}]",
                                         "[{'name':'c2','unknown':true},{'name':'c3','status':{}}]" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        _cleanup_buf_ struct buf text = BUF_INIT(65536);

        json_write(&text, make(NULL, lists[i], FED_SERVICE_STATUS_CREATE));
        make(text.p, lists[i], FED_SERVICE_STATUS_SAME);
    }
}

/* Only for the FTC `services`, with both settings, and not when raw collection does the work. */
static void when_it_runs(void **state)
{
    _cleanup_(fed_type_config_freep) struct fed_type_config *type = services(),
                                                            *other = make_type("", "v1", "ConfigMap", "configmaps",
                                                                               true);

    (void)state;
    assert_true(fed_type_collects_service_status(type, false));
    assert_false(fed_type_collects_service_status(type, true));
    type->propagation_enabled = false;
    assert_true(fed_type_collects_service_status(type, false));
    type->status_collection = false;
    assert_false(fed_type_collects_service_status(type, false));
    type->status_collection = true;
    type->has_status_type = false;
    assert_false(fed_type_collects_service_status(type, false));
    type->has_status_type = true;
    other->has_status_type = true;
    assert_true(other->status_collection);
    assert_false(fed_type_collects_service_status(other, false));
    other->has_status_type = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(created),      cmocka_unit_test(odd_statuses),     cmocka_unit_test(patched),
        cmocka_unit_test(same),         cmocka_unit_test(unknown_clusters), cmocka_unit_test(odd_stored_objects),
        cmocka_unit_test(written_once), cmocka_unit_test(when_it_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
