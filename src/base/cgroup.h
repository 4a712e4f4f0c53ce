/* What the kernel lets the control group of this process have (cgroup v1 and v2), as container runtimes and systemd set it. */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include "base/base.h"

/* *ret: how many bytes of memory may be used before the kernel kills; the lowest limit of the group and those above it that can be
 * seen. false: there is none, or it cannot be read; then *ret is untouched. Reads a few small files, each time anew, since limits are
 * changed while programs run. root: what stands before /proc and /sys, "" but in tests. */
bool cgroup_memory_limit(const char *root, uint64_t *ret);

#endif
