/*
 * One binary under several names, as KubeFed's own release (api-and-cli.md 5.1): the base name of argv[0] selects the
 * program; under the names kubefed and hyperfed the first argument does, and anything else is a kubefedctl verb for
 * kubefed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cli/cli.h"
#include "programs.h"

struct program {
    const char *name;
    int (*run)(int argc, char **argv);
};

static const struct program programs[] = {
    { "controller-manager", controller_manager_main },
    { "kubefedctl", cli_main },
    { "webhook", webhook_main },
};

static const struct program *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
        if (strcmp(programs[i].name, name) == 0)
            return &programs[i];
    return NULL;
}

static int make_symlinks(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0) {
        perror("cannot find the path of this program");
        return 0;
    }
    self[n] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
        if (symlink(self, programs[i].name) < 0)
            perror(programs[i].name);
    return 0;
}

static void usage(FILE *out, const char *self)
{
    fprintf(out,
            "%s is kubefed in one file. Usage:\n"
            "  %s controller-manager [flags]   the control plane\n"
            "  %s kubefedctl COMMAND [flags]   the command line\n"
            "  %s webhook [flags]              the admission webhook\n"
            "The same programs start under their own names through links to this file.\n",
            self, self, self, self);
}

/* A closed standard stream would become the first file or socket that is opened. /dev/null takes its place, opened so that
 * reading stdin and writing stdout fail as they would have. */
static void hold_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            return;
}

int main(int argc, char **argv)
{
    hold_standard_streams();
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *self = slash ? slash + 1 : argc > 0 ? argv[0] : "kubefed";
    const struct program *program = find(self);
    if (program)
        return program->run(argc, argv);
    if (strncmp(self, "kubectl-", strlen("kubectl-")) == 0) /* a plugin of kubectl: `kubectl fed` */
        return cli_main(argc, argv);
    if (argc > 1 && (program = find(argv[1])))
        return program->run(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "--make-symlinks") == 0)
        return make_symlinks();
    if (strcmp(self, "hyperfed") == 0 || argc < 2) {
        usage(argc < 2 ? stderr : stdout, self);
        return argc < 2 ? 1 : 0;
    }
    return cli_main(argc, argv);
}
