/* Label selectors. */
#include "fed/selector.h"
#include "fed_test.h"

static bool matches(const char *selector, const char *labels)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_(fed_selector_freep) struct fed_selector *s = NULL;

    assert_ok(fed_selector_parse(J(selector), &s, &err), err);
    return fed_selector_matches(s, labels ? J(labels) : NULL);
}

static void matching(void **state)
{
    (void)state;
    assert_true(matches("{}", NULL));
    assert_true(matches("null", "{'a':'b'}"));
    assert_true(matches("{'matchLabels':{}}", NULL));
    assert_true(matches("{'matchLabels':null,'matchExpressions':[]}", NULL));
    assert_true(matches("{'matchLabels':{'a':'b'}}", "{'a':'b','c':'d'}"));
    assert_false(matches("{'matchLabels':{'a':'b'}}", "{'a':'x'}"));
    assert_false(matches("{'matchLabels':{'a':'b'}}", NULL));
    assert_true(matches("{'matchLabels':{'a':''}}", "{'a':''}"));
    assert_false(matches("{'matchLabels':{'a':''}}", "{}"));
    assert_false(matches("{'matchLabels':{'a':'1'}}", "{'a':1}"));
    assert_true(matches("{'matchExpressions':[{'key':'a','operator':'In','values':['x','y']}]}", "{'a':'y'}"));
    assert_false(matches("{'matchExpressions':[{'key':'a','operator':'In','values':['x','y']}]}", "{}"));
    assert_true(matches("{'matchExpressions':[{'key':'a','operator':'NotIn','values':['x']}]}", "{}"));
    assert_false(matches("{'matchExpressions':[{'key':'a','operator':'NotIn','values':['x']}]}", "{'a':'x'}"));
    assert_true(matches("{'matchExpressions':[{'key':'a','operator':'Exists'}]}", "{'a':''}"));
    assert_false(matches("{'matchExpressions':[{'key':'a','operator':'Exists'}]}", "{}"));
    assert_true(matches("{'matchExpressions':[{'key':'a','operator':'DoesNotExist'}]}", "{}"));
    assert_false(matches("{'matchExpressions':[{'key':'a','operator':'DoesNotExist'}]}", "{'a':'1'}"));
    assert_false(
        matches("{'matchLabels':{'a':'1'},'matchExpressions':[{'key':'b','operator':'Exists'}]}", "{'a':'1'}"));
    assert_true(matches("{'matchLabels':{'example.com/a':'1'}}", "{'example.com/a':'1'}"));
}

static void everything(void **state)
{
    _cleanup_(fed_selector_freep) struct fed_selector *s = NULL;

    (void)state;
    assert_int_equal(fed_selector_parse(NULL, &s, NULL), 0);
    assert_true(fed_selector_is_everything(s));
}

static void refused(void **state)
{
    static const struct {
        const char *selector, *fragment;
    } cases[] = {
        { "[]", "must be an object" },
        { "'x'", "must be an object" },
        { "{'matchLabels':[]}", "matchLabels" },
        { "{'matchLabels':{'a':1}}", "matchLabels" },
        { "{'matchLabels':{'-a':'b'}}", "matchLabels: Invalid value: \"-a\"" },
        { "{'matchLabels':{'a':'b c'}}", "matchLabels: Invalid value: \"b c\"" },
        { "{'matchLabels':{'A_B/x':'b'}}", "matchLabels" },
        { "{'matchExpressions':{}}", "matchExpressions" },
        { "{'matchExpressions':[1]}", "matchExpressions[0]" },
        { "{'matchExpressions':[{'key':'a','operator':'Foo'}]}",
          "matchExpressions[0].operator: Invalid value: \"Foo\": not a valid selector operator" },
        { "{'matchExpressions':[{'key':'a'}]}", "matchExpressions[0].operator" },
        { "{'matchExpressions':[{'operator':'Exists'}]}", "matchExpressions[0].key" },
        { "{'matchExpressions':[{'key':'a','operator':'In'}]}", "matchExpressions[0].values: Required value" },
        { "{'matchExpressions':[{'key':'a','operator':'NotIn','values':[]}]}", "matchExpressions[0].values" },
        { "{'matchExpressions':[{'key':'a','operator':'Exists','values':['b']}]}",
          "matchExpressions[0].values: Forbidden" },
        { "{'matchExpressions':[{'key':'a','operator':'In','values':['b!']}]}", "matchExpressions[0].values" },
        { "{'matchExpressions':[{'key':'a','operator':'In','values':[1]}]}", "matchExpressions[0].values" },
        { "{'matchExpressions':[{'key':'a','operator':'In','values':'b'}]}", "matchExpressions[0].values" },
    };
    struct error *err = NULL;
    struct fed_selector *s = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_refused(fed_selector_parse(J(cases[i].selector), &s, &err), err, cases[i].fragment);
}

static void names(void **state)
{
    char long_name[65];

    (void)state;
    memset(long_name, 'a', 64);
    long_name[64] = '\0';
    assert_false(fed_label_key_is_valid(str_of(long_name)));
    assert_true(fed_label_key_is_valid(str_n(long_name, 63)));
    assert_false(fed_label_value_is_valid(str_of(long_name)));
    assert_true(fed_label_value_is_valid(STR("")));
    assert_true(fed_label_value_is_valid(STR("a_B.c-9")));
    assert_false(fed_label_value_is_valid(STR("a-")));
    assert_false(fed_label_key_is_valid(STR("")));
    assert_false(fed_label_key_is_valid(STR("/a")));
    assert_false(fed_label_key_is_valid(STR("a/")));
    assert_false(fed_label_key_is_valid(STR("a/b/c")));
    assert_true(fed_label_key_is_valid(STR("kubefed.io/managed")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matching),
        cmocka_unit_test(everything),
        cmocka_unit_test(refused),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
