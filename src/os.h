/*
 * The door to the kernel: memory, time, thread numbers. Every system call that can fail goes
 * through here and reports failure as NULL with errno set. No state, no lock.
 */
#ifndef HAKMEM_OS_H
#define HAKMEM_OS_H

#include "base.h"

#define OS_PAGE 4096u

/* size bytes of zeroed memory at a multiple of align (both powers of two >= a page), or NULL
 * with errno. Maps size + align - page bytes at most while it looks for the place. */
void *os_map_aligned(size_t size, size_t align);

/* size bytes of zeroed memory at any page, or NULL with errno. */
void *os_map(size_t size);

/* Gives the memory of whole pages back; they read as zero afterwards. Returns size, or 0 where
 * the kernel will not (locked pages). Leaves errno alone. */
size_t os_purge(void *at, size_t size);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t os_now_ns(void);

uint32_t os_tid(void);

/* Sleeps for less than a second; no cancellation point. */
void os_sleep_ns(uint32_t ns);

/* Sleeps while *word is value, until os_wake(word). May end early. No cancellation point. */
void os_wait(_Atomic uint32_t *word, uint32_t value);
void os_wake(_Atomic uint32_t *word);

/* A file to read, a read of it, its end: no cancellation points, errno left alone. Negative if it
 * cannot be opened or read. */
int os_open(const char *path);
long os_read(int fd, void *to, size_t size);
void os_close(int fd);

#endif
