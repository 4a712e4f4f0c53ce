/* See version.h. */
#include "base/version.h"

#include <string.h>
#include <sys/utsname.h>

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

void version_info(struct buf *out)
{
    struct utsname u = { 0 };

    uname(&u);
    buf_printf(out,
               "version.Info{Version:\"%s\", GitCommit:\"%s\", GitTreeState:\"%s\", BuildDate:\"%s\", "
               "GoVersion:\"none (written in C)\", Compiler:\"%s\", Platform:\"linux/%s\"}",
               KUBEFED_VERSION, revision_commit, revision_state, revision_date, COMPILER, machine(&u));
}
