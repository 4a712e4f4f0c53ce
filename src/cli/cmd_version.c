/* version: one line in the shape of version.Info (api-and-cli.md 3.9). */
#include "base/version.h"
#include "cli/session.h"

static int run(struct cli *cli, const void *options, struct verb_args args, struct error **err)
{
    _cleanup_buf_ struct buf info = BUF_INIT((size_t)4096);
    (void)options;
    (void)args;
    (void)err;
    version_info(&info);
    cli_print(cli, "kubefedctl version: %s", info.p);
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
