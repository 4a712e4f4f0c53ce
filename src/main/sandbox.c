/*
 * See sandbox.h. The list names what glibc, libuv, OpenSSL and we use, and their successors of newer versions; a library that asks for
 * something else is told that there is no such call (ENOSYS) and does without, as on an older kernel. Sockets are for IP and local
 * ones (the resolver, the logger).
 */
#include "sandbox.h"

#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Numbers of newer kernels that this libseccomp may not know are left out by name resolution. */
static const char *const allowed[] = {
    /* memory, threads, time */
    "brk",
    "mmap",
    "mmap2",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "futex",
    "futex_time64",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "gettid",
    "getpid",
    "getppid",
    "sched_yield",
    "sched_getaffinity",
    "getcpu",
    "membarrier",
    "clock_gettime",
    "clock_gettime64",
    "clock_getres",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "nanosleep",
    "gettimeofday",
    "time",
    "getrandom",
    "sysinfo",
    "uname",
    "getrusage",
    "getrlimit",
    "ugetrlimit",
    "times",
    "arch_prctl",
    /* files */
    "read",
    "readv",
    "pread64",
    "write",
    "writev",
    "pwrite64",
    "open",
    "openat",
    "openat2",
    "close",
    "close_range",
    "fstat",
    "stat",
    "lstat",
    "newfstatat",
    "statx",
    "fstat64",
    "stat64",
    "lstat64",
    "fstatat64",
    "lseek",
    "_llseek",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getcwd",
    "getdents64",
    "fcntl",
    "fcntl64",
    "ioctl",
    "dup",
    "dup2",
    "dup3",
    "pipe",
    "pipe2",
    "poll",
    "ppoll",
    "ppoll_time64",
    "select",
    "pselect6",
    "statfs",
    "fstatfs",
    /* sockets and events */
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "shutdown",
    "getsockname",
    "getpeername",
    "setsockopt",
    "getsockopt",
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "sendmmsg",
    "recvmmsg",
    "socketpair",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    "signalfd4",
    "inotify_init1",
    "inotify_add_watch",
    "inotify_rm_watch",
    /* signals and the end */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sigaltstack",
    "sigreturn",
    "restart_syscall",
    "tgkill",
    "exit",
    "exit_group",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getuid32", /* of 32-bit machines */
    "geteuid32",
    "getgid32",
    "getegid32",
};

/* Ways into other processes, the kernel or its configuration, that no credential plugin needs. */
static const char *const dangerous[] = {
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_getfd",
    "kcmp",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "mount",
    "umount2",
    "move_mount",
    "fsopen",
    "fsmount",
    "fsconfig",
    "open_tree",
    "mount_setattr",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "open_by_handle_at",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "iopl",
    "ioperm",
    "modify_ldt",
    "acct",
    "swapon",
    "swapoff",
    "reboot",
    "quotactl",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "syslog",
};

/* Where no program is to be started. */
static const char *const programs[] = { "execve", "execveat", "fork", "vfork" };

void sandbox_hide_memory(void)
{
    const struct rlimit none = { 0, 0 };

    setrlimit(RLIMIT_CORE, &none);
    if (!SANITIZED) /* LeakSanitizer looks at its own process through a second one */
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int add(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        int r = number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(ctx, action, number, 0);

        if (r < 0 && r != -EEXIST && r != -EDOM) /* EDOM: not on this architecture */
            return r;
    }
    return 0;
}

/* Threads, but no processes: clone() must ask for a shared address space. */
static int allow_threads(scmp_filter_ctx ctx)
{
    const unsigned long vm = 0x100, thread = 0x10000; /* CLONE_VM, CLONE_THREAD */

    return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                            SCMP_A0(SCMP_CMP_MASKED_EQ, vm | thread, vm | thread));
}

static int allow_sockets(scmp_filter_ctx ctx)
{
    static const unsigned long families[] = { AF_INET, AF_INET6, AF_UNIX, AF_NETLINK };
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0; i++)
        r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, families[i]));
    return r;
}

static int allow_prctl(scmp_filter_ctx ctx)
{
    int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));

    /* Reading limits, not setting them. */
    return r < 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));
}

static int refuse(scmp_filter_ctx ctx)
{
    return add(ctx, SCMP_ACT_ERRNO(EPERM), dangerous, ARRAY_SIZE(dangerous));
}

static int fill(scmp_filter_ctx ctx)
{
    int r = add(ctx, SCMP_ACT_ALLOW, allowed, ARRAY_SIZE(allowed));

    if (r == 0)
        r = refuse(ctx);
    if (r == 0)
        r = add(ctx, SCMP_ACT_ERRNO(EPERM), programs, ARRAY_SIZE(programs));
    if (r == 0)
        r = allow_sockets(ctx);
    if (r == 0)
        r = allow_prctl(ctx);
    /* Not clone3: its flags are in memory, where a filter does not see them. It does not exist, and glibc takes clone(). */
    if (r == 0)
        r = allow_threads(ctx);
    return r;
}

int sandbox_enter(enum sandbox_kind kind, struct error **err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set(err, -errno, "no_new_privs: %s", strerror(errno));
    if (SANITIZED)
        return 0;
    scmp_filter_ctx ctx = seccomp_init(kind == SANDBOX_LIST ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ALLOW);
    int r = !ctx ? -ENOMEM : kind == SANDBOX_LIST ? fill(ctx) : refuse(ctx);

    if (r == 0)
        r = seccomp_load(ctx);
    seccomp_release(ctx);
    if (r < 0)
        return error_set(err, r, "system calls cannot be limited: %s", strerror(-r));
    return 0;
}
