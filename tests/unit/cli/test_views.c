/* What status, get and plan show: ages, tables, text of others on a terminal, differences. */
#include "unit.h"

#include "cli/diff.h"
#include "cli/table.h"

static void ages(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        { -5, "0s" },           { 0, "0s" },          { 119, "119s" },
        { 120, "2m" },          { 121, "2m1s" },      { 599, "9m59s" },
        { 600, "10m" },         { 10799, "179m" },    { 10800, "3h" },
        { 10860, "3h1m" },      { 28799, "7h59m" },   { 28800, "8h" },
        { 172799, "47h" },      { 172800, "2d" },     { 176400, "2d1h" },
        { 691199, "7d23h" },    { 691200, "8d" },     { 63071999, "729d" },
        { 63072000, "2y" },     { 63158400, "2y1d" }, { 252288000, "8y" },
        { INT64_MAX, "1000y" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char out[24];
        age_format(rows[i].seconds, out);
        assert_string_equal(out, rows[i].text);
    }
    char out[24];
    age_of(STR("2026-11-23T19:00:00Z"), 1795464060, out);
    assert_string_equal(out, "61m");
    age_of(STR("yesterday"), 1795460460, out);
    assert_string_equal(out, "<unknown>");
}

static void printable(struct str text, size_t max, const char *expected)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 16);
    add_printable(&b, text, max);
    assert_str(buf_str(&b), expected);
}

static void text_of_others(void **state)
{
    (void)state;
    printable(STR("plain \xc3\xa4\xe2\x82\xac"), 100, "plain \xc3\xa4\xe2\x82\xac");
    printable(STR("\033[31mred\007\b\r\n\tx\x7f"), 100, " [31mred     x ");
    /* A control character in two bytes, a mark that turns what follows, and a byte order mark. */
    static const char marks[] = { '\xc2', '\x9b', '3', '1',    'm',    '\xe2', '\x80', '\xae',
                                  'g',    'n',    'p', '\xef', '\xbb', '\xbf', '\0' };
    printable(str_of(marks), 100, " 31m gnp ");
    printable(STR("\xff\xc0\xafz"), 100, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
    printable(STR("a\0b"), 100, "a b");
    printable(STR("abcdef"), 3, "abc...");
    printable(STR("abc"), 3, "abc");
    printable(STR(""), 3, "");
}

static void tables(void **state)
{
    static const char *const headings[] = { "NAME", "STATE", "WHY" };
    const struct cli plain = { 0 };
    const struct cli coloured = { .coloured = true };
    _cleanup_table_ struct table t = { 0 };
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 16);
    (void)state;
    table_init(&t, headings, 3);
    assert_int_equal(table_rows(&t), 0);
    table_add(&t, STR("a"));
    table_add_styled(&t, STR("bad"), STYLE_BAD);
    table_addf(&t, "%d of %d\033", 1, 2);
    table_add(&t, STR("longer-\xc3\xa4"));
    table_end_row(&t);
    assert_int_equal(table_rows(&t), 2);
    table_write(&t, &plain, true, &b);
    assert_str(buf_str(&b), "NAME       STATE   WHY\n"
                            "a          bad     1 of 2 \n"
                            "longer-\xc3\xa4\n");
    buf_reset(&b);
    table_write_row(&t, &coloured, 0, &b);
    assert_str(buf_str(&b), "a          \033[31mbad\033[0m     1 of 2 \n");
    buf_reset(&b);
    table_write(&t, &plain, false, &b);
    assert_str(buf_str(&b), "a          bad     1 of 2 \nlonger-\xc3\xa4\n");
}

/* --- differences --- */

static void diff(const char *before, const char *after, const char *expected)
{
    _cleanup_buf_ struct buf b = BUF_INIT(1 << 16);
    diff_unified(str_of(before), str_of(after), "", NULL, &b);
    assert_str(buf_str(&b), expected);
}

static void hunks(void **state)
{
    (void)state;
    diff("", "", "");
    diff("a\nb\n", "a\nb\n", "");
    diff("", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n");
    diff("a\n", "", "@@ -1,1 +0,0 @@\n-a\n");
    diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
         "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n");
    diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n",
         "@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n@@ -7,3 +8,4 @@\n 7\n 8\n 9\n+10\n");
    diff("a\nb\nc\n", "a\nc\nd\n", "@@ -1,3 +1,3 @@\n a\n-b\n c\n+d\n");
}

static bool next_line(struct str *rest, struct str *line)
{
    if (str_empty(*rest))
        return false;
    str_cut(*rest, '\n', line, rest);
    return true;
}

/* Copies lines of `before` up to line number `to` (from 1), all of them with SIZE_MAX. */
static void copy_until(struct str *before, size_t *at, size_t to, struct buf *out)
{
    struct str line;
    while (*at < to && next_line(before, &line)) {
        buf_printf(out, "%" PRIstr "\n", STRARG(line));
        (*at)++;
    }
}

/* As patch(1) would; fails the test when a line does not fit. */
static void apply(struct str before, struct str hunk, struct buf *out)
{
    struct str line = STR_NULL, old = STR_NULL;
    size_t at = 1;
    while (next_line(&hunk, &line)) {
        if (line.n && line.p[0] == '@') {
            char *end = NULL;
            size_t from = (size_t)strtoull(line.p + 4, &end, 10);
            bool none = strncmp(end, ",0 ", 3) == 0;
            copy_until(&before, &at, none ? from + 1 : from, out);
            continue;
        }
        struct str text = str_n(line.p + 1, line.n - 1);
        if (line.p[0] != '+') {
            assert_true(next_line(&before, &old));
            assert_true(str_eq(old, text));
            at++;
        }
        if (line.p[0] != '-')
            buf_printf(out, "%" PRIstr "\n", STRARG(text));
    }
    copy_until(&before, &at, SIZE_MAX, out);
}

static void random_text(struct buf *out, size_t lines, unsigned words)
{
    for (size_t i = 0; i < lines; i++)
        buf_printf(out, "w%u\n", (unsigned)rand_below(words));
}

/* Some lines of `from` go, others come. */
static void mutate(struct str from, struct buf *out)
{
    struct str line;
    while (next_line(&from, &line)) {
        uint64_t dice = rand_below(10);
        if (dice == 0)
            continue;
        if (dice == 1)
            buf_printf(out, "new%u\n", (unsigned)rand_below(5));
        buf_printf(out, "%" PRIstr "\n", STRARG(line));
    }
}

static void check_applies(const struct buf *before, const struct buf *after)
{
    _cleanup_buf_ struct buf hunk = BUF_INIT(BUF_MAX_DEFAULT), result = BUF_INIT(BUF_MAX_DEFAULT);
    diff_unified(buf_str(before), buf_str(after), "", NULL, &hunk);
    apply(buf_str(before), buf_str(&hunk), &result);
    assert_true(str_eq(buf_str(&result), buf_str(after)));
    assert_int_equal(hunk.n == 0, str_eq(buf_str(before), buf_str(after)));
}

static void random_differences(void **state)
{
    (void)state;
    unit_seed();
    for (unsigned round = 0; round < 400; round++) {
        _cleanup_buf_ struct buf before = BUF_INIT(BUF_MAX_DEFAULT), after = BUF_INIT(BUF_MAX_DEFAULT);
        random_text(&before, rand_below(60), 1 + (unsigned)rand_below(20));
        if (rand_below(3))
            mutate(buf_str(&before), &after);
        else
            random_text(&after, rand_below(60), 1 + (unsigned)rand_below(20));
        check_applies(&before, &after);
    }
}

/* More differences than are searched for one by one. */
static void too_different(void **state)
{
    _cleanup_buf_ struct buf before = BUF_INIT(BUF_MAX_DEFAULT), after = BUF_INIT(BUF_MAX_DEFAULT);
    (void)state;
    buf_addz(&before, "same\n");
    buf_addz(&after, "same\n");
    for (unsigned i = 0; i < 4000; i++) {
        buf_printf(&before, "a%u\n", i);
        buf_printf(&after, "b%u\n", i);
    }
    buf_addz(&before, "end\n");
    buf_addz(&after, "end\n");
    check_applies(&before, &after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ages),  cmocka_unit_test(text_of_others),     cmocka_unit_test(tables),
        cmocka_unit_test(hunks), cmocka_unit_test(random_differences), cmocka_unit_test(too_different),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
