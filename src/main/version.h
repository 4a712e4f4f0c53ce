/* The line that the long-running programs print first (api-and-cli.md 5.2). */
#ifndef MAIN_VERSION_H
#define MAIN_VERSION_H

#include <stdbool.h>

/* On stdout: `KubeFed <program> version: version.Info{...}`; json: as the msg of a line such as the log has then. */
void version_print(const char *program, bool json);

#endif
