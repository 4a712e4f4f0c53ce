/*
 * Stands in for libFuzzer in ordinary builds: runs the target on every file of the folders and files named as
 * arguments. A folder that is missing or empty is an error, so that a corpus cannot get lost unnoticed.
 */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"
#include "fuzz.h"

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    _cleanup_free_ char *data = NULL;
    struct stat st;
    size_t n;

    if (!f || fstat(fileno(f), &st) < 0) {
        fprintf(stderr, "%s: cannot be read\n", path);
        if (f)
            fclose(f);
        return -1;
    }
    data = mem_alloc((size_t)st.st_size);
    n = fread(data, 1, (size_t)st.st_size, f);
    fclose(f);
    LLVMFuzzerTestOneInput((const uint8_t *)data, n);
    return 1;
}

/* The number of inputs run, or -1. */
static int replay(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0, r = 0;

    if (!dir)
        return replay_file(path);
    while (r >= 0 && (entry = readdir(dir))) {
        _cleanup_free_ char *file = NULL;

        if (entry->d_name[0] == '.')
            continue;
        file = mem_printf("%s/%s", path, entry->d_name);
        r = replay_file(file);
        count++;
    }
    closedir(dir);
    return r < 0 ? r : count;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int n = replay(argv[i]);

        if (n <= 0) {
            fprintf(stderr, "%s: no inputs\n", argv[i]);
            return 1;
        }
        total += n;
    }
    printf("%d inputs\n", total);
    return total == 0;
}
