/*
 * See cgroup.h. /proc/self/cgroup names our group in the tree that is mounted below /sys/fs/cgroup. In a container the mount is often
 * the group itself while the name is the whole one of the machine: then only its root is there, which the walk upwards ends at.
 */
#include "base/cgroup.h"

#include <stdio.h>

#include "base/str.h"

#define GROUPS_MAX 16384 /* of /proc/self/cgroup: a dozen lines at most */
#define PATH_LONGEST 4096

/* v1 says "unlimited" as the highest number of whole pages; no machine has that much. */
#define UNLIMITED ((uint64_t)1 << 60)

static bool read_file(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "re");

    if (!f)
        return false;
    size_t n = fread(text, 1, size - 1, f);
    text[n] = 0;
    fclose(f);
    return n > 0;
}

/* The number in folder/file, when it is lower than *least. */
static void lower(const char *folder, const char *file, uint64_t *least)
{
    char path[PATH_LONGEST], text[64];
    uint64_t v;
    int n = snprintf(path, sizeof(path), "%s/%s", folder, file);

    if (n >= (int)sizeof(path) || !read_file(path, text, sizeof(text)))
        return;
    if (str_to_u64(str_trim(str_of(text)), &v) == 0 && v < *least) /* v2 says "max" for none */
        *least = v;
}

/* The group and all above it, up to the mount. */
static void lower_in_tree(const char *mount, struct str group, const char *file, uint64_t *least)
{
    char folder[PATH_LONGEST];
    size_t top = strlen(mount);
    int n = snprintf(folder, sizeof(folder), "%s%" PRIstr, mount, STRARG(group));

    if (n >= (int)sizeof(folder))
        return;
    for (char *slash = folder + n; slash; slash = strrchr(folder + top, '/')) {
        *slash = 0;
        lower(folder, file, least);
    }
}

/* Of a list such as memory,hugetlb. */
static bool names_memory(struct str controllers)
{
    struct str name;

    for (bool more = true; more;) {
        more = str_cut(controllers, ',', &name, &controllers);
        if (str_eqc(name, "memory"))
            return true;
    }
    return false;
}

/* One line `number:controllers:/path`; v2 has no controllers. */
static void lower_by_line(const char *root, struct str line, uint64_t *least)
{
    char mount[PATH_LONGEST];
    struct str number, controllers, group;

    if (!str_cut(line, ':', &number, &line) || !str_cut(line, ':', &controllers, &group))
        return;
    bool v1 = !str_empty(controllers);
    if (v1 && !names_memory(controllers))
        return;
    int n = snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup%s", root, v1 ? "/memory" : "");
    if (n < (int)sizeof(mount))
        lower_in_tree(mount, group, v1 ? "memory.limit_in_bytes" : "memory.max", least);
}

bool cgroup_memory_limit(const char *root, uint64_t *ret)
{
    char path[PATH_LONGEST], text[GROUPS_MAX];
    uint64_t least = UNLIMITED;
    int n = snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);

    if (n >= (int)sizeof(path) || !read_file(path, text, sizeof(text)))
        return false;
    struct str line, rest = str_of(text);
    for (bool more = true; more;) {
        more = str_cut(rest, '\n', &line, &rest);
        lower_by_line(root, line, &least);
    }
    if (least == UNLIMITED)
        return false;
    *ret = least;
    return true;
}
