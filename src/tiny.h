/*
 * The tiny path: per thread and class a singly linked list of free blocks (TLS SLL). Popping
 * and pushing are inline here; refilling, draining and everything else that can go wrong is in
 * tiny.c. All of it is the calling thread's own: no lock, no atomic.
 *
 * Before a thread's first slow path and after its end all lists are empty and all limits 0, so
 * that both directions come to the slow path, which knows what to do.
 */
#ifndef HAKMEM_TINY_H
#define HAKMEM_TINY_H

#include "superslab.h"

struct sll {
    struct block *head;
    uint32_t count;
    uint32_t limit; /* a free that would exceed it drains */
};

enum thread_state { THREAD_UNBORN, THREAD_LIVE, THREAD_DEAD };

struct tls {
    struct sll sll[CLASSES];
    uint16_t batch[CLASSES]; /* blocks of the next refill; doubles while below half of the limit */
    struct owner *owner;
    enum thread_state state;
};

extern HIDDEN TLS_FAST struct tls tls;

/* A block for a request of size bytes, any size, when the class's list is empty, its first block
 * damaged, or allocations are recorded. */
void *tiny_malloc_slow(size_t size);

/* A block of class cls for a request of size bytes at a multiple of align, which the class's
 * blocks are; 0: any. */
void *tiny_alloc_class(unsigned cls, size_t size, size_t align);

/* tiny_free() while somebody records every free. */
void tiny_free_traced(struct superslab *ss, void *p);

/* free() of b, a valid block of class cls, when the list is at its limit or frees are
 * recorded. */
void tiny_free_slow(struct block *b, unsigned cls);

/* free() of b, a block of C0, that nobody records: without a word it is checked in another way. */
void tiny_free_wordless(struct block *b);

/* free() of a pointer into a SuperSlab that did not pass the fast path's checks: reports. */
void tiny_free_invalid(void *p, uint32_t info);

/* Reports a double free of b. */
void tiny_double_free(const struct block *b);

/* Gives all blocks of the calling thread's lists back, and collects what others gave back. */
void tiny_drain(void);

static inline struct sll *sll_of(unsigned cls)
{
    struct sll *s = &tls.sll[cls];

    /* Computed once: the compiler thinks thread-local addresses cheaper than they are. */
    __asm__("" : "+r"(s));
    return s;
}

static inline void sll_push(struct sll *s, struct block *b, unsigned cls)
{
    block_link(b, s->head, cls);
    s->head = b;
    s->count++;
}

/* Every unusual case is a tail call, so that the usual one needs no stack frame. */
static inline void *tiny_malloc(size_t size)
{
    if (likely(size < malloc_gate())) {
        unsigned cls = class_of(size);
        struct sll *s = sll_of(cls);
        struct block *b = s->head;

        if (likely(b != NULL) && likely(block_intact(b, cls))) {
            s->head = b->next;
            s->count--;
            /* The next owner of these bytes must not look free if he never writes them. */
            if (cls)
                b->word = 0;
            return b;
        }
    }
    return tiny_malloc_slow(size);
}

/* Is p, in the SuperSlab ss, the start of a block that was handed out in its slab's present
 * life? Its slab's info in *info either way. */
static inline bool tiny_is_block(struct superslab *ss, const void *p, uint32_t *info)
{
    uintptr_t off = (uintptr_t)p - (uintptr_t)ss;
    unsigned no = (unsigned)(off >> SLAB_LG);
    uint32_t i = atomic_load_explicit(&ss->info[no], memory_order_relaxed);
    uint32_t in_slab = (uint32_t)(off & (SLAB_SIZE - 1)) - slab_reserved(no);

    *info = i;
    return block_index(info_cls(i), in_slab) < info_carved(i);
}

/* free() of a pointer into the SuperSlab ss that nobody records. */
static inline void tiny_free(struct superslab *ss, void *p)
{
    struct block *b = p;
    struct sll *s;
    uint32_t info;
    unsigned cls;

    if (unlikely(!tiny_is_block(ss, p, &info))) {
        tiny_free_invalid(p, info);
        return;
    }
    cls = info_cls(info);
    s = sll_of(cls);
    if (unlikely(!cls))
        tiny_free_wordless(b);
    else if (unlikely(block_looks_free(b, cls)))
        tiny_double_free(b);
    else if (unlikely(s->count >= s->limit))
        tiny_free_slow(b, cls);
    else
        sll_push(s, b, cls);
}

#endif
