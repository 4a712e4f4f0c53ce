/*
 * The vocabulary of the whole code: ownership helpers and small macros.
 *
 * Memory: allocation never fails from the caller's view. mem_* end the process with a message when the system
 * has no memory left (Linux overcommits; unwinding from that would be untestable). What keeps the process from
 * growing without bound are the limits of buffers, lists and queues, each stated where it is declared.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))
#define _must_check_ __attribute__((warn_unused_result))

/* Takes the pointer out of a variable so that its cleanup does nothing: `*ret = TAKE_PTR(p)`. */
#define TAKE_PTR(p)                                                                                                    \
    ({                                                                                                                 \
        __typeof__(p) *_pp = &(p);                                                                                     \
        __typeof__(p) _taken = *_pp;                                                                                   \
        *_pp = NULL;                                                                                                   \
        _taken;                                                                                                        \
    })

/* Defines xp(type **) for _cleanup_(xp) from a destructor x(type *) that accepts NULL. */
#define DEFINE_CLEANUP(type, func)                                                                                     \
    static inline _unused_ void func##p(type *p)                                                                       \
    {                                                                                                                  \
        if (*p)                                                                                                        \
            func(*p);                                                                                                  \
    }

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/* Each argument is evaluated once; the counter keeps the names of nested uses apart. */
#define MIN(a, b) PICK_(a, b, <, __COUNTER__)
#define MAX(a, b) PICK_(a, b, >, __COUNTER__)
#define PICK_(a, b, op, n) PICK_NAMED_(a, b, op, n)
#define PICK_NAMED_(a, b, op, n)                                                                                       \
    ({                                                                                                                 \
        __typeof__(a) _a##n = (a);                                                                                     \
        __typeof__(b) _b##n = (b);                                                                                     \
        _a##n op _b##n ? _a##n : _b##n;                                                                                \
    })
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* All return memory to be freed with free(); none returns NULL. mem_zalloc and mem_array clear it. */
void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_array(size_t count, size_t size); /* overflow of count*size ends the process */
void *mem_realloc(void *p, size_t size);
char *mem_strdup(const char *s);            /* NULL gives NULL */
char *mem_strndup(const char *s, size_t n); /* exactly n bytes and a NUL */
char *mem_printf(const char *fmt, ...) _printf_(1, 2);

/*
 * What each folder of src/ ("room") has allocated since the start, counted where the call stands: a profile of who allocates, at the
 * cost of two additions. What is alive is for the caches and queues to say. The build defines MEM_ROOM for each folder; tests have none.
 */
enum mem_room {
    MEM_OTHER,
    MEM_BASE,
    MEM_JSON,
    MEM_NET,
    MEM_KUBE,
    MEM_FED,
    MEM_CONTROLLERS,
    MEM_WEBHOOK,
    MEM_CLI,
    MEM_MAIN,
    MEM_ROOMS,
};
struct mem_count {
    uint64_t calls, bytes;
};
extern struct mem_count mem_counts[MEM_ROOMS];
extern const char *const mem_room_names[MEM_ROOMS];

#ifdef MEM_ROOM
/* Plain loads and stores: a count that is lost between threads matters less than a locked bus. */
static inline size_t mem_note(size_t bytes)
{
    struct mem_count *c = &mem_counts[MEM_ROOM];

    __atomic_store_n(&c->calls, __atomic_load_n(&c->calls, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&c->bytes, __atomic_load_n(&c->bytes, __ATOMIC_RELAXED) + bytes, __ATOMIC_RELAXED);
    return bytes;
}
#define mem_alloc(size) (mem_alloc)(mem_note(size))
#define mem_zalloc(size) (mem_zalloc)(mem_note(size))
#define mem_array(count, size)                                                                                         \
    ({                                                                                                                 \
        size_t _n = (count), _s = (size);                                                                              \
        mem_note(_n *_s);                                                                                              \
        (mem_array)(_n, _s);                                                                                           \
    })
#define mem_realloc(p, size) (mem_realloc)((p), mem_note(size))
#endif

/* Grows array `p` of elements so that index `n` is valid; `cap` is updated. Doubles. */
#define MEM_GROW(p, cap, n)                                                                                            \
    do {                                                                                                               \
        if ((size_t)(n) >= (size_t)(cap)) {                                                                            \
            size_t _c = (cap) ? (size_t)(cap)*2 : 8;                                                                   \
            while (_c <= (size_t)(n))                                                                                  \
                _c *= 2;                                                                                               \
            (p) = mem_realloc((p), _c * sizeof(__typeof__(*(p))));                                                     \
            (cap) = (__typeof__(cap))_c;                                                                               \
        }                                                                                                              \
    } while (0)

void mem_freep(void *pp);
#define _cleanup_free_ _cleanup_(mem_freep)

#endif
