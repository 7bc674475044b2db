/*
 * What must be true of a slab when an event comes: each function complains if it is not, and
 * changes nothing.
 */
#ifndef HAK_RULES_H
#define HAK_RULES_H

#include "machine.h"

/* What an event says of the slab it is about. */
struct said {
    uint64_t ss;
    uint32_t slab, gen, cls;
};

#define SAID(e)                                \
    (struct said)                              \
    {                                          \
        (e)->ss, (e)->slab, (e)->gen, (e)->cls \
    }

const char *rules_state_text(const struct slab *s);

/* May the slab become ACTIVE as the event says? */
void rules_active(struct machine *m, struct slab *s, const struct hak_ev_slab_active *e);
/* Does the event belong to the current life? */
bool rules_life(struct machine *m, struct slab *s, struct said e);
bool rules_state(struct machine *m, struct slab *s, enum slab_state state, const char *rule,
                 const char *what);
/* Of an event that only the owner of an ACTIVE slab can cause. */
void rules_owned(struct machine *m, struct slab *s, struct said e, uint32_t owner);

#endif
