/*
 * Watches what is in memory when it is freed, for tests that secrets are not. Included by the one source file of a test program.
 * Sanitizers have a free of their own: with them FREED_IS_WATCHED is false, and nothing is ever found.
 */
#ifndef FREED_H
#define FREED_H

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define FREED_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FREED_SANITIZED
#endif

static const char *freed_needle; /* what is looked for; NULL: nothing */
static unsigned freed_found;     /* blocks that held it */

#ifdef FREED_SANITIZED
#define FREED_IS_WATCHED false
#else
#define FREED_IS_WATCHED true
extern void __libc_free(void *p); /* NOLINT(bugprone-reserved-identifier) */

void free(void *p)
{
    if (p && freed_needle && memmem(p, malloc_usable_size(p), freed_needle, strlen(freed_needle)))
        freed_found++;
    __libc_free(p);
}
#endif

/* How often it was found since freed_watch. */
static inline unsigned freed_stop(void)
{
    freed_needle = NULL;
    return freed_found;
}

static inline void freed_watch(const char *needle)
{
    freed_found = 0;
    freed_needle = needle;
}

#endif
