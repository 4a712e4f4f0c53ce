/* Nearest words: distances and what is worth suggesting. */
#include "unit.h"

#include "cli/suggest.h"

static void distances(void **state)
{
    static const struct {
        const char *a, *b;
        size_t expected;
    } rows[] = {
        { "", "", 0 },         { "a", "", 1 },
        { "", "abc", 3 },      { "join", "join", 0 },
        { "JOIN", "join", 0 }, { "jion", "join", 1 },
        { "jon", "join", 1 },  { "joiin", "join", 1 },
        { "jain", "join", 1 }, { "enable", "disable", 3 },
        { "ab", "ba", 1 },     { "abcd", "badc", 2 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(suggest_distance(str_of(rows[i].a), str_of(rows[i].b)), rows[i].expected);
        assert_int_equal(suggest_distance(str_of(rows[i].b), str_of(rows[i].a)), rows[i].expected);
    }
}

static void long_words_are_far(void **state)
{
    char word[66];
    (void)state;
    memset(word, 'x', sizeof(word) - 1);
    word[65] = '\0';
    assert_true(suggest_distance(str_of(word), str_of(word)) == SIZE_MAX);
    assert_int_equal(suggest_distance(str_n(word, 64), str_n(word, 64)), 0);
}

static void picks_the_nearest(void **state)
{
    struct suggest s = suggest_begin(STR("cluster-contxt"));
    (void)state;
    suggest_offer(&s, "kubeconfig");
    assert_null(s.best);
    suggest_offer(&s, "cluster-context");
    suggest_offer(&s, "cluster-contexts");
    assert_string_equal(s.best, "cluster-context");
}

static void prefixes_count(void **state)
{
    (void)state;
    assert_true(suggest_is_near(STR("fed"), "federate"));
    assert_true(suggest_is_near(STR("ORPH"), "orphaning-deletion"));
    assert_false(suggest_is_near(STR("delete"), "federate"));
    assert_false(suggest_is_near(STR(""), "federate"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
        cmocka_unit_test(long_words_are_far),
        cmocka_unit_test(picks_the_nearest),
        cmocka_unit_test(prefixes_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
