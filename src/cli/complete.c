/* The hidden verb __complete: candidates and cobra's directive on stdout, never an error, nothing on stderr. */
#include "cli/complete.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* cobra's ShellCompDirective. */
#define DIRECTIVE_FILES 0
#define DIRECTIVE_NO_FILES 4
#define MAX_ANSWER ((size_t)4 << 20)

/* stdin and stderr while a cluster is asked: plugins for credentials use them, and must neither ask nor complain. */
struct silence {
    int in, err;
};

static void silence_begin(struct silence *s)
{
    int none = open("/dev/null", O_RDWR | O_CLOEXEC);
    fflush(stderr);
    *s = (struct silence){ fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) };
    if (none >= 0) {
        dup2(none, STDIN_FILENO);
        dup2(none, STDERR_FILENO);
        if (none > STDERR_FILENO)
            close(none);
    }
}

static void restore(int saved, int fd)
{
    if (saved < 0)
        return;
    dup2(saved, fd);
    close(saved);
}

static void silence_end(const struct silence *s)
{
    fflush(stderr);
    restore(s->in, STDIN_FILENO);
    restore(s->err, STDERR_FILENO);
}

/* A name server that does not answer cannot be left before its time is over: then the process ends from here. */
static void on_alarm(int signum)
{
    static const char answer[] = ":4\n";
    (void)signum;
    ssize_t written = write(STDOUT_FILENO, answer, sizeof(answer) - 1);
    (void)written;
    _exit(0);
}

static void ask_cluster(const struct complete_ask *ask, struct complete_list *l)
{
    struct sigaction action = { .sa_handler = on_alarm }, old;
    sigaction(SIGALRM, &action, &old);
    alarm(COMPLETE_DEADLINE_MS / 1000 + 1);
    if (complete_ask_cluster(ask, l) < 0)
        complete_list_done(l);
    alarm(0);
    sigaction(SIGALRM, &old, NULL);
}

int complete_main(int n, char *const *words)
{
    _cleanup_buf_ struct buf out = BUF_INIT(MAX_ANSWER);
    struct complete_ask ask;
    struct complete_list list = { 0 };
    struct silence silence;

    silence_begin(&silence);
    complete_ask_read(n, words, &ask);
    list.prefix = ask.prefix;
    complete_offer(&ask, &list);
    if (!ask.flags && ask.kind >= COMPLETE_NAMESPACES)
        ask_cluster(&ask, &list);
    complete_list_write(&list, &out);
    buf_printf(&out, ":%d\n", !ask.flags && ask.kind == COMPLETE_FILES ? DIRECTIVE_FILES : DIRECTIVE_NO_FILES);
    fwrite(out.p, 1, out.n, stdout);
    fflush(stdout);
    silence_end(&silence);
    complete_list_done(&list);
    complete_ask_done(&ask);
    return 0;
}
