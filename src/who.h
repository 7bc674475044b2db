/*
 * Who this process is, as /proc and the kernel tell: what its first thread is called, what it was
 * told to run, whose child it is. Asked for at announcements, from wherever one is due; no state,
 * no lock, no block of memory, errno left alone.
 */
#ifndef HAKMEM_WHO_H
#define HAKMEM_WHO_H

#include <stdint.h>

#define WHO_NAME 16
#define WHO_COMMAND 256

struct who {
    char name[WHO_NAME];       /* the first thread's; "" where it cannot be known */
    char command[WHO_COMMAND]; /* a space between arguments; what is longer ends in "..." */
    uint32_t parent;
    uint64_t started; /* clock ticks after boot: with the pid, the same whatever it executes */
};

void who_look(struct who *w);

#endif
