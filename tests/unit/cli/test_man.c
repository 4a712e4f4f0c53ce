/* Manual pages: every verb has one with all its flags and examples, and what is to be copied from it stays as it is. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cli/man.h"
#include "cli/verb.h"

/* What the verb prints. Owned. */
static char *page(const char *verb, const char *child, int status)
{
    char *words[] = { mem_strdup(verb ? verb : ""), mem_strdup(child ? child : "") };
    FILE *file = tmpfile();
    int saved = dup(STDOUT_FILENO);
    fflush(NULL);
    assert_true(saved >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    int got = man_main(verb ? child ? 2 : 1 : 0, words);
    fflush(NULL);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    free(words[0]);
    free(words[1]);
    struct stat st;
    assert_int_equal(got, status);
    assert_int_equal(fstat(fileno(file), &st), 0);
    char *text = mem_zalloc((size_t)st.st_size + 1);
    assert_int_equal(pread(fileno(file), text, (size_t)st.st_size, 0), st.st_size);
    fclose(file);
    return text;
}

/* The text as a reader of the page sees it: requests left out, escapes resolved. A dash that would be shown as a hyphen
 * fails the test. Owned. */
static char *rendered(const char *source)
{
    static const char *const escapes[][2] = { { "\\-", "-" },    { "\\&", "" },    { "\\(rs", "\\" }, { "\\(aq", "'" },
                                              { "\\(dq", "\"" }, { "\\(ga", "`" }, { "\\(ha", "^" },  { "\\(ti", "~" },
                                              { "\\fB", "" },    { "\\fI", "" },   { "\\fR", "" } };
    struct buf out = BUF_INIT(1 << 20);
    bool begins = true;
    while (*source) {
        size_t i = 0;
        if (begins && *source == '.') {
            source = strchr(source, '\n') + 1;
            continue;
        }
        while (i < ARRAY_SIZE(escapes) && strncmp(source, escapes[i][0], strlen(escapes[i][0])) != 0)
            i++;
        if (i == ARRAY_SIZE(escapes)) {
            if (strchr("-\\'\"`^~", *source))
                fail_msg("not escaped: %.40s", source);
            buf_addc(&out, *source);
        } else {
            buf_addz(&out, escapes[i][1]);
        }
        begins = *source == '\n';
        source += i == ARRAY_SIZE(escapes) ? 1 : strlen(escapes[i][0]);
    }
    return buf_take(&out, NULL);
}

static void has_sections(const char *text, const char *const *sections, size_t n)
{
    const char *at = text;
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *line = mem_printf("\n.SH %s\n", sections[i]);
        const char *next = strstr(at, line);
        if (!next) {
            fail_msg("no section %s, or not in its place, in %s", sections[i], text);
            return;
        }
        at = next;
    }
}

static void has_flags(const char *text, const struct verb *v)
{
    struct flag_set sets[VERB_MAX_SETS];
    size_t n = verb_flag_sets(v, NULL, sets);
    for (size_t s = 0; s < n; s++)
        for (size_t i = 0; i < sets[s].n; i++) {
            const struct flag *f = &sets[s].v[i];
            const char *type = flag_type_name(f->type);
            char shorthand[8] = "";
            if (f->shorthand)
                snprintf(shorthand, sizeof(shorthand), "-%c, ", f->shorthand);
            _cleanup_free_ char *line = mem_printf("\n%s--%s%s%s\n", shorthand, f->name, type[0] ? " " : "", type);
            assert_int_equal(strstr(text, line) != NULL, !f->hidden);
        }
    assert_non_null(strstr(text, "\n-h, --help\n"));
}

static void has_examples(const char *text, const char *examples)
{
    for (struct str line, rest = str_of(examples); !str_empty(rest);) {
        str_cut(rest, '\n', &line, &rest);
        if (str_empty(line) || line.p[0] == '#')
            continue;
        _cleanup_free_ char *wanted = mem_printf("\n%" PRIstr "\n", STRARG(line));
        if (!strstr(text, wanted))
            fail_msg("no example %s in %s", wanted, text);
    }
}

static void check_page(const char *name, const char *child_name, const struct verb *v, const char *command)
{
    static const char *const sections[] = {
        "NAME",     "SYNOPSIS",        "DESCRIPTION", "OPTIONS", "\"OPTIONS OF ALL COMMANDS\"",
        "EXAMPLES", "\"EXIT STATUS\"", "\"SEE ALSO\""
    };
    static const char *const places[] = { "\"EXIT STATUS\"", "ENVIRONMENT", "FILES", "\"SEE ALSO\"" };
    _cleanup_free_ char *source = page(name, child_name, 0), *text = rendered(source);
    _cleanup_free_ char *synopsis = mem_printf("\n%s ", command);
    has_sections(source, sections, ARRAY_SIZE(sections));
    if (v->groups & VERB_COMMON)
        has_sections(source, places, ARRAY_SIZE(places));
    assert_non_null(strstr(text, synopsis));
    has_flags(text, v);
    has_examples(text, v->examples);
}

static void every_verb_has_a_page(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_verbs; i++) {
        const struct verb *v = verbs[i];
        _cleanup_free_ char *command = mem_printf("kubefedctl %s", v->name);
        check_page(v->name, NULL, v, command);
        for (size_t k = 0; k < v->n_children; k++) {
            _cleanup_free_ char *full = mem_printf("%s %s", command, v->children[k].name);
            check_page(v->name, v->children[k].name, &v->children[k], full);
        }
    }
}

static void the_first_lines(void **state)
{
    (void)state;
    setenv("SOURCE_DATE_EPOCH", "1000000000", 1);
    _cleanup_free_ char *join = page("join", NULL, 0), *child = page("orphaning-deletion", "enable", 0);
    unsetenv("SOURCE_DATE_EPOCH");
    assert_true(str_has_prefix(str_of(join), STR(".TH KUBEFEDCTL\\-JOIN 1 2001-09-09 \"kubefed v")));
    assert_non_null(
        strstr(join, "\n.SH NAME\nkubefedctl\\-join \\- register a cluster with the control plane\n.SH SYNOPSIS\n"));
    assert_true(str_has_prefix(str_of(child), STR(".TH KUBEFEDCTL\\-ORPHANING\\-DELETION\\-ENABLE 1 2001-09-09 ")));
}

static void the_main_page_names_the_others(void **state)
{
    _cleanup_free_ char *source = page(NULL, NULL, 0), *text = rendered(source);
    (void)state;
    for (size_t i = 0; i < n_verbs; i++) {
        _cleanup_free_ char *reference = mem_printf("\nkubefedctl-%s(1)", verbs[i]->name);
        _cleanup_free_ char *command = mem_printf("\n%s\n", verbs[i]->name);
        assert_non_null(strstr(text, reference));
        assert_non_null(strstr(text, command));
    }
    assert_non_null(strstr(text, "\nKUBECONFIG\n"));
    assert_non_null(strstr(text, "\n~/.kube/config\n"));
}

static void defaults_are_told(void **state)
{
    _cleanup_free_ char *source = page("join", NULL, 0), *text = rendered(source);
    (void)state;
    assert_non_null(strstr(text, "(default kube-federation-system)"));
    assert_non_null(strstr(text, "(default true)"));
    assert_null(strstr(text, "(default 0)"));
}

static void unknown_verbs_have_none(void **state)
{
    (void)state;
    free(page("nosuch", NULL, 1));
    free(page("join", "nosuch", 1));
    free(page("orphaning-deletion", "nosuch", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_has_a_page),          cmocka_unit_test(the_first_lines),
        cmocka_unit_test(the_main_page_names_the_others), cmocka_unit_test(defaults_are_told),
        cmocka_unit_test(unknown_verbs_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
