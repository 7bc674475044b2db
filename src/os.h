/*
 * The door to the kernel: memory, time, thread numbers. Every system call that can fail goes
 * through here and reports failure as NULL with errno set. No state, no lock.
 */
#ifndef HAKMEM_OS_H
#define HAKMEM_OS_H

#include "base.h"

/* Bytes of the system's pages, at least 4,096. */
size_t os_page(void);

/* size bytes of zeroed memory at a multiple of align (a power of two >= a page), or NULL with
 * errno. Maps size + align - page bytes at most while it looks for the place, and size bytes
 * where the place below the last mapping is free. */
void *os_map_aligned(size_t size, size_t align);

/* size bytes of zeroed memory at any page, or NULL with errno. */
void *os_map(size_t size);

/* Unmaps a whole mapping of ours, or a part of one; leaves errno alone. It is the caller's no more
 * in any case: what the kernel will not unmap is kept (kept.h), and the answer false. */
bool os_unmap(void *p, size_t size);

/* For kept.c. Unmaps what is kept; false if the kernel still will not. */
bool os_unmap_now(void *p, size_t size);

/* For kept.c. Makes all of it readable and writable; false if the kernel will not. */
bool os_writable(void *p, size_t size);

/* Lets nobody read or write whole pages of ours. Leaves errno alone. */
bool os_forbid(void *p, size_t size);

/* Bytes that these functions have mapped and not unmapped, with those kept. */
uint64_t os_mapped_bytes(void);

/* Gives the memory of the pages that lie wholly in the size bytes at `at` back; they read as zero
 * afterwards. Returns their bytes, or 0 where the kernel will not (locked pages): then some of
 * them may have gone, and some not. Leaves errno alone. */
size_t os_purge(void *at, size_t size);

/* Has the kernel make whole pages read as zero in each child; false if it will not. */
bool os_wipe_on_fork(void *at, size_t size);

/* Resizes the mapping of from bytes at p: in place, or with a place, just mapped by us and to
 * bytes long, onto that. false with errno: nothing has changed, and the place is given back. */
bool os_remap(void *p, size_t from, size_t to, void *place);

/* Faults for tests: which of the maps that follow fail with ENOMEM. The n-th; every one from the
 * n-th on; n of a hundred, by a generator that begins anew with each os_fail_maps(). */
enum os_fault_kind { OS_FAULT_NONE, OS_FAULT_NTH, OS_FAULT_FROM, OS_FAULT_SHARE };
#define OS_FAULT_N_MAX (UINT32_MAX >> 2)

static inline uint32_t os_fault(enum os_fault_kind kind, uint32_t n)
{
    return n << 2 | (uint32_t)kind;
}

static inline enum os_fault_kind os_fault_kind(uint32_t fault)
{
    return (enum os_fault_kind)(fault & 3);
}

static inline uint32_t os_fault_n(uint32_t fault)
{
    return fault >> 2;
}

void os_fail_maps(uint32_t fault);

/* For tests: as if the system's pages had so many bytes, a multiple of what they have. */
void os_pretend_page(size_t bytes);

/* Has the program more rights than who started it (set-uid, file capabilities)? Nothing that the
 * caller chose may be obeyed then. */
bool os_secure(void);

/* An environment variable as the process has it now; NULL if there is none, or os_secure(). */
const char *os_env(const char *name);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t os_now_ns(void);

uint32_t os_tid(void);
uint32_t os_pid(void);
uint32_t os_parent(void);

/* Lets others run. */
void os_yield(void);

/* Sleeps for less than a second; no cancellation point. */
void os_sleep_ns(uint32_t ns);

/* Sleeps while *word is value, until os_wake(word). May end early. No cancellation point. */
void os_wait(_Atomic uint32_t *word, uint32_t value);
/* The same, for at most ns nanoseconds, less than a second. */
void os_wait_within(_Atomic uint32_t *word, uint32_t value, uint32_t ns);
void os_wake(_Atomic uint32_t *word);

/* What an open file is: equal as long as it is the same one, whatever its number. */
struct os_file {
    uint64_t device, inode;
    uint32_t type; /* 0: none is open */
};

struct os_file os_file_of(int fd);

/* A copy of descriptor fd, at least `from`, closed on exec; -1 if there can be none. */
int os_dup(int fd, int from);

/* Does somebody listen at this path, to whom this process may connect? */
bool os_listens(const char *path);

/* A file to read, a read of it, its end: no cancellation points, errno left alone. Negative if it
 * cannot be opened or read. */
int os_open(const char *path);
long os_read(int fd, void *to, size_t size);
void os_close(int fd);

#endif
