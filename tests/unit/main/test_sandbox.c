/* Rights that are given up, each time in a process of its own: what is left is enough, what is dangerous is refused, what is not known
 * seems not to exist. */
#include "host.h"
#include "sandbox.h"
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#define UNKNOWN_CALL 100000

/* The line of the process in which something was not as it should be, as its exit status. */
#define MUST(cond)                                                                                                     \
    do {                                                                                                               \
        if (!(cond))                                                                                                   \
            _exit(__LINE__ & 0xff ? __LINE__ & 0xff : 1);                                                              \
    } while (0)

static void in_a_process(void (*fn)(void))
{
    int status;
    pid_t pid;

    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fn();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        fail_msg("the process ended with status %d, signal %d", WEXITSTATUS(status), WTERMSIG(status));
}

static bool fails_with(long result, int code)
{
    return result == -1 && errno == code;
}

static void *thread(void *arg)
{
    return arg;
}

static void check_common(void)
{
    MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || errno == ENOSYS);
    MUST(fails_with(ptrace(PTRACE_TRACEME, 0, NULL, NULL), EPERM));
    MUST(fails_with(syscall(SYS_unshare, 0), EPERM));
    MUST(fails_with(syscall(UNKNOWN_CALL), ENOSYS));
}

static void by_list(void)
{
    pthread_t t;
    int fd;

    MUST(sandbox_enter(SANDBOX_LIST, NULL) == 0);
    check_common();
    MUST(fails_with(execl("/bin/true", "true", (char *)NULL), EPERM));
    MUST(fails_with(syscall(SYS_clone3, NULL, 0), ENOSYS));
    MUST(fork() == -1);
    MUST(fails_with(syscall(SYS_keyctl, 0), ENOSYS)); /* neither used nor named */
    /* What is needed goes on. */
    MUST(pthread_create(&t, NULL, thread, NULL) == 0 && pthread_join(t, NULL) == 0);
    MUST((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
    MUST(getuid() == geteuid() && getgid() == getegid());
    MUST(malloc(64) != NULL);
}

static void list(void **state)
{
    (void)state;
    in_a_process(by_list);
}

/* A shell with a pipe, as plugins of clouds are. */
static void run_a_program(void)
{
    int status;
    pid_t pid = fork();

    MUST(pid >= 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "test \"$(echo 1 2 | cat | wc -w)\" -eq 2", (char *)NULL);
        _exit(1);
    }
    MUST(waitpid(pid, &status, 0) == pid && status == 0);
}

static void with_programs(void)
{
    MUST(sandbox_enter(SANDBOX_PROGRAMS, NULL) == 0);
    check_common();
    run_a_program();
}

static void programs(void **state)
{
    (void)state;
    in_a_process(with_programs);
}

/* --- which of both --- */

static char folder[] = "/tmp/unit-sandbox-XXXXXX";
static char *plain, *plugin;

static char *text_of(const char *server, const char *user)
{
    return mem_printf(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "clusters: [{name: k, cluster: {server: '%s'}}]\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
        "users:\n- name: other\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Never}}\n"
        "- name: u\n  user: %s\n",
        server, user);
}

static char *kubeconfig(const char *name, const char *user)
{
    char *path = mem_printf("%s/%s", folder, name);
    _cleanup_free_ char *text = text_of("https://127.0.0.1:1", user);
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    return path;
}

/* As a shell makes them of <(command): what is read is gone. *ret_path is owned; close the result. */
static int piped(const char *text, char **ret_path)
{
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], text, strlen(text)), strlen(text));
    close(fds[1]);
    *ret_path = mem_printf("/dev/fd/%d", fds[0]);
    return fds[0];
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    plain = kubeconfig("plain", "{token: t}");
    plugin = kubeconfig("plugin",
                        "{exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never}}");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(plain);
    unlink(plugin);
    free(plain);
    free(plugin);
    return rmdir(folder);
}

/* What was loaded decides, and is connected with. */
static void limit(const char *path, const char *server)
{
    struct host_options o = { .kubeconfig = path, .system_namespace = "ns" };
    _cleanup_kube_config_ struct kube_config *config = NULL;
    struct kube_client *client = NULL;
    struct loop *loop = NULL;
    char *ns = NULL;

    log_set_file(-1);
    MUST(host_load(&o, &config, NULL) == 0);
    MUST(host_limit_rights(config, NULL) == 0);
    MUST(loop_new(&loop, NULL) == 0 && host_connect(&o, config, loop, "test", &client, &ns, NULL) == 0);
    MUST(strcmp(kube_client_server(client), server) == 0 && strcmp(ns, "ns") == 0);
    kube_client_free(client);
    loop_free(loop);
    free(ns);
}

static void for_a_plugin(void)
{
    limit(plugin, "https://127.0.0.1:1");
    check_common();
    run_a_program();
}

/* Another user of the file has a plugin: it is not the one that is chosen. */
static void for_a_token(void)
{
    limit(plain, "https://127.0.0.1:1");
    MUST(fork() == -1);
}

static void for_a_plugin_of_a_pipe(void)
{
    _cleanup_free_ char
        *text = text_of("https://127.0.0.1:2",
                        "{exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never}}"),
        *path = NULL;

    piped(text, &path);
    limit(path, "https://127.0.0.1:2");
    run_a_program();
}

static void for_nobody(void)
{
    MUST(host_limit_rights(NULL, NULL) == 0);
    MUST(fork() == -1);
}

static void by_kubeconfig(void **state)
{
    (void)state;
    in_a_process(for_a_plugin);
    in_a_process(for_a_token);
    in_a_process(for_a_plugin_of_a_pipe);
    in_a_process(for_nobody);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list),
        cmocka_unit_test(programs),
        cmocka_unit_test(by_kubeconfig),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
