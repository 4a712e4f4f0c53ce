/*
 * Completion of shells without a cluster: what the words ask for, what is offered, the form of the answer. A trailing
 * space in a line means that the word being completed is empty.
 */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/complete.h"

#define MAX_WORDS 32

/* The words of a line, which end at spaces. */
struct line {
    char *text, *words[MAX_WORDS];
    int n;
};

static struct line line_of(const char *text)
{
    struct line l = { .text = mem_strdup(text) };
    for (char *p = l.text; p;) {
        char *end = strchr(p, ' ');
        assert_true(l.n < MAX_WORDS);
        l.words[l.n++] = p;
        if (end)
            *end++ = '\0';
        p = end;
    }
    return l;
}

/* --- what is asked for --- */

struct row {
    const char *line;
    enum complete_kind kind;
    const char *prefix, *more; /* more: the TYPE, the fixed words, or the parent of sub-commands */
};

static void check_row(const struct row *row)
{
    struct line l = line_of(row->line);
    struct complete_ask ask;
    complete_ask_read(l.n, l.words, &ask);
    const char *more = ask.kind == COMPLETE_WORDS   ? ask.words
                       : ask.kind == COMPLETE_VERBS ? (ask.topic ? ask.topic->name : NULL)
                                                    : ask.type;
    bool same = row->more ? more && strcmp(more, row->more) == 0 : !more;
    if (ask.kind != row->kind || ask.flags || strcmp(ask.prefix, row->prefix) != 0 || !same)
        fail_msg("kubefedctl %s: kind %d%s, prefix \"%s\", more \"%s\"; expected kind %d, prefix \"%s\", more \"%s\"",
                 row->line, ask.kind, ask.flags ? " (flags)" : "", ask.prefix, more ? more : "-", row->kind,
                 row->prefix, row->more ? row->more : "-");
    complete_ask_done(&ask);
    free(l.text);
}

static void arguments(void **state)
{
    static const struct row rows[] = {
        { "", COMPLETE_VERBS, "", NULL },
        { "jo", COMPLETE_VERBS, "jo", NULL },
        { "--dry-run jo", COMPLETE_VERBS, "jo", NULL },
        { "--kubeconfig x jo", COMPLETE_VERBS, "jo", NULL },
        { "join ", COMPLETE_CONTEXTS, "", NULL },
        { "join m", COMPLETE_CONTEXTS, "m", NULL },
        { "--dry-run join --kubeconfig=x m", COMPLETE_CONTEXTS, "m", NULL },
        { "join -- -x", COMPLETE_CONTEXTS, "-x", NULL },
        { "unjoin m", COMPLETE_CLUSTERS, "m", NULL },
        { "enable dep", COMPLETE_NEW_TYPES, "dep", NULL },
        { "explain-schedule w", COMPLETE_PREFERENCES, "w", NULL },
        { "disable dep", COMPLETE_TYPE_CONFIGS, "dep", NULL },
        { "federate c", COMPLETE_TARGET_TYPES, "c", NULL },
        { "federate configmaps g", COMPLETE_TARGET_NAMES, "g", "configmaps" },
        { "federate -n shop cm g", COMPLETE_TARGET_NAMES, "g", "cm" },
        { "federate -nshop cm g", COMPLETE_TARGET_NAMES, "g", "cm" },
        { "federate -ct cm g", COMPLETE_TARGET_NAMES, "g", "cm" },
        { "federate -cn shop cm g", COMPLETE_TARGET_NAMES, "g", "cm" },
        { "orphaning-deletion ", COMPLETE_VERBS, "", "orphaning-deletion" },
        { "orphaning-deletion e", COMPLETE_VERBS, "e", "orphaning-deletion" },
        { "orphaning-deletion enable f", COMPLETE_FEDERATED_TYPES, "f", NULL },
        { "orphaning-deletion status fdeploy w", COMPLETE_FEDERATED_NAMES, "w", "fdeploy" },
        { "status f", COMPLETE_FEDERATED_TYPES, "f", NULL },
        { "status fdeploy w", COMPLETE_FEDERATED_NAMES, "w", "fdeploy" },
        { "get ", COMPLETE_VERBS, "", "get" },
        { "get clusters m", COMPLETE_CLUSTERS, "m", NULL },
        { "completion z", COMPLETE_WORDS, "z", "bash fish zsh" },
        { "help j", COMPLETE_VERBS, "j", NULL },
        { "help orphaning-deletion e", COMPLETE_VERBS, "e", "orphaning-deletion" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check_row(&rows[i]);
}

static void nothing_to_complete(void **state)
{
    static const char *const lines[] = { "nosuch ",        "join a ",           "federate cm x ",
                                         "version ",       "help join ",        "orphaning-deletion nosuch ",
                                         "help nosuch ",   "join --nosuch=",    "completion bash ",
                                         "join --nosuch ", "--secret-name ",    "join --host-cluster-name ",
                                         "join -v ",       "federate cm x y z " };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct line l = line_of(lines[i]);
        struct complete_ask ask;
        complete_ask_read(l.n, l.words, &ask);
        if (ask.kind != COMPLETE_NOTHING || ask.flags)
            fail_msg("kubefedctl %s: kind %d%s", lines[i], ask.kind, ask.flags ? " (flags)" : "");
        complete_ask_done(&ask);
        free(l.text);
    }
}

static void values_of_flags(void **state)
{
    static const struct row rows[] = {
        { "join --host-cluster-context h", COMPLETE_CONTEXTS, "h", NULL },
        { "join --host-cluster-context=h", COMPLETE_CONTEXTS, "h", NULL },
        { "join --host_cluster_context=h", COMPLETE_CONTEXTS, "h", NULL },
        { "join --cluster-context a=b", COMPLETE_CONTEXTS, "a=b", NULL },
        { "join --cluster-context=a=b", COMPLETE_CONTEXTS, "a=b", NULL },
        { "unjoin m --cluster-context ", COMPLETE_CONTEXTS, "", NULL },
        { "--host-cluster-context ", COMPLETE_CONTEXTS, "", NULL },
        { "--kubeconfig /tm", COMPLETE_FILES, "/tm", NULL },
        { "join --kubeconfig=/tm", COMPLETE_FILES, "/tm", NULL },
        { "enable -f ", COMPLETE_FILES, "", NULL },
        { "federate --filename x", COMPLETE_FILES, "x", NULL },
        { "federate -n s", COMPLETE_NAMESPACES, "s", NULL },
        { "federate -n=s", COMPLETE_NAMESPACES, "s", NULL },
        { "federate -cn s", COMPLETE_NAMESPACES, "s", NULL },
        { "join --kubefed-namespace k", COMPLETE_NAMESPACES, "k", NULL },
        { "enable -o ", COMPLETE_WORDS, "", "yaml" },
        { "federate --output=y", COMPLETE_WORDS, "y", "yaml" },
        { "get clusters -o ", COMPLETE_WORDS, "", "json name wide yaml" },
        { "join --dry-run=", COMPLETE_WORDS, "", "false true" },
        { "join --cluster-context --", COMPLETE_CONTEXTS, "--", NULL },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check_row(&rows[i]);
}

static void where_to_look(void **state)
{
    static const char *const lines[] = {
        "federate --kubeconfig k --host-cluster-context h --kubefed-namespace s -n a cm ",
        "federate --kubeconfig=k --host_cluster_context=h --kubefed-namespace=s -na cm ",
        "--kubeconfig k federate cm --host-cluster-context h --kubefed-namespace x --kubefed-namespace s -n=a ",
        "--kubeconfig k --host-cluster-context h --kubefed-namespace s -n a federate ",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct line l = line_of(lines[i]);
        struct complete_ask ask;
        complete_ask_read(l.n, l.words, &ask);
        assert_string_equal(ask.kubeconfig, "k");
        assert_string_equal(ask.host_context, "h");
        assert_string_equal(ask.kubefed_ns, "s");
        assert_string_equal(ask.ns, "a");
        complete_ask_done(&ask);
        free(l.text);
    }
    struct complete_ask none;
    complete_ask_read(0, NULL, &none);
    assert_int_equal(none.kind, COMPLETE_VERBS);
    assert_string_equal(none.kubeconfig, "");
    complete_ask_done(&none);
}

static void home_in_kubeconfig(void **state)
{
    static const char *const same[] = { "~/k", "$HOME/k", "${HOME}/k" };
    (void)state;
    setenv("HOME", "/home/someone", 1);
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        struct complete_ask ask = { .kubeconfig = same[i] };
        _cleanup_free_ char *path = complete_kubeconfig(&ask);
        assert_string_equal(path, "/home/someone/k");
    }
    struct complete_ask other = { .kubeconfig = "~x/k" };
    _cleanup_free_ char *path = complete_kubeconfig(&other);
    assert_string_equal(path, "~x/k");
}

/* --- what is offered --- */

/* The first words of the lines that are offered, each followed by a space. Owned. */
static char *offered(const char *text)
{
    _cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
    struct buf words = BUF_INIT(1 << 20);
    struct line l = line_of(text);
    struct complete_ask ask;
    struct complete_list list = { 0 };
    complete_ask_read(l.n, l.words, &ask);
    list.prefix = ask.prefix;
    complete_offer(&ask, &list);
    complete_list_write(&list, &out);
    for (struct str one, word, description, rest = buf_str(&out); !str_empty(rest);) {
        str_cut(rest, '\n', &one, &rest);
        str_cut(one, '\t', &word, &description);
        buf_printf(&words, "%" PRIstr " ", STRARG(word));
    }
    complete_list_done(&list);
    complete_ask_done(&ask);
    free(l.text);
    return buf_take(&words, NULL);
}

static void offers(void **state)
{
    static const struct {
        const char *line, *words;
    } rows[] = {
        { "j", "join " },
        { "un", "unjoin " },
        { "__", "" },
        { "orphaning-deletion ", "disable enable status " },
        { "orphaning-deletion d", "disable " },
        { "help or", "orphaning-deletion " },
        { "completion ", "bash fish zsh " },
        { "enable -o y", "yaml " },
        { "join --error-on-existing=", "false true " },
        { "unjoin --", "--cluster-context --delete-namespace --dry-run --force --help --host-cluster-context "
                       "--host-cluster-name --kubeconfig --kubefed-namespace " },
        { "unjoin --f", "--force " },
        { "unjoin --force --", "--cluster-context --delete-namespace --dry-run --help --host-cluster-context "
                               "--host-cluster-name --kubeconfig --kubefed-namespace " },
        { "version --", "--help " },
        { "version -", "--help -h " },
        { "version --l", "--log-backtrace-at --log-dir --log-file --log-file-max-size --log-flush-frequency "
                         "--logtostderr " },
        { "version -v", "-v " },
        { "federate -", "--contents --dry-run --enable-type --filename --help --host-cluster-context --kubeconfig "
                        "--kubefed-namespace --namespace --output --skip-api-resources -c -f -h -n -o -s -t " },
        { "federate -s pods --s", "--skip-api-resources --skip-headers --skip-log-headers --stderrthreshold " },
        { "--nosuch", "" },
        { "join -- --", "" },
    };
    (void)state;
    setenv("KUBECONFIG", "/nonexistent", 1);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *words = offered(rows[i].line);
        if (strcmp(words, rows[i].words) != 0)
            fail_msg("kubefedctl %s: offers \"%s\", expected \"%s\"", rows[i].line, words, rows[i].words);
    }
}

static void contexts_of_the_kubeconfig(void **state)
{
    static const char config[] =
        "apiVersion: v1\nkind: Config\ncurrent-context: b\ncontexts:\n"
        "- {name: b, context: {cluster: c}}\n- {name: 'admin@x:y', context: {cluster: c}}\n"
        "- {name: \"new\\nline\", context: {cluster: c}}\n- {name: -x, context: {cluster: c}}\n"
        "- {name: \"tab\\tx\", context: {cluster: c}}\n- {name: \"a\\eb\", context: {cluster: c}}\n";
    char name[] = "/tmp/unit-complete-XXXXXX";
    int fd = mkstemp(name);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, config, strlen(config)), (ssize_t)strlen(config));
    close(fd);
    _cleanup_free_ char *line = mem_printf("--kubeconfig %s join ", name);
    _cleanup_free_ char *words = offered(line);
    unlink(name);
    assert_string_equal(words, "admin@x:y b ");
}

/* --- the list --- */

static char *list_text(struct complete_list *l)
{
    struct buf out = BUF_INIT(1 << 20);
    complete_list_write(l, &out);
    complete_list_done(l);
    return buf_take(&out, NULL);
}

static void lists_are_sorted_and_harmless(void **state)
{
    /* A mark that turns what follows. */
    static const char turned[] = { 'b', '\xe2', '\x80', '\xae', '\0' };
    static const char *const names[] = { "b",     "a",         "",      "b\tx",  "b\nx",  "b\x1b[0m",
                                         "b\x7f", "b\xc2\x9b", "b\xff", "b c",   "b$(x)", "-b",
                                         "b`x`",  "b;x",       "b:x",   "b.x-y", turned };
    struct complete_list l = { .prefix = "" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        complete_add_name(&l, str_of(names[i]), "");
    complete_add_name(&l, str_n("b\0x", 3), "");
    complete_add_name(&l, STR("a"), "");
    complete_add(&l, STR("with space"), "one\ntwo\tthree\x1b");
    _cleanup_free_ char *text = list_text(&l);
    assert_string_equal(text, "a\nb\nb.x-y\nb:x\nwith space\tone two three \n");
}

static void lists_end_at_500(void **state)
{
    struct complete_list l = { .prefix = "n" };
    size_t lines = 0;
    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        _cleanup_free_ char *name = mem_printf("%c%04u", i % 2 ? 'n' : 'x', i);
        complete_add_name(&l, str_of(name), "");
    }
    _cleanup_free_ char *text = list_text(&l);
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 500);
    assert_true(str_has_prefix(str_of(text), STR("n0001\nn0003\n")));
    assert_null(strchr(text, 'x'));
}

/* --- the program --- */

static char *read_back(FILE *f)
{
    struct stat st;
    assert_int_equal(fstat(fileno(f), &st), 0);
    char *text = mem_zalloc((size_t)st.st_size + 1);
    assert_int_equal(pread(fileno(f), text, (size_t)st.st_size, 0), st.st_size);
    fclose(f);
    return text;
}

/* stdout and stderr of the program called by this name, one of which must be empty. "" has no words. Owned. */
static char *run(const char *self, const char *text, int status)
{
    struct line l = line_of(text);
    char *argv[MAX_WORDS + 2] = { mem_strdup(self) };
    FILE *files[2] = { tmpfile(), tmpfile() };
    int saved[2];
    for (int i = 0; i < l.n; i++)
        argv[i + 1] = l.words[i];
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        saved[i] = dup(i + 1);
        assert_true(saved[i] >= 0 && dup2(fileno(files[i]), i + 1) == i + 1);
    }
    int got = cli_main(text[0] ? l.n + 1 : 1, argv);
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i + 1);
        close(saved[i]);
    }
    char *out = read_back(files[0]), *err = read_back(files[1]);
    assert_int_equal(got, status);
    assert_string_equal(status ? out : err, "");
    free(status ? out : err);
    free(argv[0]);
    free(l.text);
    return status ? err : out;
}

static void expect(const char *line, const char *answer)
{
    _cleanup_free_ char *out = run("/usr/bin/kubefedctl", line, 0);
    if (strcmp(out, answer) != 0)
        fail_msg("kubefedctl %s: \"%s\", expected \"%s\"", line, out, answer);
}

static void answers(void **state)
{
    (void)state;
    setenv("KUBECONFIG", "/nonexistent", 1);
    unsetenv("KUBERNETES_SERVICE_HOST");
    expect("__complete joi", "join\tRegister a cluster with the control plane\n:4\n");
    expect("__complete completion ba", "bash\n:4\n");
    expect("__complete enable -f x", ":0\n");
    expect("__complete join ", ":4\n");
    expect("__complete unjoin ", ":4\n");
    _cleanup_free_ char *none = run("kubefedctl", "__complete", 0), *empty = run("kubefedctl", "__complete ", 0);
    assert_non_null(strstr(none, "\njoin\t"));
    assert_string_equal(none, empty);
}

static void the_hidden_verbs_are_hidden(void **state)
{
    static const char *const lines[] = { "", "help", "--help", "__complet", "__ma" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        _cleanup_free_ char *out = run("kubefedctl", lines[i], lines[i][0] == '_');
        assert_null(strstr(out, "__complete"));
        assert_null(strstr(out, "__man"));
    }
}

static void scripts_are_for_the_name_of_the_program(void **state)
{
    static const struct {
        const char *self, *line, *part;
    } rows[] = {
        { "/usr/bin/kubefedctl", "completion bash", "\ncomplete -o default -F kubefedctl_complete kubefedctl\n" },
        { "kubectl-fed", "completion bash", "\ncomplete -o default -F kubectl_fed_complete kubectl-fed\n" },
        { "kubefedctl", "completion fish", "\ncomplete -c kubefedctl -f -a '(__kubefedctl_complete)'\n" },
        { "kubectl-fed", "completion fish", "\ncomplete -c kubectl-fed -f -a '(__kubectl_fed_complete)'\n" },
        { "kubefedctl", "completion zsh", "#compdef kubefedctl\n" },
        { "kubectl-fed", "completion zsh", "#compdef kubectl-fed\n" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *out = run(rows[i].self, rows[i].line, 0);
        assert_non_null(strstr(out, rows[i].part));
        assert_null(strstr(out, "@NAME@"));
        assert_null(strstr(out, "@FUNCTION@"));
    }
}

static void shells_without_a_script_are_named(void **state)
{
    (void)state;
    free(run("kubefedctl", "completion", 255));
    free(run("kubefedctl", "completion tcsh", 255));
}

static void the_plugin_of_kubectl_says_kubectl_fed(void **state)
{
    _cleanup_free_ char *help = run("/usr/local/bin/kubectl-fed", "join --help", 0);
    _cleanup_free_ char *topic = run("/usr/local/bin/kubectl-fed", "help join", 0);
    _cleanup_free_ char *root = run("/usr/local/bin/kubectl-fed", "--help", 0);
    (void)state;
    assert_non_null(strstr(help, "\nUsage:\n  kubectl fed join CLUSTER_NAME [flags]\n"));
    assert_non_null(strstr(help, "\n  kubectl fed join member1 --host-cluster-context host\n"));
    assert_null(strstr(help, "kubefedctl"));
    assert_string_equal(help, topic);
    assert_non_null(strstr(root, "\nUsage:\n  kubectl fed [command]\n"));
    assert_null(strstr(root, "kubefedctl"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments),
        cmocka_unit_test(nothing_to_complete),
        cmocka_unit_test(values_of_flags),
        cmocka_unit_test(where_to_look),
        cmocka_unit_test(home_in_kubeconfig),
        cmocka_unit_test(offers),
        cmocka_unit_test(contexts_of_the_kubeconfig),
        cmocka_unit_test(lists_are_sorted_and_harmless),
        cmocka_unit_test(lists_end_at_500),
        cmocka_unit_test(answers),
        cmocka_unit_test(the_hidden_verbs_are_hidden),
        cmocka_unit_test(scripts_are_for_the_name_of_the_program),
        cmocka_unit_test(shells_without_a_script_are_named),
        cmocka_unit_test(the_plugin_of_kubectl_says_kubectl_fed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
