/*
 * What a process has mapped: the sums of each layer, SuperSlabs being that of TINY, and how much
 * of the SuperSlabs is purged. What is mapped is kept always; the rest while machine.counting is
 * set, with a row for every 10 ms in which it changed.
 */
#ifndef HAK_FOOTPRINT_H
#define HAK_FOOTPRINT_H

#include "machine.h"

void footprint_init(struct footprint *f);

/* A layer has mapped bytes more; unmap: less. For ACE's layers total is what they say they have
 * now, for SuperSlabs it is counted here. */
void footprint_map(struct machine *m, enum hak_ace_layer layer, uint64_t bytes, uint64_t total,
                   uint64_t ns);
void footprint_unmap(struct machine *m, enum hak_ace_layer layer, uint64_t bytes, uint64_t total,
                     uint64_t ns);
void footprint_remap(struct machine *m, const struct hak_ev_ace_remap *e);
void footprint_purge(struct machine *m, enum hak_ace_layer layer, uint64_t bytes, uint64_t ns);
/* SuperSlabs of which only now is known that they had gone. */
void footprint_correct(struct machine *m, uint64_t total);

/* What a state dump says a layer of ACE's has mapped, of which no event has told. */
void footprint_told(struct machine *m, enum hak_ace_layer layer, uint64_t mapped);

/* Bytes of a slab went back to the system; are needed again, or went with their SuperSlab. */
void footprint_returned(struct machine *m, struct slab *s, uint32_t bytes);
void footprint_needed(struct machine *m, struct slab *s);

/* The bytes of SuperSlabs that are mapped, as the trace tells. */
static inline uint64_t footprint_superslabs(const struct machine *m)
{
    return m->process->footprint.layer[HAK_TINY].mapped;
}

/* The window begins: peaks count from here. */
void footprint_window(struct machine *m, struct process *p);
/* Rows of a process that has ended. */
void footprint_close(struct machine *m, struct process *p);

#endif
