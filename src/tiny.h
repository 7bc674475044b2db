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

/* All that a fast path needs to know of one class, on one cache line. All 0 outside of a thread's
 * life: every free finds no room then. */
struct sll {
    struct block *head;
    uint64_t key;   /* word_key of the class */
    uint64_t magic; /* geometry's, widened */
    int32_t room;   /* blocks that may still be pushed; a free that finds none drains */
    uint32_t tag;   /* owner_tag() of the thread's owner */
};

/* Blocks of others on their way home, where they are not to be handed out here. */
struct away {
    struct block *head;
    uint32_t count;
};

enum thread_state { THREAD_UNBORN, THREAD_LIVE, THREAD_DEAD };

struct tls {
    _Alignas(CACHE_LINE) struct sll sll[CLASSES];
    uint16_t limit[CLASSES]; /* room of the empty list */
    uint16_t batch[CLASSES]; /* blocks of the next refill; doubles while below half of the limit */
    struct away away[CLASSES];
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

/* free() of p, in the SuperSlab ss, whatever it is. */
void tiny_free_slow(struct superslab *ss, void *p);

/* The rest of tiny_malloc() and tiny_free() for C0, whose list is s: not empty; for b. */
void *tiny_malloc_smallest(struct sll *s, size_t size, void *(*otherwise)(size_t));
void tiny_free_smallest(struct block *b, struct sll *s, void (*otherwise)(void *));

/* free() of a pointer into a SuperSlab that is no block: reports. */
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

static inline uint32_t sll_count(unsigned cls)
{
    return tls.limit[cls] - (uint32_t)tls.sll[cls].room;
}

/* A block for a request of size bytes, which the gate has let pass, if all is usual, else
 * otherwise(size), which is tiny_malloc_slow() or comes to it: a tail call, so that the usual case
 * needs no stack frame. */
static inline void *tiny_pop(size_t size, void *(*otherwise)(size_t))
{
    unsigned cls_16 = class_of_16(size);
    struct sll *s = (struct sll *)((char *)sll_of(0) + cls_16 * (sizeof(struct sll) / 16));
    struct block *b = s->head;

    if (unlikely(!b))
        return otherwise(size);
    if (unlikely(!cls_16))
        return tiny_malloc_smallest(s, size, otherwise);
    if (likely(word_intact(b, s->key))) {
        s->head = b->next;
        s->room++;
        /* The next owner of these bytes must not look free if he never writes them. */
        b->word = 0;
        return b;
    }
    return otherwise(size);
}

/* The same for any size, otherwise() too. */
static inline void *tiny_malloc(size_t size, void *(*otherwise)(size_t))
{
    return likely(size < malloc_gate()) ? tiny_pop(size, otherwise) : otherwise(size);
}

/* Is p, in the SuperSlab ss, the start of a block that was handed out in its slab's present
 * life? Its slab's info in *info either way. */
static inline bool tiny_is_block(struct superslab *ss, const void *p, uint32_t *info)
{
    uintptr_t off = (uintptr_t)p - (uintptr_t)ss;
    unsigned no = (unsigned)(off >> SLAB_LG);
    uint32_t i = atomic_load_explicit(&ss_info(ss)[no], memory_order_relaxed);
    uint32_t in_slab = (uint32_t)(off & (SLAB_SIZE - 1)) - slab_reserved(no);

    *info = i;
    return block_index(info_cls(i), in_slab) < info_carved(i);
}

/* free() of p, any pointer, if all is usual: a block in use, for this thread to hand out again, a
 * list with room for it. Else otherwise(p). */
static inline void tiny_free(void *p, void (*otherwise)(void *))
{
    struct pagemap_leaf *leaf = pagemap_leaf_below(p, free_gate());
    struct block *b = p;
    uintptr_t at = pagemap_slab(p);
    struct sll *s;
    uint32_t info;
    uint64_t off;

    if (unlikely(!leaf)) {
        otherwise(p);
        return;
    }
    info = atomic_load_explicit(&leaf->info[at], memory_order_relaxed);
    s = sll_of(info_cls(info));
    /* Another's tag leaves more than 16 bits: too far away for any block of the slab. */
    off = (uint64_t)(uint16_t)(uintptr_t)p + s->tag -
          atomic_load_explicit(&leaf->origin[at], memory_order_relaxed);
    if (unlikely(block_number(off, s->magic) >= info_carved(info))) {
        otherwise(p);
    } else if (unlikely(!info_cls(info))) {
        tiny_free_smallest(b, s, otherwise);
    } else if (unlikely(--s->room < 0) || unlikely(word_looks_free(b, s->key))) {
        /* Not worth a register on the way here. */
        __asm__("" : "+m"(s->room));
        s->room++;
        otherwise(p);
    } else {
        word_link(b, s->head, s->key);
        s->head = b;
    }
}

#endif
