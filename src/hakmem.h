/*
 * hakmem's own interface, for programs that link it. Programs that preload libhakmem.so need
 * none of this: there malloc() and its relatives are hakmem.
 *
 * The allocation functions behave as the C and POSIX functions of the same name behind hak_:
 * same errors, same errno, same alignment. Blocks from either side may be freed by either.
 */
#ifndef HAKMEM_H
#define HAKMEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAK_CLASSES 16

void *hak_malloc(size_t size);
void hak_free(void *ptr);
void *hak_calloc(size_t count, size_t size);
void *hak_realloc(void *ptr, size_t size);
void *hak_reallocarray(void *ptr, size_t count, size_t size);
int hak_posix_memalign(void **out, size_t align, size_t size);
void *hak_aligned_alloc(size_t align, size_t size);
void *hak_memalign(size_t align, size_t size);
void *hak_valloc(size_t size);
void *hak_pvalloc(size_t size);
size_t hak_malloc_usable_size(void *ptr);

/* Gives every block in the calling thread's caches back to its slab, and collects what other
 * threads freed of the calling thread's slabs. Slabs left with nothing live become EMPTY. */
void hak_drain(void);

/* What malloc_trim and malloc_stats do: gives all idle memory back, the answer 1 if there was some;
 * prints what is used to stderr. */
int hak_malloc_trim(size_t pad);
void hak_malloc_stats(void);

/* Sets the soft cap of class cls to cap ACTIVE slabs, 0 for none.
 * Returns 0, or EINVAL for a class that does not exist. */
int hak_set_cap(unsigned cls, uint32_t cap);

struct hak_class_stats {
    uint32_t stride;   /* bytes a block */
    uint32_t active;   /* ACTIVE slabs now */
    uint32_t peak;     /* most ACTIVE slabs at once */
    uint32_t cap;      /* soft cap in slabs, 0: none */
    uint32_t listed;   /* EMPTY slabs on the stage-1 list */
    uint32_t marked;   /* EMPTY slabs on no list */
    uint32_t unmarked; /* slabs with nothing live that nobody will look at again */
    /* Slabs served so far by stage 0.5, 1, 2, 3, adopt, rebind: the order of enum hak_stage. */
    uint64_t acquires[6];
    uint64_t shared_fail;
    uint64_t legacy_blocks;
};

/* A layer for sizes above 2,048 bytes; bytes but for blocks and the last three. */
struct hak_layer_stats {
    uint64_t blocks; /* handed out, and in threads' caches */
    uint64_t used;   /* of those */
    uint64_t peak;   /* most ever used */
    uint64_t cached; /* of used, in threads' caches */
    uint64_t idle;   /* free, and not yet given back to the system */
    uint64_t mapped;
    uint64_t limit; /* what used may not exceed, 0: none */
    /* Requests refused: no class within W_MAX, pool at its limit, memory refused by the system. */
    uint64_t threshold;
    uint64_t exhaustion;
    uint64_t map_fail;
};

struct hak_stats {
    struct hak_class_stats cls[HAK_CLASSES];
    uint64_t superslabs[3]; /* mapped so far, of 2^19, 2^20, 2^21 bytes */
    uint64_t mapped_bytes;  /* SuperSlabs mapped now */
    struct hak_layer_stats mid, large, huge;
    uint64_t system_large; /* requests that all layers above 2,048 bytes passed on to the system */
    /* Smaller requests that went to the system's malloc, and all where a limit is near. */
    uint64_t system_other;
    uint64_t hdr_resets;
    uint64_t double_frees;
    uint64_t invalid_frees;
    uint64_t map_fails;
    uint64_t ooms;
    uint64_t lock_taken; /* pool lock */
    uint64_t lock_contended;
    uint64_t lock_waited_ns;
    uint64_t lock_waited_max_ns;
    uint64_t threads_started;
    uint64_t threads_ended;
    /* Bytes that nobody uses and the kernel would not unmap: mapped beside all the above. They
     * serve later requests, and are tried again. */
    uint64_t kept_bytes;
};

/* Fills *out with the process's counters. Each number is exact; they are not read at one
 * instant while other threads run. */
void hak_get_stats(struct hak_stats *out);

/* Prints every knob to fd, one line each, tab separated:
 * name, default, current value, "set" or "default", meaning. */
void hak_config_print(int fd);

const char *hak_version(void);

#ifdef __cplusplus
}
#endif

#endif
