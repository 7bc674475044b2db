/*
 * What the allocator learns, per class: soft caps and the size of its SuperSlabs. A learned cap
 * covers the demand that led to it and is never below what is ACTIVE; a cap that somebody set is
 * learned no more. A class maps SuperSlabs of the size that was announced, or, if the system
 * refused that, of the smallest.
 *
 * Caps and sizes change without a lock while other threads acquire and map: what an event says is
 * held against the trace only where the trace has said the same for SETTLED_NS.
 */
#ifndef HAK_LEARNED_H
#define HAK_LEARNED_H

#include "machine.h"

void learned_cap(struct machine *m, const struct hak_ev_cap_change *e);
void learned_size(struct machine *m, const struct hak_ev_ss_size_change *e);
/* Does the pool map a SuperSlab of the size it should? */
void learned_check_map(struct machine *m, const struct hak_ev_superslab_map *e);
/* A setting of the process that this depends on, perhaps. */
void learned_config(struct machine *m, const struct hak_ev_config *e);

#endif
