/*
 * The rules for slabs:
 *
 *     UNUSED → ACTIVE → EMPTY → listed or unlisted → ACTIVE …
 *                ↕        ↑
 *            published ↔ visited: adopted outside an acquire, to be looked after and given back
 *
 * Each function takes one event of the process at hand, holds it against the slab's state, and
 * then believes the event: what follows a violation, a loss or an unseen beginning is judged
 * by what was seen last.
 */
#ifndef HAK_SLABS_H
#define HAK_SLABS_H

#include "machine.h"

void slabs_active(struct machine *m, const struct hak_ev_slab_active *e);
void slabs_empty(struct machine *m, const struct hak_ev_slab_empty *e);
void slabs_release(struct machine *m, const struct hak_ev_slab_release *e);
void slabs_publish(struct machine *m, const struct hak_ev_slab_publish *e);
void slabs_adopt(struct machine *m, const struct hak_ev_slab_adopt *e);
void slabs_refill(struct machine *m, const struct hak_ev_sll_refill *e);
void slabs_push(struct machine *m, const struct hak_ev_remote_push *e);
void slabs_collect(struct machine *m, const struct hak_ev_remote_drain *e);

#endif
