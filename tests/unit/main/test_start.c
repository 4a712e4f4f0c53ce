/* The programs themselves, up to their first request: what they read, and how often. KUBEFED is the binary that was built. */
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGS 8

static char *kubeconfig(uint16_t port)
{
    return mem_printf("apiVersion: v1\nkind: Config\ncurrent-context: c\n"
                      "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%u'}}]\n"
                      "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
                      "users: [{name: u, user: {token: of-a-pipe}}]\n",
                      port);
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

/* argv[0] says which program it is. *ret_alive can be read as soon as it has ended. */
static pid_t run(const char *const *argv, int *ret_alive)
{
    int fds[2], null;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execv(KUBEFED, (char *const *)argv);
        _exit(99);
    }
    close(fds[1]);
    *ret_alive = fds[0];
    return pid;
}

static int listen_at(uint16_t *ret_port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

/* The head of the first request, or "" when the program ends without one. */
static void first_request(int listener, int alive, char *head, size_t size)
{
    struct pollfd p[] = { { .fd = listener, .events = POLLIN }, { .fd = alive, .events = POLLIN } };
    size_t n = 0;
    ssize_t got;
    int fd;

    head[0] = '\0';
    assert_true(poll(p, 2, -1) > 0);
    if (!p[0].revents)
        return;
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    while (n < size - 1 && !strstr(head, "\r\n\r\n") && (got = read(fd, head + n, size - 1 - n)) > 0)
        head[n += (size_t)got] = '\0';
    close(fd);
}

static void check_start(const char *program, const char *flag)
{
    uint16_t port;
    int listener = listen_at(&port), alive;
    _cleanup_free_ char *text = kubeconfig(port), *path = NULL;
    int fd = piped(text, &path);
    _cleanup_free_ char *given = mem_printf("--kubeconfig=%s", path);
    const char *argv[MAX_ARGS] = { program, given, "--metrics-addr=0", "--kubefed-namespace=ns", flag };
    pid_t pid = run(argv, &alive);
    char head[8192];

    first_request(listener, alive, head, sizeof(head));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(fd);
    close(alive);
    close(listener);
    if (!strstr(head, "GET /") || !strstr(head, "of-a-pipe"))
        fail_msg("%s: its first request is \"%s\"", program, head);
}

/* Which rights are needed follows from the kubeconfig that is connected with. */
static void kubeconfig_of_a_pipe(void **state)
{
    (void)state;
    check_start("controller-manager", "--healthz-addr=0");
    check_start("webhook", "--cert-secret=certificate");
}

/* With certificates in files there is no host to ask. */
static void kubeconfig_not_needed(void **state)
{
    _cleanup_free_ char *path = NULL;
    int fd = piped("left alone", &path), alive, status, left = 0;
    _cleanup_free_ char *given = mem_printf("--kubeconfig=%s", path);
    const char *argv[MAX_ARGS] = { "webhook", given, "--cert-dir=/does/not/exist", "--metrics-addr=no address" };
    pid_t pid = run(argv, &alive);

    (void)state;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 255);
    assert_int_equal(ioctl(fd, FIONREAD, &left), 0);
    assert_int_equal(left, strlen("left alone"));
    close(fd);
    close(alive);
}

/* The exit status of KubeFed for it. */
static void kubeconfig_missing(void **state)
{
    static const char *const programs[][2] = { { "controller-manager", "--healthz-addr=0" },
                                               { "webhook", "--cert-secret=certificate" } };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        const char *argv[MAX_ARGS] = { programs[i][0], "--kubeconfig=/does/not/exist", "--metrics-addr=0",
                                       programs[i][1] };
        int alive, status;
        pid_t pid = run(argv, &alive);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 255);
        close(alive);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kubeconfig_of_a_pipe),
        cmocka_unit_test(kubeconfig_not_needed),
        cmocka_unit_test(kubeconfig_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
