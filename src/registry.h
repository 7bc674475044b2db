/*
 * The registry: every SuperSlab of the shared pool under a small number, and the lists of slots
 * (slab of a numbered SuperSlab) that the pool keeps. Entries lie in chunks that are never
 * unmapped, so a list can be walked while others take slots off it. Lock-free for all.
 */
#ifndef HAKMEM_REGISTRY_H
#define HAKMEM_REGISTRY_H

#include "superslab.h"

/* A slot: registry number << 5 | slab. Registry numbers start at 1, so 0 is no slot. */
#define SLOT_NONE 0u

/* Gives ss, still unknown to others, a number. false with ENOMEM when there is no memory for the
 * entry. registry_publish() then lets others find it. Only under the pool's lock. */
bool registry_number(struct superslab *ss);
void registry_publish(struct superslab *ss);

/* Nobody finds ss any more; who found it before may still read it. */
void registry_remove(struct superslab *ss);

/* The number serves again, but not while a list still has a slot of it. Only under the pool's
 * lock. */
void registry_recycle(uint32_t id);

/* Does the number wait to serve again? */
bool registry_is_free(uint32_t id);

/* The highest number given so far; entries 1..n. */
uint32_t registry_count(void);

/* Calls each for the root and every chunk of entries. */
void registry_tables(table_each *each, void *arg);

/* The SuperSlab of a number, NULL if it is not published (yet, or any more). */
struct superslab *registry_ss(uint32_t id);

static inline uint32_t slot_of(const struct slab *s)
{
    return slab_ss(s)->id << 5 | slab_no(s);
}

/* NULL if its SuperSlab was unmapped while the slot was on a list. */
struct slab *slot_slab(uint32_t slot);

/* A lock-free stack of slots. The upper half of head counts the changes, so that a head that
 * comes back (ABA) is not taken for the old one.
 *
 * Each slot has a bit, and who has the bit may move the slab: the list while the slot is on it,
 * then whoever popped it, until slot_let_go(). So a slot is on one list at most, nobody can push
 * it before the popper has claimed the slab or found that he may not, and a slab in use is on no
 * list. What befalls a slab while its slot waits need not take the slot off. */
struct slot_list {
    _Atomic uint64_t head;
    _Atomic uint32_t count; /* follows head; exact when nobody is at work */
};

/* Is slot on a list, or in the hands of a popper? */
bool slot_listed(uint32_t slot);

/* false, and nothing done, with a slot that is on a list or in the hands of a popper. */
bool slot_push(struct slot_list *list, uint32_t slot);

/* The slot is the caller's until he lets it go; SLOT_NONE. */
uint32_t slot_pop(struct slot_list *list);
void slot_let_go(uint32_t slot);

/* The same of a slot that is on no list, if it is nobody's. */
bool slot_take(uint32_t slot);

/* Takes all slots at once and calls each(slot, arg) for every one, let go by then. */
void slot_pop_all(struct slot_list *list, void (*each)(uint32_t slot, void *arg), void *arg);

/* Slot's slab has lost free blocks, with a thread that is gone; it has been carved anew since: had
 * it lost some? Kept here, out of the reach of who overwrites a SuperSlab's own records. */
void slot_lost_free(uint32_t slot);
bool slot_found_free(uint32_t slot);

/* In a forked child, whose threads that popped and pushed are gone: the slots that are on one of
 * the n lists are listed, and none is in anybody's hands. */
void slots_settle(struct slot_list *const list[], unsigned n);

#endif
