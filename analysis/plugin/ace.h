/*
 * The rules for the memory of ACE's layers: a region is mapped once at its address, and unmapped
 * as it was mapped. A huge block may move by mremap, which is told after the kernel has done it,
 * so that another mapping at its old address can come first in the trace.
 *
 * What a layer says it has mapped is told after its lock is given up: the numbers of two threads
 * can come in another order than they were made in, so they are reported and not judged.
 */
#ifndef HAK_ACE_H
#define HAK_ACE_H

#include "machine.h"

void ace_mapped(struct machine *m, const struct hak_ev_ace_map *e);
void ace_purged(struct machine *m, const struct hak_ev_ace_purge *e);
void ace_unmapped(struct machine *m, const struct hak_ev_ace_unmap *e);
void ace_remapped(struct machine *m, const struct hak_ev_ace_remap *e);

void ace_close(struct process *p);

#endif
