/*
 * Allocation that never returns NULL: the process ends with a message when the system has no memory left.
 * What bounds the amount is stated by the owner of each buffer, list and queue, not here.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

struct mem_count mem_counts[MEM_ROOMS];
const char *const mem_room_names[MEM_ROOMS] = { "other", "base",        "json",    "net", "kube",
                                                "fed",   "controllers", "webhook", "cli", "main" };

/* No log line here: log_line may need memory itself. */
static void __attribute__((noreturn)) out_of_memory(void)
{
    static const char text[] = "out of memory\n";

    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        abort();
    abort();
}

void *(mem_alloc)(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *(mem_zalloc)(size_t size)
{
    return (mem_array)(1, size);
}

void *(mem_array)(size_t count, size_t size)
{
    /* calloc checks the product for overflow. */
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *(mem_realloc)(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);

    if (!q)
        out_of_memory();
    return q;
}

char *mem_strdup(const char *s)
{
    return s ? mem_strndup(s, strlen(s)) : NULL;
}

char *mem_strndup(const char *s, size_t n)
{
    char *p;

    if (n == SIZE_MAX)
        out_of_memory();
    p = mem_alloc(n + 1);
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *mem_printf(const char *fmt, ...)
{
    char *p = NULL;
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = vasprintf(&p, fmt, ap);
    va_end(ap);
    if (r < 0)
        out_of_memory();
    return p;
}

void mem_freep(void *pp)
{
    void *p;

    /* Through memcpy: pp is the address of a pointer of any type. */
    memcpy(&p, pp, sizeof(p));
    free(p);
}
