/* The object before overrides (controllers.md 5.6): what is taken from the template, what is not, and the managed label. */
#include "fed/template.h"

#include "fed_test.h"

struct built {
    yyjson_val *object;
    struct fed_template_notes notes;
};

static struct built build_as(struct fed_type_config *type, const char *metadata, const char *spec)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = NULL;
    _cleanup_error_ struct error *err = NULL;
    struct built b = { 0 };

    assert_ok(fed_template_build(type, JF("{'metadata':%s,'spec':%s}", metadata, spec), &doc, &b.notes, &err), err);
    b.object = keep(json_freeze(doc));
    fed_type_config_free(type);
    return b;
}

static struct built build(const char *spec)
{
    return build_as(make_type("apps", "v1", "Deployment", "deployments", true), "{'name':'web','namespace':'shop'}",
                    spec);
}

static void names_and_types(void **state)
{
    struct built b = build("{'template':{'metadata':{'name':'x','namespace':'y','labels':{'l':'1'}},'kind':'Z',"
                           "'spec':{'replicas':3},'status':{'s':1},'more':[1]}}");

    (void)state;
    assert_json(b.object, "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web','namespace':'shop',"
                          "'labels':{'l':'1'}},'spec':{'replicas':3},'status':{'s':1},'more':[1]}");
    assert_false(b.notes.annotations_dropped || b.notes.finalizers_dropped);
    /* A template may choose another version. */
    b = build("{'template':{'apiVersion':'apps/v1beta1'}}");
    assert_str(json_path_str(b.object, "apiVersion"), "apps/v1beta1");
    /* Core types: "v1", not "/v1". */
    b = build_as(make_type("", "v1", "ConfigMap", "configmaps", true), "{'name':'x','namespace':'n'}", "{}");
    assert_json(b.object, "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'x','namespace':'n'}}");
}

static void without_namespace(void **state)
{
    struct built b;

    (void)state;
    b = build_as(make_type("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false), "{'name':'r'}",
                 "{'template':{'metadata':{'namespace':'y'}}}");
    assert_json(json_get(b.object, "metadata"), "{'name':'r'}");
    /* FederatedNamespaces live in the namespace that they describe. */
    b = build_as(make_type("", "v1", "Namespace", "namespaces", false), "{'name':'shop','namespace':'shop'}", "{}");
    assert_json(b.object, "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'shop'}}");
}

/* Dropped whatever their shape; noted only when there was something. */
static void forbidden_fields(void **state)
{
    static const struct {
        const char *metadata;
        bool annotations, finalizers;
    } rows[] = {
        { "{'annotations':{'a':'1'},'finalizers':['f']}", true, true },
        { "{'annotations':{'a':5}}", true, false },
        { "{'annotations':'text'}", true, false },
        { "{'finalizers':[7]}", false, true },
        { "{'finalizers':'f'}", false, true },
        { "{'annotations':{},'finalizers':[]}", false, false },
        { "{'annotations':null,'finalizers':null}", false, false },
        { "null", false, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char spec[256];
        struct built b;

        snprintf(spec, sizeof(spec), "{'template':{'metadata':%s}}", rows[i].metadata);
        b = build(spec);
        assert_json(json_get(b.object, "metadata"), "{'name':'web','namespace':'shop'}");
        if (b.notes.annotations_dropped != rows[i].annotations || b.notes.finalizers_dropped != rows[i].finalizers)
            fail_msg("%s", rows[i].metadata);
    }
}

static void absent_templates(void **state)
{
    static const char *const specs[] = { "null", "{}", "{'template':null}", "{'template':{}}" };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
        assert_json(build(specs[i]).object,
                    "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web','namespace':'shop'}}");
}

static void refused(void **state)
{
    static const char *const rows[][2] = {
        { "{'metadata':{'name':'x'},'spec':7}", "spec must be an object" },
        { "{'metadata':{'name':'x'},'spec':{'template':[]}}", "spec.template must be an object" },
        { "{'metadata':{'name':'x'},'spec':{'template':'t'}}", "spec.template must be an object" },
        { "{'metadata':{'name':'x'},'spec':{'template':{'metadata':5}}}", "spec.template.metadata must be an object" },
        { "{'metadata':{},'spec':{}}", "has no name" },
    };
    struct fed_type_config *type = make_type("", "v1", "ConfigMap", "configmaps", true);
    struct fed_template_notes notes;
    struct error *err = NULL;
    yyjson_mut_doc *doc = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_refused(fed_template_build(type, J(rows[i][0]), &doc, &notes, &err), err, rows[i][1]);
    fed_type_config_free(type);
}

static void check_managed(const char *object, const char *expected)
{
    _cleanup_json_mut_ yyjson_mut_doc *doc = json_mut_doc_of(J(object));
    _cleanup_error_ struct error *err = NULL;

    assert_ok(fed_set_managed(doc, &err), err);
    assert_json_mut(yyjson_mut_doc_get_root(doc), expected);
}

/* Whatever template and overrides did to it. */
static void managed_label(void **state)
{
    _cleanup_json_mut_ yyjson_mut_doc *list = json_mut_doc_of(J("{'metadata':{'labels':['x']}}"));
    _cleanup_json_mut_ yyjson_mut_doc *text = json_mut_doc_of(J("{'metadata':'x'}"));
    struct error *err = NULL;

    (void)state;
    check_managed("{}", "{'metadata':{'labels':{'kubefed.io/managed':'true'}}}");
    check_managed("{'metadata':{'labels':null}}", "{'metadata':{'labels':{'kubefed.io/managed':'true'}}}");
    check_managed("{'metadata':{'labels':{'a':'b','kubefed.io/managed':'false'}}}",
                  "{'metadata':{'labels':{'a':'b','kubefed.io/managed':'true'}}}");
    assert_refused(fed_set_managed(list, &err), err, "labels");
    assert_refused(fed_set_managed(text, &err), err, "metadata");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_types),  cmocka_unit_test(without_namespace), cmocka_unit_test(forbidden_fields),
        cmocka_unit_test(absent_templates), cmocka_unit_test(refused),           cmocka_unit_test(managed_label),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
