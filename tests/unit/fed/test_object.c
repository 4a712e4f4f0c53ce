/* Questions to and patches of single objects: finalizers, labels, annotations, U-07, statuses as patches. */
#include "fed/object.h"

#include "fed/names.h"
#include "fed_test.h"
#include "json/patch.h"

static void check_finalizers(const char *metadata, bool add, const char *expected)
{
    _cleanup_buf_ struct buf b = BUF_INIT(4096);

    fed_finalizer_patch(&b, JF("{'metadata':%s}", metadata), FED_SYNC_FINALIZER, add);
    assert_json_text(buf_str(&b), expected);
}

/* A list in a merge patch replaces the whole: the others must be in it, and the version that was seen. */
static void finalizer_patches(void **state)
{
    (void)state;
    check_finalizers("{}", true, "{'metadata':{'finalizers':['kubefed.io/sync-controller']}}");
    check_finalizers("{'resourceVersion':'5','finalizers':['b','a']}", true,
                     "{'metadata':{'resourceVersion':'5','finalizers':['b','a','kubefed.io/sync-controller']}}");
    check_finalizers("{'finalizers':['kubefed.io/sync-controller','a']}", true,
                     "{'metadata':{'finalizers':['kubefed.io/sync-controller','a']}}");
    check_finalizers("{'resourceVersion':'5','finalizers':['a','kubefed.io/sync-controller','b']}", false,
                     "{'metadata':{'resourceVersion':'5','finalizers':['a','b']}}");
    check_finalizers("{'finalizers':['kubefed.io/sync-controller']}", false, "{'metadata':{'finalizers':[]}}");
    check_finalizers("{'finalizers':['a']}", false, "{'metadata':{'finalizers':['a']}}");
    check_finalizers("{'finalizers':null}", true, "{'metadata':{'finalizers':['kubefed.io/sync-controller']}}");
}

static void has_finalizer(void **state)
{
    (void)state;
    assert_true(fed_has_finalizer(J("{'metadata':{'finalizers':['a','f']}}"), "f"));
    assert_false(fed_has_finalizer(J("{'metadata':{'finalizers':['a','ff']}}"), "f"));
    assert_false(fed_has_finalizer(J("{'metadata':{'finalizers':'f'}}"), "f"));
    assert_false(fed_has_finalizer(J("{'metadata':{'finalizers':[7,null]}}"), "f"));
    assert_false(fed_has_finalizer(J("{}"), "f"));
    assert_false(fed_has_finalizer(NULL, "f"));
}

static bool orphaning(const char *annotations)
{
    return fed_wants_orphaning(JF("{'metadata':{'annotations':%s}}", annotations));
}

/* Exactly the text "true" (controllers.md 5.11). */
static void orphan_annotation(void **state)
{
    static const char *const no[] = {
        "{'kubefed.io/orphan':'false'}",
        "{'kubefed.io/orphan':'True'}",
        "{'kubefed.io/orphan':''}",
        "{'kubefed.io/orphan':true}",
        "{'kubefed':{'io/orphan':'true'}}",
        "{}",
        "null",
        "'kubefed.io/orphan'",
    };

    (void)state;
    assert_true(orphaning("{'kubefed.io/orphan':'true','a':'b'}"));
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        if (orphaning(no[i]))
            fail_msg("%s counts as orphaning", no[i]);
}

static void managed_label(void **state)
{
    yyjson_val *yes = J("{'metadata':{'labels':{'kubefed.io/managed':'true'}}}");
    yyjson_val *out = J("{'metadata':{'labels':{'kubefed.io/managed':'false'}}}");
    yyjson_val *other = J("{'metadata':{'labels':{'kubefed.io/managed':'yes'}}}");
    yyjson_val *number = J("{'metadata':{'labels':{'kubefed.io/managed':true}}}");

    (void)state;
    assert_true(fed_object_is_managed(yes) && !fed_object_opted_out(yes));
    assert_true(!fed_object_is_managed(out) && fed_object_opted_out(out));
    assert_true(!fed_object_is_managed(other) && !fed_object_opted_out(other));
    assert_true(!fed_object_is_managed(number) && !fed_object_opted_out(number));
    assert_true(!fed_object_is_managed(NULL) && !fed_object_opted_out(NULL));
}

/* U-07 */
static void maps(void **state)
{
    (void)state;
    assert_true(fed_maps_equal(NULL, J("{}")));
    assert_true(fed_maps_equal(J("null"), NULL));
    assert_true(fed_maps_equal(J("{}"), J("null")));
    assert_true(fed_maps_equal(J("{'a':'1','b':'2'}"), J("{'b':'2','a':'1'}")));
    assert_false(fed_maps_equal(J("{'a':'1'}"), J("{'a':'2'}")));
    assert_false(fed_maps_equal(J("{'a':'1'}"), J("{'a':'1','b':''}")));
    assert_false(fed_maps_equal(J("{'a':''}"), NULL));
    assert_false(fed_maps_equal(J("{'a':''}"), J("{'b':''}")));
}

static void check_status(const char *status, const char *object)
{
    _cleanup_json_mut_ yyjson_mut_doc *wanted = json_mut_doc_of(J(status)), *doc = json_mut_doc_of(J(object));
    _cleanup_buf_ struct buf b = BUF_INIT(4096);
    _cleanup_free_ char *expected = mem_printf("{'status':%s}", status);

    fed_status_patch(&b, wanted);
    json_merge_apply(doc, yyjson_mut_doc_get_root(doc), text_val(buf_str(&b)));
    assert_json_mut(yyjson_mut_doc_get_root(doc), expected);
}

/* What the new status lacks is taken away. */
static void status_patches(void **state)
{
    (void)state;
    check_status("{'conditions':[]}",
                 "{'status':{'observedGeneration':3,'clusters':[{'name':'c1'}],'conditions':[1]}}");
    check_status("{'observedGeneration':4,'conditions':[],'clusters':[{'name':'c2'}]}",
                 "{'status':{'observedGeneration':3,'clusters':[{'name':'c1','remoteStatus':{'a':1}}]}}");
    check_status("{'conditions':[]}", "{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finalizer_patches), cmocka_unit_test(has_finalizer), cmocka_unit_test(orphan_annotation),
        cmocka_unit_test(managed_label),     cmocka_unit_test(maps),          cmocka_unit_test(status_patches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
