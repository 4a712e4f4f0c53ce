/* What a long-running program gives up once it has started: rights that it never uses, and that an intruder would. */
#ifndef MAIN_SANDBOX_H
#define MAIN_SANDBOX_H

#include "base/error.h"

/*
 * No core files, and no reading of our memory by other processes of the same user: tokens are in it. Best called first.
 */
void sandbox_hide_memory(void);

enum sandbox_kind {
    SANDBOX_LIST, /* only the system calls that we use; no programs can be started */
    SANDBOX_PROGRAMS, /* credential plugins are started, which inherit this and may be anything: all but the most dangerous calls */
};

/*
 * No new privileges, and fewer system calls (seccomp), for ever and for all programs that are started. None ends the process: dangerous
 * ones fail with EPERM; what is not on the list fails with ENOSYS, as in an older kernel, so that libraries do without. Nothing more
 * than no new privileges happens under the sanitizers, which need more. Errors: the kernel has no seccomp; the rest is in force.
 */
int sandbox_enter(enum sandbox_kind kind, struct error **err);

#endif
