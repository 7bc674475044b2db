/*
 * What the kernel says of this process's memory, and how much it allows: read from /proc and from
 * the memory cgroup (v2, or v1's hierarchy) with plain system calls and small buffers on the
 * stack. Allocates nothing, keeps nothing, no cancellation point. Page cache of files, which the
 * kernel drops before it kills, does not count as used by a cgroup.
 */
#ifndef HAKMEM_LIMITS_H
#define HAKMEM_LIMITS_H

#include "base.h"

#define CGROUP_PATH 512

/* The memory cgroup that is nearest to its limit, of the process's own and those above it. */
struct cgroup {
    uint64_t used, limit; /* bytes; limit 0: none */
    uint64_t kills;       /* processes that the kernel killed in it; where read_all read it */
    uint32_t version;     /* of the hierarchy, 0: none was found */
    char path[CGROUP_PATH];
};

struct limits {
    uint64_t rss, vm;  /* bytes */
    uint64_t anon;     /* of rss: what is no file's; in bytes */
    uint64_t shmem;    /* of rss: shared memory; 0: none, or the kernel does not tell */
    uint64_t limit_as; /* RLIMIT_AS in bytes, 0: none */
    struct cgroup cgroup;
    uint64_t maps, max_maps; /* mappings; 0 where not read */
    uint64_t tracer;         /* bytes mapped of its buffers; 0 where not read */
    uint32_t overcommit;     /* vm.overcommit_memory */
    uint32_t threads;
    /* What RLIMIT_DATA and RLIMIT_MEMLOCK count, in bytes; the limits, 0: none; how far who is not
     * root may raise his. */
    uint64_t data, limit_data, locked, limit_memlock, limit_stack;
    uint64_t hard_as, hard_data, hard_memlock;
    /* Of the whole machine, in bytes: committed and how much may be; RAM and swap. */
    uint64_t committed, commit_limit, memory;
};

/* Did the process begin so near to RLIMIT_AS or RLIMIT_DATA that our mappings, which are made for
 * many blocks each, would take what the program needs? Then the system's malloc serves all of it.
 * limits_find() asks, once, with the process's initialisation. */
extern HIDDEN bool limits_near;
void limits_find(void);

/* What changes all the time and costs a few system calls: rss, vm, shmem, limit_as, the cgroup. */
void limits_read(struct limits *l);

/* All of it; counts the mappings, which takes longer the more there are. */
void limits_read_all(struct limits *l);

#endif
