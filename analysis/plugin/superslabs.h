/*
 * SuperSlabs: mapped, purged, unmapped.
 *
 *     superslab_map → slabs live and are EMPTY … → superslab_unmap → an address like any other
 *
 * What is mapped at an address that was another SuperSlab's is a new one with new slabs; the old
 * one's state is freed when it goes.
 */
#ifndef HAK_SUPERSLABS_H
#define HAK_SUPERSLABS_H

#include "machine.h"

void superslabs_map(struct machine *m, const struct hak_ev_superslab_map *e);
void superslabs_purge(struct machine *m, const struct hak_ev_superslab_purge *e);
void superslabs_unmap(struct machine *m, const struct hak_ev_superslab_unmap *e);

/* The SuperSlab of which a dump says so; NULL if that cannot be, or if what is mapped there now is
 * another, as the events since `since` tell. *met: it was known before, with all its slabs. */
struct superslab *superslabs_told(struct machine *m, const struct hak_ev_statedump_superslab *e,
                                  int64_t since, bool *met);
/* A dump has told all there are, marked as settled; the others that were known before `since` have
 * gone. */
void superslabs_only_told(struct machine *m, int64_t since);
/* Adds up anew what is mapped. */
void superslabs_count(struct machine *m);

/* A slab that is met for the first time, of ss or, if that is NULL, of the SuperSlab that ought to
 * be at the address; NULL if there can be no such slab. */
struct slab *superslabs_new_slab(struct machine *m, struct superslab *ss, uint64_t address,
                                 uint32_t number);

static inline struct slab *superslabs_slab(struct machine *m, uint64_t address, uint32_t number)
{
    struct superslab *ss = map_get(&m->process->superslabs, address);
    struct slab *s = ss && number < SS_SLABS_MAX ? ss->slab[number] : NULL;

    return s ? s : superslabs_new_slab(m, ss, address, number);
}

/* The process is over: rows for what is still mapped, and for the lives in it, ended so. */
void superslabs_close(struct machine *m, struct process *p, enum life_end ended);

#endif
