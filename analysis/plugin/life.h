/*
 * The lives of a slab: begun, changing hands, emptied, released, closed. A life becomes a row
 * when nothing more can be said of it: when the next begins, or the slab is gone, so that the
 * row says how it ended and what became of its memory. slabs.c and superslabs.c decide what is
 * right; here it is only done.
 */
#ifndef HAK_LIFE_H
#define HAK_LIFE_H

#include "machine.h"

/* Has somebody the slab? */
static inline bool slab_is_live(const struct slab *s)
{
    return s->state == SLAB_ACTIVE || s->state == SLAB_PUBLISHED || s->state == SLAB_VISITED ||
           s->state == SLAB_HELD;
}

void life_begin(struct machine *m, struct slab *s, const struct hak_ev_slab_active *e);
/* A life that began before the recording, or in a loss. */
void life_carry(struct machine *m, struct slab *s, uint32_t gen, uint32_t cls);
/* From now on in `state`, owner's (0: nobody's, or not known). */
void life_owner(struct machine *m, struct slab *s, enum slab_state state, uint32_t owner);
void life_emptied(struct machine *m, struct slab *s);
/* Also of a life that was not seen: gen and cls are what the event says. */
void life_released(struct machine *m, struct slab *s, uint32_t gen, uint32_t cls, bool listed);
/* As a state dump tells it. at: when the dump began. */
void life_told(struct machine *m, struct slab *s, enum slab_state state,
               const struct hak_ev_statedump_slab *e, int64_t at);
/* A state dump says that nobody ever had the slab. */
void life_never(struct machine *m, struct slab *s);
/* The slab turns out to be the legacy backend's: it has no lives. */
void life_forget(struct machine *m, struct slab *s);
/* The slab's memory went back to the system; whatever it was thought to be, it is EMPTY. */
void life_purged(struct machine *m, struct slab *s);
/* No more will be said of the life: if it is not over it ended so. */
void life_close(struct machine *m, struct slab *s, enum life_end ended);
/* The slab, whose life is closed, is no more. */
void life_gone(struct machine *m, struct slab *s);

#endif
