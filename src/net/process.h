/* Child processes with their output collected: credential plugins. argv array, never a shell. */
#ifndef NET_PROCESS_H
#define NET_PROCESS_H

#include "net/loop.h"
#include "base/buf.h"

struct process_spec {
    const char *const *argv;      /* NULL-terminated; argv[0] is looked up in PATH unless it has a slash */
    const char *const *extra_env; /* "NAME=value", NULL-terminated or NULL; added to our environment */
    uint64_t timeout_ms;          /* then SIGKILL and -ETIMEDOUT; 0: none */
    size_t max_output;            /* of stdout; -EFBIG beyond */
    bool stdin_inherit;           /* give the child our terminal as stdin, otherwise /dev/null */
};
/* Called once. exit_status: 0..255, or 128+signal. err is set when it could not run, timed out or wrote too much.
 * stderr of the child goes to ours. */
typedef void process_done_fn(void *arg, int exit_status, struct str output, const struct error *err);
struct process;
int process_start(struct loop *l, const struct process_spec *spec, process_done_fn *fn, void *arg, struct process **ret,
                  struct error **err);
void process_cancel(struct process *p); /* kills; the callback is not called */

#endif
