/* Binary min-heap of intrusive nodes ordered by a 64-bit key (a due time). */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/base.h"

struct heap_node {
    uint64_t key;
    size_t pos; /* index + 1 while in a heap, 0 otherwise */
};
struct heap {
    struct heap_node **v;
    size_t n, cap;
};
#define HEAP_INIT ((struct heap){ 0 })
void heap_done(struct heap *h);
void heap_push(struct heap *h, struct heap_node *n, uint64_t key);   /* n must not be in a heap */
void heap_update(struct heap *h, struct heap_node *n, uint64_t key); /* n must be in h */
void heap_remove(struct heap *h, struct heap_node *n);               /* nothing when not in a heap */
struct heap_node *heap_min(const struct heap *h);                    /* NULL when empty */
static inline bool heap_has(const struct heap_node *n)
{
    return n->pos != 0;
}

#endif
