/*
 * cli_main() as a user sees it, as far as no cluster is needed: output, exit status, help texts, errors of arguments and of
 * kubeconfigs (api-and-cli.md 3). stdout and stderr are captured in temporary files.
 */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

#define MAX_WORDS 24

struct outcome {
    int status;
    char *out, *err; /* owned */
};

static char *read_back(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    char *text = mem_zalloc((size_t)st.st_size + 1);
    assert_int_equal(pread(fd, text, (size_t)st.st_size, 0), st.st_size);
    close(fd);
    return text;
}

static int temporary(void)
{
    char name[] = "/tmp/unit-cli-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    return fd;
}

/* Runs "kubefedctl <line>" with the line split at spaces. `input` (may be NULL) is its stdin. */
static struct outcome run_with(const char *line, const char *input)
{
    char *text = mem_strdup(line), *argv[MAX_WORDS + 2], name[] = "/usr/bin/kubefedctl";
    int argc = 1, files[3] = { temporary(), temporary(), temporary() }, saved[3];
    argv[0] = name;
    for (char *p = text; *p;) {
        char *end = strchr(p, ' ');
        assert_true(argc <= MAX_WORDS);
        argv[argc++] = p;
        if (!end)
            break;
        *end = '\0';
        p = end + 1;
    }
    argv[argc] = NULL;
    if (input)
        assert_int_equal(pwrite(files[0], input, strlen(input), 0), (ssize_t)strlen(input));
    fflush(NULL);
    for (int i = 0; i < 3; i++) {
        saved[i] = dup(i);
        assert_true(saved[i] >= 0 && dup2(files[i], i) == i);
    }
    struct outcome o = { .status = cli_main(argc, argv) };
    fflush(NULL);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    close(files[0]);
    o.out = read_back(files[1]);
    o.err = read_back(files[2]);
    free(text);
    return o;
}

static struct outcome run(const char *line)
{
    return run_with(line, NULL);
}

static void outcome_done(struct outcome *o)
{
    free(o->out);
    free(o->err);
}

static void expect(const char *line, int status, const char *out, const char *err)
{
    struct outcome o = run(line);
    if (o.status != status || strcmp(o.out, out) != 0 || strcmp(o.err, err) != 0)
        fail_msg(
            "kubefedctl %s\nstatus %d, expected %d\nstdout \"%s\"\nexpected \"%s\"\nstderr \"%s\"\nexpected \"%s\"",
            line, o.status, status, o.out, out, o.err, err);
    outcome_done(&o);
}

/* Errors of commands: exit 255, `Error: ...`, nothing on stdout. */
static void argument_errors(void **state)
{
    static const struct {
        const char *line, *err;
    } rows[] = {
        { "join", "NAME is required" },
        { "join a --host-cluster-name a:b", "host-cluster-name may not contain \"/\" or \":\"" },
        { "join a --host-cluster-name=a/b", "host-cluster-name may not contain \"/\" or \":\"" },
        { "join a --host-cluster-context=a:b",
          "host-cluster-name must be set if the name of the host cluster context contains one of \":\" or \"/\"" },
        { "unjoin", "NAME is required" },
        { "unjoin a --host-cluster-name a:b", "host-cluster-name may not contain \"/\" or \":\"" },
        { "enable", "NAME is required" },
        { "enable -o json configmaps", "Invalid value for --output: json" },
        { "enable -f /nonexistent/x.yaml",
          "Failed to load yaml from file \"/nonexistent/x.yaml\": open /nonexistent/x.yaml: no such file or directory" },
        { "disable", "NAME is required" },
        { "disable x --version v1", "--version flag valid only with --delete-crd" },
        { "disable x --federated-group a.b", "--federated-group flag valid only with --delete-crd" },
        { "federate", "TYPE-NAME is required" },
        { "federate cm", "RESOURCE-NAME is required" },
        { "federate -o json", "Invalid value for --output: json" },
        { "federate -o json -f x a", "Invalid value for --output: json" },
        { "federate -f x a b", "Flag '--filename' does not take any args. Got args: [a b]" },
        { "federate cm x -t -o yaml", "Flag '--enable-type' cannot be used with '--output [yaml]'" },
        { "federate -f /nonexistent",
          "Failed to load yaml from file \"/nonexistent\": open /nonexistent: no such file or directory" },
        { "orphaning-deletion enable", "resource type is required" },
        { "orphaning-deletion status x", "resource name is required" },
        { "-v 0 join", "NAME is required" },
        { "--dry-run join --kubefed-namespace x", "NAME is required" },
        { "--host-cluster-name a:b join x", "host-cluster-name may not contain \"/\" or \":\"" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *err = mem_printf("Error: %s\n", rows[i].err);
        expect(rows[i].line, 255, "", err);
    }
}

/* Errors of the flag parser: exit 1, `Error: ...` first, usage, the text once more at the end. */
static void usage_errors(void **state)
{
    static const struct {
        const char *line, *text;
    } rows[] = {
        { "join --nosuch", "unknown flag: --nosuch" },
        { "join -x", "unknown shorthand flag: 'x' in -x" },
        { "join a --secret-name", "flag needs an argument: --secret-name" },
        { "join a --error-on-existing=maybe",
          "invalid argument \"maybe\" for \"--error-on-existing\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax" },
        { "unjoin --secret-name x a", "unknown flag: --secret-name" },
        { "version --kubeconfig x", "unknown flag: --kubeconfig" },
        { "--version", "unknown flag: --version" },
        { "-v x", "invalid argument \"x\" for \"-v, --v\" flag: strconv.ParseInt: parsing \"x\": invalid syntax" },
        { "orphaning-deletion enable --secret-name a b", "unknown flag: --secret-name" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct outcome o = run(rows[i].line);
        _cleanup_free_ char *first = mem_printf("Error: %s\n", rows[i].text),
                            *last = mem_printf("\n\n%s\n", rows[i].text);
        assert_int_equal(o.status, 1);
        assert_string_equal(o.out, "");
        assert_true(str_has_prefix(str_of(o.err), str_of(first)));
        assert_true(str_has_suffix(str_of(o.err), str_of(last)));
        assert_non_null(strstr(o.err, "\nUsage:\n  kubefedctl"));
        outcome_done(&o);
    }
}

static void suggestions(void **state)
{
    (void)state;
    expect("jion a", 1, "",
           "Error: unknown command \"jion\" for \"kubefedctl\"\n\nDid you mean this?\n\tjoin\n\n"
           "Run 'kubefedctl --help' for usage.\n"
           "unknown command \"jion\" for \"kubefedctl\"\n\nDid you mean this?\n\tjoin\n\n");
    expect("frobnicate", 1, "",
           "Error: unknown command \"frobnicate\" for \"kubefedctl\"\nRun 'kubefedctl --help' for usage.\n"
           "unknown command \"frobnicate\" for \"kubefedctl\"\n");
    struct outcome o = run("join a --secret-nmae=x");
    assert_true(str_has_prefix(str_of(o.err),
                               STR("Error: unknown flag: --secret-nmae\n\nDid you mean this?\n\t--secret-name\n\n")));
    outcome_done(&o);
}

static char *golden(const char *name)
{
    _cleanup_free_ char *path = mem_printf("%s/%s", DATA_DIR, name);
    FILE *f = fopen(path, "re");
    if (!f)
        fail_msg("cannot read %s", path);
    char *text = mem_zalloc(65536);
    size_t n = fread(text, 1, 65535, f);
    assert_true(n > 0);
    fclose(f);
    return text;
}

static void help_texts(void **state)
{
    static const struct {
        const char *line, *file;
    } rows[] = {
        { "", "help-root.txt" },
        { "--help", "help-root.txt" },
        { "help", "help-root.txt" },
        { "-h", "help-root.txt" },
        { "join --help", "help-join.txt" },
        { "help join", "help-join.txt" },
        { "join -h a b c", "help-join.txt" },
        { "orphaning-deletion", "help-orphaning.txt" },
        { "orphaning-deletion nosuch", "help-orphaning.txt" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *text = golden(rows[i].file);
        expect(rows[i].line, 0, text, "");
    }
}

static void every_verb_explains_itself(void **state)
{
    static const char *const names[] = { "join",
                                         "unjoin",
                                         "enable",
                                         "disable",
                                         "federate",
                                         "version",
                                         "completion",
                                         "help",
                                         "orphaning-deletion enable",
                                         "orphaning-deletion disable",
                                         "orphaning-deletion status" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *line = mem_printf("%s --help", names[i]), *help = mem_printf("help %s", names[i]);
        struct outcome a = run(line), b = run(help);
        int examples = 0;
        assert_int_equal(a.status, 0);
        assert_string_equal(a.out, b.out);
        assert_string_equal(a.err, "");
        assert_non_null(strstr(a.out, "\nUsage:\n  kubefedctl "));
        assert_non_null(strstr(a.out, "\nFlags:\n"));
        assert_non_null(strstr(a.out, "-v, --v int"));
        for (const char *p = strstr(a.out, "\n  # "); p; p = strstr(p + 1, "\n  # "))
            examples++;
        assert_int_equal(examples, 2);
        outcome_done(&a);
        outcome_done(&b);
    }
}

static void unknown_topic(void **state)
{
    struct outcome o = run("help nosuch");
    (void)state;
    assert_int_equal(o.status, 0);
    assert_string_equal(o.err, "Unknown help topic `nosuch`\n");
    assert_non_null(strstr(o.out, "Available Commands:"));
    outcome_done(&o);
}

static void version(void **state)
{
    struct outcome o = run("version");
    struct str s = str_of(o.out);
    (void)state;
    assert_int_equal(o.status, 0);
    assert_string_equal(o.err, "");
    assert_true(str_has_prefix(s, STR("kubefedctl version: version.Info{Version:\"v")));
    assert_non_null(strstr(o.out, "\", GitCommit:\""));
    assert_non_null(strstr(o.out, "\", GitTreeState:\""));
    assert_non_null(strstr(o.out, "\", BuildDate:\""));
    assert_non_null(strstr(o.out, "\", GoVersion:\""));
    assert_non_null(strstr(o.out, "\", Compiler:\""));
    assert_non_null(strstr(o.out, "\", Platform:\"linux/"));
    assert_true(str_has_suffix(s, STR("\"}\n")));
    outcome_done(&o);
}

/* A file with this text; its name is returned (owned). */
static char *file_with(const char *text)
{
    char name[] = "/tmp/unit-cli-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return mem_strdup(name);
}

static void expect_config_error(const char *config, const char *line, const char *part)
{
    _cleanup_free_ char *name = file_with(config), *full = mem_printf("%s --kubeconfig %s", line, name);
    struct outcome o = run(full);
    unlink(name);
    if (o.status != 255 || !str_has_prefix(str_of(o.err), STR("Error: ")) || !strstr(o.err, part))
        fail_msg("kubefedctl %s: status %d, stderr \"%s\", expected \"%s\"", full, o.status, o.err, part);
    assert_string_equal(o.out, "");
    outcome_done(&o);
}

#define CONFIG(context)                                                                                                \
    "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {server: 'https://127.0.0.1:1'}\n"                 \
    "users:\n- name: u\n  user: {token: t}\ncontexts:\n- name: " context "\n  context: {cluster: c, user: u}\n"        \
    "current-context: " context "\n"

static void kubeconfig_errors(void **state)
{
    (void)state;
    expect_config_error(CONFIG("host"), "join a --host-cluster-context nosuch", "context \"nosuch\" does not exist");
    expect_config_error(
        CONFIG("\"arn:aws:x/y\""), "join a",
        "host-cluster-name must be set if the name of the host cluster context contains one of \":\" or \"/\"");
    expect_config_error(CONFIG("admin@Host"), "join a", "\"a-admin@Host\" cannot be the name of the ServiceAccount");
    expect_config_error(CONFIG("host"), "unjoin A_b", "\"A_b\" cannot be the name of a cluster");
    expect_config_error(CONFIG("host"), "join a --secret-name S", "\"S\" cannot be the name of a Secret");
    expect_config_error(CONFIG("host"), "join a --kubefed-namespace x/y", "\"x/y\" cannot be a namespace");
}

static void unreachable_host(void **state)
{
    (void)state;
    expect_config_error(CONFIG("host"), "join a",
                        "Failed to get kubefed clientset: cannot reach the host cluster (context \"host\"");
    expect_config_error(CONFIG("host"), "enable configmaps", "127.0.0.1:1");
    expect_config_error(CONFIG("host"), "federate cm x", "127.0.0.1:1");
}

static void federate_documents(void **state)
{
    static const char expected[] = "---\n"
                                   "apiVersion: types.kubefed.io/v1beta1\n"
                                   "kind: FederatedNamespace\n"
                                   "metadata:\n"
                                   "  name: n1\n"
                                   "  namespace: n1\n"
                                   "spec:\n"
                                   "  placement:\n"
                                   "    clusterSelector:\n"
                                   "      matchLabels: {}\n"
                                   "  template: {}\n"
                                   "---\n"
                                   "apiVersion: types.kubefed.io/v1beta1\n"
                                   "kind: FederatedConfigMap\n"
                                   "metadata:\n"
                                   "  name: greet\n"
                                   "  namespace: shop\n"
                                   "spec:\n"
                                   "  placement:\n"
                                   "    clusterSelector:\n"
                                   "      matchLabels: {}\n"
                                   "  template:\n"
                                   "    data:\n"
                                   "      lang: en\n"
                                   "    metadata:\n"
                                   "      labels:\n"
                                   "        l: \"1\"\n";
    struct outcome o = run_with(
        "federate -f - -n shop",
        "# nothing\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n1}\n---\n\n---\n"
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n"
        "  metadata: {name: greet, labels: {l: '1'}, annotations: {x: y}}\n  data: {lang: en}\n");
    (void)state;
    assert_int_equal(o.status, 0);
    assert_string_equal(o.out, expected);
    assert_non_null(strstr(o.err,
                           "Annotations defined for ConfigMap \"shop/greet\" will not appear in the template of the "
                           "federated resource: [x]")); /* names only: values may be secrets */
    outcome_done(&o);
}

static void federate_bad_documents(void **state)
{
    (void)state;
    struct outcome o = run_with("federate -f -", "kind: [\n");
    assert_int_equal(o.status, 255);
    assert_string_equal(o.out, "");
    assert_true(str_has_prefix(str_of(o.err), STR("Error: Failed to load yaml from file \"-\": ")));
    outcome_done(&o);
    o = run_with("federate -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\nname: b\n");
    assert_int_equal(o.status, 255);
    assert_string_equal(o.out, "");
    assert_true(str_has_prefix(str_of(o.err), STR("Error: Failed to load yaml from file \"-\": document 2: ")));
    outcome_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(argument_errors),
        cmocka_unit_test(usage_errors),
        cmocka_unit_test(suggestions),
        cmocka_unit_test(help_texts),
        cmocka_unit_test(every_verb_explains_itself),
        cmocka_unit_test(unknown_topic),
        cmocka_unit_test(version),
        cmocka_unit_test(kubeconfig_errors),
        cmocka_unit_test(unreachable_host),
        cmocka_unit_test(federate_documents),
        cmocka_unit_test(federate_bad_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
