/*
 * A thread's beginning and end for the allocator: an owner of its own, list limits, and at its
 * end every block back in its slab and every slab published. Owners of ended threads serve
 * later ones. The list of idle owners has the one lock of this box.
 */
#ifndef HAKMEM_THREAD_H
#define HAKMEM_THREAD_H

#include "geometry.h"
#include "lost.h"

/* Before the first thread_begin(). */
void thread_init(void);

/* Makes the calling thread live; false if it has ended already or there is no memory for its
 * owner. */
bool thread_begin(void);

/* The same for a thread that frees: only one that has freed some blocks already begins. A thread
 * that does nothing else may be past its destructors, where the C library frees what it kept for
 * others, and would never end for us. */
bool thread_begin_to_free(void);

/* The threads alive that have an owner. */
uint32_t thread_live(void);

/* The calling thread, live, is one of the allocator's own, or no longer. */
void thread_is_helper(bool is);

/* May the allocator make a thread? A child that was forked beside threads of the program's may have
 * locks of the loader's that nobody gives, for which pthread_create() would wait for ever: not
 * before the program has made one. */
bool thread_may_be_made(void);

/* What a thread keeps to itself. */
struct thread_stock {
    uint32_t owner, tid;
    uint64_t parked[CLASSES]; /* free blocks in its lists */
    uint64_t cached;          /* bytes of mid and large blocks in its cache */
    uint64_t cpu_ns;          /* CPU time that it has used; 0: it is gone */
};

/* Tells of every live thread, without a lock held. Threads go on meanwhile. */
void thread_each(void (*tell)(const struct thread_stock *stock, void *arg), void *arg);

/* Requests of class cls that found an empty list, and their bytes, of all threads so far. */
void thread_samples(unsigned cls, uint64_t *samples, uint64_t *bytes);

/* Calls each for the owners and the caches that hang from them. */
void thread_tables(table_each *each, void *arg);

/* No owner is looking for a slab that began to at or before this epoch of the pool's. */
bool thread_all_past(uint64_t epoch);

/* Does the descriptor of a live thread lie in [from, to)? It is at the upper end of its stack; that
 * of the thread which the process began with is not, and does not count. */
bool thread_descriptor_in(uintptr_t from, uintptr_t to);

void thread_fork(enum fork_step step);

/* In a forked child whose parent had this thread only. */
void thread_forked_alone(void);

/* In a forked child: calls each for the lists of all threads that are gone. */
struct tls;
void thread_each_gone(void (*each)(const struct tls *lists));

/* The owners of threads that are gone, and own nothing any more, serve later
 * ones. */
void thread_gone_serve_again(void);

#endif
