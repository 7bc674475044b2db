/*
 * The program's blocks under memcheck: which addresses it was given, how long each block is, and
 * those that it has freed and that wait (the quarantine), so that memcheck can tell who uses them
 * still. Kept away from the blocks, where no stray write reaches them; all addresses complemented,
 * so that the leak search does not find them. Any thread may call; one lock, under which nothing
 * else is locked.
 */
#ifndef HAKMEM_VG_BLOCKS_H
#define HAKMEM_VG_BLOCKS_H

#include "base.h"

/* lead: bytes between the start of the allocator's block and the program's, a power of two; 0: no
 * block. Two words, so that no function that is a frame in the program's reports needs memory
 * for one. */
struct vg_extent {
    size_t size, lead;
};

/* false: no memory for the entry. */
bool vg_blocks_add(const void *p, struct vg_extent e);

/* The block that starts at p, if one does. */
struct vg_extent vg_blocks_find(const void *p);
struct vg_extent vg_blocks_remove(const void *p);

/* Adds a block, removed, to those that wait. */
void vg_blocks_wait(const void *p, struct vg_extent e);

/* Takes one block out of those that wait, if they are more than may: the start of the allocator's
 * block. NULL otherwise. */
void *vg_blocks_waited(void);

void vg_blocks_lock_for_fork(void);
void vg_blocks_unlock_after_fork(void);

#endif
