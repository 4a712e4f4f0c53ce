/*
 * Keeps the resident memory of a long-running program small. A program that has just started carries the code of its
 * start-up with it: reading certificates, setting up TLS, much of it mapped only because it lies beside what was used.
 */
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "programs.h"

/* Gives back what is only code: it is read again from the page cache when it is used again. */
static int give_back(struct dl_phdr_info *info, size_t size, void *arg)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t begin = (info->dlpi_addr + p->p_vaddr + page - 1) & ~(page - 1);
        uintptr_t end = (info->dlpi_addr + p->p_vaddr + p->p_filesz) & ~(page - 1);

        /* Never what may have been written. A refusal costs nothing but memory. */
        if (p->p_type == PT_LOAD && (p->p_flags & PF_X) && !(p->p_flags & PF_W) && end > begin)
            (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
    return 0;
}

void memory_give_back(void)
{
    dl_iterate_phdr(give_back, NULL);
    malloc_trim(0);
}
