/* See metrics_internal.h: this process, with the names that Prometheus' own clients use; from /proc and /sys. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/log.h"
#include "controllers/metrics_internal.h"

/* A small file of /proc into `text`, which ends with NUL. */
static bool read_proc(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "re");

    if (!f)
        return false;
    size_t n = fread(text, 1, size - 1, f);
    text[n] = 0;
    fclose(f);
    return n > 0;
}

/* The number that follows `skip` fields separated by blanks; 0 when it is not there. */
static uint64_t field_at(const char *text, unsigned skip)
{
    uint64_t v = 0;

    for (; skip && text; skip--) {
        text = strchr(text, ' ');
        text = text ? text + 1 : NULL;
    }
    if (!text || str_to_u64(str_n(text, strcspn(text, " \n")), &v) < 0)
        return 0;
    return v;
}

static double seconds_of(clockid_t clock)
{
    struct timespec t = { 0 };

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds since the epoch: the boot of the machine, and clock ticks from there. Looked up once, since clocks are set. */
static double start_time(void)
{
    static double found;
    char text[4096];

    if (found > 0 || !read_proc("/proc/self/stat", text, sizeof(text)))
        return found;
    const char *after = strrchr(text, ')'); /* the name may hold blanks */
    double ticks = (double)field_at(after, 20) / (double)sysconf(_SC_CLK_TCK);
    found = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME) + ticks;
    return found;
}

static uint64_t open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    uint64_t n = 0;

    if (!d)
        return 0;
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n > 0 ? n - 1 : 0; /* without the one that looks; a folder that cannot be read shows nothing */
}

static void gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
    metric_head(out, name, "gauge", help);
    metric_count(out, name, NULL, value);
}

static void memory(struct buf *out)
{
    char text[256] = "";
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    read_proc("/proc/self/statm", text, sizeof(text));
    gauge(out, "process_virtual_memory_bytes", "Virtual memory of this process.", field_at(text, 0) * page);
    gauge(out, "process_resident_memory_bytes", "Resident memory of this process.", field_at(text, 1) * page);
}

static void memory_limit(struct buf *out)
{
    static const char name[] = "kubefed_memory_limit_bytes";
    uint64_t limit;

    metric_head(out, name, "gauge",
                "Memory that the control group of this process may use; nothing when there is no limit.");
    if (cgroup_memory_limit("", &limit))
        metric_count(out, name, NULL, limit);
}

static void build_info(struct buf *out)
{
    static const char name[] = "kubefed_build_info";
    _cleanup_free_ char *labels = metric_labels("version", KUBEFED_VERSION);

    metric_head(out, name, "gauge", "Always 1; the label says which version this is.");
    metric_count(out, name, labels, 1);
}

void metrics_process(struct buf *out)
{
    struct timespec cpu = { 0 };
    struct rlimit files = { 0 };

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    getrlimit(RLIMIT_NOFILE, &files);
    metric_head(out, "kubefed_log_lines_dropped_total", "counter", "Log lines that nobody read in time.");
    metric_count(out, "kubefed_log_lines_dropped_total", NULL, log_dropped());
    build_info(out);
    metric_head(out, "process_cpu_seconds_total", "counter", "User and system time of this process.");
    metric_seconds(out, "process_cpu_seconds_total", NULL, (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec);
    metric_head(out, "process_start_time_seconds", "gauge", "When this process began, in seconds since the epoch.");
    metric_real(out, "process_start_time_seconds", NULL, start_time());
    gauge(out, "process_open_fds", "Open file descriptors of this process.", open_fds());
    gauge(out, "process_max_fds", "How many file descriptors it may open.", files.rlim_cur);
    memory(out);
    memory_limit(out);
}
