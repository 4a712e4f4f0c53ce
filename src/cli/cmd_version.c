/* version: one line in the shape of version.Info (api-and-cli.md 3.9). */
#include <sys/utsname.h>

#include "cli/session.h"

#ifndef KUBEFED_COMMIT
#define KUBEFED_COMMIT "unknown"
#endif
#ifndef KUBEFED_BUILD_DATE
#define KUBEFED_BUILD_DATE "unknown"
#endif
#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* Go's name of the machine, as in the original's Platform. */
static const char *machine(const struct utsname *u)
{
    if (strcmp(u->machine, "x86_64") == 0)
        return "amd64";
    return strcmp(u->machine, "aarch64") == 0 ? "arm64" : u->machine;
}

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    struct utsname u = { 0 };
    (void)options;
    (void)args;
    (void)err;
    uname(&u);
    cli_print(
        cli,
        "kubefedctl version: version.Info{Version:\"%s\", GitCommit:\"%s\", GitTreeState:\"%s\", BuildDate:\"%s\", "
        "GoVersion:\"none (written in C)\", Compiler:\"%s\", Platform:\"linux/%s\"}",
        KUBEFED_VERSION, KUBEFED_COMMIT, "unknown", KUBEFED_BUILD_DATE, COMPILER, machine(&u));
    return 0;
}

const struct verb verb_version = {
    .name = "version",
    .args = "",
    .summary = "Print the version",
    .description = "Prints the version of kubefedctl.",
    .examples =
        "# The whole line\nkubefedctl version\n\n# Only the version\nkubefedctl version | grep -o 'Version:\"v[^\"]*\"'\n",
    .run = run,
};
