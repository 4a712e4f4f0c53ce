/* The memory limit of the control group, in a pretended /proc and /sys below a folder of our own. */
#include "unit.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/str.h"

static char root[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/test-cgroup-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* With all folders above it. */
static void put(const char *path, const char *text)
{
    _cleanup_free_ char *full = mem_printf("%s%s", root, path);

    for (char *slash = full + strlen(root); (slash = strchr(slash + 1, '/'));) {
        *slash = 0;
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *f = fopen(full, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void expect(uint64_t limit)
{
    uint64_t found = 7;

    assert_int_equal(cgroup_memory_limit(root, &found), limit != 0);
    assert_int_equal(found, limit ? limit : 7);
}

/* A pod on a new node: the mount is the group. */
static void v2_in_a_container(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/memory.max", "268435456\n");
    expect(268435456);
}

static void v2_without_a_limit(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/system.slice/k.service\n");
    put("/sys/fs/cgroup/system.slice/k.service/memory.max", "max\n");
    expect(0);
}

/* systemd: the slice may have a lower limit than the service. */
static void the_lowest_above_counts(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/kube.slice/k.service\n");
    put("/sys/fs/cgroup/kube.slice/k.service/memory.max", "4000000\n");
    put("/sys/fs/cgroup/kube.slice/memory.max", "3000000\n");
    expect(3000000);
    put("/sys/fs/cgroup/kube.slice/memory.max", "max\n");
    expect(4000000);
}

/* A pod on an old node: the group is named as the machine sees it, and mounted without that name. */
static void v1_in_a_container(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "5:cpu,cpuacct:/a\n4:hugetlb,memory:/kubepods/pod1/c\n1:name=systemd:/a\n0::/\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n");
    expect(268435456);
}

static void v1_without_a_limit(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "4:memory:/\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    expect(0);
}

static void what_cannot_be_read_is_no_limit(void **state)
{
    (void)state;
    expect(0);
    put("/proc/self/cgroup", "\n:\n4\n4:memory\n4:memory:/a/b:/c\n0:::\nx:memory,:/\n");
    expect(0);
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "lots");
    expect(0);
    _cleanup_free_ char *longest = mem_printf("4:memory:/%04999d\n", 0);
    put("/proc/self/cgroup", longest);
    expect(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(v2_in_a_container, set_up, tear_down),
        cmocka_unit_test_setup_teardown(v2_without_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_lowest_above_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(v1_in_a_container, set_up, tear_down),
        cmocka_unit_test_setup_teardown(v1_without_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_no_limit, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
