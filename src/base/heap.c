/*
 * Binary min-heap of nodes that live inside their owners. Invariant: v[i]->pos == i + 1, and no node has a smaller key
 * than its parent (i - 1) / 2. The heap owns only the array.
 */
#include <stdlib.h>

#include "base/heap.h"

void heap_done(struct heap *h)
{
    for (size_t i = 0; i < h->n; i++)
        h->v[i]->pos = 0;
    free(h->v);
    *h = HEAP_INIT;
}

static void place(struct heap *h, size_t i, struct heap_node *n)
{
    h->v[i] = n;
    n->pos = i + 1;
}

static void sift_up(struct heap *h, size_t i)
{
    struct heap_node *n = h->v[i];

    while (i > 0 && h->v[(i - 1) / 2]->key > n->key) {
        place(h, i, h->v[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(h, i, n);
}

static void sift_down(struct heap *h, size_t i)
{
    struct heap_node *n = h->v[i];

    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < h->n && h->v[child + 1]->key < h->v[child]->key)
            child++;
        if (child >= h->n || h->v[child]->key >= n->key)
            break;
        place(h, i, h->v[child]);
        i = child;
    }
    place(h, i, n);
}

void heap_push(struct heap *h, struct heap_node *n, uint64_t key)
{
    assert(n->pos == 0);
    MEM_GROW(h->v, h->cap, h->n);
    n->key = key;
    place(h, h->n++, n);
    sift_up(h, n->pos - 1);
}

void heap_update(struct heap *h, struct heap_node *n, uint64_t key)
{
    assert(n->pos > 0 && n->pos <= h->n && h->v[n->pos - 1] == n);
    n->key = key;
    sift_up(h, n->pos - 1);
    sift_down(h, n->pos - 1);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    struct heap_node *last;
    size_t i;

    if (n->pos == 0)
        return;
    assert(n->pos <= h->n && h->v[n->pos - 1] == n);
    i = n->pos - 1;
    n->pos = 0;
    last = h->v[--h->n];
    if (last == n)
        return;
    place(h, i, last);
    sift_up(h, i);
    sift_down(h, last->pos - 1);
}

struct heap_node *heap_min(const struct heap *h)
{
    return h->n ? h->v[0] : NULL;
}
